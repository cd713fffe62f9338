"""Log lines: JSON, one per event, only fields that are listed here. No bodies, headers, query values; users by pseudonym."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from functools import lru_cache
from time import perf_counter
from typing import Any, Final, Protocol

import structlog

from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import (
    AlreadyHandled,
    PermissionDenied,
    TooManyAttempts,
    TradingCoreError,
    Unauthenticated,
    Unavailable,
)
from tradingcore.kernel.ports import Observer

ALLOWED_FIELDS: Final = frozenset(
    {
        *("event", "level", "logger", "timestamp", "trace_id", "span_id", "request_id", "user", "process"),
        *("method", "route", "status", "duration_ms", "use_case", "outcome", "code", "detail", "error", "error_type", "error_at"),
        *("symbol", "timeframe", "topic", "event_type", "event_id", "handler", "attempts", "delay_seconds", "count", "reason"),
        *("address", "host", "port", "pid", "storage", "version", "environment", "url", "path", "seconds", "key", "series"),
        *("close_code", "subscriptions", "sockets", "candles", "signals", "model", "horizon", "name", "message", "exception"),
    }
)
"""A field that is not listed is dropped: what a caller sent must not reach a log by accident."""

_LONGEST_TEXT: Final = 2000


class UseCaseMetrics(Protocol):
    def use_case_ended(self, *, use_case: str, outcome: str, seconds: float) -> None: ...


class Pseudonyms:
    """Stand-ins for user ids: equal for equal users, worthless without the key."""

    def __init__(self, key: bytes) -> None:
        # Whoever calls once calls again.
        self._of_user = lru_cache(4096)(lambda user_id: hmac.new(key, user_id.bytes, hashlib.sha256).hexdigest()[:16])

    def of(self, actor: Actor) -> str:
        if actor.user_id is None:
            return actor.name if actor.permissions else "anonymous"
        return self._of_user(actor.user_id)


class LoggingObserver(Observer):
    """Logs and counts how each call of a use case ends. Refused attempts are warnings, faults are errors, the rest is detail."""

    def __init__(self, pseudonyms: Pseudonyms, metrics: UseCaseMetrics | None = None) -> None:
        self._pseudonyms = pseudonyms
        self._metrics = metrics
        self._log = structlog.get_logger("use_case")

    @contextmanager
    def watch(self, use_case: str, actor: Actor) -> Iterator[None]:
        started = perf_counter()
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._ended(use_case, actor, outcome_of(error), error, perf_counter() - started)

    def _ended(self, use_case: str, actor: Actor, outcome: str, error: BaseException | None, seconds: float) -> None:
        if self._metrics is not None:
            self._metrics.use_case_ended(use_case=use_case, outcome=outcome, seconds=seconds)
        fields: dict[str, Any] = {
            "use_case": use_case,
            "outcome": outcome,
            "trace_id": actor.trace_id,
            "user": self._pseudonyms.of(actor),
            "duration_ms": round(seconds * 1000, 3),
        }
        if isinstance(error, TradingCoreError):
            fields["code"] = error.code
        elif error is not None:
            fields["error_type"] = type(error).__qualname__
        level = {"refused": "warning", "unavailable": "warning", "failed": "error"}.get(outcome, "debug")
        getattr(self._log, level)("use_case_ended", **fields)


def outcome_of(error: BaseException | None) -> str:
    """How a call ended, in one word: ok, repeated, refused, unavailable, rejected, cancelled or failed."""
    match error:
        case None:
            return "ok"
        case AlreadyHandled():
            return "repeated"
        case Unauthenticated() | PermissionDenied() | TooManyAttempts():
            return "refused"
        case Unavailable():
            return "unavailable"
        case TradingCoreError() if type(error).__mro__[1] is not Exception:
            return "rejected"
        case asyncio.CancelledError() | GeneratorExit() | KeyboardInterrupt():
            return "cancelled"
        case _:
            return "failed"


def keep_allowed(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: drop fields that are not listed, shorten long text, and show values by their text alone."""
    return {name: _plain(value) for name, value in event.items() if name in ALLOWED_FIELDS or name.startswith("_")}


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    text = str(value)[:_LONGEST_TEXT]
    # What begins a line of its own, or moves a terminal, would let a caller write lines that we never wrote.
    return text if text.isprintable() else "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def exceptions_by_type(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: an exception becomes its type and its places."""
    # A traceback prints messages and source lines, where values of users may be.
    info = event.pop("exc_info", None)
    error = (
        info if isinstance(info, BaseException) else (info[1] if isinstance(info, tuple) else sys.exc_info()[1] if info else None)
    )
    if error is not None:
        event["error_type"] = type(error).__qualname__
        event["error_at"] = origin_of(error)
    return event


def origin_of(error: BaseException) -> list[str]:
    """Where an error was raised: module, line and function of the innermost frames, outermost first."""
    places, trace = [], error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        places.append(f"{frame.f_globals.get('__name__', '?')}:{trace.tb_lineno} {frame.f_code.co_name}")
        trace = trace.tb_next
    return places[-8:]
