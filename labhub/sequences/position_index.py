"""Where each word of ten bases occurs in a packed library, for searching few assays without reading it all.

The index is a file beside the pack, mapped into memory; it is made once and knows the digest of its
library. It takes four bytes a base (eight above four thousand million positions).
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labhub.errors import Invalid
from labhub.i18n import _
from labhub.sequences.packed import PackedLibrary
from labhub.sequences.seeds import WIDTH

SUFFIX = ".index"
"""What follows the name of the pack."""
AT_ONCE = 1 << 22
"""Positions that are sorted at once: memory is bounded by them."""
_MAGIC = b"LABINDX1"
_HEADER = 4096
"""Bytes before the tables, a whole page."""
_WORDS = 4**WIDTH


@dataclass(frozen=True, eq=False)
class PositionIndex:
    """The positions of each word, ascending, one word after the other."""

    digest: str
    """That of the library."""
    begins: NDArray[np.int64]
    """First place in ``positions`` of each word (first base in the lowest bits), shape ``(4**10 + 1,)``."""
    positions: NDArray[Any]
    """Packed positions at which words begin; those that reach a separator or a gap are left out."""
    path: Path | None = None

    def occurrences(self, words: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return how often each word occurs."""
        return self.begins[words + 1] - self.begins[words]


def index_path(pack: Path) -> Path:
    """Return where the index of a pack lies."""
    return pack.with_name(pack.name + SUFFIX)


def build_index(library: PackedLibrary) -> PositionIndex:
    """Return the index of a library, in memory."""
    begins = _begins(library)
    positions = np.empty(int(begins[-1]), _kind(library))
    _fill(library, begins, positions, None)
    return PositionIndex(library.digest, begins, positions)


def write_index(
    library: PackedLibrary, path: Path, *, progress: Callable[[int, int], object] | None = None
) -> None:
    """Write the index of a library to a file that appears when it is whole; memory is bounded."""
    path = Path(path)
    begins = _begins(library)
    kind = np.dtype(_kind(library))
    about = json.dumps(
        {"digest": library.digest, "size": library.size, "positions": int(begins[-1]), "kind": kind.str}
    )
    with NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
        part = Path(file.name)
        try:
            file.write((_MAGIC + about.encode()).ljust(_HEADER, b"\0"))
            file.write(begins.astype("<i8").tobytes())
            file.truncate(_HEADER + begins.nbytes + int(begins[-1]) * kind.itemsize)
            file.flush()
            if begins[-1]:
                positions = np.memmap(
                    part, kind, "r+", offset=_HEADER + begins.nbytes, shape=(int(begins[-1]),)
                )
                _fill(library, begins, positions, progress)
                positions.flush()
                del positions
            os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def open_index(path: Path, library: PackedLibrary) -> PositionIndex:
    """Map the index of a library; raises ``Invalid`` when it is cut off or another library's."""
    path = Path(path)
    wrong = Invalid(
        _("%(file)s is no complete index of this pack. Make it again.", file=path.name), field="reference"
    )
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEADER)
    if len(head) < _HEADER or not head.startswith(_MAGIC):
        raise wrong
    try:
        about = json.loads(head[len(_MAGIC) :].rstrip(b"\0"))
        kind, count = np.dtype(about["kind"]), int(about["positions"])
    except (ValueError, KeyError, TypeError) as error:
        raise wrong from error
    tables = _HEADER + 8 * (_WORDS + 1)
    if (
        kind.str not in ("<u4", "<i8")
        or size != tables + count * kind.itemsize
        or about.get("digest") != library.digest
    ):
        raise wrong
    begins = np.memmap(path, "<i8", "r", offset=_HEADER, shape=(_WORDS + 1,)).view(np.ndarray)
    positions: NDArray[Any] = np.zeros(0, kind)
    if count:
        positions = np.memmap(path, kind, "r", offset=tables, shape=(count,)).view(np.ndarray)
    if begins[0] != 0 or begins[-1] != count:
        raise wrong
    return PositionIndex(library.digest, begins, positions, path)


def _kind(library: PackedLibrary) -> str:
    return "<u4" if library.size < 1 << 32 else "<i8"


def _words(library: PackedLibrary, low: int, high: int) -> NDArray[np.uint64]:
    """Return ``word << 32 | place`` of the positions ``low`` to ``high`` where a word can match anything."""
    codes = library.codes(low, min(high + WIDTH - 1, library.size)).astype(np.uint32)
    count = max(min(high, library.size - WIDTH + 1) - low, 0)
    two = codes[:-1] | codes[1:] << np.uint32(2)
    four = two[:-2] | two[2:] << np.uint32(4)
    eight = four[:-4] | four[4:] << np.uint32(8)
    word = eight[:count] | two[8 : 8 + count] << np.uint32(16)
    keep = np.ones(count, np.bool_)
    first = int(np.searchsorted(library.odd_end, low, side="right"))
    last = int(np.searchsorted(library.odd_start, low + count + WIDTH, side="left"))
    for run in range(first, last):
        if library.odd_set[run] == 0:
            begin = max(int(library.odd_start[run]) - WIDTH + 1 - low, 0)
            keep[begin : max(int(library.odd_end[run]) - low, 0)] = False
    places = np.flatnonzero(keep)
    keys: NDArray[np.uint64] = word[places].astype(np.uint64) << np.uint64(32) | places.astype(np.uint64)
    return keys


def _begins(library: PackedLibrary) -> NDArray[np.int64]:
    counts = np.zeros(_WORDS, np.int64)
    for low in range(0, library.size, AT_ONCE):
        words = _words(library, low, low + AT_ONCE) >> np.uint64(32)
        counts += np.bincount(words.view(np.int64), minlength=_WORDS)
    begins = np.zeros(_WORDS + 1, np.int64)
    np.cumsum(counts, out=begins[1:])
    return begins


def _fill(
    library: PackedLibrary,
    begins: NDArray[np.int64],
    positions: NDArray[Any],
    progress: Callable[[int, int], object] | None,
) -> None:
    """Put the positions of each word behind those of the pieces before."""
    cursor = begins[:-1].copy()
    for low in range(0, library.size, AT_ONCE):
        keys = _words(library, low, low + AT_ONCE)
        keys.sort()
        words = (keys >> np.uint64(32)).view(np.int64)
        counts = np.bincount(words, minlength=_WORDS)
        firsts = np.cumsum(counts) - counts
        target = np.arange(len(keys)) + (cursor - firsts)[words]
        positions[target] = (keys & np.uint64(0xFFFFFFFF)).view(np.int64) + low
        cursor += counts
        if progress is not None:
            progress(min(low + AT_ONCE, library.size), library.size)
