"""The reference page of objectives and alerts."""

import re
from collections.abc import Iterator

from infra.manifests import Files
from infra.manifests.alerts import Alert
from infra.manifests.objectives import DELAY_S, IN_TIME, PUNCTUAL, objectives
from infra.manifests.rules import every_alert
from shared.runtime.declare import Declaration

NOTE = "<!-- Generated from infra/manifests/objectives.py and alerts.py by `python -m infra.manifests generate`. -->\n"
VALUES = {"humanize": "N", "humanizePercentage": "N %", "humanizeDuration": "N s"}


def files(declarations: list[Declaration]) -> Files:
    return {"docs/reference/objectives.md": NOTE + "\n".join(_page(declarations)) + "\n"}


def _page(declarations: list[Declaration]) -> Iterator[str]:
    yield "# Objectives and alerts\n"
    yield "What is promised of every function, and what alerts watch over it. How they come to your Prometheus is said"
    yield "in [Watch the shop](../how-to/watch-the-shop.md).\n"
    yield "## Alerts\n"
    yield "A page is for now, day or night; a ticket is for the next working day.\n"
    yield "| Alert | Severity | Says | Runbook |"
    yield "|---|---|---|---|"
    by_name: dict[str, list[Alert]] = {}
    for alert in every_alert(declarations):
        by_name.setdefault(alert.name, []).append(alert)
    for name, alerts in by_name.items():
        first = alerts[0]
        severities = " or ".join(dict.fromkeys(alert.severity for alert in alerts))
        page = f"[{first.runbook.replace('-', ' ')}](../runbooks/{first.runbook}.md)"
        yield f"| {name} | {severities} | {_said(first.summary)} | {page} |"
    yield "\n## Objectives\n"
    yield f"In time are {IN_TIME:.0%} of all calls that are answered within the time named here, without what a caller"
    yield f"asked to wait for by `Prefer: wait`; punctual are {PUNCTUAL:.0%} of all events whose effect comes within"
    yield f"{DELAY_S:g} s of their emission.\n"
    yield "| Function | Answered without a fault of ours | Calls in time | Events punctual |"
    yield "|---|---|---|---|"
    for one in objectives(declarations):
        within = "" if one.within_s is None else f"{one.within_s:g} s"
        delay = "" if one.delay_s is None else f"{one.delay_s:g} s"
        yield f"| {one.function} | {one.available:.1%} | {within} | {delay} |"


def _said(summary: str) -> str:
    """A template in words: labels by their names, the value as N."""
    named = re.sub(r"{{ \$labels\.(\w+) }}", r"*\1*", summary)
    return re.sub(r"{{ \$value \| (\w+) }}", lambda found: VALUES[found[1]], named)
