from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class CloseCode(IntEnum):
    """Why the server closed a stream."""

    INTERNAL_ERROR = 1011
    RESTART = 1012
    BAD_FRAME = 4400
    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    AUTHENTICATION_TIMEOUT = 4408
    TOO_MANY_SOCKETS = 4409
    SLOW_CONSUMER = 4410
    TOO_MANY_FRAMES = 4429


class StreamClosed(Exception):
    """The stream of one client is over. ``reason`` is for the client, at most 123 bytes."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(f"{code.value} {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What one client may cost. Queues are per socket, sockets per user and process; durations in seconds."""

    queue_messages: int = 256
    queue_bytes: int = 1024 * 1024
    sockets_per_user: int = 5
    subscriptions: int = 64
    frame_bytes: int = 32 * 1024
    frames_per_second: int = 20
    authentication_seconds: float = 5.0
    send_seconds: float = 5.0
    ping_seconds: float = 15.0
    silence_seconds: float = 45.0
    recheck_seconds: float = 1.0
    reconnect_seconds: float = 5.0
    catch_up_batch: int = 100
