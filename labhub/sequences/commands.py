"""Everything that changes reference sequences; one function is one sentence a user could say."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

from labhub import audit, clock, outbox
from labhub.accounts import commands as accounts
from labhub.accounts import queries as account_queries
from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory, User
from labhub.accounts.policy import can, require
from labhub.db import after_commit, db
from labhub.errors import Conflict, Invalid, NotFound, StaleEdit
from labhub.file_kinds import FileKind, display_name, inspect
from labhub.i18n import Text, _, ngettext
from labhub.lmos.models import Element, Lmo
from labhub.lmos.queries import match_element, match_lmo
from labhub.names import clean_name
from labhub.reports import ImportReport, Outcome, RowReport
from labhub.sequences import library_queries, queries
from labhub.sequences.equivalence import Marks, marks
from labhub.sequences.formats import (
    MAX_RECORDS,
    LeftOut,
    ParsedRecord,
    ReadFile,
    read_good_records,
    read_records,
)
from labhub.sequences.models import (
    ReferenceSequence,
    SequenceBases,
    SequenceCounter,
    SequenceElement,
    SequenceFeature,
    SequenceLmo,
    SequenceMethod,
    SequenceState,
    Topology,
    Visibility,
)
from labhub.sequences.records import MOLECULE_TYPES, stored_message
from labhub.storage import StoredFile

SEQUENCE_KINDS = (FileKind.GENBANK, FileKind.FASTA, FileKind.EMBL, FileKind.SNAPGENE)
MAX_UPLOAD_BYTES = 16 << 20
"""Bytes of one uploaded file, unpacked too; larger ones come in by ``labhub import sequences``."""
MAX_UPLOAD_RECORDS = 1_000
MAX_UPLOAD_FEATURES = 20_000
"""Features of all records of one uploaded file; their rows are written in one transaction."""
MAX_TITLE = 300
MAX_ORGANISM = 300
MAX_LICENCE = 300
MAX_SOURCE = 300
MAX_LINKS = 50
"""LMOs, elements or methods of one record."""
MAX_TOLD = 50
"""Records whose problems a refusal lists when nothing of a file can be kept."""
MAX_TEXT_BYTES = 10 << 10
ACCESSION_PREFIX = "LHS-"
BY_REVIEW = (SequenceState.SUBMITTED, SequenceState.IN_REVIEW)


@dataclass(frozen=True)
class Details:
    """What an uploader says of all records of a file, beside the file itself."""

    laboratory: str = ""
    visibility: Visibility = Visibility.PUBLIC
    lmo: str = ""
    """One LMO; ``lmos`` and ``elements`` name several."""
    element: str = ""
    title: str = ""
    note: str = ""
    licence: str = ""
    lmos: Sequence[str] = ()
    elements: Sequence[str] = ()
    methods: Sequence[str] = ()
    """Codes of methods, which the door has looked up: methods stand above sequences."""
    source: str = ""
    supersedes: str = ""
    """Accession of the published record that this one replaces."""


# Reading --------------------------------------------------------------------------------------


def read_file(
    path: Path, kind: str, name: str, *, skip_bad: bool, most_bytes: int | None = MAX_UPLOAD_BYTES
) -> ReadFile:
    """Return the records of a file, before any transaction: a long file must keep no writer waiting.

    ``skip_bad`` leaves out what is wrong and says so; without it one bad record refuses the file.
    """
    if not skip_bad:
        return ReadFile(read_records(path, kind, name=name, most_bytes=most_bytes), [])
    read = read_good_records(path, kind, name=name, most_bytes=most_bytes)
    kept, left_out = [], list(read.left_out)
    for record in read.records:
        unfit = tuple(_unfit(record).values())
        if unfit:
            left_out.append(LeftOut(record.line, record.identifier, unfit))
        else:
            kept.append(record)
    if not kept:
        errors = {
            f"record {each.name}" if each.name else f"line {each.line}": list(each.problems)
            for each in left_out[:MAX_TOLD]
        }
        if len(left_out) > MAX_TOLD:
            more = len(left_out) - MAX_TOLD
            errors["file"] = [_("There are problems in %(number)s further places.", number=more)]
        raise Invalid(_("No record of the file can be kept."), errors=errors)
    return ReadFile(kept, sorted(left_out, key=lambda each: each.line))


def marks_of(records: Iterable[ParsedRecord]) -> list[Marks]:
    """Return by what each record is compared with others; takes about 0.3 s a million bases."""
    return [marks(record.bases) for record in records]


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
    known_marks: Sequence[Marks] | None = None,
    left_out: int = 0,
) -> list[ReferenceSequence]:
    """Make a draft of each record of a file: all of them, or none when one is refused.

    ``keep_file`` puts the file into the store; it is called once everything is checked.
    ``most_features`` is for the whole file; None takes what the reader took. ``known_marks`` are those of
    the records (``marks_of``), where they were made before the transaction; ``left_out`` is how many
    records of the file the reader left out.
    """
    details = details or Details()
    laboratory = _laboratory(actor, details.laboratory)
    require(actor, "sequence.create", laboratory)
    if details.visibility is Visibility.SEALED:
        require(actor, "sequence.seal", laboratory)
    if len(records) + left_out > most:
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
    if details.supersedes and len(records) > 1:
        raise Invalid(
            _("A file with one record only can replace a record; send it alone."), field="supersedes"
        )
    checked = _checked_texts(
        {
            "title": details.title,
            "note": details.note,
            "licence": details.licence,
            "source": details.source,
        }
    )
    lmos = _lmos(details.lmo, details.lmos)
    elements = _elements(details.element, details.elements)
    methods = _method_codes(details.methods)
    replaced = _replaced(actor, laboratory.id, details.supersedes)
    problems: dict[str, list[Text]] = {}
    for record in records:
        for field, text in _unfit(record).items():
            problems.setdefault(f"record {record.identifier}, {field}", []).append(text)
    if problems:
        raise Invalid(_("The file was not stored: some records cannot be kept."), errors=problems)
    stored = keep_file() if keep_file else None
    taxa = queries.accepted_taxa({record.organism for record in records})
    made = [
        _draft(actor, record, number, laboratory, details.visibility, checked, taxa, own_marks)
        for record, number, own_marks in zip(
            records, _take_numbers(len(records)), known_marks or marks_of(records), strict=True
        )
    ]
    for sequence in made:
        _set_lmos(sequence, lmos)
        _set_elements(sequence, elements)
        _set_methods(sequence, methods)
        sequence.supersedes = replaced
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
            **({"left_out": left_out} if left_out else {}),
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
    texts: Mapping[str, str],
    taxa: Mapping[str, str],
    own_marks: Marks,
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
        taxon=taxa.get(record.organism, ""),
        source=texts.get("source", ""),
        topology=Topology(record.topology),
        molecule_type=record.molecule_type,
        length_bp=len(record.bases),
        digest=own_marks.digest,
        reverse_digest=own_marks.reverse_digest,
        canonical_digest=own_marks.canonical_digest,
        canonical_strand=own_marks.canonical_strand,
        visibility=visibility,
        state=SequenceState.DRAFT,
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


def _lmos(one: str, several: Sequence[str]) -> list[Lmo]:
    """Return the LMOs that are named, each once, in their order."""
    field = "lmos" if several else "lmo"
    found: dict[int, Lmo] = {}
    for text in _named(one, several, field):
        lmo = match_lmo(text)
        if lmo is None:
            said = _("There is no LMO %(name)s. Choose one of the list, or leave it empty.", name=text[:200])
            raise Invalid(said, field=field)
        found[lmo.id] = lmo
    return list(found.values())


def _elements(one: str, several: Sequence[str]) -> list[Element]:
    """Return the elements that are named, each once, in their order."""
    field = "elements" if several else "element"
    found: dict[int, Element] = {}
    for text in _named(one, several, field):
        element = match_element(text)
        if element is None:
            said = _(
                "There is no element %(name)s. Choose one of the list, or leave it empty.", name=text[:200]
            )
            raise Invalid(said, field=field)
        found[element.id] = element
    return list(found.values())


def _named(one: str, several: Sequence[str], field: str) -> list[str]:
    if one.strip() and several:
        raise Invalid(_("Name one, or several, but not in both fields."), field=field)
    names = [text.strip() for text in (several or [one]) if text.strip()]
    if len(names) > MAX_LINKS:
        raise Invalid(_("At most %(number)s can be named.", number=MAX_LINKS), field=field)
    return names


METHOD_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def _method_codes(codes: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(_named("", codes, "methods")))
    for code in names:
        if not METHOD_CODE.fullmatch(code):
            raise Invalid(_("There is no method %(code)s.", code=code[:60]), field="methods")
    return names


def _set_lmos(sequence: ReferenceSequence, lmos: Sequence[Lmo]) -> None:
    present = {link.lmo_id: link for link in sequence.lmo_links}
    links = [present.get(lmo.id) or SequenceLmo(lmo_id=lmo.id, lmo=lmo) for lmo in lmos]
    for position, link in enumerate(links, start=1):
        link.position = position
    sequence.lmo_links = links
    sequence.lmo = lmos[0] if lmos else None


def _set_elements(sequence: ReferenceSequence, elements: Sequence[Element]) -> None:
    present = {link.element_id: link for link in sequence.element_links}
    links = [present.get(each.id) or SequenceElement(element_id=each.id, element=each) for each in elements]
    for position, link in enumerate(links, start=1):
        link.position = position
    sequence.element_links = links
    sequence.element = elements[0] if elements else None


def _set_methods(sequence: ReferenceSequence, codes: Sequence[str]) -> None:
    present = {link.code: link for link in sequence.method_links}
    links = [present.get(code) or SequenceMethod(code=code) for code in codes]
    for position, link in enumerate(links, start=1):
        link.position = position
    sequence.method_links = links


def _replaced(actor: Actor, laboratory_id: int, text: str) -> ReferenceSequence | None:
    """Return the published record of the laboratory that a new one is to replace."""
    if not text.strip():
        return None
    try:
        found: ReferenceSequence | None = queries.find_sequence(actor, text)
    except NotFound:
        found = None
    if found is None or found.laboratory_id != laboratory_id or found.state is not SequenceState.PUBLISHED:
        raise Invalid(
            _(
                "%(accession)s is no published record of this laboratory, so it cannot be replaced.",
                accession=text.strip()[:200],
            ),
            field="supersedes",
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


_LONGEST = {
    "title": MAX_TITLE,
    "organism": MAX_ORGANISM,
    "licence": MAX_LICENCE,
    "source": MAX_SOURCE,
}


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
    "lmos",
    "element",
    "elements",
    "methods",
    "taxon",
    "source",
    "molecule_type",
    "supersedes",
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
        for name in ("title", "description", "organism", "source", "note", "licence")
        if name in changes
    }
    checked = _checked_texts(texts)
    if "title" in checked and not checked["title"]:
        raise Invalid(_("This field is needed."), field="title")
    if "visibility" in changes:
        _set_visibility(actor, sequence, changes["visibility"])
    if "topology" in changes:
        _set_topology(sequence, changes["topology"])
    _change_links(actor, sequence, changes)
    if "molecule_type" in changes:
        _set_molecule_type(sequence, changes["molecule_type"])
    for name, text in checked.items():
        setattr(sequence, name, text)
    if "taxon" in changes:
        sequence.taxon = _taxon(changes["taxon"])
    elif "organism" in checked:
        sequence.taxon = queries.accepted_taxa({sequence.organism}).get(sequence.organism, "")
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


def _change_links(actor: Actor, sequence: ReferenceSequence, changes: Mapping[str, Any]) -> None:
    if "lmo" in changes or "lmos" in changes:
        _set_lmos(sequence, _lmos(changes.get("lmo", ""), changes.get("lmos", ())))
    if "element" in changes or "elements" in changes:
        _set_elements(sequence, _elements(changes.get("element", ""), changes.get("elements", ())))
    if "methods" in changes:
        _set_methods(sequence, _method_codes(changes["methods"]))
    if "supersedes" in changes:
        sequence.supersedes = _replaced(actor, sequence.laboratory_id, changes["supersedes"])


def _set_molecule_type(sequence: ReferenceSequence, molecule_type: str) -> None:
    """Set what molecule it is; letters are those of the file, so DNA never becomes RNA."""
    if molecule_type == sequence.molecule_type:
        return
    if molecule_type not in MOLECULE_TYPES or ("RNA" in molecule_type) != ("RNA" in sequence.molecule_type):
        raise Invalid(_("The letters of the record are not of such a molecule."), field="molecule_type")
    sequence.molecule_type = molecule_type


def _taxon(text: str) -> str:
    """Return the accepted scientific name that a text means."""
    if not text.strip():
        return ""
    found = queries.accepted_taxa({text.strip()}).get(text.strip())
    if not found:
        raise Invalid(
            _("The taxon %(name)s is not known. Check its spelling.", name=text.strip()[:100]), field="taxon"
        )
    return found


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
        "lmo": kept(", ".join(link.lmo.slug for link in sequence.lmo_links)),
        "element": kept(", ".join(link.element.name for link in sequence.element_links)),
        "methods": kept(", ".join(link.code for link in sequence.method_links)),
        "taxon": kept(sequence.taxon),
        "source": kept(sequence.source),
        "molecule_type": sequence.molecule_type,
        "supersedes": sequence.supersedes.accession if sequence.supersedes else "",
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
    _supersede(sequence)
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


def _supersede(sequence: ReferenceSequence) -> None:
    """Mark the record that a new one replaces: it stays readable and says so."""
    if sequence.supersedes_id is None:
        return
    old = db.session.get_one(
        ReferenceSequence, sequence.supersedes_id, with_for_update=True, populate_existing=True
    )
    if old.state is not SequenceState.PUBLISHED:
        raise Conflict(
            _("The record that this one replaces is no longer published. Return it to its laboratory.")
        )
    old.state, old.changed_at = SequenceState.SUPERSEDED, clock.now()


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
        after={"state": sequence.state, **_exported(sequence)} if export else {"state": sequence.state},
        reason=reason,
        export=export,
    )


def _exported(sequence: ReferenceSequence) -> dict[str, Any]:
    """Return what the trail says of a record beside its state when its head is exported."""
    said: dict[str, Any] = {}
    if sequence.visibility is not Visibility.SEALED:
        said["digest"] = sequence.digest
    if sequence.supersedes is not None and sequence.state is SequenceState.PUBLISHED:
        said["supersedes"] = sequence.supersedes.accession
    return said


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


def import_sequences(
    actor: Actor,
    path: Path,
    *,
    dry_run: bool,
    skip_bad: bool = False,
    details: Details | None = None,
) -> ImportReport:
    """Make drafts of the records of a file that its laboratory does not hold yet, gzipped or not.

    A record with the same name and bases is left as it is, so that a file can be imported twice.
    The file itself is not kept: the records are. ``skip_bad`` leaves out what cannot be kept, told row
    by row. ``details`` are said of all records; the laboratory is the actor's.
    """
    kind = inspect(path, path.name, SEQUENCE_KINDS, broken_text=skip_bad)
    read = read_file(path, kind, path.name, skip_bad=skip_bad, most_bytes=None)
    laboratory = _laboratory(actor, "")
    own_marks = marks_of(read.records)
    known = queries.same_sequences(laboratory.id, read.records, [each.digest for each in own_marks])
    report = ImportReport(path.name)
    new: list[tuple[ParsedRecord, Marks, RowReport]] = []
    by_line: list[tuple[int, RowReport]] = [
        (each.line, RowReport(0, each.name or "-", Outcome.SKIPPED, errors={"record": list(each.problems)}))
        for each in read.left_out
    ]
    for record, its_marks, present in zip(read.records, own_marks, known, strict=True):
        unfit = _unfit(record)
        line = RowReport(
            0,
            present or record.identifier,
            Outcome.REFUSED if unfit else Outcome.UNCHANGED if present else Outcome.CREATED,
            errors={field: [text] for field, text in unfit.items()},
            warnings=list(record.warnings),
        )
        by_line.append((record.line, line))
        if line.outcome is Outcome.CREATED:
            new.append((record, its_marks, line))
    by_line.sort(key=lambda entry: entry[0])
    for row, (_number, line) in enumerate(by_line, start=1):
        line.row = row
        report.rows.append(line)
    if dry_run or report.is_refused or not new:
        return report
    made = upload_sequences(
        actor,
        [record for record, _marks, _line in new],
        file_name=path.name,
        file_kind=kind,
        keep_file=None,
        details=replace(details or Details(), laboratory=laboratory.code),
        most=MAX_RECORDS,
        most_features=None,
        known_marks=[its_marks for _record, its_marks, _line in new],
        left_out=len(read.left_out),
    )
    for sequence, (_record, _marks, line) in zip(made, new, strict=True):
        line.key = sequence.accession
    return report


def fill_marks() -> int:
    """Work out taxon and marks of records that are older than those columns; return how many were."""
    missing = db.session.execute(
        select(ReferenceSequence.id, ReferenceSequence.organism).where(
            ReferenceSequence.canonical_digest.is_(None)
        )
    ).all()
    taxa = queries.accepted_taxa({row.organism for row in missing})
    for row in missing:
        bases = db.session.scalar(select(SequenceBases.bases).where(SequenceBases.sequence_id == row.id))
        made = marks(bases or "")
        db.session.execute(
            update(ReferenceSequence)
            .where(ReferenceSequence.id == row.id)
            .values(
                reverse_digest=made.reverse_digest,
                canonical_digest=made.canonical_digest,
                canonical_strand=made.canonical_strand,
                taxon=taxa.get(row.organism, ""),
            )
        )
    return len(missing)


def summary_of(made: Sequence[ReferenceSequence]) -> Text:
    """Return the sentence that says what an upload has made."""
    if len(made) == 1:
        return _("%(accession)s is stored as a draft.", accession=made[0].accession)
    return ngettext(
        "%(number)s record is stored as a draft.",
        "%(number)s records are stored as drafts.",
        len(made),
    )
