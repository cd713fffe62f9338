from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Iterator
from threading import Event
from time import process_time, sleep

import bcrypt
import pytest

from adapters.passwords.hasher import ThreadedPasswordHasher, password_hasher
from adapters.passwords.schemes import Argon2Scheme, BcryptScheme, Scheme
from tests.asvs import asvs
from tradingcore.auth.errors import Overloaded
from tradingcore.auth.model.password import PasswordCheck, PasswordHash
from tradingcore.auth.ports.passwords import PasswordHasher
from tradingcore.testing.auth.passwords import GOOD, RIGHT, WRONG, BoundedPasswordHasherContract, PasswordHasherContract

PEPPER = bytes(range(32))


def a_bcrypt_scheme(cost: int = 4) -> Scheme:
    return BcryptScheme(PEPPER, cost=cost)


def an_argon2_scheme(memory_kib: int = 64) -> Scheme:
    return Argon2Scheme(PEPPER, passes=1, memory_kib=memory_kib)


@asvs("11.4.2", "6.2.8", "6.2.9")
class TestBcrypt(PasswordHasherContract):
    @pytest.fixture
    def hasher(self) -> Iterator[PasswordHasher]:
        hasher = ThreadedPasswordHasher(a_bcrypt_scheme())
        yield hasher
        hasher.close()

    @pytest.fixture
    def strict(self) -> Iterator[PasswordHasher]:
        hasher = ThreadedPasswordHasher(a_bcrypt_scheme(cost=5))
        yield hasher
        hasher.close()


@asvs("11.4.2", "6.2.8")
class TestArgon2(PasswordHasherContract):
    @pytest.fixture
    def hasher(self) -> Iterator[PasswordHasher]:
        hasher = ThreadedPasswordHasher(an_argon2_scheme())
        yield hasher
        hasher.close()

    @pytest.fixture
    def strict(self) -> Iterator[PasswordHasher]:
        hasher = ThreadedPasswordHasher(an_argon2_scheme(memory_kib=128))
        yield hasher
        hasher.close()


@asvs("11.2.2")
class TestChangeOfScheme(PasswordHasherContract):
    @pytest.fixture
    def hasher(self) -> Iterator[PasswordHasher]:
        hasher = ThreadedPasswordHasher(a_bcrypt_scheme(), others=(an_argon2_scheme(),))
        yield hasher
        hasher.close()

    @pytest.fixture
    def strict(self) -> Iterator[PasswordHasher]:
        hasher = ThreadedPasswordHasher(an_argon2_scheme(), others=(a_bcrypt_scheme(),))
        yield hasher
        hasher.close()


class SlowScheme(BcryptScheme):
    __slots__ = ()

    def matches(self, password: str, encoded: str) -> bool:
        sleep(0.05)
        return super().matches(password, encoded)


@asvs("15.2.2")
class TestQueue(BoundedPasswordHasherContract):
    capacity = 6

    @pytest.fixture
    def full_hasher(self) -> Iterator[PasswordHasher]:
        hasher = ThreadedPasswordHasher(SlowScheme(PEPPER, cost=4), threads=2, queue=4)
        yield hasher
        hasher.close()


@pytest.mark.parametrize(
    ("scheme", "id_", "stored"),
    [
        (a_bcrypt_scheme(), "bcrypt-hmac-sha384", "$2b$04$nwbonY4FDPWnY8qFIy9XL.m8dkZ7/djJEEtHCZAskPbfhR7LIl/Oi"),
        (
            an_argon2_scheme(),
            "argon2id-hmac-sha384",
            "$argon2id$v=19$m=64,t=1,p=1$uox/YmTXcfdeG2lwSHefJQ$m1oDslS/hgVGufv2W2ELUvy1+AeOHAiCYVn4bz/nnD4",
        ),
    ],
)
def test_what_is_stored_stays_right_in_every_later_version(scheme: Scheme, id_: str, stored: str) -> None:
    assert scheme.id == id_
    assert scheme.matches("contraseña número uno", stored)


def test_bcrypt_sees_sixty_four_letters_of_a_keyed_hash() -> None:
    letters = base64.b64encode(hmac.digest(PEPPER, GOOD.encode(), hashlib.sha384))
    assert len(letters) == 64
    assert bcrypt.checkpw(letters, a_bcrypt_scheme().make(GOOD).encode())


@asvs("11.4.4")
def test_costs_in_production_are_those_of_the_standards() -> None:
    hasher = password_hasher(PEPPER)
    assert isinstance(hasher._scheme, BcryptScheme)
    assert hasher._scheme.decoy.startswith("$2b$12$")
    assert Argon2Scheme(PEPPER).decoy.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    hasher.close()


async def test_without_the_pepper_no_password_is_right() -> None:
    one, other = (ThreadedPasswordHasher(BcryptScheme(pepper, cost=4)) for pepper in (PEPPER, PEPPER[::-1]))
    assert await other.verify(GOOD, await one.hash(GOOD)) == WRONG
    one.close()
    other.close()


@pytest.mark.parametrize("scheme", [a_bcrypt_scheme(8), Argon2Scheme(PEPPER, passes=2, memory_kib=4096)])
def test_nobody_costs_as_much_as_somebody(scheme: Scheme) -> None:
    known = scheme.make(GOOD)
    times: dict[str, list[float]] = {known: [], scheme.decoy: []}
    for _ in range(20):
        for encoded, seconds in times.items():
            begun = process_time()
            scheme.matches("wrong", encoded)
            seconds.append(process_time() - begun)
    real, decoy = (min(seconds) for seconds in times.values())
    assert 0.6 < decoy / real < 1.6


async def test_the_event_loop_goes_on_meanwhile() -> None:
    hasher = ThreadedPasswordHasher(a_bcrypt_scheme(cost=12))
    check = asyncio.ensure_future(hasher.verify(GOOD, None))
    turns = 0
    while not check.done():
        await asyncio.sleep(0.001)
        turns += 1
    hasher.close()
    # A check takes a quarter of a second: one that kept the interpreter for itself would leave the loop a turn or two.
    assert turns > 10


async def test_what_waits_is_dropped_when_the_process_ends() -> None:
    begun, held = Event(), Event()

    class Held(BcryptScheme):
        __slots__ = ()

        def matches(self, password: str, encoded: str) -> bool:
            begun.set()
            held.wait(5)
            return super().matches(password, encoded)

    hasher = ThreadedPasswordHasher(Held(PEPPER, cost=4), threads=1, queue=2)
    running, waiting = (asyncio.ensure_future(hasher.verify(GOOD, None)) for _ in range(2))
    await asyncio.to_thread(begun.wait)
    hasher.close()
    held.set()
    assert await running == WRONG
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(Overloaded, match="closing"):
        await hasher.verify(GOOD, None)


async def test_either_scheme_can_be_chosen_by_name() -> None:
    old, new = password_hasher(PEPPER, bcrypt_cost=4), password_hasher(PEPPER, scheme="argon2id", bcrypt_cost=4)
    known = await old.hash(GOOD)
    assert await new.verify(GOOD, known) == PasswordCheck(is_right=True, is_outdated=True)
    better = await new.hash(GOOD)
    assert better.scheme != known.scheme
    assert await new.verify(GOOD, better) == RIGHT
    assert await old.verify(GOOD, PasswordHash(scheme=better.scheme, encoded=known.encoded)) == WRONG
    old.close()
    new.close()
