"""A program that holds a cluster until its standard input ends. Run it as a file: ``python holder.py HOME [fast]``."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from adapters.postgres.cluster import ClusterSettings, EmbeddedCluster
from adapters.postgres.launch import NOBODY
from tradingcore.kernel.errors import TradingCoreError


async def hold(home: Path, *, durable: bool) -> None:
    cluster = EmbeddedCluster(ClusterSettings(home=home, durable=durable))
    async with cluster.running() as address:
        server = cluster.find_running()
        assert server is not None
        print(address.port, server.pid, flush=True)
        await asyncio.to_thread(sys.stdin.read)


def run_as_nobody(home: Path) -> subprocess.CompletedProcess[str]:
    """Run this file as a user who owns nothing, from root. It may read everything, as this Python may lie in root's own home."""
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    read_only = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    command = [*become, *read_only, sys.executable, __file__, str(home), "fast"]
    return subprocess.run(command, input="", capture_output=True, text=True, timeout=100, cwd="/", check=False)


if __name__ == "__main__":
    try:
        asyncio.run(hold(Path(sys.argv[1]), durable="fast" not in sys.argv[2:]))
    except TradingCoreError as error:
        sys.exit(f"{type(error).__name__}: {error}")
