from __future__ import annotations

from math import inf, nan

from hypothesis import given
from hypothesis import strategies as st

from tradingcore.ml.model.model_version import BASELINES
from tradingcore.ml.model.verdict import LEVEL, verdict_on
from tradingcore.testing.builders import an_evaluation


def skill(value: float, **others: float) -> dict[str, float]:
    return dict.fromkeys(BASELINES, value) | others


def test_a_model_that_beats_everything_says_by_how_much_and_on_how_many_candles() -> None:
    verdict = verdict_on(an_evaluation(skill=skill(0.1), test_rows=12_063, coverage=0.803))
    assert verdict.beats == BASELINES
    assert verdict.beats_all
    assert "12,063 candles" in verdict.sentence
    assert "HAR-W (+10.0 %)" in verdict.sentence
    assert "80.3 %" in verdict.sentence
    assert "not beat" not in verdict.sentence


def test_a_baseline_that_is_better_is_named() -> None:
    verdict = verdict_on(an_evaluation(skill=skill(0.1, har_w=-0.004)))
    assert verdict.does_not_beat == ("har_w",)
    assert not verdict.beats_all
    assert "it does not beat HAR-W (-0.4 %)" in verdict.sentence


def test_what_shows_as_zero_is_no_win() -> None:
    verdict = verdict_on(an_evaluation(skill=skill(0.1, har_w=0.0004)))
    assert verdict.level_with == ("har_w",)
    assert "it is level with HAR-W" in verdict.sentence


def test_a_baseline_without_a_figure_is_said_to_be_missing() -> None:
    figures = skill(0.1, har=nan, ewma=inf)
    del figures["atr"]
    verdict = verdict_on(an_evaluation(skill=figures))
    assert verdict.not_measured == ("atr", "ewma", "har")
    assert not verdict.beats_all
    assert "it was not measured against ATR scaling, an EWMA of squared returns and HAR" in verdict.sentence


def test_a_model_without_any_skill_claims_none() -> None:
    assert "beats" not in verdict_on(an_evaluation(skill=skill(-0.1))).sentence


@given(st.fixed_dictionaries({name: st.floats(allow_nan=True, allow_infinity=True) for name in BASELINES}))
def test_every_baseline_is_in_exactly_one_list(figures: dict[str, float]) -> None:
    verdict = verdict_on(an_evaluation(skill=figures))
    lists = (verdict.beats, verdict.level_with, verdict.does_not_beat, verdict.not_measured)
    assert sorted(name for names in lists for name in names) == sorted(BASELINES)
    assert all(figures[name] >= LEVEL for name in verdict.beats)
    assert "no edge after costs" in verdict.sentence
