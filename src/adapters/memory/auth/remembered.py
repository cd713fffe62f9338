"""What a process remembers of sessions and keys, so that most requests ask the database nothing.

An entry is forgotten as soon as the feed names its user. While the feed is silent for too long nothing remembered is believed:
every look-up reads the row.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Hashable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final, Generic, TypeVar

from tradingcore.auth.ids import ApiKeyId, SessionId
from tradingcore.auth.model.access_token import AccessClaims
from tradingcore.auth.model.api_key import ApiKey
from tradingcore.auth.model.session import Session
from tradingcore.auth.ports.keys import ApiKeyLookup
from tradingcore.auth.ports.sessions import RightsChange, RightsFeed, SessionLookup, SessionOwner
from tradingcore.auth.ports.tokens import AccessTokens
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import TradingCoreError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

POLL: Final = timedelta(seconds=2.5)
"""With the period at which streams look again at their credentials this stays below 5 s, whatever becomes of the wake-up calls."""
STALE_SECONDS: Final = 15.0
WINDOW: Final = timedelta(minutes=2)
"""Changes are read again for so long: one takes its number before it commits, and no transaction of ours lasts longer."""
BURST_SECONDS: Final = 0.05
"""Between two looks, so that a thousand changes a second are a few reads."""
LONGEST_SECONDS: Final = 60.0
MOST_ENTRIES: Final = 10_000


class RightsWatch:
    """Follows the feed for what this process remembers: keep `follow` running while anything is served."""

    def __init__(self, feed: RightsFeed, *, now: Callable[[], float] = monotonic, poll: timedelta = POLL) -> None:
        self.now = now
        self.news = 0
        """Grows with all that is heard: whoever has read a row knows whether it may have changed meanwhile."""
        self._feed = feed
        self._poll = poll
        self._memories: list[_Memory[Any, Any]] = []
        self._known: set[int] = set()
        self._heard_at: float | None = None

    @property
    def is_current(self) -> bool:
        return self._heard_at is not None and self.now() - self._heard_at < STALE_SECONDS

    async def follow(self) -> None:
        """Run until cancelled; a feed that is away is asked again and again."""
        while True:
            await self.look()
            await self._feed.wait(self._poll)
            await asyncio.sleep(BURST_SECONDS)

    async def look(self) -> None:
        """Hear what is new."""
        asked_at = self.now()
        try:
            changes = await self._feed.changes(within=WINDOW)
        except TradingCoreError:
            return  # what was heard grows stale by itself
        self._hear(changes, asked_at)

    def _hear(self, changes: Sequence[RightsChange], asked_at: float) -> None:
        if self._heard_at is None or asked_at - self._heard_at > WINDOW.total_seconds() / 2:
            # Something may have come and gone unheard.
            self.news += 1
            for memory in self._memories:
                memory.clear()
        for change in changes:
            if change.sequence not in self._known:
                self.news += 1
                for memory in self._memories:
                    memory.forget(change.user_id)
        self._known = {change.sequence for change in changes}
        self._heard_at = asked_at

    def keep(self, memory: _Memory[Any, Any]) -> None:
        self._memories.append(memory)


class _Memory(Generic[K, V]):
    """Values by key, each of one user."""

    def __init__(self, watch: RightsWatch, read: Callable[[K], Awaitable[V | None]], owner_of: Callable[[V], UserId]) -> None:
        self._watch = watch
        self._read = read
        self._owner_of = owner_of
        self._entries: dict[K, tuple[V, float]] = {}
        self._of_user: dict[UserId, set[K]] = {}
        watch.keep(self)

    async def get(self, key: K) -> V | None:
        watch = self._watch
        if not watch.is_current:
            return await self._read(key)
        value, since = self._entries.get(key, (None, 0.0))
        if value is not None and watch.now() - since < LONGEST_SECONDS:
            return value
        news = watch.news
        value = await self._read(key)
        if value is not None and news == watch.news:
            self._store(key, value)
        return value

    def _store(self, key: K, value: V) -> None:
        self._drop(key)
        while len(self._entries) >= MOST_ENTRIES:
            self._drop(next(iter(self._entries)))
        self._entries[key] = (value, self._watch.now())
        self._of_user.setdefault(self._owner_of(value), set()).add(key)

    def _drop(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            user_id = self._owner_of(entry[0])
            keys = self._of_user[user_id]
            keys.discard(key)
            if not keys:
                del self._of_user[user_id]

    def forget(self, user_id: UserId) -> None:
        for key in tuple(self._of_user.get(user_id, ())):
            self._drop(key)

    def clear(self) -> None:
        self._entries.clear()
        self._of_user.clear()


class RememberedSessionLookup(SessionLookup):
    """Remembers owners; refresh tokens are looked up every time."""

    def __init__(self, sessions: SessionLookup, watch: RightsWatch) -> None:
        self._sessions = sessions

        async def read(key: tuple[SessionId, UserId]) -> SessionOwner | None:
            return await sessions.for_authentication(*key)

        self._memory = _Memory(watch, read, lambda owner: owner.account.id)

    async def for_authentication(self, session_id: SessionId, user_id: UserId) -> SessionOwner | None:
        return await self._memory.get((session_id, user_id))

    async def by_refresh_token(self, token_hash: bytes) -> Session | None:
        return await self._sessions.by_refresh_token(token_hash)


class RememberedApiKeyLookup(ApiKeyLookup):
    def __init__(self, keys: ApiKeyLookup, watch: RightsWatch) -> None:
        self._memory: _Memory[ApiKeyId, ApiKey] = _Memory(watch, keys.find_for_authentication, lambda key: key.user.id)

    async def find_for_authentication(self, key_id: ApiKeyId) -> ApiKey | None:
        return await self._memory.get(key_id)


class RememberedAccessTokens(AccessTokens):
    """Checks a signature once a minute, not once a request: what a token says does not change, and its end is looked at each time.

    A signing key that is taken away counts for as long as that. Tokens are remembered by their hash.
    """

    def __init__(self, tokens: AccessTokens, *, now: Callable[[], float] = monotonic) -> None:
        self._tokens = tokens
        self._now = now
        self._verified: dict[bytes, tuple[AccessClaims, float]] = {}

    def issue(self, claims: AccessClaims) -> str:
        return self._tokens.issue(claims)

    def verify(self, token: str, *, at: datetime) -> AccessClaims:
        key = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known, now = self._verified.get(key), self._now()
        if known is not None and now - known[1] < LONGEST_SECONDS and known[0].is_valid_at(at):
            return known[0]
        self._verified.pop(key, None)
        claims = self._tokens.verify(token, at=at)
        if len(self._verified) >= MOST_ENTRIES:
            del self._verified[next(iter(self._verified))]
        self._verified[key] = (claims, now)
        return claims
