"""Signing in at identity providers over HTTP: what a browser is given, and what it must bring back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from dependency_injector import providers as wired

from adapters.memory.auth.identity_provider import MemoryDeletionRequests, MemoryIdentityProvider
from tests.asvs import asvs
from tests.unit.entrypoints.http.people import an_owner, settle, signed_in
from tests.unit.entrypoints.http.test_access import check_against_document
from tests.unit.entrypoints.http.world import World
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.identity import EmailTrust, ProvenIdentity, Provider

API = "/api/v1/auth"
COOKIE = "tradingcore-oauth"


@pytest.fixture(scope="module")
def one_world() -> World:
    """An application takes longer to build than all else that a test of this file does."""
    world = World()
    found = {name: MemoryIdentityProvider(name, world.clock, proves_presence=name is Provider.LOCAL) for name in Provider}
    world.container.identity_providers.override(wired.Object(found))
    world.container.deletion_requests.override(wired.Object({Provider.FACEBOOK: MemoryDeletionRequests(b"k" * 32)}))
    return world


@pytest.fixture
async def world(one_world: World) -> World:
    one_world.clock.advance(timedelta(days=1))
    await settle(one_world)
    return one_world


def a_person(subject: str, *, email: str | None = None) -> ProvenIdentity:
    address = None if email is None else EmailAddress.parse(email)
    trust = EmailTrust.NONE if email is None else EmailTrust.VERIFIED
    return ProvenIdentity(provider=Provider.GOOGLE, subject=subject, email=address, email_trust=trust, name="Ana")


async def post(world: World, client: httpx.AsyncClient, path: str, body: Any) -> httpx.Response:
    answer = await client.post(f"{API}{path}", json=body)
    template = "/providers/{provider}/authorizations" if path.endswith("/authorizations") else path
    check_against_document(world, answer, "POST", f"{API}{template}")
    return answer


async def begun(world: World, client: httpx.AsyncClient, provider: str = "google", **body: str) -> str:
    answer = await post(world, client, f"/providers/{provider}/authorizations", body)
    assert answer.status_code == 201, answer.text
    address: str = answer.json()["authorization_url"]
    return address


def approved(world: World, url: str, person: ProvenIdentity, provider: Provider = Provider.GOOGLE) -> dict[str, str]:
    asked: Any = world.container.identity_providers()[provider]
    state, answer = asked.approve(url, person)
    return {"state": state, "code": answer.code or ""}


def back(answer: httpx.Response) -> dict[str, str]:
    """What our own page is told."""
    assert answer.status_code == 303
    location = urlsplit(answer.headers["location"])
    assert (location.scheme, location.netloc, location.path, location.query) == ("", "", "/sign-in", "")
    return dict(parse_qsl(location.fragment, strict_parsing=True))


async def returned(client: httpx.AsyncClient, fields: dict[str, str], provider: str = "google") -> dict[str, str]:
    return back(await client.get(f"{API}/providers/{provider}/callback?{urlencode(fields)}"))


async def handle_of(world: World, client: httpx.AsyncClient, person: ProvenIdentity, **body: str) -> str:
    url = await begun(world, client, **body)
    return (await returned(client, approved(world, url, person)))["handle"]


async def completed(world: World, client: httpx.AsyncClient, handle: str, **body: str) -> httpx.Response:
    return await post(world, client, "/providers/completions", {"handle": handle, **body})


async def test_whole_dance_gives_tokens_that_work(world: World) -> None:
    client = world.client()
    handle = await handle_of(world, client, a_person("dance", email="dance@example.org"), next="/")
    answer = await completed(world, client, handle)
    body = answer.json()
    assert (answer.status_code, body["status"], body["next"]) == (200, "signed_in", "/")
    session = world.client(authorization=f"Bearer {body['tokens']['access_token']}")
    assert (await session.get("/api/v1/account")).json()["email"] == "dance@example.org"
    listed = await session.get(f"{API}/identities")
    check_against_document(world, listed, "GET", f"{API}/identities")
    assert [one["provider"] for one in listed.json()["data"]] == ["google"]
    # The cookie has done its work.
    assert COOKIE not in client.cookies


async def test_providers_that_are_on_are_listed(world: World) -> None:
    answer = await world.client().get(f"{API}/providers")
    check_against_document(world, answer, "GET", f"{API}/providers")
    assert [one["name"] for one in answer.json()["data"]] == ["google", "apple", "facebook", "x", "github", "local"]


@asvs("3.3.1", "3.3.2", "3.3.4", "10.1.2")
async def test_cookie_is_for_this_server_and_no_script(world: World) -> None:
    answer = await world.client().post(f"{API}/providers/google/authorizations", json={})
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"{COOKIE}=")
    for part in ("httponly", "samesite=lax", "path=/", "max-age=600"):
        assert part in cookie
    assert "domain" not in cookie


@asvs("7.6.2")
async def test_posted_answer_without_any_cookie_is_finished_by_a_request_with_it(world: World) -> None:
    client = world.client()
    fields = approved(world, await begun(world, client, "apple"), a_person("posted"), Provider.APPLE)
    fields["user"] = json.dumps({"name": {"firstName": "Ana", "lastName": "Pérez"}})
    # What Apple posts comes across sites: without our cookie.
    posted = await world.client(origin="https://appleid.apple.com").post(f"{API}/providers/apple/callback", data=fields)
    handle = back(posted)["handle"]
    assert "set-cookie" not in posted.headers
    stranger = await completed(world, world.client(), handle)
    assert (stranger.status_code, stranger.json()["code"]) == (400, "auth.provider_flow_unknown")
    assert (await completed(world, client, handle)).json()["status"] == "signed_in"


async def test_second_use_of_a_handle_is_refused(world: World) -> None:
    client = world.client()
    handle = await handle_of(world, client, a_person("twice"))
    cookie = dict(client.cookies)
    assert (await completed(world, client, handle)).status_code == 200
    client.cookies.update(cookie)
    again = await completed(world, client, handle)
    assert (again.status_code, again.json()["code"]) == (400, "auth.provider_flow_unknown")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code={code}",
        f"state={'x' * 44}&code=c",
        f"state={'%C3%A9' * 43}&code=c",
        f"state={{state}}&code={{code}}&state={'s' * 43}",
        f"state={{state}}&code={'c' * 2049}",
        "&".join(f"f{number}=" for number in range(40)),
        "state=%ff&code=%00",
    ],
)
@asvs("10.2.1")
async def test_callback_with_nonsense_sends_the_browser_to_our_page(world: World, query: str) -> None:
    client = world.client()
    fields = approved(world, await begun(world, client), a_person("nonsense"))
    answer = await client.get(f"{API}/providers/google/callback?{query.format(**fields)}")
    assert back(answer) == {"error": "auth.provider_flow_unknown"}


async def test_callback_of_a_provider_that_is_not_there_sends_the_browser_to_our_page(world: World) -> None:
    answer = await world.client().get(f"{API}/providers/evil.example/callback?state={'s' * 43}&code=c")
    assert back(answer) == {"error": "auth.provider_not_found"}


async def test_fields_that_a_provider_adds_are_no_obstacle(world: World) -> None:
    client = world.client()
    fields = approved(world, await begun(world, client), a_person("added"))
    fields |= {"scope": "openid email", "authuser": "0", "prompt": "consent", "hd": "example.org"}
    handle = (await returned(client, fields))["handle"]
    assert (await completed(world, client, handle)).status_code == 200


async def test_host_that_the_request_names_decides_nothing(world: World) -> None:
    client = world.client(host="evil.example", **{"x-forwarded-host": "evil.example"})
    fields = approved(world, await begun(world, client), a_person("host"))
    answer = await client.get(f"{API}/providers/google/callback?{urlencode(fields)}")
    assert "evil" not in answer.headers["location"]


async def test_person_who_said_no_is_told_so_at_the_end(world: World) -> None:
    client = world.client()
    fields = approved(world, await begun(world, client), a_person("no"))
    handle = (await returned(client, {"state": fields["state"], "error": "access_denied"}))["handle"]
    answer = await completed(world, client, handle)
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.identity_refused")


@asvs("1.2.2", "3.7.2")
@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example", "/elsewhere", "javascript:alert(1)"])
async def test_only_our_own_paths_are_led_to(world: World, path: str) -> None:
    answer = await post(world, world.client(), "/providers/google/authorizations", {"next": path})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/next")


async def test_unknown_provider_is_not_found(world: World) -> None:
    answer = await post(world, world.client(), "/providers/nobody/authorizations", {})
    assert (answer.status_code, answer.json()["code"]) == (404, "auth.provider_not_found")


async def test_refresh_token_may_come_as_a_cookie_to_our_own_page_only(world: World) -> None:
    client = world.client()
    handle = await handle_of(world, client, a_person("cookie"))
    refused = await completed(world, client, handle, delivery="cookie")
    assert (refused.status_code, refused.json()["code"]) == (403, "origin_refused")
    client.headers.update({"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin", "x-tradingcore-csrf": "1"})
    answer = await completed(world, client, handle, delivery="cookie")
    assert answer.json()["tokens"]["refresh_token"] is None
    assert "tradingcore-rt" in client.cookies


async def test_link_and_unlink_from_within_an_account(world: World) -> None:
    owner = await an_owner(world)
    client = await signed_in(world, owner)
    handle = await handle_of(world, client, a_person("linked"), purpose="link")
    linked = await completed(world, client, handle)
    assert linked.json()["status"] == "linked"
    identity = linked.json()["identity"]["id"]
    removed = await client.delete(f"{API}/identities/{identity}")
    assert removed.status_code == 204


@pytest.mark.parametrize("purpose", ["link", "step_up"])
async def test_nobody_links_or_steps_up(world: World, purpose: str) -> None:
    answer = await post(world, world.client(), "/providers/local/authorizations", {"purpose": purpose})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_link_needs_a_recent_sign_in(world: World) -> None:
    client = await signed_in(world, await an_owner(world), age=timedelta(minutes=6))
    answer = await post(world, client, "/providers/google/authorizations", {"purpose": "link"})
    assert (answer.status_code, answer.json()["code"]) == (401, "step_up_required")


async def test_address_of_a_proven_account_asks_for_that_account_first(world: World) -> None:
    owner = await an_owner(world, "proven")
    client = world.client()
    person = a_person("pending", email="proven@example.org")
    answer = await completed(world, client, await handle_of(world, client, person))
    assert (answer.status_code, answer.json()["status"]) == (200, "proof_required")
    ticket = answer.json()["proof"]["ticket"]
    # By mail, in the same browser.
    mailed = await post(world, client, "/identities/proofs", {"ticket": ticket})
    assert mailed.status_code == 202
    ((template, mail),) = await settle(world)
    assert (template, mail.to) == ("prove_account", "proven@example.org")
    elsewhere = await post(world, world.client(), "/identities/prove", {"token": mail.values["token"]})
    assert elsewhere.json()["code"] == "auth.provider_flow_unknown"
    proven = await post(world, client, "/identities/prove", {"token": mail.values["token"]})
    assert proven.status_code == 200
    assert (await (await signed_in(world, owner)).get(f"{API}/identities")).json()["data"] == [proven.json()]


async def test_owner_who_signs_in_takes_the_pending_link(world: World) -> None:
    owner = await an_owner(world, "taker")
    client = world.client()
    answer = await completed(world, client, await handle_of(world, client, a_person("taken", email="taker@example.org")))
    session = await signed_in(world, owner)
    session.cookies.update(dict(client.cookies))
    linked = await post(world, session, "/identities", {"ticket": answer.json()["proof"]["ticket"]})
    assert linked.status_code == 201


async def test_step_up_by_a_provider_gives_a_fresh_access_token(world: World) -> None:
    owner = await an_owner(world)
    fresh = await signed_in(world, owner)
    url = await begun(world, fresh, "local", purpose="link")
    fields = approved(world, url, a_person("present"), Provider.LOCAL)
    await completed(world, fresh, (await returned(fresh, fields, "local"))["handle"])
    client = await signed_in(world, owner, age=timedelta(minutes=10))
    url = await begun(world, client, "local", purpose="step_up")
    fields = approved(world, url, a_person("present"), Provider.LOCAL)
    answer = await completed(world, client, (await returned(client, fields, "local"))["handle"])
    assert answer.json()["status"] == "stepped_up"
    client.headers["authorization"] = f"Bearer {answer.json()['access']['access_token']}"
    assert (await post(world, client, "/providers/google/authorizations", {"purpose": "link"})).status_code == 201


async def test_facebook_has_data_deleted_and_can_look_it_up(world: World) -> None:
    client = world.client()
    fields = approved(world, await begun(world, client, "facebook"), a_person("218471"), Provider.FACEBOOK)
    await completed(world, client, (await returned(client, fields, "facebook"))["handle"])
    facebook: Any = world.container.deletion_requests()[Provider.FACEBOOK]
    signed = facebook.sign("218471", at=world.clock.now())
    answer = await world.client().post(f"{API}/providers/facebook/deletions", data={"signed_request": signed})
    body = answer.json()
    assert set(body) == {"url", "confirmation_code"}
    shown = await world.client().get(urlsplit(body["url"]).path)
    check_against_document(world, shown, "GET", f"{API}/providers/{{provider}}/deletions/{{confirmation}}")
    assert shown.json()["status"] == "deleted"
    forged = await world.client().post(f"{API}/providers/facebook/deletions", data={"signed_request": f"x{signed}"})
    assert forged.status_code == 401
    unknown = await world.client().get(f"{API}/providers/facebook/deletions/{'0' * 40}")
    assert unknown.status_code == 404


async def test_forms_of_callbacks_are_small_and_forms(world: World) -> None:
    client = world.client()
    large = await client.post(f"{API}/providers/apple/callback", data={"code": "c" * 20_000, "state": "s" * 43})
    assert large.status_code == 413
    other = await client.post(f"{API}/providers/apple/callback", json={"code": "c", "state": "s" * 43})
    assert other.status_code == 415
