"""No function is without its guarantees, and none is promised what its declaration does not hold."""

import re

import pytest

from functions import load_all
from infra.manifests import by_name, guarantees
from shared.orders.tables import audit
from shared.runtime.declare import Declaration, Http

DECLARATIONS = by_name(load_all().values())


@pytest.fixture(scope="module")
def rows() -> dict[str, str]:
    lines = "\n".join(guarantees.page(DECLARATIONS)).splitlines()
    return {match[1]: line for line in lines if (match := re.match(r"\| (\w+)(?:<br>.*?)? \|", line))}


def test_every_function_is_there(rows: dict[str, str]) -> None:
    assert rows.keys() - {"Function"} == {declaration.name for declaration in DECLARATIONS}


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda one: one.name)
def test_a_repetition_is_promised_what_is_declared(declaration: Declaration, rows: dict[str, str]) -> None:
    row, trigger = rows[declaration.name], declaration.trigger
    if not isinstance(trigger, Http):
        assert ("inbox row" in row) != ("by state" in row)
        return
    assert ("the first answer, by its key" in row) == trigger.key_required
    assert ("refused (412)" in row) == (trigger.if_match and not trigger.idempotent)
    if " safe" in row:
        kept = [audit] if "who asked" in row else []
        assert [*declaration.writes, *declaration.emits] == kept


def test_a_post_without_a_key_of_which_nothing_is_said_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(guarantees.AGAIN, "create_location")
    with pytest.raises(ValueError, match="create_location"):
        list(guarantees.page(DECLARATIONS))


def test_a_function_that_is_no_more_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(guarantees.AGAIN, "wrap_gifts", "wrapped twice")
    with pytest.raises(ValueError, match="wrap_gifts"):
        list(guarantees.page(DECLARATIONS))


def test_what_events_write_is_said_to_come_later() -> None:
    late = guarantees.followers(DECLARATIONS)

    assert late["orders.sales_days"] == (["count_figures"], True)
    assert "track_stock" in late["catalog.stock"][0]
    assert "catalog.categories" not in late
