"""The use cases: `ls functions/*` is the feature list."""

from importlib import import_module
from pathlib import Path

from shared.runtime.declare import REGISTRY, Declaration

ROOT = Path(__file__).parent


def load(name: str) -> Declaration:
    """Imports one function and no other. Raises LookupError when there is none of that name."""
    for path in ROOT.glob(f"*/{name}.py"):
        import_module(f"functions.{path.parent.name}.{name}")
        return REGISTRY[name]
    raise LookupError(f"there is no function {name} in functions/*/")


def load_all() -> dict[str, Declaration]:
    for path in sorted(ROOT.glob("*/[!_]*.py")):
        import_module(f"functions.{path.parent.name}.{path.stem}")
    return REGISTRY
