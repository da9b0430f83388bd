"""JSON addresses of activities, indicators and the rows behind a figure."""

from dataclasses import replace
from typing import Any

from flask import Response

from labhub.accounts.policy import require
from labhub.indicators import queries
from labhub.indicators.definitions import Dimension, make_period
from labhub.indicators.schemas import (
    ActivitySchema,
    FigureArguments,
    FigureSchema,
    IndicatorSchema,
    RecordArguments,
    RecordSchema,
)
from labhub.web.access import PUBLIC
from labhub.web.api import (
    Blueprint,
    ListArguments,
    answer_page,
    answer_record,
    page_of,
    sorted_by,
)
from labhub.web.auth import current_actor
from labhub.web.downloads import usage_spool

indicators = Blueprint(
    "api_indicators", __name__, url_prefix="/api/v1/indicators", description="Indicators and their figures"
)
activities = Blueprint(
    "api_activities", __name__, url_prefix="/api/v1/activities", description="Activities of the annex"
)

BLUEPRINTS = (indicators, activities)
ACCESS = {
    indicators: {"list_indicators": PUBLIC, "show": PUBLIC, "records": "indicator.records"},
    activities: {"list_activities": PUBLIC},
}


@activities.get("")
@activities.arguments(ListArguments, location="query")
@activities.response(200, ActivitySchema(many=True))
@activities.refuses(400)
def list_activities(arguments: dict[str, Any]) -> Response:
    """List the activities of decision CP-VIII/3."""
    query = queries.activity_rows(arguments["q"])
    columns = queries.activity_columns()
    query = sorted_by(query, arguments["sort"], columns, "code", columns["code"])
    return answer_page(page_of(query, arguments["page"], arguments["page_size"]))


@indicators.get("")
@indicators.arguments(ListArguments, location="query")
@indicators.response(200, IndicatorSchema(many=True))
@indicators.refuses(400)
def list_indicators(arguments: dict[str, Any]) -> Response:
    """List the indicators; ``computed`` says whether labhub computes the figure."""
    query = queries.indicator_rows(arguments["q"])
    columns = queries.indicator_columns()
    query = sorted_by(query, arguments["sort"], columns, "code", columns["code"])
    page = page_of(query, arguments["page"], arguments["page_size"])
    return answer_page(replace(page, rows=[queries.with_definition(row) for row in page.rows]))


@indicators.get("/<code>")
@indicators.arguments(FigureArguments, location="query")
@indicators.response(200, FigureSchema)
@indicators.refuses(400, 403, 404)
def show(arguments: dict[str, Any], code: str) -> Response:
    """Show an indicator's figure for a year or period, split by Party, region, group, year or quarter.

    Without ``by`` it is split by Party for the Secretariat and focal points, else by year. By
    Party, a focal point sees the cell of its own Party; others are refused.
    """
    actor = current_actor()
    indicator = queries.find_indicator(actor, code)
    period = make_period(arguments["year"], arguments["from_on"], arguments["to_on"])
    by = Dimension(arguments["by"]) if arguments["by"] else queries.default_dimension(actor)
    figure = queries.figure(actor, indicator.code, period, by, gap=usage_spool().gap())
    return answer_record({**figure, "title": indicator.title, "activity": indicator.activity.code})


@indicators.get("/<code>/records")
@indicators.arguments(RecordArguments, location="query")
@indicators.response(200, RecordSchema(many=True))
@indicators.refuses(400, 401, 403, 404)
def records(arguments: dict[str, Any], code: str) -> Response:
    """List the ledger rows behind a figure: which counted, and why the others were dropped."""
    actor = current_actor()
    indicator = queries.find_indicator(actor, code)
    require(actor, "indicator.records", indicator)
    period = make_period(arguments["year"], arguments["from_on"], arguments["to_on"])
    query = queries.record_rows(indicator.code, period)
    columns = queries.record_columns()
    query = sorted_by(query, arguments["sort"], {"at": columns["at"]}, "-at", columns["id"])
    page = page_of(query, arguments["page"], arguments["page_size"])
    return answer_page(replace(page, rows=queries.with_verdicts(page.rows)))
