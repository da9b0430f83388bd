"""Everything that reads methods; ``visible_methods`` and ``visible_versions`` are the only reading rules."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, or_, select, true
from sqlalchemy.orm import contains_eager, selectinload

from labhub import audit
from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory
from labhub.db import db
from labhub.errors import NotFound, Refusal
from labhub.file_kinds import FileKind
from labhub.i18n import RIGHT_TO_LEFT, _, current_language
from labhub.methods import exchange, tables
from labhub.methods.exchange import CODE_SHAPE, CONTENT, Content, plain_number
from labhub.methods.models import (
    OPEN_STATES,
    PUBLIC_STATES,
    REVIEW_STATES,
    DetectionMethod,
    FileVisibility,
    MethodFile,
    MethodOrigin,
    MethodState,
    MethodTarget,
    MethodVersion,
    OligoDigest,
    TargetKind,
    ValidationStudy,
)
from labhub.methods.twins import oligo_digest

LARGEST_NUMBER = 1 << 31
FORMATS = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "xlsx": FileKind.XLSX.media_type,
    "fasta": "text/plain; charset=utf-8",
}
"""Formats of a download with their media types."""

# Who sees what -------------------------------------------------------------------------------


def visible_versions(actor: Actor | None) -> Select[MethodVersion]:
    """Select versions that ``actor`` may see, joined with their method.

    Everybody: what was published. A laboratory: its own. Reviewers and the Secretariat: also what
    waits for review, not drafts.
    """
    return (
        select(MethodVersion)
        .join(MethodVersion.method)
        .where(_may_see(actor))
        .options(contains_eager(MethodVersion.method))
    )


def visible_methods(actor: Actor | None) -> Select[DetectionMethod]:
    """Select methods with at least one version that ``actor`` may see."""
    seen = (
        select(MethodVersion.id)
        .where(MethodVersion.method_id == DetectionMethod.id, _may_see(actor))
        .correlate(DetectionMethod)
    )
    return select(DetectionMethod).where(exists(seen))


def _may_see(actor: Actor | None) -> ColumnElement[bool]:
    if actor is not None and actor.operator:
        return true()
    ways: list[ColumnElement[bool]] = [MethodVersion.state.in_(PUBLIC_STATES)]
    if actor is not None and actor.laboratory_ids:
        ways.append(DetectionMethod.laboratory_id.in_(actor.laboratory_ids))
    if actor is not None and (actor.has(Role.REVIEWER) or actor.has(Role.SECRETARIAT)):
        ways.append(MethodVersion.state.in_(REVIEW_STATES))
    return or_(*ways)


def has_code(code: str) -> ColumnElement[bool]:
    """Return the condition that a method has this code, or was given it first by the hub."""
    key = code.casefold()
    return or_(DetectionMethod.code_key == key, DetectionMethod.hub_key == key)


def no_method(code: str) -> NotFound:
    """Return the refusal for a method that is not there, or not for this person."""
    return NotFound(_("There is no method %(code)s.", code=code[:60]))


def whole_version() -> tuple[Any, ...]:
    """Return the options that load a version with its parts."""
    return (
        selectinload(MethodVersion.oligos),
        selectinload(MethodVersion.targets).options(
            selectinload(MethodTarget.lmo), selectinload(MethodTarget.element)
        ),
        selectinload(MethodVersion.sources),
        selectinload(MethodVersion.files),
        selectinload(MethodVersion.validation),
        selectinload(MethodVersion.oligo_sets),
        selectinload(MethodVersion.reference_materials),
        selectinload(MethodVersion.studies).selectinload(ValidationStudy.levels),
    )


def find_method(actor: Actor | None, code: str) -> DetectionMethod:
    """Return a method by its code, or by the code that the hub gave it first, whatever the case."""
    method = None
    if CODE_SHAPE.fullmatch(code):
        method = db.session.scalar(visible_methods(actor).where(has_code(code)))
    if method is None:
        raise no_method(code)
    return method


def versions_of(actor: Actor | None, code: str) -> list[MethodVersion]:
    """Return the versions of a method that the actor may see, newest first."""
    if not CODE_SHAPE.fullmatch(code):
        raise no_method(code)
    versions = db.session.scalars(
        visible_versions(actor)
        .where(has_code(code))
        .order_by(MethodVersion.number.desc())
        .options(*whole_version())
    ).all()
    if not versions:
        raise no_method(code)
    return list(versions)


def find_version(actor: Actor | None, code: str, number: int | None = None) -> MethodVersion:
    """Return a version by its number; without one the published version, else the newest one seen."""
    return version_among(versions_of(actor, code), code, number)


def version_among(versions: list[MethodVersion], code: str, number: int | None = None) -> MethodVersion:
    """Return one of the versions that ``versions_of`` gave, as ``find_version`` does."""
    if number is not None:
        found = next((version for version in versions if version.number == number), None)
        if found is None:
            raise NotFound(
                _("There is no version %(number)s of method %(code)s.", number=number, code=code[:60])
            )
        return found
    return next((version for version in versions if version.state is MethodState.PUBLISHED), versions[0])


def find_published_version(code: str, number: int | None = None) -> MethodVersion:
    """Return a published version: the latest, or by its number also a superseded or withdrawn one."""
    if not CODE_SHAPE.fullmatch(code) or (number is not None and not 0 < number < LARGEST_NUMBER):
        raise NotFound(_("There is no published method %(code)s.", code=code[:60]))
    query = visible_versions(None).where(has_code(code))
    if number is None:
        query = query.where(MethodVersion.state == MethodState.PUBLISHED)
    else:
        query = query.where(MethodVersion.number == number)
    version = db.session.scalar(query)
    if version is None:
        raise NotFound(_("There is no published method %(code)s.", code=code[:60]))
    return version


def find_file(actor: Actor | None, code: str, file_id: int) -> MethodFile:
    """Return a file of a version that the actor may see."""
    for version in versions_of(actor, code):
        for file in version.files:
            if file.id == file_id and may_see_file(actor, file):
                return file
    raise NotFound(_("There is no file %(number)s of method %(code)s.", number=file_id, code=code[:60]))


def reference_link(actor: Actor | None, text: str | None) -> DetectionMethod | None:
    """Return the method that a text names by its code, or by its code at the source; none when unclear."""
    if not text or len(text) > 120:
        return None
    key = text.casefold()
    found = db.session.scalars(
        visible_methods(actor)
        .where(
            or_(
                DetectionMethod.code_key == key,
                DetectionMethod.hub_key == key,
                DetectionMethod.source_code == text,
            )
        )
        .limit(2)
    ).all()
    return found[0] if len(found) == 1 else None


def published_code_exists(code: str, *, but: int | None = None) -> bool:
    """Say whether a method has been published under this code; drafts never have a code of their own."""
    query = select(DetectionMethod.id).where(DetectionMethod.code_key == code.casefold())
    if but is not None:
        query = query.where(DetectionMethod.id != but)
    return db.session.scalar(query) is not None


def review_queue(actor: Actor | None) -> list[MethodVersion]:
    """Return what waits for review, longest waiting first."""
    query = visible_versions(actor).where(MethodVersion.state.in_(REVIEW_STATES))
    return list(
        db.session.scalars(
            query.order_by(MethodVersion.submitted_at, MethodVersion.id).options(
                selectinload(MethodVersion.submitted_by), selectinload(MethodVersion.reviewer)
            )
        )
    )


# A version as data ---------------------------------------------------------------------------

SAME_NAME = (
    "title", "target", "chemistry", "multiplex", "quantitative", "amplicon_bp", "amplicon",
    "amplicon_accession", "analyte", "antibodies", "instrument", "reference_method", "calibrant",
    "thermal_profile", "reagents", "licence", "rights_note", "standardisation",
    "target_copies_per_haploid_genome", "verified",
)  # fmt: skip
"""Keys of the content that are columns of a version as they are."""
VALIDATION_COLUMNS = {
    key: {"rsdr_percent": "repeatability_percent", "rsdR_percent": "reproducibility_percent"}.get(key, key)
    for key in exchange.GROUPS["validation"]
}
LEVEL_COLUMNS = {
    "s_R": "s_reproducibility",
    "rsdr_percent": "repeatability_percent",
    "rsdR_percent": "reproducibility_percent",
}
"""Figures of a level whose columns have another name: PostgreSQL folds case."""

HUB_MARKS = (("reference_gene", "verified"), ("validation", "inferred"))
"""Marks of the hub's own checks inside groups of the content; only compiled records keep them."""


def content_of(version: MethodVersion) -> Content:
    """Return what a version says, in the shape of ``exchange.CONTENT``."""
    method = version.method
    content: Content = {name: getattr(version, name) for name in SAME_NAME}
    content["code"] = method.code
    content["wished_code"] = method.wished_code or None if method.code_key == method.hub_key else None
    content["source_code"] = method.source_code
    content["origin"] = method.origin.value
    content["specificity"] = version.specificity.value
    content["technique"] = version.technique.value
    content["assay_format"] = version.assay_format.value if version.assay_format else None
    content["reaction_microlitre"] = plain_number(version.reaction_microlitre)
    content["template_nanogram"] = plain_number(version.template_nanogram)
    for name in ("matrices", "rights", "same_oligos_as", "notes"):
        content[name] = list(getattr(version, name) or ())
    taxon = {"scientific": version.taxon_scientific, "common": version.taxon_common}
    content["taxon"] = taxon if any(taxon.values()) else None
    content["reference_gene"] = (
        {
            "gene": version.reference_gene,
            "verified": version.reference_gene_verified,
            "source": version.reference_gene_source,
        }
        if version.reference_gene
        else None
    )
    content["verification"] = {
        "amplicon_consistent": version.amplicon_consistent,
        "seen_in": list(version.seen_in),
        "n_places": version.n_places,
    }
    figures = version.validation
    content["validation"] = {
        key: _figure(getattr(figures, column)) if figures else None
        for key, column in VALIDATION_COLUMNS.items()
    }
    content["oligos"] = [
        {
            "set": oligo.set_name,
            "role": oligo.role.value,
            "name": oligo.name,
            "sequence": oligo.sequence,
            "label5": oligo.label5,
            "label3": oligo.label3,
            "final_concentration_nanomolar": plain_number(oligo.final_concentration_nanomolar),
            "modifications": [dict(each) for each in oligo.modifications],
        }
        for oligo in version.oligos
    ]
    for name, kind in (("targets", TargetKind.TARGET), ("lmo_unique_identifiers", TargetKind.LMO)):
        content[name] = [target.text for target in version.targets if target.kind is kind]
    content["oligo_sets"] = [_record_of(each, exchange.OLIGO_SET) for each in version.oligo_sets]
    content["reference_materials"] = [
        _record_of(each, exchange.MATERIAL) for each in version.reference_materials
    ]
    content["studies"] = [_study_of(each) for each in version.studies]
    content["sources"] = [_record_of(each, exchange.SOURCE) for each in version.sources]
    return {name: content[name] for name in CONTENT}


def _figure(value: Any) -> Any:
    return plain_number(value) if isinstance(value, float) else value


def _record_of(row: Any, shape: Iterable[str]) -> dict[str, Any]:
    return {key: _figure(getattr(row, key)) for key in shape}


def _study_of(study: ValidationStudy) -> dict[str, Any]:
    return {
        **{key: _figure(getattr(study, key)) for key in exchange.STUDY},
        "kind": study.kind.value,
        "levels": [
            {key: _figure(getattr(level, LEVEL_COLUMNS.get(key, key))) for key in exchange.LEVEL}
            for level in study.levels
        ],
        "data": [[*row[:3], _figure(row[3])] for row in study.data],
        "decisions": [dict(each) for each in study.decisions or ()],
    }


def may_see_file(actor: Actor | None, file: MethodFile) -> bool:
    """Say whether a person who sees the version may see this file of it."""
    if file.visibility is FileVisibility.PUBLIC:
        return True
    if actor is None:
        return False
    if actor.operator or file.version.laboratory_id in actor.laboratory_ids:
        return True
    if file.visibility is FileVisibility.NETWORK and actor.user_id is not None:
        return True
    reviews = actor.has(Role.REVIEWER) or actor.has(Role.SECRETARIAT)
    return reviews and file.version.state in REVIEW_STATES


def files_of(version: MethodVersion, actor: Actor | None) -> list[dict[str, Any]]:
    """Return the files of a version that the actor may see, as data."""
    return [_file_facts(file) for file in version.files if may_see_file(actor, file)]


def _file_facts(file: MethodFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "name": file.name,
        "role": file.role.value,
        "kind": file.kind,
        "media_type": file.media_type,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "visibility": file.visibility.value,
        "licence": file.licence,
        "language": file.language,
    }


def facts_of(version: MethodVersion, actor: Actor | None) -> dict[str, Any]:
    """Return what the hub says of a version: state, number, owner, files seen; nothing about persons."""
    laboratory = version.method.laboratory
    return {
        "code": version.method.code,
        "version": version.number,
        "state": version.state.value,
        "laboratory": laboratory.code if laboratory else None,
        "published_at": version.published_at,
        "superseded_at": version.superseded_at,
        "withdrawn_at": version.withdrawn_at,
        "withdrawal_reason": version.withdrawal_reason or None,
        "change_note": version.change_note or None,
        "content_hash": version.content_hash or None,
        "criteria_version": version.criteria_version,
        "files": files_of(version, actor),
    }


def seal_of(version: MethodVersion) -> str:
    """Return the SHA-256 of everything that a version says: content, files, number and code."""
    return seal_of_content(content_of(version), version.number, [_file_facts(file) for file in version.files])


def seal_of_content(content: Content, number: int, files: Iterable[dict[str, Any]] = ()) -> str:
    """Return the seal of a version that says this.

    What came into the record later is left out where it is empty, so that earlier seals still hold.
    """
    sealed_content = {
        key: value for key, value in content.items() if key not in exchange.LATER or value not in (None, [])
    }
    sealed_content["oligos"] = [
        {key: value for key, value in oligo.items() if key != "set" or value} for oligo in content["oligos"]
    ]
    sealed = {
        "content": sealed_content,
        "files": [_sealed_file(facts) for facts in files],
        "number": number,
    }
    return sha256(audit.canonical(sealed).encode()).hexdigest()


def _sealed_file(facts: dict[str, Any]) -> dict[str, Any]:
    empty = {"visibility": FileVisibility.PUBLIC.value, "licence": None, "language": None}
    return {
        key: value
        for key, value in facts.items()
        if key != "id" and not (key in empty and empty[key] == value)
    }


def is_intact(version: MethodVersion) -> bool:
    """Say whether a published version still says what it said at publication."""
    return version.content_hash == seal_of(version)


def altered_versions() -> list[MethodVersion]:
    """Return published versions whose content no longer fits their hash; empty when all is well."""
    versions = db.session.scalars(visible_versions(None).options(*whole_version()).order_by(MethodVersion.id))
    return [version for version in versions if not is_intact(version)]


def exported(version: MethodVersion, actor: Actor | None) -> dict[str, Any]:
    """Return a version as it is exported: content, and the hub's facts under one key."""
    facts = facts_of(version, actor)
    for name in ("published_at", "superseded_at", "withdrawn_at"):
        facts[name] = facts[name].isoformat() if facts[name] else None
    return {**content_of(version), exchange.HUB_FACTS: facts}


def write(records: list[dict[str, Any]] | dict[str, Any], format_: str) -> bytes:
    """Return exported records as bytes of JSON, CSV or XLSX (explained in the reader's language)."""
    if format_ in ("csv", "xlsx"):
        listed = [records] if isinstance(records, dict) else records
        if format_ == "csv":
            return exchange.to_csv(listed)
        return tables.to_xlsx(listed, right_to_left=current_language() in RIGHT_TO_LEFT)
    return (json.dumps(records, ensure_ascii=False, indent=1) + "\n").encode()


def export_methods(actor: Actor | None, format_: str, *, published: bool = False) -> bytes:
    """Return every method that the actor may see, its newest version or only its published one."""
    newest: dict[int, MethodVersion] = {}
    query = visible_versions(actor).options(
        *whole_version(), contains_eager(MethodVersion.method).selectinload(DetectionMethod.laboratory)
    )
    if published:
        query = query.where(MethodVersion.state == MethodState.PUBLISHED)
    for version in db.session.scalars(query.order_by(DetectionMethod.code_key, MethodVersion.number)):
        newest[version.method_id] = version
    return write([exported(version, actor) for version in newest.values()], format_)


@dataclass(frozen=True)
class Download:
    """What a door needs to give a version or one of its files out."""

    item: dict[str, Any]
    """What is counted: kind, id, code, version, file, laboratory."""
    source: bytes | str
    """The bytes, or the SHA-256 of a stored file."""
    headers: dict[str, Any]
    """Name, media type, time of change, and whether it counts as a download: drafts do not."""


def version_as_file(version: MethodVersion, format_: str, actor: Actor | None) -> Download:
    """Return a version in one of ``FORMATS``, with the files that the actor may see."""
    if format_ not in FORMATS:
        raise Refusal(
            _(
                "Methods are not available as %(format)s yet. Choose one of %(names)s.",
                format=format_,
                names=", ".join(FORMATS),
            ),
            field="format",
        )
    code = version.method.code
    if format_ == "fasta":
        content = exchange.to_fasta(code, content_of(version)["oligos"])
    else:
        content = write(exported(version, actor), format_)
    name = f"{code}-v{version.number}.{format_}"
    return _download(version, format_, content, name, FORMATS[format_], version.published_at)


def file_of_version(file: MethodFile) -> Download:
    """Return a stored file of a version."""
    return _download(file.version, file.name, file.sha256, file.name, file.media_type, file.uploaded_at)


def _download(
    version: MethodVersion, file: str, source: bytes | str, name: str, media_type: str, at: datetime | None
) -> Download:
    method = version.method
    item = {
        "kind": "method",
        "id": method.id,
        "code": method.code,
        "version": str(version.number),
        "file": file,
        "laboratory_id": method.laboratory_id,
    }
    counted = version.state in PUBLIC_STATES
    headers = {"name": name, "media_type": media_type, "modified_at": at, "counted": counted}
    return Download(item, source, headers)


def without_marks(content: Mapping[str, Any]) -> Content:
    """Return the content with the marks of ``HUB_MARKS`` empty, as a laboratory's record keeps it."""
    bare = dict(content)
    for group, name in HUB_MARKS:
        if bare.get(group):
            bare[group] = {**bare[group], name: None}
    return bare


def same_content(version: MethodVersion, content: Mapping[str, Any]) -> bool:
    """Say whether a version already says what a record says, apart from codes and provenance."""
    apart = {"code", "wished_code", "origin"}
    present = content_of(version)
    if version.method.origin is MethodOrigin.SUBMITTED:
        apart |= {"verified", "verification"}
        present, content = without_marks(present), without_marks(content)
    return all(present[name] == content[name] for name in CONTENT if name not in apart)


# What files stand for ------------------------------------------------------------------------

IN_ONE_QUERY = 500
"""Values of one ``IN``."""


@dataclass(frozen=True, slots=True)
class Known:
    """The newest version of a method that a row of a file may stand for."""

    version_id: int
    method_id: int
    number: int
    state: MethodState
    title: str
    content_hash: str
    code: str
    code_key: str
    hub_key: str | None
    wished_code: str
    source_code: str | None
    origin: MethodOrigin


class Present:
    """The methods that rows of a file may already stand for: a laboratory's own, or the compiled ones."""

    def __init__(self, owner: Laboratory | None, rows: Sequence[exchange.Checked]) -> None:
        self.by_code: dict[str, Known] = {}
        self.by_source: dict[str, Known] = {}
        self.by_title: dict[str, dict[int, Known]] = {}
        self._same: dict[int, MethodVersion] = {}
        query = (
            select(
                MethodVersion.id,
                MethodVersion.method_id,
                MethodVersion.number,
                MethodVersion.state,
                MethodVersion.title,
                MethodVersion.content_hash,
                DetectionMethod.code,
                DetectionMethod.code_key,
                DetectionMethod.hub_key,
                DetectionMethod.wished_code,
                DetectionMethod.source_code,
                DetectionMethod.origin,
            )
            .join(MethodVersion.method)
            .where(
                DetectionMethod.origin == MethodOrigin.COMPILED
                if owner is None
                else DetectionMethod.laboratory_id == owner.id
            )
        )
        found: Iterable[Any] = db.session.execute(query.order_by(MethodVersion.number))
        for row in found:  # the newest one stays
            known = Known(*row)
            for code in (known.hub_key, known.code_key, known.wished_code.casefold()):
                if code:
                    self.by_code[code] = known
            if known.source_code:
                self.by_source[known.source_code] = known
            self.by_title.setdefault(known.title, {})[known.method_id] = known
        self.taken = _codes_taken(
            {code.casefold() for row in rows for name in CODE_NAMES if (code := row.content.get(name))}
        )
        """Codes that rows ask for and methods have, each with the number of its method."""
        named = (self._named(row) for row in rows)
        self._wanted = {each.version_id for each in named if each is not None}

    def _named(self, checked: exchange.Checked) -> Known | None:
        content = checked.content
        for name in CODE_NAMES:
            if (code := content.get(name)) and code.casefold() in self.by_code:
                return self.by_code[code.casefold()]
        return self.by_source.get(content.get("source_code") or "")

    def find(self, checked: exchange.Checked) -> Known | None:
        """Return the version with the row's code or name at the source, or one that says the same."""
        known = self._named(checked)
        if known is not None or checked.errors:
            return known
        same_title = self.by_title.get(checked.content["title"], {})
        return next((each for each in same_title.values() if self.is_same(each, checked.content)), None)

    def is_same(self, known: Known, content: Content) -> bool:
        """Say whether a version already says what a row says, apart from codes and provenance.

        A compiled version is told by its seal; others are read, many at a time.
        """
        if known.content_hash and known.origin is MethodOrigin.COMPILED:
            if seal_of_content(content_under(content, known), known.number) == known.content_hash:
                return True
        if known.version_id not in self._same:
            wanted = [known.version_id]
            if known.version_id in self._wanted:
                later = sorted(each for each in self._wanted if each > known.version_id)
                wanted += later[: IN_ONE_QUERY - 1]
            query = (
                select(MethodVersion)
                .where(MethodVersion.id.in_(wanted))
                .join(MethodVersion.method)
                .options(contains_eager(MethodVersion.method), *whole_version())
            )
            self._same = {version.id: version for version in db.session.scalars(query)}
            self._wanted.difference_update(wanted)
        return same_content(self._same[known.version_id], content)


CODE_NAMES = ("wished_code", "code")


def content_under(content: Content, known: Known) -> Content:
    """Return what a row says as a compiled method keeps it: under the codes that the method has."""
    return {
        **content,
        "code": known.code,
        "wished_code": None,
        "source_code": known.source_code,
        "origin": known.origin.value,
    }


def _codes_taken(keys: set[str]) -> dict[str, int]:
    wanted = sorted(keys)
    found: dict[str, int] = {}
    for at in range(0, len(wanted), IN_ONE_QUERY):
        query = select(DetectionMethod.code_key, DetectionMethod.id).where(
            DetectionMethod.code_key.in_(wanted[at : at + IN_ONE_QUERY])
        )
        found.update((key, number) for key, number in db.session.execute(query))
    return found


# Twins ---------------------------------------------------------------------------------------


def codes_by_digest(
    actor: Actor | None, digests: Sequence[str]
) -> dict[str, list[tuple[str, str | None, int]]]:
    """Return code, name at the source and number of the methods with these oligos that the actor may see.

    By digest (``twins.oligo_digest``); drafts of others are not among them.
    """
    found: dict[str, list[tuple[str, str | None, int]]] = {}
    for at in range(0, len(digests), IN_ONE_QUERY):
        query = (
            select(OligoDigest.digest, DetectionMethod.code, DetectionMethod.source_code, DetectionMethod.id)
            .join(MethodVersion, MethodVersion.id == OligoDigest.version_id)
            .join(MethodVersion.method)
            .where(
                OligoDigest.digest.in_(digests[at : at + IN_ONE_QUERY]),
                MethodVersion.state.in_((MethodState.PUBLISHED, *OPEN_STATES)),
                _may_see(actor),
            )
            .distinct()
            .order_by(DetectionMethod.code)
        )
        for digest, code, source_code, method_id in db.session.execute(query):
            found.setdefault(digest, []).append((code, source_code, method_id))
    return found


def twins(actor: Actor | None, version: MethodVersion) -> list[str]:
    """Return the codes of other methods with the same oligos that the actor may see."""
    digest = oligo_digest(oligo.sequence for oligo in version.oligos)
    if digest is None:
        return []
    found = codes_by_digest(actor, [digest]).get(digest, [])
    return [code for code, _source, method_id in found if method_id != version.method_id]
