"""Stock alerts on the command line: who is told, what was told, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import click

from infra.cli.client import path
from infra.cli.connection import Connection, as_told, connection_options, run
from infra.cli.output import description, limit_option, no_headers_option, output_option, show_list, show_one
from infra.cli.report import table

KINDS = ("low", "out", "back_in_stock", "shortfall", "made_good")
STATUSES = ("pending", "delivered", "failed")


@click.group()
def alert() -> None:
    """Alerts of stock that is low, out, short or back."""


@alert.command("list")
@click.option("--sku", help="Only those of one SKU.")
@click.option("--kind", type=click.Choice(KINDS), help="Only those of one kind.")
@click.option("--state", type=click.Choice(("open", "closed")), help="Only those whose episode goes on, or has ended.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_alerts(
    connection: Connection,
    *,
    sku: str | None,
    kind: str | None,
    state: str | None,
    limit: int,
    no_headers: bool,
    output: str | None,
) -> None:
    """What was raised, the newest first."""
    columns = (
        ("ID", lambda item: item["id"]),
        ("KIND", lambda item: item["kind"]),
        ("SKU", lambda item: item["sku"]),
        ("LOCATION", lambda item: item["location"] or "all"),
        ("AT", lambda item: item["at"]),
        ("CLOSED", lambda item: item["closed_at"]),
    )
    found = _listed(connection, "/v1/alerts", limit, sku=sku, kind=kind, state=state)
    show_list("alert", found, columns, name="id", output=output, no_headers=no_headers)


@alert.group()
def target() -> None:
    """Who is told: webhooks and mail addresses."""


@target.command("add")
@click.argument("address", metavar="URL|MAIL")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="May be repeated [default: all].")
@click.option("--name", help="What to call it.")
@output_option("json", "yaml", "name")
@connection_options
def add_target(
    connection: Connection, *, address: str, kinds: tuple[str, ...], name: str | None, output: str | None
) -> None:
    """Have alerts sent to a URL (https://...) or a mail address. A webhook's secret is shown here and never again."""
    channel = "webhook" if "://" in address else "mail"
    said = {"channel": channel, "address": address, "kinds": list(kinds) or None, "name": name}
    request = {field: value for field, value in said.items() if value is not None}
    made = _asked(connection, "POST", "/v1/alert-targets", request)
    show_one("alert-target", made, _target(made), name="id", output=output)


@target.command("list")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_targets(connection: Connection, limit: int, no_headers: bool, output: str | None) -> None:
    """All of them, the oldest first."""
    columns = (
        ("ID", lambda item: item["id"]),
        ("NAME", lambda item: item["name"]),
        ("CHANNEL", lambda item: item["channel"]),
        ("ADDRESS", lambda item: item["address"]),
        ("KINDS", lambda item: ",".join(item["kinds"])),
        ("ENABLED", _enabled),
    )
    found = _listed(connection, "/v1/alert-targets", limit)
    show_list("alert-target", found, columns, name="id", output=output, no_headers=no_headers)


@target.command("set")
@click.argument("target_id", metavar="TARGET")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="May be repeated.")
@click.option("--name", help="What to call it.")
@click.option("--address", help="Where to send to.")
@click.option("--enable/--disable", default=None, help="Whether it is told at all.")
@output_option("json", "yaml", "name")
@connection_options
def set_target(
    connection: Connection,
    *,
    target_id: str,
    kinds: tuple[str, ...],
    name: str | None,
    address: str | None,
    enable: bool | None,
    output: str | None,
) -> None:
    """Change what is named, and nothing else."""
    said = {"kinds": list(kinds) or None, "name": name, "address": address, "enabled": enable}
    patch = {field: value for field, value in said.items() if value is not None}
    if not patch:
        raise click.UsageError("name what is to be changed")
    where = path("v1", "alert-targets", target_id)

    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            held = await shop.get(where)
            changed: dict[str, Any] = (await shop.call("PATCH", where, patch, if_match=held.etag)).body
            return changed

    changed = run(work())
    show_one("alert-target", changed, _target(changed), name="id", output=output)


@target.command("rm")
@click.argument("target_id", metavar="TARGET")
@connection_options
def remove_target(connection: Connection, target_id: str) -> None:
    """Send it nothing more, and forget its address and secret."""
    _asked(connection, "DELETE", path("v1", "alert-targets", target_id))
    click.echo(f"Removed: {target_id}")


@target.command("rotate")
@click.argument("target_id", metavar="TARGET")
@output_option("json", "yaml")
@connection_options
def rotate_secret(connection: Connection, target_id: str, output: str | None) -> None:
    """Give a webhook a new secret. For a day, calls are signed with the old one, too."""
    made = _asked(connection, "POST", path("v1", "alert-targets", target_id, "secret"))
    told = description([("Target", made["target"]), ("Secret", made["secret"]), ("Old until", made["old_ends_at"])])
    show_one("alert-target", made, told, name="target", output=output)


@target.command("test")
@click.argument("target_id", metavar="TARGET")
@output_option("json", "yaml", "name")
@connection_options
def try_target(connection: Connection, target_id: str, output: str | None) -> None:
    """Send it a test alert; `kn-shop alert delivery ID` says what came of it."""
    begun = _asked(connection, "POST", path("v1", "alert-targets", target_id, "test"), once=True)
    show_one("alert-delivery", begun, _delivery(begun), name="id", output=output)


@alert.command("deliveries")
@click.option("--target", "target_id", help="Only those to one target.")
@click.option("--alert", "alert_id", help="Only those of one alert.")
@click.option("--status", type=click.Choice(STATUSES), help="Only those that are so.")
@limit_option
@no_headers_option
@output_option("json", "yaml", "name")
@connection_options
def list_deliveries(
    connection: Connection,
    *,
    target_id: str | None,
    alert_id: str | None,
    status: str | None,
    limit: int,
    no_headers: bool,
    output: str | None,
) -> None:
    """What was sent to whom, the newest first."""
    columns = (
        ("ID", lambda item: item["id"]),
        ("KIND", lambda item: item["kind"] or "test"),
        ("TARGET", lambda item: item["target"]),
        ("STATUS", lambda item: item["status"]),
        ("ATTEMPTS", lambda item: item["attempts"]),
        ("CREATED", lambda item: item["created_at"]),
        ("NEXT", lambda item: item["next_at"]),
        ("REASON", lambda item: item["reason"]),
    )
    found = _listed(connection, "/v1/alert-deliveries", limit, target=target_id, alert=alert_id, status=status)
    show_list("alert-delivery", found, columns, name="id", output=output, no_headers=no_headers)


@alert.command("delivery")
@click.argument("delivery_id", metavar="DELIVERY")
@output_option("json", "yaml", "name")
@connection_options
def describe_delivery(connection: Connection, delivery_id: str, output: str | None) -> None:
    """One delivery, with every attempt."""
    found = _asked(connection, "GET", path("v1", "alert-deliveries", delivery_id))
    show_one("alert-delivery", found, _delivery(found), name="id", output=output)


@alert.command("redeliver")
@click.argument("delivery_id", metavar="DELIVERY")
@output_option("json", "yaml", "name")
@connection_options
def redeliver(connection: Connection, delivery_id: str, output: str | None) -> None:
    """Send it again at once, under the same id, whatever came of it before."""
    begun = _asked(connection, "POST", path("v1", "alert-deliveries", delivery_id, "redelivery"), once=True)
    show_one("alert-delivery", begun, _delivery(begun), name="id", output=output)


def _asked(
    connection: Connection, method: str, where: str, body: object = None, *, once: bool = False
) -> dict[str, Any]:
    async def work() -> dict[str, Any]:
        async with as_told(connection) as shop:
            key = str(uuid4()) if once else None
            answer: dict[str, Any] = (await shop.call(method, where, body, key=key)).body
            return answer

    return run(work())


def _listed(connection: Connection, where: str, limit: int, **chosen: str | None) -> list[dict[str, Any]]:
    query = urlencode({name: value for name, value in chosen.items() if value is not None})

    async def work() -> list[dict[str, Any]]:
        async with as_told(connection) as shop:
            return await shop.items(f"{where}?{query}" if query else where, at_most=limit)

    return run(work())


def _enabled(item: Mapping[str, Any]) -> str:
    if item["enabled"]:
        return "yes"
    return f"no ({item['disabled_reason']})" if item["disabled_reason"] else "no"


def _target(item: Mapping[str, Any]) -> str:
    return description(
        [
            ("Target", item["id"]),
            ("Name", item["name"]),
            ("Address", item["address"]),
            ("Kinds", ", ".join(item["kinds"])),
            ("Enabled", _enabled(item)),
            ("Secret", item.get("secret")),
        ]
    )


def _delivery(item: Mapping[str, Any]) -> str:
    head = description(
        [
            ("Delivery", item["id"]),
            ("Kind", item["kind"] or "test"),
            ("Alert", item["alert"]),
            ("Target", item["target"]),
            ("Status", item["status"]),
            ("Attempts", item["attempts"]),
            ("Next", item["next_at"]),
            ("Reason", item["reason"]),
        ]
    )
    rows = [
        (str(one["number"]), one["at"], one["outcome"] or "", str(one["answer"] or ""), one["reason"] or "")
        for one in item.get("log", [])
    ]
    if not rows:
        return head
    return f"{head}\n\n" + "\n".join(table([("ATTEMPT", "AT", "OUTCOME", "ANSWER", "REASON"), *rows]))
