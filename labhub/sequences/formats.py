"""GenBank, EMBL, FASTA and SnapGene files, read strictly; all but the last written so that they read back.

Biopython is lenient (``trust.md`` section 2): it takes NULs, Cyrillic letters and proteins for
DNA, the same id twice, a LOCUS of 9e12 bases. So the file is first read line by line by the
rules of D8, and only feature tables that passed go through Biopython. A refusal names every
problem of the file, by line or record; what is harmless becomes a warning of the record. Who says so
(``skip_bad``) gets the records that are right, and a list of the others with what is wrong with each.
The limits and their reasons are in ``docs/decisions/0005-file-checks.md``.
"""

import base64
import gzip
import hashlib
import io
import re
import unicodedata
import warnings
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any, BinaryIO, Literal, Never

from labhub.errors import Invalid, TooLarge
from labhub.file_kinds import MAX_SEQUENCE_BYTES, FileKind, display_name, shown
from labhub.i18n import Message, Text, _, ngettext
from labhub.sequences import snapgene

MAX_FILE_BYTES = MAX_SEQUENCE_BYTES
"""Bytes of one file, unpacked when it is gzipped."""
MAX_RECORDS = 10_000
MAX_TOTAL_BASES = 64_000_000
"""Bases of all records of a file; one record may have as many."""
MAX_FEATURES = 20_000
"""Features of one record (a chloroplast has about 500, an *E. coli* genome 10,000)."""
MAX_TOTAL_FEATURES = 100_000
MAX_SEGMENTS = 1_000
"""Parts of one location (the human titin gene has 363 exons)."""
MAX_LOCATION_DEPTH = 8
MAX_LOCATION_CHARACTERS = 40_000
MAX_QUALIFIER_CHARACTERS = 100_000
"""Characters of all qualifiers of a feature (titin's translation has 35,000)."""
MAX_LINE_CHARACTERS = 100_000
"""One line of GenBank or EMBL; a FASTA record may stand on one line."""
MAX_NAME_CHARACTERS = 200
MAX_DESCRIPTION_CHARACTERS = 10_000
MAX_PROBLEMS = 50
"""Problems that one refusal lists."""
MAX_PROBLEMS_OF_RECORD = 5
"""Problems that are told of each record that is left out of a file; further ones are counted."""

Topology = Literal["linear", "circular"]

_DNA = b"ACGTRYSWKMBDHVNacgtryswkmbdhvn"
_RNA = _DNA + b"Uu"


@dataclass(frozen=True)
class ParsedFeature:
    """A feature; ``start`` and ``end`` are 1-based, inclusive, on the plus strand as written.

    ``end < start`` when it crosses the origin of a circular record. ``location`` is the whole
    truth in the INSDC's notation (joins, ``<``, ``^``); ``strand`` is 1, -1 or 0 (mixed).
    """

    kind: str
    start: int
    end: int
    strand: int
    label: str
    qualifiers: Mapping[str, tuple[str, ...]]
    location: str


@dataclass(frozen=True)
class ParsedRecord:
    """One sequence as read; ``version`` is the number after the accession, or empty."""

    accession: str
    version: str
    name: str
    description: str
    topology: Topology
    molecule_type: str
    organism: str
    features: tuple[ParsedFeature, ...]
    bases: str
    warnings: tuple[Message, ...] = field(default=(), compare=False)
    line: int = field(default=0, compare=False)
    """Where it begins in its file."""

    @property
    def identifier(self) -> str:
        """Return ``accession.version``, or the accession alone."""
        return f"{self.accession}.{self.version}" if self.version else self.accession


@dataclass(frozen=True)
class LeftOut:
    """A record that was not read, or lines that are of no record: where, and what is wrong."""

    line: int
    name: str
    problems: tuple[Text, ...]


@dataclass(frozen=True)
class ReadFile:
    """What a file holds: its records, and what was left out of it, in the order of the file."""

    records: list[ParsedRecord]
    left_out: list[LeftOut]


def read_records(
    source: Path | BinaryIO,
    kind: str,
    *,
    bases_only: bool = False,
    name: str = "",
    most_bytes: int | None = None,
) -> list[ParsedRecord]:
    """Return the records of a FASTA, GenBank, EMBL or SnapGene file (``kind``), gzipped or not.

    ``bases_only`` is for searching a file that is not kept: feature tables are left unread, and a
    name that stands twice or a length that disagrees is a warning. The bases are checked as ever.
    ``name`` is the file's, for SnapGene's records, which often have none; ``most_bytes`` is a lower
    limit than ``MAX_FILE_BYTES``. Raises ``Invalid`` with every problem in ``errors``, keyed ``line 12``
    or ``record X``, and ``TooLarge`` when the file, unpacked, is over the limit.
    """
    problems = _Problems(keep_going=False)
    return _read(source, kind, problems, bases_only=bases_only, name=name, most_bytes=most_bytes).records


def read_good_records(
    source: Path | BinaryIO,
    kind: str,
    *,
    bases_only: bool = False,
    name: str = "",
    most_bytes: int | None = None,
) -> ReadFile:
    """Return the records that are right and, with what is wrong of each, the others.

    ``bases_only`` as for ``read_records``.
    Raises as ``read_records`` where the file as a whole cannot be read: too large, too many records,
    no text, nothing in it.
    """
    problems = _Problems(keep_going=True)
    return _read(source, kind, problems, bases_only=bases_only, name=name, most_bytes=most_bytes)


def _read(
    source: Path | BinaryIO,
    kind: str,
    problems: "_Problems",
    *,
    bases_only: bool,
    name: str,
    most_bytes: int | None,
) -> ReadFile:
    data = _bytes(source, min(most_bytes or MAX_FILE_BYTES, MAX_FILE_BYTES))
    if not name and isinstance(source, Path):
        name = source.name
    if kind == FileKind.SNAPGENE:
        raws = _scan_snapgene(data, problems, _stem(name), bases_only)
    else:
        raws = _scan_text(data, problems, kind, bases_only)
    del data
    if not raws and not problems:
        problems.add(1, _("There is no record in the file."))
        problems.raise_any()
    _check_identifiers(raws, problems, bases_only)
    records: list[ParsedRecord] = []
    for raw in raws:
        if raw.problems and problems.keep_going:
            raw.parts.clear()
            continue
        parsed = _parsed(raw, problems, bases_only)
        if not raw.problems:
            records.append(parsed)
    if not problems.keep_going:
        problems.raise_any()
    return ReadFile(records, problems.left_out(raws))


def _stem(name: str) -> str:
    """Return the name of a file without the endings that tell its format."""
    path = Path(display_name(name)) if name else Path("")
    return Path(path.stem).stem if path.suffix.lower() in (".gz", ".bgz") else path.stem


def _scan_text(data: bytes, problems: "_Problems", kind: str, bases_only: bool) -> list["_Raw"]:
    text = _text(data, problems)
    lines = _numbered_lines(text)
    if kind == FileKind.FASTA:
        raws = _scan_fasta(lines, problems)
    elif kind == FileKind.GENBANK:
        raws = _scan_flat(lines, problems, _GenBank(), bases_only)
    elif kind == FileKind.EMBL:
        raws = _scan_flat(lines, problems, _Embl(), bases_only)
    else:
        raise ValueError(f"{kind} is no format of sequences")
    if problems.keep_going and _NO_TEXT.search(text):
        _note_unreadable(text, raws, problems)
    return raws


def refget_digest(bases: str) -> str:
    """Return the GA4GH refget 2.0.0 identifier of a sequence: ``SQ.`` and its sha512t24u.

    Source: https://samtools.github.io/hts-specs/refget.html

    >>> refget_digest("ACGT")
    'SQ.aKF498dAxcJAqme6QYQ7EZ07-fiw8Kw2'
    """
    digest = hashlib.sha512(bases.upper().encode("ascii")).digest()[:24]
    return "SQ." + base64.urlsafe_b64encode(digest).decode("ascii")


# --- what is wrong with a file


class _Problems:
    """Collects what is wrong, so that a refusal names all of it, or, to keep going, each record's."""

    def __init__(self, *, keep_going: bool) -> None:
        self.keep_going = keep_going
        self.found: dict[str, list[Text]] = {}
        self.number = 0
        self.first: Text = ""
        self.outside: list[LeftOut] = []
        """Lines that are of no record."""

    def __bool__(self) -> bool:
        return self.number > 0

    def add(self, line: int, message: Message, raw: "_Raw | None" = None) -> None:
        """Note a problem on a line, of a record if one is known."""
        if raw is not None:
            raw.note(_("Line %(line)s: %(problem)s", line=line, problem=message))
        if self.keep_going and raw is not None:
            self.number += 1
            return
        if raw is not None and raw.identifier:
            told = _(
                "Line %(line)s, record %(record)s: %(problem)s",
                line=line,
                record=shown(raw.identifier),
                problem=message,
            )
        else:
            told = _("Line %(line)s: %(problem)s", line=line, problem=message)
        self._add(f"line {line}", told)

    def add_record(self, raw: "_Raw", message: Message) -> None:
        """Note a problem of a record that is on none of its lines."""
        raw.note(message)
        if self.keep_going:
            self.number += 1
            return
        record = shown(raw.identifier)
        told = _("Record %(record)s: %(problem)s", record=record, problem=message)
        self._add(f"record {record}", told)

    def add_outside(self, line: int, message: Message) -> None:
        """Note lines that are of no record: they end the reading, unless it keeps going."""
        if not self.keep_going:
            self.stop(line, message)
        self.number += 1
        self.outside.append(LeftOut(line, "", (_("Line %(line)s: %(problem)s", line=line, problem=message),)))

    def stop(self, line: int, message: Message, raw: "_Raw | None" = None) -> Never:
        """Refuse the file as a whole."""
        if self.keep_going:
            raw = None
        self.add(line, message, raw)
        self.raise_any()
        raise AssertionError("a problem was just added")

    def _add(self, key: str, told: Message) -> None:
        self.number += 1
        if not self.found:
            self.first = told
        self.found.setdefault(key, []).append(told)
        if self.number >= MAX_PROBLEMS and not self.keep_going:
            self.raise_any()

    def raise_any(self) -> None:
        """Refuse the file when a problem of it, or of one of its records, was noted."""
        if not self.found:
            return
        more = sum(map(len, self.found.values())) - 1
        message = (
            self.first
            if not more
            else ngettext(
                "%(first)s (and %(number)s more problem)",
                "%(first)s (and %(number)s more problems)",
                more,
                first=self.first,
            )
        )
        raise Invalid(message, errors=self.found)

    def left_out(self, raws: Iterable["_Raw"]) -> list[LeftOut]:
        """Return what was left out, in the order of the file."""
        bad = [LeftOut(raw.line, shown(raw.identifier), raw.told()) for raw in raws if raw.problems]
        return sorted([*bad, *self.outside], key=lambda each: each.line)


@dataclass
class _RawFeature:
    line: int
    kind: str
    lines: list[str]


@dataclass
class _Raw:
    """A record as it stands in the file, before its features are understood."""

    line: int
    name: str = ""
    size: int | None = None
    molecule_type: str = "DNA"
    topology: Topology = "linear"
    accession: str = ""
    version: str = ""
    description: str = ""
    organism: str = ""
    features: list[_RawFeature] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    length: int = 0
    warnings: list[Message] = field(default_factory=list)
    problems: list[Message] = field(default_factory=list)
    problem_count: int = 0
    read_features: tuple[ParsedFeature, ...] = ()
    """Features that came read (SnapGene's)."""

    def note(self, problem: Message) -> None:
        """Remember what is wrong with it: the first few, and how much there is."""
        if problem in self.problems:
            return
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS_OF_RECORD:
            self.problems.append(problem)

    def told(self) -> tuple[Text, ...]:
        """Return what is wrong with it."""
        more = self.problem_count - len(self.problems)
        if not more:
            return tuple(self.problems)
        further = ngettext("and %(number)s more problem", "and %(number)s more problems", more)
        return (*self.problems, further)

    @property
    def is_rna(self) -> bool:
        return "RNA" in self.molecule_type

    @property
    def identifier(self) -> str:
        return f"{self.accession}.{self.version}" if self.version else self.accession or self.name

    def warn(self, message: Message) -> None:
        if message not in self.warnings:
            self.warnings.append(message)


# --- bytes to lines


def _bytes(source: Path | BinaryIO, most_bytes: int) -> bytes:
    if isinstance(source, Path):
        with source.open("rb") as file:
            return _bytes(file, most_bytes)
    data = source.read(most_bytes + 1)
    if data.startswith(b"\x1f\x8b"):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                data = packed.read(most_bytes + 1)
        except (OSError, EOFError, zlib.error):
            raise Invalid(_("The gzip file is damaged; send it again."), field="file") from None
    if len(data) > most_bytes:
        raise TooLarge(_("A sequence file may have %(most)s MiB.", most=most_bytes >> 20), field="file")
    return data


def _text(data: bytes, problems: _Problems) -> str:
    """Return the text with ``\\n`` line ends, or refuse what is not UTF-8 text.

    To keep going, each byte that is not text becomes half a character (``_NO_TEXT``), which no text has.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    if problems.keep_going:
        text = data.decode("utf-8", "surrogateescape").replace("\0", "\udc00")
    else:
        nul = data.find(b"\0")
        if nul >= 0:
            problems.stop(_line_at(data, nul), _("a NUL byte; this is not a text file."))
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            problems.stop(_line_at(data, error.start), _("not UTF-8 text; save the file as UTF-8."))
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


_NO_TEXT = re.compile("[\udc00-\udcff]")
_UNREADABLE = _("a NUL byte, or not UTF-8 text.")


def _note_unreadable(text: str, raws: Sequence["_Raw"], problems: _Problems) -> None:
    """Note the bytes that were no text with the records that they stand in."""
    starts = [raw.line for raw in raws]
    for number, line in _numbered_lines(text):
        if _NO_TEXT.search(line) and (place := bisect_right(starts, number)):
            problems.add(number, _UNREADABLE, raws[place - 1])


def _line_at(data: bytes, position: int) -> int:
    before = data[:position].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return before.count(b"\n") + 1


def _numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines without a list of them all; only ``\\n`` ends a line, not U+2028 and its like."""
    number = position = 0
    while position < len(text):
        end = text.find("\n", position)
        if end < 0:
            end = len(text)
        number += 1
        yield number, text[position:end]
        position = end + 1


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _clean(text: str, raw: _Raw) -> str:
    """Return text without controls, bidi and zero-width marks; say so in a warning."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\t", " ")
    clean = "".join(letter for letter in text if unicodedata.category(letter) not in _HIDDEN)
    if clean != text:
        raw.warn(_("Control or invisible characters in a text were left out."))
    return unicodedata.normalize("NFC", clean)


def _sentence(lines: Iterable[str]) -> str:
    return " ".join(" ".join(lines).split())


# --- bases


def _add_bases(raw: _Raw, letters: str, line: int, problems: _Problems) -> None:
    """Append letters after checking each against the declared alphabet."""
    allowed = _RNA if raw.is_rna else _DNA
    if not letters.isascii() or letters.encode().translate(None, allowed):
        _refuse_letter(raw, letters, line, problems)
        return
    raw.parts.append(letters.upper())
    raw.length += len(letters)
    if raw.length > MAX_TOTAL_BASES:
        problems.stop(line, _("a file may have %(most)s bases; split it.", most=MAX_TOTAL_BASES), raw)


def _refuse_letter(raw: _Raw, letters: str, line: int, problems: _Problems) -> None:
    allowed = (_RNA if raw.is_rna else _DNA).decode()
    place, letter = next((i, c) for i, c in enumerate(letters, 1) if c not in allowed)
    raw.length += len(letters)
    if letter in "Uu":
        message = _("U in a DNA record at base %(place)s; declare it as RNA or write T.", place=place)
    elif letter in "EFILPQZXJOefilpqzxjo*":
        message = _(
            "%(letter)s at letter %(place)s is no base; proteins are not taken here.",
            letter=letter,
            place=place,
        )
    elif _NO_TEXT.match(letter):
        message = _UNREADABLE
    elif letter.isascii() and letter.isprintable():
        message = _("%(letter)s at letter %(place)s is no IUPAC base.", letter=repr(letter), place=place)
    else:
        message = _(
            "the character U+%(code)s at letter %(place)s is no IUPAC base.",
            code=f"{ord(letter):04X}",
            place=place,
        )
    problems.add(line, message, raw)


def _bases_of(raw: _Raw, problems: _Problems) -> str:
    bases = "".join(raw.parts)
    if "U" in bases and "T" in bases:
        problems.add_record(raw, _("both U and T; write one of them."))
    ambiguous = len(bases) - sum(bases.count(letter) for letter in "ACGTUN")
    if 2 * ambiguous > len(bases):
        problems.add_record(raw, _("more than half of the letters are ambiguous; it looks like a protein."))
    return bases


# --- FASTA

_INSDC = re.compile(r"([A-Z]{1,2}\d{5,8}|[A-Z]{4,6}\d{8,11}|[A-Z]{2}_[A-Z]{0,6}\d{6,11})\.(\d{1,4})")

_TOPOLOGY = re.compile(r"\[topology=(linear|circular)\]", re.IGNORECASE)
"""NCBI's source modifier in a FASTA header."""


def _scan_fasta(lines: Iterator[tuple[int, str]], problems: _Problems) -> list[_Raw]:
    raws: list[_Raw] = []
    raw: _Raw | None = None
    total = 0
    is_outside = False
    for number, line in lines:
        if line.startswith(">"):
            if raw is not None:
                total += _end_fasta(raw, problems)
            if len(raws) >= MAX_RECORDS:
                problems.stop(number, _("a file may have %(most)s records; split it.", most=MAX_RECORDS))
            raw = _fasta_header(number, line, problems)
            raws.append(raw)
            continue
        letters = line.strip(" \t")
        if not letters:
            continue
        if raw is None:
            if not is_outside:
                is_outside = True
                problems.add_outside(
                    number, _("bases before the first header; a record begins with > and a name.")
                )
            continue
        if not raw.is_rna and ("U" in letters or "u" in letters):
            _declare_by_letters(raw, letters)
        _add_bases(raw, letters.replace(" ", ""), number, problems)
        if total + raw.length > MAX_TOTAL_BASES:
            problems.stop(number, _("a file may have %(most)s bases; split it.", most=MAX_TOTAL_BASES))
    if raw is not None:
        _end_fasta(raw, problems)
    return raws


def _fasta_header(number: int, line: str, problems: _Problems) -> _Raw:
    raw = _Raw(number)
    identifier, _blank, description = line[1:].strip().partition(" ")
    if "\t" in identifier:
        identifier, _blank, description = line[1:].strip().partition("\t")
    if not identifier:
        problems.add(number, _("the header has no name; write it right behind the >."), raw)
    if len(identifier) > MAX_NAME_CHARACTERS or len(description) > MAX_DESCRIPTION_CHARACTERS:
        problems.add(number, _("the header is too long."), raw)
        description = ""
    known = _INSDC.fullmatch(identifier)
    raw.accession, raw.version = (known[1], known[2]) if known else (identifier, "")
    raw.name = identifier
    description = _clean(description, raw)
    if said := _TOPOLOGY.search(description):
        raw.topology = "circular" if said[1].lower() == "circular" else "linear"
        description = _TOPOLOGY.sub(" ", description)
    raw.description = _sentence([description])
    return raw


def _declare_by_letters(raw: _Raw, letters: str) -> None:
    """FASTA declares nothing: a record that has U, and no T up to there, is RNA."""
    if "T" not in letters.upper() and not any("T" in part for part in raw.parts):
        raw.molecule_type = "RNA"


def _end_fasta(raw: _Raw, problems: _Problems) -> int:
    if not raw.length:
        problems.add(raw.line, _("a header without bases."), raw)
    return raw.length


# --- GenBank and EMBL: what they share


class _Layout:
    """Where the two flat-file formats differ."""

    start: re.Pattern[str]
    features: re.Pattern[str]
    sequence: re.Pattern[str]
    ends_features: re.Pattern[str]

    def begin(self, raw: _Raw, line: str, problems: _Problems) -> None:
        """Read the LOCUS or ID line."""
        raise NotImplementedError

    def head(self, raw: _Raw, number: int, line: str) -> None:
        """Take a line of the header."""
        raise NotImplementedError

    def finish(self, raw: _Raw) -> None:
        """Put the header's lines together."""
        raise NotImplementedError

    def feature_line(self, line: str) -> str:
        """Return a line of the feature table as GenBank writes it."""
        raise NotImplementedError

    def letters(self, raw: _Raw, number: int, line: str, problems: _Problems) -> str:
        """Return the letters of a line of bases, with what does not belong there left in."""
        raise NotImplementedError


def _scan_flat(
    lines: Iterator[tuple[int, str]], problems: _Problems, layout: _Layout, bases_only: bool
) -> list[_Raw]:
    raws: list[_Raw] = []
    raw: _Raw | None = None
    room = ""
    is_outside = False
    total_bases = total_features = 0
    for number, line in lines:
        line = line.rstrip(" \t")
        if len(line) > MAX_LINE_CHARACTERS:
            if raw is None or not problems.keep_going:
                problems.stop(number, _("a line of more than %(most)s characters.", most=MAX_LINE_CHARACTERS))
            problems.add(number, _("a line of more than %(most)s characters.", most=MAX_LINE_CHARACTERS), raw)
            continue
        if layout.start.match(line):
            if raw is not None:
                problems.add(number, _("a record begins before the end (//) of the last."), raw)
                total_bases += raw.length
                total_features += len(raw.features)
            if len(raws) >= MAX_RECORDS:
                problems.stop(number, _("a file may have %(most)s records; split it.", most=MAX_RECORDS))
            raw, room, is_outside = _Raw(number), "head", False
            layout.begin(raw, line, problems)
            raws.append(raw)
        elif raw is None:
            if line and line != "//" and not is_outside:
                is_outside = True
                problems.add_outside(number, _("text outside a record."))
        elif line == "//":
            layout.finish(raw)
            _end_flat(raw, problems, bases_only)
            total_bases += raw.length
            total_features += len(raw.features)
            raw = None
        elif not line:
            continue
        elif room == "sequence":
            _add_bases(raw, layout.letters(raw, number, line, problems), number, problems)
        elif layout.sequence.match(line):
            room = "sequence"
        elif room == "head" and layout.features.match(line):
            room = "features"
        elif room == "features" and not layout.ends_features.match(line):
            if not bases_only:
                _feature_line(raw, number, layout.feature_line(_clean(line, raw)), problems)
        else:
            room = "head"
            layout.head(raw, number, line)
        if raw is not None and (
            total_bases + raw.length > MAX_TOTAL_BASES
            or total_features + len(raw.features) > MAX_TOTAL_FEATURES
            or len(raw.features) > MAX_FEATURES
        ):
            problems.stop(
                number,
                _(
                    "a file may have %(bases)s bases, a record %(features)s features; split it.",
                    bases=MAX_TOTAL_BASES,
                    features=MAX_FEATURES,
                ),
                raw,
            )
    if raw is not None:
        layout.finish(raw)
        problems.add_record(raw, _("no end (//); the file was cut off."))
    return raws


def _feature_line(raw: _Raw, number: int, line: str, problems: _Problems) -> None:
    if line[:21].strip() == "":
        text = line[21:].strip()
        if text and not raw.features:
            problems.add(number, _("a qualifier before the first feature."), raw)
        elif text:
            raw.features[-1].lines.append(text)
        return
    kind, rest = line[5:20].strip(), line[21:].strip()
    if line[:5].strip() or line[20:21].strip() or not kind or " " in kind or not kind.isascii():
        problems.add(number, _("a feature's key stands in columns 6 to 20, its location from 22 on."), raw)
        raw.features.append(_RawFeature(number, "", ["1"]))
    elif not rest:
        problems.add(number, _("the feature %(kind)s has no location.", kind=shown(kind)), raw)
    else:
        raw.features.append(_RawFeature(number, kind, [rest]))


def _end_flat(raw: _Raw, problems: _Problems, bases_only: bool) -> None:
    if not raw.length:
        problems.add_record(raw, _("no bases in the file."))
    elif raw.size is not None and raw.size != raw.length:
        said = _(
            "the first line says %(said)s bases, the file has %(found)s.", said=raw.size, found=raw.length
        )
        if bases_only:
            raw.warn(said)
        else:
            problems.add_record(raw, said)


_PLACEHOLDERS = frozenset({"", ".", "-", "unknown", "<unknown", "null"})


def _named(raw: _Raw, accession: str, version: str) -> None:
    """Choose the first true name among VERSION, ACCESSION and LOCUS."""
    base, dot, number = version.rpartition(".")
    if dot and number.isdigit() and (base == accession or (base and _INSDC.fullmatch(version))):
        raw.accession, raw.version = base, number
        return
    raw.version = ""
    names = [name for name in (version, accession, raw.name) if name.lower() not in _PLACEHOLDERS]
    raw.accession = names[0] if names else ""


_MOLECULE = re.compile(r"(?i)(ss-|ds-|ms-)?(DNA|RNA|mRNA|tRNA|rRNA|cRNA|uRNA|scRNA|snRNA|snoRNA|ncRNA)")


def _molecule(raw: _Raw, text: str) -> bool:
    """Set the molecule from the last word of ``text``, written as the INSDC writes it."""
    word = text.split()[-1] if text.split() else ""
    known = _MOLECULE.fullmatch(word)
    if known is None:
        return False
    kind = known[2]
    standard = kind[:-3].lower() + kind[-3:].upper()
    standard = standard.replace("scRNA", "scRNA").replace("snoRNA", "snoRNA")
    raw.molecule_type = (known[1] or "").lower() + standard
    if raw.molecule_type != word:
        raw.warn(_("The molecule type was read as %(molecule)s.", molecule=raw.molecule_type))
    return True


# --- GenBank

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


class _GenBank(_Layout):
    start = re.compile(r"LOCUS(?:\s|$)")
    features = re.compile(r"FEATURES(?:\s|$)")
    sequence = re.compile(r"ORIGIN(?:\s|$)")
    ends_features = re.compile(r"\S")

    _size = re.compile(r"LOCUS\s+(?:(.*?)\s+)?(\d+)\s+(bp|aa|rc)(?:\s+(.*))?")

    def __init__(self) -> None:
        self._blocks: dict[str, list[str]] = {}
        self._key = ""

    def begin(self, raw: _Raw, line: str, problems: _Problems) -> None:
        self._blocks, self._key = {}, ""
        line = _clean(line, raw)
        known = self._size.fullmatch(line) if len(line) <= 2 * MAX_NAME_CHARACTERS else None
        if known is None or len(known[1] or "") > MAX_NAME_CHARACTERS:
            problems.add(
                raw.line, _("the LOCUS line needs a name, a length and bp: LOCUS name 1234 bp DNA."), raw
            )
            return
        name, size, unit, rest = known[1] or "", known[2], known[3], known[4] or ""
        if " " in name:
            raw.warn(_("Blanks in the LOCUS name were read as _."))
        raw.name = "_".join(name.split())
        if unit != "bp":
            problems.add(
                raw.line,
                _("a protein is not taken here.")
                if unit == "aa"
                else _("a master record has no bases; send the records it names."),
                raw,
            )
        if len(size) > 11 or int(size) > MAX_TOTAL_BASES:
            problems.add(
                raw.line,
                _("LOCUS says %(said)s bases; a file may have %(most)s.", said=size, most=MAX_TOTAL_BASES),
                raw,
            )
        else:
            raw.size = int(size)
        self._rest(raw, rest.split(), unit)

    def _rest(self, raw: _Raw, words: Sequence[str], unit: str) -> None:
        molecule = topology = False
        for word in words:
            if not molecule and _molecule(raw, word):
                molecule = True
            elif word.lower() in {"linear", "circular"}:
                topology = True
                raw.topology = "circular" if word.lower() == "circular" else "linear"
            elif re.fullmatch(r"[A-Za-z]{3}", word):
                continue
            elif not _is_date(word):
                raw.warn(_("%(word)s in the LOCUS line was not understood.", word=shown(word)))
        if not molecule and unit == "bp":
            raw.warn(_("The LOCUS line names no molecule; it was read as DNA."))
        if not topology:
            raw.warn(_("The LOCUS line does not say linear or circular; it was read as linear."))

    def head(self, raw: _Raw, number: int, line: str) -> None:
        key = line[:12].strip()
        if (key and line[:1] != " ") or line.startswith("  ORGANISM"):
            self._key = key
        elif key and line[:12] != " " * 12:
            self._key = f"{self._key}/{key}"
        if self._key in {"DEFINITION", "ACCESSION", "VERSION", "SOURCE", "ORGANISM"}:
            self._blocks.setdefault(self._key, []).append(_clean(line[12:], raw))
            if self._key == "ACCESSION" and not raw.accession:
                raw.accession = line[12:].strip().partition(" ")[0]

    def finish(self, raw: _Raw) -> None:
        blocks = self._blocks
        accession = _sentence(blocks.get("ACCESSION", [])).partition(" ")[0]
        version = _sentence(blocks.get("VERSION", [])).partition(" ")[0]
        _named(raw, accession, version)
        raw.description = _sentence(blocks.get("DEFINITION", [])).removesuffix(".")
        organism = _sentence(blocks.get("ORGANISM", [])[:1])
        source = _sentence(blocks.get("SOURCE", []))
        if organism.endswith("...") and source.startswith(organism[:-3]):
            organism = source
        raw.organism = "" if organism == "." else organism

    def feature_line(self, line: str) -> str:
        return line

    def letters(self, raw: _Raw, number: int, line: str, problems: _Problems) -> str:
        known = re.match(r"(\s*)(\d+)?", line)
        indent, place = (known[1], known[2]) if known else ("", None)
        if place is None:
            raw.warn(_("A line of bases has no number."))
        else:
            if len(place) > 11 or int(place) != raw.length + 1:
                raw.warn(_("Line %(line)s of the bases has a wrong number.", line=number))
            if len(indent) + len(place) != 9:
                raw.warn(_("A line of bases is not indented as usual."))
        return line[known.end() if known else 0 :].replace(" ", "")


def _is_date(word: str) -> bool:
    """Say whether a word is a day such as 30-JAN-2026 that exists in the calendar."""
    known = re.fullmatch(r"(\d\d)-([A-Z]{3})-(\d{4})", word.upper())
    if known is None or known[2] not in _MONTHS:
        return False
    try:
        date(int(known[3]), _MONTHS.index(known[2]) + 1, int(known[1]))
    except ValueError:
        return False
    return True


# --- EMBL


class _Embl(_Layout):
    start = re.compile(r"ID\s")
    features = re.compile(r"FH(?:\s|$)|FT\s")
    sequence = re.compile(r"SQ(?:\s|$)")
    ends_features = re.compile(r"(?!F[HT](?:\s|$))")

    def __init__(self) -> None:
        self._blocks: dict[str, list[str]] = {}
        self._version = ""

    def begin(self, raw: _Raw, line: str, problems: _Problems) -> None:
        self._blocks, self._version = {}, ""
        fits = len(line) <= 2 * MAX_NAME_CHARACTERS
        line = _clean(line, raw) if fits else ""
        words = [word.strip() for word in line[2:].split(";")]
        size = re.search(r"(\d+) (BP|AA|SQ)\.?$", words[-1])
        if size is None or len(words) < 2:
            problems.add(
                raw.line, _("the ID line needs a name and a length: ID X1; SV 1; linear; DNA; 9 BP."), raw
            )
            return
        raw.name = (words[0].split() or [""])[0]
        if size[2] != "BP":
            problems.add(raw.line, _("a protein is not taken here."), raw)
        elif len(size[1]) > 11 or int(size[1]) > MAX_TOTAL_BASES:
            problems.add(
                raw.line,
                _("ID says %(said)s bases; a file may have %(most)s.", said=size[1], most=MAX_TOTAL_BASES),
                raw,
            )
        else:
            raw.size = int(size[1])
        molecule = topology = False
        for word in words[1:-1]:
            if version := re.fullmatch(r"SV (\d{1,9})", word):
                self._version = version[1]
            elif word.lower() in {"linear", "circular"}:
                topology = True
                raw.topology = "circular" if word.lower() == "circular" else "linear"
            elif not molecule and _molecule(raw, word):
                molecule = True
                if word.lower().startswith("circular "):
                    topology, raw.topology = True, "circular"
        if not molecule and size[2] == "BP":
            raw.warn(_("The ID line names no molecule; it was read as DNA."))
        if not topology:
            raw.warn(_("The ID line does not say linear or circular; it was read as linear."))

    def head(self, raw: _Raw, number: int, line: str) -> None:
        if line[:2] in {"AC", "DE", "OS", "SV"}:
            self._blocks.setdefault(line[:2], []).append(_clean(line[5:], raw))

    def finish(self, raw: _Raw) -> None:
        accessions = _sentence(self._blocks.get("AC", [])).split(";")
        accession = accessions[0].strip() or raw.name
        old = re.fullmatch(r"\S+\.(\d+)", _sentence(self._blocks.get("SV", [])))
        version = self._version or (old[1] if old else "")
        _named(raw, accession, f"{accession}.{version}" if version else accession)
        raw.name = raw.accession
        raw.description = _sentence(self._blocks.get("DE", []))
        organism = _sentence(self._blocks.get("OS", []))
        raw.organism = "" if organism == "." else organism

    def feature_line(self, line: str) -> str:
        return "" if line.startswith("FH") else "  " + line[2:]

    def letters(self, raw: _Raw, number: int, line: str, problems: _Problems) -> str:
        letters = line.rstrip("0123456789")
        place = line[len(letters) :]
        letters = letters.replace(" ", "")
        if not place:
            raw.warn(_("A line of bases has no number."))
        elif len(place) > 11 or int(place) != raw.length + len(letters):
            raw.warn(_("Line %(line)s of the bases has a wrong number.", line=number))
        return letters


# --- SnapGene


def _scan_snapgene(data: bytes, problems: _Problems, name: str, bases_only: bool) -> list[_Raw]:
    """Return the one record of a SnapGene file, its features as Biopython reads them."""
    raw = _Raw(1)
    raw.name = raw.accession = "_".join(_clean(name, raw).split())[:MAX_NAME_CHARACTERS] or "SnapGene"
    try:
        document = snapgene.open_document(data)
        notes = document.notes()
        _take_notes(raw, notes)
        raw.topology = "circular" if document.circular else "linear"
        raw.molecule_type = "DNA"
        _add_bases(raw, document.bases, 1, problems)
        if not raw.length:
            problems.add_record(raw, _("no bases in the file."))
        if not bases_only and not raw.problems:
            read, remarks = document.features(MAX_FEATURES, MAX_SEGMENTS)
            for remark in remarks:
                raw.warn(remark)
            _take_features(raw, read, problems)
    except snapgene.Unreadable as error:
        problems.add_record(raw, error.problem)
    return [raw]


def _take_notes(raw: _Raw, notes: Mapping[str, str]) -> None:
    """Take name, description and organism from what the file says of itself."""
    label = notes.get("CustomMapLabel", "") if notes.get("UseCustomMapLabel") == "1" else ""
    name = notes.get("AccessionNumber", "") or label
    if name := "_".join(_clean(name, raw).split())[:MAX_NAME_CHARACTERS]:
        known = _INSDC.fullmatch(name)
        raw.name = name
        raw.accession, raw.version = (known[1], known[2]) if known else (name, "")
    for key in ("Description", "Comments"):
        if not raw.description:
            raw.description = _sentence([_clean(notes.get(key, ""), raw)])
    organism = _sentence([_clean(notes.get("Organism", ""), raw)])
    raw.organism = "" if organism.lower() in {".", "unspecified"} else organism


def _take_features(raw: _Raw, read: Iterable[Any], problems: _Problems) -> None:
    from Bio.SeqIO import InsdcIO

    insdc: Any = InsdcIO  # only partly typed
    kept = []
    for feature in read:
        for key, values in list(feature.qualifiers.items()):
            texts = [_sentence([_clean(str(value), raw)]).replace('"', "'") for value in values]
            if sum(map(len, texts)) > MAX_QUALIFIER_CHARACTERS:
                said = _(
                    "the qualifiers of a feature may have %(most)s characters.", most=MAX_QUALIFIER_CHARACTERS
                )
                problems.add_record(raw, said)
                return
            del feature.qualifiers[key]
            if _QUALIFIER.match(f"/{key}=") and key.isascii():
                feature.qualifiers[key] = texts
            else:
                raw.warn(_("The qualifier %(key)s was left out: it has no proper name.", key=shown(key)))
        if not re.fullmatch(r"[A-Za-z0-9_'*-]{1,15}", feature.type):
            raw.warn(_("The kind %(kind)s was read as misc_feature.", kind=shown(feature.type)))
            feature.type = "misc_feature"
        location = insdc._insdc_location_string(feature.location, raw.length)
        said_of = _location_problem(raw, location)
        if said_of is not None:
            problems.add_record(raw, said_of)
            return
        kept.append(_feature(feature, raw))
    raw.read_features = tuple(kept)


# --- identifiers and features


def _check_identifiers(raws: Iterable[_Raw], problems: _Problems, bases_only: bool) -> None:
    seen: dict[str, int] = {}
    for raw in raws:
        identifier = raw.identifier
        hidden = any(unicodedata.category(letter) in _HIDDEN for letter in identifier)
        if hidden or len(identifier) > MAX_NAME_CHARACTERS:
            problems.add(raw.line, _("the name holds invisible characters or is too long."), raw)
        if not identifier:
            problems.add(raw.line, _("the record has no name; give it one."), raw)
        elif identifier in seen:
            said = _("the name stands already on line %(line)s.", line=seen[identifier])
            if bases_only:
                raw.warn(said)
            else:
                problems.add(raw.line, said, raw)
        else:
            seen[identifier] = raw.line


def _parsed(raw: _Raw, problems: _Problems, bases_only: bool) -> ParsedRecord:
    bases = _bases_of(raw, problems)
    raw.parts.clear()
    if len(raw.description) > MAX_DESCRIPTION_CHARACTERS:
        problems.add(raw.line, _("the description is too long."), raw)
    before = problems.number
    for feature in raw.features:
        _check_feature(raw, feature, problems)
    features = raw.read_features
    if raw.features and problems.number == before:
        features = _features(raw, problems)
    return ParsedRecord(
        accession=raw.accession or raw.name,
        version=raw.version,
        name=raw.name or raw.accession,
        description=raw.description,
        topology=raw.topology,
        molecule_type=raw.molecule_type,
        organism=raw.organism,
        features=features,
        bases=bases,
        warnings=tuple(raw.warnings),
        line=raw.line,
    )


_QUALIFIER = re.compile(r"/[^\s/=\"]{1,60}(?:=|$)")


def _check_feature(raw: _Raw, feature: _RawFeature, problems: _Problems) -> None:
    """Check what Biopython would forgive, or take long over."""
    location = "".join(takewhile(lambda line: not line.startswith("/"), feature.lines)).replace(" ", "")
    said = _location_problem(raw, location)
    if said is not None:
        problems.add(feature.line, said, raw)
    if sum(map(len, feature.lines)) - len(location) > MAX_QUALIFIER_CHARACTERS:
        problems.add(
            feature.line,
            _("the qualifiers of a feature may have %(most)s characters.", most=MAX_QUALIFIER_CHARACTERS),
            raw,
        )
    open_since = ""
    for line in feature.lines:
        if not open_since and line.startswith("/") and not _QUALIFIER.match(line):
            problems.add(
                feature.line,
                _("the qualifier %(line)s has no proper name.", line=shown(line)),
                raw,
            )
        if open_since:
            open_since = "" if line.endswith('"') else open_since
        elif quoted := re.match(r'/([^=]*)=\s*"', line):
            value = line[quoted.end() :]
            open_since = "" if value.endswith('"') or not value else quoted[1]
    if open_since:
        problems.add(
            feature.line,
            _("the quotation mark of /%(key)s is never closed.", key=shown(open_since)),
            raw,
        )


def _location_problem(raw: _Raw, location: str) -> Message | None:
    if len(location) > MAX_LOCATION_CHARACTERS or location.count(",") >= MAX_SEGMENTS:
        return _("the location is too long; it may have %(most)s parts.", most=MAX_SEGMENTS)
    depth = deepest = 0
    for letter in location:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
        if depth < 0:
            break
    if depth or deepest > MAX_LOCATION_DEPTH:
        return _("the brackets of the location %(location)s do not match.", location=shown(location))
    for part in re.split(r"[(),]", location.replace("one-of", "")):
        if ":" in part or part in {"complement", "join", "order", "bond"}:
            continue
        if not re.fullmatch(r"[<>]?\d{0,11}(?:(?:\.\.?|\^)[<>]?\d{0,11})?", part):
            return _("the location %(location)s cannot be read.", location=shown(location))
        places = [int(number) for number in re.findall(r"\d+", part)]
        if any(not 1 <= place <= raw.length for place in places):
            return _(
                "the location %(location)s lies outside the record of %(length)s bases.",
                location=shown(location),
                length=raw.length,
            )
        if len(places) == 2 and places[0] > places[1]:
            if raw.topology != "circular":
                return _(
                    "the location %(location)s ends before it begins, but the record is not circular.",
                    location=shown(location),
                )
            if "^" not in part:
                raw.warn(
                    _("The location %(location)s was read as crossing the origin.", location=shown(location))
                )
    return None


_NOT_READ = (ValueError, AssertionError, IndexError, TypeError, AttributeError, RuntimeError)
"""What Biopython raises over a feature table that it cannot read."""


def _features(raw: _Raw, problems: _Problems) -> tuple[ParsedFeature, ...]:
    """Return the features as Biopython reads them, naming the lines that it cannot read."""
    try:
        read = _biopython_features(raw, raw.features)
    except _NOT_READ:
        read = None
    whole = read is not None and len(read) == len(raw.features)
    if read is not None and whole and all(each.location is not None for each in read):
        return tuple(_feature(each, raw) for each in read)
    before = problems.number
    for feature in raw.features:
        try:
            alone = _biopython_features(raw, [feature])
        except _NOT_READ:
            alone = []
        if len(alone) != 1 or alone[0].location is None:
            said = _("the feature %(kind)s cannot be read.", kind=shown(feature.kind))
            problems.add(feature.line, said, raw)
    if problems.number == before:
        problems.add_record(raw, _("the feature table cannot be read."))
    return ()


def _biopython_features(raw: _Raw, features: Sequence[_RawFeature]) -> list[Any]:
    from Bio import BiopythonParserWarning, SeqIO

    # What these would say is checked above; a filter, since catch_warnings is not for threads.
    warnings.simplefilter("ignore", BiopythonParserWarning)
    text = io.StringIO()
    text.write(f"LOCUS       RECORD{raw.length:>22} bp    DNA     {raw.topology:<8} UNK 01-JAN-1980\n")
    text.write("FEATURES             Location/Qualifiers\n")
    for feature in features:
        text.write(f"     {feature.kind:<16}{feature.lines[0]}\n")
        text.writelines(f"{' ' * 21}{line}\n" for line in feature.lines[1:])
    text.write("ORIGIN\n//\n")
    text.seek(0)
    reader: Any = SeqIO  # only partly typed
    return list(reader.read(text, "genbank").features)


_LABELS = ("label", "standard_name", "gene", "product", "locus_tag", "ApEinfo_label", "note")


def _feature(read: Any, raw: _Raw) -> ParsedFeature:
    from Bio.SeqIO import InsdcIO

    insdc: Any = InsdcIO  # only partly typed
    qualifiers = {
        key: tuple(_sentence([value]) for value in values) for key, values in read.qualifiers.items()
    }
    label = next((value for key in _LABELS for value in qualifiers.get(key, ()) if value), read.type)
    start, end = _extent(read.location, raw)
    return ParsedFeature(
        kind=read.type,
        start=start,
        end=end,
        strand=read.location.strand or 0,
        label=label[:MAX_NAME_CHARACTERS],
        qualifiers=qualifiers,
        location=insdc._insdc_location_string(read.location, raw.length),
    )


def _extent(location: Any, raw: _Raw) -> tuple[int, int]:
    parts = [(int(part.start), int(part.end)) for part in location.parts if not part.ref]
    if not parts:
        return 1, raw.length
    if location.strand == -1:
        parts.reverse()
    if raw.topology == "circular" and any(after[0] < before[0] for before, after in pairwise(parts)):
        start, end = parts[0][0], parts[-1][1]
    else:
        start, end = min(part[0] for part in parts), max(part[1] for part in parts)
    if start == end and len(parts) == 1:  # between two bases
        return max(start, 1), start % raw.length + 1
    return start + 1, end


# --- writing


def to_fasta(records: Iterable[ParsedRecord]) -> str:
    """Return FASTA with 60 bases a line; features have no place in it, ``[topology=circular]`` has."""
    return _written(records, "fasta")


def to_genbank(records: Iterable[ParsedRecord]) -> str:
    """Return GenBank; reads back equal."""
    return _written(records, "genbank")


def to_embl(records: Iterable[ParsedRecord]) -> str:
    """Return EMBL; reads back equal but for ``name``, which has no place in it."""
    return _written(records, "embl")


def _written(records: Iterable[ParsedRecord], form: Literal["fasta", "genbank", "embl"]) -> str:
    from Bio import BiopythonParserWarning, BiopythonWarning
    from Bio.SeqIO.FastaIO import FastaWriter
    from Bio.SeqIO.InsdcIO import EmblWriter, GenBankWriter

    warnings.simplefilter("ignore", BiopythonWarning)
    warnings.simplefilter("ignore", BiopythonParserWarning)
    out = io.StringIO()
    writer = {"fasta": FastaWriter, "genbank": GenBankWriter, "embl": EmblWriter}[form](out)
    wrap = getattr(writer, "_write_feature_qualifier", None)
    if wrap is not None:
        usual = writer.MAX_WIDTH

        def keep_words(key: str, value: Any = None, quote: bool | None = None) -> None:
            """Leave a value with an overlong word on one line: broken, it would read back in two."""
            words = "" if key == "translation" or value is None else value
            long = any(len(key) + len(word) + word.count('"') > 54 for word in words.split())
            writer.MAX_WIDTH = 10**9 if long else usual
            wrap(key, value, quote)
            writer.MAX_WIDTH = usual

        writer._write_feature_qualifier = keep_words
    for record in records:
        if form == "embl" and ";" in record.accession:
            raise Invalid(
                _(
                    "The record %(record)s cannot be written as EMBL: its name has a ;.",
                    record=shown(record.accession),
                )
            )
        writer.write_record(_biopython_record(record, form))
    return out.getvalue()


_FLAGS = frozenset(
    {
        "environmental_sample",
        "focus",
        "germline",
        "macronuclear",
        "partial",
        "proviral",
        "pseudo",
        "rearranged",
        "ribosomal_slippage",
        "trans_splicing",
        "transgenic",
    }
)
"""Qualifiers that the INSDC writes without a value."""


def _biopython_record(record: ParsedRecord, form: str) -> Any:
    from Bio import SeqFeature
    from Bio.Seq import Seq
    from Bio.SeqRecord import SeqRecord

    table: Any = SeqFeature  # only partly typed
    circular = record.topology == "circular"
    if form == "fasta":
        identifier = record.identifier
        description = f"{identifier} {record.description}".strip()
        if circular:
            description += " [topology=circular]"
    else:
        # EMBL's writer takes the version from the id, the name from the annotation.
        identifier = record.identifier if form == "genbank" else "record"
        if form == "embl" and record.version:
            identifier = f"record.{record.version}"
        description = record.description
    features = [
        table.SeqFeature(
            table.Location.fromstring(feature.location, len(record.bases), circular),
            type=feature.kind,
            qualifiers={
                key: [None if key in _FLAGS and not value else value for value in values]
                for key, values in feature.qualifiers.items()
            },
        )
        for feature in record.features
    ]
    return SeqRecord(
        Seq(record.bases),
        id=identifier,
        name=record.name,
        description=description,
        features=features if form != "fasta" else [],
        annotations={
            "accession": record.accession,
            "molecule_type": record.molecule_type,
            "topology": record.topology,
            "organism": record.organism or ".",
            "source": record.organism or ".",
        },
    )
