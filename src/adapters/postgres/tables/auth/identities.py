from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text

from adapters.postgres.tables.columns import METADATA, moment, text, uuid

identities: Final = Table(
    "identities",
    METADATA,
    uuid("id", primary_key=True),
    Column("version", BigInteger, nullable=False),
    uuid("user_id", ForeignKey("public.user_accounts.id")),
    text("provider"),
    Column("subject_index", LargeBinary, nullable=False, unique=True),
    Column("subject_sealed", LargeBinary, nullable=False),
    Column("email_sealed", LargeBinary),
    text("email_trust"),
    Column("name_sealed", LargeBinary),
    moment("linked_at"),
    Index("identities_user_id", "user_id", "linked_at", "id"),
    schema="public",
)

oauth_flows: Final = Table(
    "oauth_flows",
    METADATA,
    Column("key_hash", LargeBinary, primary_key=True),
    Column("browser_hash", LargeBinary, nullable=False),
    text("stage"),
    text("provider"),
    text("purpose"),
    text("next_path"),
    uuid("user_id", ForeignKey("public.user_accounts.id"), nullable=True),
    uuid("session_id", nullable=True),
    Column("sealed", Text),
    moment("expires_at"),
    Index("oauth_flows_user_id", "user_id"),
    Index("oauth_flows_expires_at", "expires_at"),
    schema="public",
)
