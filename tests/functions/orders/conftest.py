"""A provider with books of the test's own, and a flow of events that leaves all books in order."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.runtime.settings import Settings
from tests.conftest import Books, Run
from tests.functions.orders.shipping import Flow, filled
from tests.provider import ProviderServer


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[ProviderServer]:
    server = ProviderServer(tmp_path / "books.sqlite")
    yield server
    server.stop()


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """With a provider where goods and money flow; nobody else needs one."""
    if "flow" not in request.fixturenames:
        return settings
    return replace(settings, provider_url=request.getfixturevalue("provider").url)


@pytest.fixture
async def flow(run: Run, db: Books) -> AsyncIterator[Flow]:
    await filled(run)
    flow = Flow(run, db)
    yield flow
    assert await flow.violated() == []
