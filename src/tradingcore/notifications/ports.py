from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tradingcore.notifications.model.stream import StreamEntry, StreamMessage, StreamPosition, Topic


class StreamLog(Protocol):
    """The ordered record of what was published, kept for a while (5 minutes at least) so that readers can resume.

    Offsets of a topic are assigned in commit order without gaps. Entries become visible in offset order. Every method raises
    `Unavailable` when the log cannot be reached.
    """

    __slots__ = ()

    @abstractmethod
    async def publish(self, messages: Sequence[StreamMessage]) -> Sequence[StreamPosition]:
        """Append all or nothing, and return the position of each.

        A known (topic, event id) is not appended again: its position is returned. Ids are known as long as their entries are kept.
        """

    @abstractmethod
    async def head(self, topic: Topic) -> StreamPosition:
        """Return the position of the newest entry; offset 0, in the epoch of the entries to come, before the first."""

    @abstractmethod
    async def read(self, topic: Topic, *, after: StreamPosition, limit: int) -> Sequence[StreamEntry]:
        """Return entries after a position, oldest first. Raises `HistoryGone` for another epoch, or when some were trimmed."""

    @abstractmethod
    def follow(self) -> AbstractAsyncContextManager[AsyncIterator[StreamEntry]]:
        """Open a view of all topics: ``async with log.follow() as entries``.

        From the moment it is entered every entry published later is yielded, each topic in offset order. Entering and iterating
        raise `Unavailable` when the log is lost or the reader fell too far behind: then follow again and close gaps with `read`.
        """

    @abstractmethod
    async def trim(self) -> int:
        """Drop what is older than the log keeps and return how many entries went. The newest offset of a topic survives."""
