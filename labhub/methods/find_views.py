"""Pages of finding: the list as a file."""

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from labhub.cells import write_csv
from labhub.methods import find_queries, find_schemas
from labhub.web.access import PUBLIC
from labhub.web.auth import current_actor
from labhub.web.forms import load_query

bp = Blueprint("method_searches", __name__)

ACCESS = {"list_csv": PUBLIC}

MOST_LINES = 5000
"""Methods in a list that is downloaded as CSV; the export of the command line has no limit."""
CSV_COLUMNS = tuple(find_schemas.MethodRow().fields)


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
