"""Pictures of a method, what changed between its versions, and methods side by side."""

from typing import Any

from flask import Blueprint, Response, g, render_template, request
from flask.typing import ResponseReturnValue
from marshmallow import RAISE, Schema, ValidationError

from labhub.errors import Refusal
from labhub.i18n import _
from labhub.methods import charts, compare_queries, comparison, differences, page_schemas, pictures, queries
from labhub.web.access import PUBLIC
from labhub.web.auth import current_actor
from labhub.web.downloads import SANDBOX
from labhub.web.errors import flat_messages

bp = Blueprint("method_pages", __name__)

ACCESS = {
    "oligos": PUBLIC,
    "chart": PUBLIC,
    "compare_versions": PUBLIC,
    "compare": PUBLIC,
    "compare_download": PUBLIC,
}


@bp.get("/methods/<code>/versions/<int:number>/oligos.svg")
def oligos(code: str, number: int) -> ResponseReturnValue:
    """Draw primers and probes on the amplicon."""
    version = queries.find_version(current_actor(), code, number)
    width = min(pictures.WIDTHS, key=lambda each: abs(each - request.args.get("width", 720, type=int)))
    title = _("Primers and probes of %(code)s on the amplicon", code=version.method.code)
    maps = pictures.maps_of(queries.content_of(version))
    return picture(pictures.draw(maps, str(title), width))


def picture(drawing: str) -> Response:
    """Return an SVG drawing that can run nothing and load nothing."""
    response = Response(drawing, mimetype="image/svg+xml")
    response.headers["Content-Security-Policy"] = g.content_security_policy = SANDBOX
    return response


@bp.get("/methods/<code>/versions/<int:number>/studies/<int:place>/<name>.svg")
def chart(code: str, number: int, place: int, name: str) -> ResponseReturnValue:
    """Draw a chart of a validation study; studies count from 0."""
    version = queries.find_version(current_actor(), code, number)
    found = compare_queries.find_chart(version, place, name)
    return picture(charts.render(found, request.args.get("width", charts.WIDTHS[-1], type=int)))


# Versions ------------------------------------------------------------------------------------


@bp.get("/methods/<code>/compare-versions")
def compare_versions(code: str) -> ResponseReturnValue:
    """Show what changed from one version to another."""
    given = _arguments(page_schemas.TwoVersions())
    actor = current_actor()
    versions = queries.versions_of(actor, code)
    before, after = compare_queries.two_versions(actor, code, given["first"], given["second"])
    found = compare_queries.difference_of(actor, before, after)
    return render_template(
        "methods/compare_versions.html",
        method=after.method,
        versions=versions,
        before=before,
        after=after,
        sections=differences.by_section(found),
        count=len(found),
        states=compare_queries.state_names(),
    )


# Methods side by side ------------------------------------------------------------------------


@bp.get("/methods/compare")
def compare() -> ResponseReturnValue:
    """Show up to four methods side by side."""
    codes = _codes()
    versions = compare_queries.versions_to_compare(current_actor(), codes)
    contents = [queries.content_of(version) for version in versions]
    groups = comparison.compare(contents) if len(versions) > 1 else []
    only = request.args.get("only", "") == "differences"
    if only:
        groups = [
            comparison.Group(group.title, rows)
            for group in groups
            if (rows := [row for row in group.rows if row.differs])
        ]
    return render_template(
        "methods/compare.html",
        versions=versions,
        codes=[version.method.code for version in versions],
        groups=groups,
        only=only,
        most=comparison.MOST,
        states=compare_queries.state_names(),
    )


@bp.get("/methods/compare/download")
def compare_download() -> ResponseReturnValue:
    """Give the comparison out as CSV."""
    versions = compare_queries.versions_to_compare(current_actor(), _codes())
    groups = comparison.compare([queries.content_of(version) for version in versions])
    heads = [(version.method.code, version.number, version.title) for version in versions]
    response = Response(comparison.to_csv(heads, groups), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="comparison.csv"'
    return response


def _codes() -> list[str]:
    given = _arguments(page_schemas.Compared(), several=("code",))
    codes: list[str] = given["code"]
    return codes


def _arguments(schema: Schema, several: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the checked arguments of the address; a field that stands in ``several`` is a list."""
    given: dict[str, Any] = {}
    for name, values in request.args.lists():
        kept = [value.strip() for value in values if value.strip()]
        if name in ("lang", "only") or not kept:
            continue
        given[name] = kept if name in several else kept[0]
    try:
        loaded: dict[str, Any] = schema.load(given, unknown=RAISE)
    except ValidationError as error:
        raise Refusal(
            _("This page does not know such a choice or value."), errors=flat_messages(error.messages)
        ) from error
    return loaded
