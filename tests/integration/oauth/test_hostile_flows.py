from __future__ import annotations

import json
from collections import Counter
from time import perf_counter

import pytest

from tests.asvs import asvs
from tests.integration.oauth.flow_cases import FLOW_CASES, FlowCase, Scene
from tests.integration.oauth.hostile import CASES, UNAVAILABLE, Case
from tests.integration.oauth.kits import PROVIDERS, Kit
from tradingcore.auth.errors import IdentityRefused
from tradingcore.auth.model.identity import Provider
from tradingcore.kernel.errors import Unavailable

ROUNDS = 20


@asvs("6.8.1", "10.1.2", "10.2.1", "10.2.2")
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("attempt", FLOW_CASES.values(), ids=FLOW_CASES)
async def test_hostile_flow_signs_nobody_in(provider: Provider, attempt: FlowCase) -> None:
    assert await attempt(Scene(provider))


async def is_stopped(provider: Provider, case: Case) -> bool:
    kit = Kit(provider)
    try:
        await kit.identify(await case.prepare(kit))
    except IdentityRefused as refused:
        return case.expected in refused.reason
    except Unavailable:
        return case.expected == UNAVAILABLE
    return False


@pytest.mark.campaign
async def test_no_hostile_answer_and_no_hostile_flow_ever_signs_in() -> None:
    """G24: five providers, every case, many times; and each of the 36 cells (see `test_linking` and `test_provider_sign_in`)."""
    started, failures = perf_counter(), []
    cases: Counter[Provider] = Counter()
    for _ in range(ROUNDS):
        for provider in PROVIDERS:
            for case in CASES:
                if provider in case.providers:
                    cases[provider] += 1
                    if not await is_stopped(provider, case):
                        failures.append(f"{provider}: {case.name}")
            for name, attempt in FLOW_CASES.items():
                cases[provider] += 1
                if not await attempt(Scene(provider)):
                    failures.append(f"{provider}: {name}")
    per_provider = {provider.value: count // ROUNDS for provider, count in cases.items()}
    result = {
        "id": "G24",
        "n": cases.total(),
        "cases_per_provider": per_provider,
        "failures": len(failures),
        "seed": None,
        "seconds": round(perf_counter() - started, 1),
    }
    print(json.dumps(result))
    assert failures == []
    assert min(per_provider.values()) >= 20
