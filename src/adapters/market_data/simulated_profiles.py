"""What the simulated markets look like: level, volatility, the shape of a day. Plausible figures, no history of any real market."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tradingcore.kernel.market import AssetClass, SymbolCode
from tradingcore.trading.symbol_defaults import infer_asset_class

_CRYPTO_NIGHT: Final = (1.05, 0.95, 0.90, 0.85, 0.80, 0.80, 0.85, 0.95, 1.00, 0.95, 0.95, 1.00)
_CRYPTO_NOON: Final = (1.10, 1.30, 1.45, 1.40, 1.25, 1.15, 1.10, 1.05, 1.05, 1.00, 0.95, 1.00)
_FX_NIGHT: Final = (0.85, 0.90, 1.15, 1.45, 1.35, 1.15, 1.05, 1.15, 1.60, 1.70, 1.60, 1.25)
_FX_NOON: Final = (1.00, 0.90, 0.85, 0.80, 0.65, 0.45, 0.50, 0.70, 0.90, 0.85, 0.75, 0.75)
_CRYPTO_DAY: Final = (*_CRYPTO_NIGHT, *_CRYPTO_NOON)
_FX_DAY: Final = (*_FX_NIGHT, *_FX_NOON)
_EQUITY_DAY: Final = (*(1.0,) * 9, 2.0, 1.35, 1.00, 0.80, 0.75, 0.90, 1.30, 1.50, *(1.0,) * 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketProfile:
    """One simulated symbol.

    ``day`` is the relative volatility of 24 hours, in New York time where the market follows it, else UTC. ``closure_hours`` is how
    many trading hours of variance a closure of the market (a night, a weekend) is worth. ``minute_volume`` is the median.
    """

    asset_class: AssetClass
    price: float
    annual_volatility: float
    day: tuple[float, ...]
    closure_hours: float
    minute_volume: float
    volume_digits: int


_BY_CLASS: Final[dict[AssetClass, MarketProfile]] = {
    AssetClass.CRYPTO: MarketProfile(
        asset_class=AssetClass.CRYPTO,
        price=100.0,
        annual_volatility=0.80,
        day=_CRYPTO_DAY,
        closure_hours=0.0,
        minute_volume=900.0,
        volume_digits=3,
    ),
    AssetClass.FX: MarketProfile(
        asset_class=AssetClass.FX,
        price=1.0,
        annual_volatility=0.09,
        day=_FX_DAY,
        closure_hours=3.0,
        minute_volume=60.0,
        volume_digits=0,
    ),
    AssetClass.METAL: MarketProfile(
        asset_class=AssetClass.METAL,
        price=1000.0,
        annual_volatility=0.20,
        day=_FX_DAY,
        closure_hours=0.7,
        minute_volume=50.0,
        volume_digits=0,
    ),
    AssetClass.EQUITY: MarketProfile(
        asset_class=AssetClass.EQUITY,
        price=100.0,
        annual_volatility=0.30,
        day=_EQUITY_DAY,
        closure_hours=2.5,
        minute_volume=40_000.0,
        volume_digits=0,
    ),
    AssetClass.INDEX: MarketProfile(
        asset_class=AssetClass.INDEX,
        price=3000.0,
        annual_volatility=0.18,
        day=_EQUITY_DAY,
        closure_hours=2.5,
        minute_volume=2_000_000.0,
        volume_digits=0,
    ),
}

_LEVELS: Final[dict[str, tuple[float, float]]] = {
    "BTC/USDT": (40_000.0, 0.55),
    "BTC/USD": (40_000.0, 0.55),
    "ETH/USDT": (2_500.0, 0.70),
    "ETH/USD": (2_500.0, 0.70),
    "SOL/USDT": (100.0, 0.90),
    "EUR/USD": (1.10, 0.08),
    "GBP/USD": (1.30, 0.09),
    "USD/JPY": (120.0, 0.10),
    "XAU/USD": (1_800.0, 0.15),
    "XAG/USD": (24.0, 0.28),
    "SPY": (400.0, 0.18),
}
"""Price at the origin and yearly volatility of symbols that people know."""


def profile_of(code: SymbolCode) -> MarketProfile:
    """The profile of a symbol: its own level where it is well known, else that of its class."""
    profile = _BY_CLASS[infer_asset_class(code)]
    price, volatility = _LEVELS.get(code, (profile.price, profile.annual_volatility))
    return MarketProfile(
        asset_class=profile.asset_class,
        price=price,
        annual_volatility=volatility,
        day=profile.day,
        closure_hours=profile.closure_hours,
        minute_volume=profile.minute_volume,
        volume_digits=profile.volume_digits,
    )
