"""What alembic runs for a migration: ``veriloop.memory.database`` hands it the connection, in a transaction."""

from alembic import context

context.configure(**context.config.attributes)
context.run_migrations()
