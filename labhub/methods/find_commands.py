"""What finding writes: the index of the list, in the same transaction as the version, and saved searches.

A command that changes a version calls ``changed``; at the end of its transaction the rows of all changed
versions are written at once. What the index says follows from the versions alone, so that it can be
written anew at any time (``reindex``).
"""

import hmac
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.exc import DatabaseError

from labhub import audit, changes, clock, outbox
from labhub.accounts import queries as accounts
from labhub.accounts.actor import OPERATOR, Actor
from labhub.accounts.commands import BASE_URL
from labhub.accounts.models import Laboratory
from labhub.accounts.policy import require
from labhub.db import before_commit, db, transaction
from labhub.doctor import Diagnosis
from labhub.errors import Conflict, Invalid, NotFound, StaleEdit
from labhub.i18n import _, ngettext
from labhub.lmos import unique_identifier
from labhub.methods import find_queries, queries, search_text
from labhub.methods.find_models import Alert, MethodIndex, MethodText, SavedSearch
from labhub.methods.models import (
    DetectionMethod,
    MethodOrigin,
    MethodSource,
    MethodState,
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
from labhub.names import clean_name, name_key

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


# Saved searches ------------------------------------------------------------------------------

MOST_SAVED = 50
MOST_MAILED = 50
"""Methods that one mail names; it says how many more there are."""
SETTLING = timedelta(minutes=1)
"""What was published within it waits for the next mail: another transaction may be about to end."""
PERIODS = {Alert.DAILY: timedelta(days=1), Alert.WEEKLY: timedelta(days=7)}
SLACK = timedelta(minutes=10)
"""A job that comes a little early still counts."""
UNSUBSCRIBE = "labhub.saved-search"


def save_search(actor: Actor, name: str, filters: Mapping[str, Any], alert: Alert) -> SavedSearch:
    """Keep a search under a name of one's own; new matches are mailed from now on."""
    require(actor, "saved-search.create")
    name = clean_name(name, field="name", longest=100)
    present = find_queries.saved_searches(actor)
    if len(present) >= MOST_SAVED:
        raise Conflict(_("You have %(number)s saved searches. Delete one first.", number=len(present)))
    _check_free(present, name)
    now = clock.now()
    row = SavedSearch(
        user_id=actor.user_id,
        name=name,
        name_key=name_key(name)[:100],
        filters=_kept_filters(filters),
        alert=alert,
        created_at=now,
        ran_at=now,
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        actor, "saved-search.create", "saved-search", row.id, after={"name": name, "alert": row.alert}
    )
    return row


def _check_free(present: Iterable[SavedSearch], name: str) -> None:
    if any(row.name_key == name_key(name) for row in present):
        raise Conflict(_("You have a saved search of this name."), field="name")


def _kept_filters(filters: Mapping[str, Any]) -> dict[str, Any]:
    search = find_queries.Search.of(filters)
    if search.is_empty:
        raise Invalid(
            _("Search for something first: this would be the list of all methods."), field="filters"
        )
    return search.as_filters()


def change_search(
    actor: Actor,
    number: int,
    *,
    expected: int,
    name: str | None = None,
    filters: Mapping[str, Any] | None = None,
    alert: Alert | None = None,
) -> SavedSearch:
    """Give one's saved search another name, other filters or another rhythm of mails."""
    row = find_queries.find_saved_search(actor, number)
    require(actor, "saved-search.change", row)
    if row.row_version != expected:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))
    before = {"name": row.name, "filters": row.filters, "alert": row.alert}
    if name is not None:
        name = clean_name(name, field="name", longest=100)
        _check_free((each for each in find_queries.saved_searches(actor) if each.id != row.id), name)
        row.name, row.name_key = name, name_key(name)[:100]
    if filters is not None:
        row.filters = _kept_filters(filters)
    if alert is not None:
        if row.alert is Alert.NONE:
            row.ran_at = clock.now()  # what came while no mails were wanted is not sent
        row.alert = alert
    db.session.flush()
    after = {"name": row.name, "filters": row.filters, "alert": row.alert}
    audit.record(
        actor,
        "saved-search.change",
        "saved-search",
        row.id,
        version=row.row_version,
        before=before,
        after=after,
    )
    return row


def delete_search(actor: Actor, number: int) -> None:
    """Delete one's saved search."""
    row = find_queries.find_saved_search(actor, number)
    require(actor, "saved-search.change", row)
    db.session.delete(row)
    audit.record(actor, "saved-search.delete", "saved-search", number, before={"name": row.name})


def unsubscribe_token(row: SavedSearch, secret: str) -> str:
    """Return what the link of a mail carries: the number of the search, signed with the hub's secret."""
    return f"{row.id}-{_signature(row.id, row.user_id, secret)}"


def _signature(number: int, user_id: int, secret: str) -> str:
    said = f"{UNSUBSCRIBE}:{number}:{user_id}".encode()
    return hmac.new(secret.encode(), said, sha256).hexdigest()[:40]


def unsubscribe(token: str, secret: str) -> SavedSearch:
    """Stop the mails of the search that a link names; the search itself is kept."""
    number, _dash, signature = token.partition("-")
    row = None
    if number.isdecimal() and len(number) < 10:
        row = db.session.get(SavedSearch, int(number), with_for_update=True, populate_existing=True)
    if row is None or not hmac.compare_digest(_signature(row.id, row.user_id, secret), signature):
        raise NotFound(_("This link is not valid, or the search has been deleted."))
    if row.alert is not Alert.NONE:
        row.alert = Alert.NONE
        audit.record(None, "saved-search.unsubscribe", "saved-search", row.id, before={"name": row.name})
    return row


def send_alerts(secret: str) -> int:
    """Queue the mails of saved searches that are due, each in its own transaction; return how many."""
    now = clock.now()
    due = [
        row.id
        for row in db.session.scalars(select(SavedSearch).where(SavedSearch.alert != Alert.NONE))
        if now - row.ran_at >= PERIODS[row.alert] - SLACK
    ]
    db.session.rollback()
    sent = 0
    for number in due:
        with transaction():
            sent += _send_alert(number, secret)
    return sent


def _send_alert(number: int, secret: str) -> bool:
    row = db.session.get(SavedSearch, number, with_for_update=True, populate_existing=True)
    now = clock.now()
    if row is None or row.alert is Alert.NONE or now - row.ran_at < PERIODS[row.alert] - SLACK:
        return False
    user = row.user
    until = now - SETTLING
    since, row.ran_at = row.ran_at, max(until, row.ran_at)
    if not user.active:
        return False
    found = _new_matches(row, since, until)
    if not found:
        return False
    base = BASE_URL[0] if BASE_URL else ""
    lines = [f"{version['code']}  {version['title']}\n{base}/methods/{version['code']}" for version in found]
    rest = len(lines) - MOST_MAILED
    body = _(
        "New methods for your saved search “%(name)s”:\n\n%(lines)s\n\n%(rest)s"
        "The whole list: %(list)s\n\nTo stop these mails: %(stop)s\n",
        name=row.name,
        lines="\n\n".join(lines[:MOST_MAILED]),
        rest=ngettext("And %(number)s more.\n\n", "And %(number)s more.\n\n", rest) if rest > 0 else "",
        list=f"{base}/methods?{find_queries.Search.of(row.filters).as_query()}",
        stop=f"{base}/methods/searches/stop/{unsubscribe_token(row, secret)}",
    )
    subject = ngettext(
        "%(number)s new method for “%(name)s”",
        "%(number)s new methods for “%(name)s”",
        len(found),
        name=row.name,
    )
    outbox.add(user.email, subject, body, language=user.language)
    return True


def _new_matches(row: SavedSearch, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Return the rows of methods published within a time that fit and that the person may see."""
    actor = accounts.actor_of(row.user)
    search = find_queries.Search.of({**row.filters, "state": [MethodState.PUBLISHED.value]})
    fresh = set(
        db.session.scalars(
            queries.visible_versions(actor)
            .where(MethodVersion.published_at > since, MethodVersion.published_at <= until)
            .with_only_columns(MethodVersion.id)
        )
    )
    return find_queries.rows_of(find_queries.Selection(actor, search), fresh) if fresh else []
