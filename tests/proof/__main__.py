"""`make prove SEEDS=1000`: runs seeds, and prints those that break what must hold, with the shortest way to it.

`make prove SEED=17 TRACE=1` runs one again and prints whatever happens; STEPS=1,4,9 makes only these of its steps.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence

from infra.local.postgres import test_server
from tests.proof.runs import Ran, stage


def _run(job: tuple[int, int, int, float]) -> list[Ran]:
    """Seeds of one process, one database."""
    first, count, every, shorten_s = job
    broken = []
    with test_server() as server, stage(server) as made:
        for seed in range(first, first + count, every):
            ran = made.run(seed)
            print(f"{seed} {ran.digest} {ran.orders} orders{' BROKEN' if ran.broken else ''}", flush=True)
            if ran.broken is not None:
                short = made.shortest(ran, shorten_s)
                report(short)
                broken.append(short)
    return broken


def report(ran: Ran) -> None:
    steps = ",".join(str(step) for step in ran.steps)
    lines = "\n  ".join(ran.lines)
    print(f"Seed {ran.seed} breaks. Again: make prove SEED={ran.seed} STEPS={steps} TRACE=1\n  {lines}", flush=True)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make prove")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--steps", default="")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--shorten-s", type=float, default=90.0)
    asked = parser.parse_args(arguments)
    os.environ["LOG_LEVEL"] = "warning" if asked.trace else "critical"
    if asked.seed is not None:
        steps = [int(step) for step in asked.steps.split(",")] if asked.steps else None
        with test_server() as server, stage(server) as made:
            ran = made.run(asked.seed, steps, print if asked.trace else None)
            print(f"{ran.seed} {ran.digest} {ran.orders} orders: {ran.broken or 'all holds'}")
        return int(ran.broken is not None)
    began = time.monotonic()
    jobs = [
        (asked.first + n, asked.seeds - n, asked.jobs, asked.shorten_s) for n in range(min(asked.jobs, asked.seeds))
    ]
    with multiprocessing.get_context("fork").Pool(len(jobs)) as pool:
        broken = [ran for found in pool.map(_run, jobs, chunksize=1) for ran in found]
    took = time.monotonic() - began
    print(
        f"{asked.seeds} seeds from {asked.first} in {took:.0f} s: {len(broken)} broken {[ran.seed for ran in broken]}"
    )
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
