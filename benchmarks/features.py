"""P1 and P2: all features of a million candles against TA-Lib, and the features of one new candle.

``python -m benchmarks.features``. Candles are made up.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from functools import partial
from typing import Any, Final

import numpy as np
import talib
from numpy.typing import NDArray

from adapters.numba.features import NumbaFeatureCalculator
from benchmarks._measure import alternate, report
from tradingcore.kernel.market import AssetClass, Calendar, CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.ml.model.features import SeriesProfile

ROWS: Final = 1_000_000
HORIZON: Final = 4
RUNS: Final = 7
MEMORY_FLAG: Final = "--memory"
PACKAGES: Final = ("numba", "numpy", "TA-Lib")

CALCULATOR: Final = NumbaFeatureCalculator()


def a_long_series(timeframe: Timeframe, count: int) -> CandleSeries:
    """Clustered volatility and heavy tails; numpy makes a million candles in a second."""
    random = np.random.default_rng(1)
    spread = 0.002 * np.exp(0.3 * np.sin(np.arange(count) / 500.0))
    close = 100.0 * np.exp(np.cumsum(random.standard_t(5, count) * spread * 0.5))
    open_ = np.concatenate(([100.0], close[:-1]))
    high = np.maximum(open_, close) * np.exp(np.abs(random.normal(0.0, 0.3, count)) * spread)
    low = np.minimum(open_, close) / np.exp(np.abs(random.normal(0.0, 0.3, count)) * spread)
    times = np.arange(count, dtype=np.int64) * timeframe.milliseconds
    key = SeriesKey(SymbolCode("TEST/USD"), timeframe)
    volume = random.lognormal(5.0, 1.0, count)
    return CandleSeries.from_columns(key, times.data, open_.data, high.data, low.data, close.data, volume.data)


def a_profile(timeframe: Timeframe) -> SeriesProfile:
    key = SeriesKey(SymbolCode("TEST/USD"), timeframe)
    return SeriesProfile(key=key, asset_class=AssetClass.CRYPTO, calendar=Calendar.ALWAYS)


def talib_set(candles: CandleSeries) -> list[NDArray[Any]]:
    """The 35 outputs of the specification: averages, oscillators, bands, extremes."""
    high, low, close, volume = (np.asarray(column) for column in (candles.high, candles.low, candles.close, candles.volume))
    spans = (5, 10, 20, 50, 100, 200)
    return [
        *(talib.SMA(close, span) for span in spans),
        *(talib.EMA(close, span) for span in spans),
        *(talib.RSI(close, period) for period in (7, 14, 28)),
        *talib.MACD(close),
        *talib.BBANDS(close, 20),
        talib.ATR(high, low, close),
        talib.ADX(high, low, close),
        talib.PLUS_DI(high, low, close),
        talib.MINUS_DI(high, low, close),
        talib.CCI(high, low, close),
        *talib.STOCH(high, low, close),
        talib.WILLR(high, low, close),
        talib.MFI(high, low, close, volume),
        talib.OBV(close, volume),
        talib.ROC(close),
        talib.STDDEV(close, 20),
        talib.MAX(high, 20),
        talib.MIN(low, 20),
    ]


def whole_series() -> None:
    for timeframe in (Timeframe.H1, Timeframe.M5):
        candles = a_long_series(timeframe, ROWS)
        spec = CALCULATOR.spec(a_profile(timeframe), horizon=HORIZON, has_volume=True)
        ours = len(spec.names)
        theirs = len(talib_set(candles))
        CALCULATOR.warm_up()
        measured = alternate(partial(CALCULATOR.matrix, candles, spec), partial(talib_set, candles), runs=RUNS)
        report(
            f"P1 features of a {timeframe.value} series against TA-Lib, per output",
            [(one / ours, other / theirs) for one, other in measured],
            n=ROWS,
            packages=PACKAGES,
            must_be="at most 2.0",
            outputs=[ours, theirs],
        )
    report_memory()


def report_memory() -> None:
    """The peak of a process that does nothing else, against the size of the matrix."""
    command = [sys.executable, "-m", "benchmarks.features", MEMORY_FLAG]
    peak, output = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    report(
        "P1 peak memory of the process against the output array, bytes",
        [(peak, output)] * 2,
        n=ROWS,
        packages=PACKAGES,
        must_be="at most 4.0",
    )


def one_candle() -> None:
    for timeframe in (Timeframe.H1, Timeframe.M5, Timeframe.M1):
        profile = a_profile(timeframe)
        spec = CALCULATOR.spec(profile, horizon=profile.default_horizons[0], has_volume=True)
        candles = a_long_series(timeframe, spec.w_max + 1_000)
        last = candles.slice(1_000, len(candles))
        (row,) = CALCULATOR.window(candles, [spec])
        measured = alternate(
            partial(CALCULATOR.window, candles, [spec]), partial(CALCULATOR.matrix, last, spec), runs=RUNS, times=200
        )
        report(
            f"P2 features of one {timeframe.value} candle against the batch kernel on its window, s",
            measured,
            n=spec.w_max,
            packages=PACKAGES,
            must_be="ours at most 0.001, equal values",
            equal=row.values.tobytes() == CALCULATOR.matrix(last, spec).values.tobytes(),
        )


def print_memory() -> None:
    candles = a_long_series(Timeframe.H1, ROWS)
    spec = CALCULATOR.spec(a_profile(Timeframe.H1), horizon=HORIZON, has_volume=True)
    matrix = CALCULATOR.matrix(candles, spec)
    sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024} {matrix.values.nbytes}")


if __name__ == "__main__":
    if MEMORY_FLAG in sys.argv:
        print_memory()
    else:
        whole_series()
        one_candle()
