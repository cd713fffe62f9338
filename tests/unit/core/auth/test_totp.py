from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.asvs import asvs
from tradingcore.auth.model.totp import (
    SECRET_BYTES,
    STEP_SECONDS,
    code_of_step,
    matching_step,
    provisioning_uri,
    secret_text,
    step_at,
)

SECRET = bytes(range(SECRET_BYTES))
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STEP = timedelta(seconds=STEP_SECONDS)
secrets = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)
times = st.integers(600_000_000, 7_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


# RFC 6238, appendix B (SHA-1 column) and RFC 4226, appendix D.
@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert code_of_step(b"12345678901234567890", step_at(at), digits=8) == code


def test_counter_codes_are_those_of_the_standard() -> None:
    expected = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
    assert [code_of_step(b"12345678901234567890", count) for count in range(10)] == expected


@given(secrets, times)
def test_codes_are_those_of_another_implementation(secret: bytes, at: datetime) -> None:
    other = pyotp.TOTP(secret_text(secret))
    assert matching_step(secret, other.at(at), at=at) is not None
    assert code_of_step(secret, step_at(at)) == other.at(at)


@asvs("6.5.5")
@pytest.mark.parametrize(
    ("steps_ago", "previous_steps", "is_right"),
    [(0, 1, True), (1, 1, True), (2, 1, False), (-1, 1, False), (0, 0, True), (1, 0, False), (-1, 0, False)],
)
def test_only_the_current_and_the_previous_step_count(steps_ago: int, previous_steps: int, is_right: bool) -> None:
    code = code_of_step(SECRET, step_at(NOON) - steps_ago)
    found = matching_step(SECRET, code, at=NOON, previous_steps=previous_steps)
    assert found == (step_at(NOON) - steps_ago if is_right else None)


@pytest.mark.parametrize("text", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "²²²²²²", "-12345", "1" * 10_000, "123 45"])
def test_what_is_no_code_is_never_right(text: str) -> None:
    assert matching_step(SECRET, text, at=NOON) is None


def test_spaces_in_a_code_do_not_matter() -> None:
    code = code_of_step(SECRET, step_at(NOON))
    assert matching_step(SECRET, f" {code[:3]} {code[3:]} ", at=NOON) == step_at(NOON)


@given(secrets, st.text(max_size=40), st.text(max_size=60))
def test_authenticator_reads_the_secret_from_the_address(secret: bytes, issuer: str, account: str) -> None:
    uri = provisioning_uri(secret, issuer=issuer or "Trading Core", account=account or "ana@example.com")
    assert uri.isascii()
    if ":" in issuer or ":" in account:
        return  # the format cannot say where an issuer with a colon ends
    read = pyotp.parse_uri(uri)
    assert isinstance(read, pyotp.TOTP)
    assert (read.byte_secret(), read.digits, read.interval) == (secret, 6, STEP_SECONDS)
    assert (read.issuer, read.name) == (issuer or "Trading Core", account or "ana@example.com")
