"""When a reader can take up a topic again where it stopped."""

from __future__ import annotations

from tradingcore.notifications.errors import HistoryGone
from tradingcore.notifications.model.stream import StreamPosition, Topic


def require_history(topic: Topic, *, after: StreamPosition, head: StreamPosition, oldest_kept: int | None) -> None:
    """Raise `HistoryGone` unless every entry after ``after`` is still kept.

    ``oldest_kept`` is the smallest offset that the log holds of the topic, ``None`` when it holds none.
    """
    if after.epoch != head.epoch:
        raise HistoryGone(f"{topic} started over: epoch {after.epoch[:40]!r} is no more", reason="epoch_changed")
    if not 0 <= after.offset <= head.offset:
        raise HistoryGone(
            f"{topic} ends at offset {head.offset}, was asked for what follows {after.offset}", reason="unknown_offset"
        )
    if after.offset < head.offset and (oldest_kept is None or oldest_kept > after.offset + 1):
        raise HistoryGone(f"{topic} no longer holds what followed offset {after.offset}", reason="trimmed")
