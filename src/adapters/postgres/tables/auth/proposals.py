from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Index, Table, Text
from sqlalchemy import text as sql

from adapters.postgres.tables.columns import METADATA, moment, text, uuid

proposals: Final = Table(
    "proposals",
    METADATA,
    uuid("id", primary_key=True),
    Column("version", BigInteger, nullable=False),
    text("act"),
    uuid("subject_id"),
    Column("facts", JSON, nullable=False),
    text("reason"),
    uuid("proposed_by", nullable=True),
    moment("proposed_at"),
    moment("expires_at"),
    Column("outcome", Text),
    uuid("decided_by", nullable=True),
    moment("decided_at", nullable=True),
    Index("proposals_proposed_by", "proposed_by"),
    Index("proposals_open", "proposed_at", "id", postgresql_where=sql("outcome is null")),
    schema="public",
)
