from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from adapters.oauth.client import OAuthClient
from adapters.oauth.facebook_deletion import FacebookDeletionRequests
from tests.integration.oauth.fake_provider import CLIENT_SECRET, unpadded
from tradingcore.auth.errors import IdentityRefused
from tradingcore.testing.auth.identity_providers import DeletionRequestsContract
from tradingcore.testing.fakes import NOON

REQUESTS = FacebookDeletionRequests(OAuthClient(client_id="c", client_secret=CLIENT_SECRET, redirect_uri="https://app.example"))


def signed(secret: str = CLIENT_SECRET, **changes: Any) -> str:
    content = {"algorithm": "HMAC-SHA256", "issued_at": int(NOON.timestamp()), "user_id": "218471"} | changes
    payload = unpadded(json.dumps(content).encode())
    return f"{unpadded(hmac.digest(secret.encode(), payload.encode(), 'sha256'))}.{payload}"


class TestFacebookDeletionRequests(DeletionRequestsContract):
    @pytest.fixture
    def requests(self) -> FacebookDeletionRequests:
        return REQUESTS

    @pytest.fixture
    def sign(self) -> Callable[[str, datetime], str]:
        return lambda subject, at: signed(user_id=subject, issued_at=int(at.timestamp()))


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
