from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from litestar import Response
from litestar.datastructures import Cookie

from entrypoints.http.cookies import SessionCookies
from entrypoints.http.schemas.sessions import (
    AccessTokenBody,
    ChallengeBody,
    Delivery,
    KnownDeviceBody,
    SessionBody,
    SessionList,
    SignInBody,
    TokensBody,
)
from tradingcore.auth.use_cases.manage_sessions import OwnSession
from tradingcore.auth.use_cases.second_factor import OpenedChallenge
from tradingcore.auth.use_cases.session_opening import FactorRequired, OpenedSession, SignInOutcome
from tradingcore.auth.use_cases.step_up import SteppedUpSession
from tradingcore.kernel.authz import Assurance
from tradingcore.processes.wire import rfc3339


def signed_in(outcome: SignInOutcome, cookies: SessionCookies, *, delivery: Delivery) -> Response[SignInBody]:
    """What every way to sign in answers with. The refresh token is in the body, or in a cookie and nowhere else."""
    if isinstance(outcome, FactorRequired):
        asked = ChallengeBody(challenge=outcome.challenge, factors=sorted(outcome.factors), expires_at=rfc3339(outcome.expires_at))
        return Response(SignInBody(status="factor_required", tokens=None, challenge=asked, trusted_device=None))
    kept = []
    device = None
    if outcome.trusted_device is not None:
        known, now = outcome.trusted_device, outcome.session.created_at
        device = KnownDeviceBody(token=known.token if delivery == "body" else None, expires_at=rfc3339(known.device.expires_at))
        if delivery == "cookie":
            kept.append(cookies.keeping_device(known.token, expires_at=known.device.expires_at, now=now))
    body = SignInBody(status="signed_in", tokens=_tokens_body(outcome, delivery), challenge=None, trusted_device=device)
    return Response(body, cookies=[*kept, *_refresh_cookies(outcome, cookies, delivery)])


def refreshed(outcome: OpenedSession, cookies: SessionCookies, *, delivery: Delivery) -> Response[TokensBody]:
    return Response(_tokens_body(outcome, delivery), cookies=_refresh_cookies(outcome, cookies, delivery))


def _tokens_body(outcome: OpenedSession, delivery: Delivery) -> TokensBody:
    tokens = outcome.tokens
    return TokensBody(
        session_id=str(outcome.session.id),
        access_token=tokens.access.text,
        token_type="Bearer",  # noqa: S106 - the name of a scheme
        expires_at=rfc3339(tokens.access.expires_at),
        refresh_token=tokens.refresh_token if delivery == "body" else None,
        refresh_expires_at=rfc3339(tokens.refresh_expires_at),
    )


def _refresh_cookies(outcome: OpenedSession, cookies: SessionCookies, delivery: Delivery) -> list[Cookie]:
    if delivery == "body":
        return []
    tokens = outcome.tokens
    now: datetime = outcome.session.last_seen_at
    return [cookies.keeping_refresh_token(tokens.refresh_token, expires_at=tokens.refresh_expires_at, now=now)]


def challenge_body(asked: OpenedChallenge) -> ChallengeBody:
    return ChallengeBody(challenge=asked.token, factors=sorted(asked.factors), expires_at=rfc3339(asked.expires_at))


def access_body(renewed: SteppedUpSession) -> AccessTokenBody:
    return AccessTokenBody(
        access_token=renewed.access.text,
        token_type="Bearer",  # noqa: S106 - the name of a scheme
        expires_at=rfc3339(renewed.access.expires_at),
    )


def sessions_body(own: Sequence[OwnSession]) -> SessionList:
    return SessionList(data=[_session_body(one) for one in own])


def _session_body(own: OwnSession) -> SessionBody:
    session = own.session
    assurance: Literal["aal1", "aal2"] = "aal2" if session.assurance is Assurance.AAL2 else "aal1"
    return SessionBody(
        id=str(session.id),
        device=session.device_label,
        created_at=rfc3339(session.created_at),
        last_seen_at=rfc3339(session.last_seen_at),
        authenticated_at=rfc3339(session.authenticated_at),
        expires_at=rfc3339(session.expires_at),
        assurance=assurance,
        is_current=own.is_current,
    )
