"""JSON addresses of living specificity: which method finds which sequence, and what changed."""

from dataclasses import fields
from typing import Any

from flask import Response

from labhub.i18n import RIGHT_TO_LEFT, current_language
from labhub.methods import queries, specificity_queries, specificity_schemas
from labhub.methods.specificity import RULE
from labhub.methods.specificity_models import SpecificityChange
from labhub.methods.specificity_queries import Filters, Section
from labhub.sequences import queries as sequences
from labhub.sequences.records import shown_message
from labhub.web.access import PUBLIC
from labhub.web.api import Blueprint, Page, answer_page, answer_record, page_of, sorted_by
from labhub.web.auth import current_actor
from labhub.web.kept import kept_for_visitors, record_stamp

matrix = Blueprint(
    "api_specificity",
    __name__,
    url_prefix="/api/v1/specificity",
    description="Which method finds which sequence in silico",
)
of_method = Blueprint(
    "api_method_specificity", __name__, url_prefix="/api/v1/methods", description="What a method finds"
)
of_sequence = Blueprint(
    "api_sequence_specificity", __name__, url_prefix="/api/v1/sequences", description="Methods that find it"
)

BLUEPRINTS = (matrix, of_method, of_sequence)
ACCESS = {
    matrix: {"index": PUBLIC, "changes": PUBLIC},
    of_method: {"show_method": PUBLIC},
    of_sequence: {"show_sequence": PUBLIC},
}
TABLE_TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def _filters(given: dict[str, Any]) -> Filters:
    names = {each.name for each in fields(Filters)}
    return Filters(**{name: value for name, value in given.items() if name in names})


@matrix.get("")
@matrix.arguments(specificity_schemas.SpecificityList, location="query")
@matrix.response(200, specificity_schemas.PairOut(many=True))
@matrix.refuses(400)
@kept_for_visitors(record_stamp)
def index(arguments: dict[str, Any]) -> Response:
    """List the pairs of a method and a sequence that it finds; `format=csv` and `xlsx` give a table of all.

    What is not listed was compared and not found. A table holds at most 20,000 pairs.
    """
    actor, filters = current_actor(), _filters(arguments)
    format_ = arguments["format"]
    if format_ != "json":
        content = specificity_queries.export(
            actor, filters, format_, right_to_left=current_language() in RIGHT_TO_LEFT
        )
        response = Response(content, mimetype=TABLE_TYPES[format_])
        response.headers["Content-Disposition"] = f'attachment; filename="specificity.{format_}"'
        return response
    query = sorted_by(
        specificity_queries.pairs(actor, filters),
        arguments["sort"],
        specificity_queries.PAIR_SORTS,
        "method",
        specificity_queries.PAIR_TIE,
    )
    page = page_of(query, arguments["page"], arguments["page_size"])
    rows = [specificity_queries.record_of(row) for row in specificity_queries.with_expectation(page.rows)]
    return answer_page(Page(rows, page.total, page.page, page.page_size))


@matrix.get("/changes")
@matrix.arguments(specificity_schemas.ChangesPage, location="query")
@matrix.response(200, specificity_schemas.ChangeOut(many=True))
@matrix.refuses(400)
def changes(arguments: dict[str, Any]) -> Response:
    """List what recomputations have changed, newest first; `own=true` keeps those of your laboratories."""
    page = specificity_queries.page_of_changes(
        current_actor(), own=arguments["own"], page=arguments["page"], page_size=arguments["page_size"]
    )
    rows = [_change(row) for row in page.rows]
    return answer_page(Page(rows, page.total, page.page, page.page_size))


def _change(row: SpecificityChange) -> dict[str, Any]:
    return {
        "method": row.version.method.code,
        "method_version": row.version.number,
        "sequence": row.sequence.accession,
        "kind": row.kind,
        "before": row.before,
        "after": row.after,
        "mismatches": specificity_queries.mismatch_records(row.mismatches),
        "size_bp": row.size_bp,
        "published_bp": row.published_bp,
        "found_at": row.found_at,
    }


@of_method.get("/<code>/specificity")
@of_method.arguments(specificity_schemas.WholeArguments, location="query")
@of_method.response(200, specificity_schemas.SectionOut)
@of_method.refuses(400, 404)
def show_method(arguments: dict[str, Any], code: str) -> Response:
    """Show which sequences a method finds, expected or not, and which of its declared targets it misses."""
    actor = current_actor()
    version = queries.find_version(actor, code, arguments["version"])
    return answer_record(_section(specificity_queries.of_version(actor, version)))


@of_sequence.get("/<accession>/specificity")
@of_sequence.arguments(specificity_schemas.WholeArguments(exclude=("version",)), location="query")
@of_sequence.response(200, specificity_schemas.SectionOut)
@of_sequence.refuses(400, 404)
def show_sequence(arguments: dict[str, Any], accession: str) -> Response:
    """Show which methods find a sequence, and which should by their declared targets and do not."""
    actor = current_actor()
    sequence = sequences.find_sequence(actor, accession)
    return answer_record(_section(specificity_queries.of_sequence(actor, sequence)))


def _section(section: Section | None) -> dict[str, Any]:
    """Return a section as data; of a record that is not compared (withdrawn, sealed) an empty one."""
    section = section or Section(is_current=False)
    record: dict[str, Any] = {
        "current": section.is_current,
        "compared": section.compared,
        "computed_at": section.computed_at,
        "rule": RULE.version,
        "not_searched": [str(shown_message(remark)) for remark in section.remarks],
    }
    totals = {}
    for name in ("expected", "unexpected", "other", "missing"):
        listing = getattr(section, name)
        totals[name] = listing.total
        record[name] = (
            listing.rows
            if name == "missing"
            else [specificity_queries.record_of(row) for row in listing.rows]
        )
    return {**record, "totals": totals}
