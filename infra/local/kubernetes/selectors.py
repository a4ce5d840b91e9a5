"""Label and field selectors, as lists of the Kubernetes API take them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Chooses = Callable[[Mapping[str, Any]], bool]

_requirement = re.compile(
    r"\s*(?:(!)\s*)?([\w./-]+)\s*(?:(==|=|!=|\bin\b|\bnotin\b)\s*(\([^()]*\)|[\w.-]*))?\s*"
).fullmatch
_between = re.compile(r",(?![^(]*\))").split
LONGEST = 2048
"""Characters; matching takes longer than its text grows."""
FIELDS = ("metadata.name", "metadata.namespace")


class NoSelector(ValueError):
    """The text is no selector; says why."""


def by_labels(text: str) -> Chooses:
    """`a=b,c!=d,e in (f,g),h notin (i),j,!k`. Raises NoSelector."""
    checks = [_label(part) for part in _between(_short(text))] if text.strip() else []

    def chooses(found: Mapping[str, Any]) -> bool:
        labels = found["metadata"].get("labels", {})
        return all(check(labels) for check in checks)

    return chooses


def _label(text: str) -> Callable[[Mapping[str, str]], bool]:
    parts = _requirement(text)
    if parts is None:
        raise NoSelector(f"no label selector: {text!r}")
    absent, key, operator, operand = parts.groups()
    listed = operand is not None and operand.startswith("(")
    if (absent and operator) or (operator in ("in", "notin")) != listed:
        raise NoSelector(f"no label selector: {text!r}")
    if operator is None:
        return lambda labels: (key in labels) != bool(absent)
    values = {value.strip() for value in operand.strip("()").split(",")}
    if operator in ("!=", "notin"):
        return lambda labels: labels.get(key) not in values
    return lambda labels: labels.get(key) in values


def _short(text: str) -> str:
    if len(text) > LONGEST:
        raise NoSelector(f"a selector has at most {LONGEST} characters")
    return text


def by_fields(text: str) -> Chooses:
    """`metadata.name=place-order`. Raises NoSelector for other fields than name and namespace."""
    checks = [_field(part) for part in _short(text).split(",")] if text.strip() else []
    return lambda found: all(check(found) for check in checks)


def _field(text: str) -> Chooses:
    parts = re.fullmatch(r"\s*([\w.]+?)\s*(!=|==|=)\s*([\w.-]*)\s*", text)
    if parts is None or parts[1] not in FIELDS:
        raise NoSelector(f"only {' and '.join(FIELDS)} can be selected by, not {text!r}")
    field, wanted, equal = parts[1].removeprefix("metadata."), parts[3], parts[2] != "!="
    return lambda found: (found["metadata"].get(field, "") == wanted) == equal
