"""API servers on one database, each as a process of its own would be: container, connections, caches and socket."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from dependency_injector import providers

from adapters.cryptography.key_ring import fixed_ring
from adapters.joserfc.signing_keys import fixed_signing_ring
from adapters.postgres.connect import connected
from adapters.postgres.roles import DatabaseRole
from adapters.system.clock import SystemClock
from entrypoints.container import Container
from entrypoints.http.server import ApiServer, address_of
from entrypoints.platform import Platform
from entrypoints.sections import PasswordsSection
from entrypoints.settings import load
from tests.integration.postgres.server import TestDatabase
from tradingcore.auth.model.account import UserAccount
from tradingcore.kernel.ports import Clock
from tradingcore.testing.auth.builders import PASSWORD, an_account
from tradingcore.testing.builders import an_actor

AUTH: Final = "/api/v1/auth"


class ShiftedClock(Clock):
    """The system's time and a little more."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self._clock = SystemClock()

    def now(self) -> datetime:
        return self._clock.now() + self.ahead


@dataclass(frozen=True)
class Stage:
    database: TestDatabase
    worker: Container
    servers: Sequence[Container]
    addresses: Sequence[str]
    clock: ShiftedClock

    def client(self, server: int = 0, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.addresses[server], timeout=30, headers=headers)

    async def an_owner(self, **overrides: Any) -> UserAccount:
        account = an_account(password=await self.worker.password_hasher().hash(PASSWORD), **overrides)
        async with self.worker.auth_uow()(an_actor()) as unit:
            saved: UserAccount = await unit.accounts.save(account)
            return saved

    async def signed_in(self, account: UserAccount, server: int = 0) -> dict[str, Any]:
        assert account.email is not None
        async with self.client(server) as client:
            answer = await client.post(f"{AUTH}/sign-in", json={"email": account.email.text, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()["tokens"]
        return tokens

    async def ask(self, query: str, *values: Any) -> Any:
        """One value, asked as the administrator."""
        async with connected(self.database.administrator) as connection:
            return await connection.fetchval(query, *values)


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}


@asynccontextmanager
async def serving(database: TestDatabase, folder: Path, *, servers: int = 2) -> AsyncIterator[Stage]:
    settings = load(flags={"data_dir": folder, "storage": "memory", "http": {"port": 0}}).values
    key_ring, signing_ring, clock = fixed_ring(), fixed_signing_ring(), ShiftedClock()
    async with AsyncExitStack() as stack:

        def container(role: DatabaseRole) -> Container:
            engine = database.engine(role, pool_size=8)
            stack.push_async_callback(engine.dispose)
            made = Container(
                storage_kind="postgres",
                engine=engine,
                system_engine=engine,
                address=database.address(role),
                blob_folder=folder,
                passwords=PasswordsSection(bcrypt_cost=4),
                secret_of=lambda name: hashlib.sha256(name.encode()).digest(),
                key_rings=key_ring,
                signing_rings=signing_ring,
            )
            made.clock.override(providers.Object(clock))
            stack.push_async_callback(made.rights_feed().close)
            return made

        worker = container(DatabaseRole.WORKER)
        containers = [container(DatabaseRole.API) for _ in range(servers)]
        addresses = []
        for one in containers:
            server = ApiServer(Platform(settings=settings, container=one, migrator=None))
            listener = stack.enter_context(server.listen())
            running = asyncio.create_task(server.serve(listener))
            stack.push_async_callback(_stopped, server, running)
            addresses.append(address_of(listener))
        yield Stage(database, worker, containers, addresses, clock)


async def _stopped(server: ApiServer, running: asyncio.Task[None]) -> None:
    server.stop()
    await running
