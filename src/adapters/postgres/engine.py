"""The only place that begins a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import URL, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.errors import ServerUnavailable, StorageFault, StorageFull
from tradingcore.kernel.authz import Actor, Cause
from tradingcore.kernel.errors import (
    AlreadyHandled,
    Conflict,
    PermissionDenied,
    StaleVersion,
    TradingCoreError,
    Unavailable,
    WriteWhileReading,
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
    """Return a pool of connections of one role. Nothing connects yet; `AsyncEngine.dispose` closes it.

    Its connections begin no transaction by themselves: outside of `transaction` every statement is one of its own.
    """
    arguments = address.connect_arguments()
    limits = {
        "statement_timeout": settings.statement_seconds,
        "lock_timeout": settings.lock_seconds,
        "idle_in_transaction_session_timeout": settings.idle_in_transaction_seconds,
    }
    engine = create_async_engine(
        URL.create(
            "postgresql+asyncpg",
            username=arguments.pop("user"),
            password=arguments.pop("password"),
            host=arguments.pop("host"),
            port=arguments.pop("port"),
            database=arguments.pop("database"),
        ),
        isolation_level="AUTOCOMMIT",
        pool_use_lifo=True,  # the connection that was used last has its statements prepared, here and in the server
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
                "standard_conforming_strings": "on",
                **{name: str(int(seconds * 1000)) for name, seconds in limits.items()},
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_dead)
    return engine


def _refuse_dead(connection: Any, _record: object, _proxy: object) -> None:
    # A server that was restarted leaves dead connections in the pool, of which the client knows: all of them are made anew.
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


@asynccontextmanager
async def statements(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Run each statement of the block as a transaction of its own, in one round trip: for rows that have no owner.

    Nobody in particular calls: row-level security shows nothing. As ``tc_api`` nothing can be written this way, because sessions
    of that role only read unless `transaction` says otherwise; the platform's own roles can. After any error the connection is
    thrown away, because nobody knows what it still holds.
    """
    with translated():
        connection = await engine.connect()
    is_sound = False
    try:
        with translated():
            yield connection
        is_sound = True
    finally:
        await _give_back(connection, is_sound=is_sound)


async def fetch(engine: AsyncEngine, statement: str, *values: Any) -> Sequence[Any]:
    """Run one statement with the parameters $1, $2, … as `statements` does, and return its rows.

    Past SQLAlchemy, which takes three times as long for what needs none of it: for the calls of every event.
    """
    async with statements(engine) as connection:
        rows: Sequence[Any] = await driver_of(connection).fetch(statement, *values)
        return rows


@asynccontextmanager
async def transaction(engine: AsyncEngine, actor: Actor, *, read_only: bool = False) -> AsyncIterator[AsyncConnection]:
    """Run the block in one transaction, as ``actor``; read-only as well where the actor is reading.

    The context that row-level security reads (``app.user_id``, ``app.roles``, ``app.scopes``, ``app.request_id``) is set together
    with the beginning and ends with the transaction; what is unknown is an empty string. So is the cause of ``actor`` recorded:
    one that was recorded before raises `AlreadyHandled`. Commits on a clean exit and rolls back on an exception. After a
    cancellation or a fault of the driver the connection is thrown away, because nobody knows what it still holds. Errors of the
    driver leave as kernel errors.
    """
    beginning = _beginning(actor, read_only=read_only or actor.is_reading)
    with translated():
        connection, last = await _begin(engine, beginning)
    is_sound = False
    try:
        with translated():
            _refuse_repetition(actor.cause, last)
            yield connection
            await _commit(connection)
        is_sound = True
    except (Unavailable, SQLAlchemyError, StorageFault):
        raise
    except Exception:
        with translated():
            await driver_of(connection).execute("rollback")
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
        case _, "25006":
            return WriteWhileReading("a call that only reads tried to write, nothing was written")
        case _, "42501":
            return PermissionDenied("the database refuses this to the caller")
        case ("08" | "53" | "57" | "58", _) | (_, "25P03"):
            return ServerUnavailable("the database is not available: try again shortly")
        case _, "":
            return ServerUnavailable("the connection to the database broke: try again shortly")
    return StorageFault(f"the database refused a statement with state {state}")


def _beginning(actor: Actor, *, read_only: bool) -> str:
    """One script, because a script is one round trip; scripts take no parameters."""
    context = {
        "user_id": "" if actor.user_id is None else str(actor.user_id),
        "roles": ",".join(sorted(actor.roles)),
        "scopes": ",".join(sorted(actor.permissions)),
        "request_id": actor.trace_id,
    }
    settings = ", ".join(f"set_config('app.{name}', {_literal(value)}, true)" for name, value in context.items())
    # Said either way: sessions of tc_api only read unless told otherwise.
    script = f"begin read {'only' if read_only else 'write'}; select {settings}"
    if actor.cause is not None:
        cause = f"{_literal(actor.cause.handler)}, {_literal(str(actor.cause.event_id))}"
        script += f"; insert into public.inbox (handler, event_id) values ({cause}) on conflict do nothing"  # noqa: S608 - literals
    return script


def _literal(value: str) -> str:
    # Safe with standard_conforming_strings, which every connection sets.
    return "'" + value.replace("'", "''") + "'"


def _refuse_repetition(cause: Cause | None, last: str) -> None:
    if cause is not None and last != "INSERT 0 1":
        raise AlreadyHandled(f"{cause.handler} has handled event {cause.event_id} before")


async def _commit(connection: AsyncConnection) -> None:
    if await driver_of(connection).execute("commit") != "COMMIT":
        # Somebody caught the error of a statement inside the block, and the server has rolled back.
        raise StorageFault("nothing was written, because a statement of the transaction had failed")


async def _begin(engine: AsyncEngine, beginning: str) -> tuple[AsyncConnection, str]:
    """The connection, and what the server says of the last statement."""
    for attempt in (1, 2):
        connection = await engine.connect()
        driver = driver_of(connection)
        try:
            return connection, await driver.execute(beginning)
        except BaseException as error:
            await _give_back(connection, is_sound=False)
            # It died just now: nothing was done yet, so once more is safe.
            if attempt == 1 and isinstance(error, Exception) and driver.is_closed():
                continue
            raise
    raise AssertionError("unreachable")


def driver_of(connection: AsyncConnection) -> Any:
    """The asyncpg connection under an open one: for scripts, COPY and LISTEN, which SQLAlchemy does not speak."""
    sync_connection = connection.sync_connection
    assert sync_connection is not None, "not connected"
    return sync_connection.connection.driver_connection


async def _give_back(connection: AsyncConnection, *, is_sound: bool) -> None:
    if is_sound:
        await connection.close()  # says nothing to the server, so that nothing can interrupt it
    else:
        # Shielded: a second cancellation must not leave a connection half-way between here and the pool.
        await asyncio.shield(_throw_away(connection))


async def _throw_away(connection: AsyncConnection) -> None:
    if not connection.closed and not connection.invalidated:
        await connection.invalidate()
    await connection.close()
