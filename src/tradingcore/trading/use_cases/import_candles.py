from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import InvalidInput, StaleVersion
from tradingcore.kernel.market import AssetClass, CandleSeries, SeriesKey, from_milliseconds
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.model.symbol import Symbol
from tradingcore.trading.ports import (
    CandleChunk,
    CandleSource,
    CandleStore,
    MergeCounts,
    RejectedRow,
    RejectSink,
    TradingUnitOfWork,
)
from tradingcore.trading.quality import QualityCheck, QualityReport
from tradingcore.trading.sessions import GapFinder, GapReport
from tradingcore.trading.symbol_defaults import default_symbol

EXAMPLES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProgress:
    """How far an import is. ``size_bytes`` is what ``bytes_read`` grows to, where it is known."""

    rows_read: int
    bytes_read: int
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCandlesCommand:
    """``asset_class`` is for a symbol that does not exist yet. ``dry_run`` reads and compares everything and stores nothing.

    ``rejects`` takes every rejected row, ``on_progress`` is told after each chunk.
    """

    key: SeriesKey
    source: CandleSource
    replace: bool = False
    asset_class: AssetClass | None = None
    dry_run: bool = False
    rejects: RejectSink | None = None
    on_progress: Callable[[ImportProgress], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or in a dry run would do.

    ``rows_read`` is ``inserted + unchanged + changed + differing + rejected``. ``differing`` counts candles that stand in the store
    with other numbers and were left alone, since nobody asked to replace them. Gaps and quality describe the file.
    """

    symbol: Symbol
    symbol_created: bool
    dry_run: bool
    rows_read: int
    counts: MergeCounts
    rejected: int
    first_rejected: tuple[RejectedRow, ...]
    first: datetime | None
    last: datetime | None
    gaps: GapReport
    quality: QualityReport

    @property
    def is_clean(self) -> bool:
        """Whether every row was taken: nothing rejected, nothing refused."""
        return not self.rejected and not self.counts.differing


@dataclass(slots=True, eq=False)
class _Intake:
    """Passes chunks on and keeps account of them."""

    command: ImportCandlesCommand
    gaps: GapFinder
    quality: QualityCheck = field(default_factory=QualityCheck)
    rows_read: int = 0
    bytes_read: int = 0
    rejected: int = 0
    first_rejected: list[RejectedRow] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None

    async def accepted(self) -> AsyncGenerator[CandleSeries, None]:
        """Yield the chunks that hold candles."""
        async for chunk in self.command.source.chunks(self.command.key):
            await self._account(chunk)
            if len(chunk.candles):
                yield chunk.candles

    async def _account(self, chunk: CandleChunk) -> None:
        self.rows_read += chunk.rows_read
        self.bytes_read += chunk.bytes_read
        self.rejected += len(chunk.rejected)
        self.first_rejected.extend(chunk.rejected[: EXAMPLES - len(self.first_rejected)])
        if self.command.rejects is not None and chunk.rejected:
            await self.command.rejects.reject(chunk.rejected)
        if len(chunk.candles):
            first, last = chunk.candles.first_open_time, chunk.candles.last_open_time
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)
            self.gaps.add(chunk.candles.open_times)
            self.quality.add(chunk.candles)
        if self.command.on_progress is not None:
            self.command.on_progress(
                ImportProgress(rows_read=self.rows_read, bytes_read=self.bytes_read, size_bytes=self.command.source.size_bytes)
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCandles(UseCase[ImportCandlesCommand, ImportReport]):
    """Store the candles of a file, once: the same file again changes nothing.

    Candles are stored in one transaction: a file that turns out to be broken half-way leaves none of its candles behind. A missing
    symbol is created with the defaults of its class when the first good candle was read; it stays when the rest of the file fails.
    Rows that are no candles are reported and never lose the good ones. Memory stays flat.
    """

    permission: ClassVar[Permission] = Permission.MARKET_MANAGE

    uow: UnitOfWorkFactory[TradingUnitOfWork]
    candles: CandleStore

    async def handle(self, actor: Actor, command: ImportCandlesCommand) -> ImportReport:
        """Raises `CandleFileUnreadable`, `InvalidInput` for an asset class that the symbol does not have, `Unavailable`."""
        intake = _Intake(command, GapFinder(command.key))
        async with aclosing(intake.accepted()) as accepted:
            head = await anext(accepted, None)
            symbol, is_new = await self._symbol(actor, command, price=head.close[0] if head is not None else None)
            if head is None:
                counts = MergeCounts(inserted=0, unchanged=0, changed=0, differing=0, first_differing=())
            elif command.dry_run:
                counts = await self._compare(command, _with_head(head, accepted))
            else:
                counts = await self.candles.merge(command.key, _with_head(head, accepted), replace=command.replace)
        return ImportReport(
            symbol=symbol,
            symbol_created=is_new and head is not None and not command.dry_run,
            dry_run=command.dry_run,
            rows_read=intake.rows_read,
            counts=counts,
            rejected=intake.rejected,
            first_rejected=tuple(intake.first_rejected),
            first=intake.first,
            last=intake.last,
            gaps=intake.gaps.report(symbol.calendar, at_most=EXAMPLES),
            quality=intake.quality.report(),
        )

    async def _symbol(self, actor: Actor, command: ImportCandlesCommand, *, price: float | None) -> tuple[Symbol, bool]:
        created = default_symbol(command.key.symbol, command.asset_class, price=price)
        try:
            async with self.uow(actor) as unit:
                symbol = await unit.symbols.find(command.key.symbol)
                if symbol is None:
                    # A file without a good candle, or a dry run, is no reason to make a symbol.
                    is_wanted = price is not None and not command.dry_run
                    return (await unit.symbols.save(created) if is_wanted else created), True
        except StaleVersion:
            # Another import made it at the same moment.
            async with self.uow(actor) as unit:
                symbol = await unit.symbols.get(command.key.symbol)
        if command.asset_class not in (None, symbol.asset_class):
            raise InvalidInput(
                f"{symbol.code} is stored as {symbol.asset_class.value}, not as {command.asset_class}: "
                "leave the asset class out, or change the symbol first"
            )
        return symbol, False

    async def _compare(self, command: ImportCandlesCommand, chunks: AsyncIterator[CandleSeries]) -> MergeCounts:
        inserted = unchanged = other = 0
        differing: list[datetime] = []
        async for chunk in chunks:
            stored = await self.candles.between(
                command.key, start=chunk.first_open_time, stop=command.key.timeframe.close_of(chunk.last_open_time)
            )
            known = {row[0]: row for row in _rows(stored)}
            for row in _rows(chunk):
                match = known.get(row[0])
                if match is None:
                    inserted += 1
                elif match == row:
                    unchanged += 1
                else:
                    other += 1
                    if len(differing) < EXAMPLES:
                        differing.append(from_milliseconds(row[0]))
        return MergeCounts(
            inserted=inserted,
            unchanged=unchanged,
            changed=other if command.replace else 0,
            differing=0 if command.replace else other,
            first_differing=tuple(differing),
        )


async def _with_head(head: CandleSeries, rest: AsyncIterator[CandleSeries]) -> AsyncGenerator[CandleSeries, None]:
    yield head
    async for chunk in rest:
        yield chunk


def _rows(series: CandleSeries) -> Iterable[tuple[int, float, float, float, float, float]]:
    return zip(series.open_times, series.open, series.high, series.low, series.close, series.volume, strict=True)
