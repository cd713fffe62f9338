from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.market_data.arrow import floats, integers, milliseconds
from adapters.market_data.columns import FoundColumns, find_columns
from adapters.market_data.intake import CandleIntake
from adapters.market_data.reading import one_ahead, readable
from adapters.market_data.timestamps import Milliseconds, TimeKind, Timestamps, epoch_scale
from tradingcore.kernel.market import SeriesKey
from tradingcore.trading.errors import CandleFileUnreadable
from tradingcore.trading.ports import CandleChunk, CandleSource, RejectedRow

BATCH_ROWS: Final = 32_768
_PRICE_NAMES: Final = ("open", "high", "low", "close", "volume")


class ParquetCandleSource(CandleSource):
    """A Parquet file: times as timestamps, dates, epoch numbers or ISO 8601 text, prices as numbers. Rows are counted from 1.

    ``zone`` and a missing volume column are as in `CsvCandleSource`.
    """

    def __init__(self, path: Path, *, zone: str | None = None) -> None:
        self._path = path
        self._zone = zone

    @property
    def size_bytes(self) -> int | None:
        try:
            return self._path.stat().st_size
        except OSError:
            return None

    def chunks(self, key: SeriesKey) -> AsyncIterator[CandleChunk]:
        """Raises `CandleFileUnreadable`, and `InvalidInput` for times without a zone."""
        return one_ahead(lambda: self._read(key))

    def _read(self, key: SeriesKey) -> Iterator[CandleChunk]:
        file = self._path.name
        with readable(file):
            size = self._path.stat().st_size
            if size == 0:
                raise CandleFileUnreadable(f"{file} is empty: nothing to import")
            try:
                # Column chunks are read in pieces: a file may be one row group of any size.
                with pq.ParquetFile(self._path, pre_buffer=False, buffer_size=1 << 20) as parquet:
                    yield from self._batches(parquet, key, file, size)
            except pa.ArrowException as error:
                raise CandleFileUnreadable(
                    f"{file} is no whole Parquet file ({_first_sentence(error)}): get a whole copy of it and import again; "
                    "nothing of it was stored"
                ) from None

    def _batches(self, parquet: Any, key: SeriesKey, file: str, size: int) -> Iterator[CandleChunk]:
        schema, total = parquet.schema_arrow, parquet.metadata.num_rows
        found = find_columns(schema.names, file=file)
        _check_types(schema, found, file)
        if not total:
            raise CandleFileUnreadable(f"{file} has columns but no rows: nothing to import")
        intake = CandleIntake(key, file)
        stamps: Timestamps | None = None
        first, told = 1, 0
        for batch in parquet.iter_batches(BATCH_ROWS, columns=[schema.names[index] for index in found.used], use_threads=False):
            columns = {name: batch.column(position) for position, name in enumerate(batch.schema.names)}
            times = columns[schema.names[found.time]]
            stamps = stamps or _stamps(times, file, key, self._zone)
            count = batch.num_rows
            bytes_read = size * (first + count - 1) // total - told
            told += bytes_read
            yield _chunk(intake, stamps, times, _prices(columns, schema, found, count), first, bytes_read)
            first += count


def _check_types(schema: Any, found: FoundColumns, file: str) -> None:
    for index in found.used:
        kind = schema.field(index).type
        is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        is_time = index == found.time and (
            pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
        )
        if not is_number and not is_time:
            needed = "a timestamp, a number or text" if index == found.time else "numbers"
            raise CandleFileUnreadable(f"{file}: column {schema.names[index]} holds {kind}, needed is {needed}")


def _prices(columns: dict[str, Any], schema: Any, found: FoundColumns, count: int) -> list[npt.NDArray[np.float64]]:
    prices = [floats(columns[schema.names[index]]) for index in found.used[1:]]
    return prices if found.volume is not None else [*prices, np.zeros(count, dtype=np.float64)]


def _stamps(times: Any, file: str, key: SeriesKey, zone: str | None) -> Timestamps:
    kind = times.type
    first = next((value for value in times.slice(0, 1000) if value.is_valid), None)
    if first is None:
        raise CandleFileUnreadable(f"{file}: the first rows have no time")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return Timestamps.like(first.as_py(), line=1, file=file, timeframe=key.timeframe, zone=zone)
    scale = 1.0
    if pa.types.is_timestamp(kind):
        chosen = TimeKind.AWARE if kind.tz else TimeKind.NAIVE
    elif pa.types.is_date(kind):
        chosen = TimeKind.DATE
    else:
        chosen, scale = TimeKind.EPOCH, epoch_scale(float(first.as_py()))
    stamps = Timestamps(file, key.timeframe, zone, chosen, scale)
    stamps.require_zone("its time column")
    return stamps


def _chunk(
    intake: CandleIntake, stamps: Timestamps, times: Any, prices: list[npt.NDArray[np.float64]], first: int, bytes_read: int
) -> CandleChunk:
    rows: Milliseconds = np.arange(first, first + len(times), dtype=np.int64)
    raw = prices

    def row_text(position: int) -> str:
        return ",".join([str(times[position].as_py()), *(repr(float(column[position])) for column in raw)])

    utc, faults = _milliseconds(stamps, times, first)
    rejected = [RejectedRow(line=first + position, reason=reason, text=row_text(position)) for position, reason in faults.items()]
    count = len(rows)
    if faults:
        kept = np.ones(len(rows), dtype=np.bool_)
        kept[list(faults)] = False
        utc, rows, prices = utc[kept], rows[kept], [column[kept] for column in prices]
    utc, nonexistent = stamps.to_utc(utc)
    return intake.chunk(
        utc,
        prices,
        rows,
        lambda index: row_text(int(rows[index]) - first),
        rows_read=count,
        bytes_read=bytes_read,
        rejected=rejected,
        nonexistent=nonexistent,
    )


def _milliseconds(stamps: Timestamps, times: Any, first: int) -> tuple[Milliseconds, dict[int, str]]:
    """Times of all rows, and why some rows have none."""
    kind = times.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        whole = stamps.from_text(times) if not times.null_count else None
        if whole is not None:
            return whole, {}
        parsed = [
            stamps.parse(text, first + position) if text is not None else "time is missing"
            for position, text in enumerate(times.to_pylist())
        ]
        faults = {position: value for position, value in enumerate(parsed) if isinstance(value, str)}
        return np.array([0 if isinstance(value, str) else value for value in parsed], dtype=np.int64), faults
    faults = (
        {position: "time is missing" for position in range(len(times)) if not times[position].is_valid} if times.null_count else {}
    )
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return milliseconds(times), faults
    if pa.types.is_integer(kind):
        return stamps.from_numbers(integers(times)), faults
    return stamps.from_numbers(floats(times)), faults


def _first_sentence(error: Exception) -> str:
    return str(error).splitlines()[0].split(". ")[0][:120].strip().rstrip(".").lower()
