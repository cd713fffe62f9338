from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule does not hold: the object's name, what is wrong with it and what to do."""

    where: str
    detail: str


Check = Callable[[Any], Awaitable[Sequence[Finding]]]
"""A rule: from an asyncpg connection of any role to the places where it does not hold. Its name says what must hold."""
