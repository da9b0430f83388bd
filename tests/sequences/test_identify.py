"""Reads are led to their references, judged by a dynamic program that looks at every place."""

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labhub.sequences.identify import (
    Block,
    Hit,
    Identification,
    Settings,
    identify_reads,
    runs_of,
)
from labhub.sequences.oligos import reverse_complement
from labhub.sequences.packed import PackedLibrary, pack
from labhub.sequences.reads import Read


def random_bases(chance: random.Random, length: int) -> str:
    return "".join(chance.choices("ACGT", k=length))


def mutated(chance: random.Random, bases: str, rate: float) -> str:
    """Return bases with substitutions and, one in ten, inserted or lost bases."""
    out = []
    for base in bases:
        if chance.random() >= rate:
            out.append(base)
        elif chance.random() < 0.9:
            out.append(chance.choice("ACGT".replace(base, "")))
        elif chance.random() < 0.5:
            out += [base, *random_bases(chance, chance.randint(1, 4))]
    return "".join(out)


def judged(read: str, record: str, circular: bool) -> int:
    """Return the least edit distance of the read, either strand, to any stretch of the record."""
    text = record + record[: len(read) + 60] if circular else record
    letters = np.frombuffer(text.encode(), np.uint8)
    steps = np.arange(len(letters) + 1)
    best = len(read)
    for strand in (read, reverse_complement(read)):
        row = np.zeros(len(letters) + 1, np.int64)
        for letter in strand.encode():
            after = row + 1
            after[1:] = np.minimum(after[1:], row[:-1] + (letters != letter))
            row = np.minimum.accumulate(after - steps) + steps
        best = min(best, int(row.min()))
    return best


def mosaic(seed: int, records: int = 14, elements: int = 6) -> list[tuple[str, str, bool]]:
    """Return records that share mutated elements, every other one circular."""
    chance = random.Random(seed)
    shared = [random_bases(chance, chance.randint(150, 400)) for _each in range(elements)]
    made = []
    for number in range(records):
        parts = []
        for _each in range(chance.randint(2, 4)):
            element = mutated(chance, chance.choice(shared), chance.choice([0, 0.01, 0.03]))
            parts += [
                element if chance.random() < 0.5 else reverse_complement(element),
                random_bases(chance, chance.randint(10, 50)),
            ]
        made.append((f"ref{number}", "".join(parts), number % 2 == 0))
    return made


def cut_from(chance: random.Random, record: tuple[str, str, bool], length: int) -> str:
    _name, bases, circular = record
    length = min(length, len(bases))
    start = chance.randrange(len(bases) if circular else len(bases) - length + 1)
    read = (bases + bases)[start : start + length]
    return read if chance.random() < 0.5 else reverse_complement(read)


def only(read: str, library: PackedLibrary, **options: object) -> Identification:
    (found,) = identify_reads([Read("q", read)], library, Settings(**options))  # type: ignore[arg-type]
    return found


def placed(read: str, hit: Hit, block: Block, library: PackedLibrary) -> None:
    """Assert that a block's path spells the read and the record, and counts its differences."""
    part = read[block.query_start : block.query_end]
    under = library.bases(hit.record, block.reference_start, block.reference_size)
    if hit.strand == -1:
        part = reverse_complement(part)
    at = place = edits = 0
    for size, kind in runs_of(block.path):
        if kind in "=X":
            for one, other in zip(part[at : at + size], under[place : place + size], strict=True):
                assert (one == other) == (kind == "=")
        edits += size if kind != "=" else 0
        at += size if kind != "D" else 0
        place += size if kind != "I" else 0
    assert (at, place, edits) == (len(part), len(under), block.distance)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_best_references_are_those_of_the_judge(seed: int) -> None:
    chance = random.Random(100 + seed)
    records = mosaic(seed)
    library = pack(records)
    reads = []
    for number in range(16):
        whole = cut_from(chance, chance.choice(records), chance.choice([60, 90, 150, 300]))
        rate = chance.choice([0, 0.01, 0.02, 0.05])
        reads.append(Read(f"q{number}", mutated(chance, whole, rate)))
    for read, found in zip(reads, identify_reads(reads, library, Settings(within=0)), strict=True):
        distances = [judged(read.bases, bases, circular) for _name, bases, circular in records]
        best = min(distances)
        assert found.hits, (read, best)
        assert {hit.distance for hit in found.hits if hit.is_best} == {best}
        assert {hit.record for hit in found.hits if hit.is_best} == {
            number for number, distance in enumerate(distances) if distance == best
        }
        assert found.hits[0].identity == pytest.approx(100 * (1 - best / len(read.bases)))
        for hit in found.hits:
            for block in hit.blocks:
                if block.path:
                    placed(read.bases, hit, block, library)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(50, 700), st.booleans(), st.booleans())
def test_stretch_of_a_record_is_found_where_it_was_cut(
    seed: int, length: int, circular: bool, backward: bool
) -> None:
    chance = random.Random(seed)
    bases = random_bases(chance, chance.randint(50, 1200))
    length = min(length, len(bases))
    start = chance.randrange(len(bases) if circular else len(bases) - length + 1)
    read = (bases + bases)[start : start + length]
    others = [(f"other{number}", random_bases(chance, 500), False) for number in range(3)]
    library = pack([*others, ("this", bases, circular)])
    found = only(reverse_complement(read) if backward else read, library)
    hit = found.hits[0]
    assert (hit.record, hit.strand, hit.identity, hit.coverage) == (3, -1 if backward else 1, 100.0, 1.0)
    assert (hit.reference_start, hit.reference_size, found.unexplained) == (start, length, ())


def test_read_over_the_origin_of_a_circular_record() -> None:
    chance = random.Random(5)
    bases = random_bases(chance, 2_000)
    read = mutated(chance, bases[-400:] + bases[:350], 0.01)
    found = only(read, pack([("plasmid", bases, True)]))
    assert len(found.hits) == 1
    assert found.hits[0].reference_start == pytest.approx(1_600, abs=3)
    assert found.hits[0].reference_start + found.hits[0].reference_size == pytest.approx(2_350, abs=3)
    assert found.unexplained == ()
    linear = only(read, pack([("plasmid", bases, False)]))
    assert [piece.record for piece in (*linear.hits, *linear.pieces)] == [0, 0]
    assert linear.unexplained == ()  # in two pieces


def test_read_longer_than_its_circular_record() -> None:
    chance = random.Random(6)
    bases = random_bases(chance, 300)
    found = only((bases * 4)[40:900], pack([("minicircle", bases, True)]))
    assert found.hits[0].identity == 100.0
    assert found.hits[0].reference_size == 860


def test_references_as_near_as_the_best_are_told() -> None:
    chance = random.Random(7)
    element = random_bases(chance, 500)
    records = [
        (f"r{number}", random_bases(chance, 300) + element + random_bases(chance, 200), number % 2 == 0)
        for number in range(45)
    ]
    found = only(element[50:450], pack(records), most_hits=5)
    assert found.ties == 45
    assert len(found.hits) == 5
    assert all(hit.is_best and hit.distance == 0 for hit in found.hits)


def test_references_within_a_margin_follow_the_best() -> None:
    chance = random.Random(8)
    element = random_bases(chance, 500)
    twin = element[:250] + ("A" if element[250] != "A" else "C") + element[251:]
    found = only(element, pack([("far", twin, False), ("near", element, False)]), within=1.0)
    assert [(hit.record, hit.is_best) for hit in found.hits] == [(1, True), (0, False)]
    assert [
        hit.record for hit in only(element, pack([("a", twin, False), ("b", element, False)]), within=0).hits
    ] == [1]


def test_aliens_are_given_no_reference() -> None:
    chance = random.Random(9)
    library = pack(mosaic(509, records=40))
    reads = [
        Read(f"alien{number}", random_bases(chance, chance.choice([50, 200, 800, 3000])))
        for number in range(60)
    ]
    for read, found in zip(reads, identify_reads(reads, library), strict=True):
        assert not found.hits and not found.pieces
        assert found.unexplained == ((0, len(read.bases)),)
        assert found.explained == 0


def test_unknown_insert_is_what_nothing_explains() -> None:
    chance = random.Random(10)
    vector, insert = random_bases(chance, 3_000), random_bases(chance, 180)
    read = vector[1_000:1_400] + insert + vector[1_400:1_800]
    found = only(read, pack([("vector", vector, True), *mosaic(510)]))
    ((start, end),) = found.unexplained
    assert start == pytest.approx(400, abs=6)
    assert end == pytest.approx(580, abs=6)
    blocks = [block for hit in (*found.hits[:1], *found.pieces) for block in hit.blocks]
    assert {hit.record for hit in (*found.hits, *found.pieces)} == {0}
    assert sum(block.query_end - block.query_start for block in blocks) == pytest.approx(800, abs=12)


def test_chimeric_read_is_explained_piece_by_piece() -> None:
    chance = random.Random(11)
    one, two, three = (random_bases(chance, 1_500) for _each in range(3))
    read = one[200:500] + reverse_complement(two[700:1_000]) + three[100:500]
    found = only(read, pack([("one", one, False), ("two", two, True), ("three", three, False)]))
    assert not found.hits
    assert [(piece.record, piece.strand) for piece in found.pieces] == [(0, 1), (1, -1), (2, 1)]
    assert found.unexplained == ()
    borders = [(left.query_end, right.query_start) for left, right in pairwise(found.pieces)]
    assert np.array(borders) == pytest.approx(np.array([(300, 300), (600, 600)]), abs=6)
    for piece in found.pieces:
        for block in piece.blocks:
            placed(
                read, piece, block, pack([("one", one, False), ("two", two, True), ("three", three, False)])
            )


def test_best_hit_and_the_rest_of_a_read_that_hangs_over() -> None:
    chance = random.Random(12)
    vector, host = random_bases(chance, 4_000), random_bases(chance, 4_000)
    read = vector[3_100:] + host[500:640]  # the record ends, the read goes on in another
    found = only(read, pack([("vector", vector, False), ("host", host, False)]))
    assert [(hit.record, hit.query_start) for hit in found.hits] == [(0, 0)]
    assert found.hits[0].query_end == pytest.approx(900, abs=6)
    assert found.hits[0].identity > 99.5
    assert [piece.record for piece in found.pieces] == [1]
    assert found.unexplained == ()


def test_long_contig_and_short_amplicon_in_one_job() -> None:
    chance = random.Random(13)
    genome = random_bases(chance, 60_000)
    reads = [
        Read("long", mutated(chance, genome[2_000:52_000], 0.02)[:50_000]),
        Read("short", genome[100:150]),
    ]
    long, short = identify_reads(reads, pack([("genome", genome, False)]))
    assert long.hits[0].coverage == 1.0
    assert 97 < long.hits[0].identity < 99
    assert short.hits[0].identity == 100.0


def test_letters_that_are_not_acgt_are_differences_where_the_other_has_a_base() -> None:
    chance = random.Random(14)
    bases = random_bases(chance, 600)
    read = bases[100:200] + "N" + bases[201:400]
    library = pack([("n-run", bases[:250] + "NNNN" + bases[254:], False)])
    assert only(read, library).hits[0].distance == 5


def test_hidden_records_take_no_part() -> None:
    chance = random.Random(15)
    bases = random_bases(chance, 900)
    near = mutated(chance, bases, 0.04)
    library = pack([("hidden", bases, False), ("open", near, False)])
    (found,) = identify_reads([Read("q", bases)], library, visible=np.array([False, True]))
    assert [hit.record for hit in found.hits] == [1]
    assert found.ties == 1
    (none,) = identify_reads([Read("q", bases)], library, visible=np.zeros(2, bool))
    assert none.unexplained == ((0, 900),)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10**6))
def test_order_of_records_and_company_of_reads_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    records = mosaic(21)
    reads = [
        Read(f"q{n}", mutated(chance, cut_from(chance, chance.choice(records), 200), 0.02)) for n in range(6)
    ]
    known = answers(identify_reads(reads, pack(records)), [name for name, _bases, _circular in records])
    shuffled = records.copy()
    chance.shuffle(shuffled)
    names = [name for name, _bases, _circular in shuffled]
    assert answers(identify_reads(reads[::-1], pack(shuffled))[::-1], names) == known
    alone = [identify_reads([read], pack(records))[0] for read in reads]
    assert answers(alone, [name for name, _bases, _circular in records]) == known


def answers(found: Sequence[Identification], names: Sequence[str]) -> list[object]:
    return [
        (each.name, each.ties, sorted((names[hit.record], hit.distance) for hit in each.hits if hit.is_best))
        for each in found
    ]


def test_word_that_repeats_without_end_is_dropped_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(16)
    unit = random_bases(chance, 40)
    repeat = unit * 2_500
    library = pack([("satellite", repeat, False), ("vector", random_bases(chance, 2_000), False)])
    monkeypatch.setattr("labhub.sequences.identify.MOST_OF_A_WORD", 100)
    found = only((unit * 10)[:300], library)
    assert found.crowded


def test_empty_library_and_no_reads() -> None:
    assert only("ACGTTGCA" * 20, pack([])).unexplained == ((0, 160),)
    assert identify_reads([], pack([("r", "ACGT" * 30, False)])) == []
    assert only("ACGTTGCAAC" * 20, pack([("tiny", "A", True), ("short", "ACG", False)])).hits == ()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6))
def test_what_is_told_of_a_read_fits_together(seed: int) -> None:
    chance = random.Random(seed)
    records = mosaic(22)
    library = pack(records)
    parts = [
        random_bases(chance, chance.randint(20, 200))
        if chance.random() < 0.3
        else mutated(chance, cut_from(chance, chance.choice(records), chance.randint(30, 300)), 0.02)
        for _each in range(chance.randint(1, 4))
    ]
    read = "".join(parts)[:2_000] + "ACGTTGCATT" * 5
    found = only(read, library)
    explained = np.zeros(len(read), bool)
    for hit in (*found.hits[:1], *found.pieces):
        for block in hit.blocks:
            assert 0 <= block.query_start < block.query_end <= len(read)
            if block.path:
                placed(read, hit, block, library)
            explained[block.query_start : block.query_end] = True
        assert 0 <= hit.reference_start < library.lengths[hit.record]
        assert 0 <= hit.identity <= 100 and 0 < hit.coverage <= 1
    for start, end in found.unexplained:
        assert not explained[start:end].any()
        assert end - start >= 20
        explained[start:end] = True
    gaps = np.diff(np.flatnonzero(np.diff(np.r_[True, explained, True].astype(int)) != 0))[::2]
    assert not len(gaps) or gaps.max() < 20
