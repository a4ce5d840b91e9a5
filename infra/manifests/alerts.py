"""Every alert of the shop: when it fires, how grave it is, and the runbook that says what to do.

A page is for now, day or night; a ticket is for the next working day.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Literal, NamedTuple

from cronsim import CronSim

from shared.orders.events import OrderCancelled, OrderConfirmed, OrderCreated, OrderRejected, SagaStuck
from shared.payments.events import PaymentAuthorized, PaymentDeclined, PaymentUnknown
from shared.runtime.declare import Declaration, OnEvent, Timer

RUNBOOKS = "docs/runbooks"
"""Where the runbooks lie in this repository."""

LATE_S = 60
FEW = 5
"""So many failed calls in the long window are no alert yet, however few there were altogether."""

SEARCHES = ("search_products", "list_products")
STOCK = "track_stock"


class Alert(NamedTuple):
    name: str
    expr: str
    wait: str
    severity: Literal["page", "ticket"]
    summary: str
    runbook: str
    labels: tuple[tuple[str, str], ...] = ()


class Burn(NamedTuple):
    """Fires where the error budget goes `factor` times too fast, over the long window and still over the short one."""

    factor: float
    long: str
    short: str
    severity: Literal["page", "ticket"]


# Of a budget for 30 days: 2 % gone in an hour, 5 % in six, 10 % in three days.
AVAILABILITY = (Burn(14.4, "1h", "5m", "page"), Burn(6, "6h", "30m", "page"), Burn(1, "3d", "6h", "ticket"))
LATENESS = (Burn(14.4, "1h", "5m", "page"), Burn(3, "6h", "30m", "ticket"))
# The budget is 5 %: of all calls, half are slow for an hour, or a tenth for six.
SLOWNESS = (Burn(10, "1h", "5m", "page"), Burn(2, "6h", "30m", "ticket"))
HOURS = {"1h": 1, "6h": 6, "3d": 72}


def calls(declarations: Iterable[Declaration]) -> list[Alert]:
    """Of every function, by its objectives."""
    timers = "|".join(
        one.name for one in declarations if isinstance(one.trigger, Timer) and _often(one.trigger.schedule)
    )
    return [
        *(
            _burning(
                "FunctionFails", "shop:function_failures", "availability", burn, "",
                "{{ $labels.function }} fails {{ $value | humanizePercentage }} of its calls",
                "a-function-misses-its-objective",
            )
            for burn in AVAILABILITY
        ),
        *(
            _burning(
                "FunctionIsSlow", "shop:function_slow", "latency", burn, f'function!~"{"|".join(SEARCHES)}"',
                "{{ $labels.function }} answers {{ $value | humanizePercentage }} of its calls too late",
                "a-function-misses-its-objective",
            )
            for burn in SLOWNESS
        ),
        Alert(
            "CallersAreRefused",
            "sum by (function) (increase(shop_rate_limited_total[30m]))"
            " > 0.2 * sum by (function) (increase(shop_function_invocations_total[30m]))"
            " and sum by (function) (increase(shop_rate_limited_total[30m])) > 100",
            "0m", "ticket", "{{ $labels.function }} has refused {{ $value | humanize }} calls in half an hour",
            "callers-are-refused",
        ),
        Alert(
            "TimerStandsStill",
            f'shop:objective:availability{{function=~"{timers}"}} unless on (function) shop:function_calls:rate30m > 0',
            "15m", "ticket", "{{ $labels.function }} has not been called for half an hour",
            "a-function-misses-its-objective",
        ),
    ]  # fmt: skip


def events(declarations: Iterable[Declaration]) -> list[Alert]:
    """Of what carries events, and of all who take them."""
    known = list(declarations)
    consumers = [one for one in known if isinstance(one.trigger, OnEvent) and one.trigger.events]
    taken = {event.type for one in consumers if isinstance(one.trigger, OnEvent) for event in one.trigger.events}
    emitted = {event.type for one in known for event in one.emits}
    names = "|".join(one.name for one in consumers)
    types = one_of(sorted(taken & emitted))
    return [
        *(
            _burning(
                "EventsAreLate", "shop:events_late", "delay", burn, f'function!="{STOCK}"',
                "{{ $labels.function }} takes {{ $value | humanizePercentage }} of its events too late",
                "the-relay-lags",
            )
            for burn in LATENESS
        ),
        Alert(
            "RelayStandsStill",
            "sum(rate(shop_relay_passes_total[2m])) == 0 or absent(shop_relay_passes_total)",
            "2m", "page", "No relay publishes the outbox", "the-relay-lags",
        ),
        Alert(
            "OutboxWaits",
            f"max(shop_relay_oldest_seconds) > {LATE_S}",
            "2m", "page", "The oldest event in the outbox has waited for {{ $value | humanizeDuration }}",
            "the-relay-lags",
        ),
        Alert(
            "EventsAreNotDelivered",
            f'sum(rate(shop_events_emitted_total{{type=~"{types}"}}[10m])) > 0'
            f' unless sum(rate(shop_function_invocations_total{{function=~"{names}"}}[10m])) > 0',
            "5m", "page", "Events are emitted, and no function is given any", "the-relay-lags",
        ),
        Alert(
            "DispatcherLags",
            f"max by (consumer) (shop_dispatcher_oldest_seconds) > {LATE_S}",
            "5m", "ticket", "An event for {{ $labels.consumer }} has waited for {{ $value | humanizeDuration }}",
            "the-relay-lags",
        ),
        Alert(
            "CarrierIsLostAgainAndAgain",
            "sum(increase(shop_relay_failures_total[10m])) > 5"
            " or sum(increase(shop_dispatcher_interruptions_total[10m])) > 5",
            "0m", "ticket", "Relay or dispatcher lost the database or the broker {{ $value | humanize }} times",
            "the-relay-lags",
        ),
        Alert(
            "EventsAreParked",
            f"{grown('shop_events_parked_total', '15m', 'function')} > 0",
            "0m", "ticket", "{{ $labels.function }} gave up {{ $value | humanize }} events", "dead-letters-pile-up",
        ),
        Alert(
            "DeadLettersCome",
            grown("shop_function_invocations_total", "15m", "function", 'function="collect_dead_letters",status="204"')
            + " > 0",
            "0m", "ticket", "{{ $value | humanize }} events became dead letters", "dead-letters-pile-up",
        ),
        Alert(
            "DatabaseIsAway",
            'sum(rate(shop_function_invocations_total{status="503"}[5m]))'
            " / sum(rate(shop_function_invocations_total[5m])) > 0.5",
            "2m", "page", "{{ $value | humanizePercentage }} of all calls are answered 503", "postgres-is-away",
        ),
    ]  # fmt: skip


def catalog() -> list[Alert]:
    searches, rows = "shop_catalog_searches_total", "shop_catalog_import_rows_total"
    failed = grown(rows, "1h", "", 'status="failed"')
    consumer = STOCK.replace("_", "-")
    return [
        *(
            _burning(
                "SearchIsSlow", "shop:function_slow", "latency", burn, f'function=~"{"|".join(SEARCHES)}"',
                "{{ $labels.function }} answers {{ $value | humanizePercentage }} of its calls too late", "slow-search",
            )
            for burn in SLOWNESS
        ),
        *(
            _burning(
                "CatalogStockIsStale", "shop:events_late", "delay", burn, f'function="{STOCK}"',
                "The catalogue shows {{ $value | humanizePercentage }} of all changes of stock too late",
                "stock-is-stale",
            )
            for burn in LATENESS
        ),
        Alert(
            "CatalogStockStandsStill",
            f'max(shop_dispatcher_oldest_seconds{{consumer="{consumer}"}}) > {LATE_S}',
            "1m", "page", "A change of stock has waited for {{ $value | humanizeDuration }} to be shown",
            "stock-is-stale",
        ),
        Alert(
            "SearchesFindNothing",
            f'sum(increase({searches}{{outcome="empty"}}[1h])) / sum(increase({searches}[1h])) > 0.3'
            f" and sum(increase({searches}[1h])) > 50",
            "15m", "ticket", "{{ $value | humanizePercentage }} of all searches find nothing", "rebuild-the-catalogue",
        ),
        Alert(
            "ImportRowsFail",
            f"{failed} > 0.05 * {grown(rows, '1h', '')}",
            "0m", "ticket", "{{ $value | humanize }} rows of product files failed within the hour",
            "an-import-went-wrong",
        ),
        Alert(
            "RebuildFoundDifferences",
            f"{grown('shop_catalog_rebuild_differences_total', '1h', 'part')} > 0",
            "0m", "ticket", "{{ $value | humanize }} keys of the part {{ $labels.part }} differ from their source",
            "rebuild-the-catalogue",
        ),
    ]  # fmt: skip


def inventory() -> list[Alert]:
    waits = "sum by (le) (rate(shop_inventory_lock_wait_seconds_bucket[10m]))"
    return [
        Alert(
            "HoldsAreStuck",
            "max(shop_inventory_holds_overdue) > 0",
            "3m", "page", "{{ $value | humanize }} holds should have expired, and still hold stock",
            "holds-are-stuck",
        ),
        Alert(
            "StockIsShort",
            "max(shop_inventory_shortfalls) > 0",
            "5m", "ticket", "At {{ $value | humanize }} places more is promised than is there", "stock-is-short",
        ),
        Alert(
            "HotSku",
            f"histogram_quantile(0.95, {waits}) > 0.25",
            "10m", "ticket", "Orders wait {{ $value | humanizeDuration }} for each other's stock", "a-hot-sku",
        ),
        Alert(
            "TransfersAreOverdue",
            'max(shop_inventory_transfers{overdue="yes"}) > 0',
            "1h", "ticket", "{{ $value | humanize }} transfers should have arrived", "recount",
        ),
        Alert(
            "StockAlertsAreNotSent",
            "max(shop_inventory_alerts_overdue_seconds) > 120",
            "3m", "ticket", "A stock alert should have been sent {{ $value | humanizeDuration }} ago",
            "alerts-do-not-arrive",
        ),
        Alert(
            "StockAlertsDoNotArrive",
            "max(shop_inventory_alerts_oldest_seconds) > 1800",
            "5m", "ticket", "A stock alert has been tried for {{ $value | humanizeDuration }}, and is not taken",
            "alerts-do-not-arrive",
        ),
        Alert(
            "StockAlertsAreGivenUp",
            grown("shop_inventory_alert_attempts_total", "1h", "channel", 'outcome="failed"') + " > 0",
            "0m", "ticket", "{{ $value | humanize }} stock alerts by {{ $labels.channel }} were given up",
            "alerts-do-not-arrive",
        ),
    ]  # fmt: skip


def orders() -> list[Alert]:
    ended = one_of(event.type for event in (OrderConfirmed, OrderRejected, OrderCancelled))
    stuck = grown("shop_events_emitted_total", "15m", "", f'type="{SagaStuck.type}"')
    return [
        Alert(
            "OrdersAreStuck",
            f"{stuck} > 0",
            "0m", "ticket", "{{ $value | humanize }} orders have waited too long", "an-order-is-stuck",
        ),
        Alert(
            "OrdersNeedAttention",
            'max(shop_sagas_open{state="needs_attention"}) > 0',
            "0m", "ticket", "{{ $value | humanize }} orders wait for an operator", "an-order-is-stuck",
        ),
        Alert(
            "OrdersStandStill",
            'max by (state) (shop_saga_oldest_seconds{state!="needs_attention"}) > 1800',
            "2m", "ticket", "An order is {{ $labels.state }} for {{ $value | humanizeDuration }}", "an-order-is-stuck",
        ),
        Alert(
            "SagasAreNotDrivenOn",
            "max(shop_sagas_overdue) > 0",
            "5m", "page", "Nobody asks again for {{ $value | humanize }} answers that are overdue", "an-order-is-stuck",
        ),
        Alert(
            "OrdersDoNotEnd",
            f'sum(rate(shop_events_emitted_total{{type="{OrderCreated.type}"}}[15m])) > 0'
            f' unless sum(rate(shop_events_emitted_total{{type=~"{ended}"}}[15m])) > 0',
            "5m", "page", "Orders are taken, and none is confirmed, rejected or cancelled", "an-order-is-stuck",
        ),
        Alert(
            "OrdersWaitForReview",
            "max(shop_orders_review_oldest_seconds) > 86400",
            "5m", "ticket", "An order has been held for review for {{ $value | humanizeDuration }}",
            "orders-wait-for-review",
        ),
        Alert(
            "FulfilmentsAreOverdue",
            "max(shop_order_fulfilments_oldest_seconds) > 259200",
            "1h", "ticket", "A fulfilment has waited {{ $value | humanizeDuration }} to be shipped",
            "goods-do-not-leave",
        ),
        Alert(
            "RefundsHaveFailed",
            'max(shop_order_refunds_open{status="failed"}) > 0',
            "5m", "ticket", "{{ $value | humanize }} refunds were refused by the provider", "a-refund-fails",
        ),
        Alert(
            "StepsNeedAttention",
            'max by (kind) (shop_order_steps_open{state="needs_attention"}) > 0',
            "5m", "ticket", "{{ $value | humanize }} times a person is needed ({{ $labels.kind }})", "a-step-is-stuck",
        ),
        Alert(
            "StepsGetNoAnswer",
            "max(shop_order_steps_overdue_seconds) > 600",
            "5m", "ticket", "For {{ $value | humanizeDuration }} a command beyond the checkout has had no answer",
            "a-step-is-stuck",
        ),
    ]  # fmt: skip


def payments() -> list[Alert]:
    answers = one_of(event.type for event in (PaymentAuthorized, PaymentDeclined, PaymentUnknown))
    unknown = grown("shop_events_emitted_total", "15m", "", f'type="{PaymentUnknown.type}"')
    return [
        Alert(
            "PaymentsAreUnknown",
            f"{unknown} > {FEW}",
            "0m", "ticket", "Of {{ $value | humanize }} payments it is not known what became of them",
            "payments-are-unknown",
        ),
        Alert(
            "ProviderIsAway",
            f'sum(rate(shop_events_emitted_total{{type="{PaymentUnknown.type}"}}[5m]))'
            f' / sum(rate(shop_events_emitted_total{{type=~"{answers}"}}[5m])) > 0.5',
            "5m", "page", "{{ $value | humanizePercentage }} of all payments end unknown", "the-provider-is-away",
        ),
        Alert(
            "ProviderBreakerIsOpen",
            'max(shop_provider_breaker{state=~"open|half_open"}) > 0',
            "2m", "page", "Nobody calls the payment provider any more: it has not answered", "the-provider-is-away",
        ),
        Alert(
            "PaymentIsUnknownForLong",
            "max(shop_payment_unknown_oldest_seconds) > 900",
            "2m", "ticket", "For {{ $value | humanizeDuration }} it is not known what became of a payment",
            "payments-are-unknown",
        ),
        Alert(
            "BooksDifferFromTheProvider",
            "max by (cause) (shop_payment_differences) > 0",
            "5m", "ticket", "{{ $value | humanize }} figures differ from the provider's books ({{ $labels.cause }})",
            "books-differ-from-the-provider",
        ),
        Alert(
            "BooksAreNotCompared",
            "max(shop_payment_comparison_age_seconds) > 21600",
            "10m", "ticket", "The provider's books were last compared {{ $value | humanizeDuration }} ago",
            "books-differ-from-the-provider",
        ),
        Alert(
            "WebhooksContradictTheBooks",
            grown("shop_provider_events_total", "1h", "", 'state="contradicted"') + " > 0",
            "0m", "ticket", "{{ $value | humanize }} webhooks of the provider contradict our books",
            "books-differ-from-the-provider",
        ),
        Alert(
            "ChargebackOpened",
            "sum(max by (currency) (shop_payment_chargebacks_open_minor)) > 0",
            "0m", "ticket", "{{ $value | humanize }} minor units are disputed", "a-payment-is-disputed",
        ),
    ]  # fmt: skip


def platform() -> list[Alert]:
    checked = "shop_invariant_checked_timestamp_seconds"
    return [
        Alert(
            "BooksDisagree",
            "max by (check) (shop_invariant_violations) > 0",
            "0m", "page", "The check {{ $labels.check }} finds {{ $value | humanize }} violations", "books-disagree",
        ),
        Alert(
            "BooksAreNotChecked",
            f"time() - max by (check) ({checked}) > 21600",
            "10m", "ticket", "The check {{ $labels.check }} was last made {{ $value | humanizeDuration }} ago",
            "books-disagree",
        ),
        Alert(
            "FiguresDiffer",
            f"{grown('shop_figures_rebuild_differences_total', '1h', 'part')} > 0",
            "0m", "ticket", "{{ $value | humanize }} of the figures' part {{ $labels.part }} are not the books'",
            "books-disagree",
        ),
        Alert(
            "FunctionUnhealthy",
            "max by (target) (shop_function_unhealthy) > 0",
            "1m", "page", "{{ $labels.target }} fails or flaps", "a-function-is-unhealthy",
        ),
        Alert(
            "FunctionsNotListed",
            "max(shop_functions_listed) < 1",
            "5m", "ticket", "It cannot be seen which functions there are", "a-function-is-unhealthy",
        ),
    ]  # fmt: skip


def one_of(types: Iterable[str]) -> str:
    """A regular expression."""
    return "|".join(types).replace(".", "[.]")


def _often(schedule: str) -> bool:
    """Whether a timer ticks several times in half an hour."""
    first, second = islice(CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC)), 2)
    return second - first <= timedelta(minutes=10)


def grown(metric: str, window: str, by: str, matchers: str = "") -> str:
    """By how much a counter has grown, also one of an instance that began within the window and may be gone again."""
    series = f"{metric}{{{matchers}}}" if matchers else metric
    over = f"{series}[{window}]"
    of = f" by ({by}) " if by else ""
    return f"sum{of}((last_over_time({over}) unless {series} offset {window}) or increase({over}))"


def _burning(name: str, share: str, objective: str, burn: Burn, matchers: str, summary: str, runbook: str) -> Alert:
    budget = f"shop:objective:{objective}{{{matchers}}}" if matchers else f"shop:objective:{objective}"
    expr = (
        f"{share}:ratio_rate{burn.long} > on (function) group_left (domain) {burn.factor:g} * (1 - {budget})"
        f" and on (function) {share}:ratio_rate{burn.short}"
        f" > on (function) group_left (domain) {burn.factor:g} * (1 - {budget})"
        f" and on (function) {share}:rate{burn.long} * {HOURS[burn.long] * 3600} > {FEW}"
    )
    return Alert(name, expr, "2m", burn.severity, summary, runbook, (("window", burn.long),))
