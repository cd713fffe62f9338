"""Parameter types that several commands share."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import rich_click as click

from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import SymbolCode, Timeframe, symbol_code
from tradingcore.trading.model.symbol import Cost, CostUnit


class SymbolType(click.ParamType[SymbolCode]):
    name = "SYMBOL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> SymbolCode:
        try:
            return symbol_code(str(value))
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


class TimeframeType(click.Choice[Any]):
    def __init__(self) -> None:
        super().__init__([timeframe.value for timeframe in Timeframe])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Timeframe:
        return Timeframe(super().convert(value, param, ctx))


class TimeType(click.ParamType[datetime]):
    """ISO 8601; a date alone is its midnight; a time without a zone is UTC."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            at = datetime.fromisoformat(str(value))
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not an ISO 8601 time, such as 2024-01-31 or 2024-01-31T12:00:00Z", param, ctx)


class CostType(click.ParamType[Cost]):
    """``1.5bp``, or a price without a unit."""

    name = "COST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Cost:
        text = str(value)
        unit = CostUnit.BASIS_POINTS if text.endswith("bp") else CostUnit.PRICE
        try:
            return Cost(Decimal(text.removesuffix("bp")), unit)
        except InvalidOperation:
            self.fail(f"{text!r} is no cost: write 1.5bp for basis points or 0.0002 for a price", param, ctx)


class DecimalType(click.ParamType[Decimal]):
    name = "DECIMAL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            return Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is no decimal number", param, ctx)


SYMBOL = SymbolType()
TIMEFRAME = TimeframeType()
TIME = TimeType()
COST = CostType()
DECIMAL = DecimalType()
