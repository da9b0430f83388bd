"""JSON addresses that take files of methods and give templates and corrected workbooks."""

from typing import Any

from flask import Response, request

from labhub.db import transaction
from labhub.errors import Invalid
from labhub.file_kinds import FileKind
from labhub.i18n import RIGHT_TO_LEFT, _, current_language
from labhub.methods import commands, schemas, tables
from labhub.reports import ImportReport
from labhub.web.access import PUBLIC
from labhub.web.api import Blueprint, answer_record
from labhub.web.auth import current_actor
from labhub.web.downloads import attachment
from labhub.web.forms import load
from labhub.web.once import once
from labhub.web.uploads import receive

blp = Blueprint(
    "api_method_import", __name__, url_prefix="/api/v1/methods", description="Files of detection methods"
)

BLUEPRINTS = (blp,)
ACCESS = {blp: {"import_file": "method.create", "corrected": "method.create", "template": PUBLIC}}


def _read(form: dict[str, Any], *, dry_run: bool) -> ImportReport:
    with receive(
        allowed=commands.IMPORT_FILES,
        limit_bytes=commands.LARGEST_IMPORT_BYTES,
        most_rows=commands.MOST_ROWS,
    ) as upload:
        return commands.import_sent(
            current_actor(),
            upload.path.read_bytes(),
            upload.name,
            dry_run=dry_run,
            laboratory=form["laboratory"],
        )


@blp.post("/import")
@blp.response(200, schemas.ImportOut)
@blp.refuses(403, 413, 422)
@once
def import_file() -> Response:
    """Read CSV, XLSX, ODS or JSON (multipart `file`) into drafts: all rows or, where one is wrong, none.

    The `errors` of a refusal are keyed by place: `oligos!C7` of a workbook, `row 7, title` of a CSV.
    """
    form = load(schemas.ImportIn(), request.form.to_dict())
    with transaction():
        report = _read(form, dry_run=form["dry_run"])
        report.raise_if_refused()
    rows = [
        {
            "row": row.row,
            "key": row.key,
            "outcome": row.outcome.value,
            "warnings": [str(text) for text in row.warnings],
        }
        for row in report.rows
    ]
    notes = [str(note) for note in report.notes]
    return answer_record({"file": report.file, "dry_run": form["dry_run"], "notes": notes, "rows": rows})


@blp.post("/import/corrected")
@blp.response(200)
@blp.refuses(403, 413, 422)
def corrected() -> Response:
    """Check a CSV, XLSX or ODS file (multipart `file`) and answer with it as XLSX, what is wrong marked.

    Nothing is stored.
    """
    form = load(schemas.ImportIn(), request.form.to_dict())
    with transaction():
        report = _read(form, dry_run=True)
    if report.corrected is None:
        raise Invalid(_("A corrected workbook is made of CSV, XLSX and ODS files."), field="file")
    stem = report.file.rpartition(".")[0] or report.file
    return attachment(report.corrected(), f"{stem}-corrected.xlsx", FileKind.XLSX.media_type)


@blp.get("/template")
@blp.arguments(schemas.TemplateArguments, location="query")
@blp.response(200)
@blp.refuses(400)
def template(arguments: dict[str, Any]) -> Response:
    """Download an empty CSV or XLSX file to fill in, with an example that the import leaves out."""
    format_ = arguments["format"]
    content = tables.template(format_, right_to_left=current_language() in RIGHT_TO_LEFT)
    return attachment(content, f"methods-template.{format_}", FileKind(format_).media_type)
