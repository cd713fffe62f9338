"""What a browser holds while its person is at an identity provider, and where it is sent afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec
from litestar import Request, Response
from litestar.datastructures import Cookie

from entrypoints.http.inputs import FromQuery
from entrypoints.http.problems import Refused
from tradingcore.auth.model.oauth_flow import FLOW_LIFETIME, ProviderAnswer

LARGEST_FORM: Final = 16 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthBrowser:
    """``sign_in_path`` is our page that finishes sign-ins; it gets what it needs after the #, which no server and no log sees."""

    is_secure: bool
    sign_in_path: str

    @property
    def cookie_name(self) -> str:
        return "__Host-oauth" if self.is_secure else "tradingcore-oauth"

    def secret_of(self, request: Request[Any, Any, Any]) -> str:
        """Empty for a browser that has begun nothing."""
        return request.cookies.get(self.cookie_name) or ""

    def keeping(self, secret: str) -> Cookie:
        # Lax: the provider leads the browser back to us, and the last step is ours again.
        return self._cookie(secret, int(FLOW_LIFETIME.total_seconds()))

    def forgetting(self) -> Cookie:
        return self._cookie("", 0)

    def back(self, **fields: str) -> Response[None]:
        """Send the browser to our own page: a path, so that no header of the request decides where that is."""
        location = f"{self.sign_in_path}#{urlencode(fields)}"
        return Response(None, status_code=HTTPStatus.SEE_OTHER, headers={"Location": location, "Cache-Control": "no-store"})

    def _cookie(self, value: str, seconds: int) -> Cookie:
        return Cookie(
            key=self.cookie_name,
            value=value,
            max_age=seconds,
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite="lax",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackFields:
    """``state`` is empty where there is none, or more than one."""

    state: str
    answer: ProviderAnswer


class FromCallback(FromQuery):
    """The query of a callback. Providers add fields as they like: what is not known is left aside, not refused."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_AnyQuery)

        def read(request: Request[Any, Any, Any]) -> CallbackFields:
            return _callback_fields(request.scope["query_string"])

        self.dependency = read


class _AnyQuery(msgspec.Struct):
    pass


async def posted_fields(request: Request[Any, Any, Any]) -> CallbackFields:
    """The same out of a form that was posted (OAuth 2.0 Form Post Response Mode)."""
    return _callback_fields(await posted_form(request))


async def posted_form(request: Request[Any, Any, Any]) -> bytes:
    """A small form, as it was sent."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", f"send the body as {_FORM}")
    body = await request.body()
    if len(body) > LARGEST_FORM:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "content_too_large", f"this form has at most {LARGEST_FORM} bytes")
    return body


def fields_of(form: bytes) -> dict[str, str]:
    """Fields that are there exactly once: of two, neither is what was meant (RFC 6749 3.1)."""
    try:
        pairs = parse_qsl(form.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except (ValueError, UnicodeError):
        return {}
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}


def _callback_fields(form: bytes) -> CallbackFields:
    given = fields_of(form)
    answer = ProviderAnswer(code=given.get("code"), error=given.get("error"), issuer=given.get("iss"), user=given.get("user"))
    return CallbackFields(state=given.get("state", ""), answer=answer)
