"""Is the hub whole: database, files, audit trail. ``fix`` does only what cannot lose anything."""

from dataclasses import dataclass, field
from hashlib import sha256

from sqlalchemy import select, text

from labhub import audit, clock
from labhub.config import Config
from labhub.db import db, transaction
from labhub.storage import PART_FILES_KEPT_FOR, Incoming, Store, StoredFile

CHUNK_BYTES = 1 << 20


@dataclass
class Diagnosis:
    """What was looked at, what is wrong, and what was mended."""

    checked: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)


def examine(config: Config, store: Store, incoming: Incoming, *, fix: bool = False) -> Diagnosis:
    """Look at everything and name each problem in one line."""
    diagnosis = Diagnosis()
    _database(config, diagnosis)
    _files(store, diagnosis, fix=fix)
    _part_files(incoming, diagnosis, fix=fix)
    chain = audit.verify(config.instance)
    diagnosis.checked["audit entries"] = chain.entries
    if chain.problem:
        diagnosis.problems.append(f"audit trail: {chain.problem}")
    return diagnosis


def _database(config: Config, diagnosis: Diagnosis) -> None:
    if not config.is_sqlite:
        db.session.execute(text("SELECT 1"))
        return
    for row in db.session.execute(text("PRAGMA integrity_check")).scalars():
        if row != "ok":
            diagnosis.problems.append(f"database: {row}")
    for table, rowid, parent, _index in db.session.execute(text("PRAGMA foreign_key_check")).all():
        diagnosis.problems.append(f"database: row {rowid} of {table} points to a missing row of {parent}")


def _files(store: Store, diagnosis: Diagnosis, *, fix: bool) -> None:
    rows = {row.sha256: row.size_bytes for row in db.session.scalars(select(StoredFile))}
    held = set(store.digests())
    diagnosis.checked["file rows"] = len(rows)
    diagnosis.checked["stored files"] = len(held)
    for digest in sorted(rows.keys() - held):
        diagnosis.problems.append(f"file {digest} has a row and no bytes")
    for digest in sorted(rows.keys() & held):
        actual, size = _digest(store, digest)
        if (actual, size) != (digest, rows[digest]):
            diagnosis.problems.append(f"file {digest} is damaged: its bytes give {actual}")
    db.session.rollback()
    for digest in sorted(held - rows.keys()):
        if not fix:
            diagnosis.problems.append(f"file {digest} is held and no row uses it (--fix removes it)")
            continue
        with transaction():  # under the lock nobody can begin to use it
            if db.session.get(StoredFile, digest) is None:
                store.delete(digest)
                diagnosis.mended.append(f"removed file {digest}, which no row uses")


def _digest(store: Store, digest: str) -> tuple[str, int]:
    running, size = sha256(), 0
    with store.open(digest) as file:
        while chunk := file.read(CHUNK_BYTES):
            running.update(chunk)
            size += len(chunk)
    return running.hexdigest(), size


def _part_files(incoming: Incoming, diagnosis: Diagnosis, *, fix: bool) -> None:
    left = incoming.left_over()
    diagnosis.checked["old part files"] = len(left)
    for path in left:
        if fix:
            path.unlink(missing_ok=True)
            diagnosis.mended.append(f"removed the part file {path.name} of an upload that ended")
        else:
            hours = PART_FILES_KEPT_FOR.total_seconds() / 3600
            age = (clock.now().timestamp() - path.stat().st_mtime) / 3600
            diagnosis.problems.append(
                f"part file {path.name} is {age:.1f} h old, more than {hours:.0f} h (--fix removes it)"
            )
