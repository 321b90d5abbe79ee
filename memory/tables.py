"""The tables of the database. A change here needs a migration, and ``HEAD`` in ``database`` names the newest."""

from __future__ import annotations

from sqlalchemy import JSON, Column, DateTime, LargeBinary, MetaData, Table, Text

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created", DateTime, nullable=False, index=True),
    Column("status", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", JSON),
    Column("spend", JSON, nullable=False),
    Column("stopped", Text, nullable=False),
    Column("records", LargeBinary, nullable=False),
)
"""Finished runs. ``created`` is in UTC, ``records`` are the run's journal lines, compressed with zlib."""
