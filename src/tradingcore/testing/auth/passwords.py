"""Contracts of password hashing and of the list of common passwords."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest

from tradingcore.auth.errors import Overloaded
from tradingcore.auth.model.password import PasswordCheck, PasswordHash
from tradingcore.auth.ports.passwords import PasswordBlocklist, PasswordHasher

GOOD = "lantern over seven bridges"
RIGHT, WRONG = PasswordCheck(is_right=True), PasswordCheck(is_right=False)


@pytest.mark.asyncio
class PasswordHasherContract:
    """Fixtures: ``hasher``, cheap enough for tests, and ``strict``: its successor with other parameters or another scheme."""

    @pytest.fixture
    def hasher(self) -> PasswordHasher:
        raise NotImplementedError("supply the hasher under test")

    @pytest.fixture
    def strict(self, hasher: PasswordHasher) -> PasswordHasher:
        raise NotImplementedError("supply the hasher that came after it")

    async def test_only_the_password_is_right(self, hasher: PasswordHasher) -> None:
        known = await hasher.hash(GOOD)
        assert await hasher.verify(GOOD, known) == RIGHT
        for wrong in ("", GOOD[:-1], GOOD + " ", GOOD.upper(), GOOD + "\0"):
            assert await hasher.verify(wrong, known) == WRONG

    async def test_nobody_has_no_password(self, hasher: PasswordHasher) -> None:
        for guess in ("", GOOD, "\0"):
            assert await hasher.verify(guess, None) == WRONG

    async def test_equal_passwords_of_two_people_do_not_show(self, hasher: PasswordHasher) -> None:
        one, other = await hasher.hash(GOOD), await hasher.hash(GOOD)
        assert one.scheme == other.scheme
        assert one.encoded != other.encoded
        assert GOOD not in one.encoded

    @pytest.mark.parametrize("end", ["a", "\0", "é", "🔑", " "])
    async def test_every_letter_of_a_long_password_counts(self, hasher: PasswordHasher, end: str) -> None:
        known = await hasher.hash("x" * 255 + end)
        assert await hasher.verify("x" * 255 + end, known) == RIGHT
        assert await hasher.verify("x" * 255 + "b", known) == WRONG
        assert await hasher.verify("x" * 255, known) == WRONG

    async def test_letters_after_a_nul_count(self, hasher: PasswordHasher) -> None:
        known = await hasher.hash("before\0after it all")
        assert await hasher.verify("before\0another thing", known) == WRONG

    async def test_composed_and_decomposed_letters_are_one_password(self, hasher: PasswordHasher) -> None:
        known = await hasher.hash("contraseña número uno")
        assert await hasher.verify("contrasen\u0303a nu\u0301mero uno", known) == RIGHT

    async def test_what_is_no_text_is_wrong_like_any_other(self, hasher: PasswordHasher) -> None:
        known = await hasher.hash(GOOD)
        assert await hasher.verify("\ud800" * 12, known) == WRONG
        assert await hasher.verify("x" * 1_000_000, known) == WRONG
        assert await hasher.verify("\ud800" * 12, await hasher.hash("\ud800" * 12)) == RIGHT

    async def test_hash_of_before_is_right_and_outdated(self, hasher: PasswordHasher, strict: PasswordHasher) -> None:
        old = await hasher.hash(GOOD)
        assert await strict.verify(GOOD, old) == PasswordCheck(is_right=True, is_outdated=True)
        assert await strict.verify(GOOD + "x", old) == WRONG
        assert await strict.verify(GOOD, await strict.hash(GOOD)) == RIGHT

    @pytest.mark.parametrize("encoded", ["", "x", "$2b$12$", "$argon2id$v=19$m=19456,t=2,p=1$", "é" * 60, "\0"])
    async def test_hash_that_cannot_be_read_is_never_right(self, hasher: PasswordHasher, encoded: str) -> None:
        known = await hasher.hash(GOOD)
        assert await hasher.verify(GOOD, PasswordHash(scheme=known.scheme, encoded=encoded)) == WRONG

    async def test_an_unknown_scheme_is_never_right(self, hasher: PasswordHasher) -> None:
        assert await hasher.verify(GOOD, PasswordHash(scheme="of the future", encoded="anything")) == WRONG

    async def test_a_hash_does_not_show_itself(self, hasher: PasswordHasher) -> None:
        known = await hasher.hash(GOOD)
        assert known.encoded not in repr(known)


@pytest.mark.asyncio
class BoundedPasswordHasherContract:
    """For hashers with a queue. Fixture: ``full_hasher``: slow enough that ``capacity + 1`` calls at once meet in it."""

    capacity: ClassVar[int]

    @pytest.fixture
    def full_hasher(self) -> PasswordHasher:
        raise NotImplementedError("supply the hasher under test")

    async def test_one_too_many_is_told_when_to_come_back(self, full_hasher: PasswordHasher) -> None:
        calls = [full_hasher.verify(GOOD, None) for _ in range(self.capacity + 5)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        refused = [result for result in results if isinstance(result, Overloaded)]
        assert len(refused) == 5
        assert all(1 <= error.retry_after_seconds <= 60 for error in refused)
        assert [result for result in results if not isinstance(result, Overloaded)] == [WRONG] * self.capacity

    async def test_places_are_free_again_afterwards(self, full_hasher: PasswordHasher) -> None:
        for _ in range(3):
            assert await asyncio.gather(*(full_hasher.verify(GOOD, None) for _ in range(self.capacity))) == [WRONG] * self.capacity

    async def test_callers_who_give_up_leave_no_place_taken(self, full_hasher: PasswordHasher) -> None:
        for _ in range(3):
            waiting = [asyncio.ensure_future(full_hasher.verify(GOOD, None)) for _ in range(self.capacity)]
            await asyncio.sleep(0)
            for call in waiting:
                call.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        # Those that a thread had begun end by themselves.
        async with asyncio.timeout(10):
            while True:
                results = await asyncio.gather(
                    *(full_hasher.verify(GOOD, None) for _ in range(self.capacity)), return_exceptions=True
                )
                if results == [WRONG] * self.capacity:
                    return


@pytest.mark.asyncio
class PasswordBlocklistContract:
    """Fixture: ``blocklist``, which knows ``known``."""

    known: ClassVar[str] = "password1234"

    @pytest.fixture
    def blocklist(self) -> PasswordBlocklist:
        raise NotImplementedError("supply the list under test")

    async def test_a_known_password_is_found_in_whatever_case(self, blocklist: PasswordBlocklist) -> None:
        assert await blocklist.contains(self.known)
        assert await blocklist.contains(self.known.upper())
        assert await blocklist.contains(self.known.title())

    @pytest.mark.parametrize("password", [GOOD, "Kx9#vQ2!mZ7p", "ein ganz langer satz", "山川海空星月花鳥風雪雨雲"])
    async def test_an_unknown_password_is_not(self, blocklist: PasswordBlocklist, password: str) -> None:
        assert not await blocklist.contains(password)
