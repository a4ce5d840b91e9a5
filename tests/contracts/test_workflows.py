"""The workflows of the continuous integration, as far as they can be judged without running them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.manifests import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.tools("actionlint")
def test_actionlint_finds_nothing() -> None:
    done = subprocess.run(["actionlint", *map(str, WORKFLOWS)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_no_more_than_it_needs(path: Path) -> None:
    """By default it reads; only single jobs may write, and none keeps the credentials of its checkout."""
    workflow = read(path)

    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        if "uses" in job:
            continue
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False
            assert not re.search(r"\$\{\{", step.get("run", "").replace("${{ github.sha }}", "")), "by a variable"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_calls_is_there(path: Path) -> None:
    """Make targets, scripts and files of this repository that its steps name."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = "\n".join(step.get("run", "") for job in read(path)["jobs"].values() for step in job.get("steps", ()))
    assert set(re.findall(r"^\s*make ([a-z-]+)", commands, re.MULTILINE)) <= targets
    for file in re.findall(r"docker build[^\n]* (?:--file|-f) (\S+)", commands) + re.findall(
        r"^(\.ci/\S+)", commands, re.MULTILINE
    ):
        assert (ROOT / file).exists(), file
