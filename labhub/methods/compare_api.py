"""JSON addresses of comparisons: what changed between two versions, and methods side by side."""

from typing import Any

from flask import Response

from labhub.methods import compare_queries, comparison, differences, page_schemas, queries
from labhub.web.access import PUBLIC
from labhub.web.api import Blueprint, answer_record
from labhub.web.auth import current_actor

blp = Blueprint(
    "api_compare", __name__, url_prefix="/api/v1/methods", description="Versions and methods side by side"
)

BLUEPRINTS = (blp,)
ACCESS = {blp: {"compare": PUBLIC, "difference": PUBLIC}}


@blp.get("/compare")
@blp.arguments(page_schemas.Compared, location="query")
@blp.response(200, page_schemas.ComparisonOut)
@blp.refuses(400, 404, 422)
def compare(arguments: dict[str, Any]) -> Response:
    """Set up to four methods side by side, field by field in the reader's words."""
    versions = compare_queries.versions_to_compare(current_actor(), arguments["code"])
    groups = comparison.compare([queries.content_of(version) for version in versions])
    return answer_record(
        {
            "methods": [
                {
                    "code": version.method.code,
                    "version": version.number,
                    "state": version.state.value,
                    "title": version.title,
                }
                for version in versions
            ],
            "groups": [
                {
                    "title": str(group.title),
                    "rows": [
                        {
                            "field": row.path,
                            "name": str(row.name),
                            "differs": row.differs,
                            "values": [[line.text for line in cell] for cell in row.cells],
                        }
                        for row in group.rows
                    ],
                }
                for group in groups
            ],
        }
    )


@blp.get("/<code>/versions/<int:number>/difference")
@blp.arguments(page_schemas.WithVersion, location="query")
@blp.response(200, page_schemas.DifferencesOut)
@blp.refuses(400, 404)
def difference(arguments: dict[str, Any], code: str, number: int) -> Response:
    """Say what changed up to this version, from the one before or from the version named in `with`."""
    actor = current_actor()
    before, after = compare_queries.two_versions(actor, code, arguments["other"], number)
    found = compare_queries.difference_of(actor, before, after)
    return answer_record(
        {
            "code": after.method.code,
            "before": before.number,
            "after": after.number,
            "differences": [
                {
                    "field": each.field,
                    "names": [str(name) for name in differences.shown(each).names],
                    "kind": each.kind.value,
                    "before": each.before,
                    "after": each.after,
                }
                for each in found
            ],
        }
    )
