from __future__ import annotations

from typing import Any

import pytest

from entrypoints.cli.doctor import Health, surroundings
from entrypoints.settings import Environment, Settings

DATABASE = "postgresql://me:secret@db.example.org/trading"


def told(**values: Any) -> list[str]:
    return [finding.check for finding in surroundings(Settings(**values))]


@pytest.mark.parametrize(
    "values",
    [
        {"storage": DATABASE},
        {"storage": f"{DATABASE}?sslmode=require"},
        {"storage": f"{DATABASE}?sslmode=disable"},
        {"limits": {"redis": "redis://cache.example.org"}},
        {"stream": {"log": "redis://10.0.0.7:6379/0"}},
    ],
)
def test_connection_that_somebody_could_read_is_told_without_its_secret(values: dict[str, Any]) -> None:
    (finding,) = surroundings(Settings(**values))
    assert (finding.check, finding.health) == ("transport", Health.WARNING)
    assert "secret" not in finding.detail


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"storage": "memory"},
        {"storage": f"{DATABASE}?sslmode=verify-full"},
        {"storage": "postgresql://me@127.0.0.1/trading"},
        {"limits": {"redis": "rediss://cache.example.org"}},
        {"stream": {"log": "redis://localhost"}},
    ],
)
def test_other_connections_are_not(values: dict[str, Any]) -> None:
    assert told(**values) == []


def test_operator_is_reminded_of_what_the_program_cannot_do() -> None:
    (finding,) = surroundings(Settings(environment=Environment.PRODUCTION))
    assert (finding.check, finding.health) == ("operator", Health.OK)
    for word in ("TLS", "secrets", "backups", "logs", "clocks"):
        assert word in finding.detail
