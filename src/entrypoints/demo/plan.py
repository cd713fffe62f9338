"""What a demo shows: which series, from where, and how much of them is kept for the replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe
from tradingcore.ml.ports import TrainingProfile

REPLAYED_CANDLES: Final = 500
SIMULATED_SEED: Final = 636
"""Chosen so that the replay lies in volatile weeks that drift: see docs/market-data.md."""
SIMULATED_START: Final = datetime(2024, 1, 1, tzinfo=UTC)
SIMULATED_SPAN: Final = timedelta(days=731)
SIMULATED_SYMBOLS: Final = (SymbolCode("BTC/USDT"), SymbolCode("EUR/USD"), SymbolCode("XAU/USD"))
DEFAULT_SPEED: Final = 8.0
"""Candles a second and series: quick enough not to bore, slow enough to watch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSeries:
    """``file`` is ``None`` for a simulated series."""

    key: SeriesKey
    file: Path | None = None

    @property
    def source(self) -> Literal["simulated", "file"]:
        return "simulated" if self.file is None else "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    series: tuple[DemoSeries, ...]
    training: TrainingProfile
    is_once: bool
    is_reset: bool
    port: int
    speed: float

    @property
    def source(self) -> str:
        return self.series[0].source

    @property
    def folder(self) -> str:
        """Demos of other candles must not meet: each has a data folder of its own, by this name."""
        if self.source == "simulated":
            return self.source
        return "-".join(f"{one.key.symbol}-{one.key.timeframe.value}".replace("/", "") for one in self.series)


def series_of(files: Sequence[Path], symbols: Sequence[SymbolCode], timeframes: Sequence[Timeframe]) -> tuple[DemoSeries, ...]:
    """Pair up ``--candles``, ``--symbol`` and ``--timeframe``; without any of them three simulated symbols, hourly."""
    if not files:
        if symbols or timeframes:
            raise InvalidInput("--symbol and --timeframe describe a file: give --candles FILE with them")
        return tuple(DemoSeries(key=SeriesKey(code, Timeframe.H1)) for code in SIMULATED_SYMBOLS)
    if not len(files) == len(symbols) == len(timeframes):
        raise InvalidInput(
            f"every --candles needs its --symbol and --timeframe, there are {len(files)}, {len(symbols)} and {len(timeframes)}"
        )
    series = tuple(
        DemoSeries(key=SeriesKey(symbol, timeframe), file=file)
        for file, symbol, timeframe in zip(files, symbols, timeframes, strict=True)
    )
    if len({one.key for one in series}) != len(series):
        raise InvalidInput("the same symbol and timeframe was given twice")
    return series
