"""Alembic's environment, the same for all services: a connection and the service's MetaData are handed in."""

from alembic import context

config = context.config
context.configure(
    connection=config.attributes["connection"],
    target_metadata=config.attributes["metadata"],
    include_name=config.attributes["include_name"],
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
