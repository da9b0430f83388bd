"""FASTA for searching: strict, by record, and with little memory."""

import gzip
import io
import random
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from labhub.errors import Invalid
from labhub.sequences import fasta, references
from labhub.sequences.fasta import Reading, read_fasta
from labhub.sequences.packed import pack
from labhub.sequences.references import every_record, libraries_of
from tests.test_serving import ROOT

Record = tuple[str, str, bool]


def read(text: bytes | BinaryIO, *, skip_bad: bool = False, reading: Reading | None = None) -> list[Record]:
    reading = reading or Reading()
    file = io.BytesIO(text) if isinstance(text, bytes) else text
    records = []
    for name, bases, circular in read_fasta(file, "a.fa", reading, skip_bad=skip_bad):
        whole = bases if isinstance(bases, bytes) else b"".join(bases)  # type: ignore[arg-type]
        records.append((name, whole.decode(), circular))
    if not skip_bad:
        reading.raise_if_wrong()
    assert reading.records == len(records)
    assert reading.bases == sum(len(bases) for _name, bases, _circular in records)
    return records


GOOD = (
    b"\xef\xbb\xbf\n>one a plasmid [topology=circular]\r\nACGT\r\nacgu\r\n\r\n"
    b">two\tlinear\nAC RY\n>three|x>y\nA"
)
READ = [("one", "ACGTACGT", True), ("two", "ACRY", False), ("three|x>y", "A", False)]


@pytest.mark.parametrize("block", [1, 2, 3, 5, 7, 11, 1 << 20])
def test_records_are_read_whatever_the_block(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasta, "BLOCK", block)
    assert read(GOOD) == READ
    assert read(GOOD, skip_bad=True) == READ
    assert read(GOOD.replace(b"\r\n", b"\r")) == READ


PROBLEMS = [
    (b">p\nMKVLE\n", "Line 1, record p: L at letter 4 is no base; proteins"),
    (b">g\nAC\nG-T\n", "Line 1, record g: a gap (-) at letter 4"),
    (b">n\nAC\0GT\n", "Line 1, record n: a NUL byte at letter 3"),
    (b">u\nAC?GT\n", "Line 1, record u: '?' at letter 3 is no IUPAC base"),
    (b">u\nAC\xc3\xa9GT\n", "Line 1, record u: the byte 0xC3 at letter 3"),
    (b">e\n>f\nAC\n", "Line 1, record e: a header without bases"),
    (b">f\nACGT\n>cut", "Line 3, record cut: a header without bases"),
    (b"> x\nACGT\n", "Line 1, record ?: the header has no name"),
    (b">\nACGT\n", "Line 1, record ?: the header has no name"),
    (b">\xff\nACGT\n", "the name is not UTF-8"),
    (b">" + b"n" * 300 + b"\nACGT\n", "invisible characters or is too long"),
    (b"\nACGT\n>a\nAC\n", "Line 2: bases before the first header"),
    (b"\x00\x01\x02\x03", "Line 1: a NUL byte; this is no text file."),
    (b"", "There is no record in the file."),
    (b"\n \n", "There is no record in the file."),
]


@pytest.mark.parametrize("block", [2, 5, 1 << 20])
@pytest.mark.parametrize(("text", "words"), PROBLEMS)
def test_what_is_wrong_is_told_by_record_and_line(
    text: bytes, words: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fasta, "BLOCK", block)
    with pytest.raises(Invalid) as refusal:
        read(text)
    told = [str(message) for texts in refusal.value.errors.values() for message in texts]
    assert any(words in each for each in told), told


@pytest.mark.parametrize("block", [1, 4, 9, 1 << 20])
@pytest.mark.parametrize(("text", "words"), PROBLEMS[:10])
def test_one_bad_record_does_not_spoil_the_others(
    text: bytes, words: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fasta, "BLOCK", block)
    reading = Reading()
    around = (
        b">before\nACGTACGT\n"
        + text.replace(b">f\nACGT\n", b"").replace(b">f\nAC\n", b"")
        + b"\n>after\nGGCC\n"
    )
    records = read(around, skip_bad=True, reading=reading)
    assert records == [("before", "ACGTACGT", False), ("after", "GGCC", False)]
    assert (reading.number, reading.skipped) == (1, 1)
    assert words.split(": ")[-1] in str(reading.problems[0][1])


def test_a_protein_is_told_by_its_many_ambiguous_letters() -> None:
    reading = Reading()
    text = b">p\nMKVHDSKRYMKVHDSKRY\n>n\n" + b"N" * 90 + b"\n>r\nRACGT\n"
    assert [name for name, _b, _c in read(text, skip_bad=True, reading=reading)] == ["n", "r"]
    assert "looks like a protein" in str(reading.problems[0][1])


def test_all_problems_are_counted_and_the_first_are_told() -> None:
    with pytest.raises(Invalid, match="1000 records or lines") as refusal:
        read(b"".join(b">r%d\nAC-GT\n" % number for number in range(1000)))
    told = [str(message) for texts in refusal.value.errors.values() for message in texts]
    assert len(told) == fasta.MOST_TOLD + 1
    assert told[-1] == "and 950 more problems"


def test_a_name_that_stands_twice_is_remarked_and_both_are_searched() -> None:
    reading = Reading()
    assert len(read(b">a\nAC\n>b\nAC\n>a\nGT\n", reading=reading)) == 3
    assert [str(message) for _file, message in reading.remarks] == [
        "Record a: the name stands more than once."
    ]


def test_names_can_be_declared_circular() -> None:
    reading = Reading(circular_names=frozenset({"b", "missing"}))
    assert [circular for _n, _b, circular in read(b">a\nAC\n>b\nAC\n", reading=reading)] == [False, True]
    assert reading.circular_found == {"b"}


def test_a_gzip_file_that_is_cut_off_is_refused_or_read_up_to_there(tmp_path: Path) -> None:
    text = b"".join(
        b">r%d\n%s\n" % (number, "".join(random.Random(number).choices("ACGT", k=300)).encode())
        for number in range(300)
    )
    path = tmp_path / "a.fa.gz"
    path.write_bytes(gzip.compress(text))
    assert len(libraries_of([path], Reading())[0]) == 300
    path.write_bytes(gzip.compress(text)[:20_000])
    with pytest.raises(Invalid) as refusal:
        libraries_of([path], Reading())
    assert "damaged or cut off" in str(refusal.value.errors)
    reading = Reading()
    (library,) = libraries_of([path], reading, skip_bad=True)
    assert reading.skipped <= 1
    whole = pack(every_record([_written(tmp_path / "whole.fa", text)], Reading()))
    assert all(library.bases(record) == whole.bases(record) for record in range(len(library)))


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


MEASURE = """
import resource, sys
from pathlib import Path
from labhub.sequences.fasta import Reading
from labhub.sequences.references import every_record
from labhub.sequences.packed import write_pack
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
reading = Reading()
write_pack(Path(sys.argv[2]), every_record([Path(sys.argv[1])], reading, skip_bad=sys.argv[3] == "skip"))
print(reading.records, reading.bases, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("how", ["refuse", "skip"])
def test_a_line_of_many_megabytes_is_read_in_bounded_memory(tmp_path: Path, how: str) -> None:
    path = tmp_path / "long.fa"
    line = random.Random(1).randbytes(1 << 20).translate(bytes(b"ACGT"[byte % 4] for byte in range(256)))
    with path.open("wb") as file:
        file.write(b">long\n")
        for _each in range(96):
            file.write(line)
        file.write(b"\n>short\nACGT\n")
    arguments = [sys.executable, "-c", MEASURE, str(path), str(tmp_path / "long.labpack"), how]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    records, bases, megabytes = map(int, done.stdout.split())
    assert (records, bases) == (2, (96 << 20) + 4)
    assert megabytes < 80


def test_large_files_are_packed_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _written(tmp_path / "a.fa", b">a\nACGTNACGT\n>b [topology=circular]\nGGCC\n")
    (memory,) = libraries_of([path], Reading())
    monkeypatch.setattr(references, "IN_MEMORY", 10)
    (disk,) = libraries_of([path], Reading())
    assert disk.path is not None and not disk.path.exists()
    assert disk.digest == memory.digest
    assert [disk.bases(record) for record in range(2)] == ["ACGTNACGT", "GGCC"]


def test_many_tiny_records_are_read(tmp_path: Path) -> None:
    number = 50_000
    path = _written(tmp_path / "tiny.fa", b"".join(b">r%d\nACGTACGTAC\n" % each for each in range(number)))
    reading = Reading()
    (library,) = libraries_of([path], reading)
    assert len(library) == reading.records == number
    assert library.names[number - 1] == f"r{number - 1}"
