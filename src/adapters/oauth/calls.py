"""Calls to a provider. The client that is handed in limits time, size and addresses; here answers are read with distrust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx2

from tradingcore.auth.errors import IdentityRefused
from tradingcore.auth.model.identity import Provider
from tradingcore.kernel.errors import Unavailable

LARGEST_ANSWER: Final = 256 * 1024
_HEADERS: Final = {"Accept": "application/json", "User-Agent": "tradingcore"}


@dataclass(frozen=True, slots=True)
class Answer:
    """``value`` is the JSON that came: an object or a list."""

    status: int
    value: Any

    @property
    def is_ok(self) -> bool:
        return self.status == HTTPStatus.OK

    def as_object(self) -> Mapping[str, Any]:
        return self.value if isinstance(self.value, dict) else {}


class ProviderCalls:
    """GET and POST for JSON. Raises `Unavailable` for everything that is not the provider's own yes or no."""

    def __init__(self, provider: Provider, client: httpx2.AsyncClient) -> None:
        self.provider = provider
        self._client = client

    async def get(self, url: str, *, token: str | None = None, **options: Any) -> Answer:
        """``token`` travels in a header, where no log of addresses holds it."""
        headers = _HEADERS | options.pop("headers", {})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return await self._send("GET", url, headers=headers, **options)

    async def post(self, url: str, body: str, *, headers: Mapping[str, str]) -> Answer:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self._send("POST", url, content=body, headers={**_HEADERS, **form, **headers})

    async def _send(self, method: str, url: str, **options: Any) -> Answer:
        try:
            response = await self._client.request(method, url, follow_redirects=False, **options)
        except httpx2.HTTPError:
            raise self.unavailable("cannot be reached") from None
        # A redirect is not followed: it may lead a secret to somebody else.
        if response.status_code < HTTPStatus.OK or HTTPStatus.MULTIPLE_CHOICES <= response.status_code < HTTPStatus.BAD_REQUEST:
            raise self.unavailable("answers with a redirect, which is not followed")
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self.unavailable("is overloaded or down")
        if len(response.content) > LARGEST_ANSWER:
            raise self.unavailable("answers with more than it should")
        try:
            return Answer(response.status_code, response.json())
        except (ValueError, RecursionError):
            raise self.unavailable("answers with something that is not JSON") from None

    def refused(self, reason: str) -> IdentityRefused:
        return refused(self.provider, reason)

    def unavailable(self, what: str) -> Unavailable:
        return Unavailable(f"{self.provider.value} {what}: try again shortly, or sign in another way")


def refused(provider: Provider, reason: str) -> IdentityRefused:
    return IdentityRefused(f"{provider.value} did not prove who you are: begin again", reason=reason)
