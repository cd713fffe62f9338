"""Phones and the budget of codes in PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.auth.keys import PostgresAuthUnits
from adapters.postgres.auth.phone_budgets import PostgresSendLedger
from adapters.postgres.connect import connected
from adapters.postgres.engine import transaction
from adapters.postgres.tables.auth.phones import phone_sends
from tests.asvs import asvs
from tests.integration.postgres.sealing import SEALER
from tests.integration.postgres.server import TestDatabase
from tradingcore.auth import events
from tradingcore.auth.errors import Unsealable
from tradingcore.auth.model.phone import DeliveryState
from tradingcore.auth.ports.phones import SendLedger
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.errors import PermissionDenied
from tradingcore.testing.auth.builders import an_account, the_owner_of
from tradingcore.testing.auth.phone_budgets import SendLedgerContract, a_send, spend_limits
from tradingcore.testing.auth.phones import PhoneUnitOfWorkContract, a_number, a_phone, a_proof
from tradingcore.testing.builders import MONDAY, an_actor
from tradingcore.testing.fakes import SequentialIds

CODEC = EventCodec(events.EVENTS)


@pytest_asyncio.fixture
async def database(shared_database: TestDatabase) -> TestDatabase:
    async with connected(shared_database.administrator) as connection:
        await connection.execute("truncate public.phones, public.phone_proofs, public.phone_sends, public.phone_blocks")
        await connection.execute("delete from public.phone_switch")
    return shared_database


class TestPostgresPhoneRepository(PhoneUnitOfWorkContract):
    @pytest.fixture
    def units(self, worker_engine: AsyncEngine) -> PostgresAuthUnits:
        return PostgresAuthUnits(worker_engine, CODEC, SequentialIds(), SEALER)

    @pytest.fixture
    def units_of_users(self, api_engine: AsyncEngine) -> PostgresAuthUnits:
        return PostgresAuthUnits(api_engine, CODEC, SequentialIds(start=1 << 20), SEALER)


class TestPostgresSendLedger(SendLedgerContract):
    @pytest.fixture
    def ledger(self, worker_engine: AsyncEngine) -> SendLedger:
        self.engine = worker_engine
        return PostgresSendLedger(worker_engine)

    async def state_of(self, ledger: Any, reference: str) -> DeliveryState:
        async with self.engine.connect() as connection:
            statement = select(phone_sends.c.state).where(phone_sends.c.reference == reference)
            return DeliveryState((await connection.execute(statement)).scalar_one())


async def test_api_counts_sends_and_cannot_throw_the_switch(api_engine: AsyncEngine) -> None:
    ledger, send = PostgresSendLedger(api_engine), a_send()
    await ledger.reserve(send, spend_limits())
    await ledger.accepted(send.id, "SM1")
    await ledger.converted(send.id, at=MONDAY)
    assert (await ledger.status(at=MONDAY)).converted == 1
    with pytest.raises(PermissionDenied):
        await ledger.set_stopped(is_stopped=True)


@asvs("14.2.4")
async def test_number_and_code_never_lie_open(database: TestDatabase, worker_engine: AsyncEngine, api_engine: AsyncEngine) -> None:
    account = an_account()
    async with PostgresAuthUnits(worker_engine, CODEC, SequentialIds(), SEALER)(an_actor()) as unit:
        await unit.accounts.save(account)
    owner = the_owner_of(account)
    async with PostgresAuthUnits(api_engine, CODEC, SequentialIds(start=1 << 20), SEALER)(owner) as unit:
        await unit.phones.put(a_phone(account))
        await unit.phones.start(a_proof(owner))
    async with connected(database.administrator) as connection:
        rows = [str(dict(row)) for table in ("phones", "phone_proofs") for row in await connection.fetch(f"table public.{table}")]
    assert len(rows) == 2
    assert not [row for row in rows if a_number().e164[4:] in row]


async def test_sealed_number_does_not_open_in_another_row(worker_engine: AsyncEngine, database: TestDatabase) -> None:
    units = PostgresAuthUnits(worker_engine, CODEC, SequentialIds(), SEALER)
    first, second = an_account(), an_account()
    async with units(an_actor()) as unit:
        for account in (first, second):
            await unit.accounts.save(account)
            await unit.phones.put(a_phone(account))
    async with connected(database.administrator) as connection:
        await connection.execute(
            "update public.phones set number_sealed = (select p.number_sealed from public.phones p where p.user_id = $1)"
            " where user_id = $2",
            first.id,
            second.id,
        )
    with pytest.raises(Unsealable):
        async with units(an_actor()) as unit:
            await unit.phones.find(second.id)


async def test_policies_hold_without_our_own_checks(worker_engine: AsyncEngine, api_engine: AsyncEngine) -> None:
    """Straight SQL as the API's role, in a stranger's transaction."""
    units = PostgresAuthUnits(worker_engine, CODEC, SequentialIds(), SEALER)
    account, stranger = an_account(), an_account()
    async with units(an_actor()) as unit:
        for one in (account, stranger):
            await unit.accounts.save(one)
        await unit.phones.put(a_phone(account))
        await unit.phones.start(a_proof(the_owner_of(account)))
    async with transaction(api_engine, the_owner_of(stranger)) as connection:
        for table in ("phones", "phone_proofs"):
            assert (await connection.execute(text(f"select count(*) from public.{table}"))).scalar_one() == 0
            assert (await connection.execute(text(f"delete from public.{table}"))).rowcount == 0
        assert (await connection.execute(text("update public.phone_proofs set attempts = 0"))).rowcount == 0
