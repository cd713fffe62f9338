"""Pages over HTTP: opaque signed cursors, the ``page`` part of a body, and RFC 8288 links.

A cursor holds the sort key, the id, the direction and a hash of the list that it belongs to: path and filters. It says nothing to a
client and works for no other list. 50 bytes: version, direction, microseconds since 1970, id, list hash, tag (HMAC-SHA-256, cut).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import msgspec
from litestar import Request, Response
from msgspec import Meta

from tradingcore.kernel.errors import FieldError, InvalidInput
from tradingcore.kernel.page import DEFAULT_LIMIT, MAXIMUM_LIMIT, Page, PageRequest, Position

T = TypeVar("T")
B = TypeVar("B")

_VERSION: Final = 1
_AFTER, _BEFORE = 0, 1
_LAYOUT: Final = struct.Struct(">BBq16s8s")
_TAG_BYTES: Final = 16
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class PageQuery(msgspec.Struct, kw_only=True):
    """What every list takes."""

    limit: Annotated[int, Meta(ge=1, le=MAXIMUM_LIMIT, description="rows per page")] = DEFAULT_LIMIT
    cursor: Annotated[str, Meta(max_length=128, description="next_cursor or prev_cursor of a page of this list")] | None = None


class PageInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Where a list goes on. ``has_more`` is about the direction of the list."""

    next_cursor: str | None
    prev_cursor: str | None
    has_more: bool


class Cursors:
    """Seals and opens cursors with one key."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError(f"the cursor key needs 32 bytes, has {len(key)}")
        self._key = key

    def seal(self, request: PageRequest, list_hash: bytes) -> str:
        """Return the cursor for a page that starts at a position."""
        position = request.after or request.before
        assert position is not None, "a page without a position needs no cursor"
        direction = _AFTER if request.after is not None else _BEFORE
        microseconds = (position.at - _EPOCH) // _MICROSECOND
        payload = _LAYOUT.pack(_VERSION, direction, microseconds, position.id.bytes, list_hash)
        return base64.urlsafe_b64encode(payload + self._tag(payload)).rstrip(b"=").decode()

    def open(self, cursor: str, list_hash: bytes, *, limit: int) -> PageRequest:
        """Return the page that a cursor asks for. Raises `InvalidInput`, the same for every reason."""
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _refused() from None
        payload, tag = sealed[: _LAYOUT.size], sealed[_LAYOUT.size :]
        is_ours = len(payload) == _LAYOUT.size and hmac.compare_digest(tag, self._tag(payload))
        # One spelling per cursor: unused bits at the end of base64 must not make a second one.
        if not is_ours or base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != cursor:
            raise _refused()
        version, direction, microseconds, id_bytes, sealed_hash = _LAYOUT.unpack(payload)
        if version != _VERSION or sealed_hash != list_hash:
            raise _refused()
        position = Position(_EPOCH + microseconds * _MICROSECOND, UUID(bytes=id_bytes))
        if direction == _AFTER:
            return PageRequest(limit=limit, after=position)
        return PageRequest(limit=limit, before=position)

    def _tag(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")[:_TAG_BYTES]


def _refused() -> InvalidInput:
    detail = "the cursor does not belong to this list: start at its first page"
    return InvalidInput(detail, errors=(FieldError("/cursor", "invalid_cursor", detail),))


@dataclass(frozen=True, slots=True)
class Paging:
    """The dependency ``paging``: one request for a page of one list."""

    path: str
    filters: tuple[tuple[str, str], ...]
    cursors: Cursors

    @classmethod
    def of(cls, request: Request[Any, Any, Any], cursors: Cursors) -> Paging:
        pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        filters = sorted(pair for pair in pairs if pair[0] not in ("limit", "cursor"))
        return cls(request.scope["path"], tuple(filters), cursors)

    @property
    def list_hash(self) -> bytes:
        return hashlib.sha256(f"{self.path}?{urlencode(self.filters)}".encode()).digest()[:8]

    def request(self, query: PageQuery) -> PageRequest:
        """Raises `InvalidInput` for a cursor that was changed or belongs to another list."""
        if query.cursor is None:
            return PageRequest(limit=query.limit)
        return self.cursors.open(query.cursor, self.list_hash, limit=query.limit)

    def answer(self, query: PageQuery, page: Page[T], make: Callable[[list[T], PageInfo], B]) -> Response[B]:
        """Render ``page`` by ``make``, with its links."""
        cursors = {
            "next": self._cursor(PageRequest(after=page.next) if page.next else None),
            "prev": self._cursor(PageRequest(before=page.prev) if page.prev else None),
        }
        links = [
            f'<{self.path}?{urlencode([*self.filters, ("limit", query.limit), ("cursor", cursor)])}>; rel="{name}"'
            for name, cursor in cursors.items()
            if cursor is not None
        ]
        info = PageInfo(next_cursor=cursors["next"], prev_cursor=cursors["prev"], has_more=page.next is not None)
        return Response(make(list(page.items), info), headers={"Link": ", ".join(links)} if links else {})

    def _cursor(self, request: PageRequest | None) -> str | None:
        return None if request is None else self.cursors.seal(request, self.list_hash)
