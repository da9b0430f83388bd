"""Genomes read as a stream: FASTA of any size (gzipped too) a block at a time, GenBank and EMBL whole.

``formats.py`` holds a file in memory; a plant genome does not fit there. Nothing of a record is held
here but the block in hand, also when it stands on one line. What is no IUPAC letter, a name that stands
twice, a header without bases or a file that ends too early is refused by line or record.
"""

import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from labhub.errors import Invalid
from labhub.file_kinds import FileKind, shown
from labhub.i18n import Message, _
from labhub.sequences.formats import MAX_NAME_CHARACTERS, read_records

BLOCK_BYTES = 1 << 22
MAX_HEADER_BYTES = 20_000
MAX_GENOME_RECORDS = 5_000_000
"""Records of one genome: draft assemblies have up to a few million pieces."""

GenomeRecord = tuple[str, Iterator[bytes], bool]
"""Name, bases in blocks (to be read before the next record), whether it is circular."""
Progress = Callable[[int, int], object]

_PLAIN = b"ACGTNacgtn \t\n"
_OTHER_LETTERS = b"RYSWKMBDHVUryswkmbdhvu"
_BLANKS = b" \t\n"
_CIRCULAR = re.compile(rb"\[topology=circular\]", re.IGNORECASE)


class GenomeReader:
    """The records of an open genome file, and what was counted on the way."""

    def __init__(self, file: BinaryIO, *, circular: bool = False, tell: Callable[[], object] = int) -> None:
        self.file = file
        self.circular = circular
        """Whether every record is circular; else those that say ``[topology=circular]`` are."""
        self.tell = tell
        """Called after each block, for a progress bar."""
        self.records = 0
        self.bases = 0
        self._seen: set[int] = set()
        self._line = 1
        """Number of the line on which what waits begins."""
        self._waiting = b""
        self._at_line_start = True
        self._ended = False

    def __iter__(self) -> Iterator[GenomeRecord]:
        """Yield the records; the bases of each have to be read before the next one."""
        while len(self._waiting) < 3 and self._fill():
            pass
        self._waiting = self._waiting.removeprefix(b"\xef\xbb\xbf")
        while self._waiting or not self._ended:
            blank = len(self._waiting) - len(self._waiting.lstrip(_BLANKS))
            self._pass(blank)
            if not self._waiting:
                if not self._fill():
                    break
                continue
            if not self._waiting.startswith(b">"):
                raise self._wrong(_("bases before the first header; a record begins with > and a name."))
            before, line = self.bases, self._line
            name, circular = self._header()
            yield name, self._bases_of(name), circular or self.circular
            if self.bases == before:
                raise self._wrong(_("a header without bases."), line, name)
        if not self.records:
            raise Invalid(_("There is no record in the file."), field="file")

    def _header(self) -> tuple[str, bool]:
        """Take a header line and return the name in it and whether it says that the record is circular."""
        while b"\n" not in self._waiting and len(self._waiting) <= MAX_HEADER_BYTES:
            if not self._fill():
                break
        end = self._waiting.find(b"\n")
        line = self._waiting[: end if end >= 0 else len(self._waiting)]
        if len(line) > MAX_HEADER_BYTES:
            raise self._wrong(_("the header is too long."))
        try:
            name = line[1:].decode("utf-8").strip().replace("\t", " ").partition(" ")[0]
        except UnicodeDecodeError:
            raise self._wrong(_("not UTF-8 text; save the file as UTF-8.")) from None
        if not name:
            raise self._wrong(_("the header has no name; write it right behind the >."))
        if len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
            raise self._wrong(_("the name of the record is too long or has characters that are not shown."))
        key = hash(name)
        if key in self._seen:
            raise self._wrong(_("this name stands twice; each record needs one of its own."), None, name)
        self._seen.add(key)
        self.records += 1
        if self.records > MAX_GENOME_RECORDS:
            raise self._wrong(_("a genome may have %(most)s records.", most=MAX_GENOME_RECORDS))
        self._pass(len(line) + (end >= 0))
        return name, bool(_CIRCULAR.search(line))

    def _bases_of(self, name: str) -> Iterator[bytes]:
        """Yield the checked letters up to the next header, block by block."""
        ambiguous, first = 0, self.bases
        while True:
            end = 0 if self._at_line_start and self._waiting.startswith(b">") else self._next_header()
            piece = self._waiting[:end] if end >= 0 else self._waiting
            if piece:
                if rest := piece.translate(None, _PLAIN):
                    if rest.translate(None, _OTHER_LETTERS):
                        raise self._no_base(piece, name)
                    ambiguous += len(rest) - rest.count(b"U") - rest.count(b"u")
                letters = piece.translate(None, _BLANKS)
                self.bases += len(letters)
                self._pass(len(piece))
                if letters:
                    yield letters
            if end >= 0 or not self._fill():
                break
        if 2 * ambiguous > self.bases - first:
            raise Invalid(
                _(
                    "Record %(record)s: %(problem)s",
                    record=shown(name),
                    problem=_("more than half of the letters are ambiguous; it looks like a protein."),
                ),
                field="file",
            )

    def _next_header(self) -> int:
        """Return where the next header begins in what waits, or -1."""
        place = self._waiting.find(b"\n>")
        return place + 1 if place >= 0 else -1

    def _pass(self, size: int) -> None:
        """Leave behind so many of the bytes that wait."""
        if not size:
            return
        self._line += self._waiting.count(b"\n", 0, size)
        self._at_line_start = self._waiting[size - 1 : size] == b"\n"
        self._waiting = self._waiting[size:]

    def _fill(self) -> bool:
        """Read a block more; line ends become ``\\n``."""
        if self._ended:
            return False
        try:
            block = self.file.read(BLOCK_BYTES)
            if block.endswith(b"\r"):
                block += self.file.read(1)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise Invalid(_("The gzip file is damaged or cut off; fetch it again."), field="file") from None
        self.tell()
        if not block:
            self._ended = True
            return False
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._waiting += block
        return True

    def _no_base(self, piece: bytes, name: str) -> Invalid:
        allowed = frozenset(_PLAIN + _OTHER_LETTERS)
        place = next(at for at, letter in enumerate(piece) if letter not in allowed)
        line = self._line + piece.count(b"\n", 0, place)
        letter = chr(piece[place])
        if letter == "\0":
            return self._wrong(_("a NUL byte; this is not a text file."), line, name)
        if letter in "EFILPQZXJOefilpqzxjo*":
            what = _("%(letter)s is no base; proteins are not taken here.", letter=letter)
        elif letter.isascii() and letter.isprintable():
            what = _("%(letter)s is no IUPAC base.", letter=repr(letter))
        else:
            what = _("the byte %(code)s is no IUPAC base.", code=f"{piece[place]:02X}")
        return self._wrong(what, line, name)

    def _wrong(self, problem: Message, line: int | None = None, name: str = "") -> Invalid:
        at = self._line if line is None else line
        if name:
            told = _(
                "Line %(line)s, record %(record)s: %(problem)s", line=at, record=shown(name), problem=problem
            )
        else:
            told = _("Line %(line)s: %(problem)s", line=at, problem=problem)
        return Invalid(told, field="file")


@contextmanager
def open_genome(
    path: Path, *, circular: bool = False, progress: Progress | None = None
) -> Iterator[GenomeReader]:
    """Open a file of a genome; ``progress`` is told the bytes read of it, and its bytes in all.

    FASTA is streamed. GenBank and EMBL are read whole within the limits of ``formats.py``; they say
    themselves which record is circular.
    """
    with path.open("rb") as raw:
        total = os.fstat(raw.fileno()).st_size

        def tell() -> None:
            if progress is not None:
                progress(raw.tell(), total)

        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        try:
            start = file.read(2048).lstrip()
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise Invalid(_("The gzip file is damaged or cut off; fetch it again."), field="file") from None
        kind = (
            FileKind.GENBANK
            if start.startswith(b"LOCUS ")
            else FileKind.EMBL
            if start.startswith(b"ID ")
            else FileKind.FASTA
        )
        if kind is not FileKind.FASTA:
            raw.seek(0)
            yield _Whole(raw, kind, circular, tell)
            return
        file.seek(0)
        yield GenomeReader(file, circular=circular, tell=tell)


class _Whole(GenomeReader):
    """The records of a GenBank or EMBL file, which is read whole."""

    def __init__(self, file: BinaryIO, kind: FileKind, circular: bool, tell: Callable[[], object]) -> None:
        super().__init__(file, circular=circular, tell=tell)
        self.kind = kind

    def __iter__(self) -> Iterator[GenomeRecord]:
        """Yield the records."""
        for record in read_records(self.file, self.kind, bases_only=True):
            self.tell()
            name = record.identifier
            if hash(name) in self._seen:
                problem = _("this name stands twice; each record needs one of its own.")
                raise Invalid(
                    _("Record %(record)s: %(problem)s", record=shown(name), problem=problem), field="file"
                )
            self._seen.add(hash(name))
            self.records += 1
            self.bases += len(record.bases)
            yield name, iter((record.bases.encode("ascii"),)), self.circular or record.topology == "circular"
