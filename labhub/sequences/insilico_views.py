"""The page of in-silico PCR: the form, and what a search has found."""

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Flask, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from labhub.db import transaction
from labhub.errors import Invalid, NotFound, Refusal, TooLarge, TooMany
from labhub.i18n import _
from labhub.jobs import Jobs
from labhub.sequences import (
    commands,
    insilico_commands,
    insilico_pictures,
    insilico_queries,
    insilico_schemas,
    library_queries,
)
from labhub.sequences.formats import read_records
from labhub.sequences.melting import Conditions
from labhub.web.access import PUBLIC, SIGNED_IN
from labhub.web.api import Page
from labhub.web.auth import current_actor
from labhub.web.forms import load_form, load_query
from labhub.web.insilico import (
    CONDITIONS,
    REFERENCE_KINDS,
    SETTINGS,
    Records,
    checked_records,
    question_of,
    tsv_of,
)
from labhub.web.once import once
from labhub.web.uploads import receive
from labhub.work import kinds
from labhub.work import queries as work_queries

bp = Blueprint("insilico", __name__)

ACCESS = {"index": PUBLIC, "search": "insilico.run", "table": SIGNED_IN}

PAGE_SIZE = 25
_SEPARATORS = re.compile(r"[\s,;]+")


def init_insilico(app: Flask) -> None:
    """Let jobs search and show what they found, and have the packed library made anew after changes."""
    insilico_commands.register()
    kinds.show_with(insilico_commands.KIND, shown)
    jobs: Jobs = app.extensions["labhub.jobs"]
    at_work = threading.Lock()

    def renew() -> None:
        with at_work, app.app_context():
            library_queries.renew_library()

    def look() -> None:
        if not at_work.locked():
            threading.Thread(target=renew, name="labhub-library", daemon=True).start()

    jobs.watches.append(look)


@bp.get("/insilico")
def index() -> ResponseReturnValue:
    """Show the form, filled in as the link says."""
    given = load_query(insilico_schemas.InsilicoPrefill())
    return _form({"methods": given["code"], "references": given["accession"]}, None)


def _form(form: Mapping[str, Any], refusal: Refusal | None) -> ResponseReturnValue:
    actor = current_actor()
    page = render_template(
        "sequences/insilico.html",
        form=form,
        may_run=actor.user_id is not None,
        records=insilico_queries.count_of_records(actor),
        settings=insilico_queries.settings_for(1),
        conditions=Conditions(),
        limit_mib=commands.MAX_UPLOAD_BYTES >> 20,
        most_assays=insilico_queries.MOST_ASSAYS,
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return page, refusal.status if refusal else 200


@bp.post("/insilico")
def search() -> ResponseReturnValue:
    """Search; what takes longer becomes a job. Both lead to the page of the result."""
    actor = current_actor()
    try:
        form = load_form(insilico_schemas.InsilicoForm())
        question = question_of(actor, _asked(form), _records())
        if insilico_queries.estimated_seconds(question) > insilico_queries.SHORT_SECONDS:
            started: ResponseReturnValue = _started(question)
            return started
        kept: ResponseReturnValue = _kept(insilico_queries.find(actor, question))
    except (Invalid, NotFound, TooLarge, TooMany) as refusal:
        return _form(request.form, refusal)
    return kept


def _records() -> Records | None:
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        return None
    with receive(allowed=REFERENCE_KINDS, limit_bytes=commands.MAX_UPLOAD_BYTES) as upload:
        found = checked_records(read_records(upload.path, upload.kind, bases_only=True), "file")
    sent.stream.seek(0)  # ``once`` compares the whole request
    return found


def _asked(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form asks in the shape of the API."""
    assays = list(_lines(form["several"]))
    if any(form[name].strip() for name in ("forward", "reverse", "probe")):
        assays.insert(0, {name: form[name] for name in ("name", "forward", "reverse", "probe")})
    return {
        "methods": [code for code in _SEPARATORS.split(form["methods"]) if code][
            : insilico_schemas.MOST_METHODS
        ],
        "all_methods": form["all_methods"],
        "assays": assays,
        "references": [name for name in _SEPARATORS.split(form["references"]) if name],
        "reference_text": form["reference_text"],
        "melting": form["melting"],
        **{name: form[name] for name in (*SETTINGS, *CONDITIONS)},
    }


def _lines(text: str) -> Sequence[dict[str, str]]:
    """Return the assays of a text, one a line: name, forward, reverse, probe; tabs, commas or semicolons."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        for separator in ("\t", ";", ","):
            if separator in line:
                cells = [cell.strip() for cell in line.split(separator)]
                break
        else:
            cells = line.split()
        if not 3 <= len(cells) <= 4:
            raise Invalid(
                _(
                    "Line %(line)s: write name, forward primer, reverse primer and perhaps a probe.",
                    line=number,
                ),
                field="several",
            )
        found.append(
            {
                "name": cells[0],
                "forward": cells[1],
                "reverse": cells[2],
                "probe": cells[3] if len(cells) > 3 else "",
            }
        )
    return found


@once
def _started(question: insilico_queries.Question) -> ResponseReturnValue:
    with transaction():
        job = insilico_commands.start_search(current_actor(), question)
    return redirect(url_for("jobs.show", number=job.id), 303)


@once
def _kept(result: dict[str, Any]) -> ResponseReturnValue:
    with transaction():
        job = insilico_commands.keep_search(current_actor(), result)
    return redirect(url_for("jobs.show", number=job.id), 303)


@bp.get("/insilico/results/<int:number>.tsv")
def table(number: int) -> ResponseReturnValue:
    """Give the products of one of one's own searches as a table."""
    actor = current_actor()
    job = work_queries.find_job(actor, number, kind=insilico_commands.KIND)
    result = work_queries.result_of(actor, job)
    if result is None:
        raise NotFound(_("There is no job %(number)s.", number=number))
    response = Response(tsv_of(result), mimetype="text/tab-separated-values")
    response.headers["Content-Disposition"] = f'attachment; filename="insilico-{number}.tsv"'
    return response


def shown(number: int, result: dict[str, Any]) -> str:
    """Return what a search found, as a part of the page of its job."""
    given = load_query(insilico_schemas.InsilicoPage())
    rows = result["products"]
    if given["sort"]:
        name = given["sort"].lstrip("-")
        rows = sorted(rows, key=lambda row: _order(row, name), reverse=given["sort"].startswith("-"))
    begin = (given["page"] - 1) * PAGE_SIZE
    some = rows[begin : begin + PAGE_SIZE]
    assays = {assay["name"]: assay for assay in result["assays"]}
    on_hub = result["searched"]["references"] != "file"
    return render_template(
        "sequences/insilico_result.html",
        number=number,
        result=result,
        page=Page(some, len(rows), given["page"], PAGE_SIZE),
        rows=[
            {
                **row,
                "method": assays.get(row["assay"], {}).get("method"),
                "picture": Markup(insilico_pictures.picture(row)),  # noqa: S704 (made of numbers and escaped text)
                "words": insilico_pictures.in_words(row),
                "aligned": _aligned(row),
            }
            for row in some
        ],
        titles=insilico_queries.titles_of(current_actor(), [row["reference"] for row in some])
        if on_hub
        else {},
        sort=given["sort"] or "assay",
        sorts=[(name, _(text)) for name, text in insilico_schemas.SORTS.items()],
        on_hub=on_hub,
        hit_assays=len({row["assay"] for row in rows}),
        hit_records=len({row["reference"] for row in rows}),
    )


def _order(row: Mapping[str, Any], name: str) -> Any:
    if name == "mismatches":
        return row["mm_f"] + row["mm_r"]
    if name == "start":
        return row["reference"], row["start"]
    return row[name]


def _aligned(row: Mapping[str, Any]) -> list[tuple[Any, tuple[str, str, str]]]:
    """Return each oligo of a product with its three lines: oligo, bars, site."""
    if not row["sites"]:
        return []
    found = [
        (_(insilico_pictures.PRIMERS[letter]), insilico_pictures.rows_of_site(row["sites"][side]))
        for side, letter in insilico_pictures.ends_of(row)
    ]
    if row["sites"].get("probe"):
        found.append((_("Probe"), insilico_pictures.rows_of_site(row["sites"]["probe"])))
    return found
