from __future__ import annotations

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from adapters.postgres.tables.columns import METADATA, moment, text, uuid

_USER: Final = "public.user_accounts.id"

totp_factors: Final = Table(
    "totp_factors",
    METADATA,
    uuid("user_id", ForeignKey(_USER), primary_key=True),
    Column("secret_sealed", LargeBinary, nullable=False),
    moment("created_at"),
    Column("last_step", BigInteger, nullable=False),
    moment("confirmed_at", nullable=True),
    schema="public",
)

backup_codes: Final = Table(
    "backup_codes",
    METADATA,
    uuid("user_id", ForeignKey(_USER), primary_key=True),
    Column("code_hash", LargeBinary, primary_key=True),
    Column("number", SmallInteger, nullable=False),
    moment("created_at"),
    moment("used_at", nullable=True),
    UniqueConstraint("user_id", "number"),
    schema="public",
)

challenges: Final = Table(
    "challenges",
    METADATA,
    uuid("id", primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    uuid("user_id", ForeignKey(_USER)),
    text("purpose"),
    Column("factors", ARRAY(Text), nullable=False),
    uuid("session_id", nullable=True),
    Column("methods", ARRAY(Text), nullable=False),
    moment("created_at"),
    moment("expires_at"),
    Column("attempts", SmallInteger, nullable=False),
    moment("closed_at", nullable=True),
    Index("challenges_user_id", "user_id", "expires_at"),
    Index("challenges_expires_at", "expires_at"),
    schema="public",
)

trusted_devices: Final = Table(
    "trusted_devices",
    METADATA,
    uuid("id", primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    uuid("user_id", ForeignKey(_USER)),
    text("label"),
    moment("created_at"),
    moment("expires_at"),
    moment("revoked_at", nullable=True),
    Index("trusted_devices_user_id", "user_id", "created_at", "id"),
    schema="public",
)

passkeys: Final = Table(
    "passkeys",
    METADATA,
    uuid("id", primary_key=True),
    uuid("user_id", ForeignKey(_USER)),
    Column("credential_id", LargeBinary, nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    text("label"),
    Column("transports", ARRAY(Text), nullable=False),
    Column("is_synced", Boolean, nullable=False),
    moment("created_at"),
    moment("last_used_at", nullable=True),
    Index("passkeys_user_id", "user_id", "created_at", "id"),
    schema="public",
)

spent_passkey_tokens: Final = Table(
    "spent_passkey_tokens",
    METADATA,
    uuid("user_id", ForeignKey(_USER), primary_key=True),
    Column("token_hash", LargeBinary, primary_key=True),
    moment("expires_at"),
    schema="public",
)
