"""Who is behind a stream, when it opens and for as long as it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from entrypoints.http.stream.limits import CloseCode, StreamClosed
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.errors import Unavailable

Redeem: TypeAlias = Callable[[str, TraceId], Awaitable[Actor]]
Recheck: TypeAlias = Callable[[Actor], Awaitable[bool]]


class CredentialWatch:
    """Asks again whether credentials hold, each of them at most once per period however many streams it opened."""

    def __init__(self, recheck: Recheck, *, period_seconds: float) -> None:
        self._recheck = recheck
        self._period_seconds = period_seconds
        self._checks: dict[tuple[UUID | None, datetime | None], asyncio.Task[bool]] = {}

    async def require(self, actor: Actor) -> None:
        """Raise `StreamClosed` (4401) when the credential expired or was revoked. When nobody can tell, it holds until they can."""
        # A session has a token for each of its streams, and each token its own end.
        key = (actor.credential_id or actor.user_id, actor.valid_until)
        check = self._checks.get(key)
        if check is None:
            self._checks[key] = check = asyncio.create_task(self._check(actor))
            asyncio.get_running_loop().call_later(self._period_seconds, self._checks.pop, key)
        if not await asyncio.shield(check):
            raise StreamClosed(CloseCode.UNAUTHENTICATED, "the credential expired or was revoked")

    async def _check(self, actor: Actor) -> bool:
        try:
            return await self._recheck(actor)
        except Unavailable:
            return True
