"""SnapGene files: packets are checked before Biopython reads them, and what it reads is checked after."""

import gzip
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.errors import Invalid
from labhub.file_kinds import FileKind, inspect
from labhub.sequences import snapgene
from labhub.sequences.formats import ParsedRecord, read_good_records, read_records, to_embl, to_genbank
from tests.factories import make_bases, make_snapgene, snapgene_packet

BASES = make_bases(120)
FEATURE = '<Feature name="P-35S" directionality="{d}" type="{t}"><Segment range="{r}"/></Feature>'


def feature(place: str = "11-60", *, directionality: int = 1, kind: str = "promoter") -> str:
    return FEATURE.format(r=place, d=directionality, t=kind)


def read(content: bytes, name: str = "part.dna") -> ParsedRecord:
    (record,) = read_records(io.BytesIO(content), "snapgene", name=name)
    return record


def test_record_is_read() -> None:
    notes = (
        "<Notes><UseCustomMapLabel>1</UseCustomMapLabel><CustomMapLabel>pMy part</CustomMapLabel>"
        "<Description>&lt;html>&lt;body>A &lt;i>part&lt;/i>&lt;/body>&lt;/html></Description>"
        "<Organism>Zea mays</Organism></Notes>"
    )
    record = read(make_snapgene(BASES, features=feature() + feature("5-9", directionality=2), notes=notes))
    assert (record.accession, record.description, record.organism) == ("pMy_part", "A part", "Zea mays")
    assert (record.bases, record.topology, record.molecule_type) == (BASES, "circular", "DNA")
    assert [(f.kind, f.start, f.end, f.strand, f.label) for f in record.features] == [
        ("promoter", 11, 60, 1, "P-35S"),
        ("promoter", 5, 9, -1, "P-35S"),
    ]
    assert read_records(io.BytesIO(to_genbank([record]).encode()), "genbank") == [record]
    (back,) = read_records(io.BytesIO(to_embl([record]).encode()), "embl")
    assert (back.features, back.bases) == (record.features, record.bases)


def test_file_without_a_name_inside_is_named_by_its_file() -> None:
    assert read(make_snapgene(BASES), name="my vector.dna").identifier == "my_vector"
    assert read(gzip.compress(make_snapgene(BASES)), name="v1.dna.gz").identifier == "v1"


def test_feature_over_the_origin_needs_a_circle() -> None:
    (found,) = read(make_snapgene(BASES, features=feature("100-20"))).features
    assert (found.start, found.end) == (100, 20)
    with pytest.raises(Invalid, match="not circular"):
        read(make_snapgene(BASES, features=feature("100-20"), circular=False))


PRIMER = '<Primer name="F1"><BindingSite location="{r}" boundStrand="0"/></Primer>'

REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no record|no SnapGene|no DNA"),
    "text": (b">r1\nACGT\n", "cut off|no SnapGene"),
    "cookie only": (make_snapgene("")[:19], "no DNA"),
    "no bases": (make_snapgene(""), "no DNA|no bases"),
    "cut off": (make_snapgene(BASES)[:-7], "cut off"),
    "cut in a head": (make_snapgene(BASES) + b"\x06\0", "cut off"),
    "says 4 GiB": (make_snapgene(BASES) + b"\x03\xff\xff\xff\xff", "cut off"),
    "cookie twice": (make_snapgene(BASES) * 2, "no SnapGene"),
    "bases twice": (make_snapgene(BASES) + snapgene_packet(0, b"\1ACGT"), "twice"),
    "protein": (make_snapgene(BASES) + snapgene_packet(0x15, b"MK"), "protein"),
    "rna": (make_snapgene(BASES, kind=7), "no DNA"),
    "letters": (make_snapgene("ACGEFG"), "no base"),
    "nul": (make_snapgene("ACG\0T"), r"U\+0000"),
    "latin": (make_snapgene("ACG\xe9"), r"U\+00E9"),
    "beyond": (make_snapgene(BASES, features=feature("100-121")), "outside the record"),
    "base 0": (make_snapgene(BASES, features=feature("0-5")), "outside the record"),
    "no range": (make_snapgene(BASES, features="<Feature><Segment/></Feature>"), "cannot be read"),
    "no segment": (make_snapgene(BASES, features="<Feature/>"), "cannot be read"),
    "words": (make_snapgene(BASES, features=feature("one-two")), "cannot be read"),
    "direction": (
        make_snapgene(BASES, features=feature().replace('directionality="1"', 'directionality="x"')),
        "cannot be read",
    ),
    "huge number": (make_snapgene(BASES, features=feature("1-" + "9" * 5_000)), "cannot be read"),
    "primer beyond": (make_snapgene(BASES, primers=PRIMER.format(r="100-120")), "outside the record"),
    "primer without a place": (
        make_snapgene(BASES, primers="<Primer><BindingSite/></Primer>"),
        "cannot be read",
    ),
    "broken xml": (make_snapgene(BASES, features="<Feature>"), "XML"),
    "doctype": (
        make_snapgene(BASES)
        + snapgene_packet(0x0A, b'<!DOCTYPE a [<!ENTITY b "c">]><Features>&b;</Features>'),
        "DOCTYPE",
    ),
    "deep": (make_snapgene(BASES, features="<a>" * 100 + "</a>" * 100), "nested"),
    "features twice": (make_snapgene(BASES, features=feature()) + snapgene_packet(0x0A, b"<a/>"), "twice"),
    "notes": (make_snapgene(BASES, notes="<Notes>"), "XML"),
}


@pytest.mark.req("D8")
@pytest.mark.parametrize("case", REFUSED)
def test_refusal_names_the_reason(case: str) -> None:
    content, reason = REFUSED[case]
    with pytest.raises(Invalid) as caught:
        read(content)
    assert re.search(reason, str(caught.value.message)), str(caught.value.message)


@pytest.mark.req("D8")
def test_counts_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    content = make_snapgene(BASES, features=feature() * 4)
    assert len(read(content).features) == 4
    for limit, value in (("MAX_ELEMENTS", 8), ("MAX_SNAPGENE_PACKETS", 2), ("MAX_XML_BYTES", 50)):
        with monkeypatch.context() as patch, pytest.raises(Invalid):
            patch.setattr(snapgene, limit, value)
            read(content)
    for limit, value in (("MAX_FEATURES", 3), ("MAX_SEGMENTS", 0)):
        with monkeypatch.context() as patch, pytest.raises(Invalid):
            patch.setattr(f"labhub.sequences.formats.{limit}", value)
            read(content)


@pytest.mark.req("D8")
@given(data=st.data())
def test_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(make_snapgene(BASES, features=feature(), primers=PRIMER.format(r="3-20")))
    for _each in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(damaged) - 1)))
        width = data.draw(st.integers(0, 12))
        damaged[at : at + width] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"<", b'"', b"\0", b"9", b"-"])
        )
    try:
        told: object = read(bytes(damaged)).bases
    except Invalid as refusal:
        told = refusal.errors
    assert told


def test_odd_kinds_and_qualifiers_are_told() -> None:
    odd = (
        '<Feature name="a&quot;b" type="my own kind of feature"><Segment range="1-4"/>'
        '<Q name="bad name"><V text="x"/></Q><Q name="note"><V text="&lt;b>two&lt;/b> words"/></Q></Feature>'
    )
    record = read(make_snapgene(BASES, features=odd))
    assert record.features[0].kind == "misc_feature"
    assert record.features[0].qualifiers == {"note": ("two words",), "label": ("a'b",)}
    assert len(record.warnings) == 2
    assert read_records(io.BytesIO(to_genbank([record]).encode()), "genbank") == [record]


@pytest.mark.req("D4")
def test_kind_is_that_of_name_and_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(make_snapgene(BASES))
    assert inspect(path, "a.dna", tuple(FileKind)) is FileKind.SNAPGENE
    for name in ("a.gb", "a.fa", "a.txt", "a.zip", "a.dna.gz"):
        with pytest.raises(Invalid):
            inspect(path, name, tuple(FileKind))
    path.write_bytes(gzip.compress(make_snapgene(BASES)))
    assert inspect(path, "a.dna.gz", tuple(FileKind)) is FileKind.SNAPGENE
    with pytest.raises(Invalid):
        inspect(path, "a.dna", tuple(FileKind))
    for content in (make_snapgene(BASES)[:-3], b"ACGT", make_snapgene(BASES) + b"x"):
        path.write_bytes(content)
        with pytest.raises(Invalid):
            inspect(path, "a.dna", tuple(FileKind))


@pytest.mark.shared
def test_real_files_are_read_as_biopython_reads_them(shared_data: Path) -> None:
    listed = json.loads((shared_data / "sequences" / "expected_records.json").read_text())["files"]
    files = {name: entry for name, entry in listed.items() if entry["format"] == "snapgene"}
    assert len(files) == 7
    for name, entry in files.items():
        path = shared_data / "sequences" / name
        assert inspect(path, path.name, tuple(FileKind)) is FileKind.SNAPGENE
        (record,) = read_records(path, "snapgene")
        (wanted,) = entry["list"]
        assert len(record.bases) == wanted["length"], name
        assert record.topology == wanted["topology"], name
        assert len(record.features) == wanted["features"], name
        assert read_records(io.BytesIO(to_genbank([record]).encode()), "genbank") == [record], name


@pytest.mark.shared
def test_broken_real_file_is_read(shared_data: Path) -> None:
    read_file = read_good_records(shared_data / "broken/snapgene/linebreak_in_qualifier_text.dna", "snapgene")
    assert [len(record.features) for record in read_file.records] == [4]
    assert "left out" in str(read_file.records[0].warnings[0])
