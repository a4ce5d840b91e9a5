"""What pricing costs: quotes beside the same statements by a driver alone, and orders of many lines.

`make bench-pricing`, over a catalogue of its own with taxes, ways of shipping and a discount that all may use.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import orjson
from sqlalchemy import Executable

from shared.orders.pricing import GOODS, TERMS
from shared.runtime.ids import new_id
from tests.performance.hops import Call, Job, Server, Values, measured, raw, server

SKUS = 5_000

FILL = """
with p as (
  insert into catalog.products (id, slug, title, description, status, version, created_at, updated_at, attributes,
    media, tax_class, published_at)
  select gen_random_uuid(), 'p-' || n, 'Thing ' || n, '', 'published', 1, now(), now(), '{}', '[]', 'standard', now()
  from generate_series(0, 4999) n returning id, slug)
insert into catalog.variants (sku, product_id, position, options, price_minor, currency)
select replace(slug, 'p-', 'S-'), id, 0, '{}', 1295, 'GBP' from p;
insert into orders.sku_weights (sku, weight_g, updated_at) select sku, 350, now() from catalog.variants;
insert into orders.tax_rates (country, tax_class, rate_ppm, name, updated_at)
select chr(65 + n / 26) || chr(65 + n % 26), 'standard', 200000, 'VAT', now() from generate_series(0, 199) n;
insert into orders.shipping_methods (code, name, basis, currency, bands, tax_class, position, enabled, updated_at)
select 'M-' || n, 'Method ' || n, 'weight', 'GBP', '[{"up_to": 1000, "price_minor": 300}, {"price_minor": 700}]',
  'standard', n, true, now() from generate_series(1, 4) n;
insert into orders.discounts (code, name, scope, percent_ppm, created_at, updated_at)
values ('ALL', 'For all', 'order', 100000, now(), now());
"""

ADDRESS = {"lines": ["1 High Street"], "city": "Leeds", "country": "AB"}


def quotes(lines: int, _process: int, count: int) -> list[Call]:
    return [_call("/v1/quotes", n, lines, {"country": "AB"}) for n in range(count)]


def placements(lines: int, process: int, count: int) -> list[Call]:
    more = {"email": "ann@example.com", "shipping_address": ADDRESS, "payment_token": "tok_approve"}
    return [_call("/v1/guest-orders", process * count + n, lines, more) for n in range(count)]


def _call(path: str, n: int, lines: int, more: Mapping[str, object]) -> Call:
    wanted = [{"sku": f"S-{(n * lines + k) % SKUS}", "quantity": 1} for k in range(lines)]
    body = {"lines": wanted, "discount_codes": ["ALL"], "shipping_method": "M-1", **more}
    headers = {"content-type": "application/json", "idempotency-key": str(new_id())}
    return Call("POST", path, b"", headers, orjson.dumps(body))


def by_driver(running: Server, lines: int, count: int) -> str:
    terms: Values = {"country": "AB", "region": "", "codes": ["ALL"], "customer": None, "now": None}
    asked: list[list[tuple[Executable, Values]]] = [
        [(GOODS, {"skus": sorted(f"S-{(n * lines + k) % SKUS}" for k in range(lines))}), (TERMS, terms)]
        for n in range(count)
    ]
    return raw(running, f"raw SQL: quote {lines} lines", asked).line()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=1, help="how many times the usual number of operations")
    scale = parser.parse_args().scale
    with server() as running:
        with running.books() as books:
            books.execute(FILL.encode())
            books.execute("vacuum analyze")
        # Everybody comes from one address here.
        unlimited = replace(running, settings=replace(running.settings, rate_limit_scale=0.0))
        for lines, count in ((2, 2_000), (27, 500)):
            job = Job("quote_order", partial(quotes, lines), count * scale)
            print(measured(unlimited, f"quote {lines} lines", job).line(), flush=True)
            print(by_driver(unlimited, lines, count * scale), flush=True)
        for lines, count in ((2, 1_000), (27, 300), (675, 30), (2_000, 10)):
            job = Job("place_guest_order", partial(placements, lines), count * scale)
            print(measured(unlimited, f"place an order of {lines} lines", job).line(), flush=True)


if __name__ == "__main__":
    main()
