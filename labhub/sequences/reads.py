"""Reads, amplicons and contigs to be identified: FASTA, FASTQ and AB1, gzipped or not, read strictly.

A read that breaks a rule is told by name and reason; the others can be used if the caller says so. Files
are read line by line and no line is believed to be short, so that a file of any size needs no more memory
than the reads that are kept. Ends of bad quality are cut off where qualities are known, and that is told.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, cast

from labhub.errors import Invalid, TooLarge
from labhub.file_kinds import shown
from labhub.i18n import Message, Text, _, ngettext

LEAST_BASES = 50
MOST_BASES = 50_000
MOST_READS = 10_000
MOST_BYTES = 1_200_000_000
"""Bytes of a file, unpacked: 10,000 reads of 50,000 bases with their qualities."""
MOST_NAME = 200
MOST_AB1_BYTES = 16 << 20
"""One trace file; usual ones have 0.3 MB."""
MOST_AB1_ENTRIES = 1_000
MAC_BINARY = 128
"""Bytes that a Macintosh may have put before a trace."""
MOST_TOLD = 50
"""Bad reads that a refusal names, as many as formats.MAX_PROBLEMS."""
MOST_LINE = 1 << 17
TRIM_ERROR = 0.05
"""Chance of a wrong base up to which the ends of a read are kept."""

Kind = Literal["fasta", "fastq", "ab1"]

_LETTERS = b"ACGTRYSWKMBDHVNUacgtryswkmbdhvnu"
_PROTEIN = "EFILPQZXJOefilpqzxjo*"


class Read(NamedTuple):
    """A query: its name, and its bases in upper case with T for U."""

    name: str
    bases: str


class Cut(NamedTuple):
    """Bases of a read that were kept, 1-based, of how many."""

    start: int
    end: int
    length: int


@dataclass(frozen=True)
class BadRead:
    """A read that cannot be used, and why."""

    name: str
    line: int
    """Where it begins in the file; 0 in a file that has no lines."""
    reason: Message


@dataclass
class Reads:
    """What a file holds."""

    kind: Kind
    reads: list[Read] = field(default_factory=list)
    bad: list[BadRead] = field(default_factory=list)
    cut: dict[str, Cut] = field(default_factory=dict)
    """Reads whose ends were cut off for their quality, by name."""

    @property
    def seen(self) -> int:
        """Reads of the file, good and bad."""
        return len(self.reads) + len(self.bad)


def read_reads(
    source: Path | BinaryIO,
    *,
    name: str = "",
    trim_error: float = TRIM_ERROR,
    skip_bad: bool = False,
    most_bytes: int = MOST_BYTES,
    field_name: str = "query",
) -> Reads:
    """Return the reads of a file, whose kind is seen from its first bytes.

    ``name`` is the name of the file, which an AB1 without a sample's name is called by. ``trim_error`` is
    the chance of error over which the ends of a read with qualities are cut off (modified Mott algorithm);
    0 keeps them. Raises ``Invalid`` naming the bad reads unless ``skip_bad``, and always when no read is
    left or the file cannot be read at all.
    """
    if isinstance(source, Path):
        with source.open("rb") as opened:
            return read_reads(
                opened,
                name=name or source.name,
                trim_error=trim_error,
                skip_bad=skip_bad,
                most_bytes=most_bytes,
                field_name=field_name,
            )
    own = None if hasattr(source, "peek") else BufferedReader(cast(Any, source))
    file: Any = own or source
    try:
        if file.peek(2)[:2] == b"\x1f\x8b":
            name = name.removesuffix(".gz")
            file = BufferedReader(cast(Any, gzip.GzipFile(fileobj=file)))
        found = _read(_Lines(file, most_bytes, field_name), name, trim_error)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise Invalid(_("The gzip file is damaged; send it again."), field=field_name) from None
    finally:
        if own is not None:
            own.detach()  # else it would close what the caller has opened
    if found.bad and (not skip_bad or not found.reads):
        _refuse(found, field_name)
    if not found.reads:
        raise Invalid(_("There is no read in the file."), field=field_name)
    return found


def _refuse(found: Reads, field_name: str) -> None:
    told: dict[str, list[Text]] = {}
    first: Text = ""
    for bad in found.bad[:MOST_TOLD]:
        if bad.line:
            key = f"line {bad.line}"
            text = _(
                "Line %(line)s, read %(read)s: %(problem)s",
                line=bad.line,
                read=shown(bad.name),
                problem=bad.reason,
            )
        else:
            key = field_name
            text = _("Read %(read)s: %(problem)s", read=shown(bad.name), problem=bad.reason)
        first = first or text
        told.setdefault(key, []).append(text)
    if len(found.bad) > 1:
        first = ngettext(
            "%(first)s (and %(number)s more bad read)",
            "%(first)s (and %(number)s more bad reads)",
            len(found.bad) - 1,
            first=first,
        )
    raise Invalid(first, errors=told)


class _Lines:
    """Lines of a file with their numbers; the rest of an overlong one is read and forgotten."""

    def __init__(self, file: Any, most_bytes: int, field_name: str) -> None:
        self.file, self.left, self.field_name = file, most_bytes, field_name
        self.most = most_bytes
        self.number = 0
        self.waiting: list[tuple[int, bytes, bool]] = []

    def peek(self, size: int) -> bytes:
        """Return the first bytes without reading them."""
        return bytes(self.file.peek(size)[:size])

    def everything(self, most: int) -> bytes:
        """Return the whole file, which may have ``most`` bytes."""
        data: bytes = self.file.read(most + 1)
        if len(data) > most:
            self._too_large(most)
        return data

    def _too_large(self, most: int) -> None:
        raise TooLarge(_("A file of reads may have %(most)s MiB.", most=most >> 20), field=self.field_name)

    def next(self) -> tuple[int, bytes, bool] | None:
        """Return (number, line without its end, whether it was cut) or nothing at the end."""
        if self.waiting:
            return self.waiting.pop()
        line: bytes = self.file.readline(MOST_LINE)
        if not line:
            return None
        self.number += 1
        self.left -= len(line)
        cut = False
        piece = line
        while not piece.endswith(b"\n") and len(piece) == MOST_LINE:
            piece = self.file.readline(MOST_LINE)
            self.left -= len(piece)
            cut = cut or bool(piece.strip())
            if self.left < 0:
                break
        if self.left < 0:
            self._too_large(self.most)
        return self.number, line.rstrip(b"\r\n"), cut

    def back(self, line: tuple[int, bytes, bool]) -> None:
        """Give a line back, to be read again."""
        self.waiting.append(line)


def _read(lines: _Lines, name: str, trim_error: float) -> Reads:
    head = lines.peek(MAC_BINARY + 4)
    if not head:
        raise Invalid(_("The file is empty."), field=lines.field_name)
    if b"ABIF" in (head[:4], head[MAC_BINARY:]):
        return _read_ab1(lines.everything(MOST_AB1_BYTES), name, trim_error, lines.field_name)
    first = lines.next()
    while first is not None and not first[1].removeprefix(b"\xef\xbb\xbf").strip():
        first = lines.next()
    if first is None:
        raise Invalid(_("There is no read in the file."), field=lines.field_name)
    number, line, cut = first
    line = line.removeprefix(b"\xef\xbb\xbf")
    lines.back((number, line, cut))
    if line.startswith(b">"):
        found = Reads("fasta")
        entries = _fasta(lines)
    elif line.startswith(b"@"):
        found = Reads("fastq")
        entries = _fastq(lines)
    else:
        raise Invalid(
            _(
                "Line %(line)s begins neither with > (FASTA) nor with @ (FASTQ), and it is no AB1.",
                line=number,
            ),
            field=lines.field_name,
        )
    seen: dict[str, int] = {}
    for entry in entries:
        if found.seen >= MOST_READS:
            raise TooLarge(
                _("One search takes at most %(most)s reads; split the file.", most=MOST_READS),
                field=lines.field_name,
            )
        title, problem = _name_of(entry.header)
        if problem is None and title in seen:
            problem = _("the name stands already on line %(line)s.", line=seen[title])
        seen.setdefault(title, entry.line)
        _add(found, title, entry, problem, trim_error)
    return found


@dataclass
class _Entry:
    line: int
    header: bytes
    bases: bytes = b""
    length: int = 0
    quality: bytes | None = None
    problem: Message | None = None


def _add(found: Reads, name: str, entry: _Entry, problem: Message | None, trim_error: float) -> None:
    """Take a read, or say why it is not taken."""
    problem = problem or entry.problem or _bases_problem(entry)
    bases = entry.bases.upper().replace(b"U", b"T")
    if problem is None and entry.quality is not None and trim_error > 0:
        start, end = good_stretch(entry.quality, trim_error)
        if end - start < LEAST_BASES:
            problem = _(
                "only %(kept)s of %(length)s bases are of good quality; a read needs %(least)s.",
                kept=end - start,
                length=len(bases),
                least=LEAST_BASES,
            )
        elif end - start < len(bases):
            found.cut[name] = Cut(start + 1, end, len(bases))
            bases = bases[start:end]
    if problem is not None:
        found.bad.append(BadRead(name, entry.line, problem))
    else:
        found.reads.append(Read(name, bases.decode("ascii")))


def _name_of(header: bytes) -> tuple[str, Message | None]:
    try:
        text = header.decode("utf-8")
    except UnicodeDecodeError:
        return header.decode("latin-1").strip().partition(" ")[0][:MOST_NAME], _(
            "not UTF-8 text; save the file as UTF-8."
        )
    words = text.split(maxsplit=1)
    if not words or text[:1].isspace():
        return "", _("the header has no name; write it right behind the > or @.")
    if not words[0].isprintable() or len(words[0]) > MOST_NAME:
        return words[0][:MOST_NAME], _("the name holds invisible characters or is too long.")
    return words[0], None


def _bases_problem(entry: _Entry) -> Message | None:
    wrong = entry.bases.translate(None, _LETTERS)
    if wrong:
        place = entry.bases.index(wrong[:1]) + 1
        return _letter_problem(wrong[0], place)
    upper = entry.bases.upper()
    if b"U" in upper and b"T" in upper:
        return _("both U and T; write one of them.")
    if not LEAST_BASES <= entry.length <= MOST_BASES:
        return _(
            "%(length)s bases; a read may have %(least)s to %(most)s.",
            length=entry.length,
            least=LEAST_BASES,
            most=MOST_BASES,
        )
    unknown = upper.count(b"N")
    if 2 * unknown > len(upper):
        return _("more than half of the letters are N.")
    known = sum(upper.count(letter) for letter in (b"A", b"C", b"G", b"T", b"U"))
    if 2 * (known + unknown) < len(upper):
        return _("more than half of the letters are ambiguous; it looks like a protein.")
    return None


def _letter_problem(code: int, place: int) -> Message:
    letter = chr(code)
    if letter in _PROTEIN:
        return _(
            "%(letter)s at letter %(place)s is no base; proteins are not taken here.",
            letter=letter,
            place=place,
        )
    if letter.isascii() and letter.isprintable():
        return _("%(letter)s at letter %(place)s is no IUPAC base.", letter=repr(letter), place=place)
    return _(
        "the character U+%(code)s at letter %(place)s is no IUPAC base.", code=f"{code:04X}", place=place
    )


# --- FASTA


def _fasta(lines: _Lines) -> Iterator[_Entry]:
    entry: _Entry | None = None
    parts: list[bytes] = []
    while (found := lines.next()) is not None:
        number, line, cut = found
        if line.startswith(b">"):
            if entry is not None:
                entry.bases = b"".join(parts)
                yield entry
            entry, parts = _Entry(number, line[1:]), []
            if cut:
                entry.problem = _("the header is too long.")
            continue
        letters = line.translate(None, b" \t")
        if entry is None or not letters:
            continue
        entry.length += len(letters)
        if cut or entry.length > MOST_BASES:
            entry.problem = entry.problem or _("more than %(most)s bases.", most=MOST_BASES)
        else:
            parts.append(letters)
    if entry is not None:
        entry.bases = b"".join(parts)
        yield entry


# --- FASTQ


def _fastq(lines: _Lines) -> Iterator[_Entry]:
    """Yield entries of four lines; after a broken one reading goes on where the next good one begins."""
    while (found := lines.next()) is not None:
        number, line, cut = found
        if not line.strip():
            continue
        entry = _Entry(number, line[1:])
        rest = [lines.next() for _each in range(3)]
        bases, plus, quality = rest
        if not line.startswith(b"@"):
            entry.header = line
            entry.problem = _("a FASTQ read begins with @.")
        elif bases is None or plus is None or quality is None:
            entry.problem = _("the file ends within the read; it was cut off.")
        elif not plus[1].startswith(b"+"):
            entry.problem = _("the third line of a FASTQ read begins with +.")
        elif cut or bases[2] or quality[2]:
            entry.problem = _("more than %(most)s bases.", most=MOST_BASES)
        elif len(bases[1]) != len(quality[1]):
            entry.problem = _(
                "%(bases)s bases and %(qualities)s qualities.",
                bases=len(bases[1]),
                qualities=len(quality[1]),
            )
        else:
            entry.bases, entry.length = bases[1], len(bases[1])
            entry.quality = bytes(max(0, sign - 33) for sign in quality[1]) if quality[1] else b""
            if quality[1] and (min(quality[1]) < 33 or max(quality[1]) > 126):
                entry.problem = _("the line of qualities holds characters that are none.")
        if entry.problem is not None and (plus is None or not plus[1].startswith(b"+") or line[:1] != b"@"):
            yield entry
            for each in reversed(rest):
                if each is not None:
                    lines.back(each)
            _to_next(lines)
            continue
        yield entry


def _to_next(lines: _Lines) -> None:
    """Go on to the next line that begins a whole read."""
    while (found := lines.next()) is not None:
        ahead = [lines.next() for _each in range(2)]
        for each in reversed(ahead):
            if each is not None:
                lines.back(each)
        if found[1].startswith(b"@") and ahead[1] is not None and ahead[1][1].startswith(b"+"):
            lines.back(found)
            return


def good_stretch(quality: bytes, most_error: float) -> tuple[int, int]:
    """Return the stretch (0-based, half-open) that is worth keeping by its Phred qualities.

    Each base counts ``most_error`` less its chance of error; kept is the stretch of the highest sum
    (modified Mott algorithm, as in phred and Biopython's ``abi-trim``).

    >>> good_stretch(bytes([2, 2, 30, 30, 30, 2, 40, 40, 2]), 0.05)
    (2, 5)
    """
    best = total = 0.0
    start = first = end = 0
    for place, value in enumerate(quality):
        total += most_error - _ERRORS[value]
        if total <= 0:
            total, first = 0.0, place + 1
        elif total > best:
            best, start, end = total, first, place + 1
    return start, end


_ERRORS = [min(1.0, 10 ** (-value / 10)) for value in range(256)]


# --- AB1


def _read_ab1(data: bytes, name: str, trim_error: float, field_name: str) -> Reads:
    """Read the one read of a trace file: bases, qualities and the sample's name, no traces.

    Source: Applied Biosystems, Genetic Analysis Data File Format (2009). Biopython believes each size
    and offset in the file; here every one is checked.
    """
    if not data.startswith(b"ABIF"):
        data = data[MAC_BINARY:]
    tags = _ab1_tags(data, field_name)
    bases = tags.get(("PBAS", 2), tags.get(("PBAS", 1), b"")).rstrip(b"\0")
    if not bases:
        raise Invalid(
            _("The AB1 file holds no bases: they were not called, or it is a fragment analysis."),
            field=field_name,
        )
    quality = tags.get(("PCON", 2 if ("PBAS", 2) in tags else 1))
    sample = tags.get(("SMPL", 1), b"\0")[1:].split(b"\0")[0].decode("utf-8", "replace")
    title = "_".join("".join(sign for sign in sample if sign.isprintable()).split())[:MOST_NAME]
    title = title or "_".join(name.rpartition(".")[0].split())[:MOST_NAME] or "read"
    entry = _Entry(0, title.encode(), bases.upper(), len(bases), quality)
    if quality is not None and len(quality) != len(bases):
        entry.problem = _(
            "%(bases)s bases and %(qualities)s qualities.", bases=len(bases), qualities=len(quality)
        )
    found = Reads("ab1")
    _add(found, title, entry, None, trim_error)
    return found


_WANTED = {(b"PBAS", 1), (b"PBAS", 2), (b"PCON", 1), (b"PCON", 2), (b"SMPL", 1)}


def _ab1_tags(data: bytes, field_name: str) -> dict[tuple[str, int], bytes]:
    damaged = Invalid(_("The AB1 file is damaged or was cut off; export it again."), field=field_name)
    try:
        kind, _number, _type, size, count, _bytes, offset = struct.unpack_from(">4sI2H3I", data, 6)
    except struct.error:
        raise damaged from None
    if kind != b"tdir" or size != 28 or not 0 < count <= MOST_AB1_ENTRIES:
        raise damaged
    if offset + size * count > len(data):
        raise damaged
    tags: dict[tuple[str, int], bytes] = {}
    for place in range(offset, offset + size * count, size):
        tag, number, _type, _size, _count, length, start = struct.unpack_from(">4sI2H3I", data, place)
        if (tag, number) not in _WANTED:
            continue
        if length <= 4:
            start = place + 20
        if start + length > len(data):
            raise damaged
        tags[tag.decode("ascii"), number] = data[start : start + length]
    return tags


def read_text(text: str, **options: Any) -> Reads:
    """Return the reads of a pasted text; bases without a header are one read.

    >>> read_text("ACGTTGCA" * 10).reads[0].name
    'query'
    """
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped and stripped[0] not in ">@":
        stripped = f">query\n{stripped}"
    return read_reads(BytesIO(stripped.encode("utf-8", "replace")), name="query.fasta", **options)
