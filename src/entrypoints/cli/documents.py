"""Documents that are made from the code: OpenAPI, AsyncAPI and shell completion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich_click as click
from click.shell_completion import get_completion_class

from entrypoints.cli.console import Session, command_body
from entrypoints.cli.exits import CommandFailed

output = click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of stdout."
)


@click.group()
def openapi() -> None:
    """The OpenAPI document of the HTTP API."""


@openapi.command("export")
@output
@command_body
async def export_openapi(_: Session, output: Path | None) -> None:
    """Write the OpenAPI 3.1 document."""
    from entrypoints.http.openapi import openapi_document
    from entrypoints.http.server import ApiServer
    from entrypoints.platform import ProcessKind, running
    from entrypoints.settings import load
    from tradingcore import __version__

    async with running(load(flags={"storage": "memory"}).values, ProcessKind.API) as platform:
        document = openapi_document(ApiServer(platform).app, version=__version__)
    _write(document, output)


@click.group()
def asyncapi() -> None:
    """The AsyncAPI document of the stream."""


@asyncapi.command("export")
@output
def export_asyncapi(output: Path | None) -> None:
    """Write the AsyncAPI 3 document."""
    from entrypoints.http.stream.asyncapi import asyncapi_document
    from tradingcore import __version__

    _write(asyncapi_document(__version__), output)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL: eval "$(tradingcore completion bash)"."""
    from entrypoints.cli.app import root

    kind = get_completion_class(shell)
    assert kind is not None, "the choice lists what click supports"
    click.echo(kind(root, {}, "tradingcore", "_TRADINGCORE_COMPLETE").source())


def _write(document: Mapping[str, Any], output: Path | None) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"cannot write {output}: {error.strerror or error}") from None
