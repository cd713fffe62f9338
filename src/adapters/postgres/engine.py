"""The only place that begins a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.errors import ServerUnavailable, StorageFault, StorageFull
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import Conflict, PermissionDenied, StaleVersion, TradingCoreError, Unavailable

_CONTEXT: Final = text(
    "select set_config('app.user_id', :user_id, true), set_config('app.roles', :roles, true), "
    "set_config('app.scopes', :scopes, true), set_config('app.request_id', :request_id, true)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Sizes and limits of one pool; 0 seconds is no limit. The figures are those of reliability.md, Numbers."""

    application: str
    pool_size: int = 10
    overflow: int = 5
    checkout_seconds: float = 2.0
    connect_seconds: float = 2.0
    statement_seconds: float = 5.0
    lock_seconds: float = 2.0
    idle_in_transaction_seconds: float = 10.0
    prepared_statements: bool = True
    """Off behind a pooler that shares sessions between transactions."""


def create_engine(address: DatabaseAddress, settings: EngineSettings) -> AsyncEngine:
    """Return a pool of connections of one role. Nothing connects yet; `AsyncEngine.dispose` closes it."""
    arguments = address.connect_arguments()
    limits = {
        "statement_timeout": settings.statement_seconds,
        "lock_timeout": settings.lock_seconds,
        "idle_in_transaction_session_timeout": settings.idle_in_transaction_seconds,
    }
    return create_async_engine(
        URL.create(
            "postgresql+asyncpg",
            username=arguments.pop("user"),
            password=arguments.pop("password"),
            host=arguments.pop("host"),
            port=arguments.pop("port"),
            database=arguments.pop("database"),
        ),
        pool_size=settings.pool_size,
        max_overflow=settings.overflow,
        pool_timeout=settings.checkout_seconds,
        hide_parameters=True,
        connect_args={
            **arguments,
            "timeout": settings.connect_seconds,
            # A server that went silent never enforces its own limit: give up a little after it would have.
            "command_timeout": settings.statement_seconds + 5.0 if settings.statement_seconds else None,
            **({} if settings.prepared_statements else {"statement_cache_size": 0, "prepared_statement_cache_size": 0}),
            "server_settings": {
                "application_name": settings.application,
                "timezone": "UTC",
                "search_path": "public",
                **{name: str(int(seconds * 1000)) for name, seconds in limits.items()},
            },
        },
    )


@asynccontextmanager
async def transaction(engine: AsyncEngine, actor: Actor, *, read_only: bool = False) -> AsyncIterator[AsyncConnection]:
    """Run the block in one transaction, as ``actor``.

    The context that row-level security reads (``app.user_id``, ``app.roles``, ``app.scopes``, ``app.request_id``) is set by the
    first statement and ends with the transaction; what is unknown is an empty string. Commits on a clean exit and rolls back on an
    exception. After a cancellation or a fault of the driver the connection is thrown away, because nobody knows what it still
    holds. Errors of the driver leave as kernel errors.
    """
    with translated():
        connection = await _begin(engine, actor, read_only=read_only)
    is_sound = False
    try:
        with translated():
            yield connection
            await connection.commit()
        is_sound = True
    except (Unavailable, SQLAlchemyError, StorageFault):
        raise
    except Exception:
        await _rollback(connection)
        is_sound = True
        raise
    finally:
        await _give_back(connection, is_sound=is_sound)


@contextmanager
def translated(*, stale: str | None = None) -> Iterator[None]:
    """Turn what the driver raises inside the block into kernel errors.

    With ``stale`` (a sentence), a row that exists already or a lost race means `StaleVersion`; without it both are a `Conflict`.
    """
    try:
        yield
    except TradingCoreError:
        raise
    except PoolTimeout:
        raise ServerUnavailable("the database is busy, all connections are in use: try again shortly") from None
    except DBAPIError as error:
        raise _kernel_error(error.orig, stale) from error
    except asyncpg.PostgresError as error:
        raise _kernel_error(error, stale) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, SQLAlchemyError) as error:
        raise _kernel_error(error, stale) from error
    except (ConnectionError, TimeoutError) as error:
        raise ServerUnavailable("the database cannot be reached: try again shortly") from error


def _kernel_error(error: Any, stale: str | None) -> TradingCoreError:
    state = str(getattr(error, "sqlstate", None) or "")
    match state[:2], state:
        case ("23", "23505") | ("40", _):
            if stale is not None:
                return StaleVersion(stale)
            return Conflict("somebody else changed the same rows at the same time: repeat the call")
        case _, "53100":
            return StorageFull("the disk of the database is full, nothing was written: free space, then repeat the call")
        case _, "57014":
            return ServerUnavailable("the database took too long and the call was given up: try again shortly")
        case _, "55P03":
            return ServerUnavailable("the rows are locked by somebody else for too long: try again shortly")
        case _, "42501":
            return PermissionDenied("the database refuses this to the caller")
        case ("08" | "53" | "57" | "58", _) | (_, "25P03"):
            return ServerUnavailable("the database is not available: try again shortly")
        case _, "":
            return ServerUnavailable("the connection to the database broke: try again shortly")
    return StorageFault(f"the database refused a statement with state {state}")


async def _begin(engine: AsyncEngine, actor: Actor, *, read_only: bool) -> AsyncConnection:
    context = {
        "user_id": "" if actor.user_id is None else str(actor.user_id),
        "roles": ",".join(sorted(actor.roles)),
        "scopes": ",".join(sorted(actor.permissions)),
        "request_id": actor.trace_id,
    }
    for attempt in (1, 2):
        connection = await engine.connect()
        try:
            if read_only:
                connection = await connection.execution_options(postgresql_readonly=True)
            await connection.execute(_CONTEXT, context)
        except BaseException as error:
            await _give_back(connection, is_sound=False)
            # A server that was restarted leaves dead connections in the pool: nothing was done yet, so once more is safe.
            if attempt == 1 and isinstance(error, DBAPIError) and error.connection_invalidated:
                continue
            raise
        return connection
    raise AssertionError("unreachable")


async def _rollback(connection: AsyncConnection) -> None:
    try:
        await connection.rollback()
    except BaseException:
        await _give_back(connection, is_sound=False)
        raise


async def _give_back(connection: AsyncConnection, *, is_sound: bool) -> None:
    # Shielded: a second cancellation must not leave a connection half-way between here and the pool.
    await asyncio.shield(_close(connection, is_sound=is_sound))


async def _close(connection: AsyncConnection, *, is_sound: bool) -> None:
    if not is_sound and not connection.closed and not connection.invalidated:
        await connection.invalidate()
    await connection.close()
