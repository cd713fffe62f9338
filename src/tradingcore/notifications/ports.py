from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from tradingcore.notifications.model.stream import StreamEntry, StreamMessage, StreamPosition, Topic


class StreamLog(Protocol):
    """The ordered record of what was published, kept for a while (5 minutes at least) so that readers can resume.

    Offsets of a topic are assigned in commit order without gaps. Entries become visible in offset order.
    """

    __slots__ = ()

    @abstractmethod
    async def publish(self, messages: Sequence[StreamMessage]) -> Sequence[StreamPosition]:
        """Append, and return the position of each. A known (topic, event id) is not appended again: its position is returned."""

    @abstractmethod
    async def head(self, topic: Topic) -> StreamPosition:
        """Return the position of the newest entry; offset 0 for a topic that nobody wrote to."""

    @abstractmethod
    async def read(self, topic: Topic, *, after: StreamPosition, limit: int) -> Sequence[StreamEntry]:
        """Return entries after a position, oldest first. Raises `HistoryGone` for another epoch, or when some were trimmed."""

    @abstractmethod
    def follow(self) -> AsyncIterator[StreamEntry]:
        """Yield entries of all topics as they are published, each topic in offset order, at least once, until closed.

        The iterator is live from its first ``__anext__`` call on; it may repeat entries after it reconnected. Raises `Unavailable`
        when the log stays away; callers follow again and close gaps with `read`.
        """

    @abstractmethod
    async def trim(self) -> int:
        """Drop what is older than the log keeps and return how many entries went. The newest offset of a topic survives."""
