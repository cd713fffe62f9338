from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from adapters.passwords.blocklist import ZxcvbnPasswordBlocklist
from adapters.passwords.breach_filter import BreachFilter, BreachFilterUnusable, build_filter
from tests.asvs import asvs
from tradingcore.kernel.errors import InvalidInput
from tradingcore.testing.auth.passwords import GOOD, PasswordBlocklistContract

BREACHED = [f"breached number {number}" for number in range(2_000)]


def sha1(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "breached.filter"
    # As such lists are published: a digest and how often it was seen.
    lines = [f"{sha1(password)}:{number}\n" for number, password in enumerate([*BREACHED, "password1234"])]
    assert build_filter(lines, len(lines), path) == len(lines)
    return path


@asvs("6.2.12")
class TestBlocklistWithAFilter(PasswordBlocklistContract):
    @pytest.fixture
    def blocklist(self, file: Path) -> ZxcvbnPasswordBlocklist:
        return ZxcvbnPasswordBlocklist(file)

    async def test_a_breached_password_is_found_as_it_was_breached(self, blocklist: ZxcvbnPasswordBlocklist) -> None:
        assert await blocklist.contains(BREACHED[7])
        assert not await blocklist.contains(BREACHED[7].upper())


def test_every_breached_password_is_found_and_hardly_any_other(file: Path) -> None:
    breaches = BreachFilter(file)
    assert all(breaches.may_contain(password) for password in BREACHED)
    false_alarms = sum(breaches.may_contain(f"{GOOD} {number}") for number in range(20_000))
    assert false_alarms < 20
    assert file.stat().st_size < 3 * len(BREACHED)


def test_an_empty_list_makes_a_filter_that_knows_nothing(tmp_path: Path) -> None:
    build_filter([], 0, tmp_path / "empty")
    assert not BreachFilter(tmp_path / "empty").may_contain(GOOD)


@pytest.mark.parametrize("line", ["", "password", "0" * 39, "g" * 40, "0" * 41])
def test_a_line_that_is_no_digest_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidInput, match=r"^line 2 is not a SHA-1 digest in 40 hexadecimal digits$"):
        build_filter([sha1(GOOD), line], 2, tmp_path / "filter")


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BreachFilterUnusable, match="cannot read the filter of breached passwords"):
        BreachFilter(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"null\n",
        b"[]\n\0",
        b"{}\n\0",
        json.dumps({"format": "tradingcore-bloom-1", "bits": 8, "hashes": 0, "count": 1}).encode() + b"\n\0",
        json.dumps({"format": "tradingcore-bloom-1", "bits": 16, "hashes": 1, "count": 1}).encode() + b"\n\0",
        json.dumps({"format": "another", "bits": 8, "hashes": 1, "count": 1}).encode() + b"\n\0",
        b"{" * 5_000,
    ],
)
def test_another_file_is_no_filter(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(BreachFilterUnusable, match="is no filter of breached passwords"):
        BreachFilter(tmp_path / "file")
