"""In-silico PCR by JSON: short work is answered at once, long work by a job."""

from typing import Any

from flask import Response, request, url_for

from labhub import strict_json
from labhub.accounts.actor import Actor
from labhub.db import transaction
from labhub.errors import Invalid
from labhub.i18n import _
from labhub.sequences import commands, insilico_commands, insilico_queries, insilico_schemas
from labhub.sequences.formats import read_records
from labhub.web.api import Blueprint, answer_record
from labhub.web.auth import current_actor
from labhub.web.forms import load
from labhub.web.insilico import REFERENCE_KINDS, checked_records, question_of, tsv_of
from labhub.web.once import once
from labhub.web.uploads import receive

blp = Blueprint(
    "api_insilico",
    __name__,
    url_prefix="/api/v1/insilico",
    description="In-silico PCR on reference sequences",
)

BLUEPRINTS = (blp,)
ACCESS = {blp: {"search": "insilico.run", "search_file": "insilico.run"}}


@blp.post("")
@blp.arguments(insilico_schemas.InsilicoFormat, location="query")
@blp.arguments(insilico_schemas.InsilicoIn)
@blp.response(200, insilico_schemas.InsilicoOut)
@blp.alt_response(202, schema=insilico_schemas.InsilicoStarted)
@blp.refuses(400, 401, 413, 422, 429)
def search(form: dict[str, Any], given: dict[str, Any]) -> Response:
    """Search assays and methods in hub records or records sent along; 202 and a job if it takes long."""
    actor = current_actor()
    return _answer(actor, question_of(actor, given), form["format"])


@blp.post("/file")
@blp.arguments(insilico_schemas.InsilicoFormat, location="query")
@blp.arguments(insilico_schemas.InsilicoFile, location="files")
@blp.arguments(insilico_schemas.InsilicoFileIn, location="form")
@blp.response(200, insilico_schemas.InsilicoOut)
@blp.alt_response(202, schema=insilico_schemas.InsilicoStarted)
@blp.refuses(400, 401, 413, 422, 429)
def search_file(form: dict[str, Any], _files: dict[str, Any], given: dict[str, Any]) -> Response:
    """Search in the records of a FASTA, GenBank or EMBL file, which is not kept; ``request`` is the JSON."""
    actor = current_actor()
    try:
        body = strict_json.loads(given["request"])
    except ValueError as error:
        raise Invalid(_("The field request must hold JSON."), field="request") from error
    asked = load(insilico_schemas.InsilicoIn(), body)
    with receive(allowed=REFERENCE_KINDS, limit_bytes=commands.MAX_UPLOAD_BYTES) as upload:
        records = checked_records(read_records(upload.path, upload.kind, bases_only=True), "file")
    request.files["file"].stream.seek(0)  # ``once`` compares the whole request
    return _answer(actor, question_of(actor, asked, records), form["format"])


def _answer(actor: Actor, question: insilico_queries.Question, form: str) -> Response:
    if insilico_queries.estimated_seconds(question) > insilico_queries.SHORT_SECONDS:
        started: Response = _started(actor, question)
        return started
    result = insilico_queries.find(actor, question)
    if form == "tsv":
        return Response(tsv_of(result), mimetype="text/tab-separated-values")
    return answer_record(result)


@once
def _started(actor: Actor, question: insilico_queries.Question) -> Response:
    """Put a long search into the queue; its job is the answer."""
    with transaction():
        job = insilico_commands.start_search(actor, question)
    response = answer_record({"job": job.id, "state": "queued"}, status=202)
    response.headers["Location"] = url_for("api_jobs.show", number=job.id)
    return response
