from __future__ import annotations

import os
from typing import Any

import pytest

from entrypoints.phone_gateways import messages_gateway, verify_gateway
from entrypoints.phones_section import PhonesSection
from entrypoints.settings import ConfigurationError, load
from tests.asvs import asvs


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TRADINGCORE__"):
            monkeypatch.delenv(name)


ACCOUNT: dict[str, Any] = {"account_sid": "AC1", "auth_token": "t" * 32}


def test_codes_end_in_the_mailbox_in_development_and_nowhere_elsewhere() -> None:
    assert load().values.phone_provider == "mailbox"
    assert load(flags={"environment": "production"}).values.phone_provider == "off"


def test_no_country_is_served_by_default() -> None:
    assert PhonesSection().policy(b"k" * 32).countries == frozenset()


@asvs("13.4.2")
@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"provider": "mailbox"}, "for development only"),
        ({**ACCOUNT, "provider": "verify", "verify_service": "VA1", "api_url": "http://127.0.0.1:1"}, "for development only"),
    ],
)
def test_stand_ins_are_refused_outside_development(flags: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        load(flags={"environment": "production", "phones": flags})


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"provider": "verify", **ACCOUNT}, "provider verify needs verify_service"),
        ({"provider": "messages"}, "provider messages needs account_sid, auth_token, sms_from"),
        ({"countries": ["es"]}, "two capital letters"),
        ({"countries": ["ESP"]}, "two capital letters"),
        ({"daily_cap": -1}, "greater than or equal to 0"),
    ],
)
def test_what_is_missing_or_wrong_is_named(flags: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        load(flags={"phones": flags})


def test_each_provider_is_built_from_its_section() -> None:
    assert verify_gateway(PhonesSection(**ACCOUNT, provider="verify", verify_service="VA1")).keeps_codes
    messages = PhonesSection(**ACCOUNT, provider="messages", sms_from="+15005550006")
    assert not messages_gateway(messages, "https://app.example.com").keeps_codes


@asvs("16.2.5")
def test_token_of_the_provider_is_never_shown() -> None:
    assert "t" * 32 not in repr(PhonesSection(**ACCOUNT))
