"""The only place that turns a refusal into an answer: problem documents under /api, pages elsewhere."""

import logging
from typing import Any

import structlog
from flask import Flask, Response, g, redirect, render_template, request, url_for
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException, SecurityError

from labhub.db import db
from labhub.errors import Refusal, SignInNeeded, StaleEdit, TooMany, Unavailable
from labhub.i18n import Text, _
from labhub.web.auth import current_actor, is_api
from labhub.web.json import dumps
from labhub.web.words import in_our_words

log = structlog.get_logger("labhub.web")

TITLES: dict[int, Text] = {
    400: _("The request cannot be read"),
    401: _("Sign in first"),
    403: _("Not allowed"),
    404: _("Not found"),
    405: _("Not possible here"),
    406: _("Not available in this form"),
    409: _("In conflict with the present state"),
    412: _("Changed by somebody else meanwhile"),
    413: _("Too large"),
    415: _("Wrong type of content"),
    416: _("No such part of the file"),
    422: _("Please correct the input"),
    428: _("The version is missing"),
    429: _("Too many requests"),
    500: _("A fault of the hub"),
    503: _("Not available now"),
    507: _("No room left"),
}

DETAILS: dict[int, Text] = {
    400: _("The request is not well formed."),
    404: _("There is nothing at this address."),
    405: _("This address does not take this kind of request."),
    413: _("What was sent is larger than the hub takes. See the limit on the form or in the documentation."),
    415: _("Send application/json, or multipart/form-data where a file belongs."),
    422: _("Some fields are wrong; see the list."),
    500: _("The fault has been noted. If you report it, give the number of the request."),
}


def init_errors(app: Flask) -> None:
    """Register the handlers; called after ``Api(app)``, whose own answer every error as JSON."""
    app.register_error_handler(Refusal, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(StaleDataError, _stale)
    app.register_error_handler(OperationalError, _database)
    app.register_error_handler(IntegrityError, _integrity)
    app.register_error_handler(Exception, _fault)


def _refused(refusal: Refusal) -> Response:
    headers: dict[str, str] = {}
    if isinstance(refusal, TooMany):
        headers["Retry-After"] = str(refusal.retry_after)
    elif isinstance(refusal, Unavailable):
        headers["Retry-After"] = "5"
    if isinstance(refusal, SignInNeeded):
        headers["WWW-Authenticate"] = 'Bearer realm="labhub"'
        if not is_api() and request.method in ("GET", "HEAD") and request.endpoint != "accounts.sign_in":
            return _redirect_to_sign_in()
    if refusal.status in (401, 403, 429):
        log.warning("refused", status=refusal.status, code=refusal.code, path=request.path)
    return answer(refusal.status, refusal.message, refusal.errors, headers)


def _redirect_to_sign_in() -> Response:
    target = request.full_path.rstrip("?") if request.query_string else request.path
    return redirect(url_for("accounts.sign_in", next=target), 303)  # type: ignore[return-value]


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if isinstance(error, SecurityError):  # no address can be built for a host that is not ours
        text = str(_("This hub does not answer for the host name that was asked for."))
        return Response(text, status, mimetype="text/plain")
    if status in (301, 302, 303, 307, 308):
        return error.get_response()  # type: ignore[return-value]
    messages = getattr(error, "data", {}).get("messages", {})
    errors: dict[str, list[Text]] = {}
    if isinstance(messages, dict):
        for location, fields in messages.items():
            if location in ("query", "path") and status == 422:
                status = 400
            errors.update(flat_messages(fields))
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return answer(status, DETAILS.get(status, TITLES.get(status, _("Refused."))), errors, headers)


def flat_messages(fields: Any, prefix: str = "") -> dict[str, list[Text]]:
    """Return marshmallow's nested messages by one key for each field (``oligos.0.sequence``)."""
    if isinstance(fields, dict):
        flat: dict[str, list[Text]] = {}
        for key, value in fields.items():
            flat.update(flat_messages(value, f"{prefix}.{key}" if prefix else str(key)))
        return flat
    texts = fields if isinstance(fields, list) else [fields]
    return {prefix or "_": [in_our_words(text) if isinstance(text, str) else text for text in texts]}


def _stale(_error: StaleDataError) -> Response:
    return _refused(
        StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))
    )


def _database(error: OperationalError) -> Response:
    log.error("database", error=type(error.orig).__name__)
    return _refused(Unavailable(_("The database is busy. Nothing was stored; try again in a moment.")))


def _integrity(error: IntegrityError) -> Response:
    log.warning("conflict", error=type(error.orig).__name__)
    return answer(409, _("Somebody else stored the same at this moment. Load the page again."))


def _fault(error: Exception) -> Response:
    log.error("fault", exc_info=error, path=request.path)
    logging.getLogger("labhub.fault").debug("fault", exc_info=error)
    return answer(500, DETAILS[500])


def answer(
    status: int,
    detail: Text,
    errors: dict[str, list[Text]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a refusal in the form that the caller reads."""
    db.session.rollback()
    title = TITLES.get(status, _("Refused"))
    if is_api():
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": str(title),
            "status": status,
            "detail": str(detail),
            "instance": f"urn:labhub:request:{g.get('request_id', '')}",
            "errors": {key: [str(text) for text in texts] for key, texts in (errors or {}).items()},
        }
        response = Response(dumps(body), status, mimetype="application/problem+json")
    else:
        page = render_template(
            "error.html",
            status=status,
            title=title,
            detail=detail,
            errors=errors or {},
            request_id=g.get("request_id", ""),
            actor=current_actor(),
        )
        response = Response(page, status, mimetype="text/html")
    response.headers.extend(headers or {})
    response.headers["Cache-Control"] = "no-store"
    return response
