"""Prometheus' rules: the objectives as series, what is recorded of calls and events, and the alerts."""

from collections.abc import Iterable

from infra.manifests import Files, alerts
from infra.manifests.alerts import RUNBOOKS, Alert
from infra.manifests.kubernetes import Manifest, documents
from infra.manifests.objectives import IN_TIME, PUNCTUAL, Objective, le, objectives
from shared.runtime.declare import Declaration

DIRECTORY = "infra/observability/prometheus"
WINDOWS = ("5m", "30m", "1h", "6h")
LONGEST = "3d"
INVOCATIONS = "shop_function_invocations_total"


def files(declarations: list[Declaration]) -> Files:
    promised = objectives(declarations)
    written = {
        "objectives": {"shop-objectives": _objectives(promised)},
        "functions": {"shop-functions-recorded": _functions(), "shop-functions": _alerts(alerts.calls(declarations))},
        "events": {"shop-events-recorded": _events(), "shop-events": _alerts(alerts.events(declarations))},
        "catalog": {"shop-catalog": _alerts(alerts.catalog())},
        "inventory": {"shop-inventory": _alerts(alerts.inventory())},
        "orders": {"shop-orders": _alerts(alerts.orders())},
        "payments": {"shop-payments": _alerts(alerts.payments())},
        "platform": {"shop-platform": _alerts(alerts.platform())},
    }
    return {
        f"{DIRECTORY}/{name}.yaml": documents(
            [{"groups": [{"name": group, "rules": rules} for group, rules in groups.items()]}],
            "infra/manifests/objectives.py and alerts.py",
        )
        for name, groups in written.items()
    }


def every_alert(declarations: list[Declaration]) -> list[Alert]:
    return [
        *alerts.calls(declarations),
        *alerts.events(declarations),
        *alerts.catalog(),
        *alerts.inventory(),
        *alerts.orders(),
        *alerts.payments(),
        *alerts.platform(),
    ]


def _objectives(promised: Iterable[Objective]) -> list[Manifest]:
    rules = []
    for one in promised:
        labels = {"function": one.function, "domain": one.domain, "kind": one.kind}
        rules.append(_recorded("shop:objective:availability", f"vector({one.available})", labels))
        if one.within_s is not None:
            within = {"le": le(one.within_s)}
            rules.append(_recorded("shop:objective:latency", f"vector({IN_TIME})", labels | within))
        if one.delay_s is not None:
            rules.append(_recorded("shop:objective:delay", f"vector({PUNCTUAL})", labels | {"le": le(one.delay_s)}))
    return rules


def _functions() -> list[Manifest]:
    rules = []
    for window in (*WINDOWS, LONGEST):
        rate = f"sum by (function) (rate({INVOCATIONS}[{window}]))"
        failures = f'sum by (function) (rate({INVOCATIONS}{{status=~"5.."}}[{window}]))'
        rules += _shares("shop:function_calls", "shop:function_failures", rate, failures, window)
    for window in WINDOWS:
        within = _within("shop_function_duration_seconds", "latency", window)
        answered = f"sum by (function) (rate(shop_function_duration_seconds_count[{window}]))"
        rules += _shares("shop:function_answers", "shop:function_slow", answered, f"{answered} - {within}", window)
    return rules


def _events() -> list[Manifest]:
    rules = []
    for window in WINDOWS:
        within = _within("shop_event_delay_seconds", "delay", window)
        taken = f"sum by (function) (rate(shop_event_delay_seconds_count[{window}]))"
        rules += _shares("shop:events_taken", "shop:events_late", taken, f"{taken} - {within}", window)
    return rules


def _within(histogram: str, objective: str, window: str) -> str:
    """The rate of those in the bucket that the function's objective names."""
    buckets = f"sum by (function, le) (rate({histogram}_bucket[{window}]))"
    return f"sum by (function) ({buckets} and on (function, le) shop:objective:{objective})"


def _shares(all_name: str, bad_name: str, every: str, bad: str, window: str) -> list[Manifest]:
    return [
        _recorded(f"{all_name}:rate{window}", every),
        _recorded(f"{bad_name}:rate{window}", bad),
        _recorded(f"{bad_name}:ratio_rate{window}", f"{bad_name}:rate{window} / {all_name}:rate{window}"),
    ]


def _recorded(name: str, expr: str, labels: dict[str, str] | None = None) -> Manifest:
    return {"record": name, "expr": expr} | ({"labels": labels} if labels else {})


def _alerts(written: Iterable[Alert]) -> list[Manifest]:
    return [
        {
            "alert": alert.name,
            "expr": alert.expr,
            "for": alert.wait,
            "labels": {"severity": alert.severity, **dict(alert.labels)},
            "annotations": {"summary": alert.summary, "runbook": f"{RUNBOOKS}/{alert.runbook}.md"},
        }
        for alert in written
    ]
