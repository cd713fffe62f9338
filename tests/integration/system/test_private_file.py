from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from adapters.system.private_file import PrivateFile, SecretsUnusable
from tests.asvs import asvs


def one() -> str:
    return "one"


def test_of_processes_that_start_at_once_the_first_decides(tmp_path: Path) -> None:
    numbers = count()
    with ThreadPoolExecutor(16) as threads:
        jobs = [threads.submit(PrivateFile(tmp_path / "x" / "secret").read, lambda: f"proposal {next(numbers)}") for _ in range(64)]
        read = {job.result() for job in jobs}
    assert len(read) == 1
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["secret"]


def test_a_change_by_another_is_seen(tmp_path: Path) -> None:
    mine, theirs = PrivateFile(tmp_path / "secret"), PrivateFile(tmp_path / "secret")
    assert mine.read(one) == "one"
    theirs.change(lambda text: text + " two", one)
    assert mine.read(one) == "one two"


def test_no_change_is_lost(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        for _ in range(40):
            threads.submit(PrivateFile(tmp_path / "x" / "secret").change, lambda text: text + ".", one)
    assert PrivateFile(tmp_path / "x" / "secret").read(one) == "one" + "." * 40


@asvs("13.3.2")
def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("known to all")
    (tmp_path / "secret").chmod(0o640)
    with pytest.raises(SecretsUnusable, match="others may read it, mode 640: chmod 600 it"):
        PrivateFile(tmp_path / "secret").read(one)


def test_what_the_file_system_refuses_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(SecretsUnusable, match=r"^cannot use the secrets in .*: not a directory$"):
        PrivateFile(tmp_path / "folder" / "secret").read(one)


def test_what_is_made_is_private(tmp_path: Path) -> None:
    file = PrivateFile(tmp_path / "secret")
    file.read(one)
    file.change(lambda text: text + "!", one)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {"secret": 0o600, "secret.lock": 0o600}
