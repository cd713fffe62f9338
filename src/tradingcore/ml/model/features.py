"""Feature specs, rows and matrices. The numbers come from a `FeatureCalculator`; their meaning is fixed here by a hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from tradingcore.kernel.market import AssetClass, Calendar, SeriesKey, SymbolCode, Timeframe

CANDLES_PER_DAY: Final[dict[tuple[Calendar, Timeframe], int]] = {
    (Calendar.ALWAYS, Timeframe.M1): 1440,
    (Calendar.ALWAYS, Timeframe.M5): 288,
    (Calendar.ALWAYS, Timeframe.M15): 96,
    (Calendar.ALWAYS, Timeframe.H1): 24,
    (Calendar.ALWAYS, Timeframe.H4): 6,
    (Calendar.FX_WEEK, Timeframe.M1): 1440,
    (Calendar.FX_WEEK, Timeframe.M5): 288,
    (Calendar.FX_WEEK, Timeframe.M15): 96,
    (Calendar.FX_WEEK, Timeframe.H1): 24,
    (Calendar.FX_WEEK, Timeframe.H4): 6,
    (Calendar.METAL_WEEK, Timeframe.M1): 1380,
    (Calendar.METAL_WEEK, Timeframe.M5): 276,
    (Calendar.METAL_WEEK, Timeframe.M15): 92,
    (Calendar.METAL_WEEK, Timeframe.H1): 23,
    (Calendar.METAL_WEEK, Timeframe.H4): 6,
    (Calendar.US_EQUITY, Timeframe.M1): 390,
    (Calendar.US_EQUITY, Timeframe.M5): 78,
    (Calendar.US_EQUITY, Timeframe.M15): 26,
    (Calendar.US_EQUITY, Timeframe.H1): 7,
    (Calendar.US_EQUITY, Timeframe.H4): 2,
}
"""D of ml.md S3: candles of one trading day, a constant of calendar and timeframe, never counted from data."""

DAYS_PER_WEEK: Final[dict[Calendar, int]] = {
    Calendar.ALWAYS: 7,
    Calendar.FX_WEEK: 5,
    Calendar.METAL_WEEK: 5,
    Calendar.US_EQUITY: 5,
}

DEFAULT_HORIZONS: Final[dict[Timeframe, tuple[int, ...]]] = {
    Timeframe.M1: (15, 60),
    Timeframe.M5: (12, 48),
    Timeframe.M15: (8, 32),
    Timeframe.H1: (4, 24),
    Timeframe.H4: (3, 12),
    Timeframe.D1: (1, 5),
    Timeframe.W1: (1, 4),
}
"""Candles ahead, shortest first."""

EQUITY_HOURLY_HORIZONS: Final = (7, 14)
"""One and two sessions."""

HAR_COLUMNS: Final = (
    "har_rv_h",
    "har_rv_d",
    "har_rv_w",
    "har_pk_h",
    "har_pk_d",
    "har_diur",
    "har_downside",
    "har_return",
    "har_true_range",
)
"""What HAR-W predicts from (ml.md S4), present in every spec: realised volatility over h, D and W, Parkinson over h and D, downside
volatility, last return and last true range, all divided by ATR(14); ``har_diur`` is the time-of-day ratio of the coming h candles.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesProfile:
    """What the features may take as constant about a series."""

    key: SeriesKey
    asset_class: AssetClass
    calendar: Calendar

    @property
    def candles_per_day(self) -> int:
        """D. For daily candles and above a trading month, 22, stands in, so that every window has something to average."""
        return CANDLES_PER_DAY.get((self.calendar, self.key.timeframe), 22)

    @property
    def candles_per_week(self) -> int:
        """W. For daily candles and above a trading quarter, 66, stands in."""
        per_day = CANDLES_PER_DAY.get((self.calendar, self.key.timeframe))
        return 66 if per_day is None else per_day * DAYS_PER_WEEK[self.calendar]

    @property
    def default_horizons(self) -> tuple[int, ...]:
        if self.calendar is Calendar.US_EQUITY and self.key.timeframe is Timeframe.H1:
            return EQUITY_HOURLY_HORIZONS
        return DEFAULT_HORIZONS[self.key.timeframe]


@dataclass(frozen=True)
class FeatureSpec:
    """Ordered names and everything that decides their values. Equal hash means equal numbers for equal candles.

    ``w_max`` is the exact number of candles that one row is a function of. ``constants`` holds the parameters of the kernels.
    """

    names: tuple[str, ...]
    w_max: int
    horizon: int
    timeframe: Timeframe
    calendar: Calendar
    kernel_version: str
    constants: tuple[tuple[str, float], ...]
    undefined: tuple[str, ...] = ()
    """Names that are constant 0 because the symbol lacks what they need (volume)."""

    def to_json(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "w_max": self.w_max,
            "horizon": self.horizon,
            "timeframe": self.timeframe.value,
            "calendar": self.calendar.value,
            "kernel_version": self.kernel_version,
            "constants": dict(self.constants),
            "undefined": list(self.undefined),
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> FeatureSpec:
        return cls(
            names=tuple(raw["names"]),
            w_max=raw["w_max"],
            horizon=raw["horizon"],
            timeframe=Timeframe(raw["timeframe"]),
            calendar=Calendar(raw["calendar"]),
            kernel_version=raw["kernel_version"],
            constants=tuple(raw["constants"].items()),
            undefined=tuple(raw["undefined"]),
        )

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the canonical JSON."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class FeatureRow:
    """The features of one decision candle.

    ``values`` is a read-only float32 memoryview in spec order. ``close`` is C, ``atr`` is ATR(14) of log true range and ``scale``
    is s, the root mean square return over a day (both log units, known at the candle).
    """

    spec: FeatureSpec
    open_time_ms: int
    values: memoryview
    close: float
    atr: float
    scale: float

    @property
    def hash(self) -> str:
        """SHA-256 over spec hash, candle and the bytes of the values."""
        digest = hashlib.sha256(self.spec.hash.encode())
        digest.update(self.open_time_ms.to_bytes(8, "big", signed=True))
        digest.update(self.values.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMatrix:
    """Features of many candles: ``values`` is float32 with shape (rows, len(spec.names)), C order, memoryview.

    Row ``i`` belongs to the candle with index ``first_row + i`` of the series it was made from; earlier candles lack history.
    ``close``, ``atr`` and ``scale`` are float64 memoryviews with one value per row.
    """

    spec: FeatureSpec
    first_row: int
    values: memoryview
    close: memoryview
    atr: memoryview
    scale: memoryview


def profile_of(symbol: SymbolCode, timeframe: Timeframe, *, asset_class: AssetClass, calendar: Calendar) -> SeriesProfile:
    return SeriesProfile(key=SeriesKey(symbol, timeframe), asset_class=asset_class, calendar=calendar)
