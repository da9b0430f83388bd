"""Everything that reads LMOs, elements and claims. All of them are public."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, String, func, or_, select
from sqlalchemy.orm import aliased, selectinload

from labhub.accounts.actor import Actor
from labhub.db import db
from labhub.errors import NotFound
from labhub.i18n import Text, _
from labhub.lmos import exchange, sheets, unique_identifier
from labhub.lmos.bch import record_number
from labhub.lmos.models import Claim, Element, ElementName, Lmo, LmoName
from labhub.lmos.terms import ElementKind, Sign, Standing, standing
from labhub.names import name_key, slug

# One record -----------------------------------------------------------------------------------


def find_lmo(ident: str) -> Lmo:
    """Return an LMO by its unique identifier in any spelling, its event's slug or name, or its BCH record."""
    lmo = _lmo_by_identifier(ident)
    if lmo is None and (event := slug(ident, longest=200)):
        lmo = db.session.scalar(select(Lmo).where(Lmo.event_slug == event))
    if lmo is None and record_number(ident):
        lmo = match_lmo(ident)
    if lmo is None:
        raise NotFound(_("There is no LMO %(name)s.", name=ident))
    return lmo


def match_lmo(text: str) -> Lmo | None:
    """Return the LMO that a text names: by event, unique identifier, other or trade name, else nothing."""
    by_event = db.session.scalar(select(Lmo).where(Lmo.event_key == name_key(text)))
    if by_event is not None:
        return by_event
    by_identifier = _lmo_by_identifier(text)
    if by_identifier is not None:
        return by_identifier
    named = select(LmoName.lmo_id).where(_has_name(text))
    traded = func.lower(Lmo.trade_name) == name_key(text)
    found = db.session.scalars(select(Lmo).where(or_(Lmo.id.in_(named), traded)).limit(2)).all()
    return found[0] if len(found) == 1 else None


def _has_name(text: str) -> Any:
    """A name of an LMO is this text; numbers of BCH records are compared without their revision."""
    number = record_number(text).casefold()
    if not number:
        return LmoName.name_key == name_key(text)
    return or_(LmoName.name_key == number, LmoName.name_key.startswith(f"{number}-", autoescape=True))


def _lmo_by_identifier(text: str) -> Lmo | None:
    key = unique_identifier.key(text)
    return db.session.scalar(select(Lmo).where(Lmo.identifier_key == key)) if key else None


def find_element(name: str) -> Element:
    """Return an element by its name, in any case, its slug, or a synonym that is its alone."""
    key = name_key(name)
    found = db.session.scalars(select(Element).where(or_(Element.name_key == key, Element.slug == key))).all()
    if found:
        return next((element for element in found if element.name_key == key), found[0])
    element = match_element(name)
    if element is None:
        raise NotFound(_("There is no element %(name)s.", name=name))
    return element


def match_element(text: str) -> Element | None:
    """Return the element that a text names, by name or synonym; nothing when several share it."""
    key = name_key(text)
    element = db.session.scalar(select(Element).where(Element.name_key == key))
    if element is not None:
        return element
    named = select(ElementName.element_id).where(ElementName.name_key == key)
    found = db.session.scalars(select(Element).where(Element.id.in_(named)).limit(2)).all()
    return found[0] if len(found) == 1 else None


def stacks_of(lmo: Lmo) -> list[Mapping[Any, Any]]:
    """Return the stacks in the register that name an LMO as a parent, by event."""
    keys = {name_key(lmo.event)} | ({lmo.identifier_key} if lmo.identifier_key else set())
    rows = db.session.execute(
        select(Lmo.slug, Lmo.event, Lmo.unique_identifier, Lmo.parents)
        .where(Lmo.is_stack, Lmo.id != lmo.id)
        .order_by(Lmo.event_key)
    ).mappings()
    return [
        row
        for row in rows
        if any(name_key(name) in keys or unique_identifier.key(name) in keys for name in row["parents"])
    ]


def register() -> list[str]:
    """Return every unique identifier of the hub in canonical spelling."""
    return [
        identifier
        for identifier in db.session.scalars(
            select(Lmo.unique_identifier).where(Lmo.unique_identifier.is_not(None)).order_by(Lmo.id)
        )
        if identifier is not None
    ]


def warnings(lmo: Lmo) -> list[Text]:
    """Return doubts about an LMO's unique identifier; they stand in nobody's way.

    What is stored is no near miss of its neighbours; its digit, and letters for digits, stay doubtful.
    """
    if lmo.unique_identifier is None:
        return []
    return list(unique_identifier.check(lmo.unique_identifier, register()))


# Lists ----------------------------------------------------------------------------------------

LMO_SORT: dict[str, Any] = {
    "event": Lmo.event_key,
    "unique_identifier": func.coalesce(Lmo.unique_identifier, ""),
    "taxon": func.coalesce(Lmo.taxon_scientific, ""),
    "trade_name": func.coalesce(Lmo.trade_name, ""),
}
"""What the list of LMOs can be sorted by."""

_LIST_COLUMNS: tuple[Any, ...] = (
    Lmo.id,
    Lmo.slug,
    Lmo.unique_identifier,
    Lmo.event,
    Lmo.trade_name,
    Lmo.taxon_scientific,
    Lmo.taxon_common,
    Lmo.developer,
    Lmo.is_stack,
    Lmo.verified,
)

ELEMENT_SORT: dict[str, Any] = {"name": Element.name_key, "kind": Element.kind}
"""What the list of elements can be sorted by."""

ELEMENT_TIE = Element.id


def visible_lmos(
    actor: Actor | None,
    *,
    q: str = "",
    taxon: str = "",
    element: str = "",
    stacked: bool | None = None,
    verified: bool | None = None,
) -> Select[Any]:
    """Select the columns of a list of LMOs; ``actor`` sees all of them, as everybody does.

    ``q`` is looked for in identifiers (any spelling), events, names, taxa and developers; ``taxon`` is a
    scientific or common name; ``element`` keeps LMOs that a source says have it.
    """
    query: Select[Any] = select(*_LIST_COLUMNS)
    if taxon:
        query = query.where(_has_taxon(taxon))
    if element:
        found = match_element(element)
        claimed = select(Claim.lmo_id).where(
            Claim.element_id == (found.id if found else 0), Claim.sign == Sign.HAS
        )
        query = query.where(Lmo.id.in_(claimed))
    if stacked is not None:
        query = query.where(Lmo.is_stack.is_(stacked))
    if verified is not None:
        query = query.where(Lmo.verified.is_(verified))
    if q.strip():
        query = query.where(_mentions(q))
    return query


def _has_taxon(taxon: str) -> Any:
    wanted = taxon.strip().lower()
    return or_(func.lower(Lmo.taxon_scientific) == wanted, func.lower(Lmo.taxon_common) == wanted)


def _mentions(q: str) -> Any:
    key, text = name_key(q), q.strip()
    tests = [
        Lmo.event_key.contains(key, autoescape=True),
        Lmo.trade_name.icontains(text, autoescape=True),
        Lmo.taxon_scientific.icontains(text, autoescape=True),
        Lmo.taxon_common.icontains(text, autoescape=True),
        Lmo.developer.icontains(text, autoescape=True),
        Lmo.id.in_(select(LmoName.lmo_id).where(LmoName.name_key.contains(key, autoescape=True))),
    ]
    if identifier := unique_identifier.key(q):
        tests.append(Lmo.identifier_key.contains(identifier, autoescape=True))
    if compact := slug(q, longest=200).replace("-", ""):
        tests.append(func.replace(Lmo.event_slug, "-", "", type_=String).contains(compact, autoescape=True))
    return or_(*tests)


def visible_elements(
    actor: Actor | None, *, q: str = "", kind: str = "", verified: bool | None = None
) -> Select[Any]:
    """Select the columns of a list of elements, with how many LMOs are said to have each; all are public."""
    having = aliased(Claim)
    count = (
        select(func.count(having.lmo_id.distinct()))
        .where(having.element_id == Element.id, having.sign == Sign.HAS)
        .correlate(Element)
        .scalar_subquery()
    )
    query: Select[Any] = select(
        Element.id,
        Element.slug,
        Element.name,
        Element.kind,
        Element.donor_organism,
        Element.is_construct,
        Element.accession,
        Element.source,
        Element.verified,
        count.label("lmos"),
    )
    if kind:
        query = query.where(Element.kind == kind)
    if verified is not None:
        query = query.where(Element.verified.is_(verified))
    if q.strip():
        key = name_key(q)
        query = query.where(
            or_(
                Element.name_key.contains(key, autoescape=True),
                Element.donor_organism.icontains(q.strip(), autoescape=True),
                Element.accession.icontains(q.strip(), autoescape=True),
                Element.id.in_(
                    select(ElementName.element_id).where(ElementName.name_key.contains(key, autoescape=True))
                ),
            )
        )
    return query


def taxa() -> list[tuple[str, str]]:
    """Return the scientific and common names of the taxa of all LMOs, by scientific name."""
    rows = db.session.execute(
        select(Lmo.taxon_scientific, func.min(Lmo.taxon_common))
        .where(Lmo.taxon_scientific.is_not(None))
        .group_by(Lmo.taxon_scientific)
        .order_by(Lmo.taxon_scientific)
    )
    return [(scientific or "", common or "") for scientific, common in rows]


def element_names() -> list[str]:
    """Return the names of the elements that any claim is about."""
    claimed = select(Claim.element_id)
    return list(
        db.session.scalars(select(Element.name).where(Element.id.in_(claimed)).order_by(Element.name_key))
    )


# Claims and the matrix ------------------------------------------------------------------------


@dataclass
class Cell:
    """What the sources say of one element in one LMO."""

    claims: list[Mapping[Any, Any]] = field(default_factory=list)

    @property
    def standing(self) -> Standing:
        """The sign that follows from the claims."""
        return standing(claim["sign"] for claim in self.claims)

    @property
    def is_verified(self) -> bool:
        """Whether every claim was read at its source."""
        return all(claim["verified"] for claim in self.claims)


_CLAIM_COLUMNS = (Claim.id, Claim.sign, Claim.source, Claim.verified, Claim.recorded_on)


def element_claims(lmo_id: int) -> list[tuple[Mapping[str, Any], Cell]]:
    """Return the elements that sources speak of in an LMO, by name, each with its claims."""
    rows = db.session.execute(
        select(
            Element.id.label("key"),
            Element.name,
            Element.slug,
            Element.kind,
            Element.is_construct,
            *_CLAIM_COLUMNS,
        )
        .join(Claim, Claim.element_id == Element.id)
        .where(Claim.lmo_id == lmo_id)
        .order_by(Element.name_key, Claim.id)
    ).mappings()
    return _grouped(rows.all())


def lmo_claims(element_id: int) -> list[tuple[Mapping[str, Any], Cell]]:
    """Return the LMOs that sources speak of for an element, by event, each with its claims."""
    rows = db.session.execute(
        select(
            Lmo.id.label("key"),
            Lmo.event,
            Lmo.slug,
            Lmo.unique_identifier,
            Lmo.taxon_scientific,
            Lmo.taxon_common,
            *_CLAIM_COLUMNS,
        )
        .join(Claim, Claim.lmo_id == Lmo.id)
        .where(Claim.element_id == element_id)
        .order_by(Lmo.event_key, Claim.id)
    ).mappings()
    return _grouped(rows.all())


def _grouped(rows: Sequence[Mapping[Any, Any]]) -> list[tuple[Mapping[str, Any], Cell]]:
    groups: dict[int, tuple[Mapping[str, Any], Cell]] = {}
    for row in rows:
        groups.setdefault(row["key"], (row, Cell()))[1].claims.append(row)
    return list(groups.values())


@dataclass(frozen=True)
class Matrix:
    """LMOs by elements; a pair without claim has no cell and stands for ``?``."""

    lmos: Sequence[Mapping[str, Any]]
    elements: Sequence[Mapping[str, Any]]
    cells: Mapping[tuple[int, int], Cell]

    def cell(self, lmo_id: int, element_id: int) -> Cell | None:
        """Return the cell of a pair, or nothing where no source speaks."""
        return self.cells.get((lmo_id, element_id))

    def sign(self, lmo_id: int, element_id: int) -> Standing:
        """Return the sign of a pair."""
        cell = self.cell(lmo_id, element_id)
        return cell.standing if cell else Standing.UNKNOWN


def matrix(
    actor: Actor | None = None,
    *,
    taxon: str = "",
    elements: Sequence[str] = (),
    verified: bool | None = None,
    q: str = "",
    source: str = "",
) -> Matrix:
    """Return the matrix of a taxon (or all) and of ``elements`` (or all that a claim here is about).

    Elements are named by name or synonym; one that is not known raises ``NotFound``. ``verified`` leaves
    claims from memory out (or, when false, the others); ``q`` keeps LMOs whose names have the text,
    ``source`` claims of the source of this name. Three queries.
    """
    chosen: set[int] = set()
    for name in elements:
        chosen.add((match_element(name) or find_element(name)).id)
    rows = select(
        Lmo.id,
        Lmo.slug,
        Lmo.unique_identifier,
        Lmo.event,
        Lmo.taxon_scientific,
        Lmo.taxon_common,
        Lmo.verified,
    ).order_by(func.coalesce(Lmo.taxon_scientific, ""), Lmo.event_key)
    said = select(Claim.lmo_id, Claim.element_id, Claim.sign, Claim.source, Claim.verified).order_by(Claim.id)
    if taxon:
        rows = rows.where(_has_taxon(taxon))
        said = said.join(Lmo, Lmo.id == Claim.lmo_id).where(_has_taxon(taxon))
    if q.strip():
        rows = rows.where(_mentions(q))
        said = said.where(Claim.lmo_id.in_(select(Lmo.id).where(_mentions(q))))
    if chosen:
        said = said.where(Claim.element_id.in_(chosen))
    if verified is not None:
        said = said.where(Claim.verified.is_(verified))
    if source:
        said = said.where(Claim.source == source)
    lmos = [dict(row) for row in db.session.execute(rows).mappings()]
    found: dict[tuple[int, int], Cell] = {}
    for claim in db.session.execute(said).mappings():
        found.setdefault((claim["lmo_id"], claim["element_id"]), Cell()).claims.append(claim)
    spoken_of = chosen or {element_id for _lmo, element_id in found}
    columns = [
        dict(row)
        for row in db.session.execute(
            select(Element.id, Element.slug, Element.name, Element.kind, Element.is_construct).order_by(
                Element.name_key
            )
        ).mappings()
        if row["id"] in spoken_of
    ]
    columns.sort(key=lambda row: (row["is_construct"], list(ElementKind).index(row["kind"])))
    return Matrix(lmos, columns, found)


def claim_sources() -> list[tuple[str, int]]:
    """Return the sources of claims, the one with most claims first, each with their number."""
    number = func.count()
    rows = db.session.execute(
        select(Claim.source, number).group_by(Claim.source).order_by(number.desc(), Claim.source)
    )
    return [(row[0], row[1]) for row in rows]


# Files ----------------------------------------------------------------------------------------


def lmo_record(lmo: Lmo) -> dict[str, Any]:
    """Return an LMO in the shape that is imported and exported."""
    return {
        "unique_identifier": lmo.unique_identifier,
        "event": lmo.event,
        "other_names": [
            {"name": row.name, "kind": row.kind, "source": row.source, "recorded_on": _day(row.recorded_on)}
            for row in lmo.names
        ],
        "trade_name": lmo.trade_name,
        "species": {"scientific": lmo.taxon_scientific, "common": lmo.taxon_common},
        "developer": lmo.developer,
        "traits": lmo.traits,
        "stacked": lmo.is_stack,
        "parents": lmo.parents,
        "claims": [
            {
                "element": row.element.name,
                "sign": row.sign,
                "source": row.source,
                "verified": row.verified,
                "recorded_on": _day(row.recorded_on),
            }
            for row in lmo.claims
        ],
        "sources": [{"title": row.title, "url": row.url, "year": row.year} for row in lmo.sources],
        "notes": lmo.notes,
        "verified": lmo.verified,
        "fields_from_memory": lmo.fields_from_memory,
    }


def _day(value: Any) -> str | None:
    return value.isoformat() if value else None


def element_record(element: Element) -> dict[str, Any]:
    """Return an element in the shape that is imported and exported."""
    return {
        "name": element.name,
        "kind": element.kind,
        "donor_organism": element.donor_organism,
        "synonyms": [{"name": row.name, "source": row.source} for row in element.names],
        "is_construct": element.is_construct,
        "codes": element.codes,
        "accession": element.accession,
        "source": element.source,
        "verified": element.verified,
    }


def all_lmos() -> Sequence[Lmo]:
    """Return every LMO with its names, sources and claims, in the order of their numbers."""
    return db.session.scalars(
        select(Lmo)
        .options(
            selectinload(Lmo.names),
            selectinload(Lmo.sources),
            selectinload(Lmo.claims).selectinload(Claim.element),
        )
        .order_by(Lmo.id)
    ).all()


def all_elements() -> Sequence[Element]:
    """Return every element with its names, in the order of their numbers."""
    return db.session.scalars(select(Element).options(selectinload(Element.names)).order_by(Element.id)).all()


def export_lmos(actor: Actor | None, format_: str, *, published: bool = False) -> bytes:
    """Return every LMO as ``json`` or ``csv``; ``published`` changes nothing, all are public."""
    return exchange.write_lmos([lmo_record(lmo) for lmo in all_lmos()], format_)


def export_elements(actor: Actor | None, format_: str, *, published: bool = False) -> bytes:
    """Return every element as ``json`` or ``csv``; ``published`` changes nothing, all are public."""
    return exchange.write_elements([element_record(element) for element in all_elements()], format_)


def export_matrix(
    actor: Actor | None,
    format_: str,
    *,
    published: bool = False,
    taxon: str = "",
    elements: Sequence[str] = (),
    verified: bool | None = None,
    q: str = "",
    source: str = "",
) -> bytes:
    """Return the matrix as ``json`` (with the claims of each cell), ``csv`` or ``xlsx`` (signs only)."""
    found = matrix(actor, taxon=taxon, elements=elements, verified=verified, q=q, source=source)
    if format_ == "xlsx":
        return sheets.write_matrix(found.elements, _matrix_rows(found))
    if format_ == "csv":
        return exchange.write_matrix_csv(found.elements, _matrix_rows(found))
    return exchange.json_file(matrix_record(found))


def matrix_record(found: Matrix) -> dict[str, Any]:
    """Return a matrix for JSON: elements, and rows with a sign for each element and the claims behind it."""
    rows = []
    for row in _matrix_rows(found):
        claims = {
            column["name"]: [
                {"sign": claim["sign"], "source": claim["source"], "verified": claim["verified"]}
                for claim in cell.claims
            ]
            for column in found.elements
            if (cell := found.cell(row["id"], column["id"]))
        }
        rows.append(
            {
                "slug": row["slug"],
                "unique_identifier": row["unique_identifier"],
                "event": row["event"],
                "taxon": row["taxon_scientific"],
                "signs": row["signs"],
                "claims": claims,
            }
        )
    elements = [{name: column[name] for name in ("name", "slug", "kind")} for column in found.elements]
    return {"elements": elements, "rows": rows}


def _matrix_rows(found: Matrix) -> list[dict[str, Any]]:
    return [
        {**lmo, "signs": {column["name"]: found.sign(lmo["id"], column["id"]) for column in found.elements}}
        for lmo in found.lmos
    ]
