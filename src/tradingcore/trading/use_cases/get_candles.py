from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import FieldError, InvalidInput
from tradingcore.kernel.market import Calendar, CandleSeries, SeriesKey, Timeframe
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.ports import CandleStore
from tradingcore.trading.queries import TradingQueries
from tradingcore.trading.resampling import resample

DEFAULT_LIMIT: Final = 500
MAXIMUM_LIMIT: Final = 5_000
MAXIMUM_SOURCE_CANDLES: Final = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCandlesCommand:
    """At most ``limit`` candles with ``start <= open time < stop``.

    With ``start`` the oldest ones of the range, else the newest. ``resample`` allows to join stored candles of a shorter timeframe
    when none of this one are stored.
    """

    key: SeriesKey
    start: datetime | None = None
    stop: datetime | None = None
    limit: int = DEFAULT_LIMIT
    resample: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAXIMUM_LIMIT:
            detail = f"limit must be from 1 to {MAXIMUM_LIMIT}, was {self.limit}"
            raise InvalidInput(detail, errors=(FieldError("/limit", "out_of_range", detail),))
        if self.start is not None and self.stop is not None and self.start >= self.stop:
            detail = f"from must be before to, was {self.start.isoformat()} and {self.stop.isoformat()}"
            raise InvalidInput(detail, errors=(FieldError("/from", "out_of_range", detail),))


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleWindow:
    """Candles in order. ``incomplete`` are open times of joined ones that lack a part, ``joined_from`` what they were made of."""

    series: CandleSeries
    incomplete: tuple[datetime, ...] = ()
    joined_from: Timeframe | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCandles(UseCase[GetCandlesCommand, CandleWindow]):
    permission: ClassVar[Permission] = Permission.MARKET_READ

    candles: CandleStore
    queries: TradingQueries

    async def handle(self, actor: Actor, command: GetCandlesCommand) -> CandleWindow:
        """Raises `SymbolNotFound`, and `InvalidInput` when joining would read too many candles."""
        symbol = await self.queries.get_symbol(command.key.symbol)
        series = await self._read(command.key, command.start, command.stop, command.limit)
        if len(series) or not command.resample:
            return CandleWindow(series=series)
        source = await self._best_source(command.key)
        return CandleWindow(series=series) if source is None else await self._joined(command, source, symbol.calendar)

    async def _read(self, key: SeriesKey, start: datetime | None, stop: datetime | None, limit: int) -> CandleSeries:
        if start is not None:
            return await self.candles.between(key, start=start, stop=stop, limit=limit)
        if stop is None:
            extent = await self.candles.extent(key)
            return (
                await self.candles.window(key, last=extent.last, count=limit)
                if extent
                else await self.candles.between(key, limit=1)
            )
        # The port counts windows up to an open time that may be in them; ``stop`` itself is not.
        window = await self.candles.window(key, last=stop, count=limit + 1)
        end = len(window) - (1 if len(window) and window.last_open_time >= stop else 0)
        return window.slice(max(0, end - limit), end)

    async def _best_source(self, key: SeriesKey) -> Timeframe | None:
        shorter = [
            extent.key.timeframe
            for extent in await self.candles.list_extents()
            if extent.key.symbol == key.symbol and extent.key.timeframe.milliseconds < key.timeframe.milliseconds
        ]
        return max(shorter, key=lambda timeframe: timeframe.milliseconds, default=None)

    async def _joined(self, command: GetCandlesCommand, source: Timeframe, calendar: Calendar) -> CandleWindow:
        target = command.key.timeframe
        key = SeriesKey(command.key.symbol, source)
        count = command.limit * (target.milliseconds // source.milliseconds)
        if count > MAXIMUM_SOURCE_CANDLES:
            most = max(1, MAXIMUM_SOURCE_CANDLES * source.milliseconds // target.milliseconds)
            raise InvalidInput(f"{target.value} candles are made of stored {source.value} ones: ask for at most {most} at a time")
        # Whole buckets: the first open at or after ``start``, and the whole bucket of each open before ``stop``.
        start = _first_bucket(target, command.start) if command.start is not None else None
        stop = _first_bucket(target, command.stop) if command.stop is not None else None
        part = await self._read(key, start, stop, count)
        joined = resample(part, target, calendar) if len(part) else None
        if joined is None:
            return CandleWindow(series=CandleSeries.of(command.key, ()), joined_from=source)
        # A market that rests gives more buckets than asked for; the oldest may be cut when reading backwards.
        size = len(joined.series)
        is_cut = command.start is None and len(part) == count and not target.is_aligned(part.first_open_time)
        series = (
            joined.series.slice(0, command.limit)
            if command.start is not None
            else joined.series.slice(max(size - command.limit, int(is_cut)), size)
        )
        shown = (
            {candle_time for candle_time in joined.incomplete if series.first_open_time <= candle_time <= series.last_open_time}
            if len(series)
            else set()
        )
        return CandleWindow(series=series, incomplete=tuple(sorted(shown)), joined_from=source)


def _first_bucket(target: Timeframe, at: datetime) -> datetime:
    return at if target.is_aligned(at) else target.close_of(target.open_of(at))
