from __future__ import annotations

from typing import Final

from sqlalchemy import ARRAY, JSON, BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text

from adapters.postgres.tables.columns import METADATA, moment, text, uuid

service_users: Final = Table(
    "service_users",
    METADATA,
    uuid("id", primary_key=True),
    text("name"),
    Column("roles", ARRAY(Text), nullable=False),
    text("plan"),
    moment("created_at"),
    schema="public",
)

api_keys: Final = Table(
    "api_keys",
    METADATA,
    uuid("id", primary_key=True),
    Column("version", BigInteger, nullable=False),
    uuid("user_id", ForeignKey("public.service_users.id")),
    text("name"),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text)),
    moment("created_at"),
    moment("expires_at"),
    moment("revoked_at", nullable=True),
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
