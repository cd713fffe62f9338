from __future__ import annotations

import json
import os
from decimal import Decimal

import pytest
from click.testing import CliRunner

from adapters.memory.auth.phones import MemorySendLedger
from entrypoints.cli import app
from entrypoints.cli.console import Session
from tests.unit.core.auth.phone_world import PhoneWorld
from tradingcore.auth.errors import PhoneUnavailable
from tradingcore.auth.events import PhoneSwitchSet
from tradingcore.auth.use_cases.steer_phones import (
    SetPhoneSwitch,
    SetPhoneSwitchCommand,
    ShowPhoneSpend,
    ShowPhoneSpendCommand,
)
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.errors import PermissionDenied

OPERATOR = Actor.operator(TraceId("0" * 32))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TRADINGCORE__"):
            monkeypatch.delenv(name)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app.root, ["--storage", "memory", *arguments], obj=Session())
    assert result.exit_code == 0, result.output
    return result.output


def test_status_is_a_line_or_a_document() -> None:
    assert run("phones", "status") == "0 of 50 spent on 0 codes, 0 came back\n"
    assert json.loads(run("--json", "phones", "status")) == {
        "is_stopped": False,
        "spent": "0",
        "daily_cap": "50",
        "sends": 0,
        "converted": 0,
        "closed_blocks": [],
    }


def test_stop_and_start_say_what_they_did() -> None:
    assert run("phones", "stop") == "codes by phone are stopped\n"
    assert json.loads(run("--json", "phones", "start")) == {"is_stopped": False}


async def test_operator_stops_codes_sees_it_and_lets_them_go_again() -> None:
    world = PhoneWorld()
    switch = SetPhoneSwitch(uow=world.uow, ledger=world.ledger, clock=world.clock)
    show = ShowPhoneSpend(ledger=world.ledger, clock=world.clock)
    _, owner = await world.owner()
    await switch(OPERATOR, SetPhoneSwitchCommand(is_stopped=True))
    with pytest.raises(PhoneUnavailable):
        await world.start(owner)
    assert (await show(OPERATOR, ShowPhoneSpendCommand())).is_stopped
    await switch(OPERATOR, SetPhoneSwitchCommand(is_stopped=False))
    await world.start(owner)
    assert (await show(OPERATOR, ShowPhoneSpendCommand())).spent == Decimal("0.10")
    trail = [event.event for event, _, _ in world.database.audit if isinstance(event.event, PhoneSwitchSet)]
    assert [event.is_stopped for event in trail] == [True, False]


async def test_only_operators_see_and_steer() -> None:
    world = PhoneWorld()
    _, owner = await world.owner()
    with pytest.raises(PermissionDenied):
        await ShowPhoneSpend(ledger=MemorySendLedger(), clock=world.clock)(owner, ShowPhoneSpendCommand())
    with pytest.raises(PermissionDenied):
        await SetPhoneSwitch(uow=world.uow, ledger=world.ledger, clock=world.clock)(owner, SetPhoneSwitchCommand(is_stopped=True))
