"""`python -m infra.manifests generate|check|compatibility|release|deploy|undeploy`.

From the declarations to files, and to a cluster.
"""

import json
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path

import click
from psycopg import Error as DatabaseError

from functions import load_all
from infra.carriers import CarrierError
from infra.manifests import (
    OWNED,
    ROOT,
    Files,
    asyncapi,
    by_name,
    compatibility,
    dashboards,
    eventtypes,
    guarantees,
    openapi,
    problems,
    reference,
    roles,
    routes,
    rules,
    schema,
    services,
    triggers,
    watching,
)
from infra.manifests.plan import CONTEXT, Plan, deployment
from infra.postgres.migrate import MigrationFailed

GENERATORS = (
    roles.files,
    services.files,
    triggers.files,
    routes.files,
    openapi.files,
    asyncapi.files,
    eventtypes.files,
    problems.files,
    reference.files,
    guarantees.files,
    rules.files,
    dashboards.files,
    watching.files,
    schema.files,
)


DRIFTED = "Generated files differ from the declarations: run `python -m infra.manifests generate`."


def generated() -> Files:
    declarations = by_name(load_all().values())
    return {path: text for generator in GENERATORS for path, text in generator(declarations).items()}


def stale(files: Files) -> list[str]:
    held = [path for directory in OWNED for path in (ROOT / directory).glob("*") if path.is_file()]
    return sorted({path.relative_to(ROOT).as_posix() for path in held} - files.keys())


@click.group()
def cli() -> None:
    """What a deployment must know, from what the functions declare."""


@cli.command()
def generate() -> None:
    """Write every generated file, and take away those of functions that are no more."""
    files = generated()
    for path in stale(files):
        (ROOT / path).unlink()
        click.echo(f"removed {path}")
    for path, text in files.items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_text() != text:
            target.write_text(text)
            click.echo(f"wrote {path}")


def drift() -> list[str]:
    """Diffs of the generated files that are not what the declarations say."""
    files = generated()
    found = [f"{path}: no function has it any more\n" for path in stale(files)]
    for path, text in files.items():
        target = ROOT / path
        held = target.read_text() if target.exists() else ""
        if held != text:
            diff = unified_diff(held.splitlines(True), text.splitlines(True), path, f"{path} (declared)")
            found.append("".join(diff))
    return found


@cli.command()
def check() -> None:
    """Fail with a diff where a generated file is not what the declarations say."""
    if found := drift():
        click.echo("".join(found), nl=False)
        raise click.ClickException(DRIFTED)


@cli.command(name="compatibility")
@click.option("--against", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="By default the newest.")
def compatible(against: Path | None) -> None:
    """Fail where an event's schema, topic or key breaks what the last release wrote or reads, and say whom."""
    path = against or compatibility.latest()
    if path is None:
        click.echo("Nothing was released yet.")
        return
    released = json.loads(path.read_text())
    now = compatibility.snapshot(by_name(load_all().values()), compatibility.version())
    if found := compatibility.breaks(released, now):
        click.echo("\n".join(map(str, found)))
        raise click.ClickException(
            f"{len(found)} changes break what {released['info']['version']} says or reads:"
            " make it a new version of the type, beside the old one."
        )
    new = compatibility.additions(released, now)
    click.echo(
        f"All {len(released['components']['messages'])} events of {released['info']['version']} are as they were"
        f" or gained fields; {len(new)} are new."
    )


@cli.command()
def release() -> None:
    """Keep the events of the version in pyproject.toml, for all later ones to be compared with."""
    try:
        path = compatibility.keep(by_name(load_all().values()), compatibility.version())
    except compatibility.ReleaseChanged as fault:
        raise click.ClickException(str(fault)) from None
    click.echo(f"kept {path.relative_to(ROOT)}")


@cli.command()
@deployment
@click.option("--smoke/--no-smoke", envvar="SMOKE", default=True, help="Place an order at the end (product SMOKE-1).")
def deploy(plan: Plan, smoke: bool) -> None:
    """Bring the shop to a cluster; what is so already is left alone."""
    from infra.manifests import rollout  # late: generate and check need no cluster's libraries

    if drift():
        raise click.ClickException(f"Not deployed. {DRIFTED}")
    try:
        rollout.deploy(replace(plan, smoke=smoke), by_name(load_all().values()), click.echo)
    except (rollout.NotDeployed, rollout.ClusterRefused, MigrationFailed, CarrierError, DatabaseError) as fault:
        raise click.ClickException(f"Not deployed: {fault}") from None


@cli.command()
@CONTEXT
@click.option("--database-url", envvar="DATABASE_URL", help="Closes the functions' logins there.")
@click.option("--timeout", "timeout_s", default=300, help="Seconds to wait for the namespace to go.")
def undeploy(context: str, database_url: str | None, timeout_s: int) -> None:
    """Take the shop off a cluster. The database's contents and the topics stay."""
    from infra.manifests import rollout

    try:
        rollout.undeploy(context, database_url, timeout_s, click.echo)
    except (rollout.ClusterRefused, DatabaseError) as fault:
        raise click.ClickException(f"Not taken off: {fault}") from None


if __name__ == "__main__":
    cli()
