"""Pages that take files of methods, report on every row, and give templates and corrected workbooks."""

from base64 import b64encode
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from marshmallow import RAISE, ValidationError

from labhub.accounts.queries import own_laboratories
from labhub.db import transaction
from labhub.errors import Conflict, Invalid, Refusal, TooLarge
from labhub.file_kinds import FileKind
from labhub.i18n import RIGHT_TO_LEFT, _, current_language
from labhub.methods import commands, schemas, tables
from labhub.reports import ImportReport, Outcome
from labhub.web.access import PUBLIC
from labhub.web.auth import current_actor
from labhub.web.downloads import attachment
from labhub.web.errors import flat_messages
from labhub.web.forms import OWN_FIELDS, load
from labhub.web.once import once
from labhub.web.uploads import receive

bp = Blueprint("method_import", __name__)

ACCESS = {
    "import_form": "method.create",
    "import_file": "method.create",
    "corrected": "method.create",
    "template": PUBLIC,
}

MOST_SHOWN = 200
"""Problems, and rows, that the page lists."""
LARGEST_LINK_BYTES = 4 << 20
"""A corrected workbook up to this size is in the page itself, as a link that holds it; nothing is stored."""


@bp.get("/methods/import")
def import_form() -> ResponseReturnValue:
    """Show the form that takes a file of methods."""
    return _page(None)


@bp.post("/methods/import")
@once
def import_file() -> ResponseReturnValue:
    """Read a file of methods into drafts; the report of every row is shown."""
    report = None
    try:
        form = _form()
        with transaction():
            report = read_sent(form)
            if not form["dry_run"]:
                report.raise_if_refused()
    except (Invalid, Conflict, TooLarge) as refusal:
        return _page(report, refusal=refusal)
    return _page(report, is_trial=form["dry_run"])


@bp.post("/methods/import/corrected")
def corrected() -> ResponseReturnValue:
    """Answer with the file as a workbook in which what is wrong is marked; nothing is stored."""
    try:
        with transaction():
            report = read_sent({**_form(), "dry_run": True})
        return corrected_file(report)
    except (Invalid, Conflict, TooLarge) as refusal:
        return _page(None, refusal=refusal)


@bp.get("/methods/template")
def template() -> ResponseReturnValue:
    """Download an empty file to fill in."""
    try:
        given = schemas.TemplateArguments().load(
            {name: value for name, value in request.args.items() if name != "lang"}, unknown=RAISE
        )
    except ValidationError as error:
        raise Refusal(
            _("A template is offered as csv or xlsx."), errors=flat_messages(error.messages)
        ) from error
    return template_file(given["format"])


def _form() -> dict[str, Any]:
    given = {name: text for name, text in request.form.items() if name not in OWN_FIELDS}
    return load(schemas.ImportIn(), given)


def read_sent(form: dict[str, Any]) -> ImportReport:
    """Receive the file of the request and import it as the form says."""
    with receive(
        allowed=commands.IMPORT_FILES,
        limit_bytes=commands.LARGEST_IMPORT_BYTES,
        most_rows=commands.MOST_ROWS,
    ) as upload:
        return commands.import_sent(
            current_actor(),
            upload.path.read_bytes(),
            upload.name,
            dry_run=form["dry_run"],
            laboratory=form["laboratory"],
        )


def corrected_name(report: ImportReport) -> str:
    """Return the name of the corrected workbook of a file."""
    stem = report.file.rpartition(".")[0] or report.file
    return f"{stem}-corrected.xlsx"


def corrected_file(report: ImportReport) -> Response:
    """Answer with the corrected workbook of a file that was read."""
    if report.corrected is None:
        raise Invalid(_("A corrected workbook is made of CSV, XLSX and ODS files."), field="file")
    return attachment(report.corrected(), corrected_name(report), FileKind.XLSX.media_type)


def template_file(format_: str) -> Response:
    """Answer with an empty file to fill in."""
    content = tables.template(format_, right_to_left=current_language() in RIGHT_TO_LEFT)
    return attachment(content, f"methods-template.{format_}", FileKind(format_).media_type)


def _page(
    report: ImportReport | None, *, refusal: Refusal | None = None, is_trial: bool = False
) -> ResponseReturnValue:
    own = own_laboratories(current_actor())
    page = render_template(
        "methods/import.html",
        report=report,
        summary=_summary(report) if report is not None else {},
        is_trial=is_trial,
        laboratories=own,
        laboratory_options=[(each.code, each.name) for each in own],
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal and report is None else {},
        can_review=False,
    )
    return page, refusal.status if refusal else 200


def _summary(report: ImportReport) -> dict[str, Any]:
    """Return what the page shows of a report: counts, the first problems and rows, the corrected workbook."""
    errors = report.all_errors()
    problems = [(place, text) for place in tables.in_order(errors) for text in errors[place]]
    kinds: dict[str, list[Any]] = {}
    for place, text in problems:
        kind = kinds.setdefault(getattr(text, "msgid", str(text)), [0, text, place])
        kind[0] += 1
    doubts = [(row, text) for row in report.rows for text in row.warnings]
    link = ""
    if report.is_refused and report.corrected is not None:
        content = report.corrected()
        if len(content) <= LARGEST_LINK_BYTES:
            link = f"data:{FileKind.XLSX.media_type};base64,{b64encode(content).decode()}"
    return {
        "counts": {outcome.value: report.count(outcome) for outcome in Outcome if report.count(outcome)},
        "kinds": sorted(kinds.values(), key=lambda kind: -int(kind[0]))[:20],
        "problems": problems[:MOST_SHOWN],
        "problem_count": len(problems),
        "doubts": doubts[:MOST_SHOWN],
        "doubt_count": len(doubts),
        "rows": report.rows[:MOST_SHOWN],
        "link": link,
        "name": corrected_name(report),
    }
