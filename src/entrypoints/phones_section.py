"""The section ``phones`` of the settings: codes by SMS and WhatsApp, where to and for how much."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from entrypoints.sections import Section
from tradingcore.auth.model.phone import SpendLimits
from tradingcore.auth.policies.phones import PhonePolicy


class PhonesSection(Section):
    """Budgets are in the currency that the provider charges. Nothing is sent anywhere before ``countries`` names where."""

    provider: Literal["off", "mailbox", "verify", "messages"] | None = Field(
        default=None, description="mailbox shows codes in the mailbox; default: that in development, off elsewhere"
    )
    countries: tuple[str, ...] = Field(default=(), description="ISO 3166-1 alpha-2, such as ES and MX; none is served by default")
    daily_cap: Decimal = Field(default=Decimal(50), ge=0, description="what may be spent in a day (UTC) altogether")
    daily_cap_per_block: Decimal = Field(
        default=Decimal(5), ge=0, description="what may be spent in a day on numbers with the same first digits"
    )
    price: Decimal = Field(default=Decimal("0.10"), ge=0, description="of one code, where prices names none")
    prices: dict[str, Decimal] = Field(default_factory=dict, description="of one code, by country")
    account_sid: str | None = None
    auth_token: SecretStr | None = Field(default=None, description="signs the provider's reports, too")
    verify_service: str | None = Field(default=None, description="VA…, for provider verify")
    sms_from: str | None = Field(default=None, description="a number or a messaging service (MG…), for provider messages")
    whatsapp_from: str | None = None
    whatsapp_template: str | None = Field(default=None, description="HX…, an approved template with the code as variable 1")
    api_url: str | None = Field(default=None, description="in place of the provider's addresses, for a stand-in in development")

    @field_validator("countries")
    @classmethod
    def _countries(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for country in value:
            if len(country) != 2 or not country.isascii() or not country.isupper():
                raise ValueError("a country is two capital letters, such as ES")
        return value

    @model_validator(mode="after")
    def _complete(self) -> PhonesSection:
        needed = {
            "verify": ("account_sid", "auth_token", "verify_service"),
            "messages": ("account_sid", "auth_token", "sms_from"),
        }
        missing = [name for name in needed.get(self.provider or "", ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"provider {self.provider} needs {', '.join(missing)}")
        return self

    def policy(self, key: bytes) -> PhonePolicy:
        return PhonePolicy(
            key=key,
            countries=frozenset(self.countries),
            spend=SpendLimits(daily_cap=self.daily_cap, daily_cap_per_block=self.daily_cap_per_block),
            price=self.price,
            prices=self.prices,
        )
