"""What may be in a log line, and what an observer says of a call."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from entrypoints.http.logs import LoggingObserver, Pseudonyms, exceptions_by_type, keep_allowed, outcome_of
from entrypoints.http.metrics import Metrics
from tests.asvs import asvs
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId
from tradingcore.kernel.errors import (
    AlreadyHandled,
    InvalidInput,
    PermissionDenied,
    TooManyAttempts,
    TradingCoreError,
    Unauthenticated,
    Unavailable,
)
from tradingcore.testing.builders import an_id
from tradingcore.trading.errors import SignalNotFound

TRACE = TraceId("4bf92f3577b34da6a3ce929d0e0e4736")


def a_user() -> Actor:
    return Actor.of_user(trace_id=TRACE, user_id=UserId(an_id()), roles=frozenset({Role.TRADER}), plan=Plan.PRO, name="secret name")


@asvs("16.3.2", "16.3.3")
@pytest.mark.parametrize(
    ("error", "outcome", "level"),
    [
        (None, "ok", "debug"),
        (AlreadyHandled("x"), "repeated", "debug"),
        (Unauthenticated("x"), "refused", "warning"),
        (PermissionDenied("x"), "refused", "warning"),
        (TooManyAttempts("x", retry_after_seconds=1), "refused", "warning"),
        (Unavailable("x"), "unavailable", "warning"),
        (InvalidInput("x"), "rejected", "debug"),
        (SignalNotFound("x"), "rejected", "debug"),
        (asyncio.CancelledError(), "cancelled", "debug"),
        (ValueError("x"), "failed", "error"),
        (TradingCoreError("x"), "failed", "error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_end_of_a_call_is_told(error: BaseException | None, outcome: str, level: str) -> None:
    metrics, actor = Metrics(), a_user()
    observer = LoggingObserver(Pseudonyms(b"key"), metrics)
    with capture_logs() as logs:
        if error is None:
            with observer.watch("ListSignals", actor):
                pass
        else:
            with pytest.raises(type(error)), observer.watch("ListSignals", actor):
                raise error
    (line,) = logs
    assert (line["use_case"], line["outcome"], line["log_level"], line["trace_id"]) == ("ListSignals", outcome, level, TRACE)
    assert "secret name" not in repr(line)
    assert str(actor.user_id) not in repr(line)
    counted = f'tradingcore_use_case_calls_total{{outcome="{outcome}",use_case="ListSignals"}} 1.0'
    assert counted in metrics.exposition().decode()
    assert outcome_of(error) == outcome


def test_pseudonyms_are_equal_for_equal_users_and_keys_only() -> None:
    first, second = a_user(), a_user()
    names = Pseudonyms(b"key")
    assert names.of(first) == names.of(first) != names.of(second)
    assert names.of(first) != Pseudonyms(b"other").of(first)
    assert names.of(Actor.anonymous(TRACE)) == "anonymous"
    assert names.of(Actor.operator(TRACE)) == "operator"


@asvs("16.2.5")
def test_a_field_that_is_not_listed_is_dropped() -> None:
    line = {"event": "x", "token": "tc_live", "command": object(), "symbol": "BTC/USDT", "count": 3, "detail": "y" * 5000}
    kept = keep_allowed(None, "info", line)
    assert kept.keys() == {"event", "symbol", "count", "detail"}
    assert len(kept["detail"]) == 2000


def _broken() -> None:
    raise ValueError("card 4242")


@asvs("16.2.5")
def test_an_exception_is_its_type_and_place() -> None:
    with pytest.raises(ValueError, match="4242") as caught:
        _broken()
    line = exceptions_by_type(None, "error", {"event": "x", "exc_info": caught.value})
    assert line["error_type"] == "ValueError"
    assert line["error_at"][-1].endswith(" _broken")
    assert "4242" not in repr(line)
