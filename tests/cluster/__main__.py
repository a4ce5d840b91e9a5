"""Tries the shop on a real cluster from its deployment to its removal, and prints a table: `make cluster-test`.

It takes the settings of `make deploy`. ONLY="ten orders,idle" does these steps alone; KEEP=1 leaves the shop there.
"""

import asyncio
import sys
from time import monotonic

import aiohttp
import click
from psycopg import Error as DatabaseError

from functions import load_all
from infra.carriers import CarrierError
from infra.manifests import by_name
from infra.manifests.cluster import Cluster, ClusterRefused
from infra.manifests.plan import Plan, deployment
from infra.manifests.rollout import NotDeployed
from infra.postgres.migrate import MigrationFailed
from tests.cluster.steps import STEPS
from tests.cluster.trial import Refuted, Trial


async def tried(plan: Plan, names: list[str]) -> bool:
    rows = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=70)) as client:
        trial = Trial(plan, by_name(load_all().values()), Cluster(plan.context), client)
        for name in names:
            began = monotonic()
            try:
                seen, held = await STEPS[name](trial), True
            except (Refuted, NotDeployed, ClusterRefused, MigrationFailed, CarrierError, DatabaseError) as fault:
                seen, held = f"**{fault}**", False
            rows.append((name, seen.replace("\n", " "), f"{monotonic() - began:.0f}", held))
            print(f"{'ok  ' if held else 'FAIL'} {name} ({rows[-1][2]} s): {seen}", flush=True)
            if name == "deploy" and not held:
                break  # there is nothing to try
    print("\n| Step | What was seen | s |\n|---|---|---|")
    for name, seen, seconds, _ in rows:
        print(f"| {name} | {seen} | {seconds} |")
    return all(held for *_, held in rows)


@click.command()
@deployment
@click.option("--only", envvar="ONLY", default="", help="Names of steps, with commas between.")
@click.option("--keep", envvar="KEEP", is_flag=True, help="Leave the shop on the cluster.")
def main(plan: Plan, only: str, keep: bool) -> None:
    """Deploy, try, and take off again."""
    names = [name.strip() for name in only.split(",")] if only else [*STEPS]
    if unknown := [name for name in names if name not in STEPS]:
        raise click.UsageError(f"no such steps: {', '.join(unknown)}; known are {', '.join(STEPS)}")
    names = [name for name in names if not (keep and name == "undeploy")]
    sys.exit(0 if asyncio.run(tried(plan, names)) else 1)


if __name__ == "__main__":
    main()
