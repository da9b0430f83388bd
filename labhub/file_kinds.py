"""What an upload is: one reader decides its kind from its name *and* its content (``trust.md`` D2-D4, D6).

Every byte that is read here is hostile. Nothing is unpacked to disk, no header is believed,
and memory stays bounded: texts and archive members are streamed, images and PDFs are mapped.
The limits and their reasons are in ``docs/decisions/0005-file-checks.md``.
"""

import codecs
import csv
import gzip
import json
import mmap
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Never
from urllib.parse import quote
from xml.parsers import expat

from labhub import strict_json
from labhub.errors import Invalid, TooLarge
from labhub.i18n import Message, _

MAX_MEMBERS = 100
MAX_UNPACKED_BYTES = 64 << 20
"""Bytes of all members of an archive together, and of one XML document."""
MAX_RATIO = 100
"""Unpacked bytes per packed byte, for the archive and for each member beyond its first MiB."""
MAX_XML_DEPTH = 64
MAX_XML_ELEMENTS = 1_000_000
MAX_XML_ATTRIBUTES = 1_000
"""Attributes of one element."""
MAX_XML_TOKEN_BYTES = 1 << 20
"""One tag with its attributes, one comment or one instruction."""
MAX_XML_SECONDS = 10.0
MAX_RDML_RECORDS = 10_000
"""Children of one name directly under ``<rdml>``: samples, targets, experiments."""
MAX_CSV_COLUMNS = 1_000
MAX_CSV_CELL = 32_767
"""Characters in one cell, as in a spreadsheet."""
MAX_CSV_ROWS = 1_000_000
MAX_JSON_BYTES = 16 << 20
MAX_JSON_DEPTH = 32
MAX_JSON_VALUES = 500_000
MAX_PIXELS = 50_000_000
MAX_SEQUENCE_BYTES = 80 << 20
"""Bytes of one file of sequences, unpacked when it is gzipped."""
MAX_SNAPGENE_PACKETS = 10_000
"""Packets of one SnapGene file; a file with a long history has some dozens."""
MAX_NAME_BYTES = 255

_CHUNK = 1 << 16
_XML_ENCODINGS = frozenset({"utf-8", "utf-16", "us-ascii", "iso-8859-1"})


class FileKind(StrEnum):
    """The kinds that labhub knows; ``media_type`` is what a stored file is served as."""

    PDF = "pdf"
    PNG = "png"
    JPEG = "jpeg"
    TXT = "txt"
    CSV = "csv"
    JSON = "json"
    DOCX = "docx"
    XLSX = "xlsx"
    ODS = "ods"
    ZIP = "zip"
    RDML = "rdml"
    XML = "xml"
    GENBANK = "genbank"
    FASTA = "fasta"
    EMBL = "embl"
    SNAPGENE = "snapgene"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]

    @property
    def extensions(self) -> tuple[str, ...]:
        return tuple(extension for extension, kind in _KINDS.items() if kind is self)


_KINDS: dict[str, FileKind] = {
    ".pdf": FileKind.PDF,
    ".png": FileKind.PNG,
    ".jpg": FileKind.JPEG,
    ".jpeg": FileKind.JPEG,
    ".txt": FileKind.TXT,
    ".csv": FileKind.CSV,
    ".json": FileKind.JSON,
    ".docx": FileKind.DOCX,
    ".xlsx": FileKind.XLSX,
    ".ods": FileKind.ODS,
    ".zip": FileKind.ZIP,
    ".rdml": FileKind.RDML,
    ".xml": FileKind.XML,
    ".gb": FileKind.GENBANK,
    ".gbk": FileKind.GENBANK,
    ".genbank": FileKind.GENBANK,
    ".ape": FileKind.GENBANK,
    ".fa": FileKind.FASTA,
    ".fasta": FileKind.FASTA,
    ".fna": FileKind.FASTA,
    ".embl": FileKind.EMBL,
    ".dna": FileKind.SNAPGENE,
}
_SEQUENCES = frozenset({FileKind.GENBANK, FileKind.FASTA, FileKind.EMBL, FileKind.SNAPGENE})
"""Kinds that may come gzipped: ``part.gb.gz`` is of the kind of ``part.gb``."""
_GZIP = frozenset({".gz", ".bgz"})

_OFFICE = "application/vnd.openxmlformats-officedocument"
_MEDIA_TYPES: dict[FileKind, str] = {
    FileKind.PDF: "application/pdf",
    FileKind.PNG: "image/png",
    FileKind.JPEG: "image/jpeg",
    FileKind.TXT: "text/plain; charset=utf-8",
    FileKind.CSV: "text/csv; charset=utf-8",
    FileKind.JSON: "application/json",
    FileKind.DOCX: f"{_OFFICE}.wordprocessingml.document",
    FileKind.XLSX: f"{_OFFICE}.spreadsheetml.sheet",
    FileKind.ODS: "application/vnd.oasis.opendocument.spreadsheet",
    FileKind.ZIP: "application/zip",
    FileKind.RDML: "application/vnd.rdml",
    FileKind.XML: "application/xml",
    FileKind.GENBANK: "text/plain; charset=utf-8",
    FileKind.FASTA: "text/plain; charset=utf-8",
    FileKind.EMBL: "text/plain; charset=utf-8",
    FileKind.SNAPGENE: "application/octet-stream",
}


def inspect(
    path: Path,
    name: str,
    allowed: Collection[str],
    *,
    most_rows: int | None = None,
    broken_text: bool = False,
) -> FileKind:
    """Return the kind of an upload, or refuse it.

    ``name`` is the name that the uploader gave, ``allowed`` the kinds (``FileKind`` or their
    text) accepted at this door. The kind is that of the extension, and the content must agree; files of
    sequences may be gzipped. ``most_rows`` marks a table that an import reads and nobody stores: a
    workbook's sheets have no more rows with content, and the encoding and shape of a CSV are left to
    ``cells.read_table``. ``broken_text`` leaves it to the reader of a sequence file to say which of its
    lines are no text. Raises ``Invalid`` (field ``file``) or ``TooLarge``.
    """
    kind, packed = _kind_of(name)
    if kind is None or kind not in allowed:
        endings = [extension for extension, each in _KINDS.items() if each in allowed]
        if any(each in _SEQUENCES for each in allowed):
            endings.append(".gz")
        known = ", ".join(endings)
        _refuse(_("Files of this kind are not taken here; send one of %(known)s.", known=known))
    with path.open("rb") as opened:
        file: BinaryIO = _Unpacked(opened) if packed else opened  # type: ignore[assignment]
        head = file.read(8192)
        if not head:
            _refuse(_("The file is empty."))
        _check_magic(kind, head)
        file.seek(0)
        if most_rows is not None and kind is FileKind.CSV:
            _check_markup(head)
        elif most_rows is not None and kind in (FileKind.XLSX, FileKind.ODS):
            _archive_of(kind, most_rows)(file)
        elif broken_text and kind in _STARTS:
            _check_start(file, kind)
        else:
            _CHECKS[kind](file)
    return kind


def _kind_of(name: str) -> tuple[FileKind | None, bool]:
    """Return the kind that a name promises, and whether it says that the file is gzipped."""
    path = Path(display_name(name))
    if path.suffix.lower() not in _GZIP:
        return _KINDS.get(path.suffix.lower()), False
    kind = _KINDS.get(Path(path.stem).suffix.lower())
    return (kind if kind in _SEQUENCES else None), True


class _Unpacked:
    """A gzipped file read in pieces, as far as a file of sequences may reach."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = gzip.GzipFile(fileobj=file, mode="rb")
        self._left = MAX_SEQUENCE_BYTES

    def read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except (OSError, EOFError, zlib.error):
            _refuse(_("The gzip file is damaged; send it again."))
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge(
                _("A sequence file may have %(most)s MiB.", most=MAX_SEQUENCE_BYTES >> 20), field="file"
            )
        return data

    def seek(self, position: int) -> None:
        if position:
            raise ValueError("only back to the start")
        self._file.seek(0)
        self._left = MAX_SEQUENCE_BYTES


def _refuse(message: Message) -> Never:
    raise Invalid(message, field="file")


def _mismatch(kind: FileKind) -> Never:
    _refuse(
        _("The content is not %(kind)s, as the name says; save it again in that format.", kind=kind.upper())
    )


# --- magic numbers

_MAGIC: dict[FileKind, frozenset[str]] = {
    FileKind.PDF: frozenset({"application/pdf"}),
    FileKind.PNG: frozenset({"image/png"}),
    FileKind.JPEG: frozenset({"image/jpeg"}),
}
_ARCHIVES = frozenset({FileKind.DOCX, FileKind.XLSX, FileKind.ODS, FileKind.ZIP})


def _check_magic(kind: FileKind, head: bytes) -> None:
    """Compare the first bytes with the magic numbers that ``filetype`` knows."""
    import filetype  # 40 ms, needed by uploads only

    guess = filetype.guess(head)
    mime = guess.mime if guess else None
    archive = head.startswith(b"PK")
    if kind in _MAGIC:
        agrees = mime in _MAGIC[kind]
    elif kind in _ARCHIVES:
        agrees = archive
    elif kind is FileKind.RDML:
        agrees = archive or mime is None
    else:
        agrees = mime is None and not archive
    if not agrees:
        _mismatch(kind)


_MARKUP = re.compile(rb"<\s*(?:!doctype\s+html|html|head|body|script|iframe|svg|title)\b", re.IGNORECASE)


# --- PDF and images


def _mapped(file: BinaryIO) -> mmap.mmap:
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _check_pdf(file: BinaryIO) -> None:
    """A header at the first byte, a trailer at the last, no other format in front or behind."""
    with _mapped(file) as data:
        if not re.match(rb"%PDF-[12]\.\d", data):
            _mismatch(FileKind.PDF)
        end = data.rfind(b"%%EOF")
        if end < 0:
            _refuse(_("The PDF has no end; it was cut off. Send it again."))
        if len(data) - end > 4096 or data[end + 5 :].strip(b"\0 \t\r\n\f"):
            _refuse(_("Something follows the end of the PDF; save it again without it."))
        if _MARKUP.search(data[:1024]):
            _refuse(_("The PDF is a web page too; save it again from the program that made it."))
    _refuse_archive_inside(file)


def _refuse_archive_inside(file: BinaryIO) -> None:
    file.seek(0)
    if zipfile.is_zipfile(file):
        _refuse(_("The file is an archive too; send the document alone."))


def _check_png(file: BinaryIO) -> None:
    """Chunks from the signature to IEND and nothing after it."""
    with _mapped(file) as data:
        position, first = 8, True
        while True:
            if position + 12 > len(data):
                _refuse(_("The image is cut off. Send it again."))
            length, name = struct.unpack(">I4s", data[position : position + 8])
            if first:
                if name != b"IHDR" or length != 13:
                    _mismatch(FileKind.PNG)
                _check_pixels(*struct.unpack(">II", data[position + 8 : position + 16]))
                first = False
            position += 12 + length
            if name == b"IEND":
                break
        if position != len(data):
            _refuse(_("Something follows the end of the image; save it again without it."))


_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _check_jpeg(file: BinaryIO) -> None:
    """Segments from SOI to EOI; only further JPEGs (as telephones append) or zeros may follow."""
    with _mapped(file) as data:
        position = 0
        while data[position : position + 2] == b"\xff\xd8":
            position = _jpeg_end(data, position + 2)
            if not data[position : position + 4096].strip(b"\0") and not data[position:].strip(b"\0"):
                break
        else:
            _refuse(_("Something follows the end of the image; save it again without it."))
    _refuse_archive_inside(file)


def _jpeg_end(data: mmap.mmap, position: int) -> int:
    seen_frame = False
    while True:
        found = _JPEG_MARKER.search(data, position)
        if found is None:
            _refuse(_("The image is cut off. Send it again."))
        marker, position = data[found.start() + 1], found.end()
        if marker == 0xD9:
            if not seen_frame:
                _mismatch(FileKind.JPEG)
            return position
        if marker == 0x01:
            continue
        if position + 2 > len(data):
            _refuse(_("The image is cut off. Send it again."))
        length = int.from_bytes(data[position : position + 2], "big")
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[position + 3 : position + 7].ljust(4, b"\0"))
            _check_pixels(width, height)
            seen_frame = True
        position += max(length, 2)


def _check_pixels(width: int, height: int) -> None:
    if not width or not height or width * height > MAX_PIXELS:
        _refuse(_("The image must have 1 to %(most)s pixels; send a smaller one.", most=MAX_PIXELS))


# --- texts


def _lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield numbered UTF-8 text in pieces of at most 64 KiB, refusing what no text holds."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    number, first = 1, True
    while True:
        chunk = file.read(_CHUNK)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            bad = number + error.object[: error.start].count(b"\n")
            _refuse(_("Line %(line)s is not UTF-8 text; save the file as UTF-8.", line=bad))
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        control = _CONTROL.search(text)
        if control:
            bad = number + text.count("\n", 0, control.start())
            _refuse(_("Line %(line)s holds a control character; this is not a text.", line=bad))
        yield number, text
        number += text.count("\n")
        if not chunk:
            return


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Escape (1b) passes: it is only dangerous on a terminal, and is never sent to one."""


def _check_text(file: BinaryIO) -> None:
    start = file.read(8192)
    file.seek(0)
    _check_markup(start)
    for _piece in _lines(file):
        pass


def _check_markup(start: bytes) -> None:
    plain = start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if _MARKUP.match(plain) or plain.startswith(b"<?xml"):
        _mismatch(FileKind.TXT)


_STARTS: dict[FileKind, str] = {
    FileKind.GENBANK: r"LOCUS\b",
    FileKind.FASTA: r">",
    FileKind.EMBL: r"ID\s",
}
"""How the first line of a text of sequences begins, blanks before it aside."""


def _check_start(file: BinaryIO, kind: FileKind) -> None:
    start = re.compile(rb"(?:\xef\xbb\xbf)?\s*" + _STARTS[kind].encode())
    if not start.match(file.read(8192)):
        _mismatch(kind)


def _starts_with(kind: FileKind) -> Callable[[BinaryIO], None]:
    """Return a check for a text whose first non-blank line begins as the kind's does."""

    def check(file: BinaryIO) -> None:
        _check_start(file, kind)
        file.seek(0)
        for _piece in _lines(file):
            pass

    return check


def _check_snapgene(file: BinaryIO) -> None:
    """A cookie, then packets (kind, length, content) that fill the file to its last byte."""
    if file.read(13) != b"\x09\0\0\0\x0eSnapGene":
        _mismatch(FileKind.SNAPGENE)
    left = 6  # the rest of the cookie
    for _packet in range(MAX_SNAPGENE_PACKETS):
        while left:
            piece = file.read(min(left, _CHUNK))
            if not piece:
                _refuse(_("The SnapGene file is cut off. Send it again."))
            left -= len(piece)
        head = file.read(5)
        if not head:
            return
        if len(head) < 5:
            _refuse(_("The SnapGene file is cut off. Send it again."))
        left = int.from_bytes(head[1:], "big")
    _refuse(_("The SnapGene file has more than %(most)s packets.", most=MAX_SNAPGENE_PACKETS))


def _check_csv(file: BinaryIO) -> None:
    """Rows of at most 1,000 columns and cells of at most 32,767 characters, quotes closed."""
    _check_text(file)
    file.seek(0)
    head = next(_lines(file))[1].partition("\n")[0]
    delimiter = max(",;\t|", key=head.count)
    file.seek(0)
    reader = csv.reader(_bounded_lines(file), delimiter=delimiter, strict=True)
    row = 0
    try:
        for cells in reader:
            row = reader.line_num
            if len(cells) > MAX_CSV_COLUMNS:
                _refuse(_("Row %(row)s has more than %(most)s columns.", row=row, most=MAX_CSV_COLUMNS))
            if any(len(cell) > MAX_CSV_CELL for cell in cells):
                _refuse(
                    _("Row %(row)s has a cell of more than %(most)s characters.", row=row, most=MAX_CSV_CELL)
                )
            if row > MAX_CSV_ROWS:
                _refuse(_("The table has more than %(most)s rows.", most=MAX_CSV_ROWS))
    except csv.Error:
        _refuse(_("Row %(row)s cannot be read: check its quotes.", row=row + 1))


def _bounded_lines(file: BinaryIO) -> Iterator[str]:
    """Yield lines; one that is longer than the widest allowed row is refused before it is held."""
    most = MAX_CSV_COLUMNS * 1024
    rest, number = "", 1
    for _number, text in _lines(file):
        lines = (rest + text).replace("\r\n", "\n").split("\n")
        rest = lines.pop()
        for line in lines:
            yield line + "\n"
        number += len(lines)
        if len(rest) > most:
            _refuse(_("Row %(row)s is longer than %(most)s characters.", row=number, most=most))
    if rest:
        yield rest


_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


def _check_json(file: BinaryIO) -> None:
    """Strict JSON: no NaN, no name twice, no lone surrogate, 32 levels, 500,000 values."""
    parts, size = [], 0
    for _number, text in _lines(file):
        size += len(text)
        if size > MAX_JSON_BYTES:
            raise TooLarge(_("A JSON file may have %(most)s characters.", most=MAX_JSON_BYTES), field="file")
        parts.append(text)
    document = "".join(parts)
    depth = values = 0
    for token in _JSON_TOKEN.finditer(document):
        sign = token[0]
        values += sign in "[{,"
        depth += (sign in "[{") - (sign in "]}")
        if depth > MAX_JSON_DEPTH:
            _refuse(_("The JSON is nested more than %(most)s levels deep.", most=MAX_JSON_DEPTH))
        if values > MAX_JSON_VALUES:
            _refuse(_("The JSON holds more than %(most)s values.", most=MAX_JSON_VALUES))
    try:
        json.loads(
            document, object_pairs_hook=strict_json.no_duplicates, parse_constant=strict_json.no_constant
        )
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        if line is not None:
            _refuse(_("Line %(line)s is not JSON.", line=line))
        _refuse(_("The file is not strict JSON: no NaN or Infinity, no name twice, no overlong number."))
    if re.search(r"\\u[dD][89aAbB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])", document):
        _refuse(_("The JSON holds half a character (a lone surrogate)."))


# --- XML


@dataclass
class XmlScan:
    """Counts of an XML document that was read to its end."""

    root: str = ""
    elements: int = 0
    children: dict[str, int] = field(default_factory=dict)
    """How many elements of each name stand directly under the root."""


def scan_xml(
    chunks: Iterable[bytes],
    *,
    on_start: Callable[[str, dict[str, str]], None] | None = None,
    on_end: Callable[[str], None] | None = None,
    on_text: Callable[[str], None] | None = None,
) -> XmlScan:
    """Read an XML document as a stream under the limits of D3 and return what was counted.

    The callbacks get local names (``rdml:sample`` is ``sample``) and see elements before the
    end is known to be well formed: keep nothing until this returns. Nothing is kept here, no
    entity is expanded and nothing is fetched. Raises ``Invalid``.
    """
    scan = XmlScan()
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.buffer_text = on_text is not None
    depth = 0

    def declaration(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _XML_ENCODINGS:
            _refuse(_("The XML is not in UTF-8 or UTF-16; save it as UTF-8."))

    def doctype(*_parts: object) -> None:
        _refuse(_("The XML has a DOCTYPE, which is never accepted; remove it."))

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        local = name.rpartition(":")[2]
        scan.elements += 1
        depth += 1
        if depth > MAX_XML_DEPTH:
            _refuse(_("The XML is nested more than %(most)s levels deep.", most=MAX_XML_DEPTH))
        if scan.elements > MAX_XML_ELEMENTS:
            _refuse(_("The XML has more than %(most)s elements.", most=MAX_XML_ELEMENTS))
        if len(attributes) > MAX_XML_ATTRIBUTES:
            _refuse(_("An XML element has more than %(most)s attributes.", most=MAX_XML_ATTRIBUTES))
        if depth == 1:
            scan.root = local
        elif depth == 2 and (local in scan.children or len(scan.children) < 1_000):
            scan.children[local] = scan.children.get(local, 0) + 1
        if on_start is not None:
            on_start(local, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        if on_end is not None:
            on_end(name.rpartition(":")[2])

    parser.XmlDeclHandler = declaration
    parser.StartDoctypeDeclHandler = doctype
    parser.EntityDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    if on_text is not None:
        parser.CharacterDataHandler = on_text

    stop_at = monotonic() + MAX_XML_SECONDS
    fed = 0
    try:
        for chunk in chunks:
            for begin in range(0, len(chunk), _CHUNK):
                piece = chunk[begin : begin + _CHUNK]
                parser.Parse(piece, False)
                fed += len(piece)
                if fed > MAX_UNPACKED_BYTES:
                    _too_large_unpacked()
                if fed - max(parser.CurrentByteIndex, 0) > MAX_XML_TOKEN_BYTES + _CHUNK:
                    _refuse(_("The XML has a tag, attribute or comment of more than 1 MiB."))
                if monotonic() > stop_at:
                    _refuse(_("The XML takes too long to read; send a smaller file."))
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        _refuse(
            _(
                "Line %(line)s of the XML cannot be read: %(reason)s.",
                line=error.lineno,
                reason=expat.ErrorString(error.code),
            )
        )
    except (ValueError, LookupError):
        _refuse(_("The XML is not in UTF-8 or UTF-16; save it as UTF-8."))
    return scan


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _check_xml(file: BinaryIO) -> None:
    _require_xml_start(file.read(1024), FileKind.XML)
    file.seek(0)
    scan = scan_xml(_chunks(file))
    if scan.root.lower() in {"html", "svg", "script"}:
        _mismatch(FileKind.XML)


def _require_xml_start(head: bytes, kind: FileKind) -> None:
    if not re.match(rb"(?:\xef\xbb\xbf)?\s*<|\xff\xfe<\0|\xfe\xff\0<", head):
        _mismatch(kind)


# --- archives


@dataclass(frozen=True)
class Member:
    """A file in an archive that passed the checks of its directory."""

    name: str
    packed_bytes: int
    unpacked_bytes: int
    crc: int
    method: int
    offset: int
    """Where its packed bytes begin."""


_NESTED = re.compile(
    rb"PK\x03\x04|PK\x05\x06|PK\x07\x08|\x1f\x8b|BZh[1-9]|\xfd7zXZ\0|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07"
    rb"|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18|MSCF|LZIP|\x60\xea|!<arch>|.{257}ustar",
    re.DOTALL,
)


def archive_members(file: BinaryIO) -> tuple[Member, ...]:
    """Return the files of a ZIP archive after checking its directory by the rules of D2.

    Members must fill the archive from its first byte to the directory, without overlap or gap,
    so nothing hides in front, between or behind. Sizes are *not* yet to be believed:
    ``member_chunks`` checks them while it reads.
    """
    size = file.seek(0, 2)
    file.seek(max(size - 22, 0))
    end = file.read(22)
    if not end.startswith(b"PK\x05\x06") or len(end) < 22:
        _refuse(_("The archive has no proper end, or carries a comment or more data behind it."))
    disk, start_disk, here, total, length, offset, _comment = struct.unpack("<HHHHIIH", end[4:])
    if disk or start_disk or here != total or offset + length != size - 22:
        _refuse(_("The archive's directory does not agree with its size (or it is a ZIP64 archive)."))
    if not total:
        _refuse(_("The archive is empty."))
    if total > MAX_MEMBERS or length > 1 << 18:
        _refuse(_("The archive has more than %(most)s members.", most=MAX_MEMBERS))
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error):
        _refuse(_("The archive's directory cannot be read."))
    if len(infos) != total:
        _refuse(_("The archive's directory does not agree with its size (or it is a ZIP64 archive)."))

    members: list[Member] = []
    seen: set[str] = set()
    file.seek(0)
    # One-part archives may begin with the marker of a split archive (Bio-Rad's do).
    position = 4 if file.read(4) in {b"PK\x07\x08", b"PK00"} else 0
    unpacked = 0
    for info in sorted(infos, key=lambda each: each.header_offset):
        _check_member_name(info.orig_filename, seen)
        _check_member_entry(info)
        begin = _local_header(file, info, position)
        position = begin + info.compress_size
        if info.flag_bits & 8:
            position += _descriptor_length(file, info, position)
        if position > offset:
            _refuse(_("Members of the archive overlap."))
        unpacked += info.file_size
        if unpacked > MAX_UNPACKED_BYTES:
            _too_large_unpacked()
        if not info.is_dir():
            members.append(
                Member(info.filename, info.compress_size, info.file_size, info.CRC, info.compress_type, begin)
            )
    if position != offset:
        _refuse(_("The archive holds data that belongs to no member."))
    if not members:
        _refuse(_("The archive is empty."))
    return tuple(members)


def _check_member_name(name: str, seen: set[str]) -> None:
    """Refuse names that would leave the folder, or that two members share on some system."""
    parts = name.removesuffix("/").split("/")
    if (
        not name
        or name.startswith("/")
        or "\\" in name
        or re.match(r"[A-Za-z]:", name)
        or any(part in {"", ".", ".."} for part in parts)
        or any(unicodedata.category(letter) in _HIDDEN for letter in name)
        or len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES
    ):
        _refuse(_("The archive has a member with an unsafe name: %(name)s.", name=shown(name)))
    key = unicodedata.normalize("NFC", name.removesuffix("/")).casefold()
    if key in seen:
        _refuse(_("The archive has two members named %(name)s.", name=shown(name)))
    seen.add(key)


def _check_member_entry(info: zipfile.ZipInfo) -> None:
    name = shown(info.filename)
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        _refuse(_("Member %(name)s of the archive is a link or a device.", name=name))
    if info.flag_bits & 0x2041:
        _refuse(_("Member %(name)s of the archive is encrypted.", name=name))
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        _refuse(_("Member %(name)s is packed by a method other than deflate.", name=name))
    if info.is_dir() and info.file_size:
        _refuse(_("Member %(name)s is a folder with content.", name=name))
    _check_ratio(info.file_size, info.compress_size)


def _check_ratio(unpacked: int, packed: int) -> None:
    if unpacked > (1 << 20) + MAX_RATIO * packed:
        _refuse(_("The archive unpacks to more than %(most)s times its size.", most=MAX_RATIO))


def _too_large_unpacked() -> Never:
    _refuse(_("The content is larger than %(most)s MiB when unpacked.", most=MAX_UNPACKED_BYTES >> 20))


def _local_header(file: BinaryIO, info: zipfile.ZipInfo, expected: int) -> int:
    """Check a member's own header against the directory; return where its packed bytes begin."""
    if info.header_offset != expected:
        _refuse(_("Members of the archive overlap, or data stands before or between them."))
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or not header.startswith(b"PK\x03\x04"):
        _refuse(_("The archive's directory cannot be read."))
    flags, method = struct.unpack("<HH", header[6:10])
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    raw = file.read(name_length)
    encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
    if (
        method != info.compress_type
        or (flags ^ info.flag_bits) & 0x2841
        or raw != info.orig_filename.encode(encoding, "replace")
    ):
        _refuse(_("Member %(name)s and the archive's directory do not agree.", name=shown(info.filename)))
    return int(info.header_offset + 30 + name_length + extra_length)


def _descriptor_length(file: BinaryIO, info: zipfile.ZipInfo, position: int) -> int:
    """Return the length of the data descriptor behind a streamed member (0 when there is none)."""
    file.seek(position)
    found = file.read(24)
    for sign in (b"PK\x07\x08", b""):
        for form in ("<III", "<IQQ"):
            wanted = sign + struct.pack(form, info.CRC, info.compress_size, info.file_size)
            if found.startswith(wanted):
                return len(wanted)
    return 0


def member_chunks(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """Unpack a member in pieces, counting what comes out; length and CRC must be as declared."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == zipfile.ZIP_DEFLATED else None
    left, unpacked, crc = member.packed_bytes, 0, 0
    position = member.offset
    while left:
        file.seek(position)
        packed = file.read(min(left, _CHUNK))
        if not packed:
            _damaged(member)
        left -= len(packed)
        position += len(packed)
        while packed:
            if inflate is None:
                piece, packed = packed, b""
            else:
                try:
                    piece = inflate.decompress(packed, _CHUNK)
                except zlib.error:
                    _damaged(member)
                packed = inflate.unconsumed_tail
                if inflate.eof and (inflate.unused_data or packed or left):
                    _damaged(member)
            unpacked += len(piece)
            if unpacked > member.unpacked_bytes:
                _refuse(_("Member %(name)s is larger than the archive says.", name=shown(member.name)))
            crc = zlib.crc32(piece, crc)
            if piece:
                yield piece
    if inflate is not None:
        # What the window still holds comes out in bounded pieces too.
        while not inflate.eof:
            piece = inflate.decompress(inflate.unconsumed_tail, _CHUNK)
            if not piece:
                _damaged(member)
            unpacked += len(piece)
            if unpacked > member.unpacked_bytes:
                _refuse(_("Member %(name)s is larger than the archive says.", name=shown(member.name)))
            crc = zlib.crc32(piece, crc)
            yield piece
    if unpacked != member.unpacked_bytes or crc != member.crc:
        _damaged(member)


def _damaged(member: Member) -> Never:
    _refuse(_("Member %(name)s of the archive is damaged; send it again.", name=shown(member.name)))


def _check_archive(
    file: BinaryIO, most_rows: int | None = None
) -> tuple[dict[str, XmlScan | None], FileKind]:
    """Read every member once; return the scans of the XML ones and the kind that they make."""
    members = archive_members(file)
    packed = sum(member.packed_bytes for member in members)
    _check_ratio(sum(member.unpacked_bytes for member in members), packed)
    scans: dict[str, XmlScan | None] = {}
    elements = 0
    for member in members:
        pieces = _without_nested(member_chunks(file, member), member)
        if member.name.lower().endswith((".xml", ".rels", ".vml")):
            scan = scan_xml(pieces, on_start=None if most_rows is None else _row_counter(most_rows))
            elements += scan.elements
            if elements > MAX_XML_ELEMENTS:
                _refuse(_("The XML has more than %(most)s elements.", most=MAX_XML_ELEMENTS))
            scans[member.name] = scan
        else:
            for _piece in pieces:
                pass
            scans[member.name] = None
    return scans, _archive_kind(scans)


def _row_counter(most_rows: int) -> Callable[[str, dict[str, str]], None]:
    """Return what counts the rows with content of a sheet and stops the reading at the first one too many."""
    rows, is_counted = 0, True

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal rows, is_counted
        if name in ("row", "table-row"):
            is_counted = False
        elif not is_counted and name in ("v", "is", "p"):
            is_counted = True
            rows += 1
            if rows > most_rows:
                _refuse(
                    _(
                        "A sheet of the workbook has more than %(most)s rows. Split it into several files.",
                        most=most_rows,
                    )
                )

    return start


def _without_nested(pieces: Iterator[bytes], member: Member) -> Iterator[bytes]:
    head: bytes | None = b""
    for piece in pieces:
        if head is not None:
            head += piece[:512]
            if _NESTED.match(head):
                _refuse(
                    _("Member %(name)s is an archive itself; send it on its own.", name=shown(member.name))
                )
            if len(head) >= 512:
                head = None
        yield piece


def _archive_kind(scans: dict[str, XmlScan | None]) -> FileKind:
    if "[Content_Types].xml" in scans:
        if any(name.lower().endswith("vbaproject.bin") for name in scans):
            _refuse(_("The document carries macros; save it without them."))
        if "word/document.xml" in scans:
            return FileKind.DOCX
        if "xl/workbook.xml" in scans:
            return FileKind.XLSX
    if "mimetype" in scans and "META-INF/manifest.xml" in scans and "content.xml" in scans:
        if any(name.startswith(("Basic/", "Scripts/")) for name in scans):
            _refuse(_("The document carries macros; save it without them."))
        if scans["content.xml"] is not None and scans["content.xml"].root == "document-content":
            return FileKind.ODS
    if any(scan is not None and scan.root == "rdml" for scan in scans.values()):
        return FileKind.RDML
    return FileKind.ZIP


def _archive_of(kind: FileKind, most_rows: int | None = None) -> Callable[[BinaryIO], None]:
    def check(file: BinaryIO) -> None:
        if _check_archive(file, most_rows)[1] is not kind:
            _mismatch(kind)

    return check


def _check_rdml(file: BinaryIO) -> None:
    """RDML is an archive with one RDML document among its members, or that document alone."""
    head = file.read(1024)
    file.seek(0)
    if head.startswith(b"PK"):
        scans, _kind = _check_archive(file)
        found = [scan for scan in scans.values() if scan is not None and scan.root == "rdml"]
    else:
        _require_xml_start(head, FileKind.RDML)
        found = [scan for scan in [scan_xml(_chunks(file))] if scan.root == "rdml"]
    if not found:
        _mismatch(FileKind.RDML)
    if len(found) > 1:
        _refuse(_("The archive holds more than one RDML document; send them one by one."))
    for name, count in found[0].children.items():
        if count > MAX_RDML_RECORDS:
            _refuse(
                _(
                    "The RDML has more than %(most)s elements %(name)s.",
                    most=MAX_RDML_RECORDS,
                    name=shown(name),
                )
            )


def rdml_chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the RDML document of an upload that ``inspect`` accepted, zipped or not, for ``scan_xml``."""
    file.seek(0)
    head = file.read(2)
    file.seek(0)
    if head != b"PK":
        yield from _chunks(file)
        return
    for member in archive_members(file):
        if member.name.lower().endswith(".xml") and scan_xml(member_chunks(file, member)).root == "rdml":
            yield from member_chunks(file, member)
            return
    _mismatch(FileKind.RDML)


_CHECKS: dict[FileKind, Callable[[BinaryIO], None]] = {
    FileKind.PDF: _check_pdf,
    FileKind.PNG: _check_png,
    FileKind.JPEG: _check_jpeg,
    FileKind.TXT: _check_text,
    FileKind.CSV: _check_csv,
    FileKind.JSON: _check_json,
    FileKind.DOCX: _archive_of(FileKind.DOCX),
    FileKind.XLSX: _archive_of(FileKind.XLSX),
    FileKind.ODS: _archive_of(FileKind.ODS),
    FileKind.ZIP: _archive_of(FileKind.ZIP),
    FileKind.RDML: _check_rdml,
    FileKind.XML: _check_xml,
    FileKind.GENBANK: _starts_with(FileKind.GENBANK),
    FileKind.FASTA: _starts_with(FileKind.FASTA),
    FileKind.EMBL: _starts_with(FileKind.EMBL),
    FileKind.SNAPGENE: _check_snapgene,
}


# --- names

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories never kept in a name: controls, bidi and zero-width marks, surrogates, unassigned."""
_SEPARATORS = re.compile(r"[/\\]")
_LIKE_SEPARATORS = str.maketrans(dict.fromkeys("⁄∕⧵⧸⧹／＼﹨:", "_"))
_DEVICES = re.compile(r"(?i)(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)")


def display_name(raw: str) -> str:
    """Return the name that a file is shown and served under (D6).

    The last part of a path, NFC, without control, bidi or zero-width characters and separators,
    at most 255 bytes of UTF-8 with its extension kept; never empty. Files are stored by hash,
    so two files may well have one name.

    >>> display_name("..\\\\..\\\\evil.gb")
    'evil.gb'
    >>> display_name("玉米 35S.pdf")
    '玉米 35S.pdf'
    >>> display_name("..")
    'file'
    """
    name = _SEPARATORS.split(raw.rstrip("/\\"))[-1].translate(_LIKE_SEPARATORS)
    name = "".join(
        " " if letter in "\t\r\n" else letter
        for letter in unicodedata.normalize("NFC", name)
        if letter in "\t\r\n" or unicodedata.category(letter) not in _HIDDEN
    )
    name = unicodedata.normalize("NFC", " ".join(name.split())).lstrip(". ").rstrip(". ")
    if _DEVICES.match(name):
        name = f"_{name}"
    return _shortened(name) or "file"


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension.encode()) > 20:
        stem, dot, extension = name, "", ""
    room = MAX_NAME_BYTES - len((dot + extension).encode())
    stem = stem.encode()[:room].decode("utf-8", "ignore").rstrip(". ")
    return stem + dot + extension


def shown(text: str, most: int = 60) -> str:
    """Return foreign text fit for a message: hidden characters as ``\\u202e``, cut to ``most``."""
    clean = "".join(
        f"\\u{ord(letter):04x}" if unicodedata.category(letter) in _HIDDEN else letter
        for letter in text[:most]
    )
    return clean + "…" if len(text) > most else clean


def content_disposition(name: str) -> str:
    """Return the header that serves a file as an attachment (RFC 6266, RFC 8187).

    >>> print(content_disposition('maïs "2".gb'))
    attachment; filename="ma_s _2_.gb"; filename*=UTF-8''ma%C3%AFs%20_2_.gb
    """
    clean = re.sub(r'["%]', "_", display_name(name))
    plain = re.sub(r"[^ -~]", "_", clean)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='!#$&+-.^_`|~')}"
