"""Fixtures: one hub a database for the session, emptied between tests; fakes for clock and mail."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask, has_app_context
from flask.testing import FlaskClient
from hypothesis import settings
from sqlalchemy.engine import make_url

from labhub import alembic, clock, create_app
from labhub.accounts.passwords import hasher
from labhub.config import load
from labhub.db import Model, db
from labhub.i18n import use_language
from labhub.sequences.library_queries import keep_library_in
from tests import services

BACK_ENDS = ("sqlite", "postgresql", "redis", "s3", "chromium", "shared")
REQUIRED = frozenset(
    name for name in os.environ.get("LABHUB_REQUIRE", "").replace(" ", "").split(",") if name
)
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

hasher.cheapen()
settings.register_profile("labhub", derandomize=True, deadline=None, database=None)
settings.load_profile("labhub")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name bytes by their argument: their content may change from run to run (gzip writes the time)."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the database that they run on, and keep each database on one worker."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        back_end = callspec.params.get("database") if callspec else None
        if back_end in BACK_ENDS:
            item.add_marker(getattr(pytest.mark, back_end))
            item.add_marker(pytest.mark.xdist_group(back_end))


def pytest_configure(config: pytest.Config) -> None:
    unknown = REQUIRED - set(BACK_ENDS)
    if unknown:
        raise pytest.UsageError(f"LABHUB_REQUIRE names unknown back ends: {', '.join(sorted(unknown))}")
    config.stash[EXERCISED] = set()


EXERCISED = pytest.StashKey[set[str]]()
_config: list[pytest.Config] = []


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    _config[:] = [session.config]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note which back ends a passed test has used."""
    if report.when == "call" and report.passed and _config:
        _config[0].stash[EXERCISED].update(name for name in BACK_ENDS if name in report.keywords)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say which back ends were exercised, after pytest's own summary line."""
    if hasattr(config, "workerinput") or EXERCISED not in config.stash or not config.stash[EXERCISED]:
        return
    exercised = [name for name in BACK_ENDS if name in config.stash[EXERCISED]]
    missing = [name for name in BACK_ENDS if name not in exercised]
    print(f"back ends exercised: {' '.join(exercised)}; not found: {' '.join(missing) or 'none'}")


def missing(name: str, reason: str) -> None:
    """Skip, or fail where the back end is required."""
    if name in REQUIRED:
        pytest.fail(f"{name} is required (LABHUB_REQUIRE) and was not found: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; tests that use it carry the mark ``shared``."""
    if not SHARED_DATA.is_dir():
        missing("shared", "../shared/data is not there")
    return SHARED_DATA


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    try:
        server = services.postgresql()
        with server as url:
            yield url
    except services.Missing as reason:
        missing("postgresql", str(reason))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    try:
        with services.redis() as url:
            yield url
    except services.Missing as reason:
        missing("redis", str(reason))


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with services.s3() as url:
        yield url


@pytest.fixture(scope="session")
def chromium() -> str:
    try:
        return services.chromium_path()
    except services.Missing as reason:
        missing("chromium", str(reason))
        raise


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The kind of database: every test that uses the hub runs on both."""
    return str(request.param)


class Reset:
    """Brings the database of a hub back to what the migrations made."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.url = make_url(app.config["SQLALCHEMY_ENGINES"]["default"]["url"])
        self.template = f"{self.url.database}_template"
        with app.app_context():
            alembic.upgrade()
            db.session.close()
            db.engine.dispose()
        if self.url.get_backend_name() == "sqlite":
            self._copy_file(str(self.url.database), self.template)
        else:
            with self._connect() as connection:
                self.shape = connection.execute(SHAPE).fetchall()
                connection.execute("CREATE SCHEMA template")
                for table in self._filled(connection):
                    connection.execute(f'CREATE TABLE template."{table}" AS TABLE public."{table}"')
            self._copy_database(str(self.url.database), self.template)

    def __call__(self) -> None:
        with self.app.app_context():
            db.engine.dispose()
        if self.url.get_backend_name() == "sqlite":
            self._copy_file(self.template, str(self.url.database))
            return
        try:
            with self._connect() as connection:
                is_same = connection.execute(SHAPE).fetchall() == self.shape
                if is_same:
                    self._empty(connection)
        except psycopg.OperationalError:  # a lock of a thread that a test left behind
            is_same = False
        if not is_same:  # the test has changed tables or triggers
            self._copy_database(self.template, str(self.url.database))

    def _connect(self, database: str | None = None) -> psycopg.Connection[tuple[Any, ...]]:
        url = self.url.set(drivername="postgresql", database=database or self.url.database)
        connection = psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)
        connection.execute("SET lock_timeout = '3s'")
        return connection

    def _filled(self, connection: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
        names = [table.name for table in Model.metadata.sorted_tables]
        query = " UNION ALL ".join(
            f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM public.\"{name}\")" for name in names
        )
        return [row[0] for row in connection.execute(query).fetchall()]

    def _empty(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        connection.execute("SET session_replication_role = replica")  # no triggers, no foreign keys
        for table in self._filled(connection):
            connection.execute(f'DELETE FROM public."{table}"')
        for (table,) in connection.execute(TEMPLATE_TABLES).fetchall():
            connection.execute(f'INSERT INTO public."{table}" SELECT * FROM template."{table}"')
        for (sequence,) in connection.execute(USED_SEQUENCES).fetchall():
            connection.execute(f"SELECT setval('public.\"{sequence}\"', 1, false)")

    def _copy_file(self, source: str, target: str) -> None:
        for suffix in ("-wal", "-shm"):
            Path(target + suffix).unlink(missing_ok=True)
        with sqlite3.connect(source) as checkpoint:
            checkpoint.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        checkpoint.close()
        shutil.copyfile(source, target)

    def _copy_database(self, source: str, target: str) -> None:
        with self._connect("template1") as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}" STRATEGY FILE_COPY')


SHAPE = """
    SELECT c.relname, c.relkind::text, t.tgname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
    WHERE n.nspname = 'public' ORDER BY 1, 2, 3
"""
TEMPLATE_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'template'"
USED_SEQUENCES = (
    "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
)


class Browser(FlaskClient):
    """A test client whose requests share nothing with the test or with each other.

    The fixture ``app`` keeps a context pushed; Flask would reuse it and its ``g`` for each request.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Make the request in a context of its own; the test then reads what it has changed."""
        with self.application.app_context():
            response = super().open(*args, **kwargs)
        if has_app_context():
            db.session.rollback()
        return response


@pytest.fixture(scope="session")
def session_app(
    database: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Flask, Reset]]:
    folder = tmp_path_factory.mktemp(f"instance-{database}")
    environ = {"LABHUB_INSTANCE": str(folder)}
    if database == "postgresql":
        server = make_url(request.getfixturevalue("postgresql_server"))
        name = f"labhub_{os.getpid()}"
        admin = server.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        environ["LABHUB_DATABASE_URL"] = server.set(database=name).render_as_string(hide_password=False)
    app = create_app(load(environ, testing=True))
    app.test_client_class = Browser
    app.config["TESTING"] = False  # errors are answered as in service
    yield app, Reset(app)
    with app.app_context():
        db.session.close()
        db.engine.dispose()


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Each test begins in English; a request leaves its language behind."""
    use_language("en")
    yield
    use_language("en")


@pytest.fixture
def app(session_app: tuple[Flask, Reset]) -> Iterator[Flask]:
    """An empty hub, with its context pushed; runs on both databases."""
    app, reset = session_app
    reset()
    config = app.extensions["labhub.config"]
    for name in ("backgrounds", "files", "incoming", "library", "mail", "spool"):
        shutil.rmtree(config.instance / name, ignore_errors=True)
    (config.instance / "audit-heads.jsonl").unlink(missing_ok=True)
    with app.app_context():
        keep_library_in(config.instance / "library")  # nothing is remembered of another test's records
        yield app
        db.session.rollback()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A visitor's browser or script."""
    return app.test_client()


@dataclass
class FakeClock:
    """A clock that stands still until it is moved."""

    at: datetime = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **amount: float) -> datetime:
        """Move by ``timedelta(**amount)``."""
        self.at += timedelta(**amount)
        return self.at


@pytest.fixture
def fake_clock() -> Iterator[FakeClock]:
    """The hub's clock, in the test's hand."""
    fake = FakeClock()
    clock.set_source(fake)
    yield fake
    clock.set_source(None)


@dataclass
class FakePostman:
    """Keeps messages instead of sending them; ``down`` makes it fail as a server does."""

    messages: list[EmailMessage] = field(default_factory=list)
    down: bool = False

    def deliver(self, message: EmailMessage, number: int) -> None:
        if self.down:
            raise ConnectionRefusedError("no mail server")
        self.messages.append(message)
