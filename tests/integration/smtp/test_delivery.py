"""From a registration at the API to the mail server, through the outbox in PostgreSQL and the relay of the worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.cryptography.key_ring import fixed_ring
from adapters.smtp.mail import SmtpSettings
from entrypoints.container import Container
from entrypoints.relay import Relay
from tests.integration.postgres.server import TestDatabase
from tests.integration.smtp.server import MailServer, Moods, as_message
from tradingcore.auth.model.account import Profile
from tradingcore.auth.use_cases.register_account import RegisterAccountCommand
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.processes.reaction import Reaction
from tradingcore.testing.auth.builders import PASSWORD

RING = fixed_ring()
SECRETS = {"password_pepper": b"p" * 32, "index_key": b"i" * 32, "attempts_key": b"a" * 32}


def a_process(engine: AsyncEngine, system_engine: AsyncEngine, server: MailServer) -> Container:
    return Container(
        storage_kind="postgres",
        engine=engine,
        system_engine=system_engine,
        mail_kind="smtp",
        smtp_settings=SmtpSettings(host="127.0.0.1", port=server.port, tls="none", sender="robot@tradingcore.example"),
        public_url="https://app.example.com",
        secret_of=SECRETS.__getitem__,
        key_rings=RING,
    )


def _reactions_to_accounts(worker: Container) -> list[Reaction[Any]]:
    """Not those of the market, which compile for seconds."""
    factories = [factory for factory in worker.reactions.args if factory.cls.reacts_to.type.startswith("auth.")]
    return [factory() for factory in factories]


@pytest.mark.parametrize("moods", [Moods(), Moods(data="451 4.3.0 try later")], ids=["at once", "after a refusal for now"])
async def test_registration_ends_in_a_mail(
    database: TestDatabase, api_engine: AsyncEngine, worker_engine: AsyncEngine, system_engine: AsyncEngine, moods: Moods
) -> None:
    server = MailServer(moods)
    await server.start()
    api = a_process(api_engine, api_engine, server)
    worker = a_process(worker_engine, system_engine, server)
    outbox = worker.outbox()
    try:
        await api.register_account()(
            Actor.anonymous(api.ids().new_trace_id()),
            RegisterAccountCommand(
                email="ana@example.org", password=PASSWORD, profile=Profile(locale="es"), network=NetworkPrefix("203.0.113.7")
            ),
        )
        relay = Relay(outbox, _reactions_to_accounts(worker))
        await relay.drain()
        if moods.data is not None:
            assert server.received == []
            assert (await outbox.status()).open >= 1
            server.moods = Moods()
            for _ in range(200):
                await outbox.wait(timedelta(milliseconds=100))
                await relay.drain()
                if server.received:
                    break
        (mail,) = [as_message(email) for email in server.received]
        assert (mail.to, mail.subject) == ("ana@example.org", "Confirma tu dirección")
        assert "https://app.example.com/mail/verify-address?lang=es#token=" in mail.text
        status = await outbox.status()
        assert (status.open, status.parked) == (0, 0)
    finally:
        await outbox.close()
        await server.stop()
