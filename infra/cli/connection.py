"""Which shop a command talks to, as whom, and what it says and returns when that fails."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import click

from infra.cli.client import NoToken, Refused, Shop, Unreachable

DEFAULT_URL = "http://localhost:8080"

FAILED, UNREACHABLE, NO_TOKEN, INTERRUPTED = 1, 3, 4, 130

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")


@dataclass(slots=True)
class Connection:
    """Command options win over those of `kn-shop` itself, these over the environment."""

    url: str | None = None
    token: str | None = None

    def shop(self, **options: Any) -> Shop:
        return Shop(self.url or DEFAULT_URL, self.token or None, **options)


def as_told(connection: Connection) -> Shop:
    """A shop that says what it has to say on stderr."""
    return connection.shop(say=lambda text: click.echo(text, err=True))


def connection_options(command: F) -> F:
    """Adds --url and --token; the command is given a Connection first."""

    @click.option("--url", help=f"The shop's address [env: KN_SHOP_URL; default: {DEFAULT_URL}].")
    @click.option("--token", help="A bearer token [env: KN_SHOP_TOKEN; default: from the shop's development issuer].")
    @click.pass_context
    @functools.wraps(command)
    def connected(context: click.Context, /, url: str | None, token: str | None, **options: Any) -> Any:
        above = context.find_object(Connection) or Connection()
        return context.invoke(command, Connection(url or above.url, token or above.token), **options)

    return connected  # type: ignore[return-value]


def run(work: Coroutine[Any, Any, R], *, when_interrupted: str = "stopped") -> R:
    """Runs to the end, or exits with one line that says what is wrong and what to do."""
    try:
        return asyncio.run(work)
    except Unreachable as fault:
        advice = "start one with `make run`, or name another by --url or KN_SHOP_URL"
        _leave(f"{fault}; {advice}", UNREACHABLE)
    except NoToken as fault:
        _leave(f"{fault}: give a token by --token or KN_SHOP_TOKEN", NO_TOKEN)
    except Refused as refused:
        _leave(str(refused), NO_TOKEN if refused.status in (401, 403) else FAILED)
    except KeyboardInterrupt:
        _leave(when_interrupted, INTERRUPTED)


def _leave(message: str, code: int) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    sys.exit(code)
