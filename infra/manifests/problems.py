"""The reference page of problem types: what each means in a word, its members, and which functions answer it."""

from collections.abc import Iterable, Iterator
from dataclasses import fields

from infra.gateway import proxy
from infra.manifests import Files
from infra.manifests.openapi import problems
from shared.runtime.declare import Declaration, Http
from shared.runtime.problems import PROBLEMS, NotAnEvent, Problem, TooManyRequests

NOTE = "<!-- Generated from the problems in shared/ and infra/gateway by `python -m infra.manifests generate`. -->\n"
FEW = 6
"""So many functions are named; more are counted."""

GATEWAY = (TooManyRequests, proxy.Unreachable, proxy.TooLate)


def files(declarations: list[Declaration]) -> Files:
    return {"docs/reference/problems.md": NOTE + "\n".join(_page(declarations)) + "\n"}


def _page(declarations: list[Declaration]) -> Iterator[str]:
    answered: dict[type[Problem], list[str]] = {}
    served = [(declaration, declaration.trigger) for declaration in declarations]
    by_http = [(declaration, trigger) for declaration, trigger in served if isinstance(trigger, Http)]
    for declaration, trigger in by_http:
        for kind in problems(declaration, trigger):
            answered.setdefault(kind, []).append(declaration.name)
    known = [kind for kind in PROBLEMS.values() if kind.__module__.startswith("shared.")]
    runtime = [kind for kind in known if kind.__module__.startswith("shared.runtime.")]

    yield "# Problem types\n"
    yield "An error is a problem document (RFC 9457, `application/problem+json`). Its `type` is"
    yield "`urn:kn-shop:problem:` and the name below, and is stable: clients may branch on it. `title` says what it is,"
    yield "`detail`, where there is one, what it is this time; the members named below come on top.\n"
    yield "## From the runtime\n"
    yield from _table(runtime, answered, len(by_http))
    for domain in sorted({kind.__module__.split(".")[1] for kind in known if kind not in runtime}):
        yield f"\n## {domain}\n"
        yield from _table([kind for kind in known if kind.__module__.split(".")[1] == domain], answered, len(by_http))
    yield "\n## From the gateway of a cluster\n"
    yield from _table(GATEWAY, answered, len(by_http))


def _table(kinds: Iterable[type[Problem]], answered: dict[type[Problem], list[str]], functions: int) -> Iterator[str]:
    yield "| Name | Status | Title | Members | Answered by |"
    yield "|---|---|---|---|---|"
    for kind in sorted(kinds, key=lambda kind: (kind.status, kind.kind)):
        members = ", ".join(f"`{field.name}`" for field in fields(kind) if field.name != "detail")
        again = "" if kind.retry_after_s is None else f", `Retry-After: {kind.retry_after_s}`"
        again = ", `Retry-After`" if kind is TooManyRequests else again
        by = "event functions" if kind is NotAnEvent else _by(answered.get(kind, []), functions)
        yield f"| `{kind.kind}` | {kind.status}{again} | {kind.title} | {members} | {by} |"


def _by(names: list[str], functions: int) -> str:
    if not names:
        return "the way in"
    if len(names) <= FEW:
        return ", ".join(f"`{name}`" for name in names)
    return "every HTTP function" if len(names) == functions else f"{len(names)} of {functions} HTTP functions"
