"""The core by hand: `tradingcore` and the memory adapters, with Python and nothing else. The forecast is your own."""

import asyncio
from datetime import UTC, datetime, timedelta

from adapters.memory.database import MemoryDatabase
from adapters.memory.trading import MemoryTradingQueries, MemoryTradingUnits
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import Candle, SeriesKey, SymbolCode, Timeframe
from tradingcore.kernel.page import PageRequest
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.trading.ids import ForecastRef, ModelVersionRef
from tradingcore.trading.model.outlook import BarrierOutlook, HorizonOutlook, Outlook, Side
from tradingcore.trading.ports import FeedCandle, MarketDataFeed
from tradingcore.trading.queries import SignalFilter
from tradingcore.trading.use_cases.close_candle import CloseCandle, CloseCandleCommand
from tradingcore.trading.use_cases.decide_on_candle import DecideOnCandle, DecideOnCandleCommand
from tradingcore.trading.use_cases.set_symbol import AddSymbol, AddSymbolCommand

KEY = SeriesKey(SymbolCode("EUR/USD"), Timeframe.H1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CLOSES = (1.1000, 1.1010, 1.1040, 1.1030)


class ListFeed(MarketDataFeed):
    """An adapter in a few lines: candles out of a list."""

    async def closed_candles(self):
        opening = CLOSES[0]
        for hour, close in enumerate(CLOSES):
            at, low, high = NOON + timedelta(hours=hour), min(opening, close), max(opening, close)
            candle = Candle(open_time=at, open=opening, high=high, low=low, close=close, volume=1.0)
            yield FeedCandle(key=KEY, candle=candle, received_at=KEY.timeframe.close_of(at), source="list")
            opening = close

    async def backfill(self, key, *, after, before):
        return ()


def guess(candle):
    """Two hours ahead, 60 % for a rise of 0.3 % before a fall of 0.2 %. A guess and no model: nothing backs it."""
    long = BarrierOutlook(
        side=Side.LONG, k_take_profit=3, k_stop_loss=2, p_take_profit=0.6, p_stop_loss=0.3, p_time=0.1, mean_time_return=0.0
    )
    horizon = HorizonOutlook(
        horizon=2, model_version_id=ModelVersionRef(ids.new_id()), model_version="guess", unit=0.001, barriers=(long,),
        delta_high=(0.001, 0.003, 0.005), delta_low=(0.0, 0.001, 0.003), interval_level=0.8, interval_coverage=0.8, sample_size=0,
    )  # fmt: skip
    return Outlook(
        forecast_id=ForecastRef(ids.new_id()), symbol_key=KEY, candle=candle.open_time, close=candle.close, horizons=(horizon,),
        feature_hash="", data_first=candle.open_time, data_last=candle.open_time, is_out_of_distribution=False,
    )  # fmt: skip


async def main():
    database = MemoryDatabase(FakeClock(NOON))
    units = MemoryTradingUnits(database, ids)
    add_symbol, close_candle, decide = AddSymbol(uow=units), CloseCandle(uow=units), DecideOnCandle(uow=units, ids=ids)
    me, feed = Actor.system(ids.new_trace_id()), ListFeed()
    await add_symbol(me, AddSymbolCommand(code=KEY.symbol))
    async for arrival in feed.closed_candles():
        await close_candle(me, CloseCandleCommand(arrival=arrival, feed=feed))
        command = DecideOnCandleCommand(
            key=KEY, candle=arrival.candle, received_at=arrival.received_at, source=arrival.source, missing_candles=0,
            outlook=guess(arrival.candle),
        )  # fmt: skip
        result = await decide(me, command)
        print(f"{arrival.candle.open_time:%H:%M} {result.decision.reason.value}: {result.decision.detail}")
    for signal in (await MemoryTradingQueries(database).list_signals(SignalFilter(), PageRequest())).items:
        print(f"{signal.decision_candle:%H:%M} {signal.side.value} {signal.entry}: {signal.status.value}, R {signal.outcome_r}")


ids = SequentialIds()
asyncio.run(main())
