from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from time import perf_counter
from typing import Final, TypeVar

from adapters.passwords.schemes import BCRYPT_COST, Argon2Scheme, BcryptScheme, Scheme
from tradingcore.auth.errors import Overloaded
from tradingcore.auth.model.password import PasswordCheck, PasswordHash
from tradingcore.auth.ports.passwords import PasswordHasher

T = TypeVar("T")

THREADS: Final = 2
QUEUE: Final = 32


class ThreadedPasswordHasher(PasswordHasher):
    """Hashes with ``scheme`` in a few threads of its own; verifies hashes of ``others`` too and calls them outdated.

    The libraries let go of the interpreter lock, so the event loop goes on. At most ``queue`` calls wait for ``threads`` others;
    one more raises `Overloaded`, so that a flood of sign-ins costs an attacker answers and everybody else at most a few seconds.
    """

    def __init__(self, scheme: Scheme, *, others: Sequence[Scheme] = (), threads: int = THREADS, queue: int = QUEUE) -> None:
        self._scheme = scheme
        self._schemes = {known.id: known for known in (*others, scheme)}
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._places = BoundedSemaphore(threads + queue)
        self._full_wait_seconds = (threads + queue) / threads
        self._seconds_per_call = 0.25

    async def hash(self, password: str) -> PasswordHash:
        return await self._in_thread(lambda: PasswordHash(scheme=self._scheme.id, encoded=self._scheme.make(password)))

    async def verify(self, password: str, known: PasswordHash | None) -> PasswordCheck:
        return await self._in_thread(lambda: self._verify(password, known))

    def close(self) -> None:
        """Drop what waits; what runs ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, password: str, known: PasswordHash | None) -> PasswordCheck:
        scheme = None if known is None else self._schemes.get(known.scheme)
        if known is None or scheme is None:
            self._scheme.matches(password, self._scheme.decoy)
            return PasswordCheck(is_right=False)
        is_right = scheme.matches(password, known.encoded)
        is_outdated = is_right and not (scheme is self._scheme and scheme.is_current(known.encoded))
        return PasswordCheck(is_right=is_right, is_outdated=is_outdated)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            wait = self._full_wait_seconds * self._seconds_per_call
            raise Overloaded("too many passwords are being checked now: try again soon", retry_after_seconds=max(1.0, wait))
        try:
            job = self._pool.submit(self._timed, work)
        except RuntimeError:
            self._places.release()
            raise Overloaded("this process is closing: try again", retry_after_seconds=1.0) from None
        # Not in a `finally` here: a caller that gives up leaves its thread at work, and its place taken until that ends.
        job.add_done_callback(self._free_place)
        return await asyncio.wrap_future(job)

    def _timed(self, work: Callable[[], T]) -> T:
        begun = perf_counter()
        result = work()
        self._seconds_per_call = 0.9 * self._seconds_per_call + 0.1 * (perf_counter() - begun)
        return result

    def _free_place(self, job: Future[T]) -> None:
        self._places.release()


def password_hasher(pepper: bytes, *, scheme: str = "bcrypt", bcrypt_cost: int = BCRYPT_COST) -> ThreadedPasswordHasher:
    """A hasher in the scheme of that name (``bcrypt`` or ``argon2id``) that verifies the other one too."""
    known: dict[str, Scheme] = {"bcrypt": BcryptScheme(pepper, cost=bcrypt_cost), "argon2id": Argon2Scheme(pepper)}
    chosen = known.pop(scheme)
    return ThreadedPasswordHasher(chosen, others=tuple(known.values()))
