"""Problems as answers (RFC 9457): an exception that carries its status, its stable type and its members."""

import re
from dataclasses import dataclass, fields
from typing import ClassVar, dataclass_transform

import orjson

MEDIA_TYPE = "application/problem+json"
PROBLEMS: dict[str, type["Problem"]] = {}


@dataclass_transform(kw_only_default=True, eq_default=False)
@dataclass(kw_only=True, eq=False)
class Problem(Exception):
    """Base of all problems. A subclass names its `status` and `title`; its annotated fields become members.

    `detail` is shown to the caller: it never holds anything internal.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    kind: ClassVar[str] = "internal-error"
    retry_after_s: ClassVar[int | None] = None

    detail: str | None = None

    def __init_subclass__(cls, *, status: int, title: str, retry_after_s: int | None = None) -> None:
        super().__init_subclass__()
        cls.status, cls.title, cls.retry_after_s = status, title, retry_after_s
        cls.kind = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
        dataclass(kw_only=True, eq=False)(cls)
        PROBLEMS[cls.kind] = cls

    @property
    def type(self) -> str:
        """A URN, stable over releases: clients may branch on it."""
        return f"urn:kn-shop:problem:{self.kind}"

    def members(self) -> dict[str, object]:
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        said = {name: value for name, value in named.items() if value is not None}
        return {"type": self.type, "title": self.title, "status": self.status, **said}

    def body(self) -> bytes:
        return orjson.dumps(self.members())

    def headers(self) -> dict[str, str]:
        retry = {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}
        return {"content-type": MEDIA_TYPE, **retry}

    def __str__(self) -> str:
        return self.detail or self.title


class InternalError(Problem, status=500, title="Something went wrong on our side"):
    pass


class Unavailable(Problem, status=503, title="Not available for the moment", retry_after_s=1):
    pass


class MalformedBody(Problem, status=400, title="The body is not well formed"):
    pass


class ValidationFailed(Problem, status=422, title="The request is not valid"):
    """`errors` names every fault at once: a JSON pointer and what is wrong there."""

    errors: list[dict[str, str]]


class UnsupportedMediaType(Problem, status=415, title="The body is not of a kind that is taken here"):
    """`taken` are the media types that are; a body that is compressed is of none (RFC 9110, section 15.5.16)."""

    taken: list[str]

    def headers(self) -> dict[str, str]:
        return {**Problem.headers(self), "accept": ", ".join(self.taken), "accept-encoding": "identity"}


class BodyTooLarge(Problem, status=413, title="The body is too large"):
    limit_bytes: int


class RouteNotFound(Problem, status=404, title="There is nothing at this path"):
    pass


class MethodNotAllowed(Problem, status=405, title="The path does not take this method"):
    allowed: list[str]

    def headers(self) -> dict[str, str]:
        return {**Problem.headers(self), "allow": ", ".join(self.allowed)}


class Unauthenticated(Problem, status=401, title="A valid bearer token is needed"):
    def headers(self) -> dict[str, str]:
        return {**Problem.headers(self), "www-authenticate": "Bearer"}


class SignatureRefused(Problem, status=401, title="The webhook is not signed by whom it should be, or too old"):
    def headers(self) -> dict[str, str]:
        return {**Problem.headers(self), "www-authenticate": "Signature"}


class NotAllowed(Problem, status=403, title="The caller's roles do not allow this"):
    needed: list[str]


class IdempotencyKeyMissing(Problem, status=400, title="This request needs an Idempotency-Key of 1 to 255 characters"):
    pass


class IdempotencyKeyReused(Problem, status=422, title="The Idempotency-Key was used with another request"):
    pass


class StillRunning(
    Problem, status=409, title="The first request with this Idempotency-Key is still running", retry_after_s=1
):
    pass


class PreconditionRequired(Problem, status=428, title="This request needs an If-Match header"):
    pass


class StaleVersion(Problem, status=412, title="The resource has changed since the version in If-Match"):
    current_version: int


class TooManyRequests(Problem, status=429, title="Too many requests in so short a time"):
    """`again_in_s`: after so many seconds another one may be sent."""

    again_in_s: int

    def headers(self) -> dict[str, str]:
        return {**Problem.headers(self), "retry-after": str(self.again_in_s)}


class NotAnEvent(Problem, status=422, title="The message is not a CloudEvent that this function takes"):
    pass
