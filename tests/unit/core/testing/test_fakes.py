from __future__ import annotations

from datetime import timedelta

import pytest

from tradingcore.kernel.ports import Clock, IdGenerator, SecretSource
from tradingcore.testing.fakes import NOON, FakeClock, FakeSecrets, SequentialIds
from tradingcore.testing.system import ClockContract, IdGeneratorContract, SecretSourceContract


class TestFakeClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return FakeClock()


class TestSequentialIds(IdGeneratorContract):
    @pytest.fixture
    def ids(self) -> IdGenerator:
        return SequentialIds()


class TestFakeSecrets(SecretSourceContract):
    @pytest.fixture
    def secrets(self) -> SecretSource:
        return FakeSecrets()


def test_a_fake_clock_moves_only_when_told() -> None:
    clock = FakeClock()
    clock.advance(timedelta(hours=1))
    assert clock.now() == clock.now() == NOON + timedelta(hours=1)


def test_ids_and_secrets_are_the_same_in_every_run() -> None:
    assert SequentialIds().new_id() == SequentialIds().new_id()
    assert FakeSecrets().token(8) == FakeSecrets().token(8)
    assert FakeSecrets("one").token(8) != FakeSecrets("two").token(8)
