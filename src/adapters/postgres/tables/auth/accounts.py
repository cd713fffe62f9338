from __future__ import annotations

from typing import Final

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy import text as sql

from adapters.postgres.tables.columns import METADATA, moment, text, uuid

user_accounts: Final = Table(
    "user_accounts",
    METADATA,
    uuid("id", primary_key=True),
    Column("version", BigInteger, nullable=False),
    text("status"),
    Column("email_sealed", LargeBinary),
    Column("email_index", LargeBinary),
    Column("password_scheme", Text),
    Column("password_hash", Text),
    moment("password_changed_at", nullable=True),
    Column("roles", ARRAY(Text), nullable=False),
    text("plan"),
    Column("display_name_sealed", LargeBinary),
    text("locale"),
    text("time_zone"),
    Column("avatar", JSON(none_as_null=True)),
    Column("rights_version", BigInteger, nullable=False),
    moment("created_at"),
    moment("verified_at", nullable=True),
    moment("closed_at", nullable=True),
    text("kind"),
    Index("user_accounts_address", "email_index", unique=True, postgresql_where=sql("verified_at is not null")),
    Index("user_accounts_email_index", "email_index"),
    Index("user_accounts_created_at", "created_at", "id"),
    schema="public",
)

data_keys: Final = Table(
    "data_keys",
    METADATA,
    uuid("id", primary_key=True),
    uuid("user_id", ForeignKey("public.user_accounts.id"), unique=True),
    Column("wrapped", LargeBinary, nullable=False),
    text("key_version"),
    moment("created_at", server_default=sql("now()")),
    Index("data_keys_key_version", "key_version", "id"),
    schema="public",
)

one_time_tokens: Final = Table(
    "one_time_tokens",
    METADATA,
    Column("token_hash", LargeBinary, primary_key=True),
    text("purpose"),
    uuid("user_id", ForeignKey("public.user_accounts.id")),
    Column("bound_sealed", LargeBinary),
    moment("issued_at"),
    moment("expires_at"),
    moment("used_at", nullable=True),
    Index("one_time_tokens_user_id", "user_id", "purpose"),
    Index("one_time_tokens_expires_at", "expires_at"),
    schema="public",
)

sessions: Final = Table(
    "sessions",
    METADATA,
    uuid("id", primary_key=True),
    Column("version", BigInteger, nullable=False),
    uuid("user_id", ForeignKey("public.user_accounts.id")),
    moment("created_at"),
    moment("last_seen_at"),
    moment("expires_at"),
    moment("absolute_at"),
    moment("authenticated_at"),
    Column("methods", ARRAY(Text), nullable=False),
    Column("assurance", SmallInteger, nullable=False),
    text("device_label"),
    Column("network", LargeBinary, nullable=False),
    moment("ended_at", nullable=True),
    Column("end_reason", Text),
    UniqueConstraint("id", "user_id"),
    Index("sessions_user_id", "user_id", "created_at", "id"),
    Index("sessions_expires_at", "expires_at"),
    schema="public",
)

refresh_tokens: Final = Table(
    "refresh_tokens",
    METADATA,
    Column("token_hash", LargeBinary, primary_key=True),
    uuid("session_id"),
    uuid("user_id", ForeignKey("public.user_accounts.id")),
    moment("issued_at"),
    moment("expires_at"),
    moment("used_at", nullable=True),
    Column("successor_sealed", LargeBinary),
    moment("revoked_at", nullable=True),
    ForeignKeyConstraint(["session_id", "user_id"], ["public.sessions.id", "public.sessions.user_id"], ondelete="CASCADE"),
    Index("refresh_tokens_live", "session_id", unique=True, postgresql_where=sql("used_at is null and revoked_at is null")),
    Index("refresh_tokens_session_id", "session_id", "user_id"),
    Index("refresh_tokens_user_id", "user_id"),
    schema="public",
)

rights_changes: Final = Table(
    "rights_changes",
    METADATA,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    uuid("user_id"),
    moment("changed_at", server_default=sql("clock_timestamp()")),
    Index("rights_changes_changed_at", "changed_at"),
    Index("rights_changes_user_id", "user_id"),
    schema="public",
)
