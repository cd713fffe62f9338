from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from litestar import Request, Response, Router, delete, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from entrypoints.http.cookies import SessionCookies
from entrypoints.http.inputs import FromBody
from entrypoints.http.openapi import described
from entrypoints.http.peer import Peer
from entrypoints.http.rendering.factors import ceremony_body, created_passkey_body, options_body
from entrypoints.http.rendering.sessions import signed_in
from entrypoints.http.routes.sessions import caller_from, guarded
from entrypoints.http.schemas.factors import (
    CreatedPasskeyBody,
    NewPasskey,
    PasskeyCeremonyBody,
    PasskeyChallenge,
    PasskeyName,
    PasskeyOptionsBody,
    PasskeySignIn,
)
from entrypoints.http.schemas.sessions import SignInBody
from tradingcore.auth.errors import (
    AccountDisabled,
    ChallengeEnded,
    CredentialRefused,
    FactorExists,
    FactorNotFound,
    FactorRefused,
)
from tradingcore.auth.ids import PasskeyId
from tradingcore.auth.use_cases.manage_passkeys import (
    CreatePasskey,
    RemovePasskey,
    RemovePasskeyCommand,
    RenamePasskey,
    RenamePasskeyCommand,
    StartPasskey,
    StartPasskeyCommand,
)
from tradingcore.auth.use_cases.passkey_sign_in import (
    FinishPasskeySignIn,
    StartPasskeySignIn,
    StartPasskeySignInAnswer,
    StartPasskeySignInAnswerCommand,
    StartPasskeySignInCommand,
)
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import (
    Conflict,
    InvalidInput,
    PermissionDenied,
    RuleViolation,
    StepUpRequired,
    TooManyAttempts,
    Unavailable,
)

_OPEN = (InvalidInput, CredentialRefused, PermissionDenied, TooManyAttempts, Unavailable)


@post(
    "/account/factors/passkeys/options",
    operation_id="startPasskey",
    summary="What a browser needs to make a passkey",
    status_code=HTTPStatus.OK,
    opt=described(raises=(StepUpRequired, RuleViolation)),
    tags=["account"],
)
async def start_passkey_handler(actor: NamedDependency[Actor], start_passkey: NamedDependency[StartPasskey]) -> PasskeyCeremonyBody:
    return ceremony_body(await start_passkey(actor, StartPasskeyCommand()))


@post(
    "/account/factors/passkeys",
    operation_id="createPasskey",
    summary="Store the passkey that was made",
    description="It counts at once. Your other sessions end, and access tokens with them: refresh, then go on.",
    dependencies={"content": FromBody(NewPasskey)},
    status_code=HTTPStatus.CREATED,
    opt=described(raises=(StepUpRequired, ChallengeEnded, FactorRefused, FactorExists, Conflict)),
    tags=["account"],
)
async def create_passkey_handler(
    actor: NamedDependency[Actor], content: NamedDependency[NewPasskey], create_passkey: NamedDependency[CreatePasskey]
) -> CreatedPasskeyBody:
    return created_passkey_body(await create_passkey(actor, content.command()))


@patch(
    "/account/factors/passkeys/{passkey_id:uuid}",
    operation_id="renamePasskey",
    summary="Name a passkey",
    dependencies={"content": FromBody(PasskeyName)},
    status_code=HTTPStatus.NO_CONTENT,
    opt=described(raises=(FactorNotFound,)),
    tags=["account"],
)
async def rename_passkey_handler(
    passkey_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    content: NamedDependency[PasskeyName],
    rename_passkey: NamedDependency[RenamePasskey],
) -> None:
    await rename_passkey(actor, RenamePasskeyCommand(passkey_id=PasskeyId(passkey_id), label=content.label))


@delete(
    "/account/factors/passkeys/{passkey_id:uuid}",
    operation_id="removePasskey",
    summary="Take a passkey away",
    description="Needs a second factor that was shown in the last five minutes.",
    opt=described(raises=(StepUpRequired, FactorNotFound, Conflict)),
    tags=["account"],
)
async def remove_passkey_handler(
    passkey_id: FromPath[UUID], actor: NamedDependency[Actor], remove_passkey: NamedDependency[RemovePasskey]
) -> None:
    await remove_passkey(actor, RemovePasskeyCommand(passkey_id=PasskeyId(passkey_id)))


@post(
    "/auth/passkeys/options",
    operation_id="startPasskeySignIn",
    summary="What a browser needs to sign in with a passkey",
    status_code=HTTPStatus.OK,
    opt=described(is_open=True, raises=_OPEN),
    tags=["auth"],
)
async def start_passkey_sign_in_handler(
    actor: NamedDependency[Actor], start_passkey_sign_in: NamedDependency[StartPasskeySignIn]
) -> PasskeyCeremonyBody:
    return ceremony_body(await start_passkey_sign_in(actor, StartPasskeySignInCommand()))


@post(
    "/auth/passkeys",
    operation_id="finishPasskeySignIn",
    summary="Sign in with a passkey",
    description="A key and a PIN or fingerprint are two factors in one: nothing else is asked.",
    dependencies={"content": FromBody(PasskeySignIn)},
    status_code=HTTPStatus.OK,
    opt=described(is_open=True, raises=(*_OPEN, ChallengeEnded, FactorRefused, AccountDisabled, Conflict)),
    tags=["auth"],
)
async def finish_passkey_sign_in_handler(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    content: NamedDependency[PasskeySignIn],
    peer: NamedDependency[Peer],
    session_cookies: NamedDependency[SessionCookies],
    finish_passkey_sign_in: NamedDependency[FinishPasskeySignIn],
) -> Response[SignInBody]:
    delivery = guarded(request, session_cookies, content.delivery)
    caller = caller_from(request, peer, session_cookies)
    return signed_in(await finish_passkey_sign_in(actor, content.command(caller)), session_cookies, delivery=delivery)


@post(
    "/auth/challenges/passkey",
    operation_id="startPasskeyAnswer",
    summary="What a browser needs to answer a challenge with a passkey",
    dependencies={"content": FromBody(PasskeyChallenge)},
    status_code=HTTPStatus.OK,
    opt=described(is_open=True, raises=(*_OPEN, ChallengeEnded)),
    tags=["auth"],
)
async def start_passkey_answer_handler(
    actor: NamedDependency[Actor],
    content: NamedDependency[PasskeyChallenge],
    start_passkey_sign_in_answer: NamedDependency[StartPasskeySignInAnswer],
) -> PasskeyOptionsBody:
    return options_body(await start_passkey_sign_in_answer(actor, StartPasskeySignInAnswerCommand(challenge=content.challenge)))


ROUTES = Router(
    "/",
    route_handlers=[
        start_passkey_handler,
        create_passkey_handler,
        rename_passkey_handler,
        remove_passkey_handler,
        start_passkey_sign_in_handler,
        finish_passkey_sign_in_handler,
        start_passkey_answer_handler,
    ],
)
