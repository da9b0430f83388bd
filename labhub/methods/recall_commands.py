"""Recalls and change notices: telling everybody who has a version, reminding them, taking their word."""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from labhub import audit, clock, outbox
from labhub.accounts import queries as accounts
from labhub.accounts.actor import Actor
from labhub.accounts.models import User
from labhub.db import db
from labhub.errors import Conflict
from labhub.i18n import Text, _
from labhub.methods import notice_commands as notices
from labhub.methods import recall_queries
from labhub.methods.models import MethodVersion
from labhub.methods.review_models import (
    MethodRecall,
    MethodRecallRecipient,
    RecallCause,
    RecallKind,
)
from labhub.usage.queries import Downloader

REMIND_AFTER = timedelta(days=14)
COMPLETE_FOR = timedelta(days=7)
"""How long rows of the ledger that were written late still find their recall."""


def announce(
    actor: Actor,
    version: MethodVersion,
    cause: RecallCause,
    reason: str,
    *,
    new_version: MethodVersion | None = None,
) -> tuple[MethodRecall, set[int]]:
    """Tell everybody whose account downloaded a version; return the notice and who was written to.

    To be called in the step that it follows from, with the method locked; the step's own entry of the
    trail names the notice. Who takes the step knows of it and is no recipient.
    """
    recall = MethodRecall(
        version_id=version.id,
        version=version,
        kind=RecallKind.CHANGE if cause is RecallCause.NEW_VERSION else RecallKind.RECALL,
        cause=cause,
        new_version_id=new_version.id if new_version else None,
        new_version=new_version,
        reason=reason,
        issued_by_id=actor.user_id,
        issued_at=clock.now(),
    )
    db.session.add(recall)
    db.session.flush()
    return recall, add_recipients(recall, recall_queries.people_who_have(version, recall.issued_at))


def add_recipients(recall: MethodRecall, people: Iterable[Downloader]) -> set[int]:
    """Add people to a notice and write to those it did not know yet; return whom it has written to now.

    Packages above call this for people whose results cite the version (``first_at`` … of the citing).
    """
    known = set(
        db.session.scalars(
            select(MethodRecallRecipient.user_id).where(MethodRecallRecipient.recall_id == recall.id)
        )
    )
    told: set[int] = set()
    for person in people:
        if person.user_id in known or person.user_id == recall.issued_by_id:
            continue
        known.add(person.user_id)
        user = accounts.user_by_id(person.user_id)
        row = MethodRecallRecipient(
            recall=recall,
            user_id=user.id,
            user=user,
            party_id=person.party_id,
            laboratory_id=person.laboratory_id,
            first_at=person.first_at,
            last_at=person.last_at,
            downloads=person.downloads,
            formats=[name[:255] for name in person.files[:50]],
            told_at=clock.now() if user.active else None,
        )
        db.session.add(row)
        if user.active:
            told.add(user.id)
            _write(user, recall)
    db.session.flush()
    return told


def _write(user: User, recall: MethodRecall) -> None:
    subject, body = _recall_words(recall) if recall.kind is RecallKind.RECALL else _change_words(recall)
    outbox.add(user.email, subject, body, language=user.language)


def _link(recall: MethodRecall) -> str:
    return notices.link_to(f"/recalls/{recall.id}")


def _recall_words(recall: MethodRecall) -> tuple[Text, Text]:
    version = recall.version
    words = {
        "code": version.method.code,
        "number": version.number,
        "title": version.title,
        "reason": recall.reason,
        "link": _link(recall),
        "page": notices.link_of(version),
    }
    subject = _("Recall: do not use version %(number)s of method %(code)s", **words)
    if recall.cause is RecallCause.WITHDRAWAL:
        return subject, _(
            "You have downloaded version %(number)s of the method %(code)s, “%(title)s”. It was "
            "withdrawn.\n\n"
            "Reason: %(reason)s\n\nWhat to do: do not use this version for new work; take it out of your "
            "working documents; look again at results that were obtained with it; tell those whom you gave "
            "it "
            "to.\n\nPlease confirm that you have read this: %(link)s\n\nThe method: %(page)s\n",
            **words,
        )
    return subject, _(
        "You have downloaded version %(number)s of the method %(code)s, “%(title)s”. It was recalled.\n\n"
        "Reason: %(reason)s\n\nWhat to do: do not use this version until the reason has been dealt with; "
        "look "
        "again at results that were obtained with it; tell those whom you gave it to.\n\n"
        "Please confirm that you have read this: %(link)s\n\nThe method: %(page)s\n",
        **words,
    )


def _change_words(recall: MethodRecall) -> tuple[Text, Text]:
    new = recall.new_version or recall.version
    words = {
        "code": recall.version.method.code,
        "old": recall.version.number,
        "number": new.number,
        "title": new.title,
        "reason": recall.reason,
        "page": notices.link_of(new),
    }
    return (
        _("Version %(number)s of method %(code)s replaces the one that you have", **words),
        _(
            "You have downloaded version %(old)s of the method %(code)s. Version %(number)s, “%(title)s”, "
            "replaces it now.\n\nWhat changed: %(reason)s\n\nRead it here: %(page)s\n\nNothing needs to be "
            "confirmed.\n",
            **words,
        ),
    )


def acknowledge(actor: Actor, recall_id: int) -> MethodRecallRecipient:
    """Say that one has read a recall; said once."""
    row = recall_queries.find_own_notice(actor, recall_id)
    db.session.get_one(MethodRecallRecipient, row.id, with_for_update=True, populate_existing=True)
    if row.recall.kind is RecallKind.CHANGE:
        raise Conflict(_("A change notice needs no acknowledgement."))
    if row.acknowledged_at is not None:
        raise Conflict(_("You have acknowledged this recall already."))
    row.acknowledged_at = clock.now()
    version = row.recall.version
    audit.record(
        actor,
        "method.acknowledge-recall",
        "method",
        version.method_id,
        version=version.number,
        after={"recall": recall_id},
    )
    return row


def remind() -> int:
    """Write once more to those who have not acknowledged a recall after 14 days; return how many there were.

    A job calls this; a recipient is reminded once, however many workers call it.
    """
    now = clock.now()
    due = db.session.scalars(
        select(MethodRecallRecipient)
        .join(MethodRecallRecipient.recall)
        .where(
            MethodRecall.kind == RecallKind.RECALL,
            MethodRecallRecipient.acknowledged_at.is_(None),
            MethodRecallRecipient.reminded_at.is_(None),
            MethodRecallRecipient.told_at <= now - REMIND_AFTER,
        )
        .order_by(MethodRecallRecipient.id)
        .limit(500)
        .options(selectinload(MethodRecallRecipient.recall), selectinload(MethodRecallRecipient.user))
        .with_for_update(skip_locked=True, of=MethodRecallRecipient)
        .execution_options(populate_existing=True)
    ).all()
    for row in due:
        row.reminded_at = now
        if not row.user.active:
            continue
        version = row.recall.version
        outbox.add(
            row.user.email,
            _("Reminder: recall of version %(number)s of method %(code)s", **_naming(version)),
            _(
                "On %(day)s you were told that version %(number)s of the method %(code)s must not be used. "
                "You "
                "have not confirmed yet that you have read it.\n\nReason: %(reason)s\n\nConfirm here: "
                "%(link)s\n",
                **_naming(version),
                day=f"{row.told_at:%Y-%m-%d}",
                reason=row.recall.reason,
                link=_link(row.recall),
            ),
            language=row.user.language,
        )
    if due:
        audit.record(
            None,
            "method.remind-recall",
            "method-recall",
            ",".join(str(number) for number in sorted({row.recall_id for row in due}))[:200],
            after={"people": len(due)},
        )
    return len(due)


def _naming(version: MethodVersion) -> dict[str, object]:
    return {"code": version.method.code, "number": version.number}


def complete() -> int:
    """Tell people whose download reached the ledger late (the spool); return how many there were."""
    recent = db.session.scalars(
        select(MethodRecall)
        .where(MethodRecall.issued_at >= clock.now() - COMPLETE_FOR)
        .options(selectinload(MethodRecall.version).selectinload(MethodVersion.method))
        .order_by(MethodRecall.id)
        .with_for_update(skip_locked=True, of=MethodRecall)
    ).all()
    return sum(
        len(add_recipients(recall, recall_queries.people_who_have(recall.version, recall.issued_at)))
        for recall in recent
    )
