from __future__ import annotations

from entrypoints.http.schemas.auth import StreamTicketBody
from tradingcore.auth.use_cases.authenticate import StreamTicket
from tradingcore.processes.wire import rfc3339


def ticket_body(ticket: StreamTicket) -> StreamTicketBody:
    return StreamTicketBody(ticket=ticket.token, expires_at=rfc3339(ticket.expires_at))
