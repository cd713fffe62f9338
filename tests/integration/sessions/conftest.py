from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.postgres.server import TestServer, postgres_cluster
from tests.integration.sessions.serving import Stage, serving

__all__ = ("postgres_cluster",)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(postgres_cluster: TestServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Two servers for all tests of a file: building them takes longer than most tests do."""
    database = await postgres_cluster.create_database()
    async with serving(database, tmp_path_factory.mktemp("servers")) as found:
        yield found
    await postgres_cluster.drop_database(database)
