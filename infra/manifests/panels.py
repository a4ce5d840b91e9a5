"""What each domain's dashboard shows: the same of every function, and what the domain counts of itself."""

from collections.abc import Sequence
from typing import NamedTuple

from infra.manifests.objectives import Objective
from shared.inventory.events import (
    HoldCommitted,
    HoldExpired,
    HoldPartReleased,
    HoldRejected,
    HoldReleased,
    HoldShipped,
    ShipmentRefused,
    StockAdjusted,
    StockDepleted,
    StockHeld,
    StockLow,
    StockReceived,
    StockReplenished,
    StockShipped,
    StockShortfall,
    StockTransferred,
)
from shared.orders.events import (
    OrderAwaitingCustomer,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderExpired,
    OrderRejected,
    SagaStuck,
)
from shared.orders.fulfilment_events import (
    FulfilmentCancelled,
    FulfilmentCreated,
    FulfilmentDelivered,
    FulfilmentReturned,
    FulfilmentShipped,
)
from shared.payments.events import (
    CaptureFailed,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentUnknown,
    PaymentVoided,
    RefundFailed,
    RefundSucceeded,
)
from shared.runtime.events import Event

WINDOW = "$__rate_interval"
CHOSEN = 'function=~"$function"'
EMITTED = "shop_events_emitted_total"
LOCK_WAIT = "shop_inventory_lock_wait_seconds"


class Line(NamedTuple):
    expr: str
    legend: str


class Panel(NamedTuple):
    """`unit` is one of Grafana's."""

    title: str
    about: str
    unit: str
    lines: tuple[Line, ...]


Row = tuple[str, tuple[Panel, ...]]


def rows(domain: str, objectives: Sequence[Objective]) -> list[Row]:
    """The dashboard of one domain, whose objectives these are."""
    refusals = (REFUSALS,) if any(one.limited for one in objectives) else ()
    found: list[Row] = [("Calls", CALLS + refusals)]
    if any(one.kind == "event" for one in objectives):
        found.append(("Events", EVENTS))
    return found + OWN.get(domain, [])


def _quantile(share: float, histogram: str, by: str, matchers: str) -> str:
    return f"histogram_quantile({share}, sum by ({by}) (rate({histogram}_bucket{{{matchers}}}[{WINDOW}])))"


def _told(*events: type[Event]) -> tuple[Line, ...]:
    """How often each is emitted."""
    return tuple(Line(f'sum(rate({EMITTED}{{type="{event.type}"}}[{WINDOW}]))', event.__name__) for event in events)


CALLS = (
    Panel(
        "Calls",
        "Calls per second by function.",
        "reqps",
        (Line(f"sum by (function) (rate(shop_function_invocations_total{{{CHOSEN}}}[{WINDOW}]))", "{{function}}"),),
    ),
    Panel(
        "Failed calls",
        "The share of calls answered 5xx.",
        "percentunit",
        (
            Line(
                f'sum by (function) (rate(shop_function_invocations_total{{{CHOSEN},status=~"5.."}}[{WINDOW}]))'
                f" / sum by (function) (rate(shop_function_invocations_total{{{CHOSEN}}}[{WINDOW}]))",
                "{{function}}",
            ),
        ),
    ),
    Panel(
        "Duration, 95th percentile",
        "Without what callers asked to wait for by Prefer: wait.",
        "s",
        (Line(_quantile(0.95, "shop_function_duration_seconds", "function, le", CHOSEN), "{{function}}"),),
    ),
    Panel(
        "Error budget left",
        "Of what the objective allows in three days. Below zero it is overspent.",
        "percentunit",
        (
            Line(
                f"1 - shop:function_failures:ratio_rate3d{{{CHOSEN}}}"
                f" / on (function) (1 - shop:objective:availability{{{CHOSEN}}})",
                "{{function}}",
            ),
        ),
    ),
    Panel(
        "Answers by status",
        "Of all functions chosen.",
        "reqps",
        (Line(f"sum by (status) (rate(shop_function_invocations_total{{{CHOSEN}}}[{WINDOW}]))", "{{status}}"),),
    ),
    Panel(
        "Statements per call",
        "A function whose number of statements grows with its input has a defect.",
        "short",
        (
            Line(
                f"sum by (function) (rate(shop_statements_total{{{CHOSEN}}}[{WINDOW}]))"
                f" / sum by (function) (rate(shop_function_invocations_total{{{CHOSEN}}}[{WINDOW}]))",
                "{{function}}",
            ),
        ),
    ),
)

REFUSALS = Panel(
    "Refused callers",
    "Calls answered 429: their caller had sent too many.",
    "reqps",
    (Line(f"sum by (function) (rate(shop_rate_limited_total{{{CHOSEN}}}[{WINDOW}]))", "{{function}}"),),
)

EVENTS = (
    Panel(
        "Delay of events, 95th percentile",
        "From an event's emission to its effect.",
        "s",
        (Line(_quantile(0.95, "shop_event_delay_seconds", "function, le", CHOSEN), "{{function}}"),),
    ),
    Panel(
        "Events that came twice, and events given up",
        "The first have no effect and are no fault; the second wait for an operator.",
        "ops",
        (
            Line(f"sum by (function) (rate(shop_events_duplicate_total{{{CHOSEN}}}[{WINDOW}]))", "twice: {{function}}"),
            Line(f"sum by (function) (rate(shop_events_parked_total{{{CHOSEN}}}[{WINDOW}]))", "given up: {{function}}"),
        ),
    ),
)

CATALOG: list[Row] = [
    (
        "Search",
        (
            Panel(
                "Duration of searches",
                "Promised is an answer within 100 ms for 95 % of them.",
                "s",
                tuple(
                    Line(
                        _quantile(share, "shop_function_duration_seconds", "le", 'function="search_products"'),
                        f"p{share * 100:g}",
                    )
                    for share in (0.5, 0.95, 0.99)
                ),
            ),
            Panel(
                "What came of searches",
                "Corrected: nothing was found for what was typed, and something for what was meant.",
                "reqps",
                (Line(f"sum by (outcome) (rate(shop_catalog_searches_total[{WINDOW}]))", "{{outcome}}"),),
            ),
            Panel(
                "Searches that find nothing, or need correcting",
                "As shares of all.",
                "percentunit",
                tuple(
                    Line(
                        f'sum(rate(shop_catalog_searches_total{{outcome="{outcome}"}}[{WINDOW}]))'
                        f" / sum(rate(shop_catalog_searches_total[{WINDOW}]))",
                        outcome,
                    )
                    for outcome in ("empty", "corrected")
                ),
            ),
        ),
    ),
    (
        "Stock, imports and rebuilds",
        (
            Panel(
                "Staleness of stock",
                "From a change in the inventory until the catalogue shows it; and how long the oldest has waited.",
                "s",
                (
                    *(
                        Line(
                            _quantile(share, "shop_event_delay_seconds", "le", 'function="track_stock"'),
                            f"p{share * 100:g}",
                        )
                        for share in (0.5, 0.95)
                    ),
                    Line('max(shop_dispatcher_oldest_seconds{consumer="track-stock"})', "waiting"),
                ),
            ),
            Panel(
                "Imported rows",
                "By what became of them.",
                "short",
                (Line(f"sum by (status) (increase(shop_catalog_import_rows_total[{WINDOW}]))", "{{status}}"),),
            ),
            Panel(
                "Rebuild",
                "Keys compared with their source, and differences found.",
                "short",
                (
                    Line(
                        f"sum by (part) (increase(shop_catalog_rebuild_checked_total[{WINDOW}]))", "checked: {{part}}"
                    ),
                    Line(
                        f"sum by (part) (increase(shop_catalog_rebuild_differences_total[{WINDOW}]))",
                        "differ: {{part}}",
                    ),
                ),
            ),
        ),
    ),
]

INVENTORY: list[Row] = [
    (
        "Stock",
        (
            Panel(
                "Units",
                "At open locations. Held and committed are promised, safety stock is not sold.",
                "short",
                (Line("max by (kind) (shop_inventory_units)", "{{kind}}"),),
            ),
            Panel(
                "SKUs by status",
                "What is told to those who sell them.",
                "short",
                (Line("max by (status) (shop_inventory_skus)", "{{status}}"),),
            ),
            Panel(
                "Shortfalls, and transfers on their way",
                "SKUs at locations where more is promised than is there, and goods that should have come.",
                "short",
                (
                    Line("max(shop_inventory_shortfalls)", "short"),
                    Line('max(shop_inventory_transfers{overdue="no"})', "on their way"),
                    Line('max(shop_inventory_transfers{overdue="yes"})', "overdue"),
                ),
            ),
            Panel(
                "What changes stock, and what becomes of it",
                "",
                "ops",
                _told(
                    StockReceived, StockAdjusted, StockTransferred, StockShipped,
                    StockLow, StockDepleted, StockReplenished, StockShortfall,
                ),
            ),
        ),
    ),
    (
        "Holds",
        (
            Panel("What came of orders' holds", "", "ops", _told(StockHeld, HoldRejected)),
            Panel(
                "How holds end", "", "ops",
                _told(HoldCommitted, HoldShipped, HoldReleased, HoldPartReleased, HoldExpired, ShipmentRefused),
            ),
            Panel(
                "Live holds by age",
                "Held ones should be young; committed ones wait for their goods to leave.",
                "short",
                (
                    Line("max by (status, age) (shop_inventory_holds)", "{{status}} {{age}}"),
                    Line("max(shop_inventory_holds_overdue)", "overdue"),
                ),
            ),
            Panel(
                "Waiting for stock that others change",
                "How long orders wait for each other at SKUs that many want at once.",
                "s",
                tuple(
                    Line(
                        f"histogram_quantile({share}, sum by (le) (rate({LOCK_WAIT}_bucket[{WINDOW}])))",
                        f"p{share * 100:g}",
                    )
                    for share in (0.5, 0.95, 0.99)
                ),
            ),
        ),
    ),
    (
        "Alerts",
        (
            Panel(
                "Alerts raised",
                "By kind, each once in an episode.",
                "short",
                (Line(f"sum by (kind) (increase(shop_inventory_alerts_raised_total[{WINDOW}]))", "{{kind}}"),),
            ),
            Panel(
                "What came of attempts to deliver them",
                "What is tried again arrives later, or is given up after about a day.",
                "short",
                (
                    Line(
                        f"sum by (channel, outcome) (increase(shop_inventory_alert_attempts_total[{WINDOW}]))",
                        "{{channel}} {{outcome}}",
                    ),
                ),
            ),
            Panel(
                "Alerts that are still to be delivered",
                "",
                "short",
                (Line("max(shop_inventory_alerts_waiting)", "waiting"),),
            ),
            Panel(
                "How long they wait",
                "The oldest one since it was raised, and an attempt since it was due: that should be seconds.",
                "s",
                (
                    Line("max(shop_inventory_alerts_oldest_seconds)", "oldest"),
                    Line("max(shop_inventory_alerts_overdue_seconds)", "overdue"),
                ),
            ),
        ),
    ),
]  # fmt: skip

ORDERS: list[Row] = [
    (
        "On their way",
        (
            Panel(
                "Orders on their way",
                "By the state of their saga. Those that need attention wait for an operator, for ever.",
                "short",
                (Line("max by (state) (shop_sagas_open) > 0", "{{state}}"),),
            ),
            Panel(
                "How long they stand there",
                "The one that moved least recently. Only those that await their customer may take minutes.",
                "s",
                (Line("max by (state) (shop_saga_oldest_seconds) > 0", "{{state}}"),),
            ),
            Panel(
                "From creation to confirmation",
                "With the time in which customers act at the provider.",
                "s",
                tuple(
                    Line(
                        f"histogram_quantile({share}, sum by (le) "
                        f"(rate(shop_order_confirmed_seconds_bucket[{WINDOW}])))",
                        f"p{share * 100:g}",
                    )
                    for share in (0.5, 0.95, 0.99)
                ),
            ),
            Panel(
                "Answers that are overdue",
                "Asked again: commands that were sent more than once. Not driven on: nobody has asked again in time.",
                "short",
                (
                    Line("sum(max by (state) (shop_sagas_asked_again))", "asked again"),
                    Line("max(shop_sagas_overdue)", "not driven on"),
                ),
            ),
        ),
    ),
    (
        "Orders",
        (
            Panel(
                "Orders", "", "ops",
                _told(
                    OrderCreated, OrderConfirmed, OrderRejected, OrderExpired, OrderCancelled, OrderAwaitingCustomer
                ),
            ),
            Panel(
                "Why orders and quotes are refused", "By each reason that was given.", "short",
                (Line(f"sum by (code) (increase(shop_orders_refused_total[{WINDOW}])) > 0", "{{code}}"),),
            ),
            Panel(
                "Discounts", "Uses that were taken, and given back by orders without a sale.", "short",
                (Line(f"sum by (what) (increase(shop_orders_discounts_total[{WINDOW}]))", "{{what}}"),),
            ),
            Panel("Orders that wait too long", "Each time that an overdue saga says so.", "ops", _told(SagaStuck)),
        ),
    ),
    (
        "Fulfilment",
        (
            Panel(
                "Fulfilments", "", "ops",
                _told(
                    *(FulfilmentCreated, FulfilmentShipped, FulfilmentDelivered, FulfilmentCancelled),
                    FulfilmentReturned,
                ),
            ),
            Panel(
                "Still to be shipped", "By how long it has been so.", "short",
                (Line("max by (status, age) (shop_order_fulfilments_open)", "{{status}} {{age}}"),),
            ),
            Panel(
                "The oldest that is to be shipped", "", "s",
                (Line("max(shop_order_fulfilments_oldest_seconds)", "age"),),
            ),
            Panel(
                "What is not there",
                "Fulfilments that inventory let not leave, and units that were said to be missing, by the day.",
                "short",
                (
                    Line("max(shop_order_fulfilments_refused)", "refused"),
                    Line("sum(increase(shop_order_units_short_total[1d]))", "units short"),
                ),
            ),
        ),
    ),
    (
        "Money back",
        (
            Panel(
                "Refunds that are not paid", "Failed ones wait for a person.", "short",
                (
                    Line("max by (status) (shop_order_refunds_open)", "{{status}}"),
                    Line("max(shop_order_refund_requests_open)", "asked for by customers"),
                ),
            ),
            Panel(
                "Steps that are not done", "What is asked of inventory and payments beyond the checkout.", "short",
                (Line("max by (kind, state) (shop_order_steps_open)", "{{kind}} {{state}}"),),
            ),
        ),
    ),
    (
        "Sales",
        (
            Panel(
                "Orders per hour", "Confirmed, and what was lost.", "short",
                (
                    Line(f'sum(increase({EMITTED}{{type="{OrderConfirmed.type}"}}[1h]))', "confirmed"),
                    Line(f'sum(increase({EMITTED}{{type="{OrderRejected.type}"}}[1h]))', "rejected"),
                    Line(f'sum(increase({EMITTED}{{type="{OrderCancelled.type}"}}[1h]))', "cancelled"),
                ),
            ),
            Panel(
                "Revenue per hour",
                "Gross, by currency, in hundreds of minor units, by the hour in which it was counted.",
                "short",
                (Line('sum by (currency) (increase(shop_sales_minor_total{kind="sale"}[1h])) / 100', "{{currency}}"),),
            ),
            Panel(
                "Share of revenue that goes back",
                "Refunded, and cancelled after it was confirmed, of what was sold within a day.",
                "percentunit",
                tuple(
                    Line(
                        f'sum by (currency) (increase(shop_sales_minor_total{{kind="{kind}"}}[1d]))'
                        ' / sum by (currency) (increase(shop_sales_minor_total{kind="sale"}[1d]))',
                        f"{told}: {{{{currency}}}}",
                    )
                    for kind, told in (("refund", "refunded"), ("cancellation", "cancelled"))
                ),
            ),
            Panel(
                "Rebuild of figures",
                "Keys compared with the books, and differences found.",
                "short",
                (
                    Line(
                        f"sum by (part) (increase(shop_figures_rebuild_checked_total[{WINDOW}]))", "checked: {{part}}"
                    ),
                    Line(
                        f"sum by (part) (increase(shop_figures_rebuild_differences_total[{WINDOW}]))",
                        "differ: {{part}}",
                    ),
                ),
            ),
        ),
    ),
    (
        "The desk",
        (
            Panel(
                "Orders under review",
                "Nothing of them is shipped until somebody releases them.",
                "short",
                (Line("max(shop_orders_under_review)", "orders"),),
            ),
            Panel(
                "The oldest of them", "", "s", (Line("max(shop_orders_review_oldest_seconds)", "held for"),),
            ),
            Panel(
                "What people do",
                "To orders, sagas and customers' data; who and why is in the audit log.",
                "short",
                (Line(f"sum by (action) (increase(shop_order_desk_actions_total[{WINDOW}]))", "{{action}}"),),
            ),
        ),
    ),
]  # fmt: skip

PAYMENTS: list[Row] = [
    (
        "Payments",
        (
            Panel(
                "What the provider says",
                "Unknown means that the answer will be asked for again.",
                "ops",
                _told(PaymentAuthorized, PaymentDeclined, PaymentActionRequired, PaymentCaptured, PaymentUnknown),
            ),
            Panel(
                "Money that goes back, and what failed", "", "ops",
                _told(PaymentVoided, RefundSucceeded, RefundFailed, CaptureFailed),
            ),
            Panel(
                "What attempts end with",
                "By operation and by the provider's code; ok is done.",
                "ops",
                (
                    Line(
                        f"sum by (operation, code) (rate(shop_payment_outcomes_total[{WINDOW}]))",
                        "{{operation}} {{code}}",
                    ),
                ),
            ),
        ),
    ),
    (
        "The provider",
        (
            Panel(
                "How long it takes", "95 of 100 calls are faster.", "s",
                (
                    Line(
                        "histogram_quantile(0.95, sum by (le, operation) "
                        f"(rate(shop_provider_call_seconds_bucket[{WINDOW}])))",
                        "{{operation}}",
                    ),
                ),
            ),
            Panel(
                "The breaker",
                "While it is open nobody calls, and payments are unknown at once.",
                "short",
                (
                    Line("max by (state) (shop_provider_breaker)", "{{state}}"),
                    Line(f"sum(rate(shop_provider_held_back_total[{WINDOW}]))", "held back per second"),
                ),
            ),
            Panel(
                "Attempts that are open",
                "Waiting is for another of the same order, action for the customer.",
                "short",
                (
                    Line("max by (state) (shop_payment_attempts_open)", "{{state}}"),
                    Line("max(shop_payment_refunds_open)", "refunds"),
                ),
            ),
            Panel(
                "The oldest that is unknown", "", "s", (Line("max(shop_payment_unknown_oldest_seconds)", "age"),),
            ),
            Panel(
                "Webhooks", "What the provider tells by itself.", "ops",
                (Line(f"sum by (state) (rate(shop_provider_events_total[{WINDOW}]))", "{{state}}"),),
            ),
        ),
    ),
    (
        "The books",
        (
            Panel(
                "Differences to the provider's books", "Figures of authorisations, by the likely cause.", "short",
                (Line("max by (cause) (shop_payment_differences)", "{{cause}}"),),
            ),
            Panel(
                "Since all books were compared", "", "s",
                (Line("max(shop_payment_comparison_age_seconds)", "age"),),
            ),
            Panel(
                "Open disputes", "In minor units by currency, and how many.", "short",
                (
                    Line("max by (currency) (shop_payment_chargebacks_open_minor)", "{{currency}}"),
                    Line("max(shop_payment_chargebacks_open)", "disputes"),
                ),
            ),
        ),
    ),
]  # fmt: skip

PLATFORM: list[Row] = [
    (
        "Relay and dispatcher",
        (
            Panel(
                "The outbox",
                "Events that wait to be published, and for how long the oldest has.",
                "short",
                (
                    Line("max(shop_relay_backlog)", "events"),
                    Line("max(shop_relay_oldest_seconds)", "seconds"),
                ),
            ),
            Panel(
                "Published and delivered",
                "Deliveries of the shop's own dispatcher only.",
                "ops",
                (
                    Line(f"sum(rate(shop_relay_published_total[{WINDOW}]))", "published"),
                    Line(f"sum by (status) (rate(shop_dispatcher_deliveries_total[{WINDOW}]))", "answered {{status}}"),
                ),
            ),
            Panel(
                "Waiting for delivery",
                "Age of the oldest event by consumer.",
                "s",
                (Line("max by (consumer) (shop_dispatcher_oldest_seconds) > 0", "{{consumer}}"),),
            ),
            Panel(
                "Losses of database or broker, and waits for a connection",
                "",
                "ops",
                (
                    Line(f"sum(rate(shop_relay_failures_total[{WINDOW}]))", "relay"),
                    Line(f"sum(rate(shop_dispatcher_interruptions_total[{WINDOW}]))", "dispatcher"),
                    Line(f"sum(rate(shop_connection_waits_total[{WINDOW}]))", "waits"),
                ),
            ),
        ),
    ),
    (
        "Functions deployed",
        (
            Panel(
                "Functions by standing",
                "Failing is unready for half a minute, flapping is four changes within ten.",
                "short",
                (Line("max by (status) (shop_functions)", "{{status}}"),),
            ),
            Panel(
                "Unhealthy functions",
                "1 for each that fails or flaps.",
                "short",
                (Line("max by (target) (shop_function_unhealthy) > 0", "{{target}}"),),
            ),
        ),
    ),
    (
        "Books",
        (
            Panel(
                "Violations of invariants",
                "Seen twice, a minute apart. All should be 0.",
                "short",
                (Line("max by (check) (shop_invariant_violations)", "{{check}}"),),
            ),
            Panel(
                "Age of checks",
                "Since each was last made: minutes, or more where the books are large.",
                "s",
                (Line("time() - max by (check) (shop_invariant_checked_timestamp_seconds)", "{{check}}"),),
            ),
            Panel(
                "Duration of checks",
                "All together take a twentieth of the time at most.",
                "s",
                (Line("max by (check) (shop_invariant_check_seconds)", "{{check}}"),),
            ),
        ),
    ),
]

OWN = {"catalog": CATALOG, "inventory": INVENTORY, "orders": ORDERS, "payments": PAYMENTS, "platform": PLATFORM}
