"""Small calculators: enough structure to learn from, quick enough for a unit test."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from adapters.xgboost.arrays import F64, f64
from tradingcore.kernel.market import CandleSeries, Timeframe
from tradingcore.ml.model.features import HAR_COLUMNS, FeatureMatrix, FeatureRow, FeatureSpec, SeriesProfile
from tradingcore.ml.ports import BarrierLabels, FeatureCalculator, RangeTargets, TargetCalculator

DAY = 24


def _trailing(values: F64, window: int) -> F64:
    return np.asarray(np.sqrt(sliding_window_view(np.r_[np.zeros(window - 1), values**2], window).mean(axis=1)))


@dataclass
class StandInFeatures(FeatureCalculator):
    """The HAR columns and two of noise. ``leak`` adds the return of the next candle, which nobody can know."""

    leak: bool = False
    known_version: str = "stand-in 1"

    def spec(self, profile: SeriesProfile, *, horizon: int, has_volume: bool) -> FeatureSpec:
        return FeatureSpec(
            names=(*HAR_COLUMNS, "noise", "position", *(["next"] if self.leak else [])),
            w_max=5 * DAY + horizon,
            horizon=horizon,
            timeframe=profile.key.timeframe,
            calendar=profile.calendar,
            kernel_version="stand-in 1",
            constants=(("day", float(DAY)),),
        )

    def warm_up(self) -> None:
        pass

    def knows(self, spec: FeatureSpec) -> bool:
        return spec.kernel_version == self.known_version

    def matrix(self, candles: CandleSeries, spec: FeatureSpec) -> FeatureMatrix:
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._matrix(candles, spec)

    def _matrix(self, candles: CandleSeries, spec: FeatureSpec) -> FeatureMatrix:
        high, low, close = f64(candles.high), f64(candles.low), f64(candles.close)
        returns = np.diff(np.log(close), prepend=np.log(close[0]))
        ranges = np.log(high / low)
        atr, scale = _trailing(ranges, 14), _trailing(returns, DAY)
        hour = np.asarray(candles.open_times) // Timeframe.H1.milliseconds % DAY
        columns = {
            "har_rv_h": _trailing(returns, spec.horizon) / atr,
            "har_rv_d": scale / atr,
            "har_rv_w": _trailing(returns, 5 * DAY) / atr,
            "har_pk_h": _trailing(ranges, spec.horizon) / atr,
            "har_pk_d": _trailing(ranges, DAY) / atr,
            "har_diur": 1 + 0.5 * np.sin(2 * np.pi * (hour + spec.horizon / 2) / DAY),
            "har_downside": _trailing(np.minimum(returns, 0), DAY) / atr,
            "har_return": returns / atr,
            "har_true_range": ranges / atr,
            "noise": np.sin(np.arange(len(close)) * 12.9898) * 43758.5453 % 1,
            "position": np.log(close / low) / np.maximum(ranges, 1e-9),
            "next": np.r_[returns[1:], 0] / np.maximum(scale, 1e-9),
        }
        first = spec.w_max - 1
        values = np.column_stack([columns[name] for name in spec.names]).astype(np.float32)[first:]
        return FeatureMatrix(
            spec=spec,
            first_row=first,
            values=np.ascontiguousarray(values).data,
            close=close[first:].data,
            atr=atr[first:].data,
            scale=scale[first:].data,
        )

    def window(self, candles: CandleSeries, specs: Sequence[FeatureSpec]) -> Sequence[FeatureRow]:
        return [row_of(self.matrix(candles, spec), -1, candles) for spec in specs]


@dataclass
class StandInTargets(TargetCalculator):
    """Slow and plain. ``shuffle`` permutes the outcomes, so that nothing is left to learn."""

    shuffle: bool = False
    _order: F64 = field(default_factory=lambda: np.random.default_rng(3).random(100_000))

    def ranges(self, candles: CandleSeries, *, horizon: int) -> RangeTargets:
        high, low, close = f64(candles.high), f64(candles.low), f64(candles.close)
        count = len(close) - horizon
        after = slice(1, count + 1)
        highest = np.log(sliding_window_view(high, horizon)[after].max(axis=1) / close[:count])
        lowest = np.log(close[:count] / sliding_window_view(low, horizon)[after].min(axis=1))
        order = np.argsort(self._order[:count]) if self.shuffle else np.arange(count)
        missing = np.full(horizon, np.nan)
        return RangeTargets(np.r_[highest[order], missing].data, np.r_[lowest[order], missing].data)

    def barriers(
        self, candles: CandleSeries, *, unit: memoryview, horizon: int, side: int, k_take_profit: float, k_stop_loss: float
    ) -> BarrierLabels:
        high, low, close = f64(candles.high), f64(candles.low), f64(candles.close)
        count = len(close)
        label, realised, exits = np.full(count, -1, dtype=np.int8), np.full(count, np.nan), np.full(count, -1)
        for index in range(count - horizon):
            ahead = slice(index + 1, index + 1 + horizon)
            up, down = np.log(high[ahead] / close[index]), np.log(close[index] / low[ahead])
            gain, loss = (up, down) if side > 0 else (down, up)
            target, stop = k_take_profit * unit[index], k_stop_loss * unit[index]
            reached = np.flatnonzero((gain >= target) | (loss >= stop))
            last = int(reached[0]) if len(reached) else horizon - 1
            outcome = 2 if not len(reached) else int(loss[last] >= stop)
            label[index], exits[index] = outcome, index + 1 + last
            realised[index] = (target, -stop, side * np.log(close[index + horizon] / close[index]))[outcome]
        if self.shuffle:
            order = np.argsort(self._order[: count - horizon])
            label[: count - horizon], realised[: count - horizon] = label[order], realised[order]
        return BarrierLabels(label.data, realised.data, exits.data, 0)


def row_of(matrix: FeatureMatrix, index: int, candles: CandleSeries) -> FeatureRow:
    values = np.asarray(matrix.values)[index]
    return FeatureRow(
        spec=matrix.spec,
        open_time_ms=candles.open_times[matrix.first_row + index if index >= 0 else index],
        values=values.data.toreadonly(),
        close=matrix.close[index],
        atr=matrix.atr[index],
        scale=matrix.scale[index],
    )
