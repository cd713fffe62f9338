"""The outbox, the inbox of its handlers and the dead letters."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Identity, Index, Integer, Table, Text
from sqlalchemy import text as sql

from adapters.postgres.tables.columns import METADATA, moment, text, uuid

outbox: Final = Table(
    "outbox",
    METADATA,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    uuid("id", unique=True),
    text("ordering_key"),
    text("type"),
    Column("payload", JSON, nullable=False),
    text("trace_id"),
    moment("committed_at"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("token", BigInteger, nullable=False, server_default="0"),
    moment("free_at", nullable=True),
    Column("error", Text),
    Index("outbox_oldest", "ordering_key", "sequence", unique=True),
    schema="public",
)

inbox: Final = Table(
    "inbox",
    METADATA,
    text("handler", primary_key=True),
    uuid("event_id", primary_key=True),
    moment("handled_at", server_default=sql("now()")),
    Index("inbox_handled_at", "handled_at"),
    schema="public",
)

dead_letters: Final = Table(
    "dead_letters",
    METADATA,
    uuid("id", primary_key=True),
    text("ordering_key"),
    text("type"),
    Column("payload", JSON, nullable=False),
    text("trace_id"),
    Column("attempts", Integer, nullable=False),
    text("error"),
    moment("parked_at"),
    Index("dead_letters_parked_at", "parked_at", "id"),
    schema="public",
)
