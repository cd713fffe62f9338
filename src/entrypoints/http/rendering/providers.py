from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from litestar import Response

from entrypoints.http.cookies import SessionCookies
from entrypoints.http.oauth_browser import OAuthBrowser
from entrypoints.http.rendering.sessions import access_body, signed_in
from entrypoints.http.schemas.providers import (
    BegunBody,
    CompletionBody,
    DeletionStatusBody,
    IdentityBody,
    IdentityList,
    PendingLinkBody,
    ProviderBody,
    ProviderList,
)
from entrypoints.http.schemas.sessions import Delivery
from tradingcore.auth.model.identity import Identity, Provider
from tradingcore.auth.ports.identities import IdentityProvider
from tradingcore.auth.use_cases.complete_provider_sign_in import FinishedFlow
from tradingcore.auth.use_cases.provider_flows import BegunFlow, PendingLink
from tradingcore.auth.use_cases.step_up import SteppedUpSession
from tradingcore.processes.wire import rfc3339


def providers_body(providers: Sequence[IdentityProvider]) -> ProviderList:
    return ProviderList(
        data=[ProviderBody(name=one.name.value, title=one.title, can_step_up=one.proves_presence) for one in providers]
    )


def begun(flow: BegunFlow, browser: OAuthBrowser) -> Response[BegunBody]:
    body = BegunBody(authorization_url=flow.authorization_url, expires_at=rfc3339(flow.expires_at))
    return Response(body, cookies=[browser.keeping(flow.browser)])


def completed(
    finished: FinishedFlow, browser: OAuthBrowser, cookies: SessionCookies, *, delivery: Delivery
) -> Response[CompletionBody]:
    """A session is shown as every way to sign in shows it. The browser's secret is forgotten, save where a proof still needs it."""
    path = finished.next
    match finished.outcome:
        case PendingLink() as pending:
            return Response(CompletionBody(status="proof_required", next=path, proof=_pending_body(pending)))
        case Identity() as identity:
            return _ended(CompletionBody(status="linked", next=path, identity=identity_body(identity)), browser)
        case SteppedUpSession() as renewed:
            return _ended(CompletionBody(status="stepped_up", next=path, access=access_body(renewed)), browser)
        case outcome:
            answer = signed_in(outcome, cookies, delivery=delivery)
            shown = answer.content
            body = CompletionBody(status=shown.status, next=path, tokens=shown.tokens, challenge=shown.challenge)
            return Response(body, cookies=[*answer.cookies, browser.forgetting()])


def _ended(body: CompletionBody, browser: OAuthBrowser) -> Response[CompletionBody]:
    return Response(body, cookies=[browser.forgetting()])


def _pending_body(pending: PendingLink) -> PendingLinkBody:
    return PendingLinkBody(ticket=pending.ticket, provider=pending.provider.value, expires_at=rfc3339(pending.expires_at))


def identity_body(identity: Identity) -> IdentityBody:
    return IdentityBody(
        id=str(identity.id),
        provider=identity.provider.value,
        email=None if identity.email is None else identity.email.text,
        name=identity.name,
        linked_at=rfc3339(identity.linked_at),
    )


def identities_body(identities: Sequence[Identity]) -> IdentityList:
    return IdentityList(data=[identity_body(identity) for identity in identities])


def deletion_status_body(provider: Provider, at: datetime) -> DeletionStatusBody:
    return DeletionStatusBody(provider=provider.value, status="deleted", deleted_at=rfc3339(at))
