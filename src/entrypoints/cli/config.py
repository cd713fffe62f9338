from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import rich_click as click

from entrypoints.cli.console import Session, pass_session


@click.group()
def config() -> None:
    """Show the configuration and where it comes from."""


@config.command()
@pass_session
def show(session: Session) -> None:
    """Every setting with its value and origin. Secrets are masked, also inside addresses."""
    from entrypoints.settings import masked

    loaded = session.loaded
    rows = [
        (name, masked(value) if isinstance(value, str) else value, loaded.origins.get(name, "default"))
        for name, value in _leaves(loaded.values.model_dump(mode="json"))
    ]
    if session.is_json:
        session.document({name: {"value": value, "origin": origin} for name, value, origin in rows})
    else:
        session.table(("setting", "value", "origin"), rows)


@config.command()
@pass_session
def schema(session: Session) -> None:
    """The JSON Schema of the TOML file."""
    from entrypoints.settings import Settings

    document = Settings.model_json_schema()
    if session.is_json:
        session.document(document)
    else:
        click.echo(json.dumps(document, indent=2))


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
