"""Contracts and builders of the budget that codes are paid from."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tradingcore.auth.errors import PhoneUnavailable
from tradingcore.auth.ids import PhoneSendId
from tradingcore.auth.model.phone import DeliveryState, PlannedSend, SpendLimits
from tradingcore.auth.ports.phones import SendLedger
from tradingcore.testing.builders import MONDAY, an_id
from tradingcore.testing.unit_of_work import AT_A_TIME

MINUTE = timedelta(minutes=1)


def a_send(block: str = "+34612", **overrides: Any) -> PlannedSend:
    fields: dict[str, Any] = {"id": PhoneSendId(an_id()), "block": block, "price": Decimal("0.10"), "at": MONDAY}
    return PlannedSend(**(fields | overrides))


def spend_limits(**overrides: Any) -> SpendLimits:
    """Ten units a day and two in a block, half of the ten for blocks that have not proven themselves."""
    fields: dict[str, Any] = {"daily_cap": Decimal(10), "daily_cap_per_block": Decimal(2)}
    return SpendLimits(**(fields | overrides))


@pytest.mark.asyncio
class SendLedgerContract:
    """Fixture: ``ledger``, empty."""

    @pytest.fixture
    def ledger(self) -> SendLedger:
        raise NotImplementedError("supply the ledger under test")

    async def fill(self, ledger: SendLedger, limits: SpendLimits, count: int, *, converted: int, **overrides: Any) -> None:
        """``count`` sends, the first ``converted`` of which ended in a right code."""
        for number in range(count):
            send = a_send(**overrides)
            await ledger.reserve(send, limits)
            await ledger.accepted(send.id, f"SM{send.id.hex}")
            if number < converted:
                await ledger.converted(send.id, at=send.at)

    async def test_day_is_spent_to_the_last_unit_and_no_further(self, ledger: SendLedger) -> None:
        limits = spend_limits(daily_cap=Decimal("1.00"), daily_cap_per_block=Decimal(5), proven_by=0)
        await self.fill(ledger, limits, 10, converted=10)
        with pytest.raises(PhoneUnavailable):
            await ledger.reserve(a_send(price=Decimal("0.01")), limits)
        status = await ledger.status(at=MONDAY)
        assert (status.spent, status.sends, status.converted) == (Decimal("1.00"), 10, 10)

    async def test_next_day_has_a_budget_of_its_own(self, ledger: SendLedger) -> None:
        limits = spend_limits(daily_cap=Decimal("0.20"), daily_cap_per_block=Decimal("0.20"))
        await self.fill(ledger, limits, 1, converted=1)
        last = MONDAY + timedelta(days=1) - timedelta(microseconds=1)
        with pytest.raises(PhoneUnavailable):
            await ledger.reserve(a_send(at=last), limits)
        await ledger.reserve(a_send(at=MONDAY + timedelta(days=1)), limits)

    async def test_block_has_a_budget_of_its_own(self, ledger: SendLedger) -> None:
        limits = spend_limits(daily_cap_per_block=Decimal("0.30"))
        await self.fill(ledger, limits, 3, converted=3)
        with pytest.raises(PhoneUnavailable):
            await ledger.reserve(a_send(), limits)
        await ledger.reserve(a_send("+34613"), limits)

    async def test_fresh_blocks_share_half_of_the_day(self, ledger: SendLedger) -> None:
        limits = spend_limits(daily_cap=Decimal(4), proven_by=5)
        await self.fill(ledger, limits, 6, converted=6, block="+34612")
        for number in range(14):
            await ledger.reserve(a_send(f"+3470{number}"), limits)
        # Five of the proven block counted as fresh, and one of the six no more.
        await ledger.reserve(a_send("+34715"), limits)
        with pytest.raises(PhoneUnavailable):
            await ledger.reserve(a_send("+34716"), limits)
        await self.fill(ledger, limits, 5, converted=5, block="+34612")

    async def test_budgets_are_exact_when_all_come_at_once(self, ledger: SendLedger) -> None:
        limits = spend_limits(daily_cap=Decimal("1.00"), daily_cap_per_block=Decimal("0.30"))

        async def reserve(number: int) -> bool:
            try:
                await ledger.reserve(a_send(f"+3461{number % 2}"), limits)
            except PhoneUnavailable:
                return False
            return True

        made = await asyncio.gather(*(reserve(number) for number in range(AT_A_TIME)))
        # Half of the day for two fresh blocks, three sends at most in each.
        assert sum(made) == 5
        assert (await ledger.status(at=MONDAY)).spent == Decimal("0.50")

    async def test_cancelled_send_is_given_back_once(self, ledger: SendLedger) -> None:
        limits = spend_limits(daily_cap_per_block=Decimal("0.20"))
        kept, cancelled = a_send(), a_send()
        await ledger.reserve(kept, limits)
        await ledger.reserve(cancelled, limits)
        for _ in range(2):
            await ledger.cancel(cancelled.id)
        assert (await ledger.status(at=MONDAY)).spent == Decimal("0.10")
        await ledger.reserve(a_send(), limits)
        with pytest.raises(PhoneUnavailable):
            await ledger.reserve(a_send(), limits)

    async def test_block_in_which_hardly_a_code_comes_back_is_closed_for_a_day(self, ledger: SendLedger) -> None:
        limits = spend_limits(daily_cap=Decimal(1000), daily_cap_per_block=Decimal(1000), window=10)
        await self.fill(ledger, limits, 10, converted=1)
        with pytest.raises(PhoneUnavailable):
            await ledger.reserve(a_send(at=MONDAY + MINUTE), limits)
        assert (await ledger.status(at=MONDAY + MINUTE)).closed_blocks == ("+34612",)
        await ledger.reserve(a_send("+34613", at=MONDAY + MINUTE), limits)
        reopened = MONDAY + MINUTE + timedelta(hours=24)
        with pytest.raises(PhoneUnavailable):
            await ledger.reserve(a_send(at=reopened - timedelta(microseconds=1)), limits)
        # It begins afresh: what closed it does not close it again at once.
        await self.fill(ledger, limits, 10, converted=0, at=reopened)
        with pytest.raises(PhoneUnavailable):
            await ledger.reserve(a_send(at=reopened), limits)

    async def test_block_in_which_a_fifth_of_the_codes_comes_back_stays_open(self, ledger: SendLedger) -> None:
        limits = spend_limits(daily_cap=Decimal(1000), daily_cap_per_block=Decimal(1000), window=10)
        await self.fill(ledger, limits, 10, converted=2)
        await ledger.reserve(a_send(), limits)

    async def test_only_the_last_sends_count(self, ledger: SendLedger) -> None:
        limits = spend_limits(daily_cap=Decimal(1000), daily_cap_per_block=Decimal(1000), window=10)
        await self.fill(ledger, limits, 8, converted=8, at=MONDAY)
        await self.fill(ledger, limits, 9, converted=0, at=MONDAY + MINUTE)
        with pytest.raises(PhoneUnavailable):
            await ledger.reserve(a_send(at=MONDAY + 2 * MINUTE), limits)

    async def test_switch_stops_everything(self, ledger: SendLedger) -> None:
        await ledger.set_stopped(is_stopped=True)
        with pytest.raises(PhoneUnavailable):
            await ledger.reserve(a_send(), spend_limits())
        assert (await ledger.status(at=MONDAY)).is_stopped
        await ledger.set_stopped(is_stopped=False)
        await ledger.reserve(a_send(), spend_limits())

    async def test_reports_come_in_any_order(self, ledger: SendLedger) -> None:
        send = a_send()
        await ledger.reserve(send, spend_limits())
        await ledger.accepted(send.id, "SM1")
        for state in (DeliveryState.DELIVERED, DeliveryState.SENT, DeliveryState.DELIVERED):
            assert await ledger.record("SM1", state)
        assert await self.state_of(ledger, "SM1") is DeliveryState.DELIVERED
        assert not await ledger.record("SM2", DeliveryState.SENT)

    async def state_of(self, ledger: Any, reference: str) -> DeliveryState:
        """How far a message got, read past the port."""
        raise NotImplementedError("read it from the store under test")

    async def test_refusals_do_not_say_why(self, ledger: SendLedger) -> None:
        sentences = set()
        for limits in (spend_limits(daily_cap=Decimal(0)), spend_limits(daily_cap_per_block=Decimal(0))):
            with pytest.raises(PhoneUnavailable) as refused:
                await ledger.reserve(a_send(), limits)
            sentences.add(str(refused.value))
        assert len(sentences) == 1
