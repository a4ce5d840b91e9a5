from pathlib import Path

import pytest

from infra.local.new import Refused, scaffold


@pytest.fixture
def root(tmp_path: Path) -> Path:
    package = tmp_path / "functions" / "orders"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    return tmp_path


def test_a_new_function_comes_with_its_test(root: Path) -> None:
    function, test = scaffold(root, "orders", "gift_wrap_order")

    assert function == root / "functions/orders/gift_wrap_order.py"
    assert '@http("POST /v1/gift-wrap-order"' in function.read_text()
    assert test.name == "test_gift_wrap_order.py"
    for path in (function, test):
        compile(path.read_text(), str(path), "exec")


@pytest.mark.parametrize(
    ("domain", "name"), [("shipping", "ship_order"), ("orders", "ship"), ("orders", "../x_y"), ("", "")]
)
def test_names_that_would_not_fit_are_refused(root: Path, domain: str, name: str) -> None:
    with pytest.raises(Refused):
        scaffold(root, domain, name)


def test_nothing_is_overwritten(root: Path) -> None:
    scaffold(root, "orders", "gift_wrap_order")
    with pytest.raises(Refused, match="exists already"):
        scaffold(root, "orders", "gift_wrap_order")
