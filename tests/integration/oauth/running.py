"""An API server of this process on a free port, and a browser for it."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from entrypoints.http.server import ApiServer
from entrypoints.platform import ProcessKind, running
from entrypoints.sections import HttpSection
from entrypoints.settings import Settings

API = "/api/v1/auth"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[str]:
    """Run the API on storage memory; yields its address."""
    settings = Settings(storage="memory", http=HttpSection(port=free_port()), **options)
    async with running(settings, ProcessKind.API) as platform:
        server = ApiServer(platform)
        listener = server.listen()
        task = asyncio.create_task(server.serve(listener))
        try:
            yield settings.public_url
        finally:
            server.stop()
            await task


class Browser:
    """Keeps cookies, follows nothing by itself, and fills in the forms that it is shown."""

    def __init__(self, address: str) -> None:
        self.address = address
        # No connection is kept, so that none is left to close.
        self.http = httpx2.AsyncClient(timeout=20.0, limits=httpx2.Limits(max_keepalive_connections=0))

    async def json(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        answer = await self.http.request(method, f"{self.address}{path}", json=body, headers=headers)
        return answer.status_code, answer.json() if answer.content else None

    async def begin(self, provider: str, **body: str) -> str:
        status, found = await self.json("POST", f"{API}/providers/{provider}/authorizations", body)
        assert status == 201, found
        url: str = found["authorization_url"]
        return url

    async def choose(self, url: str, subject: str) -> str:
        """Answer the page of the local provider, and return where it sends us."""
        page = await self.http.get(url)
        assert page.status_code == 200, page.text
        found = re.search(r'name="question" value="([^"]+)"', page.text)
        assert found is not None
        answer = await self.http.post(
            f"{self.address}/dev/identity/authorize", data={"question": unescape(found.group(1)), "subject": subject}
        )
        assert answer.status_code == 303
        location: str = answer.headers["location"]
        return location

    async def come_back(self, location: str) -> Mapping[str, str]:
        """Go to the callback, and return what our own page is told."""
        answer = await self.http.get(location)
        assert answer.status_code == 303, answer.text
        address = urlsplit(answer.headers["location"])
        assert (address.netloc, address.path) == ("", "/sign-in")
        return dict(parse_qsl(address.fragment))

    async def complete(self, told: Mapping[str, str], **body: str) -> tuple[int, Any]:
        return await self.json("POST", f"{API}/providers/completions", {"handle": told["handle"], **body})
