from __future__ import annotations

import pytest

from adapters.memory.auth.passwords import MemoryPasswordBlocklist, MemoryPasswordHasher
from tradingcore.testing.auth.passwords import PasswordBlocklistContract, PasswordHasherContract


class TestMemoryPasswordHasher(PasswordHasherContract):
    @pytest.fixture
    def hasher(self) -> MemoryPasswordHasher:
        return MemoryPasswordHasher()

    @pytest.fixture
    def strict(self) -> MemoryPasswordHasher:
        return MemoryPasswordHasher("better")


class TestMemoryPasswordBlocklist(PasswordBlocklistContract):
    @pytest.fixture
    def blocklist(self) -> MemoryPasswordBlocklist:
        return MemoryPasswordBlocklist({"password1234"})
