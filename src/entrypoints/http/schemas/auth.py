from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from entrypoints.http.schemas.values import Response, TimeText


class StreamTicketBody(Response):
    """Opens one connection to the stream, once, before it expires."""

    ticket: Annotated[str, Meta(min_length=43, max_length=43)]
    expires_at: TimeText
