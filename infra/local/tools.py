"""Which tools beyond Python this machine has: `python -m infra.local.tools TOOL...` fails where one is lacking."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Tool:
    """`how` tells a developer how to come by it."""

    there: Callable[[], bool]
    what: str
    how: str


def _on_path(*names: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(name) for name in names)


def _cluster() -> bool:
    if not shutil.which("kubectl"):
        return False
    asked = ["kubectl", "get", "crd", "services.serving.knative.dev", "--request-timeout=5s"]
    return subprocess.run(asked, capture_output=True, timeout=20, check=False).returncode == 0


TOOLS = {
    "browser": Tool(_on_path(*BROWSERS), "Chromium or Chrome, for the web pages", "Debian: apt-get install chromium"),
    "promtool": Tool(_on_path("promtool"), "Prometheus' rule checker", "Debian: apt-get install prometheus"),
    "actionlint": Tool(
        _on_path("actionlint"),
        "the checker of GitHub's workflows",
        "go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7",
    ),
    "kn": Tool(_on_path("kn"), "Knative's command line", "Put the kn of a Knative client release on PATH"),
    "cluster": Tool(_cluster, "a Kubernetes cluster with Knative", "Point kubectl at a cluster with Knative installed"),
}


def main(names: list[str]) -> int:
    """With `--there`, prints those that are there; else says what is lacking."""
    if names[:1] == ["--there"]:
        print(" ".join(name for name, tool in TOOLS.items() if tool.there()))
        return 0
    if unknown := [name for name in names if name not in TOOLS]:
        print(f"No such tools: {', '.join(unknown)}. Known are: {', '.join(TOOLS)}.", file=sys.stderr)
        return 2
    lacking = [name for name in names if not TOOLS[name].there()]
    for name in lacking:
        print(f"{name} is lacking ({TOOLS[name].what}). {TOOLS[name].how}.", file=sys.stderr)
    if lacking:
        left = " ".join(name for name in names if name not in lacking)
        print(f'To run the tests that need no more than is here: make test-tools TOOLS="{left}"', file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
