from __future__ import annotations

import pytest

from tests.unit.entrypoints.http.world import World, a_furnished_world


@pytest.fixture(scope="module")
def shared_world() -> World:
    """For tests that only read."""
    return a_furnished_world()


@pytest.fixture
async def world() -> World:
    """For tests that change something."""
    fresh = World()
    await fresh.furnish()
    return fresh
