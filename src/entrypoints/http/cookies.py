"""Cookies, for browsers that ask for them: the refresh token and the trusted device. No other route looks at a cookie.

Whoever answers to a cookie must know that a page of ours sends it, and not a stranger's (ASVS 3.5): a header that no form can send,
JSON, a known ``Origin``, and the browser's own word in ``Sec-Fetch-Site``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from litestar import Request
from litestar.datastructures import Cookie

from entrypoints.http.problems import Refused

GUARD_HEADER: Final = "x-tradingcore-csrf"
"""Any value will do: only a script of an allowed origin can send it at all."""
PATHS_WITH_COOKIES: Final = frozenset(
    {"/api/v1/auth/sign-in", "/api/v1/auth/challenges", "/api/v1/auth/refresh", "/api/v1/auth/sign-out"}
)
"""Where pages of other allowed origins may send and receive cookies."""
_OWN_SITE: Final = frozenset({"same-origin", "same-site"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCookies:
    """``is_secure`` but on a developer's machine without TLS, where browsers keep no ``__Host-`` cookie: there it has another name.

    ``own_origin`` is that of our own pages; ``allowed_origins`` are the others.
    """

    is_secure: bool
    own_origin: str
    allowed_origins: frozenset[str] = frozenset()

    @property
    def refresh_name(self) -> str:
        return "__Host-rt" if self.is_secure else "tradingcore-rt"

    @property
    def device_name(self) -> str:
        return "__Host-td" if self.is_secure else "tradingcore-td"

    def refresh_token(self, request: Request[Any, Any, Any]) -> str | None:
        """The refresh token that a page of ours sent as a cookie; `require_own_page` first."""
        return request.cookies.get(self.refresh_name) or None

    def trusted_device(self, request: Request[Any, Any, Any]) -> str | None:
        """What it gives is an easier sign-in with the right password, so that it needs no guard."""
        return request.cookies.get(self.device_name) or None

    def require_own_page(self, request: Request[Any, Any, Any]) -> None:
        """Raise `Refused` for a request that a page of somebody else may have caused."""
        origin = request.headers.get("origin")
        is_known = origin is not None and (origin == self.own_origin or origin in self.allowed_origins)
        is_own_site = request.headers.get("sec-fetch-site") in _OWN_SITE
        if not is_known or not is_own_site or not request.headers.get(GUARD_HEADER):
            detail = f"cookies are for scripts of an allowed origin on the same site, with the header {GUARD_HEADER}"
            raise Refused(HTTPStatus.FORBIDDEN, "origin_refused", detail)

    def keeping_refresh_token(self, token: str, *, expires_at: datetime, now: datetime) -> Cookie:
        return self._cookie(self.refresh_name, token, int((expires_at - now).total_seconds()))

    def keeping_device(self, token: str, *, expires_at: datetime, now: datetime) -> Cookie:
        return self._cookie(self.device_name, token, int((expires_at - now).total_seconds()))

    def forgetting_refresh_token(self) -> Cookie:
        return self._cookie(self.refresh_name, "", 0)

    def _cookie(self, name: str, value: str, seconds: int) -> Cookie:
        return Cookie(key=name, value=value, max_age=seconds, path="/", secure=self.is_secure, httponly=True, samesite="strict")
