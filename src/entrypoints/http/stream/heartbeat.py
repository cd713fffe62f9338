from __future__ import annotations

import asyncio
from collections.abc import Callable

from entrypoints.http.stream.connection import Connection
from entrypoints.http.stream.credentials import CredentialWatch
from entrypoints.http.stream.limits import CloseCode, StreamClosed, StreamLimits
from entrypoints.http.stream.protocol import Ping


async def keep_alive(
    connection: Connection, watch: CredentialWatch, limits: StreamLimits, *, heard_at: Callable[[], float] | None = None
) -> None:
    """Ping, and look again at the credential, until one of them says that it is over (`StreamClosed`).

    ``heard_at`` gives the loop time of the client's last sign of life, where the carrier lets clients give any.
    """
    now = asyncio.get_running_loop().time
    pinged_at = now()
    while True:
        await asyncio.sleep(min(limits.recheck_seconds, limits.ping_seconds))
        await watch.require(connection.actor)
        if heard_at is not None and now() - heard_at() >= limits.silence_seconds:
            raise StreamClosed(CloseCode.AUTHENTICATION_TIMEOUT, "nothing was heard: answer ping with pong")
        if now() - pinged_at >= limits.ping_seconds:
            pinged_at = now()
            connection.send(Ping())
