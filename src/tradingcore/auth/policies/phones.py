"""Who may have a code sent where, how often, and at what price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Final

from tradingcore.auth.errors import PhoneRefused
from tradingcore.auth.model.phone import PhoneNumber, SpendLimits
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import FieldError
from tradingcore.kernel.limits import AttemptKey, Bucket
from tradingcore.kernel.network import NetworkPrefix

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)

PER_NUMBER: Final = (
    Bucket(name="phone.number_pause", limit=1, window=timedelta(seconds=30)),
    Bucket(name="phone.number_hour", limit=3, window=_HOUR),
    Bucket(name="phone.number_day", limit=5, window=_DAY),
)
PER_USER: Final = Bucket(name="phone.user_day", limit=5, window=_DAY)
PER_NETWORK: Final = Bucket(name="phone.network_day", limit=10, window=_DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhonePolicy:
    """``countries`` (ISO 3166-1 alpha-2) are those that codes are sent to: none, unless an operator names some.

    ``key`` is a secret that keeps numbers out of the counters. ``prices`` are by country, in the currency of the budgets.
    """

    key: bytes = field(repr=False)
    countries: frozenset[str] = frozenset()
    spend: SpendLimits
    price: Decimal = Decimal("0.10")
    prices: Mapping[str, Decimal] = field(default_factory=dict)

    def check_country(self, number: PhoneNumber) -> None:
        """Raise `PhoneRefused` for a country that is not served."""
        if number.region not in self.countries:
            raise phone_refused("codes are not sent to numbers of this country")

    def price_of(self, number: PhoneNumber) -> Decimal:
        return self.prices.get(number.region, self.price)

    def sends(self, *, number: PhoneNumber, user_id: UserId, network: NetworkPrefix) -> tuple[AttemptKey, ...]:
        """The buckets that one code counts in, whatever becomes of it."""
        return (
            *(AttemptKey.of(bucket, number.e164, key=self.key) for bucket in PER_NUMBER),
            AttemptKey.of(PER_USER, str(user_id), key=self.key),
            AttemptKey.of(PER_NETWORK, network.text, key=self.key),
        )


def phone_refused(sentence: str) -> PhoneRefused:
    return PhoneRefused(sentence, errors=(FieldError("/number", "phone", sentence),))
