from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapters.memory.database import MemoryDatabase
from adapters.memory.trading import MemoryTradingUnits
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import AssetClass, Calendar, SymbolCode
from tradingcore.testing.builders import an_actor
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.trading.errors import SymbolExists, SymbolNotFound
from tradingcore.trading.model.symbol import Cost, CostUnit
from tradingcore.trading.use_cases.set_symbol import AddSymbol, AddSymbolCommand, SetSymbol, SetSymbolCommand, SymbolSettings

EURUSD = SymbolCode("EUR/USD")


@pytest.fixture
def units() -> MemoryTradingUnits:
    return MemoryTradingUnits(MemoryDatabase(FakeClock()), SequentialIds())


async def test_new_symbol_takes_the_defaults_of_its_class_and_the_given_settings(units: MemoryTradingUnits) -> None:
    symbol = await AddSymbol(uow=units)(
        an_actor(), AddSymbolCommand(code=EURUSD, settings=SymbolSettings(price_tick=Decimal("0.0001")))
    )
    assert (symbol.asset_class, symbol.calendar, symbol.price_tick) == (AssetClass.FX, Calendar.FX_WEEK, Decimal("0.0001"))
    assert symbol.version == 1


async def test_symbol_is_added_once(units: MemoryTradingUnits) -> None:
    await AddSymbol(uow=units)(an_actor(), AddSymbolCommand(code=EURUSD))
    with pytest.raises(SymbolExists, match="EUR/USD exists already"):
        await AddSymbol(uow=units)(an_actor(), AddSymbolCommand(code=EURUSD))


async def test_settings_change_only_what_they_name(units: MemoryTradingUnits) -> None:
    before = await AddSymbol(uow=units)(an_actor(), AddSymbolCommand(code=EURUSD))
    fee = Cost(Decimal("0.00002"), CostUnit.PRICE)
    settings = SymbolSettings(fee=fee, minimum_risk_reward=Decimal("1.5"), minimum_expected_value_r=Decimal("-0.1"))
    after = await SetSymbol(uow=units)(an_actor(), SetSymbolCommand(code=EURUSD, settings=settings))
    assert after.costs.fee == fee
    assert after.costs.half_spread == before.costs.half_spread
    assert after.rules.minimum_risk_reward == Decimal("1.5")
    assert after.rules.minimum_expected_value_r == Decimal("-0.1")
    assert (after.price_tick, after.calendar) == (before.price_tick, before.calendar)


async def test_setting_what_is_set_saves_nothing(units: MemoryTradingUnits) -> None:
    before = await AddSymbol(uow=units)(an_actor(), AddSymbolCommand(code=EURUSD))
    after = await SetSymbol(uow=units)(
        an_actor(), SetSymbolCommand(code=EURUSD, settings=SymbolSettings(price_tick=before.price_tick))
    )
    assert after.version == before.version


async def test_unknown_symbol_cannot_be_changed(units: MemoryTradingUnits) -> None:
    with pytest.raises(SymbolNotFound):
        await SetSymbol(uow=units)(an_actor(), SetSymbolCommand(code=EURUSD, settings=SymbolSettings()))


@pytest.mark.parametrize(
    "settings",
    [
        {"minimum_notional": Decimal("-1")},
        {"minimum_risk_reward": Decimal("NaN")},
        {"minimum_expected_value_r": Decimal("Infinity")},
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        SymbolSettings(**settings)
    assert caught.value.errors[0].pointer == f"/{next(iter(settings))}"


async def test_tick_of_zero_is_refused(units: MemoryTradingUnits) -> None:
    with pytest.raises(InvalidInput, match="price_tick must be above zero"):
        await AddSymbol(uow=units)(an_actor(), AddSymbolCommand(code=EURUSD, settings=SymbolSettings(price_tick=Decimal(0))))
