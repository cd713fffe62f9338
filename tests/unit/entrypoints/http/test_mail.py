"""The pages behind the links of mails, and the mailbox of development."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

import entrypoints.http
from adapters.memory.mailbox import MemoryMailbox
from entrypoints.http.app import create_app
from entrypoints.http.health import Readiness
from entrypoints.http.options import HttpSettings
from tests.asvs import asvs
from tests.unit.entrypoints.http.world import World
from tradingcore.notifications.model.mail import CATALOGUE
from tradingcore.testing.fakes import FakeClock
from tradingcore.testing.mail import a_mail

SCRIPT = (Path(entrypoints.http.__file__).parent / "static" / "mail.js").read_text(encoding="utf-8")
LINKS = sorted(form.link for form in CATALOGUE.values() if form.link is not None)


@pytest.fixture
def mailbox() -> MemoryMailbox:
    return MemoryMailbox(FakeClock())


@pytest.fixture(scope="module")
def apps(shared_world: World) -> Apps:
    return Apps(shared_world)


class Apps:
    """The application without a mailbox, and one that shows the mailbox of the test that is under way."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shown: MemoryMailbox | None = None
        self._apps = [world.app, self._made(mailbox=lambda: self._shown)]

    def _made(self, **options: Any) -> Any:
        async def nobody(*_: object) -> Any:
            raise AssertionError("no test signs in")

        async def ready() -> Readiness:
            return Readiness(())

        settings = HttpSettings(cursor_key=b"c" * 32, pseudonym_key=b"p" * 32)
        return create_app(self._world.use_cases, settings=settings, authenticate=nobody, readiness=ready, **options)

    def client(self, mailbox: MemoryMailbox | None = None) -> httpx.AsyncClient:
        self._shown = mailbox
        app = self._apps[mailbox is not None]
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test")


@pytest.mark.parametrize("link", LINKS)
async def test_link_leads_to_a_page_that_runs_only_our_own_script(apps: Apps, link: str) -> None:
    async with apps.client() as client:
        answer = await client.get(f"/mail/{link}")
    assert answer.status_code == 200
    assert "/static/mail.js" in answer.text
    assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_other_names_lead_nowhere(apps: Apps) -> None:
    async with apps.client() as client:
        assert (await client.get("/mail/index.html")).status_code == 404
        assert (await client.get("/mail/anything")).status_code == 404


def test_script_knows_every_link_in_both_languages() -> None:
    for link in LINKS:
        assert SCRIPT.count(f'"{link}":') == 3, link


@asvs("14.2.1")
def test_script_sends_the_token_in_a_body_and_only_when_the_button_is_pressed() -> None:
    assert SCRIPT.count("fetch(") == 1
    assert re.search(r'addEventListener\("submit"', SCRIPT)
    assert 'new URLSearchParams(location.hash.slice(1)).get("token")' in SCRIPT
    used = [line.strip() for line in SCRIPT.splitlines() if re.search(r"\btoken\b", line) and not line.startswith("//")]
    assert used == [
        'const token = new URLSearchParams(location.hash.slice(1)).get("token");',
        "const body = { token };",
        "if (page === undefined || !token) {",
    ]


async def test_mailbox_lists_mails_and_opens_their_links(apps: Apps, mailbox: MemoryMailbox) -> None:
    mail = a_mail(subject="<b>Hi</b>", text="Open https://app.example/mail/verify-address#token=a&b now\n<i>\n")
    await mailbox.send(mail)
    async with apps.client(mailbox) as client:
        listed = await client.get("/dev/mailbox")
        shown = await client.get(f"/dev/mailbox/{mail.id}")
        messages = (await client.get("/dev/mailbox/messages")).json()
    assert "&lt;b&gt;Hi&lt;/b&gt;" in listed.text
    assert f'href="/dev/mailbox/{mail.id}"' in listed.text
    assert '<a href="/mail/verify-address#token=a&amp;b">https://app.example/mail/' in shown.text
    assert "&lt;i&gt;" in shown.text
    assert [(one["to"], one["links"]) for one in messages] == [
        ("ana@example.com", ["https://app.example/mail/verify-address#token=a&b"])
    ]


async def test_mail_is_shown_where_it_can_neither_run_nor_load_anything(apps: Apps, mailbox: MemoryMailbox) -> None:
    mail = a_mail(html="<script>1</script>")
    await mailbox.send(mail)
    async with apps.client(mailbox) as client:
        answer = await client.get(f"/dev/mailbox/{mail.id}/html")
        page = await client.get(f"/dev/mailbox/{mail.id}")
    assert answer.text == mail.html
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "<iframe sandbox " in page.text
    policy = page.headers["content-security-policy"]
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'")


async def test_unknown_mail_is_not_found(apps: Apps, mailbox: MemoryMailbox) -> None:
    async with apps.client(mailbox) as client:
        for path in ("", "/html"):
            answer = await client.get(f"/dev/mailbox/00000000-0000-7000-8000-000000000001{path}")
            assert (answer.status_code, json.loads(answer.text)["code"]) == (404, "not_found")


@asvs("13.4.2")
async def test_mailbox_does_not_exist_unless_it_was_asked_for(apps: Apps) -> None:
    async with apps.client() as client:
        for path in ("", "/messages", "/00000000-0000-7000-8000-000000000001"):
            assert (await client.get(f"/dev/mailbox{path}")).status_code == 404


def test_spanish_pages_say_in_spanish_what_is_refused() -> None:
    refusals = {"auth.code_refused", "length", "common", "context", "too_many_attempts", "too_many_requests"}
    assert refusals == set(re.findall(r'^ {6}\["([\w.]+)", ".+"\],$', SCRIPT, flags=re.MULTILINE))
