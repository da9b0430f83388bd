"""What reads the review of a method: comments on its fields, and who reviewed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import contains_eager, selectinload

from labhub import audit
from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import User
from labhub.db import db
from labhub.errors import NotFound
from labhub.i18n import _
from labhub.methods import exchange, queries
from labhub.methods.field_paths import choices, has_field
from labhub.methods.field_paths import name_of as name_of
from labhub.methods.models import (
    EDITABLE_STATES,
    PUBLIC_STATES,
    REVIEW_STATES,
    DetectionMethod,
    MethodOrigin,
    MethodState,
    MethodVersion,
)
from labhub.methods.review_models import MethodComment, Side

REVIEW_ACTIONS = ("method.review", "method.return", "method.take-over", "method.release", "method.publish")
MOST_COMMENTS = 500
"""Of one version."""


def side_of(actor: Actor, method: DetectionMethod) -> Side | None:
    """Return on which side an actor writes: one's own laboratory goes before being a reviewer."""
    if method.laboratory_id is not None and method.laboratory_id in actor.laboratory_ids:
        return Side.LABORATORY
    if actor.has(Role.REVIEWER) or actor.has(Role.SECRETARIAT):
        return Side.REVIEWER
    return None


def commented_versions(actor: Actor | None) -> Select[MethodVersion]:
    """Select the versions whose review ``actor`` may read: the only reading rule of comments.

    The owning laboratory: all of its own. Reviewers and the Secretariat: what waits for review or was
    published, and of a returned version the comments without its content. Nobody else, ever.
    """
    return (
        select(MethodVersion)
        .join(MethodVersion.method)
        .where(_may_read(actor))
        .options(contains_eager(MethodVersion.method).selectinload(DetectionMethod.laboratory))
    )


def _may_read(actor: Actor | None) -> ColumnElement[bool]:
    if actor is None:
        return false()
    submitted = DetectionMethod.origin == MethodOrigin.SUBMITTED
    if actor.operator:
        return submitted
    ways: list[ColumnElement[bool]] = [false()]
    if actor.laboratory_ids:
        ways.append(DetectionMethod.laboratory_id.in_(actor.laboratory_ids))
    if actor.has(Role.REVIEWER) or actor.has(Role.SECRETARIAT):
        ways.append(MethodVersion.state.in_((*REVIEW_STATES, *PUBLIC_STATES, MethodState.RETURNED)))
    return and_(submitted, or_(*ways))


def find_commented(actor: Actor | None, code: str, number: int | None = None) -> MethodVersion:
    """Return the version whose review is read: by its number, or the newest one; else there is no method."""
    rows: list[MethodVersion] = []
    if exchange.CODE_SHAPE.fullmatch(code):
        rows = list(
            db.session.scalars(
                commented_versions(actor)
                .where(queries.has_code(code))
                .order_by(MethodVersion.number.desc())
                .options(*queries.whole_version())
            )
        )
    found = next((row for row in rows if number is None or row.number == number), None)
    if found is None:
        raise queries.no_method(code)
    return found


def may_begin(actor: Actor, version: MethodVersion) -> bool:
    """Say whether the actor may write a remark on a field now.

    Reviewers while the version waits for review; its laboratory also while it corrects it.
    """
    side = side_of(actor, version.method)
    if side is Side.REVIEWER:
        return version.state in REVIEW_STATES
    again = version.state is MethodState.DRAFT and version.submitted_at is not None
    return side is Side.LABORATORY and (version.state in (*REVIEW_STATES, MethodState.RETURNED) or again)


def may_answer(actor: Actor, version: MethodVersion) -> bool:
    """Say whether the actor may reply to, resolve or reopen remarks now; reviewers also once returned."""
    if side_of(actor, version.method) is Side.REVIEWER:
        return version.state in (*REVIEW_STATES, MethodState.RETURNED)
    return may_begin(actor, version)


@dataclass
class Thread:
    """A remark with its replies, oldest first."""

    remark: MethodComment
    replies: list[MethodComment] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to see to it."""
        return self.remark.resolved_at is None


def threads_of(version: MethodVersion) -> list[Thread]:
    """Return the remarks on a version with their replies, oldest first, for who may read them."""
    rows = db.session.scalars(
        select(MethodComment)
        .where(MethodComment.version_id == version.id)
        .order_by(MethodComment.id)
        .options(selectinload(MethodComment.author), selectinload(MethodComment.resolved_by))
    )
    found: dict[int, Thread] = {}
    for row in rows:
        if row.thread_id is None:
            found[row.id] = Thread(row)
        else:
            found[row.thread_id].replies.append(row)
    return list(found.values())


def open_threads(version: MethodVersion) -> list[Thread]:
    """Return the remarks that nobody has resolved."""
    return [thread for thread in threads_of(version) if thread.is_open]


def by_field(threads: list[Thread]) -> dict[str, list[Thread]]:
    """Return remarks by the path of their field."""
    found: dict[str, list[Thread]] = {}
    for thread in threads:
        found.setdefault(thread.remark.field, []).append(thread)
    return found


def earlier_threads(actor: Actor, version: MethodVersion) -> list[tuple[MethodVersion, list[Thread]]]:
    """Return the remarks on the versions before this one that the actor may read, newest version first."""
    versions = db.session.scalars(
        commented_versions(actor)
        .where(MethodVersion.method_id == version.method_id, MethodVersion.number < version.number)
        .order_by(MethodVersion.number.desc())
    ).all()
    return [(each, threads) for each in versions if (threads := threads_of(each))]


def returned_versions(actor: Actor | None) -> list[MethodVersion]:
    """Return versions that were returned with comments, for reviewers: they read the comments only."""
    if actor is None or not (actor.has(Role.REVIEWER) or actor.has(Role.SECRETARIAT)):
        return []
    has_comments = select(MethodComment.id).where(MethodComment.version_id == MethodVersion.id)
    query = commented_versions(actor).where(
        MethodVersion.state == MethodState.RETURNED, has_comments.correlate(MethodVersion).exists()
    )
    return list(db.session.scalars(query.order_by(MethodVersion.returned_at.desc()).limit(100)))


def comments_wait() -> bool:
    """Say whether there are comments that the other side has not been told of yet."""
    waiting = select(MethodComment.id).where(MethodComment.told_at.is_(None)).limit(1)
    return db.session.scalar(waiting) is not None


def find_comment(actor: Actor | None, code: str, comment_id: int) -> MethodComment:
    """Return a comment on any version of a method whose review the actor may read."""
    readable = commented_versions(actor).where(queries.has_code(code)).with_only_columns(MethodVersion.id)
    row = None
    if exchange.CODE_SHAPE.fullmatch(code):
        row = db.session.scalar(
            select(MethodComment).where(
                MethodComment.id == comment_id, MethodComment.version_id.in_(readable)
            )
        )
    if row is None:
        raise NotFound(
            _("There is no comment %(number)s on method %(code)s.", number=comment_id, code=code[:60])
        )
    return row


def count_of_comments(version: MethodVersion) -> int:
    """Return how many comments a version has, replies included."""
    query = select(func.count()).where(MethodComment.version_id == version.id)
    return db.session.scalar(query) or 0


def author_name(actor: Actor | None, comment: MethodComment) -> str | None:
    """Return who wrote a comment, as the actor may know it: a laboratory is not told who reviews."""
    if actor is None:
        return None
    own_side = side_of(actor, comment.version.method)
    if comment.side is Side.REVIEWER and own_side is not Side.REVIEWER and not actor.operator:
        return None
    return comment.author.name


def quote_for(actor: Actor | None, comment: MethodComment) -> str | None:
    """Return what a comment quotes, as the actor may know it.

    A laboratory that corrects its draft quotes what reviewers may not read before it is submitted.
    """
    if comment.side is Side.LABORATORY and content_for(actor, comment.version) is None:
        return None
    return comment.quoted


def comment_as_data(
    actor: Actor | None, comment: MethodComment, content: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return a comment for the API; ``content`` is what the version says now, where the actor may see it."""
    is_remark = comment.thread_id is None
    return {
        "id": comment.id,
        "version": comment.version.number,
        "field": comment.field,
        "field_exists": has_field(content, comment.field) if content is not None else None,
        "quoted": quote_for(actor, comment),
        "text": comment.text,
        "side": comment.side.value,
        "author": author_name(actor, comment),
        "created_at": comment.created_at,
        "reply_to": comment.thread_id,
        "resolved": comment.resolved_at is not None if is_remark else None,
        "resolved_at": comment.resolved_at,
        "row_version": comment.row_version,
    }


def content_for(actor: Actor | None, version: MethodVersion) -> dict[str, Any] | None:
    """Return what a version says where the actor may read it: reviewers do not read a returned draft."""
    if actor is None or actor.operator:
        return queries.content_of(version) if actor is not None else None
    if version.state in EDITABLE_STATES and side_of(actor, version.method) is not Side.LABORATORY:
        return None
    return queries.content_of(version)


def reviewer_ids(version: MethodVersion) -> list[int]:
    """Return who has taken a step of the review of a version, by the trail; the present reviewer first."""
    entries = db.session.scalars(
        select(audit.AuditEntry.user_id)
        .where(
            audit.AuditEntry.object_kind == "method",
            audit.AuditEntry.object_id == str(version.method_id),
            audit.AuditEntry.object_version == str(version.number),
            audit.AuditEntry.action.in_(REVIEW_ACTIONS),
            audit.AuditEntry.user_id.is_not(None),
        )
        .order_by(audit.AuditEntry.seq)
    )
    found = [version.reviewer_id, *entries]
    return list(dict.fromkeys(number for number in found if number is not None))


def last_editor(actor: Actor | None, version: MethodVersion) -> User | None:
    """Return who changed a version last, for its laboratory and those who review it; nobody for others."""
    if actor is None or (side_of(actor, version.method) is None and not actor.operator):
        return None
    entry = db.session.scalar(
        select(audit.AuditEntry.user_id)
        .where(
            audit.AuditEntry.object_kind == "method",
            audit.AuditEntry.object_id == str(version.method_id),
            audit.AuditEntry.object_version == str(version.number),
            audit.AuditEntry.action.in_(EDITS),
        )
        .order_by(audit.AuditEntry.seq.desc())
        .limit(1)
    )
    number = entry if entry is not None else version.created_by_id
    return db.session.get(User, number) if number is not None else None


EDITS = (
    "method.create", "method.change", "method.add-file", "method.remove-file", "method.new-version",
)  # fmt: skip


def panel(actor: Actor | None, version: MethodVersion) -> dict[str, Any]:
    """Return what the parts of the page need that show the review of a version; nothing for others."""
    found: dict[str, Any] = {
        "comment_threads": [],
        "comments_by_field": {},
        "comments_readable": False,
        "may_comment": False,
        "may_answer": False,
        "comment_fields": [],
        "earlier_comments": [],
        "last_editor": None,
        "comment_quote": lambda comment: quote_for(actor, comment),
        "comment_author": lambda comment: author_name(actor, comment),
        "field_words": name_of,
        "has_reviewer": version.state is MethodState.IN_REVIEW,
        "is_own_review": actor is not None
        and actor.user_id is not None
        and version.reviewer_id == actor.user_id,
    }
    if actor is None or version.method.origin is not MethodOrigin.SUBMITTED:
        return found
    if side_of(actor, version.method) is None and not actor.operator:
        return found
    content = content_for(actor, version) or {}
    threads = threads_of(version)
    found |= {
        "comment_threads": threads,
        "comments_by_field": by_field([thread for thread in threads if thread.is_open]),
        "comments_readable": True,
        "may_comment": may_begin(actor, version),
        "may_answer": may_answer(actor, version),
        "comment_fields": choices(content),
        "earlier_comments": earlier_threads(actor, version),
        "last_editor": last_editor(actor, version),
        "fields_that_exist": {
            thread.remark.field for thread in threads if has_field(content, thread.remark.field)
        },
    }
    return found


FORM_NAMES = {"taxon", "reference_gene", "validation"}
"""Groups whose parts have fields of their own on the form: ``validation.slope`` is ``validation_slope``."""


def by_form_field(version: MethodVersion) -> dict[str, list[Thread]]:
    """Return the open remarks by the name of the field on the form of the draft."""
    found: dict[str, list[Thread]] = {}
    for thread in open_threads(version):
        parts = thread.remark.field.split(".")
        name = parts[0]
        if parts[0] == "oligos" and len(parts) == 3:
            name = f"oligo-{parts[1]}-{parts[2]}"
        elif parts[0] in FORM_NAMES and len(parts) == 2:
            name = f"{parts[0]}_{parts[1]}"
        found.setdefault(name, []).append(thread)
    return found
