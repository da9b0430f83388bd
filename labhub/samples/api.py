"""JSON addresses of cases and samples."""

from typing import Any

from flask import Response, url_for

from labhub.db import transaction
from labhub.errors import Invalid, NotFound
from labhub.lmos import unique_identifier
from labhub.samples import commands, queries, schemas
from labhub.samples.models import Case, CustodyEntry, IdentificationResult, Sample
from labhub.samples.wording import in_words
from labhub.web.access import SIGNED_IN
from labhub.web.api import (
    Blueprint,
    Page,
    answer_page,
    answer_record,
    expected_version,
    page_of,
    sorted_by,
)
from labhub.web.auth import current_actor
from labhub.web.json import dumps
from labhub.web.once import once

cases = Blueprint(
    "api_cases", __name__, url_prefix="/api/v1/cases", description="Cases of Articles 17, 18 and 25"
)
samples = Blueprint(
    "api_samples", __name__, url_prefix="/api/v1/samples", description="Samples, custody and results"
)

BLUEPRINTS = (cases, samples)
ACCESS = {
    cases: {
        "list_cases": "case.list",
        "open_case": "case.create",
        "show_case": SIGNED_IN,
        "change_case": "case.change",
        "list_case_samples": SIGNED_IN,
        "add_case_sample": "sample.create",
        "show_timeline": SIGNED_IN,
    },
    samples: {
        "list_samples": "case.list",
        "add_sample": "sample.create",
        "show_sample": SIGNED_IN,
        "change_sample": "sample.change",
        "show_custody": SIGNED_IN,
        "add_custody": "custody.add",
        "list_analyses": SIGNED_IN,
        "add_analysis": "analysis.create",
    },
}


def case_record(case: Case) -> dict[str, Any]:
    """Return what the API says of a case."""
    return {
        "id": case.id,
        "number": case.number,
        "title": case.title,
        "party": case.party.iso2,
        "party_of_release": case.party_of_release.iso2 if case.party_of_release else None,
        "laboratory": case.laboratory.code if case.laboratory else None,
        "article": case.article,
        "inadvertent": case.inadvertent,
        "contravention": case.contravention,
        "significant_effects_likely": case.significant_effects_likely,
        **queries.article_answers(case.inadvertent, case.contravention, case.significant_effects_likely),
        "state": case.state,
        "visibility": case.visibility,
        "summary": case.summary,
        "opened_at": case.opened_at,
    }


def sample_record(sample: Sample) -> dict[str, Any]:
    """Return what the API says of a sample."""
    return {
        "id": sample.id,
        "case_id": sample.case_id,
        "case_number": sample.case.number,
        "label": sample.label,
        "taken_at": sample.taken_at,
        "place": sample.place,
        "sampler": sample.sampler,
        "product": sample.product,
        "lot": sample.lot,
        "mass_gram": sample.mass_gram,
        "increments": sample.increments,
        "seal_number": sample.seal_number,
        "state": sample.state,
        "received_at": sample.received_at,
        "laboratory": sample.laboratory.code if sample.laboratory else None,
    }


def entry_record(entry: CustodyEntry, gaps: set[int]) -> dict[str, Any]:
    """Return what the API says of a custody entry; ``gaps`` are the numbers of entries with a gap before."""
    return {
        "seq": entry.seq,
        "act": entry.act,
        "at": entry.at,
        "from_person": entry.from_person,
        "to_person": entry.to_person,
        "place": entry.place,
        "note": entry.note,
        "gap": entry.seq in gaps,
        "recorded_at": entry.recorded_at,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def result_record(
    result: IdentificationResult, sample: Sample, replaced_by_id: int | None = None
) -> dict[str, Any]:
    """Return what the API says of an identification result."""
    identifier = result.lmo.unique_identifier if result.lmo else None
    return {
        "id": result.id,
        "sample_id": result.sample_id,
        "laboratory": result.laboratory.code,
        "method_code": result.method_version.method.code,
        "version": result.method_version.number,
        "method_status": result.method_status,
        "outcome": result.outcome,
        "statement": in_words(result, sample),
        "target": result.target,
        "lmo": unique_identifier.display(identifier) if identifier else result.lmo and result.lmo.event,
        "gm_percent": result.gm_percent,
        "u_percent": result.u_percent,
        "unit": result.unit,
        "lod_text": result.lod_text,
        "analysed_on": result.analysed_on,
        "analyst": result.analyst,
        "note": result.note,
        "replaces_id": result.replaces_id,
        "replaced_by_id": replaced_by_id,
        "reason": result.reason,
        "created_at": result.created_at,
    }


# Cases ----------------------------------------------------------------------------------------


@cases.get("")
@cases.arguments(schemas.CaseList, location="query")
@cases.response(200, schemas.CaseListed(many=True))
@cases.refuses(400, 401, 403)
def list_cases(given: dict[str, Any]) -> Response:
    """List the cases of one's own laboratory or Party."""
    query = queries.case_rows(current_actor(), q=given["q"], state=given["state"], article=given["article"])
    query = sorted_by(query, given["sort"], queries.CASE_SORTS, "-number", Case.id)
    page = page_of(query, given["page"], given["page_size"])
    rows = [queries.with_articles(row) for row in page.rows]
    return answer_page(Page(rows, page.total, page.page, page.page_size))


@cases.post("")
@once
@cases.arguments(schemas.CaseIn)
@cases.response(201, schemas.CaseOut)
@cases.refuses(401, 403, 422)
def open_case(given: dict[str, Any]) -> Response:
    """Open a case of one's own Party."""
    given["laboratory"] = given.get("laboratory") or ""
    with transaction():
        case = commands.open_case(current_actor(), **given)
    response = answer_record(case_record(case), case.row_version, 201)
    response.headers["Location"] = url_for("api_cases.show_case", case=case.number)
    return response


@cases.get("/<case>")
@cases.response(200, schemas.CaseOut)
@cases.refuses(401, 404)
def show_case(case: str) -> Response:
    """Show a case by its number or id."""
    record = queries.find_case(current_actor(), case)
    return answer_record(case_record(record), record.row_version)


@cases.patch("/<case>")
@cases.arguments(schemas.CaseChange)
@cases.response(200, schemas.CaseOut)
@cases.refuses(401, 403, 404, 409, 412, 422, 428)
def change_case(changes: dict[str, Any], case: str) -> Response:
    """Change the fields that are sent; ``If-Match`` names the version that was read."""
    version = expected_version()
    reason = changes.pop("reason")
    with transaction():
        record = commands.change_case(current_actor(), case, version, changes, reason=reason)
    return answer_record(case_record(record), record.row_version)


@cases.get("/<case>/samples")
@cases.arguments(schemas.CaseSampleList, location="query")
@cases.response(200, schemas.SampleOut(many=True))
@cases.refuses(400, 401, 404)
def list_case_samples(given: dict[str, Any], case: str) -> Response:
    """List the samples of a case."""
    record = queries.find_case(current_actor(), case)
    return _sample_page(given, record.id)


@cases.post("/<case>/samples")
@once
@cases.arguments(schemas.SampleIn)
@cases.response(201, schemas.SampleOut)
@cases.refuses(401, 403, 404, 409, 422)
def add_case_sample(given: dict[str, Any], case: str) -> Response:
    """Register a sample of a case; its chain of custody begins."""
    return _register(case, given)


@cases.get("/<case>/timeline")
@cases.response(200, schemas.MomentOut(many=True))
@cases.refuses(401, 404)
def show_timeline(case: str) -> Response:
    """Show what was done in a case, oldest first."""
    actor = current_actor()
    moments = queries.timeline(actor, queries.find_case(actor, case))
    return Response(dumps(moments), mimetype="application/json")


# Samples --------------------------------------------------------------------------------------


@samples.get("")
@samples.arguments(schemas.SampleList, location="query")
@samples.response(200, schemas.SampleOut(many=True))
@samples.refuses(400, 401, 403, 404)
def list_samples(given: dict[str, Any]) -> Response:
    """List the samples of the cases that one sees."""
    ident = given.pop("case_id")
    case = queries.find_case(current_actor(), ident) if ident else None
    return _sample_page(given, case.id if case else None)


def _sample_page(given: dict[str, Any], case_id: int | None) -> Response:
    query = queries.sample_rows(current_actor(), case_id=case_id, q=given["q"], state=given["state"])
    query = sorted_by(query, given["sort"], queries.SAMPLE_SORTS, "-id", Sample.id)
    return answer_page(page_of(query, given["page"], given["page_size"]))


@samples.post("")
@once
@samples.arguments(schemas.SampleOfCaseIn)
@samples.response(201, schemas.SampleOut)
@samples.refuses(401, 403, 409, 422)
def add_sample(given: dict[str, Any]) -> Response:
    """Register a sample of the case ``case_id`` (its id or number); its chain of custody begins."""
    ident = given.pop("case_id")
    try:
        return _register(ident, given)
    except NotFound as error:
        raise Invalid(error.message, field="case_id") from error


def _register(case: str | int, given: dict[str, Any]) -> Response:
    with transaction():
        sample = commands.register_sample(current_actor(), case=case, **given)
    response = answer_record(sample_record(sample), sample.row_version, 201)
    response.headers["Location"] = url_for("api_samples.show_sample", sample_id=sample.id)
    return response


@samples.get("/<int:sample_id>")
@samples.response(200, schemas.SampleOut)
@samples.refuses(401, 404)
def show_sample(sample_id: int) -> Response:
    """Show a sample."""
    sample = queries.find_sample(current_actor(), sample_id)
    return answer_record(sample_record(sample), sample.row_version)


@samples.patch("/<int:sample_id>")
@samples.arguments(schemas.SampleChange)
@samples.response(200, schemas.SampleOut)
@samples.refuses(401, 403, 404, 409, 412, 422, 428)
def change_sample(changes: dict[str, Any], sample_id: int) -> Response:
    """Change the fields that are sent; ``If-Match`` names the version that was read."""
    version = expected_version()
    reason = changes.pop("reason")
    with transaction():
        sample = commands.change_sample(current_actor(), sample_id, version, changes, reason=reason)
    return answer_record(sample_record(sample), sample.row_version)


@samples.get("/<int:sample_id>/custody")
@samples.response(200, schemas.CustodyOut)
@samples.refuses(401, 404)
def show_custody(sample_id: int) -> Response:
    """Show the chain of custody, and whether its digests hold."""
    actor = current_actor()
    sample = queries.find_sample(actor, sample_id)
    check = queries.check_custody(actor, sample_id)
    entries = queries.custody_of(sample)
    gaps = queries.gaps_of(entries)
    return answer_record(
        {
            "sample_id": sample.id,
            "holds": not check.problem,
            "problem": check.problem,
            "entries": [entry_record(entry, gaps) for entry in entries],
        }
    )


@samples.post("/<int:sample_id>/custody")
@once
@samples.arguments(schemas.CustodyIn)
@samples.response(201, schemas.CustodyEntryOut)
@samples.refuses(401, 403, 404, 409, 422)
def add_custody(given: dict[str, Any], sample_id: int) -> Response:
    """Add a link to the chain of custody: handed over, received, retained or disposed of."""
    with transaction():
        entry = commands.add_custody(current_actor(), sample_id, **given)
        sample = queries.find_sample(current_actor(), sample_id)
        gaps = queries.gaps_of(queries.custody_of(sample))
    return answer_record(entry_record(entry, gaps), status=201)


@samples.get("/<int:sample_id>/analyses")
@samples.response(200, schemas.AnalysisOut(many=True))
@samples.refuses(401, 404)
def list_analyses(sample_id: int) -> Response:
    """List the results of a sample, oldest first, corrected ones too."""
    sample = queries.find_sample(current_actor(), sample_id)
    results = queries.results_of([sample.id])
    later = {row.replaces_id: row.id for row in results if row.replaces_id}
    rows = [result_record(row, sample, later.get(row.id)) for row in results]
    return Response(dumps(rows), mimetype="application/json")


@samples.post("/<int:sample_id>/analyses")
@once
@samples.arguments(schemas.AnalysisIn)
@samples.response(201, schemas.AnalysisOut)
@samples.refuses(401, 403, 404, 409, 422)
def add_analysis(given: dict[str, Any], sample_id: int) -> Response:
    """Record an identification result that cites a method version; it is never changed, only corrected."""
    with transaction():
        result = commands.add_analysis(current_actor(), sample_id, **given)
        sample = queries.find_sample(current_actor(), sample_id)
    return answer_record(result_record(result, sample), status=201)
