"""Schemas, the rights that every later table starts from, and the heartbeat row of the readiness probe."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_STATEMENTS = (
    # Nobody gets anything by being somebody.
    "revoke all on schema public from public",
    "alter default privileges revoke execute on functions from public",
    "alter default privileges revoke usage on types from public",
    *(f"create schema {name}" for name in ("education", "trading", "investment", "financial", "ml", "audit")),
    "grant usage on schema public, education, trading, investment, financial, ml to tc_api, tc_worker, tc_system",
    "grant usage on schema audit to tc_audit",
    "grant select on public.alembic_version to tc_api, tc_worker, tc_system",
    """
    create table public.heartbeat (
        id smallint primary key check (id = 1),
        beaten_at timestamptz not null
    )
    """,
    "insert into public.heartbeat values (1, now())",
    "grant select, update (beaten_at) on public.heartbeat to tc_api, tc_worker, tc_system",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
