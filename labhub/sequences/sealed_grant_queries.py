"""Who may use and who may see a sealed record: the conditions that all reading goes through."""

from sqlalchemy import ColumnElement, and_, exists, false, or_, select

from labhub import clock
from labhub.accounts.actor import LABORATORY_ROLES, Actor, Role
from labhub.db import db
from labhub.sequences.models import ReferenceSequence
from labhub.sequences.sealed_models import SealedGrant, SealedRight

USING_ROLES = frozenset({Role.ANALYST, Role.MANAGER, Role.FOCAL_POINT, Role.SECRETARIAT})
"""Who may use a sealed record when the owner names them (``trust.md`` section 3)."""
SEEING_ROLES = LABORATORY_ROLES
"""Who may see one when the owner names them."""


def is_named(actor: Actor | None, right: SealedRight) -> ColumnElement[bool]:
    """Return the condition under which a grant names ``actor`` for a record now; SEE includes USE."""
    roles = SEEING_ROLES if right is SealedRight.SEE else USING_ROLES
    if actor is None or actor.user_id is None or not any(actor.has(role) for role in roles):
        return false()
    rights: tuple[SealedRight, ...] = (SealedRight.SEE,)
    if right is SealedRight.USE:
        # who is named to SEE and may not see (a role was lost) may not use by it either
        rights = (SealedRight.USE, SealedRight.SEE) if actor.laboratory_ids else (SealedRight.USE,)
    return exists(
        select(SealedGrant.id).where(
            SealedGrant.sequence_id == ReferenceSequence.id,
            SealedGrant.right.in_(rights),
            holds_now(),
            or_(
                SealedGrant.user_id == actor.user_id,
                SealedGrant.laboratory_id.in_(actor.laboratory_ids),
                SealedGrant.party_id.in_(actor.focal_party_ids),
            ),
        )
    ).correlate(ReferenceSequence)


def holds_now() -> ColumnElement[bool]:
    """Return the condition under which a grant holds at this moment."""
    now = clock.now()
    return and_(
        SealedGrant.revoked_at.is_(None),
        SealedGrant.granted_at <= now,
        or_(SealedGrant.until_on.is_(None), SealedGrant.until_on >= now.date()),
    )


def is_named_to_see(actor: Actor | None, sequence: ReferenceSequence) -> bool:
    """Whether a grant lets ``actor`` see the bases of this record now."""
    condition = is_named(actor, SealedRight.SEE)
    return (
        db.session.scalar(select(ReferenceSequence.id).where(ReferenceSequence.id == sequence.id, condition))
        is not None
    )
