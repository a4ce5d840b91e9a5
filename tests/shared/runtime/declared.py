"""Real functions with another body: their role, grants, consumer and policies are the product's own."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from shared.runtime.serve import Endpoint, Runtime, endpoint
from tests.conftest import declaration_of


def standing_in(
    runtime: Runtime,
    function: Callable[..., Any],
    body: Callable[..., Awaitable[Any]],
    message: Any = None,
    **http: Any,
) -> Endpoint[Any]:
    """`message` is another request model, `http` what is declared otherwise."""
    declaration = declaration_of(function)
    trigger = replace(declaration.trigger, **http)
    return endpoint(
        replace(declaration, function=body, trigger=trigger, message=message or declaration.message), runtime
    )
