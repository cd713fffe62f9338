"""PostgreSQL gone in the middle of a call: a clear answer, nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from adapters.postgres.connect import connected
from tests.asvs import asvs
from tests.integration.sessions.serving import AUTH, Stage, bearer
from tradingcore.testing.auth.builders import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAITING = "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


@asynccontextmanager
async def locked(stage: Stage, statement: str, *values: Any) -> AsyncIterator[None]:
    """Hold rows, so that whoever wants them next waits."""
    async with connected(stage.database.administrator) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(statement, *values)
        try:
            yield
        finally:
            await transaction.rollback()


async def cut_whoever_waits(stage: Stage) -> None:
    for _ in range(500):
        if (pid := await stage.ask(WAITING)) is not None:
            await stage.ask("select pg_terminate_backend($1)", pid)
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nobody waited for the rows")


async def cut_off(stage: Stage, held: str, session: str, method: str, path: str, **request: Any) -> httpx.Response:
    async with stage.client(0) as client, locked(stage, held, session):
        asking = asyncio.create_task(client.request(method, path, **request))
        await cut_whoever_waits(stage)
        return await asking


HOLD_SESSION = "select 1 from public.sessions where id = $1 for update"
HOLD_ACCOUNT = "select 1 from public.user_accounts where id = $1 for update"


def check_gone(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["code"] == "storage.unavailable"


@asvs("16.5.1", "16.5.3", "2.3.3")
async def test_a_refresh_that_is_cut_off_can_be_repeated(stage: Stage) -> None:
    tokens = await stage.signed_in(await stage.an_owner())
    body = {"refresh_token": tokens["refresh_token"]}
    check_gone(await cut_off(stage, HOLD_SESSION, tokens["session_id"], "POST", f"{AUTH}/refresh", json=body))
    async with stage.client(0) as client:
        again = await client.post(f"{AUTH}/refresh", json=body)
    assert again.status_code == 200
    live = "select count(*) from public.refresh_tokens where session_id = $1 and used_at is null and revoked_at is null"
    assert await stage.ask(live, tokens["session_id"]) == 1


async def test_a_sign_out_that_is_cut_off_has_not_happened(stage: Stage) -> None:
    tokens = await stage.signed_in(await stage.an_owner())
    body = {"refresh_token": tokens["refresh_token"]}
    check_gone(await cut_off(stage, HOLD_SESSION, tokens["session_id"], "POST", f"{AUTH}/sign-out", json=body))
    async with stage.client(0) as client:
        assert (await client.get(f"{AUTH}/sessions", headers=bearer(tokens))).status_code == 200
        assert (await client.post(f"{AUTH}/sign-out", json=body)).status_code == 204
    ended = "select count(*) from audit.events where type = 'auth.session_ended' and facts ->> 'session_id' = $1"
    assert await stage.ask(ended, tokens["session_id"]) == 1


async def test_a_sign_in_that_is_cut_off_leaves_no_session(stage: Stage) -> None:
    account = await stage.an_owner()
    assert account.email is not None
    body = {"email": account.email.text, "password": PASSWORD}
    check_gone(await cut_off(stage, HOLD_ACCOUNT, str(account.id), "POST", f"{AUTH}/sign-in", json=body))
    of_account = "select count(*) from public.sessions where user_id = $1"
    assert await stage.ask(of_account, account.id) == 0
    await stage.signed_in(account)
    assert await stage.ask(of_account, account.id) == 1
    signed_in = "select count(*) from audit.events where type = 'auth.signed_in' and user_id = $1"
    assert await stage.ask(signed_in, account.id) == 1
