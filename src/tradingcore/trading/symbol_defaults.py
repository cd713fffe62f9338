"""What a symbol gets when nobody says otherwise: one documented row per asset class.

| class  | tick                             | step    | min notional | half spread | fee   | slippage | calendar   |
|--------|----------------------------------|---------|--------------|-------------|-------|----------|------------|
| crypto | fifth digit of the price, <=0.01 | 0.00001 | 10           | 0.5 bp      | 10 bp | 2 bp     | 24/7       |
| fx     | 0.00001, quoted in JPY 0.001     | 1000    | 1000         | 0.5 bp      | 0 bp  | 0.5 bp   | fx-week    |
| metal  | 0.01, silver 0.001               | 0.01    | 10           | 1 bp        | 0 bp  | 1 bp     | metal-week |
| equity | 0.01                             | 1       | 1            | 1 bp        | 0 bp  | 2 bp     | us-equity  |
| index  | 0.01                             | 1       | 1            | 1 bp        | 0 bp  | 1 bp     | us-equity  |

Every class: minimum R:R 1.0, floor of the expected value 0 R. Half spread and fee are paid on entry and on exit, slippage once per
round trip; 1 bp = 0.01 % of the price. They are cautious retail figures, not quotes: set your own with ``market symbols set``.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import floor, log10
from typing import Final

from tradingcore.kernel.market import AssetClass, Calendar, SymbolCode
from tradingcore.trading.model.symbol import Cost, SignalRules, Symbol, TradingCosts


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassDefaults:
    """One row of the table above; costs are in basis points."""

    price_tick: Decimal
    quantity_step: Decimal
    minimum_notional: Decimal
    half_spread_bp: Decimal
    fee_bp: Decimal
    slippage_bp: Decimal
    calendar: Calendar
    rules: SignalRules = SignalRules(minimum_risk_reward=Decimal("1.0"), minimum_expected_value_r=Decimal("0"))


DEFAULTS: Final[dict[AssetClass, ClassDefaults]] = {
    AssetClass.CRYPTO: ClassDefaults(
        price_tick=Decimal("0.01"),
        quantity_step=Decimal("0.00001"),
        minimum_notional=Decimal("10"),
        half_spread_bp=Decimal("0.5"),
        fee_bp=Decimal("10"),
        slippage_bp=Decimal("2"),
        calendar=Calendar.ALWAYS,
    ),
    AssetClass.FX: ClassDefaults(
        price_tick=Decimal("0.00001"),
        quantity_step=Decimal("1000"),
        minimum_notional=Decimal("1000"),
        half_spread_bp=Decimal("0.5"),
        fee_bp=Decimal("0"),
        slippage_bp=Decimal("0.5"),
        calendar=Calendar.FX_WEEK,
    ),
    AssetClass.METAL: ClassDefaults(
        price_tick=Decimal("0.01"),
        quantity_step=Decimal("0.01"),
        minimum_notional=Decimal("10"),
        half_spread_bp=Decimal("1"),
        fee_bp=Decimal("0"),
        slippage_bp=Decimal("1"),
        calendar=Calendar.METAL_WEEK,
    ),
    AssetClass.EQUITY: ClassDefaults(
        price_tick=Decimal("0.01"),
        quantity_step=Decimal("1"),
        minimum_notional=Decimal("1"),
        half_spread_bp=Decimal("1"),
        fee_bp=Decimal("0"),
        slippage_bp=Decimal("2"),
        calendar=Calendar.US_EQUITY,
    ),
    AssetClass.INDEX: ClassDefaults(
        price_tick=Decimal("0.01"),
        quantity_step=Decimal("1"),
        minimum_notional=Decimal("1"),
        half_spread_bp=Decimal("1"),
        fee_bp=Decimal("0"),
        slippage_bp=Decimal("1"),
        calendar=Calendar.US_EQUITY,
    ),
}

_CURRENCIES: Final = frozenset(
    [
        "AUD",
        "BRL",
        "CAD",
        "CHF",
        "CLP",
        "CNH",
        "CNY",
        "COP",
        "CZK",
        "DKK",
        "EUR",
        "GBP",
        "HKD",
        "HUF",
        "IDR",
        "ILS",
        "INR",
        "JPY",
        "KRW",
        "MXN",
        "MYR",
        "NOK",
        "NZD",
        "PHP",
        "PLN",
        "RON",
        "SEK",
        "SGD",
        "THB",
        "TRY",
        "TWD",
        "USD",
        "ZAR",
    ]
)
_METALS: Final = frozenset({"XAU", "XAG", "XPT", "XPD"})
_INDICES: Final = frozenset(
    {
        "SPX",
        "SP500",
        "US500",
        "NDX",
        "NAS100",
        "US100",
        "DJI",
        "DJIA",
        "US30",
        "RUT",
        "VIX",
        "DAX",
        "GER40",
        "FTSE",
        "UK100",
        "N225",
        "JP225",
    }
)
_CRYPTO_DIGITS: Final = 5


def infer_asset_class(code: SymbolCode) -> AssetClass:
    """Guess the class from the code: two currencies are fx, a metal in front is metal, any other pair is crypto, no pair is equity.

    Well-known index names are indices.
    """
    base, _, quote = code.partition("/")
    if not quote:
        return AssetClass.INDEX if base in _INDICES else AssetClass.EQUITY
    if base in _METALS:
        return AssetClass.METAL
    if base in _CURRENCIES and quote in _CURRENCIES:
        return AssetClass.FX
    return AssetClass.CRYPTO


def default_tick(code: SymbolCode, asset_class: AssetClass, price: float | None = None) -> Decimal:
    """The price tick of the table above. ``price``, any price of the symbol, refines it where prices span many magnitudes."""
    base, _, quote = code.partition("/")
    tick = DEFAULTS[asset_class].price_tick
    if asset_class is AssetClass.FX and quote == "JPY":
        return Decimal("0.001")
    if asset_class is AssetClass.METAL and base == "XAG":
        return Decimal("0.001")
    if asset_class is AssetClass.CRYPTO and price is not None and price > 0:
        return min(tick, Decimal(1).scaleb(floor(log10(price)) - _CRYPTO_DIGITS + 1))
    return tick


def default_symbol(code: SymbolCode, asset_class: AssetClass | None = None, *, price: float | None = None) -> Symbol:
    """A symbol with the defaults of its class; the class is inferred from the code where it is not given."""
    chosen = asset_class or infer_asset_class(code)
    row = DEFAULTS[chosen]
    base, _, quote = code.partition("/")
    return Symbol(
        code=code,
        asset_class=chosen,
        base=base,
        quote=quote or "USD",
        price_tick=default_tick(code, chosen, price),
        quantity_step=row.quantity_step,
        minimum_notional=row.minimum_notional,
        costs=TradingCosts(half_spread=Cost(row.half_spread_bp), fee=Cost(row.fee_bp), slippage=Cost(row.slippage_bp)),
        calendar=row.calendar,
        rules=row.rules,
    )
