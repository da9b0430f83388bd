"""Pages of indicators."""

from dataclasses import replace
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, Schema

from labhub import clock
from labhub.accounts.policy import can, may_ever, require
from labhub.errors import Refusal
from labhub.i18n import N_, _
from labhub.indicators import queries
from labhub.indicators.definitions import (
    CELL_NAMES,
    DEFINITIONS,
    DIMENSION_NAMES,
    UNIT_NAMES,
    Dimension,
    make_period,
)
from labhub.indicators.schemas import FigureArguments, RecordArguments
from labhub.web.access import PUBLIC
from labhub.web.api import page_of, sorted_by
from labhub.web.auth import current_actor
from labhub.web.downloads import usage_spool
from labhub.web.errors import flat_messages

bp = Blueprint("indicators", __name__)

ACCESS = {"index": PUBLIC, "show": PUBLIC, "records": "indicator.records"}

VERDICT_NAMES = {
    "counted": N_("counted"),
    "double-click": N_("dropped: asked for again within 30 seconds"),
    "robot": N_("dropped: robot or script"),
}
ACCESS_NAMES = {"regular": N_("regular"), "machine": N_("machine (token)")}


def _arguments(schema: Schema) -> dict[str, Any]:
    given = {name: value for name, value in request.args.items() if value.strip()}
    errors = schema.validate(given)
    if errors:
        raise Refusal(_("Please correct the filter."), errors=flat_messages(errors))
    values: dict[str, Any] = schema.load(given, unknown=EXCLUDE)
    return values


def _years() -> list[int]:
    first = queries.first_year()
    this_year = clock.now().year
    return list(range(this_year, min(first or this_year, this_year) - 1, -1))


def _dimensions() -> list[tuple[str, str]]:
    actor = current_actor()
    return [
        (dimension.value, str(_(name)))
        for dimension, name in DIMENSION_NAMES.items()
        if dimension is not Dimension.PARTY or may_ever(actor, "indicator.by-party")
    ]


def _cells(figure: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the cells of a figure with their names, largest first; years and quarters in their order."""
    names = queries.party_names() if figure["split_by"] == Dimension.PARTY else {}
    cells = [
        {
            "key": key,
            "name": names.get(key) or (str(_(CELL_NAMES[key])) if key in CELL_NAMES else key),
            "value": value,
            "unique": figure["by_unique"][key],
            "machine": figure["by_machine"][key],
        }
        for key, value in figure["by"].items()
    ]
    if figure["split_by"] not in (Dimension.YEAR, Dimension.QUARTER):
        cells.sort(key=lambda cell: (-cell["value"], cell["name"]))
    return cells


@bp.get("/indicators")
def index() -> ResponseReturnValue:
    """Show the activities with their indicators, and the downloads by year."""
    actor = current_actor()
    by_year = queries.figure(actor, "A08.2", make_period(), Dimension.YEAR, gap=usage_spool().gap())
    return render_template(
        "indicators/index.html",
        activities=queries.activities(),
        definitions=DEFINITIONS,
        units={key: _(name) for key, name in UNIT_NAMES.items()},
        downloads=by_year,
    )


@bp.get("/indicators/<code>")
def show(code: str) -> ResponseReturnValue:
    """Show an indicator's rule and its figure, filtered by year and split."""
    actor = current_actor()
    indicator = queries.find_indicator(actor, code)
    arguments = _arguments(FigureArguments())
    period = make_period(arguments["year"], arguments["from_on"], arguments["to_on"])
    by = Dimension(arguments["by"]) if arguments["by"] else queries.default_dimension(actor)
    figure = queries.figure(actor, indicator.code, period, by, gap=usage_spool().gap())
    return render_template(
        "indicators/show.html",
        indicator=indicator,
        definition=DEFINITIONS[indicator.code],
        unit=_(UNIT_NAMES[figure["unit"]]),
        figure=figure,
        cells=_cells(figure) if figure["value"] is not None else [],
        arguments=arguments,
        by=by,
        by_name=_(DIMENSION_NAMES[by]),
        dimensions=_dimensions(),
        years=[(str(year), str(year)) for year in _years()],
        sees_records=can(actor, "indicator.records"),
    )


@bp.get("/indicators/<code>/records")
def records(code: str) -> ResponseReturnValue:
    """Show the ledger rows behind a figure, and why some do not count."""
    actor = current_actor()
    indicator = queries.find_indicator(actor, code)
    require(actor, "indicator.records", indicator)
    arguments = _arguments(RecordArguments())
    period = make_period(arguments["year"], arguments["from_on"], arguments["to_on"])
    columns = queries.record_columns()
    sort = arguments["sort"] or "-at"
    query = sorted_by(
        queries.record_rows(indicator.code, period), sort, {"at": columns["at"]}, "-at", columns["id"]
    )
    page = page_of(query, arguments["page"], arguments["page_size"])
    return render_template(
        "indicators/records.html",
        indicator=indicator,
        page=replace(page, rows=queries.with_verdicts(page.rows)),
        period=period,
        arguments=arguments,
        sort=sort,
        years=[(str(year), str(year)) for year in _years()],
        verdicts={key: _(name) for key, name in VERDICT_NAMES.items()},
        accesses={key: _(name) for key, name in ACCESS_NAMES.items()},
        cells={key: _(name) for key, name in CELL_NAMES.items()},
        gap=usage_spool().gap(),
    )
