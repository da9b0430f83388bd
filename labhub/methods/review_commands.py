"""What changes beside the content of a method in its review: comments on fields, and recalls by decision."""

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from labhub import audit, clock
from labhub.accounts.actor import Actor
from labhub.accounts.models import User
from labhub.accounts.policy import require
from labhub.db import db
from labhub.errors import Conflict, Invalid, StaleEdit, TooMany
from labhub.i18n import _, ngettext
from labhub.methods import notice_commands as notices
from labhub.methods import queries, recall_commands, review_queries
from labhub.methods.exchange import LONGEST_NOTE
from labhub.methods.field_paths import as_text, value_at
from labhub.methods.models import DetectionMethod, MethodState, MethodVersion
from labhub.methods.review_models import MethodComment, MethodRecall, RecallCause, Side

TELL_AFTER = timedelta(hours=1)
"""How long comments are gathered before the other side is written to: one mail a version, side and hour."""
MOST_AN_HOUR = 60
"""Comments of one person."""


def _text(text: str, field: str) -> str:
    clean = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not clean:
        raise Invalid(_("Write a text."), field=field)
    if len(clean.encode("utf-8", "replace")) > LONGEST_NOTE:
        raise Invalid(_("At most %(number)s bytes.", number=LONGEST_NOTE), field=field)
    if any(ord(sign) < 32 and sign not in "\n\t" for sign in clean):
        raise Invalid(_("Control characters are not allowed here."), field=field)
    return clean


def _locked(actor: Actor, code: str, number: int | None) -> MethodVersion:
    """Return a version whose review the actor may read, read again with its method locked."""
    version = review_queries.find_commented(actor, code, number)
    db.session.get_one(DetectionMethod, version.method_id, with_for_update=True, populate_existing=True)
    db.session.refresh(version)
    return version


def add_comment(
    actor: Actor,
    code: str,
    text: str,
    *,
    number: int | None = None,
    field: str = "",
    reply_to: int | None = None,
) -> MethodComment:
    """Write a remark on a field of a version under review (none: on the whole), or reply to one."""
    version = _locked(actor, code, number)
    require(actor, "method.comment", version)
    side = review_queries.side_of(actor, version.method)
    if actor.user_id is None or side is None:
        raise queries.no_method(code)
    thread = _thread(version, reply_to) if reply_to is not None else None
    allowed = review_queries.may_answer if thread else review_queries.may_begin
    if not allowed(actor, version):
        raise Conflict(_("Comments can be written while a version is being reviewed or corrected."))
    clean = _text(text, "text")
    _check_pace(actor.user_id, version)
    quoted = None
    if thread is not None:
        field = thread.field
    else:
        content = queries.content_of(version)
        quoted = as_text(value_at(content, field)) if field else None
    row = MethodComment(
        version_id=version.id,
        version=version,
        thread_id=thread.id if thread else None,
        field=field,
        quoted=quoted,
        text=clean,
        side=side,
        author_id=actor.user_id,
        author=db.session.get_one(User, actor.user_id),
        created_at=clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        actor,
        "method.comment",
        "method",
        version.method_id,
        version=version.number,
        after={"comment": row.id, "field": field, "reply_to": row.thread_id, "side": side},
    )
    return row


def _thread(version: MethodVersion, comment_id: int) -> MethodComment:
    row = db.session.get(MethodComment, comment_id)
    if row is None or row.version_id != version.id:
        raise Invalid(
            _("There is no comment %(number)s on this version.", number=comment_id), field="reply_to"
        )
    if row.thread_id is not None:
        return db.session.get_one(MethodComment, row.thread_id)
    return row


def _check_pace(user_id: int, version: MethodVersion) -> None:
    since = clock.now() - timedelta(hours=1)
    count = db.session.scalar(
        select(func.count()).where(MethodComment.author_id == user_id, MethodComment.created_at > since)
    )
    if (count or 0) >= MOST_AN_HOUR:
        raise TooMany(
            _("You have written %(number)s comments within an hour. Go on later.", number=MOST_AN_HOUR),
            retry_after=600,
        )
    if review_queries.count_of_comments(version) >= review_queries.MOST_COMMENTS:
        raise Conflict(_("A version has at most %(number)s comments.", number=review_queries.MOST_COMMENTS))


def resolve_comment(
    actor: Actor, code: str, comment_id: int, *, resolved: bool, expected: int
) -> MethodComment:
    """Mark a remark as dealt with, or open it again; both sides may."""
    row = review_queries.find_comment(actor, code, comment_id)
    version = _locked(actor, code, row.version.number)
    db.session.refresh(row)
    require(actor, "method.comment", version)
    if not review_queries.may_answer(actor, version):
        raise Conflict(_("Comments can be written while a version is being reviewed or corrected."))
    if row.row_version != expected:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))
    if row.thread_id is not None:
        raise Conflict(_("A reply is not resolved by itself: resolve the remark that it answers."))
    if (row.resolved_at is not None) is resolved:
        raise Conflict(_("It is resolved already.") if resolved else _("It is open already."))
    row.resolved_at, row.resolved_by_id = (clock.now(), actor.user_id) if resolved else (None, None)
    db.session.flush()
    audit.record(
        actor,
        "method.resolve-comment" if resolved else "method.reopen-comment",
        "method",
        version.method_id,
        version=version.number,
        before={"comment": row.id, "resolved": not resolved},
        after={"comment": row.id, "resolved": resolved},
    )
    return row


def tell_comments() -> int:
    """Write to the other side about comments that have waited an hour; return how many versions there were.

    A job calls this each minute. All that a side has written on a version since the last mail stands in
    one mail; a return and a submission tell of the comments themselves.
    """
    border = clock.now() - TELL_AFTER
    waiting = db.session.execute(
        select(MethodComment.version_id, MethodComment.side)
        .where(MethodComment.told_at.is_(None))
        .group_by(MethodComment.version_id, MethodComment.side)
        .having(func.min(MethodComment.created_at) <= border)
        .order_by(MethodComment.version_id, MethodComment.side)
        .limit(100)
    ).all()
    count = 0
    for version_id, side in waiting:
        version = db.session.get_one(MethodVersion, version_id)
        db.session.get_one(DetectionMethod, version.method_id, with_for_update=True, populate_existing=True)
        rows = db.session.scalars(
            select(MethodComment)
            .where(
                MethodComment.version_id == version_id,
                MethodComment.side == side,
                MethodComment.told_at.is_(None),
            )
            .order_by(MethodComment.id)
            .execution_options(populate_existing=True)
        ).all()
        if not rows:
            continue  # another worker was faster
        notices.mark_told(version, side)
        count += 1
        _tell_of(version, side, [(row.field, row.text) for row in rows], {row.author_id for row in rows})
    return count


def _tell_of(version: MethodVersion, side: Side, remarks: list[tuple[str, str]], authors: set[int]) -> None:
    if side is Side.REVIEWER:
        readers = notices.laboratory_of(version)
        page = notices.link_of(version)
    else:
        readers = [version.reviewer] if version.reviewer is not None else notices.those_who_reviewed(version)
        readers = readers or notices.reviewers()
        page = notices.link_to(f"/methods/{version.method.code}/comments?version={version.number}")
    words: dict[str, Any] = {
        "code": version.method.code,
        "version": version.number,
        "remarks": notices.RemarkLines(remarks),
        "link": page,
    }
    notices.tell(
        readers,
        _("Comments on method %(code)s", code=version.method.code),
        ngettext(
            "There is %(number)s new comment on version %(version)s of the method "
            "%(code)s:\n\n%(remarks)s\n\n"
            "Read and answer it here: %(link)s\n",
            "There are %(number)s new comments on version %(version)s of the method "
            "%(code)s:\n\n%(remarks)s\n\n"
            "Read and answer them here: %(link)s\n",
            len(remarks),
            **words,
        ),
        by=None,
        told=authors,
    )


def issue_recall(
    actor: Actor, code: str, reason: str, *, number: int, expected: int | None = None
) -> MethodRecall:
    """Recall a published or superseded version without withdrawing it: all who downloaded it are told."""
    method = queries.find_method(actor, code)
    db.session.get_one(DetectionMethod, method.id, with_for_update=True, populate_existing=True)
    version = queries.find_version(actor, code, number)
    db.session.refresh(version)
    require(actor, "method.recall", version)
    if expected is not None and version.edition != expected:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))
    if version.state not in (MethodState.PUBLISHED, MethodState.SUPERSEDED):
        raise Conflict(_("Only a published or superseded version can be recalled."))
    known = db.session.scalar(
        select(MethodRecall).where(
            MethodRecall.version_id == version.id,
            MethodRecall.cause.in_((RecallCause.DECISION, RecallCause.WITHDRAWAL)),
        )
    )
    if known is not None:
        raise Conflict(_("This version was recalled on %(day)s already.", day=f"{known.issued_at:%Y-%m-%d}"))
    text = _text(reason, "reason")
    recall, told = recall_commands.announce(actor, version, RecallCause.DECISION, text)
    audit.record(
        actor,
        "method.recall",
        "method",
        method.id,
        version=version.number,
        after={"recall": recall.id, "people": len(told)},
        reason=text,
        export=True,
    )
    notices.tell(
        [*notices.laboratory_of(version), *notices.reviewers()],
        _("Version %(number)s of method %(code)s was recalled", code=method.code, number=version.number),
        _(
            "Everybody who has downloaded version %(number)s of the method “%(title)s” with an account has "
            "been "
            "told not to use it.\n\nReason: %(reason)s\n\nWho has acknowledged: %(link)s\n",
            number=version.number,
            title=version.title,
            reason=text,
            link=notices.link_to(f"/methods/{method.code}/recalls"),
        ),
        by=actor,
        told=told,
    )
    return recall
