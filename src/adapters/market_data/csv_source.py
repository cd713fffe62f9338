from __future__ import annotations

import csv
import gzip
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv as arrow_csv

from adapters.market_data.arrow import floats, integers
from adapters.market_data.columns import FoundColumns, find_columns
from adapters.market_data.intake import CandleIntake
from adapters.market_data.reading import one_ahead, readable
from adapters.market_data.timestamps import Milliseconds, TimeKind, Timestamps, as_number
from tradingcore.kernel.market import SeriesKey
from tradingcore.trading.errors import CandleFileUnreadable
from tradingcore.trading.ports import CandleChunk, CandleSource, RejectedRow

BLOCK_BYTES: Final = 2 << 20
LONGEST_LINE_BYTES: Final = 1 << 20
_DELIMITERS: Final = ",;\t|"
_NO_VALUES: Final = ["", "nan", "NaN", "NAN", "null", "NULL", "None", "NA", "N/A", "-"]


class CsvCandleSource(CandleSource):
    """A CSV file, plain or compressed with gzip, with a header; comma, semicolon, tab or bar between fields.

    Memory stays flat: blocks of two megabytes are parsed as columns, and only a block that holds a bad row is read row by row.
    ``zone`` (an IANA name) is for times without an offset; they are refused without it, but for dates of daily and weekly candles.
    A file without a volume column gives volume 0.
    """

    def __init__(self, path: Path, *, zone: str | None = None) -> None:
        self._path = path
        self._zone = zone

    @property
    def size_bytes(self) -> int | None:
        """Bytes on disk, compressed or not."""
        try:
            return self._path.stat().st_size
        except OSError:
            return None

    def chunks(self, key: SeriesKey) -> AsyncIterator[CandleChunk]:
        """Raises `CandleFileUnreadable`, and `InvalidInput` for times without a zone."""
        return one_ahead(lambda: self._read(key))

    def _read(self, key: SeriesKey) -> Iterator[CandleChunk]:
        file = self._path.name
        with readable(file), self._path.open("rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            plain = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_gzip else raw
            blocks = _whole_lines(plain, file)
            header, first_block, first_line = _header(blocks, file)
            reader = _BlockReader(header, CandleIntake(key, file), key, file, self._zone)
            told, line, has_rows = 0, first_line, False
            for block in _chain(first_block, blocks):
                chunk, lines = reader.chunk(block, line, bytes_read=raw.tell() - told)
                told, line = raw.tell(), line + lines
                has_rows = has_rows or chunk.rows_read > 0
                yield chunk
            if not has_rows:
                raise CandleFileUnreadable(f"{file} has a header but no rows: nothing to import")


def _whole_lines(plain: BinaryIO, file: str) -> Iterator[bytes]:
    rest = b""
    while data := plain.read(BLOCK_BYTES):
        cut = data.rfind(b"\n") + 1
        if cut:
            yield rest + data[:cut]
            rest = data[cut:]
        else:
            rest += data
        if len(rest) > LONGEST_LINE_BYTES:
            raise CandleFileUnreadable(
                f"{file} has a line of more than {LONGEST_LINE_BYTES >> 20} MB: it is no CSV file of candles"
            )
    if rest:
        yield rest + b"\n"


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


@dataclass(frozen=True, slots=True)
class _Header:
    columns: FoundColumns
    delimiter: str


def _header(blocks: Iterator[bytes], file: str) -> tuple[_Header, bytes, int]:
    """The header, what follows it in its block, and the number of the line after it."""
    block, line_number = next(blocks, b""), 1
    while block:
        line, _, block = block.partition(b"\n")
        try:
            text = line.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise CandleFileUnreadable(f"{file} is not UTF-8 text: save it as CSV in UTF-8, plain or with gzip") from None
        if "\0" in text:
            raise CandleFileUnreadable(f"{file} is not text: give a CSV, CSV.gz or Parquet file")
        line_number += 1
        if text:
            delimiter = max(_DELIMITERS, key=text.count)
            names = next(csv.reader([text], delimiter=delimiter))
            if all(as_number(name) is not None for name in names):
                raise CandleFileUnreadable(
                    f"{file} has no header: its first line is {text[:60]!r}; add a line that names the columns, for example "
                    "timestamp,open,high,low,close,volume"
                )
            return _Header(find_columns(names, file=file), delimiter), block, line_number
        block = block or next(blocks, b"")
    raise CandleFileUnreadable(f"{file} is empty: nothing to import")


class _BlockReader:
    """Parses blocks of whole lines: as columns where all rows are well formed, else row by row."""

    def __init__(self, header: _Header, intake: CandleIntake, key: SeriesKey, file: str, zone: str | None) -> None:
        self._columns = header.columns
        self._delimiter = header.delimiter
        self._intake = intake
        self._key = key
        self._file = file
        self._zone = zone
        self._stamps: Timestamps | None = None

    def chunk(self, block: bytes, first_line: int, *, bytes_read: int) -> tuple[CandleChunk, int]:
        """The candles of a block, and its number of lines."""
        lines = block.count(b"\n")
        if self._stamps is None:
            self._look_at_first_row(block, first_line)
        columns = self._as_columns(block, lines) if self._stamps is not None else None
        if columns is not None:
            times, prices = columns
            numbers: Milliseconds = np.arange(first_line, first_line + lines, dtype=np.int64)
            rejected: list[RejectedRow] = []
        else:
            times, prices, numbers, rejected = self._row_by_row(block, first_line)
        rows = len(times) + len(rejected)
        nonexistent = None
        if self._stamps is not None:
            times, nonexistent = self._stamps.to_utc(times)
        texts: list[bytes] = []

        def text(index: int) -> str:
            if not texts:
                texts.extend(block.split(b"\n"))
            return _readable_text(texts[int(numbers[index]) - first_line])

        chunk = self._intake.chunk(
            times, prices, numbers, text, rows_read=rows, bytes_read=bytes_read, rejected=rejected, nonexistent=nonexistent
        )
        return chunk, lines

    def _look_at_first_row(self, block: bytes, first_line: int) -> None:
        for line, raw in enumerate(io.BytesIO(block), first_line):
            if raw.strip():
                self._row(raw, line)
                return

    def _as_columns(self, block: bytes, lines: int) -> tuple[Milliseconds, list[npt.NDArray[np.float64]]] | None:
        found, stamps = self._columns, self._stamps
        assert stamps is not None
        names = [str(index) for index in range(len(found.names))]
        is_number = stamps.kind is TimeKind.EPOCH
        kinds: dict[str, Any] = {names[index]: pa.float64() for index in found.used}
        kinds[names[found.time]] = pa.int64() if is_number else pa.string()
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(block),
                read_options=arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(block) + 1),
                parse_options=arrow_csv.ParseOptions(delimiter=self._delimiter, ignore_empty_lines=False),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=kinds, include_columns=[names[index] for index in found.used], null_values=_NO_VALUES
                ),
            )
        except pa.ArrowInvalid:
            return None
        if table.num_rows != lines:
            return None
        column = table.column(names[found.time])
        if column.null_count:
            return None
        times = stamps.from_numbers(integers(column)) if is_number else stamps.from_text(column)
        if times is None:
            return None
        prices = [floats(table.column(names[index])) for index in found.used[1:]]
        if found.volume is None:
            prices.append(np.zeros(len(times), dtype=np.float64))
        return times, prices

    def _row_by_row(
        self, block: bytes, first_line: int
    ) -> tuple[Milliseconds, list[npt.NDArray[np.float64]], Milliseconds, list[RejectedRow]]:
        times: list[int] = []
        numbers: list[int] = []
        prices: list[list[float]] = [[] for _ in range(5)]
        rejected: list[RejectedRow] = []
        for line, raw in enumerate(io.BytesIO(block), first_line):
            if not raw.strip():
                continue
            parsed = self._row(raw, line)
            if isinstance(parsed, str):
                rejected.append(RejectedRow(line=line, reason=parsed, text=_readable_text(raw.rstrip(b"\r\n"))))
                continue
            at, values = parsed
            times.append(at)
            numbers.append(line)
            for column, value in zip(prices, values, strict=True):
                column.append(value)
        return (
            np.array(times, dtype=np.int64),
            [np.array(column, dtype=np.float64) for column in prices],
            np.array(numbers, dtype=np.int64),
            rejected,
        )

    def _row(self, raw: bytes, line: int) -> tuple[int, list[float]] | str:
        """Time and five numbers, or the sentence why the line has none."""
        try:
            fields = next(csv.reader([raw.decode("utf-8").rstrip("\r\n")], delimiter=self._delimiter))
        except UnicodeDecodeError:
            return "the row is not UTF-8 text"
        except (csv.Error, StopIteration):
            return "the row is not valid CSV"
        found = self._columns
        if len(fields) != len(found.names):
            return f"the row has {len(fields)} fields, the header has {len(found.names)}"
        values: list[float] = []
        for name, index in zip(("open", "high", "low", "close", "volume"), (*found.prices, found.volume), strict=True):
            value = 0.0 if index is None else _number(fields[index])
            if isinstance(value, str):
                return f"{name} {value}"
            values.append(value)
        text = fields[found.time]
        if self._stamps is None:
            self._stamps = Timestamps.like(text, line=line, file=self._file, timeframe=self._key.timeframe, zone=self._zone)
        at = self._stamps.parse(text, line)
        return at if isinstance(at, str) else (at, values)


def _number(text: str) -> float | str:
    stripped = text.strip()
    if stripped in _NO_VALUES:
        return "is not a number, was " + (stripped or "empty")
    value = None if "_" in stripped else as_number(stripped)
    return f"is not a number, was {stripped[:40]!r}" if value is None else value


def _readable_text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace").rstrip("\r")[:200]
