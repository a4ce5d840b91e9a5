"""The mock payment provider: a server of its own with books of its own, as far from the shop as a real one would be."""

from infra.provider.server import main

__all__ = ["main"]
