"""What the figures of a model version say in plain words: which baselines it beats, by how much, on how many candles."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final

from tradingcore.ml.model.model_version import BASELINES, Evaluation

LEVEL: Final = 0.0005
"""A skill this close to zero shows as 0.0 %: neither better nor worse."""

BASELINE_NAMES: Final[dict[str, str]] = {
    "mean": "the training mean",
    "persistence": "repeating the last range",
    "atr": "ATR scaling",
    "ewma": "an EWMA of squared returns",
    "har": "HAR",
    "har_w": "HAR-W",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillVerdict:
    """Baselines by name, in the order of the tables; ``not_measured`` counts against the model. ``sentence`` says it all."""

    beats: tuple[str, ...]
    level_with: tuple[str, ...]
    does_not_beat: tuple[str, ...]
    not_measured: tuple[str, ...]
    sentence: str

    @property
    def beats_all(self) -> bool:
        return not (self.level_with or self.does_not_beat or self.not_measured)


def verdict_on(evaluation: Evaluation) -> SkillVerdict:
    """Judge by skill alone: fractions of the baseline's loss, out of sample. Never a claim about direction or profit."""
    skill = {name: evaluation.skill[name] for name in BASELINES if isfinite(evaluation.skill.get(name, float("nan")))}
    beats = tuple(name for name, value in skill.items() if value >= LEVEL)
    level_with = tuple(name for name, value in skill.items() if -LEVEL < value < LEVEL)
    does_not_beat = tuple(name for name, value in skill.items() if value <= -LEVEL)
    not_measured = tuple(name for name in BASELINES if name not in skill)
    parts = []
    if beats:
        parts.append(f"its range forecast beats {_with_figures(beats, skill)}")
    if level_with:
        parts.append(f"it is level with {_listed([BASELINE_NAMES[name] for name in level_with])}")
    if does_not_beat:
        parts.append(f"it does not beat {_with_figures(does_not_beat, skill)}")
    if not_measured:
        parts.append(f"it was not measured against {_listed([BASELINE_NAMES[name] for name in not_measured])}")
    candles = f"{evaluation.test_rows:,} candle{'' if evaluation.test_rows == 1 else 's'} that it had not learnt from"
    sentence = (
        f"On {candles}, {', and '.join(parts)}; its intervals held {evaluation.coverage * 100:.1f} % of the outcomes. "
        "This is skill at how far the price moves, not at which way: no edge after costs follows from it."
    )
    return SkillVerdict(
        beats=beats, level_with=level_with, does_not_beat=does_not_beat, not_measured=not_measured, sentence=sentence
    )


def _with_figures(names: tuple[str, ...], skill: dict[str, float]) -> str:
    return _listed([f"{BASELINE_NAMES[name]} ({skill[name] * 100:+.1f} %)" for name in names])


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
