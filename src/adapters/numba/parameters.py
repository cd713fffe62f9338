"""The constants that the kernels take, all of them functions of calendar and timeframe."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Self

from tradingcore.kernel.market import Timeframe
from tradingcore.ml.model.features import FeatureSpec, SeriesProfile

KERNEL_VERSION: Final = "1"
"""Changes whenever a kernel gives another number."""

_SHORTEST_DAY: Final = 6
_SHORTEST_MOMENTS: Final = 20
_SHORTEST_QUARTER: Final = 12
_SETTLED: Final = 10
"""A recursive indicator has forgotten its seed, to 2e-9, after this many spans."""

_RECURSIVE: Final = {
    Timeframe.H1: (10, 30, 100, 7, 14, 28),
    Timeframe.D1: (10, 30, 50, 7, 14, 28),
    Timeframe.W1: (5, 13, 26, 5, 9, 14),
}
"""Three EMA spans and three RSI periods; the first row holds for all shorter timeframes as well.

With EMA 100 the first row of daily candles would take four years and that of weekly ones twenty. On twenty years of SPY the
training rows that this costs took 0.02 off the R2 of HAR-W.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Window lengths in candles.

    ``day`` and ``week`` are D and W of ml.md S3; D is at least 6, so that the scale of four-hour equity candles is no noise.
    ``quarter`` is D/4, at least 12.
    """

    day: int
    week: int
    quarter: int
    moments: int
    ema_fast: int
    ema_middle: int
    ema_slow: int
    rsi_fast: int
    rsi_middle: int
    rsi_slow: int
    directional: int = 14
    atr: int = 14
    macd_fast: int = 12
    macd_slow: int = 26
    macd_signal: int = 9
    bollinger: int = 20

    @classmethod
    def of(cls, profile: SeriesProfile) -> Self:
        day = max(profile.candles_per_day, _SHORTEST_DAY)
        week = max(profile.candles_per_week, day)
        fast, middle, slow, *rsis = _RECURSIVE.get(profile.key.timeframe, _RECURSIVE[Timeframe.H1])
        return cls(
            day=day,
            week=week,
            quarter=max(day // 4, _SHORTEST_QUARTER),
            moments=max(day, _SHORTEST_MOMENTS),
            ema_fast=fast,
            ema_middle=middle,
            ema_slow=slow,
            rsi_fast=rsis[0],
            rsi_middle=rsis[1],
            rsi_slow=rsis[2],
        )

    @classmethod
    def from_spec(cls, spec: FeatureSpec) -> Self | None:
        """Read them back; ``None`` when the spec was written by something else."""
        known = dict(spec.constants)
        if set(known) != {field.name for field in fields(cls)}:
            return None
        return cls(**{name: int(value) for name, value in known.items()})

    @property
    def windows(self) -> tuple[int, int, int, int, int]:
        return (5, 10, self.quarter, self.day, self.week)

    @property
    def recursion(self) -> int:
        """Candles before a row from which recursive indicators are seeded. Wilder's n smooths like an EMA of 2n - 1."""
        return _SETTLED * max(self.ema_slow, 2 * self.rsi_slow - 1)

    @property
    def near(self) -> int:
        """Candles up to and including a row that everything but the time-of-day profile looks at."""
        return max(self.recursion, self.week, self.moments) + 1

    @property
    def profile(self) -> int:
        """Candles that the time-of-day profile is made of: four weeks."""
        return 4 * self.week

    def w_max(self, horizon: int) -> int:
        return max(self.recursion, self.profile) + horizon

    def as_constants(self) -> tuple[tuple[str, float], ...]:
        return tuple((field.name, float(getattr(self, field.name))) for field in sorted(fields(self), key=lambda f: f.name))
