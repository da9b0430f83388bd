"""What reads recalls and change notices: who may see them, who was told, who acknowledged."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select, true
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import contains_eager, selectinload

from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory, Party
from labhub.accounts.policy import can
from labhub.db import db
from labhub.errors import NotFound
from labhub.i18n import _
from labhub.methods import queries
from labhub.methods.models import DetectionMethod, MethodState, MethodVersion
from labhub.methods.review_models import MethodRecall, MethodRecallRecipient, RecallKind
from labhub.usage.queries import Downloader, anonymous_downloads, downloaders


def public_recalls(version: MethodVersion) -> list[MethodRecall]:
    """Return the recalls of a version that everybody is shown, newest first; no change notices."""
    return list(
        db.session.scalars(
            select(MethodRecall)
            .where(MethodRecall.version_id == version.id, MethodRecall.kind == RecallKind.RECALL)
            .order_by(MethodRecall.id.desc())
        )
    )


def visible_recalls(actor: Actor | None) -> Select[MethodRecall]:
    """Select the notices whose answers ``actor`` may follow: of one's laboratory's methods, or all of them.

    The people of the owning laboratory, reviewers and the Secretariat. A recipient does not see
    other recipients: see ``own_notices``.
    """
    return (
        select(MethodRecall)
        .join(MethodRecall.version)
        .join(MethodVersion.method)
        .where(_may_follow(actor))
        .options(contains_eager(MethodRecall.version).contains_eager(MethodVersion.method))
    )


def _may_follow(actor: Actor | None) -> ColumnElement[bool]:
    if actor is None:
        return false()
    if actor.operator or actor.has(Role.REVIEWER) or actor.has(Role.SECRETARIAT):
        return true()
    ways: list[ColumnElement[bool]] = [false()]
    if actor.laboratory_ids:
        ways.append(DetectionMethod.laboratory_id.in_(actor.laboratory_ids))
    return or_(*ways)


def recalls_of(actor: Actor | None, code: str) -> list[MethodRecall]:
    """Return the notices about a method whose answers the actor may follow, newest first."""
    method = queries.find_method(actor, code)
    query = visible_recalls(actor).where(DetectionMethod.id == method.id)
    return list(db.session.scalars(query.order_by(MethodRecall.id.desc())))


@dataclass
class Answers:
    """How far a notice has come: counts for the laboratory, names for the Secretariat."""

    recall: MethodRecall
    told: int = 0
    acknowledged: int = 0
    unreachable: int = 0
    """Accounts that are closed."""
    anonymous: int = 0
    """Downloads without an account: nobody can be told of them."""
    by_party: list[tuple[str | None, int, int]] = field(default_factory=list)
    """Party's code or nothing, people, acknowledged."""
    by_laboratory: list[tuple[str | None, int, int]] = field(default_factory=list)
    """Laboratory's code or nothing, people, acknowledged."""
    people: list[MethodRecallRecipient] | None = None
    """For the Secretariat only."""


def answers_to(actor: Actor, recall: MethodRecall) -> Answers:
    """Return who was told of a notice and who acknowledged, as far as the actor may know it."""
    rows = list(
        db.session.scalars(
            select(MethodRecallRecipient)
            .where(MethodRecallRecipient.recall_id == recall.id)
            .order_by(MethodRecallRecipient.id)
            .options(
                selectinload(MethodRecallRecipient.user),
                selectinload(MethodRecallRecipient.party),
                selectinload(MethodRecallRecipient.laboratory),
            )
        )
    )
    answers = Answers(recall)
    parties: Counter[str | None] = Counter()
    laboratories: Counter[str | None] = Counter()
    heard_parties: Counter[str | None] = Counter()
    heard_laboratories: Counter[str | None] = Counter()
    for row in rows:
        party, laboratory = _code(row.party), _code(row.laboratory)
        parties[party] += 1
        laboratories[laboratory] += 1
        if row.acknowledged_at is not None:
            answers.acknowledged += 1
            heard_parties[party] += 1
            heard_laboratories[laboratory] += 1
        if row.told_at is not None:
            answers.told += 1
        else:
            answers.unreachable += 1
    version = recall.version
    answers.anonymous = anonymous_downloads(
        "method", version.method_id, str(version.number), recall.issued_at
    )
    answers.by_party = [(code, parties[code], heard_parties[code]) for code in _ordered(parties)]
    answers.by_laboratory = [
        (code, laboratories[code], heard_laboratories[code]) for code in _ordered(laboratories)
    ]
    if actor.operator or actor.has(Role.SECRETARIAT):
        answers.people = rows
    return answers


def _code(owner: Party | Laboratory | None) -> str | None:
    if owner is None:
        return None
    return owner.iso2 if isinstance(owner, Party) else owner.code


def _ordered(counts: Counter[str | None]) -> list[str | None]:
    return sorted(counts, key=lambda code: (-counts[code], code or "~"))


def answers_as_data(answers: Answers) -> dict[str, Any]:
    """Return the answers to a notice for the API."""
    recall = answers.recall
    return {
        "id": recall.id,
        "version": recall.version.number,
        "kind": recall.kind.value,
        "cause": recall.cause.value,
        "reason": recall.reason,
        "issued_at": recall.issued_at,
        "told": answers.told,
        "acknowledged": answers.acknowledged,
        "unreachable": answers.unreachable,
        "anonymous_downloads": answers.anonymous,
        "by_party": [
            {"code": code, "people": people, "acknowledged": heard}
            for code, people, heard in answers.by_party
        ],
        "by_laboratory": [
            {"code": code, "people": people, "acknowledged": heard}
            for code, people, heard in answers.by_laboratory
        ],
        "people": None
        if answers.people is None
        else [
            {
                "name": row.user.name,
                "party": _code(row.party),
                "laboratory": _code(row.laboratory),
                "first_download_at": row.first_at,
                "last_download_at": row.last_at,
                "formats": list(row.formats),
                "told_at": row.told_at,
                "reminded_at": row.reminded_at,
                "acknowledged_at": row.acknowledged_at,
            }
            for row in answers.people
        ],
    }


# What a recipient sees ------------------------------------------------------------------------


def own_notices(actor: Actor | None) -> Select[MethodRecallRecipient]:
    """Select the notices that were sent to the actor, newest first: the only ones that a recipient sees."""
    number = actor.user_id if actor is not None else None
    query = (
        select(MethodRecallRecipient)
        .join(MethodRecallRecipient.recall)
        .options(
            contains_eager(MethodRecallRecipient.recall).options(
                selectinload(MethodRecall.version).selectinload(MethodVersion.method),
                selectinload(MethodRecall.new_version),
            )
        )
        .order_by(MethodRecall.id.desc())
    )
    return query.where(MethodRecallRecipient.user_id == number if number is not None else false())


def list_own_notices(actor: Actor | None, limit: int = 50) -> list[MethodRecallRecipient]:
    """Return the latest notices that were sent to the actor."""
    return list(db.session.scalars(own_notices(actor).limit(limit)))


def open_recalls(actor: Actor | None) -> int:
    """Return how many recalls the actor still has to acknowledge; none when the database does not answer.

    Every page asks this, also the one that tells of a fault of the database: it must not become another.
    """
    if actor is None or actor.user_id is None:
        return 0
    query = (
        select(func.count())
        .select_from(MethodRecallRecipient)
        .join(MethodRecallRecipient.recall)
        .where(
            MethodRecallRecipient.user_id == actor.user_id,
            MethodRecallRecipient.acknowledged_at.is_(None),
            MethodRecall.kind == RecallKind.RECALL,
        )
    )
    try:
        return db.session.scalar(query) or 0
    except SQLAlchemyError:
        db.session.rollback()
        return 0


def find_own_notice(actor: Actor, recall_id: int) -> MethodRecallRecipient:
    """Return a notice that was sent to the actor."""
    row = db.session.scalar(own_notices(actor).where(MethodRecall.id == recall_id))
    if row is None:
        raise NotFound(_("There is no notice %(number)s for you.", number=recall_id))
    return row


def notice_as_data(row: MethodRecallRecipient) -> dict[str, Any]:
    """Return a notice for the API of its recipient; nothing of other recipients."""
    recall = row.recall
    return {
        "id": recall.id,
        "method": recall.version.method.code,
        "version": recall.version.number,
        "kind": recall.kind.value,
        "reason": recall.reason,
        "new_version": recall.new_version.number if recall.new_version else None,
        "issued_at": recall.issued_at,
        "first_download_at": row.first_at,
        "last_download_at": row.last_at,
        "downloads": row.downloads,
        "formats": list(row.formats),
        "acknowledged_at": row.acknowledged_at,
    }


# Whom a notice concerns -----------------------------------------------------------------------


def people_who_have(version: MethodVersion, until: datetime) -> list[Downloader]:
    """Return everybody whose account downloaded a version by then, as the ledger says; each person once."""
    return downloaders("method", version.method_id, str(version.number), until)


def recalls_since(since: datetime) -> list[MethodRecall]:
    """Return the recalls issued since an instant, for packages above: results may have cited the version.

    They name the people to add by ``recall_commands.add_recipients``.
    """
    return list(
        db.session.scalars(
            select(MethodRecall)
            .where(MethodRecall.issued_at >= since, MethodRecall.kind == RecallKind.RECALL)
            .order_by(MethodRecall.id)
            .options(selectinload(MethodRecall.version))
        )
    )


def is_recallable(version: MethodVersion) -> bool:
    """Say whether a version was published, is not withdrawn, and has not been recalled yet."""
    return _is_in_use(version) and not public_recalls(version)


def _is_in_use(version: MethodVersion) -> bool:
    return version.state in (MethodState.PUBLISHED, MethodState.SUPERSEDED)


def panel(actor: Actor | None, version: MethodVersion) -> dict[str, Any]:
    """Return what the part of a method's page needs that shows recalls of this version."""
    recalls = public_recalls(version) if version.content_hash else []
    return {
        "recalls": recalls,
        "may_recall": _is_in_use(version)
        and not recalls
        and actor is not None
        and can(actor, "method.recall", version),
        "may_follow_recalls": actor is not None and can(actor, "method.follow-recall", version),
    }
