"""Between here and a provider: begun in one browser, answered through it, and finished there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tradingcore.auth.errors import ProviderFlowUnknown, ProviderNotFound, Unsealable
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.identity import ProvenIdentity, Provider
from tradingcore.auth.model.oauth_flow import FlowProofs, FlowPurpose, FlowStage, OAuthFlow, ProviderAnswer
from tradingcore.auth.model.opaque_token import TOKEN_BYTES, is_opaque_token, opaque_token, opaque_token_hash
from tradingcore.auth.ports.identities import IdentityProvider, IdentityUnitOfWork
from tradingcore.auth.ports.sealing import PurposeSealer
from tradingcore.kernel.authz import Actor, UserId
from tradingcore.kernel.codec import decode, encode
from tradingcore.kernel.errors import FieldError, InvalidInput
from tradingcore.kernel.ports import Clock, SecretSource, UnitOfWorkFactory

ANSWER_PURPOSE: Final = "oauth answer"
LINK_PURPOSE: Final = "oauth link"
LONGEST_CODE: Final = 2048
LONGEST_USER: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunFlow:
    """Where the browser goes, and the secret that it must bring back in a cookie."""

    authorization_url: str
    browser: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Received:
    provider: Provider
    state: str
    answer: ProviderAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLink:
    """``ticket`` stands for an identity that belongs to an account as soon as its owner has proven to be that."""

    ticket: str = field(repr=False)
    provider: Provider
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFlows:
    """Not a use case: it knows the steps, and they decide who may take them. ``next_paths`` are ours, and the only ones."""

    uow: UnitOfWorkFactory[IdentityUnitOfWork]
    providers: Mapping[Provider, IdentityProvider]
    sealer: PurposeSealer
    clock: Clock
    secrets: SecretSource
    next_paths: frozenset[str]

    def provider(self, name: Provider) -> IdentityProvider:
        """Raises `ProviderNotFound`."""
        found = self.providers.get(name)
        if found is None:
            raise ProviderNotFound(f"there is no identity provider {name.value} here")
        return found

    async def begin(
        self,
        actor: Actor,
        name: Provider,
        *,
        next: str,  # noqa: A002 - the field's name
        purpose: FlowPurpose,
        user_id: UserId | None = None,
        session_id: SessionId | None = None,
    ) -> BegunFlow:
        """Raises `ProviderNotFound`, `InvalidInput` for a path that is not ours, `Unavailable`."""
        provider = self.provider(name)
        if next not in self.next_paths:
            sentence = f"next is one of {', '.join(sorted(self.next_paths))}"
            raise InvalidInput(sentence, errors=(FieldError("/next", "not_allowed", sentence),))
        browser, state = self._secret(), self._secret()
        proofs = FlowProofs.of(browser=browser, state=state)
        url = await provider.authorization_url(proofs, is_fresh=purpose is FlowPurpose.STEP_UP)
        flow = OAuthFlow.ask(
            state=state,
            browser=browser,
            provider=name,
            purpose=purpose,
            next=next,
            user_id=user_id,
            session_id=session_id,
            at=self.clock.now(),
        )
        async with self.uow(actor) as unit:
            await unit.oauth_flows.add(flow)
        return BegunFlow(authorization_url=url, browser=browser, expires_at=flow.expires_at)

    def receive(self, name: Provider, state: str, answer: ProviderAnswer) -> str:
        """Wrap up what came to the callback of a provider, for the browser that it came through to bring it back.

        Nothing is believed, stored or sent anywhere yet: whoever comes to a callback may be anybody. Raises `ProviderNotFound`,
        and `ProviderFlowUnknown` for what no answer to us can be.
        """
        self.provider(name)
        sizes = (answer.code, LONGEST_CODE), (answer.error, 200), (answer.issuer, 200), (answer.user, LONGEST_USER)
        if not is_opaque_token(state) or any(len(text) > size for text, size in sizes if text is not None):
            raise _unknown()
        content = json.dumps(encode(_Received(provider=name, state=state, answer=answer)), separators=(",", ":")).encode()
        return self.sealer.seal(content, purpose=ANSWER_PURPOSE, about=ANSWER_PURPOSE)

    async def identify(self, actor: Actor, *, handle: str, browser: str) -> tuple[OAuthFlow, ProvenIdentity]:
        """Use the flow up, in the browser that began it, and have its provider say who that is.

        Raises `ProviderFlowUnknown`, `IdentityRefused`, `Unavailable`.
        """
        try:
            received = decode(_Received, json.loads(self.sealer.open(handle, purpose=ANSWER_PURPOSE, about=ANSWER_PURPOSE)))
        except Unsealable:
            raise _unknown() from None
        async with self.uow(actor) as unit:
            flow = await self.take(unit, received.state, browser, FlowStage.ASKED)
        # An answer that came to the callback of another provider was meant for that one (RFC 9700 4.4).
        if flow.provider is not received.provider:
            raise _unknown()
        if flow.user_id is not None and (flow.user_id, flow.session_id) != (actor.user_id, actor.session_id):
            raise _unknown()
        proofs = FlowProofs.of(browser=browser, state=received.state)
        return flow, await self.provider(flow.provider).identify(received.answer, proofs)

    async def take(self, unit: IdentityUnitOfWork, key: str, browser: str, stage: FlowStage) -> OAuthFlow:
        """Use a key up. Raises `ProviderFlowUnknown`, which leaves it as it is."""
        if not is_opaque_token(key):
            raise _unknown()
        return await self.take_hashed(unit, opaque_token_hash(key), browser, stage)

    async def take_hashed(self, unit: IdentityUnitOfWork, key_hash: bytes, browser: str, stage: FlowStage) -> OAuthFlow:
        """The same by the hash of a key."""
        browser_hash = opaque_token_hash(browser)
        flow = await unit.oauth_flows.take(key_hash, stage, browser_hash=browser_hash, at=self.clock.now())
        if flow is None:
            raise _unknown()
        return flow

    async def find(self, unit: IdentityUnitOfWork, key: str, browser: str, stage: FlowStage) -> OAuthFlow:
        """Look at what a key opens, and leave it. Raises `ProviderFlowUnknown`."""
        flow = None
        if is_opaque_token(key):
            flow = await unit.oauth_flows.find(
                opaque_token_hash(key), stage, browser_hash=opaque_token_hash(browser), at=self.clock.now()
            )
        if flow is None:
            raise _unknown()
        return flow

    async def postpone(self, actor: Actor, flow: OAuthFlow, proven: ProvenIdentity, owner: UserId) -> PendingLink:
        """Keep a proven identity until ``owner`` has proven to own the account that its address belongs to."""
        ticket = self._secret()
        content = json.dumps(encode(proven), separators=(",", ":")).encode()
        sealed = self.sealer.seal(content, purpose=LINK_PURPOSE, about=opaque_token_hash(ticket).hex())
        pending = flow.unproven(ticket=ticket, owner=owner, sealed=sealed, at=self.clock.now())
        async with self.uow(actor.acting_for(owner)) as unit:
            await unit.oauth_flows.add(pending)
        return PendingLink(ticket=ticket, provider=proven.provider, expires_at=pending.expires_at)

    def postponed(self, flow: OAuthFlow) -> ProvenIdentity:
        """What `postpone` kept."""
        assert flow.sealed is not None, "a pending link holds its identity"
        content = self.sealer.open(flow.sealed, purpose=LINK_PURPOSE, about=flow.key_hash.hex())
        return decode(ProvenIdentity, json.loads(content))

    def _secret(self) -> str:
        return opaque_token(self.secrets.token(TOKEN_BYTES))


def _unknown() -> ProviderFlowUnknown:
    return ProviderFlowUnknown("no such sign-in is under way in this browser: it was finished, took too long, or began elsewhere")
