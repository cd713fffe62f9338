"""What the probes answer from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must hold before requests may come. ``detail`` is for an operator."""

    name: str
    is_ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    checks: tuple[Check, ...] = ()

    @property
    def is_ready(self) -> bool:
        return all(check.is_ok for check in self.checks)

    def as_text(self) -> dict[str, str]:
        return {check.name: "ok" if check.is_ok else check.detail or "failed" for check in self.checks}


ProbeReadiness = Callable[[], Awaitable[Readiness]]


@dataclass(slots=True)
class Lifecycle:
    """How far the process is. The server calls `drain` on SIGTERM, before it stops to accept: then readiness is false."""

    has_started: bool = False
    is_draining: bool = False

    def started(self) -> None:
        self.has_started = True

    def drain(self) -> None:
        self.is_draining = True
