"""What finding writes: the index of the list, in the same transaction as the version, and saved searches.

A command that changes a version calls ``changed``; at the end of its transaction the rows of all changed
versions are written at once. What the index says follows from the versions alone, so that it can be
written anew at any time (``reindex``).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.exc import DatabaseError

from labhub import audit, changes
from labhub.accounts.actor import OPERATOR, Actor
from labhub.accounts.models import Laboratory
from labhub.db import before_commit, db, transaction
from labhub.doctor import Diagnosis
from labhub.lmos import unique_identifier
from labhub.methods import search_text
from labhub.methods.find_models import MethodIndex, MethodText
from labhub.methods.models import (
    DetectionMethod,
    MethodOrigin,
    MethodSource,
    MethodTarget,
    MethodValidation,
    MethodVersion,
    Oligo,
    OligoSet,
    ReferenceMaterial,
    TargetKind,
    ValidationStudy,
)
from labhub.methods.network_models import TargetLink

AT_ONCE = 500
"""Versions that are read and written together."""
MARKED = "method_index"
SEARCH_TABLES = ("search_method_words", "search_method_pieces")
"""Full text of SQLite."""

# The index -----------------------------------------------------------------------------------


class _Changed:
    """The versions that the present transaction has changed."""

    def __init__(self) -> None:
        self.versions: list[MethodVersion] = []
        self.numbers: set[int] = set()

    def __call__(self) -> None:
        db.session.flush()
        index_versions(self.numbers | {version.id for version in self.versions})


def changed(*versions: MethodVersion) -> None:
    """Note that versions have changed: their rows of the index are written at the end of the transaction."""
    before_commit(MARKED, _Changed).versions.extend(versions)


def changed_numbers(version_ids: Iterable[int]) -> None:
    """Note that the versions with these numbers have changed, as ``changed`` does."""
    before_commit(MARKED, _Changed).numbers.update(version_ids)


def index_versions(version_ids: Iterable[int]) -> None:
    """Write the rows of these versions into the index."""
    numbers = sorted(version_ids)
    generation = changes.head().seq
    for start in range(0, len(numbers), AT_ONCE):
        part = numbers[start : start + AT_ONCE]
        for table in (MethodIndex, MethodText):
            db.session.execute(delete(table).where(table.version_id.in_(part)))
        index, texts = _rows(part, generation)
        if index:
            db.session.execute(insert(MethodIndex), index)
            db.session.execute(insert(MethodText), texts)


def _rows(version_ids: Sequence[int], generation: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    index: list[dict[str, Any]] = []
    texts: list[dict[str, Any]] = []
    for version in _Versions(version_ids):
        index.append(
            {
                "version_id": version.id,
                "generation": generation,
                "row": orjson.dumps(version.row(), option=orjson.OPT_UTC_Z).decode(),
                "facets": orjson.dumps(version.facets()).decode(),
            }
        )
        texts.append({"version_id": version.id, **version.texts()})
    return index, texts


VERSION_COLUMNS = (
    MethodVersion.number, MethodVersion.state, MethodVersion.title, MethodVersion.specificity,
    MethodVersion.technique, MethodVersion.quantitative, MethodVersion.target,
    MethodVersion.taxon_scientific, MethodVersion.taxon_common, MethodVersion.amplicon_bp,
    MethodVersion.verified, MethodVersion.published_at, MethodVersion.rights, MethodVersion.matrices,
    MethodVersion.chemistry, MethodVersion.assay_format, MethodVersion.analyte, MethodVersion.antibodies,
    MethodVersion.instrument, MethodVersion.reference_gene, MethodVersion.reference_method,
    MethodVersion.calibrant, MethodVersion.reagents, MethodVersion.thermal_profile, MethodVersion.licence,
    MethodVersion.rights_note, MethodVersion.standardisation, MethodVersion.notes,
    MethodVersion.amplicon_accession,
)  # fmt: skip
METHOD_COLUMNS = (
    DetectionMethod.code, DetectionMethod.hub_key, DetectionMethod.origin, DetectionMethod.source_code,
)  # fmt: skip
FIGURES = (
    "collaborative_trial", "lod_text", "loq_text", "lod_copies", "lod_percent", "loq_copies", "loq_percent",
    "repeatability_percent", "reproducibility_percent", "slope", "pcr_efficiency_percent", "r2",
    "bias_percent",
)  # fmt: skip
"""Columns of a validation of which one is enough for a method to count as validated."""


class _Versions:
    """Versions with their parts, read by one query for each table."""

    def __init__(self, version_ids: Sequence[int]) -> None:
        self.versions = db.session.execute(
            select(MethodVersion.id, Laboratory.code.label("laboratory"), *METHOD_COLUMNS, *VERSION_COLUMNS)
            .join(DetectionMethod, MethodVersion.method_id == DetectionMethod.id)
            .outerjoin(Laboratory, DetectionMethod.laboratory_id == Laboratory.id)
            .where(MethodVersion.id.in_(version_ids))
            .order_by(MethodVersion.id)
        ).all()
        self.parts = {
            model: self._parts(model, columns, version_ids)
            for model, columns in (
                (Oligo, (Oligo.name, Oligo.sequence)),
                (OligoSet, (OligoSet.name, OligoSet.target)),
                (
                    MethodTarget,
                    (
                        MethodTarget.kind, MethodTarget.text,
                        func.coalesce(MethodTarget.lmo_id, TargetLink.lmo_id).label("lmo_id"),
                        func.coalesce(MethodTarget.element_id, TargetLink.element_id).label("element_id"),
                    ),
                ),
                (MethodSource, (MethodSource.title, MethodSource.year)),
                (
                    ReferenceMaterial,
                    (ReferenceMaterial.name, ReferenceMaterial.code, ReferenceMaterial.producer),
                ),
                (
                    ValidationStudy,
                    (
                        ValidationStudy.title, ValidationStudy.body, ValidationStudy.laboratory,
                        ValidationStudy.year, ValidationStudy.standard, ValidationStudy.matrix,
                        ValidationStudy.note,
                    ),
                ),
                (
                    MethodValidation,
                    (
                        MethodValidation.year, MethodValidation.body, MethodValidation.note,
                        MethodValidation.source, *(getattr(MethodValidation, name) for name in FIGURES),
                    ),
                ),
            )
        }  # fmt: skip

    def _parts(self, model: Any, columns: Sequence[Any], version_ids: Sequence[int]) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = defaultdict(list)
        query = select(model.version_id, *columns).where(model.version_id.in_(version_ids))
        if model is MethodTarget:
            query = query.outerjoin(TargetLink, TargetLink.target_id == MethodTarget.id)
        for row in db.session.execute(query.order_by(model.id)):
            found[row.version_id].append(row)
        return found

    def __iter__(self) -> Iterator["_Version"]:
        for version in self.versions:
            parts = {model: rows.get(version.id, []) for model, rows in self.parts.items()}
            yield _Version(version, parts)


class _Version:
    """One version as the index writes it."""

    def __init__(self, version: Any, parts: Mapping[Any, list[Any]]) -> None:
        self.version = version
        self.id: int = version.id
        self.oligos = parts[Oligo]
        self.sets = parts[OligoSet]
        self.targets = parts[MethodTarget]
        self.sources = parts[MethodSource]
        self.materials = parts[ReferenceMaterial]
        self.studies = parts[ValidationStudy]
        self.figures = parts[MethodValidation][0] if parts[MethodValidation] else None

    def row(self) -> dict[str, Any]:
        """Return the row of the list (``schemas.MethodRow``)."""
        version = self.version
        return {
            "code": version.code,
            "version": version.number,
            "state": version.state.value,
            "title": version.title,
            "specificity": version.specificity.value,
            "technique": version.technique.value,
            "quantitative": version.quantitative,
            "validated": self._is_validated(),
            "target": version.target,
            "taxon_scientific": version.taxon_scientific,
            "taxon_common": version.taxon_common,
            "amplicon_bp": version.amplicon_bp,
            "rights": list(version.rights or ()),
            "year": self._year(),
            "origin": version.origin.value,
            "verified": version.verified,
            "laboratory": version.laboratory,
            "published_at": version.published_at,
        }

    def _is_validated(self) -> bool:
        """Whether there is a study, or a figure that a validation gives."""
        if self.studies:
            return True
        return self.figures is not None and any(
            getattr(self.figures, name) not in (None, False, "") for name in FIGURES
        )

    def _year(self) -> int | None:
        """Return the year of the newest study, else of the validation, of a source, of publication."""
        studied = [study.year for study in self.studies if study.year]
        if studied:
            return int(max(studied))
        if self.figures is not None and self.figures.year:
            return int(self.figures.year)
        read = [source.year for source in self.sources if source.year]
        if read:
            return int(max(read))
        return int(self.version.published_at.year) if self.version.published_at else None

    def facets(self) -> dict[str, list[str]]:
        """Return the further values to filter by: numbers of records of the hub, words of other targets."""
        lmos = {f"#{target.lmo_id}": None for target in self.targets if target.lmo_id}
        elements = {f"#{target.element_id}": None for target in self.targets if target.element_id}
        return {
            "matrix": list(self.version.matrices or ()),
            "lmo": list(lmos),
            "element": list(elements),
            "word": list(dict.fromkeys(target.text for target in self.targets)),
        }

    def texts(self) -> dict[str, str]:
        """Return the text that the version is found by."""
        version = self.version
        source_code = version.source_code if version.origin is MethodOrigin.COMPILED else None
        codes = [version.code, version.hub_key, source_code]
        targets = [version.target, version.analyte, *(each.target for each in self.sets)]
        identifiers = [target.text for target in self.targets]
        spelled = [
            unique_identifier.display(target.text) for target in self.targets if target.kind is TargetKind.LMO
        ]
        oligos = [oligo.name for oligo in self.oligos] + [each.name for each in self.sets]
        taxon = [version.taxon_scientific, version.taxon_common]
        body = [
            version.chemistry, version.assay_format and version.assay_format.value, *(version.matrices or ()),
            version.antibodies, version.instrument, version.reference_gene, version.reference_method,
            version.calibrant, version.reagents, version.thermal_profile, version.licence,
            version.rights_note, version.standardisation, version.amplicon_accession, *(version.notes or ()),
        ]  # fmt: skip
        for source in self.sources:
            body.append(source.title)
        for material in self.materials:
            body += [material.name, material.code, material.producer]
        for study in self.studies:
            body += [study.title, study.body, study.laboratory, study.standard, study.matrix, study.note]
        if self.figures is not None:
            body += [self.figures.body, self.figures.note, self.figures.source]
        seeds = {seed: None for oligo in self.oligos for seed in search_text.seeds(oligo.sequence)}
        return {
            "names": search_text.joined_words(*codes, *targets, *identifiers, *oligos),
            "title": search_text.joined_words(version.title, *taxon),
            "body": search_text.joined_words(*body),
            "seeds": " ".join(seeds),
            "pieces": search_text.pieces(
                *codes, version.title, *targets, *identifiers, *spelled, *taxon, *oligos,
                *search_text.joined_script(*body),
            ),
        }  # fmt: skip


def out_of_step() -> list[int]:
    """Return the versions whose index differs from what they say, and index rows of no version."""
    wrong: list[int] = []
    numbers = list(db.session.scalars(select(MethodVersion.id).order_by(MethodVersion.id)))
    for start in range(0, len(numbers), AT_ONCE):
        part = numbers[start : start + AT_ONCE]
        index, texts = _rows(part, 0)
        held = {
            row.version_id: (row.row, row.facets)
            for row in db.session.execute(
                select(MethodIndex.version_id, MethodIndex.row, MethodIndex.facets).where(
                    MethodIndex.version_id.in_(part)
                )
            )
        }
        columns = [column for column in MethodText.__table__.columns if column.name != "version_id"]
        held_texts = {
            row.version_id: tuple(row)[1:]
            for row in db.session.execute(
                select(MethodText.version_id, *columns).where(MethodText.version_id.in_(part))
            )
        }
        for row, found in zip(index, texts, strict=True):
            number = row["version_id"]
            said = tuple(found[column.name] for column in columns)
            if held.get(number) != (row["row"], row["facets"]) or held_texts.get(number) != said:
                wrong.append(number)
    for table in (MethodIndex, MethodText):
        lost = select(table.version_id).where(table.version_id.not_in(select(MethodVersion.id)))
        wrong += db.session.scalars(lost)
    return sorted(set(wrong))


def search_index_is_whole() -> bool:
    """Say whether SQLite's full-text indexes fit the text that they index (PostgreSQL's cannot differ)."""
    if db.engine.dialect.name != "sqlite":
        return True
    for name in SEARCH_TABLES:
        try:
            db.session.execute(text(f"INSERT INTO {name}({name}, rank) VALUES ('integrity-check', 1)"))
        except DatabaseError:
            return False
    return True


def examine(diagnosis: Diagnosis, *, fix: bool) -> None:
    """Say for ``labhub doctor`` whether the index fits the methods; ``fix`` writes it anew."""
    wrong = out_of_step()
    diagnosis.checked["versions in the index of methods"] = len(
        db.session.scalars(select(MethodIndex.version_id)).all()
    )
    db.session.rollback()
    with transaction():
        whole = search_index_is_whole()
    if not wrong and whole:
        return
    if fix:
        with transaction():
            number = reindex(OPERATOR)
        diagnosis.mended.append(f"wrote the index of methods anew, {number} versions")
    else:
        named = ", ".join(str(number) for number in wrong[:10])
        what = f"differs for versions {named}" if wrong else "has a damaged full text"
        diagnosis.problems.append(f"the index of methods {what} (--fix writes it anew)")


def fill_index() -> int:
    """Write what the index lacks of a database that was made before there was one; return how many."""
    missing = db.session.scalars(
        select(MethodVersion.id).where(MethodVersion.id.not_in(select(MethodIndex.version_id)))
    ).all()
    return reindex(OPERATOR, missing) if missing else 0


def reindex(actor: Actor = OPERATOR, version_ids: Iterable[int] | None = None) -> int:
    """Write the index anew, of all versions or of some; return how many."""
    whole = version_ids is None
    numbers = list(db.session.scalars(select(MethodVersion.id)) if version_ids is None else version_ids)
    if whole:
        for table in (MethodIndex, MethodText):
            db.session.execute(delete(table))
    audit.record(actor, "method-index.write", "method-index", "all" if whole else len(numbers))
    index_versions(numbers)
    if whole and db.engine.dialect.name == "sqlite":
        for name in SEARCH_TABLES:
            db.session.execute(text(f"INSERT INTO {name}({name}) VALUES ('rebuild')"))
    return len(numbers)
