"""JSON addresses of validation studies, judgement, completeness and performance criteria."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import Response, request, url_for

from labhub.db import transaction
from labhub.errors import NotFound
from labhub.i18n import Text, _
from labhub.methods import (
    completeness,
    criteria,
    judgement_queries,
    queries,
    schemas,
    study_commands,
    study_schemas,
    study_working,
)
from labhub.methods.models import MethodVersion
from labhub.methods.trial_files import LARGEST_TRIAL_BYTES, TRIAL_FILES, read_trial_file
from labhub.web.access import PUBLIC
from labhub.web.api import Blueprint, answer_record, expected_version
from labhub.web.auth import current_actor
from labhub.web.forms import load
from labhub.web.once import once
from labhub.web.uploads import receive

blp = Blueprint(
    "api_studies", __name__, url_prefix="/api/v1/methods", description="Validation studies and judgement"
)
criteria_blp = Blueprint(
    "api_criteria",
    __name__,
    url_prefix="/api/v1/performance-criteria",
    description="Versions of the minimum performance criteria",
)

BLUEPRINTS = (blp, criteria_blp)
ACCESS = {
    blp: {
        "show": PUBLIC,
        "add": "method.change",
        "change": "method.change",
        "remove": "method.change",
        "results": "method.change",
        "decide": "method.change",
        "judgement": PUBLIC,
        "completeness_of": PUBLIC,
    },
    criteria_blp: {"index": PUBLIC},
}


def _record_of(version: MethodVersion, position: int, notes: Sequence[Text] = ()) -> dict[str, Any]:
    studies = queries.content_of(version)["studies"]
    if not 0 <= position < len(studies):
        raise NotFound(_("There is no study %(number)s in this version.", number=position))
    study = studies[position]
    return {
        **study,
        "code": version.method.code,
        "version": version.number,
        "position": position,
        "working": study_working.data_of(study, study_working.working(study)),
        "notes": [str(note) for note in notes],
    }


def _answer(version: MethodVersion, position: int, status: int = 200, notes: Sequence[Text] = ()) -> Response:
    response = answer_record(_record_of(version, position, notes), version.edition, status)
    if status == 201:
        response.headers["Location"] = url_for(
            "api_studies.show", code=version.method.code, number=version.number, position=position
        )
    return response


@blp.get("/<code>/versions/<int:number>/studies/<int:position>")
@blp.response(200, study_schemas.StudyOut)
@blp.refuses(404)
def show(code: str, number: int, position: int) -> Response:
    """Show a study and the working: cells, tests, what was excluded and why, figures, limit of detection."""
    return _answer(queries.find_version(current_actor(), code, number), position)


@blp.post("/<code>/studies")
@blp.arguments(study_schemas.StudyIn)
@blp.response(201, study_schemas.StudyOut)
@blp.refuses(403, 404, 409, 412, 422, 428)
@once
def add(given: dict[str, Any], code: str) -> Response:
    """Add a study to the draft that If-Match names; from raw results in `data` the figures are computed."""
    expected = expected_version()
    with transaction():
        version = study_commands.add_study(current_actor(), code, given, expected=expected)
        return _answer(version, len(version.studies) - 1, 201)


@blp.patch("/<code>/studies/<int:position>")
@blp.arguments(study_schemas.StudyChange(partial=True))
@blp.response(200, study_schemas.StudyOut)
@blp.refuses(403, 404, 409, 412, 422, 428)
def change(given: dict[str, Any], code: str, position: int) -> Response:
    """Change a study of the draft that If-Match names."""
    expected = expected_version()
    with transaction():
        version = study_commands.change_study(current_actor(), code, position, given, expected=expected)
        return _answer(version, position)


@blp.delete("/<code>/studies/<int:position>")
@blp.response(204)
@blp.refuses(403, 404, 409, 412, 428)
def remove(code: str, position: int) -> None:
    """Take a study off the draft that If-Match names."""
    expected = expected_version()
    with transaction():
        study_commands.remove_study(current_actor(), code, position, expected=expected)


@blp.post("/<code>/studies/<int:position>/data")
@blp.response(200, study_schemas.StudyOut)
@blp.refuses(403, 404, 409, 412, 413, 422, 428)
def results(code: str, position: int) -> Response:
    """Read raw results from CSV or XLSX (multipart `file`, `unit`) into a study and compute its figures."""
    actor, expected = current_actor(), expected_version()
    form = load(study_schemas.ResultsIn(), request.form.to_dict())
    queries.find_method(actor, code)
    with receive(allowed=TRIAL_FILES, limit_bytes=LARGEST_TRIAL_BYTES) as upload, transaction():
        table, notes = read_trial_file(upload.path.read_bytes(), file=upload.name, kind=upload.kind)
        version = study_commands.set_results(
            actor, code, position, table, unit=form["unit"], expected=expected
        )
        return _answer(version, position, notes=[*notes, *study_commands.import_notes(table)])


@blp.post("/<code>/studies/<int:position>/decisions")
@blp.arguments(study_schemas.DecisionIn)
@blp.response(200, study_schemas.StudyOut)
@blp.refuses(403, 404, 409, 412, 422, 428)
def decide(given: dict[str, Any], code: str, position: int) -> Response:
    """Keep or exclude a laboratory with a reason; the figures are computed again."""
    expected = expected_version()
    with transaction():
        version = study_commands.decide(current_actor(), code, position, **given, expected=expected)
        return _answer(version, position)


@blp.get("/<code>/judgement")
@blp.arguments(study_schemas.JudgementArguments, location="query")
@blp.response(200, study_schemas.JudgementOut)
@blp.refuses(404)
def judgement(arguments: dict[str, Any], code: str) -> Response:
    """Judge a version by the criteria of its publication, the newest for a draft, or those named."""
    version = queries.find_version(current_actor(), code, arguments["version"])
    wanted = arguments["criteria"] or version.criteria_version
    chosen = judgement_queries.find_criteria(wanted)
    if chosen is None:
        raise NotFound(_("No performance criteria are loaded. Run labhub init."))
    report = criteria.judge(queries.content_of(version), chosen)
    return answer_record(
        {
            "code": version.method.code,
            "version": version.number,
            "recorded_criteria": version.criteria_version,
            "newest_criteria": judgement_queries.newest_criteria_version(),
            **criteria.report_data(report),
        }
    )


@blp.get("/<code>/completeness")
@blp.arguments(schemas.VersionArguments, location="query")
@blp.response(200, study_schemas.CompletenessOut(many=True))
@blp.refuses(404)
def completeness_of(arguments: dict[str, Any], code: str) -> list[dict[str, Any]]:
    """Compare the record with MIQE 2.0 or dMIQE; an empty list where none fits the technique."""
    actor = current_actor()
    version = queries.find_version(actor, code, arguments["version"])
    found = completeness.meters(queries.content_of(version), queries.files_of(version, actor))
    return [completeness.meter_data(meter) for meter in found]


@criteria_blp.get("")
@criteria_blp.response(200, study_schemas.CriteriaOut(many=True))
def index() -> list[dict[str, Any]]:
    """List the versions of the minimum performance criteria, the newest first."""
    return [
        {**asdict(each), "rules": [{**asdict(rule)} for rule in each.rules]}
        for each in judgement_queries.criteria_versions()
    ]
