"""What ends in the logs, as a process writes it: one line for one event, in UTC, whatever somebody sent."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import structlog

from entrypoints.http.logs import LoggingObserver, Pseudonyms
from entrypoints.observing import configure_logging
from entrypoints.sections import LogSection
from entrypoints.settings import Settings
from tests.asvs import asvs
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId
from tradingcore.kernel.errors import PermissionDenied
from tradingcore.testing.builders import an_id

HOSTILE = [
    'x\n{"event": "use_case_ended", "outcome": "ok"}',
    "x\r\n2026-01-01 [error] forged",
    "\x1b[2J\x1b[31mred",
    "a\u2028b\u2029c\x85d\x0be\x00f\x7fg\x9b31m",
    "\u202eback",
]


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def configured(kind: str) -> None:
    configure_logging(Settings(log=LogSection(format=kind, level="debug")))  # type: ignore[arg-type] # one of its words


@asvs("16.4.1")
@pytest.mark.parametrize("kind", ["json", "console"])
@pytest.mark.parametrize("text", HOSTILE)
def test_one_event_is_one_line_whatever_it_holds(capsys: pytest.CaptureFixture[str], kind: str, text: str) -> None:
    configured(kind)
    structlog.get_logger("http").warning("refused", detail=text, name=[text])
    logging.getLogger("somebody.else").warning("said %s", text)
    shown = capsys.readouterr().err
    lines = shown.split("\n")
    assert (len(lines), lines[-1]) == (3, ""), shown
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]", shown) is None


@asvs("16.2.1", "16.2.2", "16.2.4")
def test_a_line_says_when_where_who_and_what(capsys: pytest.CaptureFixture[str]) -> None:
    configured("json")
    trace = TraceId("4bf92f3577b34da6a3ce929d0e0e4736")
    actor = Actor.of_user(trace_id=trace, user_id=UserId(an_id()), roles=frozenset({Role.TRADER}), plan=Plan.PRO, name="ana")
    with pytest.raises(PermissionDenied), LoggingObserver(Pseudonyms(b"key")).watch("GrantRole", actor):
        raise PermissionDenied("no")
    line = json.loads(capsys.readouterr().err)
    at = datetime.fromisoformat(line["timestamp"])
    assert at.utcoffset() == timedelta(0)
    assert (line["use_case"], line["outcome"], line["trace_id"]) == ("GrantRole", "refused", actor.trace_id)
    assert (line["level"], line["logger"], line["code"]) == ("warning", "use_case", PermissionDenied.code)
    assert re.fullmatch(r"[0-9a-f]{16}", line["user"])


@asvs("16.3.4", "16.2.5")
def test_a_fault_is_told_by_type_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    configured("json")
    fault = ConnectionError("card 4242")
    structlog.get_logger("worker").error("schedule_failed", exc_info=fault)
    logging.getLogger("library").error("broken", exc_info=fault)
    shown = capsys.readouterr().err
    assert [json.loads(line)["error_type"] for line in shown.splitlines()] == ["ConnectionError", "ConnectionError"]
    assert "4242" not in shown
