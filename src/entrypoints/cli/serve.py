from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import rich_click as click

from entrypoints.cli.console import Session, command_body, server_body
from entrypoints.cli.exits import CommandFailed, Exit

if TYPE_CHECKING:
    from entrypoints.container import Container
    from entrypoints.platform import Platform
    from entrypoints.worker import Worker

stop_with_stdin = click.option("--stop-with-stdin", is_flag=True, help="Stop when standard input closes: for supervisors.")


@click.command()
@click.option("--host", help="Address to listen on; default from the settings.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@stop_with_stdin
@server_body
async def serve(session: Session, host: str | None, port: int | None, stop_with_stdin: bool) -> None:
    """Run the HTTP API and the stream until stopped.

    Refuses to start on an old schema and says what to run. With memory storage the worker runs in this process too.
    """
    from entrypoints.http.server import ApiServer, address_of
    from entrypoints.observing import configure_logging, observed
    from entrypoints.platform import ProcessKind, running
    from entrypoints.settings import Environment

    session.flags["http"] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = session.settings
    configure_logging(settings, level="debug" if session.is_verbose else None)
    observer, metrics = observed(settings)
    async with running(settings, ProcessKind.API, observer=observer) as platform:
        server = ApiServer(platform, metrics=metrics)
        with server.listen() as listener:
            address = address_of(listener)
            ready = {"address": address}
            if settings.storage_kind == "memory" and settings.environment is Environment.DEVELOPMENT:
                # Nobody else can reach a memory, so nobody else could make a key.
                ready["api_key"] = await _key_for_development(platform.container)
            if session.is_json:
                session.document(ready)
            else:
                session.note(f"serving {address}  (docs {address}/docs)  Ctrl-C stops")
                if "api_key" in ready:
                    session.note("storage memory: nothing is kept; an API key of a trader for as long as this runs:")
                    click.echo(ready["api_key"])
            async with contextlib.AsyncExitStack() as stack:
                if settings.storage_kind == "memory":
                    await stack.enter_async_context(_beside(_worker(platform)))
                if stop_with_stdin:
                    await stack.enter_async_context(_lifeline(server.stop))
                # The server raises again what stopped it. This is a stop that was asked for, with everything still to close.
                signal.signal(signal.SIGTERM, lambda *_: None)
                await server.serve(listener)


@click.command()
@stop_with_stdin
@command_body
async def worker(session: Session, stop_with_stdin: bool) -> None:
    """Run the outbox relay and the schedules until stopped. Killed at any point it loses nothing."""
    from entrypoints.observing import configure_logging, observed
    from entrypoints.platform import ProcessKind, running

    settings = session.settings
    if settings.storage_kind == "memory":
        raise CommandFailed(
            "a worker cannot reach the memory of another process: tradingcore --storage memory serve has one of its own",
            exit_code=Exit.CONFIGURATION,
        )
    configure_logging(settings, level="debug" if session.is_verbose else None)
    observer, _ = observed(settings)
    async with running(settings, ProcessKind.WORKER, observer=observer) as platform:
        process = _worker(platform)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, process.stop)
        async with contextlib.AsyncExitStack() as stack:
            if stop_with_stdin:
                await stack.enter_async_context(_lifeline(process.stop))
            await process.prepare()
            if session.is_json:
                session.document({"ready": True})
            else:
                session.note("relaying; Ctrl-C stops")
            await process.run()


def _worker(platform: Platform) -> Worker:
    from entrypoints.worker import Worker

    section = platform.settings.worker
    return Worker(platform.container, concurrency=section.concurrency, watched=section.watched_keys)


async def _key_for_development(container: Container) -> str:
    from tradingcore.auth.use_cases.manage_api_keys import CreateApiKeyCommand
    from tradingcore.kernel.authz import Actor, Role

    actor = Actor.operator(container.ids().new_trace_id())
    command = CreateApiKeyCommand(name="development", role=Role.TRADER, lifetime=timedelta(days=1))
    token: str = (await container.create_api_key()(actor, command)).token
    return token


@contextlib.asynccontextmanager
async def _beside(process: Worker) -> AsyncIterator[None]:
    await process.prepare()
    task = asyncio.create_task(process.run())
    try:
        yield
    finally:
        process.stop()
        await task


@contextlib.asynccontextmanager
async def _lifeline(stop: Callable[[], None]) -> AsyncIterator[None]:
    """Call ``stop`` when standard input ends: whoever started us is gone."""

    async def watch() -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while await reader.read(1024):
            pass
        stop()

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
