"""Start, share, stop, kill: what one folder's server survives. Durable settings, real processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.cluster import ClusterSettings, EmbeddedCluster
from adapters.postgres.connect import connected
from tests.integration.postgres import holder


@pytest.fixture(scope="module")
def initialised() -> Iterator[Path]:
    """The files of a new cluster that was started and stopped once: copied, because making them takes longest."""
    with tempfile.TemporaryDirectory(prefix="tradingcore-life-") as folder:
        cluster = EmbeddedCluster(ClusterSettings(home=Path(folder)))
        cluster.release(cluster.acquire())
        yield Path(folder)


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tradingcore-life-") as folder:
        yield Path(folder) / "postgres"
        EmbeddedCluster(ClusterSettings(home=Path(folder) / "postgres")).reset()


@pytest.fixture
def fresh_cluster(home: Path) -> EmbeddedCluster:
    """Nothing is there yet, and making it is quick."""
    return EmbeddedCluster(ClusterSettings(home=home, durable=False))


@pytest.fixture
def cluster(initialised: Path, home: Path) -> EmbeddedCluster:
    shutil.copytree(initialised, home)
    return EmbeddedCluster(ClusterSettings(home=home))


@dataclass
class Holder:
    """Another process that uses the cluster."""

    process: subprocess.Popen[str]
    server_pid: int

    def leave(self) -> None:
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


def _holder(cluster: EmbeddedCluster) -> subprocess.Popen[str]:
    command = [sys.executable, str(holder.__file__), str(cluster.home), *([] if cluster.settings.durable else ["fast"])]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def a_holder(cluster: EmbeddedCluster) -> Holder:
    return _entered(_holder(cluster))


def _entered(process: subprocess.Popen[str]) -> Holder:
    assert process.stdout is not None
    _, pid = process.stdout.readline().split()
    return Holder(process, int(pid))


def a_zombie() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    time.sleep(0.1)
    return process


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@asynccontextmanager
async def _notes(address: DatabaseAddress) -> AsyncIterator[Any]:
    async with connected(address.in_database("postgres")) as connection:
        await connection.execute("create table if not exists note (number int primary key)")
        yield connection


async def _ping(address: DatabaseAddress) -> None:
    async with connected(address.in_database("postgres")) as connection:
        await connection.execute("select 1")


async def _numbers(address: DatabaseAddress) -> list[int]:
    async with _notes(address) as connection:
        return [row["number"] for row in await connection.fetch("select number from note order by number")]


async def test_rows_are_there_after_stop_and_start(cluster: EmbeddedCluster) -> None:
    async with cluster.running() as address, _notes(address) as connection:
        await connection.execute("insert into note values (7)")
    assert cluster.find_running() is None
    async with cluster.running() as address:
        assert await _numbers(address) == [7]


async def test_server_is_in_a_session_of_its_own_so_that_ctrl_c_misses_it(cluster: EmbeddedCluster) -> None:
    async with cluster.running():
        server = cluster.find_running()
        assert server is not None
        assert os.getsid(server.pid) != os.getsid(0)


async def test_commits_are_durable_by_default(cluster: EmbeddedCluster) -> None:
    async with cluster.running() as address, connected(address.in_database("postgres")) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert await connection.fetchval(f"show {setting}") == "on"


async def test_two_processes_share_one_server_and_the_last_one_stops_it(cluster: EmbeddedCluster) -> None:
    first = await asyncio.to_thread(a_holder, cluster)
    async with cluster.running() as address:
        server = cluster.find_running()
        assert server is not None
        assert server.pid == first.server_pid
        await asyncio.to_thread(first.leave)
        assert await _numbers(address) == []
    assert cluster.find_running() is None


async def test_four_processes_that_start_at_once_get_one_server(fresh_cluster: EmbeddedCluster) -> None:
    processes = [_holder(fresh_cluster) for _ in range(4)]
    holders = [await asyncio.to_thread(_entered, process) for process in processes]
    assert len({one.server_pid for one in holders}) == 1
    await asyncio.gather(*(asyncio.to_thread(one.leave) for one in holders))
    assert fresh_cluster.find_running() is None


async def test_start_and_stop_in_quick_turns_by_several_never_collide(cluster: EmbeddedCluster) -> None:
    async def turns() -> None:
        for _ in range(5):
            async with EmbeddedCluster(cluster.settings).running() as address:
                await _ping(address)

    await asyncio.gather(*(turns() for _ in range(3)))
    assert cluster.find_running() is None


async def test_cancelled_start_leaves_no_server_behind(fresh_cluster: EmbeddedCluster) -> None:
    async def enter() -> None:
        async with fresh_cluster.running():
            await asyncio.sleep(60)

    task = asyncio.create_task(enter())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fresh_cluster.find_running() is None


async def _write_until_cut(address: DatabaseAddress, acknowledged: list[int]) -> None:
    async with connected(address.in_database("postgres")) as connection:
        for number in range(1_000_000):
            await connection.execute("insert into note values ($1)", number)
            acknowledged.append(number)


async def _write_through(address: DatabaseAddress, kill: Callable[[], None]) -> list[int]:
    async with _notes(address):
        pass
    acknowledged: list[int] = []
    writer = asyncio.create_task(_write_until_cut(address, acknowledged))
    await asyncio.sleep(0.4)
    await asyncio.to_thread(kill)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
        await asyncio.wait_for(writer, 30)
    return acknowledged


def _is_another(cluster: EmbeddedCluster, pid: int) -> bool:
    server = cluster.find_running()
    return server is not None and server.is_ready and server.pid != pid


async def test_killed_server_comes_back_at_its_address_with_everything_acknowledged(cluster: EmbeddedCluster) -> None:
    async with cluster.running() as address:
        for _ in range(2):
            server = cluster.find_running()
            assert server is not None
            async with _notes(address) as connection:
                await connection.execute("truncate note")
            acknowledged = await _write_through(address, partial(os.kill, server.pid, signal.SIGKILL))
            await asyncio.to_thread(_wait_until, partial(_is_another, cluster, server.pid))
            stored = await _numbers(address)
            assert acknowledged
            assert stored[: len(acknowledged)] == acknowledged
            assert len(stored) - len(acknowledged) <= 1
    assert cluster.find_running() is None


async def test_who_comes_after_a_kill_finds_the_old_address(cluster: EmbeddedCluster) -> None:
    hold = await asyncio.to_thread(cluster.acquire)
    server = cluster.find_running()
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)
    async with EmbeddedCluster(cluster.settings).running() as address:
        assert address.port == hold.administrator.port
    await asyncio.to_thread(cluster.release, hold)
    assert cluster.find_running() is None


async def test_server_of_a_killed_process_is_adopted_and_stopped(cluster: EmbeddedCluster) -> None:
    first = await asyncio.to_thread(a_holder, cluster)
    await asyncio.to_thread(first.kill)
    left = cluster.find_running()
    assert left is not None
    async with cluster.running():
        now = cluster.find_running()
        assert now is not None
        assert now.pid == left.pid
    assert cluster.find_running() is None


async def test_nothing_acknowledged_is_lost_when_process_and_server_are_killed(cluster: EmbeddedCluster) -> None:
    first = await asyncio.to_thread(a_holder, cluster)

    def kill_both() -> None:
        first.kill()
        os.kill(first.server_pid, signal.SIGKILL)

    hold = await asyncio.to_thread(cluster.acquire)
    acknowledged = await _write_through(hold.administrator, kill_both)
    await asyncio.to_thread(cluster.release, hold)
    async with cluster.running() as address:
        stored = await _numbers(address)
    assert acknowledged
    assert stored[: len(acknowledged)] == acknowledged


async def test_every_process_of_the_server_killed_at_once_is_no_obstacle(cluster: EmbeddedCluster) -> None:
    hold = await asyncio.to_thread(cluster.acquire)
    async with _notes(hold.administrator):
        server = cluster.find_running()
        assert server is not None
        os.killpg(server.pid, signal.SIGSTOP)  # so that nobody ends in order
        os.killpg(server.pid, signal.SIGKILL)
        await asyncio.to_thread(_wait_until, lambda: cluster.find_running() is None)
    await asyncio.to_thread(cluster.release, hold)
    async with cluster.running() as address:
        assert await _numbers(address) == []


@pytest.mark.parametrize("left_by", ["a living process", "a zombie"])
async def test_stale_pid_file_is_not_in_the_way(cluster: EmbeddedCluster, left_by: str) -> None:
    async with cluster.running():
        left = (cluster.home / "data" / "postmaster.pid").read_text().splitlines()
    zombie = a_zombie()
    pid = os.getpid() if left_by == "a living process" else zombie.pid
    (cluster.home / "data" / "postmaster.pid").write_text("\n".join([str(pid), *left[1:]]) + "\n")
    async with cluster.running() as address:
        assert await _numbers(address) == []
    zombie.communicate()


async def test_initialisation_that_was_killed_half_way_is_done_again(fresh_cluster: EmbeddedCluster) -> None:
    process = _holder(fresh_cluster)
    await asyncio.to_thread(_wait_until, (fresh_cluster.home / "data.incoming" / "PG_VERSION").exists)
    process.kill()
    process.communicate()
    async with fresh_cluster.running() as address:
        assert await _numbers(address) == []
    assert not (fresh_cluster.home / "data.incoming").exists()


async def test_log_never_holds_a_statement_or_a_value(cluster: EmbeddedCluster) -> None:
    async with cluster.running() as address, _notes(address) as connection:
        for _ in range(2):
            try:
                await connection.execute("insert into note values (424242)")
            except asyncpg.UniqueViolationError:
                break
    said = cluster.log.read_text()
    assert "duplicate key" in said
    assert "424242" not in said
