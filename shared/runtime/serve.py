"""From bytes in to bytes out: what every function answers, whatever triggers it and whoever serves it.

An endpoint knows no server. The functions-framework entry (main.py), the one-machine server and the dispatcher all call
`Endpoint.handle`.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from time import perf_counter, time
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlencode

import orjson
from pydantic import BaseModel, ValidationError
from sqlalchemy import text

from shared.runtime import following, inbox, log, metrics, schema, trace, webhooks
from shared.runtime.address import CLIENT_ADDRESS, client_address
from shared.runtime.answers import Answer, Page, Pour, Stream, encode, gathered
from shared.runtime.asgi import Aborted, Pouring, Receive, Scope, Send, path_of, read_body, send_answer
from shared.runtime.auth import ANONYMOUS, Caller, Verifier, authorize
from shared.runtime.db import OVERTAKEN, TRANSIENT, Database
from shared.runtime.declare import Declaration, Http, OnEvent, Timer
from shared.runtime.egress import Egress
from shared.runtime.events import STRUCTURED, Envelope, family
from shared.runtime.following import Follows
from shared.runtime.idempotency import Keyed
from shared.runtime.ids import new_id
from shared.runtime.limits import Limiter
from shared.runtime.models import faults_in, repeatable
from shared.runtime.problems import (
    BodyTooLarge,
    InternalError,
    MalformedBody,
    MethodNotAllowed,
    NotAnEvent,
    PreconditionRequired,
    Problem,
    RouteNotFound,
    TooManyRequests,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
)
from shared.runtime.settings import Settings
from shared.runtime.together import Together
from shared.runtime.work import Cause, Claim, Work, leave, sequence_token, streams, unit_of_reading, unit_of_work

LACKING = text("""
select needed from unnest(cast(:names as text[])) as n (needed)
where not exists (select from platform.migrations where name = needed) order by needed limit 1
""")
"""A later schema fits as well: the last release runs on while the next one is rolled out."""
READY_WITHIN_S = 2.0
"""A database that takes longer to answer the smallest question is of no use to a caller."""
EVENT_LIMIT_BYTES = 2_097_152
WAIT_LIMIT_S = 10.0
NO_CONTENT = Answer(204)
KEPT_BY_304 = ("etag", "cache-control", "vary")
"""What a 304 repeats of the 200 it stands for (RFC 9110, section 15.4.5)."""
JSON = ("application/json", "application/merge-patch+json")
BODILESS = frozenset({"GET", "HEAD", "DELETE"})

TriggerT = TypeVar("TriggerT", Http, OnEvent, Timer)


@dataclass(slots=True)
class Runtime:
    """What one process shares between its functions; made after any fork, inside the event loop that uses it."""

    settings: Settings
    database: Database
    verifier: Verifier
    egress: Egress

    @classmethod
    def start(cls, settings: Settings) -> "Runtime":
        database = Database(settings.database_url, settings.db_pool, prepare=settings.db_prepare)
        return cls(settings, database, Verifier(settings), Egress(settings))

    async def stop(self) -> None:
        await self.egress.close()
        await self.database.close()


@dataclass(slots=True)
class Call:
    """One HTTP exchange's input. `path` is as `path_of` gives it, header names are in lower case.

    `carried` are headers that the answer will have whatever it is, a problem too; `waited_s` is how long its caller had
    it wait.
    """

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    body: bytes
    carried: dict[str, str] = field(default_factory=dict)
    waited_s: float = 0.0


class Endpoint(Generic[TriggerT]):
    """One function, ready to be called."""

    limit_bytes: ClassVar[int] = EVENT_LIMIT_BYTES
    limiter: Limiter | None = None

    def __init__(self, declaration: Declaration, trigger: TriggerT, runtime: Runtime) -> None:
        self.declaration = declaration
        self.trigger: TriggerT = trigger
        self.runtime = runtime
        self._cold = True
        self._look: asyncio.Task[Answer] | None = None
        self._duration = metrics.DURATION.labels(declaration.name)
        self._answered = metrics.Answered(declaration.name)
        for event in declaration.emits:
            metrics.emitted(declaration.name, event.type)
        self._operations: dict[str, Callable[[], Awaitable[Answer]]] = {
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/metrics": self._metrics,
        }

    def body_limit(self) -> int:
        """The largest body taken, in bytes."""
        return self.limit_bytes

    async def handle(
        self, method: str, path: str, query: bytes, headers: dict[str, str], body: bytes, pour: Pour = gathered
    ) -> Answer:
        """Answers one call and never raises: whatever goes wrong is a problem that says nothing internal.

        A streamed answer is handed to `pour`; when that fails, the problem comes too late to be sent.
        """
        if method == "GET" and path in self._operations:
            return await self._operations[path]()
        started = perf_counter()
        call = Call(method, path, query, headers, body)
        parent = headers.get("ce-traceparent") or headers.get("traceparent")
        correlation = headers.get("ce-correlationid") or headers.get("x-correlation-id", "")[:128] or str(new_id())
        with trace.span(self.declaration.service, parent, {"faas.trigger": type(self.trigger).__name__}) as traceparent:
            keys = {
                "function": self.declaration.service,
                "version": self.runtime.settings.version,
                "cold_start": self._cold,
                "correlation_id": correlation,
                "causation_id": headers.get("ce-id"),
                "trace_id": traceparent[3:35],
            }
            self._cold = False
            with log.invocation(**keys):
                answer = await self._guarded(call, Cause(correlation, headers.get("ce-id"), traceparent), pour, started)
                answer = answer.also(call.carried)
                elapsed = perf_counter() - started
                self._duration.observe(elapsed - call.waited_s)
                self._answered[answer.status].inc()
                log.logger().info("answered", status=answer.status, duration_ms=round(elapsed * 1000, 2))
        return answer

    async def _guarded(self, call: Call, cause: Cause, pour: Pour, started: float) -> Answer:
        try:
            async with asyncio.timeout(self.runtime.settings.handler_timeout_s):
                answer = await self.respond(call, cause)
            if answer.rest is None:
                return answer
            return await self._poured(answer.also(call.carried), answer.rest, pour, started)
        except Problem as problem:
            return answer_to(problem)
        except TRANSIENT as error:
            log.logger().warning("transient failure", error=type(error).__name__, exc_info=True)
            return answer_to(Unavailable())
        except OVERTAKEN:
            log.logger().warning("another request came first", exc_info=True)
            return answer_to(Unavailable(detail="Another request took or removed the same thing at the same moment."))
        except Exception:  # noqa: BLE001 - a defect of ours: logged with its trace, answered without it
            log.logger().exception("handler failed")
            return answer_to(InternalError())

    async def _poured(self, answer: Answer, rest: AsyncGenerator[bytes, None], pour: Pour, started: float) -> Answer:
        left_s = self.runtime.settings.stream_timeout_s - (perf_counter() - started)
        try:
            async with asyncio.timeout(left_s) as limit, aclosing(rest):
                return await pour(answer, rest)
        except Exception as error:
            log.logger().warning("stream cut short", error=type(error).__name__, too_long=limit.expired())
            raise

    async def respond(self, call: Call, cause: Cause) -> Answer:
        raise NotImplementedError

    def unit(self, caller: Caller, cause: Cause, claim: Claim | None = None) -> AbstractAsyncContextManager[Work]:
        return unit_of_work(self.runtime.database, self.declaration, caller, cause, claim=claim)

    def reading(self, caller: Caller, cause: Cause, _claim: Claim | None = None) -> AbstractAsyncContextManager[Work]:
        return unit_of_reading(self.runtime.database, self.declaration, caller, cause)

    async def _live(self) -> Answer:
        return Answer(200, {"content-type": "text/plain"}, b"live\n")

    async def _ready(self) -> Answer:
        """Ready means that the function can begin a transaction under its own role, and finds the schema it needs.

        One look is under way at a time: a database that hangs would else take a connection with each probe.
        """
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._look_at_database())
        done, _ = await asyncio.wait([self._look], timeout=READY_WITHIN_S)
        if done:
            return self._look.result()
        log.logger().warning("not ready", function=self.declaration.service, error="database hangs")
        return answer_to(Unavailable(detail="The database does not answer."))

    async def _look_at_database(self) -> Answer:
        try:
            async with self.reading(ANONYMOUS, Cause("health")) as work:
                lacking = await work.db.value(LACKING, names=list(schema.MIGRATIONS))
            if lacking is None:
                return Answer(200, {"content-type": "text/plain"}, b"ready\n")
            log.logger().warning("not ready", function=self.declaration.service, lacking=lacking)
            return answer_to(Unavailable(detail=f"The database lacks {lacking}: it is to be migrated first."))
        except Exception as error:  # noqa: BLE001 - any reason not to be ready is an answer here
            log.logger().warning("not ready", function=self.declaration.service, error=type(error).__name__)
            return answer_to(Unavailable(detail="The database cannot be used."))

    async def _metrics(self) -> Answer:
        body, content_type = metrics.exposition()
        return Answer(200, {"content-type": content_type}, body)


def answer_to(problem: Problem) -> Answer:
    return Answer(problem.status, problem.headers(), problem.body())


class HttpEndpoint(Endpoint[Http]):
    def __init__(self, declaration: Declaration, trigger: Http, runtime: Runtime) -> None:
        super().__init__(declaration, trigger, runtime)
        # A cache that keeps answers would else give one to a caller who waits for a later one.
        self._vary = {} if trigger.follows is None else {"vary": following.HEADER}
        self._only_reads = not (declaration.writes or declaration.emits or trigger.idempotent)
        self._match = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", trigger.path)).fullmatch
        self._query_fills = bool(trigger.takes) or trigger.cloudevent or trigger.method in BODILESS
        self._judges_body = not (trigger.takes or trigger.cloudevent)
        self._cache_control = trigger.cache_control
        fields = {} if declaration.message is None else declaration.message.model_fields
        self._fields: Collection[str] = [field.alias or name for name, field in fields.items()]
        self._repeatable = frozenset() if declaration.message is None else repeatable(declaration.message)
        if rate := trigger.rate and trigger.rate.scaled(runtime.settings.rate_limit_scale):
            self.limiter = Limiter(runtime.database, declaration.role, rate)
            metrics.RATE_LIMITED.labels(declaration.name)

    def body_limit(self) -> int:
        return self.trigger.limit_bytes

    async def respond(self, call: Call, cause: Cause) -> Answer:
        trigger, declaration = self.trigger, self.declaration
        match = self._match(call.path)
        if match is None:
            raise RouteNotFound
        if call.method != trigger.method and (call.method, trigger.method) != ("HEAD", "GET"):
            raise MethodNotAllowed(allowed=[trigger.method])
        caller = await self.runtime.verifier.caller(call.headers.get("authorization"))
        authorize(caller, trigger.roles)
        if self.limiter is not None:
            await self._admit(self.limiter, caller, call)
        keyed = None
        if trigger.key_required or (trigger.idempotent and "idempotency-key" in call.headers):
            route = f"{trigger.method} {call.path}"
            query = call.query if trigger.takes else b""
            keyed = Keyed(
                declaration.role, caller.subject, route, call.headers.get("idempotency-key"), call.body, query
            )
        elsewhere = {name: unquote(part) for name, part in match.groupdict().items()}
        if trigger.signed:
            keys = getattr(self.runtime.settings, trigger.signed)
            elsewhere["webhook_id"] = webhooks.verify(call.headers, call.body, keys, time())
        request = self._request(call, elsewhere)
        if trigger.follows is not None and following.HEADER in call.headers:
            began = perf_counter()
            await self._follow(trigger.follows, request, caller, cause, call)
            call.waited_s = perf_counter() - began
        answer = await self._perform(request, caller, cause, keyed, call)
        if trigger.wait is not None and (wait_s := _preferred_wait(call.headers.get("prefer"))) and answer.status < 300:
            began = perf_counter()
            answer = await self._waited(answer, wait_s, caller, cause)
            call.waited_s += perf_counter() - began
        return self._conditional(answer, call)

    async def _admit(self, limiter: Limiter, caller: Caller, call: Call) -> None:
        """Raises TooManyRequests. Who proves no name is known by the address, and who has none is let through.

        All who come by a way whose proxies we do not know would else share one bucket.
        """
        address = call.headers.get(CLIENT_ADDRESS)
        if not caller.subject and not address:
            return
        verdict = await limiter.take(f"subject {caller.subject}" if caller.subject else f"address {address}")
        call.carried.update(verdict.headers)
        if verdict.wait_s:
            metrics.RATE_LIMITED.labels(self.declaration.name).inc()
            raise TooManyRequests(again_in_s=verdict.wait_s)

    async def _follow(
        self, follows: Follows, request: BaseModel | None, caller: Caller, cause: Cause, call: Call
    ) -> None:
        """Waits for what the caller has seen written before, and says what the answer will not show yet."""
        call.carried["cache-control"] = "no-store"  # the answer to one caller's wait
        sequences = following.wanted(call.headers[following.HEADER], follows.topic)
        asked_s = _preferred_wait(call.headers.get("prefer"))
        wait_s = following.WAIT_S if asked_s is None else min(asked_s, WAIT_LIMIT_S)
        late = await following.behind(follows, sequences, request, lambda: self.reading(caller, cause), wait_s)
        if late:
            stale = (((follows.topic, key), sequence) for key, sequence in late.items())
            call.carried[following.STALE] = following.token(stale)
        if asked_s is not None:
            call.carried["preference-applied"] = f"wait={asked_s:g}"

    async def _perform(
        self, request: BaseModel | None, caller: Caller, cause: Cause, keyed: Keyed | None, call: Call
    ) -> Answer:
        declaration = self.declaration
        arguments = () if request is None else (request,)
        if declaration.prepare is not None:
            async with self.unit(caller, cause, keyed.claim if keyed else None) as work:
                if keyed and (earlier := await keyed.earlier_answer(work.claimed)):
                    return earlier
                attempt = await declaration.prepare(*arguments, work)
            outcome = None
            if attempt is not None and declaration.call is not None:
                outcome = await declaration.call(attempt, self.runtime.egress)
            arguments = (*arguments, outcome)
        unit = self.reading if self._only_reads else self.unit
        async with unit(caller, cause, keyed.claim if keyed else None) as work:
            if keyed and (earlier := await keyed.earlier_answer(work.claimed)):
                return earlier
            result = await declaration.function(*arguments, work)
            if isinstance(result, Stream):
                return await self._begun(result, work, call)
            answer = encode(result, self.trigger.status, _page_path(call) if isinstance(result, Page) else "")
            if keyed and answer.status < 300:
                leave(work)
                keyed.store(work.db, answer, self.trigger.key_days, streams(work))
        return answer.also(await sequence_token(work)) if work.left else answer

    async def _begun(self, stream: Stream, work: Work, call: Call) -> Answer:
        """The first piece is read as any answer is: what is wrong by then is told by the status."""
        if self.trigger.idempotent:
            raise TypeError("a stream cannot be remembered under an idempotency key")
        first, key = await stream.piece(None, work)
        rest = None if key is None else self._rest(stream, key, work, call)
        return Answer(self.trigger.status, stream.headers(), first, rest)

    async def _rest(self, stream: Stream, key: Any, first: Work, call: Call) -> AsyncGenerator[bytes, None]:
        """Each piece in a unit of its own: nothing is held while the caller takes its time over the last."""
        while key is not None:
            if stream.pause_s:
                await asyncio.sleep(stream.pause_s)
                call.waited_s += stream.pause_s
            async with (
                asyncio.timeout(self.runtime.settings.handler_timeout_s),
                self.reading(first.caller, first.cause) as work,
            ):
                piece, key = await stream.piece(key, work)
            yield piece

    async def _waited(self, answer: Answer, wait_s: float, caller: Caller, cause: Cause) -> Answer:
        """Reads the resource afresh until it is final or the time is over (RFC 7240, `wait`)."""
        assert self.trigger.wait is not None
        view = self.declaration.returns.model_validate_json(answer.body)
        deadline, pause, fresh = perf_counter() + min(wait_s, WAIT_LIMIT_S), 0.01, None
        while fresh is None:
            left = deadline - perf_counter()
            await asyncio.sleep(max(0.0, min(pause, left)))
            async with self.reading(caller, cause) as work:
                fresh = await self.trigger.wait(view, work, left <= pause)
            pause = min(pause * 1.5, 0.25)
        final = encode(fresh, answer.status, "")
        headers = {**final.headers, "preference-applied": f"wait={wait_s:g}"}
        return Answer(answer.status, {**answer.headers, **headers}, final.body)

    def _request(self, call: Call, path: dict[str, str]) -> BaseModel | None:
        """The request model. Raises the problem that names every fault in it at once."""
        model = self.declaration.message
        if model is None:
            return None
        fields: dict[str, Any] = {}
        faults: list[dict[str, str]] = []
        elsewhere = path | self._whole_body(call)
        if self._query_fills:
            fields, faults = self._query(call)
        elif call.body:
            fields = self._json_object(call)
        faults += (
            {"pointer": f"/{name}", "detail": f"This is given by the {'path' if name in path else 'body'}, not here."}
            for name in fields.keys() & elsewhere
        )
        fields |= elsewhere
        if self.trigger.if_match:
            fields["expected_version"] = _version(call.headers.get("if-match"))
        if self.trigger.resumes and "last-event-id" in call.headers:
            fields["last_event_id"] = call.headers["last-event-id"]
        if "\x00" in call.path or b"%00" in call.query or (self._judges_body and b"\\u0000" in call.body):
            faults.append({"pointer": "", "detail": "The character U+0000 is not taken."})
        try:
            request: BaseModel = model.model_validate(fields)
        except ValidationError as error:
            raise ValidationFailed(errors=faults + faults_of(error)) from None
        if faults:
            raise ValidationFailed(errors=faults)
        return request

    def _whole_body(self, call: Call) -> dict[str, Any]:
        """Of a function that takes its body as it is: a file, or a CloudEvent."""
        if self.trigger.takes:
            return {"media_type": _media_type(call, self.trigger.takes), "body": call.body}
        if self.trigger.cloudevent:
            _refuse_encoded(call, [JSON[0], STRUCTURED])
            return {"event": Envelope.from_http(call.headers, call.body)}
        return {}

    def _query(self, call: Call) -> tuple[dict[str, Any], list[dict[str, str]]]:
        """The fields that the query gives, and those faults in it that the model will not see."""
        pairs = parse_qsl(call.query.decode("latin-1"), keep_blank_values=True)
        fields: dict[str, Any] = dict(pairs)
        faults = []
        if len(fields) < len(pairs):
            times = Counter(name for name, _ in pairs)
            faults = [
                {"pointer": f"/{name}", "detail": f"This is given {times[name]} times, and taken once."}
                for name in self._fields
                if times[name] > 1 and name not in self._repeatable
            ]
        for name in self._repeatable & fields.keys():
            fields[name] = [value for given, value in pairs if given == name]
        return fields, faults

    def _json_object(self, call: Call) -> dict[str, Any]:
        _media_type(call, JSON)
        try:
            fields = orjson.loads(call.body)
        except orjson.JSONDecodeError as error:
            raise MalformedBody(detail=f"At line {error.lineno}, column {error.colno}.") from None
        if not isinstance(fields, dict):
            raise ValidationFailed(errors=[{"pointer": "", "detail": "The body must be a JSON object."}])
        return fields

    def _conditional(self, answer: Answer, call: Call) -> Answer:
        headers = answer.headers
        if self._cache_control is not None and answer.status == 200:
            headers = {**headers, "cache-control": self._cache_control, **self._vary}
            if "etag" not in headers and answer.rest is None:
                headers["etag"] = f'"{blake2b(answer.body, digest_size=8).hexdigest()}"'
        tag = headers.get("etag")
        if tag and call.method in ("GET", "HEAD") and _matches(call.headers.get("if-none-match"), tag):
            return Answer(304, {name: headers[name] for name in KEPT_BY_304 if name in headers})
        return Answer(answer.status, headers, answer.body, answer.rest)


@dataclass(frozen=True, slots=True)
class Delivered:
    message: Any
    envelope: Envelope
    cause: Cause
    outcome: Any = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is to be called for an event; `new` is False for one that was applied before."""

    new: bool
    attempt: Any = None


class EventEndpoint(Endpoint[OnEvent]):
    def __init__(self, declaration: Declaration, trigger: OnEvent, runtime: Runtime) -> None:
        super().__init__(declaration, trigger, runtime)
        self._types = {event.type: event for event in trigger.events}
        self._families = {family(type) for type in self._types}
        self._caller = Caller(declaration.source, frozenset())
        self._delay = metrics.DELAY.labels(declaration.name)
        self._duplicates = metrics.DUPLICATES.labels(declaration.name)
        metrics.PARKED.labels(declaration.name)
        self._together: Together[Delivered, bool] | None = None
        self._preparing: Together[Delivered, Prepared] | None = None
        if trigger.together is not None:
            timeout_s = runtime.settings.handler_timeout_s
            gather_s = runtime.settings.gather_s if trigger.patient else 0.0
            self._together = Together(self._apply_all, trigger.together, timeout_s, gather_s)
            if declaration.prepare is not None:
                self._preparing = Together(self._prepare_all, trigger.together, timeout_s)

    async def respond(self, call: Call, cause: Cause) -> Answer:
        if call.method != "POST":
            raise MethodNotAllowed(allowed=["POST"])
        envelope = Envelope.from_http(call.headers, call.body)
        message = self._message(envelope)
        if message is None:
            return NO_CONTENT
        correlation = envelope.correlationid or cause.correlation
        cause = Cause(correlation, envelope.id, cause.traceparent, envelope.position, envelope.emitted_at)
        log.append_keys(event_type=envelope.type, causation_id=envelope.id, correlation_id=cause.correlation)
        try:
            if not await self._apply(message, envelope, cause):
                self._duplicates.inc()
            elif cause.at is not None:
                # Two clocks: one that runs behind must not take time away from the sum.
                self._delay.observe(max(0.0, (datetime.now(UTC) - cause.at).total_seconds()))
            return NO_CONTENT
        except TRANSIENT:
            raise
        except Exception as error:  # noqa: BLE001 - counted, then parked or sent again
            log.logger().exception("event handler failed")
            if await self._parked(envelope, cause, error):
                return NO_CONTENT
            raise Unavailable(detail="The handler failed; the event may be sent again.") from None

    def _message(self, envelope: Envelope) -> Any:
        """The event's data as its model; None where it does not concern this function: topics carry more than it takes.

        Raises NotAnEvent for what no retry can mend.
        """
        if not self._types:
            return envelope
        if envelope.type not in self._types:
            if family(envelope.type) in self._families:
                raise NotAnEvent(detail=f"The version in {envelope.type} is not known here.")
            if not envelope.type.startswith("shop."):  # such as KafkaSource's own wrapping of what is no CloudEvent
                raise NotAnEvent(detail=f"{envelope.type} is not a type of this shop.")
            return None
        model = self._types[envelope.type]
        if not envelope.source.startswith(tuple(f"/shop/{domain}/" for domain in model.sent_by)):
            raise NotAnEvent(detail=f"{envelope.type} is not taken from this source.")
        if b"\\u0000" in envelope.data:  # Postgres keeps no such text, however often it is tried
            raise NotAnEvent(detail="The character U+0000 is not taken.")
        try:
            message = model.model_validate_json(envelope.data)
        except ValidationError as error:
            faults = "; ".join(f"{fault['pointer']}: {fault['detail']}" for fault in faults_of(error))
            raise NotAnEvent(detail=f"The data does not fit {envelope.type}: {faults}") from None
        concerns = self.trigger.concerns
        return message if concerns is None or concerns(message) else None

    async def _apply(self, message: Any, envelope: Envelope, cause: Cause) -> bool:
        """One effect for this event; False when it was applied before."""
        if self._together is not None:
            return await self._apply_together(self._together, Delivered(message, envelope, cause))
        declaration, consumer = self.declaration, self.declaration.service
        arguments: tuple[Any, ...] = (message,)
        if declaration.prepare is not None:
            async with self.unit(self._caller, cause, inbox.look_up(consumer, envelope)) as work:
                if work.claimed is not None:
                    return False
                attempt = await declaration.prepare(message, work)
            outcome = None
            if attempt is not None and declaration.call is not None:
                outcome = await declaration.call(attempt, self.runtime.egress)
            arguments = (message, outcome)
        async with self.unit(self._caller, cause, inbox.claim(consumer, envelope)) as work:
            if work.claimed is None:
                return False
            await declaration.function(*arguments, work)
        return True

    async def _apply_together(self, together: Together[Delivered, bool], delivered: Delivered) -> bool:
        """Of three parts the first and the last are shared; each event waits for its own call alone."""
        if self._preparing is None:
            return await together.apply(delivered)
        prepared = await self._preparing.apply(delivered)
        if not prepared.new:
            return False
        outcome = None
        if prepared.attempt is not None and self.declaration.call is not None:
            outcome = await self.declaration.call(prepared.attempt, self.runtime.egress)
        return await together.apply(replace(delivered, outcome=outcome))

    async def _prepare_all(self, deliveries: Sequence[Delivered]) -> list[Prepared]:
        """One transaction for the first part of them all; an event that is delivered twice at once is prepared once."""
        assert self.declaration.prepare is not None
        look_up = inbox.look_up_all(self.declaration.service, [one.envelope for one in deliveries])
        async with self.unit(self._caller, deliveries[-1].cause, look_up) as work:
            applied = inbox.claimed(work.claimed)
            occurrences = [(one.envelope.source, inbox.occurrence(one.envelope)) for one in deliveries]
            first = dict(zip(reversed(occurrences), reversed(deliveries), strict=True))
            new = [(occurrence, one) for occurrence, one in first.items() if occurrence not in applied]
            work.causes.update((id(one.message), one.cause) for _, one in new)
            attempts = await self.declaration.prepare([one.message for _, one in new], work) if new else ()
        prepared = {
            occurrence: Prepared(new=True, attempt=attempt)
            for (occurrence, _), attempt in zip(new, attempts, strict=True)
        }
        return [prepared.get(occurrence, Prepared(new=False)) for occurrence in occurrences]

    async def _apply_all(self, deliveries: Sequence[Delivered]) -> list[bool]:
        """One effect for each of these events, all in one transaction; False for those that were applied before."""
        claim = inbox.claim_all(self.declaration.service, [one.envelope for one in deliveries])
        async with self.unit(self._caller, deliveries[-1].cause, claim) as work:
            claimed, new = inbox.claimed(work.claimed), []
            for one in deliveries:
                occurrence = one.envelope.source, inbox.occurrence(one.envelope)
                new.append(occurrence in claimed)
                claimed.discard(occurrence)  # one event may be delivered twice at once
            taken = [one for one, is_new in zip(deliveries, new, strict=True) if is_new]
            work.causes.update((id(one.message), one.cause) for one in taken)
            arguments = [[one.message for one in taken]]
            if self._preparing is not None:
                arguments.append([one.outcome for one in taken])
            if taken:
                await self.declaration.function(*arguments, work)
        return new

    async def _parked(self, envelope: Envelope, cause: Cause, error: Exception) -> bool:
        limit = self.runtime.settings.parked_after
        return await inbox.count_failure(
            self.runtime.database, self.declaration, self._caller, cause, envelope, error, limit
        )


class TimerEndpoint(Endpoint[Timer]):
    async def respond(self, call: Call, cause: Cause) -> Answer:
        if call.method != "POST":
            raise MethodNotAllowed(allowed=["POST"])
        declaration, caller = self.declaration, Caller(self.declaration.source, frozenset())
        arguments: tuple[Any, ...] = ()
        if declaration.prepare is not None and declaration.call is not None:
            async with self.unit(caller, cause) as work:
                attempts = await declaration.prepare(work)
            arguments = (await declaration.call(attempts, self.runtime.egress),)
        async with self.unit(caller, cause) as work:
            await declaration.function(*arguments, work)
        return NO_CONTENT


def endpoint(declaration: Declaration, runtime: Runtime) -> Endpoint[Any]:
    match declaration.trigger:
        case Http():
            return HttpEndpoint(declaration, declaration.trigger, runtime)
        case OnEvent():
            return EventEndpoint(declaration, declaration.trigger, runtime)
        case Timer():
            return TimerEndpoint(declaration, declaration.trigger, runtime)


def faults_of(error: ValidationError) -> list[dict[str, str]]:
    """Every fault as a JSON pointer (RFC 6901) and what is wrong there."""
    return [
        {
            "pointer": "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in fault["loc"]),
            "detail": fault["msg"],
        }
        for fault in faults_in(error)
    ]


def _media_type(call: Call, taken: Collection[str]) -> str:
    """The body's media type, without parameters. Raises UnsupportedMediaType unless it is `taken`."""
    media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in taken:
        raise UnsupportedMediaType(taken=[*taken])
    _refuse_encoded(call, taken)
    return media_type


def _refuse_encoded(call: Call, taken: Collection[str]) -> None:
    if call.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType(taken=[*taken], detail="A body with a Content-Encoding is not taken.")


def _version(if_match: str | None) -> int:
    if if_match is None:
        raise PreconditionRequired
    tag = if_match.strip().removeprefix("W/").strip('"').partition(".")[0]
    return int(tag) if tag.isascii() and tag.isdigit() and len(tag) < 10 else -1


def _matches(if_none_match: str | None, tag: str) -> bool:
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag in (part.strip().removeprefix("W/") for part in if_none_match.split(","))


def _preferred_wait(prefer: str | None) -> float | None:
    """The seconds in `Prefer: wait=N`."""
    for preference in (prefer or "").split(","):
        name, _, value = preference.strip().partition("=")
        if name.lower() == "wait" and value.isascii() and value.isdigit():
            return float(value[:4])
    return None


def _page_path(call: Call) -> str:
    query = [(name, value) for name, value in parse_qsl(call.query.decode("latin-1")) if name != "cursor"]
    return f"{quote(call.path, safe='/%')}?{urlencode([*query, ('cursor', '')])}"


async def serve(endpoint: Endpoint[Any], scope: Scope, receive: Receive, send: Send) -> None:
    """One ASGI exchange with `endpoint`."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        body = await read_body(receive, headers, endpoint.body_limit())
    except BodyTooLarge as problem:
        await send_answer(answer_to(problem), scope, send)
        return
    if endpoint.limiter is not None:
        headers[CLIENT_ADDRESS] = client_address(scope, endpoint.runtime.settings.trusted_proxies)
    pouring = Pouring(scope, receive, send)
    query = scope.get("query_string", b"")
    answer = await endpoint.handle(scope["method"], path_of(scope), query, headers, body, pouring)
    if not pouring.begun:
        await send_answer(answer, scope, send)
    elif not pouring.ended:
        raise Aborted("the stream was cut short")
