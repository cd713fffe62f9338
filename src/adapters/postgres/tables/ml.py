from __future__ import annotations

from typing import Final

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy import text as sql

from adapters.postgres.tables.columns import METADATA, moment, number, text, uuid

models: Final = Table(
    "models",
    METADATA,
    uuid("id", primary_key=True),
    Column("version", BigInteger, nullable=False),
    text("symbol"),
    text("timeframe"),
    Column("horizon", Integer, nullable=False),
    moment("created_at"),
    UniqueConstraint("symbol", "timeframe", "horizon"),
    Index("models_created_at", "created_at", "id"),
    schema="ml",
)

model_versions: Final = Table(
    "model_versions",
    METADATA,
    uuid("id", primary_key=True),
    Column("version", BigInteger, nullable=False),
    uuid("model_id", ForeignKey("ml.models.id")),
    text("symbol"),
    text("timeframe"),
    Column("horizon", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    moment("created_at"),
    text("bundle_sha256"),
    text("feature_spec_hash"),
    Column("feature_names", ARRAY(Text), nullable=False),
    text("data_hash"),
    moment("data_first"),
    moment("data_last"),
    text("code_version"),
    Column("seed", BigInteger, nullable=False),
    text("profile"),
    Column("evaluation", JSON, nullable=False),
    Column("folds", JSON, nullable=False),
    text("state"),
    UniqueConstraint("model_id", "number"),
    schema="ml",
)

aliases: Final = Table(
    "aliases",
    METADATA,
    uuid("model_id", ForeignKey("ml.models.id"), primary_key=True),
    text("name", primary_key=True),
    uuid("version_id", ForeignKey("ml.model_versions.id")),
    text("changed_by"),
    moment("changed_at", server_default=sql("now()")),
    Index("aliases_version_id", "version_id"),
    schema="ml",
)

alias_history: Final = Table(
    "alias_history",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    uuid("model_id", ForeignKey("ml.models.id")),
    text("name"),
    uuid("version_id", ForeignKey("ml.model_versions.id"), nullable=True),
    text("changed_by"),
    moment("changed_at", server_default=sql("now()")),
    Index("alias_history_model_id", "model_id"),
    Index("alias_history_version_id", "version_id"),
    schema="ml",
)

forecasts: Final = Table(
    "forecasts",
    METADATA,
    uuid("id", primary_key=True),
    Column("version", BigInteger, nullable=False),
    text("symbol"),
    text("timeframe"),
    moment("candle"),
    moment("made_at"),
    number("close"),
    number("atr"),
    text("feature_hash"),
    moment("data_first"),
    moment("data_last"),
    Column("horizons", JSON, nullable=False),
    Column("rows", ARRAY(LargeBinary), nullable=False),
    text("trace_id"),
    UniqueConstraint("symbol", "timeframe", "candle"),
    schema="ml",
)
