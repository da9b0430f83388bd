"""The page of background genomes."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from labhub.methods import background_queries as method_backgrounds
from labhub.sequences import background_queries as queries
from labhub.sequences import background_schemas as schemas
from labhub.web.access import PUBLIC
from labhub.web.api import page_of, sorted_by
from labhub.web.forms import load_query

bp = Blueprint("backgrounds", __name__)

ACCESS = {"index": PUBLIC}


@bp.get("/sequences/backgrounds")
def index() -> ResponseReturnValue:
    """List the background genomes, and how far the methods have been searched in each."""
    given = load_query(schemas.BackgroundList())
    query = queries.listed_genomes(given["q"], given["taxon"])
    query = sorted_by(query, given["sort"], queries.LIST_COLUMNS, "name", queries.LIST_TIE)
    page = page_of(query, given["page"], given["page_size"])
    return render_template(
        "sequences/backgrounds.html",
        page=page,
        filters={"q": given["q"], "taxon": given["taxon"]},
        sort=given["sort"] or "name",
        short_bases=queries.short_bases,
        standing=method_backgrounds.standing([row["id"] for row in page.rows]),
    )
