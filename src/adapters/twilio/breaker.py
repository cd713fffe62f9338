from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

WINDOW: Final = 20
MOST_FAILURES: Final = 0.5
OPEN_SECONDS: Final = 15.0


class Breaker:
    """Keeps a provider that fails from being asked: half of the last 20 calls failed, then nothing for 15 s, then one probe."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._outcomes: deque[bool] = deque(maxlen=WINDOW)
        self._opened_at: float | None = None
        self._probes_since: float | None = None

    def lets_pass(self) -> bool:
        """Ask before each call, and tell the outcome of each that was let pass."""
        if self._opened_at is None:
            return True
        now = self._now()
        if now < self._opened_at + OPEN_SECONDS:
            return False
        # A probe that never reports back, because its caller was cancelled, does not keep the way shut for ever.
        if self._probes_since is not None and now < self._probes_since + OPEN_SECONDS:
            return False
        self._probes_since = now
        return True

    def succeeded(self) -> None:
        if self._opened_at is not None:
            self._opened_at = self._probes_since = None
            self._outcomes.clear()
        self._outcomes.append(True)

    def failed(self) -> None:
        self._outcomes.append(False)
        is_full = len(self._outcomes) == WINDOW
        if self._probes_since is not None or (is_full and self._outcomes.count(False) >= MOST_FAILURES * WINDOW):
            self._opened_at, self._probes_since = self._now(), None
