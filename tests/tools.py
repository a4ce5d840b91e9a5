"""Runs a test marked `tools` only where TEST_TOOLS, set by the Makefile, lists every tool that it names."""

import os

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    there = os.environ.get("TEST_TOOLS")
    if there is None:
        return
    named = set(there.split())
    wanted = [item for item in items if _needs(item) <= named]
    config.hook.pytest_deselected(items=[item for item in items if _needs(item) - named])
    items[:] = wanted


def _needs(item: pytest.Item) -> set[str]:
    return {name for marker in item.iter_markers("tools") for name in marker.args}
