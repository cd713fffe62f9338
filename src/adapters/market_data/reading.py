"""Reading a file in a thread, one block ahead of whoever takes the candles."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tradingcore.trading.errors import CandleFileUnreadable
from tradingcore.trading.ports import CandleChunk

_WHAT_TO_DO: Final = "get a whole copy of it and import again; nothing of it was stored"


@contextmanager
def readable(file: str) -> Iterator[None]:
    """Turn what can go wrong while reading into `CandleFileUnreadable`."""
    try:
        yield
    except FileNotFoundError:
        raise CandleFileUnreadable(f"there is no file {file}: check the path") from None
    except PermissionError:
        raise CandleFileUnreadable(f"{file} may not be read: ask for permission, or copy it where it may") from None
    except IsADirectoryError:
        raise CandleFileUnreadable(f"{file} is a folder: name a file in it") from None
    except EOFError:
        raise CandleFileUnreadable(f"{file} is truncated, its compressed data ends too early: {_WHAT_TO_DO}") from None
    except zlib.error as error:
        raise CandleFileUnreadable(f"{file} is damaged ({error}): {_WHAT_TO_DO}") from None
    except OSError as error:
        raise CandleFileUnreadable(f"{file} cannot be read ({error.strerror or error}): {_WHAT_TO_DO}") from None


async def one_ahead(chunks: Callable[[], Iterator[CandleChunk]]) -> AsyncIterator[CandleChunk]:
    """Run a blocking iterator in a thread; the next chunk is read while the last one is used."""
    iterator = chunks()
    pending = asyncio.ensure_future(asyncio.to_thread(next, iterator, None))
    try:
        while (chunk := await asyncio.shield(pending)) is not None:
            pending = asyncio.ensure_future(asyncio.to_thread(next, iterator, None))
            yield chunk
    finally:
        # A thread cannot be stopped: let it finish its block before the file is closed under it.
        await asyncio.wait({pending})
        if not pending.cancelled():
            pending.exception()
        iterator.close()  # type: ignore[attr-defined]  # always a generator
