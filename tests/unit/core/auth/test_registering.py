"""Registration and the proof of an address: whoever reads the mail wins, and nobody else learns anything."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.asvs import asvs
from tests.unit.core.auth.accounts_world import AccountsWorld, a_registration
from tradingcore.auth.errors import CodeRefused, PasswordRefused
from tradingcore.auth.events import RegistrationRequested
from tradingcore.auth.model.account import AccountStatus
from tradingcore.auth.model.opaque_token import opaque_token, opaque_token_hash
from tradingcore.auth.use_cases.reset_password import ResetPasswordCommand
from tradingcore.auth.use_cases.verify_address import RequestAddressVerificationCommand, VerifyAddressCommand
from tradingcore.kernel.authz import Plan, Role
from tradingcore.kernel.errors import AlreadyHandled, InvalidInput
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.testing.auth.builders import PASSWORD, a_mailed_token
from tradingcore.testing.builders import a_cause, an_actor


@pytest.fixture
def world() -> AccountsWorld:
    return AccountsWorld()


async def test_fresh_address_gets_an_unverified_account_and_a_proof_by_mail(world: AccountsWorld) -> None:
    mail = await world.registered("Ana")
    (account,) = world.accounts
    assert (mail.template, mail.to, mail.locale, set(mail.values)) == ("verify_address", "Ana@example.org", "es", {"token"})
    assert (account.status, account.roles, account.plan) == (AccountStatus.UNVERIFIED, frozenset({Role.INVESTOR}), Plan.FREE)
    assert account.profile.display_name == "Ana"
    assert account.password is not None
    assert (await world.hasher.verify(PASSWORD, account.password)).is_right
    assert set(world.audited(account.id)) == {"auth.account_registered", "auth.token_mailed"}


async def test_proof_makes_the_account_active_once(world: AccountsWorld) -> None:
    mail = await world.registered()
    before = world.account_of("ana")
    await world.verify(world.nobody(), VerifyAddressCommand(token=mail.values["token"]))
    after = world.account_of("ana")
    assert (after.status, after.verified_at) == (AccountStatus.ACTIVE, world.clock.now())
    assert after.rights_version > before.rights_version, "an older access token holds the rights of an unverified account"
    assert "auth.address_verified" in world.audited(after.id)
    with pytest.raises(CodeRefused):
        await world.verify(world.nobody(), VerifyAddressCommand(token=mail.values["token"]))


@asvs("6.4.1")
async def test_proof_expires_after_a_day(world: AccountsWorld) -> None:
    mail = await world.registered()
    world.clock.advance(timedelta(hours=24))
    with pytest.raises(CodeRefused):
        await world.verify(world.nobody(), VerifyAddressCommand(token=mail.values["token"]))


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "é" * 43, "a" * 100_000, "\0" * 43])
async def test_what_is_no_token_is_refused_like_one_that_was_used(world: AccountsWorld, token: str) -> None:
    mail = await world.registered()
    await world.verify(world.nobody(), VerifyAddressCommand(token=mail.values["token"]))
    with pytest.raises(CodeRefused) as used:
        await world.verify(world.nobody(), VerifyAddressCommand(token=mail.values["token"]))
    with pytest.raises(CodeRefused) as wrong:
        await world.verify(world.nobody(), VerifyAddressCommand(token=token))
    assert str(wrong.value) == str(used.value)


async def test_address_that_is_proven_gets_a_notice_and_no_second_account(world: AccountsWorld) -> None:
    owner = await world.verified("ana")
    mail = await world.registered("ANA", password="another long password")
    assert (mail.template, mail.to) == ("already_registered", "ana@example.org")
    assert world.accounts == [owner]


@asvs("6.3.8")
async def test_what_is_stored_when_somebody_registers_does_not_depend_on_the_address(world: AccountsWorld) -> None:
    await world.verified("known")
    asked = []
    for name in ("known", "fresh"):
        await world.register(world.nobody(), a_registration(name))
        (claimed,) = await world.outbox.claim(limit=10, lease=timedelta(minutes=1))
        await world.outbox.settle([claimed])
        assert isinstance(claimed.recorded.event, RegistrationRequested)
        asked.append(claimed.recorded.event)
    known, fresh = asked
    assert len(known.sealed) == len(fresh.sealed)
    assert "known" not in known.sealed


@asvs("6.8.1")
@pytest.mark.parametrize("opened", ["the owner's", "the attacker's"])
async def test_of_an_address_that_was_claimed_twice_nobody_keeps_a_password(world: AccountsWorld, opened: str) -> None:
    """Whose proof the reader of the mailbox opens, nobody can tell: a stranger must not have chosen the password behind it."""
    attacker_mail = await world.registered("victim", password="known to the attacker")
    world.clock.advance(timedelta(minutes=1))
    owner_mail = await world.registered("victim")
    used, other = (owner_mail, attacker_mail) if opened == "the owner's" else (attacker_mail, owner_mail)
    await world.verify(world.nobody(), VerifyAddressCommand(token=used.values["token"]))
    with pytest.raises(CodeRefused):
        await world.verify(world.nobody(), VerifyAddressCommand(token=other.values["token"]))
    winner = world.account_of("victim")
    assert [one.status for one in world.accounts if one.id != winner.id] == [AccountStatus.UNVERIFIED]
    assert [one.password for one in world.accounts] == [None, None]
    (choose,) = await world.settle()
    assert (choose.template, choose.to) == ("reset_password", "victim@example.org")
    await world.reset(world.nobody(), ResetPasswordCommand(token=choose.values["token"], password=PASSWORD))
    reset = world.account_of("victim").password
    assert reset is not None
    assert (await world.hasher.verify(PASSWORD, reset)).is_right


async def test_proof_can_be_asked_for_again_and_the_older_one_is_void(world: AccountsWorld) -> None:
    first = await world.registered()
    await world.ask_verification(world.nobody(), RequestAddressVerificationCommand(email="ANA@example.org"))
    (second,) = await world.settle()
    assert second.values["token"] != first.values["token"]
    with pytest.raises(CodeRefused):
        await world.verify(world.nobody(), VerifyAddressCommand(token=first.values["token"]))
    await world.verify(world.nobody(), VerifyAddressCommand(token=second.values["token"]))


async def test_nothing_is_mailed_to_an_address_that_waits_for_no_proof(world: AccountsWorld) -> None:
    await world.verified("ana")
    for name in ("ana", "unknown"):
        await world.ask_verification(world.nobody(), RequestAddressVerificationCommand(email=f"{name}@example.org"))
    assert await world.settle() == []


async def test_three_proofs_are_mailed_in_six_hours_and_asking_tells_nobody(world: AccountsWorld) -> None:
    await world.registered()
    sent = 0
    for _ in range(5):
        await world.ask_verification(world.nobody(), RequestAddressVerificationCommand(email="ana@example.org"))
        sent += len(await world.settle())
    assert sent == 2, "with the first one three"
    world.clock.advance(timedelta(hours=6))
    await world.ask_verification(world.nobody(), RequestAddressVerificationCommand(email="ana@example.org"))
    assert len(await world.settle()) == 1


async def test_new_accounts_do_not_fill_a_mailbox(world: AccountsWorld) -> None:
    mails = []
    for _ in range(5):
        await world.register(world.nobody(), a_registration("victim"))
        mails += await world.settle()
    assert len(mails) == 3


@asvs("2.4.1")
async def test_ten_registrations_an_hour_come_from_one_network(world: AccountsWorld) -> None:
    for number in range(12):
        await world.register(world.nobody(), a_registration(f"user{number}"))
    await world.settle()
    assert len(world.accounts) == 10
    elsewhere = a_registration("neighbour")
    command = type(elsewhere)(
        email=elsewhere.email, password=elsewhere.password, profile=elsewhere.profile, network=NetworkPrefix.of("198.51.100.1")
    )
    await world.register(world.nobody(), command)
    await world.settle()
    assert len(world.accounts) == 11


@asvs("6.2.1", "6.2.4", "6.2.11")
@pytest.mark.parametrize("password", ["short", "password1234", "tradingcore tradingcore", "a" * 257, "TradingCore1"])
async def test_password_that_may_not_be_chosen_is_refused_before_anything_else(world: AccountsWorld, password: str) -> None:
    with pytest.raises(PasswordRefused):
        await world.register(world.nobody(), a_registration(password=password))
    assert await world.settle() == []


@pytest.mark.parametrize(
    "profile",
    [
        {"display_name": "x" * 81},
        {"display_name": "bell\x07"},
        {"display_name": "half \ud800"},
        {"locale": "fr"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": "America"},
        {"time_zone": ""},
    ],
)
async def test_profile_that_makes_no_sense_is_refused(world: AccountsWorld, profile: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        await world.register(world.nobody(), a_registration(**profile))


async def test_answer_that_is_delivered_twice_makes_one_account(world: AccountsWorld) -> None:
    await world.register(world.nobody(), a_registration())
    (claimed,) = await world.outbox.claim(limit=10, lease=timedelta(minutes=1))
    actor = an_actor(cause=a_cause("auth.open_account"))
    await world.react(actor, claimed.recorded)
    with pytest.raises(AlreadyHandled):
        await world.react(actor, claimed.recorded)
    assert len(world.accounts) == 1


async def test_proof_is_of_the_address_that_it_was_mailed_to(world: AccountsWorld) -> None:
    await world.registered()
    account = world.account_of("ana")
    secret = opaque_token(b"v" * 32)
    token = a_mailed_token(
        account,
        token_hash=opaque_token_hash(secret),
        expires_at=world.clock.now() + timedelta(hours=1),
        bound_to="before@example.org",
    )
    async with world.uow(an_actor()) as unit:
        await unit.one_time_tokens.add(token)
    with pytest.raises(CodeRefused):
        await world.verify(world.nobody(), VerifyAddressCommand(token=secret))
    assert not world.account_of("ana").is_verified
