"""What points at a method: methods that use it as their reference, and sequences of what it detects."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import or_, select

from labhub.accounts.actor import Actor
from labhub.db import db
from labhub.methods.models import DetectionMethod, MethodState, MethodVersion
from labhub.methods.network_queries import linked_targets
from labhub.methods.queries import visible_versions
from labhub.sequences.models import ReferenceSequence
from labhub.sequences.queries import visible_sequences

MOST_SHOWN = 20
"""Entries of one kind on a page; the rest are counted."""


def referring_methods(actor: Actor | None, method: DetectionMethod) -> list[Mapping[str, Any]]:
    """Return code, title and number of published versions that name the method as their reference."""
    known = [name for name in (method.code, method.hub_key, method.source_code) if name]
    names = {spelled for name in known for spelled in (name, name.lower(), name.upper())}  # for the index
    naming = db.session.scalars(  # asked alone: beside a state the database would read all versions of it
        select(MethodVersion.id).where(MethodVersion.reference_method.in_(names))
    ).all()
    if not naming:
        return []
    query = (
        visible_versions(actor)
        .where(
            MethodVersion.id.in_(naming),
            MethodVersion.state == MethodState.PUBLISHED,
            MethodVersion.method_id != method.id,
        )
        .order_by(DetectionMethod.code_key)
        .with_only_columns(DetectionMethod.code, MethodVersion.title, MethodVersion.number)
    )
    return [dict(row) for row in db.session.execute(query).mappings()]


def related_sequences(actor: Actor | None, version: MethodVersion) -> list[Mapping[str, Any]]:
    """Return accession and title of sequences of the LMOs and elements that a version detects."""
    targets = linked_targets(version)
    lmo_ids = {target.lmo.id for target in targets if target.lmo}
    element_ids = {target.element.id for target in targets if target.element}
    if not lmo_ids and not element_ids:
        return []
    known = visible_sequences(actor).with_only_columns(ReferenceSequence.id)
    query = (
        select(ReferenceSequence.accession, ReferenceSequence.title)
        .where(
            ReferenceSequence.id.in_(known),
            or_(ReferenceSequence.lmo_id.in_(lmo_ids), ReferenceSequence.element_id.in_(element_ids)),
        )
        .order_by(ReferenceSequence.accession)
    )
    return [dict(row) for row in db.session.execute(query).mappings()]
