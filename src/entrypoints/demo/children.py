"""Child processes of the demo: started with our own interpreter, told to stop, and never left behind."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from entrypoints.cli.exits import CommandFailed
from entrypoints.settings import child_environment

STOP_SECONDS: Final = 25.0
READY_SECONDS: Final = 60.0
LINE_BYTES: Final = 16 * 1024 * 1024
KEPT_LINES: Final = 30


class Child:
    """A running ``tradingcore`` command. Its standard input is a lifeline: it stops when we are gone, however we went."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
        self.name = name
        self._process = process
        self._said: list[str] = []
        self._on_line = on_line
        self._listener = asyncio.create_task(self._listen())

    async def document(self) -> Any:
        """The next JSON document on its stdout. Raises `CommandFailed` with what it said when it ends before that."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            await self._process.wait()
            await self._listener
            said = "; ".join(self._said[-3:]) or f"exit code {self._process.returncode}"
            raise CommandFailed(f"{self.name} did not work: {said.removeprefix('error: ')}")
        return json.loads(line)

    async def ended(self) -> int:
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to stop, insist when it does not."""
        if self._process.returncode is None:
            try:
                self._process.terminate()
            except ProcessLookupError:
                return
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await self._listener

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        async for raw in self._process.stderr:
            line = raw.decode(errors="replace").rstrip()
            self._said = [*self._said[-KEPT_LINES:], line]
            self._on_line(line)


@asynccontextmanager
async def child(name: str, arguments: Sequence[str], *, on_line: Callable[[str], None] = lambda _: None) -> AsyncIterator[Child]:
    """Run ``tradingcore ARGUMENTS`` inside the block. In its own process session: Ctrl-C is for us to hear and to pass on."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "entrypoints",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=child_environment(),
        start_new_session=True,
        limit=LINE_BYTES,
    )
    running = Child(name, process, on_line)
    try:
        yield running
    finally:
        # A second Ctrl-C must not leave it behind.
        await asyncio.shield(asyncio.ensure_future(running.stop()))
