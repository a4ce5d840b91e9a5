"""A one-machine shop's logins: `shop_app` may become any function's role and no more, `shop_relay` moves events."""

import secrets
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import orjson
import psycopg
from psycopg import sql

from infra.local.paths import write_secret
from shared.runtime.webhooks import new_secret

APP = "shop_app"
RELAY = "shop_relay"

LOGINS = (APP, RELAY)

# Two starts at once on one server would trip over each other in the catalogue of roles.
_LOCK = 7_304_115_921


def ensure(owner_url: str, passwords: dict[str, str] | None = None) -> None:
    """Makes the logins that are missing and sets their passwords. What they may do is in the generated roles.sql.

    NOINHERIT: a function's rights come with SET ROLE only, so that one missing from its declaration shows at once.
    """
    with psycopg.connect(owner_url, connect_timeout=10, application_name="logins") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        known: dict[str, bool] = dict(connection.execute("select rolname, rolcanlogin from pg_roles").fetchall())
        for login in LOGINS:
            name = sql.Identifier(login)
            if login not in known:
                connection.execute(sql.SQL("create role {} login noinherit").format(name))
            elif not known[login]:
                connection.execute(sql.SQL("alter role {} login").format(name))
            if passwords:
                password = sql.Literal(passwords[login])
                connection.execute(sql.SQL("alter role {} password {}").format(name, password))


def passwords(file: Path) -> dict[str, str]:
    """The logins' passwords, made up once and kept where only their owner can read."""
    if not file.exists():
        write_secret(file, orjson.dumps({login: secrets.token_urlsafe(24) for login in LOGINS}))
    kept: dict[str, str] = orjson.loads(file.read_bytes())
    return kept


def webhook_secret(file: Path) -> str:
    """What the mock provider signs by, made up once and kept as the passwords are."""
    if not file.exists():
        write_secret(file, orjson.dumps({"provider": new_secret()}))
    kept: dict[str, str] = orjson.loads(file.read_bytes())
    return kept["provider"]


def url_as(owner_url: str, login: str, password: str | None = None) -> str:
    """The same database by another login. Takes a URL of the form postgresql://user:password@host:port/database?..."""
    parts = urlsplit(owner_url)
    place = parts.netloc.rpartition("@")[2]
    user = quote(login, safe="") + ("" if password is None else ":" + quote(password, safe=""))
    return urlunsplit(parts._replace(netloc=f"{user}@{place}"))


def url_of(owner_url: str, database: str) -> str:
    """The same login on another database of that server."""
    return urlunsplit(urlsplit(owner_url)._replace(path="/" + quote(database, safe="")))
