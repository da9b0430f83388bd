"""GenBank, EMBL and FASTA are read strictly and written so that they read back: D8."""

import gzip
import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.errors import Invalid, TooLarge
from labhub.sequences import formats
from labhub.sequences.formats import (
    ParsedFeature,
    ParsedRecord,
    ReadFile,
    read_good_records,
    read_records,
    refget_digest,
    to_embl,
    to_fasta,
    to_genbank,
)

LOCUS = "LOCUS       PART                      12 bp    DNA     circular SYN 01-JAN-2020"
ORIGIN = "        1 acgtacgtac gt"


def genbank(
    locus: str = LOCUS,
    features: str = '     gene            2..5\n                     /gene="bar"',
    origin: str = ORIGIN,
    name: str = "PART",
) -> str:
    return (
        f"{locus}\nDEFINITION  A part.\nACCESSION   {name}\nVERSION     {name}.2\nSOURCE      maize\n"
        f"  ORGANISM  Zea mays\n            Eukaryota.\nFEATURES             Location/Qualifiers\n"
        f"{features}\nORIGIN\n{origin}\n//\n"
    )


EMBL = """ID   X1; SV 3; circular; genomic DNA; STD; SYN; 12 BP.
XX
AC   X1;
DE   A part
OS   Zea mays
FH   Key             Location/Qualifiers
FH
FT   gene            complement(2..5)
FT                   /gene="bar"
XX
SQ   Sequence 12 BP; 3 A; 3 C; 3 G; 3 T; 0 other;
     acgtacgtac gt                                                            12
//
"""


def read(text: str | bytes, kind: str = "genbank", **options: bool) -> list[ParsedRecord]:
    return read_records(io.BytesIO(text.encode() if isinstance(text, str) else text), kind, **options)


def test_genbank_record_is_read() -> None:
    (record,) = read(genbank())
    assert record == ParsedRecord(
        accession="PART",
        version="2",
        name="PART",
        description="A part",
        topology="circular",
        molecule_type="DNA",
        organism="Zea mays",
        features=(ParsedFeature("gene", 2, 5, 1, "bar", {"gene": ("bar",)}, "2..5"),),
        bases="ACGTACGTACGT",
    )
    assert record.warnings == ()
    assert record.identifier == "PART.2"


def test_embl_record_is_read() -> None:
    (record,) = read(EMBL, "embl")
    assert (record.accession, record.version, record.topology) == ("X1", "3", "circular")
    assert record.features[0].strand == -1
    assert record.bases == "ACGTACGTACGT"


def test_fasta_records_are_read() -> None:
    first, second, third = read(
        b"\xef\xbb\xbf>AB1234.1:1-4 A part\r\nac gt\r\n\r\nNN\r\n"
        b">AB123456.7 [topology=circular] x\rUUGG\r> r3\rA",
        "fasta",
    )
    assert (first.accession, first.version, first.description) == ("AB1234.1:1-4", "", "A part")
    assert (first.bases, first.molecule_type, first.topology) == ("ACGTNN", "DNA", "linear")
    assert (second.accession, second.version) == ("AB123456", "7")
    assert (second.bases, second.molecule_type, second.topology) == ("UUGG", "RNA", "circular")
    assert third.identifier == "r3"


def test_gzipped_file_is_read() -> None:
    assert read(gzip.compress(b">r1\nACGT\n"), "fasta")[0].bases == "ACGT"


@pytest.mark.parametrize(
    ("location", "start", "end", "strand"),
    [
        ("2..5", 2, 5, 1),
        ("complement(2..5)", 2, 5, -1),
        ("7", 7, 7, 1),
        ("<2..>5", 2, 5, 1),
        ("3^4", 3, 4, 1),
        ("12^1", 12, 1, 1),
        ("join(2..3,6..8)", 2, 8, 1),
        ("join(11..12,1..2)", 11, 2, 1),
        ("complement(join(11..12,1..2))", 11, 2, -1),
        ("11..2", 11, 2, 1),
        ("complement(11..2)", 11, 2, -1),
        ("join(complement(6..8),2..3)", 6, 3, 0),
        ("order(2..3,6..8)", 2, 8, 1),
        ("(2.3)..5", 2, 5, 1),
        ("join(J00194.1:100..202,1..5)", 1, 5, 1),
    ],
)
def test_locations(location: str, start: int, end: int, strand: int) -> None:
    (record,) = read(genbank(features=f"     gene            {location}"))
    (feature,) = record.features
    assert (feature.start, feature.end, feature.strand) == (start, end, strand)
    assert read(to_genbank([record])) == [record]


REFUSED: dict[str, tuple[str, str | bytes, str, str]] = {
    "nul": ("fasta", b">r1\nAC\0GT\n", "line 2", "NUL"),
    "utf-16": ("fasta", ">r1\nACGT\n".encode("utf-16"), "line 1", "UTF-8|NUL"),
    "latin-1": ("fasta", b">r1 ma\xefs\nACGT\n", "line 1", "UTF-8"),
    "no header": ("fasta", "ACGT\n", "line 1", "header"),
    "header only": ("fasta", ">r1\n", "line 1", "without bases"),
    "second header only": ("fasta", ">r1\n>r2\nA\n", "line 1", "without bases"),
    "empty header": ("fasta", ">\nACGT\n", "line 1", "no name"),
    "protein": ("fasta", ">p\nACDEFGHIK\n", "line 2", "protein"),
    "protein of ambiguity letters": ("fasta", ">p\nMKRSVHDYWKMS\n", "record p", "protein"),
    "cyrillic": ("fasta", ">r1\nACG\u0410\n", "line 2", r"U\+0410 at letter 4"),
    "bidi": ("fasta", ">r1\nAC\u202eGT\n", "line 2", r"U\+202E"),
    "digits": ("fasta", ">r1\nAC12GT\n", "line 2", "'1' at letter 3"),
    "gap": ("fasta", ">r1\nAC-GT\n", "line 2", "'-'"),
    "same id": ("fasta", ">r1\nACGT\n>r1\nACGA\n", "line 3", "already on line 1"),
    "u and t": ("fasta", ">r1\nACGT\nACGU\n", "line 3", "U in a DNA"),
    "t after u": ("fasta", ">r1\nACGU\nACGT\n", "record r1", "both U and T"),
    "bidi in the id": ("fasta", ">r\u202e1\nACGT\n", "line 1", "invisible"),
    "empty file": ("fasta", "", "line 1", "no record"),
    "blank file": ("genbank", "\n\n", "line 1", "no record"),
    "preamble": ("genbank", "text\n" + genbank(), "line 1", "outside"),
    "length": ("genbank", genbank(LOCUS.replace("12 bp", "13 bp")), "record PART.2", "13 bases"),
    "huge locus": ("genbank", genbank(LOCUS.replace("12 bp", "9000000000000 bp")), "line 1", "LOCUS says"),
    "bad locus": ("genbank", genbank("LOCUS       PART"), "line 1", "LOCUS line"),
    "long locus": ("genbank", genbank("LOCUS " + " " * 9_000 + "1 bp"), "line 1", "LOCUS line"),
    "aa": ("genbank", genbank(LOCUS.replace("bp", "aa")), "line 1", "protein"),
    "master record": ("genbank", genbank(LOCUS.replace("bp", "rc")), "line 1", "no bases"),
    "exclamation": ("genbank", genbank(origin="        1 acgt!cgtac gt"), "line 12", "'!' at letter 5"),
    "cyrillic base": ("genbank", genbank(origin="        1 acgt\u0430cgtac gt"), "line 12", r"U\+0430"),
    "u in dna": ("genbank", genbank(origin="        1 acgtacguac gt"), "line 12", "declare it as RNA"),
    "no bases": ("genbank", genbank(origin=""), "record PART.2", "no bases"),
    "no end": ("genbank", genbank().replace("//", ""), "record PART.2", "no end"),
    "next before end": ("genbank", genbank().replace("//\n", "") + genbank(), "line 13", "before the end"),
    "same record": ("genbank", genbank() + genbank(), "line 14", "already on line 1"),
    "beyond": ("genbank", genbank(features="     gene            9..13"), "line 9", "outside"),
    "base 0": ("genbank", genbank(features="     gene            0..5"), "line 9", "outside"),
    "negative": ("genbank", genbank(features="     gene            -2..5"), "line 9", "cannot be read"),
    "backwards": (
        "genbank",
        genbank(LOCUS.replace("circular", "linear  "), "     gene            5..2"),
        "line 9",
        "not circular",
    ),
    "between strangers": ("genbank", genbank(features="     gene            3^7"), "line 9", "gene"),
    "nested": (
        "genbank",
        genbank(features="     gene            " + "complement(" * 50 + "1..2" + ")" * 50),
        "line 9",
        "brackets",
    ),
    "many parts": (
        "genbank",
        genbank(features="     gene            join(" + "1..2," * 1_000 + "3)"),
        "line 9",
        "1000 parts",
    ),
    "join of orders": (
        "genbank",
        genbank(features="     gene            join(order(1..2,4),6)"),
        "line 9",
        "gene",
    ),
    "open bracket": ("genbank", genbank(features="     gene            join(1..2"), "line 9", "brackets"),
    "no location": ("genbank", genbank(features="     gene"), "line 9", "no location"),
    "early qualifier": ("genbank", genbank(features=" " * 21 + "/a=1"), "line 9", "before the first"),
    "open quote": (
        "genbank",
        genbank(features='     gene            1..2\n                     /note="never'),
        "line 9",
        "/note is never closed",
    ),
    "qualifier without a name": (
        "genbank",
        genbank(features='     gene            1..2\n                     /my note="x"'),
        "line 9",
        "no proper name",
    ),
    "long qualifiers": (
        "genbank",
        genbank(
            features="     gene            1..2"
            + "".join('\n                     /note="' + "x" * 60_000 + '"' for _each in range(2))
        ),
        "line 9",
        "100000 characters",
    ),
    "long line": ("genbank", genbank(features=" " * 21 + "x" * 100_001), "line 9", "more than 100000"),
    "embl protein": ("embl", EMBL.replace("12 BP.", "12 AA."), "line 1", "protein"),
    "embl length": ("embl", EMBL.replace("12 BP.", "99 BP."), "record X1.3", "99 bases"),
    "embl beyond": ("embl", EMBL.replace("2..5", "2..50"), "line 8", "outside"),
    "embl id": ("embl", "ID   X\n//\n", "line 1", "ID line"),
}


@pytest.mark.req("D8")
@pytest.mark.parametrize("case", REFUSED)
def test_refusal_names_place_and_reason(case: str) -> None:
    kind, text, place, reason = REFUSED[case]
    with pytest.raises(Invalid, match=r"(?i)line|record") as caught:
        read(text, kind)
    assert place in caught.value.errors
    assert any(re.search(reason, str(said)) for said in caught.value.errors[place])


@pytest.mark.req("D8")
def test_all_problems_are_told_at_once() -> None:
    text = genbank(features="     gene            9..99\n     gene            0..1") + genbank(
        LOCUS.replace("12 bp", "14 bp"), name="OTHER"
    )
    with pytest.raises(Invalid, match="2 more problems") as caught:
        read(text)
    assert set(caught.value.errors) == {"line 9", "line 10", "record OTHER.2"}


@pytest.mark.req("D8")
def test_list_of_problems_is_bounded() -> None:
    with pytest.raises(Invalid) as caught:
        read(">r1\n" + "AC1\n" * 1_000, "fasta")
    assert len(caught.value.errors) == formats.MAX_PROBLEMS


@pytest.mark.req("D8")
@pytest.mark.parametrize(
    ("limit", "value", "kind", "text"),
    [
        ("MAX_RECORDS", 1, "fasta", ">a\nA\n>b\nC\n"),
        ("MAX_RECORDS", 1, "genbank", genbank() + genbank(name="OTHER")),
        ("MAX_TOTAL_BASES", 7, "fasta", ">a\nACGT\n>b\nACGT\n"),
        ("MAX_TOTAL_BASES", 11, "genbank", genbank()),
        ("MAX_FEATURES", 1, "genbank", genbank(features="     gene            1\n     gene            2")),
        ("MAX_TOTAL_FEATURES", 1, "genbank", genbank() + genbank(name="OTHER")),
    ],
)
def test_counts_are_limited(
    limit: str, value: int, kind: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(text, kind)
    monkeypatch.setattr(formats, limit, value)
    with pytest.raises(Invalid):
        read(text, kind)


@pytest.mark.req("D1", "D8")
def test_file_size_is_limited_after_unpacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MAX_FILE_BYTES", 1_000)
    with pytest.raises(TooLarge):
        read(b">r1\n" + b"A" * 1_000, "fasta")
    with pytest.raises(TooLarge):
        read(gzip.compress(b">r1\n" + b"A" * 100_000), "fasta")


def test_damaged_gzip_is_refused() -> None:
    with pytest.raises(Invalid, match="gzip"):
        read(gzip.compress(b">r1\nACGT\n")[:-9], "fasta")


@pytest.mark.req("D8")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (genbank(LOCUS.replace("01-JAN", "31-FEB")), "31-FEB-2020"),
        (genbank(LOCUS.replace("DNA ", "dna ")), "read as DNA"),
        (genbank(LOCUS.replace("circular", "        ")), "linear or circular"),
        (genbank(LOCUS.replace("PART ", "MY PART ")), "Blanks"),
        (genbank("LOCUS  PART  12 bp  circular"), "no molecule"),
        (genbank(features="     gene            11..2"), "crossing the origin"),
        (genbank(origin="        7 acgtacgtac gt"), "wrong number"),
        (genbank(origin="1 acgtacgtac gt"), "indented"),
        (genbank(origin="acgtacgtacgt"), "no number"),
        (genbank().replace("A part", "A \x1b[2J\u202epart"), "invisible"),
    ],
)
def test_harmless_faults_are_warnings(text: str, said: str) -> None:
    (record,) = read(text)
    assert record.bases == "ACGTACGTACGT"
    assert [str(warning) for warning in record.warnings if said in str(warning)]


@pytest.mark.req("D8")
def test_terminal_escape_is_left_out_of_texts() -> None:
    assert read(">r1 \x1b[2J\u202egnp.exe\nA\n", "fasta")[0].description == "[2Jgnp.exe"


# --- the rest of the file


def read_good(text: str | bytes, kind: str = "fasta") -> ReadFile:
    return read_good_records(io.BytesIO(text.encode() if isinstance(text, str) else text), kind)


def told(found: ReadFile) -> list[tuple[int, str, str]]:
    return [(each.line, each.name, " | ".join(map(str, each.problems))) for each in found.left_out]


@pytest.mark.req("D8")
def test_good_records_of_a_bad_file_are_read() -> None:
    found = read_good(
        b">r1\nACGT\n>r2\nACEFG\nACX\n>r3\nAC\0GT\n>r4\n>r1\nAAAA\n>r5 \xff\nACGT\n>\nAC\n>r6\nGGGG\n"
    )
    assert [(record.identifier, record.line) for record in found.records] == [("r1", 1), ("r6", 15)]
    expected = [
        (3, "r2", "Line 4: E at letter 3 is no base.*Line 5: X at letter 3"),
        (6, "r3", "Line 7: a NUL byte"),
        (8, "r4", "a header without bases"),
        (9, "r1", "the name stands already on line 1"),
        (11, "r5", "Line 12: a NUL byte, or not UTF-8|Line 11: a NUL byte, or not UTF-8"),
        (13, "", "no name"),
    ]
    assert [(line, name) for line, name, _text in told(found)] == [(line, name) for line, name, _ in expected]
    for (_line, name, text), (_l, _n, reason) in zip(told(found), expected, strict=True):
        assert re.search(reason, text), (name, text)


@pytest.mark.req("D8")
@pytest.mark.parametrize("case", sorted(set(REFUSED) - {"utf-16", "no header"}))
def test_each_refused_record_between_good_ones_is_left_out_alone(case: str) -> None:
    kind, text, _place, _reason = REFUSED[case]
    content = text.encode() if isinstance(text, str) else text
    if kind == "fasta":
        before, after = b">before\nACGT\n", b"\n>after\nACGT\n"
    elif kind == "embl":
        before = EMBL.replace("X1;", "BEFORE;").encode()
        after = EMBL.replace("X1;", "AFTER;").encode()
    else:
        before, after = (genbank(name=name).encode() for name in ("BEFORE", "AFTER"))
    found = read_good(before + content + after, kind)
    names = [record.accession.upper() for record in found.records]
    assert names[0] == "BEFORE"
    assert "AFTER" in names
    if content.strip():
        assert found.left_out
    assert all(each.problems for each in found.left_out)


def test_a_record_tells_its_first_problems_and_counts_the_others() -> None:
    found = read_good(">r1\n" + "AC1\n" * 1_000 + ">r2\nACGT\n")
    (left_out,) = found.left_out
    assert len(left_out.problems) == formats.MAX_PROBLEMS_OF_RECORD + 1
    assert "995 more problems" in str(left_out.problems[-1])
    assert [record.identifier for record in found.records] == ["r2"]


@pytest.mark.req("D8")
def test_a_file_that_is_wrong_as_a_whole_is_refused_all_the_same() -> None:
    million = b">a\nA\n" * 1_000_000
    for content, kind in ((million, "fasta"), (b"", "fasta"), (b"\n\n", "genbank")):
        with pytest.raises(Invalid) as caught:
            read_good(content, kind)
        assert len(caught.value.errors) <= 2
    with pytest.raises(Invalid, match="10000 records"):
        read(million, "fasta")


class Endless(io.RawIOBase):
    """A file of one line that never ends; counts what is read of it."""

    taken = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert 0 <= size <= formats.MAX_FILE_BYTES + 1
        self.taken += size
        return b">" + b"A" * (size - 1)


@pytest.mark.req("D1", "D8")
def test_a_line_without_end_is_read_no_further_than_the_limit() -> None:
    line: Any = Endless()
    with pytest.raises(TooLarge):
        read_records(line, "fasta", most_bytes=1_000_000)
    assert line.taken == 1_000_001


def test_rna_keeps_u_when_declared() -> None:
    (record,) = read(
        genbank(LOCUS.replace("DNA ", "mRNA"), origin="        1 acguacguac gu"),
    )
    assert (record.molecule_type, record.bases) == ("mRNA", "ACGUACGUACGU")
    assert read(to_genbank([record])) == [record]


def test_bases_only_reads_past_faults_of_the_description() -> None:
    text = genbank(LOCUS.replace("12 bp", "13 bp"), "     gene            9..99") * 2
    first, second = read(text, bases_only=True)
    assert first.bases == second.bases == "ACGTACGTACGT"
    assert first.features == ()
    assert "13 bases" in str(first.warnings[0])
    with pytest.raises(Invalid):
        read(genbank(origin="        1 acgt!cgtac gt"), bases_only=True)


@pytest.mark.parametrize(
    ("bases", "digest"),
    [
        ("ACGT", "SQ.aKF498dAxcJAqme6QYQ7EZ07-fiw8Kw2"),
        ("acgt", "SQ.aKF498dAxcJAqme6QYQ7EZ07-fiw8Kw2"),
        ("", "SQ.z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXc"),
    ],
)
def test_refget_digest(bases: str, digest: str) -> None:
    assert refget_digest(bases) == digest


words = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1, max_size=90)
texts = st.lists(words, max_size=20).map(" ".join)
values = texts.filter(lambda text: '"' not in text and not text.startswith("/") and " /" not in text)


@given(description=texts, note=values, organism=texts, topology=st.sampled_from(["linear", "circular"]))
def test_written_record_reads_back(description: str, note: str, organism: str, topology: Any) -> None:
    feature = ParsedFeature("gene", 2, 5, -1, note[:200] or "gene", {"note": (note,)}, "complement(2..5)")
    record = ParsedRecord(
        accession="my.part.1",
        version="",
        name="my.part.1",
        description=description,
        topology=topology,
        molecule_type="DNA",
        organism="" if organism == "." else organism,
        features=(feature,),
        bases="ACGTRYN" * 30,
    )
    if len(organism) <= 60 and not organism.endswith("..."):
        assert read(to_genbank([record])) == [record]
    assert read(to_embl([record]), "embl") == [record]
    plain = replace(record, features=(), organism="")
    if "topology=" not in description.lower():
        assert read(to_fasta([record]), "fasta") == [plain]


@pytest.mark.req("D8")
@given(data=st.data())
def test_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    kind, text = data.draw(
        st.sampled_from([("genbank", genbank()), ("embl", EMBL), ("fasta", ">a b\nACGT\n")])
    )
    damaged = bytearray(text.encode())
    for _each in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(damaged) - 1)))
        width = data.draw(st.integers(0, 12))
        damaged[at : at + width] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"(", b'"', b"\n", b"9"])
        )
    try:
        records = read(bytes(damaged), kind)
    except Invalid as refusal:
        told = refusal.errors
    else:
        told = {"records": [record.bases for record in records]}
    assert told


def test_embl_refuses_a_name_that_it_cannot_write() -> None:
    with pytest.raises(Invalid, match="EMBL"):
        to_embl(read(">a;b\nACGT\n", "fasta"))


# --- the shared corpora

REFUSED_BY_RULE = {
    "formats/Human_contigs.embl": "no bases (CON records)",
    "formats/tls_KDHP01000000.gb": "no bases (master record)",
    "formats/tsa_acropora.gb": "no bases (master record)",
    "formats/epo_prt_selection.embl": "protein",
    "formats/patents.embl": "protein",
    "formats/protein_lib.fa": "protein",
    "formats/nucleotide_lib.fa": "the name RABGSTB stands twice",
    "formats/tg_DNA_double_stranded.gb": "LOCUS says 20 bases, there are 30",
    "formats/tg_RNA_single_stranded.gb": "LOCUS says 20 bases, there are 30",
    "formats/tg_gbWithWrappingFeature.gb": "LOCUS says 108 bases, there are 103",
    "formats/addgene-plasmid-11664-sequence-180430.gbk": "linear, but a feature crosses the origin",
    "igem_distribution_multirecord.gb": "23 features outside their records",
    "moclo_plant/pICH41388.gb": "a feature outside the record",
}
"""Files that other programs read and labhub refuses; Biopython reads them without a word."""

ALSO_WITHOUT_BASES = {
    name for name, why in REFUSED_BY_RULE.items() if why.startswith(("no bases", "protein"))
}


def expected(shared_data: Path) -> dict[str, Any]:
    listed = json.loads((shared_data / "sequences" / "expected_records.json").read_text())["files"]
    return {name: entry for name, entry in listed.items() if entry["format"] != "snapgene"}


def assert_as_expected(name: str, records: list[ParsedRecord], entry: dict[str, Any], features: bool) -> None:
    assert len(records) == entry["records"], name
    assert sum(len(record.bases) for record in records) == entry["total_bases"], name
    pairs = (
        zip(records, entry["list"], strict=True)
        if "list" in entry
        else [(records[0], entry["first"]), (records[-1], entry["last"])]
    )
    for record, wanted in pairs:
        if wanted["id"] not in {".", "unknown"}:  # placeholders; labhub takes the LOCUS name then
            assert record.identifier == wanted["id"], name
        assert len(record.bases) == wanted["length"], name
        assert record.topology == (wanted["topology"] or "linear"), name
        assert hashlib.sha256(record.bases.encode()).hexdigest() == wanted["sha256_upper"], name
        if features:
            assert len(record.features) == wanted["features"], name


@pytest.mark.shared
@pytest.mark.req("D8")
def test_every_nucleotide_file_is_read_or_refused_by_a_stated_rule(shared_data: Path) -> None:
    files = expected(shared_data)
    assert set(REFUSED_BY_RULE) <= set(files)
    for name, entry in files.items():
        path = shared_data / "sequences" / name
        if name in REFUSED_BY_RULE:
            with pytest.raises(Invalid):
                read_records(path, entry["format"])
        else:
            assert_as_expected(name, read_records(path, entry["format"]), entry, features=True)


@pytest.mark.shared
def test_bases_only_reads_every_file_that_has_bases(shared_data: Path) -> None:
    for name, entry in expected(shared_data).items():
        if name not in ALSO_WITHOUT_BASES:
            path = shared_data / "sequences" / name
            records = read_records(path, entry["format"], bases_only=True)
            assert_as_expected(name, records, entry, features=False)


@pytest.mark.shared
def test_good_files_read_back_after_writing(shared_data: Path) -> None:
    for name, entry in expected(shared_data).items():
        if name in REFUSED_BY_RULE or entry["total_bases"] > 500_000:
            continue
        records = read_records(shared_data / "sequences" / name, entry["format"])
        assert read(to_genbank(records)) == records, name
        unnamed = [replace(record, name="") for record in records]
        assert [replace(record, name="") for record in read(to_embl(records), "embl")] == unnamed, name
        plain = [(record.identifier, record.description, record.bases) for record in records]
        again = read(to_fasta(records), "fasta")
        assert [(record.identifier, record.description, record.bases) for record in again] == plain, name


@pytest.mark.shared
@pytest.mark.req("D8")
def test_broken_files_tell_what_is_wrong_with_each_record(shared_data: Path) -> None:
    """Of every broken file each record is read, or left out with the reason; nothing is silently skipped."""
    kinds = {".gb": "genbank", ".gbk": "genbank", ".ape": "genbank", ".gp": "genbank", ".embl": "embl"}
    kinds |= {".fa": "fasta", ".fasta": "fasta", ".dna": "snapgene"}
    starts = {"genbank": b"LOCUS", "embl": b"ID ", "fasta": b">"}
    files = 0
    for path in sorted((shared_data / "broken").rglob("*")):
        kind = kinds.get(path.suffix)
        if kind is None:
            continue
        files += 1
        found = read_good_records(path, kind)
        content = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        said = sum(line.startswith(starts[kind]) for line in content.split(b"\n")) if kind in starts else 1
        outside = sum(
            bool(re.search("outside a|before the first", str(each.problems[0]))) for each in found.left_out
        )
        assert len(found.records) + len(found.left_out) - outside == said, path.name
        assert all(record.bases for record in found.records)
        assert all(each.problems and all(str(text) for text in each.problems) for each in found.left_out)
    assert files == 49


@pytest.mark.shared
@pytest.mark.req("D8")
def test_broken_files_are_read_or_refused_never_raised(shared_data: Path) -> None:
    kinds = {".gb": "genbank", ".gbk": "genbank", ".ape": "genbank", ".gp": "genbank", ".embl": "embl"}
    kinds |= {".fa": "fasta", ".fasta": "fasta"}
    refused: set[str] = set()
    unexplained: set[str] = set()
    for path in (shared_data / "broken").rglob("*"):
        if path.suffix in kinds:
            try:
                assert all(record.bases for record in read_records(path, kinds[path.suffix]))
            except Invalid as refusal:
                (refused if refusal.errors else unexplained).add(path.name)
    assert not unexplained
    assert refused >= {
        "dups.fasta",
        "f003.fa",
        "bad_origin_wrap.gb",
        "negative_location.gb",
        "no_origin_no_end.gb",
        "protein_refseq2.gb",
        "genbankWithU.gb",
        "fasta_with_stop_codons.fasta",
        "multi-seq-genbank.gb",
        "101ma_no_coords.embl",
    }
