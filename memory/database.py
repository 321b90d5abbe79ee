"""The one database of a user: opened by URL, its tables brought up to date on the way."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from ..core.errors import UsageError, plain
from ..core.settings import Settings

HEAD = "0001"
"""The newest migration. Names are numbers of four digits, so that they compare."""
VERSIONS = "veriloop_version"
"""The table with the name of the newest migration: a database may hold other programs' tables."""
MIGRATIONS = Path(__file__).with_name("migrations")
PATIENCE = 30
"""Seconds a writer waits for another one."""


def url_of(settings: Settings) -> URL:
    """Where the data lives. Raises ``UsageError`` for what is not a database URL."""
    if not settings.store:
        return URL.create("sqlite", database=str(settings.folder.absolute() / "veriloop.sqlite"))
    try:
        url = make_url(settings.store)
    except SQLAlchemyError:
        raise UsageError(
            "setting 'store' (VERILOOP_STORE) is not a database URL; write sqlite:////folder/file.sqlite or "
            "postgresql+psycopg://user:password@host/database"
        ) from None
    if url.drivername == "postgres":  # as servers hand it out, and as SQLAlchemy does not read it
        right = url.set(drivername="postgresql+psycopg").render_as_string(hide_password=True)
        raise UsageError(f"the store {shown(url)} must be written {right} (VERILOOP_STORE)")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise UsageError(f"the store {url} would forget everything at once; name a file: sqlite:////folder/file.sqlite")
    return url


def file_of(url: URL) -> Path | None:
    """The file of a SQLite database; none for others."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def shown(url: URL) -> str:
    """The file or the URL, without the password."""
    return str(file_of(url) or url.render_as_string(hide_password=True))


@contextmanager
def plainly(url: URL) -> Generator[None]:
    """A database's faults become one line for a person (``UsageError``)."""
    try:
        yield
    except (SQLAlchemyError, OSError, ImportError) as error:
        said = plain(getattr(error, "orig", None) or error).splitlines()[0]
        if isinstance(error, ImportError):
            said = f"the package {error.name} is missing, install it"
        raise UsageError(f"cannot use the store {shown(url)}: {said}; VERILOOP_STORE names another") from error


def opened(url: URL) -> Engine:
    """The database with its tables up to date; a SQLite file and its folder are made where there are none.

    Connections are made when needed and kept by nobody. A transaction that will write says so with the execution
    option ``write``.
    """
    with plainly(url):
        file = file_of(url)
        if file is None:
            engine = create_engine(url, poolclass=NullPool)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                file.touch(0o600, exist_ok=False)
            engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": PATIENCE})
            event.listen(engine, "connect", _settle)
            event.listen(engine, "begin", _begin)
        _upgrade(engine)
        return engine


def _settle(connection: Any, _: Any) -> None:
    """Transactions are begun below, not by the driver; no WAL: before SQLite 3.51.3 it can lose writes of several."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=DELETE").close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _upgrade(engine: Engine) -> None:
    """Bring the tables to ``HEAD``. One process does it, others wait and find it done."""
    with engine.connect() as connection:
        if _version(connection) == HEAD:
            return
    with engine.execution_options(write=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(8374507)"))
        old = _version(connection)
        if old == HEAD:
            return
        if old > HEAD:
            raise UsageError(f"the store {shown(engine.url)} was written by a newer veriloop ({old}); upgrade veriloop")
        _back_up(connection, old)
        _migrate(connection)


def _version(connection: Connection) -> str:
    if not inspect(connection).has_table(VERSIONS):
        return ""
    return connection.scalar(text(f"SELECT version_num FROM {VERSIONS}")) or ""


def _back_up(connection: Connection, old: str) -> None:
    """Copy a SQLite database that holds something to ``FILE.OLD.bak``, while the migration's lock keeps writers out."""
    file = file_of(connection.engine.url)
    if file is None or not inspect(connection).get_table_names():
        return
    copy = file.with_name(f"{file.name}.{old or 'none'}.bak")
    partial = copy.with_name(f".{copy.name}.part")
    partial.unlink(missing_ok=True)
    partial.touch(0o600)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(partial)) as target:
        source.backup(target)
    partial.replace(copy)


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, version_table=VERSIONS)
    command.upgrade(config, "head")
