from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.smtp.mail import AT_A_TIME, SmtpMailSender, SmtpSettings
from tests.asvs import asvs
from tests.integration.smtp.server import PASSWORD, MailServer, Moods, as_message, certificate, server_context
from tradingcore.kernel.errors import InvalidInput, TradingCoreError, Unavailable
from tradingcore.notifications.errors import MailRefused
from tradingcore.notifications.model.mail import MailMessage
from tradingcore.notifications.ports import MailSender
from tradingcore.testing.fakes import NOON, FakeClock
from tradingcore.testing.mail import MailSenderContract, a_mail


@pytest_asyncio.fixture
async def server() -> AsyncIterator[MailServer]:
    server = MailServer()
    yield server
    await server.stop()


def a_sender(server: MailServer, **overrides: Any) -> SmtpMailSender:
    fields: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": server.port,
        "tls": "none",
        "sender": "robot@tradingcore.example",
        "timeout_seconds": 20.0,
    }
    return SmtpMailSender(SmtpSettings(**(fields | overrides)), FakeClock())


class TestSmtpMailSender(MailSenderContract):
    @pytest_asyncio.fixture(autouse=True)
    async def _started(self, server: MailServer) -> None:
        await server.start()
        self.server = server

    @pytest.fixture
    def sender(self, _started: None, server: MailServer) -> MailSender:
        return a_sender(server)

    async def delivered(self, sender: Any) -> list[MailMessage]:
        return [as_message(email) for email in self.server.received]


async def test_headers_say_who_when_and_that_a_machine_wrote(server: MailServer) -> None:
    await server.start()
    mail = a_mail()
    await a_sender(server).send(mail)
    (email,) = server.received
    assert email["From"] == "tradingcore <robot@tradingcore.example>"
    assert parsedate_to_datetime(email["Date"]) == NOON
    assert email["Message-ID"] == f"<{mail.id}@tradingcore.example>"
    assert email["Auto-Submitted"] == "auto-generated"
    assert email.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in email.iter_parts()] == ["text/plain", "text/html"]


async def test_address_beyond_ascii_arrives(server: MailServer) -> None:
    await server.start()
    await a_sender(server).send(a_mail(to="josé@correo.example"))
    assert [str(email["To"]) for email in server.received] == ["josé@correo.example"]


async def test_address_beyond_ascii_is_refused_by_an_old_server(server: MailServer) -> None:
    server.moods.takes_utf8 = False
    await server.start()
    with pytest.raises(MailRefused, match="letters beyond ASCII"):
        await a_sender(server).send(a_mail(to="josé@correo.example"))


@pytest.mark.parametrize(
    ("moods", "error"),
    [
        (Moods(rcpt="550 5.1.1 no such mailbox ana@example.com"), MailRefused),
        (Moods(data="554 5.6.0 looks like spam"), MailRefused),
        (Moods(rcpt="451 4.3.0 greylisted, try later"), Unavailable),
        (Moods(data="452 4.2.2 mailbox full"), Unavailable),
        (Moods(mail="550 5.7.1 sender not allowed"), Unavailable),
        (Moods(drop="rcpt"), Unavailable),
        (Moods(drop="data"), Unavailable),
        (Moods(hang="rcpt"), Unavailable),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_what_is_for_good_and_what_may_come_right(server: MailServer, moods: Moods, error: type[TradingCoreError]) -> None:
    server.moods = moods
    await server.start()
    with pytest.raises(error) as caught:
        await a_sender(server, timeout_seconds=0.3 if moods.hang else 20.0).send(a_mail())
    assert type(caught.value) is error
    # What ends in logs and dead letters holds no address.
    assert "ana@" not in str(caught.value)
    assert server.received == []


async def test_server_that_is_away_is_unavailable(server: MailServer) -> None:
    await server.start()
    await server.stop()
    with pytest.raises(Unavailable, match="takes no mail now"):
        await a_sender(server).send(a_mail())


async def test_server_that_drips_holds_no_place_for_ever() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"220-wait\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with listener:
        sender = SmtpMailSender(
            SmtpSettings(
                host="127.0.0.1",
                port=listener.sockets[0].getsockname()[1],
                tls="none",
                sender="a@b.example",
                timeout_seconds=0.2,
            ),
            FakeClock(),
        )
        with pytest.raises(Unavailable):
            await asyncio.wait_for(sender.send(a_mail()), timeout=5)


@asvs("13.2.6")
async def test_mails_at_a_time_are_bounded(server: MailServer) -> None:
    await server.start()
    sender = a_sender(server, timeout_seconds=10.0)
    await asyncio.gather(*(sender.send(a_mail()) for _ in range(20)))
    assert len(server.received) == 20
    assert server.most_at_once <= AT_A_TIME


@asvs("12.3.1", "12.3.2")
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_encrypted_delivery_to_a_server_that_is_trusted(server: MailServer, tmp_path: Path, tls: str) -> None:
    file = certificate(tmp_path)
    await server.start(context=server_context(file), is_implicit=tls == "implicit")
    await a_sender(server, tls=tls, authority=file).send(a_mail())
    assert server.was_encrypted == [True]


@asvs("12.3.2")
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_certificate_that_nobody_vouches_for_is_refused(server: MailServer, tmp_path: Path, tls: str) -> None:
    await server.start(context=server_context(certificate(tmp_path)), is_implicit=tls == "implicit")
    with pytest.raises(Unavailable, match="takes no mail now"):
        await a_sender(server, tls=tls).send(a_mail())
    assert server.received == []


@asvs("12.3.2")
async def test_certificate_of_another_host_is_refused(server: MailServer, tmp_path: Path) -> None:
    file = certificate(tmp_path, host="127.0.0.2")
    await server.start(context=server_context(file))
    with pytest.raises(Unavailable):
        await a_sender(server, tls="starttls", authority=file).send(a_mail())
    assert server.received == []


@asvs("12.3.1")
async def test_server_without_starttls_gets_nothing_in_the_clear(server: MailServer) -> None:
    await server.start()
    with pytest.raises(Unavailable):
        await a_sender(server, tls="starttls", user="robot", password=PASSWORD.decode()).send(a_mail())
    assert (server.received, server.logins) == ([], [])


async def test_login_is_used_and_a_wrong_one_is_the_operators_to_mend(server: MailServer) -> None:
    server.moods.needs_login = True
    await server.start()
    await a_sender(server, user="robot", password=PASSWORD.decode()).send(a_mail())
    assert server.logins == ["robot"]
    with pytest.raises(Unavailable, match="does not accept the login") as caught:
        await a_sender(server, user="robot", password="hunter2 hunter2").send(a_mail())
    assert "hunter2" not in str(caught.value)


def test_sender_must_be_an_address() -> None:
    with pytest.raises(InvalidInput, match="name@domain"):
        SmtpMailSender(SmtpSettings(host="localhost", tls="none", sender="robot\r\nBcc: x@y"), FakeClock())
