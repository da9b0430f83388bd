"""The coverage map: which LMOs can be detected, how well, by whom today, and where the blind spots are.

Everything is counted set-wise in a handful of queries; what the reader may not see (drafts, capabilities
of laboratories that are not listed) is never counted. A pair of LMO and element that no source speaks of
(``?``) or that sources dispute (``±``) is never taken for a positive one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select, union

from labhub import clock
from labhub.accounts.actor import Actor
from labhub.accounts.models import Laboratory, Party
from labhub.cells import write_csv
from labhub.db import db
from labhub.i18n import N_
from labhub.lmos import unique_identifier
from labhub.lmos.models import Claim, Element, Lmo
from labhub.lmos.terms import Sign
from labhub.methods import network_queries
from labhub.methods.models import (
    DetectionMethod,
    MethodState,
    MethodTarget,
    MethodValidation,
    MethodVersion,
    Specificity,
    StudyKind,
    ValidationStudy,
)
from labhub.methods.network_models import Capability, TargetLink
from labhub.names import name_key

MOST_METHODS = 60
"""Methods of one class that the page of an LMO lists; the number of all is told."""


class Way(StrEnum):
    """How a method detects an LMO, the surest first."""

    EVENT = "event"
    CONSTRUCT = "construct"
    ELEMENT = "element"
    TAXON = "taxon"


WAY_NAMES: dict[Way, str] = {
    Way.EVENT: N_("event-specific"),
    Way.CONSTRUCT: N_("construct-specific"),
    Way.ELEMENT: N_("screening of its elements"),
    Way.TAXON: N_("reference gene of its taxon"),
}


class Gap(StrEnum):
    """A blind spot."""

    NO_EVENT_METHOD = "no-event-method"
    WITHDRAWN = "withdrawn"
    NO_LABORATORY = "no-laboratory"
    UNVERIFIED = "claims-unverified"
    NO_CLAIMS = "no-claims"


GAP_NAMES: dict[Gap, str] = {
    Gap.NO_EVENT_METHOD: N_("no event-specific method"),
    Gap.WITHDRAWN: N_("its event-specific methods are withdrawn"),
    Gap.NO_LABORATORY: N_("an event-specific method, but no laboratory that runs one today"),
    Gap.UNVERIFIED: N_("which elements it has is known from memory only"),
    Gap.NO_CLAIMS: N_("no source says which elements it has"),
}


@dataclass
class Reach:
    """What one way of detection offers: methods, their quality, and who runs one today."""

    methods: int = 0
    """Published methods; one that screens two elements of an LMO counts for each."""
    validated: int = 0
    """Of these, with a collaborative trial."""
    quantitative: int = 0
    laboratories: set[str] = field(default_factory=set)
    parties: set[str] = field(default_factory=set)

    def add(self, other: "Reach") -> None:
        """Take another one in, as for the elements of an LMO."""
        self.methods += other.methods
        self.validated += other.validated
        self.quantitative += other.quantitative
        self.laboratories |= other.laboratories
        self.parties |= other.parties


NOTHING = Reach()


@dataclass
class LmoCoverage:
    """One LMO of the map."""

    lmo: Mapping[str, Any]
    reach: dict[Way, Reach]
    elements: int
    """Elements that sources say it has, undisputed."""
    elements_screened: int
    """Of these, with a screening method."""
    missing: list[str]
    """Events without an event-specific method: of a stack its parents, else the LMO itself."""
    gaps: list[Gap]

    @property
    def best(self) -> Way | None:
        """The surest way in which a laboratory can detect it today."""
        return next((way for way in Way if self.reach[way].laboratories), None)

    def record(self) -> dict[str, Any]:
        """Return the row as data."""
        identifier = self.lmo["unique_identifier"]
        return {
            "slug": self.lmo["slug"],
            "unique_identifier": identifier,
            "event": self.lmo["event"],
            "taxon": self.lmo["taxon_scientific"],
            "stack": self.lmo["is_stack"],
            "best_today": self.best.value if self.best else None,
            "elements": self.elements,
            "elements_screened": self.elements_screened,
            "missing_events": self.missing,
            "gaps": [gap.value for gap in self.gaps],
            "by": {
                way.value: {
                    "methods": reach.methods,
                    "validated": reach.validated,
                    "quantitative": reach.quantitative,
                    "laboratories": sorted(reach.laboratories),
                    "parties": sorted(reach.parties),
                }
                for way, reach in self.reach.items()
            },
        }


CSV_COLUMNS = (
    "event", "unique_identifier", "taxon", "stack", "best_today",
    *(f"by_{way.value}_{name}" for way in Way
      for name in ("methods", "validated", "quantitative", "laboratories", "parties")),
    "elements", "elements_screened", "missing_events", "gaps",
)  # fmt: skip


def to_csv(rows: Iterable[LmoCoverage]) -> bytes:
    """Return rows of the map as CSV; lists have their entries joined by ``; ``."""
    lines = []
    for row in rows:
        record = row.record()
        flat = {name: _cell(record[name]) for name in CSV_COLUMNS if name in record}
        for way in Way:
            flat |= {
                f"by_{way.value}_{name}": _cell(value) for name, value in record["by"][way.value].items()
            }
        lines.append(flat)
    return write_csv(CSV_COLUMNS, lines)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(str(one) for one in value)
    return "" if value is None else str(value)


# Counting --------------------------------------------------------------------------------------

_LMO: Any = func.coalesce(MethodTarget.lmo_id, TargetLink.lmo_id)
_ELEMENT: Any = func.coalesce(MethodTarget.element_id, TargetLink.element_id)
_TAXON: Any = func.lower(MethodVersion.taxon_scientific)

Reaches = dict[tuple[Any, Specificity], Reach]


def _has_trial() -> Any:
    """A collaborative trial is reported: as a study, or among the figures of the record."""
    studied = select(ValidationStudy.version_id).where(ValidationStudy.kind == StudyKind.COLLABORATIVE_TRIAL)
    return or_(MethodValidation.collaborative_trial.is_(True), MethodVersion.id.in_(studied))


def _counted(key: Any, *, of_targets: bool, only: Sequence[Specificity], among: Any = None) -> Reaches:
    """Return what published methods of some classes offer for each LMO, element or taxon: one pass.

    ``among`` narrows it to some versions. A method has one published version, so versions are counted.
    """
    query = (
        select(
            key.label("key"),
            MethodVersion.id,
            MethodVersion.specificity,
            MethodVersion.quantitative,
            _has_trial().label("trial"),
        )
        .select_from(MethodVersion)
        .outerjoin(MethodValidation, MethodValidation.version_id == MethodVersion.id)
        .where(
            MethodVersion.state == MethodState.PUBLISHED,
            MethodVersion.specificity.in_(only),
            key.is_not(None),
        )
        .distinct()
    )
    if among is not None:
        query = query.where(MethodVersion.id.in_(among))
    each = (_with_targets(query) if of_targets else query).subquery()
    counted = select(
        each.c.key,
        each.c.specificity,
        func.count(),
        func.count(case((each.c.trial, 1))),
        func.count(case((each.c.quantitative, 1))),
    ).group_by(each.c.key, each.c.specificity)
    return {
        (one, specificity): Reach(methods, validated, quantitative)
        for one, specificity, methods, validated, quantitative in db.session.execute(counted)
    }


def _with_targets(query: Any) -> Any:
    return query.join(MethodTarget, MethodTarget.version_id == MethodVersion.id).outerjoin(
        TargetLink, TargetLink.target_id == MethodTarget.id
    )


def _add_runners(
    reaches: Reaches,
    key: ColumnElement[Any],
    actor: Actor | None,
    party: str,
    *,
    of_targets: bool,
    only: Sequence[Specificity],
    among: Any = None,
) -> None:
    """Add who runs one of the methods today; of one Party where it is given."""
    query = (
        select(key, MethodVersion.specificity, Laboratory.code, Party.iso2)
        .select_from(Capability)
        .join(Laboratory, Laboratory.id == Capability.laboratory_id)
        .outerjoin(Party, Party.id == Laboratory.party_id)
        .join(MethodVersion, MethodVersion.method_id == Capability.method_id)
        .where(
            MethodVersion.state == MethodState.PUBLISHED,
            MethodVersion.specificity.in_(only),
            Capability.runs,
            Capability.valid_until >= clock.now().date(),
            network_queries.visible_capabilities(actor),
            key.is_not(None),
        )
        .distinct()
    )
    if party:
        query = query.where(Party.iso2 == party.upper())
    if among is not None:
        query = query.where(MethodVersion.id.in_(among))
    for one, specificity, laboratory, iso2 in db.session.execute(
        _with_targets(query) if of_targets else query
    ):
        reach = reaches.setdefault((one, specificity), Reach())
        reach.laboratories.add(laboratory)
        if iso2:
            reach.parties.add(iso2)


def positive_elements() -> tuple[dict[int, dict[int, bool]], set[tuple[int, int]]]:
    """Return the elements that each LMO is said to have, with whether a claim was verified; and denied pairs.

    Disputed pairs are denied: they are no positive ones.
    """
    found: dict[int, dict[int, bool]] = {}
    denied: set[tuple[int, int]] = set()
    for lmo_id, element_id, has, lacks, verified in db.session.execute(
        select(
            Claim.lmo_id,
            Claim.element_id,
            func.count(case((Claim.sign == Sign.HAS, 1))),
            func.count(case((Claim.sign == Sign.LACKS, 1))),
            func.count(case((Claim.verified, 1))),
        ).group_by(Claim.lmo_id, Claim.element_id)
    ):
        if lacks:
            denied.add((lmo_id, element_id))
        elif has:
            found.setdefault(lmo_id, {})[element_id] = bool(verified)
    return found, denied


@dataclass
class _Counts:
    """Everything that the rows of the map are made of."""

    lmos: Reaches
    elements: Reaches
    taxa: Reaches
    positives: dict[int, dict[int, bool]]
    denied: set[tuple[int, int]]
    withdrawn: set[int]
    known: dict[str, int]
    """LMOs by the keys of event and identifier."""


EVENT_LEVEL = (Specificity.EVENT, Specificity.CONSTRUCT)
ELEMENT_LEVEL = (Specificity.SCREENING, Specificity.CONSTRUCT)
TAXON_LEVEL = (Specificity.TAXON,)


def _counts(actor: Actor | None, party: str, lmo: Lmo | None = None) -> _Counts:
    """Return the counts for the whole map, or as far as they concern one LMO."""
    positives, denied = positive_elements()
    known = known_lmos()
    of_lmos = of_elements = taxon = None
    if lmo is not None:
        events = events_of(lmo.id, lmo.parents if lmo.is_stack else (), known)
        elements = {element_id for number in events for element_id in positives.get(number, ())}
        of_lmos, of_elements = versions_naming("lmo_id", events), versions_naming("element_id", elements)
        taxon = (lmo.taxon_scientific or "").lower()
    of_taxon = None if taxon is None else select(MethodVersion.id).where(taxon == _TAXON)
    lmos = _counted(_LMO, of_targets=True, only=EVENT_LEVEL, among=of_lmos)
    _add_runners(lmos, _LMO, actor, party, of_targets=True, only=EVENT_LEVEL, among=of_lmos)
    elements_ = _counted(_ELEMENT, of_targets=True, only=ELEMENT_LEVEL, among=of_elements)
    _add_runners(elements_, _ELEMENT, actor, party, of_targets=True, only=ELEMENT_LEVEL, among=of_elements)
    taxa = _counted(_TAXON, of_targets=False, only=TAXON_LEVEL, among=of_taxon)
    _add_runners(taxa, _TAXON, actor, party, of_targets=False, only=TAXON_LEVEL, among=of_taxon)
    withdrawn = set(
        db.session.scalars(
            _with_targets(select(_LMO).select_from(MethodVersion))
            .where(
                MethodVersion.state == MethodState.WITHDRAWN,
                MethodVersion.specificity == Specificity.EVENT,
                _LMO.is_not(None),
            )
            .distinct()
        )
    )
    return _Counts(lmos, elements_, taxa, positives, denied, withdrawn, known)


def known_lmos() -> dict[str, int]:
    """Return LMOs by the keys of event and identifier."""
    known: dict[str, int] = {}
    for number, event_key, identifier_key in db.session.execute(
        select(Lmo.id, Lmo.event_key, Lmo.identifier_key)
    ):
        known[event_key] = number
        if identifier_key:
            known[identifier_key] = number
    return known


def _parent(name: str, known: Mapping[str, int]) -> int | None:
    return known.get(name_key(name)) or known.get(unique_identifier.key(name))


def events_of(lmo_id: int, parents: Iterable[str], known: Mapping[str, int]) -> set[int]:
    """Return an LMO and the parents that the register knows."""
    return {lmo_id} | {number for name in parents if (number := _parent(name, known))}


def coverage(
    actor: Actor | None, *, party: str = "", taxon: str = "", q: str = "", gap: Gap | None = None
) -> list[LmoCoverage]:
    """Return the map, by taxon and event: all LMOs, or those of a taxon, a word, or with a kind of gap.

    With ``party`` the laboratories of that Party are counted, otherwise those of the whole network. Ten
    queries, whatever the number of LMOs and methods.
    """
    query = select(
        Lmo.id, Lmo.slug, Lmo.event, Lmo.unique_identifier, Lmo.taxon_scientific, Lmo.is_stack, Lmo.parents
    ).order_by(func.coalesce(Lmo.taxon_scientific, ""), Lmo.event_key)
    if taxon:
        query = query.where(func.lower(Lmo.taxon_scientific) == taxon.strip().lower())
    if word := q.replace("\x00", "").strip():
        key = unique_identifier.key(word)
        named = Lmo.event_key.contains(name_key(word), autoescape=True)
        query = query.where(named | Lmo.identifier_key.contains(key, autoescape=True) if key else named)
    counts = _counts(actor, party)
    rows = [_row(dict(lmo), counts) for lmo in db.session.execute(query).mappings()]
    return [row for row in rows if gap is None or gap in row.gaps]


def coverage_of(actor: Actor | None, lmo: Lmo, *, party: str = "") -> LmoCoverage:
    """Return the row of one LMO."""
    columns = ("id", "slug", "event", "unique_identifier", "taxon_scientific", "is_stack", "parents")
    return _row({name: getattr(lmo, name) for name in columns}, _counts(actor, party, lmo))


def _row(lmo: dict[str, Any], counts: _Counts) -> LmoCoverage:
    parents = (
        [(name, _parent(name, counts.known)) for name in lmo["parents"] or ()] if lmo["is_stack"] else []
    )
    events = [lmo["id"], *(number for _name, number in parents if number)]
    event, missing, is_withdrawn = _event_reach(lmo, parents, counts)
    reach = {way: Reach() for way in Way}
    reach[Way.EVENT] = event
    for number in events:
        reach[Way.CONSTRUCT].add(counts.lmos.get((number, Specificity.CONSTRUCT), NOTHING))
    positive: dict[int, bool] = {}
    for number in events:
        for element_id, verified in counts.positives.get(number, {}).items():
            if (lmo["id"], element_id) not in counts.denied:
                positive[element_id] = positive.get(element_id, False) or verified
    screened = 0
    for element_id in positive:
        screening = counts.elements.get((element_id, Specificity.SCREENING), NOTHING)
        screened += bool(screening.methods)
        reach[Way.ELEMENT].add(screening)
        reach[Way.CONSTRUCT].add(counts.elements.get((element_id, Specificity.CONSTRUCT), NOTHING))
    taxon = (lmo["taxon_scientific"] or "").lower()
    if taxon:
        reach[Way.TAXON].add(counts.taxa.get((taxon, Specificity.TAXON), NOTHING))
    gaps: list[Gap] = []
    if missing:
        gaps.append(Gap.WITHDRAWN if is_withdrawn else Gap.NO_EVENT_METHOD)
    elif not event.laboratories:
        gaps.append(Gap.NO_LABORATORY)
    if not positive:
        gaps.append(Gap.NO_CLAIMS)
    elif not any(positive.values()):
        gaps.append(Gap.UNVERIFIED)
    return LmoCoverage(lmo, reach, len(positive), screened, missing, gaps)


def _event_reach(
    lmo: Mapping[str, Any], parents: Sequence[tuple[str, int | None]], counts: _Counts
) -> tuple[Reach, list[str], bool]:
    """Return what event-specific methods offer, the events without one, and whether theirs are withdrawn.

    A stack is the set of its events: it counts for a laboratory that can run a method for each of them.
    """
    own = counts.lmos.get((lmo["id"], Specificity.EVENT), NOTHING)
    if own.methods or not parents:
        missing = [] if own.methods else [str(lmo["event"])]
        return own, missing, bool(missing) and lmo["id"] in counts.withdrawn
    reach = Reach()
    parts = []
    missing, is_withdrawn = [], True
    for name, number in parents:
        part = counts.lmos.get((number, Specificity.EVENT), NOTHING)
        if not part.methods:
            missing.append(name)
            is_withdrawn = is_withdrawn and number in counts.withdrawn
        reach.add(part)
        parts.append(part)
    reach.laboratories = set.intersection(*(part.laboratories for part in parts))
    reach.parties = set.intersection(*(part.parties for part in parts))
    return reach, missing, bool(missing) and is_withdrawn


# Summaries -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Summary:
    """How many LMOs of the map can be detected, by way, and how many have each kind of gap."""

    lmos: int
    with_method: dict[Way, int]
    with_laboratory: dict[Way, int]
    gaps: dict[Gap, int]
    not_today: int
    """LMOs that no laboratory can detect today as this event, construct or by an element."""


def summary(rows: Sequence[LmoCoverage]) -> Summary:
    """Return the figures above the map."""
    specific = (Way.EVENT, Way.CONSTRUCT, Way.ELEMENT)
    return Summary(
        lmos=len(rows),
        with_method={
            way: sum(bool(row.reach[way].methods) and not (way is Way.EVENT and row.missing) for row in rows)
            for way in Way
        },
        with_laboratory={way: sum(bool(row.reach[way].laboratories) for row in rows) for way in Way},
        gaps={gap: sum(gap in row.gaps for row in rows) for gap in Gap},
        not_today=sum(not any(row.reach[way].laboratories for way in specific) for row in rows),
    )


# The methods of one LMO or element -------------------------------------------------------------


@dataclass(frozen=True)
class Listing:
    """Methods of one way: the first of them, and how many there are."""

    rows: list[dict[str, Any]]
    total: int


_METHOD_COLUMNS = (
    DetectionMethod.id,
    DetectionMethod.code,
    MethodVersion.title,
    MethodVersion.technique,
    MethodVersion.quantitative,
    MethodVersion.verified,
)


def _published() -> Any:
    return (
        select(*_METHOD_COLUMNS, _has_trial().label("collaborative_trial"))
        .select_from(MethodVersion)
        .join(MethodVersion.method)
        .outerjoin(MethodValidation, MethodValidation.version_id == MethodVersion.id)
        .where(MethodVersion.state == MethodState.PUBLISHED)
    )


def versions_naming(column: str, numbers: Iterable[int]) -> Any:
    """Select the versions with a target that means one of these LMOs or elements: two indexed reads."""
    wanted = list(numbers)
    return union(
        select(MethodTarget.version_id).where(getattr(MethodTarget, column).in_(wanted)),
        select(MethodTarget.version_id)
        .join(TargetLink, TargetLink.target_id == MethodTarget.id)
        .where(getattr(TargetLink, column).in_(wanted)),
    )


def _listing(actor: Actor | None, query: Any) -> Listing:
    total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = [
        dict(row)
        for row in db.session.execute(query.order_by(DetectionMethod.code_key).limit(MOST_METHODS)).mappings()
    ]
    runners: dict[int, list[Mapping[str, Any]]] = {}
    for runner in db.session.execute(
        select(Capability.method_id, Laboratory.code, Laboratory.name, Party.iso2, Capability.valid_until)
        .join(Laboratory, Laboratory.id == Capability.laboratory_id)
        .outerjoin(Party, Party.id == Laboratory.party_id)
        .where(
            Capability.method_id.in_([row["id"] for row in rows]),
            Capability.runs,
            Capability.valid_until >= clock.now().date(),
            network_queries.visible_capabilities(actor),
        )
        .order_by(Laboratory.code)
    ).mappings():
        runners.setdefault(runner["method_id"], []).append(dict(runner))
    return Listing([{**row, "runners": runners.get(row["id"], [])} for row in rows], total)


def methods_detecting(actor: Actor | None, lmo: Lmo) -> dict[Way, Listing]:
    """Return the published methods that detect an LMO, by way, each with who runs it today."""
    events = events_of(lmo.id, lmo.parents if lmo.is_stack else (), known_lmos())
    positives, denied = positive_elements()
    elements = {
        element_id
        for number in events
        for element_id in positives.get(number, ())
        if (lmo.id, element_id) not in denied
    }
    of_lmo = versions_naming("lmo_id", events)
    of_elements = versions_naming("element_id", elements)
    construct = MethodVersion.specificity == Specificity.CONSTRUCT
    found = {
        Way.EVENT: _published().where(
            MethodVersion.specificity == Specificity.EVENT, MethodVersion.id.in_(of_lmo)
        ),
        Way.CONSTRUCT: _published().where(
            construct, MethodVersion.id.in_(of_lmo) | MethodVersion.id.in_(of_elements)
        ),
        Way.ELEMENT: _published().where(
            MethodVersion.specificity == Specificity.SCREENING, MethodVersion.id.in_(of_elements)
        ),
        Way.TAXON: _published().where(
            MethodVersion.specificity == Specificity.TAXON,
            (lmo.taxon_scientific or "").lower() == _TAXON,
            MethodVersion.taxon_scientific.is_not(None),
        ),
    }
    listings = {way: _listing(actor, query) for way, query in found.items()}
    _add_elements([*listings[Way.ELEMENT].rows, *listings[Way.CONSTRUCT].rows], elements)
    return listings


def _add_elements(rows: list[dict[str, Any]], elements: set[int]) -> None:
    """Say with each method by which elements it finds the LMO."""
    via: dict[int, list[dict[str, str]]] = {}
    query = (
        _with_targets(select(MethodVersion.method_id, Element.name, Element.slug).select_from(MethodVersion))
        .join(Element, Element.id == _ELEMENT)
        .where(
            MethodVersion.state == MethodState.PUBLISHED,
            MethodVersion.method_id.in_([row["id"] for row in rows]),
            Element.id.in_(elements),
        )
        .distinct()
        .order_by(Element.name)
    )
    for method_id, name, slug in db.session.execute(query):
        via.setdefault(method_id, []).append({"name": name, "slug": slug})
    for row in rows:
        row["via"] = via.get(row["id"], [])


def methods_for_element(actor: Actor | None, element: Element) -> Listing:
    """Return the published methods that look for an element, each with who runs it today."""
    return _listing(
        actor, _published().where(MethodVersion.id.in_(versions_naming("element_id", [element.id])))
    )
