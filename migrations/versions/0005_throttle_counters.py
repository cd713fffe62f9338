from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

_STATEMENTS: tuple[str, ...] = ()


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
