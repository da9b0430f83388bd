"""Pages of the hub itself: front page, health, the API's page, the way to another language."""

from functools import cache
from pathlib import Path
from typing import Any

from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, Flask, Response, current_app, g, render_template, request, url_for
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from labhub import clock
from labhub.accounts.policy import can, may_ever
from labhub.db import db
from labhub.i18n import N_, RIGHT_TO_LEFT, _, current_language
from labhub.web.access import PUBLIC
from labhub.web.auth import current_actor
from labhub.web.json import dumps

bp = Blueprint("pages", __name__)

ACCESS = {
    "home": PUBLIC,
    "healthz": PUBLIC,
    "readyz": PUBLIC,
    "api_page": PUBLIC,
    "security_txt": PUBLIC,
    "robots_txt": PUBLIC,
}

NAVIGATION: tuple[tuple[str, str, str | None], ...] = (
    ("methods.index", N_("Methods"), None),
    ("sequences.index", N_("Sequences"), None),
    ("lmos.index", N_("LMOs"), None),
    ("samples.index", N_("Cases"), "case.list"),
    ("forum.index", N_("Discussions"), None),
    ("indicators.index", N_("Indicators"), None),
    ("accounts.laboratories", N_("Laboratories"), None),
    ("accounts.nominations", N_("Nominations"), "join.read"),
    ("accounts.people", N_("People"), "user.list"),
)
"""Entries of the main navigation: endpoint, title, and the action that it needs (or nothing)."""


def init_pages(app: Flask) -> None:
    """Give the templates what the layout needs."""
    app.context_processor(_layout)
    app.jinja_env.filters["moment"] = moment
    app.jinja_env.globals.update(can=can, url_for=_remembered_address)


MOST_ADDRESSES = 2000
_addresses: dict[tuple[Any, ...], str] = {}


def _remembered_address(endpoint: str, **values: Any) -> str:
    """Return ``url_for`` of a template, built once: a page has dozens of the same few addresses."""
    if endpoint.startswith(".") or any(name.startswith("_") for name in values):
        return url_for(endpoint, **values)
    try:
        key = (endpoint, request.script_root, g.get("language_chosen"), *values.items())
        found = _addresses.get(key)
    except TypeError:  # a list of values
        return url_for(endpoint, **values)
    if found is None:
        found = url_for(endpoint, **values)
        if len(_addresses) < MOST_ADDRESSES and len(found) < 200:
            _addresses[key] = found
    return found


def _layout() -> dict[str, Any]:
    actor = current_actor()

    def in_language(code: str) -> str:
        view = dict(request.view_args or {})
        arguments = {key: values for key, values in request.args.to_dict(flat=False).items() if key != "lang"}
        if request.endpoint is None or request.method != "GET":
            return url_for("pages.home", lang=code)
        return url_for(request.endpoint, **{**view, **arguments, "lang": code})

    return {
        "navigation": [
            (endpoint, _(title))
            for endpoint, title, need in NAVIGATION
            if endpoint in current_app.view_functions and (need is None or may_ever(actor, need))
        ],
        "url_in_language": in_language,
        "now": clock.now(),
        "lang_field": request.args.get("lang", ""),
    }


def moment(value: Any) -> str:
    """Return an instant as ``2026-03-02 10:00 UTC``, kept together in a right-to-left page."""
    if not value:
        return ""
    text: str = value.strftime("%Y-%m-%d %H:%M UTC")
    return f"\u2066{text}\u2069" if current_language() in RIGHT_TO_LEFT else text


@bp.get("/")
def home() -> str:
    """Show the front page."""
    return render_template("home.html", cards=[(url_for(e), t, d) for e, t, d in _cards()])


CARDS: list[tuple[str, str, str]] = [
    (
        "methods.index",
        N_("Detection methods"),
        N_("Find, check and download validated methods; laboratories upload and review them."),
    ),
    (
        "sequences.index",
        N_("Reference sequences"),
        N_("Download reviewed reference sequences of LMOs and elements."),
    ),
    (
        "lmos.index",
        N_("LMOs and elements"),
        N_("Unique identifiers, events, genetic elements and the matrix."),
    ),
    ("samples.index", N_("Cases"), N_("Log samples, custody and results for Articles 17, 18 and 25.")),
    (
        "forum.index",
        N_("Discussions"),
        N_("Read the network's dated discussions; nominated participants post."),
    ),
    ("indicators.index", N_("Indicators"), N_("The activities and indicators of decision CP-VIII/3.")),
]


def _cards() -> list[tuple[str, Any, Any]]:
    return [(e, _(title), _(text)) for e, title, text in CARDS if e in current_app.view_functions]


@bp.get("/healthz")
def healthz() -> Response:
    """Say that the process answers."""
    return Response(dumps({"status": "ok"}), mimetype="application/json")


@bp.get("/readyz")
def readyz() -> Response:
    """Say whether database, storage and migrations are ready, without detail."""
    parts = {"database": _database_ready(), "storage": _storage_ready()}
    parts["migrations"] = parts["database"] and _migrations_ready()
    status = 200 if all(parts.values()) else 503
    return Response(dumps(parts), status, mimetype="application/json", headers={"Cache-Control": "no-store"})


def _database_ready() -> bool:
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        db.session.rollback()
        return False
    return True


def _migrations_ready() -> bool:
    """Compare the database with the newest migration, over a connection of this request alone.

    Flask-Alembic keeps one connection for the whole application and closes it at the end of any request.
    """
    try:
        with db.engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_heads()
    except SQLAlchemyError:
        return False
    return set(current) == _newest_migrations(current_app.config["ALEMBIC"]["script_location"])


@cache
def _newest_migrations(folder: str) -> frozenset[str]:
    config = AlembicConfig()
    for name, value in (("script_location", folder), ("version_locations", folder), ("path_separator", "os")):
        config.set_main_option(name, value.replace("%", "%%"))
    return frozenset(ScriptDirectory.from_config(config).get_heads())


def _storage_ready() -> bool:
    try:
        current_app.extensions["labhub.store"].check()
    except OSError:
        return False
    return True


@bp.get("/api/v1/docs")
def api_page() -> str:
    """Show the description of the API, browsable."""
    return render_template("api_page.html")


@bp.get("/.well-known/security.txt")
def security_txt() -> Response:
    """Say how to report a weakness."""
    config = current_app.extensions["labhub.config"]
    lines = (
        f"Contact: mailto:{config.mail_from}",
        f"Expires: {clock.now().year + 1}-01-01T00:00:00Z",
        "Preferred-Languages: en",
        f"Canonical: {config.base_url}{request.path}",
    )
    return Response("\n".join(lines) + "\n", mimetype="text/plain")


@bp.get("/robots.txt")
def robots_txt() -> Response:
    """Ask robots to leave downloads and searches alone."""
    path = Path(current_app.root_path) / "web" / "static" / "robots.txt"
    return Response(path.read_text(), mimetype="text/plain")
