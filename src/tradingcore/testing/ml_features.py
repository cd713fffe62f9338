"""Contracts of what models eat and what they learn from."""

from __future__ import annotations

from array import array
from dataclasses import replace
from math import exp, isfinite, isnan, log
from typing import Any, Final

import pytest

from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import AssetClass, Calendar, CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.ml.errors import FeatureSpecMismatch, NotEnoughHistory
from tradingcore.ml.model.features import HAR_COLUMNS, FeatureSpec, SeriesProfile
from tradingcore.ml.ports import FeatureCalculator, TargetCalculator
from tradingcore.testing.builders import BTC_1H, a_series
from tradingcore.testing.markets import a_market
from tradingcore.testing.ml_leaks import TOLERANCE_SD, deviations_of, leaking_columns, rows_of

KEY: Final = SeriesKey(SymbolCode("TEST/USD"), Timeframe.H1)
PROFILE: Final = SeriesProfile(key=KEY, asset_class=AssetClass.CRYPTO, calendar=Calendar.ALWAYS)


class FeatureCalculatorContract:
    """Fixture: ``calculator``. Candles are hourly, 24/7."""

    @pytest.fixture
    def calculator(self) -> FeatureCalculator:
        raise NotImplementedError("supply the calculator under test")

    @pytest.fixture
    def spec(self, calculator: FeatureCalculator) -> FeatureSpec:
        return calculator.spec(PROFILE, horizon=4, has_volume=True)

    def test_row_names_its_spec_and_its_candle(self, calculator: FeatureCalculator, spec: FeatureSpec) -> None:
        market = a_market(spec.w_max)
        (row,) = calculator.window(market, [spec])
        assert (row.spec, row.open_time_ms, row.close) == (spec, market.open_times[-1], market.close[-1])
        assert (row.values.format, row.values.shape, row.values.readonly) == ("f", (len(spec.names),), True)
        assert row.atr > 0
        assert row.scale > 0
        assert set(HAR_COLUMNS) <= set(spec.names)

    def test_matrix_has_a_row_for_every_candle_with_enough_before_it(
        self, calculator: FeatureCalculator, spec: FeatureSpec
    ) -> None:
        market = a_market(spec.w_max + 9)
        matrix = calculator.matrix(market, spec)
        assert matrix.first_row == spec.w_max - 1
        assert (matrix.values.format, matrix.values.shape) == ("f", (10, len(spec.names)))
        assert matrix.close.tolist() == market.close[matrix.first_row :].tolist()
        assert [len(matrix.atr), len(matrix.scale)] == [10, 10]

    def test_matrix_agrees_with_the_window(self, calculator: FeatureCalculator, spec: FeatureSpec) -> None:
        market = a_market(spec.w_max + 2_000)
        matrix = calculator.matrix(market, spec)
        rows, deviations = rows_of(matrix), deviations_of(matrix)
        for at in range(0, len(rows), 97):
            (row,) = calculator.window(market.slice(0, matrix.first_row + at + 1), [spec])
            for name, got, want, deviation in zip(spec.names, row.values, rows[at], deviations, strict=True):
                assert abs(got - want) <= TOLERANCE_SD * deviation, name
            assert row.atr == pytest.approx(matrix.atr[at], rel=1e-9)
            assert row.scale == pytest.approx(matrix.scale[at], rel=1e-9)

    def test_history_before_the_window_changes_no_byte(self, calculator: FeatureCalculator, spec: FeatureSpec) -> None:
        market = a_market(spec.w_max + 500)
        rows = [calculator.window(market.slice(start, len(market)), [spec])[0] for start in (0, 1, 250, 500)]
        assert {row.hash for row in rows} == {rows[0].hash}
        assert {(row.atr, row.scale) for row in rows} == {(rows[0].atr, rows[0].scale)}

    def test_nothing_looks_ahead(self, calculator: FeatureCalculator, spec: FeatureSpec) -> None:
        market = a_market(spec.w_max + 1_500)
        # 200 cuts, spread by a step that shares no divisor with a day or a week.
        cuts = [spec.w_max + (number * 733) % 1_500 for number in range(200)]
        assert leaking_columns(lambda candles: calculator.matrix(candles, spec), market, cuts) == {}

    def test_several_horizons_give_the_bytes_that_each_gives_alone(self, calculator: FeatureCalculator) -> None:
        market = a_market(3_000)
        specs = [calculator.spec(PROFILE, horizon=horizon, has_volume=has) for horizon in (4, 24) for has in (True, False)]
        together = calculator.window(market, specs)
        assert [row.hash for row in together] == [calculator.window(market, [spec])[0].hash for spec in specs]
        assert len({row.hash for row in together}) == len(specs)

    def test_too_short_history_is_refused_with_both_numbers(self, calculator: FeatureCalculator, spec: FeatureSpec) -> None:
        market = a_market(spec.w_max - 1)
        numbers = rf"{spec.w_max - 1}\b.*\b{spec.w_max}\b"
        with pytest.raises(NotEnoughHistory, match=numbers):
            calculator.window(market, [spec])
        with pytest.raises(NotEnoughHistory, match=numbers):
            calculator.matrix(market, spec)

    def test_spec_of_another_calculator_is_refused(self, calculator: FeatureCalculator, spec: FeatureSpec) -> None:
        market = a_market(spec.w_max)
        foreign = replace(spec, kernel_version="of somebody else")
        with pytest.raises(FeatureSpecMismatch):
            calculator.window(market, [foreign])
        with pytest.raises(FeatureSpecMismatch):
            calculator.matrix(market, foreign)

    def test_spec_is_known_after_a_round_trip_and_by_nobody_else(self, calculator: FeatureCalculator, spec: FeatureSpec) -> None:
        again = FeatureSpec.from_json(spec.to_json())
        assert again.hash == spec.hash
        assert calculator.knows(again)
        others: list[dict[str, Any]] = [
            {"names": spec.names[::-1]},
            {"w_max": spec.w_max + 1},
            {"kernel_version": "of somebody else"},
            {"constants": spec.constants[1:]},
            {"undefined": spec.names[:1]},
        ]
        for other in others:
            assert not calculator.knows(replace(spec, **other)), other

    def test_hash_is_stable_and_changes_with_whatever_changes_numbers(self, calculator: FeatureCalculator) -> None:
        def of(horizon: int = 4, has_volume: bool = True, timeframe: Timeframe = Timeframe.H1, calendar: Any = None) -> str:
            profile = replace(PROFILE, key=SeriesKey(KEY.symbol, timeframe), calendar=calendar or Calendar.ALWAYS)
            return calculator.spec(profile, horizon=horizon, has_volume=has_volume).hash

        assert of() == of()
        others = [of(horizon=5), of(has_volume=False), of(timeframe=Timeframe.M15), of(calendar=Calendar.FX_WEEK)]
        assert len({of(), *others}) == 5

    def test_columns_that_need_volume_are_zero_and_named_where_there_is_none(self, calculator: FeatureCalculator) -> None:
        spec = calculator.spec(PROFILE, horizon=4, has_volume=False)
        assert spec.undefined
        for market in (a_market(spec.w_max, has_volume=False), a_market(spec.w_max)):
            (row,) = calculator.window(market, [spec])
            assert [row.values[spec.names.index(name)] for name in spec.undefined] == [0.0] * len(spec.undefined)

    def test_market_that_stands_still_gives_finite_numbers(self, calculator: FeatureCalculator, spec: FeatureSpec) -> None:
        count = spec.w_max
        still, nothing = array("d", [1.5]) * count, array("d", [0.0]) * count
        flat = CandleSeries.from_columns(KEY, a_series(count).open_times, still, still, still, still, nothing)
        (row,) = calculator.window(flat, [spec])
        assert all(map(isfinite, row.values))
        assert row.atr > 0
        assert row.scale > 0


class TargetCalculatorContract:
    """Fixture: ``targets``."""

    @pytest.fixture
    def targets(self) -> TargetCalculator:
        raise NotImplementedError("supply the calculator under test")

    @pytest.mark.parametrize("horizon", [1, 4, 24])
    def test_ranges_are_the_extremes_of_the_coming_candles(self, targets: TargetCalculator, horizon: int) -> None:
        market = a_market(300)
        found = targets.ranges(market, horizon=horizon)
        for i in range(300 - horizon):
            coming = slice(i + 1, i + 1 + horizon)
            assert found.delta_high[i] == pytest.approx(log(max(market.high[coming]) / market.close[i]), abs=1e-12)
            assert found.delta_low[i] == pytest.approx(log(market.close[i] / min(market.low[coming])), abs=1e-12)
        assert all(map(isnan, found.delta_high[-horizon:].tolist() + found.delta_low[-horizon:].tolist()))

    def test_series_that_is_over_before_the_horizon_has_no_target(self, targets: TargetCalculator) -> None:
        market = a_market(4)
        found = targets.ranges(market, horizon=4)
        assert all(map(isnan, found.delta_high.tolist() + found.delta_low.tolist()))
        labels = targets.barriers(market, unit=_units(4), horizon=4, side=1, k_take_profit=1.0, k_stop_loss=1.0)
        assert labels.label.tolist() == [-1] * 4

    @pytest.mark.parametrize(
        ("coming", "label", "price", "ended", "ambiguous"),
        [
            pytest.param([(100, 106, 99, 105), (105, 105, 105, 105)], 0, 105.0, 1, 0, id="target is a limit"),
            pytest.param([(100, 101, 94, 96), (96, 96, 96, 96)], 1, 95.0, 1, 0, id="stop"),
            pytest.param([(100, 101, 99, 100), (100, 101, 99, 101)], 2, 101.0, 2, 0, id="time-out at the last close"),
            pytest.param([(100, 106, 94, 100), (100, 100, 100, 100)], 1, 95.0, 1, 1, id="stop first in one candle"),
            pytest.param([(100, 101, 99, 100), (93, 94, 92, 93)], 1, 93.0, 2, 0, id="gap beyond the stop ends at the open"),
            pytest.param([(100, 101, 99, 100), (107, 108, 106, 107)], 0, 105.0, 2, 0, id="gap beyond the target gains no more"),
            pytest.param([(93, 106, 92, 93), (93, 94, 92, 93)], 1, 93.0, 1, 0, id="filled beyond the stop"),
            pytest.param([(107, 108, 94, 107), (107, 108, 106, 107)], 0, 107.0, 1, 0, id="filled beyond the target"),
            pytest.param(
                [(100, 101, 99, 100), (107, 108, 94, 107)], 1, 95.0, 2, 1, id="opened beyond the target, fell to the stop"
            ),
            pytest.param([(100, 105, 99, 101), (101, 101, 101, 101)], 0, 105.0, 1, 0, id="touching the target is enough"),
            pytest.param([(100, 101, 95, 99), (99, 99, 99, 99)], 1, 95.0, 1, 0, id="touching the stop is enough"),
            pytest.param([(100, 101, 99, 100), (100, 106, 99, 101)], 0, 105.0, 2, 0, id="target on the last candle"),
        ],
    )
    @pytest.mark.parametrize("side", [1, -1])
    def test_position_ends_by_the_rule(
        self,
        targets: TargetCalculator,
        side: int,
        coming: list[tuple[float, float, float, float]],
        label: int,
        price: float,
        ended: int,
        ambiguous: int,
    ) -> None:
        # Prices are told for a long position from 100 with its target at 105 and its stop at 95; a short one is its mirror in
        # logarithms.
        def seen(value: float) -> float:
            return value if side > 0 else 100.0 * 100.0 / value

        rows = [(100.0, 100.0, 100.0, 100.0), *coming]
        opens, highs, lows, closes = (array("d", map(seen, column)) for column in zip(*rows, strict=True))
        if side < 0:
            highs, lows = lows, highs
        series = CandleSeries.from_columns(BTC_1H, a_series(3).open_times, opens, highs, lows, closes, array("d", [1.0] * 3))
        unit = array("d", [1.0] * 3)
        found = targets.barriers(
            series,
            unit=memoryview(unit),
            horizon=2,
            side=side,
            k_take_profit=log(1.05) + _NUDGE,
            k_stop_loss=log(100 / 95) + _NUDGE,
        )
        assert (found.label[0], found.exit_index[0], found.ambiguous) == (label, ended, ambiguous)
        assert found.realised[0] == pytest.approx(log(price / coming[0][0]), abs=1e-9)
        assert found.label.tolist()[1:] == [-1, -1]
        assert found.exit_index.tolist()[1:] == [-1, -1]
        assert all(map(isnan, found.realised.tolist()[1:]))

    @pytest.mark.parametrize("side", [1, -1])
    @pytest.mark.parametrize("pair", [(1.0, 1.0), (1.5, 0.75)])
    def test_every_candle_of_a_market_is_labelled_as_the_slow_rule_says(
        self, targets: TargetCalculator, side: int, pair: tuple[float, float]
    ) -> None:
        market = a_market(800, seed=7)
        unit = _units(800, 0.004)
        unit_view = memoryview(array("d", [float("nan"), *unit.tolist()[1:]]))
        found = targets.barriers(market, unit=unit_view, horizon=6, side=side, k_take_profit=pair[0], k_stop_loss=pair[1])
        expected = [(-1, None, -1)] + [_slow(market, i, 0.004, 6, side, pair) for i in range(1, 800)]
        assert found.label.tolist() == [one[0] for one in expected]
        assert found.exit_index.tolist() == [one[2] for one in expected]
        for got, (_, want, _) in zip(found.realised.tolist(), expected, strict=True):
            assert isnan(got) if want is None else got == pytest.approx(want, abs=1e-12)
        assert {0, 1, 2} <= set(found.label.tolist())

    def test_question_that_makes_no_sense_is_refused(self, targets: TargetCalculator) -> None:
        market = a_market(20)
        good: dict[str, Any] = {"unit": _units(20), "horizon": 4, "side": 1, "k_take_profit": 1.0, "k_stop_loss": 1.0}
        for bad in ({"horizon": 0}, {"side": 0}, {"k_take_profit": 0.0}, {"k_stop_loss": float("nan")}, {"unit": _units(19)}):
            with pytest.raises(InvalidInput):
                targets.barriers(market, **(good | bad))
        with pytest.raises(InvalidInput):
            targets.ranges(market, horizon=0)


_NUDGE: Final = -1e-12
"""A touch must not hang on the last bit of an exponential."""


def _units(count: int, value: float = 0.01) -> memoryview:
    return memoryview(array("d", [value] * count))


def _slow(
    market: CandleSeries, i: int, unit: float, horizon: int, side: int, pair: tuple[float, float]
) -> tuple[int, float | None, int]:
    if i + horizon >= len(market):
        return -1, None, -1
    target, stop = (market.close[i] * exp(sign * side * k * unit) for sign, k in zip((1, -1), pair, strict=True))
    fill = market.open[i + 1]
    for j in range(i + 1, i + horizon + 1):
        candle = market[j]
        worst, best = (candle.low, candle.high) if side > 0 else (candle.high, candle.low)
        end: tuple[int, float] | None = None
        if side * (candle.open - stop) <= 0:
            end = (1, candle.open)
        elif j == i + 1 and side * (candle.open - target) >= 0:
            end = (0, candle.open)
        elif side * (worst - stop) <= 0:
            end = (1, stop)
        elif side * (best - target) >= 0:
            end = (0, target)
        elif j == i + horizon:
            end = (2, candle.close)
        if end is not None:
            return end[0], side * log(end[1] / fill), j
    raise AssertionError("the last candle ends every position")
