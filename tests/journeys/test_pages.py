"""The pages of a running shop, as a real browser shows them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.processes import EMBEDDED, Shop

pytestmark = pytest.mark.parametrize("shop", [EMBEDDED], indirect=True)

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def shown(url: str, profile: Path) -> str:
    """The page's document after its scripts have run."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
    options = [*QUIET, f"--user-data-dir={profile}", "--virtual-time-budget=8000", "--dump-dom", url]
    return subprocess.run([browser, *options], capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.tools("browser")
def test_the_console_lists_every_function(shop: Shop, tmp_path: Path) -> None:
    page = shown(f"{shop.url}/", tmp_path)

    for function in Path("functions").glob("*/[!_]*.py"):
        assert function.stem.replace("_", "-") in page


@pytest.mark.tools("browser")
def test_the_documentation_shows_every_route(shop: Shop, tmp_path: Path) -> None:
    page = shown(f"{shop.url}/docs", tmp_path)

    assert "Unable to render" not in page
    for path in ("/v1/orders", "/v1/products", "/v1/admin/returns"):
        assert path in page.replace("\u200b", "").replace("<wbr>", "")
