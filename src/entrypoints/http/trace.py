"""Which call this is: the request's own id, and its place in a trace (W3C Trace Context)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from tradingcore.kernel.authz import TraceId

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_STATE_KEY: Final = "tradingcore_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    request_id: str
    trace_id: TraceId
    span_id: str

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"


def call_from(headers: Iterable[tuple[bytes, bytes]]) -> Call:
    """Take over the ids that a client sent, where they are well formed, and make the others."""
    sent = {name: value.decode("latin-1") for name, value in headers if name in (b"x-request-id", b"traceparent")}
    request_id = sent.get(b"x-request-id", "")
    parent = _TRACEPARENT.fullmatch(sent.get(b"traceparent", ""))
    return Call(
        request_id=request_id if _REQUEST_ID.fullmatch(request_id) else secrets.token_hex(16),
        trace_id=TraceId(parent.group(1) if parent else secrets.token_hex(16)),
        span_id=secrets.token_hex(8),
    )


def remember_call(scope: Any, call: Call) -> None:
    scope.setdefault("state", {})[_STATE_KEY] = call


def call_of(scope: Any) -> Call:
    """The call that a connection's ASGI scope belongs to."""
    return cast(Call, scope["state"][_STATE_KEY])
