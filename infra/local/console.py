"""The first page of a running shop: its functions by domain, and the ways in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.runtime.declare import Declaration, Http, OnEvent, Timer

TEMPLATES = Path(__file__).parent / "templates"
DOMAINS = ("catalog", "inventory", "orders", "payments", "platform")


@dataclass(frozen=True, slots=True)
class Row:
    """One function. `trigger` is its method, or what else starts it; `target` the path, types or schedule."""

    service: str
    summary: str
    trigger: str
    targets: tuple[str, ...]
    roles: tuple[str, ...]


def console(declarations: dict[str, Declaration], url: str) -> bytes:
    """The page as HTML; `url` is where the shop is reached."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("console.html").render(domains=dict(_by_domain(declarations)), url=url)
    return page.encode()


def _by_domain(declarations: dict[str, Declaration]) -> Iterator[tuple[str, list[Row]]]:
    known = {declaration.domain for declaration in declarations.values()}
    for domain in (*DOMAINS, *sorted(known - set(DOMAINS))):
        of_domain = [declaration for declaration in declarations.values() if declaration.domain == domain]
        if rows := [_row(declaration) for declaration in of_domain]:
            yield domain, sorted(rows, key=lambda row: (row.trigger in ("event", "timer"), row.targets))


def _row(declaration: Declaration) -> Row:
    match declaration.trigger:
        case Http(method=method, path=path, roles=roles):
            return Row(declaration.service, declaration.summary, method, (path,), roles)
        case OnEvent(events=events, topics=topics):
            types = tuple(event.type for event in events) or topics
            return Row(declaration.service, declaration.summary, "event", types, ())
        case Timer(schedule=schedule):
            return Row(declaration.service, declaration.summary, "timer", (schedule,), ())
