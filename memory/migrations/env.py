"""What alembic runs for a migration: ``veriloop.memory.database`` hands it the connection, in a transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
