"""GARCH(1,1)-t on the coming range, beside the baselines that every model is measured against (ml.md S4). A benchmark only.

``python -m benchmarks.garch [FILE.parquet SYMBOL TIMEFRAME HORIZON]``; without a file, a year of a simulated market. Parameters are
fitted on the training returns of each fold, then filtered forward with what is known at each candle. Prints one JSON line: how much
better each baseline is than GARCH (pinball; 0.05 is 5 %), and R2 of both.

Bollerslev, "Generalized Autoregressive Conditional Heteroskedasticity", Journal of Econometrics 31 (1986).
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from arch import arch_model

from adapters.market_data.simulated import SimulatedMarket
from adapters.numba.features import NumbaFeatureCalculator
from adapters.numba.targets import NumbaTargetCalculator
from adapters.xgboost import evaluation as measure
from adapters.xgboost.arrays import F64, LEVELS, SIDES, f64
from adapters.xgboost.baselines import RangeForecast, baseline_forecasts
from adapters.xgboost.samples import make_samples
from tradingcore.kernel.market import CandleSeries, SeriesKey, SymbolCode, Timeframe, symbol_code
from tradingcore.ml.model.features import SeriesProfile
from tradingcore.ml.policies import first_test_row, plan_folds
from tradingcore.ml.ports import DEMO, TrainingRequest
from tradingcore.trading.symbol_defaults import DEFAULTS, infer_asset_class

PERCENT: Final = 100.0
START, STOP = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
PEERS: Final = ("mean", "atr", "ewma", "har", "har_w")


def garch_scale(close: F64, *, train_stop: int, horizon: int) -> F64:
    """Square root of the variance over the next ``horizon`` candles, per candle, log return."""
    returns = np.diff(np.log(close), prepend=np.log(close[0])) * PERCENT
    fitted = arch_model(returns[1:train_stop], mean="Zero", vol="GARCH", p=1, q=1, dist="t", rescale=False).fit(disp="off")
    omega, alpha, beta = (float(fitted.params[name]) for name in ("omega", "alpha[1]", "beta[1]"))
    persistence = min(alpha + beta, 0.9999)
    unconditional = omega / (1 - persistence)
    following = np.empty_like(returns)
    variance = float(returns[1:train_stop].var())
    for index, squared in enumerate((returns**2).tolist()):
        variance = omega + alpha * squared + beta * variance
        following[index] = variance
    decay = (1 - persistence**horizon) / (1 - persistence)
    total = horizon * unconditional + (following - unconditional) * decay
    return np.asarray(np.sqrt(total) / PERCENT)


def load(path: str, key: SeriesKey) -> CandleSeries:
    table = pq.read_table(path)
    times = table.column("timestamp").cast("int64").to_numpy()
    open_, high, low, close, volume = (
        table.column(name).to_numpy().astype(np.float64) for name in ("open", "high", "low", "close", "volume")
    )
    columns = (np.ascontiguousarray(times).data, open_.data, high.data, low.data, close.data, volume.data)
    return CandleSeries.from_columns(key, *columns)


def profile_of(symbol: SymbolCode, timeframe: Timeframe) -> SeriesProfile:
    asset_class = infer_asset_class(symbol)
    return SeriesProfile(key=SeriesKey(symbol, timeframe), asset_class=asset_class, calendar=DEFAULTS[asset_class].calendar)


def main(arguments: list[str]) -> None:
    path, symbol, timeframe, horizon = arguments or ["", "BTC/USDT", "1h", "4"]
    profile = profile_of(symbol_code(symbol), Timeframe(timeframe))
    candles = load(path, profile.key) if path else SimulatedMarket(seed=1).candles(profile.key, START, STOP)
    request = TrainingRequest(profile=profile, horizon=int(horizon), training=DEMO, seed=1)
    samples = make_samples(request, candles, NumbaFeatureCalculator(), NumbaTargetCalculator())
    plan = plan_folds(
        samples.decisions.tolist(),
        samples.label_ends.tolist(),
        first_test=first_test_row(candles=len(candles), first_row=samples.first_row, horizon=request.horizon),
        folds=DEMO.folds,
        margin=profile.key.timeframe.milliseconds,
    )
    losses: dict[tuple[str, str], list[F64]] = defaultdict(list)
    errors: dict[tuple[str, str], list[F64]] = defaultdict(list)
    for fold in plan[:-1]:
        train, test = slice(fold.train.start, fold.train.stop), slice(fold.test.start, fold.test.stop)
        scale = garch_scale(f64(candles.close), train_stop=samples.first_row + train.stop, horizon=request.horizon)
        scale = scale[samples.first_row : samples.first_row + len(samples)]
        for side in SIDES:
            delta = samples.deltas[side]
            ratio = delta[train] / scale[train]
            garch = RangeForecast(scale[test, None] * np.quantile(ratio, LEVELS), scale[test] * ratio.mean())
            forecasts = {"garch": garch, **baseline_forecasts(samples, side, train=train, test=test)}
            for name, forecast in forecasts.items():
                losses[side, name].append(measure.pinball(delta[test], forecast.quantiles))
                errors[side, name].append((delta[test] - forecast.mean) ** 2)

    def loss(side: str, name: str) -> F64:
        return np.concatenate(losses[side, name])

    def r2(name: str) -> float:
        gains = [1 - np.concatenate(errors[side, name]).sum() / np.concatenate(errors[side, "mean"]).sum() for side in SIDES]
        return round(float(np.mean(gains)), 3)

    line = {
        "name": "garch",
        "series": str(profile.key),
        "horizon": request.horizon,
        "n": len(loss("high", "garch")),
        "skill_against_garch": {
            name: round(float(np.mean([measure.skill(loss(side, name), loss(side, "garch")) for side in SIDES])), 4)
            for name in PEERS
        },
        "r2": {name: r2(name) for name in ("garch", *PEERS)},
        "versions": {package: version(package) for package in ("arch", "numpy")},
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main(sys.argv[1:])
