"""The shop's logins in the cluster's Postgres: one per function, each with a password that only its Secret knows."""

import secrets
from base64 import b64decode
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from infra.local.logins import url_as
from infra.manifests.cluster import OWNED, Cluster
from infra.manifests.kubernetes import NAMESPACE, Manifest

RELAY = "shop_relay"


def grant_logins(cluster: Cluster, admin_url: str, pods_address: str | None, roles: dict[str, str]) -> list[str]:
    """Lets each role in `roles` (by its Secret's name) log in, and keeps the URL in that Secret; gives those made new.

    `pods_address` is host:port as pods reach the database. A Secret whose login still works is left alone.
    """
    held = {one["metadata"]["name"]: one for one in cluster.all("secret")}
    made = []
    with psycopg.connect(admin_url, autocommit=True, application_name="deploy") as connection:
        for name, role in sorted(roles.items()):
            if name in held and _works(_password(held[name]), role, admin_url):
                if _address(held[name]) == _netloc(admin_url, pods_address):
                    continue
                password = _password(held[name])
            else:
                password = secrets.token_urlsafe(24)
                statement = sql.SQL("alter role {} login password {}")
                connection.execute(statement.format(sql.Identifier(role), sql.Literal(password)))
            cluster.apply([_secret(name, role, password, admin_url, pods_address)])
            made.append(role)
    return made


def revoke_logins(admin_url: str, kept: Iterable[str] = ()) -> list[str]:
    """No function may log in any more but those in `kept`; ends their sessions."""
    with psycopg.connect(admin_url, autocommit=True, application_name="deploy") as connection:
        rows = connection.execute(
            "select rolname from pg_roles where rolcanlogin and (rolname like 'fn\\_%%' or rolname = %s)"
            " and not rolname = any (%s) order by rolname",
            (RELAY, list(kept)),
        ).fetchall()
        for (role,) in rows:
            connection.execute(sql.SQL("alter role {} nologin password null").format(sql.Identifier(role)))
            with suppress(InsufficientPrivilege):  # an owner may not end others' sessions: they end by themselves
                connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (role,))
    return [role for (role,) in rows]


def registered(admin_url: str, except_for: str) -> int:
    """How many functions are known to be deployed, but for the one named."""
    with psycopg.connect(admin_url, application_name="deploy") as connection:
        row = connection.execute("select count(*) from platform.functions where name <> %s", (except_for,)).fetchone()
    return 0 if row is None else int(row[0])


def _works(password: str, role: str, admin_url: str) -> bool:
    try:
        psycopg.connect(url_as(admin_url, role, password), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _secret(name: str, role: str, password: str, admin_url: str, pods_address: str | None) -> Manifest:
    parts = urlsplit(admin_url)
    login = f"{quote(role, safe='')}:{quote(password, safe='')}"
    url = urlunsplit(parts._replace(netloc=f"{login}@{_netloc(admin_url, pods_address)}"))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/part-of": "kn-shop", **OWNED},
        },
        "type": "Opaque",
        "stringData": {"url": url},
    }


def _netloc(admin_url: str, pods_address: str | None) -> str:
    return pods_address or urlsplit(admin_url).netloc.rpartition("@")[2]


def _url(secret: Manifest) -> str:
    return b64decode(secret.get("data", {}).get("url", "")).decode()


def _password(secret: Manifest) -> str:
    return urlsplit(_url(secret)).password or ""


def _address(secret: Manifest) -> str:
    return urlsplit(_url(secret)).netloc.rpartition("@")[2]
