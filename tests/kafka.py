"""A Kafka broker of the session's own, for whoever asks for it."""

from collections.abc import Iterator

import pytest

from infra.kafka import Broker, start


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with start(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker
