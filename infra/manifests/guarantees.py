"""The reference page of guarantees: what a caller of each function may rely on, as far as declarations say it.

What no declaration can say, how a POST without an Idempotency-Key takes a repetition, is said here, and for each.
"""

from collections.abc import Iterator

from infra.manifests import Files
from infra.manifests.objectives import DELAY_S, PUNCTUAL
from shared.runtime.declare import Declaration, Http, OnEvent, Timer
from shared.runtime.serve import WAIT_LIMIT_S
from shared.runtime.settings import Settings

NOTE = (
    "<!-- Generated from the declarations and infra/manifests/guarantees.py"
    " by `python -m infra.manifests generate`. -->\n"
)

AGAIN = {
    "close_location": "goes on where the last call ended; once it is closed, nothing",
    "complete_order": "refused (409): it is completed",
    "create_alert_target": "refused (409), as there is one of this address",
    "create_location": "refused (409), as the id is taken",
    "erase_customer": "goes on where the last call ended; with no order left, nothing",
    "erase_guest": "goes on where the last call ended; with no order left, nothing",
    "open_location": "nothing: it is open",
    "publish_event": "no second effect: its source and id were seen; another event of them is refused (409)",
    "rebuild_catalog": "the same batch finds nothing more",
    "rebuild_figures": "the same batch finds nothing more",
    "receive_provider_event": "no second effect: the event's id was seen",
    "reconcile_payments": "what is mended differs no more",
    "reconcile_stock": "what is mended differs no more",
    "release_order": "refused (409): it is not under review",
    "review_order": "the newer reason stands; with the same, nothing",
    "rotate_alert_secret": "another secret: of the two before, the older ends at once",
    "tag_order": "nothing: the tags are as they were asked for",
}

READ_ALL = 20
"""Who reads so many tables reads all books."""
MOST_NAMED = 4


def files(declarations: list[Declaration]) -> Files:
    return {"docs/reference/guarantees.md": NOTE + "\n".join(page(declarations)) + "\n"}


def page(declarations: list[Declaration]) -> Iterator[str]:
    """Raises ValueError where a POST takes no key and nobody has said what a repetition does."""
    unkeyed = {one.name for one in declarations if _needs_saying(one)}
    if unkeyed != AGAIN.keys():
        raise ValueError(f"what a repetition does must be said of {sorted(unkeyed ^ AGAIN.keys())}, or no more")
    late = followers(declarations)
    yield "# Guarantees\n"
    yield "What a caller of each function may rely on, whatever dies in between.\n"
    yield from _general()
    for domain in sorted({one.domain for one in declarations}):
        of_domain = [one for one in declarations if one.domain == domain]
        yield f"\n## {domain}\n"
        asked = [(one, one.trigger) for one in of_domain if isinstance(one.trigger, Http)]
        if asked:
            yield "| Function | Shows | Sent again | Also |"
            yield "|---|---|---|---|"
            for one, http in asked:
                cells = (_shows(one, http, late), _again(one, http), _also(one, http))
                yield f"| {one.name}<br>`{http.method} {http.path}` | {' | '.join(cells)} |"
            yield ""
        moved = [(one, one.trigger) for one in of_domain if isinstance(one.trigger, OnEvent | Timer)]
        if moved:
            yield "| Function | Called | Order | Called again |"
            yield "|---|---|---|---|"
            for one, trigger in moved:
                yield f"| {one.name} | {' | '.join(_of_event(one, trigger))} |"


def followers(declarations: list[Declaration]) -> dict[str, tuple[list[str], bool]]:
    """By table, who writes it on events or by the clock, and whether nobody else does but to mend it."""
    writers: dict[str, list[Declaration]] = {}
    for one in declarations:
        for written in one.writes:
            writers.setdefault(written.fullname, []).append(one)
    found: dict[str, tuple[list[str], bool]] = {}
    for table, of_table in writers.items():
        makers = [one for one in of_table if not one.name.startswith(("rebuild_", "reconcile_"))]
        late = sorted(one.name for one in makers if not isinstance(one.trigger, Http))
        if late:
            found[table] = late, len(late) == len(makers)
    return found


def _needs_saying(one: Declaration) -> bool:
    trigger = one.trigger
    if not isinstance(trigger, Http) or trigger.method != "POST" or trigger.idempotent or trigger.if_match:
        return False
    return bool(one.writes or one.emits)


def _general() -> Iterator[str]:
    yield "- **All or nothing.** The effect of a call, its events and the memory that it happened (idempotency key,"
    yield "  inbox row) commit in one transaction. An answer of 2xx is sent after that: what it says is durable."
    yield "- **Reads see what is committed.** There are no replicas: a read that begins after a write was answered"
    yield "  shows it. *What came of* other functions, below, is made by events or timers, and so comes later:"
    yield f"  {PUNCTUAL:.0%} of all events have their effect within {DELAY_S:g} s of their emission."
    yield "- **Refused is undone.** A call answered 4xx or 503 has changed nothing. 500, 504 and a broken connection"
    yield "  tell nothing: send it again, by its key where it has one."
    yield "- **Events come at least once** and are applied once per consumer; those of one key in the order in which"
    yield "  they were said. One that was given up and replayed by an operator comes after those behind it."
    yield f"- **A function that fails on an event** is given it again, and up after {Settings().parked_after} failures:"
    yield "  it waits among the dead letters. An absent database, broker or provider is no failure, and counts nothing."
    yield "- **Time is the database's clock**, so that instances cannot disagree."


def _shows(one: Declaration, http: Http, late: dict[str, tuple[list[str], bool]]) -> str:
    said = "what is committed"
    followed = [late[table.fullname] for table in one.reads if table.fullname in late]
    if len(one.reads) > READ_ALL:
        said = "all books, each check on one snapshot"
    elif http.method == "GET" and followed:
        names = list(dict.fromkeys(f"`{name}`" for of_table, _ in followed for name in of_table))
        listed = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" * (len(names) > MOST_NAMED))
        only = all(alone for _, alone in followed) and len(followed) == len(one.reads)
        said = f"what came of {listed}" if only else f"what is committed, and what came of {listed}"
    if http.follows is not None:
        said += f"; waits for a `Sequence-Token` of `{http.follows.topic}`"
    if http.cache_s:
        said += f"; caches may be {http.cache_s} s behind"
    if http.wait is not None:
        said += f"; with `Prefer: wait` its end, for {WAIT_LIMIT_S:g} s at most"
    return said


def _again(one: Declaration, http: Http) -> str:
    days = f"{http.key_days} day{'s' * (http.key_days > 1)}"
    if http.method == "GET":
        return "safe, but that it is written down who asked" if one.writes else "safe"
    if http.key_required:
        return f"the first answer, by its key, for {days}"
    if http.idempotent:
        return f"with a key the first answer, for {days}; without one it is done again"
    if http.if_match:
        return "refused (412): the version is another, and no change is lost"
    if one.name in AGAIN:
        return AGAIN[one.name]
    return "the same state; nothing more" if http.method in ("PUT", "PATCH", "DELETE") else "safe: it changes nothing"


def _also(one: Declaration, http: Http) -> str:
    said = []
    if one.emits:
        said.append("answers with a `Sequence-Token`")
    if one.call is not None:
        said.append("asks somebody else between two transactions, holding none")
    if http.rate is not None:
        said.append(f"429 above {http.rate.per_s:g}/s for each caller")
    return "; ".join(said)


def _of_event(one: Declaration, trigger: OnEvent | Timer) -> tuple[str, str, str]:
    outside = "; the call to the outside is made under the command's key, and its outcome asked for by it"
    if isinstance(trigger, Timer):
        again = "finds its work by state: a tick that is missed is made good by the next"
        return f"`{trigger.schedule}`", "one run at a time", again + outside * (one.call is not None)
    order = "those of a key one after the other"
    if trigger.together:
        order += f"; up to {trigger.together} that wait share a transaction"
    again = "no second effect, by its inbox row"
    types = "1 type" if len(trigger.events) == 1 else f"{len(trigger.events) or 'all'} types"
    return f"by {types} of events", order, again + outside * (one.call is not None)
