"""Exit codes of the command line, and how an error becomes one."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from tradingcore.kernel.errors import InvalidInput, TradingCoreError, Unavailable
from tradingcore.trading.errors import CandleFileNotWritable, CandleFileUnreadable


class Exit(IntEnum):
    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFIGURATION = 3
    UNREACHABLE = 4
    CHECK_FAILED = 5
    REFUSED = 6
    INTERRUPTED = 130
    TERMINATED = 143


class CommandFailed(TradingCoreError):
    """A command that ends with a sentence and an exit code of its own."""

    code = "command_failed"
    title = "Command failed"

    def __init__(self, message: str, *, exit_code: Exit = Exit.FAILURE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


_BY_ERROR: Final[tuple[tuple[type[TradingCoreError], Exit], ...]] = (
    (CandleFileUnreadable, Exit.FAILURE),
    (CandleFileNotWritable, Exit.FAILURE),
    (InvalidInput, Exit.USAGE),
    (Unavailable, Exit.UNREACHABLE),
)


_CONFIGURATION: Final = frozenset(
    {
        "configuration",
        "passwords.breach_filter_unusable",
        "secrets.unusable",
        "storage.misconfigured",
        "storage.schema_outdated",
    }
)
"""By ``code``, so that neither the settings nor a database adapter need be imported for it."""


def exit_code_of(error: TradingCoreError) -> Exit:
    """The code for an error that ends a command."""
    if isinstance(error, CommandFailed):
        return error.exit_code
    if error.code in _CONFIGURATION:
        return Exit.CONFIGURATION
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), Exit.FAILURE)
