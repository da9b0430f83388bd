"""Reference sequences packed two bits a base, in memory or in a memory-mapped file (``.labpack``).

The packed text is one run over all records, so that a search scans arrays and never strings. Each
record is followed by 64 separators, which match nothing; a circular one before that by its first
256 bases, so that a site over the origin lies in one piece. Letters beside A, C, G and T keep their
whole meaning as runs of one 4-bit set; in the two bits stands one member of the set (decision
0025).
Coordinates are 0-based, on the plus strand as written.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

from labhub.errors import Invalid
from labhub.i18n import _
from labhub.sequences.oligos import IUPAC

WRAP = 256
"""Bases of its beginning that follow a circular record; more than the longest oligo (200)."""
SEPARATOR = 64
"""Separators behind each record."""
BLOCK = 1 << 22
"""Letters that are packed at once."""

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Bases = bytes | str | Iterable[bytes]
"""Letters of a record: whole, or in blocks when it is too long to be held."""

_MAGIC = b"LABPACK1"
_HEADER = len(_MAGIC) + 8

BIT: dict[str, int] = {"A": 1, "C": 2, "G": 4, "T": 8}
SETS: Bytes = np.zeros(256, np.uint8)
"""The 4-bit set of each letter (A 1, C 2, G 4, T 8); 0 for everything that is no letter of a nucleotide."""
for _letter, _stands in {**IUPAC, "U": IUPAC["T"]}.items():
    SETS[ord(_letter)] = SETS[ord(_letter.lower())] = sum(BIT[base] for base in _stands)
_LETTERS: Bytes = np.full(16, ord("-"), np.uint8)
for _letter, _stands in IUPAC.items():
    _LETTERS[sum(BIT[base] for base in _stands)] = ord(_letter)
_MEMBER: Bytes = np.array([0, *(int(each & -each).bit_length() - 1 for each in range(1, 16))], np.uint8)
"""The 2-bit code of one member of each set."""
_CODES: Bytes = _MEMBER[SETS]
_IS_ODD: NDArray[np.bool_] = ~np.isin(SETS, (1, 2, 4, 8))
UNPACKED: NDArray[np.uint32] = (
    np.array([[byte >> shift & 3 for shift in (0, 2, 4, 6)] for byte in range(256)], np.uint8)
    .view(np.uint32)
    .ravel()
)


class Names(Sequence[str]):
    """The names of the records; kept as one piece of text, since there may be millions."""

    def __init__(self, text: Bytes, ends: Places) -> None:
        self.text = text
        self.ends = ends

    @classmethod
    def of(cls, names: Iterable[str]) -> "Names":
        """Return names that are given one by one."""
        encoded = [name.encode() for name in names]
        ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: int | slice) -> str | list[str]:
        if isinstance(key, slice):
            return [self[place] for place in range(*key.indices(len(self)))]
        place = range(len(self))[key]
        begin = int(self.ends[place - 1]) if place else 0
        return self.text[begin : int(self.ends[place])].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        text, begin = self.text.tobytes(), 0
        for end in self.ends.tolist():
            yield text[begin:end].decode()
            begin = end


@dataclass(frozen=True, eq=False)
class PackedLibrary:
    """Packed records; arrays have one entry a record (``n``) or a run of odd bases (``m``)."""

    names: Names
    lengths: Places
    """Bases of each record, shape ``(n,)``."""
    circular: NDArray[np.bool_]
    offsets: Places
    """Packed position of the first base of each record, ascending, shape ``(n,)``."""
    size: int
    """Packed positions in all, wraps and separators included."""
    packed: Bytes
    """Four bases a byte, the first in the lowest bits, shape ``(ceil(size / 4),)``."""
    odd_start: Places
    """First packed position of each run of one letter that is not A, C, G or T, ascending, shape ``(m,)``."""
    odd_end: Places
    """The position behind each run."""
    odd_set: Bytes
    """The 4-bit set of each run; 0 for separators and gaps, which match nothing."""
    digest: str
    """SHA-256 over names, topologies and bases: the same records in the same order give the same."""
    path: Path | None = field(default=None)
    """The file that it is mapped from."""

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def total_bases(self) -> int:
        """Bases of all records, without wraps and separators."""
        return int(self.lengths.sum())

    def codes(self, low: int, high: int) -> Bytes:
        """Return the 2-bit codes (A 0, C 1, G 2, T 3) of positions ``low`` to ``high``, one a byte.

        Odd bases have the code of one member of their set, separators 0: ``odd_within`` tells them apart.
        """
        first = low // 4
        words = np.take(UNPACKED, self.packed[first : -(-high // 4)])
        return words.view(np.uint8)[low - 4 * first : high - 4 * first]

    def sets(self, low: int, high: int) -> Bytes:
        """Return the 4-bit sets of positions ``low`` to ``high``; 0 for separators and gaps."""
        found = np.left_shift(np.uint8(1), self.codes(low, high))
        first = int(np.searchsorted(self.odd_end, low, side="right"))
        last = int(np.searchsorted(self.odd_start, high, side="left"))
        if last > first:
            starts = np.maximum(self.odd_start[first:last], low) - low
            sizes = np.minimum(self.odd_end[first:last], high) - low - starts
            before = np.cumsum(sizes) - sizes
            places = np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes)
            found[places] = np.repeat(self.odd_set[first:last], sizes)
        return found

    def odd_within(self, starts: Places, size: int) -> NDArray[np.bool_]:
        """Say of windows of ``size`` positions whether any base in them is not A, C, G or T."""
        if not len(self.odd_end):
            return np.zeros(len(starts), np.bool_)
        run = np.searchsorted(self.odd_end, starts, side="right")
        inside = np.minimum(run, len(self.odd_end) - 1)
        return (run < len(self.odd_end)) & (self.odd_start[inside] < np.asarray(starts) + size)

    def locate(self, positions: Places) -> tuple[Places, Places]:
        """Return record and place in it of packed positions; in the wrap the place is the length or more."""
        record = np.searchsorted(self.offsets, positions, side="right") - 1
        return record, np.asarray(positions) - self.offsets[record]

    def bases(self, record: int, start: int = 0, size: int | None = None) -> str:
        """Return letters of the plus strand in upper case, U as T, gaps as ``-``.

        Runs over the origin of a circular record as often as ``size`` asks; ends with a linear one.
        """
        length, begin = int(self.lengths[record]), int(self.offsets[record])
        if size is None:
            size = length - start
        if not self.circular[record]:
            size = min(size, length - start)
        pieces = []
        while size > 0 and length:
            start %= length
            piece = min(size, length - start)
            sets = self.sets(begin + start, begin + start + piece)
            pieces.append(_LETTERS[sets].tobytes())
            start, size = start + piece, size - piece
        return b"".join(pieces).decode()


class _Packer:
    """Packs letters as they come; ``sink`` takes the packed bytes in order."""

    def __init__(self, sink: Callable[[bytes], object]) -> None:
        self.sink = sink
        self.hash = hashlib.sha256()
        self.names: list[bytes] = []
        self.lengths: list[int] = []
        self.circular: list[bool] = []
        self.offsets: list[int] = []
        self.size = 0
        """Positions taken so far, with those that wait."""
        self.waiting: list[bytes] = []
        self.waiting_size = 0
        self.rest = np.zeros(0, np.uint8)
        self.fed = 0
        self.runs: list[tuple[Places, Places, Bytes]] = []

    def add(self, name: str, bases: Bases, circular: bool) -> None:
        """Take the next record."""
        self.names.append(name.encode())
        self.circular.append(bool(circular))
        self.offsets.append(self.size)
        blocks: Iterable[bytes]
        if isinstance(bases, str):
            blocks = (bases.encode("ascii", "replace"),)
        elif isinstance(bases, bytes):
            blocks = (bases,)
        else:
            blocks = bases
        length, beginning = 0, b""
        for block in blocks:
            if circular and len(beginning) < WRAP:
                beginning += block[: WRAP - len(beginning)]
            length += len(block)
            self._take(block)
        self.lengths.append(length)
        if circular and beginning:
            self._take((beginning * -(-WRAP // len(beginning)))[:WRAP])
        self._take(bytes(SEPARATOR))

    def _take(self, letters: bytes) -> None:
        self.size += len(letters)
        self.waiting.append(letters)
        self.waiting_size += len(letters)
        if self.waiting_size >= BLOCK:
            self._feed()

    def _feed(self) -> None:
        """Pack what waits, a block at a time."""
        text = np.frombuffer(b"".join(self.waiting), np.uint8)
        self.waiting, self.waiting_size = [], 0
        for low in range(0, len(text), BLOCK):
            block = text[low : low + BLOCK]
            self._note_runs(block)
            codes = np.concatenate((self.rest, np.take(_CODES, block)))
            whole = len(codes) // 4 * 4
            self.rest = codes[whole:].copy()
            self._write(codes[:whole])
            self.fed += len(block)

    def _note_runs(self, block: Bytes) -> None:
        odd = np.flatnonzero(np.take(_IS_ODD, block))
        if not len(odd):
            return
        sets = np.take(SETS, block[odd])
        begins = np.flatnonzero(np.r_[True, (np.diff(odd) != 1) | (np.diff(sets) != 0)])
        ends = np.r_[begins[1:], len(odd)] - 1
        starts, stops, of = odd[begins] + self.fed, odd[ends] + self.fed + 1, sets[begins]
        if self.runs:
            last = self.runs[-1]
            if last[1][-1] == starts[0] and last[2][-1] == of[0]:  # one run over two blocks
                last[1][-1] = stops[0]
                starts, stops, of = starts[1:], stops[1:], of[1:]
        if len(starts):
            self.runs.append((starts, stops, of))

    def _write(self, codes: Bytes) -> None:
        four = codes.reshape(-1, 4)
        packed = (four[:, 0] | four[:, 1] << 2 | four[:, 2] << 4 | four[:, 3] << 6).tobytes()
        self.hash.update(packed)
        self.sink(packed)

    def finish(self) -> dict[str, NDArray[Any]]:
        """Pack the rest and return the tables."""
        self._feed()
        if len(self.rest):
            self._write(np.concatenate((self.rest, np.zeros(-len(self.rest) % 4, np.uint8))))
        starts, stops, sets = zip(*self.runs, strict=True) if self.runs else ((), (), ())
        tables: dict[str, NDArray[Any]] = {
            "lengths": np.array(self.lengths, np.int64),
            "circular": np.array(self.circular, np.bool_),
            "offsets": np.array(self.offsets, np.int64),
            "odd_start": np.concatenate((*starts, np.zeros(0, np.int64))).astype(np.int64),
            "odd_end": np.concatenate((*stops, np.zeros(0, np.int64))).astype(np.int64),
            "odd_set": np.concatenate((*sets, np.zeros(0, np.uint8))).astype(np.uint8),
            "names": np.frombuffer(b"".join(self.names), np.uint8),
            "name_ends": np.cumsum([len(name) for name in self.names], dtype=np.int64),
        }
        _hash_tables(self.hash, tables)
        return tables


def _hash_tables(digest: Any, tables: dict[str, NDArray[Any]]) -> None:
    for name in sorted(tables):
        digest.update(f"{name}:{len(tables[name])};".encode())
        digest.update(np.ascontiguousarray(tables[name]).tobytes())


def _library(
    tables: dict[str, NDArray[Any]], packed: Bytes, size: int, digest: str, path: Path | None = None
) -> PackedLibrary:
    return PackedLibrary(
        names=Names(tables["names"], tables["name_ends"]),
        lengths=tables["lengths"],
        circular=tables["circular"],
        offsets=tables["offsets"],
        size=size,
        packed=packed,
        odd_start=tables["odd_start"],
        odd_end=tables["odd_end"],
        odd_set=tables["odd_set"],
        digest=digest,
        path=path,
    )


def pack(records: Iterable[tuple[str, Bases, bool]]) -> PackedLibrary:
    """Return records (name, bases, whether circular) packed in memory.

    What is no IUPAC letter becomes a gap, which matches nothing; readers of files refuse it before.

    >>> library = pack([("plasmid", "acgtn", True), ("part", "GGR", False)])
    >>> library.bases(0, 3, 4), library.bases(1), library.lengths.tolist()
    ('TNAC', 'GGR', [5, 3])
    """
    pieces: list[bytes] = []
    packer = _Packer(pieces.append)
    for name, bases, circular in records:
        packer.add(name, bases, circular)
    tables = packer.finish()
    packed = np.frombuffer(b"".join(pieces), np.uint8)
    return _library(tables, packed, packer.size, packer.hash.hexdigest())


def write_pack(
    path: Path,
    records: Iterable[tuple[str, Bases, bool]],
    *,
    progress: Callable[[int], object] | None = None,
) -> str:
    """Write records to a file that ``open_pack`` maps, and return the digest of the library.

    The file appears whole or not at all, readable by its owner only. Memory is bounded by a block
    when bases come in blocks. ``progress`` is told the positions packed so far.
    """
    path = Path(path)
    with NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
        part = Path(file.name)
        try:
            file.write(_MAGIC + bytes(8))
            packer = _Packer(file.write)
            for name, bases, circular in records:
                packer.add(name, bases, circular)
                if progress is not None:
                    progress(packer.size)
            tables = packer.finish()
            digest = packer.hash.hexdigest()
            _write_tables(file, tables, packer.size, digest)
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return digest


def _write_tables(file: Any, tables: dict[str, NDArray[Any]], size: int, digest: str) -> None:
    sections = {"packed": [_HEADER, -(-size // 4), "|u1"]}
    for name, table in tables.items():
        file.write(bytes(-file.tell() % 8))
        sections[name] = [file.tell(), len(table), table.dtype.str]
        file.write(table.tobytes())
    about = json.dumps({"size": size, "digest": digest, "sections": sections}).encode()
    place = file.tell()
    file.write(about)
    file.seek(len(_MAGIC))
    file.write(place.to_bytes(8, "little"))


_SECTIONS = {
    "packed": "|u1",
    "lengths": "<i8",
    "circular": "|b1",
    "offsets": "<i8",
    "odd_start": "<i8",
    "odd_end": "<i8",
    "odd_set": "|u1",
    "names": "|u1",
    "name_ends": "<i8",
}


def open_pack(path: Path) -> PackedLibrary:
    """Map a file of ``write_pack``; raises ``Invalid`` naming a file that is none, or was cut off.

    Only the head is read: ``check_pack`` reads everything.
    """
    path = Path(path)
    with path.open("rb") as file:
        about = _about(file, path)
    tables: dict[str, NDArray[Any]] = {}
    for name, (place, count, kind) in about["sections"].items():
        if count:
            tables[name] = np.memmap(path, np.dtype(kind), "r", offset=place, shape=(count,)).view(np.ndarray)
        else:
            tables[name] = np.zeros(0, np.dtype(kind))
    packed = tables.pop("packed")
    return _library(tables, packed, about["size"], about["digest"], path)


def _about(file: BinaryIO, path: Path) -> dict[str, Any]:
    """Return the head of a pack, checked against the size of its file."""
    no_pack = Invalid(
        _("%(file)s is no complete pack of labhub. Make it again from the sequences.", file=path.name),
        field="reference",
    )
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(_HEADER)
    if len(head) < _HEADER or not head.startswith(_MAGIC):
        raise no_pack
    place = int.from_bytes(head[len(_MAGIC) :], "little")
    if not _HEADER <= place < end:
        raise no_pack
    file.seek(place)
    try:
        about = json.loads(file.read(1 << 16))
        sections = about["sections"]
        lies_inside = all(
            sections[name][2] == kind
            and sections[name][1] >= 0
            and _HEADER <= sections[name][0] <= place
            and sections[name][0] + sections[name][1] * np.dtype(kind).itemsize <= place
            for name, kind in _SECTIONS.items()
        )
        records = sections["lengths"][1]
        agree = (
            sections["packed"][1] == -(-about["size"] // 4)
            and len(sections) == len(_SECTIONS)
            and {sections[name][1] for name in ("circular", "offsets", "name_ends")} == {records}
            and sections["odd_start"][1] == sections["odd_end"][1] == sections["odd_set"][1]
            and isinstance(about["digest"], str)
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise no_pack from error
    if not lies_inside or not agree:
        raise no_pack
    return dict(about)


def check_pack(path: Path) -> PackedLibrary:
    """Read a whole pack and return it; raises ``Invalid`` when a byte differs from what was written."""
    library = open_pack(path)
    digest = hashlib.sha256()
    for low in range(0, len(library.packed), BLOCK):
        digest.update(library.packed[low : low + BLOCK].tobytes())
    tables: dict[str, NDArray[Any]] = {
        "lengths": library.lengths,
        "circular": library.circular,
        "offsets": library.offsets,
        "odd_start": library.odd_start,
        "odd_end": library.odd_end,
        "odd_set": library.odd_set,
        "names": library.names.text,
        "name_ends": library.names.ends,
    }
    _hash_tables(digest, tables)
    if digest.hexdigest() != library.digest:
        raise Invalid(
            _("%(file)s has changed since it was written. Make it again from the sequences.", file=path.name),
            field="reference",
        )
    return library
