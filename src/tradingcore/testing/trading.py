"""Contracts of the trading context's storage."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tradingcore.kernel.errors import StaleVersion
from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe
from tradingcore.kernel.page import PageRequest
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.testing.builders import (
    BTC,
    BTC_1H,
    HOUR,
    MONDAY,
    a_candle,
    a_closed_candle,
    a_decision,
    a_live_series,
    a_signal,
    a_symbol,
    an_actor,
    candles,
)
from tradingcore.testing.paging import assert_pages_walk
from tradingcore.testing.unit_of_work import AT_A_TIME, UnitOfWorkContract, outcomes
from tradingcore.trading.errors import CandleConflict, SignalNotFound, SymbolNotFound
from tradingcore.trading.ids import SignalId
from tradingcore.trading.model.decision import Decision, DecisionReason
from tradingcore.trading.model.live_series import Freshness
from tradingcore.trading.model.outlook import Side
from tradingcore.trading.model.signal import EdgeStatus, SignalStatus, SignalTrigger
from tradingcore.trading.model.symbol import Cost, CostUnit, SignalRules, TradingCosts
from tradingcore.trading.ports import CandleStore, TradingUnitOfWork
from tradingcore.trading.queries import DecisionFilter, SignalFilter, TradingQueries

Units = UnitOfWorkFactory[TradingUnitOfWork]


def _key(number: int) -> SeriesKey:
    return SeriesKey(SymbolCode(f"T{number}/USD"), Timeframe.H1)


@pytest.mark.asyncio
class TradingUnitOfWorkContract(UnitOfWorkContract[TradingUnitOfWork]):
    """Fixtures: ``units``, ``outbox``, and ``store``, the `CandleStore` on the same rows."""

    @pytest.fixture
    def store(self) -> CandleStore:
        raise NotImplementedError("supply the candle store of the same database")

    async def write(self, unit: TradingUnitOfWork, number: int) -> None:
        if await unit.symbols.find(_key(number).symbol) is None:
            await unit.symbols.save(a_symbol(_key(number).symbol))
        await unit.live_series.save(a_closed_candle(_key(number)))

    async def written(self, unit: TradingUnitOfWork) -> int:
        return sum([await unit.live_series.find(_key(number)) is not None for number in range(32)])

    async def read(self, unit: TradingUnitOfWork, number: int) -> Any:
        return await unit.live_series.find(_key(number))

    async def save(self, unit: TradingUnitOfWork, aggregate: Any) -> Any:
        return await unit.live_series.save(aggregate)

    async def test_symbol_round_trip(self, units: Units) -> None:
        symbol = a_symbol(
            "XAU/USD",
            price_tick=Decimal("0.010"),
            costs=TradingCosts(
                half_spread=Cost(Decimal("0.15"), CostUnit.PRICE), fee=Cost(Decimal(0)), slippage=Cost(Decimal("1.5"))
            ),
            rules=SignalRules(minimum_risk_reward=Decimal("1.25"), minimum_expected_value_r=Decimal("0.05")),
        )
        async with units(an_actor()) as unit:
            saved = await unit.symbols.save(symbol)
        async with units(an_actor()) as unit:
            read = await unit.symbols.get(symbol.code)
            assert read == saved == replace(symbol, version=1)
            assert str(read.price_tick) == "0.010"

    async def test_unknown_symbol_is_not_found(self, units: Units) -> None:
        async with units(an_actor()) as unit:
            assert await unit.symbols.find(BTC) is None
            with pytest.raises(SymbolNotFound, match="BTC/USDT"):
                await unit.symbols.get(BTC)

    async def test_of_concurrent_inserts_of_a_symbol_one_wins(self, units: Units) -> None:
        async def insert() -> None:
            async with units(an_actor()) as unit:
                await unit.symbols.save(a_symbol())
                await asyncio.sleep(0)

        won, errors = await outcomes(*(insert() for _ in range(AT_A_TIME)))
        assert (won, {type(error) for error in errors}) == (1, {StaleVersion})

    async def test_live_series_round_trip(self, units: Units) -> None:
        series = a_live_series(last_closed=MONDAY, freshness=Freshness.STALE, source="replay")
        async with units(an_actor()) as unit:
            await unit.symbols.save(a_symbol())
            saved = await unit.live_series.save(series)
        async with units(an_actor()) as unit:
            assert await unit.live_series.find(BTC_1H) == saved == replace(series, version=1)
            assert await unit.live_series.find(SeriesKey(BTC, Timeframe.M5)) is None

    async def test_signal_round_trip(self, units: Units, queries: TradingQueries) -> None:
        signal = a_signal(
            side=Side.SHORT, entry=Decimal("100.0"), take_profit=Decimal("95.1"), stop_loss=Decimal("103"), probability=0.1 + 0.2
        )
        async with units(an_actor()) as unit:
            saved = await unit.signals.save(signal)
            assert list(await unit.signals.list_active(BTC_1H)) == [saved]
        read = await queries.get_signal(signal.id)
        assert read == saved == replace(signal, version=1)
        assert (str(read.entry), read.probability) == ("100.0", 0.1 + 0.2)

    async def test_ended_signal_is_active_no_more(self, units: Units, queries: TradingQueries) -> None:
        async with units(an_actor()) as unit:
            first = await unit.signals.save(a_signal())
            second = await unit.signals.save(a_signal(decision_candle=MONDAY + HOUR))
            other = await unit.signals.save(a_signal(timeframe=Timeframe.M5))
            await unit.signals.save(first.watched(MONDAY + HOUR, fill_price=100.25))
        async with units(an_actor()) as unit:
            watched, also = await unit.signals.list_active(BTC_1H)
            assert (watched.id, watched.fill_price, watched.last_candle, also) == (first.id, 100.25, MONDAY + HOUR, second)
            ended = watched.ended(SignalTrigger.TOUCH_TAKE_PROFIT, at=MONDAY + 2 * HOUR, outcome_r=1.9)
            saved = await unit.signals.save(ended)
            assert list(await unit.signals.list_active(BTC_1H)) == [second]
        assert await queries.get_signal(first.id) == saved
        assert await queries.get_signal(other.id) == other

    async def test_signals_saved_together_are_saved_all_or_none(self, units: Units, queries: TradingQueries) -> None:
        async with units(an_actor()) as unit:
            first, second = await unit.signals.save_all([a_signal(), a_signal(decision_candle=MONDAY + HOUR)])
            moved = first.watched(MONDAY + HOUR, fill_price=0.1 + 0.2)
            third = a_signal(decision_candle=MONDAY + 2 * HOUR, entry=Decimal("100.10"))
            saved = await unit.signals.save_all([moved, third])
            assert list(await unit.signals.list_active(BTC_1H)) == [saved[0], second, saved[1]]
            assert not await unit.signals.save_all([])
        assert [await queries.get_signal(one.id) for one in saved] == saved
        assert list(saved) == [replace(moved, version=2), replace(third, version=1)]
        for stale in (replace(first, candles_seen=7), replace(a_signal(), version=1), replace(third, id=a_signal().id)):
            with pytest.raises(StaleVersion):
                async with units(an_actor()) as unit:
                    await unit.signals.save_all([second.watched(MONDAY + 2 * HOUR, fill_price=1.0), stale])
        assert await queries.get_signal(second.id) == second

    async def test_second_signal_of_one_candle_and_model_is_refused(self, units: Units) -> None:
        signal = a_signal()
        async with units(an_actor()) as unit:
            await unit.signals.save(signal)
        with pytest.raises(StaleVersion):
            async with units(an_actor()) as unit:
                await unit.signals.save(replace(signal, id=a_signal().id))
        async with units(an_actor()) as unit:
            await unit.signals.save(a_signal(decision_candle=signal.decision_candle))

    async def test_of_concurrent_decisions_on_one_candle_one_wins(self, units: Units, queries: TradingQueries) -> None:
        async def decide() -> None:
            async with units(an_actor()) as unit:
                await unit.decisions.save(a_decision())
                await asyncio.sleep(0)

        won, errors = await outcomes(*(decide() for _ in range(AT_A_TIME)))
        assert (won, {type(error) for error in errors}) == (1, {StaleVersion})
        assert len((await queries.list_decisions(DecisionFilter(), PageRequest())).items) == 1

    async def test_decision_round_trip(self, units: Units) -> None:
        signal = a_signal()
        decision = a_decision(reason=DecisionReason.SIGNAL, signal_id=signal.id, forecast_id=signal.forecast_id)
        async with units(an_actor()) as unit:
            await unit.signals.save(signal)
            saved = await unit.decisions.save(decision)
        async with units(an_actor()) as unit:
            assert await unit.decisions.find(BTC_1H, MONDAY) == saved == replace(decision, version=1)
            assert await unit.decisions.find(BTC_1H, MONDAY + HOUR) is None

    async def test_rewinding_forgets_from_a_candle_on(self, units: Units) -> None:
        async with units(an_actor()) as unit:
            for hour in range(4):
                await unit.decisions.save(a_decision(candle=MONDAY + hour * HOUR))
                await unit.signals.save(a_signal(decision_candle=MONDAY + hour * HOUR))
            await unit.decisions.save(a_decision(timeframe=Timeframe.M5))
        async with units(an_actor()) as unit:
            assert await unit.decisions.delete_from(BTC_1H, MONDAY + HOUR) == 3
            assert await unit.signals.delete_from(BTC_1H, MONDAY + HOUR) == 3
            assert await unit.decisions.find(BTC_1H, MONDAY + HOUR) is None
            await unit.decisions.save(a_decision(candle=MONDAY + HOUR))
        async with units(an_actor()) as unit:
            found = [await unit.decisions.find(BTC_1H, MONDAY + hour * HOUR) is not None for hour in range(4)]
            assert found == [True, True, False, False]
            assert len(await unit.signals.list_active(BTC_1H)) == 1
            assert await unit.decisions.find(SeriesKey(BTC, Timeframe.M5), MONDAY) is not None

    async def test_appended_candles_are_stored_on_commit(self, units: Units, store: CandleStore) -> None:
        three = candles(3)
        async with units(an_actor()) as unit:
            await unit.symbols.save(a_symbol())
            await unit.candles.append(BTC_1H, three)
        assert list(await store.between(BTC_1H)) == three

    async def test_same_candle_again_changes_nothing(self, units: Units, store: CandleStore) -> None:
        async with units(an_actor()) as unit:
            await unit.symbols.save(a_symbol())
            await unit.candles.append(BTC_1H, candles(2))
            await unit.candles.append(BTC_1H, candles(2))
        async with units(an_actor()) as unit:
            await unit.candles.append(BTC_1H, candles(3))
        assert list(await store.between(BTC_1H)) == candles(3)

    async def test_late_candle_finds_its_place(self, units: Units, store: CandleStore) -> None:
        first, second, third = candles(3)
        async with units(an_actor()) as unit:
            await unit.symbols.save(a_symbol())
            await unit.candles.append(BTC_1H, [first, third])
        async with units(an_actor()) as unit:
            await unit.candles.append(BTC_1H, [second])
        assert list(await store.between(BTC_1H)) == [first, second, third]

    async def test_different_candle_for_a_stored_time_is_refused(self, units: Units, store: CandleStore) -> None:
        async with units(an_actor()) as unit:
            await unit.symbols.save(a_symbol())
            await unit.candles.append(BTC_1H, [a_candle()])
        with pytest.raises(CandleConflict, match="2026-03-02"):
            async with units(an_actor()) as unit:
                await unit.candles.append(BTC_1H, [a_candle(MONDAY + HOUR), a_candle(volume=99.0)])
        assert list(await store.between(BTC_1H)) == [a_candle()]

    async def test_candles_of_an_unknown_symbol_are_refused(self, units: Units) -> None:
        with pytest.raises(SymbolNotFound):
            async with units(an_actor()) as unit:
                await unit.candles.append(BTC_1H, [a_candle()])

    @pytest.fixture
    def queries(self) -> TradingQueries:
        raise NotImplementedError("supply the queries of the same database")


@pytest.mark.asyncio
class TradingQueriesContract:
    """Fixtures: ``queries`` and ``units`` on one empty store."""

    @pytest.fixture
    def queries(self) -> TradingQueries:
        raise NotImplementedError("supply the queries under test")

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the units of work of the same database")

    async def test_symbols_and_watched_series_are_listed_by_key(self, queries: TradingQueries, units: Units) -> None:
        codes = ["EUR/USD", "AAPL", "BTC/USDT"]
        async with units(an_actor()) as unit:
            for code in codes:
                await unit.symbols.save(a_symbol(code))
            for timeframe in (Timeframe.H1, Timeframe.M15, Timeframe.M5):
                await unit.live_series.save(a_live_series(SeriesKey(BTC, timeframe)))
        assert [symbol.code for symbol in await queries.list_symbols()] == sorted(codes)
        watched = [series.key.timeframe for series in await queries.list_live_series()]
        assert watched == [Timeframe.M5, Timeframe.M15, Timeframe.H1]
        assert (await queries.get_symbol(BTC)).code == BTC

    async def test_what_is_not_there_is_not_found(self, queries: TradingQueries) -> None:
        with pytest.raises(SymbolNotFound):
            await queries.get_symbol(BTC)
        with pytest.raises(SignalNotFound):
            await queries.get_signal(SignalId(a_signal().id))
        assert await queries.find_decision(BTC_1H, MONDAY) is None

    async def test_signals_are_paged_newest_first_in_both_directions(self, queries: TradingQueries, units: Units) -> None:
        # Two of a time, so that the id has to break ties.
        signals = [a_signal(decision_candle=MONDAY + index // 2 * HOUR) for index in range(11)]
        async with units(an_actor()) as unit:
            for signal in signals:
                await unit.signals.save(signal)
        expected = sorted(signals, key=lambda one: (one.issued_at, one.id), reverse=True)
        await assert_pages_walk(
            lambda page: queries.list_signals(SignalFilter(), page), [one.id for one in expected], lambda signal: signal.id
        )

    async def test_decisions_are_paged_newest_first_in_both_directions(self, queries: TradingQueries, units: Units) -> None:
        decisions = [
            a_decision(candle=MONDAY + index * HOUR, decided_at=MONDAY + index // 3 * timedelta(days=1)) for index in range(10)
        ]
        async with units(an_actor()) as unit:
            for decision in decisions:
                await unit.decisions.save(decision)
        expected = sorted(decisions, key=lambda one: (one.decided_at, one.id), reverse=True)
        await assert_pages_walk(
            lambda page: queries.list_decisions(DecisionFilter(), page), [one.id for one in expected], lambda decision: decision.id
        )
        assert await queries.find_decision(BTC_1H, MONDAY) == replace(decisions[0], version=1)

    async def test_signal_filters_narrow_the_list(self, queries: TradingQueries, units: Units) -> None:
        wanted = a_signal(
            symbol=SymbolCode("EUR/USD"),
            timeframe=Timeframe.M5,
            side=Side.SHORT,
            take_profit=Decimal(96),
            stop_loss=Decimal(102),
            edge_status=EdgeStatus.VERIFIED,
            issued_at=MONDAY + 9 * HOUR,
            probability=0.75,
        )
        ended = a_signal(decision_candle=MONDAY + HOUR, issued_at=MONDAY, probability=0.5)
        async with units(an_actor()) as unit:
            await unit.signals.save(wanted)
            saved = await unit.signals.save(ended)
            await unit.signals.save(saved.ended(SignalTrigger.CANCEL, at=MONDAY, outcome_r=None))

        async def ids(where: SignalFilter) -> list[SignalId]:
            return [signal.id for signal in (await queries.list_signals(where, PageRequest())).items]

        for where in (
            SignalFilter(symbol=wanted.symbol),
            SignalFilter(timeframe=Timeframe.M5),
            SignalFilter(side=Side.SHORT),
            SignalFilter(status=SignalStatus.ACTIVE),
            SignalFilter(edge_status=EdgeStatus.VERIFIED),
            SignalFilter(since=wanted.issued_at),
            SignalFilter(minimum_probability=0.75),
        ):
            assert await ids(where) == [wanted.id], where
        assert await ids(SignalFilter(symbol=BTC, status=SignalStatus.CANCELLED)) == [ended.id]
        assert not await ids(SignalFilter(symbol=wanted.symbol, side=Side.LONG))

    async def test_decision_filters_narrow_the_list(self, queries: TradingQueries, units: Units) -> None:
        wanted = a_decision(symbol=SymbolCode("EUR/USD"), timeframe=Timeframe.M5, reason=DecisionReason.STALE_DATA)
        other: list[Decision] = [a_decision(decided_at=MONDAY)]
        async with units(an_actor()) as unit:
            for decision in (wanted, *other):
                await unit.decisions.save(decision)
        for where in (
            DecisionFilter(symbol=wanted.symbol),
            DecisionFilter(timeframe=Timeframe.M5),
            DecisionFilter(reason=DecisionReason.STALE_DATA),
            DecisionFilter(since=wanted.decided_at),
        ):
            page = await queries.list_decisions(where, PageRequest())
            assert [decision.id for decision in page.items] == [wanted.id], where
