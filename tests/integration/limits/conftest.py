from __future__ import annotations

from tests.integration.postgres.server import api_engine, database, postgres_cluster
from tests.integration.redis.conftest import valkey

__all__ = ("api_engine", "database", "postgres_cluster", "valkey")
