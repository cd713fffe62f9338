from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import webauthn
from webauthn.helpers import parse_authentication_credential_json, parse_registration_credential_json
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tradingcore.auth.errors import FactorRefused
from tradingcore.auth.model.passkey import CEREMONY_LIFETIME, Passkey
from tradingcore.auth.ports.passkeys import NewCredential, PasskeyCeremonies, PresentedPasskey
from tradingcore.kernel.authz import UserId

T = TypeVar("T")

LARGEST_ANSWER = 16 * 1024
_TIMEOUT = int(CEREMONY_LIFETIME.total_seconds() * 1000)
_TRANSPORTS = frozenset(transport.value for transport in AuthenticatorTransport)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebauthnPasskeyCeremonies(PasskeyCeremonies):
    """``rp_id`` is the domain that keys are bound to, ``origins`` are the pages that may use them."""

    rp_id: str
    rp_name: str
    origins: frozenset[str]

    def creation_options(self, *, challenge: bytes, user_id: UserId, name: str, known: Sequence[Passkey]) -> str:
        options = webauthn.generate_registration_options(
            rp_id=self.rp_id,
            rp_name=self.rp_name,
            user_id=user_id.bytes,
            user_name=name,
            user_display_name=name,
            challenge=challenge,
            timeout=_TIMEOUT,
            # Who made the authenticator is nothing that anybody here would decide by.
            attestation=AttestationConveyancePreference.NONE,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
            ),
            exclude_credentials=[_described(passkey) for passkey in known],
        )
        return webauthn.options_to_json(options)

    def verify_creation(self, answer: str, *, challenge: bytes) -> NewCredential:
        credential = _parsed(parse_registration_credential_json, answer)
        verified = _held(
            lambda: webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=sorted(self.origins),
            )
        )
        return NewCredential(
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            transports=tuple(sorted({transport.value for transport in credential.response.transports or ()})),
            is_synced=verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        )

    def request_options(self, *, challenge: bytes, known: Sequence[Passkey]) -> str:
        verification = UserVerificationRequirement.PREFERRED if known else UserVerificationRequirement.REQUIRED
        options = webauthn.generate_authentication_options(
            rp_id=self.rp_id,
            challenge=challenge,
            timeout=_TIMEOUT,
            allow_credentials=[_described(passkey) for passkey in known],
            user_verification=verification,
        )
        return webauthn.options_to_json(options)

    def presented(self, answer: str) -> PresentedPasskey:
        credential = _parsed(parse_authentication_credential_json, answer)
        return PresentedPasskey(credential_id=credential.raw_id, user_handle=credential.response.user_handle)

    def verify_request(self, answer: str, *, challenge: bytes, passkey: Passkey, must_verify_user: bool) -> int:
        credential = _parsed(parse_authentication_credential_json, answer)
        # The library takes the word of the caller for whose key it is.
        if credential.raw_id != passkey.credential_id or credential.response.user_handle not in (None, passkey.user_id.bytes):
            raise FactorRefused(_REFUSED)
        verified = _held(
            lambda: webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=sorted(self.origins),
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=must_verify_user,
            )
        )
        return verified.new_sign_count


def _described(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    transports = [AuthenticatorTransport(name) for name in passkey.transports if name in _TRANSPORTS]
    return PublicKeyCredentialDescriptor(id=passkey.credential_id, transports=transports or None)


def _parsed(parse: Callable[[str], T], answer: str) -> T:
    if len(answer) > LARGEST_ANSWER:
        raise FactorRefused(_REFUSED)
    return _held(lambda: parse(answer))


def _held(check: Callable[[], T]) -> T:
    try:
        return check()
    except Exception:  # noqa: BLE001 - what comes from outside makes its many parsers raise what they like; none of it may pass
        raise FactorRefused(_REFUSED) from None


_REFUSED = "the passkey did not answer as it should: try again"
