"""Check what must hold whatever happens: the shop's books against each other, and against the provider's own."""

from functions import load_all
from shared.platform.checking import BOOKS, READ, Compared, Finding, against_provider, ask_provider, rules
from shared.platform.invariants import CHECKS, REPORT, TAKE_TIME
from shared.runtime import View, Work, http


class Invariants(View):
    violations: int
    checks: list[Finding]


async def prepare(work: Work) -> Compared:
    await work.db.send(TAKE_TIME)
    rows = await work.db.all(REPORT, **rules(load_all().values()))
    findings = [
        Finding(
            name=CHECKS[row.n].name, sentence=CHECKS[row.n].sentence, violations=row.violations, examples=row.examples
        )
        for row in sorted(rows, key=lambda row: row.n)
    ]
    return Compared(findings, await work.db.one(BOOKS))


@http("GET /v1/invariants", role="operator", prepare=prepare, call=ask_provider, reads=READ)
async def check_invariants(outcome: Compared, work: Work) -> Invariants:
    """Every check is made on one snapshot of the running shop; the provider's books only while no payment moves."""
    checks = [*outcome.findings, against_provider(outcome, await work.db.one(BOOKS))]
    return Invariants(violations=sum(check.violations for check in checks), checks=checks)
