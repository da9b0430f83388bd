"""The database: declarative base, engines of both kinds, and the one place that commits.

SQLite: WAL, FULL, foreign keys; what will write begins with ``BEGIN IMMEDIATE``.
PostgreSQL: psycopg 3, READ COMMITTED, ``synchronous_commit`` as the server has it.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from flask import Flask
from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy import DateTime, Engine, Enum, MetaData, event
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from labhub.config import Config

BUSY_TIMEOUT_SECONDS = 5.0
WRITE_OPTION = "labhub_write"
Finish = TypeVar("Finish", bound=Callable[[], None])


class Model(DeclarativeBase):
    """Base of every table; the naming convention keeps constraints the same on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, stored in UTC on both databases; a naive one is a bug and refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC before storing."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time without zone cannot be stored.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back that SQLite does not keep."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def text_enum(kind: type[StrEnum], name: str = "") -> Enum:
    """Return a column type that stores the values of ``kind`` as text, checked by the database.

    ``name`` tells the checks of a table apart that has several columns of one kind.
    """
    return Enum(
        kind,
        values_callable=lambda members: [member.value for member in members],
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=40,
        name=name or _snake(kind.__name__),
    )


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


db = SQLAlchemy(
    engine_options={"pool_pre_ping": True},
    session_options={"expire_on_commit": False, "autoflush": True},
)


def init_db(app: Flask) -> None:
    """Connect the hub to its database.

    The extension also registers an asynchronous clean-up for sessions that labhub has none of; it
    would start an event loop at the end of each request (1 ms of CPU), so it is taken off.
    """
    db.init_app(app)
    app.teardown_appcontext_funcs[:] = [
        function for function in app.teardown_appcontext_funcs if not iscoroutinefunction(function)
    ]
    with app.app_context():
        prepare_engine(db.engine)


def engine_options(config: Config) -> dict[str, Any]:
    """Return the options of ``create_engine`` for this hub's database."""
    if config.is_sqlite:
        return {
            "url": config.database_url,
            "hide_parameters": True,  # a fault's message must not carry bases or texts into the log
            "connect_args": {"timeout": BUSY_TIMEOUT_SECONDS},
        }
    return {
        "url": config.database_url,
        "hide_parameters": True,
        "pool_size": 10,
        "max_overflow": 20,
        "connect_args": {"connect_timeout": 5},
    }


def prepare_engine(engine: Engine) -> None:
    """Set what every connection of ``engine`` must have."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # labhub says BEGIN itself
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_SECONDS * 1000)}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get(WRITE_OPTION, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def transaction() -> Iterator[Session]:
    """Open the one transaction of a request or command line; commit at its end, or roll back.

    Opened inside another it joins it. What was read before is read again, under the lock.
    """
    session = db.session
    if session.info.get("in_transaction"):
        try:
            yield session
        except BaseException:
            session.info["doomed"] = True  # whoever catches this, the outer one may not commit
            raise
        return
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("Rows were changed outside transaction().")
    session.rollback()  # ends the reading transaction: SQLite cannot upgrade it
    session.info["in_transaction"] = True
    session.info["doomed"] = False
    session.info["before_commit"] = {}
    session.info["after_commit"] = []
    try:
        session.connection(execution_options={WRITE_OPTION: True})
        yield session
        if session.info["doomed"]:
            session.rollback()
            return
        for finish in session.info["before_commit"].values():
            finish()
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info["in_transaction"] = False
    for effect in session.info["after_commit"]:
        effect()


def before_commit(key: str, make: Callable[[], Finish]) -> Finish:
    """Return what is called at the end of the present transaction, as its last part.

    It is made at the first use of ``key``, so that many changes are finished together.
    """
    if not db.session.info.get("in_transaction"):
        raise RuntimeError("before_commit() needs transaction().")
    waiting: dict[str, Any] = db.session.info["before_commit"]
    if key not in waiting:
        waiting[key] = make()
    found: Finish = waiting[key]
    return found


def after_commit(effect: Callable[[], None]) -> None:
    """Run ``effect`` once the present transaction has been committed, and not when it is rolled back."""
    if not db.session.info.get("in_transaction"):
        raise RuntimeError("after_commit() needs transaction().")
    db.session.info["after_commit"].append(effect)


@contextmanager
def separate_transaction() -> Iterator[Session]:
    """Open a transaction of its own on another connection (the usage ledger), committed at its end."""
    with db.sessionmaker() as session:
        session.connection(execution_options={WRITE_OPTION: True})
        yield session
        session.commit()
