"""What reads verifications by other laboratories, and the field performance that they add up to."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, false, func, or_, select
from sqlalchemy.orm import contains_eager, selectinload

from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory
from labhub.accounts.policy import can
from labhub.accounts.queries import own_laboratories
from labhub.db import db
from labhub.errors import NotFound
from labhub.i18n import _
from labhub.methods import judgement_queries, queries
from labhub.methods.field_performance import FIGURES, compare, limits_of, validated_figures
from labhub.methods.models import PUBLIC_STATES, DetectionMethod, MethodVersion
from labhub.methods.review_models import (
    OUTCOME_NAMES,
    VERIFICATION_STATE_NAMES,
    MethodVerification,
    VerificationState,
)


def visible_verifications(actor: Actor | None) -> Select[MethodVerification]:
    """Select verifications that ``actor`` may see: the only reading rule.

    Everybody: published ones. The laboratory that verified: all of its own. Reviewers and the
    Secretariat: hidden ones too, not drafts.
    """
    return (
        select(MethodVerification)
        .join(MethodVerification.version)
        .join(MethodVersion.method)
        .where(MethodVersion.state.in_(PUBLIC_STATES), _may_see(actor))
        .options(
            contains_eager(MethodVerification.version).contains_eager(MethodVersion.method),
            selectinload(MethodVerification.laboratory).selectinload(Laboratory.party),
        )
    )


def _may_see(actor: Actor | None) -> ColumnElement[bool]:
    ways: list[ColumnElement[bool]] = [MethodVerification.state == VerificationState.PUBLISHED]
    if actor is not None and actor.laboratory_ids:
        ways.append(MethodVerification.laboratory_id.in_(actor.laboratory_ids))
    if actor is not None and (actor.operator or actor.has(Role.REVIEWER) or actor.has(Role.SECRETARIAT)):
        ways.append(MethodVerification.state == VerificationState.HIDDEN)
    return or_(false(), *ways)


def verifications_of(actor: Actor | None, code: str) -> list[MethodVerification]:
    """Return the verifications of a method that the actor may see, newest first."""
    method = queries.find_method(actor, code)
    return _of_method(actor, method)


def _of_method(actor: Actor | None, method: DetectionMethod) -> list[MethodVerification]:
    query = visible_verifications(actor).where(MethodVersion.method_id == method.id)
    return list(db.session.scalars(query.order_by(MethodVerification.id.desc())))


def find_verification(actor: Actor | None, code: str, number: int) -> MethodVerification:
    """Return a verification of a method that the actor may see."""
    method = queries.find_method(actor, code)
    row = db.session.scalar(
        visible_verifications(actor).where(
            MethodVerification.id == number, MethodVersion.method_id == method.id
        )
    )
    if row is None:
        raise NotFound(
            _("There is no verification %(number)s of method %(code)s.", number=number, code=code[:60])
        )
    return row


def verification_count() -> ScalarSelect[int]:
    """Return the number of published verifications as a column, for lists with ``DetectionMethod``."""
    return (
        select(func.count(MethodVerification.id))
        .join(MethodVersion, MethodVersion.id == MethodVerification.version_id)
        .where(
            MethodVersion.method_id == DetectionMethod.id,
            MethodVerification.state == VerificationState.PUBLISHED,
        )
        .correlate(DetectionMethod)
        .scalar_subquery()
    )


def verification_as_data(actor: Actor | None, row: MethodVerification) -> dict[str, Any]:
    """Return a verification for the API; the reason of hiding for those who may see hidden ones."""
    laboratory = row.laboratory
    return {
        "id": row.id,
        "method": row.version.method.code,
        "version": row.version.number,
        "state": row.state.value,
        "laboratory": laboratory.code,
        "party": laboratory.party.iso2 if laboratory.party else None,
        "outcome": row.outcome.value,
        "matrices": list(row.matrices),
        "instrument": row.instrument,
        "study": row.study,
        "published_at": row.published_at,
        "hide_reason": row.hide_reason or None if row.state is VerificationState.HIDDEN else None,
    }


def performance(actor: Actor | None, version: MethodVersion) -> dict[str, Any]:
    """Return the field performance of the method that a version belongs to.

    Published verifications of all its versions count, beside the validation of the version that is shown
    and the criteria that it was judged by.
    """
    rows = [row for row in _of_method(actor, version.method) if row.state is VerificationState.PUBLISHED]
    figures = [{name: getattr(row, name) for name in FIGURES} for row in rows]
    content: Mapping[str, Any] = queries.content_of(version) if rows else {}
    known = judgement_queries.criteria_versions() if rows else []
    own = next((each for each in known if each.version == version.criteria_version), None)
    criteria = own or (known[0] if known else None)
    limits = limits_of(criteria, version.technique.value, version.quantitative)
    outcomes = {each.value: sum(row.outcome is each for row in rows) for each in OUTCOME_NAMES}
    return {
        "verifications": len(rows),
        "laboratories": len({row.laboratory_id for row in rows}),
        "parties": len({row.laboratory.party_id for row in rows if row.laboratory.party_id is not None}),
        "outcomes": outcomes,
        "figures": compare(figures, validated_figures(content), limits),
        "criteria_version": criteria.version if criteria else None,
    }


def performance_as_data(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the field performance for the API."""
    return {
        **{name: value for name, value in found.items() if name != "figures"},
        "figures": [
            {
                "name": row.name,
                "count": row.count,
                "median": row.median,
                "low": row.low,
                "high": row.high,
                "validated": row.validated,
                "least": row.limits[0] if row.limits else None,
                "most": row.limits[1] if row.limits else None,
                "outside": row.outside,
                "drift": row.drifts,
            }
            for row in found["figures"]
        ],
    }


def panel(actor: Actor | None, version: MethodVersion) -> dict[str, Any]:
    """Return what the part of a method's page needs that shows verifications."""
    is_public = version.state in PUBLIC_STATES
    rows = _of_method(actor, version.method) if is_public else []
    return {
        "verifications": rows,
        "field_performance": performance(actor, version) if rows else None,
        "may_verify": is_public
        and actor is not None
        and bool(actor.laboratory_ids)
        and bool(verifying_laboratories(actor, version.method)),
        "may_hide_verification": lambda row: (
            actor is not None
            and row.laboratory_id not in actor.laboratory_ids
            and version.method.laboratory_id not in actor.laboratory_ids
            and can(actor, "verification.hide", row)
        ),
        "outcome_names": {kind.value: _(text) for kind, text in OUTCOME_NAMES.items()},
        "verification_states": {kind.value: _(text) for kind, text in VERIFICATION_STATE_NAMES.items()},
    }


def verifying_laboratories(actor: Actor, method: DetectionMethod) -> list[Laboratory]:
    """Return the actor's laboratories that may verify a method: not the one that owns it."""
    return [
        laboratory
        for laboratory in own_laboratories(actor)
        if laboratory.id != method.laboratory_id and can(actor, "verification.create", laboratory)
    ]
