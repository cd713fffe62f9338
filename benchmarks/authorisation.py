"""What authorisation and row-level security cost a request: the same rows with both, and with neither.

``python -m benchmarks.authorisation [CALLS]``. *Ours* is a use case as the API calls it: permission checked, observer told, the
caller's context set for the transaction, policies asked. *Theirs* opens a transaction as a superuser, whom no policy binds. Both
run one statement for the ten API keys of one user among twenty thousand, in three round trips. A run's figure is its quickest call,
because whatever else the machine does only ever adds. The bar is 0.3 ms.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.auth.keys import PostgresAuthUnits
from adapters.postgres.cluster import ClusterSettings, EmbeddedCluster
from adapters.postgres.connect import connected
from adapters.postgres.engine import EngineSettings, create_engine, driver_of
from adapters.postgres.migrate import Migrator
from adapters.postgres.roles import DatabaseRole, RolePasswords
from adapters.postgres.rows.auth.keys import api_key_from_row
from adapters.postgres.tables.auth.accounts import user_accounts
from adapters.postgres.tables.auth.keys import api_keys
from adapters.system.identifiers import Uuid7Generator
from benchmarks._measure import report
from tradingcore.auth.model.api_key import ApiKey
from tradingcore.auth.use_cases.manage_api_keys import ListOwnApiKeys, ListOwnApiKeysCommand
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId
from tradingcore.kernel.codec import EventCodec

CALLS: Final = 200
RUNS: Final = 15
USERS: Final = 2_000
KEYS: Final = 10
ME: Final = UserId(UUID(int=1))
FILL: Final = f"""
    insert into public.user_accounts (id, version, status, roles, plan, locale, time_zone, rights_version, created_at, kind)
    select lpad(to_hex(n), 32, '0')::uuid, 1, 'active', '{{trader}}', 'pro', 'en', 'UTC', 1, now(), 'service'
    from generate_series(1, {USERS}) n;
    insert into public.api_keys (id, version, user_id, name, secret_hash, created_at, expires_at, networks)
    select gen_random_uuid(), 1, a.id, 'a bot', sha256(a.id::text::bytea), now(), now() + interval '1 day', '{{}}'
    from public.user_accounts a, generate_series(1, {KEYS});
    analyze
    """
OWN_KEYS: Final[Select[Any]] = (
    select(
        api_keys,
        user_accounts.c.roles.label("user_roles"),
        user_accounts.c.plan.label("user_plan"),
        user_accounts.c.status.label("user_status"),
    )
    .join(user_accounts, user_accounts.c.id == api_keys.c.user_id)
    .where(api_keys.c.user_id == bindparam("me"))
    .order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
)


class NoSealer:
    """Keys hold nothing that is sealed."""


def guarded(engine: AsyncEngine) -> Callable[[], Awaitable[Sequence[ApiKey]]]:
    units: Any = PostgresAuthUnits(engine, EventCodec(()), Uuid7Generator(), NoSealer())  # type: ignore[arg-type]  # unused
    actor = Actor.of_user(trace_id=TraceId("0" * 32), user_id=ME, roles=frozenset({Role.TRADER}), plan=Plan.PRO, name="me")

    async def call() -> Sequence[ApiKey]:
        return await ListOwnApiKeys(uow=units)(actor, ListOwnApiKeysCommand())

    return call


def unguarded(engine: AsyncEngine) -> Callable[[], Awaitable[Sequence[ApiKey]]]:
    async def call() -> Sequence[ApiKey]:
        async with engine.connect() as connection:
            driver = driver_of(connection)
            await driver.execute("begin")
            keys = [api_key_from_row(row) for row in await connection.execute(OWN_KEYS, {"me": ME})]
            await driver.execute("commit")
            return keys

    return call


async def quickest(call: Callable[[], Awaitable[object]], times: int) -> float:
    seconds = []
    for _ in range(times):
        begun = perf_counter()
        await call()
        seconds.append(perf_counter() - begun)
    return min(seconds)


async def run(administrator: DatabaseAddress, home: Path, calls: int) -> None:
    migrator = Migrator(administrator, RolePasswords(home / "roles.json"))
    await migrator.up()
    async with connected(administrator) as connection:
        await connection.execute(FILL)
    settings = EngineSettings(application="benchmark", pool_size=1)
    api, superuser = create_engine(migrator.address(DatabaseRole.API), settings), create_engine(administrator, settings)
    with_both, with_neither = guarded(api), unguarded(superuser)
    if len(await with_both()) != KEYS or {key.id for key in await with_both()} != {key.id for key in await with_neither()}:
        raise SystemExit("the two do not read the same")
    runs = [(await quickest(with_both, calls), await quickest(with_neither, calls)) for _ in range(RUNS + 1)][1:]
    await api.dispose()
    await superuser.dispose()
    cost = 1_000 * median(ours - theirs for ours, theirs in runs)
    report(
        "authorisation and row-level security",
        runs,
        n=calls,
        packages=["asyncpg", "sqlalchemy"],
        cost_ms=round(cost, 3),
        must_be=0.3,
    )


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    home = Path(tempfile.mkdtemp(prefix="tradingcore-authorisation-"))
    cluster = EmbeddedCluster(ClusterSettings(home=home))
    hold = cluster.acquire()
    try:
        asyncio.run(run(hold.administrator.in_database("benchmark"), home, calls))
    finally:
        cluster.release(hold)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
