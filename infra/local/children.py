"""Child processes forked from one parent that has imported everything already, so that they share its memory."""

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from infra.local.processes import end_with_parent

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
STEADY_S = 30.0
"""A child that lived this long is started again at once when it ends."""


@dataclass
class Child:
    """One process and what it runs; `environment` is added to the parent's, output goes to `log`."""

    name: str
    run: Callable[[], None]
    environment: Mapping[str, str]
    log: Path
    pid: int | None = field(default=None, init=False)
    _started: float = field(default=0.0, init=False)
    _failures: int = field(default=0, init=False)
    _due: float = field(default=0.0, init=False)

    def start(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self._started = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            self._live(parent)

    def due(self) -> bool:
        return self.pid is None and time.monotonic() >= self._due

    def ended(self) -> None:
        """Notes the end and sets the time of the next start."""
        self.pid = None
        steady = time.monotonic() - self._started > STEADY_S
        self._failures = 0 if steady else self._failures + 1
        pause = min(FIRST_PAUSE_S * 2 ** (self._failures - 1), LONGEST_PAUSE_S) if self._failures else 0.0
        self._due = time.monotonic() + pause

    def signal(self, sign: signal.Signals) -> None:
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sign)

    def log_end(self, lines: int = 8) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _live(self, parent: int) -> NoReturn:
        """The child's whole life: it never returns into the parent's code."""
        status = 1
        try:
            for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(sign, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            # Ctrl-C in the terminal reaches the parent alone, which then ends the children in order.
            os.setsid()
            end_with_parent(parent, signal.SIGKILL)
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((nothing, 0), (output, 1), (output, 2)):
                os.dup2(source, target)
            os.environ.update(self.environment)
            self.run()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except KeyboardInterrupt:
            status = 130
        except BaseException:  # noqa: BLE001 (this is the outermost frame of a process)
            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)


def share_memory() -> None:
    """Call before the first fork: garbage collection would write to every object's page and so unshare it."""
    gc.collect()
    gc.freeze()


def reap(children: list[Child]) -> list[tuple[Child, int]]:
    """The children that have ended since the last call, with their exit status (negative: by a signal)."""
    found = []
    for child in children:
        if child.pid is None:
            continue
        try:
            pid, status = os.waitpid(child.pid, os.WNOHANG)
        except ChildProcessError:
            pid, status = child.pid, 0
        if pid:
            child.ended()
            found.append((child, os.waitstatus_to_exitcode(status)))
    return found


def stop(children: list[Child], patience_s: float = 6.0) -> None:
    """Asks all to end, then ends those that did not."""
    for sign, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 2.0)):
        for child in children:
            child.signal(sign)
        deadline = time.monotonic() + wait_s
        while any(child.pid for child in children) and time.monotonic() < deadline:
            reap(children)
            time.sleep(0.02)
