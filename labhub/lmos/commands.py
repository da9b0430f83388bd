"""Everything that changes LMOs, elements and claims; one function is one sentence a user could say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm.attributes import flag_modified

from labhub import audit, clock
from labhub.accounts.actor import OPERATOR, Actor
from labhub.accounts.policy import require
from labhub.db import db
from labhub.errors import Conflict, Invalid, StaleEdit
from labhub.i18n import Text, _
from labhub.lmos import exchange, queries, unique_identifier
from labhub.lmos.models import Claim, Element, ElementName, Lmo, LmoName, LmoSource
from labhub.names import name_key, slug
from labhub.reports import ImportReport, Outcome, RowReport

SEEDS_NAME_SOURCE = "labhub seeds: the sources of the record"
"""Source of the synonyms in ``seeds/``, which name none of their own."""
SEEDS_READ_ON = date(2026, 11, 23)
"""The day in ``seeds/SOURCES.md``."""

_COLUMNS = (
    "unique_identifier",
    "identifier_key",
    "event",
    "trade_name",
    "taxon_scientific",
    "taxon_common",
    "developer",
    "traits",
    "is_stack",
    "parents",
    "notes",
    "verified",
    "fields_from_memory",
)
_ELEMENT_COLUMNS = (
    "name",
    "kind",
    "donor_organism",
    "is_construct",
    "codes",
    "accession",
    "source",
    "verified",
)


# What is known already -------------------------------------------------------------------------


@dataclass
class _Elements:
    """Elements by the names that people use; a synonym that several share names none of them."""

    by_name: dict[str, int] = field(default_factory=dict)
    by_synonym: dict[str, set[int]] = field(default_factory=dict)

    def find(self, text: str) -> int | None:
        """Return the number of the element that a text names."""
        key = name_key(text)
        if key in self.by_name:
            return self.by_name[key]
        found = self.by_synonym.get(key, set())
        return next(iter(found)) if len(found) == 1 else None


def _elements() -> _Elements:
    known = _Elements()
    for number, key in db.session.execute(select(Element.id, Element.name_key)):
        known.by_name[key] = number
    for number, key in db.session.execute(select(ElementName.element_id, ElementName.name_key)):
        known.by_synonym.setdefault(key, set()).add(number)
    return known


@dataclass
class _Register:
    """The LMOs that are there, by everything that must be unique."""

    by_identifier: dict[str, int] = field(default_factory=dict)
    by_event: dict[str, int] = field(default_factory=dict)
    by_event_slug: dict[str, int] = field(default_factory=dict)
    by_slug: dict[str, int] = field(default_factory=dict)
    identifiers: list[str] = field(default_factory=list)

    def add(self, number: int, identifier: str | None, event: str) -> None:
        """Note an LMO."""
        if identifier:
            self.by_identifier[unique_identifier.key(identifier)] = number
            self.identifiers.append(identifier)
        self.by_event[name_key(event)] = number
        self.by_event_slug[event_slug(event)] = number
        self.by_slug[lmo_slug(identifier, event)] = number

    def find(self, fields: Mapping[str, Any]) -> int | None:
        """Return the LMO that a record is about: by identifier, else by event."""
        key = fields.get("identifier_key")
        if key in self.by_identifier:
            return self.by_identifier[key]
        event = fields.get("event")
        return self.by_event.get(name_key(event)) if event else None

    def clashes(self, number: int | None, fields: Mapping[str, Any]) -> dict[str, list[Text]]:
        """Return what of a record belongs to another LMO than ``number``."""
        errors: dict[str, list[Text]] = {}
        key: str = fields.get("identifier_key") or ""
        identifier = fields.get("unique_identifier")
        if identifier and (
            self.by_identifier.get(key, number) != number
            or self.by_slug.get(unique_identifier.slug(identifier), number) != number
        ):
            errors["unique_identifier"] = [_("Another LMO has this unique identifier.")]
        event = fields.get("event")
        if event and (
            self.by_event.get(name_key(event), number) != number
            or self.by_event_slug.get(event_slug(event), number) != number
        ):
            errors["event"] = [_("Another LMO has this event, or one that looks the same in an address.")]
        return errors


def _register() -> _Register:
    known = _Register()
    for number, identifier, event in db.session.execute(select(Lmo.id, Lmo.unique_identifier, Lmo.event)):
        known.add(number, identifier, event)
    return known


def event_slug(event: str) -> str:
    """Return the address of an event; one without Latin letters gets the start of its hash."""
    return slug(event, longest=200) or "event-" + sha256(name_key(event).encode()).hexdigest()[:12]


def lmo_slug(identifier: str | None, event: str) -> str:
    """Return the address of an LMO: its identifier's, or its event's where there is none."""
    return (unique_identifier.slug(identifier) if identifier else "") or event_slug(event)


def element_slug(name: str) -> str:
    """Return the address of an element."""
    return slug(name, longest=200) or "element-" + sha256(name_key(name).encode()).hexdigest()[:12]


# One LMO --------------------------------------------------------------------------------------


def create_lmo(actor: Actor, record: Mapping[str, Any]) -> Lmo:
    """Add an LMO to the register; ``record`` has the shape of the export, ``event`` is needed."""
    require(actor, "lmo.change")
    fields = _with_elements(exchange.read_lmo(record), _elements())
    if not fields.get("event"):
        raise Invalid(_("This field is needed."), field="event")
    known = _register()
    if errors := known.clashes(None, fields):
        raise Conflict(_("This LMO is in the register already."), errors=errors)
    lmo = _new_lmo(fields)
    db.session.flush()
    audit.record(actor, "lmo.create", "lmo", lmo.id, version=lmo.row_version, after=_summary(lmo, fields))
    return lmo


def change_lmo(actor: Actor, ident: str, record: Mapping[str, Any], *, row_version: int) -> Lmo:
    """Change the fields of an LMO that ``record`` gives; lists are replaced as a whole.

    ``row_version`` is the version that the change was made on; an older one raises ``StaleEdit``.
    """
    lmo = queries.find_lmo(ident)
    require(actor, "lmo.change", lmo)
    if lmo.row_version != row_version:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))
    fields = _with_elements(exchange.read_lmo(record), _elements())
    fields = _keeping_spelling(lmo, fields, record)
    if errors := _register().clashes(lmo.id, fields):
        raise Conflict(_("Another LMO has this name."), errors=errors)
    changes = _changes(lmo, fields)
    if changes:
        before = _summary(lmo, changes)
        _apply(lmo, changes)
        audit.record(
            actor,
            "lmo.change",
            "lmo",
            lmo.id,
            version=lmo.row_version,
            before=before,
            after=_summary(lmo, changes),
        )
    return lmo


def add_claim(actor: Actor, ident: str, record: Mapping[str, Any]) -> Claim:
    """Note that a source says an LMO has or lacks an element; other sources may say otherwise."""
    lmo = queries.find_lmo(ident)
    require(actor, "lmo.change", lmo)
    values = exchange.read_claim(record)
    element_id = _elements().find(values["element"])
    if element_id is None:
        raise Invalid(_unknown_element(values["element"]), field="element")
    del values["element"]
    if any(row.element_id == element_id and row.source == values["source"] for row in lmo.claims):
        raise Conflict(_("This source already speaks of this element in this LMO."), field="source")
    values["recorded_on"] = values["recorded_on"] or clock.now().date()
    claim = Claim(element_id=element_id, **values)
    lmo.claims.append(claim)
    flag_modified(lmo, "event")  # a change of the record as people see it: its version goes up
    db.session.flush()
    audit.record(
        actor,
        "claim.create",
        "lmo",
        lmo.id,
        version=lmo.row_version,
        after={"element_id": element_id, "sign": claim.sign, "source": claim.source},
    )
    return claim


def add_name(actor: Actor, ident: str, record: Mapping[str, Any]) -> LmoName:
    """Note another name of an LMO, with its source; the day is today unless it is given."""
    lmo = queries.find_lmo(ident)
    require(actor, "lmo.change", lmo)
    values = exchange.read_name(record)
    key = name_key(values["name"])
    if any(row.name_key == key for row in lmo.names):
        raise Conflict(_("This LMO already has this name."), field="name")
    values["recorded_on"] = values["recorded_on"] or clock.now().date()
    name = LmoName(name_key=key, **values)
    lmo.names.append(name)
    flag_modified(lmo, "event")
    db.session.flush()
    audit.record(actor, "lmo-name.create", "lmo", lmo.id, version=lmo.row_version, after={"name": name.name})
    return name


def create_element(actor: Actor, record: Mapping[str, Any]) -> Element:
    """Add a genetic element; ``record`` has the shape of the export, ``name`` and ``kind`` are needed."""
    require(actor, "element.change")
    fields = exchange.read_element(record)
    if "kind" not in fields:
        raise Invalid(_("This field is needed."), field="kind")
    key, address = name_key(fields["name"]), element_slug(fields["name"])
    if db.session.scalar(select(Element.id).where(or_(Element.name_key == key, Element.slug == address))):
        raise Conflict(_("There is an element with this name, or one that looks the same."), field="name")
    element = _store_element(None, fields)
    db.session.flush()
    audit.record(
        actor,
        "element.create",
        "element",
        element.id,
        version=element.row_version,
        after={"name": element.name, "kind": element.kind},
    )
    return element


def _unknown_element(name: str) -> Text:
    return _("There is no element %(name)s, or several have this name. Import elements first.", name=name)


def _with_elements(fields: dict[str, Any], elements: _Elements) -> dict[str, Any]:
    """Return the fields with the claims' elements as numbers, or refuse those that are not known."""
    if "claims" not in fields:
        return fields
    errors: dict[str, list[Text]] = {}
    claims: dict[tuple[int, str], dict[str, Any]] = {}
    for place, claim in enumerate(fields["claims"]):
        number = elements.find(claim["element"])
        if number is None:
            errors.setdefault(f"claims.{place}.element", []).append(_unknown_element(claim["element"]))
            continue
        key = (number, claim["source"])
        if key in claims:
            errors.setdefault(f"claims.{place}", []).append(
                _("This source speaks twice of the same element.")
            )
        rest = {name: value for name, value in claim.items() if name != "element"}
        claims[key] = {"element_id": number, **rest}
    if errors:
        raise Invalid(_("Please correct the marked fields."), errors=errors)
    return {**fields, "claims": list(claims.values())}


def _keeping_spelling(lmo: Lmo, fields: dict[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the dashes that the register has, where an identifier is given without any."""
    given = record.get("unique_identifier")
    if given and fields["identifier_key"] == lmo.identifier_key and "-" not in given:
        return {**fields, "unique_identifier": lmo.unique_identifier}
    return fields


def _is_stack(fields: Mapping[str, Any]) -> bool:
    identifier = fields.get("unique_identifier") or ""
    return unique_identifier.STACK in identifier or bool(fields.get("parents"))


def _new_lmo(fields: Mapping[str, Any]) -> Lmo:
    lmo = Lmo(
        is_stack=fields.get("is_stack", _is_stack(fields)),
        traits=[],
        parents=[],
        notes=[],
        fields_from_memory=[],
        created_at=clock.now(),
    )
    db.session.add(lmo)
    _apply_columns(lmo, {name: value for name, value in fields.items() if name != "is_stack"})
    lmo.names = [_name(values) for values in fields.get("names", [])]
    lmo.sources = [LmoSource(**values) for values in fields.get("sources", [])]
    lmo.claims = [Claim(**values) for values in fields.get("claims", [])]
    return lmo


def _name(values: Mapping[str, Any]) -> LmoName:
    return LmoName(name_key=name_key(values["name"]), **values)


def _apply_columns(lmo: Lmo, fields: Mapping[str, Any]) -> None:
    for name in _COLUMNS:
        if name in fields:
            setattr(lmo, name, fields[name])
    lmo.event_key = name_key(lmo.event)
    lmo.event_slug = event_slug(lmo.event)
    lmo.slug = lmo_slug(lmo.unique_identifier, lmo.event)


def _apply(lmo: Lmo, changes: Mapping[str, Any]) -> None:
    """Make the changes; rows that stay the same stay the same rows."""
    _apply_columns(lmo, changes)
    if "names" in changes:
        kept = {row.name_key: row for row in lmo.names}
        lmo.names = [_updated(kept.get(name_key(v["name"])), v) or _name(v) for v in changes["names"]]
    if "sources" in changes:
        by_values = {(row.title, row.url, row.year): row for row in lmo.sources}
        lmo.sources = [
            by_values.get((v["title"], v["url"], v["year"])) or LmoSource(**v) for v in changes["sources"]
        ]
    if "claims" in changes:
        claims = {(row.element_id, row.source): row for row in lmo.claims}
        lmo.claims = [
            _updated(claims.get((v["element_id"], v["source"])), v) or Claim(**v) for v in changes["claims"]
        ]
    flag_modified(lmo, "event")
    db.session.flush()


def _updated(row: Any, values: Mapping[str, Any]) -> Any:
    if row is not None:
        for name, value in values.items():
            if getattr(row, name) != value:
                setattr(row, name, value)
    return row


def _changes(lmo: Lmo, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the fields that differ from what is stored; the order of claims does not count."""
    present = _present(lmo, fields)
    return {
        name: value
        for name, value in fields.items()
        if (_in_order(value) != _in_order(present[name]) if name == "claims" else value != present[name])
    }


def _present(lmo: Lmo, names: Mapping[str, Any]) -> dict[str, Any]:
    present: dict[str, Any] = {name: getattr(lmo, name) for name in names if name in _COLUMNS}
    if "names" in names:
        present["names"] = [_values(row, ("name", "kind", "source", "recorded_on")) for row in lmo.names]
    if "sources" in names:
        present["sources"] = [_values(row, ("title", "url", "year")) for row in lmo.sources]
    if "claims" in names:
        columns = ("element_id", "sign", "source", "verified", "recorded_on")
        present["claims"] = [_values(row, columns) for row in lmo.claims]
    return present


def _values(row: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _in_order(claims: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(claims, key=lambda claim: (claim["element_id"], claim["source"]))


def _summary(lmo: Lmo, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the present values of fields for the audit trail."""
    return {name: value for name, value in _present(lmo, names).items() if name != "identifier_key"}


# Files ----------------------------------------------------------------------------------------


def import_elements(actor: Actor, path: Path, *, dry_run: bool = False) -> ImportReport:
    """Read elements from a JSON or CSV file: new ones are added, others changed by name.

    All or nothing: when a row is refused, or on ``dry_run``, nothing is changed and the report says why.
    """
    require(actor, "element.change")
    records = exchange.read_element_file(path.read_bytes(), file=path.name)
    report = ImportReport(path.name)
    work = _plan_elements(records, report)
    if report.is_refused or dry_run or not work:
        return report
    for element, fields in work:
        _store_element(element, fields)
    db.session.flush()
    _record_import(actor, "element", report)
    return report


def _plan_elements(
    records: Sequence[Any], report: ImportReport
) -> list[tuple[Element | None, dict[str, Any]]]:
    present = {element.name_key: element for element in queries.all_elements()}
    slugs = {element.slug: element.name_key for element in present.values()}
    seen: set[str] = set()
    work: list[tuple[Element | None, dict[str, Any]]] = []
    for number, raw in enumerate(records, start=1):
        row = _row_for(raw, number, "name")
        report.rows.append(row)
        try:
            fields = exchange.read_element(raw)
        except Invalid as refusal:
            _refuse(row, refusal.errors)
            continue
        key = name_key(fields["name"])
        if key in seen:
            _refuse(row, {"name": [_("This element stands twice in the file.")]})
            continue
        seen.add(key)
        if slugs.setdefault(element_slug(fields["name"]), key) != key:
            _refuse(row, {"name": [_("Another element's name looks the same in an address.")]})
            continue
        element = present.get(key)
        if element is None and "kind" not in fields:
            _refuse(row, {"kind": [_("This field is needed.")]})
            continue
        changes = fields if element is None else _element_changes(element, fields)
        if changes:
            row.outcome = Outcome.CREATED if element is None else Outcome.CHANGED
            work.append((element, changes))
    return work


def _element_changes(element: Element, fields: Mapping[str, Any]) -> dict[str, Any]:
    present: dict[str, Any] = _values(element, _ELEMENT_COLUMNS)
    present["names"] = [_values(row, ("name", "source")) for row in element.names]
    return {name: value for name, value in fields.items() if value != present[name]}


def _store_element(element: Element | None, fields: Mapping[str, Any]) -> Element:
    if element is None:
        element = Element(codes={}, created_at=clock.now())
        db.session.add(element)
    for name in _ELEMENT_COLUMNS:
        if name in fields:
            setattr(element, name, fields[name])
    element.name_key = name_key(element.name)
    element.slug = element_slug(element.name)
    if "names" in fields:
        kept = {row.name_key: row for row in element.names}
        element.names = [
            _updated(kept.get(name_key(v["name"])), v) or ElementName(name_key=name_key(v["name"]), **v)
            for v in fields["names"]
        ]
    flag_modified(element, "name")
    return element


def import_lmos(actor: Actor, path: Path, *, dry_run: bool = False) -> ImportReport:
    """Read LMOs from a JSON or CSV file: new ones are added, others changed by identifier or event.

    Fields that a record does not give are left alone. Doubts about an identifier are warnings. All or
    nothing: when a row is refused, or on ``dry_run``, nothing is changed and the report says why.
    """
    require(actor, "lmo.change")
    records = exchange.read_lmo_file(path.read_bytes(), file=path.name)
    report = ImportReport(path.name)
    work = _plan_lmos(records, report)
    if report.is_refused or dry_run or not work:
        return report
    for lmo, fields in work:
        if lmo is None:
            _new_lmo(fields)
        else:
            _apply(lmo, fields)
    db.session.flush()
    _record_import(actor, "lmo", report)
    return report


def _plan_lmos(records: Sequence[Any], report: ImportReport) -> list[tuple[Lmo | None, dict[str, Any]]]:
    elements, known = _elements(), _register()
    register = list(known.identifiers)
    present = {lmo.id: lmo for lmo in queries.all_lmos()}
    seen: set[int] = set()
    work: list[tuple[Lmo | None, dict[str, Any]]] = []
    for number, raw in enumerate(records, start=1):
        row = _row_for(raw, number, "event")
        report.rows.append(row)
        try:
            fields = _with_elements(exchange.read_lmo(raw), elements)
        except Invalid as refusal:
            _refuse(row, refusal.errors)
            continue
        found = known.find(fields)
        errors = known.clashes(found, fields)
        if found is None and not fields.get("event"):
            errors["event"] = [_("This field is needed.")]
        if found in seen:
            errors["record"] = [_("This LMO stands twice in the file.")]
        if errors:
            _refuse(row, errors)
            continue
        lmo = present[found] if found is not None else None
        if lmo is None:
            found = -number
            changes = fields
        else:
            fields = _keeping_spelling(lmo, fields, raw)
            changes = _changes(lmo, fields)
        seen.add(found or 0)
        event = fields.get("event") or (lmo.event if lmo else "")
        known.add(found or 0, fields.get("unique_identifier"), event)
        row.warnings.extend(_doubts(fields, register, known))
        if changes:
            row.outcome = Outcome.CREATED if lmo is None else Outcome.CHANGED
            work.append((lmo, changes))
    return work


def _doubts(fields: Mapping[str, Any], register: Sequence[str], known: _Register) -> list[Text]:
    identifier = fields.get("unique_identifier")
    doubts: list[Text] = list(unique_identifier.check(identifier, register)) if identifier else []
    for parent in fields.get("parents", []):
        if (
            name_key(parent) not in known.by_event
            and unique_identifier.key(parent) not in known.by_identifier
        ):
            doubts.append(_("The parent %(name)s is not in the register.", name=parent))
    return doubts


def _row_for(raw: Any, number: int, name: str) -> RowReport:
    key = raw.get(name) or raw.get("unique_identifier") if isinstance(raw, Mapping) else ""
    return RowReport(number, str(key or "")[:200], Outcome.UNCHANGED)


def _refuse(row: RowReport, errors: Mapping[str, Sequence[Text]]) -> None:
    row.outcome = Outcome.REFUSED
    for name, texts in errors.items():
        row.errors.setdefault(name, []).extend(texts)


def _record_import(actor: Actor, kind: str, report: ImportReport) -> None:
    audit.record(
        actor,
        f"{kind}.import",
        kind,
        report.file[:200],
        after={
            "created": [row.key for row in report.rows if row.outcome is Outcome.CREATED],
            "changed": [row.key for row in report.rows if row.outcome is Outcome.CHANGED],
        },
    )


# Seeds ----------------------------------------------------------------------------------------


def load_seeds(folder: Path) -> int:
    """Add the elements and LMOs of ``elements.json`` and ``lmos.json`` that are missing.

    What is there already is left as people have made it: a record whose names another one has is left
    out, and so are claims about an element that was left out. Returns how many records were added.
    """
    elements, lmos = ImportReport("elements.json"), ImportReport("lmos.json")
    records = _seed_records(folder, "elements.json", "synonyms", exchange.read_element_file)
    records, left_out = _new_element_records(records)
    made = [
        _store_element(None, fields) for element, fields in _plan_elements(records, elements) if not element
    ]
    elements.raise_if_refused()
    db.session.flush()
    records = _seed_records(folder, "lmos.json", "other_names", exchange.read_lmo_file)
    records = _new_lmo_records(records, left_out)
    added = [_new_lmo(fields) for lmo, fields in _plan_lmos(records, lmos) if not lmo]
    lmos.raise_if_refused()
    db.session.flush()
    if made or added:
        audit.record(
            OPERATOR,
            "seeds.load",
            "lmo",
            folder.name,
            after={
                "elements": [element.name for element in made],
                "lmos": [lmo.unique_identifier or lmo.event for lmo in added],
            },
        )
    return len(made) + len(added)


def _new_element_records(records: Sequence[Any]) -> tuple[list[Any], set[str]]:
    """Return the records whose names no element has, and the names of the others."""
    known = _elements()
    slugs = set(db.session.scalars(select(Element.slug)))
    new, left_out = [], set()
    for record in records:
        fields = exchange.read_element(record)
        key = name_key(fields["name"])
        if (
            key in known.by_name
            or key in known.by_synonym
            or element_slug(fields["name"]) in slugs
            or any(name_key(name["name"]) in known.by_name for name in fields.get("names", ()))
        ):
            left_out.add(key)
        else:
            new.append(record)
    return new, left_out


def _new_lmo_records(records: Sequence[Any], left_out: set[str]) -> list[Any]:
    """Return the records whose names no LMO has, without claims about elements that are not there.

    ``left_out`` are the keys of the elements that were not added, because another had one of the names.
    """
    known, there = _register(), _elements().by_name
    synonyms = set(db.session.scalars(select(LmoName.name_key)))
    new = []
    for record in records:
        fields = exchange.read_lmo(record)
        if (
            known.find(fields) is not None
            or known.clashes(None, fields)
            or any(name_key(fields.get(name) or "") in synonyms for name in ("event", "unique_identifier"))
            or any(name_key(name["name"]) in known.by_event for name in fields.get("names", ()))
        ):
            continue
        record["claims"] = [
            claim
            for claim in record.get("claims", ())
            if name_key(claim["element"]) in there or name_key(claim["element"]) not in left_out
        ]
        new.append(record)
    return new


def _seed_records(folder: Path, file: str, names: str, read: Any) -> list[Any]:
    records: list[Any] = read((folder / file).read_bytes(), file=file)
    for record in records:
        for place, name in enumerate(record.get(names, ())):
            if isinstance(name, str):
                record[names][place] = {"name": name, "source": SEEDS_NAME_SOURCE}
                if names == "other_names":
                    record[names][place]["recorded_on"] = SEEDS_READ_ON
    return records
