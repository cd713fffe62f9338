"""Alembic's entry: runs on the connection that `adapters.postgres.migrate.Migrator` hands over."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    version_table_schema="public",
    # A revision and its mark are one transaction: after a kill the next run goes on where this one stopped.
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
