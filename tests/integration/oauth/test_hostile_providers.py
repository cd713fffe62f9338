from __future__ import annotations

from collections import Counter

import pytest

from tests.asvs import asvs
from tests.integration.oauth.hostile import CASES, UNAVAILABLE, Case
from tests.integration.oauth.kits import PROVIDERS, Kit
from tradingcore.auth.errors import IdentityRefused
from tradingcore.auth.model.identity import Provider
from tradingcore.kernel.errors import Unavailable

ATTACKS = [(provider, case) for case in CASES for provider in case.providers]


@asvs("6.8.2", "10.2.1", "10.5.1", "10.5.2", "10.5.3", "10.5.4")
@pytest.mark.parametrize(("provider", "case"), ATTACKS, ids=[f"{provider}: {case.name}" for provider, case in ATTACKS])
async def test_hostile_answer_proves_nobody(provider: Provider, case: Case) -> None:
    kit = Kit(provider)
    answer = await case.prepare(kit)
    if case.expected == UNAVAILABLE:
        with pytest.raises(Unavailable):
            await kit.identify(answer)
    else:
        with pytest.raises(IdentityRefused) as refused:
            await kit.identify(answer)
        assert case.expected in refused.value.reason
        # The person is told nothing that helps with the next try.
        assert str(refused.value) == f"{provider.value} did not prove who you are: begin again"
    assert not any("attacker" in call for call in kit.fake.calls)


def test_every_provider_meets_at_least_twenty_cases() -> None:
    counts = Counter(provider for provider, _ in ATTACKS)
    assert set(counts) == set(PROVIDERS)
    assert min(counts.values()) >= 20
