"""Uploads are what their name says, and harmless to read: D2, D3, D4, D6."""

import io
import json
import os
import struct
import subprocess
import sys
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub import file_kinds
from labhub.errors import Invalid, Refusal, TooLarge
from labhub.file_kinds import FileKind, content_disposition, display_name, inspect, rdml_chunks, scan_xml
from labhub.sequences.formats import read_records

ALL = tuple(FileKind)
RDML = b'<?xml version="1.0" encoding="UTF-8"?>\n<rdml xmlns="http://www.rdml.org"><sample id="s"/></rdml>\n'


def png(width: int = 2, height: int = 2) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 6)) + chunk(b"IEND", b"")


def jpeg(height: int = 2, width: int = 2) -> bytes:
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    scan = b"\xff\xda" + struct.pack(">H", 8) + b"\x01\x01\x00\x00\x3f\x00" + b"\x12\xff\x00\x34"
    return (
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + frame + scan + b"\xff\xd9"
    )


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


TYPES = ("[Content_Types].xml", b"<Types/>")
DOCX = zipped(TYPES, ("word/document.xml", b"<w:document xmlns:w='w'/>"))
XLSX = zipped(TYPES, ("xl/workbook.xml", b"<workbook/>"))
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
ZIP = zipped(("notes.txt", b"notes"))
GOOD: dict[str, bytes] = {
    "a.pdf": PDF,
    "a.png": png(),
    "a.jpg": jpeg(),
    "a.JPEG": jpeg() + jpeg() + b"\0\0",
    "a.txt": "玉米 35S\n".encode(),
    "a.csv": b"sample;Cq\nA;20,1\n",
    "a.json": b'{"a": [1, "\\ud83d\\ude00"]}',
    "a.docx": DOCX,
    "a.xlsx": XLSX,
    "a.zip": ZIP,
    "a.rdml": zipped(("plate 7.xml", RDML)),
    "b.rdml": RDML,
    "a.xml": b"<a><b/></a>",
    "a.gb": b"LOCUS       A 4 bp DNA\n",
    "a.gbk": b"\xef\xbb\xbfLOCUS       A 4 bp DNA\n",
    "a.fna": b">r1\r\nACGT\r\n",
    "a.embl": b"ID   A; SV 1; linear; DNA; ; SYN; 4 BP.\n",
}


def check(folder: Path, name: str, data: bytes) -> FileKind:
    path = folder / "upload"
    path.write_bytes(data)
    return inspect(path, name, ALL)


@pytest.mark.req("D4")
@pytest.mark.parametrize("name", GOOD)
def test_good_file_has_the_kind_of_its_name(name: str, tmp_path: Path) -> None:
    kind = check(tmp_path, name, GOOD[name])
    assert Path(name).suffix.lower() in kind.extensions
    assert "/" in kind.media_type


MISMATCHES: dict[str, tuple[str, bytes]] = {
    "html as pdf": ("a.pdf", b"<html><script>alert(1)</script></html>"),
    "pdf as png": ("a.png", PDF),
    "png as jpg": ("a.jpg", png()),
    "png as txt": ("a.txt", png()),
    "pdf as txt": ("a.txt", PDF),
    "html as txt": ("a.txt", b"\n <!DOCTYPE html><p>"),
    "svg as xml": ("a.xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
    "xhtml as xml": ("a.xml", b"<html xmlns='http://www.w3.org/1999/xhtml'/>"),
    "svg": ("a.svg", b"<svg/>"),
    "docx as xlsx": ("a.xlsx", DOCX),
    "docx as zip": ("a.zip", DOCX),
    "zip as docx": ("a.docx", ZIP),
    "zip as rdml": ("a.rdml", ZIP),
    "zip as csv": ("a.csv", ZIP),
    "program as txt": ("a.txt", b"MZ\x90\0\x03"),
    "genbank as fasta": ("a.fa", b"LOCUS       A 4 bp DNA\n"),
    "fasta as genbank": ("a.gb", b">r1\nACGT\n"),
    "pdf and zip": ("a.pdf", PDF + ZIP),
    "zip in front of pdf": ("a.pdf", ZIP + PDF),
    "pdf and html behind": ("a.pdf", PDF + b"<script>alert(1)</script>"),
    "pdf and html in front": ("a.pdf", PDF.replace(b"\n", b"\n%<html><script>x</script>\n", 1)),
    "png and zip": ("a.png", png() + ZIP),
    "jpeg and zip": ("a.jpg", jpeg() + ZIP),
    "jpeg and html": ("a.jpg", jpeg() + b"<script>"),
    "html and zip": ("a.zip", b"<html></html>" + ZIP),
    "zip and html": ("a.zip", ZIP + b"<html></html>"),
    "zip with a comment": ("a.zip", ZIP[:-2] + struct.pack("<H", 6) + b"<html>"),
    "macros": ("a.docx", zipped(TYPES, ("word/document.xml", b"<d/>"), ("word/vbaProject.bin", b"x"))),
    "huge png": ("a.png", png(60_000, 60_000)),
    "cut png": ("a.png", png()[:-5]),
    "cut jpeg": ("a.jpg", jpeg()[:-2]),
    "cut pdf": ("a.pdf", PDF[:-8]),
    "utf-16 text": ("a.txt", "text".encode("utf-16")),
    "latin-1 text": ("a.txt", "maïs".encode("latin-1")),
    "nul in text": ("a.csv", b"a,b\n1,\0\n"),
    "wide csv": ("a.csv", b"a," * 1_001),
    "long cell": ("a.csv", b"a,b\n1," + b"x" * 40_000),
    "open quote": ("a.csv", b'a,b\n1,"x\n'),
    "NaN in json": ("a.json", b"[NaN]"),
    "name twice in json": ("a.json", b'{"a":1,"a":2}'),
    "deep json": ("a.json", b"[" * 100_000),
    "lone surrogate": ("a.json", b'["\\ud800"]'),
    "unclosed json string": ("a.json", b'["' + b'\\"' * 100_000),
    "wide json": ("a.json", b"[" + b"0," * 600_000 + b"0]"),
    "empty": ("a.txt", b""),
    "no extension": ("README", b"text"),
}


@pytest.mark.req("D4")
@pytest.mark.parametrize("case", MISMATCHES)
def test_mismatch_or_polyglot_is_refused(case: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        check(tmp_path, *MISMATCHES[case])
    assert list(caught.value.errors) == ["file"]


@pytest.mark.req("D4")
def test_kind_that_the_door_does_not_take_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(PDF)
    with pytest.raises(Invalid, match=r"\.csv"):
        inspect(tmp_path / "a", "a.pdf", {"csv"})


def info(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    entry.create_system = 3
    return entry


def patched(data: bytes, local: int, central: int, change: bytes) -> bytes:
    """Overwrite a field of the first member in its local and its central header."""
    out = bytearray(data)
    out[local : local + len(change)] = change
    at = data.rfind(b"PK\x01\x02") + central
    out[at : at + len(change)] = change
    return bytes(out)


def with_gap(data: bytes) -> bytes:
    at = data.find(b"PK\x01\x02")
    out = bytearray(data[:at] + b"hidden" + data[at:])
    out[-6:-2] = struct.pack("<I", at + 6)
    return bytes(out)


ARCHIVES: dict[str, bytes] = {
    "many members": zipped(*[(f"{number}.txt", b"") for number in range(101)]),
    "ratio": zipped(("a.txt", b"\0" * (8 << 20))),
    "ratio of one beside incompressible": zipped(
        ("a.txt", b"\0" * (8 << 20)), ("b.bin", os.urandom(200_000))
    ),
    "parent": zipped(("../a.txt", b"x")),
    "parent inside": zipped(("a/../../b.txt", b"x")),
    "absolute": zipped(("/a.txt", b"x")),
    "drive": zipped(("C:a.txt", b"x")),
    "backslash": zipped(("..\\a.txt", b"x")),
    "control in name": zipped(("a\nb.txt", b"x")),
    "bidi in name": zipped(("a\u202etxt.exe", b"x")),
    "long name": zipped(("x" * 300, b"x")),
    "same name in other case": zipped(("a.txt", b"x"), ("A.TXT", b"y")),
    "same name in other form": zipped(("caf\u00e9", b"x"), ("cafe\u0301", b"y")),
    "link": zipped((info("a.txt", 0o120777), b"/etc/passwd")),
    "device": zipped((info("a.txt", 0o020666), b"")),
    "encrypted": patched(ZIP, 6, 8, b"\x01"),
    "bzip2": zipped(("a.txt", b"x" * 100), method=zipfile.ZIP_BZIP2),
    "lzma": zipped(("a.txt", b"x" * 100), method=zipfile.ZIP_LZMA),
    "zip in zip": zipped(("a.zip", ZIP)),
    "gzip in zip": zipped(("a.txt", b"\x1f\x8b\x08" + b"\0" * 20)),
    "tar in zip": zipped(("a.txt", b"\0" * 257 + b"ustar\0" + b"\0" * 300)),
    "lying size": patched(zipped(("a.txt", b"x" * 5_000)), 22, 24, struct.pack("<I", 100)),
    "crc": patched(ZIP, 14, 16, b"\0\0\0\0"),
    "gap": with_gap(ZIP),
    "cut": ZIP[:-30],
    "names differ": ZIP.replace(b"notes.txt", b"other.txt", 1),
    "empty": zipped(),
    "folders only": zipped(("a/", b"")),
    "cut stream": patched(zipped(("a.txt", os.urandom(500))), 22, 24, struct.pack("<I", 600)),
}


@pytest.mark.req("D2")
@pytest.mark.parametrize("case", ARCHIVES)
def test_hostile_archive_is_refused(case: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        check(tmp_path, "a.zip", ARCHIVES[case])
    assert list(caught.value.errors) == ["file"]


@pytest.mark.req("D2")
def test_streamed_members_with_descriptors_are_read(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise io.UnsupportedOperation

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/", b"")
        archive.writestr("a/b.txt", b"text" * 1000)
        archive.writestr("c.txt", b"", compress_type=zipfile.ZIP_STORED)
    assert check(tmp_path, "a.zip", pipe.getvalue()) is FileKind.ZIP


@pytest.mark.req("D2")
def test_unpacked_limit_is_counted_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped(("a.bin", os.urandom(70_000)), ("b.bin", os.urandom(70_000)))
    assert check(tmp_path, "a.zip", data) is FileKind.ZIP
    monkeypatch.setattr(file_kinds, "MAX_UNPACKED_BYTES", 139_999)
    with pytest.raises(Invalid):
        check(tmp_path, "a.zip", data)


def elements(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


DOCUMENTS: dict[str, bytes] = {
    "doctype": b"<!DOCTYPE a><a/>",
    "doctype with entities": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "external entity": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "parameter entity": b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/"> %p;]><a/>',
    "external dtd": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>',
    "public dtd": b'<!DOCTYPE a PUBLIC "-//X" "http://127.0.0.1:9/a.dtd"><a/>',
    "doctype in utf-16": "<?xml version='1.0' encoding='UTF-16'?><!DOCTYPE a><a/>".encode("utf-16"),
    "undefined entity": b"<a>&b;</a>",
    "65 levels": elements(65),
    "deep": elements(100_000),
    "huge attribute": b'<a b="' + b"x" * (2 << 20) + b'"/>',
    "huge comment": b"<a><!--" + b"x" * (2 << 20) + b"--></a>",
    "many attributes": b"<a " + b" ".join(b'x%d=""' % n for n in range(1_001)) + b"/>",
    "attribute twice": b'<a b="1" b="2"/>',
    "not closed": b"<a><b></a>",
    "two roots": b"<a/><b/>",
    "text before": b"<a/>text",
    "utf-7": b'<?xml version="1.0" encoding="UTF-7"?><a/>',
    "windows-1252": b'<?xml version="1.0" encoding="windows-1252"?><a/>',
    "unknown encoding": b'<?xml version="1.0" encoding="x-none"?><a/>',
    "latin-1 bytes in utf-8": b"<a>\xfc</a>",
    "utf-32": "<a/>".encode("utf-32"),
    "nul": b"<a>\0</a>",
    "control": b"<a>&#8;</a>",
    "surrogate": b"<a>&#xd800;</a>",
    "xml 1.1 control": b'<?xml version="1.1"?><a>&#1;</a>',
    "text": b"text",
    "blank": b"   ",
}


@pytest.mark.req("D3")
@pytest.mark.parametrize("case", DOCUMENTS)
def test_hostile_xml_is_refused(case: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        check(tmp_path, "a.xml", DOCUMENTS[case])


@pytest.mark.req("D3")
def test_limits_of_xml_are_inclusive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(tmp_path, "a.xml", elements(64)) is FileKind.XML
    assert check(tmp_path, "a.xml", b'<a b="' + b"x" * 1_000_000 + b'"/>') is FileKind.XML
    monkeypatch.setattr(file_kinds, "MAX_XML_ELEMENTS", 10)
    assert check(tmp_path, "a.xml", b"<a>" + b"<b/>" * 9 + b"</a>") is FileKind.XML
    with pytest.raises(Invalid, match="10 elements"):
        check(tmp_path, "a.xml", b"<a>" + b"<b/>" * 10 + b"</a>")


@pytest.mark.req("D3")
def test_xml_stops_at_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_kinds, "MAX_XML_SECONDS", -1.0)
    with pytest.raises(Invalid, match="too long"):
        scan_xml([b"<a/>"])


@pytest.mark.req("D3")
def test_scan_gives_local_names_and_text() -> None:
    seen: list[str] = []
    scan = scan_xml(
        [b"<r:rdml xmlns:r='u'><r:sample id='s'>te", b"xt</r:sample></r:rdml>"],
        on_start=lambda name, attributes: seen.append(f"<{name} {attributes.get('id', '')}"),
        on_end=lambda name: seen.append(f">{name}"),
        on_text=seen.append,
    )
    assert "".join(seen) == "<rdml <sample stext>sample>rdml"
    assert (scan.root, scan.elements, scan.children) == ("rdml", 2, {"sample": 1})


@pytest.mark.req("D8")
def test_rdml_counts_its_records_and_is_alone(tmp_path: Path) -> None:
    many = b"<rdml>" + b"<sample/>" * 10_001 + b"</rdml>"
    with pytest.raises(Invalid, match="sample"):
        check(tmp_path, "a.rdml", many)
    with pytest.raises(Invalid, match="more than one"):
        check(tmp_path, "a.rdml", zipped(("a.xml", RDML), ("b.xml", RDML)))


def test_rdml_document_is_found_in_its_archive(tmp_path: Path) -> None:
    data = zipped(("manifest.xml", b"<manifest/>"), ("rdml_data.xml", RDML), ("raw.bin", b"\x01"))
    assert check(tmp_path, "a.rdml", data) is FileKind.RDML
    with (tmp_path / "upload").open("rb") as file:
        assert b"".join(rdml_chunks(file)) == RDML


def test_json_over_its_limit_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_kinds, "MAX_JSON_BYTES", 10)
    with pytest.raises(TooLarge):
        check(tmp_path, "a.json", b'["0123456789"]')


# --- names


NAMES = {
    "../../evil.gb": "evil.gb",
    "..\\..\\evil.gb": "evil.gb",
    "/etc/evil.gb": "evil.gb",
    "C:\\evil.gb": "evil.gb",
    "a\0b.gb": "ab.gb",
    "a\nb.gb": "a b.gb",
    "\u202ebg.live": "bg.live",
    "a\u200bb.gb": "ab.gb",
    "CON.gb": "_CON.gb",
    ".htaccess": "htaccess",
    "": "file",
    "..": "file",
    "cafe\u0301.gb": "café.gb",
    "\u200b": "file",
    "a/": "a",
}


@pytest.mark.req("D6")
@pytest.mark.parametrize("raw", NAMES)
def test_display_name(raw: str) -> None:
    assert display_name(raw) == NAMES[raw]


@pytest.mark.req("D6")
@given(st.text(max_size=400))
def test_any_name_becomes_a_safe_one(raw: str) -> None:
    name = display_name(raw)
    assert name
    assert len(name.encode("utf-8")) <= 255
    assert unicodedata.is_normalized("NFC", name)
    assert not any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for letter in name)
    assert not set(name) & set("/\\")
    assert display_name(name) == name
    header = content_disposition(raw)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


@pytest.mark.req("D6")
def test_long_name_keeps_its_extension() -> None:
    assert display_name("玉" * 300 + ".gb").endswith("玉.gb")


@pytest.mark.req("D6")
def test_header_injection_stays_a_name() -> None:
    assert content_disposition('"; filename="x.html\r\nX: y') == (
        'attachment; filename="_; filename=_x.html X_ y"'
        "; filename*=UTF-8''_%3B%20filename%3D_x.html%20X_%20y"
    )


# --- the shared corpora


@pytest.fixture(scope="session")
def hostile(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    script = shared_data / "broken" / "make_hostile.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


DECIDED_ELSEWHERE = {"xml_numbers.rdml": "values are judged by the RDML reader (methods)"}


@pytest.mark.shared
@pytest.mark.req("D2", "D3", "D4", "D8")
def test_hostile_manifest(hostile: Path) -> None:
    """Each of the 76 files gets the verdict that its manifest asks for."""
    wrong = []
    manifest = json.loads((hostile / "manifest.json").read_text())
    for entry in manifest["files"]:
        name = entry["file"]
        if name in DECIDED_ELSEWHERE:
            continue
        try:
            kind = inspect(hostile / name, name, ALL)
            if kind in {FileKind.FASTA, FileKind.GENBANK}:
                read_records(hostile / name, kind)
            verdict = "accept"
        except Refusal as refusal:
            told = str([str(text) for texts in refusal.errors.values() for text in texts])
            verdict = "reject" if refusal.errors and "root:" not in told else "leak or no reason"
        if not entry["verdict"].startswith(verdict):
            wrong.append((name, verdict, entry["why"]))
    assert not wrong


@pytest.mark.shared
@pytest.mark.req("D2", "D3")
def test_hostile_files_grow_memory_by_less_than_128_mib(hostile: Path) -> None:
    """Measured in a process of its own, over every RDML, document and table of the corpus."""
    program = """
import resource, sys
from pathlib import Path
from labhub.errors import Refusal
from labhub.file_kinds import FileKind, inspect
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
for path in sorted(Path(sys.argv[1]).iterdir()):
    try: inspect(path, path.name, tuple(FileKind))
    except Refusal: pass
print(peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(hostile)], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) < 128 << 10


@pytest.mark.shared
@pytest.mark.req("D4")
def test_real_rdml_files_are_accepted(shared_data: Path) -> None:
    def found() -> Iterator[Path]:
        return (shared_data / "rdml").rglob("*.rdml")

    assert all(inspect(path, path.name, {"rdml"}) is FileKind.RDML for path in found())
    assert any(found())


@pytest.mark.shared
@pytest.mark.req("D3")
def test_broken_xml_corpus(shared_data: Path) -> None:
    good = {"simple.xml", "simple-ns.xml"}
    for path in (shared_data / "broken" / "xml").iterdir():
        if path.name in good:
            assert inspect(path, path.name, {"xml"}) is FileKind.XML
        else:
            with pytest.raises(Invalid, match="DOCTYPE"):
                inspect(path, path.name, {"xml"})


# Tables for an import -------------------------------------------------------------------------


def sheet_of(rows: int) -> bytes:
    """Return the XML of a sheet with this many rows of content, and one that is only formatted."""
    cells = b"".join(b"<row><c><v>1</v></c></row>" for _row in range(rows))
    return b"<worksheet><sheetData>" + cells + b"<row><c/></row></sheetData></worksheet>"


@pytest.mark.req("D2")
def test_workbook_for_an_import_has_a_limit_of_rows(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(
        zipped(TYPES, ("xl/workbook.xml", b"<w/>"), ("xl/worksheets/sheet1.xml", sheet_of(20)))
    )
    assert inspect(tmp_path / "a", "a.xlsx", {"xlsx"}, most_rows=20) is FileKind.XLSX
    assert inspect(tmp_path / "a", "a.xlsx", {"xlsx"}) is FileKind.XLSX
    with pytest.raises(Invalid, match="more than 19 rows"):
        inspect(tmp_path / "a", "a.xlsx", {"xlsx"}, most_rows=19)


@pytest.mark.req("D4")
@pytest.mark.parametrize("text", ["a;b\nMaïs;2\n", "a\tb\n"])
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_table_for_an_import_may_be_in_another_encoding_and_one_to_store_not(
    text: str, encoding: str, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(text.encode(encoding))
    assert inspect(tmp_path / "a", "a.csv", {"csv"}, most_rows=20) is FileKind.CSV
    if not text.isascii():
        with pytest.raises(Invalid):
            inspect(tmp_path / "a", "a.csv", {"csv"})


@pytest.mark.req("D4")
@pytest.mark.parametrize(
    "content", [PDF, ZIP, b"<html><p>", "<script>".encode("utf-16"), b"<?xml version='1.0'?>"]
)
def test_table_for_an_import_is_nothing_else(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(Invalid):
        inspect(tmp_path / "a", "a.csv", {"csv"}, most_rows=20)


@pytest.mark.req("D4")
def test_open_document_with_macros_is_refused(tmp_path: Path) -> None:
    parts = (
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        ("content.xml", b"<document-content/>"),
        ("META-INF/manifest.xml", b"<m/>"),
    )
    assert check(tmp_path, "a.ods", zipped(*parts)) is FileKind.ODS
    with pytest.raises(Invalid, match="macros"):
        check(tmp_path, "a.ods", zipped(*parts, ("Basic/Standard/Module1.xml", b"<m/>")))
