"""Starts the whole shop, keeps it running, and ends it: Postgres, the provider, the web, the dispatcher, the relay."""

import fcntl
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from types import FrameType
from typing import IO

import psycopg
from psycopg import sql

from infra.local import banner, children, demo_shop, logins, paths
from infra.local.children import Child
from infra.local.client import Client, Refused
from infra.local.embedded import Embedded, PostgresFailed
from infra.local.issuer import Issuer
from infra.local.processes import wait_until
from infra.postgres.migrate import MigrationFailed, migrate

DATABASE = "shop"
AUDIENCE = "kn-shop"
READY_WITHIN_S = 120.0


class CannotStart(Exception):
    """Says why, and what helps."""


class _Stop(BaseException):
    """A signal asked for the end."""


@dataclass(frozen=True, slots=True)
class Options:
    """`database_url` is an owner's login, empty for the embedded Postgres; `kafka` a broker's address, or `own`."""

    port: int
    host: str
    workers: int
    database_url: str
    kafka: str

    @classmethod
    def from_environment(cls) -> "Options":
        try:
            port, workers = int(os.environ.get("PORT") or 8080), int(os.environ.get("WORKERS") or 1)
        except ValueError:
            raise CannotStart("PORT and WORKERS must be numbers.") from None
        if not (0 < port < 65536 and 0 < workers <= 64):
            raise CannotStart("PORT must lie between 1 and 65535, WORKERS between 1 and 64.")
        database_url = os.environ.get("DATABASE_URL", "")
        if database_url and not database_url.startswith(("postgresql://", "postgres://")):
            raise CannotStart("DATABASE_URL must have the form postgresql://owner:password@host:port/database")
        own = "own" if os.environ.get("BROKER", "").lower() == "kafka" else ""
        host = os.environ.get("HOST") or "127.0.0.1"
        return cls(
            port,
            host,
            workers,
            database_url,
            os.environ.get("KAFKA_BROKERS") or os.environ.get("KAFKA_BOOTSTRAP") or own,
        )

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host  # noqa: S104 (asked for, not chosen)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Urls:
    owner: str
    app: str
    relay: str


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Keeps a second shop off the directory. Raises CannotStart when one runs already."""
    with (paths.make(directory) / "lock").open("a") as lock:
        if not _lock(lock):
            raise CannotStart(
                "This shop is running already. End it with Ctrl-C, or take another port: make run PORT=8081"
            )
        yield


def _lock(lock: IO[str]) -> bool:
    # A supervisor that was killed may leave its children the blink of an eye.
    def taken() -> bool:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    return wait_until(taken, timeout_s=1.0)


def run(options: Options) -> None:
    """The shop until Ctrl-C or SIGTERM. Raises CannotStart."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, _on_signal)
    directory = paths.state(options.port)
    with held(directory):
        supervisor = Supervisor(options, directory)
        try:
            supervisor.start()
            supervisor.watch()
        except _Stop:
            print("\nEnding the shop ...", flush=True)
        finally:
            for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(sign, signal.SIG_IGN)
            supervisor.stop()


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    raise _Stop


class Supervisor:
    def __init__(self, options: Options, directory: Path) -> None:
        self._options = options
        self._directory = directory
        self._postgres: Embedded | None = None
        self._children: list[Child] = []
        self._broker_stack = ExitStack()

    def start(self) -> None:
        """Returns when everything answers and the demo shop is on sale. Raises CannotStart."""
        began = time.monotonic()
        options = self._options
        listener = _listen(options)
        urls = self._database()
        issuer = Issuer.of(self._directory / "issuer.pem", options.url, AUDIENCE)
        self._prepare_environment(urls)
        self._children = self._all_children(listener, issuer)
        children.share_memory()
        for child in self._children:
            child.start()
        self._await_ready()
        client = Client(options.url, issuer.token("demo-admin", "admin"))
        try:
            demo_shop.load(client)
        except (Refused, OSError, HTTPException) as error:
            print(f"The demo shop is not on sale: {error}", file=sys.stderr)
        print(banner.text(options.url, issuer, self._directory, time.monotonic() - began), flush=True)

    def watch(self) -> None:
        """Starts again what ends."""
        while True:
            for child, status in children.reap(self._children):
                print(f"{child.name} ended ({status}) and is started again; its last lines:", file=sys.stderr)
                print(child.log_end(), file=sys.stderr, flush=True)
            for child in self._children:
                if child.due():
                    child.start()
            if self._postgres is not None and not self._postgres.running():
                print("Postgres ended and is started again.", file=sys.stderr, flush=True)
                self._postgres.start()
            time.sleep(0.2)

    def stop(self) -> None:
        children.stop(self._children)
        self._broker_stack.close()
        if self._postgres is not None:
            self._postgres.stop()

    def _database(self) -> Urls:
        """The database, migrated, and its logins. Raises CannotStart."""
        try:
            if not (url := self._options.database_url):
                url = self._embedded()
            secrets = logins.passwords(self._directory / "passwords.json") if self._options.database_url else None
            logins.ensure(url, secrets)
            migrate(url)
        except PostgresFailed as error:
            raise CannotStart(str(error)) from error
        except MigrationFailed as error:
            raise CannotStart(f"The database was not migrated: {error}") from error
        except psycopg.Error as error:
            raise CannotStart(f"The database refused: {error}") from error
        password = secrets or {}
        app, relay = (logins.url_as(url, login, password.get(login)) for login in logins.LOGINS)
        return Urls(url, app, relay)

    def _embedded(self) -> str:
        self._postgres = Embedded(self._directory)
        self._postgres.start()
        with psycopg.connect(self._postgres.url("postgres"), autocommit=True) as connection:
            if not connection.execute("select from pg_database where datname = %s", (DATABASE,)).fetchall():
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
        return self._postgres.url(DATABASE)

    def _prepare_environment(self, urls: Urls) -> None:
        """What every child reads. The owner's login is not among it."""
        from infra.local.kubernetes import PREFIX

        metrics = self._directory / "metrics"
        shutil.rmtree(metrics, ignore_errors=True)
        metrics.mkdir()
        options = self._options
        os.environ.update(
            DATABASE_URL=urls.app,
            CARRIER_DATABASE_URL=urls.relay,
            JWKS_URL=f"{options.url}/.well-known/jwks.json",
            JWT_ISSUER=options.url,
            JWT_AUDIENCE=AUDIENCE,
            PORT=str(options.port),
            KUBERNETES_URL=f"{options.url}{PREFIX}",
            PROMETHEUS_MULTIPROC_DIR=str(metrics),
            LOG_LEVEL=os.environ.get("LOG_LEVEL", "warning"),
        )
        os.environ.setdefault("PROVIDER_URL", f"http://127.0.0.1:{_free_port()}")
        os.environ.setdefault("PROVIDER_WEBHOOK_SECRET", logins.webhook_secret(self._directory / "webhooks.json"))
        if brokers := self._broker():
            os.environ["KAFKA_BOOTSTRAP"] = brokers
        else:
            os.environ.pop("KAFKA_BOOTSTRAP", None)

    def _broker(self) -> str:
        """The Kafka broker's address, started when it is to be our own; empty for the embedded carrier."""
        if self._options.kafka != "own":
            return self._options.kafka
        from infra.kafka.broker import BrokerError, start  # what only this carrier needs is not imported for the other

        directory = self._directory / "kafka"
        # Ports are free ones of today; the log is taken up where it was.
        (directory / "server.properties").unlink(missing_ok=True)
        try:
            return self._broker_stack.enter_context(start(directory)).bootstrap
        except (BrokerError, OSError) as error:
            raise CannotStart(f"Kafka did not start (its parts are fetched at the first time): {error}") from error

    def _all_children(self, listener: socket.socket, issuer: Issuer) -> list[Child]:
        # Imported when the environment is set: the metrics' files are chosen at import.
        import functions
        from infra.dispatcher.__main__ import main as dispatch
        from infra.local.kubernetes import kubeconfig
        from infra.local.kubernetes.objects import Machine
        from infra.local.web import main as web
        from infra.provider import main as provider
        from infra.relay.__main__ import main as relay

        declarations = functions.load_all()
        log = self._directory / "log"
        log.mkdir(exist_ok=True)
        for old in log.glob("*.log"):
            if old.name != "postgres.log":
                old.unlink()

        dispatcher_port, relay_port = str(_free_port()), str(_free_port())
        dispatcher = f"http://127.0.0.1:{dispatcher_port}"
        machine = Machine(self._options.url, datetime.now(UTC), self._options.workers, dispatcher)
        kubeconfig.write(self._directory, self._options.url)

        def serve() -> None:
            web(declarations, listener, issuer, machine)

        def child(name: str, target: Callable[[], None], **environment: str) -> Child:
            def without_port() -> None:
                listener.close()
                target()

            return Child(name, target if target is serve else without_port, environment, log / f"{name}.log")

        books = {
            "PROVIDER_BOOKS": str(self._directory / "provider.sqlite"),
            "PROVIDER_WEBHOOK_URL": f"{self._options.url}/v1/provider-webhooks",
        }
        provider_port = os.environ["PROVIDER_URL"].rpartition(":")[2]
        names = ["web"] if self._options.workers == 1 else [f"web-{n + 1}" for n in range(self._options.workers)]
        return [
            child("provider", provider, PORT=provider_port, HOST="127.0.0.1", **books),
            *(child(name, serve) for name in names),
            child("dispatch", dispatch, HEALTH_PORT=dispatcher_port),
            child("relay", relay, HEALTH_PORT=relay_port),
        ]

    def _await_ready(self) -> None:
        checks = {"web": self._options.url, "provider": os.environ["PROVIDER_URL"]}
        for child in self._children:
            if port := child.environment.get("HEALTH_PORT"):
                checks[child.name] = f"http://127.0.0.1:{port}"
        waiting = {name: Client(url, timeout_s=3.0) for name, url in checks.items()}

        def all_ready() -> bool:
            for child, status in children.reap(self._children):
                raise CannotStart(f"{child.name} ended at its start ({status}):\n{child.log_end(30)}")
            for name in [name for name, client in waiting.items() if client.status("/health/ready") == 200]:
                del waiting[name]
            return not waiting

        if not wait_until(all_ready, READY_WITHIN_S):
            raise CannotStart(
                f"Not ready after {READY_WITHIN_S:.0f} s: {', '.join(waiting)}. Logs: {self._directory}/log"
            )


def _listen(options: Options) -> socket.socket:
    """The port, taken before anything is started; its workers share it. Raises CannotStart."""
    listener = socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"Port {options.port} on {options.host} cannot be had ({error.strerror}). Take another: make run PORT=8081"
        ) from None
    listener.listen(1024)
    listener.setblocking(False)
    return listener


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def reset(options: Options) -> None:
    """Forgets everything that the shop on this port knows. Raises CannotStart while it runs."""
    directory = paths.state(options.port)
    if not directory.exists():
        print(f"Nothing to forget: no shop has run on port {options.port}.")
        return
    with held(directory):
        with suppress(PostgresFailed):
            Embedded(directory).wipe()
        shutil.rmtree(directory)
    print(f"The shop on port {options.port} starts afresh next time.")
