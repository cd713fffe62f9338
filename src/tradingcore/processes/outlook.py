"""Translate a forecast of the ml context into the outlook that trading decides on."""

from __future__ import annotations

from datetime import datetime

from tradingcore.kernel.market import SeriesKey
from tradingcore.ml.ids import ForecastId
from tradingcore.ml.model.forecast import HorizonForecast, Quantiles
from tradingcore.trading.ids import ForecastRef, ModelVersionRef
from tradingcore.trading.model.outlook import BarrierOutlook, HorizonOutlook, Outlook, Side


def outlook_of(
    key: SeriesKey,
    *,
    forecast_id: ForecastId,
    candle: datetime,
    close: float,
    horizons: tuple[HorizonForecast, ...],
    feature_hash: str,
    data_first: datetime,
    data_last: datetime,
) -> Outlook:
    return Outlook(
        forecast_id=ForecastRef(forecast_id),
        symbol_key=key,
        candle=candle,
        close=close,
        horizons=tuple(_horizon(item) for item in horizons),
        feature_hash=feature_hash,
        data_first=data_first,
        data_last=data_last,
        is_out_of_distribution=any(item.is_out_of_distribution for item in horizons),
    )


def _horizon(item: HorizonForecast) -> HorizonOutlook:
    return HorizonOutlook(
        horizon=item.horizon,
        model_version_id=ModelVersionRef(item.model_version_id),
        model_version=item.model_version,
        delta_high=_levels(item.delta_high),
        delta_low=_levels(item.delta_low),
        unit=item.unit,
        barriers=tuple(
            BarrierOutlook(
                side=Side.LONG if barrier.side > 0 else Side.SHORT,
                k_take_profit=barrier.k_take_profit,
                k_stop_loss=barrier.k_stop_loss,
                p_take_profit=barrier.p_take_profit,
                p_stop_loss=barrier.p_stop_loss,
                p_time=barrier.p_time,
                mean_time_return=barrier.mean_time_return,
            )
            for barrier in item.barriers
        ),
        interval_level=item.interval_level,
        interval_coverage=item.interval_coverage,
        sample_size=item.sample_size,
    )


def _levels(quantiles: Quantiles) -> tuple[float, ...]:
    return (quantiles.low, quantiles.median, quantiles.high)
