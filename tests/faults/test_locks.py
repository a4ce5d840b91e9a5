"""A short run of what `make locks` does a million times."""

from infra.local.postgres import Cloned
from tests.faults.locks import OPERATIONS, run


def test_random_transactions_from_several_processes_never_deadlock(database: Cloned) -> None:
    report = run(database, transactions=2_000, processes=2, tasks=8, skus=6, seed=1, look_every_s=5)

    assert (report.deadlocks, report.parked, report.broken) == (0, 0, [])
    assert {name for name, _ in report.answers} == {name for name, _, _ in OPERATIONS}
    assert {status for _, status in report.answers} <= {200, 201, 204, 404, 409, 412}
    assert sum(report.answers.values()) > 2_000, "some were sent twice"
