"""Contracts and builders of phone proofs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingcore.auth.errors import PhoneRefused
from tradingcore.auth.ids import PhoneProofId, PhoneSendId
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.phone import (
    MOST_PROOF_ATTEMPTS,
    PROOF_LIFETIME,
    Phone,
    PhoneChannel,
    PhoneNumber,
    PhoneProof,
)
from tradingcore.auth.ports.phones import PhoneNumbering, PhoneUnitOfWork
from tradingcore.kernel.authz import Actor, UserId
from tradingcore.kernel.errors import StaleVersion, TradingCoreError
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.testing.auth.builders import an_account, the_owner_of
from tradingcore.testing.builders import HOUR, MONDAY, an_actor, an_id
from tradingcore.testing.unit_of_work import AT_A_TIME

MINUTE = timedelta(minutes=1)


def a_number(last: int = 78, *, block: str = "+34612", region: str = "ES") -> PhoneNumber:
    """``last`` tells numbers of one block apart."""
    return PhoneNumber(e164=f"{block}{last:06}", region=region, block=block)


def a_phone(account: UserAccount, **overrides: Any) -> Phone:
    fields: dict[str, Any] = {
        "user_id": account.id,
        "number": a_number(),
        "channel": PhoneChannel.SMS,
        "confirmed_at": MONDAY,
    }
    return Phone(**(fields | overrides))


def a_proof(owner: Actor, **overrides: Any) -> PhoneProof:
    """Started on Monday by ``owner`` in the session that the actor is in."""
    fields: dict[str, Any] = {
        "id": PhoneProofId(an_id()),
        "user_id": owner.user_id,
        "session_id": owner.session_id,
        "number": a_number(),
        "channel": PhoneChannel.SMS,
        "send_id": PhoneSendId(an_id()),
        "code_hash": b"h" * 32,
        "created_at": MONDAY,
        "expires_at": MONDAY + PROOF_LIFETIME,
    }
    return PhoneProof(**(fields | overrides))


class PhoneNumberingContract:
    """Fixture: ``numbering``."""

    @pytest.fixture
    def numbering(self) -> PhoneNumbering:
        raise NotImplementedError("supply the numbering under test")

    @pytest.mark.parametrize("text", ["+34 612 34 56 78", "+34612345678", " +34-612-345-678 ", "+34 (612) 345.678"])
    def test_one_number_has_one_spelling(self, numbering: PhoneNumbering, text: str) -> None:
        assert numbering.parse(text) == PhoneNumber(e164="+34612345678", region="ES", block="+34612")

    @pytest.mark.parametrize(
        ("text", "region"), [("+525512345678", "MX"), ("+12015550123", "US"), ("+447400123456", "GB"), ("+33612345678", "FR")]
    )
    def test_numbers_belong_to_countries(self, numbering: PhoneNumbering, text: str, region: str) -> None:
        assert numbering.parse(text).region == region

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("+34806123456", "premium"),
            ("+19005551234", "premium"),
            ("+34900123456", "toll-free"),
            ("+18005551234", "toll-free"),
            ("+34901123456", "shared-cost"),
            ("+34911234567", "fixed"),
            ("+870773111632", "satellite"),
            ("+8821612345", "international network"),
            ("+447700900123", "never assigned"),
            ("+34112", "emergency"),
            ("+99912345678", "no country"),
        ],
    )
    def test_numbers_that_cost_or_lead_nowhere_are_refused(self, numbering: PhoneNumbering, text: str, kind: str) -> None:
        with pytest.raises(PhoneRefused):
            numbering.parse(text)

    @pytest.mark.parametrize(
        "text",
        ["", "612345678", "0034612345678", "+", "+34", "tel:+34612345678", "+34612345678;ext=1", "+34612345678x2", "+٣٤٦١٢٣٤٥٦٧٨",
         "+34612345678\n", "+34612345678,+34612345679", "+" + "1" * 40, "+34612\x00345678"],
    )  # fmt: skip
    def test_anything_else_than_one_international_number_is_refused(self, numbering: PhoneNumbering, text: str) -> None:
        if text.strip() == "+34612345678":
            assert numbering.parse(text).e164 == "+34612345678"
            return
        with pytest.raises(PhoneRefused) as refused:
            numbering.parse(text)
        assert not text.strip("+") or text.strip() not in str(refused.value)

    @given(text=st.text(max_size=40))
    def test_no_text_breaks_it(self, text: str) -> None:
        numbering = self.numbering_of_the_suite()
        try:
            number = numbering.parse(text)
        except PhoneRefused:
            return
        assert numbering.parse(number.e164) == number

    def numbering_of_the_suite(self) -> PhoneNumbering:
        """The same as the fixture, for tests with generated values."""
        raise NotImplementedError("supply the numbering under test")


Units = UnitOfWorkFactory[PhoneUnitOfWork]


@pytest.mark.asyncio
class PhoneUnitOfWorkContract:
    """Fixtures: ``units`` on an empty store, and ``units_of_users``: the factory that serves users' own calls."""

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the units of work under test")

    @pytest.fixture
    def units_of_users(self, units: Units) -> Units:
        return units

    async def owner(self, units: Units) -> tuple[UserAccount, Actor]:
        account = an_account()
        async with units(an_actor()) as unit:
            account = await unit.accounts.save(account)
        return account, the_owner_of(account)

    async def test_phone_round_trip(self, units: Units, units_of_users: Units) -> None:
        account, owner = await self.owner(units)
        phone = a_phone(account, channel=PhoneChannel.WHATSAPP)
        async with units_of_users(owner) as unit:
            assert await unit.phones.find(account.id) is None
            await unit.phones.put(phone)
            assert await unit.phones.find(account.id) == phone
        async with units_of_users(owner) as unit:
            assert await unit.phones.find(account.id) == phone

    async def test_new_number_takes_the_place_of_the_old_one(self, units: Units, units_of_users: Units) -> None:
        account, owner = await self.owner(units)
        newer = a_phone(account, number=a_number(79), confirmed_at=MONDAY + HOUR)
        for phone in (a_phone(account), newer):
            async with units_of_users(owner) as unit:
                await unit.phones.put(phone)
        async with units_of_users(owner) as unit:
            assert await unit.phones.find(account.id) == newer

    async def test_two_users_may_prove_one_number(self, units: Units, units_of_users: Units) -> None:
        for _ in range(2):
            account, owner = await self.owner(units)
            async with units_of_users(owner) as unit:
                await unit.phones.put(a_phone(account))
        async with units_of_users(owner) as unit:
            assert await unit.phones.find(account.id) is not None

    async def test_removed_number_is_gone_with_its_open_proofs(self, units: Units, units_of_users: Units) -> None:
        account, owner = await self.owner(units)
        proof = a_proof(owner)
        async with units_of_users(owner) as unit:
            assert not await unit.phones.remove(account.id)
            await unit.phones.put(a_phone(account))
            await unit.phones.start(proof)
        async with units_of_users(owner) as unit:
            assert await unit.phones.remove(account.id)
        async with units_of_users(owner) as unit:
            assert await unit.phones.find(account.id) is None
            assert await unit.phones.take_attempt(proof.id, session_id=owner.session_id, at=MONDAY) is None

    async def test_attempts_are_counted_and_end(self, units: Units, units_of_users: Units) -> None:
        _, owner = await self.owner(units)
        proof = a_proof(owner)
        async with units_of_users(owner) as unit:
            await unit.phones.start(proof)
        for number in range(1, MOST_PROOF_ATTEMPTS + 1):
            async with units_of_users(owner) as unit:
                taken = await unit.phones.take_attempt(proof.id, session_id=owner.session_id, at=MONDAY)
            assert taken == replace(proof, attempts=number)
        async with units_of_users(owner) as unit:
            assert await unit.phones.take_attempt(proof.id, session_id=owner.session_id, at=MONDAY) is None

    async def test_attempts_at_once_never_exceed_the_limit(self, units: Units, units_of_users: Units) -> None:
        _, owner = await self.owner(units)
        proof = a_proof(owner)
        async with units_of_users(owner) as unit:
            await unit.phones.start(proof)

        async def attempt() -> bool:
            try:
                async with units_of_users(owner) as unit:
                    taken = await unit.phones.take_attempt(proof.id, session_id=owner.session_id, at=MONDAY)
            except StaleVersion:
                return False
            return taken is not None

        taken = await asyncio.gather(*(attempt() for _ in range(2 * AT_A_TIME)))
        assert 1 <= sum(taken) <= MOST_PROOF_ATTEMPTS

    async def test_proof_holds_in_its_session_until_it_expires(self, units: Units, units_of_users: Units) -> None:
        _, owner = await self.owner(units)
        proof = a_proof(owner)
        async with units_of_users(owner) as unit:
            await unit.phones.start(proof)
        last = proof.expires_at - timedelta(microseconds=1)
        for session_id, at in ((an_id(), MONDAY), (None, MONDAY), (owner.session_id, proof.expires_at)):
            async with units_of_users(owner) as unit:
                assert await unit.phones.take_attempt(proof.id, session_id=session_id, at=at) is None
        async with units_of_users(owner) as unit:
            assert await unit.phones.take_attempt(proof.id, session_id=owner.session_id, at=last) is not None
            assert not await unit.phones.close(proof.id, at=proof.expires_at)

    async def test_newer_proof_ends_the_older_one(self, units: Units, units_of_users: Units) -> None:
        _, owner = await self.owner(units)
        older, newer = a_proof(owner), a_proof(owner, created_at=MONDAY + MINUTE)
        for proof in (older, newer):
            async with units_of_users(owner) as unit:
                await unit.phones.start(proof)
        async with units_of_users(owner) as unit:
            assert await unit.phones.take_attempt(older.id, session_id=owner.session_id, at=MONDAY + MINUTE) is None
            assert await unit.phones.take_attempt(newer.id, session_id=owner.session_id, at=MONDAY + MINUTE) is not None

    async def test_of_concurrent_closers_one_wins(self, units: Units, units_of_users: Units) -> None:
        _, owner = await self.owner(units)
        proof = a_proof(owner)
        async with units_of_users(owner) as unit:
            await unit.phones.start(proof)

        async def close() -> bool:
            try:
                async with units_of_users(owner) as unit:
                    return await unit.phones.close(proof.id, at=MONDAY)
            except StaleVersion:
                return False

        assert sum(await asyncio.gather(*(close() for _ in range(AT_A_TIME)))) == 1

    async def test_what_the_provider_calls_it_is_kept(self, units: Units, units_of_users: Units) -> None:
        _, owner = await self.owner(units)
        proof = a_proof(owner, code_hash=None)
        async with units_of_users(owner) as unit:
            await unit.phones.start(proof)
        async with units_of_users(owner) as unit:
            await unit.phones.refer(proof.id, "VE0123")
        async with units_of_users(owner) as unit:
            taken = await unit.phones.take_attempt(proof.id, session_id=owner.session_id, at=MONDAY)
        assert taken is not None
        assert taken.reference == "VE0123"

    async def test_another_users_phone_does_not_exist(self, units: Units, units_of_users: Units) -> None:
        account, owner = await self.owner(units)
        _, stranger = await self.owner(units)
        proof = a_proof(owner)
        async with units_of_users(owner) as unit:
            await unit.phones.put(a_phone(account))
            await unit.phones.start(proof)
        async with units_of_users(stranger) as unit:
            assert await unit.phones.find(account.id) is None
            assert not await unit.phones.remove(account.id)
            assert not await unit.phones.close(proof.id, at=MONDAY)
            await unit.phones.refer(proof.id, "forged")
            assert await unit.phones.take_attempt(proof.id, session_id=owner.session_id, at=MONDAY) is None
        async with units_of_users(owner) as unit:
            assert await unit.phones.find(account.id) == a_phone(account)
            assert await unit.phones.take_attempt(proof.id, session_id=owner.session_id, at=MONDAY) == replace(proof, attempts=1)

    async def test_nobody_writes_for_another_user(self, units: Units, units_of_users: Units) -> None:
        account, _ = await self.owner(units)
        _, stranger = await self.owner(units)
        with pytest.raises(TradingCoreError):
            async with units_of_users(stranger) as unit:
                await unit.phones.put(a_phone(account))
        with pytest.raises(TradingCoreError):
            async with units_of_users(stranger) as unit:
                await unit.phones.start(a_proof(stranger, user_id=UserId(account.id)))
        async with units(an_actor()) as unit:
            assert await unit.phones.find(account.id) is None
