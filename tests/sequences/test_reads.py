"""Files of reads: what is taken, what is refused and in which words."""

import gzip
import io
import random
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labhub.errors import Invalid, Refusal, TooLarge
from labhub.sequences import reads as reads_module
from labhub.sequences.reads import Reads, good_stretch, read_reads, read_text

GOOD = "ACGTTGCAAC" * 8


def read(content: str | bytes, **options: object) -> Reads:
    data = content.encode() if isinstance(content, str) else content
    return read_reads(io.BytesIO(data), **options)  # type: ignore[arg-type]


def refusal_of(content: str | bytes, **options: object) -> str:
    with pytest.raises(Refusal) as raised:
        read(content, **options)
    texts = [str(text) for found in raised.value.errors.values() for text in found]
    return " | ".join([str(raised.value.message), *texts])


def make_ab1(
    bases: bytes, quality: bytes | None, *, sample: bytes = b"read 1", extra: int = 3, tag: int = 2
) -> bytes:
    """Return a trace file with bases, qualities, a sample's name and some other entries."""
    entries: list[tuple[bytes, int, int, int, bytes]] = [
        (b"PBAS", tag, 2, 1, bases),
        (b"SMPL", 1, 18, 1, bytes([len(sample)]) + sample),
    ]
    if quality is not None:
        entries.append((b"PCON", tag, 2, 1, quality))
    entries += [(b"DATA", number + 1, 4, 2, bytes(200)) for number in range(extra)]
    entries.append((b"LANE", 1, 4, 2, b"\0\1"))
    body, table = b"", b""
    for name, number, kind, size, data in entries:
        count = len(data) // size
        if len(data) <= 4:
            place = data.ljust(4, b"\0")
        else:
            place = struct.pack(">I", 128 + len(body))
            body += data
        table += struct.pack(">4sI2H2I", name, number, kind, size, count, len(data)) + place + bytes(4)
    head = b"ABIF" + struct.pack(
        ">H4sI2H4I", 101, b"tdir", 1, 1023, 28, len(entries), len(table), 128 + len(body), 0
    )
    return head.ljust(128, b"\0") + body + table


def test_fasta_is_read_in_upper_case_with_t_for_u() -> None:
    one = f">one first read\r\n{GOOD[:40].lower()}\r\n  {GOOD[40:]}\r\n\r\n"
    found = read(f"\ufeff\n{one}>two\n{GOOD.replace('T', 'u')}")
    assert [tuple(each) for each in found.reads] == [("one", GOOD), ("two", GOOD)]
    assert (found.kind, found.bad, found.cut) == ("fasta", [], {})


def test_fastq_and_gzip() -> None:
    text = f"@one\n{GOOD}\n+one\n{'I' * 80}\n@two x\n{GOOD}\n+\n{'@' * 80}\n"
    found = read(gzip.compress(text.encode()))
    assert (found.kind, [each.name for each in found.reads]) == ("fastq", ["one", "two"])


def test_ends_of_bad_quality_are_cut_and_told() -> None:
    bases = "".join(random.Random(1).choices("ACGT", k=100))
    quality = "#" * 12 + "I" * 70 + "#" * 18
    found = read(f"@r\n{bases}\n+\n{quality}\n")
    assert found.reads[0].bases == bases[12:82]
    assert tuple(found.cut["r"]) == (13, 82, 100)
    assert read(f"@r\n{bases}\n+\n{quality}\n", trim_error=0).reads[0].bases == bases
    assert "only 30 of 100 bases are of good quality" in refusal_of(
        f"@r\n{bases}\n+\n{'#' * 70 + 'I' * 30}\n"
    )


def test_trimming_is_that_of_biopython() -> None:
    from Bio.SeqIO import parse

    chance = random.Random(2)
    bases = bytes(chance.choices(b"ACGT", k=600))
    # Biopython begins where the sum is first positive and never later, so without a good stretch before
    quality = bytes(max(2, 40 - abs(300 - place) // 8) for place in range(600))
    data = make_ab1(bases, quality)
    (known,) = parse(io.BytesIO(data), "abi")
    (trimmed,) = parse(io.BytesIO(data), "abi-trim")
    assert str(known.seq).encode() == bases
    assert read(data, trim_error=0).reads[0].bases == str(known.seq)
    kept = read(data).reads[0].bases
    assert str(trimmed.seq) in kept
    assert 0 <= len(kept) - len(trimmed.seq) <= 2  # it leaves out the last base of the stretch


def test_ab1_is_called_by_its_sample_or_its_file(tmp_path: Path) -> None:
    path = tmp_path / "plate 3 A01.ab1"
    path.write_bytes(make_ab1(GOOD.encode(), bytes([40] * 80), sample=b""))
    assert read_reads(path).reads[0].name == "plate_3_A01"
    assert read(make_ab1(GOOD.encode(), bytes([40] * 80))).reads[0].name == "read_1"
    assert read(bytes(128) + make_ab1(GOOD.encode(), None)).reads[0].bases == GOOD
    assert read(make_ab1(GOOD.encode(), None, tag=1)).kind == "ab1"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\n \n", "no read"),
        (b"\x1f\x8b\x08", "gzip file is damaged"),
        (gzip.compress(b">a\n" + GOOD.encode())[:-12], "gzip file is damaged"),
        (GOOD, "begins neither with >"),
        ("LOCUS       X 80 bp DNA\n", "begins neither with >"),
        (b"PK\x03\x04 zip", "begins neither with >"),
        (f">\n{GOOD}\n", "the header has no name"),
        (f">a\n{GOOD[:49]}\n", "49 bases; a read may have 50 to 50000"),
        (f">a\n{'ACGT' * 20_000}\n", "more than 50000 bases"),
        (
            ">a\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAV\n",
            "I at letter 6 is no base; proteins",
        ),
        (f">a\n{'WSKMRYHBVD' * 8}\n", "looks like a protein"),
        (f">a\n{GOOD}-{GOOD}\n", "'-' at letter 81 is no IUPAC base"),
        (f">a\n{GOOD}1\n", "'1' at letter 81"),
        (f">a\n{GOOD}\0\n", "U+0000 at letter 81"),
        (f">a\n{GOOD}Ж\n", "at letter 81 is no IUPAC base"),
        (f">a\n{GOOD}\n>a\n{GOOD}\n", "the name stands already on line 1"),
        (f">a\u202eb\n{GOOD}\n", "invisible characters"),
        (b">\xff\xfe\n" + GOOD.encode(), "not UTF-8"),
        (f">a\n{GOOD}U\n", "both U and T"),
        (f">a\n{'N' * 60}{GOOD[:40]}\n", "more than half of the letters are N"),
        (">a\n>b\n", "0 bases"),
        (f"@a\n{GOOD}\n+\n{'I' * 79}\n", "80 bases and 79 qualities"),
        (f"@a\n{GOOD}\n", "cut off"),
        (f"@a\n{GOOD}\n{GOOD}\n+\n", "third line"),
        (f"@a\n{GOOD}\n+\n{'I' * 79}\x1f\n", "qualities holds characters"),
        (make_ab1(GOOD.encode(), bytes(80))[:200], "damaged or was cut off"),
        (b"ABIF", "damaged or was cut off"),
        (b"ABIF" + b"\xff" * 300, "damaged or was cut off"),
        (make_ab1(b"", None), "holds no bases"),
        (make_ab1(GOOD.encode(), bytes([40] * 79)), "80 bases and 79 qualities"),
    ],
)
def test_bad_files_are_refused_in_words(content: str | bytes, said: str) -> None:
    assert said in refusal_of(content)


def test_bad_reads_are_left_out_when_that_is_wished() -> None:
    text = f">good\n{GOOD}\n>short\nACGT\n>protein\n{'MKTAYIAKQR' * 8}\n>good\n{GOOD}\n>last\n{GOOD}\n"
    found = read(text, skip_bad=True)
    assert [each.name for each in found.reads] == ["good", "last"]
    assert [(bad.name, bad.line) for bad in found.bad] == [("short", 3), ("protein", 5), ("good", 7)]
    assert found.seen == 5
    told = refusal_of(text)
    assert "Line 3, read short: 4 bases" in told
    assert "(and 2 more bad reads)" in told
    assert "4 bases" in refusal_of(">short\nACGT\n", skip_bad=True)  # nothing is left


def test_fastq_goes_on_behind_a_broken_read() -> None:
    quality = "I" * 80
    text = f"@a\n{GOOD}\n+\n{quality}\n@broken\n{GOOD}\n@b\n{GOOD}\n+\n{quality}\n"
    text += f"@c\n{GOOD}\n+\n@{quality[1:]}\n"
    found = read(text, skip_bad=True)
    assert [each.name for each in found.reads] == ["a", "b", "c"]
    assert [bad.name for bad in found.bad] == ["broken"]


def test_line_of_any_length_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.fa"
    with path.open("wb") as file:
        file.write(b">long\n")
        for _each in range(40):
            file.write(b"ACGT" * (1 << 18))
        file.write(f"\n>fine\n{GOOD}\n".encode())
    found = read_reads(path, skip_bad=True)
    assert [each.name for each in found.reads] == ["fine"]
    assert str(found.bad[0].reason) == "more than 50000 bases."


def test_too_many_reads_and_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads_module, "MOST_READS", 3)
    with pytest.raises(TooLarge, match="at most 3 reads"):
        read("".join(f">r{number}\n{GOOD}\n" for number in range(4)))
    with pytest.raises(TooLarge, match="MiB"):
        read(gzip.compress(b">a\n" + b"\n" * 3_000_000), most_bytes=1 << 20)
    monkeypatch.setattr(reads_module, "MOST_AB1_BYTES", 1_000)
    with pytest.raises(TooLarge, match="MiB"):
        read(make_ab1(GOOD.encode() * 100, None))


def test_pasted_text() -> None:
    assert read_text(f"\n  {GOOD}\n{GOOD}").reads == [("query", GOOD + GOOD)]
    assert read_text(f">x\n{GOOD}").reads == [("x", GOOD)]
    with pytest.raises(Invalid):
        read_text("  ")


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=400), st.sampled_from([b"", b">a\n", b"@a\n", b"ABIF\0\x65tdir", b"\x1f\x8b\x08\0"])
)
def test_any_bytes_are_read_or_refused(content: bytes, head: bytes) -> None:
    try:
        found = read(head + content, skip_bad=True)
    except Refusal:
        pass
    else:
        assert all(50 <= len(each.bases) <= 50_000 for each in found.reads)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_traces_are_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(make_ab1(GOOD.encode(), bytes([30] * 80)))
    for _each in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Refusal):
        read(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


@given(st.binary(max_size=80))
def test_kept_stretch_is_the_best_of_all(quality: bytes) -> None:
    gains = [0.05 - min(1.0, 10 ** (-value / 10)) for value in quality]
    sums = {
        (start, end): sum(gains[start:end])
        for start in range(len(gains))
        for end in range(start + 1, len(gains) + 1)
    }
    start, end = good_stretch(quality, 0.05)
    best = max([0.0, *sums.values()])
    assert sum(gains[start:end]) == pytest.approx(best, abs=1e-9)


def test_shared_broken_files_are_told_apart(shared_data: Path) -> None:
    for path in sorted((shared_data / "broken" / "fasta").iterdir()):
        with suppress(Refusal):
            read_reads(path, skip_bad=True)
    for folder in ("genbank", "embl", "snapgene"):
        for path in sorted((shared_data / "broken" / folder).iterdir()):
            with pytest.raises(Refusal):
                read_reads(path)
