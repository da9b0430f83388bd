"""Packed reference sequences: every letter comes back, from memory and from a file."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.errors import Invalid
from labhub.sequences import packed
from labhub.sequences.packed import (
    SEPARATOR,
    SETS,
    WRAP,
    PackedLibrary,
    check_pack,
    open_pack,
    pack,
    write_pack,
)

LETTERS = "ACGTRYSWKMBDHVN"
RECORDS = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8"), max_size=8),
        st.text(LETTERS + LETTERS.lower() + "Uu-", max_size=700),
        st.booleans(),
    ),
    max_size=12,
)


def plain(bases: str) -> str:
    return bases.upper().replace("U", "T")


def assert_holds(library: PackedLibrary, records: list[tuple[str, str, bool]]) -> None:
    assert list(library.names) == [name for name, _bases, _circular in records]
    assert library.lengths.tolist() == [len(bases) for _name, bases, _circular in records]
    assert library.circular.tolist() == [circular for _name, _bases, circular in records]
    assert library.total_bases == sum(len(bases) for _name, bases, _circular in records)
    for number, (name, bases, circular) in enumerate(records):
        assert library.names[number] == name
        assert library.bases(number) == plain(bases)
        begin = int(library.offsets[number])
        wrap = (plain(bases) * WRAP)[:WRAP] if circular else ""
        text = np.frombuffer((plain(bases) + wrap + "." * SEPARATOR).encode(), np.uint8)
        assert library.sets(begin, begin + len(text)).tolist() == SETS[text].tolist()


@given(RECORDS)
def test_every_letter_comes_back(records: list[tuple[str, str, bool]]) -> None:
    assert_holds(pack(records), records)


@given(records=RECORDS, block=st.integers(1, 300))
def test_blocks_change_nothing(records: list[tuple[str, str, bool]], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "BLOCK", block)
        in_blocks = pack(
            (name, [bases[low : low + 7].encode() for low in range(0, len(bases), 7)], circular)
            for name, bases, circular in records
        )
    assert_holds(in_blocks, records)
    assert in_blocks.digest == pack(records).digest


def test_a_file_holds_what_memory_holds(tmp_path: Path) -> None:
    records = [("a b", "ACGTNNNNRy" * 50, True), ("ü", "", False), ("c", "G", True), ("d", "acgu-", False)]
    told: list[int] = []
    digest = write_pack(tmp_path / "x.labpack", records, progress=told.append)
    library = open_pack(tmp_path / "x.labpack")
    assert_holds(library, records)
    assert digest == library.digest == pack(records).digest == check_pack(tmp_path / "x.labpack").digest
    assert told == sorted(told) and told[-1] == library.size
    assert os.stat(tmp_path / "x.labpack").st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["x.labpack"]


def test_an_empty_library_is_one(tmp_path: Path) -> None:
    write_pack(tmp_path / "x.labpack", [])
    assert len(open_pack(tmp_path / "x.labpack")) == len(pack([])) == 0


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def records() -> "object":
        yield "a", "ACGT", False
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_pack(tmp_path / "x.labpack", records())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@given(data=st.data(), records=RECORDS)
def test_odd_windows_are_told(data: st.DataObject, records: list[tuple[str, str, bool]]) -> None:
    library = pack(records)
    size = data.draw(st.integers(1, 40))
    starts = np.arange(max(0, library.size - size + 1), dtype=np.int64)
    sets = library.sets(0, library.size)
    odd = ~np.isin(sets, (1, 2, 4, 8))
    assert library.odd_within(starts, size).tolist() == [bool(odd[i : i + size].any()) for i in starts]


@given(RECORDS)
def test_positions_are_located(records: list[tuple[str, str, bool]]) -> None:
    library = pack(records)
    wanted = [
        (number, place)
        for number, (_name, bases, circular) in enumerate(records)
        for place in range(len(bases) + (WRAP if circular and bases else 0) + SEPARATOR)
    ]
    found = library.locate(np.arange(library.size, dtype=np.int64))
    assert list(zip(*(each.tolist() for each in found), strict=True)) == wanted


def test_bases_run_over_the_origin_of_a_circle_only() -> None:
    library = pack([("c", "ACGTT", True), ("l", "ACGTT", False)])
    assert library.bases(0, 3, 12) == "TTACGTTACGTT"
    assert library.bases(1, 3, 12) == "TT"


@pytest.mark.parametrize("keep", [0, 5, 16, 40, -1])
def test_a_cut_file_is_named(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "genome.labpack"
    write_pack(path, [("a", "ACGT" * 100, False)])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Invalid, match=r"genome\.labpack is no complete pack"):
        open_pack(path)


def test_another_file_is_no_pack(tmp_path: Path) -> None:
    path = tmp_path / "x.fasta"
    path.write_text(">a\n" + "ACGT" * 100)
    with pytest.raises(Invalid, match=r"x\.fasta is no complete pack"):
        open_pack(path)


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.labpack"
    write_pack(path, [("plasmid", "ACGTNRY" * 60, True), ("part", "GATTACA", False)])
    whole = path.read_bytes()
    library = open_pack(path)
    missed = []
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            if check_pack(path).digest == library.digest:
                missed.append(place)
        except (Invalid, UnicodeDecodeError):
            continue
    # Padding between the tables says nothing, so a change of it changes nothing.
    assert all(whole[place] == 0 for place in missed), missed
    assert len(missed) < 40


@pytest.mark.parametrize("letter", list(LETTERS))
def test_two_bits_are_a_member_of_the_set(letter: str) -> None:
    library = pack([("a", letter * 9, False)])
    assert all(1 << code & SETS[ord(letter)] for code in library.codes(0, 9).tolist())
