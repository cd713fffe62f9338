from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.asvs import asvs
from tests.unit.core.auth.phone_world import HOME, NUMBER, PhoneWorld, in_another_session, wrong
from tradingcore.auth.errors import (
    AddressNotVerified,
    CodeRefused,
    PhoneNotFound,
    PhoneRefused,
    PhoneUnavailable,
)
from tradingcore.auth.events import MailRequested, PhoneProofStarted, PhoneProven, PhoneRemoved
from tradingcore.auth.ids import PhoneProofId
from tradingcore.auth.model.account import AccountStatus
from tradingcore.auth.model.challenge import FactorKind
from tradingcore.auth.model.phone import (
    CODE_BYTES,
    RANKS,
    DeliveryState,
    PhoneChannel,
    PhoneNumber,
    SpendLimits,
    code_from,
    is_attack,
)
from tradingcore.auth.policies.phones import PER_NETWORK, PER_NUMBER, PER_USER
from tradingcore.auth.use_cases.manage_phones import GetPhoneCommand, RemovePhoneCommand, code_hash
from tradingcore.kernel.errors import Conflict, StepUpRequired, TooManyAttempts, Unauthenticated, Unavailable
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.testing.builders import an_id
from tradingcore.testing.fakes import FakeSecrets

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world() -> PhoneWorld:
    return PhoneWorld()


def announced(world: PhoneWorld) -> list[str]:
    return [entry.recorded.event.type for queue in world.database.outbox.queues.values() for entry in queue]


@pytest.mark.parametrize("keeps_codes", [False, True])
async def test_right_code_proves_the_number(keeps_codes: bool) -> None:
    world = PhoneWorld(keeps_codes=keeps_codes)
    account, owner = await world.owner()
    started = await world.start(owner, "+34 612 34 56 78", channel=PhoneChannel.WHATSAPP)
    (message,) = world.gateway.sent
    assert (message.number.e164, message.channel, message.locale) == (NUMBER, PhoneChannel.WHATSAPP, "es")
    assert (message.code is None) == keeps_codes
    phone = await world.confirm(owner, started, world.gateway.last_code)
    assert await world.get_phone(owner, GetPhoneCommand()) == phone
    assert (phone.user_id, phone.number.e164, phone.channel) == (account.id, NUMBER, PhoneChannel.WHATSAPP)
    assert (await world.ledger.status(at=world.clock.now())).converted == 1
    assert {PhoneProofStarted.type, PhoneProven.type, MailRequested.type} <= set(announced(world))


@asvs("6.5.1", "2.3.5")
@pytest.mark.parametrize("keeps_codes", [False, True])
async def test_code_cannot_be_used_twice(keeps_codes: bool) -> None:
    world = PhoneWorld(keeps_codes=keeps_codes)
    _, owner = await world.owner()
    started = await world.start(owner)
    await world.confirm(owner, started, world.gateway.last_code)
    with pytest.raises(CodeRefused):
        await world.confirm(owner, started, world.gateway.last_code)


@asvs("6.5.1")
async def test_right_code_that_is_sent_twice_at_once_wins_once(world: PhoneWorld) -> None:
    _, owner = await world.owner()
    started = await world.start(owner)

    async def confirm() -> bool:
        try:
            await world.confirm(owner, started, world.gateway.last_code)
        except (CodeRefused, TooManyAttempts, Conflict):
            return False
        return True

    assert sum(await asyncio.gather(*(confirm() for _ in range(16)))) == 1
    assert announced(world).count(PhoneProven.type) == 1


@asvs("6.6.3", "6.3.1")
@pytest.mark.parametrize("keeps_codes", [False, True])
async def test_five_wrong_codes_end_the_proof(keeps_codes: bool) -> None:
    world = PhoneWorld(keeps_codes=keeps_codes)
    _, owner = await world.owner()
    started = await world.start(owner)
    for _ in range(5):
        with pytest.raises(CodeRefused):
            await world.confirm(owner, started, wrong(world.gateway.last_code))
    with pytest.raises(TooManyAttempts):
        await world.confirm(owner, started, world.gateway.last_code)
    world.wait(6 * MINUTE)
    with pytest.raises((CodeRefused, TooManyAttempts)):
        await world.confirm(owner, started, world.gateway.last_code)
    assert world.gateway.checks == (5 if keeps_codes else 0)


@asvs("6.6.3")
async def test_guesses_at_once_are_looked_at_five_times_at_most() -> None:
    world = PhoneWorld(keeps_codes=True)
    _, owner = await world.owner()
    started = await world.start(owner)
    outcomes: Counter[str] = Counter()

    async def guess(number: int) -> None:
        try:
            await world.confirm(owner, started, f"{number:06}")
        except (CodeRefused, TooManyAttempts, Conflict) as error:
            outcomes[type(error).__name__] += 1

    await asyncio.gather(*(guess(number) for number in range(200)))
    assert world.gateway.checks <= 5
    assert sum(outcomes.values()) == 200


@asvs("6.6.2", "6.5.5")
async def test_code_holds_for_its_session_and_for_ten_minutes(world: PhoneWorld) -> None:
    _, owner = await world.owner()
    started = await world.start(owner)
    with pytest.raises(CodeRefused):
        await world.confirm(in_another_session(owner), started, world.gateway.last_code)
    world.wait(10 * MINUTE)
    with pytest.raises(CodeRefused):
        await world.confirm(owner, started, world.gateway.last_code)


@asvs("6.6.2")
async def test_code_of_one_proof_is_no_code_of_another(world: PhoneWorld) -> None:
    _, owner = await world.owner()
    _, stranger = await world.owner()
    mine = await world.start(owner)
    code = world.gateway.last_code
    theirs = await world.start(stranger, "+34612345679")
    for actor, started in ((owner, theirs), (stranger, mine), (stranger, theirs)):
        if code != world.gateway.last_code or started is mine:
            with pytest.raises(CodeRefused):
                await world.confirm(actor, started, code)


@asvs("6.6.2")
async def test_newer_code_ends_the_older_one(world: PhoneWorld) -> None:
    _, owner = await world.owner()
    older = await world.start(owner)
    code = world.gateway.last_code
    world.wait(MINUTE)
    await world.start(owner)
    with pytest.raises(CodeRefused):
        await world.confirm(owner, older, code)


async def test_every_wrong_code_gets_the_same_answer(world: PhoneWorld) -> None:
    _, owner = await world.owner()
    started = await world.start(owner)
    sentences = set()
    for proof, code in (
        (started, wrong(world.gateway.last_code)),
        (replace(started, id=PhoneProofId(an_id())), "123456"),
        (started, "12345"),
        (started, "١٢٣٤٥٦"),
        (started, "1234567"),
        (started, ""),
    ):
        with pytest.raises(CodeRefused) as refused:
            await world.confirm(owner, proof, code)
        sentences.add(str(refused.value))
    assert len(sentences) == 1


@pytest.mark.parametrize("number", ["+34806123456", "+34911234567", "612345678", "nonsense", "+447400123456"])
async def test_number_that_is_not_served_costs_nothing(world: PhoneWorld, number: str) -> None:
    _, owner = await world.owner()
    with pytest.raises(PhoneRefused) as refused:
        await world.start(owner, number)
    assert number not in str(refused.value)
    assert (world.gateway.sent, world.ledger.sends) == ([], {})


async def test_no_country_is_served_unless_an_operator_names_it() -> None:
    world = PhoneWorld(countries=frozenset())
    _, owner = await world.owner()
    with pytest.raises(PhoneRefused, match="this country"):
        await world.start(owner)


async def test_account_must_have_proven_its_address(world: PhoneWorld) -> None:
    _, owner = await world.owner(status=AccountStatus.UNVERIFIED, verified_at=None)
    with pytest.raises(AddressNotVerified):
        await world.start(owner)
    assert world.gateway.sent == []


async def test_start_and_removal_need_a_recent_sign_in(world: PhoneWorld) -> None:
    _, owner = await world.owner()
    stale = replace(owner, authentication_age=timedelta(minutes=6))
    with pytest.raises(StepUpRequired):
        await world.start(stale)
    with pytest.raises(StepUpRequired):
        await world.remove_phone(stale, RemovePhoneCommand())
    with pytest.raises(Unauthenticated):
        await world.start(replace(owner, user_id=None, permissions=frozenset()))


async def start_or_refuse(world: PhoneWorld, **arguments: Any) -> bool:
    _, owner = await world.owner()
    try:
        await world.start(owner, **arguments)
    except TooManyAttempts:
        return False
    return True


@asvs("2.4.1", "6.3.1", "2.3.2")
async def test_number_gets_one_code_in_thirty_seconds_three_an_hour_and_five_a_day(world: PhoneWorld) -> None:
    made = []
    for minute in range(0, 24 * 60, 5):
        made += [minute for _ in range(2) if await start_or_refuse(world, network=NetworkPrefix(f"203.0.113.{minute % 250}"))]
        world.wait(5 * MINUTE)
    assert made == [0, 5, 10, 60, 65]
    assert [bucket.limit for bucket in PER_NUMBER] == [1, 3, 5]


@asvs("2.4.1")
async def test_user_and_network_have_limits_of_their_own(world: PhoneWorld) -> None:
    _, owner = await world.owner()
    for last in range(PER_USER.limit):
        await world.start(owner, f"+3461234560{last}", network=NetworkPrefix(f"198.51.100.{last}"))
    with pytest.raises(TooManyAttempts):
        await world.start(owner, "+34612345609", network=NetworkPrefix("198.51.100.99"))
    made = [await start_or_refuse(world, number=f"+346123457{last:02}", network=HOME) for last in range(12)]
    assert made == [True] * PER_NETWORK.limit + [False] * 2


@asvs("2.4.1", "15.4.2")
async def test_limits_are_exact_when_all_come_at_once(world: PhoneWorld) -> None:
    owners = [(await world.owner())[1] for _ in range(40)]

    async def start(position: int) -> bool:
        try:
            await world.start(owners[position], f"+3461234{position:04}")
        except TooManyAttempts:
            return False
        return True

    made = await asyncio.gather(*(start(position) for position in range(40)))
    assert sum(made) == len(world.gateway.sent) == PER_NETWORK.limit


def test_block_is_judged_by_its_last_fifty_sends_and_closed_for_a_day() -> None:
    limits = SpendLimits(daily_cap=Decimal(1), daily_cap_per_block=Decimal(1))
    assert (limits.window, limits.least_converted, limits.closed_for) == (50, Decimal("0.2"), timedelta(hours=24))
    assert not is_attack(limits, sends=49, converted=0)
    assert is_attack(limits, sends=50, converted=9)
    assert not is_attack(limits, sends=50, converted=10)


async def test_used_up_budget_calls_nobody_and_says_nothing() -> None:
    world = PhoneWorld(spend=SpendLimits(daily_cap=Decimal("0.05"), daily_cap_per_block=Decimal(1)))
    _, owner = await world.owner()
    for _ in range(3):
        with pytest.raises(PhoneUnavailable) as refused:
            await world.start(owner)
        assert "cap" not in str(refused.value)
    assert world.gateway.sent == []


async def test_switch_stops_sending_at_once(world: PhoneWorld) -> None:
    _, owner = await world.owner()
    await world.ledger.set_stopped(is_stopped=True)
    with pytest.raises(PhoneUnavailable):
        await world.start(owner)
    assert world.gateway.sent == []


@pytest.mark.parametrize(
    ("fault", "spent"),
    [
        (PhoneUnavailable("429"), Decimal(0)),
        (PhoneRefused("landline"), Decimal(0)),
        (Unavailable("no answer in time"), Decimal("0.10")),
    ],
)
async def test_what_may_have_been_sent_stays_counted(world: PhoneWorld, fault: Exception, spent: Decimal) -> None:
    _, owner = await world.owner()
    world.gateway.faults.append(fault)
    with pytest.raises(type(fault)):
        await world.start(owner)
    assert (await world.ledger.status(at=world.clock.now())).spent == spent


async def test_code_that_nobody_could_look_at_costs_little() -> None:
    world = PhoneWorld(keeps_codes=True)
    _, owner = await world.owner()
    started = await world.start(owner)
    for _ in range(4):
        world.gateway.faults.append(Unavailable("no answer in time"))
        with pytest.raises(Unavailable):
            await world.confirm(owner, started, world.gateway.last_code)
    assert (await world.confirm(owner, started, world.gateway.last_code)).number.e164 == NUMBER


async def test_removed_number_is_gone(world: PhoneWorld) -> None:
    _, owner = await world.owner()
    started = await world.start(owner)
    await world.confirm(owner, started, world.gateway.last_code)
    await world.remove_phone(owner, RemovePhoneCommand())
    for call in (world.get_phone(owner, GetPhoneCommand()), world.remove_phone(owner, RemovePhoneCommand())):
        with pytest.raises(PhoneNotFound):
            await call
    assert PhoneRemoved.type in announced(world)


async def test_events_and_messages_hide_number_and_code(world: PhoneWorld) -> None:
    _, owner = await world.owner()
    started = await world.start(owner)
    code = world.gateway.last_code
    await world.confirm(owner, started, code)
    shown = repr([entry.recorded for queue in world.database.outbox.queues.values() for entry in queue])
    assert "612345" not in shown
    assert repr(code) not in repr(world.gateway.sent)
    assert str(PhoneNumber(e164=NUMBER, region="ES", block="+34612")) == "+34…78"


@asvs("6.6.2")
async def test_kept_code_is_good_for_its_own_proof_alone(world: PhoneWorld) -> None:
    first, second = an_id(), an_id()
    hashes = {code_hash(world.sealer, first, "123456"), code_hash(world.sealer, second, "123456")}
    assert len(hashes) == 2
    assert hashlib.sha256(b"123456").digest() not in hashes


@asvs("6.5.3", "11.5.1")
def test_codes_have_six_digits_and_no_preference() -> None:
    secrets = FakeSecrets()
    codes = [code_from(secrets.token(CODE_BYTES)) for _ in range(4000)]
    assert all(len(code) == 6 and code.isdigit() for code in codes)
    digits = Counter("".join(codes))
    assert max(digits.values()) < 1.15 * min(digits.values())


@asvs("6.3.5", "6.6.1")
def test_a_code_by_phone_is_no_way_to_sign_in() -> None:
    # So it is never the only factor of anybody, a trader's or an administrator's least of all.
    assert {kind.value for kind in FactorKind} == {"totp", "backup_code", "passkey"}


def test_states_of_delivery_have_ranks() -> None:
    assert set(RANKS) == set(DeliveryState)
