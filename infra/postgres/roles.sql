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
  -- A pooler keeps no session settings, so they belong to the login. A lock's wait ends before its statement's.
  -- A plan is made once per connection: left to itself, Postgres plans anew for every array that it is given. What a
  -- function reads is in memory or on flash: a plan for turning disks would read all of a table to find a hundred rows.
  perform pg_temp.ensure(
    format('select from pg_db_role_setting where setrole = %L::regrole and setdatabase = 0 and %L = any (setconfig)',
      role, setting || '=' || value),
    format('alter role %I set %s = %L', role, setting, value))
  from (values ('lock_timeout', '2s'), ('statement_timeout', '5s'), ('idle_in_transaction_session_timeout', '10s'),
    ('plan_cache_mode', 'force_generic_plan'), ('random_page_cost', '1.1'))
    as settings (setting, value);
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
  'fn_adjust_stock',
  'fn_advance_order',
  'fn_arrange_fulfilments',
  'fn_authorize_payment',
  'fn_authorize_return',
  'fn_cancel_guest_order',
  'fn_cancel_line',
  'fn_cancel_order',
  'fn_cancel_transfer',
  'fn_capture_payment',
  'fn_change_address',
  'fn_check_availability',
  'fn_check_invariants',
  'fn_check_stock',
  'fn_close_location',
  'fn_close_return',
  'fn_collect_dead_letters',
  'fn_commit_hold',
  'fn_compare_payments',
  'fn_compensate_saga',
  'fn_complete_order',
  'fn_count_figures',
  'fn_count_sales',
  'fn_create_alert_target',
  'fn_create_category',
  'fn_create_location',
  'fn_create_product',
  'fn_create_transfer',
  'fn_delete_alert_target',
  'fn_delete_category',
  'fn_delete_product',
  'fn_deliver_fulfilment',
  'fn_deny_refund',
  'fn_describe_order',
  'fn_drive_sagas',
  'fn_drive_steps',
  'fn_erase_customer',
  'fn_erase_guest',
  'fn_expire_holds',
  'fn_explain_stock',
  'fn_export_my_data',
  'fn_export_orders',
  'fn_export_products',
  'fn_extend_hold',
  'fn_follow_order',
  'fn_forget_old_alerts',
  'fn_forget_old_rows',
  'fn_forget_personal_data',
  'fn_forget_provider_events',
  'fn_get_alert_delivery',
  'fn_get_alert_target',
  'fn_get_category',
  'fn_get_customer',
  'fn_get_customer_figures',
  'fn_get_discount',
  'fn_get_fulfilment',
  'fn_get_function',
  'fn_get_guest_order',
  'fn_get_hold',
  'fn_get_location',
  'fn_get_order',
  'fn_get_order_figures',
  'fn_get_order_fulfilment',
  'fn_get_order_payment',
  'fn_get_past_stock',
  'fn_get_payment',
  'fn_get_pricing_terms',
  'fn_get_product',
  'fn_get_product_figures',
  'fn_get_retention',
  'fn_get_saga',
  'fn_get_sales_figures',
  'fn_get_stock',
  'fn_get_timeline',
  'fn_get_transfer',
  'fn_give_back_discounts',
  'fn_give_up_step',
  'fn_grant_refund',
  'fn_group_dead_letters',
  'fn_hold_stock',
  'fn_import_products',
  'fn_import_stock',
  'fn_inspect_product',
  'fn_inspect_products',
  'fn_list_alert_deliveries',
  'fn_list_alert_targets',
  'fn_list_alerts',
  'fn_list_audit',
  'fn_list_categories',
  'fn_list_customers',
  'fn_list_dead_letters',
  'fn_list_discounts',
  'fn_list_findings',
  'fn_list_fulfilments',
  'fn_list_functions',
  'fn_list_goods_returns',
  'fn_list_holds',
  'fn_list_ledger',
  'fn_list_locations',
  'fn_list_my_orders',
  'fn_list_payments',
  'fn_list_products',
  'fn_list_publishers',
  'fn_list_refund_requests',
  'fn_list_refunds',
  'fn_list_sagas',
  'fn_list_shipping_methods',
  'fn_list_shortfalls',
  'fn_list_steps',
  'fn_list_tax_rates',
  'fn_list_transfers',
  'fn_list_weights',
  'fn_measure_fulfilments',
  'fn_measure_payments',
  'fn_measure_reviews',
  'fn_measure_sagas',
  'fn_measure_stock',
  'fn_move_category',
  'fn_note_order',
  'fn_open_location',
  'fn_pay_guest_order',
  'fn_pay_order',
  'fn_place_guest_order',
  'fn_place_order',
  'fn_publish_due_products',
  'fn_publish_event',
  'fn_quote_order',
  'fn_raise_alerts',
  'fn_rank_best_sellers',
  'fn_rebuild_catalog',
  'fn_rebuild_figures',
  'fn_receive_provider_event',
  'fn_receive_return',
  'fn_receive_transfer',
  'fn_reconcile_payments',
  'fn_reconcile_stock',
  'fn_record_order',
  'fn_redeliver_alert',
  'fn_refund_order',
  'fn_refund_payment',
  'fn_release_hold',
  'fn_release_hold_part',
  'fn_release_order',
  'fn_remove_discount',
  'fn_remove_shipping_method',
  'fn_remove_tax_rate',
  'fn_replay_dead_letters',
  'fn_request_refund',
  'fn_resolve_unknown_payments',
  'fn_restock_goods',
  'fn_retry_refund',
  'fn_retry_saga',
  'fn_retry_step',
  'fn_return_goods',
  'fn_review_order',
  'fn_rotate_alert_secret',
  'fn_search_ledger',
  'fn_search_orders',
  'fn_search_products',
  'fn_send_alerts',
  'fn_send_test_alert',
  'fn_set_allocation_policy',
  'fn_set_customer',
  'fn_set_discount',
  'fn_set_figures_policy',
  'fn_set_hold_expiry',
  'fn_set_item_policy',
  'fn_set_level_policy',
  'fn_set_pricing_terms',
  'fn_set_publisher',
  'fn_set_retention',
  'fn_set_shipping_method',
  'fn_set_stock_level',
  'fn_set_tax_rate',
  'fn_set_weights',
  'fn_settle_steps',
  'fn_ship_fulfilment',
  'fn_ship_hold',
  'fn_short_fulfilment',
  'fn_skip_saga_step',
  'fn_suggest_searches',
  'fn_tag_order',
  'fn_track_stock',
  'fn_update_alert_target',
  'fn_update_category',
  'fn_update_location',
  'fn_update_product',
  'fn_void_payment',
  'fn_watch_functions',
  'fn_watch_invariants'
]::text[]) as role;

-- What earlier versions granted, also to functions that are no more.
do $$
declare
  role text;
  policy record;
begin
  for role in
    select distinct grantee::regrole::text from (
      select (aclexplode(relacl)).grantee from pg_class join pg_namespace n on n.oid = relnamespace
      where nspname in ('catalog', 'inventory', 'orders', 'payments', 'platform')
      union all
      select (aclexplode(nspacl)).grantee from pg_namespace where nspname in ('catalog', 'inventory', 'orders', 'payments', 'platform')
    ) as granted
    where grantee <> 0 and grantee::regrole::text ~ '^(fn_.*|shop_app|shop_relay)$'
  loop
    execute format('revoke all on all tables in schema catalog, inventory, orders, payments, platform from %s', role);
    execute format('revoke all on all sequences in schema catalog, inventory, orders, payments, platform from %s', role);
    execute format('revoke all on schema catalog, inventory, orders, payments, platform from %s', role);
  end loop;
  for policy in
    select * from pg_policies where schemaname = 'platform' and policyname ~ '^(emit|retry|read|write|forget)_|^relay$'
  loop
    execute format('drop policy %I on platform.%I', policy.policyname, policy.tablename);
  end loop;
end $$;

-- The relay and the dispatcher carry every event, whoever emitted it.
grant usage on schema platform to shop_relay;
grant select, insert, update on platform.outbox, platform.log_heads, platform.consumer_offsets to shop_relay;
create policy relay on platform.outbox to shop_relay using (true) with check (true);

-- inventory/adjust_stock
grant usage on schema inventory, platform to fn_adjust_stock;
grant insert on platform.outbox to fn_adjust_stock;
grant select on inventory.hold_lines, inventory.holds, inventory.locations, platform.migrations to fn_adjust_stock;
grant select, insert on inventory.ledger to fn_adjust_stock;
grant select, insert, update on inventory.items, inventory.stock, platform.idempotency, platform.streams to fn_adjust_stock;
create policy emit_adjust_stock on platform.outbox for insert to fn_adjust_stock with check (type in ('shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.adjusted.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.received.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shipped.v1', 'shop.inventory.stock.shortfall.v1', 'shop.inventory.stock.transferred.v1'));
-- orders/advance_order
grant usage on schema orders, platform to fn_advance_order;
grant insert on platform.outbox to fn_advance_order;
grant select on platform.migrations to fn_advance_order;
grant select, insert on orders.saga_moves, platform.inbox to fn_advance_order;
grant select, insert, update on orders.orders, orders.sagas, platform.attempts, platform.dead_letters, platform.streams to fn_advance_order;
create policy emit_advance_order on platform.outbox for insert to fn_advance_order with check (type in ('shop.inventory.commit.v1', 'shop.inventory.extend.v1', 'shop.inventory.hold.v1', 'shop.inventory.release.v1', 'shop.orders.order.awaiting_customer.v1', 'shop.orders.order.cancelled.v1', 'shop.orders.order.cancelling.v1', 'shop.orders.order.confirmed.v1', 'shop.orders.order.expired.v1', 'shop.orders.order.rejected.v1', 'shop.orders.saga.stuck.v1', 'shop.payments.authorize.v1', 'shop.payments.capture.v1', 'shop.payments.refund.v1', 'shop.payments.void.v1'));
-- orders/arrange_fulfilments
grant usage on schema inventory, orders, platform to fn_arrange_fulfilments;
grant insert on platform.outbox to fn_arrange_fulfilments;
grant select on inventory.hold_lines, orders.order_lines, platform.migrations to fn_arrange_fulfilments;
grant select, insert on platform.inbox to fn_arrange_fulfilments;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.orders, platform.attempts, platform.dead_letters, platform.streams to fn_arrange_fulfilments;
create policy emit_arrange_fulfilments on platform.outbox for insert to fn_arrange_fulfilments with check (type in ('shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1'));
-- payments/authorize_payment
grant usage on schema payments, platform to fn_authorize_payment;
grant insert on platform.outbox to fn_authorize_payment;
grant select on platform.migrations to fn_authorize_payment;
grant select, insert on payments.ledger, platform.inbox to fn_authorize_payment;
grant select, insert, update on payments.attempts, payments.breakers, payments.payments, platform.attempts, platform.dead_letters, platform.streams to fn_authorize_payment;
create policy emit_authorize_payment on platform.outbox for insert to fn_authorize_payment with check (type in ('shop.payments.payment.action_required.v1', 'shop.payments.payment.authorized.v1', 'shop.payments.payment.declined.v1', 'shop.payments.payment.unknown.v1', 'shop.payments.payment.void_failed.v1', 'shop.payments.payment.voided.v1', 'shop.platform.breaker.closed.v1', 'shop.platform.breaker.opened.v1'));
-- orders/authorize_return
grant usage on schema orders, platform to fn_authorize_return;
grant insert on platform.outbox to fn_authorize_return;
grant select on platform.migrations to fn_authorize_return;
grant select, insert on orders.audit to fn_authorize_return;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.goods_return_lines, orders.goods_returns, orders.order_lines, orders.orders, orders.refunds, orders.sagas, orders.steps, platform.idempotency, platform.streams to fn_authorize_return;
create policy emit_authorize_return on platform.outbox for insert to fn_authorize_return with check (type in ('shop.inventory.restock.v1', 'shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.completed.v1', 'shop.payments.refund.v1'));
-- orders/cancel_guest_order
grant usage on schema orders, platform to fn_cancel_guest_order;
grant insert on platform.outbox to fn_cancel_guest_order;
grant select on orders.link_keys, orders.order_lines, platform.migrations to fn_cancel_guest_order;
grant select, insert on orders.saga_moves to fn_cancel_guest_order;
grant select, insert, update on orders.orders, orders.sagas, platform.idempotency, platform.rate_limits, platform.streams to fn_cancel_guest_order;
create policy emit_cancel_guest_order on platform.outbox for insert to fn_cancel_guest_order with check (type in ('shop.inventory.release.v1', 'shop.orders.order.cancelling.v1', 'shop.payments.refund.v1', 'shop.payments.void.v1'));
-- orders/cancel_line
grant usage on schema orders, platform to fn_cancel_line;
grant insert on platform.outbox to fn_cancel_line;
grant select on platform.migrations to fn_cancel_line;
grant select, insert on orders.audit, orders.saga_moves to fn_cancel_line;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.refunds, orders.sagas, orders.steps, platform.idempotency, platform.streams to fn_cancel_line;
create policy emit_cancel_line on platform.outbox for insert to fn_cancel_line with check (type in ('shop.inventory.release.v1', 'shop.inventory.release_part.v1', 'shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.cancelling.v1', 'shop.orders.order.completed.v1', 'shop.payments.refund.v1', 'shop.payments.void.v1'));
-- orders/cancel_order
grant usage on schema orders, platform to fn_cancel_order;
grant insert on platform.outbox to fn_cancel_order;
grant select on orders.order_lines, platform.migrations to fn_cancel_order;
grant select, insert on orders.audit, orders.saga_moves to fn_cancel_order;
grant select, insert, update on orders.orders, orders.sagas, platform.idempotency, platform.streams to fn_cancel_order;
create policy emit_cancel_order on platform.outbox for insert to fn_cancel_order with check (type in ('shop.inventory.release.v1', 'shop.orders.order.cancelling.v1', 'shop.payments.refund.v1', 'shop.payments.void.v1'));
-- inventory/cancel_transfer
grant usage on schema inventory, platform to fn_cancel_transfer;
grant insert on platform.outbox to fn_cancel_transfer;
grant select on inventory.hold_lines, inventory.holds, inventory.locations, platform.migrations to fn_cancel_transfer;
grant select, insert on inventory.ledger to fn_cancel_transfer;
grant select, insert, update on inventory.items, inventory.stock, inventory.transfer_lines, inventory.transfers, platform.idempotency, platform.streams to fn_cancel_transfer;
create policy emit_cancel_transfer on platform.outbox for insert to fn_cancel_transfer with check (type in ('shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.adjusted.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.received.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shipped.v1', 'shop.inventory.stock.shortfall.v1', 'shop.inventory.stock.transferred.v1'));
-- payments/capture_payment
grant usage on schema payments, platform to fn_capture_payment;
grant insert on platform.outbox to fn_capture_payment;
grant select on platform.migrations to fn_capture_payment;
grant select, insert on payments.ledger, platform.inbox to fn_capture_payment;
grant select, insert, update on payments.attempts, payments.breakers, payments.payments, platform.attempts, platform.dead_letters, platform.streams to fn_capture_payment;
create policy emit_capture_payment on platform.outbox for insert to fn_capture_payment with check (type in ('shop.payments.payment.capture_failed.v1', 'shop.payments.payment.captured.v1', 'shop.payments.payment.unknown.v1', 'shop.platform.breaker.closed.v1', 'shop.platform.breaker.opened.v1'));
-- orders/change_address
grant usage on schema orders, platform to fn_change_address;
grant insert on platform.outbox to fn_change_address;
grant select on platform.migrations to fn_change_address;
grant select, insert on orders.audit to fn_change_address;
grant select, insert, update on orders.orders, platform.streams to fn_change_address;
create policy emit_change_address on platform.outbox for insert to fn_change_address with check (type in ('shop.orders.order.address_changed.v1'));
-- inventory/check_availability
grant usage on schema inventory, platform to fn_check_availability;
grant select on inventory.items, platform.migrations to fn_check_availability;
grant select, insert, update on platform.rate_limits to fn_check_availability;
-- platform/check_invariants
grant usage on schema inventory, orders, payments, platform to fn_check_invariants;
grant select on inventory.alert_attempts, inventory.alert_deliveries, inventory.alert_targets, inventory.alerts, inventory.hold_lines, inventory.hold_parts, inventory.holds, inventory.items, inventory.ledger, inventory.locations, inventory.mendings, inventory.stock, inventory.transfer_lines, inventory.transfers, orders.customers, orders.discount_customers, orders.discount_uses, orders.discounts, orders.figures_policy, orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.product_days, orders.refunds, orders.return_lines, orders.returns, orders.saga_moves, orders.sagas, orders.sales_days, orders.sales_facts, orders.sales_facts_now, orders.steps, payments.attempts, payments.chargebacks, payments.ledger, payments.payments, payments.reconciliations, platform.consumer_offsets, platform.dead_letters, platform.idempotency, platform.inbox, platform.log_heads, platform.migrations, platform.outbox, platform.streams to fn_check_invariants;
create policy read_check_invariants on platform.idempotency for select to fn_check_invariants using (true);
create policy read_check_invariants on platform.inbox for select to fn_check_invariants using (true);
create policy read_check_invariants on platform.outbox for select to fn_check_invariants using (true);
-- inventory/check_stock
grant usage on schema inventory, platform to fn_check_stock;
grant select on inventory.items, inventory.locations, inventory.stock, inventory.transfer_lines, inventory.transfers, platform.migrations to fn_check_stock;
-- inventory/close_location
grant usage on schema inventory, platform to fn_close_location;
grant insert on platform.outbox to fn_close_location;
grant select on inventory.hold_lines, inventory.holds, platform.migrations to fn_close_location;
grant select, insert on inventory.ledger to fn_close_location;
grant select, insert, update on inventory.items, inventory.locations, inventory.stock, inventory.transfer_lines, inventory.transfers, platform.streams to fn_close_location;
create policy emit_close_location on platform.outbox for insert to fn_close_location with check (type in ('shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.adjusted.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.received.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shipped.v1', 'shop.inventory.stock.shortfall.v1', 'shop.inventory.stock.transferred.v1'));
-- orders/close_return
grant usage on schema orders, platform to fn_close_return;
grant insert on platform.outbox to fn_close_return;
grant select on orders.goods_return_lines, platform.migrations to fn_close_return;
grant select, insert on orders.audit to fn_close_return;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.goods_returns, orders.order_lines, orders.orders, orders.sagas, orders.steps, platform.idempotency, platform.streams to fn_close_return;
create policy emit_close_return on platform.outbox for insert to fn_close_return with check (type in ('shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.completed.v1'));
-- platform/collect_dead_letters
grant usage on schema platform to fn_collect_dead_letters;
grant select on platform.migrations to fn_collect_dead_letters;
grant select, insert on platform.inbox to fn_collect_dead_letters;
grant select, insert, update on platform.attempts, platform.dead_letters to fn_collect_dead_letters;
-- inventory/commit_hold
grant usage on schema inventory, platform to fn_commit_hold;
grant insert on platform.outbox to fn_commit_hold;
grant select on inventory.locations, platform.migrations to fn_commit_hold;
grant select, insert on platform.inbox to fn_commit_hold;
grant select, insert, update on inventory.hold_lines, inventory.holds, inventory.items, inventory.stock, platform.attempts, platform.dead_letters, platform.streams to fn_commit_hold;
create policy emit_commit_hold on platform.outbox for insert to fn_commit_hold with check (type in ('shop.inventory.hold.committed.v1', 'shop.inventory.hold.expired.v1', 'shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shortfall.v1'));
-- payments/compare_payments
grant usage on schema payments, platform to fn_compare_payments;
grant select on payments.attempts, payments.ledger, payments.payments, platform.migrations to fn_compare_payments;
grant select, insert, update on payments.comparisons, payments.differences to fn_compare_payments;
-- orders/compensate_saga
grant usage on schema orders, platform to fn_compensate_saga;
grant insert on platform.outbox to fn_compensate_saga;
grant select on platform.migrations to fn_compensate_saga;
grant select, insert on orders.audit, orders.saga_moves to fn_compensate_saga;
grant select, insert, update on orders.orders, orders.sagas, platform.idempotency, platform.streams to fn_compensate_saga;
create policy emit_compensate_saga on platform.outbox for insert to fn_compensate_saga with check (type in ('shop.inventory.release.v1', 'shop.orders.order.cancelling.v1', 'shop.payments.refund.v1', 'shop.payments.void.v1'));
-- orders/complete_order
grant usage on schema orders, payments, platform to fn_complete_order;
grant insert on platform.outbox to fn_complete_order;
grant select on orders.order_lines, payments.payments, platform.migrations to fn_complete_order;
grant select, insert on orders.audit to fn_complete_order;
grant select, insert, update on orders.orders, orders.sagas, platform.streams to fn_complete_order;
create policy emit_complete_order on platform.outbox for insert to fn_complete_order with check (type in ('shop.orders.order.completed.v1'));
-- orders/count_figures
grant usage on schema orders, payments, platform to fn_count_figures;
grant select on orders.customers, orders.figures_policy, orders.order_lines, orders.orders, orders.return_lines, orders.returns, orders.saga_moves, orders.sagas, orders.sales_facts_now, payments.attempts, payments.payments, platform.migrations to fn_count_figures;
grant select, insert on platform.inbox to fn_count_figures;
grant select, insert, update on platform.attempts, platform.dead_letters to fn_count_figures;
grant select, insert, update, delete on orders.product_days, orders.sales_days, orders.sales_facts to fn_count_figures;
-- catalog/count_sales
grant usage on schema catalog, orders, platform to fn_count_sales;
grant select on orders.order_lines, platform.migrations to fn_count_sales;
grant select, insert on platform.inbox to fn_count_sales;
grant select, insert, update on catalog.sales, platform.attempts, platform.dead_letters to fn_count_sales;
-- inventory/create_alert_target
grant usage on schema inventory, platform to fn_create_alert_target;
grant select on platform.migrations to fn_create_alert_target;
grant select, insert, update on inventory.alert_targets to fn_create_alert_target;
grant select, insert, update, delete on inventory.alert_secrets to fn_create_alert_target;
-- catalog/create_category
grant usage on schema catalog, platform to fn_create_category;
grant insert on platform.outbox to fn_create_category;
grant select on platform.migrations to fn_create_category;
grant select, insert, update on platform.idempotency, platform.streams to fn_create_category;
grant select, insert, update, delete on catalog.categories to fn_create_category;
create policy emit_create_category on platform.outbox for insert to fn_create_category with check (type in ('shop.catalog.category.created.v1'));
-- inventory/create_location
grant usage on schema inventory, platform to fn_create_location;
grant select on platform.migrations to fn_create_location;
grant select, insert, update on inventory.locations to fn_create_location;
-- catalog/create_product
grant usage on schema catalog, platform to fn_create_product;
grant insert on platform.outbox to fn_create_product;
grant select on catalog.categories, catalog.listings_now, catalog.sales, platform.migrations to fn_create_product;
grant select, insert, update on catalog.stock, platform.idempotency, platform.streams to fn_create_product;
grant select, insert, update, delete on catalog.listings, catalog.products, catalog.search_entries, catalog.variants, catalog.words to fn_create_product;
create policy emit_create_product on platform.outbox for insert to fn_create_product with check (type in ('shop.catalog.product.created.v1', 'shop.catalog.product.published.v1'));
-- inventory/create_transfer
grant usage on schema inventory, platform to fn_create_transfer;
grant insert on platform.outbox to fn_create_transfer;
grant select on inventory.hold_lines, inventory.holds, inventory.locations, platform.migrations to fn_create_transfer;
grant select, insert on inventory.ledger to fn_create_transfer;
grant select, insert, update on inventory.items, inventory.stock, inventory.transfer_lines, inventory.transfers, platform.idempotency, platform.streams to fn_create_transfer;
create policy emit_create_transfer on platform.outbox for insert to fn_create_transfer with check (type in ('shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.adjusted.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.received.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shipped.v1', 'shop.inventory.stock.shortfall.v1', 'shop.inventory.stock.transferred.v1'));
-- inventory/delete_alert_target
grant usage on schema inventory, platform to fn_delete_alert_target;
grant select on platform.migrations to fn_delete_alert_target;
grant select, insert, update on inventory.alert_deliveries, inventory.alert_targets to fn_delete_alert_target;
grant select, insert, update, delete on inventory.alert_secrets to fn_delete_alert_target;
-- catalog/delete_category
grant usage on schema catalog, platform to fn_delete_category;
grant insert on platform.outbox to fn_delete_category;
grant select on catalog.listings_now, catalog.sales, catalog.variants, platform.migrations to fn_delete_category;
grant select, insert, update on catalog.stock, platform.streams to fn_delete_category;
grant select, insert, update, delete on catalog.categories, catalog.listings, catalog.products, catalog.search_entries, catalog.words to fn_delete_category;
create policy emit_delete_category on platform.outbox for insert to fn_delete_category with check (type in ('shop.catalog.category.deleted.v1'));
-- catalog/delete_product
grant usage on schema catalog, platform to fn_delete_product;
grant insert on platform.outbox to fn_delete_product;
grant select on catalog.variants, platform.migrations to fn_delete_product;
grant select, insert, update on platform.streams to fn_delete_product;
grant select, insert, update, delete on catalog.products to fn_delete_product;
create policy emit_delete_product on platform.outbox for insert to fn_delete_product with check (type in ('shop.catalog.product.deleted.v1'));
-- orders/deliver_fulfilment
grant usage on schema orders, platform to fn_deliver_fulfilment;
grant insert on platform.outbox to fn_deliver_fulfilment;
grant select on platform.migrations to fn_deliver_fulfilment;
grant select, insert on orders.audit to fn_deliver_fulfilment;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.sagas, orders.steps, platform.idempotency, platform.streams to fn_deliver_fulfilment;
create policy emit_deliver_fulfilment on platform.outbox for insert to fn_deliver_fulfilment with check (type in ('shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.completed.v1'));
-- orders/deny_refund
grant usage on schema orders, platform to fn_deny_refund;
grant select on orders.orders, platform.migrations to fn_deny_refund;
grant select, insert on orders.audit to fn_deny_refund;
grant select, insert, update on orders.refund_requests, platform.idempotency to fn_deny_refund;
-- orders/describe_order
grant usage on schema orders, payments, platform to fn_describe_order;
grant select on orders.audit, orders.fulfilment_lines, orders.fulfilments, orders.notes, orders.order_lines, orders.orders, orders.refunds, orders.saga_moves, orders.sagas, orders.steps, payments.attempts, payments.payments, platform.attempts, platform.dead_letters, platform.migrations, platform.outbox to fn_describe_order;
create policy read_describe_order on platform.attempts for select to fn_describe_order using (true);
create policy read_describe_order on platform.outbox for select to fn_describe_order using (true);
-- orders/drive_sagas
grant usage on schema orders, platform to fn_drive_sagas;
grant insert on platform.outbox to fn_drive_sagas;
grant select on orders.order_lines, orders.orders, platform.migrations to fn_drive_sagas;
grant select, insert on orders.saga_moves to fn_drive_sagas;
grant select, insert, update on orders.sagas, platform.streams to fn_drive_sagas;
create policy emit_drive_sagas on platform.outbox for insert to fn_drive_sagas with check (type in ('shop.inventory.commit.v1', 'shop.inventory.extend.v1', 'shop.inventory.hold.v1', 'shop.inventory.release.v1', 'shop.orders.saga.stuck.v1', 'shop.payments.authorize.v1', 'shop.payments.capture.v1', 'shop.payments.refund.v1', 'shop.payments.void.v1'));
-- orders/drive_steps
grant usage on schema orders, platform to fn_drive_steps;
grant insert on platform.outbox to fn_drive_steps;
grant select on platform.migrations to fn_drive_steps;
grant select, insert, update on orders.steps, platform.streams to fn_drive_steps;
create policy emit_drive_steps on platform.outbox for insert to fn_drive_steps with check (type in ('shop.inventory.release_part.v1', 'shop.inventory.restock.v1', 'shop.inventory.ship.v1', 'shop.payments.capture.v1', 'shop.payments.refund.v1', 'shop.payments.void.v1'));
-- orders/erase_customer
grant usage on schema orders, platform to fn_erase_customer;
grant select on platform.migrations to fn_erase_customer;
grant select, insert on orders.audit to fn_erase_customer;
grant select, insert, update on orders.customers, orders.discount_uses, orders.notes, orders.orders, platform.idempotency to fn_erase_customer;
grant select, insert, update, delete on orders.discount_customers, orders.discounts to fn_erase_customer;
create policy write_erase_customer on platform.idempotency to fn_erase_customer using (true) with check (true);
-- orders/erase_guest
grant usage on schema orders, platform to fn_erase_guest;
grant select on platform.migrations to fn_erase_guest;
grant select, insert on orders.audit to fn_erase_guest;
grant select, insert, update on orders.discount_uses, orders.notes, orders.orders, platform.idempotency to fn_erase_guest;
grant select, insert, update, delete on orders.discount_customers, orders.discounts to fn_erase_guest;
create policy write_erase_guest on platform.idempotency to fn_erase_guest using (true) with check (true);
-- inventory/expire_holds
grant usage on schema inventory, platform to fn_expire_holds;
grant insert on platform.outbox to fn_expire_holds;
grant select on inventory.locations, platform.migrations to fn_expire_holds;
grant select, insert, update on inventory.hold_lines, inventory.holds, inventory.items, inventory.stock, platform.streams to fn_expire_holds;
create policy emit_expire_holds on platform.outbox for insert to fn_expire_holds with check (type in ('shop.inventory.hold.expired.v1', 'shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shortfall.v1'));
-- inventory/explain_stock
grant usage on schema inventory, platform to fn_explain_stock;
grant select on inventory.hold_lines, inventory.holds, inventory.items, inventory.ledger, inventory.locations, inventory.stock, inventory.transfer_lines, inventory.transfers, platform.migrations to fn_explain_stock;
-- orders/export_my_data
grant usage on schema orders, platform to fn_export_my_data;
grant select on orders.customers, orders.notes, orders.order_lines, orders.orders, orders.returns, platform.migrations to fn_export_my_data;
grant select, insert, update on platform.rate_limits to fn_export_my_data;
-- orders/export_orders
grant usage on schema orders, platform to fn_export_orders;
grant select on orders.customers, orders.order_lines, orders.orders, orders.sagas, platform.migrations to fn_export_orders;
grant select, insert on orders.audit to fn_export_orders;
grant select, insert, update on platform.rate_limits to fn_export_orders;
-- catalog/export_products
grant usage on schema catalog, platform to fn_export_products;
grant select on catalog.categories, catalog.products, catalog.variants, platform.migrations to fn_export_products;
grant select, insert, update on platform.rate_limits to fn_export_products;
-- inventory/extend_hold
grant usage on schema inventory, platform to fn_extend_hold;
grant insert on platform.outbox to fn_extend_hold;
grant select on platform.migrations to fn_extend_hold;
grant select, insert on platform.inbox to fn_extend_hold;
grant select, insert, update on inventory.holds, platform.attempts, platform.dead_letters, platform.streams to fn_extend_hold;
create policy emit_extend_hold on platform.outbox for insert to fn_extend_hold with check (type in ('shop.inventory.hold.committed.v1', 'shop.inventory.hold.expired.v1', 'shop.inventory.hold.extended.v1'));
-- orders/follow_order
grant usage on schema orders, platform to fn_follow_order;
grant select on orders.orders, platform.migrations, platform.outbox to fn_follow_order;
grant select, insert, update on platform.rate_limits to fn_follow_order;
create policy read_follow_order on platform.outbox for select to fn_follow_order using (true);
-- inventory/forget_old_alerts
grant usage on schema inventory, platform to fn_forget_old_alerts;
grant select on platform.migrations to fn_forget_old_alerts;
grant select, insert, update, delete on inventory.alert_deliveries, inventory.alerts to fn_forget_old_alerts;
-- platform/forget_old_rows
grant usage on schema platform to fn_forget_old_rows;
grant select on platform.consumer_offsets, platform.migrations to fn_forget_old_rows;
grant select, delete on platform.attempts, platform.idempotency, platform.inbox, platform.outbox, platform.publications, platform.rate_limits to fn_forget_old_rows;
create policy forget_forget_old_rows on platform.attempts for delete to fn_forget_old_rows using (at < now() - interval '30 days');
create policy forget_forget_old_rows on platform.idempotency for delete to fn_forget_old_rows using (expires_at < now());
create policy forget_forget_old_rows on platform.inbox for delete to fn_forget_old_rows using (at < now() - interval '30 days');
create policy forget_forget_old_rows on platform.outbox for delete to fn_forget_old_rows using (published_at < now() - interval '30 days');
create policy forget_forget_old_rows on platform.publications for delete to fn_forget_old_rows using (at < now() - interval '30 days');
create policy forget_forget_old_rows on platform.rate_limits for delete to fn_forget_old_rows using (at < now() - interval '1 day');
create policy read_forget_old_rows on platform.attempts for select to fn_forget_old_rows using (true);
create policy read_forget_old_rows on platform.idempotency for select to fn_forget_old_rows using (true);
create policy read_forget_old_rows on platform.inbox for select to fn_forget_old_rows using (true);
create policy read_forget_old_rows on platform.outbox for select to fn_forget_old_rows using (true);
create policy read_forget_old_rows on platform.publications for select to fn_forget_old_rows using (true);
create policy read_forget_old_rows on platform.rate_limits for select to fn_forget_old_rows using (true);
-- orders/forget_personal_data
grant usage on schema orders, platform to fn_forget_personal_data;
grant select on orders.retention, platform.migrations to fn_forget_personal_data;
grant select, insert, update on orders.discount_uses, orders.notes, orders.orders, orders.sagas, platform.idempotency to fn_forget_personal_data;
grant select, insert, update, delete on orders.discount_customers, orders.discounts, orders.saga_moves to fn_forget_personal_data;
create policy write_forget_personal_data on platform.idempotency to fn_forget_personal_data using (true) with check (true);
-- payments/forget_provider_events
grant usage on schema payments, platform to fn_forget_provider_events;
grant select on platform.migrations to fn_forget_provider_events;
grant select, insert, update, delete on payments.provider_events to fn_forget_provider_events;
-- inventory/get_alert_delivery
grant usage on schema inventory, platform to fn_get_alert_delivery;
grant select on inventory.alert_attempts, inventory.alert_deliveries, inventory.alerts, platform.migrations to fn_get_alert_delivery;
-- inventory/get_alert_target
grant usage on schema inventory, platform to fn_get_alert_target;
grant select on inventory.alert_targets, platform.migrations to fn_get_alert_target;
-- catalog/get_category
grant usage on schema catalog, platform to fn_get_category;
grant select on catalog.categories, catalog.search_entries, platform.migrations to fn_get_category;
-- orders/get_customer
grant usage on schema orders, platform to fn_get_customer;
grant select on orders.customers, orders.orders, platform.migrations to fn_get_customer;
-- orders/get_customer_figures
grant usage on schema orders, platform to fn_get_customer_figures;
grant select on orders.orders, orders.sales_facts, platform.migrations to fn_get_customer_figures;
-- orders/get_discount
grant usage on schema orders, platform to fn_get_discount;
grant select on orders.discount_uses, orders.discounts, orders.orders, platform.migrations to fn_get_discount;
-- orders/get_fulfilment
grant usage on schema orders, platform to fn_get_fulfilment;
grant select on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, platform.migrations to fn_get_fulfilment;
-- platform/get_function
grant usage on schema platform to fn_get_function;
grant select on platform.migrations to fn_get_function;
-- orders/get_guest_order
grant usage on schema orders, platform to fn_get_guest_order;
grant select on orders.link_keys, orders.order_lines, orders.orders, orders.sagas, platform.migrations to fn_get_guest_order;
grant select, insert, update on platform.rate_limits to fn_get_guest_order;
-- inventory/get_hold
grant usage on schema inventory, platform to fn_get_hold;
grant select on inventory.hold_lines, inventory.hold_parts, inventory.holds, platform.migrations to fn_get_hold;
-- inventory/get_location
grant usage on schema inventory, platform to fn_get_location;
grant select on inventory.locations, platform.migrations to fn_get_location;
-- orders/get_order
grant usage on schema orders, platform to fn_get_order;
grant select on orders.order_lines, orders.orders, orders.sagas, platform.migrations to fn_get_order;
-- orders/get_order_figures
grant usage on schema orders, platform to fn_get_order_figures;
grant select on orders.figures_policy, orders.sales_days, platform.migrations to fn_get_order_figures;
-- orders/get_order_fulfilment
grant usage on schema orders, platform to fn_get_order_fulfilment;
grant select on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.refunds, platform.migrations to fn_get_order_fulfilment;
-- payments/get_order_payment
grant usage on schema orders, payments, platform to fn_get_order_payment;
grant select on orders.orders, payments.attempts, payments.payments, platform.migrations to fn_get_order_payment;
-- inventory/get_past_stock
grant usage on schema inventory, platform to fn_get_past_stock;
grant select on inventory.items, inventory.ledger, inventory.locations, inventory.stock, platform.migrations to fn_get_past_stock;
-- payments/get_payment
grant usage on schema payments, platform to fn_get_payment;
grant select on payments.attempts, payments.chargebacks, payments.ledger, payments.payments, platform.migrations to fn_get_payment;
-- orders/get_pricing_terms
grant usage on schema orders, platform to fn_get_pricing_terms;
grant select on orders.pricing_terms, platform.migrations to fn_get_pricing_terms;
-- catalog/get_product
grant usage on schema catalog, platform to fn_get_product;
grant select on catalog.categories, catalog.listings, catalog.products, catalog.stock, catalog.variants, platform.migrations to fn_get_product;
-- orders/get_product_figures
grant usage on schema catalog, orders, platform to fn_get_product_figures;
grant select on catalog.categories, catalog.products, catalog.variants, orders.product_days, platform.migrations to fn_get_product_figures;
-- orders/get_retention
grant usage on schema orders, platform to fn_get_retention;
grant select on orders.retention, platform.migrations to fn_get_retention;
-- orders/get_saga
grant usage on schema orders, platform to fn_get_saga;
grant select on orders.orders, orders.saga_moves, orders.sagas, platform.migrations to fn_get_saga;
-- orders/get_sales_figures
grant usage on schema catalog, orders, platform to fn_get_sales_figures;
grant select on catalog.categories, orders.figures_policy, orders.product_days, orders.sales_days, platform.migrations to fn_get_sales_figures;
-- inventory/get_stock
grant usage on schema inventory, platform to fn_get_stock;
grant select on inventory.items, inventory.locations, inventory.stock, inventory.transfer_lines, inventory.transfers, platform.migrations to fn_get_stock;
-- orders/get_timeline
grant usage on schema orders, platform to fn_get_timeline;
grant select on orders.orders, orders.saga_moves, platform.attempts, platform.dead_letters, platform.migrations, platform.outbox to fn_get_timeline;
create policy read_get_timeline on platform.attempts for select to fn_get_timeline using (true);
create policy read_get_timeline on platform.outbox for select to fn_get_timeline using (true);
-- inventory/get_transfer
grant usage on schema inventory, platform to fn_get_transfer;
grant select on inventory.transfer_lines, inventory.transfers, platform.migrations to fn_get_transfer;
-- orders/give_back_discounts
grant usage on schema orders, platform to fn_give_back_discounts;
grant select on platform.migrations to fn_give_back_discounts;
grant select, insert on platform.inbox to fn_give_back_discounts;
grant select, insert, update on orders.discount_customers, orders.discount_uses, platform.attempts, platform.dead_letters to fn_give_back_discounts;
grant select, insert, update, delete on orders.discounts to fn_give_back_discounts;
-- orders/give_up_step
grant usage on schema orders, platform to fn_give_up_step;
grant insert on platform.outbox to fn_give_up_step;
grant select on platform.migrations to fn_give_up_step;
grant select, insert on orders.audit to fn_give_up_step;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.sagas, orders.steps, platform.idempotency, platform.streams to fn_give_up_step;
create policy emit_give_up_step on platform.outbox for insert to fn_give_up_step with check (type in ('shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.completed.v1', 'shop.payments.void.v1'));
-- orders/grant_refund
grant usage on schema orders, platform to fn_grant_refund;
grant insert on platform.outbox to fn_grant_refund;
grant select on platform.migrations to fn_grant_refund;
grant select, insert on orders.audit to fn_grant_refund;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.refund_requests, orders.refunds, orders.sagas, orders.steps, platform.idempotency, platform.streams to fn_grant_refund;
create policy emit_grant_refund on platform.outbox for insert to fn_grant_refund with check (type in ('shop.inventory.restock.v1', 'shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.completed.v1', 'shop.payments.refund.v1'));
-- platform/group_dead_letters
grant usage on schema platform to fn_group_dead_letters;
grant select on platform.dead_letters, platform.migrations to fn_group_dead_letters;
-- inventory/hold_stock
grant usage on schema inventory, platform to fn_hold_stock;
grant insert on platform.outbox to fn_hold_stock;
grant select on inventory.locations, inventory.policy, platform.migrations to fn_hold_stock;
grant select, insert on platform.inbox to fn_hold_stock;
grant select, insert, update on inventory.hold_lines, inventory.holds, inventory.items, inventory.stock, platform.attempts, platform.dead_letters, platform.streams to fn_hold_stock;
create policy emit_hold_stock on platform.outbox for insert to fn_hold_stock with check (type in ('shop.inventory.hold.expired.v1', 'shop.inventory.hold.held.v1', 'shop.inventory.hold.rejected.v1', 'shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shortfall.v1'));
-- catalog/import_products
grant usage on schema catalog, platform to fn_import_products;
grant insert on platform.outbox to fn_import_products;
grant select on catalog.categories, catalog.listings_now, catalog.sales, platform.migrations to fn_import_products;
grant select, insert, update on catalog.stock, platform.idempotency, platform.rate_limits, platform.streams to fn_import_products;
grant select, insert, update, delete on catalog.listings, catalog.products, catalog.search_entries, catalog.variants, catalog.words to fn_import_products;
create policy emit_import_products on platform.outbox for insert to fn_import_products with check (type in ('shop.catalog.product.archived.v1', 'shop.catalog.product.created.v1', 'shop.catalog.product.published.v1', 'shop.catalog.product.updated.v1'));
-- inventory/import_stock
grant usage on schema inventory, platform to fn_import_stock;
grant insert on platform.outbox to fn_import_stock;
grant select on inventory.hold_lines, inventory.holds, inventory.locations, platform.migrations to fn_import_stock;
grant select, insert on inventory.ledger to fn_import_stock;
grant select, insert, update on inventory.items, inventory.stock, platform.idempotency, platform.rate_limits, platform.streams to fn_import_stock;
create policy emit_import_stock on platform.outbox for insert to fn_import_stock with check (type in ('shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.adjusted.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.received.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shipped.v1', 'shop.inventory.stock.shortfall.v1', 'shop.inventory.stock.transferred.v1'));
-- catalog/inspect_product
grant usage on schema catalog, platform to fn_inspect_product;
grant select on catalog.products, catalog.variants, platform.migrations to fn_inspect_product;
-- catalog/inspect_products
grant usage on schema catalog, platform to fn_inspect_products;
grant select on catalog.products, catalog.variants, platform.migrations to fn_inspect_products;
-- inventory/list_alert_deliveries
grant usage on schema inventory, platform to fn_list_alert_deliveries;
grant select on inventory.alert_deliveries, inventory.alerts, platform.migrations to fn_list_alert_deliveries;
-- inventory/list_alert_targets
grant usage on schema inventory, platform to fn_list_alert_targets;
grant select on inventory.alert_targets, platform.migrations to fn_list_alert_targets;
-- inventory/list_alerts
grant usage on schema inventory, platform to fn_list_alerts;
grant select on inventory.alert_watches, inventory.alerts, platform.migrations to fn_list_alerts;
-- orders/list_audit
grant usage on schema orders, platform to fn_list_audit;
grant select on orders.audit, orders.orders, platform.migrations to fn_list_audit;
-- catalog/list_categories
grant usage on schema catalog, platform to fn_list_categories;
grant select on catalog.categories, catalog.search_entries, platform.migrations to fn_list_categories;
-- orders/list_customers
grant usage on schema orders, platform to fn_list_customers;
grant select on orders.customers, platform.migrations to fn_list_customers;
-- platform/list_dead_letters
grant usage on schema platform to fn_list_dead_letters;
grant select on platform.dead_letters, platform.migrations to fn_list_dead_letters;
-- orders/list_discounts
grant usage on schema orders, platform to fn_list_discounts;
grant select on orders.discounts, platform.migrations to fn_list_discounts;
-- platform/list_findings
grant usage on schema platform to fn_list_findings;
grant select on platform.findings, platform.migrations to fn_list_findings;
-- orders/list_fulfilments
grant usage on schema orders, platform to fn_list_fulfilments;
grant select on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, platform.migrations to fn_list_fulfilments;
-- platform/list_functions
grant usage on schema platform to fn_list_functions;
grant select on platform.migrations to fn_list_functions;
-- orders/list_goods_returns
grant usage on schema orders, platform to fn_list_goods_returns;
grant select on orders.goods_return_lines, orders.goods_returns, orders.order_lines, platform.migrations to fn_list_goods_returns;
-- inventory/list_holds
grant usage on schema inventory, platform to fn_list_holds;
grant select on inventory.hold_lines, inventory.holds, platform.migrations to fn_list_holds;
-- inventory/list_ledger
grant usage on schema inventory, platform to fn_list_ledger;
grant select on inventory.ledger, inventory.stock, platform.migrations to fn_list_ledger;
-- inventory/list_locations
grant usage on schema inventory, platform to fn_list_locations;
grant select on inventory.locations, platform.migrations to fn_list_locations;
-- orders/list_my_orders
grant usage on schema orders, platform to fn_list_my_orders;
grant select on orders.order_lines, orders.orders, orders.sagas, platform.migrations to fn_list_my_orders;
-- payments/list_payments
grant usage on schema payments, platform to fn_list_payments;
grant select on payments.payments, platform.migrations to fn_list_payments;
-- catalog/list_products
grant usage on schema catalog, platform to fn_list_products;
grant select on catalog.categories, catalog.listings, catalog.search_entries, catalog.stock, platform.migrations to fn_list_products;
-- platform/list_publishers
grant usage on schema platform to fn_list_publishers;
grant select on platform.migrations, platform.publishers to fn_list_publishers;
-- orders/list_refund_requests
grant usage on schema orders, platform to fn_list_refund_requests;
grant select on orders.orders, orders.refund_requests, platform.migrations to fn_list_refund_requests;
-- orders/list_refunds
grant usage on schema orders, platform to fn_list_refunds;
grant select on orders.orders, orders.refunds, platform.migrations to fn_list_refunds;
-- orders/list_sagas
grant usage on schema orders, platform to fn_list_sagas;
grant select on orders.orders, orders.sagas, platform.migrations to fn_list_sagas;
-- orders/list_shipping_methods
grant usage on schema orders, platform to fn_list_shipping_methods;
grant select on orders.shipping_methods, platform.migrations to fn_list_shipping_methods;
-- inventory/list_shortfalls
grant usage on schema inventory, platform to fn_list_shortfalls;
grant select on inventory.hold_lines, inventory.holds, inventory.stock, platform.migrations to fn_list_shortfalls;
-- orders/list_steps
grant usage on schema orders, platform to fn_list_steps;
grant select on orders.steps, platform.migrations to fn_list_steps;
-- orders/list_tax_rates
grant usage on schema orders, platform to fn_list_tax_rates;
grant select on orders.tax_rates, platform.migrations to fn_list_tax_rates;
-- inventory/list_transfers
grant usage on schema inventory, platform to fn_list_transfers;
grant select on inventory.transfer_lines, inventory.transfers, platform.migrations to fn_list_transfers;
-- orders/list_weights
grant usage on schema orders, platform to fn_list_weights;
grant select on orders.sku_weights, platform.migrations to fn_list_weights;
-- orders/measure_fulfilments
grant usage on schema orders, platform to fn_measure_fulfilments;
grant select on orders.fulfilments, orders.refund_requests, orders.refunds, orders.steps, platform.migrations to fn_measure_fulfilments;
-- payments/measure_payments
grant usage on schema payments, platform to fn_measure_payments;
grant select on payments.attempts, payments.breakers, payments.chargebacks, payments.comparisons, payments.differences, platform.migrations to fn_measure_payments;
-- orders/measure_reviews
grant usage on schema orders, platform to fn_measure_reviews;
grant select on orders.audit, orders.orders, platform.migrations to fn_measure_reviews;
-- orders/measure_sagas
grant usage on schema orders, platform to fn_measure_sagas;
grant select on orders.sagas, platform.migrations to fn_measure_sagas;
-- inventory/measure_stock
grant usage on schema inventory, platform to fn_measure_stock;
grant select on inventory.alert_deliveries, inventory.holds, inventory.items, inventory.locations, inventory.stock, inventory.transfers, platform.migrations to fn_measure_stock;
-- catalog/move_category
grant usage on schema catalog, platform to fn_move_category;
grant insert on platform.outbox to fn_move_category;
grant select on platform.migrations to fn_move_category;
grant select, insert, update on platform.streams to fn_move_category;
grant select, insert, update, delete on catalog.categories to fn_move_category;
create policy emit_move_category on platform.outbox for insert to fn_move_category with check (type in ('shop.catalog.category.moved.v1'));
-- orders/note_order
grant usage on schema orders, platform to fn_note_order;
grant select on orders.orders, platform.migrations to fn_note_order;
grant select, insert on orders.audit, orders.notes to fn_note_order;
grant select, insert, update on platform.idempotency to fn_note_order;
-- inventory/open_location
grant usage on schema inventory, platform to fn_open_location;
grant insert on platform.outbox to fn_open_location;
grant select on inventory.hold_lines, inventory.holds, platform.migrations to fn_open_location;
grant select, insert, update on inventory.items, inventory.locations, inventory.stock, platform.streams to fn_open_location;
create policy emit_open_location on platform.outbox for insert to fn_open_location with check (type in ('shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shortfall.v1'));
-- orders/pay_guest_order
grant usage on schema orders, platform to fn_pay_guest_order;
grant insert on platform.outbox to fn_pay_guest_order;
grant select on orders.link_keys, orders.order_lines, platform.migrations to fn_pay_guest_order;
grant select, insert on orders.saga_moves to fn_pay_guest_order;
grant select, insert, update on orders.orders, orders.sagas, platform.idempotency, platform.rate_limits, platform.streams to fn_pay_guest_order;
create policy emit_pay_guest_order on platform.outbox for insert to fn_pay_guest_order with check (type in ('shop.inventory.extend.v1', 'shop.orders.order.card_changed.v1', 'shop.payments.authorize.v1'));
-- orders/pay_order
grant usage on schema orders, platform to fn_pay_order;
grant insert on platform.outbox to fn_pay_order;
grant select on orders.order_lines, platform.migrations to fn_pay_order;
grant select, insert on orders.saga_moves to fn_pay_order;
grant select, insert, update on orders.orders, orders.sagas, platform.idempotency, platform.streams to fn_pay_order;
create policy emit_pay_order on platform.outbox for insert to fn_pay_order with check (type in ('shop.inventory.extend.v1', 'shop.orders.order.card_changed.v1', 'shop.payments.authorize.v1'));
-- orders/place_guest_order
grant usage on schema catalog, orders, platform to fn_place_guest_order;
grant insert on platform.outbox to fn_place_guest_order;
grant select on catalog.categories, catalog.products, catalog.variants, orders.link_keys, orders.pricing_terms, orders.shipping_methods, orders.sku_weights, orders.tax_rates, platform.migrations to fn_place_guest_order;
grant select, insert on orders.saga_moves to fn_place_guest_order;
grant select, insert, update on orders.discount_customers, orders.discount_uses, orders.order_lines, orders.orders, orders.sagas, platform.idempotency, platform.rate_limits, platform.streams to fn_place_guest_order;
grant select, insert, update, delete on orders.discounts to fn_place_guest_order;
create policy emit_place_guest_order on platform.outbox for insert to fn_place_guest_order with check (type in ('shop.inventory.hold.v1', 'shop.orders.order.created.v1'));
-- orders/place_order
grant usage on schema catalog, orders, platform to fn_place_order;
grant insert on platform.outbox to fn_place_order;
grant select on catalog.categories, catalog.products, catalog.variants, orders.pricing_terms, orders.shipping_methods, orders.sku_weights, orders.tax_rates, platform.migrations to fn_place_order;
grant select, insert on orders.saga_moves to fn_place_order;
grant select, insert, update on orders.discount_customers, orders.discount_uses, orders.order_lines, orders.orders, orders.sagas, platform.idempotency, platform.rate_limits, platform.streams to fn_place_order;
grant select, insert, update, delete on orders.discounts to fn_place_order;
create policy emit_place_order on platform.outbox for insert to fn_place_order with check (type in ('shop.inventory.hold.v1', 'shop.orders.order.created.v1'));
-- catalog/publish_due_products
grant usage on schema catalog, platform to fn_publish_due_products;
grant insert on platform.outbox to fn_publish_due_products;
grant select on catalog.listings_now, catalog.sales, catalog.variants, platform.migrations to fn_publish_due_products;
grant select, insert, update on catalog.stock, platform.streams to fn_publish_due_products;
grant select, insert, update, delete on catalog.listings, catalog.products, catalog.search_entries, catalog.words to fn_publish_due_products;
create policy emit_publish_due_products on platform.outbox for insert to fn_publish_due_products with check (type in ('shop.catalog.product.published.v1'));
-- platform/publish_event
grant usage on schema platform to fn_publish_event;
grant insert on platform.outbox to fn_publish_event;
grant select on platform.migrations, platform.publishers to fn_publish_event;
grant select, insert on platform.publications to fn_publish_event;
grant select, insert, update on platform.streams to fn_publish_event;
create policy emit_publish_event on platform.outbox for insert to fn_publish_event with check (type in ('shop.catalog.category.created.v1', 'shop.catalog.category.deleted.v1', 'shop.catalog.category.moved.v1', 'shop.catalog.category.updated.v1', 'shop.catalog.product.archived.v1', 'shop.catalog.product.created.v1', 'shop.catalog.product.deleted.v1', 'shop.catalog.product.published.v1', 'shop.catalog.product.updated.v1', 'shop.inventory.commit.v1', 'shop.inventory.extend.v1', 'shop.inventory.hold.committed.v1', 'shop.inventory.hold.expired.v1', 'shop.inventory.hold.extended.v1', 'shop.inventory.hold.held.v1', 'shop.inventory.hold.part_released.v1', 'shop.inventory.hold.rejected.v1', 'shop.inventory.hold.released.v1', 'shop.inventory.hold.restock_refused.v1', 'shop.inventory.hold.restocked.v1', 'shop.inventory.hold.shipment_refused.v1', 'shop.inventory.hold.shipped.v1', 'shop.inventory.hold.v1', 'shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.release.v1', 'shop.inventory.release_part.v1', 'shop.inventory.restock.v1', 'shop.inventory.ship.v1', 'shop.inventory.stock.adjusted.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.received.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shipped.v1', 'shop.inventory.stock.shortfall.v1', 'shop.inventory.stock.transferred.v1', 'shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.awaiting_customer.v1', 'shop.orders.order.cancelled.v1', 'shop.orders.order.cancelling.v1', 'shop.orders.order.card_changed.v1', 'shop.orders.order.completed.v1', 'shop.orders.order.confirmed.v1', 'shop.orders.order.created.v1', 'shop.orders.order.expired.v1', 'shop.orders.order.rejected.v1', 'shop.orders.saga.retried.v1', 'shop.orders.saga.skipped.v1', 'shop.orders.saga.stuck.v1', 'shop.payments.authorize.v1', 'shop.payments.capture.v1', 'shop.payments.chargeback.closed.v1', 'shop.payments.chargeback.opened.v1', 'shop.payments.payment.action_required.v1', 'shop.payments.payment.authorized.v1', 'shop.payments.payment.capture_failed.v1', 'shop.payments.payment.captured.v1', 'shop.payments.payment.declined.v1', 'shop.payments.payment.unknown.v1', 'shop.payments.payment.void_failed.v1', 'shop.payments.payment.voided.v1', 'shop.payments.refund.failed.v1', 'shop.payments.refund.succeeded.v1', 'shop.payments.refund.v1', 'shop.payments.void.v1', 'shop.platform.breaker.closed.v1', 'shop.platform.breaker.opened.v1', 'shop.platform.function.deregistered.v1', 'shop.platform.function.recovered.v1', 'shop.platform.function.registered.v1', 'shop.platform.function.unhealthy.v1', 'shop.platform.invariant.restored.v1', 'shop.platform.invariant.violated.v1'));
create policy write_publish_event on platform.publications to fn_publish_event using (true) with check (true);
-- orders/quote_order
grant usage on schema catalog, orders, platform to fn_quote_order;
grant select on catalog.categories, catalog.products, catalog.variants, orders.discount_customers, orders.discounts, orders.pricing_terms, orders.shipping_methods, orders.sku_weights, orders.tax_rates, platform.migrations to fn_quote_order;
grant select, insert, update on platform.rate_limits to fn_quote_order;
-- inventory/raise_alerts
grant usage on schema inventory, platform to fn_raise_alerts;
grant select on inventory.alert_targets, platform.migrations to fn_raise_alerts;
grant select, insert on platform.inbox to fn_raise_alerts;
grant select, insert, update on inventory.alert_deliveries, inventory.alert_watches, inventory.alerts, platform.attempts, platform.dead_letters to fn_raise_alerts;
-- catalog/rank_best_sellers
grant usage on schema catalog, platform to fn_rank_best_sellers;
grant select on catalog.variants, platform.migrations to fn_rank_best_sellers;
grant select, insert, update on catalog.sales to fn_rank_best_sellers;
grant select, insert, update, delete on catalog.search_entries to fn_rank_best_sellers;
-- catalog/rebuild_catalog
grant usage on schema catalog, inventory, orders, platform to fn_rebuild_catalog;
grant select on catalog.listings_now, catalog.products, catalog.variants, inventory.items, inventory.locations, inventory.stock, orders.order_lines, orders.saga_moves, platform.inbox, platform.migrations, platform.outbox, platform.streams to fn_rebuild_catalog;
grant select, insert, update on catalog.sales, catalog.stock to fn_rebuild_catalog;
grant select, insert, update, delete on catalog.listings, catalog.search_entries, catalog.words to fn_rebuild_catalog;
create policy read_rebuild_catalog on platform.inbox for select to fn_rebuild_catalog using (true);
create policy read_rebuild_catalog on platform.outbox for select to fn_rebuild_catalog using (true);
-- orders/rebuild_figures
grant usage on schema orders, payments, platform to fn_rebuild_figures;
grant select on orders.customers, orders.figures_policy, orders.order_lines, orders.orders, orders.return_lines, orders.returns, orders.saga_moves, orders.sagas, orders.sales_facts_now, payments.attempts, payments.payments, platform.migrations to fn_rebuild_figures;
grant select, insert, update, delete on orders.product_days, orders.sales_days, orders.sales_facts to fn_rebuild_figures;
-- payments/receive_provider_event
grant usage on schema payments, platform to fn_receive_provider_event;
grant insert on platform.outbox to fn_receive_provider_event;
grant select on platform.migrations to fn_receive_provider_event;
grant select, insert on payments.ledger to fn_receive_provider_event;
grant select, insert, update on payments.attempts, payments.breakers, payments.chargebacks, payments.payments, payments.provider_events, platform.streams to fn_receive_provider_event;
create policy emit_receive_provider_event on platform.outbox for insert to fn_receive_provider_event with check (type in ('shop.payments.chargeback.closed.v1', 'shop.payments.chargeback.opened.v1', 'shop.payments.payment.action_required.v1', 'shop.payments.payment.authorized.v1', 'shop.payments.payment.capture_failed.v1', 'shop.payments.payment.captured.v1', 'shop.payments.payment.declined.v1', 'shop.payments.payment.unknown.v1', 'shop.payments.payment.void_failed.v1', 'shop.payments.payment.voided.v1', 'shop.payments.refund.failed.v1', 'shop.payments.refund.succeeded.v1', 'shop.platform.breaker.closed.v1', 'shop.platform.breaker.opened.v1'));
-- orders/receive_return
grant usage on schema orders, platform to fn_receive_return;
grant insert on platform.outbox to fn_receive_return;
grant select on platform.migrations to fn_receive_return;
grant select, insert on orders.audit to fn_receive_return;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.goods_return_lines, orders.goods_returns, orders.order_lines, orders.orders, orders.refunds, orders.sagas, orders.steps, platform.idempotency, platform.streams to fn_receive_return;
create policy emit_receive_return on platform.outbox for insert to fn_receive_return with check (type in ('shop.inventory.restock.v1', 'shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.completed.v1', 'shop.payments.refund.v1'));
-- inventory/receive_transfer
grant usage on schema inventory, platform to fn_receive_transfer;
grant insert on platform.outbox to fn_receive_transfer;
grant select on inventory.hold_lines, inventory.holds, inventory.locations, platform.migrations to fn_receive_transfer;
grant select, insert on inventory.ledger to fn_receive_transfer;
grant select, insert, update on inventory.items, inventory.stock, inventory.transfer_lines, inventory.transfers, platform.idempotency, platform.streams to fn_receive_transfer;
create policy emit_receive_transfer on platform.outbox for insert to fn_receive_transfer with check (type in ('shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.adjusted.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.received.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shipped.v1', 'shop.inventory.stock.shortfall.v1', 'shop.inventory.stock.transferred.v1'));
-- payments/reconcile_payments
grant usage on schema payments, platform to fn_reconcile_payments;
grant insert on platform.outbox to fn_reconcile_payments;
grant select on payments.breakers, platform.migrations to fn_reconcile_payments;
grant select, insert on payments.ledger, payments.reconciliations to fn_reconcile_payments;
grant select, insert, update on payments.attempts, payments.chargebacks, payments.differences, payments.payments, platform.streams to fn_reconcile_payments;
create policy emit_reconcile_payments on platform.outbox for insert to fn_reconcile_payments with check (type in ('shop.payments.chargeback.closed.v1', 'shop.payments.chargeback.opened.v1'));
-- inventory/reconcile_stock
grant usage on schema inventory, platform to fn_reconcile_stock;
grant insert on platform.outbox to fn_reconcile_stock;
grant select on inventory.locations, platform.migrations to fn_reconcile_stock;
grant select, insert on inventory.hold_parts, inventory.ledger, inventory.mendings to fn_reconcile_stock;
grant select, insert, update on inventory.hold_lines, inventory.holds, inventory.items, inventory.stock, platform.streams to fn_reconcile_stock;
create policy emit_reconcile_stock on platform.outbox for insert to fn_reconcile_stock with check (type in ('shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.adjusted.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shortfall.v1'));
-- orders/record_order
grant usage on schema orders, platform to fn_record_order;
grant insert on platform.outbox to fn_record_order;
grant select on platform.migrations to fn_record_order;
grant select, insert on orders.audit, orders.saga_moves to fn_record_order;
grant select, insert, update on orders.order_lines, orders.orders, orders.sagas, platform.idempotency, platform.streams to fn_record_order;
create policy emit_record_order on platform.outbox for insert to fn_record_order with check (type in ('shop.inventory.hold.v1', 'shop.orders.order.created.v1'));
-- inventory/redeliver_alert
grant usage on schema inventory, platform to fn_redeliver_alert;
grant select on inventory.alert_targets, inventory.alerts, platform.migrations to fn_redeliver_alert;
grant select, insert, update on inventory.alert_deliveries, platform.idempotency to fn_redeliver_alert;
-- orders/refund_order
grant usage on schema orders, platform to fn_refund_order;
grant insert on platform.outbox to fn_refund_order;
grant select on platform.migrations to fn_refund_order;
grant select, insert on orders.audit to fn_refund_order;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.refunds, orders.sagas, orders.steps, platform.idempotency, platform.streams to fn_refund_order;
create policy emit_refund_order on platform.outbox for insert to fn_refund_order with check (type in ('shop.inventory.restock.v1', 'shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.completed.v1', 'shop.payments.refund.v1'));
-- payments/refund_payment
grant usage on schema payments, platform to fn_refund_payment;
grant insert on platform.outbox to fn_refund_payment;
grant select on platform.migrations to fn_refund_payment;
grant select, insert on payments.ledger, platform.inbox to fn_refund_payment;
grant select, insert, update on payments.attempts, payments.breakers, payments.payments, platform.attempts, platform.dead_letters, platform.streams to fn_refund_payment;
create policy emit_refund_payment on platform.outbox for insert to fn_refund_payment with check (type in ('shop.payments.payment.unknown.v1', 'shop.payments.refund.failed.v1', 'shop.payments.refund.succeeded.v1', 'shop.platform.breaker.closed.v1', 'shop.platform.breaker.opened.v1'));
-- inventory/release_hold
grant usage on schema inventory, platform to fn_release_hold;
grant insert on platform.outbox to fn_release_hold;
grant select on inventory.locations, platform.migrations to fn_release_hold;
grant select, insert on platform.inbox to fn_release_hold;
grant select, insert, update on inventory.hold_lines, inventory.holds, inventory.items, inventory.stock, platform.attempts, platform.dead_letters, platform.streams to fn_release_hold;
create policy emit_release_hold on platform.outbox for insert to fn_release_hold with check (type in ('shop.inventory.hold.released.v1', 'shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shortfall.v1'));
-- inventory/release_hold_part
grant usage on schema inventory, platform to fn_release_hold_part;
grant insert on platform.outbox to fn_release_hold_part;
grant select on inventory.locations, platform.migrations to fn_release_hold_part;
grant select, insert on inventory.hold_parts, platform.inbox to fn_release_hold_part;
grant select, insert, update on inventory.hold_lines, inventory.holds, inventory.items, inventory.stock, platform.attempts, platform.dead_letters, platform.streams to fn_release_hold_part;
create policy emit_release_hold_part on platform.outbox for insert to fn_release_hold_part with check (type in ('shop.inventory.hold.part_released.v1', 'shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shortfall.v1'));
-- orders/release_order
grant usage on schema orders, platform to fn_release_order;
grant insert on platform.outbox to fn_release_order;
grant select on platform.migrations to fn_release_order;
grant select, insert on orders.audit to fn_release_order;
grant select, insert, update on orders.orders, platform.streams to fn_release_order;
create policy emit_release_order on platform.outbox for insert to fn_release_order with check (type in ('shop.orders.order.review_ended.v1'));
-- orders/remove_discount
grant usage on schema orders, platform to fn_remove_discount;
grant select on orders.discount_uses, platform.migrations to fn_remove_discount;
grant select, insert on orders.audit to fn_remove_discount;
grant select, insert, update, delete on orders.discounts to fn_remove_discount;
-- orders/remove_shipping_method
grant usage on schema orders, platform to fn_remove_shipping_method;
grant select on platform.migrations to fn_remove_shipping_method;
grant select, insert on orders.audit to fn_remove_shipping_method;
grant select, insert, update, delete on orders.shipping_methods to fn_remove_shipping_method;
-- orders/remove_tax_rate
grant usage on schema orders, platform to fn_remove_tax_rate;
grant select on platform.migrations to fn_remove_tax_rate;
grant select, insert on orders.audit to fn_remove_tax_rate;
grant select, insert, update, delete on orders.tax_rates to fn_remove_tax_rate;
-- platform/replay_dead_letters
grant usage on schema platform to fn_replay_dead_letters;
grant select on platform.migrations to fn_replay_dead_letters;
grant select, insert on platform.outbox to fn_replay_dead_letters;
grant select, insert, update on platform.attempts, platform.dead_letters, platform.idempotency to fn_replay_dead_letters;
create policy retry_replay_dead_letters on platform.outbox for insert to fn_replay_dead_letters with check (topic like 'shop.retry.%');
create policy write_replay_dead_letters on platform.attempts to fn_replay_dead_letters using (true) with check (true);
create policy read_replay_dead_letters on platform.outbox for select to fn_replay_dead_letters using (true);
-- orders/request_refund
grant usage on schema orders, platform to fn_request_refund;
grant select on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.steps, platform.migrations to fn_request_refund;
grant select, insert on orders.audit to fn_request_refund;
grant select, insert, update on orders.orders, orders.refund_requests, orders.sagas, platform.idempotency to fn_request_refund;
-- payments/resolve_unknown_payments
grant usage on schema payments, platform to fn_resolve_unknown_payments;
grant insert on platform.outbox to fn_resolve_unknown_payments;
grant select on platform.migrations to fn_resolve_unknown_payments;
grant select, insert on payments.ledger to fn_resolve_unknown_payments;
grant select, insert, update on payments.attempts, payments.breakers, payments.payments, payments.provider_events, platform.streams to fn_resolve_unknown_payments;
create policy emit_resolve_unknown_payments on platform.outbox for insert to fn_resolve_unknown_payments with check (type in ('shop.payments.payment.action_required.v1', 'shop.payments.payment.authorized.v1', 'shop.payments.payment.capture_failed.v1', 'shop.payments.payment.captured.v1', 'shop.payments.payment.declined.v1', 'shop.payments.payment.unknown.v1', 'shop.payments.payment.void_failed.v1', 'shop.payments.payment.voided.v1', 'shop.payments.refund.failed.v1', 'shop.payments.refund.succeeded.v1', 'shop.platform.breaker.closed.v1', 'shop.platform.breaker.opened.v1'));
-- inventory/restock_goods
grant usage on schema inventory, platform to fn_restock_goods;
grant insert on platform.outbox to fn_restock_goods;
grant select on inventory.hold_lines, inventory.locations, platform.migrations to fn_restock_goods;
grant select, insert on inventory.hold_parts, inventory.ledger, platform.inbox to fn_restock_goods;
grant select, insert, update on inventory.holds, inventory.items, inventory.stock, platform.attempts, platform.dead_letters, platform.streams to fn_restock_goods;
create policy emit_restock_goods on platform.outbox for insert to fn_restock_goods with check (type in ('shop.inventory.hold.restock_refused.v1', 'shop.inventory.hold.restocked.v1', 'shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.adjusted.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.received.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shipped.v1', 'shop.inventory.stock.shortfall.v1', 'shop.inventory.stock.transferred.v1'));
-- orders/retry_refund
grant usage on schema orders, platform to fn_retry_refund;
grant insert on platform.outbox to fn_retry_refund;
grant select on platform.migrations to fn_retry_refund;
grant select, insert on orders.audit to fn_retry_refund;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.refunds, orders.return_lines, orders.sagas, orders.steps, platform.idempotency, platform.streams to fn_retry_refund;
create policy emit_retry_refund on platform.outbox for insert to fn_retry_refund with check (type in ('shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.completed.v1', 'shop.payments.refund.v1'));
-- orders/retry_saga
grant usage on schema orders, platform to fn_retry_saga;
grant insert on platform.outbox to fn_retry_saga;
grant select on orders.order_lines, platform.migrations to fn_retry_saga;
grant select, insert on orders.audit, orders.saga_moves to fn_retry_saga;
grant select, insert, update on orders.orders, orders.sagas, platform.idempotency, platform.streams to fn_retry_saga;
create policy emit_retry_saga on platform.outbox for insert to fn_retry_saga with check (type in ('shop.inventory.commit.v1', 'shop.inventory.extend.v1', 'shop.inventory.hold.v1', 'shop.inventory.release.v1', 'shop.orders.saga.retried.v1', 'shop.payments.authorize.v1', 'shop.payments.capture.v1', 'shop.payments.refund.v1', 'shop.payments.void.v1'));
-- orders/retry_step
grant usage on schema orders, platform to fn_retry_step;
grant insert on platform.outbox to fn_retry_step;
grant select on platform.migrations to fn_retry_step;
grant select, insert on orders.audit to fn_retry_step;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.sagas, orders.steps, platform.idempotency, platform.streams to fn_retry_step;
create policy emit_retry_step on platform.outbox for insert to fn_retry_step with check (type in ('shop.inventory.release_part.v1', 'shop.inventory.restock.v1', 'shop.inventory.ship.v1', 'shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.completed.v1', 'shop.payments.capture.v1', 'shop.payments.refund.v1', 'shop.payments.void.v1'));
-- orders/return_goods
grant usage on schema orders, platform to fn_return_goods;
grant insert on platform.outbox to fn_return_goods;
grant select on platform.migrations to fn_return_goods;
grant select, insert on orders.returns to fn_return_goods;
grant select, insert, update on orders.order_lines, orders.orders, orders.refunds, orders.return_lines, orders.steps, platform.idempotency, platform.streams to fn_return_goods;
create policy emit_return_goods on platform.outbox for insert to fn_return_goods with check (type in ('shop.payments.refund.v1'));
-- orders/review_order
grant usage on schema orders, platform to fn_review_order;
grant insert on platform.outbox to fn_review_order;
grant select on platform.migrations to fn_review_order;
grant select, insert on orders.audit to fn_review_order;
grant select, insert, update on orders.orders, platform.streams to fn_review_order;
create policy emit_review_order on platform.outbox for insert to fn_review_order with check (type in ('shop.orders.order.review_started.v1'));
-- inventory/rotate_alert_secret
grant usage on schema inventory, platform to fn_rotate_alert_secret;
grant select on platform.migrations to fn_rotate_alert_secret;
grant select, insert, update on inventory.alert_targets to fn_rotate_alert_secret;
grant select, insert, update, delete on inventory.alert_secrets to fn_rotate_alert_secret;
-- inventory/search_ledger
grant usage on schema inventory, platform to fn_search_ledger;
grant select on inventory.ledger, inventory.locations, platform.migrations to fn_search_ledger;
-- orders/search_orders
grant usage on schema orders, platform to fn_search_orders;
grant select on orders.customers, orders.order_lines, orders.orders, orders.sagas, platform.migrations to fn_search_orders;
-- catalog/search_products
grant usage on schema catalog, platform to fn_search_products;
grant select on catalog.categories, catalog.listings, catalog.products, catalog.search_entries, catalog.stock, catalog.words, platform.migrations to fn_search_products;
grant select, insert, update on platform.rate_limits to fn_search_products;
-- inventory/send_alerts
grant usage on schema inventory, platform to fn_send_alerts;
grant select on inventory.alert_secrets, inventory.alerts, platform.migrations to fn_send_alerts;
grant select, insert, update on inventory.alert_attempts, inventory.alert_deliveries, inventory.alert_targets to fn_send_alerts;
-- inventory/send_test_alert
grant usage on schema inventory, platform to fn_send_test_alert;
grant select on inventory.alert_targets, platform.migrations to fn_send_test_alert;
grant select, insert, update on inventory.alert_deliveries, platform.idempotency to fn_send_test_alert;
-- inventory/set_allocation_policy
grant usage on schema inventory, platform to fn_set_allocation_policy;
grant select on platform.migrations to fn_set_allocation_policy;
grant select, insert, update on inventory.policy to fn_set_allocation_policy;
-- orders/set_customer
grant usage on schema orders, platform to fn_set_customer;
grant select on platform.migrations to fn_set_customer;
grant select, insert, update on orders.customers to fn_set_customer;
-- orders/set_discount
grant usage on schema orders, platform to fn_set_discount;
grant select on platform.migrations to fn_set_discount;
grant select, insert on orders.audit to fn_set_discount;
grant select, insert, update, delete on orders.discounts to fn_set_discount;
-- orders/set_figures_policy
grant usage on schema orders, platform to fn_set_figures_policy;
grant select on platform.migrations to fn_set_figures_policy;
grant select, insert, update on orders.figures_policy to fn_set_figures_policy;
-- inventory/set_hold_expiry
grant usage on schema inventory, platform to fn_set_hold_expiry;
grant insert on platform.outbox to fn_set_hold_expiry;
grant select on inventory.locations, platform.migrations to fn_set_hold_expiry;
grant select, insert, update on inventory.hold_lines, inventory.holds, inventory.items, inventory.stock, platform.streams to fn_set_hold_expiry;
create policy emit_set_hold_expiry on platform.outbox for insert to fn_set_hold_expiry with check (type in ('shop.inventory.hold.expired.v1', 'shop.inventory.hold.extended.v1', 'shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shortfall.v1'));
-- inventory/set_item_policy
grant usage on schema inventory, platform to fn_set_item_policy;
grant insert on platform.outbox to fn_set_item_policy;
grant select on inventory.hold_lines, inventory.holds, inventory.locations, platform.migrations to fn_set_item_policy;
grant select, insert, update on inventory.items, inventory.stock, platform.streams to fn_set_item_policy;
create policy emit_set_item_policy on platform.outbox for insert to fn_set_item_policy with check (type in ('shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shortfall.v1'));
-- inventory/set_level_policy
grant usage on schema inventory, platform to fn_set_level_policy;
grant insert on platform.outbox to fn_set_level_policy;
grant select on inventory.hold_lines, inventory.holds, inventory.locations, platform.migrations to fn_set_level_policy;
grant select, insert, update on inventory.items, inventory.stock, platform.streams to fn_set_level_policy;
create policy emit_set_level_policy on platform.outbox for insert to fn_set_level_policy with check (type in ('shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shortfall.v1'));
-- orders/set_pricing_terms
grant usage on schema orders, platform to fn_set_pricing_terms;
grant select on platform.migrations to fn_set_pricing_terms;
grant select, insert on orders.audit to fn_set_pricing_terms;
grant select, insert, update on orders.pricing_terms to fn_set_pricing_terms;
-- platform/set_publisher
grant usage on schema orders, platform to fn_set_publisher;
grant select on platform.migrations to fn_set_publisher;
grant select, insert on orders.audit to fn_set_publisher;
grant select, insert, update, delete on platform.publishers to fn_set_publisher;
-- orders/set_retention
grant usage on schema orders, platform to fn_set_retention;
grant select on platform.migrations to fn_set_retention;
grant select, insert on orders.audit to fn_set_retention;
grant select, insert, update on orders.retention to fn_set_retention;
-- orders/set_shipping_method
grant usage on schema orders, platform to fn_set_shipping_method;
grant select on platform.migrations to fn_set_shipping_method;
grant select, insert on orders.audit to fn_set_shipping_method;
grant select, insert, update, delete on orders.shipping_methods to fn_set_shipping_method;
-- inventory/set_stock_level
grant usage on schema inventory, platform to fn_set_stock_level;
grant insert on platform.outbox to fn_set_stock_level;
grant select on inventory.hold_lines, inventory.holds, inventory.locations, platform.migrations to fn_set_stock_level;
grant select, insert on inventory.ledger to fn_set_stock_level;
grant select, insert, update on inventory.items, inventory.stock, platform.streams to fn_set_stock_level;
create policy emit_set_stock_level on platform.outbox for insert to fn_set_stock_level with check (type in ('shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.adjusted.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.received.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shipped.v1', 'shop.inventory.stock.shortfall.v1', 'shop.inventory.stock.transferred.v1'));
-- orders/set_tax_rate
grant usage on schema orders, platform to fn_set_tax_rate;
grant select on platform.migrations to fn_set_tax_rate;
grant select, insert on orders.audit to fn_set_tax_rate;
grant select, insert, update, delete on orders.tax_rates to fn_set_tax_rate;
-- orders/set_weights
grant usage on schema orders, platform to fn_set_weights;
grant select on platform.migrations to fn_set_weights;
grant select, insert on orders.audit to fn_set_weights;
grant select, insert, update, delete on orders.sku_weights to fn_set_weights;
-- orders/settle_steps
grant usage on schema orders, platform to fn_settle_steps;
grant insert on platform.outbox to fn_settle_steps;
grant select on platform.migrations to fn_settle_steps;
grant select, insert on platform.inbox to fn_settle_steps;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.refunds, orders.return_lines, orders.sagas, orders.steps, platform.attempts, platform.dead_letters, platform.streams to fn_settle_steps;
create policy emit_settle_steps on platform.outbox for insert to fn_settle_steps with check (type in ('shop.inventory.release_part.v1', 'shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.completed.v1', 'shop.payments.capture.v1', 'shop.payments.refund.v1', 'shop.payments.void.v1'));
-- orders/ship_fulfilment
grant usage on schema orders, platform to fn_ship_fulfilment;
grant insert on platform.outbox to fn_ship_fulfilment;
grant select on platform.migrations to fn_ship_fulfilment;
grant select, insert on orders.audit to fn_ship_fulfilment;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.sagas, orders.steps, platform.idempotency, platform.streams to fn_ship_fulfilment;
create policy emit_ship_fulfilment on platform.outbox for insert to fn_ship_fulfilment with check (type in ('shop.inventory.ship.v1', 'shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.completed.v1', 'shop.payments.capture.v1'));
-- inventory/ship_hold
grant usage on schema inventory, platform to fn_ship_hold;
grant insert on platform.outbox to fn_ship_hold;
grant select on inventory.locations, platform.migrations to fn_ship_hold;
grant select, insert on inventory.hold_parts, inventory.ledger, platform.inbox to fn_ship_hold;
grant select, insert, update on inventory.hold_lines, inventory.holds, inventory.items, inventory.stock, platform.attempts, platform.dead_letters, platform.streams to fn_ship_hold;
create policy emit_ship_hold on platform.outbox for insert to fn_ship_hold with check (type in ('shop.inventory.hold.shipment_refused.v1', 'shop.inventory.hold.shipped.v1', 'shop.inventory.level.depleted.v1', 'shop.inventory.level.low.v1', 'shop.inventory.level.replenished.v1', 'shop.inventory.stock.adjusted.v1', 'shop.inventory.stock.depleted.v1', 'shop.inventory.stock.low.v1', 'shop.inventory.stock.received.v1', 'shop.inventory.stock.replenished.v1', 'shop.inventory.stock.shipped.v1', 'shop.inventory.stock.shortfall.v1', 'shop.inventory.stock.transferred.v1'));
-- orders/short_fulfilment
grant usage on schema orders, platform to fn_short_fulfilment;
grant insert on platform.outbox to fn_short_fulfilment;
grant select on platform.migrations to fn_short_fulfilment;
grant select, insert on orders.audit, orders.saga_moves to fn_short_fulfilment;
grant select, insert, update on orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.refunds, orders.sagas, orders.steps, platform.idempotency, platform.streams to fn_short_fulfilment;
create policy emit_short_fulfilment on platform.outbox for insert to fn_short_fulfilment with check (type in ('shop.inventory.release.v1', 'shop.inventory.release_part.v1', 'shop.orders.fulfilment.cancelled.v1', 'shop.orders.fulfilment.created.v1', 'shop.orders.fulfilment.delivered.v1', 'shop.orders.fulfilment.returned.v1', 'shop.orders.fulfilment.shipped.v1', 'shop.orders.order.cancelling.v1', 'shop.orders.order.completed.v1', 'shop.payments.refund.v1', 'shop.payments.void.v1'));
-- orders/skip_saga_step
grant usage on schema orders, platform to fn_skip_saga_step;
grant insert on platform.outbox to fn_skip_saga_step;
grant select on platform.migrations to fn_skip_saga_step;
grant select, insert on orders.audit, orders.saga_moves to fn_skip_saga_step;
grant select, insert, update on orders.orders, orders.sagas, platform.idempotency, platform.streams to fn_skip_saga_step;
create policy emit_skip_saga_step on platform.outbox for insert to fn_skip_saga_step with check (type in ('shop.inventory.release.v1', 'shop.orders.saga.skipped.v1'));
-- catalog/suggest_searches
grant usage on schema catalog, platform to fn_suggest_searches;
grant select on catalog.categories, catalog.products, catalog.search_entries, catalog.words, platform.migrations to fn_suggest_searches;
grant select, insert, update on platform.rate_limits to fn_suggest_searches;
-- orders/tag_order
grant usage on schema orders, platform to fn_tag_order;
grant select on platform.migrations to fn_tag_order;
grant select, insert on orders.audit to fn_tag_order;
grant select, insert, update on orders.orders to fn_tag_order;
-- catalog/track_stock
grant usage on schema catalog, platform to fn_track_stock;
grant select on catalog.listings_now, catalog.products, catalog.sales, catalog.variants, platform.migrations to fn_track_stock;
grant select, insert on platform.inbox to fn_track_stock;
grant select, insert, update on catalog.stock, platform.attempts, platform.dead_letters to fn_track_stock;
grant select, insert, update, delete on catalog.listings, catalog.search_entries to fn_track_stock;
-- inventory/update_alert_target
grant usage on schema inventory, platform to fn_update_alert_target;
grant select on platform.migrations to fn_update_alert_target;
grant select, insert, update on inventory.alert_deliveries, inventory.alert_targets to fn_update_alert_target;
-- catalog/update_category
grant usage on schema catalog, platform to fn_update_category;
grant insert on platform.outbox to fn_update_category;
grant select on platform.migrations to fn_update_category;
grant select, insert, update on platform.streams to fn_update_category;
grant select, insert, update, delete on catalog.categories to fn_update_category;
create policy emit_update_category on platform.outbox for insert to fn_update_category with check (type in ('shop.catalog.category.updated.v1'));
-- inventory/update_location
grant usage on schema inventory, platform to fn_update_location;
grant select on platform.migrations to fn_update_location;
grant select, insert, update on inventory.locations to fn_update_location;
-- catalog/update_product
grant usage on schema catalog, platform to fn_update_product;
grant insert on platform.outbox to fn_update_product;
grant select on catalog.categories, catalog.listings_now, catalog.sales, platform.migrations to fn_update_product;
grant select, insert, update on catalog.stock, platform.streams to fn_update_product;
grant select, insert, update, delete on catalog.listings, catalog.products, catalog.search_entries, catalog.variants, catalog.words to fn_update_product;
create policy emit_update_product on platform.outbox for insert to fn_update_product with check (type in ('shop.catalog.product.archived.v1', 'shop.catalog.product.published.v1', 'shop.catalog.product.updated.v1'));
-- payments/void_payment
grant usage on schema payments, platform to fn_void_payment;
grant insert on platform.outbox to fn_void_payment;
grant select on platform.migrations to fn_void_payment;
grant select, insert on payments.ledger, platform.inbox to fn_void_payment;
grant select, insert, update on payments.attempts, payments.breakers, payments.payments, platform.attempts, platform.dead_letters, platform.streams to fn_void_payment;
create policy emit_void_payment on platform.outbox for insert to fn_void_payment with check (type in ('shop.payments.payment.authorized.v1', 'shop.payments.payment.declined.v1', 'shop.payments.payment.unknown.v1', 'shop.payments.payment.void_failed.v1', 'shop.payments.payment.voided.v1', 'shop.platform.breaker.closed.v1', 'shop.platform.breaker.opened.v1'));
-- platform/watch_functions
grant usage on schema platform to fn_watch_functions;
grant insert on platform.outbox to fn_watch_functions;
grant select on platform.migrations to fn_watch_functions;
grant select, insert, update on platform.streams to fn_watch_functions;
grant select, insert, update, delete on platform.functions to fn_watch_functions;
create policy emit_watch_functions on platform.outbox for insert to fn_watch_functions with check (type in ('shop.platform.function.deregistered.v1', 'shop.platform.function.recovered.v1', 'shop.platform.function.registered.v1', 'shop.platform.function.unhealthy.v1'));
-- platform/watch_invariants
grant usage on schema inventory, orders, payments, platform to fn_watch_invariants;
grant select on inventory.alert_attempts, inventory.alert_deliveries, inventory.alert_targets, inventory.alerts, inventory.hold_lines, inventory.hold_parts, inventory.holds, inventory.items, inventory.ledger, inventory.locations, inventory.mendings, inventory.stock, inventory.transfer_lines, inventory.transfers, orders.customers, orders.discount_customers, orders.discount_uses, orders.discounts, orders.figures_policy, orders.fulfilment_lines, orders.fulfilments, orders.order_lines, orders.orders, orders.product_days, orders.refunds, orders.return_lines, orders.returns, orders.saga_moves, orders.sagas, orders.sales_days, orders.sales_facts, orders.sales_facts_now, orders.steps, payments.attempts, payments.chargebacks, payments.ledger, payments.payments, payments.reconciliations, platform.consumer_offsets, platform.dead_letters, platform.idempotency, platform.inbox, platform.log_heads, platform.migrations to fn_watch_invariants;
grant select, insert on platform.outbox to fn_watch_invariants;
grant select, insert, update on platform.checks, platform.findings, platform.streams to fn_watch_invariants;
create policy emit_watch_invariants on platform.outbox for insert to fn_watch_invariants with check (type in ('shop.platform.invariant.restored.v1', 'shop.platform.invariant.violated.v1'));
create policy read_watch_invariants on platform.idempotency for select to fn_watch_invariants using (true);
create policy read_watch_invariants on platform.inbox for select to fn_watch_invariants using (true);
create policy read_watch_invariants on platform.outbox for select to fn_watch_invariants using (true);
drop function pg_temp.ensure_member, pg_temp.ensure_role, pg_temp.ensure;
