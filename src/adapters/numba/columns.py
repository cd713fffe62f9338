"""The feature columns: the one place that names them, in their order, with their formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_WINDOWS: Final = (("5", "5 candles"), ("10", "10 candles"), ("q", "D/4"), ("d", "D"), ("w", "W"))
_PACES: Final = ("fast", "middle", "slow")


@dataclass(frozen=True, slots=True)
class Column:
    """One feature. ``group`` is its group in ml.md S3; 9 holds the terms of HAR-W. ``formula`` is for people.

    In formulas: r log return, O H L C prices, TR log true range, s = sqrt(mean r^2 over D), a = ATR14 of TR, h the horizon;
    RV, PK, GK and RS are root mean squares per candle (returns, Parkinson, Garman-Klass, Rogers-Satchell).
    """

    name: str
    group: int
    formula: str
    needs_volume: bool = False


def _volatility() -> tuple[Column, ...]:
    columns = [Column("atr", 1, "ln(a / s)"), Column("level", 1, "ln s")]
    for suffix, window in _WINDOWS:
        if suffix == "d":
            columns.append(Column("rs_10", 2, "ln(RS / s) over 10 candles"))
        else:
            columns.append(Column(f"rv_{suffix}", 2, f"ln(RV / s) over {window}"))
        columns.append(Column(f"pk_{suffix}", 2, f"ln(PK / s) over {window}"))
        columns.append(Column(f"gk_{suffix}", 2, f"ln(GK / s) over {window}"))
    return tuple(columns)


def _momentum() -> tuple[Column, ...]:
    columns = []
    for suffix, window in _WINDOWS:
        columns += [
            Column(f"momentum_{suffix}", 3, f"ln(C / C before) / (s sqrt w) over w = {window}"),
            Column(f"below_high_{suffix}", 3, f"ln(highest H / C) / (s sqrt w) over w = {window}"),
            Column(f"above_low_{suffix}", 3, f"ln(C / lowest L) / (s sqrt w) over w = {window}"),
            Column(f"upside_{suffix}", 3, f"share of r > 0 in the sum of r^2, less 1/2, over {window}"),
            Column(f"volume_{suffix}", 3, f"ln(volume / mean volume) over {window}, at least ln 1e-4", needs_volume=True),
        ]
    return tuple(columns)


def _last_candles() -> tuple[Column, ...]:
    return (
        *(Column(f"return_{lag}", 4, f"r / s, {lag} candles ago") for lag in range(4)),
        *(Column(f"range_{lag}", 4, f"ln(H / L) / s, {lag} candles ago") for lag in range(3)),
        Column("body", 4, "ln(C / O) / s"),
        Column("upper_wick", 4, "ln(H / max(O, C)) / s"),
        Column("lower_wick", 4, "ln(min(O, C) / L) / s"),
        Column("close_location", 4, "ln(C / L) / ln(H / L) - 1/2; 0 for a flat candle"),
    )


def _oscillators() -> tuple[Column, ...]:
    return (
        *(Column(f"ema_{pace}", 5, f"ln(C / EMA) / s, {pace} span") for pace in _PACES),
        Column("macd", 5, "MACD histogram / (C s)"),
        *(Column(f"rsi_{pace}", 5, f"RSI / 50 - 1, {pace} period") for pace in _PACES),
        Column("bollinger", 5, "(C - mean C) / sd of C over 20 candles"),
        Column("bollinger_width", 5, "ln(sd of C / mean C / s) over 20 candles"),
        Column("adx", 5, "ADX14 / 100"),
        Column("direction", 5, "(+DI14 - -DI14) / 100"),
    )


COMMON: Final[tuple[tuple[Column, ...], ...]] = (
    _volatility(),
    _momentum(),
    _last_candles(),
    _oscillators(),
    (
        Column("autocorrelation", 6, "lag-1 autocorrelation of r over D, at least 20 candles"),
        Column("skewness", 6, "skewness of r over the same"),
        Column("kurtosis", 6, "kurtosis of r over the same (3 for a normal distribution)"),
    ),
    (
        Column("time_sine", 8, "sin of the time of day of the open, UTC"),
        Column("time_cosine", 8, "cos of the same"),
        Column("weekday", 8, "0 Monday to 1 Sunday"),
        Column("gap", 8, "days since the open of the candle before, at most 4"),
    ),
    (
        Column("har_rv_d", 9, "RV over D / a"),
        Column("har_rv_w", 9, "RV over W / a"),
        Column("har_pk_d", 9, "PK over D / a"),
        Column("har_downside", 9, "root mean square of r < 0 over D / a"),
        Column("har_return", 9, "r / a"),
        Column("har_true_range", 9, "TR / a"),
    ),
)
"""By kernel; equal for every horizon."""

OF_HORIZON: Final[tuple[Column, ...]] = (
    Column("last_delta_high", 7, "ln(highest H of the last h candles / C before them) / s"),
    Column("last_delta_low", 7, "ln(C before the last h candles / lowest L of them) / s"),
    Column("coming_range", 1, "ln of diur: mean TR of the h candles after this time of day / mean TR, over the last 4 W"),
    Column("har_rv_h", 9, "RV over h / a"),
    Column("har_pk_h", 9, "PK over h / a"),
    Column("har_diur", 9, "diur"),
)

COLUMNS: Final[tuple[Column, ...]] = (*(column for family in COMMON for column in family), *OF_HORIZON)
"""All, in the order of a row."""

NAMES: Final = tuple(column.name for column in COLUMNS)
VOLUME_NAMES: Final = tuple(column.name for column in COLUMNS if column.needs_volume)


def as_markdown() -> str:
    """The table for the documentation."""
    lines = ["| Column | Group | Formula |", "|---|---|---|"]
    lines += [f"| `{column.name}` | {column.group} | {column.formula} |" for column in COLUMNS]
    return "\n".join(lines)
