"""What P9 is measured against: a bare Litestar handler that runs one statement on bare asyncpg and answers the same bytes.

Run by `benchmarks.signals_page`, which hands over a JSON document on standard input: where the database is, and the part of the
answer that is the same every time. Prints its port when it listens.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec
import uvicorn
from litestar import Litestar, Response, get

STATEMENT: Final = "select * from trading.signals order by issued_at desc, id desc limit $1"
AS_THEY_ARE: Final = (
    *("symbol", "timeframe", "side", "probability", "p_stop_loss", "p_time", "expected_value_r", "cost", "horizon"),
    *("model_version", "feature_hash", "trace_id", "is_simulated", "edge_status", "status", "fill_price", "candles_seen"),
    "outcome_r",
)
AS_TEXT: Final = (
    *("id", "entry", "take_profit", "stop_loss", "risk_reward", "predicted_high", "predicted_low", "model_version_id"),
    "forecast_id",
)
AS_TIME: Final = ("issued_at", "decision_candle", "expires_at")


def body_of(row: Any) -> dict[str, Any]:
    return {
        **{name: row[name] for name in AS_THEY_ARE},
        **{name: str(row[name]) for name in AS_TEXT},
        **{name: time_of(row[name]) for name in AS_TIME},
        "interval": {
            "level": row["interval_level"],
            "coverage": row["interval_coverage"],
            "sample_size": row["sample_size"],
            "high": [str(row["predicted_high_low"]), str(row["predicted_high_high"])],
            "low": [str(row["predicted_low_low"]), str(row["predicted_low_high"])],
        },
        "data_range": [time_of(row["data_first"]), time_of(row["data_last"])],
        "closed_at": None if row["closed_at"] is None else time_of(row["closed_at"]),
    }


def time_of(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def main() -> None:
    given = json.loads(sys.stdin.readline())
    pool: list[Any] = []

    @asynccontextmanager
    async def connected(_: Litestar) -> AsyncIterator[None]:
        pool.append(await asyncpg.create_pool(**given["database"], min_size=8, max_size=8))
        yield
        await pool[0].close()

    @get("/")
    async def page() -> Response[bytes]:
        rows = await pool[0].fetch(STATEMENT, given["rows"] + 1)
        data = [body_of(row) for row in rows[: given["rows"]]]
        return Response(msgspec.json.encode({"data": data, "page": given["page"]}), media_type="application/json")

    app = Litestar([page], lifespan=[connected], openapi_config=None, logging_config=None)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
