"""The same search on an existing Dask cluster (``docs/cluster.md``): identical output, whoever dies.

The library is cut into pieces; the sites that begin in a piece belong to it (``engines.md``, section 6). A
worker returns them as arrays, sorted and each once; products are paired here, after all pieces have come, so
that none is lost or doubled at a border. A piece whose worker dies is searched again by another one.
"""

import hashlib
import logging
import pickle
import platform
import secrets
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any

import numpy as np

from labhub.errors import Invalid, Unavailable
from labhub.i18n import Message, _
from labhub.sequences import insilico, oligos, packed, seeds
from labhub.sequences.insilico import Assay, Found, Settings, Sites, found_from, merged, prepare, sites
from labhub.sequences.packed import Names, PackedLibrary, open_pack

PIECE_BASES = 1 << 24
"""Packed positions of one task: about a second of work, and 4 MiB where the bases have to be sent."""
MARGIN = 4096
"""Positions around a piece that are sent with it: more than the longest oligo, and what is read ahead."""
CONNECT_SECONDS = 10.0
NO_WORKER_SECONDS = 30.0
"""A cluster without any worker for so long is given up."""
LOOK_SECONDS = 2.0

Progress = Callable[[int, int], object]


class ClusterUnusable(Unavailable):
    """The cluster cannot do the search; the message says why in one line."""

    code = "cluster-unusable"


# What runs on a worker -----------------------------------------------------------------------


@dataclass(frozen=True)
class Identity:
    """What has to be equal here and on a worker for equal results."""

    engine: str
    """Digest of the code that searches."""
    distributed: str
    numpy: str
    python: str


@dataclass(frozen=True)
class Probe:
    """What a worker says of itself."""

    identity: Identity
    sees_pack: bool


def identity() -> Identity:
    """Return what this process searches with."""
    return Identity(
        engine=_engine_digest(),
        distributed=version("distributed"),
        numpy=np.__version__,
        python=".".join(platform.python_version_tuple()[:2]),
    )


@lru_cache
def _engine_digest() -> str:
    digest = hashlib.sha256()
    for module in (insilico, oligos, packed, seeds):
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:16]


def probe(path: str, digest: str) -> Probe:
    """Say on a worker what it searches with, and whether it sees a pack."""
    return Probe(identity(), _sees(path, digest))


def _sees(path: str, digest: str) -> bool:
    if not path:
        return False
    try:
        return open_pack(Path(path)).digest == digest
    except (OSError, Invalid):
        return False


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece of a library: the name of a pack that the worker sees, or its bases."""

    low: int
    high: int
    path: str = ""
    digest: str = ""
    bases: PackedLibrary | None = None
    shift: int = 0
    """Place of the first base of ``bases`` in the library."""


def sites_of_piece(question: bytes, piece: Piece) -> Sites:
    """Return on a worker the sites that begin in a piece, sorted and each once."""
    assays, settings = _question(question)
    if piece.bases is None:
        return sites(assays, _opened(piece.path, piece.digest), piece.low, piece.high, settings)
    shift = piece.shift
    found = sites(assays, piece.bases, piece.low - shift, piece.high - shift, settings)
    return Sites(found.pattern, found.position + shift, found.mismatches, found.cut)


_making = Lock()


def _question(question: bytes) -> tuple[tuple[Assay, ...], Settings]:
    """Return assays and settings; their tables are made once a worker, however many threads it has."""
    with _making:
        return _read_question(question)


@lru_cache(maxsize=4)
def _read_question(question: bytes) -> tuple[tuple[Assay, ...], Settings]:
    assays, settings = pickle.loads(zlib.decompress(question))  # noqa: S301 - the cluster's own messages are pickles
    prepare(assays, settings)
    return assays, settings


@lru_cache(maxsize=4)
def _opened(path: str, digest: str) -> PackedLibrary:
    library = open_pack(Path(path))
    if library.digest != digest:
        raise Invalid(
            _("%(file)s has changed since it was written. Make it again from the sequences.", file=path)
        )
    return library


# What runs here ------------------------------------------------------------------------------


def search_on_cluster(
    assays: Sequence[Assay],
    library: PackedLibrary,
    settings: Settings,
    *,
    address: str,
    progress: Progress | None = None,
    tell: Callable[[Message], object] | None = None,
    piece_bases: int = PIECE_BASES,
    connect_seconds: float = CONNECT_SECONDS,
    no_worker_seconds: float = NO_WORKER_SECONDS,
) -> Found:
    """Return what ``insilico.search`` returns, searched by the workers of a Dask cluster.

    ``tell`` is given remarks. Raises ``ClusterUnusable`` when the cluster does not answer, has no worker,
    or its workers search with something else than this process.
    """
    prepare(assays, settings)  # what is wrong with the question is said before anybody is asked
    question = zlib.compress(pickle.dumps((tuple(assays), settings)))
    with _connected(address, connect_seconds) as client:
        shared = _check_workers(client, address, library, connect_seconds)
        if library.path is not None and not shared and tell is not None:
            tell(_("The workers do not see %(file)s: its bases are sent to them.", file=library.path.name))
        parts = _gathered(
            client,
            address,
            question,
            _pieces(library, piece_bases, shared),
            library.size,
            progress,
            no_worker_seconds,
        )
    return found_from(assays, merged(parts, settings), library, settings)


def _pieces(library: PackedLibrary, size: int, shared: bool) -> Iterator[Piece]:
    size = max(4, size // 4 * 4)
    for low in range(0, library.size, size):
        high = min(low + size, library.size)
        if shared:
            yield Piece(low, high, path=str(Path(str(library.path)).resolve()), digest=library.digest)
        else:
            begin = max(low - MARGIN, 0) // 4 * 4
            yield Piece(low, high, bases=_cut(library, begin, min(high + MARGIN, library.size)), shift=begin)


def _cut(library: PackedLibrary, begin: int, end: int) -> PackedLibrary:
    """Return the packed positions ``begin`` (a multiple of 4) to ``end`` as a library without records."""
    first = int(np.searchsorted(library.odd_end, begin, side="right"))
    last = int(np.searchsorted(library.odd_start, end, side="left"))
    none = np.zeros(0, np.int64)
    return PackedLibrary(
        names=Names.of([]),
        lengths=none,
        circular=np.zeros(0, np.bool_),
        offsets=none,
        size=end - begin,
        packed=np.array(library.packed[begin // 4 : -(-end // 4)]),
        odd_start=np.maximum(library.odd_start[first:last], begin) - begin,
        odd_end=np.minimum(library.odd_end[first:last], end) - begin,
        odd_set=np.array(library.odd_set[first:last]),
        digest=library.digest,
    )


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise ClusterUnusable(
            _("Dask is not installed here. Install labhub with the extra dask (docs/cluster.md).")
        ) from None
    return distributed


@contextmanager
def _connected(address: str, seconds: float) -> Iterator[Any]:
    """Connect to a scheduler; what Dask logs of lost connections is said once, by us."""
    distributed = _distributed()
    logs = [
        logging.getLogger(name)
        for name in list(logging.root.manager.loggerDict)
        if name.startswith("distributed")
    ]
    levels = [each.level for each in logs]
    for each in logs:
        each.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions are compared below, and the message is one line
            try:
                client = distributed.Client(address, timeout=seconds, set_as_default=False)
            except (OSError, TimeoutError, ValueError, RuntimeError) as error:
                raise ClusterUnusable(
                    _("The Dask cluster at %(address)s does not answer.", address=address)
                ) from error
            try:
                yield client
            finally:
                client.close(timeout=seconds)
    finally:
        for each, level in zip(logs, levels, strict=True):
            each.setLevel(level)


def _check_workers(client: Any, address: str, library: PackedLibrary, seconds: float) -> bool:
    """Compare the workers with this process; return whether all of them see the file of the library."""
    path = str(library.path.resolve()) if library.path is not None else ""
    end = monotonic() + seconds
    while True:
        found = _asked(client, address, path, library.digest)
        if found:
            break
        if monotonic() > end:
            raise ClusterUnusable(_("The Dask cluster at %(address)s has no worker.", address=address))
        sleep(0.1)
    own = identity()
    for worker, said in sorted(found.items()):
        if not isinstance(said, Probe):
            raise ClusterUnusable(
                _(
                    "The worker %(worker)s cannot search: labhub or a part is missing there (%(problem)s).",
                    worker=worker,
                    problem=_first_line(said),
                )
            )
        if said.identity != own:
            raise ClusterUnusable(
                _(
                    "The worker %(worker)s has other versions (%(theirs)s) than this machine (%(ours)s).",
                    worker=worker,
                    theirs=_versions(said.identity),
                    ours=_versions(own),
                )
            )
    return all(said.sees_pack for said in found.values())


def _asked(client: Any, address: str, path: str, digest: str) -> dict[str, Any]:
    try:
        answers: dict[str, Any] = client.run(probe, path, digest, on_error="return")
    except (OSError, TimeoutError) as error:
        raise _lost(address) from error
    return answers


def _versions(who: Identity) -> str:
    return (
        f"labhub engine {who.engine}, distributed {who.distributed}, numpy {who.numpy}, Python {who.python}"
    )


def _first_line(said: object) -> str:
    return (str(said).splitlines() or [type(said).__name__])[0][:200]


def _lost(address: str) -> ClusterUnusable:
    return ClusterUnusable(_("The connection to the Dask cluster at %(address)s was lost.", address=address))


def _gathered(
    client: Any,
    address: str,
    question: bytes,
    pieces: Iterator[Piece],
    size: int,
    progress: Progress | None,
    no_worker_seconds: float,
) -> list[Sites]:
    """Return the sites of all pieces; only some are with the scheduler at a time."""
    distributed = _distributed()
    run = secrets.token_hex(6)
    waiting: dict[Any, int] = {}
    parts: list[Sites] = []
    done = 0
    seen_worker = monotonic()
    try:
        more = True
        while more or waiting:
            workers = client.nthreads()
            if workers:
                seen_worker = monotonic()
            elif monotonic() - seen_worker > no_worker_seconds:
                raise ClusterUnusable(_("The Dask cluster at %(address)s has no worker.", address=address))
            most = 2 * max(sum(workers.values()), 1)
            while more and len(waiting) < most:
                piece = next(pieces, None)
                if piece is None:
                    more = False
                    break
                future = client.submit(
                    sites_of_piece, question, piece, key=f"labhub-{run}-{piece.low}", retries=2, pure=False
                )
                waiting[future] = piece.high - piece.low
            if not waiting:
                break
            try:
                with client.as_current():
                    distributed.wait(list(waiting), timeout=LOOK_SECONDS, return_when="FIRST_COMPLETED")
            except TimeoutError:
                continue
            for future in [each for each in waiting if each.done()]:
                parts.append(_result(future, address))
                done += waiting.pop(future)
                if progress is not None:
                    progress(done, size)
    except (OSError, TimeoutError) as error:
        raise _lost(address) from error
    finally:
        if waiting and client.status == "running":
            client.cancel(list(waiting), force=True)
    return parts


def _result(future: Any, address: str) -> Sites:
    """Return what a task gave; a fault of it is said in one line."""
    distributed = _distributed()
    try:
        found = future.result()
    except distributed.KilledWorker as error:
        raise ClusterUnusable(
            _("The workers of %(address)s die one after the other at the same piece.", address=address)
        ) from error
    except (CancelledError, OSError, TimeoutError) as error:
        raise _lost(address) from error
    except (ImportError, AttributeError, Invalid, MemoryError) as error:
        raise ClusterUnusable(
            _("A worker of %(address)s failed: %(problem)s", address=address, problem=_first_line(error))
        ) from error
    if not isinstance(found, Sites):
        raise _lost(address)
    return found
