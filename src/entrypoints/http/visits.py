"""One connection from outside: who is at its other end, and what it may still ask."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final, cast

from litestar import Request

from entrypoints.http.peer import Peer
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import TooManyAttempts
from tradingcore.kernel.limits import RateState
from tradingcore.kernel.ports import RateLimiter

LIMITED_PATHS: Final = "/api/"
"""What is under it counts against the general limit; probes, metrics, pages and documents do not."""

_STATE_KEY: Final = "tradingcore_visit"


class TooManyRequests(TooManyAttempts):
    """The general limit: of a user, or of the network of somebody unknown."""

    code: ClassVar[str] = "too_many_requests"
    title: ClassVar[str] = "Too many requests"


class Visit:
    """``limiter`` is ``None`` where requests are not limited."""

    __slots__ = ("_limiter", "peer", "rate")

    def __init__(self, peer: Peer, limiter: RateLimiter | None) -> None:
        self.peer = peer
        self._limiter = limiter
        self.rate: RateState | None = None
        """What the last request that was counted left."""

    @property
    def is_counted(self) -> bool:
        return self.rate is not None or self._limiter is None

    @property
    def is_over(self) -> bool:
        """Whether the last request was one too many."""
        return self.rate is not None and not self.rate.is_allowed

    async def count(self, actor: Actor | None = None) -> None:
        """Count a request, of ``actor`` or of the network that it comes from. Raises `TooManyRequests`."""
        if self._limiter is None:
            return
        self.rate = rate = await self._limiter.hit(self._key_of(actor))
        if not rate.is_allowed:
            raise TooManyRequests(
                f"at most {rate.limit} requests in {rate.window_seconds} s: the header Retry-After says when to come back",
                retry_after_seconds=rate.reset_seconds,
            )

    def _key_of(self, actor: Actor | None) -> str:
        if actor is not None and (known := actor.user_id or actor.credential_id) is not None:
            return f"user:{known}"
        return f"network:{self.peer.network}"

    def headers(self) -> dict[bytes, bytes]:
        """What an answer says of the limit (draft-ietf-httpapi-ratelimit-headers)."""
        rate = self.rate
        if rate is None:
            return {}
        return {
            b"ratelimit-policy": f'"general";q={rate.limit};w={rate.window_seconds}'.encode(),
            b"ratelimit": f'"general";r={rate.remaining};t={math.ceil(rate.reset_seconds)}'.encode(),
        }


def remember_visit(scope: Any, visit: Visit) -> None:
    scope.setdefault("state", {})[_STATE_KEY] = visit


def visit_of(scope: Any) -> Visit:
    """The visit that a connection's ASGI scope belongs to."""
    return cast(Visit, scope["state"][_STATE_KEY])


def peer_of(request: Request[Any, Any, Any]) -> Peer:
    """The dependency ``peer`` of the handlers."""
    return visit_of(request.scope).peer
