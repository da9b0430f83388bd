"""Mail as rows: written in the transaction of the change it tells of, sent later by a job.

So none is lost and none is sent for a change that was rolled back (``trust.md`` F6).
"""

from datetime import datetime, timedelta

from sqlalchemy import String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from labhub import clock
from labhub.db import Model, UtcDateTime, db
from labhub.i18n import Text as Words
from labhub.i18n import in_language

RETRY_FOR = timedelta(hours=48)


class OutgoingMail(Model):
    """One mail to one recipient; ``sent_at`` is empty while it waits."""

    __tablename__ = "outgoing_mail"

    id: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(String(500))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    """When to try (again); empty once sent or given up."""
    tries: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str] = mapped_column(String(500), default="")


def add(recipient: str, subject: Words, body: Words, *, language: str = "en") -> OutgoingMail:
    """Queue a mail in the reader's language; control signs of user text never reach a header."""
    with in_language(language):
        mail = OutgoingMail(
            recipient=recipient,
            subject=header_text(subject)[:500],
            body=str(body),
            created_at=clock.now(),
            next_try_at=clock.now(),
        )
    db.session.add(mail)
    return mail


def header_text(text: Words) -> str:
    """Return a text for a header: one line, and nothing that the mail library would decode.

    ``=?utf-8?q?=0A…?=`` in somebody's words would otherwise become a line end of its own.
    """
    return " ".join(str(text).split()).replace("=?", "= ?")


def due(limit: int = 100) -> list[int]:
    """Return the ids of mails to send now, oldest first."""
    return list(
        db.session.scalars(
            select(OutgoingMail.id)
            .where(OutgoingMail.next_try_at.is_not(None), OutgoingMail.next_try_at <= clock.now())
            .order_by(OutgoingMail.id)
            .limit(limit)
        )
    )


def claim(mail_id: int) -> OutgoingMail | None:
    """Lock a mail that is still due, and put its next try off, so that no other worker sends it."""
    mail = db.session.get(
        OutgoingMail, mail_id, with_for_update={"skip_locked": True}, populate_existing=True
    )
    if mail is None or mail.next_try_at is None or mail.next_try_at > clock.now():
        return None
    mail.tries += 1
    mail.next_try_at = clock.now() + timedelta(minutes=min(2**mail.tries, 240))
    return mail


def mark_sent(mail: OutgoingMail) -> None:
    """Note that the mail has left."""
    mail.sent_at, mail.next_try_at, mail.last_error = clock.now(), None, ""


def mark_failed(mail: OutgoingMail, error: str) -> None:
    """Note why the mail did not leave; after 48 hours it is given up and kept."""
    mail.last_error = error[:500]
    if clock.now() - mail.created_at > RETRY_FOR:
        mail.next_try_at = None
