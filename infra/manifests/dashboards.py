"""Grafana's dashboards, one for each domain; they ask whichever Prometheus is chosen above them."""

import json
from collections.abc import Iterable, Sequence

from infra.manifests import Files
from infra.manifests.kubernetes import Manifest
from infra.manifests.objectives import Objective, objectives
from infra.manifests.panels import Panel, rows
from shared.runtime.declare import Declaration

DIRECTORY = "infra/observability/grafana"
SCHEMA = 39
WIDTH, HEIGHT, ACROSS = 12, 8, 2
TITLES = {
    "catalog": "Catalogue",
    "inventory": "Inventory",
    "orders": "Orders",
    "payments": "Payments",
    "platform": "Platform",
}
SOURCE: Manifest = {"type": "prometheus", "uid": "${datasource}"}


def files(declarations: list[Declaration]) -> Files:
    promised: dict[str, list[Objective]] = {}
    for one in objectives(declarations):
        promised.setdefault(one.domain, []).append(one)
    return {
        f"{DIRECTORY}/{domain}.json": json.dumps(_dashboard(domain, of_domain), indent=2, ensure_ascii=False) + "\n"
        for domain, of_domain in promised.items()
    }


def _dashboard(domain: str, promised: Sequence[Objective]) -> Manifest:
    return {
        "uid": f"kn-shop-{domain}",
        "title": f"kn-shop / {TITLES.get(domain, domain.capitalize())}",
        "description": "Generated from infra/manifests/panels.py by `python -m infra.manifests generate`.",
        "tags": ["kn-shop"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_datasource(), _functions(promised)]},
        "links": [
            {"type": "dashboards", "title": "kn-shop", "tags": ["kn-shop"], "asDropdown": True, "keepTime": True}
        ],
        "annotations": {"list": []},
        "panels": _placed(domain, promised),
    }


def _datasource() -> Manifest:
    return {
        "name": "datasource",
        "type": "datasource",
        "label": "Prometheus",
        "query": "prometheus",
        "refresh": 1,
        "hide": 0,
        "includeAll": False,
        "multi": False,
    }


def _functions(promised: Iterable[Objective]) -> Manifest:
    names = [one.function for one in promised]
    every = {"text": "All", "value": "$__all"}
    return {
        "name": "function",
        "type": "custom",
        "label": "Function",
        "query": ",".join(names),
        "options": [
            {**every, "selected": True},
            *({"text": name, "value": name, "selected": False} for name in names),
        ],
        "current": {"text": [every["text"]], "value": [every["value"]], "selected": True},
        "hide": 0,
        "includeAll": True,
        "multi": True,
    }


def _placed(domain: str, promised: Sequence[Objective]) -> list[Manifest]:
    """Rows under each other, their panels two abreast."""
    placed: list[Manifest] = []
    top = 0
    for title, panels in rows(domain, promised):
        placed.append(
            {
                "id": len(placed) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": {"h": 1, "w": WIDTH * ACROSS, "x": 0, "y": top},
                "panels": [],
            }
        )
        top += 1
        for number, panel in enumerate(panels):
            down, across = divmod(number, ACROSS)
            place = {"h": HEIGHT, "w": WIDTH, "x": across * WIDTH, "y": top + down * HEIGHT}
            placed.append(_panel(len(placed) + 1, place, panel))
        top += -(-len(panels) // ACROSS) * HEIGHT
    return placed


def _panel(number: int, place: dict[str, int], panel: Panel) -> Manifest:
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "gridPos": place,
        "datasource": SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "expr": line.expr,
                "legendFormat": line.legend,
                "range": True,
            }
            for index, line in enumerate(panel.lines)
        ],
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "custom": {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never"}},
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }
