from __future__ import annotations

from http import HTTPStatus

from litestar import Router, post
from litestar.di import NamedDependency

from entrypoints.http.rendering.auth import ticket_body
from entrypoints.http.schemas.auth import StreamTicketBody
from tradingcore.auth.use_cases.authenticate import IssueStreamTicket, IssueStreamTicketCommand
from tradingcore.kernel.authz import Actor


@post(
    "/stream-tickets",
    operation_id="createStreamTicket",
    summary="A ticket for one connection to the stream",
    description="Single use, 30 seconds. Send it in the first frame of the WebSocket; what may be heard is decided topic by topic.",
    status_code=HTTPStatus.CREATED,
)
async def create_stream_ticket_handler(
    actor: NamedDependency[Actor], issue_stream_ticket: NamedDependency[IssueStreamTicket]
) -> StreamTicketBody:
    return ticket_body(await issue_stream_ticket(actor, IssueStreamTicketCommand()))


ROUTES = Router("/auth", route_handlers=[create_stream_ticket_handler], tags=["auth"])
