"""Challenges and what answers them: security.md A9, A10 and the limits of A8."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.asvs import asvs
from tests.unit.core.auth.factor_desk import NOBODY, STEP, WRONG, FactorDesk
from tradingcore.auth.errors import ChallengeEnded, FactorRefused
from tradingcore.auth.events import FactorDenied
from tradingcore.auth.model.challenge import CHALLENGE_LIFETIME, MOST_ATTEMPTS, ChallengePurpose, FactorKind
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.model.trusted_device import TRUST_LIFETIME
from tradingcore.auth.policies.second_factor import FactorPolicy
from tradingcore.auth.use_cases.second_factor import FactorAnswer, OpenedChallenge, forget_trust
from tradingcore.kernel.authz import Assurance, Role
from tradingcore.kernel.errors import StaleVersion, TooManyAttempts
from tradingcore.testing.auth.builders import an_account, the_owner_of
from tradingcore.testing.builders import an_id

SIGN_IN, STEP_UP = ChallengePurpose.SIGN_IN, ChallengePurpose.STEP_UP


async def test_account_without_a_factor_is_asked_nothing() -> None:
    desk = FactorDesk()
    async with desk.units(desk.owner) as unit:
        assert await desk.factors.ask(unit, desk.account.id, SIGN_IN) is None
        assert await desk.factors.kinds(unit, desk.account.id) == frozenset()


async def test_right_code_answers_the_challenge() -> None:
    desk = FactorDesk()
    await desk.confirm_factor()
    challenge = await desk.ask()
    assert challenge.factors == {FactorKind.TOTP, FactorKind.BACKUP_CODE}
    proven = await desk.answer(challenge, desk.code())
    assert (proven.user_id, proven.kind, proven.methods) == (desk.account.id, FactorKind.TOTP, (AuthMethod.PASSWORD,))


async def test_code_that_was_read_just_before_it_changed_still_counts() -> None:
    desk = FactorDesk()
    await desk.confirm_factor()
    await desk.answer(await desk.ask(), desk.code(steps_ago=1))
    with pytest.raises(FactorRefused):
        await desk.answer(await desk.ask(), desk.code(steps_ago=2))


async def test_strict_policy_takes_the_current_code_only() -> None:
    desk = FactorDesk(policy=FactorPolicy(totp_previous_steps=0))
    await desk.confirm_factor()
    with pytest.raises(FactorRefused):
        await desk.answer(await desk.ask(), desk.code(steps_ago=1))
    await desk.answer(await desk.ask(), desk.code())


@asvs("6.5.1")
async def test_code_cannot_be_used_twice() -> None:
    desk = FactorDesk()
    await desk.confirm_factor()
    await desk.answer(await desk.ask(), desk.code())
    with pytest.raises(FactorRefused):
        await desk.answer(await desk.ask(), desk.code())
    # Nor an older one after it, which the window alone would let pass.
    with pytest.raises(FactorRefused):
        await desk.answer(await desk.ask(), desk.code(steps_ago=1))
    desk.clock.advance(STEP)
    await desk.answer(await desk.ask(), desk.code())


@asvs("6.5.1")
async def test_backup_code_is_good_once_and_few_left_are_told() -> None:
    desk = FactorDesk()
    codes = await desk.confirm_factor()
    left = []
    for code in codes[:8]:
        desk.clock.advance(timedelta(minutes=6))
        left.append((await desk.answer(await desk.ask(), code, FactorKind.BACKUP_CODE)).codes_left)
    assert left == [None] * 6 + [3, 2]
    with pytest.raises(FactorRefused):
        await desk.answer(await desk.ask(), codes[0], FactorKind.BACKUP_CODE)


async def test_challenge_is_answered_once() -> None:
    desk = FactorDesk()
    await desk.confirm_factor()
    challenge = await desk.ask()
    await desk.answer(challenge, desk.code())
    desk.clock.advance(STEP)
    with pytest.raises(ChallengeEnded):
        await desk.answer(challenge, desk.code())


async def test_challenge_dies_after_five_wrong_answers() -> None:
    desk = FactorDesk()
    await desk.confirm_factor()
    challenge = await desk.ask()
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(FactorRefused):
            await desk.answer(challenge, WRONG)
    with pytest.raises(ChallengeEnded):
        await desk.answer(challenge, desk.code())


@asvs("6.5.5")
async def test_challenge_dies_of_age() -> None:
    desk = FactorDesk()
    await desk.confirm_factor()
    challenge = await desk.ask()
    desk.clock.advance(CHALLENGE_LIFETIME)
    with pytest.raises(ChallengeEnded):
        await desk.answer(challenge, desk.code())


async def test_wrong_answers_to_many_challenges_count_together() -> None:
    desk = FactorDesk()
    await desk.confirm_factor()
    challenges = [await desk.ask() for _ in range(4)]
    for challenge in (challenges[0], challenges[0], challenges[1], challenges[1], challenges[2]):
        with pytest.raises(FactorRefused):
            await desk.answer(challenge, WRONG)
    with pytest.raises(TooManyAttempts):
        await desk.answer(challenges[3], desk.code())
    # On exceed the challenge dies, so that patience with it does not pay.
    desk.clock.advance(timedelta(minutes=5))
    with pytest.raises(ChallengeEnded):
        await desk.answer(challenges[3], desk.code())
    await desk.answer(await desk.ask(), desk.code())


async def test_right_answers_use_up_no_attempts() -> None:
    desk = FactorDesk()
    codes = await desk.confirm_factor()
    for code in codes:
        await desk.answer(await desk.ask(), code, FactorKind.BACKUP_CODE)


@asvs("16.3.1")
async def test_refused_answer_is_audited() -> None:
    desk = FactorDesk()
    await desk.confirm_factor()
    with pytest.raises(FactorRefused):
        await desk.answer(await desk.ask(), WRONG)
    event = desk.audited()[-1]
    assert isinstance(event, FactorDenied)
    assert (event.user_id, event.kind, event.purpose) == (desk.account.id, FactorKind.TOTP, SIGN_IN)
    assert WRONG not in repr(event)


async def test_answer_is_good_for_what_it_was_asked_for() -> None:
    desk = FactorDesk()
    await desk.confirm_factor()
    with pytest.raises(ChallengeEnded):
        await desk.answer(await desk.ask(), desk.code(), actor=desk.owner, purpose=STEP_UP)
    with pytest.raises(ChallengeEnded):
        await desk.answer(await desk.ask(STEP_UP), desk.code())
    await desk.answer(await desk.ask(STEP_UP), desk.code(), actor=desk.owner, purpose=STEP_UP)


async def test_step_up_is_bound_to_its_session() -> None:
    desk = FactorDesk()
    await desk.confirm_factor()
    elsewhere = replace(desk.owner, session_id=an_id())
    with pytest.raises(ChallengeEnded):
        await desk.answer(await desk.ask(STEP_UP), desk.code(), actor=elsewhere, purpose=STEP_UP)


async def test_factor_that_was_not_asked_for_does_not_answer() -> None:
    desk = FactorDesk()
    codes = await desk.confirm_factor()
    async with desk.units(desk.owner) as unit:
        await unit.backup_codes.replace(desk.account.id, ())
    challenge = await desk.ask()
    assert challenge.factors == {FactorKind.TOTP}
    with pytest.raises(ChallengeEnded):
        await desk.answer(challenge, codes[0], FactorKind.BACKUP_CODE)


@pytest.mark.parametrize("token", ["", "short", "A" * 43, "A" * 100_000, "é" * 43])
async def test_token_that_nobody_was_given_is_refused(token: str) -> None:
    desk = FactorDesk()
    await desk.confirm_factor()
    forged = OpenedChallenge(token=token, factors=frozenset({FactorKind.TOTP}), expires_at=desk.clock.now())
    with pytest.raises(ChallengeEnded):
        await desk.answer(forged, desk.code())


async def test_what_the_caller_does_fails_with_the_answer() -> None:
    desk = FactorDesk()
    codes = await desk.confirm_factor()
    challenge = await desk.ask()
    answer = FactorAnswer(challenge=challenge.token, kind=FactorKind.BACKUP_CODE, proof=codes[0])
    with pytest.raises(StaleVersion):
        async with desk.factors.answered(NOBODY, desk.units, answer, SIGN_IN):
            raise StaleVersion("the session could not be opened")
    await desk.answer(challenge, codes[0], FactorKind.BACKUP_CODE)


async def test_of_equal_answers_at_once_one_wins() -> None:
    desk = FactorDesk()
    await desk.confirm_factor()
    challenge, code = await desk.ask(), desk.code()
    results = await asyncio.gather(*(desk.answer(challenge, code) for _ in range(MOST_ATTEMPTS)), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1


@asvs("6.3.3")
@pytest.mark.parametrize("role", Role)
def test_policy_names_the_roles_that_need_a_factor(role: Role) -> None:
    policy, roles = FactorPolicy(), frozenset({role})
    is_staff = role in (Role.ADMIN, Role.SUPERADMIN)
    assert policy.requires(roles) == is_staff
    assert (policy.restriction(roles, Assurance.AAL1) is not None) == is_staff
    assert policy.restriction(roles, Assurance.AAL2) is None
    assert policy.trusts_devices(roles) != is_staff
    strict = FactorPolicy(required_for=frozenset(Role))
    assert strict.restriction(roles, Assurance.AAL1) is not None


class TestTrustedDevices:
    async def _trust(self, desk: FactorDesk) -> str:
        async with desk.units(desk.owner) as unit:
            return (await desk.devices.give(unit, desk.account.id, "Firefox on Linux")).token

    async def test_device_is_known_by_its_token(self) -> None:
        desk = FactorDesk()
        token = await self._trust(desk)
        device = await desk.devices.find(token, desk.account.id)
        assert device is not None
        assert (device.label, device.user_id) == ("Firefox on Linux", desk.account.id)
        assert token not in repr(device)

    async def test_device_is_trusted_for_its_own_account_only(self) -> None:
        desk = FactorDesk()
        token = await self._trust(desk)
        assert await desk.devices.find(token, an_account().id) is None

    @pytest.mark.parametrize("token", [None, "", "A" * 43, "x" * 10_000])
    async def test_unknown_token_is_no_device(self, token: str | None) -> None:
        desk = FactorDesk()
        await self._trust(desk)
        assert await desk.devices.find(token, desk.account.id) is None

    async def test_trust_ends_by_itself(self) -> None:
        desk = FactorDesk()
        token = await self._trust(desk)
        desk.clock.advance(TRUST_LIFETIME)
        assert await desk.devices.find(token, desk.account.id) is None

    @asvs("6.5.6")
    async def test_changed_credentials_end_trust_and_open_challenges(self) -> None:
        desk = FactorDesk()
        await desk.confirm_factor()
        token, challenge = await self._trust(desk), await desk.ask()
        async with desk.units(the_owner_of(desk.account)) as unit:
            await forget_trust(unit, desk.account.id, at=desk.clock.now())
        assert await desk.devices.find(token, desk.account.id) is None
        with pytest.raises(ChallengeEnded):
            await desk.answer(challenge, desk.code())
