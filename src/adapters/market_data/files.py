"""Choosing a source or a sink by the name of a file."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.market_data.csv_source import CsvCandleSource
from adapters.market_data.parquet_source import ParquetCandleSource
from adapters.market_data.sinks import CsvCandleSink, ParquetCandleSink
from tradingcore.kernel.errors import InvalidInput
from tradingcore.trading.ports import CandleSink, CandleSource


def open_candle_source(path: Path, *, zone: str | None = None) -> CandleSource:
    """A source for ``path``: Parquet by its name or first bytes, else CSV, plain or gzip. Raises `InvalidInput` for ``zone``."""
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise InvalidInput(f"there is no timezone {zone[:40]!r}: give a name such as UTC or America/New_York") from None
    return ParquetCandleSource(path, zone=zone) if _is_parquet(path) else CsvCandleSource(path, zone=zone)


def open_candle_sink(path: Path) -> CandleSink:
    """A sink for ``path``, by its name: ``.parquet``, ``.csv`` or ``.csv.gz``. Raises `InvalidInput` for any other."""
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        return ParquetCandleSink(path)
    if name.endswith((".csv", ".csv.gz")):
        return CsvCandleSink(path)
    raise InvalidInput(f"{path.name} names no format: end it with .parquet, .csv or .csv.gz")


def _is_parquet(path: Path) -> bool:
    if path.name.lower().endswith((".parquet", ".pq")):
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False
