"""Where a reader of several topics stands, as one short text for ``Last-Event-ID``.

One item per topic, in the order in which the request names the topics, separated by commas: ``<epoch>:<offset>``. An item without
an epoch has the epoch of the item before it, so that one topic reads ``9f3c:12`` and three read ``9f3c:12,7,0``.
"""

from __future__ import annotations

from collections.abc import Sequence

from tradingcore.kernel.errors import InvalidInput
from tradingcore.notifications.model.stream import StreamPosition


def format_positions(positions: Sequence[StreamPosition]) -> str:
    epoch = ""
    items = []
    for position in positions:
        items.append(str(position.offset) if position.epoch == epoch else f"{position.epoch}:{position.offset}")
        epoch = position.epoch
    return ",".join(items)


def parse_positions(text: str, *, count: int) -> list[StreamPosition]:
    """Return ``count`` positions. Raises `InvalidInput` for another number of them and for anything that is no position."""
    items = text.split(",")
    if len(items) != count:
        raise InvalidInput(f"the last event id must have a position for each of the {count} topics, it has {len(items)}")
    epoch = ""
    positions = []
    for item in items:
        before, _, offset = item.rpartition(":")
        epoch = before or epoch
        if not epoch or len(epoch) > 64 or not offset.isascii() or not offset.isdigit() or len(offset) > 15:
            raise InvalidInput(f"the last event id looks like <epoch>:<offset>, was {text[:80]!r}")
        positions.append(StreamPosition(epoch, int(offset)))
    return positions
