from __future__ import annotations

from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import SeriesKey
from tradingcore.kernel.ports import IdGenerator
from tradingcore.ml.ids import ForecastId
from tradingcore.ml.use_cases.explain_forecast import ExplainForecast, ExplainForecastCommand
from tradingcore.processes.outlook import outlook_of
from tradingcore.trading.ids import ForecastRef
from tradingcore.trading.ports import ForecastExplainer, ForecastExplanation


class MlForecastExplainer(ForecastExplainer):
    """Trading asks the ml context how a forecast came to be."""

    __slots__ = ("_explain", "_ids")

    def __init__(self, *, explain_forecast: ExplainForecast, ids: IdGenerator) -> None:
        self._explain = explain_forecast
        self._ids = ids

    async def explain(self, forecast_id: ForecastRef) -> ForecastExplanation:
        actor = Actor.system(self._ids.new_trace_id(), name="trading")
        result = await self._explain(actor, ExplainForecastCommand(forecast_id=ForecastId(forecast_id)))
        forecast = result.recomputed
        return ForecastExplanation(
            outlook=outlook_of(
                SeriesKey(forecast.symbol, forecast.timeframe),
                forecast_id=forecast.id,
                candle=forecast.candle,
                close=forecast.close,
                horizons=forecast.horizons,
                feature_hash=forecast.feature_hash,
                data_first=forecast.data_first,
                data_last=forecast.data_last,
            ),
            features=dict(zip((item.horizon for item in forecast.horizons), result.features, strict=True)),
            mismatches=result.mismatches,
            lineage=result.lineage,
        )
