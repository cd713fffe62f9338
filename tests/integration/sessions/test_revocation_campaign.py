"""G28 in full: what ends somewhere is ended in each of four processes and on their streams within 5 s, where it matters at once.

That the poll tells in time when nobody notifies, and what happens without any news, is in test_revocation.py.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from entrypoints.http.stream.protocol import SUBPROTOCOL
from tests.integration.limits.desk import SYSTEM, Desk, Person, desk_of_processes
from tests.integration.sessions.serving import AUTH
from tradingcore.kernel.authz import Plan, Role

BOUND_SECONDS = 5.0
ROUNDS = 24
READS = ("/api/v1/trading/symbols", "/api/v1/trading/series")
SENSITIVE = (("GET", f"{AUTH}/sessions"), ("GET", "/api/v1/account"), ("POST", f"{AUTH}/stream-tickets"))


@dataclass(frozen=True)
class Outcome:
    """Seconds until each process refused and each stream closed; and what sensitive routes answered meanwhile."""

    reads: list[float]
    streams: list[float]
    late: list[str]


async def opened(client: httpx.AsyncClient, headers: dict[str, str]) -> ClientConnection:
    ticket = (await client.post(f"{AUTH}/stream-tickets", headers=headers)).json()["ticket"]
    address = str(client.base_url).replace("http", "ws", 1).rstrip("/")
    socket = await connect(f"{address}/api/v1/stream", subprotocols=[Subprotocol(SUBPROTOCOL)])
    await socket.send(json.dumps({"op": "auth", "ticket": ticket}))
    assert json.loads(await socket.recv())["op"] == "ack"
    return socket


async def refused_after(client: httpx.AsyncClient, headers: dict[str, str]) -> float:
    started = time.monotonic()
    for path in READS:
        while (await client.get(path, headers=headers)).status_code != 401:
            assert time.monotonic() - started < 6 * BOUND_SECONDS, "still served"
            await asyncio.sleep(0.02)
    return time.monotonic() - started


async def closed_after(socket: ClientConnection) -> float:
    started = time.monotonic()
    try:
        async with asyncio.timeout(6 * BOUND_SECONDS):
            await socket.wait_closed()
    except TimeoutError:
        return 6 * BOUND_SECONDS
    assert socket.close_code == 4401
    return time.monotonic() - started


async def end(desk: Desk, person: Person, tokens: dict[str, Any], how: int) -> None:
    """By the owner in one process, or by the platform in a process that serves nobody."""
    if how == 0:
        answer = await desk.clients[0].post(f"{AUTH}/sign-out", json={"refresh_token": tokens["refresh_token"]})
        assert answer.status_code == 204
        return
    async with desk.container.auth_uow()(SYSTEM) as unit:
        account = await unit.accounts.get(person.account.id)
        at = desk.container.clock().now()
        demoted = account.with_rights(roles=frozenset({Role.STUDENT}), plan=Plan.FREE, by="campaign", at=at)
        await unit.accounts.save(account.frozen(by="campaign", at=at) if how == 1 else demoted)


async def one_round(desk: Desk, number: int) -> Outcome:
    person = await desk.a_person()
    tokens = (await desk.post("/auth/sign-in", person.credentials, network=number)).json()["tokens"]
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    for client in desk.clients:
        for path in READS * 2:
            assert (await client.get(path, headers=headers)).status_code == 200, "remembered by every process"
    sockets = [await opened(client, headers) for client in desk.clients]
    await end(desk, person, tokens, number % 3)
    late = [
        f"{method} {path} was answered with {answer.status_code}"
        for client in desk.clients
        for method, path in SENSITIVE
        if (answer := await client.request(method, path, headers=headers)).status_code != 401
    ]
    reads = await asyncio.gather(*(refused_after(client, headers) for client in desk.clients))
    streams = await asyncio.gather(*(closed_after(socket) for socket in sockets))
    return Outcome(reads, streams, late)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
async def test_an_end_reaches_every_process_and_stream(tmp_path_factory: pytest.TempPathFactory) -> None:
    started = time.monotonic()
    async with desk_of_processes(tmp_path_factory.mktemp("revocation")) as desk:
        outcomes = [await one_round(desk, number) for number in range(ROUNDS)]
    reads = [seconds for outcome in outcomes for seconds in outcome.reads]
    streams = [seconds for outcome in outcomes for seconds in outcome.streams]
    late = [answer for outcome in outcomes for answer in outcome.late]
    failures = len(late) + sum(seconds > BOUND_SECONDS for seconds in (*reads, *streams))
    evidence = {"id": "G28", "n": len(reads) + len(streams), "failures": failures, "seed": None}
    slowest = {"reads": round(max(reads), 2), "streams": round(max(streams), 2)}
    print(json.dumps({**evidence, "seconds": round(time.monotonic() - started, 1), "slowest": slowest, "late": late[:5]}))
    assert failures == 0
