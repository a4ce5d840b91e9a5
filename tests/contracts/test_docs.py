"""What the documentation names is there: pages, headings, make targets, settings, functions, routes, events."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import click
import pytest

from infra.cli.__main__ import cli
from infra.local.routes import NoRoute, OtherMethods, Routes
from infra.manifests import ROOT
from shared.platform.invariants import CHECKS
from shared.runtime.declare import REGISTRY, Declaration, Http
from shared.runtime.events import EVENTS, family

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
WRITTEN = [page for page in PAGES if not page.read_text().startswith("<!-- Generated")]

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETTING = re.compile(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)`")
READ = re.compile(
    r"""environ(?:\.get\(|\.setdefault\(|\[)\s*"([A-Z][A-Z0-9_]*)"|envvar="([A-Z_]+)"|^\s*"([A-Z_]+)" in environ""",
    re.MULTILINE,
)

# Read by a library or a shell script of ours, or made up of a name that the client knows.
READ_ELSEWHERE = {"PROMETHEUS_MULTIPROC_DIR", "PYTHON"} | {
    f"KAFKA_{name}"
    for name in (
        "SECURITY_PROTOCOL",
        "SASL_MECHANISM",
        "SASL_PLAIN_USERNAME",
        "SASL_PLAIN_PASSWORD",
        "SSL_CAFILE",
        "SSL_CERTFILE",
        "SSL_KEYFILE",
    )
}


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> Iterator[str]:
    for language, code in BLOCK.findall(page.read_text()):
        if language in languages:
            yield code


def anchors(page: Path) -> set[str]:
    """As they are made of headings: small letters, no punctuation, dashes for spaces."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    missing = []
    for link in LINK.findall(BLOCK.sub("", page.read_text())):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (page.parent / parts.path).resolve() if parts.path else page
        if not target.exists() or (parts.fragment and parts.fragment not in anchors(target)):
            missing.append(link)
    assert not missing


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / urlsplit(link).path).resolve() for link in LINK.findall(index.read_text())}
    assert [named(page) for page in PAGES if "docs" in page.parts and page != index and page not in listed] == []


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = {
        (named(page), target)
        for page in WRITTEN
        for target in re.findall(r"(?:`|^|\\\n|[A-Z0-9_]=\S+ )make (?:-s )?([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert told
    assert {(page, target) for page, target in told if target not in targets} == set()


def settings_read() -> set[str]:
    files = [*ROOT.glob("shared/**/*.py"), *ROOT.glob("infra/**/*.py")]
    return {name for file in files for found in READ.findall(file.read_text()) for name in found if name}


def test_documented_settings_are_read() -> None:
    told = set(SETTING.findall((ROOT / "docs" / "reference" / "settings.md").read_text()))
    assert told - settings_read() - READ_ELSEWHERE - {"JSON", "LISTEN"} == set()


def test_settings_of_the_runtime_and_its_carriers_are_documented() -> None:
    told = set(SETTING.findall((ROOT / "docs" / "reference" / "settings.md").read_text()))
    files = [ROOT / "shared/runtime/settings.py", *ROOT.glob("infra/*/__main__.py"), *ROOT.glob("infra/carriers/*.py")]
    files = [file for file in files if "manifests" not in file.parts]
    files += [ROOT / "infra/provider/server.py", ROOT / "infra/local/supervisor.py", ROOT / "infra/local/paths.py"]
    read = {name for file in files for found in READ.findall(file.read_text()) for name in found if name}
    assert read - told == set()


def test_functions_exist(declarations: list[Declaration]) -> None:
    known = {declaration.name for declaration in declarations}
    for page in WRITTEN:
        text = page.read_text()
        told = re.findall(r"(?:[Ff]unction|timer)\s+`([a-z_]+)`|--target ([a-z_]+) --asgi|`fn_([a-z_]+)`", text)
        own = {"list_scarce_stock"} if "make new" in text else set()
        assert {name for found in told for name in found if name} - known - own == set(), named(page)


def test_event_types_exist(declarations: list[Declaration]) -> None:
    assert declarations
    for page in PAGES:
        told = set(re.findall(r"\bshop(?:\.[a-z_]+)+\.v\d+\b", page.read_text()))
        assert told - EVENTS.keys() == set(), named(page)
        assert all(family(type) for type in told)


def requests(page: Path) -> Iterator[tuple[str, str]]:
    """Methods and paths of the shop that the page's commands call."""
    for code in blocks(page, "sh"):
        for line in code.replace("\\\n", " ").splitlines():
            if not line.startswith("curl ") or "127.0.0.1:80" not in line:
                continue
            words = shlex.split(line)
            (url,) = (word for word in words if word.startswith("http://127.0.0.1:80"))
            method = words[words.index("-X") + 1] if "-X" in words else "POST" if "-d" in words else "GET"
            yield method, urlsplit(url).path


def test_routes_exist(declarations: list[Declaration]) -> None:
    routes: Routes[str] = Routes()
    for declaration in declarations:
        if isinstance(declaration.trigger, Http):
            routes.add(declaration.trigger.method, declaration.trigger.path, declaration.name)
    wrong = []
    for page in WRITTEN:
        for method, path in requests(page):
            try:
                routes.find(method, path)
            except (NoRoute, OtherMethods):
                if path not in ("/health/ready", "/metrics", "/v1/scarce-stock"):
                    wrong.append((named(page), method, path))
    assert wrong == []


def test_commands_exist() -> None:
    wrong = []
    for page in WRITTEN:
        for words in re.findall(r"(?:infra/cli/|`)kn-shop ([a-z-]+(?: [a-z-]+)?)", page.read_text()):
            noun, *verb = words.split()
            command = cli.commands.get(noun)
            if command is None or (isinstance(command, click.Group) and verb and verb[0] not in command.commands):
                wrong.append((named(page), words))
    assert wrong == []


def test_invariants_exist() -> None:
    known = {check.name for check in CHECKS} | {"payments_equal_provider"}
    runbooks = [page.read_text() for page in (ROOT / "docs" / "runbooks").glob("*.md")]
    told = {
        name
        for text in runbooks
        for name in re.findall(r"(?:violations of|under|and|,) `([a-z_]+)`(?: has| finds|\.|,)", text)
        if name.count("_") > 1
    }
    assert told
    assert told - known == set()


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs/explanation/saga.md"], ids=named)
def test_quoted_code_is_our_own(page: Path) -> None:
    sources = [*ROOT.glob("functions/*/*.py"), *ROOT.glob("shared/**/*.py")]
    for code in blocks(page, "python"):
        quoted = [line for line in code.splitlines() if line.strip()]
        assert any(all(line in file.read_text().splitlines() for line in quoted) for file in sources), code


def test_the_tutorials_function_can_be_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    code, _its_test = blocks(ROOT / "docs" / "tutorials" / "a-new-function.md", "python")
    module = ModuleType("functions.inventory.list_scarce_stock")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    try:
        exec(code, module.__dict__)  # noqa: S102 - the tutorial's own text
        assert REGISTRY["list_scarce_stock"].reads
    finally:
        REGISTRY.pop("list_scarce_stock", None)
