from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from adapters.memory.auth.identity_provider import MemoryDeletionRequests, MemoryIdentityProvider
from tradingcore.auth.model.identity import ProvenIdentity, Provider
from tradingcore.testing.auth.identity_providers import SUBJECT, Approve, DeletionRequestsContract, IdentityProviderContract
from tradingcore.testing.fakes import FakeClock


class TestMemoryIdentityProvider(IdentityProviderContract):
    @pytest.fixture(params=[True, False])
    def provider(self, request: pytest.FixtureRequest) -> MemoryIdentityProvider:
        return MemoryIdentityProvider(Provider.GOOGLE, FakeClock(), proves_presence=request.param)

    @pytest.fixture
    def approve(self, provider: MemoryIdentityProvider) -> Approve:
        return lambda url: provider.approve(url, ProvenIdentity(provider=Provider.GOOGLE, subject=SUBJECT))


class TestMemoryDeletionRequests(DeletionRequestsContract):
    @pytest.fixture
    def requests(self) -> MemoryDeletionRequests:
        return MemoryDeletionRequests(b"k" * 32)

    @pytest.fixture
    def sign(self, requests: MemoryDeletionRequests) -> Callable[[str, datetime], str]:
        return lambda subject, at: requests.sign(subject, at=at)
