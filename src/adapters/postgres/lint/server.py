from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.postgres.lint.findings import Finding
from adapters.postgres.lint.lists import MINOR_FLOORS


async def server_is_patched(connection: Any) -> Sequence[Finding]:
    major, minor = divmod(int(await connection.fetchval("select current_setting('server_version_num')")), 10_000)
    if major > max(MINOR_FLOORS) or minor >= MINOR_FLOORS.get(major, minor + 1):
        return []
    floors = ", ".join(f"{known}.{floor}" for known, floor in MINOR_FLOORS.items())
    return [Finding(f"PostgreSQL {major}.{minor}", f"it has known holes in row-level security: update to {floors} or later")]
