"""What has to be true of the shop on a cluster, one step after the other; each says what was seen."""

import asyncio
import json
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from time import monotonic, time

from infra.manifests import rollout
from infra.manifests.kubernetes import NAMESPACE
from shared.runtime.declare import Declaration, Http
from tests.cluster.trial import SERVICE, Caller, Refuted, Said, Step, Trial, spread

ORDERS = 10
STOCK = 100_000
IDLE_WITHIN_S = 300
COLD_ONE_OF = 4
"""So many of the functions that can be asked without knowing anything are woken once."""
WARM_CALLS = 5
KILLED = ("place-order", "hold-stock", "authorize-payment", "advance-order")
NOTHING_NEW = "manifests: nothing to change"


async def deployed(trial: Trial) -> str:
    """Everything is admitted with unknown fields as faults, becomes ready, and takes an order."""
    await asyncio.to_thread(trial.deploy, trial.plan)
    listed = Counter(one["kind"] for kind in (rollout.SERVICES, *_triggers(trial)) for one in trial.cluster.all(kind))
    return f"{', '.join(f'{count} {kind}s' for kind, count in listed.items())}; {trial.lines[-1]}"


async def deployed_again(trial: Trial) -> str:
    await asyncio.to_thread(trial.deploy, trial.plan)
    if NOTHING_NEW not in trial.lines:
        raise Refuted("\n".join(trial.lines))
    return f"nothing changed; {trial.lines[-1]}"


async def listed_by_kn(trial: Trial) -> str:
    """`kn service list` and `kn source list` are the catalogue: all is there, and ready."""
    if not shutil.which("kn"):
        return "left out: kn is not on PATH"
    context = ["--context", trial.plan.context] if trial.plan.context else []

    def kn(*arguments: str) -> list[list[str]]:
        command = ["kn", *arguments, "-n", NAMESPACE, "--no-headers", *context]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [line.split() for line in done.stdout.splitlines() if line.strip()]

    services = {row[0] for row in kn("service", "list") if "True" in row}
    if missing := {one.service for one in trial.declarations} - services:
        raise Refuted(f"not ready or not there: {', '.join(sorted(missing))}")
    sources = kn("source", "list")
    unready = [row[0] for row in sources if row[-1] != "True"]
    if unready and not trial.plan.stand_in:
        raise Refuted(f"not ready: {', '.join(unready)}")
    return f"{len(services)} services ready, {len(sources) - len(unready)} of {len(sources)} sources ready"


async def ten_orders(trial: Trial) -> str:
    """Placed at once through the gateway, each to its captured money."""
    admin, customer = _callers(trial)
    await admin.restocked(STOCK)

    async def one() -> tuple[float, float]:
        said = await customer.buy()
        if said.status != 201:
            raise Refuted(f"an order was refused: {said.status} {said.body}")
        return said.seconds, said.seconds + await customer.captured(said.body)

    times = await asyncio.gather(*(one() for _ in range(ORDERS)))
    await _books_are_right(admin)
    return (
        f"placed and confirmed {spread([placed for placed, _ in times])}; captured {spread([end for _, end in times])}"
    )


async def idle(trial: Trial) -> str:
    """Without calls only the warm set keeps pods."""
    warm, began = trial.warm(), monotonic()
    while (scaled := trial.scaled()) != warm:
        if monotonic() - began > IDLE_WITHIN_S:
            raise Refuted(f"still there: {sorted(scaled - warm)}; not there: {sorted(warm - scaled)}")
        await asyncio.sleep(2)
    every = len(trial.declarations) + 1
    return (
        f"{len(warm)} of {every} services keep a pod, {every - len(warm)} have none, {monotonic() - began:.0f} s later"
    )


async def cold_starts(trial: Trial) -> str:
    """The first answer of functions without a pod, one after the other, and the next ones."""
    admin, _ = _callers(trial)
    warm = trial.warm()
    asked = [one for one in trial.declarations if _plain(one) and one.service not in warm][::COLD_ONE_OF]
    cold, after = [], []
    for declaration in asked:
        assert isinstance(declaration.trigger, Http)
        path = declaration.trigger.path
        first = _answered(await admin("GET", path), path)
        cold.append(first.seconds)
        after += [_answered(await admin("GET", path), path).seconds for _ in range(WARM_CALLS)]
    return f"from none {spread(cold)}; then {spread(after)}"


async def rolled_out_under_load(trial: Trial) -> str:
    """Every function gets a new revision while customers look and buy: no request may fail."""
    _, customer = _callers(trial)
    ended = asyncio.Event()
    answers: list[Said] = []

    async def buy() -> None:
        while not ended.is_set():
            answers.append(await customer.buy(wait=False))
            await asyncio.sleep(1)

    async def look() -> None:
        while not ended.is_set():
            answers.append(await customer("GET", "/v1/products?limit=5"))
            await asyncio.sleep(0.25)

    load = [asyncio.create_task(buy()), asyncio.create_task(look())]
    try:
        await asyncio.to_thread(trial.deploy, replace(trial.plan, mark=str(time()), smoke=False))
    finally:
        ended.set()
        await asyncio.gather(*load)
    if failed := [said for said in answers if said.status not in (200, 201, 202)]:
        raise Refuted(f"{len(failed)} of {len(answers)} requests failed, such as {failed[0].status} {failed[0].body}")
    revisions = Counter(one["metadata"]["labels"][SERVICE] for one in trial.cluster.all("revisions"))
    if old := [name for name, count in revisions.items() if count < 2]:
        raise Refuted(f"no new revision: {', '.join(old)}")
    times = spread([one.seconds for one in answers])
    return f"{len(revisions)} services with a new revision, 0 of {len(answers)} requests failed; {times}"


async def pods_killed(trial: Trial) -> str:
    """The pods of the checkout and the relay die at once, in the midst of orders: each order comes to its end."""
    admin, customer = _callers(trial)
    orders: list[dict[str, str]] = []
    refused = 0
    for round_ in range(ORDERS):
        said = await customer.buy(wait=False)
        if said.status in (201, 202):
            orders.append(said.body)
        else:
            refused += 1  # to be sent again by its caller, under the same key
        if round_ == ORDERS // 2:
            doomed = [
                pod["metadata"]["name"]
                for pod in trial.pods()
                if pod["metadata"]["labels"].get(SERVICE) in KILLED
                or pod["metadata"]["labels"].get("app.kubernetes.io/name") == "relay"
            ]
            trial.cluster.run("-n", NAMESPACE, "delete", "pod", *doomed, "--grace-period=0", "--force", "--wait=false")
    ended = await asyncio.gather(*(customer.captured(order) for order in orders))
    await _books_are_right(admin)
    return f"{len(doomed)} pods killed; {len(orders)} orders captured ({spread(ended)}), {refused} not taken"


async def measured(trial: Trial) -> str:
    """Each function's pod gives its metrics, by the path that a scraper takes."""
    counted = 0
    for pod in trial.pods():
        labels, name = pod["metadata"].get("labels", {}), pod["metadata"]["name"]
        if labels.get("app.kubernetes.io/component") != "function" or pod["status"].get("phase") != "Running":
            continue
        text = trial.cluster.run("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}:8080/proxy/metrics")
        if "shop_function_duration_seconds" not in text:
            raise Refuted(f"{name} gives no metrics")
        counted += 1
    if not counted:
        raise Refuted("there are no pods")
    return f"{counted} pods gave their metrics"


async def closed_from_outside(trial: Trial) -> str:
    """Only the gateway answers at the ingress."""
    if not trial.plan.ingress:
        return "left out: INGRESS is not given"
    opened: list[str] = []
    services = trial.cluster.all(rollout.SERVICES)
    if len(services) != len(trial.declarations) + 1:
        raise Refuted(f"there are {len(services)} services")
    for service in services:
        name, url = service["metadata"]["name"], service["status"]["url"]
        async with trial.client.get(f"{trial.plan.ingress}/health/live", headers={"host": url.split("//")[1]}) as said:
            if name != "api" and said.status != 404:
                opened.append(name)
    if opened:
        raise Refuted(f"answer to anybody: {', '.join(opened)}")
    return f"{len(trial.declarations)} functions answer 404 at the ingress"


async def undeployed(trial: Trial) -> str:
    rollout.undeploy(trial.plan.context, trial.plan.database_url, trial.plan.timeout_s, trial.lines.append)
    return "; ".join(trial.lines[-2:])


STEPS: dict[str, Step] = {
    "deploy": deployed,
    "deploy again": deployed_again,
    "kn": listed_by_kn,
    "ten orders": ten_orders,
    "closed from outside": closed_from_outside,
    "metrics": measured,
    "idle": idle,
    "cold starts": cold_starts,
    "pods killed": pods_killed,
    "new revisions under load": rolled_out_under_load,
    "undeploy": undeployed,
}


def _callers(trial: Trial) -> tuple[Caller, Caller]:
    admin, customer = trial.tokens
    door = trial.door
    return Caller(trial.client, door, admin), Caller(trial.client, door, customer)


def _triggers(trial: Trial) -> list[str]:
    kinds = (rollout.KAFKA_SOURCES, rollout.KAFKA_SINKS, rollout.PINGS)
    return [kind for kind in kinds if trial.cluster.has(kind)]


def _plain(declaration: Declaration) -> bool:
    """Whether it can be asked without knowing anything."""
    trigger = declaration.trigger
    return isinstance(trigger, Http) and trigger.method == "GET" and "{" not in trigger.path and not trigger.resumes


def _answered(said: Said, path: str) -> Said:
    if not 200 <= said.status < 500:
        raise Refuted(f"{path}: {said.status} {json.dumps(said.body)[:300]}")
    return said


async def _books_are_right(admin: Caller) -> None:
    said = await admin("GET", "/v1/invariants")
    if said.status != 200 or said.body["violations"]:
        raise Refuted(f"the books do not agree: {said.status} {json.dumps(said.body)[:500]}")
