"""What laboratories can run; ``visible_capabilities`` is the only reading rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select, true, union
from sqlalchemy.orm import contains_eager, selectinload

from labhub import clock
from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory, Party
from labhub.accounts.queries import CONFIRMED_FOR, find_laboratory
from labhub.cells import write_csv
from labhub.db import db
from labhub.errors import NotFound
from labhub.i18n import _
from labhub.lmos.models import Element, Lmo
from labhub.lmos.queries import match_element, match_lmo
from labhub.methods import capabilities, queries
from labhub.methods.models import (
    PUBLIC_STATES,
    DetectionMethod,
    MethodState,
    MethodTarget,
    MethodVersion,
    TargetKind,
)
from labhub.methods.network_models import Capability, CapabilityList, TargetLink


def visible_capabilities(actor: Actor | None) -> ColumnElement[bool]:
    """Return the condition on ``Capability`` for what ``actor`` may see.

    Everybody: laboratories that let themselves be listed. One's own laboratory, those of a focal point's
    Party, and the Secretariat's all.
    """
    if actor is not None and (actor.operator or actor.has(Role.SECRETARIAT)):
        return true()
    hidden = select(CapabilityList.laboratory_id).where(not_(CapabilityList.is_listed))
    ways: list[ColumnElement[bool]] = [Capability.laboratory_id.not_in(hidden)]
    if actor is not None and actor.laboratory_ids:
        ways.append(Capability.laboratory_id.in_(actor.laboratory_ids))
    if actor is not None and actor.focal_party_ids:
        own = select(Laboratory.id).where(Laboratory.party_id.in_(actor.focal_party_ids))
        ways.append(Capability.laboratory_id.in_(own))
    return or_(*ways)


def list_of(laboratory: Laboratory) -> CapabilityList | None:
    """Return the list of a laboratory; nothing before its first entry."""
    return db.session.scalar(select(CapabilityList).where(CapabilityList.laboratory_id == laboratory.id))


def list_version(laboratory: Laboratory) -> int:
    """Return the version of a laboratory's list as a whole; 0 before its first entry."""
    found = list_of(laboratory)
    return found.row_version if found else 0


def is_listed(laboratory: Laboratory) -> bool:
    """Return whether others may read what the laboratory can run."""
    found = list_of(laboratory)
    return found is None or found.is_listed


def capabilities_of(actor: Actor | None, laboratory: Laboratory) -> list[Capability]:
    """Return the entries of a laboratory that the actor may see, by the code of the method."""
    return list(
        db.session.scalars(
            select(Capability)
            .join(Capability.method)
            .where(Capability.laboratory_id == laboratory.id, visible_capabilities(actor))
            .options(contains_eager(Capability.method), selectinload(Capability.laboratory))
            .order_by(DetectionMethod.code_key)
        )
    )


def find_capability(actor: Actor | None, laboratory: str, method: str) -> Capability:
    """Return the entry of a laboratory for a method, both by their codes."""
    owner = find_laboratory(actor, laboratory)
    row = None
    if method.isprintable():
        key = method.strip().casefold()
        row = db.session.scalar(
            select(Capability)
            .join(Capability.method)
            .where(
                Capability.laboratory_id == owner.id,
                or_(DetectionMethod.code_key == key, DetectionMethod.hub_key == key),
                visible_capabilities(actor),
            )
            .options(contains_eager(Capability.method), selectinload(Capability.laboratory))
        )
    if row is None:
        raise NotFound(
            _("%(laboratory)s has no entry for method %(code)s.", laboratory=owner.code, code=method[:60])
        )
    return row


def runnable_method(code: str) -> DetectionMethod | None:
    """Return the method of this code when a version of it is or was published; nothing for drafts."""
    key = code.strip().casefold()
    return db.session.scalar(
        queries.visible_methods(None).where(
            or_(DetectionMethod.code_key == key, DetectionMethod.hub_key == key)
        )
    )


def values_of(row: Capability) -> dict[str, Any]:
    """Return an entry as the values of ``capabilities.COLUMNS``."""
    values = {name: getattr(row, name) for name in capabilities.VALUES}
    return {"method": row.method.code, **values}


def counts_today(row: Capability) -> bool:
    """Return whether an entry counts today; its method must be published."""
    is_published = db.session.scalar(
        select(MethodVersion.id).where(
            MethodVersion.method_id == row.method_id, MethodVersion.state == MethodState.PUBLISHED
        )
    )
    return is_published is not None and capabilities.is_current(values_of(row), clock.now().date())


def to_csv(rows: list[Capability]) -> bytes:
    """Return entries as CSV with the columns that the import reads."""
    return write_csv(capabilities.COLUMNS, [capabilities.to_cells(values_of(row)) for row in rows])


@dataclass(frozen=True)
class LinkedTarget:
    """A target with what it means: by its own link, or by one that was found after publication."""

    kind: TargetKind
    text: str
    lmo: Lmo | None
    element: Element | None


def linked_targets(version: MethodVersion) -> list[LinkedTarget]:
    """Return the targets of a version in their order, with first and later links."""
    later = {
        link.target_id: link
        for link in db.session.scalars(
            select(TargetLink)
            .where(TargetLink.target_id.in_([target.id for target in version.targets]))
            .options(selectinload(TargetLink.lmo), selectinload(TargetLink.element))
        )
    }
    found = []
    for target in version.targets:
        link = later.get(target.id)
        lmo = target.lmo or (link.lmo if link else None)
        element = target.element or (link.element if link else None)
        found.append(LinkedTarget(target.kind, target.text, lmo, element))
    return found


# Who can run this ----------------------------------------------------------------------------

_NEWEST_PUBLIC = (
    select(func.max(MethodVersion.number))
    .where(MethodVersion.method_id == DetectionMethod.id, MethodVersion.state.in_(PUBLIC_STATES))
    .correlate(DetectionMethod)
    .scalar_subquery()
)

_COLUMNS: dict[str, Any] = {
    "laboratory": Laboratory.code,
    "laboratory_name": Laboratory.name,
    "laboratory_confirmed_at": Laboratory.confirmed_at,
    "party": Party.iso2,
    "method": DetectionMethod.code,
    "method_version": MethodVersion.number,
    "method_state": MethodVersion.state,
    "method_title": MethodVersion.title,
    "specificity": MethodVersion.specificity,
    **{name: getattr(Capability, name) for name in capabilities.VALUES},
    "confirmed_at": Capability.confirmed_at,
}
SORTS: dict[str, Any] = {
    "laboratory": Laboratory.code,
    "party": func.coalesce(Party.iso2, ""),
    "method": DetectionMethod.code_key,
    "valid_until": Capability.valid_until,
    "turnaround_days": func.coalesce(Capability.turnaround_days, 100_000),
}
TIE = Capability.id


def who_can_run(
    actor: Actor | None,
    *,
    method: str = "",
    lmo: str = "",
    element: str = "",
    laboratory: str = "",
    party: str = "",
    accredited: bool = False,
    material: str = "",
    today_only: bool = False,
) -> Select[Any]:
    """Select entries with their laboratory and method; expired ones too unless ``today_only``.

    ``lmo`` keeps methods that name this LMO, ``element`` those that look for this element; ``material`` is
    looked for in name and code of the reference material, expired ones left out.
    """
    day = clock.now().date()
    query = (
        select(*(column.label(name) for name, column in _COLUMNS.items()))
        .select_from(Capability)
        .join(Laboratory, Laboratory.id == Capability.laboratory_id)
        .outerjoin(Party, Party.id == Laboratory.party_id)
        .join(DetectionMethod, DetectionMethod.id == Capability.method_id)
        .join(
            MethodVersion,
            and_(MethodVersion.method_id == DetectionMethod.id, MethodVersion.number == _NEWEST_PUBLIC),
        )
        .where(visible_capabilities(actor))
    )
    if method := _plain(method):
        key = method.casefold()
        query = query.where(or_(DetectionMethod.code_key == key, DetectionMethod.hub_key == key))
    if lmo := _plain(lmo):
        found = match_lmo(lmo)
        query = query.where(Capability.method_id.in_(methods_naming(lmo_id=found.id if found else 0)))
    if element := _plain(element):
        wanted = match_element(element)
        query = query.where(Capability.method_id.in_(methods_naming(element_id=wanted.id if wanted else 0)))
    if laboratory := _plain(laboratory):
        query = query.where(Laboratory.code == laboratory.upper())
    if party := _plain(party):
        query = query.where(Party.iso2 == party.upper())
    if accredited:
        query = query.where(
            Capability.accredited,
            or_(Capability.accredited_until.is_(None), Capability.accredited_until >= day),
        )
    if material := _plain(material):
        query = query.where(
            or_(
                Capability.material.icontains(material, autoescape=True),
                Capability.material_code.icontains(material, autoescape=True),
            ),
            or_(Capability.material_until.is_(None), Capability.material_until >= day),
        )
    if today_only:
        query = query.where(
            Capability.runs, Capability.valid_until >= day, MethodVersion.state == MethodState.PUBLISHED
        )
    return query


def _plain(text: str) -> str:
    return text.replace("\x00", "").strip()


def methods_naming(*, lmo_id: int = 0, element_id: int = 0) -> Any:
    """Select the methods whose published version names an LMO or element, by first or later links."""
    wanted, later = (
        (MethodTarget.lmo_id == lmo_id, TargetLink.lmo_id == lmo_id)
        if lmo_id or not element_id
        else (MethodTarget.element_id == element_id, TargetLink.element_id == element_id)
    )
    published = select(MethodVersion.method_id).where(MethodVersion.state == MethodState.PUBLISHED)
    return union(
        published.join(MethodTarget, MethodTarget.version_id == MethodVersion.id).where(wanted),
        published.join(MethodTarget, MethodTarget.version_id == MethodVersion.id)
        .join(TargetLink, TargetLink.target_id == MethodTarget.id)
        .where(later),
    )


def with_standing(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row of ``who_can_run`` with what holds today: current, accredited, material, confirmed."""
    now = clock.now()
    day = now.date()
    is_published = row["method_state"] is MethodState.PUBLISHED
    return {
        **row,
        "current": is_published and capabilities.is_current(row, day),
        "expired": row["valid_until"] < day,
        "accredited_today": capabilities.is_accredited(row, day),
        "material_today": capabilities.has_material(row, day),
        "laboratory_confirmed": row["laboratory_confirmed_at"] > now - CONFIRMED_FOR,
    }


def standing_of(row: Capability) -> dict[str, bool]:
    """Return what of an entry holds today."""
    day = clock.now().date()
    values = values_of(row)
    return {
        "current": counts_today(row),
        "expired": row.valid_until < day,
        "soon": day <= row.valid_until <= day + capabilities.REMIND_BEFORE,
        "accredited": capabilities.is_accredited(values, day),
        "material": capabilities.has_material(values, day),
    }


def runners_of(actor: Actor | None, method: DetectionMethod, limit: int = 200) -> list[dict[str, Any]]:
    """Return who can run a method, entries that count today first, then by Party and laboratory."""
    query = who_can_run(actor, method=method.code).order_by(Party.iso2, Laboratory.code).limit(limit)
    rows = [with_standing(row) for row in db.session.execute(query).mappings()]
    return sorted(rows, key=lambda row: not row["current"])


def methods_owned(laboratory: Laboratory, limit: int = 200) -> list[Mapping[str, Any]]:
    """Return the published versions of the methods that a laboratory owns, by code."""
    rows = db.session.execute(
        select(
            DetectionMethod.code, MethodVersion.title, MethodVersion.specificity, MethodVersion.published_at
        )
        .join(MethodVersion, MethodVersion.method_id == DetectionMethod.id)
        .where(DetectionMethod.laboratory_id == laboratory.id, MethodVersion.state == MethodState.PUBLISHED)
        .order_by(DetectionMethod.code_key)
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]


def due_for_reminder() -> list[Capability]:
    """Return entries that expire within 30 days and of which nobody has been reminded, by laboratory."""
    day = clock.now().date()
    return list(
        db.session.scalars(
            select(Capability)
            .join(Capability.method)
            .where(
                Capability.runs,
                Capability.valid_until >= day,
                Capability.valid_until <= day + capabilities.REMIND_BEFORE,
                or_(Capability.reminded_for.is_(None), Capability.reminded_for != Capability.valid_until),
            )
            .options(contains_eager(Capability.method), selectinload(Capability.laboratory))
            .order_by(Capability.laboratory_id, Capability.valid_until, DetectionMethod.code_key)
        )
    )
