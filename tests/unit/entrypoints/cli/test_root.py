"""The root command: exit codes, where output goes, and what is loaded for it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import rich_click as click

from adapters.postgres.errors import SchemaOutdated, ServerMisconfigured
from entrypoints.cli import app, market
from entrypoints.cli.app import COMMANDS, root
from entrypoints.cli.console import Session, command_body
from entrypoints.cli.exits import CommandFailed, Exit, exit_code_of
from entrypoints.cli.signals import _told
from tradingcore.auth.model.api_key import NEVER_BY_KEY
from tradingcore.kernel.errors import Conflict, InvalidInput, NotFound, PermissionDenied, TradingCoreError, Unavailable
from tradingcore.trading.errors import CandleFileNotWritable, CandleFileUnreadable

LOOK = """
import sys
from entrypoints.cli.app import run
try:
    run(["--help"])
except SystemExit as end:
    heavy = {"sqlalchemy", "litestar", "numpy", "pydantic", "numba", "asyncio", "dependency_injector"} & set(sys.modules)
    print(f"code {end.code or 0}, loaded {sorted(heavy)}", file=sys.stderr)
"""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TRADINGCORE__"):
            monkeypatch.delenv(name)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        app.run(list(arguments))
    return int(end.value.code or 0)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A command ``doctor`` that raises what the list holds."""
    raised: list[BaseException] = []

    @click.command()
    @command_body
    async def doctor(session: Session) -> None:
        raise raised[0]

    monkeypatch.setattr("entrypoints.cli.doctor.doctor", doctor)
    return raised


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip().splitlines()[-1] == "code 0, loaded []"
    for name in COMMANDS:
        assert name in done.stdout


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["--nonsense"], ["config", "nonsense"], ["config", "show", "surplus"], ["--config", "."]]
)
def test_wrong_usage_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == Exit.USAGE
    assert capsys.readouterr().out == ""


def test_wrong_configuration_ends_with_three_in_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("--storage", "sqlite", "config", "show") == Exit.CONFIGURATION
    assert run("--config", str(tmp_path / "no.toml"), "config", "show") == Exit.CONFIGURATION
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "error: storage (flag): must be embedded, memory or a postgresql:// address, was 'sqlite'",
        f"error: cannot read the configuration file {tmp_path / 'no.toml'}: No such file or directory",
    ]


def test_json_is_one_document_and_errors_stay_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json", "--storage", "memory", "config", "show") == Exit.OK
    out, err = capsys.readouterr()
    assert json.loads(out)["storage"] == {"value": "memory", "origin": "flag"}
    assert err == ""
    assert run("--json", "--storage", "sqlite", "config", "show") == Exit.CONFIGURATION
    out, err = capsys.readouterr()
    assert (out, err[:7]) == ("", "error: ")


def test_configuration_is_shown_without_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRADINGCORE__SECRETS__CURSOR_KEY", "hunter2")
    monkeypatch.setenv("TRADINGCORE__DATABASE__API_PASSWORD", "hunter2")
    monkeypatch.setenv("TRADINGCORE__STREAM__LOG", "redis://:hunter2@cache/0")
    for options in ([], ["--json"]):
        assert run(*options, "--storage", "postgresql://admin:hunter2@db/trading", "config", "show") == Exit.OK
        out = capsys.readouterr().out
        assert "hunter2" not in out
        assert "postgresql://admin:***@db/trading" in out
        assert "environment TRADINGCORE__SECRETS__CURSOR_KEY" in out
    assert run("config", "schema") == Exit.OK
    assert "properties" in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (NotFound("there is no symbol X"), Exit.FAILURE, "error: there is no symbol X"),
        (InvalidInput("limit must be positive"), Exit.USAGE, "error: limit must be positive"),
        (Unavailable("the database is away"), Exit.UNREACHABLE, "error: the database is away"),
        (CommandFailed("3 gaps", exit_code=Exit.CHECK_FAILED), Exit.CHECK_FAILED, "error: 3 gaps"),
        (ExceptionGroup("two", [ExceptionGroup("one", [NotFound("no X")]), ValueError()]), Exit.FAILURE, "error: no X"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), Exit.FAILURE, "error: /data/x: no space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), Exit.FAILURE, "error: /data/x: permission denied"),
        (ModuleNotFoundError("no", name="xgboost.core"), Exit.CONFIGURATION, "needs xgboost.core: pip install 'tradingcore[ml]'"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, "interrupted"),
    ],
)
def test_what_a_command_raises_becomes_one_sentence_and_a_code(
    broken: list[BaseException], error: BaseException, code: Exit, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken.append(error)
    assert run("doctor") == code
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert sentence in err


def test_verbose_shows_where_an_error_came_from(broken: list[BaseException]) -> None:
    broken.append(NotFound("there is no symbol X"))
    with pytest.raises(NotFound):
        app.run(["--verbose", "doctor"])


def test_mistake_of_ours_is_no_sentence(broken: list[BaseException]) -> None:
    broken.append(ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        app.run(["doctor"])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermissionDenied("no"), Exit.FAILURE),
        (Conflict("no"), Exit.FAILURE),
        (CandleFileUnreadable("no"), Exit.FAILURE),
        (CandleFileNotWritable("no"), Exit.FAILURE),
        (SchemaOutdated("old"), Exit.CONFIGURATION),
        (ServerMisconfigured("no permission"), Exit.CONFIGURATION),
        (CommandFailed("no", exit_code=Exit.REFUSED), Exit.REFUSED),
    ],
)
def test_every_error_has_its_code(error: TradingCoreError, code: Exit) -> None:
    assert exit_code_of(error) is code


def test_table_lists_commands_that_exist() -> None:
    context = click.Context(root)
    for name in root.list_commands(context):
        _, command, _ = root.resolve_command(context, [name])
        assert isinstance(command, click.Command), name
        assert command.name == name


def test_global_option_after_the_command_is_told_where_it_belongs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("serve", "--data-dir", "/tmp/x") == Exit.USAGE
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "--data-dir is a global option and comes before the command: tradingcore --data-dir ... serve" in told
    assert run("market", "symbols", "list", "--json") == Exit.USAGE
    assert "tradingcore --json ... market symbols list" in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert run("serve", "--nonsense") == Exit.USAGE
    assert "global" not in capsys.readouterr().err


def test_command_in_an_error_carries_the_options_of_this_one(
    broken: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    broken.append(SchemaOutdated("the database is empty: run tradingcore migrate up"))
    assert run("--data-dir", "/my data", "--storage", "postgresql://me:hunter2@db/x", "doctor") == Exit.CONFIGURATION
    hint = "run tradingcore --data-dir '/my data' --storage ADDRESS migrate up"
    assert capsys.readouterr().err == f"error: the database is empty: {hint}\n"
    assert run("doctor") == Exit.CONFIGURATION
    assert capsys.readouterr().err == "error: the database is empty: run tradingcore migrate up\n"


def test_termination_cleans_up_as_ctrl_c_does(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    @command_body
    async def doctor(session: Session) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(30)
        finally:
            session.note("cleaned up")

    monkeypatch.setattr("entrypoints.cli.doctor.doctor", doctor)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert run("doctor") == Exit.TERMINATED
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == "cleaned up\nterminated\n"


def test_memory_that_ends_with_the_command_is_refused_where_it_would_mislead(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["keys", "create", "--role", "trader"], ["users", "create", "a@example.org"], ["worker"]):
        assert run("--storage", "memory", *arguments) == Exit.CONFIGURATION
        out, err = capsys.readouterr()
        assert out == ""
        assert "memory" in err


def test_keys_offer_no_scope_that_no_key_can_have(capsys: pytest.CaptureFixture[str]) -> None:
    for scope in NEVER_BY_KEY:
        assert run("--storage", "memory", "keys", "create", "--role", "admin", "--scope", scope.value) == Exit.USAGE
        assert "signals:read" in capsys.readouterr().err


def test_replay_of_nothing_fails_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["market", "replay", "--symbol", "NO/SUCH", "--timeframe", "1h", "--from", "2024-01-01"]
    assert run("--storage", "memory", *command) == Exit.FAILURE
    assert "nothing is stored of NO/SUCH:1h in this range" in capsys.readouterr().err


def test_refused_rows_are_counted_in_words(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    file.write_text("time,open,high,low,close\n2024-01-01T00:00Z,1,2,1,2\n2024-01-01T01:00Z,1,0.5,1,2\n", encoding="utf-8")
    command = ["market", "import", str(file), "--symbol", "A1/USD", "--timeframe", "1h"]
    assert run("--storage", "memory", *command) == Exit.CHECK_FAILED
    assert capsys.readouterr().err.splitlines()[-1] == "error: 1 row rejected"


def commands_under(command: click.Command) -> Iterator[click.Command]:
    yield command
    for child in getattr(command, "commands", {}).values():
        yield from commands_under(child)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_explained(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    for command in commands_under(getattr(import_module(module), attribute)):
        assert command.help, command.name
        unexplained = [one.opts for one in command.params if isinstance(one, click.Option) and not one.help]
        assert not unexplained, command.name


def test_options_of_a_symbol_come_in_their_order() -> None:
    for command in (market.set_symbol, market.add):
        names = [one.name for one in command.params]
        assert names.index("tick") < names.index("half_spread") < names.index("minimum_ev")


def test_values_of_a_signal_are_told_without_the_marks_of_a_program() -> None:
    interval = {"level": 0.8, "high": ["81.44", "82.18"]}
    assert _told(interval) == "level 0.8, high 81.44 to 82.18"
    assert (_told(False), _told(None), _told("81.24")) == ("no", None, "81.24")


def test_event_that_is_no_dead_letter_is_not_replayed_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--storage", "memory", "outbox", "replay", "01890000-0000-7000-8000-000000000000") == Exit.FAILURE
    out, err = capsys.readouterr()
    assert (out, err[:51]) == ("", "error: 1 of the events given are no dead letters, 0")
    assert run("--storage", "memory", "outbox", "replay", "--all") == Exit.OK
