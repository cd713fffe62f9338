from __future__ import annotations

import asyncio
import csv
import errno
import gzip
import io
import os
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from adapters.market_data.arrow import arrow_floats, arrow_milliseconds
from tradingcore.kernel.market import CandleSeries, SeriesKey
from tradingcore.trading.errors import CandleFileNotWritable
from tradingcore.trading.ports import CandleSink, RejectedRow, RejectSink

_SCHEMA: Final = pa.schema(
    [("timestamp", pa.timestamp("ms", "UTC")), *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume"))]
)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = {
            errno.ENOSPC: "the disk is full: make room",
            errno.EDQUOT: "the disk quota is used up: make room",
            errno.EACCES: "no permission: choose another folder",
            errno.EPERM: "no permission: choose another folder",
            errno.EROFS: "the disk is read-only: choose another folder",
            errno.ENOENT: "there is no such folder: create it first",
            errno.EISDIR: "this is a folder: name a file in it",
        }.get(error.errno or 0, error.strerror or str(error))
        raise CandleFileNotWritable(f"cannot write {path.name}, {reason}; nothing was written") from None


@contextmanager
def _file_in_place(path: Path) -> Iterator[BinaryIO]:
    """A file beside ``path`` that takes its place when all is written, or goes away."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    partial = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    file = partial.open("xb")
    try:
        yield file
        file.flush()
        os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with suppress(OSError):
            # Where the disk is full, closing fails for the reason that is on its way already.
            file.close()
        partial.unlink(missing_ok=True)


def _arrow(series: CandleSeries) -> list[Any]:
    columns = (series.open, series.high, series.low, series.close, series.volume)
    return [arrow_milliseconds(np.asarray(series.open_times), "UTC"), *(arrow_floats(np.asarray(column)) for column in columns)]


class _Writer(Protocol):
    def write(self, series: CandleSeries) -> None: ...


class _FileSink(CandleSink):
    """Writes in a thread; the file appears under its name only when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @abstractmethod
    def _writer(self, file: BinaryIO) -> AbstractContextManager[_Writer]: ...

    async def write(self, key: SeriesKey, chunks: AsyncIterator[CandleSeries]) -> int:
        written = 0
        with _writable(self._path), _file_in_place(self._path) as file, self._writer(file) as writer:
            async for chunk in chunks:
                await asyncio.to_thread(writer.write, chunk)
                written += len(chunk)
        return written


class _ParquetWriter:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, series: CandleSeries) -> None:
        self._writer.write_batch(pa.record_batch(_arrow(series), schema=_SCHEMA))


class ParquetCandleSink(_FileSink):
    """Columns ``timestamp`` (UTC, milliseconds), ``open``, ``high``, ``low``, ``close``, ``volume``; zstd."""

    @contextmanager
    def _writer(self, file: BinaryIO) -> Iterator[_Writer]:
        writer = pq.ParquetWriter(file, _SCHEMA, compression="zstd")
        try:
            yield _ParquetWriter(writer)
        except BaseException:
            # The footer of a file that is given up may fail again, or pretend that the file is whole.
            with suppress(Exception):
                writer.close()
            raise
        writer.close()


class _CsvWriter:
    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, series: CandleSeries) -> None:
        times, *prices = _arrow(series)
        texts = pc.strftime(times.cast(pa.timestamp("s", "UTC")), "%Y-%m-%dT%H:%M:%SZ")
        block = io.BytesIO()
        arrow_csv.write_csv(
            pa.table([texts, *prices], names=_SCHEMA.names),
            block,
            arrow_csv.WriteOptions(include_header=False, quoting_style="none"),
        )
        self._file.write(block.getbuffer())


class CsvCandleSink(_FileSink):
    """The same columns as CSV: times as ISO 8601, numbers in their shortest exact form; gzip for names that end in ``.gz``."""

    @contextmanager
    def _writer(self, file: BinaryIO) -> Iterator[_Writer]:
        if self._path.name.lower().endswith(".gz"):
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed:
                yield self._started(packed)
        else:
            yield self._started(file)

    def _started(self, file: Any) -> _Writer:
        file.write((",".join(_SCHEMA.names) + "\n").encode())
        return _CsvWriter(file)


def _as_text(value: str) -> str:
    # Somebody will open the file with a spreadsheet, which takes a cell that begins like this for a formula.
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\0")) else value


class CsvRejectSink(RejectSink):
    """Writes rejected rows as CSV (``line,reason,row``). The file is made with the first one and grows while the import runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_begun = False

    async def reject(self, rows: Sequence[RejectedRow]) -> None:
        await asyncio.to_thread(self._append, rows)

    def _append(self, rows: Sequence[RejectedRow]) -> None:
        with _writable(self._path), self._path.open("a" if self._is_begun else "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            if not self._is_begun:
                writer.writerow(("line", "reason", "row"))
            self._is_begun = True
            writer.writerows((row.line, _as_text(row.reason), _as_text(row.text)) for row in rows)
