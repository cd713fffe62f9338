"""ETags: a client that has the answer already is told so."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response


def with_etag(request: Request[Any, Any, Any], body: msgspec.Struct) -> Response[Any]:
    """Answer with ``body`` and a strong ETag of its bytes, or with 304 when ``If-None-Match`` names it."""
    content = msgspec.json.encode(body)
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return (
        not_modified(etag) if matches(request, etag) else Response(content, headers={"ETag": etag}, media_type="application/json")
    )


def matches(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether ``If-None-Match`` names ``etag``: weak comparison, as RFC 9110 wants it here."""
    named = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return etag in named or named == ["*"]


def not_modified(etag: str, **headers: str) -> Response[None]:
    return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag, **headers})
