"""Where the shop keeps its state on one machine: outside the checkout, one directory per checkout and port."""

import hashlib
import os
import pwd
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - only what belongs to this user is used there
MEMORY_NEEDED = 2 << 30
"""Bytes that must be free there."""

CHECKOUT = Path(__file__).resolve().parents[2]


def home() -> Path:
    """KN_SHOP_HOME, else the place that is usual for this user."""
    if chosen := os.environ.get("KN_SHOP_HOME"):
        return Path(chosen).expanduser().resolve()
    if os.geteuid() == 0:
        return Path("/var/lib/kn-shop")
    data = os.environ.get("XDG_DATA_HOME") or Path(pwd.getpwuid(os.geteuid()).pw_dir, ".local", "share")
    return Path(data) / "kn-shop"


def state(name: str | int) -> Path:
    """The directory of one shop; `name` is its port, or what else sets it apart."""
    digest = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]
    return home() / f"{CHECKOUT.name}-{digest}-{name}"


def volatile(name: str) -> Path:
    """The directory of what need not outlive the machine: in memory where there is room for it, else beside the state.

    Tests make and delete thousands of files, which costs disks more than the tests themselves.
    """
    kept = state(name)
    place = hashlib.sha256(str(kept).encode()).hexdigest()[:16]
    ours = MEMORY / f"kn-shop-{os.geteuid()}"
    try:
        fits = shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED and MEMORY.is_mount()
        ours_alone = not ours.exists() or ours.stat().st_uid == os.geteuid()
    except OSError:
        return kept
    return ours / place if fits and ours_alone and os.access(MEMORY, os.W_OK) else kept


def make(directory: Path) -> Path:
    """Makes the directory with its parents, which stay open to passing through and closed to listing by others."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(0o711)
    return directory


def write_secret(path: Path, content: bytes) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    new.replace(path)
