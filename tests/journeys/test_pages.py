"""The pages of a running shop, as a real browser shows them."""

import json
from pathlib import Path

import pytest

from functions import load_all
from infra.manifests import ROOT
from tests.journeys.browser import shown
from tests.processes import EMBEDDED, Shop

pytestmark = [pytest.mark.tools("browser"), pytest.mark.parametrize("shop", [EMBEDDED], indirect=True)]


async def test_the_console_lists_every_function(shop: Shop, tmp_path: Path) -> None:
    functions = [declaration.service for declaration in load_all().values()]
    page = await shown(f"{shop.url}/", tmp_path, lambda page: all(name in page for name in functions))

    assert [name for name in functions if name not in page] == []


async def test_the_documentation_shows_every_route(shop: Shop, tmp_path: Path) -> None:
    routes = json.loads((ROOT / "docs/reference/openapi.json").read_text())["paths"]

    def plain(page: str) -> str:
        """Without the places where a browser may break a long path."""
        return page.replace("\u200b", "").replace("<wbr>", "")

    page = plain(await shown(f"{shop.url}/docs", tmp_path, lambda page: all(path in plain(page) for path in routes)))

    assert "Unable to render" not in page
    assert "Warning" not in page
    assert [path for path in routes if path not in page] == []
