"""Everything that a deployment must know, generated from what the functions declare.

A generator gives files as {path: text}; the directories in OWNED hold generated files only.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from shared.runtime.declare import Declaration

ROOT = Path(__file__).parents[2]

OWNED = (
    "knative/shop/ksvc",
    "knative/routes",
    "knative/eventtypes",
    "triggers",
    "docs/reference/schemas",
    "infra/observability/prometheus",
    "infra/observability/grafana",
)

Files = dict[str, str]
Generator = Callable[[list[Declaration]], Files]


def headed(text: str, comment: str, generated_from: str) -> str:
    """`text` under a line that says what it is made of."""
    return f"{comment} Generated from {generated_from} by `python -m infra.manifests generate`.\n{text}"


def by_name(declarations: Iterable[Declaration]) -> list[Declaration]:
    return sorted(declarations, key=lambda declaration: declaration.name)
