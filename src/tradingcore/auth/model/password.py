"""Passwords as they are kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordHash:
    """What is stored of a password. ``scheme`` names how ``encoded`` was made, so that it can be made better at a sign-in."""

    scheme: str
    encoded: str
