"""How many sign-ins a core can check, and what becomes of four times as many.

``python -m benchmarks.password_checks``. First line: checks per second of one core at bcrypt's cost 12. Second: checks arrive at
random (a Poisson process) at four times the rate that the hasher's threads can do. What cannot wait is refused at once (503 with
Retry-After), what waits is bounded, and the event loop stays free: its lag is how late a timer of 5 ms rings.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
from importlib.metadata import version
from statistics import quantiles
from time import perf_counter, process_time

from adapters.passwords.hasher import QUEUE, THREADS, password_hasher
from adapters.passwords.schemes import BCRYPT_COST
from tradingcore.auth.errors import Overloaded
from tradingcore.auth.model.password import PasswordHash
from tradingcore.auth.ports.passwords import PasswordHasher

CALM_CHECKS = 24
STORM_SECONDS = 20.0
OVERLOAD = 4
TICK_SECONDS = 0.005


async def main() -> None:
    hasher = password_hasher(os.urandom(32))
    known = await hasher.hash("lantern over seven bridges")
    cores, per_core = await calm(hasher, known)
    await storm(hasher, known, rate=OVERLOAD * per_core * min(THREADS, cores), seconds=STORM_SECONDS)


async def calm(hasher: PasswordHasher, known: PasswordHash) -> tuple[int, float]:
    """As many at a time as there are threads. Returns the cores that were kept busy and what one of them does in a second."""
    begun, spent = perf_counter(), process_time()
    for _ in range(CALM_CHECKS // THREADS):
        await asyncio.gather(*(hasher.verify("wrong", known) for _ in range(THREADS)))
    seconds, cpu = perf_counter() - begun, process_time() - spent
    per_core = CALM_CHECKS / cpu
    tell("password_checks", n=CALM_CHECKS, per_core_and_second=round(per_core, 2), per_second=round(CALM_CHECKS / seconds, 2))
    return max(1, round(cpu / seconds)), per_core


async def storm(hasher: PasswordHasher, known: PasswordHash, *, rate: float, seconds: float) -> None:
    answered: list[float] = []
    refused: list[float] = []
    waits: list[float] = []

    async def sign_in() -> None:
        begun = perf_counter()
        try:
            await hasher.verify("wrong", known)
            answered.append(perf_counter() - begun)
        except Overloaded as error:
            refused.append(perf_counter() - begun)
            waits.append(error.retry_after_seconds)

    lag = asyncio.create_task(loop_lag(seconds))
    random_ = random.Random(1)
    calls = []
    end = perf_counter() + seconds
    at = perf_counter()
    while (at := at + random_.expovariate(rate)) < end:
        await asyncio.sleep(max(0.0, at - perf_counter()))
        calls.append(asyncio.create_task(sign_in()))
    late = await lag
    await asyncio.gather(*calls)
    tell(
        "password_checks_at_four_times_the_load",
        n=len(calls),
        arrivals_per_second=round(rate, 1),
        answered_per_second=round(len(answered) / seconds, 2),
        refused_share=round(len(refused) / len(calls), 3),
        answered_seconds=percentiles(answered),
        refused_seconds=percentiles(refused),
        longest_retry_after_seconds=round(max(waits, default=0.0), 1),
        event_loop_lag_seconds=percentiles(late),
        queue=QUEUE,
    )


async def loop_lag(seconds: float) -> list[float]:
    late = []
    end = perf_counter() + seconds
    while (begun := perf_counter()) < end:
        await asyncio.sleep(TICK_SECONDS)
        late.append(perf_counter() - begun - TICK_SECONDS)
    return late


def percentiles(values: list[float]) -> dict[str, float]:
    if len(values) < 2:
        return {}
    steps = quantiles(values, n=100)
    return {"p50": round(steps[49], 5), "p99": round(steps[98], 5), "max": round(max(values), 5)}


def tell(name: str, **figures: object) -> None:
    versions = {"python": platform.python_version(), "bcrypt": version("bcrypt")}
    print(json.dumps({"name": name, "cost": BCRYPT_COST, "threads": THREADS, **figures, "versions": versions}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
