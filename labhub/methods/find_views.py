"""Pages of finding: the list as a file, saved searches, and the link that stops their mails."""

from flask import Blueprint, Flask, Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from huey import crontab

from labhub import audit
from labhub.cells import write_csv
from labhub.config import Config
from labhub.db import transaction
from labhub.errors import Conflict, Invalid, Refusal, StaleEdit
from labhub.i18n import _
from labhub.methods import find_commands, find_queries, find_schemas
from labhub.methods.find_models import ALERT_NAMES
from labhub.web.access import PUBLIC, SIGNED_IN
from labhub.web.api import expected_version
from labhub.web.auth import current_actor
from labhub.web.forms import load, load_form, load_query
from labhub.web.once import once

bp = Blueprint("method_searches", __name__)

ACCESS = {
    "list_csv": PUBLIC,
    "index": SIGNED_IN,
    "new": "saved-search.create",
    "create": "saved-search.create",
    "save": "saved-search.change",
    "remove": "saved-search.change",
    "stop": PUBLIC,
    "stopped": PUBLIC,
}

MOST_LINES = 5000
"""Methods in a list that is downloaded as CSV; the export of the command line has no limit."""
CSV_COLUMNS = tuple(find_schemas.MethodRow().fields)


def init_alerts(app: Flask) -> None:
    """Set up the job that mails new matches of saved searches; it looks every hour which are due."""

    @app.extensions["labhub.jobs"].huey.periodic_task(crontab(minute="25"))
    @app.extensions["labhub.jobs"].huey.lock_task("saved-searches")
    def send_alerts() -> int:
        with app.app_context(), audit.from_source("", "job"):
            return find_commands.send_alerts(_config(app).secret_key)


def _config(app: Flask) -> Config:
    config: Config = app.extensions["labhub.config"]
    return config


@bp.get("/methods/list.csv")
def list_csv() -> ResponseReturnValue:
    """Give the list with its filters and order as CSV."""
    given = load_query(find_schemas.MethodArguments())
    selection = find_queries.Selection(current_actor(), find_queries.Search.of(given))
    page = find_queries.find(selection, sort=given["sort"], page=1, page_size=MOST_LINES)
    lines = [{name: _cell(value) for name, value in row.items()} for row in page.as_rows()]
    response = Response(write_csv(CSV_COLUMNS, lines), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="methods.csv"'
    return response


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "; ".join(value) if isinstance(value, list) else str(value)


@bp.get("/methods/searches")
def index() -> ResponseReturnValue:
    """List one's saved searches."""
    return _page()


@bp.get("/methods/searches/new")
def new() -> ResponseReturnValue:
    """Show the form that keeps the search of the address."""
    given = load_query(find_schemas.MethodArguments())
    return _page(find_queries.Search.of(given))


def _page(search: find_queries.Search | None = None, refusal: Refusal | None = None) -> ResponseReturnValue:
    rows = [
        (row, find_queries.Search.of(row.filters)) for row in find_queries.saved_searches(current_actor())
    ]
    page = render_template(
        "methods/searches.html",
        rows=rows,
        search=search,
        alerts=[(kind.value, _(text)) for kind, text in ALERT_NAMES.items()],
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return page, refusal.status if refusal else 200


@bp.post("/methods/searches")
@once
def create() -> ResponseReturnValue:
    """Keep a search."""
    search = find_queries.Search.of(load_query(find_schemas.MethodArguments()))
    try:
        given = load_form(find_schemas.SavedSearchForm())
        with transaction():
            find_commands.save_search(current_actor(), given["name"], search.as_filters(), given["alert"])
    except (Invalid, Conflict) as refusal:
        return _page(search, refusal)
    flash(str(_("The search is saved.")))
    return redirect(url_for("method_searches.index"), 303)


@bp.post("/methods/searches/<int:number>")
def save(number: int) -> ResponseReturnValue:
    """Change how often a search mails."""
    try:
        given = load(find_schemas.AlertForm(), {"alert": request.form.get("alert", "")})
        with transaction():
            find_commands.change_search(
                current_actor(), number, expected=expected_version(), alert=given["alert"]
            )
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _page(None, refusal)
    flash(str(_("The search is changed.")))
    return redirect(url_for("method_searches.index"), 303)


@bp.post("/methods/searches/<int:number>/removal")
def remove(number: int) -> ResponseReturnValue:
    """Delete a search."""
    with transaction():
        find_commands.delete_search(current_actor(), number)
    flash(str(_("The search is deleted.")))
    return redirect(url_for("method_searches.index"), 303)


@bp.get("/methods/searches/stop/<token>")
def stop(token: str) -> ResponseReturnValue:
    """Ask whether the mails of a search are to stop: reading an address changes nothing."""
    return render_template("methods/search_stop.html", token=token, row=None)


@bp.post("/methods/searches/stop/<token>")
def stopped(token: str) -> ResponseReturnValue:
    """Stop the mails of the search that the link names."""
    with transaction():
        row = find_commands.unsubscribe(token, _config(current_app).secret_key)
    return render_template("methods/search_stop.html", token=token, row=row)
