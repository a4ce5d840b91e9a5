"""What an import says that it did."""

import json
from collections.abc import Callable

import pytest
import yaml

from infra.cli.importer import Imported
from infra.cli.output import show


@pytest.mark.parametrize(("output", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_for_programs(capsys: pytest.CaptureFixture[str], output: str, load: Callable[[str], object]) -> None:
    done = Imported(customers=2, merged={"85123A": ["85123A", "85123a"]}, untracked=["POST"])
    done.products["created"] += 3
    done.opening_stock["units"] += 10

    show(done.as_json(), output)

    assert load(capsys.readouterr().out) == {
        "products": {"created": 3, "updated": 0, "unchanged": 0},
        "untracked": ["POST"],
        "customers": 2,
        "opening_stock": {"skus": 0, "units": 10},
        "merged": {"85123A": ["85123A", "85123a"]},
        "unreadable_lines": 0,
        "failed": [],
    }


def test_for_people() -> None:
    done = Imported(merged={"85123A": ["85123A", "85123a"]})
    done.failed.append({"what": "products", "name": "X", "reason": "no"})

    told = done.as_text().splitlines()

    assert told[0] == "85123A: the codes 85123A, 85123a differ only by case and are one SKU"
    assert told[1] == "NOT BROUGHT: products: X: no"
