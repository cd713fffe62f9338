from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from entrypoints.http.schemas.values import Response, TimeText
from tradingcore.auth.use_cases.authenticate import StreamTicket
from tradingcore.processes.wire import rfc3339


class StreamTicketBody(Response):
    """Opens one connection to the stream, once, before it expires."""

    ticket: Annotated[str, Meta(min_length=43, max_length=43)]
    expires_at: TimeText


def ticket_body(ticket: StreamTicket) -> StreamTicketBody:
    return StreamTicketBody(ticket=ticket.token, expires_at=rfc3339(ticket.expires_at))
