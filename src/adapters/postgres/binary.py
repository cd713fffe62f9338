"""Columns of candles in the binary formats of PostgreSQL, without a Python object per value.

Written by COPY: every row has the same length, so that the n-th byte of a field lies at the same distance from row to row, and a
strided slice sets that byte in all rows at once. Read as one bytea per column. Numbers travel with the highest byte first.
Format: https://www.postgresql.org/docs/current/sql-copy.html (Binary Format); timestamps are microseconds since 2000-01-01.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from tradingcore.kernel.market import CandleSeries, SeriesKey, to_milliseconds

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_TRAILER: Final = struct.pack("!h", -1)
_EPOCH_MS: Final = to_milliseconds(datetime(2000, 1, 1, tzinfo=UTC))
_NUMBERS: Final = 6  # open_time and five prices, eight bytes each
_FIELD: Final = 12  # a length of four bytes before each
_BLOCK: Final = 2048  # rows that stay in the processor's cache while their columns are filled in
_ROW: Final = 2 + _NUMBERS * _FIELD


def to_copy(leading: bytes, candles: CandleSeries, *, fields: int) -> bytes:
    """Return rows of ``fields`` encoded leading fields, the same in each, followed by open time, prices and volume."""
    row = struct.pack("!h", fields + _NUMBERS) + leading + (struct.pack("!i", 8) + bytes(8)) * _NUMBERS
    blocks = [_encoded(row, candles.slice(start, start + _BLOCK)) for start in range(0, len(candles), _BLOCK)]
    return b"".join((_HEADER, *blocks, _TRAILER))


def _encoded(row: bytes, candles: CandleSeries) -> bytearray:
    rows = bytearray(row * len(candles))
    times = array("q", [(at - _EPOCH_MS) * 1000 for at in candles.open_times])
    columns = (memoryview(times), candles.open, candles.high, candles.low, candles.close, candles.volume)
    for index, column in enumerate(columns):
        raw = column.tobytes()
        first = len(row) - (_NUMBERS - index) * _FIELD + 4
        for byte in range(8):
            rows[first + byte :: len(row)] = raw[_place(byte) :: 8]
    return rows


def from_columns(key: SeriesKey, columns: Sequence[bytes | None], *, is_newest_first: bool = False) -> CandleSeries:
    """Return the candles of six columns: open times, then prices and volume; ``None`` for each stands for no candles."""
    times, *prices = (_column(code, column or b"", is_newest_first) for code, column in zip("qddddd", columns, strict=True))
    return CandleSeries.from_columns(key, array("q", [at // 1000 + _EPOCH_MS for at in times]), *prices)


def _column(code: str, column: bytes, is_newest_first: bool) -> array[Any]:
    numbers: array[Any] = array(code)
    numbers.frombytes(column)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers[::-1] if is_newest_first else numbers


def _place(byte: int) -> int:
    """Where the n-th byte of the network's order lies in a number of this machine."""
    return 7 - byte if sys.byteorder == "little" else byte


def integer_field(value: int) -> bytes:
    return struct.pack("!ii", 4, value)


def text_field(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("!i", len(encoded)) + encoded
