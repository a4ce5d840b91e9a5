"""Scaffold a use case with its test: `python -m infra.local.new DOMAIN NAME`, NAME as verb_object."""

import keyword
import re
import sys
from pathlib import Path

from infra.local.paths import CHECKOUT

FUNCTION = '''"""Say in one sentence what this does and for whom."""

from shared.runtime import Request, View, Work, http


class {camel}(Request):
    name: str


class {camel}Answer(View):
    greeting: str


@http("POST /v1/{dashed}", role="admin")
async def {name}(request: {camel}, work: Work) -> {camel}Answer:
    return {camel}Answer(greeting=f"Hello {{request.name}}")
'''

TEST = """from functions.{domain}.{name} import {camel}, {camel}Answer, {name}
from tests.conftest import Run


async def test_it_greets_by_name(run: Run) -> None:
    answer, emitted = await run({name}, {camel}(name="Ada"))

    assert answer == {camel}Answer(greeting="Hello Ada")
    assert emitted == []
"""


class Refused(Exception):
    """Says what is wrong with the names asked for."""


def scaffold(root: Path, domain: str, name: str) -> list[Path]:
    """Writes the function and its test and gives their paths. Raises Refused."""
    domains = sorted(path.parent.name for path in (root / "functions").glob("*/__init__.py"))
    if domain not in domains:
        raise Refused(f"DOMAIN must be one of {', '.join(domains)}.")
    if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", name) or keyword.iskeyword(name):
        raise Refused("NAME must be a verb and an object in snake case, such as place_order.")
    if taken := list((root / "functions").glob(f"*/{name}.py")):
        raise Refused(f"{taken[0].relative_to(root)} exists already.")
    words = {
        "domain": domain,
        "name": name,
        "dashed": name.replace("_", "-"),
        "camel": "".join(part.capitalize() for part in name.split("_")),
    }
    files = {
        root / "functions" / domain / f"{name}.py": FUNCTION,
        root / "tests" / "functions" / domain / f"test_{name}.py": TEST,
    }
    for path, template in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(template.format(**words))
    return list(files)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or not all(arguments):
        print("Say which: make new DOMAIN=orders NAME=gift_wrap_order", file=sys.stderr)
        return 2
    try:
        written = scaffold(CHECKOUT, *arguments)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    for path in written:
        print(f"wrote {path.relative_to(CHECKOUT)}")
    print("Next: shape the declaration, then `make generate` for its grants and manifests, and `make test`.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
