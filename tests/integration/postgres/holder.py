"""A program that holds a cluster until its standard input ends. Run it as a file: ``python holder.py HOME``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from adapters.postgres.cluster import ClusterSettings, EmbeddedCluster
from tradingcore.kernel.errors import TradingCoreError


async def hold(home: Path) -> None:
    cluster = EmbeddedCluster(ClusterSettings(home=home))
    async with cluster.running() as address:
        server = cluster.find_running()
        assert server is not None
        print(address.port, server.pid, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    try:
        asyncio.run(hold(Path(sys.argv[1])))
    except TradingCoreError as error:
        sys.exit(f"{type(error).__name__}: {error}")
