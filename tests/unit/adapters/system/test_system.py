from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.system.clock import SystemClock
from adapters.system.identifiers import OsSecretSource, Uuid7Generator
from tradingcore.kernel.ports import Clock, IdGenerator, SecretSource
from tradingcore.testing.system import ClockContract, IdGeneratorContract, SecretSourceContract


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()


class TestUuid7Generator(IdGeneratorContract):
    @pytest.fixture
    def ids(self) -> IdGenerator:
        return Uuid7Generator()


class TestOsSecretSource(SecretSourceContract):
    @pytest.fixture
    def secrets(self) -> SecretSource:
        return OsSecretSource()


def test_an_id_tells_when_it_was_made() -> None:
    made = Uuid7Generator().new_id()
    at = datetime.fromtimestamp((made.int >> 80) / 1000, UTC)
    assert abs(at - datetime.now(UTC)) < timedelta(minutes=1)


def test_two_generators_never_share_a_secret_or_an_id() -> None:
    one, other = Uuid7Generator(), Uuid7Generator()
    assert not {one.new_id() for _ in range(1_000)} & {other.new_id() for _ in range(1_000)}
    assert OsSecretSource().token(16) != OsSecretSource().token(16)
