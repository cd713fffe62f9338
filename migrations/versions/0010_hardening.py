"""Nobody holds more than they use: the relay's figures without its rights, single columns for the role that bypasses policies."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"

_SYSTEM = {
    "public.outbox": {
        "select": "sequence, id, ordering_key, type, payload, trace_id, attempts, token, free_at",
        "insert": "id, ordering_key, type, payload, trace_id, committed_at",
        "update": "token, attempts, free_at, error",
    },
    "public.dead_letters": {
        "select": "id, ordering_key, type, payload, trace_id, attempts, error, parked_at",
        "insert": "id, ordering_key, type, payload, trace_id, attempts, error, parked_at",
    },
}

_STATEMENTS = (
    # Three numbers, for processes that may not read the outbox itself.
    """
    create function public.outbox_status() returns table (open bigint, parked bigint, oldest_age interval)
    language sql security definer set search_path = pg_catalog, pg_temp as $$
        select (select count(*) from public.outbox), (select count(*) from public.dead_letters),
            clock_timestamp() - (select committed_at from public.outbox order by sequence limit 1)
    $$
    """,
    "grant execute on function public.outbox_status() to tc_api, tc_system",
    "revoke all on public.alembic_version, public.heartbeat from tc_system",
    "revoke select, insert, update on public.outbox, public.dead_letters from tc_system",
    *(
        f"grant {right} ({columns}) on {table} to tc_system"
        for table, rights in _SYSTEM.items()
        for right, columns in rights.items()
    ),
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
