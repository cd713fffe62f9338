from __future__ import annotations

import hmac
import json
from datetime import timedelta
from typing import Any

import pytest

from adapters.oauth.client import OAuthClient
from adapters.oauth.facebook_deletion import FacebookDeletionRequests
from tests.integration.oauth.fake_provider import CLIENT_SECRET, unpadded
from tradingcore.auth.errors import IdentityRefused
from tradingcore.testing.fakes import NOON

REQUESTS = FacebookDeletionRequests(OAuthClient(client_id="c", client_secret=CLIENT_SECRET, redirect_uri="https://app.example"))


def signed(secret: str = CLIENT_SECRET, **changes: Any) -> str:
    content = {"algorithm": "HMAC-SHA256", "issued_at": int(NOON.timestamp()), "user_id": "218471"} | changes
    payload = unpadded(json.dumps(content).encode())
    return f"{unpadded(hmac.digest(secret.encode(), payload.encode(), 'sha256'))}.{payload}"


def test_signed_request_names_whose_data_is_to_go() -> None:
    assert REQUESTS.subject_of(signed(), at=NOON) == "218471"


@pytest.mark.parametrize(
    ("request_text", "reason"),
    [
        (signed("another secret"), "signature"),
        ("." + signed().partition(".")[2], "signature"),
        ("", "signature"),
        ("a.b", "signature"),
        ("é.b", "size"),
        (signed() + "=" * 5000, "size"),
        (signed(algorithm="none"), "algorithm"),
        (signed(user_id=218471), "content"),
        (signed(user_id=""), "content"),
        (signed(issued_at="today"), "content"),
        (signed(issued_at=int(NOON.timestamp()) - 3601), "age"),
        (signed(issued_at=int(NOON.timestamp()) + 301), "age"),
    ],
)
def test_request_that_facebook_did_not_just_sign_deletes_nothing(request_text: str, reason: str) -> None:
    with pytest.raises(IdentityRefused) as refused:
        REQUESTS.subject_of(request_text, at=NOON)
    assert reason in refused.value.reason


def test_confirmation_proves_itself() -> None:
    code = REQUESTS.confirmation_of("218471", at=NOON + timedelta(seconds=0.5))
    assert code.isalnum()
    assert REQUESTS.confirmed_at(code) == NOON
    for wrong in ("", code[:-1], code[:-2] + "00" if code[-2:] != "00" else code[:-2] + "01", "zz" * 20, "00" * 20):
        assert REQUESTS.confirmed_at(wrong) is None
