"""One suite of events over every way on which they come, with equal results (PLAT-007, PLAT-008).

Embedded carrier, Kafka, POST /v1/events, and a function alone under functions-framework. A cluster joins as one more
value of `target`.
"""

import json
from collections.abc import Iterator

import pytest

from infra.local.postgres import Cloned, SharedServer
from tests.conformance.cases import CASES
from tests.conformance.targets import (
    Alone,
    Carried,
    Outcome,
    Target,
    may_publish,
    order_of,
    produced,
    published,
    written,
)
from tests.infra.conftest import Carrier
from tests.issuer import Issuer

pytestmark = pytest.mark.xdist_group("kafka")
TARGETS = ("alone", "embedded", "published", "kafka")


@pytest.fixture(scope="module")
def cloned(server: SharedServer) -> Iterator[list[Cloned]]:
    made: list[Cloned] = []
    yield made
    for one in made:
        server.drop_database(one)


@pytest.fixture(scope="module", params=TARGETS)
def outcomes(
    request: pytest.FixtureRequest,
    server: SharedServer,
    cloned: list[Cloned],
    issuer: Issuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, dict[str, Outcome]]:
    """What became of every case at one target."""
    database = server.create_database_from_template()
    cloned.append(database)
    directory = tmp_path_factory.mktemp(request.param)
    target: Target
    match request.param:
        case "alone":
            target = Alone(database, issuer, directory)
        case "embedded":
            target = Carried(database, issuer, directory, Carrier("embedded", database, None), written)
        case "published":
            may_publish(database)
            # The function writes to the shop's own topics: no names of the test's own here.
            target = Carried(database, issuer, directory, Carrier("embedded", database, None, suffix=""), published)
        case _:
            broker = request.getfixturevalue("kafka")
            target = Carried(database, issuer, directory, Carrier("kafka", database, broker), produced)
    return request.param, target.give(CASES)


@pytest.mark.parametrize("name", CASES)
def test_an_event_has_the_same_fate_on_every_way(name: str, outcomes: tuple[str, dict[str, Outcome]]) -> None:
    at, outcome, case = outcomes[0], outcomes[1][name], CASES[name]
    fate = (case.published or case.fate) if at == "published" else case.fate

    assert outcome.fate == fate, outcome
    if fate != "applied":
        assert outcome.effects == [], "what is not applied has no effect"
        return
    [(correlation, shortages)] = outcome.effects
    assert shortages == {"MUG": 2}
    if case.correlation is not None:
        assert correlation == case.correlation
    assert outcome.received is not None
    sent = case.sent(order_of(name))
    body = json.loads(sent.body)
    assert json.loads(outcome.received.data) == body.get("data", body)
    assert dict(case.extensions).items() <= dict(outcome.received.extensions).items()


def test_that_the_suite_sees_a_difference(outcomes: tuple[str, dict[str, Outcome]]) -> None:
    """All three fates are there, and none is what is left over when nothing came."""
    fates = [outcome.fate for outcome in outcomes[1].values()]

    assert {"applied", "passed by", "refused"} == {*fates}
