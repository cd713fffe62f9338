"""Accounts, data keys, sessions, mailed tokens, the news of changed rights, and the audit trail.

Personal data is sealed by the application under the data key of its user. What has to be found before anybody is known is shown to
whoever names its hash: 256 bits that nobody can guess.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

_ME = "(select nullif(current_setting('app.user_id', true), '')::uuid)"
_IS_PLATFORM = "(select 'system' = any (string_to_array(current_setting('app.scopes', true), ',')))"
_MANAGES_USERS = "(select 'users:manage' = any (string_to_array(current_setting('app.scopes', true), ',')))"
_MANAGES_KEYS = "(select 'keys:manage' = any (string_to_array(current_setting('app.scopes', true), ',')))"
_READS_AUDIT = "(select 'audit:read' = any (string_to_array(current_setting('app.scopes', true), ',')))"
_THIS_REQUEST = "(select current_setting('app.request_id', true))"


def _in_hand(name: str) -> str:
    return f"(select decode(nullif(current_setting('app.{name}', true), ''), 'hex'))"


_BY_EMAIL = f"select id from public.user_accounts where email_index = {_in_hand('email_index')}"  # noqa: S608 - constants
_BY_REFRESH = f"select session_id from public.refresh_tokens where token_hash = {_in_hand('refresh_hash')}"  # noqa: S608 - likewise

_TABLES = (
    """
    create table public.user_accounts (
        id uuid primary key,
        version bigint not null,
        status text not null check (status in ('unverified', 'active', 'frozen', 'closed')),
        email_sealed bytea,
        email_index bytea check (octet_length(email_index) = 32),
        password_scheme text,
        password_hash text,
        password_changed_at timestamptz,
        roles text[] not null check (roles <@ array['student', 'investor', 'trader', 'admin', 'superadmin']),
        plan text not null check (plan in ('free', 'basic', 'pro', 'enterprise')),
        display_name_sealed bytea,
        locale text not null,
        time_zone text not null,
        avatar json,
        rights_version bigint not null check (rights_version > 0),
        created_at timestamptz not null,
        verified_at timestamptz,
        closed_at timestamptz,
        check ((email_sealed is null) = (email_index is null)),
        check ((password_scheme is null) = (password_hash is null)),
        check ((status = 'closed') = (closed_at is not null))
    )
    """,
    # Many may claim an address, one can have proven it.
    "create unique index user_accounts_address on public.user_accounts (email_index) where verified_at is not null",
    "create index user_accounts_email_index on public.user_accounts (email_index)",
    "create index user_accounts_created_at on public.user_accounts (created_at, id)",
    """
    create table public.data_keys (
        id uuid primary key,
        user_id uuid not null unique references public.user_accounts,
        wrapped bytea not null,
        key_version text not null,
        created_at timestamptz not null default now()
    )
    """,
    "create index data_keys_key_version on public.data_keys (key_version, id)",
    """
    create table public.sessions (
        id uuid primary key,
        version bigint not null,
        user_id uuid not null references public.user_accounts,
        created_at timestamptz not null,
        last_seen_at timestamptz not null,
        expires_at timestamptz not null,
        absolute_at timestamptz not null check (expires_at <= absolute_at),
        authenticated_at timestamptz not null,
        methods text[] not null,
        assurance smallint not null check (assurance in (1, 2)),
        device_label text not null check (length(device_label) <= 120),
        network bytea not null,
        ended_at timestamptz,
        end_reason text,
        unique (id, user_id),
        check ((ended_at is null) = (end_reason is null))
    )
    """,
    "create index sessions_user_id on public.sessions (user_id, created_at, id)",
    "create index sessions_expires_at on public.sessions (expires_at)",
    """
    create table public.refresh_tokens (
        token_hash bytea primary key check (octet_length(token_hash) = 32),
        session_id uuid not null,
        user_id uuid not null references public.user_accounts,
        issued_at timestamptz not null,
        expires_at timestamptz not null,
        used_at timestamptz,
        successor_sealed bytea,
        revoked_at timestamptz,
        -- With the user: a key asks no policy, and would let a token into somebody else's session.
        foreign key (session_id, user_id) references public.sessions (id, user_id) on delete cascade,
        check ((used_at is null) = (successor_sealed is null))
    )
    """,
    # At most one live token in a session is a constraint, not a hope.
    "create unique index refresh_tokens_live on public.refresh_tokens (session_id) where used_at is null and revoked_at is null",
    "create index refresh_tokens_session_id on public.refresh_tokens (session_id, user_id)",
    "create index refresh_tokens_user_id on public.refresh_tokens (user_id)",
    """
    create table public.one_time_tokens (
        token_hash bytea primary key check (octet_length(token_hash) = 32),
        purpose text not null,
        user_id uuid not null references public.user_accounts,
        bound_sealed bytea,
        issued_at timestamptz not null,
        expires_at timestamptz not null,
        used_at timestamptz
    )
    """,
    "create index one_time_tokens_user_id on public.one_time_tokens (user_id, purpose)",
    "create index one_time_tokens_expires_at on public.one_time_tokens (expires_at)",
    """
    create table public.rights_changes (
        sequence bigint generated always as identity primary key,
        user_id uuid not null,
        changed_at timestamptz not null default clock_timestamp()
    )
    """,
    "create index rights_changes_changed_at on public.rights_changes (changed_at)",
    "create index rights_changes_user_id on public.rights_changes (user_id)",
    """
    create table audit.events (
        id uuid primary key,
        recorded_at timestamptz not null default now(),
        type text not null,
        user_id uuid,
        actor_id uuid,
        actor_name text not null,
        trace_id text not null,
        facts json not null
    )
    """,
    "create index events_user_id on audit.events (user_id, recorded_at, id)",
    "create index events_recorded_at on audit.events (recorded_at, id)",
)

_NEWS = (
    # Told by the tables themselves, so that no path to a change can forget it.
    """
    create function public.note_rights_change() returns trigger language plpgsql set search_path = '' as $$
    begin
        insert into public.rights_changes (user_id) values ((to_jsonb(new) ->> tg_argv[0])::uuid);
        perform pg_notify('tradingcore_rights', '');
        return null;
    end $$
    """,
    """
    create trigger rights_change after update on public.user_accounts for each row
    when (old.rights_version <> new.rights_version or old.status <> new.status or old.roles <> new.roles or old.plan <> new.plan)
    execute function public.note_rights_change('id')
    """,
    """
    create trigger rights_change after update on public.sessions for each row
    when (old.ended_at is distinct from new.ended_at or old.authenticated_at <> new.authenticated_at
          or old.assurance <> new.assurance)
    execute function public.note_rights_change('user_id')
    """,
    """
    create trigger rights_change after update on public.api_keys for each row
    when (old.revoked_at is distinct from new.revoked_at)
    execute function public.note_rights_change('user_id')
    """,
)

_OWNED = (
    "public.user_accounts",
    "public.data_keys",
    "public.sessions",
    "public.refresh_tokens",
    "public.one_time_tokens",
    "public.rights_changes",
)
_NEVER_CHANGED = ("public.data_keys", "public.rights_changes")


def _policy(
    table: str, name: str, command: str, *, using: str | None = None, check: str | None = None, role: str = "tc_api"
) -> str:
    conditions = (f" using ({using})" if using else "") + (f" with check ({check})" if check else "")
    return f"create policy {name} on {table} for {command} to {role}{conditions}"


_MINE = f"user_id = {_ME}"
_MINE_OR_MANAGED = f"{_MINE} or {_MANAGES_USERS}"

_POLICIES = (
    *(f"alter table {table} {verb} row level security" for table in (*_OWNED, "audit.events") for verb in ("enable", "force")),
    *(_policy(table, "platform", "all", using=_IS_PLATFORM, check=_IS_PLATFORM, role="tc_worker") for table in _OWNED),
    _policy(
        "public.user_accounts",
        "api_reads",
        "select",
        using=f"id = {_ME} or {_MANAGES_USERS} or email_index = {_in_hand('email_index')}",
    ),
    _policy("public.user_accounts", "api_registers", "insert", check=f"id = {_ME}"),
    _policy(
        "public.user_accounts",
        "api_changes",
        "update",
        using=f"id = {_ME} or {_MANAGES_USERS}",
        check=f"id = {_ME} or {_MANAGES_USERS}",
    ),
    _policy("public.data_keys", "api_reads", "select", using=f"{_MINE_OR_MANAGED} or user_id = any (array({_BY_EMAIL}))"),
    _policy("public.data_keys", "api_makes", "insert", check=_MINE),
    _policy("public.data_keys", "api_shreds", "delete", using=_MINE),
    _policy("public.sessions", "api_reads", "select", using=f"{_MINE_OR_MANAGED} or id = any (array({_BY_REFRESH}))"),
    _policy("public.sessions", "api_opens", "insert", check=_MINE),
    _policy("public.sessions", "api_changes", "update", using=_MINE_OR_MANAGED, check=_MINE_OR_MANAGED),
    _policy(
        "public.refresh_tokens",
        "api_reads",
        "select",
        using=f"{_MINE_OR_MANAGED} or token_hash = {_in_hand('refresh_hash')}",
    ),
    _policy("public.refresh_tokens", "api_issues", "insert", check=_MINE),
    _policy("public.refresh_tokens", "api_changes", "update", using=_MINE_OR_MANAGED, check=_MINE_OR_MANAGED),
    _policy("public.one_time_tokens", "api_reads", "select", using=f"{_MINE} or token_hash = {_in_hand('one_time_hash')}"),
    _policy("public.one_time_tokens", "api_issues", "insert", check=_MINE),
    _policy("public.one_time_tokens", "api_uses", "update", using=_MINE, check=_MINE),
    _policy("public.rights_changes", "api_notes", "insert", check=f"{_MINE_OR_MANAGED} or {_MANAGES_KEYS}"),
    # A process follows the news on its own behalf, for nobody in particular.
    _policy("public.rights_changes", "api_follows", "select", using=_IS_PLATFORM),
    # Whoever acts writes about this call and no other, and reads what concerns the own account.
    _policy("audit.events", "api_writes", "insert", check=f"trace_id = {_THIS_REQUEST}"),
    _policy("audit.events", "api_reads", "select", using=f"{_MINE} or {_READS_AUDIT}"),
    _policy("audit.events", "worker_writes", "insert", check=f"trace_id = {_THIS_REQUEST}", role="tc_worker"),
    _policy("audit.events", "worker_reads", "select", using=_IS_PLATFORM, role="tc_worker"),
    _policy("audit.events", "auditor_reads", "select", using="true", role="tc_audit"),
)

_GRANTS = (
    "grant usage on schema audit to tc_api, tc_worker",
    "grant select, insert on audit.events to tc_api, tc_worker",
    "grant select on audit.events to tc_audit",
    "grant insert on public.outbox to tc_api",
    *(f"grant select, insert, update on {table} to tc_api" for table in _OWNED if table not in _NEVER_CHANGED),
    "grant select, insert, delete on public.data_keys to tc_api",
    "grant select, insert on public.rights_changes to tc_api",
    "grant select, insert, delete on public.rights_changes to tc_worker",
    *(f"grant select, insert, update, delete on {table} to tc_worker" for table in _OWNED if table != "public.rights_changes"),
)


def upgrade() -> None:
    for statement in (*_TABLES, *_NEWS, *_POLICIES, *_GRANTS):
        op.execute(statement)
