"""JSON addresses of background genomes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Response

from labhub.sequences import background_queries as queries
from labhub.sequences import background_schemas as schemas
from labhub.web.access import PUBLIC
from labhub.web.api import Blueprint, answer_page, page_of, sorted_by

blp = Blueprint(
    "api_backgrounds",
    __name__,
    url_prefix="/api/v1/backgrounds",
    description="Genomes that methods are searched in for unwanted products",
)

BLUEPRINTS = (blp,)
ACCESS = {blp: {"index": PUBLIC}}


@blp.get("")
@blp.arguments(schemas.BackgroundList, location="query")
@blp.response(200, schemas.BackgroundRow(many=True))
@blp.refuses(400)
def index(arguments: dict[str, Any]) -> Response:
    """List the background genomes of this hub. Sort by `name`, `taxon`, `base_count` or `added_at`."""
    query = queries.listed_genomes(arguments["q"], arguments["taxon"])
    query = sorted_by(query, arguments["sort"], queries.LIST_COLUMNS, "name", queries.LIST_TIE)
    page = page_of(query, arguments["page"], arguments["page_size"])
    return answer_page(replace(page, rows=[record_of(row) for row in page.rows]))


def record_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the list as it is answered."""
    return {
        "name": row["name"],
        "slug": row["slug"],
        "taxon": row["taxon"],
        "source": row["source"],
        "licence": row["licence"],
        "records": row["record_count"],
        "circular_records": row["circular_count"],
        "bases": row["base_count"],
        "longest_record": row["longest_record"],
        "digest": row["digest"],
        "file_bytes": row["file_bytes"],
        "from_file": row["from_file"],
        "added_at": row["added_at"],
        "verified_at": row["verified_at"],
        "usable": not row["problem"],
    }
