"""A mail server of our own on a free loopback port, with the moods that a test asks for."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
import warnings
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tradingcore.notifications.ids import MailId
from tradingcore.notifications.model.mail import MailLocale, MailMessage

PASSWORD = b"correct horse"


@dataclass(kw_only=True)
class Moods:
    """Replies that replace the ordinary ones. ``hang`` and ``drop`` name the command at which the server goes silent or away."""

    rcpt: str | None = None
    mail: str | None = None
    data: str | None = None
    hang: str | None = None
    drop: str | None = None
    needs_login: bool = False
    takes_utf8: bool = True


@dataclass
class MailServer:
    moods: Moods = field(default_factory=Moods)
    received: list[EmailMessage] = field(default_factory=list)
    was_encrypted: list[bool] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    open_at_once: int = 0
    most_at_once: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _sessions: list[SMTP] = field(default_factory=list)

    async def start(self, *, context: ssl.SSLContext | None = None, is_implicit: bool = False) -> None:
        loop = asyncio.get_running_loop()

        def session() -> SMTP:
            made = SMTP(
                self,
                loop=loop,
                hostname="mx.test",
                enable_SMTPUTF8=self.moods.takes_utf8,
                tls_context=None if is_implicit else context,
                require_starttls=context is not None and not is_implicit,
                auth_required=self.moods.needs_login,
                auth_require_tls=False,
                authenticator=self._authenticate,
            )
            self._sessions.append(made)
            return made

        warnings.filterwarnings("ignore", message="Requiring AUTH while not requiring TLS")  # pytest undoes it after the test
        self._server = await loop.create_server(session, "127.0.0.1", 0, ssl=context if is_implicit else None)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for session in self._sessions:
                _abort(session)
            await self._server.wait_closed()
        await asyncio.sleep(0)

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password == PASSWORD, handled=False)

    async def _mood(self, command: str, server: SMTP) -> str | None:
        if self.moods.hang == command:
            await asyncio.sleep(60)
        if self.moods.drop == command:
            _abort(server)
            return "421 gone"
        reply: str | None = getattr(self.moods, command, None)
        return reply

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802 - the library's name
        if (reply := await self._mood("mail", server)) is not None:
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802 - likewise
        if (reply := await self._mood("rcpt", server)) is not None:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        self.open_at_once += 1
        self.most_at_once = max(self.most_at_once, self.open_at_once)
        await asyncio.sleep(0.02)
        self.open_at_once -= 1
        if (reply := await self._mood("data", server)) is not None:
            return reply
        assert isinstance(envelope.content, bytes)
        email = message_from_bytes(envelope.content, policy=policy.SMTP)
        assert isinstance(email, EmailMessage)
        self.received.append(email)
        assert server.transport is not None
        self.was_encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return "250 taken"


def _abort(session: SMTP) -> None:
    if session.transport is not None:
        assert isinstance(session.transport, asyncio.Transport)
        session.transport.abort()


def as_message(email: EmailMessage) -> MailMessage:
    """What a mail program shows of it."""
    text, html = email.get_body(("plain",)), email.get_body(("html",))
    assert text is not None
    assert html is not None
    return MailMessage(
        id=MailId(UUID(str(email["Message-ID"]).strip("<>").partition("@")[0])),
        to=str(email["To"]),
        subject=str(email["Subject"]),
        text=text.get_content().replace("\r\n", "\n"),
        html=html.get_content().replace("\r\n", "\n"),
        locale=MailLocale(str(email["Content-Language"])),
    )


def certificate(folder: Path, *, host: str = "127.0.0.1") -> Path:
    """A self-signed certificate of ``host`` with its key in one file; clients trust it by naming the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "mx.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


def server_context(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
