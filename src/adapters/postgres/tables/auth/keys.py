from __future__ import annotations

from typing import Final

from sqlalchemy import ARRAY, JSON, BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text

from adapters.postgres.tables.columns import METADATA, moment, text, uuid

api_keys: Final = Table(
    "api_keys",
    METADATA,
    uuid("id", primary_key=True),
    Column("version", BigInteger, nullable=False),
    uuid("user_id", ForeignKey("public.user_accounts.id")),
    text("name"),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text)),
    moment("created_at"),
    moment("expires_at"),
    moment("revoked_at", nullable=True),
    Column("networks", ARRAY(Text), nullable=False),
    moment("last_used_at", nullable=True),
    Index("api_keys_user_id", "user_id"),
    schema="public",
)

stream_tickets: Final = Table(
    "stream_tickets",
    METADATA,
    Column("ticket_hash", LargeBinary, primary_key=True),
    uuid("user_id"),
    Column("holder", JSON, nullable=False),
    moment("expires_at"),
    Index("stream_tickets_user_id", "user_id"),
    schema="public",
)
