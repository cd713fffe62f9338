"""Stream messages as one line of JSON, for logs that keep text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

from tradingcore.kernel.authz import EventId, TraceId
from tradingcore.kernel.errors import InvalidInput
from tradingcore.notifications.model.stream import StreamMessage, Topic


def message_to_text(message: StreamMessage) -> str:
    """Return everything but the topic. Raises `InvalidInput` when ``data`` is not JSON; NaN and infinities are not."""
    fields = {
        "id": str(message.event_id),
        "type": message.type,
        "at": message.at.isoformat(),
        "trace": message.trace_id,
        "data": message.data,
    }
    try:
        return json.dumps(fields, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the data of a {message.type} message must be JSON: {error}") from error


def message_from_text(topic: Topic, text: str | bytes) -> StreamMessage:
    """Return what `message_to_text` was given, with ``data`` as JSON gives it back."""
    fields = json.loads(text)
    return StreamMessage(
        topic=topic,
        event_id=EventId(UUID(fields["id"])),
        type=fields["type"],
        at=datetime.fromisoformat(fields["at"]).astimezone(UTC),
        trace_id=TraceId(fields["trace"]),
        data=fields["data"],
    )
