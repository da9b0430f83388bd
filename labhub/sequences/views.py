"""Pages of reference sequences."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from marshmallow import ValidationError

from labhub.accounts import queries as account_queries
from labhub.accounts.policy import can, may_ever
from labhub.db import transaction
from labhub.errors import Conflict, Invalid, NotFound, Refusal, StaleEdit, TooLarge
from labhub.i18n import _
from labhub.methods import link_queries
from labhub.sequences import commands, maps, queries, schemas, sealed_commands
from labhub.sequences.equivalence import RELATION_NAMES, Marks
from labhub.sequences.formats import ReadFile
from labhub.sequences.models import (
    STATE_NAMES,
    TOPOLOGY_NAMES,
    VISIBILITY_NAMES,
    VISIBILITY_TEXTS,
    ReferenceSequence,
    Visibility,
)
from labhub.sequences.records import FORMAT_NAMES, MOLECULE_TYPES, shown_message
from labhub.sequences.sealed_models import SealedUseKind
from labhub.web import sequence_maps
from labhub.web.access import PUBLIC
from labhub.web.api import expected_version, page_of, sorted_by
from labhub.web.auth import current_actor
from labhub.web.errors import flat_messages
from labhub.web.forms import load_form, load_query
from labhub.web.once import once
from labhub.web.uploads import Upload, keep_upload, receive

bp = Blueprint("sequences", __name__)

ACCESS = {
    "index": PUBLIC,
    "show": PUBLIC,
    "map_svg": PUBLIC,
    "upload": "sequence.create",
    "submit_upload": "sequence.create",
    "edit": "sequence.change",
    "submit_edit": "sequence.change",
    "submit": "sequence.submit",
    "claim": "sequence.review",
    "send_back": "sequence.review",
    "publish": "sequence.publish",
    "withdraw": "sequence.withdraw",
}

SHOWN_FEATURES = 300


def _names(table: dict[Any, str]) -> list[tuple[str, Any]]:
    return [(key.value, _(text)) for key, text in table.items()]


@bp.get("/sequences")
def index() -> ResponseReturnValue:
    """List the sequences that the reader may see, filtered and sorted."""
    arguments = request.args.to_dict()
    try:
        given = schemas.SequenceList().load({name: value for name, value in arguments.items() if value})
    except ValidationError as error:
        raise Refusal(
            _("This list does not know such a filter."), errors=flat_messages(error.messages)
        ) from error
    actor = current_actor()
    filters = {name: given[name] for name in schemas.FILTERS if name != "method"}
    filters["methods"] = link_queries.every_code(actor, given["method"]) if given["method"] else []
    query = queries.listed_sequences(actor, **filters)
    query = sorted_by(query, given["sort"], queries.LIST_COLUMNS, "-changed_at", queries.LIST_TIE)
    return render_template(
        "sequences/index.html",
        page=page_of(query, given["page"], given["page_size"]),
        filters=arguments,
        chosen={name: value for name, value in arguments.items() if value and name in schemas.FILTERS},
        formats=FORMAT_NAMES,
        sort=given["sort"] or "-changed_at",
        states=_names(STATE_NAMES),
        visibilities=_names(VISIBILITY_NAMES),
        topologies=_names(TOPOLOGY_NAMES),
        state_names=STATE_NAMES,
        visibility_names=VISIBILITY_NAMES,
        topology_names=TOPOLOGY_NAMES,
        may_upload=may_ever(actor, "sequence.create"),
        sees_more=actor.user_id is not None,
    )


@bp.get("/sequences/<accession>")
def show(accession: str) -> ResponseReturnValue:
    """Show a record: what is known of it, its features, and the ends of its bases."""
    sequence = queries.find_sequence(current_actor(), accession)
    if sequence.accession != accession:
        return redirect(url_for("sequences.show", accession=sequence.accession), 302)
    sealed_commands.note_reading(current_actor(), sequence, SealedUseKind.BASES, "web")
    return _page(sequence)


@bp.get("/sequences/<accession>/map.svg")
def map_svg(accession: str) -> ResponseReturnValue:
    """Draw the map of a record: features, and the products of chosen methods in it."""
    given = load_query(schemas.SequenceMapArguments())
    actor = current_actor()
    sequence = queries.find_sequence(actor, accession)
    sealed_commands.note_reading(actor, sequence, SealedUseKind.BASES, "web")
    return sequence_maps.picture(actor, sequence, given["methods"], given["width"])


def _map(sequence: ReferenceSequence) -> tuple[sequence_maps.SequenceMap | None, Refusal | None]:
    """Return the map of a record with open bases; what is wrong with the chosen methods beside it."""
    actor = current_actor()
    if not queries.may_see_bases(actor, sequence):
        return None, None
    asked = request.args.get("methods", "")[:2000] if "methods" in request.args else None
    try:
        return sequence_maps.map_of(actor, sequence, sequence_maps.codes_of(asked)), None
    except Invalid as refusal:
        return sequence_maps.map_of(actor, sequence, []), refusal


def _page(sequence: ReferenceSequence, refusal: Refusal | None = None) -> ResponseReturnValue:
    actor = current_actor()
    drawn, not_drawn = _map(sequence)
    refusal = refusal or not_drawn
    features = list(drawn.features) if drawn else []
    if drawn and len(features) > SHOWN_FEATURES:
        single = {each.number for each in drawn.parts.features}
        features = [feature for feature in features if feature.position in single]
    first, last = queries.ends_of(actor, sequence)
    page = render_template(
        "sequences/show.html",
        sequence=sequence,
        features=features,
        feature_count=drawn.parts.feature_count if drawn else 0,
        map=drawn,
        drawings=[
            (width, Markup(maps.draw(drawn.parts, width, prefix=f"map{width}", linked=True)))  # noqa: S704
            for width in maps.WIDTHS
        ]
        if drawn
        else [],
        told_kinds=maps.told_kinds,
        strand_sign=maps.strand_sign,
        first=first,
        last=last,
        equivalents=queries.equivalents(actor, sequence),
        relation_names=RELATION_NAMES,
        predecessor=queries.predecessor(actor, sequence),
        successor=queries.successor(actor, sequence),
        methods=link_queries.linked_methods(actor, [link.code for link in sequence.method_links]),
        warnings=[shown_message(stored) for stored in sequence.warnings],
        bases_open=queries.may_see_bases(actor, sequence),
        formats=FORMAT_NAMES,
        state_name=_(STATE_NAMES[sequence.state]),
        visibility_name=_(VISIBILITY_NAMES[sequence.visibility]),
        visibility_text=_(VISIBILITY_TEXTS[sequence.visibility]),
        topology_name=_(TOPOLOGY_NAMES[sequence.topology]),
        is_own=can(actor, "sequence.change", sequence),
        waits=sequence.state in commands.BY_REVIEW,
        may_submit=can(actor, "sequence.submit", sequence) and sequence.visibility is not Visibility.SEALED,
        may_withdraw=can(actor, "sequence.withdraw", sequence)
        and sequence.withdrawn_at is None
        and (sequence.published_at is not None or can(actor, "sequence.submit", sequence)),
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
        form=request.form,
    )
    return page, refusal.status if refusal else 200


@bp.get("/sequences/upload")
def upload() -> ResponseReturnValue:
    """Show the upload form."""
    return _upload_form({}, None)


def _upload_form(form: Any, refusal: Refusal | None) -> ResponseReturnValue:
    actor = current_actor()
    page = render_template(
        "sequences/upload.html",
        form=form,
        laboratories=[(row.code, row.name) for row in account_queries.own_laboratories(actor)],
        **_choices(),
        limit_mib=commands.MAX_UPLOAD_BYTES >> 20,
        most_records=commands.MAX_UPLOAD_RECORDS,
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return page, refusal.status if refusal else 200


_SEVERAL = ("lmos", "elements", "methods")


def _named() -> dict[str, list[str]]:
    """Return the fields of a form that stand there several times."""
    given = {name: [text for text in request.form.getlist(name) if text.strip()] for name in _SEVERAL}
    return {name: texts for name, texts in given.items() if texts}


def _choices() -> dict[str, Any]:
    return {
        "visibilities": [
            (each.value, _(VISIBILITY_NAMES[each]), _(VISIBILITY_TEXTS[each])) for each in Visibility
        ],
        "topologies": _names(TOPOLOGY_NAMES),
        "lmos": queries.lmo_choices(),
        "elements": queries.element_choices(),
        "named": _named(),
    }


@bp.post("/sequences/upload")
def submit_upload() -> ResponseReturnValue:
    """Store the records of a file as drafts."""
    try:
        form = load_form(schemas.SequenceUploadIn(), extra=_named())
        form.pop("sha256")  # compared while the file was received
        skip_bad = form.pop("skip_bad")
        form["methods"] = link_queries.checked_codes(current_actor(), form["methods"])
        with receive(
            allowed=commands.SEQUENCE_KINDS, limit_bytes=commands.MAX_UPLOAD_BYTES, broken_text=skip_bad
        ) as upload:
            # Read before the transaction: a long file must not keep other writers waiting.
            read = commands.read_file(upload.path, upload.kind, upload.name, skip_bad=skip_bad)
            marks = commands.marks_of(read.records)
            request.files["file"].stream.seek(0)  # ``once`` compares the whole request
            answer: ResponseReturnValue = _stored(upload, read, marks, commands.Details(**form))
    except (Invalid, Conflict, TooLarge, NotFound) as refusal:
        return _upload_form(request.form, refusal)
    return answer


@once
def _stored(
    upload: Upload, read: ReadFile, marks: list[Marks], details: commands.Details
) -> ResponseReturnValue:
    """Store the records of a file that was read, and lead to them; or tell what was left out."""
    actor = current_actor()
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
    if read.left_out:
        page = render_template(
            "sequences/uploaded.html",
            file_name=upload.name,
            kept=list(zip(made, read.records, strict=True)),
            equivalents=queries.equivalents_of(actor, made),
            relation_names=RELATION_NAMES,
            left_out=read.left_out,
        )
        return page, 201
    flash(str(commands.summary_of(made)))
    if len(made) == 1:
        return redirect(url_for("sequences.show", accession=made[0].accession), 303)
    return redirect(url_for("sequences.index", sort="-accession", state="draft"), 303)


@bp.get("/sequences/<accession>/edit")
def edit(accession: str) -> ResponseReturnValue:
    """Show the form that changes a draft."""
    sequence = _editable(accession)
    form = {
        "title": sequence.title,
        "description": sequence.description,
        "organism": sequence.organism,
        "topology": sequence.topology.value,
        "visibility": sequence.visibility.value,
        "taxon": sequence.taxon,
        "source": sequence.source,
        "molecule_type": sequence.molecule_type,
        "supersedes": sequence.supersedes.accession if sequence.supersedes else "",
        "note": sequence.note,
        "licence": sequence.licence,
    }
    return _edit_form(sequence, form, sequence.row_version, None)


def _molecules_of(sequence: ReferenceSequence) -> list[str]:
    """Return the molecules that the letters of a record can be of."""
    is_rna = "RNA" in sequence.molecule_type
    return [name for name in MOLECULE_TYPES if ("RNA" in name) == is_rna]


def _links_of(sequence: ReferenceSequence) -> dict[str, list[str]]:
    return {
        "lmos": [link.lmo.unique_identifier or link.lmo.event for link in sequence.lmo_links],
        "elements": [link.element.name for link in sequence.element_links],
        "methods": [link.code for link in sequence.method_links],
    }


def _editable(accession: str) -> ReferenceSequence:
    sequence = queries.find_sequence(current_actor(), accession)
    if not can(current_actor(), "sequence.change", sequence) or not sequence.is_editable:
        raise Conflict(
            _("Only a draft or returned record can be changed. Upload a new record to replace this one.")
        )
    return sequence


def _edit_form(
    sequence: ReferenceSequence, form: Any, row_version: object, refusal: Refusal | None
) -> ResponseReturnValue:
    page = render_template(
        "sequences/edit.html",
        sequence=sequence,
        form=form,
        row_version=row_version,
        **{**_choices(), "named": _named() if refusal else _links_of(sequence)},
        molecule_choices=[
            (name, name) for name in dict.fromkeys([sequence.molecule_type, *_molecules_of(sequence)])
        ],
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return page, refusal.status if refusal else 200


@bp.post("/sequences/<accession>/edit")
def submit_edit(accession: str) -> ResponseReturnValue:
    """Change a draft; an empty field is emptied."""
    actor = current_actor()
    try:
        given = load_form(schemas.SequenceChangeIn(), extra=_named())
        for name in ("title", "description", "organism", "source", "taxon", "supersedes", "note", "licence"):
            given.setdefault(name, "")
        for name, one in (("lmos", "lmo"), ("elements", "element"), ("methods", "")):
            if one not in given:
                given.setdefault(name, [])
        given["methods"] = link_queries.checked_codes(actor, given["methods"])
        with transaction():
            commands.change_sequence(actor, accession, given, expected_version=expected_version())
    except (Invalid, Conflict, StaleEdit) as refusal:
        sequence = queries.find_sequence(actor, accession)
        return _edit_form(sequence, request.form, request.form.get("row_version", ""), refusal)
    flash(str(_("The changes are stored.")))
    return redirect(url_for("sequences.show", accession=accession), 303)


@bp.post("/sequences/<accession>/submission")
def submit(accession: str) -> ResponseReturnValue:
    """Hand a draft to the reviewers."""
    try:
        load_form(schemas.SequenceNothingIn())
        with transaction():
            commands.submit_sequence(current_actor(), accession, expected_version=expected_version())
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _refused(accession, refusal)
    return _done(accession, str(_("The record is submitted; the reviewers have been told.")))


@bp.post("/sequences/<accession>/claim")
def claim(accession: str) -> ResponseReturnValue:
    """Take a record into review."""
    try:
        load_form(schemas.SequenceNothingIn())
        with transaction():
            commands.claim_sequence(current_actor(), accession, expected_version=expected_version())
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _refused(accession, refusal)
    return _done(accession, str(_("The record is in review by you.")))


@bp.post("/sequences/<accession>/return")
def send_back(accession: str) -> ResponseReturnValue:
    """Return a record to its laboratory, with the reason."""
    try:
        reason = load_form(schemas.SequenceReasonIn())["reason"]
        with transaction():
            commands.return_sequence(current_actor(), accession, reason, expected_version=expected_version())
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _refused(accession, refusal)
    return _done(accession, str(_("The record is returned; its laboratory has been told.")))


@bp.post("/sequences/<accession>/publication")
def publish(accession: str) -> ResponseReturnValue:
    """Publish a record that waits for review."""
    try:
        load_form(schemas.SequenceNothingIn())
        with transaction():
            commands.publish_sequence(current_actor(), accession, expected_version=expected_version())
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _refused(accession, refusal)
    return _done(accession, str(_("The record is published.")))


@bp.post("/sequences/<accession>/withdrawal")
def withdraw(accession: str) -> ResponseReturnValue:
    """Withdraw a record, with the reason."""
    try:
        reason = load_form(schemas.SequenceReasonIn())["reason"]
        with transaction():
            commands.withdraw_sequence(
                current_actor(), accession, reason, expected_version=expected_version()
            )
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _refused(accession, refusal)
    return _done(accession, str(_("The record is withdrawn.")))


def _refused(accession: str, refusal: Refusal) -> ResponseReturnValue:
    return _page(queries.find_sequence(current_actor(), accession), refusal)


def _done(accession: str, text: str) -> ResponseReturnValue:
    """Go back to the record, or to the list when it is no longer for this person to see."""
    flash(text)
    try:
        queries.find_sequence(current_actor(), accession)
    except NotFound:
        return redirect(url_for("sequences.index"), 303)
    return redirect(url_for("sequences.show", accession=accession), 303)
