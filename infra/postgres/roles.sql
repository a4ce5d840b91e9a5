-- Generated from the declarations in functions/ by `python -m infra.manifests generate`.
-- Roles belong to the server, and several databases of one server may be set up at once: look first, and try again when
-- another one was quicker.
create or replace function pg_temp.ensure(satisfied text, command text) returns void language plpgsql as $$
declare
  done boolean;
begin
  for attempt in 1..100 loop
    execute format('select exists (%s)', satisfied) into done;
    if done then
      return;
    end if;
    begin
      execute command;
      return;
    exception when duplicate_object or unique_violation or internal_error then
      perform pg_sleep(random() * 0.05);
    end;
  end loop;
  raise exception 'not done in 100 attempts: %', command;
end $$;

create or replace function pg_temp.ensure_role(role text, options text default '') returns void language plpgsql as $$
begin
  perform pg_temp.ensure(
    format('select from pg_roles where rolname = %L', role),
    format('create role %I nologin %s', role, options));
  -- A pooler keeps no session settings, so they belong to the login. A wait for a lock gives up before its statement does.
  perform pg_temp.ensure(
    format('select from pg_db_role_setting where setrole = %L::regrole and setdatabase = 0 and %L = any (setconfig)',
      role, setting || '=' || value),
    format('alter role %I set %s = %L', role, setting, value))
  from (values ('lock_timeout', '2s'), ('statement_timeout', '5s'), ('idle_in_transaction_session_timeout', '10s'))
    as timeouts (setting, value);
end $$;

create or replace function pg_temp.ensure_member(role text, member text) returns void language sql as $$
  select pg_temp.ensure(
    format('select from pg_auth_members where roleid = %L::regrole and member = %L::regrole', role, member),
    format('grant %I to %I', role, member))
$$;

-- One role per function; shop_app may become any of them, one transaction at a time.
select pg_temp.ensure_role('shop_app', 'noinherit');
select pg_temp.ensure_role('shop_relay');
select pg_temp.ensure_role(role), pg_temp.ensure_member(role, 'shop_app') from unnest(array[
  'fn_authorize_payment',
  'fn_capture_payment',
  'fn_create_product',
  'fn_get_payment',
  'fn_get_product',
  'fn_list_products',
  'fn_refund_payment',
  'fn_resolve_unknown_payments',
  'fn_update_product',
  'fn_void_payment'
]::text[]) as role;

-- What earlier versions granted, also to functions that are no more.
do $$
declare
  role text;
  policy record;
begin
  for role in
    select distinct grantee::regrole::text from (
      select (aclexplode(relacl)).grantee from pg_class join pg_namespace n on n.oid = relnamespace where nspname in ('catalog', 'payments', 'platform')
      union all
      select (aclexplode(nspacl)).grantee from pg_namespace where nspname in ('catalog', 'payments', 'platform')
    ) as granted
    where grantee <> 0 and grantee::regrole::text ~ '^(fn_|shop_)'
  loop
    execute format('revoke all on all tables in schema catalog, payments, platform from %s', role);
    execute format('revoke all on all sequences in schema catalog, payments, platform from %s', role);
    execute format('revoke all on schema catalog, payments, platform from %s', role);
  end loop;
  for policy in
    select * from pg_policies where schemaname = 'platform' and policyname ~ '^(emit|retry|read|write)_|^relay$'
  loop
    execute format('drop policy %I on platform.%I', policy.policyname, policy.tablename);
  end loop;
end $$;

-- The relay and the dispatcher carry every event, whoever emitted it.
grant usage on schema platform to shop_relay;
grant select, insert, update on platform.outbox, platform.log_heads, platform.consumer_offsets to shop_relay;
create policy relay on platform.outbox to shop_relay using (true) with check (true);

-- payments/authorize_payment
grant usage on schema payments, platform to fn_authorize_payment;
grant insert on platform.outbox to fn_authorize_payment;
grant select, insert on payments.ledger, platform.inbox to fn_authorize_payment;
grant select, insert, update on payments.attempts, payments.payments, platform.attempts, platform.dead_letters, platform.streams to fn_authorize_payment;
create policy emit_authorize_payment on platform.outbox for insert to fn_authorize_payment with check (type in ('shop.payments.payment.authorized.v1', 'shop.payments.payment.declined.v1', 'shop.payments.payment.unknown.v1'));
-- payments/capture_payment
grant usage on schema payments, platform to fn_capture_payment;
grant insert on platform.outbox to fn_capture_payment;
grant select, insert on payments.ledger, platform.inbox to fn_capture_payment;
grant select, insert, update on payments.attempts, payments.payments, platform.attempts, platform.dead_letters, platform.streams to fn_capture_payment;
create policy emit_capture_payment on platform.outbox for insert to fn_capture_payment with check (type in ('shop.payments.payment.capture_failed.v1', 'shop.payments.payment.captured.v1', 'shop.payments.payment.unknown.v1'));
-- catalog/create_product
grant usage on schema catalog, platform to fn_create_product;
grant insert on platform.outbox to fn_create_product;
grant select, insert, update on catalog.products, platform.streams to fn_create_product;
create policy emit_create_product on platform.outbox for insert to fn_create_product with check (type in ('shop.catalog.product.created.v1'));
-- payments/get_payment
grant usage on schema payments to fn_get_payment;
grant select on payments.attempts, payments.payments to fn_get_payment;
-- catalog/get_product
grant usage on schema catalog to fn_get_product;
grant select on catalog.products to fn_get_product;
-- catalog/list_products
grant usage on schema catalog to fn_list_products;
grant select on catalog.products to fn_list_products;
-- payments/refund_payment
grant usage on schema payments, platform to fn_refund_payment;
grant insert on platform.outbox to fn_refund_payment;
grant select, insert on payments.ledger, platform.inbox to fn_refund_payment;
grant select, insert, update on payments.attempts, payments.payments, platform.attempts, platform.dead_letters, platform.streams to fn_refund_payment;
create policy emit_refund_payment on platform.outbox for insert to fn_refund_payment with check (type in ('shop.payments.payment.unknown.v1', 'shop.payments.refund.failed.v1', 'shop.payments.refund.succeeded.v1'));
-- payments/resolve_unknown_payments
grant usage on schema payments, platform to fn_resolve_unknown_payments;
grant insert on platform.outbox to fn_resolve_unknown_payments;
grant select, insert on payments.ledger to fn_resolve_unknown_payments;
grant select, insert, update on payments.attempts, payments.payments, platform.streams to fn_resolve_unknown_payments;
create policy emit_resolve_unknown_payments on platform.outbox for insert to fn_resolve_unknown_payments with check (type in ('shop.payments.payment.authorized.v1', 'shop.payments.payment.capture_failed.v1', 'shop.payments.payment.captured.v1', 'shop.payments.payment.declined.v1', 'shop.payments.payment.unknown.v1', 'shop.payments.payment.void_failed.v1', 'shop.payments.payment.voided.v1', 'shop.payments.refund.failed.v1', 'shop.payments.refund.succeeded.v1'));
-- catalog/update_product
grant usage on schema catalog, platform to fn_update_product;
grant insert on platform.outbox to fn_update_product;
grant select, insert, update on catalog.products, platform.streams to fn_update_product;
create policy emit_update_product on platform.outbox for insert to fn_update_product with check (type in ('shop.catalog.product.updated.v1'));
-- payments/void_payment
grant usage on schema payments, platform to fn_void_payment;
grant insert on platform.outbox to fn_void_payment;
grant select, insert on payments.ledger, platform.inbox to fn_void_payment;
grant select, insert, update on payments.attempts, payments.payments, platform.attempts, platform.dead_letters, platform.streams to fn_void_payment;
create policy emit_void_payment on platform.outbox for insert to fn_void_payment with check (type in ('shop.payments.payment.unknown.v1', 'shop.payments.payment.void_failed.v1', 'shop.payments.payment.voided.v1'));
drop function pg_temp.ensure_member, pg_temp.ensure_role, pg_temp.ensure;
