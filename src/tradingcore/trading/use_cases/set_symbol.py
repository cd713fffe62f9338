"""Adding a symbol and changing one: both take the same optional fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import FieldError, InvalidInput
from tradingcore.kernel.market import AssetClass, Calendar, SymbolCode
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.errors import SymbolExists
from tradingcore.trading.model.symbol import Cost, Symbol
from tradingcore.trading.ports import TradingUnitOfWork
from tradingcore.trading.symbol_defaults import default_symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolSettings:
    """What an operator may set; ``None`` leaves a field as it is, for a new symbol at the default of its class."""

    price_tick: Decimal | None = None
    quantity_step: Decimal | None = None
    minimum_notional: Decimal | None = None
    half_spread: Cost | None = None
    fee: Cost | None = None
    slippage: Cost | None = None
    calendar: Calendar | None = None
    minimum_risk_reward: Decimal | None = None
    minimum_expected_value_r: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("minimum_notional", "minimum_risk_reward"):
            value: Decimal | None = getattr(self, name)
            if value is not None and not (value.is_finite() and value >= 0):
                raise _out_of_range(name, f"must be zero or more, was {value}")
        floor = self.minimum_expected_value_r
        if floor is not None and not floor.is_finite():
            raise _out_of_range("minimum_expected_value_r", f"must be a finite number of R, was {floor}")

    def applied_to(self, symbol: Symbol) -> Symbol:
        return replace(
            symbol,
            price_tick=_or(self.price_tick, symbol.price_tick),
            quantity_step=_or(self.quantity_step, symbol.quantity_step),
            minimum_notional=_or(self.minimum_notional, symbol.minimum_notional),
            calendar=self.calendar or symbol.calendar,
            costs=replace(
                symbol.costs,
                half_spread=self.half_spread or symbol.costs.half_spread,
                fee=self.fee or symbol.costs.fee,
                slippage=self.slippage or symbol.costs.slippage,
            ),
            rules=replace(
                symbol.rules,
                minimum_risk_reward=_or(self.minimum_risk_reward, symbol.rules.minimum_risk_reward),
                minimum_expected_value_r=_or(self.minimum_expected_value_r, symbol.rules.minimum_expected_value_r),
            ),
        )


def _or(value: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if value is None else value


def _out_of_range(name: str, problem: str) -> InvalidInput:
    detail = f"{name} {problem}"
    return InvalidInput(detail, errors=(FieldError(f"/{name}", "out_of_range", detail),))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSymbolCommand:
    """The asset class is inferred from the code where it is not given."""

    code: SymbolCode
    asset_class: AssetClass | None = None
    settings: SymbolSettings = SymbolSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSymbol(UseCase[AddSymbolCommand, Symbol]):
    """Create a symbol with the defaults of its class and the given settings."""

    permission: ClassVar[Permission] = Permission.MARKET_MANAGE

    uow: UnitOfWorkFactory[TradingUnitOfWork]

    async def handle(self, actor: Actor, command: AddSymbolCommand) -> Symbol:
        """Raises `SymbolExists`."""
        async with self.uow(actor) as unit:
            if await unit.symbols.find(command.code) is not None:
                raise SymbolExists(f"{command.code} exists already: change it with market symbols set {command.code}")
            return await unit.symbols.save(command.settings.applied_to(default_symbol(command.code, command.asset_class)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSymbolCommand:
    code: SymbolCode
    settings: SymbolSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSymbol(UseCase[SetSymbolCommand, Symbol]):
    """Change tick, step, costs, calendar or signal rules of a symbol. Signals that were issued keep their prices and costs."""

    permission: ClassVar[Permission] = Permission.MARKET_MANAGE

    uow: UnitOfWorkFactory[TradingUnitOfWork]

    async def handle(self, actor: Actor, command: SetSymbolCommand) -> Symbol:
        """Raises `SymbolNotFound`, `StaleVersion` when two operators change it at once."""
        async with self.uow(actor) as unit:
            symbol = await unit.symbols.get(command.code)
            changed = command.settings.applied_to(symbol)
            return symbol if changed == symbol else await unit.symbols.save(changed)
