"""The hub's records as one packed library for searches: a file that is made anew when records change.

It holds every record that is neither sealed nor withdrawn, whoever may see it: what a search finds must pass
``visible_records`` before anybody is told. Sealed bases never enter it. The files are the hub's own
(mode 0600) and can be deleted at any time (decision 0028).
"""

import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Engine, and_, func, select
from sqlalchemy.exc import SQLAlchemyError

from labhub import changes, clock
from labhub.accounts.actor import Actor
from labhub.db import db
from labhub.doctor import Diagnosis
from labhub.errors import Invalid
from labhub.sequences.models import (
    ReferenceSequence,
    SequenceBases,
    SequenceState,
    Topology,
    Visibility,
)
from labhub.sequences.packed import PackedLibrary, check_pack, open_pack, pack, write_pack
from labhub.sequences.position_index import PositionIndex, index_path, open_index, write_index
from labhub.sequences.queries import is_visible

log = structlog.get_logger("labhub.library")

FORM = "1"
"""Part of each key: another form of the files has other names."""
ROWS_AT_ONCE = 50
LEAST_INDEXED = 1_000_000
"""Bases from which on the library has an index: below, reading it all is as fast."""
PART_SECONDS = 3600
"""Files that a build left behind are removed when they are older."""


@dataclass(frozen=True, eq=False)
class HubLibrary:
    """The packed records of the hub, in the order of their numbers."""

    packed: PackedLibrary
    ids: list[int]
    """The number of each record's row, ascending."""
    key: str
    """SHA-256 over numbers, digests and topologies: the same records give the same key."""
    index: PositionIndex | None = None
    """Where each word occurs, for searches with few assays; there is none until a worker has made it."""

    def places(self, numbers: Iterable[int]) -> NDArray[np.bool_]:
        """Say of each record whether its row's number is among ``numbers``."""
        return np.isin(np.array(self.ids, np.int64), np.fromiter(numbers, np.int64))


@dataclass
class _Shelf:
    """What one process holds of one hub."""

    folder: Path
    lock: threading.Lock = field(default_factory=threading.Lock)
    head: changes.Stamp | None = None
    """Where the audit trail ended at the last look."""
    counts: tuple[int, int, int] | None = None
    """How many records there were then, their last number, and how often they had been changed."""
    library: HubLibrary | None = None


_shelves: "WeakKeyDictionary[Engine, _Shelf]" = WeakKeyDictionary()


def keep_library_in(folder: Path) -> None:
    """Say where the present hub keeps the files of its library."""
    _shelves[db.engine] = _Shelf(folder)


def is_in_library() -> ColumnElement[bool]:
    """Return the condition under which a record is in the library."""
    return and_(
        ReferenceSequence.visibility != Visibility.SEALED,
        ReferenceSequence.state != SequenceState.WITHDRAWN,
    )


def hub_library() -> HubLibrary:
    """Return the library of the records as they are now; it is packed first when they have changed.

    Nothing in it may be told before ``visible_records`` was asked.
    """
    shelf = _shelves[db.engine]
    with shelf.lock:
        head, counts = changes.head(), None
        if shelf.library is not None and shelf.library.index is None:
            shelf.library = _with_index(shelf.library)
        if shelf.library is not None and head == shelf.head:
            return shelf.library
        counts = _counts()
        if shelf.library is None or counts != shelf.counts:
            key = _key(_rows())
            if shelf.library is None or shelf.library.key != key:
                shelf.library = _renewed(shelf.folder, key)
        shelf.head, shelf.counts = head, counts
        return shelf.library


def renew_library() -> None:
    """Make the library and its index anew when records have changed, so that no search waits for it."""
    shelf = _shelves[db.engine]
    try:
        library = hub_library()
        db.session.rollback()
        if library.index is None and _deserves_index(library):
            begun = time.monotonic()
            with _locked(shelf.folder):
                pack_file = _pack_path(shelf.folder, library.key)
                if pack_file.exists() and not index_path(pack_file).exists():
                    write_index(library.packed, index_path(pack_file))
            log.info("library-indexed", seconds=round(time.monotonic() - begun, 2))
    except (SQLAlchemyError, OSError) as error:
        log.warning("library-not-renewed", error=type(error).__name__)


def has_index() -> bool:
    """Whether a search with few assays need not read the whole library."""
    library = _shelves[db.engine].library
    return library is not None and library.index is not None


def _deserves_index(library: HubLibrary) -> bool:
    return library.packed.path is not None and library.packed.total_bases >= LEAST_INDEXED


def _with_index(library: HubLibrary) -> HubLibrary:
    """Return the library with its index when that has been made meanwhile."""
    path = library.packed.path
    if path is None or not _deserves_index(library) or not index_path(path).exists():
        return library
    try:
        return replace(library, index=open_index(index_path(path), library.packed))
    except FileNotFoundError:  # the library was renewed at this moment
        return library
    except Invalid:
        index_path(path).unlink(missing_ok=True)  # damaged: it is made anew
        return library


def bases_to_pack() -> int:
    """Return how many bases have to be packed before a search can begin; 0 when all is ready."""
    shelf = _shelves[db.engine]
    if shelf.library is not None and (changes.head() == shelf.head or _counts() == shelf.counts):
        return 0
    if _pack_path(shelf.folder, _key(_rows())).exists():
        return 0
    return (
        db.session.scalar(
            select(func.coalesce(func.sum(ReferenceSequence.length_bp), 0)).where(is_in_library())
        )
        or 0
    )


def visible_records(actor: Actor | None, library: HubLibrary) -> NDArray[np.bool_]:
    """Say of each record of the library whether ``actor`` may see it, bases and all, at this moment."""
    return library.places(
        db.session.scalars(select(ReferenceSequence.id).where(is_visible(actor), is_in_library()))
    )


def searched_records(actor: Actor | None, library: HubLibrary) -> NDArray[np.bool_]:
    """Say of each record whether a search of the whole hub by ``actor`` looks at it: seen, and current."""
    old = select(ReferenceSequence.id).where(ReferenceSequence.state == SequenceState.SUPERSEDED)
    return visible_records(actor, library) & ~library.places(db.session.scalars(old))


def part_of(library: PackedLibrary, wanted: NDArray[np.bool_]) -> PackedLibrary:
    """Return some records of a library, packed in memory; the library itself when they are all."""
    if wanted.all():
        return library
    return pack(
        (library.names[place], library.bases(place), bool(library.circular[place]))
        for place in np.flatnonzero(wanted).tolist()
    )


def library_for(actor: Actor | None) -> PackedLibrary:
    """Return what a search of the whole hub by ``actor`` looks at, as a library of its own."""
    library = hub_library()
    return part_of(library.packed, searched_records(actor, library))


def forget_library() -> None:
    """Remove the files of the library: a record in it was sealed. The next search makes them anew."""
    shelf = _shelves.get(db.engine)
    if shelf is None:
        return
    with shelf.lock:
        shelf.library = shelf.head = shelf.counts = None
        try:
            with _locked(shelf.folder):
                _remove_others(shelf.folder, "")
        except OSError as error:
            log.error("library-not-removed", error=error.strerror or type(error).__name__)


def _counts() -> tuple[int, int, int]:
    """Return what moves whenever a record changes."""
    count, last, versions = db.session.execute(
        select(
            func.count(),
            func.coalesce(func.max(ReferenceSequence.id), 0),
            func.coalesce(func.sum(ReferenceSequence.row_version), 0),
        )
    ).one()
    return int(count), int(last), int(versions)


def _rows() -> Iterable[tuple[int, str, Topology]]:
    rows = db.session.execute(
        select(ReferenceSequence.id, ReferenceSequence.digest, ReferenceSequence.topology)
        .where(is_in_library())
        .order_by(ReferenceSequence.id)
    )
    return ((number, digest, topology) for number, digest, topology in rows)


def _key(rows: Iterable[tuple[int, str, Topology]]) -> str:
    digest = hashlib.sha256(FORM.encode())
    for number, bases, topology in rows:
        digest.update(f"{number} {bases} {topology.value}\n".encode())
    return digest.hexdigest()[:40]


def _pack_path(folder: Path, key: str) -> Path:
    return folder / f"hub-{key}.labpack"


def _ids_path(folder: Path, key: str) -> Path:
    return folder / f"hub-{key}.ids"


def _renewed(folder: Path, key: str) -> HubLibrary:
    """Return the library of ``key`` from its files, which are made first where they are not there."""
    try:
        with _locked(folder):
            found = _open(folder, key) or _write(folder)
            _remove_others(folder, found.key)
            return found
    except OSError as error:  # a full or broken disk does not stop searches
        log.warning("library-not-written", error=error.strerror or type(error).__name__)
        reading = _Reading()
        packed = pack(reading)
        return HubLibrary(packed, reading.ids, reading.key)


def _open(folder: Path, key: str) -> HubLibrary | None:
    path = _pack_path(folder, key)
    if not path.exists():
        return None
    try:
        packed = open_pack(path)
        ids = np.fromfile(_ids_path(folder, key), np.int64).tolist()
    except (Invalid, FileNotFoundError):
        return None
    return _with_index(HubLibrary(packed, ids, key)) if len(ids) == len(packed) else None


class _Reading:
    """Reads the records with their bases, one after the other, and notes which they were."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.digest = hashlib.sha256(FORM.encode())

    @property
    def key(self) -> str:
        """The key of what was read."""
        return self.digest.hexdigest()[:40]

    def __iter__(self) -> Iterator[tuple[str, bytes, bool]]:
        query = (
            select(
                ReferenceSequence.id,
                ReferenceSequence.accession,
                ReferenceSequence.digest,
                ReferenceSequence.topology,
                SequenceBases.bases,
            )
            .join(SequenceBases, SequenceBases.sequence_id == ReferenceSequence.id)
            .where(is_in_library())
            .order_by(ReferenceSequence.id)
            .execution_options(yield_per=ROWS_AT_ONCE)
        )
        with db.session.execute(query) as rows:
            for number, accession, bases_digest, topology, bases in rows:
                self.ids.append(number)
                self.digest.update(f"{number} {bases_digest} {topology.value}\n".encode())
                yield accession, bases.encode("ascii", "replace"), topology is Topology.CIRCULAR


def _write(folder: Path) -> HubLibrary:
    begun = time.monotonic()
    reading = _Reading()
    made = folder / f".hub-{os.getpid()}-{threading.get_ident()}.part"
    try:
        write_pack(made, reading)
        _write_ids(_ids_path(folder, reading.key), reading.ids)
        path = made.replace(_pack_path(folder, reading.key))
    finally:
        made.unlink(missing_ok=True)
    log.info("library-packed", records=len(reading.ids), seconds=round(time.monotonic() - begun, 2))
    return HubLibrary(open_pack(path), reading.ids, reading.key)


def _write_ids(path: Path, ids: list[int]) -> None:
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        np.array(ids, np.int64).tofile(file)
        file.flush()
        os.fsync(file.fileno())


def _remove_others(folder: Path, key: str) -> None:
    """Remove the files of other keys: who has them mapped keeps them until they let go."""
    for path in folder.iterdir():
        is_other = path.name.startswith("hub-") and not path.name.startswith(f"hub-{key}.")
        if is_other or (
            path.name.endswith(".part") and clock.now().timestamp() - path.stat().st_mtime > PART_SECONDS
        ):
            path.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time make or remove files."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(folder / ".lock", "a", opener=lambda name, flags: os.open(name, flags, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def examine_library(diagnosis: Diagnosis, *, fix: bool = False) -> None:
    """Read the files of the library; a damaged one can only be removed, and is made anew when needed."""
    folder = _shelves[db.engine].folder
    packs = sorted(folder.glob("hub-*.labpack")) if folder.is_dir() else []
    diagnosis.checked["packed records"] = 0
    for path in packs:
        try:
            diagnosis.checked["packed records"] += len(check_pack(path))
        except (Invalid, OSError):
            if fix:
                path.unlink(missing_ok=True)
                diagnosis.mended.append(f"removed the damaged pack {path.name}; it is made anew when needed")
            else:
                diagnosis.problems.append(f"pack {path.name} is damaged (--fix removes it)")
