"""Processes that guess together: this file is both who starts them and what they run."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from tradingcore.kernel.errors import TooManyAttempts
from tradingcore.kernel.limits import AttemptKey, Bucket, Quota

ROOT: Final = Path(__file__).parents[3]
ATTEMPTS: Final = 25
QUOTA: Final = Quota(limit=100, window_seconds=60)


async def guess(store: str | Any, *, processes: int, tries: int) -> tuple[int, int]:
    """How many attempts and requests they were granted together; ``store`` is an address of Redis or of a database."""
    task = json.dumps({"redis": store, "tries": tries} if isinstance(store, str) else {"postgres": asdict(store), "tries": tries})
    running = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.integration.limits.guessers"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        for _ in range(processes)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write(f"{task}\n".encode())
    for process in running:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    # All of them start when all are ready.
    outcomes = [json.loads(out) for out, _ in await asyncio.gather(*(process.communicate(b"go\n") for process in running))]
    return sum(attempts for attempts, _ in outcomes), sum(requests for _, requests in outcomes)


async def _run(task: dict[str, Any]) -> list[int]:
    limiter: Any
    if "redis" in task:
        from adapters.redis.limits import RedisAttemptLimiter, RedisRateLimiter

        limiter, rates = RedisAttemptLimiter(task["redis"]), RedisRateLimiter(task["redis"], QUOTA)
        await rates.hit("warm")
    else:
        from adapters.postgres.address import DatabaseAddress
        from adapters.postgres.engine import EngineSettings, create_engine
        from adapters.postgres.limits import PostgresAttemptLimiter

        engine = create_engine(DatabaseAddress(**task["postgres"]), EngineSettings(application="guesser", pool_size=4))
        limiter, rates = PostgresAttemptLimiter(engine), None
    shared, row = (
        AttemptKey.of(Bucket(name=name, limit=limit, window=timedelta(hours=1), is_consecutive=name == "row"), "all", key=b"k" * 32)
        for name, limit in (("shared", ATTEMPTS), ("row", 10 * ATTEMPTS))
    )
    await limiter.clear([shared])
    print("ready", flush=True)
    sys.stdin.readline()

    async def attempt(number: int) -> bool:
        try:
            await limiter.reserve((shared, row) if number % 2 else (row, shared))
        except TooManyAttempts:
            return False
        return True

    async def request(_: int) -> bool:
        return rates is not None and (await rates.hit("somebody")).is_allowed

    return [await _count(attempt, task["tries"]), await _count(request, task["tries"])]


async def _count(what: Callable[[int], Awaitable[bool]], tries: int) -> int:
    at_once = asyncio.Semaphore(4)

    async def one(number: int) -> bool:
        async with at_once:
            return await what(number)

    return sum(await asyncio.gather(*map(one, range(tries))))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(json.loads(sys.stdin.readline())))), flush=True)
