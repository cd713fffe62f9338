"""The root command. Groups are imported when they are used, so that ``--help`` is quick."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Final

import rich_click as click

from entrypoints.cli.console import Session, one_sentence
from tradingcore import __version__

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("entrypoints.cli.demo:demo", "The whole platform on this machine, on simulated or given candles."),
    "serve": ("entrypoints.cli.serve:serve", "Run the HTTP API and the stream."),
    "worker": ("entrypoints.cli.serve:worker", "Run the feeds, the outbox relay and the schedules."),
    "migrate": ("entrypoints.cli.storage:migrate", "Bring the database schema up to date, or look at it."),
    "doctor": ("entrypoints.cli.doctor:doctor", "Check that this installation can do its work."),
    "config": ("entrypoints.cli.config:config", "Show the configuration and where it comes from."),
    "openapi": ("entrypoints.cli.documents:openapi", "Export the OpenAPI document."),
    "asyncapi": ("entrypoints.cli.documents:asyncapi", "Export the AsyncAPI document of the stream."),
    "completion": ("entrypoints.cli.documents:completion", "Print the completion script of a shell."),
    "users": ("entrypoints.cli.users:users", "Accounts: create, find, suspend, end sessions, reset factors."),
    "roles": ("entrypoints.cli.roles:roles", "Who may do what; grant roles, set plans, decide on proposals."),
    "keys": ("entrypoints.cli.keys:keys", "Create, list and revoke API keys; rotate signing keys."),
    "phones": ("entrypoints.cli.phones:phones", "Codes by SMS and WhatsApp: what they cost today, stop and start them."),
    "market": ("entrypoints.cli.market:market", "Symbols and candles: import, export, gaps, replay."),
    "signals": ("entrypoints.cli.signals:signals", "List signals and explain how one came to be."),
    "ml": ("entrypoints.cli.ml:ml", "Train models and see how good they are."),
    "outbox": ("entrypoints.cli.outbox:outbox", "See how the relay is doing, replay dead letters."),
    "db": ("entrypoints.cli.db:db", "Check how the database keeps users apart."),
    "asvs": ("entrypoints.cli.asvs:asvs", "The security requirements, and what holds each of them."),
    "data": ("entrypoints.cli.storage:data", "The data folder: path, backup, restore, reset, keys."),
}


class LazyGroup(click.RichGroup):
    """Lists its commands from a table and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        _, summary = COMMANDS[cmd_name]
        return click.RichCommand(name=cmd_name, help=summary, short_help=summary)

    def invoke(self, ctx: click.Context) -> Any:
        # In here, because around `main` click would have made "Aborted!" and code 1 of an interrupt, and 1 of a closed pipe.
        with one_sentence(lambda: ctx.ensure_object(Session)):
            try:
                return super().invoke(ctx)
            except click.NoSuchOption as error:
                name = error.option_name
                if error.ctx is None or all(name not in parameter.opts for parameter in self.params):
                    raise
                command = error.ctx.command_path.removeprefix(ctx.command_path).strip()
                raise click.UsageError(
                    f"{name} is a global option and comes before the command: {ctx.command_path} {name} ... {command}", error.ctx
                ) from None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name in COMMANDS:
            module, _, attribute = COMMANDS[name][0].partition(":")
            command = getattr(import_module(module), attribute)
        return name, command, rest


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="tradingcore")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="TOML file with settings.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Where data and the embedded database live.")
@click.option("--storage", metavar="KIND", help="embedded (default), memory, or a postgresql:// address.")
@click.option("--json", "is_json", is_flag=True, help="Exactly one JSON document on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Only results and errors.")
@click.option("-v", "--verbose", is_flag=True, help="Debug logs, and tracebacks of errors.")
@click.option("--no-input", is_flag=True, help="Never ask; fail instead.")
@click.pass_context
def root(
    ctx: click.Context,
    config: Path | None,
    data_dir: Path | None,
    storage: str | None,
    is_json: bool,
    quiet: bool,
    verbose: bool,
    no_input: bool,
) -> None:
    """The open core of a trading platform: candles in, honest signals out.

    Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 a dependency is unreachable, 5 a check did not hold,
    6 refused without --yes, 130 interrupted.
    """
    session = ctx.ensure_object(Session)
    session.config = config
    session.flags = {"data_dir": data_dir, "storage": storage}
    session.is_json = is_json
    session.is_quiet = quiet
    session.is_verbose = verbose
    session.no_input = no_input


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    root.main(args=arguments, prog_name="tradingcore", obj=Session())
