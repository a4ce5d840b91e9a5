"""`python -m infra.manifests generate|check`: write what the declarations say, or fail where a file says otherwise."""

import sys
from difflib import unified_diff

import click

from functions import load_all
from infra.manifests import (
    OWNED,
    ROOT,
    Files,
    asyncapi,
    by_name,
    openapi,
    reference,
    roles,
    routes,
    services,
    triggers,
)

GENERATORS = (
    roles.files,
    services.files,
    triggers.files,
    routes.files,
    openapi.files,
    asyncapi.files,
    reference.files,
)


def generated() -> Files:
    declarations = by_name(load_all().values())
    return {
        path: text
        for generator in GENERATORS
        for path, text in generator(declarations).items()
    }


def stale(files: Files) -> list[str]:
    held = [
        path
        for directory in OWNED
        for path in (ROOT / directory).glob("*")
        if path.is_file()
    ]
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


@cli.command()
def check() -> None:
    """Fail with a diff where a generated file is not what the declarations say."""
    files = generated()
    drift = stale(files)
    for path in drift:
        click.echo(f"{path}: no function has it any more")
    for path, text in files.items():
        target = ROOT / path
        held = target.read_text() if target.exists() else ""
        if held != text:
            drift.append(path)
            sys.stdout.writelines(
                unified_diff(
                    held.splitlines(True),
                    text.splitlines(True),
                    path,
                    f"{path} (declared)",
                )
            )
    if drift:
        raise click.ClickException(
            "Generated files differ from the declarations: run `python -m infra.manifests generate`."
        )


if __name__ == "__main__":
    cli()
