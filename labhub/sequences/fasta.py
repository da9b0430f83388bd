"""FASTA files of any size, for searching: strict, fast, and with little memory.

A file is read in blocks, so neither a genome on one line nor a million tiny records is held. Each
record is checked before it counts: a wrong letter, a missing name or missing bases is told by
record and line. Either the whole file is refused with all its problems, or (``skip_bad``) the
records that are wrong are left out and told. What is kept in the hub goes through ``formats.py`` instead.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from gzip import BadGzipFile
from tempfile import TemporaryFile
from typing import BinaryIO

from labhub.errors import Invalid
from labhub.file_kinds import shown
from labhub.i18n import Message, _, ngettext
from labhub.sequences.packed import Bases

BLOCK = 4 << 20
"""Bytes that are read at once. A record that is longer is read in several blocks."""
MOST_NAME = 200
MOST_HEADER = 1 << 20
"""Bytes of a header line."""
MOST_TOLD = 50
"""Problems and remarks that are told one by one; all are counted."""
AMBIGUOUS_SAMPLE = 2_000
"""Letters at the beginning of a record by which a protein is told from bases."""

_BLANKS = b"\n\r\t \x0b\x0c"
_PLAIN = bytearray(256)
for _letter in b"ACGTRYSWKMBDHVN":
    _PLAIN[_letter] = _PLAIN[_letter + 32] = _letter
_PLAIN[ord("U")] = _PLAIN[ord("u")] = ord("T")
_TABLE = bytes(_PLAIN)
"""Upper case, T for U, and 0 for everything that is no base."""
_MARK = b"\xef\xbb\xbf"
"""What some editors write before UTF-8."""
_CIRCULAR = re.compile(rb"\[topology=circular\]", re.IGNORECASE)


@dataclass
class Reading:
    """What was read, and what was not."""

    records: int = 0
    """That are given on."""
    bases: int = 0
    skipped: int = 0
    """Records that were left out."""
    problems: list[tuple[str, Message]] = field(default_factory=list)
    """File and problem of the first ``MOST_TOLD``."""
    number: int = 0
    """Problems in all."""
    remarks: list[tuple[str, Message]] = field(default_factory=list)
    remark_number: int = 0
    circular_names: frozenset[str] = frozenset()
    """Records that are circular though their file does not say so."""
    circular_found: set[str] = field(default_factory=set)
    names: set[int] = field(default_factory=set)
    """Hashes of the names so far: there may be millions."""

    def problem(self, file: str, message: Message) -> None:
        """Note what makes a record unusable."""
        self.number += 1
        if self.number <= MOST_TOLD:
            self.problems.append((file, message))

    def remark(self, file: str, message: Message) -> None:
        """Note what is doubtful and does no harm."""
        self.remark_number += 1
        if self.remark_number <= MOST_TOLD:
            self.remarks.append((file, message))

    def is_circular(self, name: str, said: bool) -> bool:
        """Say whether a record is circular, by its file or by the list of names."""
        if name in self.circular_names:
            self.circular_found.add(name)
            return True
        return said

    def note_name(self, file: str, name: str) -> None:
        """Remark on a name that stands twice: the results of both have the same name."""
        mark = hash(name)
        if mark in self.names:
            self.remark(file, _("Record %(record)s: the name stands more than once.", record=shown(name)))
        self.names.add(mark)

    def raise_if_wrong(self) -> None:
        """Raise ``Invalid`` with the problems, when there are any."""
        if not self.number:
            return
        errors: dict[str, list[str | Message]] = {}
        for file, message in self.problems:
            errors.setdefault(file, []).append(message)
        if self.number > len(self.problems):
            rest = self.number - len(self.problems)
            errors["…"] = [ngettext("and %(number)s more problem", "and %(number)s more problems", rest)]
        raise Invalid(
            ngettext(
                "%(number)s record or line of the references cannot be used; nothing was searched. "
                "Correct it, or leave it out with --skip-bad.",
                "%(number)s records or lines of the references cannot be used; nothing was searched. "
                "Correct them, or leave them out with --skip-bad.",
                self.number,
            ),
            errors=errors,
        )


def read_fasta(
    file: BinaryIO, name: str, reading: Reading, *, skip_bad: bool = False
) -> Iterator[tuple[str, Bases, bool]]:
    """Yield name, bases and topology of each record of a FASTA file, as ``packed.pack`` takes them.

    Bases are upper case, T for U. What is wrong is noted in ``reading``; after the first problem
    nothing more is given on unless ``skip_bad`` says so: the caller then refuses (``raise_if_wrong``).
    """
    yield from _Reader(file, name, reading, skip_bad).records()


class _Reader:
    """A window on the file: ``data`` from ``at`` on is still to be read."""

    def __init__(self, file: BinaryIO, name: str, reading: Reading, skip_bad: bool) -> None:
        self.file = file
        self.name = name
        self.reading = reading
        self.skip_bad = skip_bad
        self.data = b""
        self.at = 0
        self.line = 1
        """Number of the line in which ``data`` begins."""
        self.ended = False
        self.damaged = False
        """Whether the file ends before it should: the record that it ends in is not whole."""

    def records(self) -> Iterator[tuple[str, Bases, bool]]:
        """Yield the records that are given on."""
        while len(self.data) < len(_MARK) and self._more():
            pass
        if self.data.startswith(_MARK):
            self.at = len(_MARK)
        self._pass_what_is_no_record()
        any_record = False
        while self.at < len(self.data):
            any_record = True
            yield from self._record()
        if not any_record and not self.damaged:
            self.reading.problem(self.name, _("There is no record in the file."))

    @property
    def _gives(self) -> bool:
        """Say whether records are still given on."""
        return self.skip_bad or not self.reading.number

    def _more(self) -> bool:
        """Read another block behind what is still to be read; false at the end of the file."""
        if self.ended:
            return False
        block = b""
        try:
            block = self._block()
        except (BadGzipFile, EOFError, zlib.error):
            self.reading.problem(
                self.name,
                _(
                    "The gzip file is damaged or cut off behind line %(line)s.",
                    line=self.line + self.data.count(b"\n"),
                ),
            )
            self.ended = self.damaged = True
            return False
        if not block:
            self.ended = True
            return False
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self.line += self.data.count(b"\n", 0, self.at)
        self.data = self.data[self.at :] + block
        self.at = 0
        return True

    def _block(self) -> bytes:
        """Return the next bytes; of a damaged gzip file first those that can be unpacked."""
        read = getattr(self.file, "read1", self.file.read)
        pieces: list[bytes] = []
        size = 0
        try:
            while size < BLOCK and (piece := read(BLOCK - size)):
                pieces.append(piece)
                size += len(piece)
            if pieces and pieces[-1].endswith(b"\r"):
                pieces.append(read(1))
        except (BadGzipFile, EOFError, zlib.error):
            if not pieces:
                raise
        return b"".join(pieces)

    def _pass_what_is_no_record(self) -> None:
        """Go to the first header; bases before it belong to nothing."""
        wrong = False
        while not self.data.startswith(b">", self.at):
            found = self.data.find(b"\n>", self.at)
            end = found if found >= 0 else len(self.data)
            passed = self.data[self.at : end]
            if not wrong and passed.strip():
                wrong = True
                what = (
                    _("a NUL byte; this is no text file.")
                    if b"\0" in passed[:1000]
                    else _("bases before the first header; a record begins with > and a name.")
                )
                before = self.at + len(passed) - len(passed.lstrip())
                line = self.line + self.data.count(b"\n", 0, before)
                self.reading.problem(self.name, _("Line %(line)s: %(problem)s", line=line, problem=what))
            if found >= 0:
                self.at = found + 1
                return
            self.at = max(len(self.data) - 1, self.at)  # a line end may be followed by >
            if not self._more():
                self.at = len(self.data)
                return

    def _record(self) -> Iterator[tuple[str, Bases, bool]]:
        """Read the record whose header is at ``at``, in one piece when it is not too long."""
        stop = self.data.find(b"\n>", self.at)
        while stop < 0 and (len(self.data) - self.at < 2 * BLOCK or self._header_goes_on()) and self._more():
            stop = self.data.find(b"\n>", self.at)
        end = self.data.find(b"\n", self.at, self.at + MOST_HEADER)
        if end < 0:
            end = min(len(self.data), self.at + MOST_HEADER)
        name, circular, problem = _header(self.data[self.at + 1 : end])
        if problem is None:
            self.reading.note_name(self.name, name)
            circular = self.reading.is_circular(name, circular)
        if stop < 0 and not self.ended:
            yield from self._long(name, circular, problem, end)
            return
        if stop < 0 and self.damaged:
            self.at = len(self.data)
            self.reading.skipped += 1
            return
        stop = stop if stop >= 0 else len(self.data)
        bases = b""
        if problem is None:
            bases, problem = self._letters(end, stop, 0)
        if problem is None and not bases:
            problem = _("a header without bases.")
        if problem is None and _looks_like_protein(bases):
            problem = _LIKE_PROTEIN
        if problem is not None:
            self._refuse(name, self.at, problem)
        self.at = stop + 1
        if problem is None and self._gives:
            self.reading.records += 1
            self.reading.bases += len(bases)
            yield name, bases, circular

    def _header_goes_on(self) -> bool:
        return len(self.data) - self.at < MOST_HEADER and self.data.find(b"\n", self.at) < 0

    def _refuse(self, name: str, at: int, problem: Message, line: int = 0) -> None:
        """Note that a record is left out; its line is looked up only where it is told."""
        self.reading.skipped += 1
        if self.reading.number >= MOST_TOLD:
            self.reading.number += 1
            return
        self.reading.problem(
            self.name,
            _(
                "Line %(line)s, record %(record)s: %(problem)s",
                line=line or self.line + self.data.count(b"\n", 0, at),
                record=shown(name or "?"),
                problem=problem,
            ),
        )

    def _long(
        self, name: str, circular: bool, problem: Message | None, end: int
    ) -> Iterator[tuple[str, Bases, bool]]:
        """Read a record in blocks; with ``skip_bad`` it is given on once all of it is known to be right."""
        line = self.line + self.data.count(b"\n", 0, self.at)
        self.at = end
        wrong: list[Message] = [] if problem is None else [problem]
        blocks = self._blocks(wrong)
        if self.skip_bad:
            with TemporaryFile() as kept:
                size = sum(kept.write(block) for block in blocks)
                if not wrong and not self.damaged:
                    kept.seek(0)
                    self.reading.records += 1
                    self.reading.bases += size
                    yield name, iter(lambda: kept.read(BLOCK), b""), circular
        else:
            if self._gives and not wrong:
                self.reading.records += 1
                yield name, blocks, circular
            for _block in blocks:  # what nobody took
                pass
        if wrong:
            self._refuse(name, 0, wrong[0], line)
        elif self.damaged:
            self.reading.skipped += 1

    def _blocks(self, wrong: list[Message]) -> Iterator[bytes]:
        """Yield the letters from ``at`` to the record's end, or to the first wrong one."""
        done = 0
        while True:
            stop = self.data.find(b"\n>", self.at)
            end = stop if stop >= 0 else len(self.data) - (not self.ended)  # a line end may be followed by >
            if end > self.at and not wrong:
                bases, problem = self._letters(self.at, end, done)
                if (
                    problem is None
                    and not done
                    and len(bases) >= AMBIGUOUS_SAMPLE
                    and _looks_like_protein(bases)
                ):
                    problem = _LIKE_PROTEIN
                if problem is not None:
                    wrong.append(problem)
                elif bases:
                    done += len(bases)
                    self.at = end
                    if not self.skip_bad:
                        self.reading.bases += len(bases)
                    yield bases
            self.at = max(end, self.at)
            if stop >= 0:
                self.at = stop + 1
                break
            if not self._more() and self.at >= len(self.data):
                break
        if not done and not wrong:
            wrong.append(_("a header without bases."))

    def _letters(self, start: int, end: int, done: int) -> tuple[bytes, Message | None]:
        """Return the bases of a stretch of the file, and what is wrong with the first wrong letter."""
        given = self.data[start:end]
        bases = given.translate(_TABLE, _BLANKS)
        if 0 not in bases:
            return bases, None
        place = bases.index(0)
        return b"", _wrong_letter(given.translate(None, _BLANKS)[place], done + place + 1)


def _header(text: bytes) -> tuple[str, bool, Message | None]:
    """Return the name in a header, whether it says circular, and what is wrong with it."""
    if len(text) >= MOST_HEADER:
        return "", False, _("the header is too long.")
    words = text.split(None, 1)
    if not words or text[:1].isspace():
        return "", False, _("the header has no name; write it right behind the >.")
    try:
        name = words[0].decode()
    except UnicodeDecodeError:
        return words[0].decode("ascii", "replace"), False, _("the name is not UTF-8 text.")
    if len(name) > MOST_NAME or not name.isprintable():
        return name, False, _("the name holds invisible characters or is too long.")
    return name, b"[topology=" in text.lower() and _CIRCULAR.search(text) is not None, None


def _wrong_letter(letter: int, place: int) -> Message:
    shape = chr(letter)
    if letter == 0:
        return _("a NUL byte at letter %(place)s; this is no text file.", place=place)
    if shape in "-.~":
        return _(
            "a gap (%(letter)s) at letter %(place)s; an alignment is not searched, take its gaps out.",
            letter=shape,
            place=place,
        )
    if shape in "EFILPQZXJOefilpqzxjo*":
        return _(
            "%(letter)s at letter %(place)s is no base; proteins are not taken here.",
            letter=shape,
            place=place,
        )
    if letter < 128 and shape.isprintable():
        return _("%(letter)s at letter %(place)s is no IUPAC base.", letter=repr(shape), place=place)
    return _("the byte %(code)s at letter %(place)s is no IUPAC base.", code=f"0x{letter:02X}", place=place)


_LIKE_PROTEIN = _("more than half of the letters are ambiguous; it looks like a protein.")


def _looks_like_protein(bases: bytes) -> bool:
    """Say whether more than half of the letters are ambiguous: judged by the beginning, then by all."""
    beginning = bases[:AMBIGUOUS_SAMPLE]
    if 2 * len(beginning.translate(None, b"ACGTN")) <= len(beginning):
        return False
    return 2 * len(bases.translate(None, b"ACGTN")) > len(bases)
