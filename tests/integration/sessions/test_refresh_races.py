"""G20 on PostgreSQL: many refreshes of one session at once, through HTTP and through the use case."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import Update, update

from adapters.postgres.auth import sessions as adapter
from adapters.postgres.tables.auth.accounts import refresh_tokens
from tests.asvs import asvs
from tests.integration.sessions.serving import AUTH, Stage, bearer
from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.use_cases.refresh_session import RefreshSessionCommand
from tradingcore.auth.use_cases.session_opening import OpenedSession
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import Conflict, Unavailable
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.testing.builders import an_actor

pytestmark = pytest.mark.asyncio(loop_scope="module")

HERE = Caller(network=NetworkPrefix.of("203.0.113.7"), device_label="Firefox on Linux")
THIEF = replace(HERE, network=NetworkPrefix.of("198.51.100.9"))
LIVE = "select count(*) from public.refresh_tokens where session_id = $1 and used_at is null and revoked_at is null"
ENDED = "select ended_at is not null from public.sessions where id = $1"
AGE = "update public.refresh_tokens set used_at = used_at - interval '11 s' where session_id = $1 and used_at is not null"


@asvs("10.4.5")
async def test_a_refresh_race_of_sixteen_against_running_servers(stage: Stage) -> None:
    tokens = await stage.signed_in(await stage.an_owner())
    async with stage.client(0) as one, stage.client(1) as other:
        body = {"refresh_token": tokens["refresh_token"]}
        answers = await asyncio.gather(*((one, other)[number % 2].post(f"{AUTH}/refresh", json=body) for number in range(16)))
        assert [answer.status_code for answer in answers] == [200] * 16
        successors = {answer.json()["refresh_token"] for answer in answers}
        assert len(successors) == 1
        assert await stage.ask(LIVE, tokens["session_id"]) == 1
        for answer in answers:
            listed = await other.get(f"{AUTH}/sessions", headers=bearer(answer.json()))
            assert listed.status_code == 200
        assert (await one.post(f"{AUTH}/refresh", json={"refresh_token": successors.pop()})).status_code == 200


class Race:
    """One session; owner and thief come at the same moment, through the use cases of two processes."""

    def __init__(self, stage: Stage, opened: OpenedSession) -> None:
        self.stage = stage
        self.opened = opened

    async def refresh(self, token: str, caller: Caller, server: int) -> OpenedSession | None:
        try:
            return await self._refresh(token, caller, server)
        except Unavailable:
            # On a busy machine a connection may take too long: nothing was done, and a client comes again.
            return await self._refresh(token, caller, server)

    async def _refresh(self, token: str, caller: Caller, server: int) -> OpenedSession | None:
        try:
            opened: OpenedSession = await self.stage.servers[server].refresh_session()(
                Actor.anonymous(an_actor().trace_id), RefreshSessionCommand(token=token, caller=caller)
            )
        except CredentialRefused:
            return None
        return opened

    async def run(self) -> list[str]:
        """What went against the rules."""
        session, token = self.opened.session.id, self.opened.tokens.refresh_token
        rounds = await asyncio.gather(*(self.refresh(token, HERE, number % 2) for number in range(6)))
        successors = {one.tokens.refresh_token for one in rounds if one is not None}
        faults = [] if None not in rounds and len(successors) == 1 else ["tabs of one client did not get one successor"]
        faults += await self.count("after the race")
        current = successors.pop()
        # Now a thief has the successor as well, and both use it at once.
        mixed: Sequence[Any] = await asyncio.gather(
            *(self.refresh(current, THIEF if number % 2 else HERE, number % 2) for number in range(4))
        )
        faults += await self.count("with a thief")
        if not await self.stage.ask(ENDED, session):
            faults.append(f"two clients used one token and the session lives: {[one is not None for one in mixed]}")
        return faults

    async def reuse(self) -> list[str]:
        """The same after the grace, by the owner itself."""
        session, token = self.opened.session.id, self.opened.tokens.refresh_token
        await self.refresh(token, HERE, 0)
        await self.stage.ask(AGE, session)
        again = await asyncio.gather(*(self.refresh(token, HERE, number % 2) for number in range(4)))
        faults = await self.count("after reuse")
        if any(one is not None for one in again) or not await self.stage.ask(ENDED, session):
            faults.append("reuse outside the grace did not end the session")
        return faults

    async def count(self, when: str) -> list[str]:
        live = await self.stage.ask(LIVE, self.opened.session.id)
        return [] if live <= 1 else [f"{live} live tokens {when}"]


async def races(stage: Stage, count: int) -> list[str]:
    faults = []
    for number in range(count):
        account = await stage.an_owner()
        opened = (
            await stage.servers[0]
            .session_opener()
            .open(Actor.anonymous(an_actor().trace_id), account, method=AuthMethod.PASSWORD, caller=HERE)
        )
        assert isinstance(opened, OpenedSession)
        race = Race(stage, opened)
        faults += await (race.reuse() if number % 2 else race.run())
    return faults


@asvs("10.4.5", "15.4.2")
async def test_no_race_leaves_two_tokens_or_survives_reuse(stage: Stage) -> None:
    assert await races(stage, 10) == []


@pytest.mark.campaign
@pytest.mark.timeout(600)
async def test_two_hundred_races(stage: Stage) -> None:
    started = perf_counter()
    faults = await races(stage, 200)
    print(json.dumps({"id": "G20-races", "n": 200, "failures": len(faults), "seconds": round(perf_counter() - started, 1)}))
    assert faults == []


async def test_the_races_find_a_token_that_is_used_without_looking(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def carelessly(used: bytes, sealed: bytes, at: datetime) -> Update:
        return update(refresh_tokens).where(refresh_tokens.c.token_hash == used).values(used_at=at, successor_sealed=sealed)

    monkeypatch.setattr(adapter, "_use", carelessly)
    # Where the rule is gone, the index of live tokens is what notices.
    with pytest.raises(Conflict):
        await races(stage, 2)
