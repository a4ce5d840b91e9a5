"""Answers what `kn` asks of a Kubernetes server: discovery, lists, objects, tables and watches; writes are refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zlib import crc32

import orjson

from infra.local.client import Client
from infra.local.kubernetes import PREFIX
from infra.local.kubernetes.kinds import BY_PATH, NAMESPACES, Kind, group_document, groups, resources_document
from infra.local.kubernetes.objects import Health, Machine, Object, manifests, objects
from infra.local.kubernetes.selectors import Chooses, NoSelector, by_fields, by_labels
from infra.local.kubernetes.tables import table
from shared.runtime.answers import Answer
from shared.runtime.asgi import Pouring, Receive, Scope, Send, path_of, send_answer

VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.0+kn-shop", "platform": "one machine"}
WATCH_S = 300
"""How long a watch stays open when it does not say; then its client comes again."""
LOOK_EVERY_S = 1.0
READ_ONLY = (
    "The shop on one machine is shown read only: its functions are what the checkout declares. Change a declaration,"
    " then run `make generate` and start `make run` again; to change a cluster, `make deploy CONTEXT=...`."
)


class Refused(Exception):
    """Ends as a Status of Kubernetes."""

    def __init__(self, code: int, reason: str, message: str, **details: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.details = code, reason, details

    def status(self) -> Object:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a kind is asked for; an empty namespace is all of them, an empty name a list."""

    kind: Kind
    namespace: str
    name: str
    chosen: tuple[Chooses, ...]
    as_table: bool

    def chooses(self, found: Object) -> bool:
        metadata = found["metadata"]
        return (
            (not self.namespace or metadata.get("namespace") == self.namespace)
            and (not self.name or metadata["name"] == self.name)
            and all(chooses(found) for chooses in self.chosen)
        )


class KubernetesApi:
    """`web_ready` tells whether functions that are called by HTTP can work, as /health/ready does."""

    def __init__(self, root: Path, machine: Machine, web_ready: Callable[[], Awaitable[Answer]]) -> None:
        self._root = root
        self._machine = machine
        self._web_ready = web_ready
        self._web = self._dispatcher = Health(True, machine.started)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The path of `scope` begins with PREFIX."""
        try:
            if scope["method"] not in ("GET", "HEAD"):
                raise Refused(405, "MethodNotAllowed", READ_ONLY)
            segments = [part for part in path_of(scope).removeprefix(PREFIX).split("/") if part]
            query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
            accept = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
            document = _discovered(segments)
            if document is None:
                asked = _asked(segments, query, as_table="as=Table" in accept)
                if query.get("watch", "").lower() in ("true", "1") and not asked.name:
                    rest = self._watched(asked, query.get("resourceVersion", ""), _seconds(query))
                    await Pouring(scope, receive, send)(Answer(200, {"content-type": "application/json"}), rest)
                    return
                document = await self._answer(asked)
            answer = _json(200, document)
        except Refused as refused:
            answer = _json(refused.code, refused.status())
            if refused.code == 405:
                answer = answer.also({"allow": "GET, HEAD"})
        await send_answer(answer, scope, send)

    async def _answer(self, asked: Asked) -> Object:
        found = await self._found(asked)
        if asked.name and not found:
            kind = asked.kind
            message = f'{kind.resource} "{asked.name}" not found'
            raise Refused(404, "NotFound", message, name=asked.name, group=kind.group, kind=kind.plural)
        if asked.as_table:
            return table(asked.kind, found, _version(found))
        if asked.name:
            return found[0]
        return {
            "apiVersion": asked.kind.api_version,
            "kind": f"{asked.kind.kind}List",
            "metadata": {"resourceVersion": _version(found)},
            "items": found,
        }

    async def _found(self, asked: Asked) -> list[Object]:
        generated = await asyncio.to_thread(manifests, self._root)
        await self._look()
        known = objects(generated, self._machine, self._web, self._dispatcher)
        of_kind = ({**one, "apiVersion": asked.kind.api_version} for one in known.get(asked.kind.kind, []))
        return [one for one in of_kind if asked.chooses(one)]

    async def _look(self) -> None:
        """Asks the processes how they are. A change is dated by when it was seen first."""
        answer = await self._web_ready()
        if answer.status == 200:
            web, dispatcher = ("", ""), await self._dispatcher_ails()
        else:
            # Both work on the same database.
            web = dispatcher = ("DatabaseUnusable", str(orjson.loads(answer.body)["detail"]))
        self._web = _now(self._web, *web)
        self._dispatcher = _now(self._dispatcher, *dispatcher)

    async def _dispatcher_ails(self) -> tuple[str, str]:
        """Reason and message, both empty while it is well."""
        match await asyncio.to_thread(Client(self._machine.dispatcher, timeout_s=2.0).status, "/health/ready"):
            case 200:
                return "", ""
            case 0:
                return "DispatcherAway", "The dispatcher, which calls this function, does not answer."
            case _:
                return "DispatcherNotReady", "The dispatcher, which calls this function, says that it is not ready."

    async def _watched(self, asked: Asked, since: str, seconds: int) -> AsyncIterator[bytes]:
        """What changes, for so long; without a version to go on from, first all that is there."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        found = await self._found(asked)
        known = {one["metadata"]["uid"]: one["metadata"]["resourceVersion"] for one in found}
        if since in ("", "0"):
            for one in found:
                yield _event("ADDED", asked, one)
        elif since != _version(found):
            for one in found:
                if one["metadata"]["resourceVersion"] != since:
                    yield _event("MODIFIED", asked, one)
        while loop.time() < end:
            await asyncio.sleep(min(LOOK_EVERY_S, max(end - loop.time(), 0)))
            yield b""  # lets whoever pours notice that nobody listens any more
            for one in await self._found(asked):
                uid, version = one["metadata"]["uid"], one["metadata"]["resourceVersion"]
                if known.get(uid) != version:
                    known[uid] = version
                    yield _event("MODIFIED", asked, one)


def _now(before: Health, reason: str, message: str) -> Health:
    since = before.since if before.ready == (not reason) else datetime.now(UTC)
    return Health(not reason, since, reason, message)


def _event(kind: str, asked: Asked, found: Object) -> bytes:
    shown = table(asked.kind, [found], found["metadata"]["resourceVersion"]) if asked.as_table else found
    return orjson.dumps({"type": kind, "object": shown}) + b"\n"


def _version(found: list[Object]) -> str:
    versions = ",".join(one["metadata"]["resourceVersion"] for one in found)
    return str(crc32(versions.encode()) + 1)


def _discovered(segments: list[str]) -> Any:
    """The discovery document at this path, or None where objects are."""
    match segments:
        case []:
            return {"paths": ["/api", "/api/v1", "/apis", *(f"/apis/{group}" for group in groups()), "/version"]}
        case ["version"]:
            return VERSION
        case ["healthz" | "livez" | "readyz"]:
            return "ok"
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group_document(one) for one in groups()]}
        case ["apis", group] if group in groups():
            return {"kind": "APIGroup", "apiVersion": "v1", **group_document(group)}
        case ["api", "v1" as version]:
            return resources_document("", version)
        case ["apis", group, version] if any((group, version) == path[:2] for path in BY_PATH):
            return resources_document(group, version)
        case _:
            return None


def _asked(segments: list[str], query: dict[str, str], *, as_table: bool) -> Asked:
    match segments:
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            raise _nothing_there()
    namespace = name = ""
    match rest:
        case ["namespaces", namespace, plural]:
            pass
        case ["namespaces", namespace, plural, name] | ["namespaces", namespace, plural, name, "status"]:
            pass
        case [plural]:
            pass
        case [plural, name]:
            pass
        case _:
            raise _nothing_there()
    kind = BY_PATH.get((group, version, plural))
    if kind is None or (not kind.namespaced and namespace) or (kind.namespaced and name and not namespace):
        raise _nothing_there()
    try:
        chosen = (by_labels(query.get("labelSelector", "")), by_fields(query.get("fieldSelector", "")))
    except NoSelector as error:
        raise Refused(400, "BadRequest", str(error)) from None
    return Asked(kind, namespace, name, chosen, as_table)


def _nothing_there() -> Refused:
    served = f"what is served here begins with /api/v1/{NAMESPACES.plural} or /apis/{'|'.join(groups())}/"
    return Refused(404, "NotFound", f"the server could not find the requested resource: {served}")


def _seconds(query: dict[str, str]) -> int:
    text = query.get("timeoutSeconds", "")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Refused(400, "BadRequest", "timeoutSeconds must be a whole number of seconds")
    return min(int(text), WATCH_S) if text else WATCH_S


def _json(status: int, document: Any) -> Answer:
    if isinstance(document, str):
        return Answer(status, {"content-type": "text/plain"}, document.encode())
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return Answer(status, headers, orjson.dumps(document))
