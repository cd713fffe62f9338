"""Signing in: security.md A1, A8, A13."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.auth.passwords import MemoryPasswordHasher
from tests.asvs import asvs
from tests.unit.core.auth.sign_in_world import ELSEWHERE, HERE, SignInWorld
from tradingcore.auth.errors import AccountDisabled, ChallengeEnded, CredentialRefused, FactorRefused, Overloaded, WorkRequired
from tradingcore.auth.model.caller import Caller, device_name
from tradingcore.auth.model.password import PasswordCheck, PasswordHash
from tradingcore.auth.model.puzzle import PUZZLE_LIFETIME, SolvedPuzzle, solve
from tradingcore.auth.model.session import ACCESS_LIFETIME, MOST_SESSIONS, REFRESH_LIFETIME, AuthMethod, EndReason
from tradingcore.auth.policies.second_factor import FactorPolicy
from tradingcore.auth.policies.session_actor import restriction_of
from tradingcore.auth.use_cases.session_opening import FactorRequired, OpenedSession
from tradingcore.kernel.authz import Assurance, Permission, Role
from tradingcore.kernel.errors import InvalidInput, TooManyAttempts
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.kernel.permissions import STAFF
from tradingcore.testing.auth.builders import an_unverified_account

QUARTER = timedelta(minutes=15)


def a_network(number: int) -> NetworkPrefix:
    return NetworkPrefix.of(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")


@asvs("7.2.1", "7.2.3", "16.3.1")
async def test_the_right_password_opens_a_session() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    opened = await world.signed_in()
    session, now = opened.session, world.clock.now()
    assert (session.user_id, session.methods, session.assurance) == (owner.id, (AuthMethod.PASSWORD,), Assurance.AAL1)
    assert (session.expires_at, session.device_label) == (now + REFRESH_LIFETIME, "Firefox on Linux")
    assert opened.tokens.access.expires_at == now + ACCESS_LIFETIME
    assert world.live_sessions(owner.id) == [session]
    assert world.audited(owner.id) == ["auth.signed_in"]
    actor = await world.actor_in(opened)
    assert (actor.user_id, actor.session_id, actor.assurance) == (owner.id, session.id, Assurance.AAL1)
    assert (actor.authentication_age, actor.valid_until) == (timedelta(0), now + ACCESS_LIFETIME)
    assert Permission.MARKET_READ in actor.permissions


async def test_tokens_are_stored_nowhere() -> None:
    world = SignInWorld()
    await world.an_owner()
    opened = await world.signed_in()
    stored = repr(world.database.refresh_tokens.rows) + repr(world.database.sessions.rows) + repr(world.database.outbox.queues)
    assert opened.tokens.refresh_token not in stored + repr(opened)
    assert opened.tokens.access.text not in stored + repr(opened)


@asvs("6.3.8")
async def test_unknown_addresses_and_wrong_passwords_look_the_same() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    said = set()
    for name, password in (("ana", "wrong horse battery staple"), ("nobody", "correct horse battery staple")):
        with pytest.raises(CredentialRefused) as refused:
            await world.enters(name, password=password)
        said.add((type(refused.value), str(refused.value)))
    assert len(said) == 1
    assert [recorded.event.type for recorded, _, _ in world.database.audit] == ["auth.sign_in_refused"] * 2
    assert world.audited(owner.id) == ["auth.sign_in_refused"]


async def test_a_password_is_checked_whether_or_not_the_address_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    world = SignInWorld()
    await world.an_owner()
    asked: list[bool] = []
    verify = MemoryPasswordHasher.verify

    async def counted(self: MemoryPasswordHasher, password: str, known: PasswordHash | None) -> PasswordCheck:
        asked.append(known is not None)
        return await verify(self, password, known)

    monkeypatch.setattr(MemoryPasswordHasher, "verify", counted)
    for name in ("ana", "nobody"):
        with pytest.raises(CredentialRefused):
            await world.enters(name, password="wrong horse battery staple")
    assert asked == [True, False]


async def test_what_is_no_address_is_refused_as_input() -> None:
    with pytest.raises(InvalidInput):
        await SignInWorld().enters("not an address @")


@pytest.mark.parametrize("end", ["frozen", "closed"])
async def test_a_suspended_account_is_told_only_to_its_owner(end: str) -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    at = world.clock.now()
    if end == "frozen":
        await world.save(owner.frozen(by="an admin", at=at))
    else:
        # As if the address had stayed: a closed account keeps none.
        await world.save(replace(owner.closed(at=at), email=owner.email, password=owner.password))
    with pytest.raises(CredentialRefused):
        await world.enters(password="wrong horse battery staple")
    with pytest.raises((AccountDisabled, CredentialRefused)) as told:
        await world.enters()
    assert isinstance(told.value, AccountDisabled) or end == "closed"
    assert world.live_sessions(owner.id) == []


async def test_an_outdated_hash_is_made_anew() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    world.hasher.scheme = "newer"
    before = owner.rights_version
    opened = await world.signed_in()
    stored = world.account(owner.id)
    assert stored.password is not None
    assert (stored.password.scheme, stored.rights_version) == ("newer", before)
    assert (await world.actor_in(opened)).user_id == owner.id
    await world.signed_in()


def test_who_has_no_address_is_told_to_ask_for_one() -> None:
    nobody_knows = replace(an_unverified_account(), email=None)
    restriction = restriction_of(nobody_knows, Assurance.AAL1, FactorPolicy())
    assert restriction is not None
    assert "ask for one" in restriction
    assert restriction != restriction_of(an_unverified_account(), Assurance.AAL1, FactorPolicy())


async def test_unverified_people_may_only_look_after_their_account() -> None:
    world = SignInWorld()
    await world.registered("eve")
    opened = await world.signed_in("eve")
    actor = await world.actor_in(opened)
    assert actor.permissions == {Permission.ACCOUNT_OWN}
    assert actor.restriction is not None
    assert "not verified" in actor.restriction


@asvs("6.3.1", "6.1.1")
async def test_the_sixth_wrong_password_from_a_network_is_not_looked_at() -> None:
    world = SignInWorld()
    await world.an_owner()
    for _ in range(5):
        with pytest.raises(CredentialRefused):
            await world.enters(password="wrong horse battery staple")
    with pytest.raises(TooManyAttempts):
        await world.enters()
    assert isinstance(await world.enters(caller=ELSEWHERE), OpenedSession)
    world.clock.advance(QUARTER)
    await world.signed_in()


async def test_right_passwords_use_nothing_up() -> None:
    world = SignInWorld()
    await world.an_owner()
    for _ in range(12):
        await world.signed_in()
        world.clock.advance(timedelta(seconds=1))


async def test_an_attempt_that_nobody_looked_at_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = SignInWorld()
    await world.an_owner()

    async def overloaded(self: MemoryPasswordHasher, password: str, known: PasswordHash | None) -> PasswordCheck:
        raise Overloaded("too many at once", retry_after_seconds=1)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryPasswordHasher, "verify", overloaded)
        for _ in range(10):
            with pytest.raises(Overloaded):
                await world.enters()
    await world.signed_in()


async def guess_until_asked_to_work(world: SignInWorld) -> WorkRequired:
    for number in range(20):
        with pytest.raises(CredentialRefused):
            await world.enters(password="wrong horse battery staple", caller=replace(HERE, network=a_network(number)))
    with pytest.raises(WorkRequired) as asked:
        await world.enters(caller=replace(HERE, network=a_network(99)))
    return asked.value


@asvs("6.3.5")
async def test_a_guessed_account_asks_for_work_and_locks_nobody_out() -> None:
    world = SignInWorld()
    await world.an_owner()
    asked = await guess_until_asked_to_work(world)
    solved = solve(asked.puzzle, asked.bits)
    assert isinstance(await world.enters(solved=solved, caller=replace(HERE, network=a_network(99))), OpenedSession)


async def test_work_counts_once_for_one_account_and_for_ten_minutes() -> None:
    world = SignInWorld()
    await world.an_owner()
    await world.an_owner("bob")
    asked = await guess_until_asked_to_work(world)
    here = replace(HERE, network=a_network(99))
    solved = solve(asked.puzzle, asked.bits)
    for wrong in (
        replace(solved, nonce=solved.nonce + "x"),
        replace(solved, puzzle=solved.puzzle[:-2] + "AA"),
        SolvedPuzzle(puzzle="", nonce=""),
        SolvedPuzzle(puzzle="x" * 10_000, nonce="1"),
        SolvedPuzzle(puzzle=asked.puzzle, nonce="9" * 100),
    ):
        with pytest.raises(WorkRequired):
            await world.enters(solved=wrong, caller=here)
    with pytest.raises(CredentialRefused):
        await world.enters(password="wrong horse battery staple", solved=solved, caller=here)
    with pytest.raises(WorkRequired):
        await world.enters(solved=solved, caller=here)
    later = solve(asked.puzzle, asked.bits)
    world.clock.advance(PUZZLE_LIFETIME)
    with pytest.raises(WorkRequired):
        await world.enters(solved=later, caller=here)


async def test_a_puzzle_is_about_one_account() -> None:
    world = SignInWorld()
    await world.an_owner()
    asked = await guess_until_asked_to_work(world)
    other = solve(asked.puzzle, asked.bits)
    with pytest.raises(WorkRequired):
        await world.puzzles.require(other, about="bob@example.org")


async def test_a_second_factor_is_asked_for_and_remembers_the_first() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    await world.with_totp(owner)
    asked = await world.enters()
    assert isinstance(asked, FactorRequired)
    assert world.live_sessions(owner.id) == []
    opened = await world.answered(asked)
    assert opened.session.methods == (AuthMethod.PASSWORD, AuthMethod.TOTP)
    assert (await world.actor_in(opened)).assurance is Assurance.AAL2
    with pytest.raises(ChallengeEnded):
        await world.answered(asked)


async def test_a_wrong_code_opens_nothing() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    await world.with_totp(owner)
    asked = await world.enters()
    assert isinstance(asked, FactorRequired)
    with pytest.raises(FactorRefused):
        await world.answered(asked, proof="000000" if world.code() != "000000" else "111111")
    assert world.live_sessions(owner.id) == []
    await world.answered(asked)


async def test_of_equal_answers_at_once_one_opens_a_session() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    await world.with_totp(owner)
    asked = await world.enters()
    assert isinstance(asked, FactorRequired)
    outcomes = await asyncio.gather(*(world.answered(asked) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(one, OpenedSession) for one in outcomes) == 1
    assert len(world.live_sessions(owner.id)) == 1


async def test_a_trusted_device_is_not_asked_and_keeps_its_own_count() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    await world.with_totp(owner)
    asked = await world.enters()
    assert isinstance(asked, FactorRequired)
    trusted = (await world.answered(asked, trusts_device=True)).trusted_device
    assert trusted is not None
    await guess_until_asked_to_work(world)
    with pytest.raises(WorkRequired):
        await world.enters()
    mine = replace(HERE, trusted_device=trusted.token)
    opened = await world.signed_in(caller=mine)
    assert opened.session.methods == (AuthMethod.PASSWORD, AuthMethod.TRUSTED_DEVICE)
    assert opened.session.assurance is Assurance.AAL1
    stranger = await world.an_owner("bob")
    await world.with_totp(stranger)
    assert isinstance(await world.enters("bob", caller=mine), FactorRequired), "another account's device is none"


async def test_a_device_that_was_trusted_before_its_owner_became_staff_is_asked() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    await world.with_totp(owner)
    asked = await world.enters()
    assert isinstance(asked, FactorRequired)
    trusted = (await world.answered(asked, trusts_device=True)).trusted_device
    assert trusted is not None
    await world.save(owner.with_rights(roles=frozenset({Role.ADMIN}), plan=owner.plan, by="root", at=world.clock.now()))
    assert isinstance(await world.enters(caller=replace(HERE, trusted_device=trusted.token)), FactorRequired)


@pytest.mark.parametrize("role", sorted(STAFF))
async def test_staff_shows_the_factor_every_time_and_stays_twelve_hours(role: Role) -> None:
    world = SignInWorld()
    owner = await world.an_owner(roles=frozenset({role}))
    opened = await world.signed_in()
    assert opened.session.absolute_at == world.clock.now() + timedelta(hours=12)
    actor = await world.actor_in(opened)
    assert actor.permissions == {Permission.ACCOUNT_OWN}
    await world.with_totp(owner)
    asked = await world.enters()
    assert isinstance(asked, FactorRequired)
    second = await world.answered(asked, trusts_device=True)
    assert second.trusted_device is None
    assert Permission.USERS_MANAGE in (await world.actor_in(second)).permissions


@asvs("7.1.2", "2.3.2")
async def test_of_more_than_ten_sessions_the_oldest_ends_with_a_notice() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    sessions = []
    for _ in range(MOST_SESSIONS + 1):
        sessions.append((await world.signed_in()).session)
        world.clock.advance(timedelta(minutes=1))
    assert {one.id for one in world.live_sessions(owner.id)} == {one.id for one in sessions[1:]}
    assert world.database.sessions.rows[sessions[0].id].end_reason is EndReason.TOO_MANY_SESSIONS
    (mail,) = await world.settle()
    assert (mail.template, mail.values["device"]) == ("session_cap_reached", "Firefox on Linux")
    assert world.audited(owner.id).count("auth.session_ended") == 1


@asvs("6.3.5", "6.3.7")
async def test_a_new_device_is_told_to_the_owner() -> None:
    world = SignInWorld()
    await world.an_owner()
    await world.signed_in()
    assert await world.settle() == [], "whoever has just registered knows"
    await world.signed_in()
    assert await world.settle() == []
    await world.signed_in(caller=ELSEWHERE)
    (mail,) = await world.settle()
    assert (mail.template, mail.to, mail.values["device"]) == ("new_device", "ana@example.org", "curl")
    assert mail.values["network"] == "198.51.100.9"
    await world.signed_in(caller=replace(HERE, device_label="Safari on iPhone"))
    assert [one.template for one in await world.settle()] == ["new_device"]


async def test_nothing_is_mailed_to_an_address_that_nobody_has_proven() -> None:
    world = SignInWorld()
    await world.registered("eve")
    await world.signed_in("eve")
    await world.signed_in("eve", caller=ELSEWHERE)
    assert await world.settle() == []


async def test_a_password_that_was_reset_meanwhile_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    verify = MemoryPasswordHasher.verify

    async def reset_meanwhile(self: MemoryPasswordHasher, password: str, known: PasswordHash | None) -> PasswordCheck:
        check = await verify(self, password, known)
        await world.save(owner.with_password(await self.hash("another horse battery staple"), at=world.clock.now()))
        return check

    monkeypatch.setattr(MemoryPasswordHasher, "verify", reset_meanwhile)
    with pytest.raises(CredentialRefused):
        await world.enters()
    assert world.live_sessions(owner.id) == []


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/128.0.0.0 Safari/537.36", "Chrome on Windows"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/128.0.0.0 Safari/537.36 Edg/128.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/128.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("curl/8.5.0", "curl"),
        ("", "unknown device"),
        ("<script>alert(1)</script>", "unknown device"),
    ],
)
def test_devices_have_short_names_without_versions(agent: str, name: str) -> None:
    assert device_name(agent) == name


@given(agent=st.text(max_size=600))
def test_any_agent_gets_a_name_that_fits(agent: str) -> None:
    caller = Caller.of(a_network(1), user_agent=agent)
    assert 1 <= len(caller.device_label) <= 60
    assert caller.device_label.isprintable()
