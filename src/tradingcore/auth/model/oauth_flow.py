"""A sign-in under way at a provider: what binds the answer that comes back to the browser and the moment that asked.

The browser holds one secret, in a cookie. Everything that must not be guessed is derived from it and the flow's ``state``, so the
store holds hashes only: whoever reads it can neither answer for a browser nor redeem a code.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.identity import Provider
from tradingcore.auth.model.opaque_token import opaque_token, opaque_token_hash
from tradingcore.kernel.authz import UserId

FLOW_LIFETIME: Final = timedelta(minutes=10)
FRESH_PROOF: Final = timedelta(minutes=5)
"""How long ago a person may have signed in to the provider for a step-up."""


class FlowPurpose(StrEnum):
    SIGN_IN = "sign_in"
    LINK = "link"
    STEP_UP = "step_up"


class FlowStage(StrEnum):
    """What is waited for. Each stage has its own one-time key, of which the store knows the hash."""

    ASKED = "asked"
    """The provider's answer; the key is the ``state``."""
    UNPROVEN = "unproven"
    """That the owner of the account with the same address proves to be that; the key is the ticket of the pending link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowProofs:
    """What a flow tells the provider and expects to hear again: RFC 6749 10.12, OpenID Connect Core 3.1.2.1, RFC 7636."""

    state: str
    nonce: str
    code_verifier: str

    @classmethod
    def of(cls, *, browser: str, state: str) -> FlowProofs:
        """Derive them from the browser's secret: another browser, or another flow of the same one, has others."""
        return cls(state=state, nonce=_derived(browser, "nonce", state), code_verifier=_derived(browser, "code verifier", state))


def _derived(browser: str, use: str, state: str) -> str:
    return opaque_token(hmac.digest(browser.encode(), f"tradingcore oauth {use} {state}".encode(), "sha256"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer:
    """What came to the callback, as it came. ``user`` is what Apple posts of a person, once, at the first consent."""

    code: str | None = None
    error: str | None = None
    issuer: str | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthFlow:
    """One row per flow. ``next`` is a path of our own; ``user_id`` and ``session_id`` say who asked, where somebody was signed in.

    ``sealed`` is the identity that waits to be linked, encrypted.
    """

    key_hash: bytes
    browser_hash: bytes
    stage: FlowStage
    provider: Provider
    purpose: FlowPurpose
    next: str
    user_id: UserId | None
    session_id: SessionId | None
    sealed: str | None
    expires_at: datetime

    @classmethod
    def ask(
        cls,
        *,
        state: str,
        browser: str,
        provider: Provider,
        purpose: FlowPurpose,
        next: str,  # noqa: A002 - the field's name
        user_id: UserId | None,
        session_id: SessionId | None,
        at: datetime,
    ) -> OAuthFlow:
        return cls(
            key_hash=opaque_token_hash(state),
            browser_hash=opaque_token_hash(browser),
            stage=FlowStage.ASKED,
            provider=provider,
            purpose=purpose,
            next=next,
            user_id=user_id,
            session_id=session_id,
            sealed=None,
            expires_at=at + FLOW_LIFETIME,
        )

    def unproven(self, *, ticket: str, owner: UserId, sealed: str, at: datetime) -> OAuthFlow:
        """The link that waits until ``owner`` has proven to own the account."""
        return replace(
            self,
            key_hash=opaque_token_hash(ticket),
            stage=FlowStage.UNPROVEN,
            purpose=FlowPurpose.LINK,
            user_id=owner,
            session_id=None,
            sealed=sealed,
            expires_at=at + FLOW_LIFETIME,
        )
