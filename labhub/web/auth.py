"""Who makes this request, and whether the door is open to them.

A browser signs in through Flask-Login (set up by Flask-Security); its cookie names a row of
``login_session`` that is looked at in each request. A script sends a bearer token. Writing
from a browser needs the CSRF token and a request from our own pages (``trust.md`` B4, B10).
"""

import re
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Flask, g, request, session
from flask_login import current_user
from flask_security import Security
from flask_security.datastore import FSQLALiteUserDatastore
from flask_security.utils import login_user, logout_user
from flask_wtf.csrf import generate_csrf, validate_csrf
from sqlalchemy.exc import OperationalError
from wtforms import ValidationError

from labhub import audit, clock
from labhub.accounts import commands, queries
from labhub.accounts.actor import VISITOR, Actor, Scope
from labhub.accounts.models import User
from labhub.accounts.policy import ADMINISTRATIVE, may_ever
from labhub.config import Config
from labhub.db import db, transaction
from labhub.errors import NotAllowed, Refusal, SignInNeeded
from labhub.i18n import LANGUAGES, RIGHT_TO_LEFT, _, current_language, use_language
from labhub.web.access import PUBLIC, SIGNED_IN, need_of

log = structlog.get_logger("labhub.auth")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECRET_PARAMETERS = frozenset({"token", "access_token", "api_key", "bearer", "auth_token"})
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
LOGIN_KEY = "login_key"


class _NoRoles:
    """Flask-Security wants a role table; labhub's roles are dated grants of ``accounts``."""

    name = ""


class Datastore(FSQLALiteUserDatastore):
    """The datastore of Flask-Security; it never commits, ``db.py`` does."""

    def commit(self) -> None:
        """Leave committing to ``transaction()``."""


def init_auth(app: Flask, config: Config) -> None:
    """Set up cookies, Flask-Login and the question asked before every request."""
    app.config.update(
        SESSION_COOKIE_NAME="__Host-labhub",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SESSION_REFRESH_EACH_REQUEST=False,
        TRUSTED_HOSTS=sorted(config.allowed_hosts),
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_CHECK_DEFAULT=False,
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106 (a scheme)
        SECURITY_PASSWORD_SINGLE_HASH=True,
        SECURITY_PASSWORD_SALT=config.secret_key,
        SECURITY_SEND_REGISTER_EMAIL=False,
        SECURITY_CSRF_IGNORE_UNAUTH_ENDPOINTS=True,
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
    )
    security = Security(app, Datastore(db, User, _NoRoles), register_blueprint=False)  # type: ignore[arg-type]
    app.login_manager.session_protection = None  # type: ignore[attr-defined]
    app.login_manager.user_loader(_load_user)  # type: ignore[attr-defined]
    app.login_manager.request_loader(lambda _request: None)  # type: ignore[attr-defined]
    app.extensions["labhub.security"] = security
    app.before_request(_before_request)
    app.url_defaults(_keep_language)
    app.context_processor(
        lambda: {
            "actor": current_actor(),
            "language": current_language(),
            "languages": LANGUAGES,
            "text_direction": "rtl" if current_language() in RIGHT_TO_LEFT else "ltr",
            "csrf_token": generate_csrf,
            "once_key": lambda: secrets.token_urlsafe(16),
        }
    )


def _load_user(identity: str) -> User | None:
    key = session.get(LOGIN_KEY)
    found = queries.session_user(key) if isinstance(key, str) else None
    if found is None or found[1].fs_uniquifier != identity:
        return None
    g.login_session = found[0]
    return found[1]


def is_api() -> bool:
    """Whether the request is for JSON."""
    return request.path.startswith("/api/")


def current_actor() -> Actor:
    """Return who makes this request; a visitor when nobody is signed in."""
    actor: Actor = g.get("actor", VISITOR)
    return actor


def received_at() -> datetime:
    """Return when this request reached the hub, before it waited for anything (``trust.md`` H8)."""
    instant: datetime = g.received_at
    return instant


def _before_request() -> None:
    g.received_at = clock.now()
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    audit.set_origin(g.request_id, "api" if is_api() else "web")
    use_language(_chosen_language() or "en")
    request.host  # noqa: B018 (raises 400 for a host that is not ours)
    if request.endpoint == "static":
        return
    if any("\x00" in value for value in (request.path, *request.args.values())):
        raise Refusal(_("The address holds a NUL sign."))
    if SECRET_PARAMETERS & {name.casefold() for name in request.args}:
        raise Refusal(_("A token in an address ends up in logs. Send it in the Authorization header."))
    g.actor = _identify()
    need = need_of(request.endpoint)
    if request.endpoint is not None:
        _check_door(need)
    if request.method not in SAFE_METHODS:
        _check_write(need)


def _identify() -> Actor:
    header = request.headers.get("Authorization")
    if header is not None:
        return _bearer(header)
    user = current_user._get_current_object() if session.get(LOGIN_KEY) else None
    row = g.get("login_session")
    if user is None or row is None or not isinstance(user, User):
        return VISITOR
    actor = queries.actor_of(user, session_id=row.id)
    if not request.args.get("lang"):
        use_language(user.language)
    if clock.now() - row.seen_at >= commands.SEEN_STEP:
        _note_use(lambda: commands.touch_session(row.id))
    return actor


def _note_use(note: Callable[[], None]) -> None:
    """Write down that a session or token was used; a disk that is full does not stop reading (F3)."""
    try:
        with transaction():
            note()
    except OperationalError as error:
        log.error("use-not-noted", error=type(error.orig).__name__)


def _bearer(header: str) -> Actor:
    kind, _blank, token = header.partition(" ")
    found = queries.token_user(token.strip()) if kind.casefold() == "bearer" else None
    if found is None:
        raise SignInNeeded(_("The token is not valid: it is unknown, stopped or has run out."))
    row, user = found
    g.token_id = row.id
    if not request.args.get("lang") and "Accept-Language" not in request.headers:
        use_language(user.language)
    actor = queries.actor_of(user, token=row)
    if row.last_used_at is None or clock.now() - row.last_used_at >= commands.SEEN_STEP:
        _note_use(lambda: commands.touch_token(row.id))
    return actor


def _check_door(need: str | None) -> None:
    actor = current_actor()
    if need == PUBLIC:
        return
    if need is None:
        raise NotAllowed(_("This address is not open."))
    if actor.user_id is None and not may_ever(actor, need) if need != SIGNED_IN else actor.user_id is None:
        raise SignInNeeded(_("Sign in to do this."))
    if need != SIGNED_IN and not may_ever(actor, need):
        raise NotAllowed(_("Your role does not allow this. Ask the Secretariat if you think it should."))


def _check_write(need: str | None) -> None:
    actor = current_actor()
    if actor.scope is not None:
        if actor.scope is Scope.READ:
            raise NotAllowed(_("This token is for reading only."))
        if need in ADMINISTRATIVE and actor.scope is not Scope.ADMIN:
            raise NotAllowed(_("This needs a token with the scope admin."))
        return
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise NotAllowed(_("This request comes from another site."))
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise NotAllowed(_("This request comes from another site."))
    if is_api() and actor.user_id is None and need == PUBLIC and request.is_json:
        return  # no session whose rights could be used; JSON from elsewhere needs a preflight, refused above
    try:
        validate_csrf(request.headers.get("X-CSRF-Token") or request.form.get("csrf_token"))
    except ValidationError as error:
        raise NotAllowed(
            _("The page is too old, or the request did not come from it. Reload the page and try again.")
        ) from error


def require_scope(actor: Actor, scope: Scope) -> None:
    """Refuse a token below ``scope`` (browsers are not limited)."""
    order = list(Scope)
    if actor.scope is not None and order.index(actor.scope) < order.index(scope):
        raise NotAllowed(_("This needs a token with the scope %(scope)s.", scope=scope))


def sign_in_browser(user: User, key: str) -> None:
    """Put the new session into a fresh cookie."""
    session.clear()
    login_user(user)  # type: ignore[arg-type]
    session[LOGIN_KEY] = key


def sign_out_browser() -> None:
    """Forget the session in this browser."""
    logout_user()
    session.clear()


def _chosen_language() -> str | None:
    chosen = request.args.get("lang")
    if chosen in LANGUAGES:
        g.language_chosen = chosen
        return chosen
    return request.accept_languages.best_match(list(LANGUAGES))


def _keep_language(endpoint: str, values: dict[str, Any]) -> None:
    chosen = g.get("language_chosen") if g else None
    if chosen and endpoint != "static" and not endpoint.startswith("api") and "lang" not in values:
        values["lang"] = chosen
