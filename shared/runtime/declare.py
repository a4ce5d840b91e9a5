"""What a function declares of itself: everything that a deployment must know, typed once.

The decorators `http`, `on_event` and `timer` record a Declaration and return the function untouched.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_type_hints

from sqlalchemy import Table

from shared.runtime.buckets import Rate
from shared.runtime.events import Event
from shared.runtime.following import Follows

Role = Literal["public", "customer", "admin", "operator", "service"]
Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])
Part = Callable[..., Awaitable[Any]]

REGISTRY: dict[str, "Declaration"] = {}


@dataclass(frozen=True, slots=True)
class Http:
    """`limit_bytes` is the largest body taken. `wait` reads the resource afresh until it is final (`Prefer: wait`).

    `signed` is the field of Settings with the secrets that the caller's signature is made by. `resumes` is said of a
    stream that goes on after the Last-Event-ID. `cloudevent` is said of what takes a CloudEvent.

    What is cached for `cache_s` may differ by the path and the query, never by the caller.
    """

    method: str
    path: str
    status: int
    roles: tuple[Role, ...]
    idempotent: bool
    key_required: bool
    key_days: int
    if_match: bool
    limit_bytes: int
    cache_s: int | None
    wait: Part | None
    takes: tuple[str, ...]
    follows: Follows | None
    rate: Rate | None
    signed: str = ""
    resumes: bool = False
    cloudevent: bool = False

    @property
    def cache_control(self) -> str | None:
        """Caches that are shared keep only what anybody may read."""
        if self.cache_s is None:
            return None
        return f"{'public' if 'public' in self.roles else 'private'}, max-age={self.cache_s}"


@dataclass(frozen=True, slots=True)
class OnEvent:
    """`events` are the types consumed; an empty tuple takes every event of `topics`.

    Up to `together` of them are given to the function at once, and with `patient` each waits a little for others.
    `concerns` says of an event whether the function does anything about it; of None, that it may.
    """

    events: tuple[type[Event], ...]
    topics: tuple[str, ...]
    together: int | None = None
    patient: bool = False
    concerns: Callable[[Any], bool] | None = None


@dataclass(frozen=True, slots=True)
class Timer:
    """`schedule` is cron with a leading seconds field, as PingSource takes it. A tick may be missed."""

    schedule: str


@dataclass(frozen=True, slots=True)
class Declaration:
    name: str
    module: str
    domain: str
    trigger: Http | OnEvent | Timer
    function: Part
    message: Any
    returns: Any
    reads: tuple[Table, ...]
    writes: tuple[Table, ...]
    emits: tuple[type[Event], ...]
    prepare: Part | None
    call: Part | None
    warm: bool
    secrets: tuple[str, ...]
    discovers: bool
    summary: str

    @property
    def service(self) -> str:
        """The Knative Service's name, and the consumer's."""
        return self.name.replace("_", "-")

    @property
    def role(self) -> str:
        """The Postgres role under which the function runs."""
        return f"fn_{self.name}"

    @property
    def source(self) -> str:
        """The CloudEvents source of what it emits."""
        return f"/shop/{self.domain}/{self.service}"


def retry_topic(consumer: str) -> str:
    return f"shop.retry.{consumer}"


def dead_letter_topic(consumer: str) -> str:
    return f"shop.dead.{consumer}"


def http(
    route: str,
    *,
    role: Role | tuple[Role, ...],
    status: int = 200,
    reads: Sequence[Table] = (),
    writes: Sequence[Table] = (),
    emits: Sequence[type[Event]] = (),
    idempotent: bool | Literal["optional"] = False,
    key_days: int = 1,
    if_match: bool = False,
    limit_bytes: int = 1_048_576,
    cache_s: int | None = None,
    takes: Sequence[str] = (),
    wait: Part | None = None,
    follows: Follows | None = None,
    rate: Rate | None = None,
    prepare: Part | None = None,
    call: Part | None = None,
    warm: bool = False,
    signed: str = "",
    resumes: bool = False,
    cloudevent: bool = False,
    discovers: bool = False,
) -> Callable[[Function], Function]:
    """Serves `route` ("POST /v1/orders"). `if_match` fills the request's field `expected_version` from If-Match.

    An `idempotent` function needs an Idempotency-Key, or takes one where it is "optional", and remembers its answer for
    `key_days`.
    `cache_s` is the max-age of Cache-Control; every answer then has an ETag.
    `takes` names the media types of a body that is not JSON: the request's fields `media_type` and `body` (bytes) hold
    it, and the query fills the others.
    `follows` lets callers wait for what they have written elsewhere to be shown here (Sequence-Token).
    `rate` is what each caller may ask for, or each address where there is no caller.
    `warm` keeps one instance running on the cluster.
    `signed` names the setting of the secrets by which webhooks are signed to this function (Standard Webhooks): another
    body, an old one or one without a signature never gets here. The request's `webhook_id` tells repetitions.
    `resumes` fills the request's field `last_event_id` from Last-Event-ID, if it came.
    `cloudevent` fills the request's field `event` with the CloudEvent that was sent, in binary or structured mode.
    `discovers` lets it see, on the cluster, which functions there are: it alone is given a token of the Kubernetes API.
    """
    method, _, path = route.partition(" ")
    roles = (role,) if isinstance(role, str) else role
    trigger = Http(
        method,
        path,
        status,
        roles,
        bool(idempotent),
        idempotent is True,
        key_days,
        if_match,
        limit_bytes,
        cache_s,
        wait,
        tuple(takes),
        follows,
        rate,
        signed,
        resumes,
        cloudevent,
    )
    secrets = (signed.upper(),) if signed else ()
    return _recorder(trigger, reads, writes, emits, prepare, call, warm, secrets, discovers)


def on_event(
    *events: type[Event],
    topics: Sequence[str] = (),
    reads: Sequence[Table] = (),
    writes: Sequence[Table] = (),
    emits: Sequence[type[Event]] = (),
    prepare: Part | None = None,
    call: Part | None = None,
    warm: bool = False,
    together: int | None = None,
    patient: bool = False,
    concerns: Callable[[Any], bool] | None = None,
) -> Callable[[Function], Function]:
    """Consumes `events`, or, when none is named, every event of `topics` as an Envelope.

    With `together` the function is given a sequence: of events that wait at the same time up to so many share one
    transaction. What it emits names the event that led to it. It takes locks for all of them in one order, or it would
    make deadlocks of what one by one makes none. When it raises, each event is given to it alone.
    `prepare` then takes a sequence too, and gives an attempt or None for each; `call` takes one attempt, and waits for
    no other; the function is given the events whose calls have ended, and their outcomes.
    A `patient` one keeps nobody waiting: it lets events gather first, for the setting GATHER_S.
    An event of which `concerns` is false is answered at once. It has no effect, and so no row in the inbox.
    """
    consumed = tuple(topics) or tuple(sorted({event.topic for event in events}))
    return _recorder(OnEvent(events, consumed, together, patient, concerns), reads, writes, emits, prepare, call, warm)


def timer(
    schedule: str,
    *,
    reads: Sequence[Table] = (),
    writes: Sequence[Table] = (),
    emits: Sequence[type[Event]] = (),
    prepare: Part | None = None,
    call: Part | None = None,
    secrets: Sequence[str] = (),
    discovers: bool = False,
) -> Callable[[Function], Function]:
    """Runs on `schedule`. A tick is a hint: the function finds its work by state.

    `secrets` are settings that no other function is given: on the cluster they come from the Secret of its name.
    `discovers` is as for `http`.
    """
    return _recorder(
        Timer(schedule), reads, writes, emits, prepare, call, warm=False, secrets=secrets, discovers=discovers
    )


def _recorder(
    trigger: Http | OnEvent | Timer,
    reads: Sequence[Table],
    writes: Sequence[Table],
    emits: Sequence[type[Event]],
    prepare: Part | None,
    call: Part | None,
    warm: bool,
    secrets: Sequence[str] = (),
    discovers: bool = False,
) -> Callable[[Function], Function]:
    def record(function: Function) -> Function:
        hints = get_type_hints(function)
        parameters = [
            name for name in inspect.signature(function).parameters if name not in ("work", "outcome", "outcomes")
        ]
        declaration = Declaration(
            name=function.__name__,
            module=function.__module__,
            domain=function.__module__.split(".")[-2] if "." in function.__module__ else "",
            trigger=trigger,
            function=function,
            message=hints[parameters[0]] if parameters else None,
            returns=hints.get("return"),
            reads=tuple(reads),
            writes=tuple(writes),
            emits=tuple(emits),
            prepare=prepare,
            call=call,
            warm=warm,
            secrets=tuple(secrets),
            discovers=discovers,
            summary=(inspect.getdoc(inspect.getmodule(function)) or "").split("\n")[0],
        )
        known = REGISTRY.setdefault(declaration.name, declaration)
        if known.module != declaration.module:
            raise ValueError(f"{declaration.name} is declared in {known.module} and in {declaration.module}")
        return function

    return record
