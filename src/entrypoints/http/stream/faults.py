from __future__ import annotations

import structlog

from entrypoints.http.logs import origin_of

_log = structlog.get_logger("stream")


def report(event: str, error: BaseException) -> None:
    """Log a fault of ours: where it came from, not what it says, which may be what a user sent."""
    _log.error(event, error_type=type(error).__qualname__, error_at=origin_of(error))
