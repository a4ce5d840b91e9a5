"""Finds what serves a method and a path among templates such as /v1/orders/{order_id}/timeline."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Target = TypeVar("Target")


class NoRoute(LookupError):
    """Nothing is at the path."""


class OtherMethods(LookupError):
    """The path is there, but takes other methods only."""

    def __init__(self, allowed: list[str]) -> None:
        super().__init__(", ".join(allowed))
        self.allowed = allowed


@dataclass(slots=True)
class _Node(Generic[Target]):
    named: "dict[str, _Node[Target]]" = field(default_factory=dict)
    any: "_Node[Target] | None" = None
    targets: dict[str, Target] = field(default_factory=dict)


class Routes(Generic[Target]):
    """A tree of path segments. A literal segment goes before a parameter, where it takes the method at all."""

    def __init__(self) -> None:
        self._root: _Node[Target] = _Node()

    def add(self, method: str, template: str, target: Target) -> None:
        """Raises ValueError where two templates cannot be told apart."""
        node = self._root
        for segment in template.split("/"):
            if segment.startswith("{"):
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.named.setdefault(segment, _Node())
        if node.targets.setdefault(method, target) is not target:
            raise ValueError(f"two functions serve {method} {template}")

    def find(self, method: str, path: str) -> Target:
        """Raises NoRoute or OtherMethods. HEAD finds what serves GET."""
        allowed: set[str] = set()
        for targets in _matches(self._root, path.split("/"), 0):
            found = targets.get(method) or (targets.get("GET") if method == "HEAD" else None)
            if found is not None:
                return found
            allowed |= targets.keys()
        if allowed:
            raise OtherMethods(sorted(allowed))
        raise NoRoute(path)


def _matches(node: _Node[Target], segments: list[str], at: int) -> Iterator[dict[str, Target]]:
    if at == len(segments):
        if node.targets:
            yield node.targets
        return
    segment = segments[at]
    if segment in node.named:
        yield from _matches(node.named[segment], segments, at + 1)
    if node.any is not None and segment:
        yield from _matches(node.any, segments, at + 1)
