"""Phone numbers, proofs under way, and what codes cost.

Numbers are sealed under the data key of their user. The ledger of sends knows blocks of numbers and prices, neither numbers nor
users: it is nobody's, and every process has to see all of it.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

_ME = "(select nullif(current_setting('app.user_id', true), '')::uuid)"
_IS_PLATFORM = "(select 'system' = any (string_to_array(current_setting('app.scopes', true), ',')))"
_MINE = f"user_id = {_ME}"
_OWNED = ("phones", "phone_proofs")

_STATEMENTS: tuple[str, ...] = (
    """
    create table public.phones (
        user_id uuid primary key references public.user_accounts,
        number_sealed bytea not null,
        number_index bytea not null check (octet_length(number_index) = 32),
        channel text not null check (channel in ('sms', 'whatsapp')),
        confirmed_at timestamptz not null
    )
    """,
    "create index phones_number_index on public.phones (number_index)",
    """
    create table public.phone_proofs (
        id uuid primary key,
        user_id uuid not null references public.user_accounts,
        session_id uuid,
        number_sealed bytea not null,
        channel text not null check (channel in ('sms', 'whatsapp')),
        send_id uuid not null,
        code_hash bytea check (octet_length(code_hash) = 32),
        reference text,
        created_at timestamptz not null,
        expires_at timestamptz not null check (expires_at > created_at),
        attempts smallint not null check (attempts between 0 and 5),
        closed_at timestamptz
    )
    """,
    "create index phone_proofs_user_id on public.phone_proofs (user_id)",
    """
    create table public.phone_sends (
        id uuid primary key,
        block text not null,
        price numeric not null check (price >= 0),
        is_proven boolean not null,
        sent_at timestamptz not null,
        reference text unique,
        state text not null check (state in ('reserved', 'sent', 'delivered', 'failed')),
        converted_at timestamptz
    )
    """,
    "create index phone_sends_sent_at on public.phone_sends (sent_at)",
    "create index phone_sends_block on public.phone_sends (block, sent_at, id)",
    """
    create table public.phone_blocks (
        block text primary key,
        closed_until timestamptz not null
    )
    """,
    """
    create table public.phone_switch (
        id smallint primary key check (id = 1),
        is_stopped boolean not null
    )
    """,
    *(f"alter table public.{table} {verb} row level security" for table in _OWNED for verb in ("enable", "force")),
    *(
        f"create policy {name} on public.{table} for {command} to {role} {rules}"
        for table in _OWNED
        for name, command, role, rules in (
            ("platform", "all", "tc_worker", f"using ({_IS_PLATFORM}) with check ({_IS_PLATFORM})"),
            ("api_reads", "select", "tc_api", f"using ({_MINE})"),
            ("api_adds", "insert", "tc_api", f"with check ({_MINE})"),
            ("api_changes", "update", "tc_api", f"using ({_MINE}) with check ({_MINE})"),
            ("api_removes", "delete", "tc_api", f"using ({_MINE})"),
        )
    ),
    *(f"grant select, insert, update, delete on public.{table} to tc_worker" for table in _OWNED),
    *(f"grant select, insert, delete on public.{table} to tc_api" for table in _OWNED),
    "grant update (number_sealed, number_index, channel, confirmed_at) on public.phones to tc_api",
    "grant update (attempts, closed_at, reference) on public.phone_proofs to tc_api",
    "grant select, insert, delete on public.phone_sends to tc_api, tc_worker",
    "grant update (reference, state, converted_at) on public.phone_sends to tc_api, tc_worker",
    "grant select, insert, update (closed_until) on public.phone_blocks to tc_api, tc_worker",
    "grant select on public.phone_switch to tc_api, tc_worker",
    "grant insert, update (is_stopped) on public.phone_switch to tc_worker",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
