"""The life of an account on PostgreSQL: each process with the grants of its own role, the worker answering what the API took."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest_asyncio
from dependency_injector import providers
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.cryptography.key_ring import KeyRing, fixed_ring
from adapters.cryptography.sealing import AesGcmSealer
from adapters.postgres.auth.accounts import PostgresAccountLookup
from adapters.postgres.connect import connected
from entrypoints.container import Container
from entrypoints.sections import PasswordsSection
from tests.integration.postgres.server import TestDatabase
from tradingcore.auth.errors import CodeRefused
from tradingcore.auth.events import MailRequested
from tradingcore.auth.model.account import AccountStatus, Profile, UserAccount
from tradingcore.auth.model.mail_payload import MAIL_PURPOSE, MailPayload
from tradingcore.auth.use_cases.change_address import (
    ConfirmAddressChangeCommand,
    RequestAddressChangeCommand,
    UndoAddressChangeCommand,
)
from tradingcore.auth.use_cases.change_password import ChangePasswordCommand
from tradingcore.auth.use_cases.close_account import CloseAccountCommand
from tradingcore.auth.use_cases.get_account import GetAccountCommand
from tradingcore.auth.use_cases.list_security_events import ListSecurityEventsCommand
from tradingcore.auth.use_cases.register_account import RegisterAccountCommand
from tradingcore.auth.use_cases.reset_password import RequestPasswordResetCommand, ResetPasswordCommand
from tradingcore.auth.use_cases.update_profile import UpdateProfileCommand
from tradingcore.auth.use_cases.verify_address import RequestAddressVerificationCommand, VerifyAddressCommand
from tradingcore.kernel.authz import Actor, Cause
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.kernel.page import PageRequest
from tradingcore.testing.auth.builders import PASSWORD, an_address, the_owner_of
from tradingcore.testing.auth.sessions import a_refresh_token, a_secret, a_session
from tradingcore.testing.builders import an_actor

NEW = "quite another sentence"


class Processes:
    """``api`` and ``worker`` as they run apart: the same secrets, roles of their own."""

    def __init__(self, api_engine: AsyncEngine, worker_engine: AsyncEngine, system_engine: AsyncEngine) -> None:
        shared: dict[str, Any] = {
            "storage_kind": "postgres",
            "key_rings": fixed_ring(),
            "secret_of": lambda _: b"s" * 32,
            "passwords": PasswordsSection(bcrypt_cost=4),
        }
        self.api = Container(engine=api_engine, system_engine=api_engine, **shared)
        self.worker = Container(engine=worker_engine, system_engine=system_engine, **shared)

    def nobody(self) -> Actor:
        return Actor.anonymous(an_actor().trace_id)

    async def settle(self) -> list[tuple[str, MailPayload]]:
        """Answer what was asked, as the relay does; return what would be mailed."""
        outbox = self.worker.outbox()
        provided: providers.List = self.worker.reactions
        reactions = {one.cls.reacts_to: one for one in provided.args if one.cls.name.startswith("auth.")}
        mails = []
        while claimed := await outbox.claim(limit=100, lease=timedelta(minutes=1)):
            for one in claimed:
                event = one.recorded.event
                if (reaction := reactions.get(type(event))) is not None:
                    cause = Cause(reaction.cls.name, one.recorded.id)
                    await reaction().react(Actor.system(one.recorded.trace_id, cause=cause), event, one.recorded)
                if isinstance(event, MailRequested):
                    sealer = self.worker.purpose_sealer()
                    content = sealer.open(event.sealed, purpose=MAIL_PURPOSE, about=str(event.mail_id))
                    mails.append((event.template, MailPayload.from_bytes(content)))
            await outbox.settle(claimed)
        return mails

    async def mailed_token(self, template: str) -> str:
        ((sent, mail),) = await self.settle()
        assert sent == template
        return mail.values["token"]

    async def account(self, name: str = "ana") -> UserAccount:
        found: UserAccount = await self.api.account_lookup().by_email(an_address(name))
        return found


@pytest_asyncio.fixture
async def processes(api_engine: AsyncEngine, worker_engine: AsyncEngine, system_engine: AsyncEngine) -> AsyncIterator[Processes]:
    running = Processes(api_engine, worker_engine, system_engine)
    yield running
    await running.worker.outbox().close()


def a_registration(name: str = "ana") -> RegisterAccountCommand:
    profile = Profile(display_name="Ana Planted-Name", locale="es", time_zone="America/Mexico_City")
    return RegisterAccountCommand(
        email=f"{name}@example.org", password=PASSWORD, profile=profile, network=NetworkPrefix.of("203.0.113.7")
    )


async def registered(processes: Processes, name: str = "ana") -> UserAccount:
    await processes.api.register_account()(processes.nobody(), a_registration(name))
    token = await processes.mailed_token("verify_address")
    await processes.api.verify_address()(processes.nobody(), VerifyAddressCommand(token=token))
    return await processes.account(name)


async def test_account_lives_from_register_to_close(processes: Processes) -> None:
    api, nobody = processes.api, processes.nobody()
    account = await registered(processes)
    assert account.status is AccountStatus.ACTIVE
    now = api.clock().now()
    session = a_session(account.id, created_at=now)
    async with api.auth_uow()(the_owner_of(account)) as unit:
        await unit.sessions.open(session, a_refresh_token(session, a_secret()))
    owner = the_owner_of(account, session_id=session.id)
    command = UpdateProfileCommand(version=account.version, time_zone="Europe/Madrid")
    assert (await api.update_profile()(owner, command)).profile.time_zone == "Europe/Madrid"
    await api.change_password()(owner, ChangePasswordCommand(old=PASSWORD, new=NEW))
    assert [template for template, _ in await processes.settle()] == ["password_changed"]

    await api.request_password_reset()(nobody, RequestPasswordResetCommand(email="ANA@example.org"))
    reset = await processes.mailed_token("reset_password")
    await api.reset_password()(nobody, ResetPasswordCommand(token=reset, password=PASSWORD))
    async with api.auth_uow()(owner) as unit:
        assert not await unit.sessions.list_live(account.id, at=now)
    await processes.settle()

    await api.request_address_change()(owner, RequestAddressChangeCommand(email="new@example.org"))
    token = await processes.mailed_token("address_change_confirm")
    await api.confirm_address_change()(nobody, ConfirmAddressChangeCommand(token=token))
    undo = await processes.mailed_token("address_changed")
    await api.undo_address_change()(nobody, UndoAddressChangeCommand(token=undo))
    await processes.settle()
    assert (await api.get_account()(owner, GetAccountCommand())).email == account.email

    seen = (await api.list_security_events()(owner, ListSecurityEventsCommand(page=PageRequest(limit=50)))).items
    assert {entry.type for entry in seen} >= {
        "auth.account_registered",
        "auth.address_verified",
        "auth.password_changed",
        "auth.address_changed",
        "auth.token_mailed",
    }
    await api.close_account()(owner, CloseAccountCommand())
    assert [template for template, _ in await processes.settle()] == ["account_closed"]
    assert await api.account_lookup().by_email(an_address("ana")) is None
    assert (await registered(processes)).id != account.id


async def test_proven_address_gets_a_notice_in_the_place_of_an_account(processes: Processes) -> None:
    await registered(processes)
    await processes.api.register_account()(processes.nobody(), a_registration())
    await processes.api.request_address_verification()(
        processes.nobody(), RequestAddressVerificationCommand(email="ana@example.org")
    )
    assert [template for template, _ in await processes.settle()] == ["already_registered"]


async def test_of_parallel_resets_with_one_token_one_wins(processes: Processes) -> None:
    await registered(processes)
    await processes.api.request_password_reset()(processes.nobody(), RequestPasswordResetCommand(email="ana@example.org"))
    token = await processes.mailed_token("reset_password")
    reset = processes.api.reset_password()
    results = await asyncio.gather(
        *(reset(processes.nobody(), ResetPasswordCommand(token=token, password=f"{NEW} {number}")) for number in range(16)),
        return_exceptions=True,
    )
    assert results.count(None) == 1
    assert all(result is None or isinstance(result, CodeRefused) for result in results)
    winner = f"{NEW} {results.index(None)}"
    known = (await processes.account()).password
    assert (await processes.api.password_hasher().verify(winner, known)).is_right


async def test_nothing_personal_lies_open_in_the_database(processes: Processes, database: TestDatabase) -> None:
    account = await registered(processes, "planted.address")
    await processes.api.request_address_change()(
        the_owner_of(account), RequestAddressChangeCommand(email="planted.other@example.org")
    )
    await processes.settle()
    await processes.api.request_password_reset()(
        processes.nobody(), RequestPasswordResetCommand(email="planted.address@example.org")
    )
    await processes.api.register_account()(processes.nobody(), a_registration("planted.third"))
    async with connected(database.administrator) as administrator:
        tables = await administrator.fetch(
            "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'audit')"
        )
        everything = ""
        for table in tables:
            rows = await administrator.fetch(f"select t::text as row from {table['name']} as t")
            everything += "\n".join(row["row"] for row in rows)
    assert str(account.id) in everything, "the search sees what lies open"
    for planted in ("planted", "Planted-Name", PASSWORD):
        found = [form for form in (planted, planted.encode().hex()) if form in everything]
        assert found == []


async def test_unknown_address_is_looked_up_after_keys_were_replaced(api_engine: AsyncEngine) -> None:
    rings = [KeyRing.fresh(), KeyRing.fresh()]
    current = rings[:1]
    sealer = AesGcmSealer(lambda: current[0], index_key=bytes(32))
    lookup = PostgresAccountLookup(api_engine, sealer)
    assert await lookup.by_email(an_address("unknown")) is None
    current[0] = rings[1]
    for _ in range(5_000):
        sealer.seal(sealer.new_key(), b"", about="")  # pushes what was unwrapped out of memory
    for _ in range(2):
        assert await lookup.by_email(an_address("unknown")) is None
