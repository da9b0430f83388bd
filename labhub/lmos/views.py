"""Pages of LMOs, elements and the matrix."""

from dataclasses import replace
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import RAISE, Schema, ValidationError

from labhub.errors import Refusal
from labhub.i18n import N_, _
from labhub.lmos import queries, schemas
from labhub.lmos.models import Lmo
from labhub.lmos.terms import ELEMENT_KINDS, NAME_KINDS, STANDINGS, Standing
from labhub.lmos.unique_identifier import display
from labhub.methods import coverage_queries
from labhub.methods.coverage_queries import GAP_NAMES, WAY_NAMES
from labhub.sequences import queries as sequence_queries
from labhub.web.access import PUBLIC
from labhub.web.api import page_of, sorted_by
from labhub.web.auth import current_actor
from labhub.web.errors import flat_messages

bp = Blueprint("lmos", __name__)

ACCESS = {
    "index": PUBLIC,
    "show": PUBLIC,
    "elements": PUBLIC,
    "element": PUBLIC,
    "matrix": PUBLIC,
}

GROUPS = {
    Standing.HAS: N_("Has"),
    Standing.DISPUTED: N_("Disputed"),
    Standing.LACKS: N_("Lacks"),
}
"""Headings of the claims of an LMO, in their order."""

MATRIX_CLASSES = {
    Standing.HAS: "matrix-has",
    Standing.LACKS: "matrix-lacks",
    Standing.DISPUTED: "matrix-disputed",
    Standing.UNKNOWN: "matrix-unknown",
}


def _arguments(schema: Schema, *, many: str = "") -> dict[str, Any]:
    """Return the filters of a page's address; what the list does not know is refused as in the API."""
    given: dict[str, Any] = {name: value for name, value in request.args.items() if value}
    if many and many in given:
        given[many] = [value for value in request.args.getlist(many) if value]
    try:
        checked: dict[str, Any] = schema.load(given, unknown=RAISE)
    except ValidationError as error:
        raise Refusal(
            _("This list does not know such a filter or value."), errors=flat_messages(error.messages)
        ) from error
    return checked


@bp.get("/lmos")
def index() -> ResponseReturnValue:
    """List LMOs, searched, filtered and sorted."""
    given = _arguments(schemas.LmoList())
    query = queries.visible_lmos(
        current_actor(),
        q=given["q"],
        taxon=given["taxon"],
        element=given["element"],
        stacked=given["stacked"],
        verified=given["verified"],
    )
    query = sorted_by(query, given["sort"], queries.LMO_SORT, "event", Lmo.id)
    page = page_of(query, given["page"], given["page_size"])
    rows = [{**row, "display": _display(row["unique_identifier"])} for row in page.rows]
    return render_template(
        "lmos/index.html",
        page=replace(page, rows=rows),
        filters=given,
        sort=given["sort"] or "event",
        taxa=_taxa(),
        elements=queries.element_names(),
        root=url_for("lmos.index").partition("?")[0],
    )


def _taxa() -> list[tuple[str, str]]:
    return [(name, f"{name} ({common})" if common else name) for name, common in queries.taxa()]


def _display(identifier: str | None) -> str:
    return display(identifier) if identifier else ""


@bp.get("/lmos/<slug>")
def show(slug: str) -> ResponseReturnValue:
    """Show an LMO: its names, elements with what each source says, sources and notes."""
    lmo = queries.find_lmo(slug)
    if lmo.slug != slug:
        return redirect(url_for("lmos.show", slug=lmo.slug), 302)
    actor = current_actor()
    claims = queries.element_claims(lmo.id)
    return render_template(
        "lmos/show.html",
        row=coverage_queries.coverage_of(actor, lmo),
        listings=coverage_queries.methods_detecting(actor, lmo),
        ways={way: _(text) for way, text in WAY_NAMES.items()},
        gaps={gap: _(text) for gap, text in GAP_NAMES.items()},
        sequences=sequence_queries.naming(actor, lmo_id=lmo.id),
        lmo=lmo,
        display=_display(lmo.unique_identifier),
        warnings=queries.warnings(lmo),
        name_kinds=NAME_KINDS,
        element_kinds=ELEMENT_KINDS,
        groups=[
            (heading, standing, [(element, cell) for element, cell in claims if cell.standing is standing])
            for standing, heading in GROUPS.items()
        ],
        parents=[(name, queries.match_lmo(name)) for name in lmo.parents],
        stacks=queries.stacks_of(lmo),
        show_identifier=_display,
    )


@bp.get("/elements")
def elements() -> ResponseReturnValue:
    """List genetic elements."""
    given = _arguments(schemas.ElementList())
    query = queries.visible_elements(
        current_actor(), q=given["q"], kind=given["kind"] or "", verified=given["verified"]
    )
    query = sorted_by(query, given["sort"], queries.ELEMENT_SORT, "name", queries.ELEMENT_TIE)
    return render_template(
        "lmos/elements.html",
        page=page_of(query, given["page"], given["page_size"]),
        filters=given,
        sort=given["sort"] or "name",
        kinds=[(kind.value, _(text)) for kind, text in ELEMENT_KINDS.items()],
        element_kinds=ELEMENT_KINDS,
        root=url_for("lmos.elements").partition("?")[0],
    )


@bp.get("/elements/<slug>")
def element(slug: str) -> ResponseReturnValue:
    """Show an element: its names, and which LMOs have it, lack it or are disputed."""
    found = queries.find_element(slug)
    if found.slug != slug:
        return redirect(url_for("lmos.element", slug=found.slug), 302)
    claims = queries.lmo_claims(found.id)
    actor = current_actor()
    return render_template(
        "lmos/element.html",
        listing=coverage_queries.methods_for_element(actor, found),
        sequences=sequence_queries.naming(actor, element_id=found.id),
        element=found,
        element_kinds=ELEMENT_KINDS,
        groups=[
            (heading, standing, [(lmo, cell) for lmo, cell in claims if cell.standing is standing])
            for standing, heading in GROUPS.items()
        ],
        show_identifier=_display,
    )


@bp.get("/matrix")
def matrix() -> ResponseReturnValue:
    """Show the matrix of LMOs by elements."""
    given = _arguments(schemas.MatrixArguments(exclude=("format",)), many="element")
    chosen = {
        "taxon": given["taxon"],
        "elements": given["element"],
        "verified": given["verified"],
        "q": given["q"],
        "source": given["source"],
    }
    narrowed: dict[str, Any] = {
        "taxon": given["taxon"] or None,
        "element": given["element"],
        "verified": "true" if given["verified"] else None,
        "q": given["q"] or None,
        "source": given["source"] or None,
    }
    return render_template(
        "lmos/matrix.html",
        matrix=queries.matrix(current_actor(), **chosen),
        filters=given,
        taxa=_taxa(),
        elements=queries.element_names(),
        standings=STANDINGS,
        classes=MATRIX_CLASSES,
        root=url_for("lmos.index").partition("?")[0],
        element_root=url_for("lmos.elements").partition("?")[0],
        sources=queries.claim_sources(),
        downloads=[
            (format_, url_for("api_matrix.show_matrix", format=format_, **narrowed))
            for format_ in ("csv", "xlsx", "json")
        ],
        show_identifier=_display,
    )
