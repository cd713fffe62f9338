from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.market import SeriesKey
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase
from tradingcore.ml.ports import MlUnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetForecastsCommand:
    key: SeriesKey
    first: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetForecasts(UseCase[ForgetForecastsCommand, int]):
    """Delete the forecasts of candles that open at or after ``first``, before a replay of the same candles; return how many."""

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[MlUnitOfWork]

    async def handle(self, actor: Actor, command: ForgetForecastsCommand) -> int:
        async with self.uow(actor) as unit:
            return await unit.forecasts.delete_from(command.key, command.first)
