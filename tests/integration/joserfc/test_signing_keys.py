from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.joserfc.access_tokens import JoserfcAccessTokens
from adapters.joserfc.signing_keys import SigningKeyFile
from adapters.system.private_file import SecretsUnusable
from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.model.session import ACCESS_LIFETIME
from tradingcore.testing.auth.tokens import some_claims

NOW = datetime.now(UTC).replace(microsecond=0)
CLAIMS = some_claims(issued_at=NOW, expires_at=NOW + ACCESS_LIFETIME, authenticated_at=NOW)


def process_on(folder: Path) -> tuple[SigningKeyFile, JoserfcAccessTokens]:
    """What another process of the same installation holds."""
    file = SigningKeyFile(folder / "secrets" / "signing_keys")
    return file, JoserfcAccessTokens(file, issuer="us", audience="our api")


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    process_on(tmp_path)[0]()
    assert (tmp_path / "secrets" / "signing_keys").stat().st_mode & 0o777 == 0o600


def test_processes_that_start_at_once_sign_with_one_key(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from adapters.joserfc.signing_keys import SigningKeyFile;"
        "print(SigningKeyFile(Path(sys.argv[1]))().signing.id)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "secrets" / "signing_keys")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    ids = {process.communicate(timeout=60)[0] for process in started}
    assert len(ids) == 1
    assert ids != {""}


def test_a_running_process_follows_a_rotation(tmp_path: Path) -> None:
    (_, running), (file, elsewhere) = process_on(tmp_path), process_on(tmp_path)
    before = running.issue(CLAIMS)
    file.rotate()
    assert running.verify(elsewhere.issue(CLAIMS), at=NOW) == CLAIMS
    assert elsewhere.verify(before, at=NOW) == CLAIMS
    assert running.issue(CLAIMS).split(".")[0] == elsewhere.issue(CLAIMS).split(".")[0] != before.split(".")[0]
    with pytest.raises(CredentialRefused):
        running.verify(before, at=NOW + 2 * ACCESS_LIFETIME)


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    file, tokens = process_on(tmp_path)
    good = tokens.issue(CLAIMS)
    (tmp_path / "secrets" / "signing_keys").write_text("{}")
    with pytest.raises(SecretsUnusable, match="signing keys are a JWK Set"):
        file()
    with pytest.raises(SecretsUnusable, match="signing keys are a JWK Set"):
        tokens.verify(good, at=NOW)
