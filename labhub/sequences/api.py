"""JSON addresses of reference sequences."""

from typing import Any

from flask import Response, request, url_for

from labhub.accounts.actor import Actor
from labhub.accounts.policy import can
from labhub.db import transaction
from labhub.errors import NotFound
from labhub.i18n import _
from labhub.methods import link_queries
from labhub.sequences import commands, queries, schemas, sealed_commands
from labhub.sequences.equivalence import Marks, Relation
from labhub.sequences.formats import ReadFile
from labhub.sequences.models import ReferenceSequence
from labhub.sequences.records import shown_message
from labhub.sequences.sealed_models import SealedUseKind
from labhub.web import sequence_maps
from labhub.web.access import PUBLIC
from labhub.web.api import (
    Blueprint,
    answer_page,
    answer_record,
    expected_version,
    page_of,
    sorted_by,
)
from labhub.web.auth import current_actor
from labhub.web.downloads import Item, deliver
from labhub.web.once import once
from labhub.web.uploads import Upload, keep_upload, receive

blp = Blueprint(
    "api_sequences", __name__, url_prefix="/api/v1/sequences", description="Reference sequences, reviewed"
)

BLUEPRINTS = (blp,)
ACCESS = {
    blp: {
        "index": PUBLIC,
        "show": PUBLIC,
        "download": PUBLIC,
        "together": PUBLIC,
        "map_svg": PUBLIC,
        "create": "sequence.create",
        "change": "sequence.change",
        "submit": "sequence.submit",
        "review": "sequence.review",
        "publish": "sequence.publish",
        "withdraw": "sequence.withdraw",
    }
}

MEDIA_TYPE = "text/plain; charset=utf-8"


@blp.get("")
@blp.arguments(schemas.SequenceList, location="query")
@blp.response(200, schemas.SequenceRow(many=True))
@blp.refuses(400)
def index(arguments: dict[str, Any]) -> Response:
    """List the sequences that the caller may see, never their bases."""
    query = listed(current_actor(), arguments)
    query = sorted_by(query, arguments["sort"], queries.LIST_COLUMNS, "-changed_at", queries.LIST_TIE)
    return answer_page(page_of(query, arguments["page"], arguments["page_size"]))


def listed(actor: Actor, arguments: dict[str, Any]) -> Any:
    """Select the list that the filters ask for; a method is found by each of its codes."""
    filters = {name: arguments[name] for name in schemas.FILTERS}
    filters["methods"] = link_queries.every_code(actor, filters["method"]) if filters["method"] else []
    del filters["method"]
    return queries.listed_sequences(actor, **filters)


@blp.get("/download")
@blp.arguments(schemas.SequenceTogetherArguments, location="query")
@blp.response(200, {"type": "string"}, content_type="text/plain")
@blp.refuses(400, 404, 413)
def together(arguments: dict[str, Any]) -> Response:
    """Download the sequences that fit the filters as one file; sealed ones are left out."""
    actor = current_actor()
    form = arguments["format"]
    found, left_out = queries.selected_sequences(actor, listed(actor, arguments))
    content = b"".join(queries.sequence_file(actor, sequence, form) for sequence in found)
    items = [
        Item("sequence", sequence.id, sequence.accession, "1", form.value, sequence.laboratory_id)
        for sequence in found
        if queries.is_counted(sequence)
    ]
    response = deliver(
        items,
        content,
        name=f"labhub-sequences.{form.extension}",
        media_type=MEDIA_TYPE,
        counted=bool(items),
    )
    response.headers["X-Records"] = str(len(found))
    response.headers["X-Left-Out"] = str(left_out)
    return response


@blp.post("")
@blp.arguments(schemas.SequenceUploadFile, location="files")
@blp.arguments(schemas.SequenceUploadIn, location="form")
@blp.response(201, schemas.SequenceUploadOut)
@blp.refuses(400, 403, 413, 422)
def create(_files: dict[str, Any], form: dict[str, Any]) -> Response:
    """Upload a GenBank, EMBL, FASTA or SnapGene file, gzipped or not: each of its records becomes a draft.

    When one is wrong none does, unless ``skip_bad`` says to leave those out.
    """
    actor = current_actor()
    form.pop("sha256")  # compared while the file was received
    skip_bad = form.pop("skip_bad")
    form["methods"] = link_queries.checked_codes(actor, form["methods"])
    with receive(
        allowed=commands.SEQUENCE_KINDS, limit_bytes=commands.MAX_UPLOAD_BYTES, broken_text=skip_bad
    ) as upload:
        # Read before the transaction: a long file must not keep other writers waiting.
        read = commands.read_file(upload.path, upload.kind, upload.name, skip_bad=skip_bad)
        marks = commands.marks_of(read.records)
        request.files["file"].stream.seek(0)  # ``once`` compares the whole request
        response: Response = _stored(actor, upload, read, marks, commands.Details(**form))
    return response


@once
def _stored(
    actor: Actor, upload: Upload, read: ReadFile, marks: list[Marks], details: commands.Details
) -> Response:
    """Store the records of a file that was read, and answer with them."""
    with transaction():
        made = commands.upload_sequences(
            actor,
            read.records,
            file_name=upload.name,
            file_kind=upload.kind,
            keep_file=lambda: keep_upload(upload),
            details=details,
            known_marks=marks,
            left_out=len(read.left_out),
        )
    answer = record_of(actor, made[0])
    answer["records"] = upload_report(actor, made, read)
    answer["left_out"] = [
        {"line": each.line, "name": each.name, "problems": [str(text) for text in each.problems]}
        for each in read.left_out
    ]
    response = answer_record(answer, made[0].row_version, 201)
    response.headers["Location"] = url_for("api_sequences.show", accession=made[0].accession)
    return response


def upload_report(actor: Actor, made: list[ReferenceSequence], read: ReadFile) -> list[dict[str, Any]]:
    """Return what became of each record of a file: accession, remarks, others of the same molecule."""
    found = queries.equivalents_of(actor, made)
    return [
        {
            "accession": sequence.accession,
            "source_accession": sequence.source_accession,
            "version": sequence.version,
            "title": sequence.title,
            "length_bp": sequence.length_bp,
            "topology": sequence.topology,
            "digest": sequence.digest,
            "line": record.line,
            "warnings": [str(shown_message(stored)) for stored in sequence.warnings],
            **_equivalents(found.get(sequence.id, [])),
        }
        for sequence, record in zip(made, read.records, strict=True)
    ]


def _equivalents(found: list[queries.Equivalent]) -> dict[str, Any]:
    return {
        "same_bases": [each.accession for each in found if each.relation is Relation.SAME],
        "equivalents": [
            {
                "accession": each.accession,
                "relation": each.relation,
                "other_topology": each.other_topology,
            }
            for each in found
        ],
    }


@blp.get("/<accession>")
@blp.response(200, schemas.SequenceOut)
@blp.refuses(404)
def show(accession: str) -> Response:
    """Show a record: what is known of it and its features, never its bases."""
    actor = current_actor()
    sequence = queries.find_sequence(actor, accession)
    sealed_commands.note_reading(actor, sequence, SealedUseKind.BASES, "api")
    return answer_record(record_of(actor, sequence), sequence.row_version)


@blp.patch("/<accession>")
@blp.arguments(schemas.SequenceChangeIn)
@blp.response(200, schemas.SequenceOut)
@blp.refuses(403, 404, 409, 412, 422, 428)
def change(changes: dict[str, Any], accession: str) -> Response:
    """Change what is said of a draft or returned record; If-Match names the version that was read."""
    actor = current_actor()
    version = expected_version()
    if "methods" in changes:
        changes["methods"] = link_queries.checked_codes(actor, changes["methods"])
    with transaction():
        sequence = commands.change_sequence(actor, accession, changes, expected_version=version)
    return answer_record(record_of(actor, sequence), sequence.row_version)


@blp.post("/<accession>/submission")
@blp.response(200, schemas.SequenceOut)
@blp.refuses(403, 404, 409, 412, 428)
def submit(accession: str) -> Response:
    """Hand a draft to the reviewers; a manager of its laboratory does, on the version of If-Match."""
    actor = current_actor()
    version = expected_version()
    with transaction():
        sequence = commands.submit_sequence(actor, accession, expected_version=version)
    return answer_record(record_of(actor, sequence), sequence.row_version)


@blp.post("/<accession>/review")
@blp.arguments(schemas.SequenceReviewIn)
@blp.response(200, schemas.SequenceOut)
@blp.refuses(403, 404, 409, 412, 422, 428)
def review(decision: dict[str, Any], accession: str) -> Response:
    """Take a submitted record into review (``claim``) or send it back (``return``); needs If-Match."""
    actor = current_actor()
    version = expected_version()
    with transaction():
        if decision["decision"] == "return":
            sequence = commands.return_sequence(
                actor, accession, decision["reason"], expected_version=version
            )
        else:
            sequence = commands.claim_sequence(actor, accession, expected_version=version)
    return answer_record(record_of(actor, sequence), sequence.row_version)


@blp.post("/<accession>/publication")
@blp.response(200, schemas.SequenceOut)
@blp.refuses(403, 404, 409, 412, 428)
def publish(accession: str) -> Response:
    """Publish a record that waits for review; never by who wrote on or submitted it; needs If-Match."""
    actor = current_actor()
    version = expected_version()
    with transaction():
        sequence = commands.publish_sequence(actor, accession, expected_version=version)
    return answer_record(record_of(actor, sequence), sequence.row_version)


@blp.post("/<accession>/withdrawal")
@blp.arguments(schemas.SequenceReasonIn)
@blp.response(200, schemas.SequenceOut)
@blp.refuses(403, 404, 409, 412, 422, 428)
def withdraw(given: dict[str, Any], accession: str) -> Response:
    """Mark a record as no longer to be used, with the reason; needs If-Match."""
    actor = current_actor()
    version = expected_version()
    with transaction():
        sequence = commands.withdraw_sequence(actor, accession, given["reason"], expected_version=version)
    return answer_record(record_of(actor, sequence), sequence.row_version)


@blp.get("/<accession>/download")
@blp.arguments(schemas.SequenceDownloadArguments, location="query")
@blp.response(200, {"type": "string"}, content_type="text/plain")
@blp.refuses(400, 403, 404)
def download(arguments: dict[str, Any], accession: str) -> Response:
    """Download a record as GenBank, FASTA or EMBL."""
    actor = current_actor()
    sequence = queries.find_sequence(actor, accession)
    if arguments["version"] != 1:
        raise NotFound(_("A sequence has one version only; a new one has an accession of its own."))
    form = arguments["format"]
    sealed_commands.note_reading(actor, sequence, SealedUseKind.DOWNLOAD, "api")
    content = queries.sequence_file(actor, sequence, form)
    item = Item("sequence", sequence.id, sequence.accession, "1", form.value, sequence.laboratory_id)
    return deliver(
        item,
        content,
        name=queries.download_name(sequence, form),
        media_type=MEDIA_TYPE,
        modified_at=sequence.changed_at,
        counted=queries.is_counted(sequence),
    )


@blp.get("/<accession>/map.svg")
@blp.arguments(schemas.SequenceMapArguments, location="query")
@blp.response(200, {"type": "string"}, content_type="image/svg+xml")
@blp.refuses(400, 403, 404, 422)
def map_svg(arguments: dict[str, Any], accession: str) -> Response:
    """Draw the map of a record: features, and the products of chosen methods in it."""
    actor = current_actor()
    sequence = queries.find_sequence(actor, accession)
    sealed_commands.note_reading(actor, sequence, SealedUseKind.BASES, "api")
    return sequence_maps.picture(actor, sequence, arguments["methods"], arguments["width"])


def record_of(actor: Actor, sequence: ReferenceSequence) -> dict[str, Any]:
    """Return a record as this caller may see it; the uploaded file is its laboratory's to know of."""
    is_open = queries.may_see_bases(actor, sequence)
    is_own = can(actor, "sequence.change", sequence)
    before, after = queries.predecessor(actor, sequence), queries.successor(actor, sequence)
    return {
        "accession": sequence.accession,
        "title": sequence.title,
        "organism": sequence.organism,
        "taxon": sequence.taxon,
        "source": sequence.source,
        "topology": sequence.topology,
        "molecule_type": sequence.molecule_type,
        "length_bp": sequence.length_bp,
        "digest": sequence.digest if is_open else None,
        "canonical_digest": sequence.canonical_digest if is_open else None,
        "source_accession": sequence.source_accession,
        "version": sequence.version,
        "state": sequence.state,
        "visibility": sequence.visibility,
        "laboratory": sequence.laboratory.code,
        "lmo": sequence.lmo.slug if sequence.lmo else None,
        "event": sequence.lmo.event if sequence.lmo else None,
        "element": sequence.element.name if sequence.element else None,
        "lmos": [link.lmo.slug for link in sequence.lmo_links],
        "elements": [link.element.name for link in sequence.element_links],
        "methods": [
            method.code
            for method in link_queries.linked_methods(actor, [link.code for link in sequence.method_links])
        ],
        "supersedes": before.accession if before else None,
        "superseded_by": after.accession if after else None,
        "published_at": sequence.published_at,
        "changed_at": sequence.changed_at,
        "name": sequence.name,
        "description": sequence.description,
        "note": sequence.note,
        "licence": sequence.licence,
        "reason": sequence.reason,
        "warnings": [str(shown_message(stored)) for stored in sequence.warnings],
        "bases_open": is_open,
        "features": [
            {
                "kind": feature.kind,
                "start": feature.start_bp,
                "end": feature.end_bp,
                "strand": feature.strand,
                "label": feature.label,
                "location": feature.location,
            }
            for feature in queries.feature_rows(actor, sequence)
        ],
        **_equivalents(queries.equivalents(actor, sequence)),
        "created_at": sequence.created_at,
        "submitted_at": sequence.submitted_at,
        "withdrawn_at": sequence.withdrawn_at,
        "file_name": sequence.file_name if is_own and is_open else None,
        "file_kind": sequence.file_kind if is_own and is_open else None,
        "file_sha256": sequence.file_sha256 if is_own and is_open else None,
    }
