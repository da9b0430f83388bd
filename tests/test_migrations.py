"""Migrations: one line of them, the same as the models, up and down over rows on both databases."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy import inspect, text
from sqlalchemy.engine import make_url

from labhub import alembic, create_app
from labhub.cli import initialise
from labhub.config import load
from labhub.db import Model, db, transaction


@pytest.fixture
def empty_app(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """A hub with no table yet, on each database."""
    environ = {"LABHUB_INSTANCE": str(tmp_path)}
    admin = name = ""
    if database == "postgresql":
        server = make_url(request.getfixturevalue("postgresql_server"))
        name = f"migrations_{os.getpid()}"
        admin = server.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        environ["LABHUB_DATABASE_URL"] = server.set(database=name).render_as_string(hide_password=False)
    app = create_app(load(environ, testing=True))
    with app.app_context():
        yield app
        db.session.close()
    with app.app_context():
        db.engine.dispose()
    if admin:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_there_is_one_head(app: Flask) -> None:
    assert len(alembic.heads()) == 1


def test_upgraded_schema_equals_the_models(app: Flask) -> None:
    differences = alembic.compare_metadata()
    assert differences == []


def test_file_names_begin_with_their_date(app: Flask) -> None:
    folder = Path(__file__).resolve().parent.parent / "migrations" / "versions"
    names = [path.name for path in folder.glob("*.py")]
    assert names
    for name in names:
        assert name[:8].isdecimal() and name[8] == "_" and name[9:13].isdecimal(), name


def test_a_migration_does_not_import_labhub() -> None:
    folder = Path(__file__).resolve().parent.parent / "migrations" / "versions"
    for path in folder.glob("*.py"):
        assert "labhub" not in path.read_text(), path.name


def row_counts() -> dict[str, int]:
    return {
        table.name: db.session.execute(text(f'SELECT count(*) FROM "{table.name}"')).scalar_one()
        for table in Model.metadata.sorted_tables
    }


def test_steps_go_up_down_and_up_again_over_rows(empty_app: Flask) -> None:
    alembic.upgrade()
    db.session.rollback()
    with empty_app.app_context():
        initialise()
    before = row_counts()
    db.session.rollback()
    assert before["party"] == 198
    assert before["detection_method"] > 100
    revisions = [script.revision for script in alembic.script_directory.walk_revisions()]
    for revision in revisions[1:]:
        alembic.downgrade(revision)
        alembic.upgrade(revision)  # nothing to do, and it says so
    alembic.downgrade("base")
    tables = set(inspect(db.engine).get_table_names()) - {"alembic_version"}
    assert tables == set()
    alembic.upgrade()
    assert alembic.compare_metadata() == []


def test_lower_tables_keep_their_rows_while_upper_ones_go_and_come(empty_app: Flask) -> None:
    alembic.upgrade()
    db.session.rollback()
    with empty_app.app_context():
        initialise()
    alembic.downgrade("0003")
    assert db.session.execute(text("SELECT count(*) FROM lmo")).scalar_one() == 115
    assert db.session.execute(text("SELECT count(*) FROM party")).scalar_one() == 198
    db.session.rollback()
    alembic.upgrade()
    with empty_app.app_context():
        initialise()
        assert db.session.execute(text("SELECT count(*) FROM detection_method")).scalar_one() > 100


def test_init_twice_changes_nothing(empty_app: Flask) -> None:
    with empty_app.app_context():
        initialise()
        first = row_counts()
        db.session.rollback()
        initialise()
        assert row_counts() == first


def test_sqlite_connections_have_the_settings_of_the_stack(app: Flask) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("SQLite only")
    with transaction() as session:
        assert session.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
        assert session.execute(text("PRAGMA synchronous")).scalar_one() == 2  # FULL
        assert session.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        other = sqlite3.connect(str(db.engine.url.database), timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
