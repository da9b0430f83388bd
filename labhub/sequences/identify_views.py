"""The page of identification: the form, and what was found of each read."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from labhub.db import transaction
from labhub.errors import Invalid, NotFound, Refusal, TooLarge, TooMany
from labhub.i18n import _
from labhub.sequences import identify_commands, identify_pictures, identify_queries, identify_schemas
from labhub.sequences.reads import LEAST_BASES, MOST_BASES, MOST_READS
from labhub.web.access import PUBLIC, SIGNED_IN
from labhub.web.api import Page
from labhub.web.auth import current_actor
from labhub.web.forms import load_form, load_query
from labhub.web.identify import MOST_SENT, has_file, question_of_file, question_of_text, tsv_of
from labhub.web.once import once
from labhub.work import kinds
from labhub.work import queries as work_queries

bp = Blueprint("identify", __name__)

ACCESS = {"index": PUBLIC, "identify": "identify.run", "table": SIGNED_IN}

PAGE_SIZE = 10


def init_identify(_app: Flask) -> None:
    """Let jobs identify reads and show what they found."""
    identify_commands.register()
    kinds.show_with(identify_commands.KIND, shown)


@bp.get("/identify")
def index() -> ResponseReturnValue:
    """Show the form."""
    return _form({}, None)


def _form(form: Mapping[str, Any], refusal: Refusal | None) -> ResponseReturnValue:
    actor = current_actor()
    page = render_template(
        "sequences/identify.html",
        form=form,
        may_run=actor.user_id is not None,
        records=identify_queries.count_of_records(actor),
        settings=identify_schemas.IdentifyReading().load({}),
        limit_mib=MOST_SENT >> 20,
        least_bases=LEAST_BASES,
        most_bases=MOST_BASES,
        most_reads=MOST_READS,
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return page, refusal.status if refusal else 200


@bp.post("/identify")
def identify() -> ResponseReturnValue:
    """Identify reads; what takes longer becomes a job. Both lead to the page of the result."""
    actor = current_actor()
    try:
        form = load_form(identify_schemas.IdentifyForm())
        question = question_of_file(form) if has_file() else question_of_text(form["reads"], form, "reads")
        if identify_queries.estimated_seconds(question) > identify_queries.SHORT_SECONDS:
            started: ResponseReturnValue = _started(question)
            return started
        kept: ResponseReturnValue = _kept(identify_queries.find(actor, question))
    except (Invalid, NotFound, TooLarge, TooMany) as refusal:
        return _form(request.form, refusal)
    return kept


@once
def _started(question: identify_queries.Question) -> ResponseReturnValue:
    with transaction():
        job = identify_commands.start_identification(current_actor(), question)
    return redirect(url_for("jobs.show", number=job.id), 303)


@once
def _kept(result: dict[str, Any]) -> ResponseReturnValue:
    with transaction():
        job = identify_commands.keep_identification(current_actor(), result)
    return redirect(url_for("jobs.show", number=job.id), 303)


@bp.get("/identify/results/<int:number>.tsv")
def table(number: int) -> ResponseReturnValue:
    """Give the references of one of one's own identifications as a table."""
    actor = current_actor()
    job = work_queries.find_job(actor, number, kind=identify_commands.KIND)
    result = work_queries.result_of(actor, job)
    if result is None:
        raise NotFound(_("There is no job %(number)s.", number=number))
    response = Response(tsv_of(result), mimetype="text/tab-separated-values")
    response.headers["Content-Disposition"] = f'attachment; filename="identify-{number}.tsv"'
    return response


def shown(number: int, result: dict[str, Any]) -> str:
    """Return what was found, as a part of the page of its job."""
    given = load_query(identify_schemas.IdentifyPage())
    reads = result["reads"]
    unknown = [read for read in reads if not read["hits"] and not read["pieces"]]
    open_ = [read for read in reads if read["unexplained"]]
    chosen = {"open": open_, "none": unknown}.get(given["show"], reads)
    begin = (given["page"] - 1) * PAGE_SIZE
    some = chosen[begin : begin + PAGE_SIZE]
    return render_template(
        "sequences/identify_result.html",
        number=number,
        result=result,
        page=Page(some, len(chosen), given["page"], PAGE_SIZE),
        rows=[(read, Markup(identify_pictures.picture(read))) for read in some],  # noqa: S704 (escaped)
        about={each["accession"]: each for each in result["references"]},
        show=given["show"],
        views=[
            ("", _("All reads"), len(reads)),
            ("open", _("With an unexplained part"), len(open_)),
            ("none", _("Without any reference"), len(unknown)),
        ],
    )
