"""A real TLS server behind a name that only the given resolver knows: what is dialled, asked for and trusted."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.httpx2.egress import EgressRefused, EgressRules, egress_client
from tests.asvs import asvs

NAME = "shop.example.com"
DEVELOPMENT = EgressRules(hosts=frozenset({NAME}), allows_loopback=True, retries=0)


def a_certificate(folder: Path, name: str) -> Path:
    """A file with a fresh key and a certificate for ``name`` that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file


class Shop:
    """Answers every request with its head, and remembers which name TLS was asked for."""

    def __init__(self, certificate: Path) -> None:
        self.names: list[str | None] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.context.sni_callback = lambda _socket, name, _context: self.names.append(name)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self.context)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (len(head), head))
        await writer.drain()
        writer.close()


async def _here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@asvs("12.3.2", "1.3.6")
async def test_a_pinned_call_asks_for_the_name_and_checks_its_certificate(tmp_path: Path) -> None:
    file = a_certificate(tmp_path, NAME)
    shop = Shop(file)
    trusted = ssl.create_default_context(cafile=str(file))
    async with shop.open() as port, egress_client(DEVELOPMENT, resolve=_here, tls=trusted) as client:
        answer = await client.get(f"https://{NAME}:{port}/items?n=1")
    assert answer.text.startswith("GET /items?n=1 HTTP/1.1\r\n")
    assert f"host: {NAME}:{port}\r\n" in answer.text.lower()
    assert shop.names == [NAME]


@asvs("12.3.2")
async def test_the_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    file = a_certificate(tmp_path, "evil.example.net")
    trusted = ssl.create_default_context(cafile=str(file))
    async with Shop(file).open() as port, egress_client(DEVELOPMENT, resolve=_here, tls=trusted) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"https://{NAME}:{port}/")


@asvs("12.3.2")
async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async with Shop(a_certificate(tmp_path, NAME)).open() as port, egress_client(DEVELOPMENT, resolve=_here) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"https://{NAME}:{port}/")


async def test_outside_development_the_same_server_is_not_even_dialled(tmp_path: Path) -> None:
    file = a_certificate(tmp_path, NAME)
    shop = Shop(file)
    rules = EgressRules(hosts=frozenset({NAME}))
    async with shop.open(), egress_client(rules, resolve=_here) as client:
        with pytest.raises(EgressRefused):
            await client.get(f"https://{NAME}/")
    assert shop.names == []


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    file = a_certificate(tmp_path, NAME)
    trusted = ssl.create_default_context(cafile=str(file))
    async with Shop(file).open() as port, egress_client(DEVELOPMENT, resolve=_here, tls=trusted) as client:
        assert (await client.get(f"https://{NAME}:{port}/")).status_code == 200
