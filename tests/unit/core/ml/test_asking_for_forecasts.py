"""Forecasts on demand, and forecasts computed again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.core.ml.world import FIVE, Learning
from tradingcore.kernel.errors import InvalidInput, NotFound, Unavailable
from tradingcore.kernel.market import Candle, SeriesKey, SymbolCode, Timeframe
from tradingcore.ml.errors import ForecastNotFound, HorizonNotServed, ModelNotFound, NotEnoughHistory
from tradingcore.ml.ids import ForecastId
from tradingcore.ml.model.forecast import Forecast
from tradingcore.ml.use_cases.explain_forecast import ExplainForecastCommand, ExplainForecastResult
from tradingcore.ml.use_cases.predict_on_demand import PredictOnDemandCommand
from tradingcore.testing.builders import BTC_1H, HOUR, MONDAY, an_actor, an_id


async def ready(*horizons: int) -> Learning:
    return (await Learning().with_candles()).serving(*horizons)


async def test_forecast_on_demand_is_computed_and_not_stored() -> None:
    learning = await ready()
    result = await learning.predict(an_actor(), PredictOnDemandCommand(key=BTC_1H))
    assert not result.is_stored
    assert result.forecast.candle == FIVE[-1].open_time
    assert await learning.queries.find_forecast(BTC_1H, FIVE[-1].open_time) is None
    assert learning.events() == []


async def test_stored_forecast_is_given_back() -> None:
    learning = await ready()
    stored = await learning.forecast(FIVE[3])
    result = await learning.predict(an_actor(), PredictOnDemandCommand(key=BTC_1H, at=FIVE[3].open_time))
    assert (result.forecast, result.is_stored) == (stored, True)


async def test_horizon_that_the_stored_forecast_lacks_is_computed() -> None:
    learning = await ready(4)
    await learning.forecast()
    learning.serving(24)
    result = await learning.predict(an_actor(), PredictOnDemandCommand(key=BTC_1H, horizon=24))
    assert ([item.horizon for item in result.forecast.horizons], result.is_stored) == ([24], False)


async def test_computed_and_served_forecasts_are_the_same_numbers() -> None:
    learning = await ready(4, 24)
    asked = (await learning.predict(an_actor(), PredictOnDemandCommand(key=BTC_1H))).forecast
    served = await learning.forecast()
    assert served is not None
    assert (asked.horizons, asked.rows, asked.feature_hash) == (served.horizons, served.rows, served.feature_hash)


async def test_wrong_questions_get_their_own_answers() -> None:
    learning = await ready()

    async def ask(command: PredictOnDemandCommand) -> None:
        await learning.predict(an_actor(), command)

    with pytest.raises(NotFound, match="ETH/USDT"):
        await ask(PredictOnDemandCommand(key=SeriesKey(SymbolCode("ETH/USDT"), Timeframe.H1)))
    with pytest.raises(InvalidInput, match="not the open time"):
        await ask(PredictOnDemandCommand(key=BTC_1H, at=MONDAY + timedelta(minutes=5)))
    with pytest.raises(NotFound, match="no candle"):
        await ask(PredictOnDemandCommand(key=BTC_1H, at=MONDAY + 100 * HOUR))
    with pytest.raises(NotFound, match="no candle"):
        await ask(PredictOnDemandCommand(key=BTC_1H, at=MONDAY - HOUR))
    with pytest.raises(HorizonNotServed, match="horizon 5; there are: 4"):
        await ask(PredictOnDemandCommand(key=BTC_1H, horizon=5))
    with pytest.raises(NotEnoughHistory):
        await ask(PredictOnDemandCommand(key=BTC_1H, at=FIVE[1].open_time))
    learning.models.served.clear()
    with pytest.raises(ModelNotFound, match="tradingcore ml train"):
        await ask(PredictOnDemandCommand(key=BTC_1H))


async def explained(learning: Learning, forecast: Forecast | None) -> ExplainForecastResult:
    assert forecast is not None
    return await learning.explain(an_actor(), ExplainForecastCommand(forecast_id=ForecastId(forecast.id)))


async def test_stored_forecast_is_reproduced_from_its_candles_and_its_model() -> None:
    learning = await ready(4, 24)
    forecast = await learning.forecast()
    result = await explained(learning, forecast)
    assert result.mismatches == ()
    assert result.features[0]["sum_of_closes"] == pytest.approx(sum(candle.close for candle in FIVE[2:]))
    assert len(result.lineage["bundle_sha256"].split(", ")) == 2


async def test_forecast_is_explained_by_the_models_that_made_it_not_by_those_that_serve_now() -> None:
    learning = await ready()
    forecast = await learning.forecast()
    learning.models.retired = learning.models.served.copy()
    learning.models.served.clear()
    learning.serving(24)
    assert (await explained(learning, forecast)).mismatches == ()


def change(learning: Learning, candle: Candle) -> None:
    columns = learning.database.candles[BTC_1H]
    learning.database.candles[BTC_1H] = columns.rebuilt(
        {
            int(candle.open_time.timestamp() * 1000): (
                candle.open,
                candle.high,
                candle.low,
                candle.close,
                candle.volume,
            )
        }
    )


@pytest.mark.parametrize("index", [2, 3, 4])
async def test_one_changed_candle_of_the_window_shows(index: int) -> None:
    learning = await ready()
    forecast = await learning.forecast()
    change(learning, replace(FIVE[index], close=FIVE[index].close + 0.25))
    mismatches = (await explained(learning, forecast)).mismatches
    assert any(mismatch.startswith("forecast.feature_hash: stored ") for mismatch in mismatches)


async def test_changed_candle_outside_the_window_does_not_matter() -> None:
    learning = await ready()
    forecast = await learning.forecast()
    change(learning, replace(FIVE[1], close=FIVE[1].close + 0.25))
    assert (await explained(learning, forecast)).mismatches == ()


async def test_changed_model_shows_number_by_number() -> None:
    learning = await ready()
    forecast = await learning.forecast()
    learning.models.served[0].p_take_profit = 0.5
    assert (await explained(learning, forecast)).mismatches == (
        "forecast.horizons.0.barriers.0.p_take_profit: stored 0.6, recomputed 0.5",
    )


async def test_forecast_whose_candles_or_model_are_gone_cannot_be_explained_now() -> None:
    learning = await ready()
    forecast = await learning.forecast()
    learning.models.served[0].w_max = 9
    with pytest.raises(Unavailable, match="candles behind forecast"):
        await explained(learning, forecast)
    with pytest.raises(ForecastNotFound):
        await learning.explain(an_actor(), ExplainForecastCommand(forecast_id=ForecastId(an_id())))
