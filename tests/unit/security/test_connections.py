"""How processes reach the servers behind them."""

from __future__ import annotations

import ssl

import pytest

from adapters.postgres.address import DatabaseAddress
from tests.asvs import asvs

ADDRESS = "postgresql://robot:secret@db.example.org/trading"


@asvs("12.3.4")
def test_database_shows_a_certificate_of_the_named_authority(tmp_path_factory: pytest.TempPathFactory) -> None:
    authority = tmp_path_factory.mktemp("tls") / "authority.pem"
    default = ssl.get_default_verify_paths()
    authority.write_text("")
    with pytest.raises((ssl.SSLError, OSError)):
        DatabaseAddress.parse(f"{ADDRESS}?sslmode=verify-full&sslrootcert={authority}").connect_arguments()
    if default.cafile is not None:
        context = DatabaseAddress.parse(f"{ADDRESS}?sslmode=verify-full&sslrootcert={default.cafile}").connect_arguments()["ssl"]
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@asvs("12.3.4", "12.3.3")
@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_mode_that_asks_for_tls_is_passed_on(mode: str) -> None:
    assert DatabaseAddress.parse(f"{ADDRESS}?sslmode={mode}").connect_arguments()["ssl"] == mode
