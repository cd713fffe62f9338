"""Contracts of identity providers: what every one of them proves, and never takes for a proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest

from tradingcore.auth.errors import IdentityRefused
from tradingcore.auth.model.identity import ProvenIdentity, Provider
from tradingcore.auth.model.oauth_flow import FlowProofs, ProviderAnswer
from tradingcore.auth.model.opaque_token import opaque_token
from tradingcore.auth.ports.identities import DeletionRequests, IdentityProvider
from tradingcore.testing.fakes import NOON

SUBJECT: Final = "1234567890"
MINE: Final = FlowProofs.of(browser=opaque_token(b"b" * 32), state=opaque_token(b"s" * 32))

Approve = Callable[[str], tuple[str, ProviderAnswer]]


@pytest.mark.asyncio
class IdentityProviderContract:
    """Fixtures: ``provider``, and ``approve``: the person `SUBJECT` says yes at an address; returns state and answer."""

    @pytest.fixture
    def provider(self) -> IdentityProvider:
        raise NotImplementedError("supply the provider under test")

    @pytest.fixture
    def approve(self) -> Approve:
        raise NotImplementedError("supply what a person does at the provider under test")

    async def approved(self, provider: IdentityProvider, approve: Approve, proofs: FlowProofs = MINE) -> ProviderAnswer:
        state, answer = approve(await provider.authorization_url(proofs))
        assert state == proofs.state
        return answer

    async def test_person_who_said_yes_is_known(self, provider: IdentityProvider, approve: Approve) -> None:
        found = await provider.identify(await self.approved(provider, approve), MINE)
        assert (found.provider, found.subject) == (provider.name, SUBJECT)

    async def test_name_and_title_say_which_it_is(self, provider: IdentityProvider) -> None:
        assert isinstance(provider.name, Provider)
        assert provider.title

    async def test_secrets_stay_out_of_the_address(self, provider: IdentityProvider) -> None:
        url = await provider.authorization_url(MINE)
        assert MINE.state in url
        assert MINE.code_verifier not in url

    async def test_answer_works_once(self, provider: IdentityProvider, approve: Approve) -> None:
        answer = await self.approved(provider, approve)
        await provider.identify(answer, MINE)
        with pytest.raises(IdentityRefused):
            await provider.identify(answer, MINE)

    async def test_answer_to_another_flow_proves_nothing(self, provider: IdentityProvider, approve: Approve) -> None:
        answer = await self.approved(provider, approve)
        others = FlowProofs.of(browser=opaque_token(b"o" * 32), state=MINE.state)
        with pytest.raises(IdentityRefused):
            await provider.identify(answer, others)

    async def test_answer_of_another_issuer_proves_nothing(self, provider: IdentityProvider, approve: Approve) -> None:
        answer = replace(await self.approved(provider, approve), issuer="https://attacker.example")
        with pytest.raises(IdentityRefused):
            await provider.identify(answer, MINE)

    async def test_refusal_of_the_person_proves_nothing(self, provider: IdentityProvider, approve: Approve) -> None:
        answer = replace(await self.approved(provider, approve), error="access_denied")
        for refused in (answer, ProviderAnswer(error="access_denied"), ProviderAnswer(), ProviderAnswer(code="invented")):
            with pytest.raises(IdentityRefused):
                await provider.identify(refused, MINE)

    async def test_person_who_is_asked_again_says_when_that_was(self, provider: IdentityProvider, approve: Approve) -> None:
        if not provider.proves_presence:
            pytest.skip("this provider cannot ask again")
        _, answer = approve(await provider.authorization_url(MINE, is_fresh=True))
        found: ProvenIdentity = await provider.identify(answer, MINE)
        assert found.authenticated_at is not None


class DeletionRequestsContract:
    """Fixtures: ``requests``, and ``sign``: what the provider sends for a subject at a time."""

    @pytest.fixture
    def requests(self) -> DeletionRequests:
        raise NotImplementedError("supply the requests under test")

    @pytest.fixture
    def sign(self) -> Callable[[str, datetime], str]:
        raise NotImplementedError("supply how the provider signs")

    def test_signed_request_says_whose_data_is_to_go(
        self, requests: DeletionRequests, sign: Callable[[str, datetime], str]
    ) -> None:
        assert requests.subject_of(sign(SUBJECT, NOON), at=NOON + timedelta(minutes=1)) == SUBJECT

    def test_request_that_was_changed_says_nothing(self, requests: DeletionRequests, sign: Callable[[str, datetime], str]) -> None:
        request = sign(SUBJECT, NOON)
        for changed in ("", request[:-1], request[1:], request + "0", request[::-1]):
            with pytest.raises(IdentityRefused):
                requests.subject_of(changed, at=NOON)

    def test_old_request_says_nothing(self, requests: DeletionRequests, sign: Callable[[str, datetime], str]) -> None:
        with pytest.raises(IdentityRefused):
            requests.subject_of(sign(SUBJECT, NOON), at=NOON + timedelta(days=1))

    def test_confirmation_says_when_it_was_done(self, requests: DeletionRequests) -> None:
        code = requests.confirmation_of(SUBJECT, at=NOON)
        assert requests.confirmed_at(code) == NOON
        for changed in ("", code[:-1], code[1:], code[::-1]):
            assert requests.confirmed_at(changed) is None
