"""JSON addresses of LMOs, elements and the matrix."""

from dataclasses import replace
from typing import Any

from flask import Response, url_for

from labhub.db import transaction
from labhub.lmos import commands, queries, schemas
from labhub.lmos.models import Lmo
from labhub.lmos.unique_identifier import display
from labhub.web.access import PUBLIC
from labhub.web.api import (
    Blueprint,
    Problem,
    answer_page,
    answer_record,
    expected_version,
    page_of,
    sorted_by,
)
from labhub.web.auth import current_actor
from labhub.web.once import once

lmos = Blueprint("api_lmos", __name__, url_prefix="/api/v1/lmos", description="LMOs and their claims")
elements = Blueprint("api_elements", __name__, url_prefix="/api/v1/elements", description="Genetic elements")
matrix = Blueprint("api_matrix", __name__, url_prefix="/api/v1/matrix", description="LMOs by elements")

BLUEPRINTS = (lmos, elements, matrix)
ACCESS = {
    lmos: {
        "list_lmos": PUBLIC,
        "create_lmo": "lmo.change",
        "show_lmo": PUBLIC,
        "change_lmo": "lmo.change",
        "add_claim": "lmo.change",
        "add_name": "lmo.change",
    },
    elements: {"list_elements": PUBLIC, "show_element": PUBLIC},
    matrix: {"show_matrix": PUBLIC},
}


@lmos.get("")
@lmos.arguments(schemas.LmoList, location="query")
@lmos.response(200, schemas.LmoRow(many=True))
@lmos.alt_response(400, schema=Problem, description="Unknown filter, sort or value")
def list_lmos(arguments: dict[str, Any]) -> Response:
    """List LMOs.

    `q` finds identifiers in any spelling, events, names, taxa and developers; `taxon` is a scientific or
    common name; `element` keeps LMOs that a source says have it. Sort by `event`, `unique_identifier`,
    `taxon` or `trade_name`.
    """
    query = queries.visible_lmos(
        current_actor(),
        q=arguments["q"],
        taxon=arguments["taxon"],
        element=arguments["element"],
        stacked=arguments["stacked"],
        verified=arguments["verified"],
    )
    query = sorted_by(query, arguments["sort"], queries.LMO_SORT, "event", Lmo.id)
    page = page_of(query, arguments["page"], arguments["page_size"])
    rows = [{**row, "display": _display(row["unique_identifier"])} for row in page.rows]
    return answer_page(replace(page, rows=rows))


@lmos.post("")
@lmos.arguments(schemas.LmoIn)
@lmos.response(201, schemas.LmoOut)
@lmos.alt_response(401, schema=Problem, description="Not signed in")
@lmos.alt_response(403, schema=Problem, description="Not the Secretariat")
@lmos.alt_response(409, schema=Problem, description="In the register already")
@lmos.alt_response(422, schema=Problem, description="Wrong fields")
@once
def create_lmo(record: dict[str, Any]) -> Response:
    """Add an LMO to the register (Secretariat). Doubts about the identifier are answered as `warnings`."""
    with transaction():
        lmo = commands.create_lmo(current_actor(), record)
    response = answer_record(_record(lmo), lmo.row_version, 201)
    response.headers["Location"] = url_for("api_lmos.show_lmo", ident=lmo.slug)
    return response


@lmos.get("/<ident>")
@lmos.response(200, schemas.LmoOut)
@lmos.alt_response(404, schema=Problem, description="No such LMO")
def show_lmo(ident: str) -> Response:
    """Show an LMO by its unique identifier (Ø or 0, any case, with or without dashes) or its event."""
    lmo = queries.find_lmo(ident)
    return answer_record(_record(lmo), lmo.row_version)


@lmos.patch("/<ident>")
@lmos.arguments(schemas.LmoChange)
@lmos.response(200, schemas.LmoOut)
@lmos.alt_response(401, schema=Problem, description="Not signed in")
@lmos.alt_response(403, schema=Problem, description="Not the Secretariat")
@lmos.alt_response(404, schema=Problem, description="No such LMO")
@lmos.alt_response(409, schema=Problem, description="Another LMO has this name")
@lmos.alt_response(412, schema=Problem, description="Changed by somebody else meanwhile")
@lmos.alt_response(422, schema=Problem, description="Wrong fields")
@lmos.alt_response(428, schema=Problem, description="If-Match is missing")
def change_lmo(record: dict[str, Any], ident: str) -> Response:
    """Change the fields that are given (Secretariat); lists are replaced as a whole. Needs `If-Match`."""
    with transaction():
        lmo = commands.change_lmo(current_actor(), ident, record, row_version=expected_version())
    return answer_record(_record(lmo), lmo.row_version)


@lmos.post("/<ident>/claims")
@lmos.arguments(schemas.ClaimIn)
@lmos.response(201, schemas.LmoOut)
@lmos.alt_response(401, schema=Problem, description="Not signed in")
@lmos.alt_response(403, schema=Problem, description="Not the Secretariat")
@lmos.alt_response(404, schema=Problem, description="No such LMO")
@lmos.alt_response(409, schema=Problem, description="This source has spoken of this element")
@lmos.alt_response(422, schema=Problem, description="Wrong fields")
@once
def add_claim(record: dict[str, Any], ident: str) -> Response:
    """Note that a source says the LMO has or lacks an element (Secretariat); sources may disagree."""
    with transaction():
        lmo = commands.add_claim(current_actor(), ident, record).lmo
    return answer_record(_record(lmo), lmo.row_version, 201)


@lmos.post("/<ident>/names")
@lmos.arguments(schemas.NameIn)
@lmos.response(201, schemas.LmoOut)
@lmos.alt_response(401, schema=Problem, description="Not signed in")
@lmos.alt_response(403, schema=Problem, description="Not the Secretariat")
@lmos.alt_response(404, schema=Problem, description="No such LMO")
@lmos.alt_response(409, schema=Problem, description="The LMO has this name")
@lmos.alt_response(422, schema=Problem, description="Wrong fields")
@once
def add_name(record: dict[str, Any], ident: str) -> Response:
    """Note another name of the LMO, with its source (Secretariat)."""
    with transaction():
        lmo = commands.add_name(current_actor(), ident, record).lmo
    return answer_record(_record(lmo), lmo.row_version, 201)


def _display(identifier: str | None) -> str | None:
    return display(identifier) if identifier else None


def _record(lmo: Lmo) -> dict[str, Any]:
    return {
        **queries.lmo_record(lmo),
        "id": lmo.id,
        "slug": lmo.slug,
        "display": _display(lmo.unique_identifier),
        "warnings": [str(warning) for warning in queries.warnings(lmo)],
        "signs": {element["name"]: cell.standing for element, cell in queries.element_claims(lmo.id)},
    }


@elements.get("")
@elements.arguments(schemas.ElementList, location="query")
@elements.response(200, schemas.ElementRow(many=True))
@elements.alt_response(400, schema=Problem, description="Unknown filter, sort or value")
def list_elements(arguments: dict[str, Any]) -> Response:
    """List genetic elements. `q` finds names, synonyms, donors and accessions. Sort by `name` or `kind`."""
    query = queries.visible_elements(
        current_actor(), q=arguments["q"], kind=arguments["kind"] or "", verified=arguments["verified"]
    )
    query = sorted_by(query, arguments["sort"], queries.ELEMENT_SORT, "name", queries.ELEMENT_TIE)
    return answer_page(page_of(query, arguments["page"], arguments["page_size"]))


@elements.get("/<name>")
@elements.response(200, schemas.ElementOut)
@elements.alt_response(404, schema=Problem, description="No such element")
def show_element(name: str) -> Response:
    """Show an element by its name, in any case, or its slug; with the LMOs that sources speak of."""
    element = queries.find_element(name)
    said = [
        {
            "slug": lmo["slug"],
            "unique_identifier": lmo["unique_identifier"],
            "event": lmo["event"],
            "standing": cell.standing,
            "claims": [
                {"sign": claim["sign"], "source": claim["source"], "verified": claim["verified"]}
                for claim in cell.claims
            ],
        }
        for lmo, cell in queries.lmo_claims(element.id)
    ]
    record = {"id": element.id, "slug": element.slug, **queries.element_record(element), "lmos": said}
    return answer_record(record, element.row_version)


@matrix.get("")
@matrix.arguments(schemas.MatrixArguments, location="query")
@matrix.response(200, schemas.MatrixOut)
@matrix.alt_response(400, schema=Problem, description="Unknown filter or format")
@matrix.alt_response(404, schema=Problem, description="No such element")
def show_matrix(arguments: dict[str, Any]) -> Response:
    """Show which LMO has which element: `+` has, `-` lacks, `?` nobody says, `±` the sources disagree.

    `taxon`, `q` (names of LMOs), `element` (may be repeated) and `source` narrow it; `verified=true` leaves
    claims from memory out; `format=csv` and `xlsx` give the signs as a table.
    """
    chosen = {
        "taxon": arguments["taxon"],
        "elements": arguments["element"],
        "verified": arguments["verified"],
        "q": arguments["q"],
        "source": arguments["source"],
    }
    format_ = arguments["format"]
    if format_ != "json":
        return _table(queries.export_matrix(current_actor(), format_, **chosen), format_)
    return answer_record(queries.matrix_record(queries.matrix(current_actor(), **chosen)))


TABLE_TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def _table(content: bytes, format_: str) -> Response:
    """Return the matrix as a file to keep."""
    response = Response(content, mimetype=TABLE_TYPES[format_])
    response.headers["Content-Disposition"] = f'attachment; filename="matrix.{format_}"'
    return response
