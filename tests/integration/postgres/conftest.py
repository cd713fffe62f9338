from __future__ import annotations

from tests.integration.postgres.server import api_engine, database, postgres_cluster, shared_database, system_engine, worker_engine

__all__ = ("api_engine", "database", "postgres_cluster", "shared_database", "system_engine", "worker_engine")
