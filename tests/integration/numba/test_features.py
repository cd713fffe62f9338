from __future__ import annotations

import subprocess
import sys
from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from adapters.numba.columns import COLUMNS, NAMES, as_markdown
from adapters.numba.features import NumbaFeatureCalculator
from tests.integration.numba.slow_features import slow_row
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import AssetClass, Calendar, CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.ml.errors import DataUnfit, FeatureSpecMismatch
from tradingcore.ml.model.features import FeatureMatrix, SeriesProfile
from tradingcore.testing.markets import a_market
from tradingcore.testing.ml_leaks import leaking_columns

ROOT = Path(__file__).parents[3]
CALCULATOR = NumbaFeatureCalculator()

SERIES = [
    (Calendar.ALWAYS, Timeframe.H1),
    (Calendar.FX_WEEK, Timeframe.H1),
    (Calendar.METAL_WEEK, Timeframe.H1),
    (Calendar.US_EQUITY, Timeframe.H1),
    (Calendar.ALWAYS, Timeframe.M15),
    (Calendar.METAL_WEEK, Timeframe.H4),
    (Calendar.US_EQUITY, Timeframe.D1),
    (Calendar.ALWAYS, Timeframe.W1),
]


def a_profile(calendar: Calendar = Calendar.ALWAYS, timeframe: Timeframe = Timeframe.H1) -> SeriesProfile:
    return SeriesProfile(key=SeriesKey(SymbolCode("TEST/USD"), timeframe), asset_class=AssetClass.CRYPTO, calendar=calendar)


def shaped(count: int, prices: NDArray[np.float64], volume: float = 1.0, timeframe: Timeframe = Timeframe.H1) -> CandleSeries:
    """Candles from ``prices`` (count, 4) in any order within a candle."""
    key = SeriesKey(SymbolCode("TEST/USD"), timeframe)
    times = np.arange(count, dtype=np.int64) * timeframe.milliseconds
    opens, highs, lows, closes = (
        array("d", c.tobytes()) for c in (prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, 3])
    )
    return CandleSeries.from_columns(key, times.data, opens, highs, lows, closes, array("d", [volume]) * count)


@pytest.mark.parametrize(("calendar", "timeframe"), SERIES)
def test_every_column_is_what_its_formula_says(calendar: Calendar, timeframe: Timeframe) -> None:
    profile = a_profile(calendar, timeframe)
    for horizon in profile.default_horizons:
        spec = CALCULATOR.spec(profile, horizon=horizon, has_volume=True)
        market = a_market(spec.w_max + 20, key=profile.key, calendar=calendar, seed=horizon)
        for stop in range(spec.w_max, len(market), 7):
            candles = market.slice(stop - spec.w_max, stop)
            (row,) = CALCULATOR.window(candles, [spec])
            expected = slow_row(candles, spec)
            assert expected.keys() == set(spec.names)
            for name, value in zip(spec.names, row.values, strict=True):
                assert value == pytest.approx(expected[name], rel=2e-6, abs=2e-6), (name, stop)


def test_table_of_columns_names_each_once_with_a_formula() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(column.formula and column.group in range(1, 10) for column in COLUMNS)
    assert as_markdown() in (ROOT / "docs" / "features.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("calendar", "timeframe", "horizon", "w_max"),
    [
        (Calendar.ALWAYS, Timeframe.M1, 60, 4 * 10_080 + 60),
        (Calendar.ALWAYS, Timeframe.M5, 12, 4 * 2_016 + 12),
        (Calendar.ALWAYS, Timeframe.H1, 4, 1_004),
        (Calendar.METAL_WEEK, Timeframe.H1, 24, 1_024),
        (Calendar.US_EQUITY, Timeframe.H4, 3, 1_003),
        (Calendar.US_EQUITY, Timeframe.D1, 5, 555),
        (Calendar.FX_WEEK, Timeframe.W1, 1, 271),
    ],
)
def test_memory_is_ten_of_the_longest_spans_or_four_weeks(
    calendar: Calendar, timeframe: Timeframe, horizon: int, w_max: int
) -> None:
    assert CALCULATOR.spec(a_profile(calendar, timeframe), horizon=horizon, has_volume=True).w_max == w_max


def test_time_of_day_is_found_by_the_clock_across_session_gaps() -> None:
    # A market that is lively for one hour of the day, and closed for one: a profile by row distance would smear it.
    profile = a_profile(Calendar.METAL_WEEK)
    spec = CALCULATOR.spec(profile, horizon=1, has_volume=False)
    made = a_market(spec.w_max + 200, key=profile.key, calendar=Calendar.METAL_WEEK)
    hours = (np.asarray(made.open_times) // 3_600_000) % 24
    half = np.where(hours == 14, 0.01, 0.001)
    flat = np.ones(len(hours))
    market = CandleSeries.from_columns(
        profile.key, made.open_times, flat.data, (flat + half).data, (flat - half).data, flat.data, made.volume
    )
    matrix = CALCULATOR.matrix(market, spec)
    diur = np.asarray(matrix.values)[:, spec.names.index("har_diur")]
    at = hours[matrix.first_row :]
    mean = (22 * 0.001 + 0.01) / 23
    assert diur[at == 13] == pytest.approx(0.01 / mean, rel=1e-2)
    assert diur[(at != 13)] == pytest.approx(0.001 / mean, rel=1e-2)


def test_leaks_that_are_planted_are_found() -> None:
    spec = CALCULATOR.spec(a_profile(), horizon=4, has_volume=True)

    def with_leaks(candles: CandleSeries) -> FeatureMatrix:
        honest = CALCULATOR.matrix(candles, spec)
        close = np.asarray(candles.close)
        r = np.diff(np.log(close), prepend=0.0)
        next_return = np.append(r[1:], 0.0)
        centred = np.convolve(r, np.ones(25) / 25, mode="same")
        scaled = (close - close.min()) / (close.max() - close.min())
        leaks = np.stack([next_return, centred, scaled], axis=1)[honest.first_row :].astype(np.float32)
        values = np.hstack([np.asarray(honest.values), leaks])
        names = (*spec.names, "next_return", "centred_mean", "full_sample_scaler")
        return replace(honest, spec=replace(spec, names=names), values=np.ascontiguousarray(values).data)

    market = a_market(spec.w_max + 400)
    found = leaking_columns(with_leaks, market, range(spec.w_max, spec.w_max + 400, 40))
    assert found.keys() == {"next_return", "centred_mean", "full_sample_scaler"}


def test_candles_out_of_order_are_refused() -> None:
    spec = CALCULATOR.spec(a_profile(), horizon=4, has_volume=True)
    market = a_market(spec.w_max)
    times = array("q", market.open_times)
    times[500], times[501] = times[501], times[500]
    mixed = replace(market, open_times=memoryview(times).toreadonly())
    for compute in (lambda: CALCULATOR.window(mixed, [spec]), lambda: CALCULATOR.matrix(mixed, spec)):
        with pytest.raises(DataUnfit, match="candle 501 of 1004"):
            compute()


@pytest.mark.parametrize("price", [float("nan"), 0.0, -1.0, float("inf"), 1e101])
def test_prices_that_no_market_has_are_refused(price: float) -> None:
    spec = CALCULATOR.spec(a_profile(), horizon=4, has_volume=True)
    prices = np.ones((spec.w_max, 4))
    prices[700] = price
    with pytest.raises(DataUnfit, match="prices"):
        CALCULATOR.window(shaped(spec.w_max, prices), [spec])


def test_spec_of_another_timeframe_is_refused() -> None:
    spec = CALCULATOR.spec(a_profile(timeframe=Timeframe.M15), horizon=4, has_volume=True)
    with pytest.raises(FeatureSpecMismatch, match="15m"):
        CALCULATOR.window(a_market(spec.w_max), [spec])


@pytest.mark.parametrize("horizon", [0, -1, 1_001])
def test_horizon_that_no_window_holds_is_refused(horizon: int) -> None:
    with pytest.raises(InvalidInput, match=str(horizon)):
        CALCULATOR.spec(a_profile(), horizon=horizon, has_volume=True)


def a_path(kind: str, count: int) -> NDArray[np.float64]:
    """Log returns that are hard on running sums and recursions."""
    calm: NDArray[np.float64] = 1e-6 * np.sin(np.arange(count) * 1.7)
    if kind == "calm after a shock":
        calm[300] = 6.0
    if kind == "standing still":
        calm = 1e3 * calm
        calm[700 : count - 200] = 0.0
    if kind == "steady drift":
        calm = np.full(count, 1e-4)
    return calm


@pytest.mark.parametrize("kind", ["calm after a shock", "standing still", "steady drift"])
def test_forms_agree_after_what_is_hard_on_sums(kind: str) -> None:
    spec = CALCULATOR.spec(a_profile(), horizon=4, has_volume=True)
    close = np.exp(np.cumsum(a_path(kind, 4_000)))
    market = shaped(4_000, np.stack([np.append(1.0, close[:-1]), close, close, close], axis=1))
    matrix = CALCULATOR.matrix(market, spec)
    values = np.asarray(matrix.values)
    allowed = 1e-6 * np.maximum(values.std(axis=0), 1e-6)
    # The longest average remembers 2e-9 of its seed, and shows it where the market is ten thousand times calmer than before.
    allowed[spec.names.index("ema_slow")] = 1e-2
    for stop in range(spec.w_max, 4_000, 61):
        (row,) = CALCULATOR.window(market.slice(0, stop), [spec])
        difference = np.abs(np.asarray(row.values) - values[stop - spec.w_max])
        assert (difference <= allowed).all(), spec.names[int((difference / allowed).argmax())]


def test_market_that_drifts_steadily_has_no_shape() -> None:
    spec = CALCULATOR.spec(a_profile(), horizon=4, has_volume=True)
    close = np.exp(0.2 * np.arange(spec.w_max))
    market = shaped(spec.w_max, np.stack([close, close, close, close], axis=1))
    (row,) = CALCULATOR.window(market, [spec])
    values = dict(zip(spec.names, row.values, strict=True))
    assert [values[name] for name in ("autocorrelation", "skewness", "kurtosis")] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("days", "is_known"), [(0, False), (2, False), (3, True)])
def test_time_of_day_seen_on_fewer_than_three_days_counts_as_any_other(days: int, is_known: bool) -> None:
    profile = a_profile(Calendar.US_EQUITY)
    spec = CALCULATOR.spec(profile, horizon=1, has_volume=False)
    market = a_market(spec.w_max, key=profile.key, calendar=Calendar.US_EQUITY)
    times = np.asarray(market.open_times).copy()
    # The last candle of a session, at 20:00, opens at 22:00 on some days and on the day of the row.
    lasts = np.flatnonzero((times // 3_600_000) % 24 == 20)[:-1]
    moved = [*lasts[len(lasts) - days :].tolist(), len(times) - 1]
    times[moved] += (22 - (times[moved] // 3_600_000) % 24) * 3_600_000
    (row,) = CALCULATOR.window(replace(market, open_times=times.data.toreadonly()), [spec])
    assert (row.values[spec.names.index("har_diur")] != 1.0) == is_known


PRICES = st.one_of(
    st.floats(min_value=1e-9, max_value=1e9),
    st.sampled_from([1.0, 1.0 + 1e-15, 1e-99, 1e99]),
)


@settings(max_examples=100, deadline=None)
@given(
    pattern=st.lists(st.lists(PRICES, min_size=4, max_size=4), min_size=1, max_size=30),
    quiet=st.integers(0, 900),
    volume=st.sampled_from([0.0, 1e-300, 1.0, 1e99]),
)
def test_any_candles_give_finite_numbers(pattern: list[list[float]], quiet: int, volume: float) -> None:
    spec = CALCULATOR.spec(a_profile(), horizon=4, has_volume=True)
    count = spec.w_max + 20
    prices = np.resize(np.array(pattern), (count, 4))
    # A market that stands still for a while, somewhere at its end.
    if quiet:
        prices[count - quiet :] = prices[count - quiet, 3]
    matrix = CALCULATOR.matrix(shaped(count, prices, volume), spec)
    assert np.isfinite(np.asarray(matrix.values)).all()
    assert (np.asarray(matrix.atr) > 0).all()
    assert (np.asarray(matrix.scale) > 0).all()


@pytest.mark.parametrize(("price", "volume"), [(2.0**20, 1.0), (2.0**-20, 1.0), (1.0, 2.0**30), (1.0, 2.0**-9)])
def test_columns_have_no_dimension(price: float, volume: float) -> None:
    spec = CALCULATOR.spec(a_profile(), horizon=4, has_volume=True)
    market = a_market(spec.w_max)

    def times(column: memoryview, factor: float) -> memoryview:
        return (np.asarray(column) * factor).data

    # Powers of two scale a float without rounding, so that not one bit may change.
    prices = (times(column, price) for column in (market.open, market.high, market.low, market.close))
    other = CandleSeries(market.key, market.open_times, *(view.toreadonly() for view in (*prices, times(market.volume, volume))))
    assert CALCULATOR.window(other, [spec])[0].hash == CALCULATOR.window(market, [spec])[0].hash


def test_another_process_gives_the_same_bytes() -> None:
    program = (
        "from adapters.numba.features import NumbaFeatureCalculator\n"
        "from tradingcore.ml.model.features import Calendar, AssetClass, profile_of\n"
        "from tradingcore.testing.markets import a_market\n"
        "market, calculator = a_market(1_081), NumbaFeatureCalculator()\n"
        "key = market.key\n"
        "profile = profile_of(key.symbol, key.timeframe, asset_class=AssetClass.CRYPTO, calendar=Calendar.ALWAYS)\n"
        "spec = calculator.spec(profile, horizon=4, has_volume=True)\n"
        "print(calculator.window(market, [spec])[0].hash)"
    )
    spec = CALCULATOR.spec(a_profile(), horizon=4, has_volume=True)
    here = CALCULATOR.window(a_market(1_081), [spec])[0].hash
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert there == here
