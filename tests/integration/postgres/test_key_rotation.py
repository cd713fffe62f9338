"""G37: keys are rotated while everybody works, a run may be killed at any time, and nothing becomes unreadable."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from time import perf_counter
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.cryptography.key_ring import KeyRing, KeyRingFile
from adapters.cryptography.sealing import AesGcmSealer
from adapters.postgres.auth.key_rotation import SEALED_TABLES, DataKeyRotation, Rewrapped
from adapters.postgres.auth.keys import PostgresAuthUnits
from adapters.postgres.connect import connected
from adapters.postgres.roles import DatabaseRole
from adapters.postgres.tables import auth as tables_of_auth
from adapters.postgres.tables.columns import METADATA
from adapters.system.identifiers import Uuid7Generator
from entrypoints.cli import app
from tests.asvs import asvs
from tests.integration.postgres import rotating
from tests.integration.postgres.server import TestDatabase, run_apart
from tradingcore.auth.errors import Unsealable
from tradingcore.auth.events import EVENTS
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.model.session import hash_of_token
from tradingcore.auth.model.totp import TotpFactor
from tradingcore.auth.ports.sealing import Sealer
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.errors import Conflict, TradingCoreError
from tradingcore.testing.auth.builders import a_mailed_token, an_account, the_owner_of
from tradingcore.testing.auth.identities import an_identity
from tradingcore.testing.auth.phones import a_phone, a_proof
from tradingcore.testing.builders import MONDAY, an_actor
from tradingcore.testing.fakes import FakeClock

R = TypeVar("R")

SECRET = bytes(range(20))
SEALED_OTHERWISE = {
    "refresh_tokens.successor_sealed": "under the token that it follows, which is stored nowhere",
    "oauth_flows.sealed": "for ten minutes and for nobody known yet, under a key for its purpose",
}


@pytest_asyncio.fixture
async def database(shared_database: TestDatabase) -> TestDatabase:
    async with connected(shared_database.administrator) as connection:
        await connection.execute(f"truncate {', '.join(map(str, METADATA.tables))} restart identity cascade")
    return shared_database


class Place:
    """One database with a key ring in a file, as an installation has them."""

    def __init__(self, folder: Path, engine: AsyncEngine) -> None:
        self.ring_file = folder / "secrets" / "sealing_keys"
        self.ring = KeyRingFile(self.ring_file)
        self.sealer = rotating.sealer_on(self.ring_file)
        self._engine = engine
        self.units = self.units_with(self.sealer)

    def units_with(self, sealer: Sealer, engine: AsyncEngine | None = None) -> PostgresAuthUnits:
        return PostgresAuthUnits(engine or self._engine, EventCodec(EVENTS), Uuid7Generator(), sealer)

    @property
    def newest_key_alone(self) -> AesGcmSealer:
        """What can be read once every older key is gone."""
        ring = KeyRingFile(self.ring_file)()
        alone = KeyRing({ring.current_version: ring.keys[ring.current_version]})
        return AesGcmSealer(lambda: alone, index_key=rotating.INDEX_KEY)

    def rotation(self, sealer: Sealer | None = None) -> DataKeyRotation:
        chosen = sealer or self.sealer
        return DataKeyRotation(self.units_with(chosen), chosen, FakeClock(MONDAY))

    async def people(self, number: int) -> Sequence[UserAccount]:
        """Accounts, each with something in every table that holds sealed values."""
        return [await self.person() for _ in range(number)]

    async def person(self) -> UserAccount:
        account = an_account()
        async with self.units(an_actor()) as unit:
            saved = await unit.accounts.save(account)
        async with self.units(an_actor()) as unit:
            await unit.one_time_tokens.add(a_mailed_token(account, secret=account.id.bytes, bound_to="new@example.org"))
            await unit.identities.save(an_identity(account))
            await unit.phones.put(a_phone(account))
            await unit.phones.start(a_proof(the_owner_of(account)))
            await unit.totp_factors.enrol(TotpFactor(user_id=account.id, created_at=MONDAY), SECRET)
        return saved

    async def assert_readable(self, people: Sequence[UserAccount], sealer: Sealer | None = None) -> None:
        units = self.units_with(sealer or rotating.sealer_on(self.ring_file))
        async with units(an_actor()) as unit:
            for person in people:
                assert (await unit.accounts.get(person.id)).email == person.email
                (identity,) = await unit.identities.list_of(person.id)
                assert identity.name == "Ana Pérez"
                assert await unit.totp_factors.secret_of(person.id) == SECRET
                assert await unit.phones.find(person.id) == a_phone(person)
                token = await unit.one_time_tokens.consume(hash_of_token(person.id.bytes), TokenPurpose.VERIFY_ADDRESS, at=MONDAY)
                assert token is None or token.bound_to == "new@example.org"


@pytest.fixture
def place(tmp_path: Path, worker_engine: AsyncEngine) -> Place:
    return Place(tmp_path, worker_engine)


async def test_afterwards_the_new_key_alone_reads_everything(place: Place) -> None:
    people = await place.people(12)
    assert not await place.rotation().is_pending(an_actor())
    place.ring.rotate()
    assert await place.rotation().is_pending(an_actor())
    steps = [progress async for progress in place.rotation().rewrap(an_actor(), batch=5)]
    assert [step.done for step in steps] == [5, 10, 12]
    assert await place.rotation().versions_in_use(an_actor()) == {place.sealer.current_version}
    await place.assert_readable(people, place.newest_key_alone)
    assert [step.done async for step in place.rotation().rewrap(an_actor())] == [0]


async def test_a_run_goes_on_where_another_was_interrupted(place: Place) -> None:
    people = await place.people(12)
    place.ring.rotate()
    async for progress in place.rotation().rewrap(an_actor(), batch=5):
        assert progress.done == 5
        break
    await place.assert_readable(people)
    assert [step.done async for step in place.rotation().rewrap(an_actor(), batch=5)] == [5, 7]


async def test_two_runs_at_once_share_the_work(place: Place) -> None:
    people = await place.people(12)
    place.ring.rotate()

    async def run() -> int:
        return [step.done async for step in place.rotation().rewrap(an_actor(), batch=2)][-1]

    assert sum(await asyncio.gather(run(), run())) == 12
    await place.assert_readable(people, place.newest_key_alone)


async def test_a_key_that_cannot_be_read_is_counted_and_holds_up_nothing(place: Place, database: TestDatabase) -> None:
    people = await place.people(4)
    lost = people[1]
    async with connected(database.administrator) as connection:
        await connection.execute("update data_keys set key_version = 'lost' where user_id = $1", lost.id)
        key_id = await connection.fetchval("select id from data_keys where user_id = $1", lost.id)
    place.ring.rotate()
    steps = [progress async for progress in place.rotation().rewrap(an_actor(), batch=2)]
    assert steps[-1] == Rewrapped(done=3, unreadable=(key_id,))
    await place.assert_readable([person for person in people if person is not lost], place.newest_key_alone)


async def test_a_fresh_data_key_reads_what_the_old_one_reads_no_more(place: Place, database: TestDatabase) -> None:
    person, other = await place.people(2)
    async with place.units(an_actor()) as unit:
        stolen = await unit.data_keys.of(person.id)
    assert await place.rotation().reseal(an_actor(), person.id) == 9
    await place.assert_readable([person, other])
    async with connected(database.administrator) as connection:
        sealed = await connection.fetchval("select email_sealed from user_accounts where id = $1", person.id)
    with pytest.raises(Unsealable):
        place.sealer.open(stolen, sealed, about=f"user_accounts.email_sealed:{person.id}")


async def test_nothing_changes_when_one_value_does_not_open(place: Place, database: TestDatabase) -> None:
    (person,) = await place.people(1)
    async with connected(database.administrator) as connection:
        await connection.execute("update totp_factors set secret_sealed = secret_sealed || '\\x00'")
        before = await connection.fetch("select u.*, k.* from user_accounts u join data_keys k on k.user_id = u.id")
        with pytest.raises(Unsealable):
            await place.rotation().reseal(an_actor(), person.id)
        assert await connection.fetch("select u.*, k.* from user_accounts u join data_keys k on k.user_id = u.id") == before


async def test_nobody_writes_with_a_key_that_was_replaced(place: Place) -> None:
    (person,) = await place.people(1)
    is_over = asyncio.Event()

    async def write(number: int) -> int:
        done = 0
        while not is_over.is_set():
            try:
                async with place.units(an_actor()) as unit:
                    account = await unit.accounts.get(person.id)
                    changed = replace(account.profile, display_name=f"Ana {number}")
                    await unit.data_keys.of(person.id)
                    await asyncio.sleep(0.002)
                    await unit.accounts.save(account.with_profile(changed))
                    await unit.one_time_tokens.add(
                        a_mailed_token(account, secret=f"{number} {done}".encode(), bound_to="new@example.org")
                    )
                done += 1
            except Conflict:
                continue
        return done

    writers = [asyncio.create_task(write(number)) for number in range(3)]
    for _ in range(10):
        await place.rotation().reseal(an_actor(), person.id)
        await asyncio.sleep(0.01)
    is_over.set()
    assert sum(await asyncio.gather(*writers)) > 0
    await place.assert_readable([person])
    open_tokens = text("select token_hash from one_time_tokens where used_at is null")
    async with place.units(an_actor()) as unit:
        for token_hash in (await unit.connection.execute(open_tokens)).scalars().all():
            token = await unit.one_time_tokens.consume(bytes(token_hash), TokenPurpose.VERIFY_ADDRESS, at=MONDAY)
            assert token is not None
            assert token.bound_to == "new@example.org"


def test_command_rotates_and_goes_on_after_an_interruption(
    database: TestDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = database.administrator
    storage = f"postgresql://{at.user}:{at.password}@{at.host}:{at.port}/{at.database}"
    # The generated passwords of the login roles lie in the data folder.
    shutil.copy(database.server.passwords.file, tmp_path)

    async def with_place(work: Callable[[Place], Coroutine[Any, Any, R]]) -> R:
        engine = database.engine(DatabaseRole.WORKER)
        try:
            return await work(Place(tmp_path, engine))
        finally:
            await engine.dispose()

    def rotate(*options: str) -> dict[str, Any]:
        with pytest.raises(SystemExit) as end:
            app.run(["--json", "--storage", storage, "--data-dir", str(tmp_path), "data", "rotate-keys", *options])
        assert end.value.code in (0, None)
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return told

    def keys_finding() -> tuple[str, str]:
        with pytest.raises(SystemExit):
            app.run(["--json", "--storage", storage, "--data-dir", str(tmp_path), "doctor"])
        (found,) = [one for one in json.loads(capsys.readouterr().out) if one["check"] == "keys"]
        return found["health"], found["detail"]

    person, other = run_apart(with_place(lambda place: place.people(2)))
    ring = KeyRingFile(tmp_path / "secrets" / "sealing_keys")
    first = ring().current_version
    told = rotate()
    assert told == {"version": ring().current_version, "rewrapped": 2, "unreadable": []}
    assert told["version"] != first
    # Made by a run that came no further.
    unfinished = ring.rotate().current_version
    assert rotate("--retire")["version"] == unfinished
    assert list(ring().keys) == [first, told["version"], unfinished]
    assert keys_finding() == ("ok", "1 of 3 key-encryption keys in use")
    assert rotate("--user", str(person.id)) == {"user_id": str(person.id), "values": 9}
    run_apart(with_place(lambda place: place.assert_readable([person, other])))
    # As after a restore on another machine, where the folder of secrets was forgotten.
    (tmp_path / "secrets" / "sealing_keys").unlink()
    health, detail = keys_finding()
    assert health == "failed"
    assert f"personal data is sealed by {unfinished}" in detail


async def test_only_the_platform_rotates(place: Place, api_engine: AsyncEngine) -> None:
    (person,) = await place.people(1)
    units = place.units_with(place.sealer, api_engine)
    owner = the_owner_of(person)
    rotation = DataKeyRotation(units, place.sealer, FakeClock(MONDAY))
    place.ring.rotate()
    with pytest.raises(TradingCoreError):
        [step async for step in rotation.rewrap(owner)]
    with pytest.raises(TradingCoreError):
        await rotation.reseal(owner, person.id)
    await place.assert_readable([person])


def test_every_sealed_column_is_known() -> None:
    for module in iter_modules(tables_of_auth.__path__):
        import_module(f"{tables_of_auth.__name__}.{module.name}")
    known = {f"{place.table.name}.{column}" for place in SEALED_TABLES for column in place.columns}
    in_schema = {
        f"{table.name}.{column.name}" for table in METADATA.tables.values() for column in table.columns if "sealed" in column.name
    }
    assert in_schema - known - SEALED_OTHERWISE.keys() == set()


async def _killed_runs(place: Place, database: TestDatabase, *, kills: int, people: int, seed: int) -> int:
    """Kill as many runs at random times, every second while it seals somebody's data anew; return how many were under way."""
    random_ = random.Random(seed)
    accounts_ = await place.people(people)
    worker = database.address(DatabaseRole.WORKER)
    under_way = 0
    for kill in range(kills):
        resealed = [random_.choice(accounts_).id] if kill % 2 == 1 else []
        if not await place.rotation().is_pending(an_actor()):
            place.ring.rotate()
        command = rotating.arguments(worker, place.ring_file, 1, *resealed)
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        await asyncio.sleep(random_.uniform(0, 0.003 * people))
        if process.returncode is None:
            process.kill()
            under_way += 1
        await process.wait()
        await place.assert_readable(accounts_)
    steps = [step async for step in place.rotation().rewrap(an_actor())]
    assert steps[-1].unreadable == ()
    await place.assert_readable(accounts_, place.newest_key_alone)
    return under_way


@asvs("11.2.2")
async def test_a_killed_run_leaves_everything_readable(place: Place, database: TestDatabase) -> None:
    assert await _killed_runs(place, database, kills=2, people=10, seed=37) > 0


@pytest.mark.campaign
@pytest.mark.timeout(300)
async def test_twenty_killed_runs_leave_everything_readable(place: Place, database: TestDatabase) -> None:
    begun, seed = perf_counter(), 37
    under_way = await _killed_runs(place, database, kills=20, people=100, seed=seed)
    line = {"id": "G37", "n": 20, "under_way": under_way, "failures": 0, "seed": seed, "seconds": round(perf_counter() - begun, 1)}
    print(json.dumps(line))
    assert under_way >= 15
