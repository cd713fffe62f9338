"""ETags: a client that has the answer already is told so."""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request, Response

from entrypoints.http.problems import PreconditionFailed, PreconditionRequired

_VERSION_TAG: Final = '"v{}"'
_KNOWN_TAG: Final = re.compile('"v([0-9]{1,18})"')


def with_etag(request: Request[Any, Any, Any], body: msgspec.Struct) -> Response[Any]:
    """Answer with ``body`` and a strong ETag of its bytes, or with 304 when ``If-None-Match`` names it."""
    content = msgspec.json.encode(body)
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return (
        not_modified(etag) if matches(request, etag) else Response(content, headers={"ETag": etag}, media_type="application/json")
    )


def with_version(request: Request[Any, Any, Any], body: msgspec.Struct, version: int) -> Response[Any]:
    """Answer with ``body`` and the version of what it shows as its ETag, or with 304 when ``If-None-Match`` names it."""
    etag = _VERSION_TAG.format(version)
    if request.method == "GET" and matches(request, etag):
        return not_modified(etag)
    return Response(msgspec.json.encode(body), headers={"ETag": etag}, media_type="application/json")


def required_version(request: Request[Any, Any, Any]) -> int:
    """The version that ``If-Match`` names. Raises `PreconditionRequired` without one, `PreconditionFailed` for none of ours."""
    named = request.headers.get("if-match")
    if named is None:
        raise PreconditionRequired("read it first, and send its ETag as If-Match: somebody may have changed it meanwhile")
    known = _KNOWN_TAG.fullmatch(named.strip())
    if known is None:
        raise PreconditionFailed("If-Match names no version of this: send the ETag as it came")
    return int(known.group(1))


def matches(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether ``If-None-Match`` names ``etag``: weak comparison, as RFC 9110 wants it here."""
    named = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return etag in named or named == ["*"]


def not_modified(etag: str, **headers: str) -> Response[None]:
    return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag, **headers})
