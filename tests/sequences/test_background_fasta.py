"""Genomes are read as a stream: whatever the blocks, the same records; what is wrong is named by line."""

import gzip
import io
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.errors import Invalid
from labhub.sequences import background_fasta
from labhub.sequences.background_fasta import GenomeReader, open_genome
from labhub.sequences.packed import open_pack, write_pack
from tests.factories import make_bases, make_genbank


def read(content: bytes, *, circular: bool = False) -> list[tuple[str, bytes, bool]]:
    reader = GenomeReader(io.BytesIO(content), circular=circular)
    return [(name, b"".join(bases), ring) for name, bases, ring in reader]


def read_in_blocks(content: bytes, block: int) -> list[tuple[str, bytes, bool]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background_fasta, "BLOCK_BYTES", block)
        return read(content)


@given(
    records=st.lists(st.text("ACGTNRYacgtnu", min_size=1, max_size=90), min_size=1, max_size=5),
    width=st.integers(1, 30),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    block=st.integers(1, 40),
)
def test_blocks_and_line_ends_change_nothing(records: list[str], width: int, end: str, block: int) -> None:
    lines = ["\ufeff"]
    for number, bases in enumerate(records):
        bases += "A" * len(bases)  # never more ambiguous letters than others
        records[number] = bases
        lines += [f">chr{number} [topology={'circular' if number % 2 else 'linear'}]"]
        lines += [bases[at : at + width] for at in range(0, len(bases), width)]
        lines += ["", " "]
    content = end.join(lines).replace("\ufeff" + end, "\ufeff", 1).encode()
    expected = [(f"chr{n}", bases.encode(), bool(n % 2)) for n, bases in enumerate(records)]
    assert read_in_blocks(content, block) == expected


def test_a_record_on_one_long_line_is_read_in_pieces() -> None:
    content = b">one\n" + b"ACGT" * 50_000
    reader = GenomeReader(io.BytesIO(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background_fasta, "BLOCK_BYTES", 1000)
        longest = [max(len(piece) for piece in bases) for _name, bases, _ring in reader]
    assert longest[0] <= 1000
    assert (reader.records, reader.bases) == (1, 200_000)


@pytest.mark.parametrize("block", [1, 3, 7, 1 << 20])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "There is no record in the file."),
        (b"\n \n", "There is no record in the file."),
        (b"ACGT\n", "Line 1: bases before the first header"),
        (b">\nACGT", "Line 1: the header has no name"),
        (b">a\n>b\nA", "Line 1, record a: a header without bases."),
        (b">a\nA\n>b", "Line 3, record b: a header without bases."),
        (b">a\nAC\n>a\nGT", "Line 3, record a: this name stands twice"),
        (b">a\nAC\nGE\n", "Line 3, record a: E is no base; proteins are not taken here."),
        (b">a\nAC\nG\0C\n", "Line 3, record a: a NUL byte"),
        (b">a\nAC\n;comment\n", "Line 3, record a: ';' is no IUPAC base."),
        (b">a\nA-C\n", "Line 2, record a: '-' is no IUPAC base."),
        (">a\nА\n".encode(), "Line 2, record a: the byte D0 is no IUPAC base."),
        (b">a\xff\nAC\n", "Line 1: not UTF-8 text"),
        (b">a\nRRYYA\n", "Record a: more than half of the letters are ambiguous"),
        (b">" + b"x" * 300 + b"\nA", "Line 1: the name of the record is too long"),
        (b">a " + b"x" * 30_000 + b"\nA", "Line 1: the header is too long."),
    ],
)
def test_what_is_wrong_is_named(content: bytes, problem: str, block: int) -> None:
    with pytest.raises(Invalid) as refused:
        read_in_blocks(content, block)
    assert str(refused.value.message).startswith(problem)


def test_all_records_may_be_said_to_be_circular() -> None:
    assert read(b">a\nAC\n>b\nGT", circular=True) == [("a", b"AC", True), ("b", b"GT", True)]


def test_a_file_is_read_gzipped_or_not_and_progress_is_told(tmp_path: Path) -> None:
    bases = make_bases(200_000).encode()
    plain, packed = tmp_path / "g.fa", tmp_path / "g.fa.gz"
    plain.write_bytes(b">chr1\n" + bases + b"\n")
    half = len(bases) // 2  # two members, as bgzip and cat make them
    packed.write_bytes(gzip.compress(b">chr1\n" + bases[:half]) + gzip.compress(bases[half:] + b"\n"))
    for path in (plain, packed):
        told: list[tuple[int, int]] = []
        with open_genome(path, progress=lambda done, total, told=told: told.append((done, total))) as reader:
            assert [(name, b"".join(each), ring) for name, each, ring in reader] == [("chr1", bases, False)]
        assert told[-1] == (path.stat().st_size, path.stat().st_size)


def test_a_gzip_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.fa.gz"
    path.write_bytes(gzip.compress(b">chr1\n" + make_bases(50_000).encode(), 1)[:-3000])
    with pytest.raises(Invalid, match="damaged or cut off"), open_genome(path) as reader:
        write_pack(tmp_path / "cut.labpack", reader)
    assert [each.name for each in tmp_path.iterdir()] == ["cut.fa.gz"]


@pytest.mark.parametrize("zipped", [False, True])
def test_genbank_says_itself_what_is_circular(tmp_path: Path, zipped: bool) -> None:
    bases = make_bases(400)
    content = make_genbank(bases, accession="AB123456")
    path = tmp_path / "chloroplast.gb"
    path.write_bytes(gzip.compress(content) if zipped else content)
    with open_genome(path) as reader:
        found = [(name, b"".join(each).decode(), ring) for name, each, ring in reader]
    circular = b"circular" in content.splitlines()[0]
    assert [(bases_, ring) for _name, bases_, ring in found] == [(bases, circular)]
    assert reader.bases == 400


@pytest.mark.shared
def test_real_genomes_are_packed_whole(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "sequences" / "background"
    sizes = {}
    for path in sorted(folder.glob("*.gz")):
        with open_genome(path) as reader:
            write_pack(tmp_path / "one.labpack", reader)
        library = open_pack(tmp_path / "one.labpack")
        sizes[path.name] = (library.total_bases, library.circular.tolist())
    assert sizes == {
        "Ath_TAIR10_chr1_3M-6M.fa.gz": (3_000_000, [False]),
        "NC_001666_chloroplast.gb.gz": (140_384, [True]),
        "Z00044_chloroplast.gb.gz": (155_943, [True]),
    }


def test_a_long_genome_is_packed_as_it_is_written(tmp_path: Path) -> None:
    letters = random.Random(5)
    records = [("".join(letters.choices("ACGTN", k=size))) for size in (70_000, 1, 300, 41_111)]
    path = tmp_path / "genome.fa"
    path.write_text("".join(f">c{n} x\n{bases}\n" for n, bases in enumerate(records)))
    with pytest.MonkeyPatch.context() as patch, open_genome(path) as reader:
        patch.setattr(background_fasta, "BLOCK_BYTES", 999)
        write_pack(tmp_path / "genome.labpack", reader)
    library = open_pack(tmp_path / "genome.labpack")
    assert [library.bases(number) for number in range(len(library))] == records
