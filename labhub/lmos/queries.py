"""Everything that reads LMOs, elements and claims. All of them are public."""

from sqlalchemy import or_, select

from labhub.db import db
from labhub.errors import NotFound
from labhub.i18n import _
from labhub.lmos import unique_identifier
from labhub.lmos.models import Element, ElementName, Lmo, LmoName
from labhub.names import name_key, slug


def find_lmo(ident: str) -> Lmo:
    """Return an LMO by its unique identifier in any spelling, or by its event's slug or name."""
    lmo = _lmo_by_identifier(ident) or db.session.scalar(
        select(Lmo).where(Lmo.event_slug == slug(ident, longest=200))
    )
    if lmo is None:
        raise NotFound(_("There is no LMO %(name)s.", name=ident))
    return lmo


def match_lmo(text: str) -> Lmo | None:
    """Return the LMO that a text names: by event, unique identifier or synonym; nothing when in doubt."""
    by_event = db.session.scalar(select(Lmo).where(Lmo.event_key == name_key(text)))
    if by_event is not None:
        return by_event
    by_identifier = _lmo_by_identifier(text)
    if by_identifier is not None:
        return by_identifier
    named = select(LmoName.lmo_id).where(LmoName.name_key == name_key(text))
    found = db.session.scalars(select(Lmo).where(Lmo.id.in_(named)).limit(2)).all()
    return found[0] if len(found) == 1 else None


def _lmo_by_identifier(text: str) -> Lmo | None:
    key = unique_identifier.key(text)
    return db.session.scalar(select(Lmo).where(Lmo.identifier_key == key)) if key else None


def find_element(name: str) -> Element:
    """Return an element by its name, in any case, or by its slug."""
    key = name_key(name)
    found = db.session.scalars(select(Element).where(or_(Element.name_key == key, Element.slug == key))).all()
    if not found:
        raise NotFound(_("There is no element %(name)s.", name=name))
    return next((element for element in found if element.name_key == key), found[0])


def match_element(text: str) -> Element | None:
    """Return the element that a text names, by name or synonym; nothing when several share it."""
    key = name_key(text)
    element = db.session.scalar(select(Element).where(Element.name_key == key))
    if element is not None:
        return element
    named = select(ElementName.element_id).where(ElementName.name_key == key)
    found = db.session.scalars(select(Element).where(Element.id.in_(named)).limit(2)).all()
    return found[0] if len(found) == 1 else None
