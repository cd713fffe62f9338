"""Second factors, passkeys, challenges and trusted devices.

The secret of an authenticator is sealed under the data key of its user. Everything else that is secret is kept by hash only.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

_ME = "(select nullif(current_setting('app.user_id', true), '')::uuid)"
_IS_PLATFORM = "(select 'system' = any (string_to_array(current_setting('app.scopes', true), ',')))"
_MINE = f"user_id = {_ME}"
_TABLES = ("totp_factors", "backup_codes", "challenges", "trusted_devices", "passkeys", "spent_passkey_tokens")


def _in_hand(name: str) -> str:
    return f"(select decode(nullif(current_setting('app.{name}', true), ''), 'hex'))"


_SHOWN_TO_HOLDERS = {
    "challenges": f"{_MINE} or token_hash = {_in_hand('challenge_hash')}",
    # A credential's id is 16 random bytes or more, and shows a public key.
    "passkeys": f"{_MINE} or credential_id = {_in_hand('passkey_credential')}",
    "trusted_devices": f"{_MINE} or token_hash = {_in_hand('device_hash')}",
}

_STATEMENTS = (
    """
    create table public.totp_factors (
        user_id uuid primary key references public.user_accounts,
        secret_sealed bytea not null,
        created_at timestamptz not null,
        last_step bigint not null check (last_step >= -1),
        confirmed_at timestamptz
    )
    """,
    """
    create table public.backup_codes (
        user_id uuid not null references public.user_accounts,
        code_hash bytea not null check (octet_length(code_hash) = 32),
        -- Two sets at once are impossible, not only avoided.
        number smallint not null check (number between 1 and 10),
        created_at timestamptz not null,
        used_at timestamptz,
        primary key (user_id, code_hash),
        unique (user_id, number)
    )
    """,
    """
    create table public.challenges (
        id uuid primary key,
        token_hash bytea not null unique check (octet_length(token_hash) = 32),
        user_id uuid not null references public.user_accounts,
        purpose text not null check (purpose in ('sign_in', 'step_up')),
        factors text[] not null check (factors <@ array['totp', 'backup_code', 'passkey'] and cardinality(factors) > 0),
        session_id uuid,
        methods text[] not null,
        created_at timestamptz not null,
        expires_at timestamptz not null check (expires_at > created_at),
        attempts smallint not null check (attempts between 0 and 5),
        closed_at timestamptz,
        check ((purpose = 'step_up') = (session_id is not null))
    )
    """,
    "create index challenges_user_id on public.challenges (user_id, expires_at)",
    "create index challenges_expires_at on public.challenges (expires_at)",
    """
    create table public.trusted_devices (
        id uuid primary key,
        token_hash bytea not null unique check (octet_length(token_hash) = 32),
        user_id uuid not null references public.user_accounts,
        label text not null check (length(label) between 1 and 120),
        created_at timestamptz not null,
        expires_at timestamptz not null check (expires_at > created_at),
        revoked_at timestamptz
    )
    """,
    "create index trusted_devices_user_id on public.trusted_devices (user_id, created_at, id)",
    """
    create table public.passkeys (
        id uuid primary key,
        user_id uuid not null references public.user_accounts,
        credential_id bytea not null unique check (octet_length(credential_id) between 16 and 1023),
        public_key bytea not null,
        sign_count bigint not null check (sign_count >= 0),
        label text not null check (length(label) between 1 and 80),
        transports text[] not null,
        is_synced boolean not null,
        created_at timestamptz not null,
        last_used_at timestamptz
    )
    """,
    "create index passkeys_user_id on public.passkeys (user_id, created_at, id)",
    """
    create table public.spent_passkey_tokens (
        user_id uuid not null references public.user_accounts,
        token_hash bytea not null check (octet_length(token_hash) = 32),
        expires_at timestamptz not null,
        primary key (user_id, token_hash)
    )
    """,
    *(f"alter table public.{table} {verb} row level security" for table in _TABLES for verb in ("enable", "force")),
    *(
        f"create policy {name} on public.{table} for {command} to {role} {rules}"
        for table in _TABLES
        for name, command, role, rules in (
            ("platform", "all", "tc_worker", f"using ({_IS_PLATFORM}) with check ({_IS_PLATFORM})"),
            # Whoever names the hash of 256 random bits holds the token.
            ("api_reads", "select", "tc_api", f"using ({_SHOWN_TO_HOLDERS.get(table, _MINE)})"),
            ("api_adds", "insert", "tc_api", f"with check ({_MINE})"),
            ("api_changes", "update", "tc_api", f"using ({_MINE}) with check ({_MINE})"),
            ("api_removes", "delete", "tc_api", f"using ({_MINE})"),
        )
    ),
    *(f"grant select, insert, update, delete on public.{table} to tc_worker" for table in _TABLES),
    *(f"grant select, insert, delete on public.{table} to tc_api" for table in _TABLES),
    "grant update (secret_sealed, created_at, last_step, confirmed_at) on public.totp_factors to tc_api",
    "grant update (used_at) on public.backup_codes to tc_api",
    "grant update (attempts, closed_at) on public.challenges to tc_api",
    "grant update (revoked_at) on public.trusted_devices to tc_api",
    "grant update (sign_count, label, last_used_at) on public.passkeys to tc_api",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
