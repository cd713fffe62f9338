"""Row hashes of one made-up series per kind of instrument: no number may change without a new KERNEL_VERSION.

After a change that is meant: raise the version, then ``python -m tests.integration.numba.test_golden``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from adapters.numba.features import NumbaFeatureCalculator
from adapters.numba.parameters import KERNEL_VERSION
from tradingcore.kernel.market import AssetClass, Calendar, SeriesKey, SymbolCode, Timeframe
from tradingcore.ml.model.features import SeriesProfile
from tradingcore.testing.markets import a_market

FOLDER: Final = Path(__file__).parent / "golden"

KINDS: Final = {
    "crypto_1h": (AssetClass.CRYPTO, Calendar.ALWAYS, Timeframe.H1, True),
    "fx_1h": (AssetClass.FX, Calendar.FX_WEEK, Timeframe.H1, False),
    "metal_1h": (AssetClass.METAL, Calendar.METAL_WEEK, Timeframe.H1, True),
    "equity_1h": (AssetClass.EQUITY, Calendar.US_EQUITY, Timeframe.H1, True),
    "index_1d": (AssetClass.INDEX, Calendar.US_EQUITY, Timeframe.D1, True),
}


def rows_of(kind: str) -> dict[str, Any]:
    asset_class, calendar, timeframe, has_volume = KINDS[kind]
    profile = SeriesProfile(key=SeriesKey(SymbolCode("TEST/USD"), timeframe), asset_class=asset_class, calendar=calendar)
    calculator = NumbaFeatureCalculator()
    market = a_market(1_400, key=profile.key, calendar=calendar, has_volume=has_volume)
    specs = [calculator.spec(profile, horizon=horizon, has_volume=has_volume) for horizon in profile.default_horizons]
    hashes = [row.hash for stop in range(1_100, 1_400, 30) for row in calculator.window(market.slice(0, stop), specs)]
    return {"kernel_version": KERNEL_VERSION, "specs": [spec.hash for spec in specs], "rows": hashes}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_what_they_were(kind: str) -> None:
    assert rows_of(kind) == json.loads((FOLDER / f"{kind}.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for kind in KINDS:
        (FOLDER / f"{kind}.json").write_text(json.dumps(rows_of(kind), indent=1) + "\n", encoding="utf-8")
