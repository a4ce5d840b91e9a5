"""What a cold start has to load: little beyond the libraries that every function stands on."""

import json
import subprocess
import sys
from resource import RUSAGE_CHILDREN, getrusage

import pytest

from infra.manifests import ROOT

OURS = ("shared", "functions", "main")
SHARE = 1.25
"""What a function's import may cost at most, of the import of its libraries alone."""
ROUNDS = 15
ONLY_WHERE_USED = {
    "aiohttp", "aiosmtplib", "cronsim", "cryptography", "cffi", "google.protobuf", "infra", "jinja2", "jwt", "kafka",
    "opentelemetry", "rapidfuzz", "requests", "urllib3", "yaml",
}  # fmt: skip


def python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def cpu_s(program: str) -> float:
    """User and system time of a process that runs it."""
    before = getrusage(RUSAGE_CHILDREN)
    python(program)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("name", ["get_product", "place_order", "count_sales"])
def test_a_functions_import_is_hardly_more_than_its_libraries(name: str) -> None:
    """By the least of repeated runs, since whatever else the machine does only adds to one."""
    function = f"import main; main.{name}"
    loaded = json.loads(python(f"{function}\nimport json, sys; print(json.dumps(list(sys.modules)))"))
    theirs = [module for module in loaded if module.partition(".")[0] not in (*OURS, "__main__")]
    libraries = (
        "from contextlib import suppress\nfrom importlib import import_module\n"
        f"for module in {theirs!r}:\n    with suppress(ImportError):\n        import_module(module)\n"
    )
    function_s = libraries_s = float("inf")
    for _ in range(ROUNDS):
        function_s, libraries_s = min(function_s, cpu_s(function)), min(libraries_s, cpu_s(libraries))
        if function_s <= SHARE * libraries_s:
            return
    pytest.fail(f"{function_s:.3f} s, of which libraries {libraries_s:.3f} s")


def test_a_library_is_loaded_only_where_it_is_used() -> None:
    loaded = json.loads(
        python("import json, sys, main\nfrom functions import load_all\nload_all()\nprint(json.dumps([*sys.modules]))")
    )

    assert {f"functions.{path.parent.name}.{path.stem}" for path in ROOT.glob("functions/*/[!_]*.py")} <= {*loaded}
    assert ONLY_WHERE_USED.intersection(loaded) == set()
