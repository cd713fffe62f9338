"""The identities that are linked to an account, and those that wait for its owner."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from litestar import Request, Response, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from entrypoints.http.inputs import FromBody
from entrypoints.http.oauth_browser import OAuthBrowser
from entrypoints.http.openapi import described
from entrypoints.http.rendering.providers import identities_body, identity_body
from entrypoints.http.schemas.accounts import AcceptedBody, TokenRequest
from entrypoints.http.schemas.providers import IdentityBody, IdentityList, LinkTicket
from tradingcore.auth.errors import (
    AccountDisabled,
    CodeRefused,
    CredentialRefused,
    IdentityNotFound,
    IdentityTaken,
    LastSignInMethod,
    ProviderFlowUnknown,
)
from tradingcore.auth.ids import IdentityId
from tradingcore.auth.use_cases.confirm_provider_link import (
    ConfirmProviderLink,
    ConfirmProviderLinkCommand,
    MailProviderLink,
    MailProviderLinkCommand,
    ProveProviderLink,
    ProveProviderLinkCommand,
)
from tradingcore.auth.use_cases.list_identities import ListIdentities, ListIdentitiesCommand
from tradingcore.auth.use_cases.unlink_identity import UnlinkIdentity, UnlinkIdentityCommand
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import Conflict, InvalidInput, PermissionDenied, StepUpRequired, TooManyAttempts, Unavailable

IN_ITS_BROWSER: Final = "Needs the cookie of the browser that began."
ANYBODY: Final = (InvalidInput, CredentialRefused, PermissionDenied, TooManyAttempts, Unavailable)


@get("", operation_id="listIdentities", summary="Providers that your account is linked to")
async def list_identities_handler(actor: NamedDependency[Actor], list_identities: NamedDependency[ListIdentities]) -> IdentityList:
    return identities_body(await list_identities(actor, ListIdentitiesCommand()))


@post(
    "",
    operation_id="confirmLink",
    summary="Link what waits for you to sign in",
    description=f"Needs a recent sign-in to the account that the address belongs to. {IN_ITS_BROWSER}",
    dependencies={"content": FromBody(LinkTicket)},
    status_code=HTTPStatus.CREATED,
    opt=described(raises=(InvalidInput, ProviderFlowUnknown, IdentityTaken, StepUpRequired, Conflict)),
)
async def confirm_link_handler(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    content: NamedDependency[LinkTicket],
    oauth_browser: NamedDependency[OAuthBrowser],
    confirm_provider_link: NamedDependency[ConfirmProviderLink],
) -> Response[IdentityBody]:
    command = ConfirmProviderLinkCommand(ticket=content.ticket, browser=oauth_browser.secret_of(request))
    return Response(identity_body(await confirm_provider_link(actor, command)), cookies=[oauth_browser.forgetting()])


@post(
    "/proofs",
    operation_id="mailLinkProof",
    summary="Have a proof mailed to the address of the account",
    description=f"{IN_ITS_BROWSER} What is not sent is not told.",
    dependencies={"content": FromBody(LinkTicket)},
    status_code=HTTPStatus.ACCEPTED,
    opt=described(is_open=True, raises=(*ANYBODY, ProviderFlowUnknown)),
)
async def mail_link_proof_handler(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    content: NamedDependency[LinkTicket],
    oauth_browser: NamedDependency[OAuthBrowser],
    mail_provider_link: NamedDependency[MailProviderLink],
) -> AcceptedBody:
    command = MailProviderLinkCommand(ticket=content.ticket, browser=oauth_browser.secret_of(request))
    await mail_provider_link(actor, command)
    return AcceptedBody()


@post(
    "/prove",
    operation_id="proveLink",
    summary="Link by the mailed proof",
    description=f"{IN_ITS_BROWSER} Signs nobody in.",
    dependencies={"content": FromBody(TokenRequest)},
    status_code=HTTPStatus.OK,
    opt=described(
        is_open=True,
        raises=(*ANYBODY, CodeRefused, ProviderFlowUnknown, IdentityTaken, AccountDisabled, Conflict),
    ),
)
async def prove_link_handler(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    content: NamedDependency[TokenRequest],
    oauth_browser: NamedDependency[OAuthBrowser],
    prove_provider_link: NamedDependency[ProveProviderLink],
) -> Response[IdentityBody]:
    command = ProveProviderLinkCommand(token=content.token, browser=oauth_browser.secret_of(request))
    return Response(identity_body(await prove_provider_link(actor, command)), cookies=[oauth_browser.forgetting()])


@delete(
    "/{identity_id:uuid}",
    operation_id="unlinkIdentity",
    summary="Take a provider away as a way to sign in",
    description="Needs a recent sign-in. Your other sessions end, and access tokens with them: refresh, then go on.",
    opt=described(raises=(IdentityNotFound, LastSignInMethod, StepUpRequired, Conflict)),
)
async def unlink_identity_handler(
    identity_id: FromPath[UUID], actor: NamedDependency[Actor], unlink_identity: NamedDependency[UnlinkIdentity]
) -> None:
    await unlink_identity(actor, UnlinkIdentityCommand(identity_id=IdentityId(identity_id)))


ROUTES = Router(
    "/auth/identities",
    route_handlers=[
        list_identities_handler,
        confirm_link_handler,
        mail_link_proof_handler,
        prove_link_handler,
        unlink_identity_handler,
    ],
    tags=["auth"],
)
