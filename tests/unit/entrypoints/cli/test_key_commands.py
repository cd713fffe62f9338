"""What the command line does to keys and lists in the data folder, without a database."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from adapters.joserfc.signing_keys import SigningKeyFile, SigningRing
from adapters.passwords.breach_filter import BreachFilter
from entrypoints.cli import app
from entrypoints.cli.exits import Exit
from tests.asvs import asvs


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TRADINGCORE__"):
            monkeypatch.delenv(name)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        app.run(list(arguments))
    return int(end.value.code or 0)


@asvs("13.3.4")
def test_rotation_has_a_new_key_sign_and_the_old_one_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = SigningKeyFile(tmp_path / "secrets" / "signing_keys")().signing
    assert run("--json", "--data-dir", str(tmp_path), "keys", "rotate") == Exit.OK
    told = json.loads(capsys.readouterr().out)
    after = SigningKeyFile(tmp_path / "secrets" / "signing_keys")()
    assert told == {"signing": after.signing.id, "verifying": [before.id, after.signing.id]}
    assert run("--data-dir", str(tmp_path), "keys", "rotate") == Exit.OK
    assert "signs (ES256); 2 older verify a while longer" in capsys.readouterr().out


def test_keys_in_the_settings_are_rotated_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRADINGCORE__SECRETS__SIGNING_KEYS", SigningRing.fresh().to_text())
    assert run("--data-dir", str(tmp_path), "keys", "rotate") == Exit.CONFIGURATION
    assert "secrets.signing_keys is a setting" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("keys", "rotate"), ("data", "rotate-keys")])
def test_memory_has_nothing_to_rotate(command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--storage", "memory", "--data-dir", str(tmp_path), *command) == Exit.CONFIGURATION
    assert "there is nothing to rotate" in capsys.readouterr().err


def test_exposed_keys_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--data-dir", str(tmp_path), "keys", "rotate") == Exit.OK
    (tmp_path / "secrets" / "signing_keys").chmod(0o644)
    assert run("--data-dir", str(tmp_path), "keys", "rotate") == Exit.CONFIGURATION
    assert "others may read it, mode 644: chmod 600 it" in capsys.readouterr().err.replace("\n", " ")


def test_a_filter_is_built_from_a_published_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hashes, file = tmp_path / "hashes.txt", tmp_path / "filter"
    hashes.write_text(
        "".join(f"{hashlib.sha1(word.encode()).hexdigest().upper()}:7\n" for word in ("one breached", "two breached"))
    )
    assert run("--json", "data", "password-filter", str(hashes), str(file)) == Exit.OK
    assert json.loads(capsys.readouterr().out)["passwords"] == 2
    assert BreachFilter(file).may_contain("two breached")
    hashes.write_text("no digest\n")
    assert run("data", "password-filter", str(hashes), str(file)) == Exit.USAGE
    assert "line 1 is not a SHA-1 digest" in capsys.readouterr().err
