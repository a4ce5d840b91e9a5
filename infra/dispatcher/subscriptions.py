"""Who reads what: read off the functions' declarations."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from infra.carriers import Consumer
from shared.runtime.declare import Declaration, OnEvent, dead_letter_topic, retry_topic
from shared.runtime.events import family


@dataclass(frozen=True, slots=True)
class Subscription:
    """`families` are the subscribed types without their versions; None takes every type."""

    consumer: Consumer
    families: frozenset[str] | None

    def wants(self, type: str) -> bool:
        """Whether the function might do more than answer 2xx: strangers and unknown versions it may refuse."""
        return self.families is None or family(type) in self.families or not type.startswith("shop.")


def subscriptions(declarations: Iterable[Declaration]) -> list[Subscription]:
    """One for each event function. A topic with `*` stands for all dead-letter topics that match, but one's own."""
    functions = [(declaration, declaration.trigger) for declaration in declarations]
    consumers = [declaration.service for declaration, trigger in functions if isinstance(trigger, OnEvent)]
    found = []
    for declaration, trigger in functions:
        if not isinstance(trigger, OnEvent):
            continue
        others = [dead_letter_topic(consumer) for consumer in consumers if consumer != declaration.service]
        topics = [topic for pattern in trigger.topics for topic in _matching(pattern, others)]
        families = frozenset(family(event.type) for event in trigger.events) if trigger.events else None
        consumer = Consumer(declaration.service, (*topics, retry_topic(declaration.service)))
        found.append(Subscription(consumer, families))
    return found


def _matching(pattern: str, topics: list[str]) -> list[str]:
    return [topic for topic in topics if fnmatchcase(topic, pattern)] if "*" in pattern else [pattern]
