"""The audit trail. It is only ever added to."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, Column, Index, Table
from sqlalchemy import text as sql

from adapters.postgres.tables.columns import METADATA, moment, text, uuid

events: Final = Table(
    "events",
    METADATA,
    uuid("id", primary_key=True),
    moment("recorded_at", server_default=sql("now()")),
    text("type"),
    uuid("user_id", nullable=True),
    uuid("actor_id", nullable=True),
    text("actor_name"),
    text("trace_id"),
    Column("facts", JSON, nullable=False),
    Index("events_user_id", "user_id", "recorded_at", "id"),
    Index("events_recorded_at", "recorded_at", "id"),
    schema="audit",
)
