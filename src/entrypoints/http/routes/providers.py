"""Signing in through identity providers, and the identities that are linked to an account.

A callback only wraps up what came: it is a GET, or a form that another site posts, and nothing may change by either. Our own page
brings the handle back by a POST of its own, with the cookie of the browser that began.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from entrypoints.http.cookies import SessionCookies
from entrypoints.http.inputs import FromBody
from entrypoints.http.oauth_browser import CallbackFields, FromCallback, OAuthBrowser, fields_of, posted_fields, posted_form
from entrypoints.http.openapi import described
from entrypoints.http.options import HttpSettings
from entrypoints.http.peer import Peer
from entrypoints.http.rendering.providers import (
    begun,
    completed,
    deletion_status_body,
    providers_body,
)
from entrypoints.http.routes.identities import ANYBODY, IN_ITS_BROWSER
from entrypoints.http.routes.sessions import caller_from
from entrypoints.http.schemas.providers import (
    BegunBody,
    CompletionBody,
    DeletionBody,
    DeletionStatusBody,
    ProviderBeginning,
    ProviderCompletion,
    ProviderList,
)
from tradingcore.auth.errors import (
    AccountDisabled,
    FactorNeeded,
    IdentityRefused,
    IdentityTaken,
    ProviderFlowUnknown,
    ProviderNotFound,
)
from tradingcore.auth.model.identity import Provider
from tradingcore.auth.use_cases.begin_provider import (
    BeginProviderLink,
    BeginProviderLinkCommand,
    BeginProviderSignIn,
    BeginProviderSignInCommand,
    BeginProviderStepUp,
    BeginProviderStepUpCommand,
)
from tradingcore.auth.use_cases.complete_provider_sign_in import CompleteProviderSignIn, CompleteProviderSignInCommand
from tradingcore.auth.use_cases.delete_provider_data import (
    DeleteProviderData,
    DeleteProviderDataCommand,
    ShowProviderDataDeletion,
    ShowProviderDataDeletionCommand,
)
from tradingcore.auth.use_cases.list_providers import ListProviders, ListProvidersCommand
from tradingcore.auth.use_cases.receive_provider_answer import ReceiveProviderAnswer, ReceiveProviderAnswerCommand
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import (
    Conflict,
    RuleViolation,
    StepUpRequired,
    Unauthenticated,
)


def _provider(name: str) -> Provider:
    try:
        return Provider(name)
    except ValueError:
        raise ProviderNotFound(f"there is no identity provider {name[:20]!r} here") from None


@get(
    "",
    operation_id="listProviders",
    summary="Identity providers that people may sign in with",
    opt=described(is_open=True, raises=ANYBODY),
)
async def list_providers_handler(actor: NamedDependency[Actor], list_providers: NamedDependency[ListProviders]) -> ProviderList:
    return providers_body(await list_providers(actor, ListProvidersCommand()))


@post(
    "/{provider:str}/authorizations",
    operation_id="beginAtProvider",
    summary="Begin to sign in at a provider, to link it, or to prove presence by it",
    description="Sets a cookie that the browser brings back. Ten minutes.",
    dependencies={"content": FromBody(ProviderBeginning)},
    status_code=HTTPStatus.CREATED,
    opt=described(is_open=True, raises=(*ANYBODY, Unauthenticated, StepUpRequired, ProviderNotFound, RuleViolation)),
)
async def begin_at_provider_handler(
    provider: FromPath[str],
    actor: NamedDependency[Actor],
    content: NamedDependency[ProviderBeginning],
    oauth_browser: NamedDependency[OAuthBrowser],
    begin_provider_sign_in: NamedDependency[BeginProviderSignIn],
    begin_provider_link: NamedDependency[BeginProviderLink],
    begin_provider_step_up: NamedDependency[BeginProviderStepUp],
) -> Response[BegunBody]:
    name = _provider(provider)
    match content.purpose:
        case "link":
            flow = await begin_provider_link(actor, BeginProviderLinkCommand(provider=name, next=content.next))
        case "step_up":
            flow = await begin_provider_step_up(actor, BeginProviderStepUpCommand(provider=name, next=content.next))
        case "sign_in":
            flow = await begin_provider_sign_in(actor, BeginProviderSignInCommand(provider=name, next=content.next))
    return begun(flow, oauth_browser)


@get(
    "/{provider:str}/callback",
    include_in_schema=False,
    dependencies={"fields": FromCallback()},
    opt=described(is_open=True),
)
async def callback_handler(
    provider: FromPath[str],
    actor: NamedDependency[Actor],
    fields: NamedDependency[CallbackFields],
    oauth_browser: NamedDependency[OAuthBrowser],
    receive_provider_answer: NamedDependency[ReceiveProviderAnswer],
) -> Response[None]:
    return await _received(provider, fields, actor, oauth_browser, receive_provider_answer)


@post("/{provider:str}/callback", include_in_schema=False, opt=described(is_open=True))
async def posted_callback_handler(
    request: Request[Any, Any, Any],
    provider: FromPath[str],
    actor: NamedDependency[Actor],
    oauth_browser: NamedDependency[OAuthBrowser],
    receive_provider_answer: NamedDependency[ReceiveProviderAnswer],
) -> Response[None]:
    return await _received(provider, await posted_fields(request), actor, oauth_browser, receive_provider_answer)


async def _received(
    provider: str, fields: CallbackFields, actor: Actor, browser: OAuthBrowser, receive: ReceiveProviderAnswer
) -> Response[None]:
    # A person looks at this: a fault is told on our page, too.
    try:
        command = ReceiveProviderAnswerCommand(provider=_provider(provider), state=fields.state, answer=fields.answer)
        return browser.back(handle=await receive(actor, command))
    except (ProviderFlowUnknown, ProviderNotFound) as error:
        return browser.back(error=error.code)


@post(
    "/completions",
    operation_id="completeAtProvider",
    summary="Finish what was begun at a provider",
    description=f"The handle works once. {IN_ITS_BROWSER} An address that somebody here has proven is never taken over: "
    "`proof_required` asks to prove the account first.",
    dependencies={"content": FromBody(ProviderCompletion)},
    status_code=HTTPStatus.OK,
    opt=described(
        is_open=True,
        raises=(*ANYBODY, ProviderFlowUnknown, IdentityRefused, IdentityTaken, AccountDisabled, FactorNeeded, Conflict),
    ),
)
async def complete_at_provider_handler(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    content: NamedDependency[ProviderCompletion],
    peer: NamedDependency[Peer],
    oauth_browser: NamedDependency[OAuthBrowser],
    session_cookies: NamedDependency[SessionCookies],
    complete_provider_sign_in: NamedDependency[CompleteProviderSignIn],
) -> Response[CompletionBody]:
    if content.delivery == "cookie":
        session_cookies.require_own_page(request)
    command = CompleteProviderSignInCommand(
        handle=content.handle,
        browser=oauth_browser.secret_of(request),
        caller=caller_from(request, peer, session_cookies),
        locale=content.locale,
    )
    finished = await complete_provider_sign_in(actor, command)
    return completed(finished, oauth_browser, session_cookies, delivery=content.delivery)


@post(
    "/{provider:str}/deletions",
    include_in_schema=False,
    status_code=HTTPStatus.OK,
    opt=described(is_open=True),
)
async def delete_provider_data_handler(
    request: Request[Any, Any, Any],
    provider: FromPath[str],
    actor: NamedDependency[Actor],
    http_settings: NamedDependency[HttpSettings],
    delete_provider_data: NamedDependency[DeleteProviderData],
) -> DeletionBody:
    signed = fields_of(await posted_form(request)).get("signed_request", "")
    code = await delete_provider_data(actor, DeleteProviderDataCommand(provider=_provider(provider), signed_request=signed))
    return DeletionBody(url=f"{http_settings.public_url}{request.scope['path']}/{code}", confirmation_code=code)


@get(
    "/{provider:str}/deletions/{confirmation:str}",
    operation_id="showProviderDataDeletion",
    summary="What became of a request to delete what a provider told",
    opt=described(is_open=True, raises=(*ANYBODY, ProviderNotFound)),
)
async def show_provider_data_deletion_handler(
    provider: FromPath[str],
    confirmation: FromPath[str],
    actor: NamedDependency[Actor],
    show_provider_data_deletion: NamedDependency[ShowProviderDataDeletion],
) -> DeletionStatusBody:
    name = _provider(provider)
    at = await show_provider_data_deletion(actor, ShowProviderDataDeletionCommand(provider=name, confirmation=confirmation))
    return deletion_status_body(name, at)


ROUTES = Router(
    "/auth/providers",
    route_handlers=[
        list_providers_handler,
        begin_at_provider_handler,
        callback_handler,
        posted_callback_handler,
        complete_at_provider_handler,
        delete_provider_data_handler,
        show_provider_data_deletion_handler,
    ],
    tags=["auth"],
)
