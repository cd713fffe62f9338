from __future__ import annotations

from decimal import Decimal

import pytest

from tradingcore.kernel.market import AssetClass, Calendar, symbol_code
from tradingcore.trading.symbol_defaults import DEFAULTS, default_symbol, default_tick, infer_asset_class


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("BTC/USDT", AssetClass.CRYPTO),
        ("ETH/BTC", AssetClass.CRYPTO),
        ("EUR/USD", AssetClass.FX),
        ("USD/JPY", AssetClass.FX),
        ("XAU/USD", AssetClass.METAL),
        ("XAG/EUR", AssetClass.METAL),
        ("AAPL", AssetClass.EQUITY),
        ("BRK.B", AssetClass.EQUITY),
        ("SPX", AssetClass.INDEX),
    ],
)
def test_class_is_read_from_the_code(code: str, expected: AssetClass) -> None:
    assert infer_asset_class(symbol_code(code)) is expected


@pytest.mark.parametrize(
    ("code", "price", "tick"),
    [
        ("BTC/USDT", 60_000.0, "0.01"),
        ("SOL/USDT", 150.0, "0.01"),
        ("DOGE/USDT", 0.12, "0.00001"),
        ("SHIB/USDT", 0.000012, "0.000000001"),
        ("EUR/USD", 1.1, "0.00001"),
        ("USD/JPY", 150.0, "0.001"),
        ("XAU/USD", 2000.0, "0.01"),
        ("XAG/USD", 24.0, "0.001"),
        ("AAPL", 180.0, "0.01"),
    ],
)
def test_tick_fits_the_price(code: str, price: float, tick: str) -> None:
    parsed = symbol_code(code)
    assert default_tick(parsed, infer_asset_class(parsed), price) == Decimal(tick)


def test_every_class_has_defaults_that_make_a_valid_symbol() -> None:
    for asset_class, code in zip(AssetClass, ("BTC/USDT", "EUR/USD", "XAU/USD", "AAPL", "SPX"), strict=True):
        symbol = default_symbol(symbol_code(code), asset_class)
        assert symbol.version == 0
        assert symbol.rules.minimum_risk_reward == Decimal("1.0")
        assert symbol.rules.minimum_expected_value_r == 0
        assert symbol.calendar is DEFAULTS[asset_class].calendar


def test_given_class_wins_over_the_code() -> None:
    assert default_symbol(symbol_code("AAPL"), AssetClass.INDEX).asset_class is AssetClass.INDEX
    assert default_symbol(symbol_code("EUR/USD")).calendar is Calendar.FX_WEEK


def test_symbol_without_a_pair_is_quoted_in_dollars() -> None:
    symbol = default_symbol(symbol_code("AAPL"))
    assert (symbol.base, symbol.quote) == ("AAPL", "USD")
