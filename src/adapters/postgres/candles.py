"""Candles: windows read in one index range scan, bulk merges written by COPY."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.binary import from_columns, integer_field, text_field, to_copy
from adapters.postgres.engine import driver_of, statements, transaction
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.market import Candle, CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.trading.errors import CandleConflict, SymbolNotFound
from tradingcore.trading.ports import CandleStore, MergeCounts, SeriesExtent

NUMBERS: Final = ("open_time", "open", "high", "low", "close", "volume")
LONGEST_STATEMENT_SECONDS: Final = 600
"""An import may take its time; the limits of interactive calls do not hold for it."""

_SYMBOL: Final = text("select id from trading.symbols where code = :code")
_GIVEN: Final = (
    "unnest(cast(:open_times as timestamptz[]), cast(:opens as float8[]), cast(:highs as float8[]), cast(:lows as float8[]),"
    " cast(:closes as float8[]), cast(:volumes as float8[])) as given (open_time, open, high, low, close, volume)"
)
_APPEND: Final = text(
    f"""
    insert into trading.candles (symbol_id, timeframe, open_time, open, high, low, close, volume)
    select symbol.id, :timeframe, given.open_time, given.open, given.high, given.low, given.close, given.volume
    from trading.symbols as symbol, {_GIVEN} where symbol.code = :code
    on conflict do nothing
    """  # noqa: S608 - a constant
)
_DIFFERING: Final = text(
    f"""
    select min(given.open_time) from {_GIVEN} join trading.candles as stored
        on stored.symbol_id = :symbol_id and stored.timeframe = :timeframe and stored.open_time = given.open_time
    where (stored.open, stored.high, stored.low, stored.close, stored.volume)
        is distinct from (given.open, given.high, given.low, given.close, given.volume)
    """  # noqa: S608 - a constant
)
_COLUMNS: Final = (
    "string_agg(timestamptz_send(open_time), ''),"
    " string_agg(float8send(open), ''), string_agg(float8send(high), ''), string_agg(float8send(low), ''),"
    " string_agg(float8send(close), ''), string_agg(float8send(volume), '')"
)
_OF_SERIES: Final = "symbol_id = (select id from trading.symbols where code = :code) and timeframe = :timeframe"
_WINDOW: Final = text(
    f"""
    select {_COLUMNS} from (
        select * from trading.candles where {_OF_SERIES} and open_time <= :last
        order by open_time desc limit cast(:count as bigint)
    ) as newest_first
    """  # noqa: S608 - a constant
)
_BETWEEN: Final = text(
    f"""
    select {_COLUMNS} from (
        select * from trading.candles where {_OF_SERIES} and open_time >= :start and open_time < :stop
        order by open_time limit cast(:limit as bigint)
    ) as oldest_first
    """  # noqa: S608 - a constant
)
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
_EXTENT: Final = text(
    f"select count(*) as count, min(open_time) as first, max(open_time) as last from trading.candles where {_OF_SERIES}"  # noqa: S608
)
_EXTENTS: Final = text(
    "select symbol.code, stored.timeframe, count(*) as count, min(stored.open_time) as first, max(stored.open_time) as last"
    " from trading.candles as stored join trading.symbols as symbol on symbol.id = stored.symbol_id"
    " group by symbol.code, stored.timeframe"
)
_BEGIN_MERGE: Final = text(
    "select set_config('statement_timeout', :limit, true), pg_advisory_xact_lock(hashtextextended(:series, 7361004))"
)
_LAST: Final = text("select max(open_time) from trading.candles where symbol_id = :symbol_id and timeframe = :timeframe")
_IS_TAKEN: Final = text(
    "select exists (select from trading.candles where symbol_id = :symbol_id and timeframe = :timeframe"
    " and open_time between :first and :last)"
)
# What this transaction has written itself bears its number in xmin: it is overwritten without being counted again.
_MERGE: Final = """
    with given as materialized (
        select distinct on (open_time) open_time, open, high, low, close, volume
        from trading.candle_staging order by open_time, position desc
    ), judged as materialized (
        select given.*, stored.open_time is null as is_new,
            stored.open_time is not null and stored.xmin <> pg_current_xact_id()::xid as is_foreign,
            (stored.open, stored.high, stored.low, stored.close, stored.volume)
                is not distinct from (given.open, given.high, given.low, given.close, given.volume) as is_same
        from given left join trading.candles as stored
            on stored.symbol_id = $1 and stored.timeframe = $2 and stored.open_time = given.open_time
    ), written as (
        insert into trading.candles as stored (symbol_id, timeframe, open_time, open, high, low, close, volume)
        select $1, $2, open_time, open, high, low, close, volume from judged
        where is_new or (not is_same and ($3 or not is_foreign)) order by open_time
        on conflict (symbol_id, timeframe, open_time) do update
        set open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume
        where $3 or stored.xmin = pg_current_xact_id()::xid
    )
    select count(*) filter (where is_new) as inserted,
        count(*) filter (where is_foreign and is_same) as unchanged,
        count(*) filter (where is_foreign and not is_same) as differing,
        array(select open_time from judged where is_foreign and not is_same order by open_time limit 20) as first_differing
    from judged
    """
_CLEAR_STAGING: Final = "delete from trading.candle_staging"
_PLATFORM: Final = Actor.system(TraceId("0" * 32), name="candle store")


async def append_candles(connection: AsyncConnection, key: SeriesKey, candles: Sequence[Candle]) -> None:
    given = {
        "timeframe": key.timeframe,
        "open_times": [candle.open_time for candle in candles],
        "opens": [candle.open for candle in candles],
        "highs": [candle.high for candle in candles],
        "lows": [candle.low for candle in candles],
        "closes": [candle.close for candle in candles],
        "volumes": [candle.volume for candle in candles],
    }
    result = await connection.execute(_APPEND, {**given, "code": key.symbol})
    if result.rowcount == len(candles):
        return
    symbol_id = await _symbol_id(connection, key)
    first = await connection.scalar(_DIFFERING, {**given, "symbol_id": symbol_id})
    if first is not None:
        raise CandleConflict(f"{key} already has a different candle at {first.isoformat()}")


async def _symbol_id(connection: AsyncConnection, key: SeriesKey) -> int:
    symbol_id = await connection.scalar(_SYMBOL, {"code": key.symbol})
    if symbol_id is None:
        raise SymbolNotFound(f"there is no symbol {key.symbol}")
    return int(symbol_id)


class PostgresCandleStore(CandleStore):
    """Any role reads; `merge` needs an engine of ``tc_worker``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def window(self, key: SeriesKey, *, last: datetime, count: int) -> CandleSeries:
        async with statements(self._engine) as connection:
            series = {"code": key.symbol, "timeframe": key.timeframe}
            row = (await connection.execute(_WINDOW, {**series, "last": last, "count": count})).one()
        return from_columns(key, tuple(row), is_newest_first=True)

    async def between(
        self, key: SeriesKey, *, start: datetime | None = None, stop: datetime | None = None, limit: int | None = None
    ) -> CandleSeries:
        chosen = {"code": key.symbol, "timeframe": key.timeframe, "start": start or _FIRST, "stop": stop or _NEVER, "limit": limit}
        async with statements(self._engine) as connection:
            row = (await connection.execute(_BETWEEN, chosen)).one()
        return from_columns(key, tuple(row))

    async def extent(self, key: SeriesKey) -> SeriesExtent | None:
        async with statements(self._engine) as connection:
            row = (await connection.execute(_EXTENT, {"code": key.symbol, "timeframe": key.timeframe})).mappings().one()
        return SeriesExtent(key=key, **row) if row["count"] else None

    async def list_extents(self) -> Sequence[SeriesExtent]:
        async with statements(self._engine) as connection:
            rows = (await connection.execute(_EXTENTS)).mappings().all()
        extents = [
            SeriesExtent(
                key=SeriesKey(SymbolCode(row["code"]), Timeframe(row["timeframe"])),
                count=row["count"],
                first=row["first"],
                last=row["last"],
            )
            for row in rows
        ]
        return sorted(extents, key=lambda extent: (extent.key.symbol, extent.key.timeframe.duration))

    async def merge(self, key: SeriesKey, chunks: AsyncIterator[CandleSeries], *, replace: bool) -> MergeCounts:
        async with transaction(self._engine, _PLATFORM) as connection:
            merge = _Merge(connection, key, await _symbol_id(connection, key))
            await merge.begin()
            async for chunk in chunks:
                if len(chunk):
                    await merge.take(chunk)
            return await merge.finish(replace=replace)


class _Merge:
    """One merge: straight into the table while the range is empty, from then on by way of the staging table."""

    def __init__(self, connection: AsyncConnection, key: SeriesKey, symbol_id: int) -> None:
        self._connection = connection
        self._key = key
        self._series = {"symbol_id": symbol_id, "timeframe": key.timeframe}
        self._leading = integer_field(symbol_id) + text_field(key.timeframe)
        self._copied = 0
        self._staged_chunks = 0
        self._last: datetime | None = None
        self._driver: Any = None

    async def begin(self) -> None:
        limit = f"{LONGEST_STATEMENT_SECONDS}s"
        await self._connection.execute(_BEGIN_MERGE, {"limit": limit, "series": str(self._key)})
        self._last = await self._connection.scalar(_LAST, self._series)
        self._driver = driver_of(self._connection)

    async def take(self, chunk: CandleSeries) -> None:
        first, last = chunk.first_open_time, chunk.last_open_time
        if self._staged_chunks == 0 and await self._is_empty(first, last):
            await self._copy("candles", ("symbol_id", "timeframe"), to_copy(self._leading, chunk, fields=2))
            self._copied += len(chunk)
            self._last = max(last, self._last or last)
            return
        self._staged_chunks += 1
        await self._copy("candle_staging", ("position",), to_copy(integer_field(self._staged_chunks), chunk, fields=1))

    async def _is_empty(self, first: datetime, last: datetime) -> bool:
        if self._last is None or first > self._last:
            return True
        return not await self._connection.scalar(_IS_TAKEN, {**self._series, "first": first, "last": last})

    async def _copy(self, table: str, leading: tuple[str, ...], content: bytes) -> None:
        await self._driver.copy_to_table(
            table,
            schema_name="trading",
            columns=(*leading, *NUMBERS),
            source=_once(content),
            format="binary",
            timeout=LONGEST_STATEMENT_SECONDS,
        )

    async def finish(self, *, replace: bool) -> MergeCounts:
        if not self._staged_chunks:
            return MergeCounts(inserted=self._copied, unchanged=0, changed=0, differing=0, first_differing=())
        series = self._series["symbol_id"], self._series["timeframe"]
        row = await self._driver.fetchrow(_MERGE, *series, replace, timeout=LONGEST_STATEMENT_SECONDS)
        await self._driver.execute(_CLEAR_STAGING, timeout=LONGEST_STATEMENT_SECONDS)
        return MergeCounts(
            inserted=self._copied + row["inserted"],
            unchanged=row["unchanged"],
            changed=row["differing"] if replace else 0,
            differing=0 if replace else row["differing"],
            first_differing=tuple(row["first_differing"]),
        )


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
