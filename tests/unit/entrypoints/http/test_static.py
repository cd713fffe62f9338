"""The page and the docs: nothing inline, nothing from elsewhere, and the client that is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import entrypoints.http
from tests.asvs import asvs

STATIC = Path(entrypoints.http.__file__).parent / "static"
ROOT = Path(__file__).parents[4]


def test_the_page_uses_the_client_that_is_documented() -> None:
    reference = (ROOT / "docs" / "clients" / "stream-client.js").read_text(encoding="utf-8")
    assert (STATIC / "stream-client.js").read_text(encoding="utf-8") == reference


@asvs("14.2.3")
@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    content = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.findall(r"https?://", content)


@pytest.mark.parametrize("name", ["index.html", "docs.html", "mail.html", "sign-in.html"])
def test_pages_hold_no_script_and_no_style(name: str) -> None:
    content = (STATIC / name).read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", content)
    for loaded in re.findall(r'(?:src|href)="/static/([^"]+)"', content):
        assert (STATIC / loaded).is_file()


@asvs("1.2.3", "1.3.1")
@pytest.mark.parametrize("name", ["app.js", "docs.js", "mail.js", "sign-in.js", "stream-client.js"])
def test_scripts_never_make_markup_from_text(name: str) -> None:
    content = (STATIC / name).read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", content)


@asvs("4.4.1")
def test_a_page_that_came_by_tls_opens_its_stream_by_tls() -> None:
    content = (STATIC / "stream-client.js").read_text(encoding="utf-8")
    addresses = re.findall(r".*\bwss?\b.*", re.sub(r"//.*|\*.*", "", content.replace("://", ":~~")))
    assert [line.strip() for line in addresses] == [
        'this.url = url ?? `${location.protocol === "https:" ? "wss" : "ws"}:~~${location.host}/api/v1/stream`;'
    ]


@asvs("15.3.6")
@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_words_of_others_never_name_a_member_of_an_object(path: Path) -> None:
    content = path.read_text(encoding="utf-8")
    assert not re.search(
        r"__proto__(?!\" would be)|\bprototype\b|Object\.assign\((?!Object\.create\(null\))|\bfor \(\w+ \w+ in\b", content
    )
    # The attributes of an element that the docs make are named in the docs themselves.
    named = set(re.findall(r"([\w.]+)\[\w+\] =[^=]", content)) - {"made"}
    assert {name for name in named if f"{name} = Object.assign(Object.create(null)" not in content} == set()
