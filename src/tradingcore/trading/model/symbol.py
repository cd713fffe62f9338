"""What can be traded, on which tick and at what cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.errors import FieldError, InvalidInput
from tradingcore.kernel.market import AssetClass, Calendar, SymbolCode


class CostUnit(StrEnum):
    BASIS_POINTS = "bp"
    PRICE = "price"


@dataclass(frozen=True, slots=True)
class Cost:
    """A cost in basis points of the price (1 bp = 0.01 %) or in units of the price itself."""

    amount: Decimal
    unit: CostUnit = CostUnit.BASIS_POINTS

    def __post_init__(self) -> None:
        if not self.amount.is_finite() or self.amount < 0:
            raise InvalidInput(f"a cost must be zero or more, was {self.amount}")

    def as_fraction(self, price: float) -> float:
        """The cost as a fraction of ``price``."""
        if self.unit is CostUnit.BASIS_POINTS:
            return float(self.amount) / 10_000
        return float(self.amount) / price


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingCosts:
    """``half_spread`` and ``fee`` are paid on entry and on exit, ``slippage`` is an allowance for the round trip."""

    half_spread: Cost
    fee: Cost
    slippage: Cost

    def round_trip(self, price: float) -> float:
        """Spread + fees both ways + slippage, as a fraction of ``price``."""
        return 2 * self.half_spread.as_fraction(price) + 2 * self.fee.as_fraction(price) + self.slippage.as_fraction(price)

    def spread(self, price: float) -> float:
        return 2 * self.half_spread.as_fraction(price)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRules:
    """The floors under which no signal is issued: reward to risk, and expected value in R after costs."""

    minimum_risk_reward: Decimal = Decimal("1.0")
    minimum_expected_value_r: Decimal = Decimal("0")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTerms:
    """What of a symbol decides on its signals. A signal keeps the terms that it was judged by."""

    price_tick: Decimal
    costs: TradingCosts
    rules: SignalRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol(Aggregate):
    code: SymbolCode
    asset_class: AssetClass
    base: str
    quote: str
    price_tick: Decimal
    quantity_step: Decimal
    minimum_notional: Decimal
    costs: TradingCosts
    calendar: Calendar
    rules: SignalRules = SignalRules()

    def __post_init__(self) -> None:
        for name in ("price_tick", "quantity_step"):
            value: Decimal = getattr(self, name)
            if not value.is_finite() or value <= 0:
                detail = f"{name} must be above zero, was {value}"
                raise InvalidInput(detail, errors=(FieldError(f"/{name}", "out_of_range", detail),))

    def round_price(self, price: float | Decimal, *, rounding: str = ROUND_HALF_EVEN) -> Decimal:
        """``price`` on the tick: to the nearest, half to even, or as ``rounding`` (a ``decimal`` mode) says.

        A float counts as its shortest text: 100.07 is 100.07, not the binary number just below, which a floor would take a tick
        down.
        """
        exact = Decimal(str(price)) if isinstance(price, float) else price
        steps = (exact / self.price_tick).quantize(Decimal(1), rounding=rounding)
        return steps * self.price_tick

    @property
    def terms(self) -> SignalTerms:
        return SignalTerms(price_tick=self.price_tick, costs=self.costs, rules=self.rules)

    def under(self, terms: SignalTerms) -> Symbol:
        """The symbol as it was when ``terms`` held."""
        return replace(self, price_tick=terms.price_tick, costs=terms.costs, rules=terms.rules)
