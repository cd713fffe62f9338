"""Single connections of the administrator and of operators, apart from the engines that serve."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.errors import LoginRefused, ServerUnavailable

_CONNECT_SECONDS: Final = 5.0


@asynccontextmanager
async def connected(address: DatabaseAddress, *, application: str = "tradingcore") -> AsyncIterator[Any]:
    """Yield an asyncpg connection. Raises `LoginRefused`, or `ServerUnavailable` when the server is away."""
    try:
        connection = await asyncpg.connect(
            **address.connect_arguments(), timeout=_CONNECT_SECONDS, server_settings={"application_name": application}
        )
    except asyncpg.InvalidCatalogNameError:
        raise
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InsufficientPrivilegeError) as error:
        raise LoginRefused(f"{address.display} refuses the login: {reason_of(error)}") from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise ServerUnavailable(f"{address.display} cannot be reached: {reason_of(error)}") from None
    try:
        yield connection
    finally:
        try:
            await connection.close(timeout=_CONNECT_SECONDS)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError):
            connection.terminate()
        except BaseException:
            connection.terminate()
            raise


def reason_of(error: BaseException) -> str:
    """The first line of what the server or the system said: the others may hold people's data."""
    return next(iter(str(error).splitlines()), "no answer in time")
