from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.engine import driver_of, transaction
from adapters.postgres.unit import NOBODY
from tradingcore.kernel.errors import TooManyAttempts
from tradingcore.kernel.limits import AttemptKey, Excess, Reservation, retry_after
from tradingcore.kernel.ports import AttemptLimiter

_MICROSECOND: Final = timedelta(microseconds=1)
_RESERVE: Final = "select reservation, is_challenged, wait from public.throttle_reserve(cast($1 as json))"
_RELEASE: Final = "select public.throttle_release(cast($1 as json), cast($2 as bigint))"


class PostgresAttemptLimiter(AttemptLimiter):
    """Attempts in an unlogged table: a crash of the server forgets them. Each call is a transaction of its own.

    The role of ``engine`` is ``tc_api`` or ``tc_worker``. Times are the server's.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def reserve(self, keys: Sequence[AttemptKey]) -> Reservation:
        ((reservation, is_challenged, wait),) = await self._call(_RESERVE, _as_json(keys))
        if wait is not None:
            raise TooManyAttempts(
                "too many attempts: wait before the next one", retry_after_seconds=retry_after([wait * _MICROSECOND])
            )
        return Reservation(id=str(reservation), keys=tuple(keys), needs_challenge=is_challenged)

    async def refund(self, reservation: Reservation) -> None:
        await self._call(_RELEASE, _as_json(reservation.keys), int(reservation.id))

    async def clear(self, keys: Sequence[AttemptKey]) -> None:
        await self._call(_RELEASE, _as_json(keys), None)

    async def _call(self, statement: str, *values: Any) -> Sequence[Any]:
        async with transaction(self._engine, NOBODY) as connection:
            rows: Sequence[Any] = await driver_of(connection).fetch(statement, *values)
            return rows


def _as_json(keys: Sequence[AttemptKey]) -> str:
    # A subject is hashed together with the name of its bucket, so that it is a key by itself.
    return json.dumps(
        [
            {
                "key": key.subject.hex(),
                "limit": key.bucket.limit,
                "window": key.bucket.window // _MICROSECOND,
                "in_a_row": key.bucket.is_consecutive,
                "asks": key.bucket.excess is Excess.CHALLENGE,
            }
            for key in keys
        ]
    )
