"""Parameter types that several commands share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import rich_click as click

from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import SymbolCode, Timeframe, symbol_code


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


SYMBOL = SymbolType()
TIMEFRAME = TimeframeType()
TIME = TimeType()
