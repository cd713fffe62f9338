"""Proposals that wait for a second person, and service accounts and keys that belong to accounts like any other."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

_ME = "(select nullif(current_setting('app.user_id', true), '')::uuid)"
_KEY_IN_HAND = "(select nullif(current_setting('app.api_key_id', true), '')::uuid)"
_HOLDER = f"select user_id from public.api_keys where id = {_KEY_IN_HAND}"  # noqa: S608 - a constant
_IS_PLATFORM = "(select 'system' = any (string_to_array(current_setting('app.scopes', true), ',')))"
_MANAGES_ROLES = "(select 'roles:manage' = any (string_to_array(current_setting('app.scopes', true), ',')))"
_MANAGES_USERS = "(select 'users:manage' = any (string_to_array(current_setting('app.scopes', true), ',')))"
_MANAGES_KEYS = "(select 'keys:manage' = any (string_to_array(current_setting('app.scopes', true), ',')))"

_VISIBLE = f"proposed_by = {_ME} or {_MANAGES_ROLES}"

_PROPOSALS = (
    """
    create table public.proposals (
        id uuid primary key,
        version bigint not null,
        act text not null,
        subject_id uuid not null,
        facts json not null,
        reason text not null check (length(reason) between 1 and 500),
        proposed_by uuid,
        proposed_at timestamptz not null,
        expires_at timestamptz not null check (expires_at > proposed_at),
        outcome text check (outcome in ('approved', 'rejected', 'withdrawn')),
        decided_by uuid,
        decided_at timestamptz,
        check ((outcome is null) = (decided_at is null)),
        -- The rule itself: nobody is both persons, and nobody approves what is done to the own account.
        check (outcome is distinct from 'approved' or decided_by is null
               or (decided_by is distinct from proposed_by and decided_by <> subject_id))
    )
    """,
    "create index proposals_proposed_by on public.proposals (proposed_by)",
    "create index proposals_open on public.proposals (proposed_at, id) where outcome is null",
    "alter table public.proposals enable row level security",
    "alter table public.proposals force row level security",
    f"create policy api_reads on public.proposals for select to tc_api using ({_VISIBLE})",
    f"create policy api_proposes on public.proposals for insert to tc_api with check (proposed_by = {_ME})",
    f"create policy api_decides on public.proposals for update to tc_api using ({_VISIBLE}) with check ({_VISIBLE})",
    f"create policy platform on public.proposals for all to tc_worker using ({_IS_PLATFORM}) with check ({_IS_PLATFORM})",
    "grant select, insert, update (version, outcome, decided_by, decided_at) on public.proposals to tc_api",
    "grant select, insert, update on public.proposals to tc_worker",
)

# The owner is bound by forced policies too: only without them does it see the rows that are moved.
_MOVED = ("user_accounts", "service_users", "api_keys")
_SERVICE_ACCOUNTS = (
    "alter table public.user_accounts add kind text not null default 'person' check (kind in ('person', 'service'))",
    "alter table public.user_accounts alter kind drop default",
    *(f"alter table public.{table} no force row level security" for table in _MOVED),
    """
    insert into public.user_accounts (id, version, status, roles, plan, locale, time_zone, rights_version, created_at, kind)
    select id, 1, 'active', roles, plan, 'en', 'UTC', 1, created_at, 'service' from public.service_users
    """,
    "alter table public.api_keys drop constraint api_keys_user_id_fkey",
    "alter table public.api_keys add constraint api_keys_user_id_fkey foreign key (user_id) references public.user_accounts",
    "drop table public.service_users",
    *(f"alter table public.{table} force row level security" for table in _MOVED if table != "service_users"),
)

_KEYS = (
    "alter table public.api_keys add networks text[] not null default '{}', add last_used_at timestamptz",
    "alter table public.api_keys alter networks drop default",
    "drop policy api_reads on public.api_keys",
    "drop policy api_changes on public.api_keys",
    f"""
    create policy api_reads on public.api_keys for select to tc_api
    using (user_id = {_ME} or id = {_KEY_IN_HAND} or {_MANAGES_KEYS})
    """,
    f"create policy api_makes on public.api_keys for insert to tc_api with check (user_id = {_ME})",
    f"""
    create policy api_changes on public.api_keys for update to tc_api
    using (user_id = {_ME} or {_MANAGES_KEYS}) with check (user_id = {_ME} or {_MANAGES_KEYS})
    """,
    "drop policy api_reads on public.user_accounts",
    f"""
    create policy api_reads on public.user_accounts for select to tc_api
    using (id = {_ME} or {_MANAGES_USERS}
           or email_index = (select decode(nullif(current_setting('app.email_index', true), ''), 'hex'))
           or id = any (array({_HOLDER})))
    """,
    "grant insert on public.api_keys to tc_api",
    "grant update (last_used_at) on public.api_keys to tc_api",
)


def upgrade() -> None:
    for statement in (*_PROPOSALS, *_SERVICE_ACCOUNTS, *_KEYS):
        op.execute(statement)
