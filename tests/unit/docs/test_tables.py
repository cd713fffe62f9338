"""Tables of the guide that repeat what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrypoints.cli.exits import Exit
from tests.unit.docs.documents import text_of
from tradingcore.kernel.market import AssetClass, Timeframe
from tradingcore.ml.model.features import DEFAULT_HORIZONS, EQUITY_HOURLY_HORIZONS
from tradingcore.ml.model.model_version import BASELINES
from tradingcore.ml.ports import DEMO, FULL, TrainingProfile
from tradingcore.trading.model.decision import DecisionReason
from tradingcore.trading.model.signal import SignalStatus
from tradingcore.trading.symbol_defaults import DEFAULTS


def rows(document: str) -> dict[str, list[str]]:
    """The cells of every table row after its first one, by the first."""
    found = {}
    for line in text_of(Path("docs", document)).splitlines():
        if line.startswith("| "):
            name, *cells = (cell.strip().strip("`") for cell in line.strip("| ").split(" | "))
            found[name] = cells
    return found


@pytest.mark.parametrize("asset_class", AssetClass)
def test_symbol_defaults(asset_class: AssetClass) -> None:
    row = DEFAULTS[asset_class]
    tick, *rest = rows("market-data.md")[asset_class.value]
    assert str(row.price_tick) in tick
    costs = [f"{cost} bp" for cost in (row.half_spread_bp, row.fee_bp, row.slippage_bp)]
    assert rest == [str(row.quantity_step), str(row.minimum_notional), *costs, row.calendar.value]


@pytest.mark.parametrize("timeframe", Timeframe)
def test_default_horizons(timeframe: Timeframe) -> None:
    expected = ", ".join(map(str, DEFAULT_HORIZONS[timeframe]))
    if timeframe is Timeframe.H1:
        expected += f"; US equities {', '.join(map(str, EQUITY_HOURLY_HORIZONS))}"
    assert rows("models.md")[timeframe.value] == [expected]


@pytest.mark.parametrize("profile", [FULL, DEMO], ids=lambda profile: profile.name)
def test_training_profiles(profile: TrainingProfile) -> None:
    folds, rounds, horizons, limit = rows("models.md")[profile.name]
    assert (int(folds), int(rounds)) == (profile.folds, profile.rounds)
    assert (horizons == "all defaults") is (profile.horizons is None)
    assert (f"{profile.max_tree_rows:,}" in limit) if profile.max_tree_rows else limit.startswith("all")


def test_baselines_reasons_statuses_and_exit_codes_are_all_explained() -> None:
    assert set(BASELINES) <= set(rows("models.md"))
    signals = text_of(Path("docs/signals.md"))
    assert [reason for reason in DecisionReason if f"\n| `{reason.value}` | " not in signals] == []
    assert [status for status in SignalStatus if f"`{status.value}`" not in signals] == []
    assert [code for code in Exit if str(code.value) not in rows("operations.md")] == []
