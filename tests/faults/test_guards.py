"""Guards that `make break-guards` takes away are where it looks for them."""

import pytest

from tests.faults.guards import CHECKOUT, GUARDS, Guard


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_once_and_has_tests(guard: Guard) -> None:
    assert (CHECKOUT / guard.file).read_text().count(guard.was) == 1
    assert all((CHECKOUT / test).exists() for test in guard.tests.split())
