"""Everything that changes reference sequences; one function is one sentence a user could say."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from labhub import audit, clock, outbox
from labhub.accounts import commands as accounts
from labhub.accounts import queries as account_queries
from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory, User
from labhub.accounts.policy import can, require
from labhub.db import after_commit, db
from labhub.errors import Conflict, Invalid, StaleEdit
from labhub.file_kinds import FileKind, display_name, inspect
from labhub.i18n import Text, _, ngettext
from labhub.lmos.models import Element, Lmo
from labhub.lmos.queries import match_element, match_lmo
from labhub.names import clean_name
from labhub.reports import ImportReport, Outcome, RowReport
from labhub.sequences import library_queries, queries
from labhub.sequences.formats import MAX_RECORDS, ParsedRecord, read_records, refget_digest
from labhub.sequences.models import (
    ReferenceSequence,
    SequenceBases,
    SequenceCounter,
    SequenceFeature,
    SequenceState,
    Topology,
    Visibility,
)
from labhub.sequences.records import stored_message
from labhub.storage import StoredFile

SEQUENCE_KINDS = (FileKind.GENBANK, FileKind.FASTA, FileKind.EMBL)
MAX_UPLOAD_BYTES = 16 << 20
"""Bytes of one uploaded file; larger ones come in by ``labhub import sequences``."""
MAX_UPLOAD_RECORDS = 1_000
MAX_UPLOAD_FEATURES = 20_000
"""Features of all records of one uploaded file; their rows are written in one transaction."""
MAX_TITLE = 300
MAX_ORGANISM = 300
MAX_LICENCE = 300
MAX_TEXT_BYTES = 10 << 10
ACCESSION_PREFIX = "LHS-"
BY_REVIEW = (SequenceState.SUBMITTED, SequenceState.IN_REVIEW)


@dataclass(frozen=True)
class Details:
    """What an uploader says of all records of a file, beside the file itself."""

    laboratory: str = ""
    visibility: Visibility = Visibility.PUBLIC
    lmo: str = ""
    element: str = ""
    title: str = ""
    note: str = ""
    licence: str = ""


# Creating -------------------------------------------------------------------------------------


def upload_sequences(
    actor: Actor,
    records: Sequence[ParsedRecord],
    *,
    file_name: str,
    file_kind: str,
    keep_file: Callable[[], StoredFile] | None,
    details: Details | None = None,
    most: int = MAX_UPLOAD_RECORDS,
    most_features: int | None = MAX_UPLOAD_FEATURES,
) -> list[ReferenceSequence]:
    """Make a draft of each record of a file: all of them, or none when one is refused.

    ``keep_file`` puts the file into the store; it is called once everything is checked.
    ``most_features`` is for the whole file; None takes what the reader took.
    """
    details = details or Details()
    laboratory = _laboratory(actor, details.laboratory)
    require(actor, "sequence.create", laboratory)
    if details.visibility is Visibility.SEALED:
        require(actor, "sequence.seal", laboratory)
    if len(records) > most:
        raise Invalid(_("A file may bring %(most)s records here; split it.", most=most), field="file")
    if most_features is not None and sum(len(record.features) for record in records) > most_features:
        raise Invalid(
            _(
                "A file may bring %(most)s features here; split it, or have it imported by the command line.",
                most=most_features,
            ),
            field="file",
        )
    if details.title and len(records) > 1:
        raise Invalid(
            _("A title can be given to a file with one record only; leave it empty."), field="title"
        )
    checked = _checked_texts({"title": details.title, "note": details.note, "licence": details.licence})
    lmo, element = _lmo(details.lmo), _element(details.element)
    problems: dict[str, list[Text]] = {}
    for record in records:
        for field, text in _unfit(record).items():
            problems.setdefault(f"record {record.identifier}, {field}", []).append(text)
    if problems:
        raise Invalid(_("The file was not stored: some records cannot be kept."), errors=problems)
    stored = keep_file() if keep_file else None
    made = [
        _draft(actor, record, number, laboratory, details.visibility, lmo, element, checked)
        for record, number in zip(records, _take_numbers(len(records)), strict=True)
    ]
    for sequence in made:
        sequence.file_sha256 = stored.sha256 if stored else None
        sequence.file_name = display_name(file_name)
        sequence.file_kind = str(file_kind)
    db.session.add_all(made)
    db.session.flush()
    _write_content(made, records)
    audit.record(
        actor,
        "sequence.upload",
        "sequence",
        made[0].accession if len(made) == 1 else f"{made[0].accession}..{made[-1].accession}",
        after={
            "accessions": [sequence.accession for sequence in made],
            "laboratory": laboratory.code,
            "visibility": details.visibility,
        },
    )
    return made


def _laboratory(actor: Actor, code: str) -> Laboratory:
    """Return the named laboratory, or the actor's only one."""
    if code:
        return account_queries.find_laboratory(actor, code)
    own = account_queries.own_laboratories(actor)
    if len(own) != 1:
        raise Invalid(_("Name the laboratory that the record belongs to."), field="laboratory")
    return own[0]


def _unfit(record: ParsedRecord) -> dict[str, Text]:
    """Say what of a record does not fit into its table."""
    if len(record.organism) > MAX_ORGANISM:
        return {"organism": _("At most %(number)s characters.", number=MAX_ORGANISM)}
    return {}


def _take_numbers(count: int) -> range:
    """Take the next numbers of the hub; the counter stays locked until the transaction ends."""
    counter = db.session.get(SequenceCounter, 1, with_for_update=True, populate_existing=True)
    if counter is None:
        counter = SequenceCounter(id=1, last=0)
        db.session.add(counter)
    first = counter.last + 1
    counter.last += count
    return range(first, first + count)


def _draft(
    actor: Actor,
    record: ParsedRecord,
    number: int,
    laboratory: Laboratory,
    visibility: Visibility,
    lmo: Lmo | None,
    element: Element | None,
    texts: Mapping[str, str],
) -> ReferenceSequence:
    return ReferenceSequence(
        accession=f"{ACCESSION_PREFIX}{number}",
        laboratory=laboratory,
        source_accession=record.accession,
        version=record.version,
        name=record.name,
        title=texts.get("title") or _first_words(record.description) or record.identifier,
        description=record.description,
        organism=record.organism,
        topology=Topology(record.topology),
        molecule_type=record.molecule_type,
        length_bp=len(record.bases),
        digest=refget_digest(record.bases),
        visibility=visibility,
        state=SequenceState.DRAFT,
        lmo=lmo,
        element=element,
        note=texts.get("note", ""),
        licence=texts.get("licence", ""),
        warnings=[stored_message(message) for message in record.warnings],
        created_by_id=actor.user_id,
        created_at=clock.now(),
        changed_at=clock.now(),
        editor_ids=[actor.user_id] if actor.user_id is not None else [],
    )


def _write_content(made: Sequence[ReferenceSequence], records: Sequence[ParsedRecord]) -> None:
    """Write bases and features of stored records, each table by one statement."""
    pairs = list(zip(made, records, strict=True))
    db.session.execute(
        insert(SequenceBases),
        [{"sequence_id": sequence.id, "bases": record.bases} for sequence, record in pairs],
    )
    rows = [
        {
            "sequence_id": sequence.id,
            "position": position,
            "kind": feature.kind,
            "start_bp": feature.start,
            "end_bp": feature.end,
            "strand": feature.strand,
            "label": feature.label,
            "location": feature.location,
            "qualifiers": {key: list(values) for key, values in feature.qualifiers.items()},
        }
        for sequence, record in pairs
        for position, feature in enumerate(record.features, start=1)
    ]
    if rows:
        db.session.execute(insert(SequenceFeature), rows)


def _first_words(text: str) -> str:
    """Return the beginning of a description as a title, cut between words."""
    if len(text) <= MAX_TITLE:
        return text
    return text[: MAX_TITLE - 1].rsplit(" ", 1)[0] + "…"


def _lmo(text: str) -> Lmo | None:
    if not text:
        return None
    found = match_lmo(text)
    if found is None:
        raise Invalid(
            _("There is no LMO %(name)s. Choose one of the list, or leave it empty.", name=text), field="lmo"
        )
    return found


def _element(text: str) -> Element | None:
    if not text:
        return None
    found = match_element(text)
    if found is None:
        raise Invalid(
            _("There is no element %(name)s. Choose one of the list, or leave it empty.", name=text),
            field="element",
        )
    return found


def _checked_texts(given: Mapping[str, str]) -> dict[str, str]:
    """Return the free texts of a form, cleaned; all problems are told at once."""
    clean: dict[str, str] = {}
    errors: dict[str, list[Text]] = {}
    for field, text in given.items():
        try:
            clean[field] = _checked_text(field, text)
        except Invalid as refusal:
            for name, texts in refusal.errors.items():
                errors.setdefault(name, []).extend(texts)
    if errors:
        raise Invalid(_("Please correct the marked fields."), errors=errors)
    return clean


_LONGEST = {"title": MAX_TITLE, "organism": MAX_ORGANISM, "licence": MAX_LICENCE}


def _checked_text(field: str, text: str) -> str:
    if field in _LONGEST:
        return clean_name(text, field=field, longest=_LONGEST[field]) if text.strip() else ""
    clean = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if len(clean.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        raise Invalid(_("At most %(number)s bytes of text.", number=MAX_TEXT_BYTES), field=field)
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t" for sign in clean):
        raise Invalid(_("Invisible or control characters are not allowed here."), field=field)
    return clean


# Changing -------------------------------------------------------------------------------------

CHANGEABLE = (
    "title",
    "description",
    "organism",
    "topology",
    "visibility",
    "lmo",
    "element",
    "note",
    "licence",
)


def change_sequence(
    actor: Actor, accession: str, changes: Mapping[str, Any], *, expected_version: int
) -> ReferenceSequence:
    """Change what is said of a draft or returned record; its bases and features never change."""
    sequence = queries.lock_sequence(actor, accession)
    require(actor, "sequence.change", sequence)
    _expect(sequence, expected_version)
    if not sequence.is_editable:
        raise Conflict(
            _("Only a draft or returned record can be changed. Upload a new record to replace this one.")
        )
    before = _facts(sequence)
    texts = {
        name: changes[name]
        for name in ("title", "description", "organism", "note", "licence")
        if name in changes
    }
    checked = _checked_texts(texts)
    if "title" in checked and not checked["title"]:
        raise Invalid(_("This field is needed."), field="title")
    if "visibility" in changes:
        _set_visibility(actor, sequence, changes["visibility"])
    if "topology" in changes:
        _set_topology(sequence, changes["topology"])
    if "lmo" in changes:
        sequence.lmo = _lmo(changes["lmo"])
    if "element" in changes:
        sequence.element = _element(changes["element"])
    for name, text in checked.items():
        setattr(sequence, name, text)
    db.session.flush()
    after = _facts(sequence)
    different = [name for name in before if before[name] != after[name]]
    if not different:
        return sequence
    sequence.changed_at = clock.now()
    _note_editor(actor, sequence)
    db.session.flush()
    audit.record(
        actor,
        "sequence.change",
        "sequence",
        sequence.accession,
        version=sequence.row_version,
        before={name: before[name] for name in different},
        after={name: after[name] for name in different},
    )
    return sequence


def _note_editor(actor: Actor, sequence: ReferenceSequence) -> None:
    """Remember who worked on a record, so that a second person reviews it."""
    if actor.user_id is not None and actor.user_id not in sequence.editor_ids:
        sequence.editor_ids = [*sequence.editor_ids, actor.user_id]


def _expect(sequence: ReferenceSequence, expected_version: int | None) -> None:
    """Refuse a step on another version than the one that was read; None is a program that read none."""
    if expected_version is not None and sequence.row_version != expected_version:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))


def _set_visibility(actor: Actor, sequence: ReferenceSequence, visibility: Visibility) -> None:
    if visibility is sequence.visibility:
        return
    if Visibility.SEALED in (visibility, sequence.visibility):
        require(actor, "sequence.seal", sequence)
        after_commit(library_queries.forget_library)
    sequence.visibility = visibility


def _set_topology(sequence: ReferenceSequence, topology: Topology) -> None:
    if topology is Topology.LINEAR and queries.has_wrapping_features(sequence):
        raise Invalid(
            _("A feature of this record crosses the origin; it cannot be linear."), field="topology"
        )
    sequence.topology = topology


def _facts(sequence: ReferenceSequence) -> dict[str, Any]:
    """Return what the trail keeps of a record; free text that others may not read, by a mark only."""
    is_private = sequence.visibility in (Visibility.LABORATORY, Visibility.SEALED)
    kept: Callable[[str], str] = _mark if is_private else str
    return {
        "title": kept(sequence.title),
        "description": _mark(sequence.description),
        "organism": kept(sequence.organism),
        "topology": sequence.topology,
        "visibility": sequence.visibility,
        "lmo": kept(sequence.lmo.slug if sequence.lmo else ""),
        "element": kept(sequence.element.name if sequence.element else ""),
        "note": _mark(sequence.note),
        "licence": kept(sequence.licence),
    }


def _mark(text: str) -> str:
    """Return a mark by which two versions of a text differ, without the text (it may hold bases)."""
    return account_queries.digest(text)[:16] if text else ""


# Review ---------------------------------------------------------------------------------------


def submit_sequence(
    actor: Actor, accession: str, *, expected_version: int | None = None
) -> ReferenceSequence:
    """Hand a draft or returned record to the reviewers."""
    sequence = queries.lock_sequence(actor, accession)
    require(actor, "sequence.submit", sequence)
    _expect(sequence, expected_version)
    if not sequence.is_editable:
        raise Conflict(_("Only a draft or returned record can be submitted."))
    if sequence.visibility is Visibility.SEALED:
        raise Conflict(_("A sealed record is not reviewed. Change its visibility first."))
    before = sequence.state
    sequence.state = SequenceState.SUBMITTED
    sequence.submitted_by_id, sequence.submitted_at = actor.user_id, clock.now()
    _note_editor(actor, sequence)
    sequence.reviewer_id, sequence.reason = None, ""
    _record(actor, "sequence.submit", sequence, before)
    reviewers = _people(
        *account_queries.people_with_role(Role.REVIEWER),
        *account_queries.people_with_role(Role.SECRETARIAT),
    )
    _tell(
        actor,
        reviewers,
        _("labhub: a sequence waits for review"),
        _(
            "The sequence %(accession)s (%(title)s) was submitted for review:\n\n%(link)s\n",
            accession=sequence.accession,
            title=sequence.title,
            link=_link(sequence),
        ),
    )
    return sequence


def claim_sequence(actor: Actor, accession: str, *, expected_version: int | None = None) -> ReferenceSequence:
    """Take a submitted record into review."""
    sequence = queries.lock_sequence(actor, accession)
    require(actor, "sequence.review", sequence)
    _expect(sequence, expected_version)
    if sequence.state is not SequenceState.SUBMITTED:
        raise Conflict(_("Only a submitted record can be taken into review."))
    before = sequence.state
    sequence.state, sequence.reviewer_id = SequenceState.IN_REVIEW, actor.user_id
    _record(actor, "sequence.claim", sequence, before)
    return sequence


def return_sequence(
    actor: Actor, accession: str, reason: str, *, expected_version: int | None = None
) -> ReferenceSequence:
    """Send a record back to its laboratory, with the reason."""
    sequence = queries.lock_sequence(actor, accession)
    require(actor, "sequence.review", sequence)
    _expect(sequence, expected_version)
    reason = _needed_reason(reason)
    if sequence.state not in BY_REVIEW:
        raise Conflict(_("Only a record that waits for review can be returned."))
    before = sequence.state
    sequence.state, sequence.reviewer_id, sequence.reason = SequenceState.RETURNED, actor.user_id, reason
    _record(actor, "sequence.return", sequence, before, reason=reason)
    _tell(
        actor,
        _own_people(sequence),
        _("labhub: a sequence was returned"),
        _(
            "The sequence %(accession)s (%(title)s) was returned. Reason: %(reason)s\n\n%(link)s\n",
            accession=sequence.accession,
            title=sequence.title,
            reason=reason,
            link=_link(sequence),
        ),
    )
    return sequence


def publish_sequence(
    actor: Actor, accession: str, *, expected_version: int | None = None
) -> ReferenceSequence:
    """Make a submitted record readable as its visibility says; a second person does it."""
    sequence = queries.lock_sequence(actor, accession)
    require(actor, "sequence.publish", sequence)
    _expect(sequence, expected_version)
    if sequence.state not in BY_REVIEW:
        raise Conflict(_("Only a record that waits for review can be published."))
    before = sequence.state
    sequence.state = SequenceState.PUBLISHED
    sequence.published_by_id, sequence.published_at = actor.user_id, clock.now()
    _record(actor, "sequence.publish", sequence, before, export=True)
    _tell(
        actor,
        _own_people(sequence),
        _("labhub: a sequence was published"),
        _(
            "The sequence %(accession)s (%(title)s) is published:\n\n%(link)s\n",
            accession=sequence.accession,
            title=sequence.title,
            link=_link(sequence),
        ),
    )
    return sequence


def withdraw_sequence(
    actor: Actor, accession: str, reason: str, *, expected_version: int | None = None
) -> ReferenceSequence:
    """Mark a record as no longer to be used, with the reason; it stays readable where it was published.

    Its laboratory may give up a record that was never published; a reviewer returns such a one.
    """
    sequence = queries.lock_sequence(actor, accession)
    require(actor, "sequence.withdraw", sequence)
    _expect(sequence, expected_version)
    reason = _needed_reason(reason)
    if sequence.state is SequenceState.WITHDRAWN:
        raise Conflict(_("The record is already withdrawn."))
    if sequence.published_at is None and not can(actor, "sequence.submit", sequence):
        raise Conflict(_("This record is not published. Return it to its laboratory instead."))
    before = sequence.state
    sequence.state, sequence.withdrawn_at, sequence.reason = SequenceState.WITHDRAWN, clock.now(), reason
    _record(actor, "sequence.withdraw", sequence, before, reason=reason, export=True)
    _tell(
        actor,
        _own_people(sequence),
        _("labhub: a sequence was withdrawn"),
        _(
            "The sequence %(accession)s was withdrawn. Reason: %(reason)s\n\n%(link)s\n",
            accession=sequence.accession,
            reason=reason,
            link=_link(sequence),
        ),
    )
    return sequence


def _needed_reason(reason: str) -> str:
    clean = _checked_text("reason", reason)
    if not clean:
        raise Invalid(_("Give the reason."), field="reason")
    return clean


def _record(
    actor: Actor,
    action: str,
    sequence: ReferenceSequence,
    before: SequenceState,
    *,
    reason: str = "",
    export: bool = False,
) -> None:
    sequence.changed_at = clock.now()
    db.session.flush()
    audit.record(
        actor,
        action,
        "sequence",
        sequence.accession,
        version=sequence.row_version,
        before={"state": before},
        after={"state": sequence.state, "digest": sequence.digest}
        if export and sequence.visibility is not Visibility.SEALED
        else {"state": sequence.state},
        reason=reason,
        export=export,
    )


def _own_people(sequence: ReferenceSequence) -> list[User]:
    """Return who is told of a decision: who made and submitted the record, and the managers."""
    named = {sequence.created_by_id, sequence.submitted_by_id} - {None}
    members = account_queries.members_of(sequence.laboratory_id, Role.ANALYST, Role.MANAGER)
    managers = account_queries.members_of(sequence.laboratory_id, Role.MANAGER)
    return _people(*managers, *(user for user in members if user.id in named))


def _people(*users: User) -> list[User]:
    return list({user.id: user for user in users}.values())


def _tell(actor: Actor, users: Iterable[User], subject: Text, body: Text) -> None:
    for user in users:
        if user.id != actor.user_id:
            outbox.add(user.email, subject, body, language=user.language)


def _link(sequence: ReferenceSequence) -> str:
    return f"{accounts.BASE_URL[0]}/sequences/{sequence.accession}"


# Import ---------------------------------------------------------------------------------------


def import_sequences(actor: Actor, path: Path, *, dry_run: bool) -> ImportReport:
    """Make drafts of the records of a file that its laboratory does not hold yet (GenBank, EMBL, FASTA).

    A record with the same name and bases is left as it is, so that a file can be imported twice.
    The file itself is not kept: the records are.
    """
    kind = inspect(path, path.name, SEQUENCE_KINDS)
    records = read_records(path, kind)
    laboratory = _laboratory(actor, "")
    report = ImportReport(path.name)
    new: list[ParsedRecord] = []
    for row, record in enumerate(records, start=1):
        known = queries.same_sequence(laboratory.id, record, refget_digest(record.bases))
        unfit = _unfit(record)
        outcome = Outcome.REFUSED if unfit else Outcome.UNCHANGED if known else Outcome.CREATED
        report.rows.append(
            RowReport(
                row=row,
                key=known.accession if known else record.identifier,
                outcome=outcome,
                errors={field: [text] for field, text in unfit.items()},
                warnings=list(record.warnings),
            )
        )
        if outcome is Outcome.CREATED:
            new.append(record)
    if dry_run or report.is_refused or not new:
        return report
    made = upload_sequences(
        actor,
        new,
        file_name=path.name,
        file_kind=kind,
        keep_file=None,
        details=Details(laboratory=laboratory.code),
        most=MAX_RECORDS,
        most_features=None,
    )
    created = iter(made)
    for line in report.rows:
        if line.outcome is Outcome.CREATED:
            line.key = next(created).accession
    return report


def summary_of(made: Sequence[ReferenceSequence]) -> Text:
    """Return the sentence that says what an upload has made."""
    if len(made) == 1:
        return _("%(accession)s is stored as a draft.", accession=made[0].accession)
    return ngettext(
        "%(number)s record is stored as a draft.",
        "%(number)s records are stored as drafts.",
        len(made),
    )
