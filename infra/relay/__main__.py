"""Run the relay: `python -m infra.relay`, with CARRIER_DATABASE_URL, and KAFKA_BOOTSTRAP where Kafka is the carrier."""

import os
import signal

from infra.carriers.chosen import carrier_url, outlet
from infra.health import health_server
from infra.relay.relay import Relay


def main() -> None:
    """Blocks until SIGTERM or SIGINT. HEALTH_PORT serves health and metrics."""
    relay = Relay(carrier_url(os.environ), outlet(os.environ))
    signal.signal(signal.SIGTERM, lambda *_: relay.stop())
    signal.signal(signal.SIGINT, lambda *_: relay.stop())
    port = os.environ.get("HEALTH_PORT")
    with health_server(int(port) if port else None, live=lambda: relay.live, ready=lambda: relay.ready):
        relay.run()


if __name__ == "__main__":
    main()
