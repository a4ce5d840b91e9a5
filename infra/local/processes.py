"""Processes that end with the one that started them, even when that one is killed."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(parent: int, sign: signal.Signals) -> None:
    """Called in the child: `sign` will come when `parent` dies. Elsewhere than on Linux nothing happens."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(sign))
        if os.getppid() != parent:  # it died before the call above
            os.kill(os.getpid(), sign)


def alive(pid: int, command: str = "") -> bool:
    """Whether the process runs and, where that can be seen, has `command` in its command line."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    if command and Path("/proc/self/cmdline").exists():
        try:
            return command.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
    return True


def wait_until(done: Callable[[], bool], timeout_s: float, every_s: float = 0.05) -> bool:
    """Whether `done` came true in time."""
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True
