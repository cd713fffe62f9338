"""The export of one's own data over HTTP."""

from __future__ import annotations

from datetime import timedelta

from tests.asvs import asvs
from tests.unit.entrypoints.http.people import an_owner, signed_in
from tests.unit.entrypoints.http.test_access import check_against_document
from tests.unit.entrypoints.http.world import World
from tradingcore.testing.auth.erasure import NAME, somebody

PATH = "/api/v1/account/export"


@asvs("5.4.1", "5.4.2")
async def test_export_is_a_file_with_everything_and_no_secret() -> None:
    world = World()
    person = await somebody(world.container.auth_uow())
    client = await signed_in(world, person)
    answer = await client.get(PATH)
    check_against_document(world, answer, "GET", PATH)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="tradingcore-export-{world.clock.now():%Y-%m-%d}.json"'
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["account"]["display_name"] == NAME
    assert [len(body[name]) for name in ("identities", "trusted_devices", "api_keys")] == [1, 1, 1]
    assert [session["is_current"] for session in body["sessions"]].count(True) == 1
    assert body["phone"]["number"].startswith("+34")
    assert person.password is not None
    assert person.password.encoded not in answer.text


async def test_export_needs_a_recent_sign_in_and_says_so() -> None:
    world = World()
    client = await signed_in(world, await an_owner(world), age=timedelta(minutes=6))
    answer = await client.get(PATH)
    check_against_document(world, answer, "GET", PATH)
    assert answer.status_code == 401
    assert 'error="insufficient_user_authentication"' in answer.headers["www-authenticate"]
