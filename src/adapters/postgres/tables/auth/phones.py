from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, ForeignKey, Index, LargeBinary, SmallInteger, Table, Text

from adapters.postgres.tables.columns import METADATA, decimal, moment, text, uuid

phones: Final = Table(
    "phones",
    METADATA,
    uuid("user_id", ForeignKey("public.user_accounts.id"), primary_key=True),
    Column("number_sealed", LargeBinary, nullable=False),
    Column("number_index", LargeBinary, nullable=False),
    text("channel"),
    moment("confirmed_at"),
    Index("phones_number_index", "number_index"),
    schema="public",
)

phone_proofs: Final = Table(
    "phone_proofs",
    METADATA,
    uuid("id", primary_key=True),
    uuid("user_id", ForeignKey("public.user_accounts.id")),
    uuid("session_id", nullable=True),
    Column("number_sealed", LargeBinary, nullable=False),
    text("channel"),
    uuid("send_id"),
    Column("code_hash", LargeBinary),
    Column("reference", Text),
    moment("created_at"),
    moment("expires_at"),
    Column("attempts", SmallInteger, nullable=False),
    moment("closed_at", nullable=True),
    Index("phone_proofs_user_id", "user_id"),
    schema="public",
)

phone_sends: Final = Table(
    "phone_sends",
    METADATA,
    uuid("id", primary_key=True),
    text("block"),
    decimal("price"),
    Column("is_proven", Boolean, nullable=False),
    moment("sent_at"),
    Column("reference", Text, unique=True),
    text("state"),
    moment("converted_at", nullable=True),
    Index("phone_sends_sent_at", "sent_at"),
    Index("phone_sends_block", "block", "sent_at", "id"),
    schema="public",
)

phone_blocks: Final = Table(
    "phone_blocks",
    METADATA,
    Column("block", Text, primary_key=True),
    moment("closed_until"),
    schema="public",
)

phone_switch: Final = Table(
    "phone_switch",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("is_stopped", Boolean, nullable=False),
    schema="public",
)
