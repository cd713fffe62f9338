"""What anybody may ask about an address, and what the mails that follow lead to."""

from __future__ import annotations

from http import HTTPStatus

from litestar import Router, post
from litestar.di import NamedDependency

from entrypoints.http.inputs import FromBody
from entrypoints.http.openapi import described
from entrypoints.http.peer import Peer
from entrypoints.http.schemas.accounts import (
    AcceptedBody,
    AddressRequest,
    PasswordReset,
    Registration,
    TokenRequest,
)
from tradingcore.auth.errors import CodeRefused, Overloaded, PasswordRefused
from tradingcore.auth.use_cases.change_address import (
    ConfirmAddressChange,
    ConfirmAddressChangeCommand,
    UndoAddressChange,
    UndoAddressChangeCommand,
)
from tradingcore.auth.use_cases.register_account import RegisterAccount
from tradingcore.auth.use_cases.reset_password import (
    RequestPasswordReset,
    RequestPasswordResetCommand,
    ResetPassword,
    ResetPasswordCommand,
)
from tradingcore.auth.use_cases.verify_address import (
    RequestAddressVerification,
    RequestAddressVerificationCommand,
    VerifyAddress,
    VerifyAddressCommand,
)
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import InvalidInput, TooManyAttempts, Unavailable

_BY_MAIL = "The answer is the same for every address; what there is to say about it is said by mail."
_ANYBODY = (InvalidInput, TooManyAttempts, Unavailable)


@post(
    "/register",
    operation_id="register",
    summary="Ask for an account",
    description=f"{_BY_MAIL} A fresh address gets a link that proves it.",
    status_code=HTTPStatus.ACCEPTED,
    dependencies={"content": FromBody(Registration)},
    opt=described(is_open=True, raises=(*_ANYBODY, PasswordRefused, Overloaded)),
)
async def register_handler(
    actor: NamedDependency[Actor],
    peer: NamedDependency[Peer],
    content: NamedDependency[Registration],
    register_account: NamedDependency[RegisterAccount],
) -> AcceptedBody:
    await register_account(actor, content.command(peer.network))
    return AcceptedBody()


@post(
    "/verify-address/resend",
    operation_id="resendVerification",
    summary="Ask for the mail that proves an address once more",
    description=_BY_MAIL,
    status_code=HTTPStatus.ACCEPTED,
    dependencies={"content": FromBody(AddressRequest)},
    opt=described(is_open=True, raises=_ANYBODY),
)
async def resend_verification_handler(
    actor: NamedDependency[Actor],
    content: NamedDependency[AddressRequest],
    request_address_verification: NamedDependency[RequestAddressVerification],
) -> AcceptedBody:
    await request_address_verification(actor, RequestAddressVerificationCommand(email=content.email))
    return AcceptedBody()


@post(
    "/verify-address",
    operation_id="verifyAddress",
    summary="Prove an address with a mailed token",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies={"content": FromBody(TokenRequest)},
    opt=described(is_open=True, raises=(*_ANYBODY, CodeRefused)),
)
async def verify_address_handler(
    actor: NamedDependency[Actor], content: NamedDependency[TokenRequest], verify_address: NamedDependency[VerifyAddress]
) -> None:
    await verify_address(actor, VerifyAddressCommand(token=content.token))


@post(
    "/password-reset",
    operation_id="requestPasswordReset",
    summary="Ask for the mail that lets its reader choose another password",
    description=_BY_MAIL,
    status_code=HTTPStatus.ACCEPTED,
    dependencies={"content": FromBody(AddressRequest)},
    opt=described(is_open=True, raises=_ANYBODY),
)
async def request_password_reset_handler(
    actor: NamedDependency[Actor],
    content: NamedDependency[AddressRequest],
    request_password_reset: NamedDependency[RequestPasswordReset],
) -> AcceptedBody:
    await request_password_reset(actor, RequestPasswordResetCommand(email=content.email))
    return AcceptedBody()


@post(
    "/password-reset/confirm",
    operation_id="resetPassword",
    summary="Choose another password with a mailed token",
    description="Ends every session. Second factors stay in force.",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies={"content": FromBody(PasswordReset)},
    opt=described(is_open=True, raises=(*_ANYBODY, CodeRefused, PasswordRefused, Overloaded)),
)
async def reset_password_handler(
    actor: NamedDependency[Actor], content: NamedDependency[PasswordReset], reset_password: NamedDependency[ResetPassword]
) -> None:
    await reset_password(actor, ResetPasswordCommand(token=content.token, password=content.password))


@post(
    "/address-change/confirm",
    operation_id="confirmAddressChange",
    summary="Prove the new address with a mailed token",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies={"content": FromBody(TokenRequest)},
    opt=described(is_open=True, raises=(*_ANYBODY, CodeRefused)),
)
async def confirm_address_change_handler(
    actor: NamedDependency[Actor],
    content: NamedDependency[TokenRequest],
    confirm_address_change: NamedDependency[ConfirmAddressChange],
) -> None:
    await confirm_address_change(actor, ConfirmAddressChangeCommand(token=content.token))


@post(
    "/address-change/undo",
    operation_id="undoAddressChange",
    summary="Bring the old address back with the token that was mailed to it",
    description="Ends every session and the password: choose another one with the mail that follows.",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies={"content": FromBody(TokenRequest)},
    opt=described(is_open=True, raises=(*_ANYBODY, CodeRefused)),
)
async def undo_address_change_handler(
    actor: NamedDependency[Actor], content: NamedDependency[TokenRequest], undo_address_change: NamedDependency[UndoAddressChange]
) -> None:
    await undo_address_change(actor, UndoAddressChangeCommand(token=content.token))


ROUTES = Router(
    "/auth",
    route_handlers=[
        register_handler,
        resend_verification_handler,
        verify_address_handler,
        request_password_reset_handler,
        reset_password_handler,
        confirm_address_change_handler,
        undo_address_change_handler,
    ],
    tags=["auth"],
)
