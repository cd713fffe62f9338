"""Finding the columns of a candle file by the names that people give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tradingcore.trading.errors import CandleFileUnreadable

KNOWN_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "time": (
        "timestamp",
        "open_time",
        "opentime",
        "datetime",
        "date_time",
        "time",
        "date",
        "unix",
        "unix_timestamp",
        "epoch",
        "ts",
        "t",
        "timestamp_utc",
        "time_utc",
        "__index_level_0__",
    ),
    "open": ("open", "o", "open_price", "price_open"),
    "high": ("high", "h", "max", "high_price", "price_high"),
    "low": ("low", "l", "min", "low_price", "price_low"),
    "close": ("close", "c", "last", "close_price", "price_close"),
    "volume": ("volume", "v", "vol", "tick_volume", "tickvol", "base_volume", "volume_base", "real_volume"),
}
"""Earlier names win. Case, blanks, quotes and angle brackets do not matter."""

OPTIONAL: Final = frozenset({"volume"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundColumns:
    """Positions in the file; ``volume`` is ``None`` where there is none: candles then carry volume 0."""

    names: tuple[str, ...]
    time: int
    open: int
    high: int
    low: int
    close: int
    volume: int | None

    @property
    def prices(self) -> tuple[int, ...]:
        return (self.open, self.high, self.low, self.close)

    @property
    def used(self) -> tuple[int, ...]:
        return (self.time, *self.prices, *(() if self.volume is None else (self.volume,)))


def _plain(name: str) -> str:
    return name.strip().strip("\"'<>").strip().lower().replace(" ", "_")


def find_columns(names: Sequence[str], *, file: str) -> FoundColumns:
    """Raise `CandleFileUnreadable`, naming what was found and what is needed, when a column is missing."""
    plain = [_plain(name) for name in names]
    found = {
        wanted: next((plain.index(alias) for alias in aliases if alias in plain), None) for wanted, aliases in KNOWN_NAMES.items()
    }
    missing = [wanted for wanted, index in found.items() if index is None and wanted not in OPTIONAL]
    if missing:
        listed = ", ".join(name.strip()[:30] or "(no name)" for name in names[:12]) + (", ..." if len(names) > 12 else "")
        raise CandleFileUnreadable(
            f"{file} has no column for {', '.join(missing)}: found {listed}; needed are time (timestamp, date, open_time ...), "
            "open, high, low and close, with volume where there is one"
        )
    return FoundColumns(names=tuple(names), **found)  # type: ignore[arg-type]  # the required ones were just checked
