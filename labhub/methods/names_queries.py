"""Names of methods compared with the register: doubts of one record, and contradictions among all of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select

from labhub import audit
from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory
from labhub.cells import write_csv
from labhub.db import db
from labhub.i18n import Text, _
from labhub.lmos import unique_identifier
from labhub.lmos.bch import record_number, register_key
from labhub.lmos.models import ElementName, LmoName
from labhub.lmos.names_queries import Meaning, Register, read_register
from labhub.lmos.near_names import nearest
from labhub.lmos.queries import register as known_identifiers
from labhub.methods.exchange import Content
from labhub.methods.models import (
    OPEN_STATES,
    PUBLIC_STATES,
    REVIEW_STATES,
    DetectionMethod,
    MethodOrigin,
    MethodSource,
    MethodState,
    MethodTarget,
    MethodVersion,
    Oligo,
    Specificity,
    TargetKind,
)
from labhub.methods.network_models import (
    CONFLICT_NAMES,
    CONFLICT_REMEDIES,
    ConflictKind,
    ConflictLook,
    NameConflict,
    TargetLink,
)

MOST_DOUBTS = 30
LONGEST_LIST = 8
LARGEST_REGISTER_TO_COMPARE = 1500
"""In a larger register identifiers are not compared with each other, only with their own digit."""
TEXT_MEANING = (TargetKind.TARGET, TargetKind.LMO)


# One record ----------------------------------------------------------------------------------


def doubts(content: Content, register: Register, genes: Mapping[str, set[str]] | None = None) -> list[Text]:
    """Return what is doubtful about the names of a method's content; it never stands in the way.

    ``genes`` are the reference genes that published methods name, by taxon (``reference_genes``).
    """
    is_taxon = content["specificity"] == Specificity.TAXON
    found: list[Text] = []
    for text in content["targets"]:
        found += (
            register.taxon_doubts(text)
            if is_taxon and not register.meaning(text).is_known
            else ([] if is_taxon else register.name_doubts(text))
        )
    for text in content["lmo_unique_identifiers"]:
        found += register.identifier_doubts(text)
    taxon = content["taxon"] or {}
    for name in (taxon.get("scientific"), taxon.get("common")):
        if name:
            found += register.taxon_doubts(name)
    by_name = _lmos_of(register, content["targets"])
    by_identifier = _lmos_of(register, content["lmo_unique_identifiers"])
    if not _agree(register, by_name, by_identifier):
        found.append(
            _(
                "The target means %(targets)s, the unique identifiers mean %(identifiers)s. Check both.",
                targets=_labels(register, by_name),
                identifiers=_labels(register, by_identifier),
            )
        )
    if wrong := _other_taxa(register, taxon.get("scientific") or "", by_name | by_identifier, content):
        found.append(
            _(
                "The taxon of this method is %(taxon)s, that of %(lmos)s is %(other)s. Check both.",
                taxon=taxon["scientific"],
                lmos=_labels(register, by_name | by_identifier),
                other=" / ".join(wrong[:3]),
            )
        )
    found += _gene_doubts(content, register, genes or {})
    return list(dict.fromkeys(found))[:MOST_DOUBTS]


def doubts_of(content: Content) -> list[Text]:
    """Return what is doubtful about the names of one record, by the register as it is now."""
    return doubts(content, read_register(), reference_genes())


def _gene_doubts(content: Content, register: Register, genes: Mapping[str, set[str]]) -> list[Text]:
    gene = (content["reference_gene"] or {}).get("gene") or ""
    taxon = (content["taxon"] or {}).get("scientific") or ""
    known = {register_key(name): name for name in sorted(genes.get(register_key(taxon), set()))}
    key = register_key(gene)
    if not gene or key in known or register.meaning(gene).is_known:
        return []
    near = [known[name] for name in nearest(key, known)]
    if not near:
        return []
    return [
        _(
            "No published method of this taxon names the reference gene %(name)s. "
            "Did you mean %(suggestions)s?",
            name=gene[:100],
            suggestions=" / ".join(near),
        )
    ]


def _lmos_of(register: Register, texts: Iterable[str]) -> set[int]:
    return {number for text in texts if (number := register.meaning(text).lmo_id) is not None}


def _agree(register: Register, first: set[int], second: set[int]) -> bool:
    """Say whether two sets of LMOs can mean the same: a stack agrees with its events."""
    if not first or not second or first & second:
        return True
    events_of_first = set().union(*(register.events_of(number) for number in first))
    events_of_second = set().union(*(register.events_of(number) for number in second))
    return bool(events_of_first & events_of_second)


def _other_taxa(register: Register, taxon: str, lmos: set[int], content: Mapping[str, Any]) -> list[str]:
    """Return the taxa of the LMOs when none of them is the method's; a screening method has no one taxon."""
    if content["specificity"] not in (Specificity.EVENT, Specificity.CONSTRUCT) or not taxon:
        return []
    others = sorted({register.lmo_taxa[number] for number in lmos if number in register.lmo_taxa})
    if not others or any(register.same_taxon(taxon, other) for other in others):
        return []
    return others


def _labels(register: Register, lmos: Iterable[int]) -> str:
    return " / ".join(sorted(register.lmo_labels[number] for number in lmos)[:LONGEST_LIST])


def reference_genes() -> dict[str, set[str]]:
    """Return the reference genes that published methods name, by the key of their taxon."""
    found: dict[str, set[str]] = {}
    for taxon, gene in db.session.execute(
        select(MethodVersion.taxon_scientific, MethodVersion.reference_gene)
        .where(MethodVersion.state == MethodState.PUBLISHED, MethodVersion.reference_gene.is_not(None))
        .distinct()
    ):
        found.setdefault(register_key(taxon or ""), set()).add(gene or "")
    return found


# All of them ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A contradiction: what kind, about which version (or the register), and what the name meets."""

    kind: ConflictKind
    version_id: int | None
    name: str
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """What is the same each time that the contradiction is found."""
        same = [self.kind.value, self.version_id, self.name, self.details.get("means", []),
                self.details.get("with", [])]  # fmt: skip
        return sha256(audit.canonical({"conflict": same}).encode()).hexdigest()


@dataclass
class _Version:
    """A version with its targets, as far as names are concerned."""

    code: str
    is_public: bool
    specificity: Specificity
    taxon: str
    targets: list[tuple[TargetKind, str, int | None, int | None]] = field(default_factory=list)


def find_conflicts(register: Register) -> list[Found]:
    """Return every contradiction among published and open versions and inside the register.

    Reads names, not records: about six queries, whatever the number of methods.
    """
    versions = _versions()
    found = [*_of_register(register)]
    for number, version in versions.items():
        found += _of_version(register, number, version)
    found += _same_oligos(register, versions)
    _add_sources(found)
    return list({each.fingerprint: each for each in found}.values())


def _versions() -> dict[int, _Version]:
    states = (MethodState.PUBLISHED, *OPEN_STATES)
    versions = {
        number: _Version(code, state is MethodState.PUBLISHED, specificity, taxon or "")
        for number, code, state, specificity, taxon in db.session.execute(
            select(
                MethodVersion.id,
                DetectionMethod.code,
                MethodVersion.state,
                MethodVersion.specificity,
                MethodVersion.taxon_scientific,
            )
            .join(MethodVersion.method)
            .where(MethodVersion.state.in_(states))
        )
    }
    rows = db.session.execute(
        select(
            MethodTarget.version_id,
            MethodTarget.kind,
            MethodTarget.text,
            func.coalesce(MethodTarget.lmo_id, TargetLink.lmo_id),
            func.coalesce(MethodTarget.element_id, TargetLink.element_id),
        )
        .join(MethodTarget.version)
        .outerjoin(TargetLink, TargetLink.target_id == MethodTarget.id)
        .where(MethodVersion.state.in_(states))
        .order_by(MethodTarget.version_id, MethodTarget.kind, MethodTarget.position)
    )
    for number, kind, text, lmo_id, element_id in rows:
        versions[number].targets.append((kind, text, lmo_id, element_id))
    return versions


def _of_version(register: Register, number: int, version: _Version) -> Iterator[Found]:
    by_name: set[int] = set()
    by_identifier: set[int] = set()
    for kind, text, lmo_id, element_id in version.targets:
        meaning = register.meaning(text)
        if kind is TargetKind.LMO:
            by_identifier |= {lmo_id} if lmo_id else set()
            if not record_number(text) and unique_identifier.check(text):
                yield Found(ConflictKind.CHECK_DIGIT, number, unique_identifier.display(text))
        else:
            by_name |= {lmo_id} if lmo_id else set()
        yield from _of_target(register, number, version, kind, text, meaning, bool(lmo_id or element_id))
    if not _agree(register, by_name, by_identifier):
        means = sorted(register.lmo_labels[one] for one in by_name | by_identifier)
        yield Found(ConflictKind.TWO_LMOS, number, version.code, {"means": means[:LONGEST_LIST]})
    others = _other_taxa(
        register, version.taxon, by_name | by_identifier, {"specificity": version.specificity}
    )
    if others:
        yield Found(ConflictKind.TAXON, number, version.taxon, {"means": others[:LONGEST_LIST]})


def _of_target(
    register: Register,
    number: int,
    version: _Version,
    kind: TargetKind,
    text: str,
    meaning: Meaning,
    is_linked: bool,
) -> Iterator[Found]:
    if meaning.is_ambiguous and not is_linked:
        names = register.names_of(meaning)[:LONGEST_LIST]
        yield Found(ConflictKind.AMBIGUOUS, number, text, {"means": names})
        return
    if is_linked or meaning.is_known:
        return
    is_taxon = version.specificity is Specificity.TAXON and kind is TargetKind.TARGET
    near = register.suggestions(text, taxa=is_taxon)
    yield Found(ConflictKind.UNMATCHED, number, text, {"near": near})


def _same_oligos(register: Register, versions: Mapping[int, _Version]) -> Iterator[Found]:
    oligos: dict[int, list[tuple[str, str]]] = {}
    for number, role, sequence in db.session.execute(
        select(Oligo.version_id, Oligo.role, Oligo.sequence)
        .join(Oligo.version)
        .where(MethodVersion.state.in_((MethodState.PUBLISHED, *OPEN_STATES)))
    ):
        oligos.setdefault(number, []).append((role.value, sequence.upper()))
    groups: dict[frozenset[tuple[str, str]], list[int]] = {}
    for number, sequences in oligos.items():
        if len(sequences) > 1 and number in versions:
            groups.setdefault(frozenset(sequences), []).append(number)
    for numbers in groups.values():
        if len(numbers) < 2:
            continue
        targets = {number: _meant(register, versions[number]) for number in numbers}
        for number in numbers:
            others = [
                other
                for other in numbers
                if other != number
                and versions[other].is_public  # an open version is told of a published one, never the reverse
                and versions[other].code != versions[number].code
                and targets[other]
                and targets[number]
                and not targets[other] & targets[number]
            ]
            if others:
                codes = sorted(versions[other].code for other in others)[:LONGEST_LIST]
                yield Found(ConflictKind.SAME_OLIGOS, number, versions[number].code, {"with": codes})


def _meant(register: Register, version: _Version) -> frozenset[str]:
    """Return what a version detects: LMOs and elements by number, else the words as they are compared."""
    meant = set()
    for _kind, text, lmo_id, element_id in version.targets:
        if lmo_id:
            meant |= {f"lmo {number}" for number in register.events_of(lmo_id)}
        elif element_id:
            meant.add(f"element {element_id}")
        else:
            meant.add(register_key(text))
    return frozenset(meant)


def _of_register(register: Register) -> Iterator[Found]:
    known = register.known_identifiers
    compared = known if len(known) <= LARGEST_REGISTER_TO_COMPARE else ()
    for identifier in known:
        if unique_identifier.check(identifier, compared):
            yield Found(ConflictKind.CHECK_DIGIT, None, unique_identifier.display(identifier))
    for key, numbers in register.lmo_names.items():
        claimed = set(numbers) | ({register.events[key]} if key in register.events else set())
        if len(claimed) > 1:
            means = sorted(register.lmo_labels[number] for number in claimed)[:LONGEST_LIST]
            yield Found(ConflictKind.CLAIMED_NAME, None, register.shown.get(key, key), {"means": means})
    for key, numbers in register.element_synonyms.items():
        named = {register.element_names[key]} if key in register.element_names else set()
        shared = set(numbers) | named
        if len(shared) > 1:
            means = sorted(register.element_labels[number] for number in shared)[:LONGEST_LIST]
            yield Found(ConflictKind.SHARED_SYNONYM, None, register.shown.get(key, key), {"means": means})


def _add_sources(found: list[Found]) -> None:
    """Note with each contradiction where its name was read, and when."""
    numbers = {each.version_id for each in found if each.version_id is not None}
    sources = {
        number: (title or url or "", year)
        for number, title, url, year in db.session.execute(
            select(MethodSource.version_id, MethodSource.title, MethodSource.url, MethodSource.year).where(
                MethodSource.position == 0, MethodSource.version_id.in_(_few(numbers))
            )
        )
    }
    names: dict[str, list[tuple[str, date | None]]] = {}
    for each in found:
        if each.version_id is None and each.kind in (ConflictKind.CLAIMED_NAME, ConflictKind.SHARED_SYNONYM):
            names[register_key(each.name)] = []
    keys = _few(set(names))
    for key, source, day in db.session.execute(
        select(LmoName.name_key, LmoName.source, LmoName.recorded_on).where(LmoName.name_key.in_(keys))
    ):
        names.setdefault(key, []).append((source, day))
    for key, source in db.session.execute(
        select(ElementName.name_key, ElementName.source).where(ElementName.name_key.in_(keys))
    ):
        names.setdefault(key, []).append((source, None))
    for each in found:
        if each.version_id is not None:
            source, year = sources.get(each.version_id, ("", None))
            if source:
                each.details["source"] = source
            if year:
                each.details["source_date"] = str(year)
        else:
            told = [(source, day) for source, day in names.get(register_key(each.name), []) if source]
            if told:
                each.details["source"] = "; ".join(sorted({source for source, _day in told}))[:500]
            if days := [day.isoformat() for _source, day in told if day]:
                each.details["source_date"] = max(days)


def _few(values: set[Any]) -> list[Any]:
    """Return values for an IN list; a database takes some ten thousand of them."""
    return list(values)[:20_000]


# Reading the list ----------------------------------------------------------------------------

CONFLICT_COLUMNS: dict[str, Any] = {
    "id": NameConflict.id,
    "kind": NameConflict.kind,
    "name": NameConflict.name,
    "details": NameConflict.details,
    "found_at": NameConflict.found_at,
    "method": DetectionMethod.code,
    "version": MethodVersion.number,
    "method_state": MethodVersion.state,
    "laboratory": Laboratory.code,
}
CONFLICT_SORTS: dict[str, Any] = {
    "kind": NameConflict.kind,
    "name": NameConflict.name,
    "found_at": NameConflict.found_at,
    "method": func.coalesce(DetectionMethod.code_key, ""),
}
CONFLICT_TIE = NameConflict.id


def visible_conflicts(actor: Actor | None) -> ColumnElement[bool]:
    """Return the condition for the conflicts that ``actor`` may see, where method and version are joined.

    Everybody: those of the register and of compiled methods. A laboratory: its own. Reviewers and the
    Secretariat: all but those of drafts.
    """
    compiled = and_(DetectionMethod.origin == MethodOrigin.COMPILED, MethodVersion.state.in_(PUBLIC_STATES))
    ways: list[ColumnElement[bool]] = [NameConflict.version_id.is_(None), compiled]
    if actor is not None and actor.laboratory_ids:
        ways.append(DetectionMethod.laboratory_id.in_(actor.laboratory_ids))
    if actor is not None and (actor.operator or actor.has(Role.REVIEWER) or actor.has(Role.SECRETARIAT)):
        ways.append(MethodVersion.state.in_((*PUBLIC_STATES, *REVIEW_STATES)))
    return or_(*ways)


def list_conflicts(
    actor: Actor | None, *, kind: ConflictKind | None = None, q: str = "", own: bool = False
) -> Select[Any]:
    """Select the conflicts that stand and that the actor may see; ``own`` only one's own laboratories'."""
    query = (
        select(*(column.label(name) for name, column in CONFLICT_COLUMNS.items()))
        .select_from(NameConflict)
        .outerjoin(MethodVersion, MethodVersion.id == NameConflict.version_id)
        .outerjoin(DetectionMethod, DetectionMethod.id == MethodVersion.method_id)
        .outerjoin(Laboratory, Laboratory.id == DetectionMethod.laboratory_id)
        .where(NameConflict.gone_at.is_(None), visible_conflicts(actor))
    )
    if kind is not None:
        query = query.where(NameConflict.kind == kind)
    if own:
        mine = actor.laboratory_ids if actor else ()
        query = query.where(DetectionMethod.laboratory_id.in_(mine) if mine else false())
    if text := q.replace("\x00", "").strip():
        query = query.where(
            or_(
                NameConflict.name.icontains(text, autoescape=True),
                DetectionMethod.code.icontains(text, autoescape=True),
            )
        )
    return query


def conflict_counts(actor: Actor | None) -> dict[ConflictKind, int]:
    """Return how many conflicts of each kind the actor may see."""
    rows = db.session.execute(
        select(NameConflict.kind, func.count())
        .outerjoin(MethodVersion, MethodVersion.id == NameConflict.version_id)
        .outerjoin(DetectionMethod, DetectionMethod.id == MethodVersion.method_id)
        .where(NameConflict.gone_at.is_(None), visible_conflicts(actor))
        .group_by(NameConflict.kind)
    )
    return {row[0]: row[1] for row in rows}


def looked_at() -> Any:
    """Return when conflicts were last looked for; nothing before the first look."""
    return db.session.scalar(select(ConflictLook.looked_at).where(ConflictLook.id == 1))


def unreported(limit: int = 500) -> list[NameConflict]:
    """Return the conflicts that the Secretariat may see and has not been told of, oldest first."""
    return list(
        db.session.scalars(
            select(NameConflict)
            .outerjoin(MethodVersion, MethodVersion.id == NameConflict.version_id)
            .where(
                NameConflict.gone_at.is_(None),
                NameConflict.reported_at.is_(None),
                or_(
                    NameConflict.version_id.is_(None),
                    MethodVersion.state.in_((*PUBLIC_STATES, *REVIEW_STATES)),
                ),
            )
            .order_by(NameConflict.id)
            .limit(limit)
        )
    )


def explained(row: Mapping[Any, Any], identifiers: Sequence[str] = ()) -> dict[str, Any]:
    """Return a row of ``list_conflicts`` with what is wrong and how to mend it, in the reader's language.

    ``identifiers`` is the register, for the doubts about an identifier.
    """
    kind, name, details = row["kind"], row["name"], row["details"]
    means = " / ".join(details.get("means", ()))
    if kind is ConflictKind.UNMATCHED:
        near = " / ".join(details.get("near", ()))
        texts: list[Text] = [
            _(
                "The register does not know %(name)s. Did you mean %(suggestions)s?",
                name=name,
                suggestions=near,
            )
            if near
            else _("The register does not know %(name)s.", name=name)
        ]
    elif kind is ConflictKind.CHECK_DIGIT:
        texts = list(unique_identifier.check(name, identifiers))
    elif kind is ConflictKind.AMBIGUOUS:
        texts = [
            _(
                "%(name)s has several meanings: %(meanings)s. Name the one that is meant.",
                name=name,
                meanings=means,
            )
        ]
    elif kind is ConflictKind.TWO_LMOS:
        texts = [_("Target and unique identifiers mean different LMOs: %(meanings)s.", meanings=means)]
    elif kind is ConflictKind.TAXON:
        texts = [
            _("The method names the taxon %(name)s, its LMO is %(meanings)s.", name=name, meanings=means)
        ]
    elif kind is ConflictKind.SAME_OLIGOS:
        codes = " / ".join(details.get("with", ()))
        texts = [_("%(codes)s have the same oligos and name other targets.", codes=codes)]
    elif kind is ConflictKind.SHARED_SYNONYM:
        texts = [_("These elements share the name: %(meanings)s.", meanings=means)]
    else:
        texts = [_("These LMOs share the name: %(meanings)s.", meanings=means)]
    return {
        **row,
        "kind_name": _(CONFLICT_NAMES[kind]),
        "explanation": " ".join(str(text) for text in texts),
        "remedy": _(CONFLICT_REMEDIES[kind]),
        "source": details.get("source"),
        "source_date": details.get("source_date"),
    }


CONFLICT_CSV = (
    "kind", "name", "explanation", "remedy", "method", "version", "laboratory", "source", "source_date",
    "found_at",
)  # fmt: skip
MOST_CSV_ROWS = 20_000


def conflicts_csv(query: Any) -> bytes:
    """Return a list of conflicts as CSV."""
    identifiers = known_identifiers()
    rows = []
    for row in db.session.execute(query.limit(MOST_CSV_ROWS)).mappings():
        full = explained(row, identifiers)
        cells = {name: "" if full[name] is None else str(full[name]) for name in CONFLICT_CSV}
        rows.append({**cells, "kind": full["kind"].value, "found_at": full["found_at"].isoformat()})
    return write_csv(CONFLICT_CSV, rows)
