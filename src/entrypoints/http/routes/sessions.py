from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from litestar import Request, Response, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from entrypoints.http.cookies import SessionCookies
from entrypoints.http.inputs import FromBody, FromQuery
from entrypoints.http.openapi import described
from entrypoints.http.peer import Peer
from entrypoints.http.rendering.sessions import access_body, challenge_body, refreshed, sessions_body, signed_in
from entrypoints.http.schemas.sessions import (
    AccessTokenBody,
    ChallengeAnswer,
    ChallengeBody,
    Delivery,
    EndSessionsQuery,
    FactorAgain,
    PasswordAgain,
    RefreshRequest,
    SessionList,
    SignInBody,
    SignInRequest,
    SignOutRequest,
    TokensBody,
)
from entrypoints.http.schemas.staff import EndedSessionsBody
from tradingcore.auth.errors import (
    AccountDisabled,
    ChallengeEnded,
    CredentialRefused,
    FactorNeeded,
    FactorNotFound,
    FactorRefused,
    Overloaded,
    PasswordWrong,
    SessionNotFound,
    WorkRequired,
)
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.use_cases.manage_sessions import (
    EndSession,
    EndSessionCommand,
    EndSessions,
    EndSessionsCommand,
    LeaveSession,
    LeaveSessionCommand,
    ListSessions,
    ListSessionsCommand,
)
from tradingcore.auth.use_cases.refresh_session import RefreshSession, RefreshSessionCommand
from tradingcore.auth.use_cases.second_factor import FactorAnswer
from tradingcore.auth.use_cases.sign_in import AnswerChallenge, SignIn
from tradingcore.auth.use_cases.step_up import (
    AskForStepUp,
    AskForStepUpCommand,
    StepUpByFactor,
    StepUpByFactorCommand,
    StepUpByPassword,
)
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import Conflict, InvalidInput, PermissionDenied, TooManyAttempts, Unavailable

_OPEN = (InvalidInput, CredentialRefused, PermissionDenied, TooManyAttempts, Unavailable)
_COOKIES = (
    "With a cookie the request must come from a script of an allowed origin on the same site, with the header X-Tradingcore-CSRF."
)


def caller_from(request: Request[Any, Any, Any], peer: Peer, cookies: SessionCookies, *, device: str | None = None) -> Caller:
    """Who asks to be signed in, as far as the connection tells; ``device`` is the trusted device that a body named."""
    return Caller.of(peer.network, user_agent=peer.user_agent, trusted_device=device or cookies.trusted_device(request))


def guarded(request: Request[Any, Any, Any], cookies: SessionCookies, delivery: Delivery) -> Delivery:
    if delivery == "cookie":
        cookies.require_own_page(request)
    return delivery


@post(
    "/sign-in",
    operation_id="signIn",
    summary="Sign in with address and password",
    description=f"The same answer whether the address is unknown or the password wrong. {_COOKIES}",
    dependencies={"content": FromBody(SignInRequest)},
    status_code=HTTPStatus.OK,
    opt=described(is_open=True, raises=(*_OPEN, WorkRequired, AccountDisabled, Overloaded)),
)
async def sign_in_handler(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    content: NamedDependency[SignInRequest],
    peer: NamedDependency[Peer],
    session_cookies: NamedDependency[SessionCookies],
    sign_in: NamedDependency[SignIn],
) -> Response[SignInBody]:
    delivery = guarded(request, session_cookies, content.delivery)
    caller = caller_from(request, peer, session_cookies, device=content.trusted_device)
    return signed_in(await sign_in(actor, content.command(caller)), session_cookies, delivery=delivery)


@post(
    "/challenges",
    operation_id="answerChallenge",
    summary="Answer the question for a second factor",
    description=f"Five tries. {_COOKIES}",
    dependencies={"content": FromBody(ChallengeAnswer)},
    status_code=HTTPStatus.OK,
    opt=described(is_open=True, raises=(*_OPEN, ChallengeEnded, FactorRefused, AccountDisabled, Conflict)),
)
async def answer_challenge_handler(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    content: NamedDependency[ChallengeAnswer],
    peer: NamedDependency[Peer],
    session_cookies: NamedDependency[SessionCookies],
    answer_challenge: NamedDependency[AnswerChallenge],
) -> Response[SignInBody]:
    delivery = guarded(request, session_cookies, content.delivery)
    caller = caller_from(request, peer, session_cookies)
    return signed_in(await answer_challenge(actor, content.command(caller)), session_cookies, delivery=delivery)


@post(
    "/refresh",
    operation_id="refreshSession",
    summary="Fresh tokens for a refresh token",
    description="A refresh token works once. The same client may repeat the call for 10 s and gets the same successor; "
    f"anything else that comes back ends the session. {_COOKIES}",
    dependencies={"content": FromBody(RefreshRequest)},
    status_code=HTTPStatus.OK,
    opt=described(is_open=True, raises=(*_OPEN, Conflict)),
)
async def refresh_handler(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    content: NamedDependency[RefreshRequest],
    peer: NamedDependency[Peer],
    session_cookies: NamedDependency[SessionCookies],
    refresh_session: NamedDependency[RefreshSession],
) -> Response[TokensBody]:
    delivery: Delivery = "cookie" if content.refresh_token is None else "body"
    token = content.refresh_token or _token_of_cookie(request, session_cookies)
    command = RefreshSessionCommand(token=token, caller=caller_from(request, peer, session_cookies))
    return refreshed(await refresh_session(actor, command), session_cookies, delivery=delivery)


def _token_of_cookie(request: Request[Any, Any, Any], cookies: SessionCookies) -> str:
    token = cookies.refresh_token(request)
    if token is None:
        raise CredentialRefused("send a refresh token, in the body or as a cookie")
    cookies.require_own_page(request)
    return token


@post(
    "/sign-out",
    operation_id="signOut",
    summary="Sign out here",
    description=f"Ends the session of the access token or of the refresh token that is sent. {_COOKIES}",
    dependencies={"content": FromBody(SignOutRequest)},
    status_code=HTTPStatus.NO_CONTENT,
    opt=described(is_open=True, raises=(*_OPEN, Conflict)),
)
async def sign_out_handler(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    content: NamedDependency[SignOutRequest],
    session_cookies: NamedDependency[SessionCookies],
    leave_session: NamedDependency[LeaveSession],
) -> Response[None]:
    token = content.refresh_token
    if token is None and actor.session_id is None:
        token = _token_of_cookie(request, session_cookies)
    await leave_session(actor, LeaveSessionCommand(token=token))
    has_cookie = session_cookies.refresh_token(request) is not None
    return Response(None, cookies=[session_cookies.forgetting_refresh_token()] if has_cookie else [])


@get("/sessions", operation_id="listSessions", summary="Where you are signed in")
async def list_sessions_handler(actor: NamedDependency[Actor], list_sessions: NamedDependency[ListSessions]) -> SessionList:
    return sessions_body(await list_sessions(actor, ListSessionsCommand()))


@delete(
    "/sessions",
    operation_id="endSessions",
    summary="Sign out everywhere, or everywhere else",
    dependencies={"parameters": FromQuery(EndSessionsQuery)},
    status_code=HTTPStatus.OK,
    opt=described(raises=(Conflict,)),
)
async def end_sessions_handler(
    actor: NamedDependency[Actor], parameters: NamedDependency[EndSessionsQuery], end_sessions: NamedDependency[EndSessions]
) -> EndedSessionsBody:
    return EndedSessionsBody(ended=await end_sessions(actor, EndSessionsCommand(but_current=parameters.keep == "current")))


@delete(
    "/sessions/{session_id:uuid}",
    operation_id="endSession",
    summary="Sign out of one session",
    opt=described(raises=(SessionNotFound, Conflict)),
)
async def end_session_handler(
    actor: NamedDependency[Actor], session_id: FromPath[UUID], end_session: NamedDependency[EndSession]
) -> None:
    await end_session(actor, EndSessionCommand(session_id=SessionId(session_id)))


@post(
    "/step-up/password",
    operation_id="stepUpByPassword",
    summary="Prove your password again",
    description="For calls that ask for a recent sign-in. The access token that comes back says so; the session stays.",
    dependencies={"content": FromBody(PasswordAgain)},
    status_code=HTTPStatus.OK,
    opt=described(raises=(PasswordWrong, FactorNeeded, Overloaded, Conflict)),
)
async def step_up_by_password_handler(
    actor: NamedDependency[Actor],
    content: NamedDependency[PasswordAgain],
    step_up_by_password: NamedDependency[StepUpByPassword],
) -> AccessTokenBody:
    return access_body(await step_up_by_password(actor, content.command()))


@post(
    "/step-up/challenges",
    operation_id="askForStepUp",
    summary="Ask to prove a second factor again",
    status_code=HTTPStatus.CREATED,
    opt=described(raises=(FactorNotFound, Conflict)),
)
async def ask_for_step_up_handler(actor: NamedDependency[Actor], ask_for_step_up: NamedDependency[AskForStepUp]) -> ChallengeBody:
    return challenge_body(await ask_for_step_up(actor, AskForStepUpCommand()))


@post(
    "/step-up/factor",
    operation_id="stepUpByFactor",
    summary="Prove a second factor again",
    description="Answers a challenge that this session asked for.",
    dependencies={"content": FromBody(FactorAgain)},
    status_code=HTTPStatus.OK,
    opt=described(raises=(ChallengeEnded, FactorRefused, Conflict)),
)
async def step_up_by_factor_handler(
    actor: NamedDependency[Actor], content: NamedDependency[FactorAgain], step_up_by_factor: NamedDependency[StepUpByFactor]
) -> AccessTokenBody:
    answer = FactorAnswer(challenge=content.challenge, kind=content.factor, proof=content.proof)
    return access_body(await step_up_by_factor(actor, StepUpByFactorCommand(answer=answer)))


ROUTES = Router(
    "/auth",
    route_handlers=[
        sign_in_handler,
        answer_challenge_handler,
        refresh_handler,
        sign_out_handler,
        list_sessions_handler,
        end_sessions_handler,
        end_session_handler,
        step_up_by_password_handler,
        ask_for_step_up_handler,
        step_up_by_factor_handler,
    ],
    tags=["auth"],
)
