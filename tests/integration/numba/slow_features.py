"""The formulas of `adapters.numba.columns` in plain numpy and TA-Lib, one row at a time: the oracle of the kernels."""

from __future__ import annotations

from math import log

import numpy as np
import talib
from numpy.typing import NDArray

from tradingcore.kernel.market import CandleSeries
from tradingcore.ml.model.features import FeatureSpec

Column = NDArray[np.float64]


def slow_row(candles: CandleSeries, spec: FeatureSpec) -> dict[str, float]:
    """The features of the last candle, by name. ``candles`` are exactly ``spec.w_max``."""
    p = {name: int(value) for name, value in spec.constants}
    day, week, horizon = p["day"], p["week"], spec.horizon
    o, h, low, c, v = (np.asarray(column) for column in (candles.open, candles.high, candles.low, candles.close, candles.volume))
    r = np.diff(np.log(c), prepend=np.nan)
    hl, co = np.log(h / low), np.log(c / o)
    gk = 0.5 * hl**2 - (2 * log(2) - 1) * co**2
    rs = np.log(h / c) * np.log(h / o) + np.log(low / c) * np.log(low / o)
    s = _rms(r[-day:])
    a = float(talib.ATR(np.log(h), np.log(low), np.log(c), p["atr"])[-1])
    before = c[-2]
    row = {"atr": log(a / s), "level": log(s), "rs_10": log(np.sqrt(rs[-10:].mean()) / s)}
    for suffix, w in (("5", 5), ("10", 10), ("q", p["quarter"]), ("d", day), ("w", week)):
        row[f"rv_{suffix}"] = log(_rms(r[-w:]) / s)
        row[f"pk_{suffix}"] = log(np.sqrt((hl[-w:] ** 2).mean() / (4 * log(2))) / s)
        row[f"gk_{suffix}"] = log(np.sqrt(gk[-w:].mean()) / s)
        row[f"momentum_{suffix}"] = log(c[-1] / c[-1 - w]) / (s * np.sqrt(w))
        row[f"below_high_{suffix}"] = log(h[-w:].max() / c[-1]) / (s * np.sqrt(w))
        row[f"above_low_{suffix}"] = log(c[-1] / low[-w:].min()) / (s * np.sqrt(w))
        row[f"upside_{suffix}"] = (r[-w:][r[-w:] > 0] ** 2).sum() / (r[-w:] ** 2).sum() - 0.5
        row[f"volume_{suffix}"] = log(max(v[-1] / v[-w:].mean(), 1e-4))
    del row["rv_d"]
    for lag in range(4):
        row[f"return_{lag}"] = r[-1 - lag] / s
    for lag in range(3):
        row[f"range_{lag}"] = hl[-1 - lag] / s
    row["body"] = co[-1] / s
    row["upper_wick"] = log(h[-1] / max(o[-1], c[-1])) / s
    row["lower_wick"] = log(min(o[-1], c[-1]) / low[-1]) / s
    row["close_location"] = log(c[-1] / low[-1]) / hl[-1] - 0.5
    for pace in ("fast", "middle", "slow"):
        row[f"ema_{pace}"] = log(c[-1] / talib.EMA(c, p[f"ema_{pace}"])[-1]) / s
        row[f"rsi_{pace}"] = talib.RSI(c, p[f"rsi_{pace}"])[-1] / 50 - 1
    row["macd"] = talib.MACD(c, p["macd_fast"], p["macd_slow"], p["macd_signal"])[2][-1] / (c[-1] * s)
    upper, middle, _ = talib.BBANDS(c, p["bollinger"], 1, 1)
    deviation = upper[-1] - middle[-1]
    row["bollinger"] = (c[-1] - middle[-1]) / deviation
    row["bollinger_width"] = log(deviation / middle[-1] / s)
    row["adx"] = talib.ADX(h, low, c, p["directional"])[-1] / 100
    row["direction"] = (talib.PLUS_DI(h, low, c, p["directional"]) - talib.MINUS_DI(h, low, c, p["directional"]))[-1] / 100
    x = r[-p["moments"] :] - r[-p["moments"] :].mean()
    row["autocorrelation"] = (x[1:] * x[:-1]).sum() / (x**2).sum()
    row["skewness"] = (x**3).mean() / (x**2).mean() ** 1.5
    row["kurtosis"] = (x**4).mean() / (x**2).mean() ** 2
    row |= _clock(candles)
    start = c[-1 - horizon]
    row["last_delta_high"] = log(h[-horizon:].max() / start) / s
    row["last_delta_low"] = log(start / low[-horizon:].min()) / s
    row["har_diur"] = _coming_range(candles, horizon, 4 * week)
    row["coming_range"] = log(row["har_diur"])
    row["har_rv_h"] = _rms(r[-horizon:]) / a
    row["har_rv_d"] = s / a
    row["har_rv_w"] = _rms(r[-week:]) / a
    row["har_pk_h"] = np.sqrt((hl[-horizon:] ** 2).mean() / (4 * log(2))) / a
    row["har_pk_d"] = np.sqrt((hl[-day:] ** 2).mean() / (4 * log(2))) / a
    row["har_downside"] = np.sqrt((np.minimum(r[-day:], 0) ** 2).mean()) / a
    row["har_return"] = r[-1] / a
    row["har_true_range"] = log(max(h[-1], before) / min(low[-1], before)) / a
    return {name: float(value) for name, value in row.items()}


def _rms(values: Column) -> float:
    return float(np.sqrt((values**2).mean()))


def _clock(candles: CandleSeries) -> dict[str, float]:
    at, before = candles[-1].open_time, candles[-2].open_time
    angle = 2 * np.pi * (at.hour * 3600 + at.minute * 60) / 86_400
    gap = min((at - before).total_seconds() / 86_400, 4.0)
    return {"time_sine": np.sin(angle), "time_cosine": np.cos(angle), "weekday": at.weekday() / 6, "gap": gap}


def _coming_range(candles: CandleSeries, horizon: int, profile: int) -> float:
    if candles.key.timeframe.milliseconds >= 86_400_000:
        return 1.0
    n = len(candles)
    width = []
    for i in range(n - profile, n):
        top, bottom = max(candles.high[i], candles.close[i - 1]), min(candles.low[i], candles.close[i - 1])
        width.append((top - bottom) / ((top + bottom) / 2))
    time_of_day = candles[-1].open_time.time()
    after = [
        np.mean(width[k + 1 : k + 1 + horizon])
        for k in range(profile - horizon)
        if candles[n - profile + k].open_time.time() == time_of_day
    ]
    return float(np.clip(np.mean(after) / np.mean(width), 0.05, 20)) if len(after) >= 3 else 1.0
