from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"

_STATEMENTS: tuple[str, ...] = ()


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
