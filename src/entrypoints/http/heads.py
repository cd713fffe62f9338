"""What is read in the head of a request before anything else."""

from __future__ import annotations

from typing import Any, Final

SINGLE_HEADERS: Final = (b"content-type", b"cookie", b"if-match", b"idempotency-key", b"origin")
"""Sent twice they would mean one thing to us and another to whoever stands in front. Authorization is refused where it is read."""


def header(scope: Any, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def head_size(scope: Any) -> int:
    target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    return target + sum(len(name) + len(value) for name, value in scope["headers"])


def ambiguity(scope: Any) -> str | None:
    """What two programs in a row could read in two ways: where a request ends, or what it says."""
    names, version = [name for name, _ in scope["headers"]], scope.get("http_version", "1.1")
    if b"transfer-encoding" in names and (b"content-length" in names or version != "1.1"):
        return "send either Content-Length or, with HTTP/1.1, Transfer-Encoding"
    if version not in ("1.0", "1.1"):
        return "this server speaks HTTP/1.1"
    twice = next((name for name in SINGLE_HEADERS if names.count(name) > 1), None)
    return None if twice is None else f"the header {twice.decode()} may be sent once"


def is_crooked(path: str) -> bool:
    """Whether a path has empty segments, which the router forgives and whoever compares prefixes does not."""
    return "//" in path


def is_preflight(scope: Any) -> bool:
    is_asking = header(scope, b"access-control-request-method") is not None and header(scope, b"origin") is not None
    return scope["method"] == "OPTIONS" and is_asking
