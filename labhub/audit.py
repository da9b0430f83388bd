"""The tamper-evident trail: one entry for each state change, chained by SHA-256.

An entry is written in the transaction of the change. The head of the chain is a row that is
locked while an entry is added, and is exported to ``audit-heads.jsonl`` in the instance folder
(daily and at each publication), because a chain inside the table cannot show that its tail
was cut off (``trust.md`` G1 to G3). Entries name persons by number only.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import BigInteger, CheckConstraint, Index, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from labhub import clock
from labhub.db import Model, UtcDateTime, after_commit, db

FIRST_HASH = "0" * 64
HEADS_FILE = "audit-heads.jsonl"


class Who(Protocol):
    """What the trail needs to know of the person who acts."""

    @property
    def user_id(self) -> int | None: ...
    @property
    def role_names(self) -> str: ...
    @property
    def party_id(self) -> int | None: ...
    @property
    def laboratory_ids(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class Origin:
    """Where a change came from: the request's id and its door (web, api, cli, job)."""

    request_id: str = ""
    source: str = "job"


_NO_DOOR = Origin()
_origin: ContextVar[Origin] = ContextVar("labhub_origin", default=_NO_DOOR)


def set_origin(request_id: str, source: str) -> None:
    """Say where the changes of this request or command come from."""
    _origin.set(Origin(request_id, source))


def origin() -> Origin:
    """Return where the changes of this request or command come from."""
    return _origin.get()


@contextmanager
def from_source(request_id: str, source: str) -> Iterator[None]:
    """Say where the changes inside the block come from."""
    token = _origin.set(Origin(request_id, source))
    try:
        yield
    finally:
        _origin.reset(token)


class AuditEntry(Model):
    """One state change. Rows are never changed or removed: triggers refuse it."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_object", "object_kind", "object_id"),)

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    user_id: Mapped[int | None]
    roles: Mapped[str] = mapped_column(String(400))
    party_id: Mapped[int | None]
    laboratory_ids: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(60), index=True)
    object_kind: Mapped[str] = mapped_column(String(60))
    object_id: Mapped[str] = mapped_column(String(200))
    object_version: Mapped[str] = mapped_column(String(40))
    before: Mapped[str] = mapped_column(Text)
    """Canonical JSON of the fields before the change."""
    after: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(20))
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Model):
    """The one row with the last number and hash of the chain."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))


HASHED_COLUMNS = tuple(column.key for column in AuditEntry.__table__.columns if column.key != "hash")


def entry_hash(entry: AuditEntry) -> str:
    """Return the SHA-256 of every column of an entry but the hash itself."""
    return sha256(canonical({name: getattr(entry, name) for name in HASHED_COLUMNS}).encode()).hexdigest()


def canonical(fields: Mapping[str, Any]) -> str:
    """Return JSON with sorted keys and no blanks, the same on every machine."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (date, Path)):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot be written to the audit trail")


def record(
    who: Who | None,
    action: str,
    object_kind: str,
    object_id: object,
    *,
    version: object = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    export: bool = False,
) -> AuditEntry:
    """Add one entry to the chain, inside the present transaction.

    ``export`` also writes the new head outside the database once the change is committed.
    """
    session = db.session
    session.flush()
    head = session.get(AuditHead, 1, with_for_update=True, populate_existing=True)
    if head is None:
        head = AuditHead(id=1, seq=0, hash=FIRST_HASH)
        session.add(head)
    where = _origin.get()
    entry = AuditEntry(
        seq=head.seq + 1,
        at=clock.now(),
        user_id=who.user_id if who else None,
        roles=(who.role_names if who else "")[:400],
        party_id=who.party_id if who else None,
        laboratory_ids=",".join(str(number) for number in who.laboratory_ids)[:200] if who else "",
        action=action,
        object_kind=object_kind,
        object_id=str(object_id),
        object_version=str(version),
        before=canonical(before or {}),
        after=canonical(after or {}),
        reason=reason,
        request_id=where.request_id,
        source=where.source,
        previous_hash=head.hash,
    )
    entry.hash = entry_hash(entry)
    head.seq, head.hash = entry.seq, entry.hash
    session.add(entry)
    session.flush()
    if export:
        after_commit(lambda: export_head(HEADS_FOLDER[0]) if HEADS_FOLDER else None)
    return entry


HEADS_FOLDER: list[Path] = []
"""The instance folder, set by ``create_app``; a list so that tests can point it elsewhere."""


def export_head(folder: Path) -> None:
    """Append the head of the chain to the file outside the database, synced to disk."""
    head = db.session.get(AuditHead, 1, populate_existing=True)
    if head is None:
        return
    line = canonical({"at": clock.now(), "hash": head.hash, "seq": head.seq}) + "\n"
    with (folder / HEADS_FILE).open("a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


@dataclass(frozen=True)
class Verification:
    """The outcome of reading the whole chain; ``problem`` is empty when all is well."""

    entries: int
    heads: int
    problem: str = ""


def verify(folder: Path) -> Verification:
    """Read the chain from its first entry and compare it with the exported heads.

    The first entry that is changed, missing, added or out of order is named.
    """
    exported, problem = _exported_heads(folder)
    if problem:
        return Verification(0, len(exported), problem)
    count, previous, found, problem = _walk(exported.keys())
    if problem:
        return Verification(count, len(exported), problem)
    for seq, digest in sorted(exported.items()):
        if seq > count:
            return Verification(
                count, len(exported), f"Entry {count + 1} is missing: an exported head names {seq} entries."
            )
        if found.get(seq) != digest:
            return Verification(count, len(exported), f"Entry {seq} differs from the head exported for it.")
    head = db.session.get(AuditHead, 1, populate_existing=True)
    last = (head.seq, head.hash) if head else (0, FIRST_HASH)
    if last != (count, previous):
        return Verification(
            count, len(exported), f"Entry {min(last[0], count) + 1} and the head of the chain disagree."
        )
    return Verification(count, len(exported))


def _walk(wanted: Collection[int]) -> tuple[int, str, dict[int, str], str]:
    """Return how many entries hold, the last hash, the hashes of ``wanted``, and the first problem."""
    previous, count = FIRST_HASH, 0
    found: dict[int, str] = {}
    query = select(AuditEntry).order_by(AuditEntry.seq).execution_options(yield_per=1000)
    with closing(db.session.scalars(query)) as entries:
        for entry in entries:
            if entry.seq != count + 1:
                return count, previous, found, f"Entry {count + 1} is missing; {entry.seq} follows."
            if entry.previous_hash != previous:
                return count, previous, found, f"Entry {entry.seq} does not follow the one before it."
            if entry.hash != entry_hash(entry):
                return count, previous, found, f"Entry {entry.seq} was changed after it was written."
            count, previous = entry.seq, entry.hash
            if count in wanted:
                found[count] = previous
            db.session.expunge(entry)
    return count, previous, found, ""


def _exported_heads(folder: Path) -> tuple[dict[int, str], str]:
    path = folder / HEADS_FILE
    heads: dict[int, str] = {}
    if not path.exists():
        return heads, ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            seq, digest = int(row["seq"]), str(row["hash"])
        except (ValueError, KeyError, TypeError):
            return heads, f"Line {number} of {path.name} cannot be read."
        if heads.setdefault(seq, digest) != digest:
            return heads, f"Two heads exported for entry {seq} differ ({path.name}, line {number})."
    return heads, ""
