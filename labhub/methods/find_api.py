"""JSON addresses of saved searches."""

from typing import Any

from flask import Response, url_for

from labhub.db import transaction
from labhub.methods import find_commands, find_queries, find_schemas
from labhub.methods.find_models import SavedSearch
from labhub.web.access import SIGNED_IN
from labhub.web.api import Blueprint, answer_record, expected_version
from labhub.web.auth import current_actor
from labhub.web.json import dumps
from labhub.web.once import once

blp = Blueprint(
    "api_saved_searches", __name__, url_prefix="/api/v1/methods/searches", description="Saved searches"
)

BLUEPRINTS = (blp,)
ACCESS = {
    blp: {
        "index": SIGNED_IN,
        "create": "saved-search.create",
        "show": SIGNED_IN,
        "change": "saved-search.change",
        "remove": "saved-search.change",
    }
}


def record_of(row: SavedSearch) -> dict[str, Any]:
    """Return a saved search as the API shows it."""
    return {
        "id": row.id,
        "name": row.name,
        "filters": row.filters,
        "alert": row.alert.value,
        "created_at": row.created_at,
        "ran_at": row.ran_at,
        "address": f"/api/v1/methods?{find_queries.Search.of(row.filters).as_query()}",
    }


@blp.get("")
@blp.response(200, find_schemas.SavedSearchOut(many=True))
@blp.refuses(401)
def index() -> Response:
    """List one's saved searches."""
    rows = [record_of(row) for row in find_queries.saved_searches(current_actor())]
    return Response(dumps(rows), mimetype="application/json")


@blp.post("")
@blp.arguments(find_schemas.SavedSearchIn)
@blp.response(201, find_schemas.SavedSearchOut)
@blp.refuses(401, 409, 422)
@once
def create(given: dict[str, Any]) -> Response:
    """Keep a search and, if wanted, have new matches mailed daily or weekly."""
    with transaction():
        row = find_commands.save_search(current_actor(), given["name"], given["filters"], given["alert"])
        response = answer_record(record_of(row), row.row_version, 201)
    response.headers["Location"] = url_for("api_saved_searches.show", number=row.id)
    return response


@blp.get("/<int:number>")
@blp.response(200, find_schemas.SavedSearchOut)
@blp.refuses(401, 404)
def show(number: int) -> Response:
    """Show one of one's saved searches."""
    row = find_queries.find_saved_search(current_actor(), number)
    return answer_record(record_of(row), row.row_version)


@blp.patch("/<int:number>")
@blp.arguments(find_schemas.SavedSearchChange)
@blp.response(200, find_schemas.SavedSearchOut)
@blp.refuses(401, 404, 409, 412, 422, 428)
def change(given: dict[str, Any], number: int) -> Response:
    """Change name, filters or mails of a saved search; If-Match carries its ETag."""
    actor, expected = current_actor(), expected_version()
    with transaction():
        row = find_commands.change_search(actor, number, expected=expected, **given)
        return answer_record(record_of(row), row.row_version)


@blp.delete("/<int:number>")
@blp.response(204)
@blp.refuses(401, 404)
def remove(number: int) -> None:
    """Delete a saved search."""
    with transaction():
        find_commands.delete_search(current_actor(), number)
