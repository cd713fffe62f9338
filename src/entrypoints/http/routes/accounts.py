from __future__ import annotations

from http import HTTPStatus
from typing import Any

from litestar import Request, Response, Router, delete, get, patch, post
from litestar.di import NamedDependency

from entrypoints.http.conditional import required_version, with_version
from entrypoints.http.inputs import FromBody, FromQuery
from entrypoints.http.openapi import described
from entrypoints.http.pages import PageQuery, Paging
from entrypoints.http.problems import PreconditionFailed, PreconditionRequired
from entrypoints.http.rendering.accounts import account_body, security_event_body
from entrypoints.http.rendering.own_data import own_data_body
from entrypoints.http.schemas.accounts import (
    AcceptedBody,
    AccountBody,
    AddressRequest,
    PasswordChange,
    ProfileChange,
    SecurityEventPage,
)
from entrypoints.http.schemas.own_data import OwnDataBody
from tradingcore.auth.errors import AccountNotFound, Overloaded, PasswordRefused, PasswordWrong
from tradingcore.auth.use_cases.change_address import (
    RequestAddressChange,
    RequestAddressChangeCommand,
)
from tradingcore.auth.use_cases.change_password import ChangePassword
from tradingcore.auth.use_cases.close_account import CloseAccount, CloseAccountCommand
from tradingcore.auth.use_cases.export_own_data import ExportOwnData, ExportOwnDataCommand
from tradingcore.auth.use_cases.get_account import GetAccount, GetAccountCommand
from tradingcore.auth.use_cases.list_security_events import ListSecurityEvents, ListSecurityEventsCommand
from tradingcore.auth.use_cases.update_profile import UpdateProfile
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import InvalidInput, StaleVersion, StepUpRequired, TooManyAttempts, Unavailable

_BY_MAIL = "The answer is the same for every address; what there is to say about it is said by mail."
_ANYBODY = (InvalidInput, TooManyAttempts, Unavailable)


@get(
    "",
    operation_id="getAccount",
    summary="Your account",
    description="The ETag is what a change has to name as If-Match.",
    opt=described(raises=(AccountNotFound,), is_cacheable=True),
)
async def get_account_handler(
    request: Request[Any, Any, Any], actor: NamedDependency[Actor], get_account: NamedDependency[GetAccount]
) -> Response[AccountBody]:
    account = await get_account(actor, GetAccountCommand())
    return with_version(request, account_body(account, restriction=actor.restriction), account.version)


@patch(
    "",
    operation_id="updateProfile",
    summary="Change your name, language or time zone",
    dependencies={"content": FromBody(ProfileChange)},
    opt=described(raises=(AccountNotFound, PreconditionRequired, PreconditionFailed)),
)
async def update_profile_handler(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    content: NamedDependency[ProfileChange],
    update_profile: NamedDependency[UpdateProfile],
) -> Response[AccountBody]:
    version = required_version(request)
    try:
        account = await update_profile(actor, content.command(version))
    except StaleVersion as error:
        raise PreconditionFailed(str(error)) from None
    return with_version(request, account_body(account, restriction=actor.restriction), account.version)


@delete(
    "",
    operation_id="closeAccount",
    summary="Close your account for good",
    description="Sessions, keys, second factors and linked identities end, and the address is free. Needs a recent sign-in.",
    opt=described(raises=(AccountNotFound, StepUpRequired, StaleVersion)),
)
async def close_account_handler(actor: NamedDependency[Actor], close_account: NamedDependency[CloseAccount]) -> None:
    await close_account(actor, CloseAccountCommand())


@get(
    "/export",
    operation_id="exportOwnData",
    summary="Everything that is kept of you",
    description="Needs a recent sign-in. Save it as a file: it is not kept here.",
    opt=described(raises=(AccountNotFound, StepUpRequired)),
)
async def export_own_data_handler(
    actor: NamedDependency[Actor], export_own_data: NamedDependency[ExportOwnData]
) -> Response[OwnDataBody]:
    data = await export_own_data(actor, ExportOwnDataCommand())
    name = f"tradingcore-export-{data.exported_at:%Y-%m-%d}.json"
    return Response(own_data_body(data, actor), headers={"Content-Disposition": f'attachment; filename="{name}"'})


@post(
    "/password",
    operation_id="changePassword",
    summary="Change your password",
    description="Needs a recent sign-in. The session that asks goes on with a fresh access token; the others end.",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies={"content": FromBody(PasswordChange)},
    opt=described(raises=(AccountNotFound, StepUpRequired, PasswordWrong, PasswordRefused, Overloaded, StaleVersion)),
)
async def change_password_handler(
    actor: NamedDependency[Actor], content: NamedDependency[PasswordChange], change_password: NamedDependency[ChangePassword]
) -> None:
    await change_password(actor, content.command())


@post(
    "/address-change",
    operation_id="requestAddressChange",
    summary="Ask for another address",
    description=f"{_BY_MAIL} Needs a recent sign-in. Nothing changes before the new address has proven itself.",
    status_code=HTTPStatus.ACCEPTED,
    dependencies={"content": FromBody(AddressRequest)},
    opt=described(raises=(StepUpRequired,)),
)
async def request_address_change_handler(
    actor: NamedDependency[Actor],
    content: NamedDependency[AddressRequest],
    request_address_change: NamedDependency[RequestAddressChange],
) -> AcceptedBody:
    await request_address_change(actor, RequestAddressChangeCommand(email=content.email))
    return AcceptedBody()


@get(
    "/security-events",
    operation_id="listSecurityEvents",
    summary="What happened to your account, newest first",
    dependencies={"parameters": FromQuery(PageQuery)},
)
async def list_security_events_handler(
    actor: NamedDependency[Actor],
    parameters: NamedDependency[PageQuery],
    paging: NamedDependency[Paging],
    list_security_events: NamedDependency[ListSecurityEvents],
) -> Response[SecurityEventPage]:
    page = await list_security_events(actor, ListSecurityEventsCommand(page=paging.request(parameters)))
    return paging.answer(
        parameters,
        page,
        lambda entries, info: SecurityEventPage(data=[security_event_body(entry, actor) for entry in entries], page=info),
    )


ROUTES = Router(
    "/account",
    route_handlers=[
        get_account_handler,
        update_profile_handler,
        close_account_handler,
        export_own_data_handler,
        change_password_handler,
        request_address_change_handler,
        list_security_events_handler,
    ],
    tags=["account"],
)
