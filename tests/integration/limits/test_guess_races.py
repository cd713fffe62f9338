"""G21: guesses that come all at once over several processes. A secret is never looked at more often than the limit says."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.asvs import asvs
from tests.integration.limits.desk import Desk, Person, desk_in_process, desk_of_processes
from tests.integration.postgres.server import TestServer
from tradingcore.testing.auth.builders import PASSWORD

shares_the_desk = pytest.mark.asyncio(loop_scope="module")
AT_ONCE = 48
PASSWORDS_PER_NETWORK, PASSWORDS_PER_ACCOUNT, CODES = 5, 20, 5


async def flood(ask: Callable[[int], Awaitable[httpx.Response]], count: int) -> Counter[int]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> int:
        async with turns:
            return (await ask(number)).status_code

    return Counter(await asyncio.gather(*map(one, range(count))))


async def passwords_from_one_network(desk: Desk, count: int) -> tuple[int, int]:
    person = await desk.a_person()
    await flood(lambda number: desk.post("/auth/sign-in", person.with_password(f"wrong {number}")), count)
    return await desk.counted(person, "auth.sign_in_refused"), PASSWORDS_PER_NETWORK


async def passwords_from_everywhere(desk: Desk, count: int) -> tuple[int, int]:
    person = await desk.a_person()
    await flood(lambda number: desk.post("/auth/sign-in", person.with_password(f"wrong {number}"), network=1 + number), count)
    return await desk.counted(person, "auth.sign_in_refused"), PASSWORDS_PER_ACCOUNT


async def challenges_of(desk: Desk, person: Person, count: int) -> list[str]:
    answers = [await desk.post("/auth/sign-in", person.credentials) for _ in range(count)]
    return [answer.json()["challenge"]["challenge"] for answer in answers]


async def codes_of(desk: Desk, factor: str, wrong: str, count: int) -> tuple[int, int]:
    person = await desk.a_person(with_factors=True)
    challenges = await challenges_of(desk, person, 4)

    def guess(number: int) -> Awaitable[httpx.Response]:
        body = {"challenge": challenges[number % 4], "factor": factor, "proof": wrong.format(number)}
        return desk.post("/auth/challenges", body, network=1000 + number)

    await flood(guess, count)
    return await desk.counted(person, "auth.factor_denied"), CODES


async def totp_codes(desk: Desk, count: int) -> tuple[int, int]:
    return await codes_of(desk, "totp", "{0:06d}", count)


async def backup_codes(desk: Desk, count: int) -> tuple[int, int]:
    return await codes_of(desk, "backup_code", "ABCDE-FGHJK-MNPQR-STVWX-{0:04d}", count)


async def a_phone_proof(desk: Desk, person: Person, number: str) -> tuple[str, str]:
    """The path of its confirmation, and the access token of the session that asked for it."""
    opened = await desk.post("/auth/sign-in", person.credentials)
    token = opened.json()["tokens"]["access_token"]
    started = await desk.post("/account/phone/proofs", {"number": number}, token=token)
    assert started.status_code == 202, started.text
    return f"/account/phone/proofs/{started.json()['id']}/confirmation", token


async def sms_codes(desk: Desk, count: int) -> tuple[int, int]:
    person = await desk.a_person()
    path, token = await a_phone_proof(desk, person, "+34 612 34 56 78")
    await flood(lambda number: desk.post(path, {"code": f"{number:06d}"}, token=token), count)
    looked_at = await desk.value("select attempts from public.phone_proofs where user_id = :user", user=person.account.id)
    return looked_at, CODES


GUESSES = (passwords_from_one_network, passwords_from_everywhere, totp_codes, backup_codes, sms_codes)


async def right_code_at_once(desk: Desk, factor: str) -> Counter[int]:
    """The same right code, sixteen times at once, over two challenges."""
    person = await desk.a_person(with_factors=True)
    challenges = await challenges_of(desk, person, 2)
    proof = desk.totp() if factor == "totp" else person.backup_codes[0]

    def answer(number: int) -> Awaitable[httpx.Response]:
        return desk.post("/auth/challenges", {"challenge": challenges[number % 2], "factor": factor, "proof": proof})

    return await flood(answer, 16)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(postgres_cluster: TestServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    database = await postgres_cluster.create_database()
    async with desk_in_process(database, tmp_path_factory.mktemp("desk")) as small:
        yield small
    await postgres_cluster.drop_database(database)


@asvs("6.3.1", "6.1.1", "15.4.1", "15.4.2", "2.4.1")
@shares_the_desk
async def test_no_secret_is_looked_at_more_often_than_its_limit(desk: Desk) -> None:
    found = {guesses.__name__: await guesses(desk, 30) for guesses in GUESSES}
    assert {name: counts for name, counts in found.items() if counts[0] != counts[1]} == {}


@asvs("6.5.1", "6.6.2", "15.4.2", "2.3.4")
@shares_the_desk
async def test_a_right_code_that_is_sent_many_times_at_once_wins_once(desk: Desk) -> None:
    for factor in ("totp", "backup_code"):
        assert (await right_code_at_once(desk, factor))[200] == 1


@shares_the_desk
async def test_whoever_was_refused_is_let_in_with_a_puzzle_from_elsewhere(desk: Desk) -> None:
    person = await desk.a_person()
    await flood(lambda number: desk.post("/auth/sign-in", person.with_password(f"wrong {number}"), network=1 + number), 24)
    asked = await desk.post("/auth/sign-in", person.credentials, network=999)
    assert (asked.status_code, asked.json()["code"]) == (401, "auth.work_required")
    assert PASSWORD not in asked.text


@pytest.mark.campaign
@pytest.mark.timeout(1800)
async def test_a_thousand_guesses_at_once_over_four_processes(tmp_path_factory: pytest.TempPathFactory) -> None:
    started = time.monotonic()
    found: dict[str, Any] = {}
    async with desk_of_processes(tmp_path_factory.mktemp("desk")) as desk:
        for guesses in GUESSES:
            found[guesses.__name__] = await guesses(desk, 1000)
        wins = {factor: (await right_code_at_once(desk, factor))[200] for factor in ("totp", "backup_code")}
    failures = sum(looked_at > limit for looked_at, limit in found.values()) + sum(count != 1 for count in wins.values())
    evidence = {"id": "G21", "n": 1000 * len(GUESSES), "failures": failures, "seed": None}
    print(json.dumps({**evidence, "seconds": round(time.monotonic() - started, 1), "looked_at": found, "wins": wins}))
    assert failures == 0
    assert all(looked_at > 0 for looked_at, _ in found.values())
