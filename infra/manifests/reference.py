"""Reference pages: the functions by domain, and the order saga as a diagram."""

from collections.abc import Iterable, Iterator
from typing import get_args

from infra.carriers.kafka_client import RECORD_BYTES
from infra.manifests import Files
from infra.manifests.services import scale
from infra.manifests.triggers import DEAD_LETTERS_KEPT_DAYS, KEPT_DAYS, KEYED, topics
from shared.orders.saga import (
    CONSUMED,
    EARLY,
    FINAL,
    SAGA,
    START,
    STEERED,
    WAITS_FOR,
    Ending,
    Move,
    State,
    end,
    reaction,
    successors,
)
from shared.runtime import Event
from shared.runtime.declare import Declaration, Http, OnEvent, Timer
from shared.runtime.events import PARTITIONS
from shared.runtime.serve import EVENT_LIMIT_BYTES

NOTE = "<!-- Generated from the declarations in functions/ by `python -m infra.manifests generate`. -->\n"
SAGA_NOTE = "<!-- Generated from shared/orders/saga.py by `python -m infra.manifests generate`. -->\n"


def files(declarations: list[Declaration]) -> Files:
    return {
        "docs/reference/functions.md": NOTE + "\n".join(_functions(declarations)) + "\n",
        "docs/reference/topics.md": NOTE + "\n".join(_topics(declarations)) + "\n",
        "docs/reference/saga.md": SAGA_NOTE + "\n".join(_saga()) + "\n",
    }


def _functions(declarations: list[Declaration]) -> Iterator[str]:
    domains = sorted({declaration.domain for declaration in declarations})
    yield "# Functions\n"
    yield f"{len(declarations)} functions in {len(domains)} domains. Each is one file, one Knative Service and one"
    yield "Postgres role, `fn_` and its name; it may do what stands here and nothing else.\n"
    for domain in domains:
        yield f"## {domain}\n"
        yield "| Function | Trigger | Who | Reads | Writes | Emits |"
        yield "|---|---|---|---|---|---|"
        for declaration in declarations:
            if declaration.domain == domain:
                yield _row(declaration)
        yield ""
    yield "## Instances and connections\n"
    yield "| Function | Instances | Calls at a time | Connections at most | Why |"
    yield "|---|---|---|---|---|"
    total = 0
    for declaration in declarations:
        chosen = scale(declaration)
        total += chosen.most * chosen.pool
        yield (
            f"| {declaration.name} | {chosen.least} to {chosen.most} | {chosen.concurrency} |"
            f" {chosen.most * chosen.pool} | {chosen.reason} |"
        )
    yield ""
    yield f"All of them at their largest would hold {total} connections: put a pooler in front of Postgres."


def _row(declaration: Declaration) -> str:
    match declaration.trigger:
        case Http() as http:
            trigger, who = f"`{http.method} {http.path}`", ", ".join(http.roles)
            if http.rate is not None:
                who += f"<br>each {http.rate.per_s:g}/s, {http.rate.burst} at once"
        case OnEvent() as event:
            trigger, who = (
                _lines(kind.type for kind in event.events) or _lines(event.topics),
                "events",
            )
        case Timer() as timer:
            trigger, who = f"`{timer.schedule}`", "clock"
    own = f"[{declaration.name}](../../{declaration.module.replace('.', '/')}.py)<br>{declaration.summary}"
    reads = _lines(table.fullname for table in declaration.reads)
    writes = _lines(table.fullname for table in declaration.writes)
    emits = _lines(kind.type for kind in declaration.emits)
    return f"| {own} | {trigger} | {who} | {reads} | {writes} | {emits} |"


def _lines(names: Iterable[str]) -> str:
    return "<br>".join(f"`{name}`" for name in sorted(set(names)))


def _topics(declarations: list[Declaration]) -> Iterator[str]:
    readers: dict[str, list[str]] = {}
    for declaration in declarations:
        if isinstance(declaration.trigger, OnEvent):
            for name in declaration.trigger.topics:
                readers.setdefault(name, []).append(declaration.service)
    yield "# Topics\n"
    yield from _about_topics()
    yield "| Topic | Key | So that | Kept | Carries | Read by |"
    yield "|---|---|---|---|---|---|"
    listed = topics(declarations)
    for topic in listed:
        if not topic.name.startswith(("shop.retry.", "shop.dead.")):
            carries = "<br>".join(f"[`{kind}`](schemas/{kind}.json)" for kind in topic.carries)
            read = "<br>".join(sorted(readers.get(topic.name, [])))
            why = KEYED[topic.name]
            yield f"| `{topic.name}` | `{topic.key}` | {why} | {topic.retention_days} days | {carries} | {read} |"
    yield "\nEach consumer has two more: `shop.retry.<consumer>`, from which it is given an event again, kept"
    yield (
        f"{KEPT_DAYS} days, and `shop.dead.<consumer>`, where what it could not take goes, kept"
        f" {DEAD_LETTERS_KEPT_DAYS} days. Consumers: "
        + ", ".join(
            sorted(topic.name.removeprefix("shop.dead.") for topic in listed if topic.name.startswith("shop.dead."))
        )
        + "."
    )


def _about_topics() -> Iterator[str]:
    yield f"**Partitions.** Every topic has {PARTITIONS}: the CRC-32 of the key modulo {PARTITIONS} says which, and"
    yield "order holds within a key. A consumer has one event in flight per partition, so that many are handled side by"
    yield "side; they are the relay's shards too, each under a lock of its own. The number is the same for all topics"
    yield "and is never changed: with another one the events of a key would be in two partitions, their order lost.\n"
    yield f"**Retention.** Kafka forgets what is older than {KEPT_DAYS} days: a consumer may be away for a long weekend"
    yield f"and find all that it missed. Dead letters are kept {DEAD_LETTERS_KEPT_DAYS} days, as long as the inbox"
    yield "remembers what was applied: one that is sent again within that time has no second effect. No topic is"
    yield "compacted: events are what happened, and the last of a key does not stand for those before it.\n"
    yield f"**Size.** A record may have {RECORD_BYTES // 1024**2} MiB: more than the largest event that a function"
    yield f"takes ({EVENT_LIMIT_BYTES // 1024**2} MiB), so that a dead letter fits with what was said of it.\n"


def _saga() -> Iterator[str]:
    yield "# The order saga\n"
    yield "An order's way to its end. Every move is one compare-and-set; an event that comes before its state is kept"
    yield "until the state arrives, one that comes too late changes nothing. Capture is the pivot: before it a failure"
    yield "is compensated, after it only refunded.\n"
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"  [*] --> {START.value}"
    for move in (*SAGA, *STEERED):
        for to in [move.to] if move.to else sorted({*successors(move.at)} & FINAL):
            yield f"  {move.at.value} --> {to.value}: {move.when.__name__}"
    for state in sorted(FINAL):
        yield f"  {state.value} --> [*]"
    yield "```\n"
    yield from _moves(SAGA, "When")
    yield "\n## What people do\n"
    yield "Customers pay with another card and cancel; operators cancel, retry and skip.\n"
    yield from _moves(STEERED, "When")
    yield "\n## Waiting\n"
    yield "An answer that is overdue is asked for again, by the same command under the same key.\n"
    yield "| At | Waits for the answer to |"
    yield "|---|---|"
    yield from (f"| {at.value} | `{command.type}` |" for at, command in WAITS_FOR.items())
    yield "\n## Every event at every state\n"
    yield "Where it leads; *early*: kept until its state is there; empty: it comes too late, and changes nothing.\n"
    yield f"| | {' | '.join(state.value.replace('_', ' ') for state in State)} |"
    yield f"|---|{'---|' * len(State)}"
    for event in CONSUMED:
        yield f"| {event.__name__} | {' | '.join(_reaction(state, event) for state in State)} |"


def _reaction(state: State, event: type[Event]) -> str:
    leads = [move.to for move in SAGA if (move.when, move.at) == (event, state)]
    if leads:
        return " or ".join(to.value.replace("_", " ") if to else "as decided" for to in dict.fromkeys(leads))
    return "*early*" if reaction(state, event) == EARLY else ""


def _moves(moves: Iterable[Move], when: str) -> Iterator[str]:
    yield f"| {when} | At | If | Moves to | Asks for | Says | Because |"
    yield "|---|---|---|---|---|---|---|"
    for move in moves:
        yield _move(move)


def _move(move: Move) -> str:
    ends: tuple[Ending, ...] = get_args(Ending)
    to = move.to.value if move.to else " or ".join(end(ending)[0].value for ending in ends) + ", as decided before"
    cells = [
        f"`{move.when.type}`",
        move.at.value,
        (move.only or "").replace("_", " "),
        to,
        f"`{move.ask.type}`" if move.ask else "",
        f"`{move.say.type}`" if move.say else "",
        move.reason or "",
    ]
    return f"| {' | '.join(cells)} |"
