"""Several API processes over one database, asked in turn from whatever network a test likes, and people to attack."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
from sqlalchemy import text

from adapters.cryptography.key_ring import fixed_ring
from adapters.joserfc.signing_keys import fixed_signing_ring
from adapters.postgres.engine import transaction
from adapters.postgres.roles import DatabaseRole
from entrypoints.container import Container
from entrypoints.http.server import ApiServer
from entrypoints.phones_section import PhonesSection
from entrypoints.platform import Platform, ProcessKind, running
from entrypoints.sections import PasswordsSection
from entrypoints.settings import load
from tests.integration.end_to_end.stage import Stage
from tests.integration.postgres.server import TestDatabase
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.totp import SECRET_BYTES, TotpFactor, code_of_step, step_at
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.testing.auth.builders import PASSWORD, an_account

SYSTEM = Actor.system(TraceId("7" * 32))
SECRET = b"s" * SECRET_BYTES
FLAGS: dict[str, Any] = {
    "http": {"port": 0, "trusted_hops": 1},
    "limits": {"requests_per_minute": 0},
    "passwords": {"bcrypt_cost": 4},
    "phones": {"countries": ("ES",)},
}


@dataclass(frozen=True)
class Person:
    account: UserAccount
    backup_codes: Sequence[str] = ()

    @property
    def credentials(self) -> dict[str, str]:
        return self.with_password(PASSWORD)

    def with_password(self, password: str) -> dict[str, str]:
        assert self.account.email is not None
        return {"email": self.account.email.text, "password": password}


class Desk:
    """``container`` acts for the platform; ``clients`` reach one API process each, as the proxy in front of them does."""

    def __init__(self, container: Container, clients: Sequence[httpx.AsyncClient]) -> None:
        self.container = container
        self.clients = clients
        self._next = itertools.cycle(clients)

    async def post(self, path: str, body: Mapping[str, Any], *, network: int = 0, token: str | None = None) -> httpx.Response:
        headers = {"x-forwarded-for": f"198.{18 + network // 65536}.{network // 256 % 256}.{network % 256}"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        return await next(self._next).post(f"/api/v1{path}", json=dict(body), headers=headers)

    async def a_person(self, *, with_factors: bool = False) -> Person:
        container = self.container
        account = an_account(password=await container.password_hasher().hash(PASSWORD))
        async with container.auth_uow()(SYSTEM) as unit:
            account = await unit.accounts.save(account)
        if not with_factors:
            return Person(account)
        at = container.clock().now()
        async with container.auth_uow()(SYSTEM) as unit:
            await unit.totp_factors.enrol(TotpFactor(user_id=account.id, created_at=at), SECRET)
            assert await unit.totp_factors.confirm(account.id, step=step_at(at) - 10, at=at)
            codes = await container.second_factors().new_backup_codes(unit, account.id)
        return Person(account, tuple(codes))

    def totp(self) -> str:
        return code_of_step(SECRET, step_at(self.container.clock().now()))

    async def counted(self, person: Person, event: str) -> int:
        """How often something happened to a person, by the audit trail: it is written whenever a secret was looked at."""
        query = "select count(*) from audit.events where user_id = :user and type = :type"
        return await self.value(query, user=person.account.id, type=event)

    async def value(self, query: str, **parameters: Any) -> int:
        async with transaction(self.container.engine(), SYSTEM) as connection:
            return int((await connection.execute(text(query), parameters)).scalar_one())


@asynccontextmanager
async def desk_in_process(database: TestDatabase, folder: Path, *, processes: int = 2) -> AsyncIterator[Desk]:
    """Applications with engines of their own in this process: in small, and soon there."""
    settings = load(flags={"data_dir": folder, "storage": "memory", **FLAGS}).values
    key_ring, signing_ring = fixed_ring(), fixed_signing_ring()
    async with AsyncExitStack() as stack:

        def container(role: DatabaseRole) -> Container:
            engine = database.engine(role, pool_size=8)
            stack.push_async_callback(engine.dispose)
            return Container(
                storage_kind="postgres",
                engine=engine,
                system_engine=engine,
                address=database.address(role),
                blob_folder=folder,
                passwords=PasswordsSection(bcrypt_cost=4),
                phones=PhonesSection(countries=("ES",)),
                secret_of=lambda name: hashlib.sha256(name.encode()).digest(),
                key_rings=key_ring,
                signing_rings=signing_ring,
            )

        clients = []
        for _ in range(processes):
            platform = Platform(settings=settings, container=container(DatabaseRole.API), migrator=None)
            transport = httpx.ASGITransport(cast(Any, ApiServer(platform).app))
            clients.append(await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://test")))
        yield Desk(container(DatabaseRole.WORKER), clients)


@asynccontextmanager
async def desk_of_processes(folder: Path, *, processes: int = 4) -> AsyncIterator[Desk]:
    """`tradingcore serve`, several times, on the embedded server of one folder."""
    config = folder / "desk.toml"
    lines = [
        f"[{section}]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())
        for section, values in FLAGS.items()
    ]
    config.write_text("\n".join(lines), encoding="utf-8")
    stage = Stage(data_dir=folder / "data")
    options = ("--config", str(config))
    assert stage.run(*options, "migrate", "up").code == 0
    settings = load(file=config, flags={"data_dir": stage.data_dir}).values
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(processes):
            served = await stack.enter_async_context(stage.process(*options, "serve"))
            client = httpx.AsyncClient(base_url=served.document["address"], timeout=60, limits=httpx.Limits(max_connections=64))
            clients.append(await stack.enter_async_context(client))
        platform = await stack.enter_async_context(running(settings, ProcessKind.WORKER))
        yield Desk(platform.container, clients)
