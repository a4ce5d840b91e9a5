"""Twenty runs of the whole shop, each decided by its seed; `make prove SEEDS=1000` makes more of them."""

from collections.abc import Iterator

import pytest

from infra.local.postgres import SharedServer
from tests.proof.runs import Stage, stage
from tests.proof.simulation import Broken, Simulation


@pytest.fixture(scope="module")
def made(server: SharedServer) -> Iterator[Stage]:
    with stage(server) as made:
        yield made


@pytest.mark.xdist_group("proof")
@pytest.mark.parametrize("seed", [*range(1, 21), *(pytest.param(n, marks=pytest.mark.nightly) for n in range(21, 501))])
def test_whatever_happens_all_that_must_hold_does(seed: int, made: Stage) -> None:
    ran = made.run(seed)
    assert ran.broken is None, f"make prove SEED={seed} TRACE=1 shows how"


@pytest.mark.xdist_group("proof")
def test_the_same_seed_is_the_same_run(made: Stage) -> None:
    """Whatever ran before it."""
    first, other, again = made.run(5), made.run(7), made.run(5)
    assert first.digest == again.digest
    assert first.lines == again.lines
    assert first.digest != other.digest


@pytest.mark.xdist_group("proof")
def test_what_breaks_is_told_with_the_fewest_steps(made: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop's own fault is played here by a judge who wants nobody to cancel."""
    judge = Simulation.judge

    async def strict(shop: Simulation) -> None:
        await judge(shop)
        if any(line.startswith("  cancel_order") and line.endswith(": 202") for line in shop.said):
            raise Broken("somebody has cancelled")

    monkeypatch.setattr(Simulation, "judge", strict)
    ran = next(ran for seed in range(1, 50) if (ran := made.run(seed)).broken)
    short = made.shortest(ran, 60)
    assert short.broken == "somebody has cancelled"
    assert len(short.steps) <= 6 < len(ran.steps)
    assert made.run(ran.seed, short.steps).lines == short.lines
