"""Which carrier a process uses: Kafka where KAFKA_BOOTSTRAP names a broker, else the database."""

from collections.abc import Mapping

from infra.carriers import Outlet, Source
from infra.carriers.embedded import EmbeddedOutlet, EmbeddedSource


def carrier_url(environ: Mapping[str, str]) -> str:
    """The login that moves events: CARRIER_DATABASE_URL, by default DATABASE_URL."""
    return environ.get("CARRIER_DATABASE_URL") or environ["DATABASE_URL"]


def outlet(environ: Mapping[str, str]) -> Outlet:
    if "KAFKA_BOOTSTRAP" in environ:
        from infra.carriers.kafka import KafkaOutlet  # imported late: the client is 20 MB that one machine does without
        from infra.carriers.kafka_client import KafkaSettings

        return KafkaOutlet(KafkaSettings.from_environment(environ))
    return EmbeddedOutlet()


def source(environ: Mapping[str, str]) -> Source:
    if "KAFKA_BOOTSTRAP" in environ:
        from infra.carriers.kafka import KafkaSource
        from infra.carriers.kafka_client import KafkaSettings

        return KafkaSource(KafkaSettings.from_environment(environ))
    return EmbeddedSource(carrier_url(environ))
