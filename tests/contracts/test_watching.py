"""What watches the shop asks for what is exported, and leads to a page that says what to do."""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

import infra.dispatcher.dispatcher
import infra.relay.relay  # noqa: F401 - registers its metrics, as does the dispatcher
from infra.manifests import ROOT
from infra.manifests.alerts import grown
from infra.manifests.objectives import WITHIN_S, objectives
from shared.runtime.declare import Declaration
from shared.runtime.serve import Runtime, endpoint

RULES = sorted((ROOT / "infra/observability/prometheus").glob("*.yaml"))
DASHBOARDS = sorted((ROOT / "infra/observability/grafana").glob("*.json"))
WATCHING = ROOT / "docs/how-to/watch-the-shop.md"

STRING = re.compile(r'"[^"]*"')
SELECTOR = re.compile(r"(shop[_:]\w[\w:]*)\{([^}]*)\}")
GROUPED = re.compile(r"(?:by|on|group_left) \(([\w, ]+)\)")
MADE_UP = {"le"}


def rules() -> list[dict[str, Any]]:
    return [rule for file in RULES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def panels(dashboard: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(dashboard.read_text())["panels"]
    return found


def expressions() -> dict[str, str]:
    """Every PromQL expression by where it stands."""
    asked = {f"{rule.get('alert', rule.get('record'))}: {rule['expr']}": rule["expr"] for rule in rules()}
    for dashboard in DASHBOARDS:
        for panel in panels(dashboard):
            for target in panel.get("targets", ()):
                asked[f"{dashboard.name}, {panel['title']}, {target['refId']}"] = target["expr"]
    return asked


def names(expr: str) -> set[str]:
    return set(re.findall(r"\bshop[_:][\w:]+", STRING.sub("", expr)))


async def exported(declarations: list[Declaration], runtime: Runtime) -> dict[str, set[str]]:
    """The labels of every series, by name, as the functions' own /metrics has them."""
    endpoints = [endpoint(declaration, runtime) for declaration in declarations]
    answer = await endpoints[0].handle("GET", "/metrics", b"", {}, b"")
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        for end in ends:
            found[family.name + end] = set()
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    for collector in REGISTRY._collector_to_names:  # series without a sample have labels, too
        for name in REGISTRY._collector_to_names[collector]:
            found.get(name, set()).update(getattr(collector, "_labelnames", ()))
    return found


def recorded() -> dict[str, set[str]]:
    labels = {"function", "domain", "kind", "le"}
    return {rule["record"]: labels for rule in rules() if "record" in rule}


async def test_what_is_asked_for_is_exported(declarations: list[Declaration], runtime: Runtime) -> None:
    known = await exported(declarations, runtime) | recorded()

    assert {
        where: names(expr) - known.keys() for where, expr in expressions().items() if names(expr) - known.keys()
    } == {}


async def test_labels_that_are_asked_for_are_there(declarations: list[Declaration], runtime: Runtime) -> None:
    known = await exported(declarations, runtime) | recorded()
    wrong = []
    for where, expr in expressions().items():
        every = set().union(*(known[name] for name in names(expr))) | MADE_UP
        for name, matchers in SELECTOR.findall(expr):
            labels = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", STRING.sub("", matchers)))
            if labels - known[name]:
                wrong.append((where, name, labels - known[name]))
        grouped = {label.strip() for labels in GROUPED.findall(expr) for label in labels.split(",")}
        if grouped - every:
            wrong.append((where, "by", grouped - every))
    assert wrong == []


async def test_what_the_guide_names_is_exported(declarations: list[Declaration], runtime: Runtime) -> None:
    series = await exported(declarations, runtime) | recorded()
    known = {*series, *(name.removesuffix("_bucket") for name in series)}
    pages = [WATCHING, *(ROOT / "docs/runbooks").glob("*.md")]
    told = {(page.name, name) for page in pages for name in re.findall(r"\bshop_\w+", page.read_text())}

    assert told
    assert {(page, name) for page, name in told if name not in known and not name.endswith("_")} == set()


async def test_promises_are_made_of_buckets_that_are_exported(
    declarations: list[Declaration], runtime: Runtime
) -> None:
    answer = await endpoint(declarations[0], runtime).handle("GET", "/metrics", b"", {}, b"")
    for rule in rules():
        if (bound := rule.get("labels", {}).get("le")) is not None:
            assert f'le="{bound}"'.encode() in answer.body


def test_every_function_has_an_objective(declarations: list[Declaration]) -> None:
    promised = {rule["labels"]["function"] for rule in rules() if rule.get("record") == "shop:objective:availability"}

    assert promised == {declaration.name for declaration in declarations}


def test_a_promise_to_a_function_that_is_no_more_is_a_fault(
    declarations: list[Declaration], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WITHIN_S, "wrap_gifts", 0.5)
    with pytest.raises(ValueError, match="wrap_gifts"):
        objectives(declarations)


def test_a_promise_that_no_bucket_can_tell_is_a_fault(
    declarations: list[Declaration], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WITHIN_S, "place_order", 0.3)
    with pytest.raises(ValueError, match="no bucket ends at"):
        objectives(declarations)


def test_every_alert_says_how_grave_it_is_and_what_to_do() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]

    assert alerts
    for alert in alerts:
        assert alert["labels"]["severity"] in {"page", "ticket"}, alert["alert"]
        assert alert["annotations"]["summary"]
        page = alert["annotations"]["runbook"]
        assert f"`{alert['alert']}`" in (ROOT / page.removeprefix("/")).read_text(), "its runbook knows the alert"


def test_every_domain_has_a_dashboard(declarations: list[Declaration]) -> None:
    assert {dashboard.stem for dashboard in DASHBOARDS} == {declaration.domain for declaration in declarations}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.stem)
def test_a_dashboard_is_as_grafana_wants_it(dashboard: Path, declarations: list[Declaration]) -> None:
    content, found = json.loads(dashboard.read_text()), panels(dashboard)

    assert content["uid"] == f"kn-shop-{dashboard.stem}"
    assert len(content["uid"]) <= 40
    source, function = content["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    assert function["query"].split(",") == [one.name for one in declarations if one.domain == dashboard.stem]
    assert len({panel["id"] for panel in found}) == len(found)
    for panel in found:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
        if panel["type"] == "row":
            assert not panel["collapsed"]
            continue
        assert panel["datasource"] == {"type": "prometheus", "uid": f"${{{source['name']}}}"}
        targets = panel["targets"]
        assert targets
        assert len({target["refId"] for target in targets}) == len(targets)
        assert all(target["datasource"] == panel["datasource"] for target in targets)
        variables = {name for target in targets for name in re.findall(r"\$(\w+)", target["expr"])}
        assert variables <= {function["name"], "__rate_interval"}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.stem)
def test_no_panel_covers_another(dashboard: Path) -> None:
    for one, other in combinations([panel["gridPos"] for panel in panels(dashboard)], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.tools("promtool")
def test_rules_are_rules() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)


@pytest.mark.tools("promtool")
@pytest.mark.parametrize("file", sorted((ROOT / "tests/contracts/rules").glob("*.yaml")), ids=lambda file: file.stem)
def test_alerts_fire_when_they_should(file: Path) -> None:
    promtool("test", "rules", file)


@pytest.mark.tools("promtool")
def test_what_dashboards_ask_can_be_asked(tmp_path: Path) -> None:
    asked = [
        {"record": f"asked:{number}", "expr": expr.replace("$__rate_interval", "5m").replace("$function", "a|b")}
        for number, expr in enumerate([*expressions().values(), grown("shop_events_parked_total", "5m", "")])
    ]
    file = tmp_path / "asked.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": asked}]}))
    promtool("check", "rules", file)


@pytest.mark.tools("promtool")
@pytest.mark.parametrize("name", ["local", "cluster"])
def test_prometheus_takes_its_configuration(name: str, tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / f"infra/observability/prometheus-{name}.yaml").read_text())
    content["rule_files"] = [str(ROOT / "infra/observability" / pattern) for pattern in content["rule_files"]]
    for job in content["scrape_configs"]:
        job.pop("kubernetes_sd_configs", None)  # not every build of promtool knows it
    file = tmp_path / "prometheus.yaml"
    file.write_text(yaml.safe_dump(content))
    promtool("check", "config", file)
