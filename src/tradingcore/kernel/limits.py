"""How often something may be tried: buckets for attempts that may fail, and a quota for requests in general."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, Self

LONGEST_RETRY: Final = timedelta(days=1)
"""A refusal never asks for more patience: how long exactly would tell which bucket is full."""


class Excess(StrEnum):
    """What a full bucket means: the attempt is refused, or somebody has to prove more before it is looked at."""

    REFUSE = "refuse"
    CHALLENGE = "challenge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """At most ``limit`` attempts in any ``window``.

    A consecutive bucket forgets nothing until it is cleared, or until nobody tried for a whole window.
    """

    name: str
    limit: int
    window: timedelta
    excess: Excess = Excess.REFUSE
    is_consecutive: bool = False

    def __post_init__(self) -> None:
        if self.limit < 1 or self.window <= timedelta(0):
            raise ValueError(f"the bucket {self.name} needs a positive limit and window, were {self.limit} and {self.window}")


@dataclass(frozen=True, slots=True)
class AttemptKey:
    """A bucket of one subject. ``subject`` is a keyed hash: counters tell nobody whose they are."""

    bucket: Bucket
    subject: bytes

    @classmethod
    def of(cls, bucket: Bucket, *parts: str, key: bytes) -> Self:
        """The bucket of the subject that ``parts`` name together, hashed with the secret ``key``."""
        message = b"".join(len(part).to_bytes(8) + part for part in (text.encode() for text in (bucket.name, *parts)))
        return cls(bucket, hmac.digest(key, message, hashlib.sha256))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """An attempt that was counted before anybody looks whether it is right. ``id`` is the limiter's own."""

    id: str
    keys: tuple[AttemptKey, ...]
    needs_challenge: bool = False

    @property
    def consecutive(self) -> tuple[AttemptKey, ...]:
        """What a success clears."""
        return tuple(key for key in self.keys if key.bucket.is_consecutive)


def retry_after(waits: Iterable[timedelta]) -> float:
    """Whole seconds until all of the full buckets have room again, at least 1."""
    longest = min(max(waits), LONGEST_RETRY)
    return float(max(1, -(-longest // timedelta(seconds=1))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """At most ``limit`` requests in any ``window_seconds``."""

    limit: int
    window_seconds: int

    def __post_init__(self) -> None:
        if self.limit < 1 or self.window_seconds < 1:
            raise ValueError(f"a quota needs a positive limit and window, were {self.limit} and {self.window_seconds}")

    def shared_by(self, count: int) -> Quota:
        """The part of one of ``count`` processes that cannot ask each other."""
        return Quota(limit=max(1, self.limit // count), window_seconds=self.window_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    """What a request left of its quota; ``reset_seconds`` until the oldest request that counts is forgotten."""

    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: float
    is_allowed: bool
