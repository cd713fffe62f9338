from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from adapters.redis import scripts
from tradingcore.kernel.errors import TooManyAttempts, Unavailable
from tradingcore.kernel.limits import AttemptKey, Excess, Quota, RateState, Reservation, retry_after
from tradingcore.kernel.ports import AttemptLimiter, RateLimiter

COMMAND_TIMEOUT_SECONDS: Final = 0.2
CONNECT_TIMEOUT_SECONDS: Final = 0.5
_MICROSECOND: Final = timedelta(microseconds=1)
_OPTIONS: Final[dict[str, Any]] = {
    "protocol": 2,
    # Once more on a connection that the server closed meanwhile: an attempt is then counted twice at worst. Never after a timeout.
    "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    "socket_timeout": COMMAND_TIMEOUT_SECONDS,
    "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
}


class RedisAttemptLimiter(AttemptLimiter):
    """Attempts in Redis 6.2 or newer, or Valkey: a sorted set per bucket and subject, changed by one script.

    Times are the server's. All keys share one slot of a cluster, as one script must reach them all. The server must not evict keys
    (``maxmemory-policy noeviction``): a counter that vanishes is an attacker's fresh start.
    """

    def __init__(self, url: str, *, namespace: str = "tradingcore") -> None:
        self._client: Any = Redis.from_url(url, **_OPTIONS)
        self._prefix = f"{{{namespace}:attempts}}"
        self._reserve = self._client.register_script(scripts.RESERVE)

    async def reserve(self, keys: Sequence[AttemptKey]) -> Reservation:
        name = secrets.token_hex(12)
        arguments: list[str | int] = [name]
        for key in keys:
            bucket = key.bucket
            arguments += (
                bucket.limit,
                bucket.window // _MICROSECOND,
                int(bucket.is_consecutive),
                int(bucket.excess is Excess.CHALLENGE),
            )
        with _unavailable():
            wait, is_challenged = await self._reserve(keys=self._names(keys), args=arguments)
        if wait:
            raise TooManyAttempts(
                "too many attempts: wait before the next one", retry_after_seconds=retry_after([wait * _MICROSECOND])
            )
        return Reservation(id=name, keys=tuple(keys), needs_challenge=bool(is_challenged))

    async def refund(self, reservation: Reservation) -> None:
        with _unavailable():
            async with self._client.pipeline(transaction=True) as pipeline:
                for name in self._names(reservation.keys):
                    pipeline.zrem(name, reservation.id)
                await pipeline.execute()

    async def clear(self, keys: Sequence[AttemptKey]) -> None:
        if keys:
            with _unavailable():
                await self._client.delete(*self._names(keys))

    def _names(self, keys: Sequence[AttemptKey]) -> list[str]:
        return [f"{self._prefix}:{key.bucket.name}:{key.subject.hex()}" for key in keys]

    async def aclose(self) -> None:
        await self._client.aclose()


class RedisRateLimiter(RateLimiter):
    """Requests in Redis, by the moving window of the library ``limits``. Times are those of the processes that ask."""

    def __init__(self, url: str, quota: Quota, *, namespace: str = "tradingcore") -> None:
        self._quota = quota
        self._item: RateLimitItem = RateLimitItemPerSecond(quota.limit, quota.window_seconds, namespace=namespace)
        self._storage: Any = RedisStorage(f"async+{url}", implementation="redispy", **_OPTIONS)
        self._limiter = MovingWindowRateLimiter(self._storage)

    async def hit(self, key: str) -> RateState:
        with _unavailable():
            is_allowed = await self._limiter.hit(self._item, key)
            resets_at, remaining = await self._limiter.get_window_stats(self._item, key)
        quota = self._quota
        return RateState(
            limit=quota.limit,
            window_seconds=quota.window_seconds,
            remaining=max(0, remaining) if is_allowed else 0,
            reset_seconds=min(max(resets_at - time.time(), 0.001), quota.window_seconds),
            is_allowed=is_allowed,
        )

    async def aclose(self) -> None:
        await self._storage.bridge.get_connection().aclose()


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"the limits in Redis cannot be asked: {type(error).__name__}") from error
