from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

_STATEMENTS: tuple[str, ...] = ()


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
