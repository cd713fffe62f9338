"""Contracts of what the machine gives: time, identifiers, randomness."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from datetime import timedelta
from uuid import RFC_4122

import pytest

from tradingcore.kernel.ports import Clock, IdGenerator, SecretSource


class ClockContract(ABC):
    @pytest.fixture
    @abstractmethod
    def clock(self) -> Clock: ...

    def test_now_is_in_utc(self, clock: Clock) -> None:
        assert clock.now().utcoffset() == timedelta(0)

    def test_time_does_not_run_backwards(self, clock: Clock) -> None:
        readings = [clock.now() for _ in range(1_000)]
        assert readings == sorted(readings)


class IdGeneratorContract(ABC):
    @pytest.fixture
    @abstractmethod
    def ids(self) -> IdGenerator: ...

    def test_ids_are_version_7(self, ids: IdGenerator) -> None:
        fresh = ids.new_id()
        assert (fresh.version, fresh.variant) == (7, RFC_4122)

    def test_ids_are_unique_and_sort_in_the_order_in_which_they_were_made(self, ids: IdGenerator) -> None:
        made = [ids.new_id() for _ in range(10_000)]
        assert len(set(made)) == len(made)
        assert made == sorted(made)

    def test_trace_ids_have_the_form_of_w3c_trace_context(self, ids: IdGenerator) -> None:
        for _ in range(100):
            trace_id = ids.new_trace_id()
            assert re.fullmatch(r"[0-9a-f]{32}", trace_id)
            assert trace_id != "0" * 32

    def test_trace_ids_are_unique(self, ids: IdGenerator) -> None:
        assert len({ids.new_trace_id() for _ in range(10_000)}) == 10_000


class SecretSourceContract(ABC):
    @pytest.fixture
    @abstractmethod
    def secrets(self) -> SecretSource: ...

    @pytest.mark.parametrize("size", [1, 16, 32, 64])
    def test_a_token_has_the_size_that_was_asked_for(self, secrets: SecretSource, size: int) -> None:
        token = secrets.token(size)
        assert isinstance(token, bytes)
        assert len(token) == size

    def test_tokens_differ(self, secrets: SecretSource) -> None:
        assert len({secrets.token(16) for _ in range(1_000)}) == 1_000

    def test_every_value_of_a_byte_occurs(self, secrets: SecretSource) -> None:
        # Of 20,000 random bytes none is missing, but for one run in 10^31.
        assert set(b"".join(secrets.token(20) for _ in range(1_000))) == set(range(256))
