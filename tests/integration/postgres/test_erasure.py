from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.auth.audit import PostgresAuditTrail
from adapters.postgres.auth.erasure import EMPTIED, ERASED
from adapters.postgres.auth.keys import PostgresAuthUnits
from adapters.postgres.connect import connected
from adapters.postgres.tables.columns import METADATA
from adapters.system.identifiers import Uuid7Generator
from entrypoints.cli import app
from entrypoints.cli.exits import Exit
from tests.asvs import asvs
from tests.integration.postgres.sealing import SEALER
from tests.integration.postgres.server import TestDatabase
from tradingcore.auth.errors import Unsealable
from tradingcore.auth.events import EVENTS
from tradingcore.auth.use_cases.export_own_data import ExportOwnData, ExportOwnDataCommand
from tradingcore.kernel.codec import EventCodec
from tradingcore.testing.auth.builders import PASSWORD, the_owner_of
from tradingcore.testing.auth.erasure import NAME, PersonalRecordsContract, Units, closed, somebody
from tradingcore.testing.builders import MONDAY, an_actor
from tradingcore.testing.fakes import FakeClock

KNOW_THE_ID = {"user_accounts", "api_keys", "events", "rights_changes", "outbox"}
"""Tables that may go on naming the id, which means nobody any more."""


@pytest_asyncio.fixture
async def database(shared_database: TestDatabase) -> TestDatabase:
    async with connected(shared_database.administrator) as connection:
        await connection.execute(f"truncate {', '.join(map(str, METADATA.tables))} restart identity cascade")
    return shared_database


@asvs("14.2.7")
class TestPostgresPersonalRecords(PersonalRecordsContract):
    @pytest.fixture
    def units(self, worker_engine: AsyncEngine) -> PostgresAuthUnits:
        return PostgresAuthUnits(worker_engine, EventCodec(EVENTS), Uuid7Generator(), SEALER)

    @pytest.fixture
    def units_of_users(self, api_engine: AsyncEngine) -> PostgresAuthUnits:
        return PostgresAuthUnits(api_engine, EventCodec(EVENTS), Uuid7Generator(), SEALER)

    async def test_no_table_holds_a_word_of_the_person(self, units: Units, database: TestDatabase) -> None:
        person = await somebody(units)
        async with connected(database.administrator) as connection:
            ours = "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'audit')"
            tables = [row["name"] for row in await connection.fetch(ours)]

            async def holding(word: str) -> set[str]:
                count = "select count(*) from {} as row where strpos(lower(row::text), lower($1)) > 0"
                return {table.split(".")[1] for table in tables if await connection.fetchval(count.format(table), word)}

            assert await holding(NAME) == {"sessions", "trusted_devices", "api_keys"}
            sealed = await connection.fetchval("select email_sealed from user_accounts where id = $1", person.id)
            await closed(units, person)
            async with units(an_actor()) as unit:
                await unit.personal_records.erase(person.id)
            assert await holding(NAME) == set()
            assert await holding(str(person.id)) <= KNOW_THE_ID
        # A copy of before, in a backup say, has the sealed value; without the data key it is noise.
        assert NAME.encode() not in sealed
        with pytest.raises(Unsealable, match="has no data key"):
            async with units(an_actor()) as unit:
                await unit.data_keys.of(person.id)  # type: ignore[attr-defined]  # of this adapter's units alone

    async def test_owner_exports_what_is_kept_without_writing(
        self, units: Units, units_of_users: PostgresAuthUnits, api_engine: AsyncEngine
    ) -> None:
        person, _ = await somebody(units), await somebody(units, name="Ana")
        export = ExportOwnData(uow=units_of_users, trail=PostgresAuditTrail(api_engine), clock=FakeClock(MONDAY))
        data = await export(replace(the_owner_of(person), is_reading=True), ExportOwnDataCommand())
        assert data.account.profile.display_name == NAME
        assert data.phone is not None
        kept = [data.sessions, data.identities, data.trusted_devices, data.api_keys]
        assert [len(rows) for rows in kept] == [1, 1, 1, 1]

    async def test_every_table_about_a_person_is_known(self, database: TestDatabase) -> None:
        async with connected(database.administrator) as connection:
            referring = await connection.fetch(
                "select distinct conrelid::regclass::text as name from pg_constraint"
                " where confrelid = 'public.user_accounts'::regclass"
            )
        assert {row["name"] for row in referring} == {table.name for table in (*ERASED, *EMPTIED)}


def test_command_erases_only_with_yes_and_says_when_nothing_was_left(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at = database.administrator
    storage = f"postgresql://{at.user}:{at.password}@{at.host}:{at.port}/{at.database}"
    # The generated passwords of the login roles lie in the data folder.
    shutil.copy(database.server.passwords.file, tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            app.run(["--json", "--storage", storage, "--data-dir", str(tmp_path), "users", *arguments])
        return int(end.value.code or 0), capsys.readouterr().out

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    user_id = json.loads(run("create", "ana@example.org", "--name", NAME, "--password-stdin")[1])["id"]
    assert run("erase", user_id)[0] == Exit.REFUSED
    assert json.loads(run("show", user_id)[1])["status"] == "active"
    assert json.loads(run("erase", user_id, "--yes")[1]) == {"id": user_id, "erased_now": True}
    shown = json.loads(run("show", user_id)[1])
    assert (shown["status"], shown["email"]) == ("closed", None)
    assert json.loads(run("erase", user_id, "--yes")[1])["erased_now"] is False
