from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from entrypoints.http.cookies import SessionCookies

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """What the HTTP side is told.

    ``allowed_origins`` are exact, ``https://app.example``. ``trusted_hops`` proxies stand in front. Without a ``metrics_token``
    metrics are for this machine alone. ``public_url`` is where people reach the API, and ``sign_in_path`` our page there that
    finishes what was begun at an identity provider.
    """

    cursor_key: bytes
    pseudonym_key: bytes
    environment: str = "development"
    version: str = "0.1.0"
    allowed_origins: frozenset[str] = frozenset()
    shows_docs: bool = True
    largest_body: int = MEBIBYTE
    deadline_seconds: float = 15.0
    trusted_hops: int = 0
    metrics_token: bytes | None = None
    public_url: str = "http://127.0.0.1:8000"
    sign_in_path: str = "/sign-in"

    def __post_init__(self) -> None:
        if any("*" in origin for origin in self.allowed_origins):
            raise ValueError("an origin is named exactly: * would allow every site")

    @property
    def session_cookies(self) -> SessionCookies:
        scheme, _, rest = self.public_url.partition("://")
        return SessionCookies(
            is_secure=scheme == "https" or self.environment != "development",
            own_origin=f"{scheme}://{rest.partition('/')[0]}",
            allowed_origins=self.allowed_origins,
        )
