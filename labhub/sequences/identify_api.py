"""Identification of reads by JSON: short work is answered at once, long work by a job."""

from typing import Any

from flask import Response, url_for

from labhub.accounts.actor import Actor
from labhub.accounts.policy import require
from labhub.db import transaction
from labhub.sequences import identify_commands, identify_queries, identify_schemas
from labhub.web.api import Blueprint, answer_record
from labhub.web.auth import current_actor
from labhub.web.identify import question_of_file, question_of_text, tsv_of
from labhub.web.once import once

blp = Blueprint(
    "api_identify",
    __name__,
    url_prefix="/api/v1/identify",
    description="Which reference sequence a read, amplicon or contig comes from",
)

BLUEPRINTS = (blp,)
ACCESS = {blp: {"identify": "identify.run", "identify_file": "identify.run"}}


@blp.post("")
@blp.arguments(identify_schemas.IdentifyFormat, location="query")
@blp.arguments(identify_schemas.IdentifyIn)
@blp.response(200, identify_schemas.IdentifyOut)
@blp.alt_response(202, schema=identify_schemas.IdentifyStarted)
@blp.refuses(400, 401, 413, 422, 429)
def identify(form: dict[str, Any], given: dict[str, Any]) -> Response:
    """Identify reads, amplicons or contigs by the hub's records; 202 and a job if it takes long."""
    return _answer(current_actor(), question_of_text(given["reads"], given, "reads"), form["format"])


@blp.post("/file")
@blp.arguments(identify_schemas.IdentifyFormat, location="query")
@blp.arguments(identify_schemas.IdentifyFile, location="files")
@blp.arguments(identify_schemas.IdentifyReading, location="form")
@blp.response(200, identify_schemas.IdentifyOut)
@blp.alt_response(202, schema=identify_schemas.IdentifyStarted)
@blp.refuses(400, 401, 413, 422, 429)
def identify_file(form: dict[str, Any], _files: dict[str, Any], given: dict[str, Any]) -> Response:
    """Identify the reads of a FASTA, FASTQ or AB1 file, gzipped or not, which is not kept."""
    return _answer(current_actor(), question_of_file(given), form["format"])


def _answer(actor: Actor, question: identify_queries.Question, form: str) -> Response:
    require(actor, "identify.run")
    if identify_queries.estimated_seconds(question) > identify_queries.SHORT_SECONDS:
        started: Response = _started(actor, question)
        return started
    result = identify_queries.find(actor, question)
    if form == "tsv":
        return Response(tsv_of(result), mimetype="text/tab-separated-values")
    return answer_record(result)


@once
def _started(actor: Actor, question: identify_queries.Question) -> Response:
    """Put long work into the queue; its job is the answer."""
    with transaction():
        job = identify_commands.start_identification(actor, question)
    response = answer_record({"job": job.id, "state": "queued"}, status=202)
    response.headers["Location"] = url_for("api_jobs.show", number=job.id)
    return response
