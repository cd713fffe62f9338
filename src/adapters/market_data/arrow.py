"""Between Arrow columns and numpy arrays by their buffers.

pyarrow's own conversions (``to_numpy``, ``pa.array``, ``pa.scalar``) import pandas wherever it is installed, which costs 40 MB.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def _values(column: Any, dtype: type[np.generic], null: float) -> npt.NDArray[Any]:
    if isinstance(column, pa.ChunkedArray):
        parts = [_values(chunk, dtype, null) for chunk in column.chunks]
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, dtype), *parts])
    start, stop = column.offset, column.offset + len(column)
    validity, data = column.buffers()
    values = np.frombuffer(data if data is not None else b"", dtype=dtype)[start:stop]
    if not column.null_count:
        return values
    is_valid = np.unpackbits(np.frombuffer(validity, dtype=np.uint8), bitorder="little")[start:stop].astype(np.bool_)
    return np.where(is_valid, values, dtype(null))


def floats(column: Any) -> npt.NDArray[np.float64]:
    """Any numeric column as float64; null becomes NaN."""
    return _values(column.cast(pa.float64(), safe=False), np.float64, float("nan"))


def integers(column: Any) -> npt.NDArray[np.int64]:
    """Any integer column as int64; null becomes 0."""
    return _values(column.cast(pa.int64()), np.int64, 0)


def milliseconds(column: Any) -> npt.NDArray[np.int64]:
    """A timestamp or date column as epoch milliseconds, finer units cut; null becomes 0."""
    return integers(column.cast(pa.timestamp("ms", getattr(column.type, "tz", None)), safe=False))


def arrow_floats(values: npt.NDArray[np.float64]) -> Any:
    return pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def arrow_milliseconds(values: npt.NDArray[np.int64], zone: str | None) -> Any:
    return pa.Array.from_buffers(pa.timestamp("ms", zone), len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
