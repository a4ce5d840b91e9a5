"""How this project speaks with Kafka: settings, topics, and a producer that says what became of each record."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError, TopicAlreadyExistsError

from infra.carriers import CarrierError
from shared.runtime.events import PARTITIONS, Envelope

BLOCK_MS = 3_000
DELIVERY_MS = 8_000
RECORD_BYTES = 3 * 1024 * 1024  # more than the largest event that a function takes

_SECURITY = (
    "security_protocol",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "ssl_cafile",
    "ssl_certfile",
    "ssl_keyfile",
)


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """`security` has the client's own option names, each read from its KAFKA_ variable."""

    bootstrap: str
    security: Mapping[str, str]
    replication: int = 1

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "KafkaSettings":
        security = {name: environ[f"KAFKA_{name.upper()}"] for name in _SECURITY if f"KAFKA_{name.upper()}" in environ}
        return cls(environ["KAFKA_BOOTSTRAP"], security, int(environ.get("KAFKA_REPLICATION", "1")))

    def options(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.bootstrap,
            "bootstrap_timeout_ms": BLOCK_MS,
            "reconnect_backoff_max_ms": 1_000,
            **self.security,
        }


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    partition: int
    key: str
    envelope: Envelope


def ensure_topics(settings: KafkaSettings, topics: Collection[str]) -> None:
    """Makes those that are missing and waits until all can be used, whoever made them. Raises CarrierError.

    A consumer that joins its group before the broker knows a topic's partitions is assigned none of them, until
    its metadata is next renewed.
    """
    try:
        admin = KafkaAdminClient(**settings.options(), request_timeout_ms=30_000)
        try:
            if missing := sorted(set(topics) - set(admin.list_topics())):
                shape = {
                    "num_partitions": PARTITIONS,
                    "replication_factor": settings.replication,
                    "configs": {"max.message.bytes": str(RECORD_BYTES)},
                }
                with suppress(TopicAlreadyExistsError):  # another process was quicker
                    admin.create_topics(dict.fromkeys(missing, shape), timeout_ms=30_000)
            admin.wait_for_topics(topics, timeout_ms=30_000)
        finally:
            admin.close()
    except KafkaError as error:
        raise CarrierError(f"topics: {error}") from error


class Publisher:
    """A producer that is thrown away at the first error: nothing of it may arrive after what is sent anew."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Any = None
        self._topics: set[str] = set()

    def publish(self, messages: Sequence[Message], within_s: float) -> tuple[list[bool], Exception | None]:
        """Which messages the broker acknowledged, and the first error. Raises CarrierError when there is no broker."""
        deadline = monotonic() + within_s
        producer = self._connected({message.topic for message in messages})
        futures: list[Any] = []
        error: Exception | None = None
        try:
            for message in messages:
                futures.append(self._send(producer, message))
                if monotonic() > deadline:
                    raise CarrierError("the broker is too slow")
        except (KafkaError, CarrierError) as refused:
            error = refused
        acknowledged = [False] * len(messages)
        for place, future in enumerate(futures):
            try:
                future.get(timeout=max(0.0, deadline - monotonic()))
                acknowledged[place] = True
            except KafkaError as failed:
                error = error or failed
        if error:
            self.drop()
        return acknowledged, error

    def drop(self) -> None:
        producer, self._producer = self._producer, None
        self._topics.clear()
        if producer is not None:
            # close() first waits for what is unsent, and when it gives up leaves the sender running.
            producer._sender.force_close()  # noqa: SLF001
            producer._sender.join(BLOCK_MS / 1000)  # noqa: SLF001
            with suppress(KafkaError):
                producer.close(timeout=0)

    def _send(self, producer: Any, message: Message) -> Any:
        return producer.send(
            message.topic,
            key=message.key.encode(),
            value=message.envelope.data,
            headers=message.envelope.to_kafka_headers(),
            partition=message.partition,
        )

    def _connected(self, topics: set[str]) -> Any:
        if not topics <= self._topics:
            ensure_topics(self._settings, topics)
            self._topics |= topics
        if self._producer is None:
            try:
                self._producer = KafkaProducer(
                    **self._settings.options(),
                    acks="all",
                    enable_idempotence=True,
                    # One batch per partition at a time: a later one can never overtake an earlier one that failed.
                    max_in_flight_requests_per_connection=1,
                    linger_ms=5,
                    batch_size=RECORD_BYTES,
                    max_request_size=RECORD_BYTES,
                    request_timeout_ms=BLOCK_MS,
                    max_block_ms=BLOCK_MS,
                    delivery_timeout_ms=DELIVERY_MS,
                    metrics_enabled=False,
                )
            except KafkaError as error:
                raise CarrierError(f"no broker: {error}") from error
        return self._producer
