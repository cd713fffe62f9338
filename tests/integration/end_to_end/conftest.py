from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.end_to_end.stage import CANDLES, KEY, Stage, some_candles, write_parquet

REPLAYED = 60


@pytest.fixture(scope="session")
def candle_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parquet(some_candles(), tmp_path_factory.mktemp("candles") / "eurusd.parquet")


@pytest.fixture(scope="session")
def replay_start() -> str:
    return some_candles()[CANDLES - REPLAYED].open_time.isoformat()


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory, candle_file: Path, replay_start: str) -> Stage:
    """A platform with 3,000 candles of one symbol and a model of it that never saw the last 60.

    The symbol's floors are so low that every candle yields a signal: the flow is under test, not the model.
    """
    stage = Stage(data_dir=tmp_path_factory.mktemp("platform"))
    series = ("--symbol", KEY.symbol, "--timeframe", KEY.timeframe.value)
    assert stage.run("migrate", "up").code == 0
    assert stage.json("market", "import", str(candle_file), *series)["inserted"] == CANDLES
    floors = ("--minimum-ev", "-5", "--minimum-risk-reward", "0", "--half-spread", "0", "--slippage", "0")
    assert stage.run("market", "symbols", "set", KEY.symbol, *floors).code == 0
    trained = stage.json("ml", "train", *series, "--profile", "demo", "--stop", replay_start)
    assert [version["horizon"] for version in trained] == [4]
    return stage
