"""G23: nobody learns from an answer, or from its time, whether an address belongs to an account.

Every flow is asked about known and unknown addresses in random turns, on PostgreSQL and with cheap hashing, which hides nothing.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

import httpx
import pytest
import pytest_asyncio
from dependency_injector import providers
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.cryptography.key_ring import fixed_ring
from adapters.memory.limits import MemoryAttemptLimiter
from entrypoints.container import Container
from entrypoints.http.app import create_app
from entrypoints.http.di import use_cases_of
from entrypoints.http.health import Readiness
from entrypoints.http.options import HttpSettings
from entrypoints.sections import PasswordsSection
from tests.asvs import asvs
from tradingcore.auth.model.access_token import AccessClaims
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.use_cases.authenticate import AuthenticateBearerCommand
from tradingcore.auth.use_cases.reset_password import RequestPasswordReset, RequestPasswordResetCommand
from tradingcore.kernel.authz import Actor, Assurance, TraceId
from tradingcore.testing.auth.builders import PASSWORD, an_account, an_address
from tradingcore.testing.auth.sessions import a_refresh_token, a_secret, a_session
from tradingcore.testing.builders import an_actor, an_id
from tradingcore.testing.fakes import FakeClock

SMALL: Final = 8
FULL: Final = 2_000
LARGEST_EFFECT: Final = 0.1
LARGEST_GAP_SECONDS: Final = 0.005

FLOWS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "register": ("/api/v1/auth/register", {"password": PASSWORD, "display_name": "Somebody"}),
    "sign_in": ("/api/v1/auth/sign-in", {"password": "not the password"}),
    "reset": ("/api/v1/auth/password-reset", {}),
    "resend": ("/api/v1/auth/verify-address/resend", {}),
    "address_change": ("/api/v1/account/address-change", {}),
}


@dataclass
class Site:
    """The application on PostgreSQL with ``known`` accounts, whose limits are never reached."""

    container: Container
    clock: FakeClock
    client: httpx.AsyncClient
    asker: UserAccount
    known: list[str]

    async def authorization(self) -> str:
        """Of the asker in a session that has just been opened."""
        now = self.container.clock().now().replace(microsecond=0)
        session = a_session(self.asker.id, at=now)
        async with self.container.auth_uow()(an_actor().acting_for(self.asker.id)) as unit:
            await unit.sessions.open(session, a_refresh_token(session, a_secret()))
        claims = AccessClaims(
            session_id=session.id,
            user_id=self.asker.id,
            token_id=an_id(),
            issued_at=now,
            expires_at=now + timedelta(minutes=15),
            authenticated_at=now,
            methods=(AuthMethod.PASSWORD,),
            assurance=Assurance.AAL1,
            rights_version=self.asker.rights_version,
        )
        return f"Bearer {self.container.access_tokens().issue(claims)}"

    async def measure(self, flow: str, *, count: int, seed: int) -> Samples:
        """Ask about ``count`` known and as many unknown addresses, in random turns."""
        path, more = FLOWS[flow]
        turns = [True, False] * (count + 5)
        randomness = random.Random(seed)
        randomness.shuffle(turns)
        samples = Samples(flow=flow, seed=seed)
        headers: dict[str, str] = {}
        names = iter(randomness.sample(range(10**12), len(turns)))
        for number, is_known in enumerate(turns):
            if flow == "address_change" and number % 500 == 0:
                headers = {"authorization": await self.authorization()}
            # Of one length, so that nothing but the account tells them apart.
            email = randomness.choice(self.known) if is_known else f"u{next(names):012d}@example.org"
            self.clock.advance(timedelta(days=1))
            before = time.perf_counter()
            answer = await self.client.post(path, json={"email": email, **more}, headers=headers)
            seconds = time.perf_counter() - before
            if number >= 10:  # the first ones warm up
                samples.add(is_known=is_known, seconds=seconds, answer=answer)
        return samples


class Samples:
    def __init__(self, *, flow: str, seed: int) -> None:
        self.flow = flow
        self.seed = seed
        self.known: list[float] = []
        self.unknown: list[float] = []
        self.answers: dict[bool, set[tuple[int, bytes]]] = {True: set(), False: set()}

    def add(self, *, is_known: bool, seconds: float, answer: httpx.Response) -> None:
        (self.known if is_known else self.unknown).append(seconds)
        content = answer.content
        if answer.is_error:
            # A problem names its request, which is nobody's secret.
            problem = answer.json()
            content = json.dumps({**problem, "instance": ""}).encode()
        self.answers[is_known].add((answer.status_code, content))

    @property
    def is_uniform(self) -> bool:
        """One answer for all, byte for byte, and not one of a fault."""
        return self.answers[True] == self.answers[False] and [status < 500 for status, _ in self.answers[True]] == [True]

    @property
    def effect(self) -> float:
        """Rank-biserial correlation of the Mann-Whitney U test: 0 for no difference, 1 for samples that do not overlap."""
        return abs(rank_biserial(self.known, self.unknown))

    @property
    def gap(self) -> float:
        """Of the medians, in seconds."""
        return abs(statistics.median(self.known) - statistics.median(self.unknown))


def rank_biserial(one: Sequence[float], other: Sequence[float]) -> float:
    """``2 U / (n m) - 1`` (Wendt 1972), ties counted half."""
    ordered = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks = 0.0
    start = 0
    while start < len(ordered):
        stop = start
        while stop < len(ordered) and ordered[stop][0] == ordered[start][0]:
            stop += 1
        mean_rank = (start + stop + 1) / 2
        ranks += mean_rank * sum(1 for _, kind in ordered[start:stop] if kind == 0)
        start = stop
    u = ranks - len(one) * (len(one) + 1) / 2
    return 2 * u / (len(one) * len(other)) - 1


async def a_site(api_engine: AsyncEngine, worker_engine: AsyncEngine, *, known: int) -> Site:
    shared: dict[str, Any] = {
        "storage_kind": "postgres",
        "key_rings": fixed_ring(),
        "secret_of": lambda _: b"s" * 32,
        "passwords": PasswordsSection(bcrypt_cost=4),
    }
    container = Container(engine=api_engine, system_engine=api_engine, **shared)
    clock = FakeClock()
    container.attempts.override(providers.Object(MemoryAttemptLimiter(clock)))
    password = await container.password_hasher().hash(PASSWORD)
    accounts = [an_account(email=EmailAddress.parse(f"k{number:012d}@example.org"), password=password) for number in range(known)]
    asker = an_account(email=an_address("asker"), password=password)
    worker = Container(engine=worker_engine, system_engine=worker_engine, **shared)
    async with worker.auth_uow()(an_actor()) as unit:
        for account in (asker, *accounts):
            await unit.accounts.save(account)

    async def authenticate(presented: AuthenticateBearerCommand, trace_id: TraceId) -> Actor:
        actor: Actor = await container.authenticate_bearer()(Actor.anonymous(trace_id), presented)
        return actor

    async def ready() -> Readiness:
        return Readiness(())

    app = create_app(
        use_cases_of(container),
        settings=HttpSettings(cursor_key=b"c" * 32, pseudonym_key=b"p" * 32),
        authenticate=authenticate,
        readiness=ready,
    )
    transport = httpx.ASGITransport(cast(Any, app))
    return Site(
        container=container,
        clock=clock,
        client=httpx.AsyncClient(transport=transport, base_url="http://test"),
        asker=asker,
        known=[str(account.email) for account in accounts],
    )


@pytest_asyncio.fixture
async def site(api_engine: AsyncEngine, worker_engine: AsyncEngine) -> AsyncIterator[Site]:
    found = await a_site(api_engine, worker_engine, known=200)
    yield found
    await found.client.aclose()


@contextmanager
def one_core() -> Iterator[None]:
    """Measured on one core, because moving between them costs more than what is looked for."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@asvs("6.3.8")
async def test_answers_are_the_same_bytes(site: Site) -> None:
    for flow in FLOWS:
        samples = await site.measure(flow, count=SMALL, seed=23)
        assert samples.answers[True] == samples.answers[False], flow
        ((status, _),) = samples.answers[True]
        assert status == (401 if flow == "sign_in" else 202), flow


@pytest.mark.campaign
@asvs("6.3.8")
@pytest.mark.parametrize("run", [1, 2, 3])
async def test_times_do_not_tell(site: Site, run: int) -> None:
    began = time.monotonic()
    with one_core():
        found = [await site.measure(flow, count=FULL, seed=100 * run + place) for place, flow in enumerate(FLOWS)]
    failures = [
        samples.flow
        for samples in found
        if samples.effect >= LARGEST_EFFECT or samples.gap >= LARGEST_GAP_SECONDS or not samples.is_uniform
    ]
    line = {
        "id": "G23",
        "n": 2 * FULL * len(FLOWS),
        "failures": len(failures),
        "seed": 100 * run,
        "seconds": round(time.monotonic() - began, 1),
        "effects": {samples.flow: round(samples.effect, 3) for samples in found},
        "gaps_us": {samples.flow: round(1e6 * samples.gap) for samples in found},
    }
    print(json.dumps(line))
    assert failures == [], line


@pytest.mark.campaign
async def test_a_flow_that_looks_before_it_answers_is_found(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    lookup, uow, mailer = site.container.account_lookup(), site.container.auth_uow(), site.container.mailer()

    async def look_first(_: RequestPasswordReset, actor: Actor, command: RequestPasswordResetCommand) -> None:
        account = await lookup.by_email(EmailAddress.parse(command.email))
        if account is not None:
            async with uow(actor.acting_for(account.id)) as unit:
                mailer.request(unit, "reset_password", account.email, "en")

    monkeypatch.setattr(RequestPasswordReset, "handle", look_first)
    with one_core():
        samples = await site.measure("reset", count=300, seed=7)
    assert samples.answers[True] == samples.answers[False] == {(202, b'{"status":"accepted"}')}
    assert samples.effect > LARGEST_EFFECT
