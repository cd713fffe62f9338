"""Identities at providers, and the sign-ins that are under way there.

What a provider says of a person is sealed under the data key of the user; (provider, subject) is found by a keyed hash. A flow is
shown to whoever names the hash of its one-time key, and holds no secret in the clear.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

_ME = "(select nullif(current_setting('app.user_id', true), '')::uuid)"
_IS_PLATFORM = "(select 'system' = any (string_to_array(current_setting('app.scopes', true), ',')))"
_MINE = f"user_id = {_ME}"
_PROVIDERS = "('google', 'apple', 'facebook', 'x', 'github', 'local')"
_TABLES = ("identities", "oauth_flows")


def _in_hand(name: str) -> str:
    return f"(select decode(nullif(current_setting('app.{name}', true), ''), 'hex'))"


_THIS_IDENTITY = f"subject_index = {_in_hand('identity_index')}"
_THIS_FLOW = f"key_hash = {_in_hand('oauth_key')}"
# A sign-in is nobody's yet, as the table itself says.
_BY_ITS_USER = f"(purpose = 'sign_in' or {_MINE})"

_STATEMENTS = (
    f"""
    create table public.identities (
        id uuid primary key,
        version bigint not null,
        user_id uuid not null references public.user_accounts,
        provider text not null check (provider in {_PROVIDERS}),
        subject_index bytea not null unique check (octet_length(subject_index) = 32),
        subject_sealed bytea not null,
        email_sealed bytea,
        email_trust text not null check (email_trust in ('none', 'provider', 'verified')),
        name_sealed bytea,
        linked_at timestamptz not null,
        check ((email_sealed is null) = (email_trust = 'none'))
    )
    """,
    "create index identities_user_id on public.identities (user_id, linked_at, id)",
    f"""
    create table public.oauth_flows (
        key_hash bytea primary key check (octet_length(key_hash) = 32),
        browser_hash bytea not null check (octet_length(browser_hash) = 32),
        stage text not null check (stage in ('asked', 'unproven')),
        provider text not null check (provider in {_PROVIDERS}),
        purpose text not null check (purpose in ('sign_in', 'link', 'step_up')),
        next_path text not null check (next_path like '/%'),
        user_id uuid references public.user_accounts,
        session_id uuid,
        sealed text,
        expires_at timestamptz not null,
        check ((stage = 'asked') = (sealed is null)),
        check ((purpose = 'sign_in') = (user_id is null))
    )
    """,
    "create index oauth_flows_user_id on public.oauth_flows (user_id)",
    "create index oauth_flows_expires_at on public.oauth_flows (expires_at)",
    *(f"alter table public.{table} {verb} row level security" for table in _TABLES for verb in ("enable", "force")),
    *(
        f"create policy platform on public.{table} for all to tc_worker using ({_IS_PLATFORM}) with check ({_IS_PLATFORM})"
        for table in _TABLES
    ),
    # Only the provider's word gives a subject, and only our key its index.
    f"create policy api_reads on public.identities for select to tc_api using ({_MINE} or {_THIS_IDENTITY})",
    f"create policy api_links on public.identities for insert to tc_api with check ({_MINE})",
    f"create policy api_unlinks on public.identities for delete to tc_api using ({_MINE})",
    f"create policy api_reads on public.oauth_flows for select to tc_api using ({_THIS_FLOW})",
    f"create policy api_asks on public.oauth_flows for insert to tc_api with check ({_THIS_FLOW} and {_BY_ITS_USER})",
    f"create policy api_takes on public.oauth_flows for delete to tc_api using ({_THIS_FLOW})",
    "grant select, insert, delete on public.identities, public.oauth_flows to tc_api",
    "grant select, insert, update, delete on public.identities, public.oauth_flows to tc_worker",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
