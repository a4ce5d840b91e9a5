"""Real functions with another body: their role, grants, consumer and policies are the product's own."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from shared.runtime.serve import Endpoint, Runtime, endpoint
from tests.conftest import declaration_of


def standing_in(runtime: Runtime, function: Callable[..., Any], body: Callable[..., Awaitable[Any]]) -> Endpoint[Any]:
    return endpoint(replace(declaration_of(function), function=body), runtime)
