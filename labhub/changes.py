"""Has anything changed since one looked? The head of the audit trail says so: every change moves it.

What is kept in memory for readers (lists, counts, whole pages) is kept under a stamp of the trail. The
trail is one chain, so that a stamp also tells two histories apart: a database that was restored, or
emptied by a test, never passes for the one that was read before.
"""

from dataclasses import dataclass

from sqlalchemy import select

from labhub.audit import FIRST_HASH, AuditEntry
from labhub.db import db


@dataclass(frozen=True)
class Stamp:
    """A place in the audit trail: its number, and the hash of the entry that stands there."""

    seq: int
    hash: str


START = Stamp(0, FIRST_HASH)


def head() -> Stamp:
    """Return where the trail ends now."""
    found = db.session.connection().exec_driver_sql(_HEAD).one_or_none()  # asked in almost every request
    return Stamp(*found) if found is not None else START


_HEAD = "SELECT seq, hash FROM audit_head WHERE id = 1"


def is_before(earlier: Stamp, later: Stamp) -> bool:
    """Say whether the trail that ends at ``later`` has passed through ``earlier``."""
    if earlier.seq > later.seq:
        return False
    if earlier.seq == later.seq or earlier == START:
        return earlier in (later, START)
    found = db.session.scalar(select(AuditEntry.hash).where(AuditEntry.seq == earlier.seq))
    return found == earlier.hash


class Watch:
    """Looks at the trail for one kind of reader, who does not care about some kinds of changes.

    ``ignored`` are the first words of actions (``session`` for ``session.start``). An action that is
    not named there counts, so that a new one makes a reader look again rather than see what is old.
    """

    def __init__(self, ignored: frozenset[str] = frozenset()) -> None:
        self.ignored = ignored
        self._seen: tuple[Stamp, Stamp] | None = None

    def stamp(self) -> Stamp:
        """Return the place of the last change that counts."""
        now = head()
        seen = self._seen
        if seen is not None and seen[0] == now:
            return seen[1]
        last = now
        if seen is not None and self.ignored and is_before(seen[0], now):
            last = seen[1]
            for seq, hash_, action in db.session.execute(
                select(AuditEntry.seq, AuditEntry.hash, AuditEntry.action)
                .where(AuditEntry.seq > seen[0].seq, AuditEntry.seq <= now.seq)
                .order_by(AuditEntry.seq.desc())
            ):
                if action.partition(".")[0] not in self.ignored:
                    last = Stamp(seq, hash_)
                    break
        self._seen = (now, last)
        return last
