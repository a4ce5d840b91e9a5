"""Every declaration, in the order of their names."""

import pytest

from functions import load_all
from infra.manifests import by_name
from shared.runtime.declare import Declaration


@pytest.fixture(scope="session")
def declarations() -> list[Declaration]:
    return by_name(load_all().values())
