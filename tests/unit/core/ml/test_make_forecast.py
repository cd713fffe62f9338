"""One forecast per closed candle, or one announced reason why there is none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import nan

import pytest

from tests.unit.core.ml.world import FIVE, Learning
from tests.unit.core.stand_ins import HopefulModel
from tradingcore.kernel.errors import AlreadyHandled, TradingCoreError, Unavailable
from tradingcore.ml.errors import BlobNotFound, BundleRefused
from tradingcore.ml.events import ForecastMade, ForecastNotMade
from tradingcore.ml.ids import ForecastId
from tradingcore.ml.model.features import FeatureRow
from tradingcore.ml.model.forecast import ForecastFault, HorizonForecast, Quantiles
from tradingcore.testing.builders import BTC_1H, HOUR, MONDAY, a_cause, a_horizon_forecast, a_model, a_model_version, an_actor


async def test_forecast_holds_every_approved_horizon_and_what_it_was_made_of() -> None:
    learning = (await Learning().with_candles()).serving(24, 4)
    actor = an_actor()
    forecast = await learning.forecast(actor=actor)
    assert forecast is not None
    assert [item.horizon for item in forecast.horizons] == [4, 24]
    assert (forecast.candle, forecast.data_first, forecast.data_last) == (
        FIVE[4].open_time,
        FIVE[2].open_time,
        FIVE[4].open_time,
    )
    assert (forecast.close, forecast.trace_id, forecast.made_at) == (FIVE[4].close, actor.trace_id, learning.clock.now())
    assert await learning.queries.get_forecast(ForecastId(forecast.id)) == forecast
    (event,) = learning.events()
    assert isinstance(event, ForecastMade)
    assert (event.forecast_id, event.horizons, event.occurred_at) == (forecast.id, forecast.horizons, MONDAY + 5 * HOUR)


async def test_candles_after_the_decision_candle_are_not_looked_at() -> None:
    early = await (await Learning().with_candles(FIVE[:4])).serving().forecast(FIVE[3])
    late = await (await Learning().with_candles()).serving().forecast(FIVE[3])
    assert early is not None
    assert late is not None
    assert (early.feature_hash, early.rows) == (late.feature_hash, late.rows)


async def test_same_candle_again_makes_nothing() -> None:
    learning = (await Learning().with_candles()).serving()
    first = await learning.forecast()
    assert await learning.forecast() is None
    assert await learning.queries.find_forecast(BTC_1H, FIVE[-1].open_time) == first
    assert len(learning.events()) == 1


async def test_of_many_at_once_one_forecast_is_kept() -> None:
    learning = (await Learning().with_candles()).serving()
    found = await asyncio.gather(*(learning.forecast() for _ in range(16)))
    assert sum(forecast is not None for forecast in found) == len(learning.events()) == 1


@pytest.mark.parametrize(
    ("raised", "fault"),
    [
        (BundleRefused("one byte changed"), ForecastFault.MODEL_UNUSABLE),
        (BlobNotFound("the bundle is gone"), ForecastFault.MODEL_UNUSABLE),
    ],
)
async def test_broken_model_is_announced(raised: TradingCoreError, fault: ForecastFault) -> None:
    learning = (await Learning().with_candles()).serving()
    learning.models.fault = raised
    assert await learning.forecast() is None
    (event,) = learning.events()
    assert isinstance(event, ForecastNotMade)
    assert (event.fault, event.detail, event.candle) == (fault, str(raised), FIVE[-1])


async def test_series_without_an_approved_model_says_so() -> None:
    learning = await Learning().with_candles()
    assert await learning.forecast() is None
    (event,) = learning.events()
    assert isinstance(event, ForecastNotMade)
    assert event.fault is ForecastFault.MODEL_NOT_APPROVED


async def test_short_history_is_announced_with_numbers() -> None:
    learning = (await Learning().with_candles(FIVE[:2])).serving()
    assert await learning.forecast(FIVE[1]) is None
    (event,) = learning.events()
    assert isinstance(event, ForecastNotMade)
    assert event.fault is ForecastFault.NOT_ENOUGH_HISTORY
    assert "has 2 candles" in event.detail
    assert "need 3" in event.detail


@dataclass
class RavingModel(HopefulModel):
    """Predicts what is no number."""

    def predict(self, row: FeatureRow) -> HorizonForecast:
        return a_horizon_forecast(delta_high=Quantiles(nan, nan, nan))


async def test_model_that_says_no_numbers_is_unusable() -> None:
    learning = await Learning().with_candles()
    learning.models.served.append(RavingModel(a_model_version(a_model())))
    assert await learning.forecast() is None
    (event,) = learning.events()
    assert isinstance(event, ForecastNotMade)
    assert event.fault is ForecastFault.MODEL_UNUSABLE


async def test_storage_that_is_away_is_no_fault_of_the_model() -> None:
    learning = (await Learning().with_candles()).serving()
    learning.models.fault = Unavailable("the database is away")
    with pytest.raises(Unavailable):
        await learning.forecast()
    assert learning.events() == []


async def test_redelivery_after_giving_up_is_known() -> None:
    learning = await Learning().with_candles()
    actor = an_actor(cause=a_cause())
    await learning.forecast(actor=actor)
    learning.serving()
    with pytest.raises(AlreadyHandled):
        await learning.forecast(actor=actor)
    assert len(learning.events()) == 1
