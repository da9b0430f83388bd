"""Which elements and junctions of a reference a read covers, and the alignment as text."""

import random
from pathlib import Path

import pytest

from labhub.sequences.covered import Feature, covered, rows_of, text_of
from labhub.sequences.formats import read_records
from labhub.sequences.identify import Block, Hit, Settings, identify_reads
from labhub.sequences.oligos import reverse_complement
from labhub.sequences.packed import pack
from labhub.sequences.reads import Read


def hit_over(*spans: tuple[int, int]) -> Hit:
    """Return a hit that covers stretches of the record (0-based, half-open)."""
    blocks, at = [], 0
    for start, end in spans:
        blocks.append(Block(at, at + end - start, start, end - start, 0))
        at += end - start + 30
    return Hit(0, 1, tuple(blocks), at)


PARTS = [
    Feature("source", "organism", 1, 1_000, 1),
    Feature("promoter", "P-35S", 101, 300, 1),
    Feature("gene", "bar", 306, 700, 1),
    Feature("CDS", "bar", 306, 700, 1),
    Feature("misc_feature", "inner", 400, 420, 1),
    Feature("terminator", "T-nos", 701, 900, -1),
]


def names(hit: Hit, **options: object) -> tuple[list[str], list[tuple[str, str]]]:
    found = covered(hit, PARTS, 1_000, circular=False, **options)  # type: ignore[arg-type]
    return [each.feature.label for each in found.elements], [
        (each.left, each.right) for each in found.junctions
    ]


def test_elements_and_junctions_of_a_read() -> None:
    elements, junctions = names(hit_over((250, 500)))
    assert elements == ["P-35S", "bar", "bar", "inner"]
    assert junctions == [("P-35S", "bar")]
    found = covered(hit_over((250, 500)), PARTS, 1_000, circular=False)
    assert found.elements[0][1:] == (50, 0.25, 251, 300, 1, 50)
    assert found.junctions[0][2:] == (300, 306, 50, 195, 50, 56)


def test_junction_needs_bases_on_both_sides() -> None:
    assert names(hit_over((291, 500)))[1] == []
    assert names(hit_over((290, 500)))[1] == [("P-35S", "bar")]
    assert names(hit_over((290, 315)))[1] == [("P-35S", "bar")]
    assert names(hit_over((290, 314)))[1] == []
    assert names(hit_over((280, 330)), junction_bases=21)[1] == []
    assert names(hit_over((200, 303), (304, 600)))[1] == []  # nothing goes across


def test_elements_need_twenty_bases_or_all_of_them() -> None:
    assert names(hit_over((281, 290)))[0] == []
    assert names(hit_over((399, 420)))[0] == ["bar", "bar", "inner"]


def test_origin_of_a_circular_record() -> None:
    parts = [
        Feature("promoter", "P", 951, 30, 1),
        Feature("CDS", "c", 31, 200, 1),
        Feature("rep", "ori", 700, 949, 1),
    ]
    found = covered(hit_over((900, 1_060)), parts, 1_000, circular=True)
    assert [(each.feature.label, each.start, each.end, each.bases) for each in found.elements] == [
        ("ori", 901, 949, 49),
        ("P", 951, 30, 80),
        ("c", 31, 60, 30),
    ]
    assert {(each.left, each.right, each.start, each.end) for each in found.junctions} == {
        ("P", "c", 30, 31),
        ("ori", "P", 949, 951),
    }
    again = covered(hit_over((10, 60)), parts, 1_000, circular=True)
    assert [(each.left, each.before, each.after) for each in again.junctions] == [("P", 20, 30)]


def test_neighbours_have_nothing_between_them_and_are_parts_of_a_construct() -> None:
    parts = [
        Feature("promoter", "P", 101, 300, 1),
        Feature("5'UTR", "leader", 301, 330, 1),
        Feature("primer_bind", "M13", 331, 350, 1),
        Feature("CDS", "bar", 335, 700, 1),
    ]
    found = covered(hit_over((200, 500)), parts, 1_000, circular=False)
    assert [(each.left, each.right) for each in found.junctions] == [("P", "leader"), ("leader", "bar")]
    assert [each.feature.label for each in found.elements] == ["P", "leader", "bar"]


def test_annotated_junctions_are_crossed_as_a_whole() -> None:
    parts = [
        Feature("misc_feature", "left border junction", 500, 525, 1),
        Feature("misc_feature", "x", 1, 40, 1),
    ]
    assert [
        (each.left, each.right, each.before, each.after)
        for each in covered(hit_over((480, 560)), parts, 1_000, circular=False).junctions
    ] == [("left border junction", "", 19, 35)]
    assert covered(hit_over((495, 560)), parts, 1_000, circular=False).junctions == ()


@pytest.mark.parametrize("backward", [False, True])
def test_alignment_reads_as_the_query_runs(backward: bool) -> None:
    chance = random.Random(3)
    bases = "".join(chance.choices("ACGT", k=400))
    part = bases[350:] + bases[:100]
    read = part[:20] + ("A" if part[20] != "A" else "C") + part[21:70] + part[73:]
    read = reverse_complement(read) if backward else read
    library = pack([("r", bases, True)])
    (found,) = identify_reads([Read("q", read)], library, Settings(alignments=1))
    hit, block = found.hits[0], found.hits[0].blocks[0]
    reference = library.bases(0, block.reference_start, block.reference_size)
    rows = rows_of(read, hit, block, reference, 400)
    assert "".join(row.query for row in rows).replace("-", "") == read
    under = "".join(row.reference for row in rows).replace("-", "")
    assert under == (reverse_complement(part) if backward else part)
    assert sum(row.bars.count("|") for row in rows) == len(read) - 1
    assert (rows[0].query_start, rows[-1].query_end) == (1, len(read))
    ends = (100, 351) if backward else (351, 100)
    assert (rows[0].reference_start, rows[-1].reference_end) == ends
    assert text_of(rows).count("\n") == 4 * len(rows) - 2


def test_sanger_like_read_of_a_vector_is_identified(shared_data: Path) -> None:
    folder = shared_data / "sequences"
    records = [
        record
        for path in [
            *sorted((folder / "vectors").glob("*.fa*")),
            *sorted((folder / "moclo_plant").glob("*.gb"))[:20],
            *sorted((folder / "snapgene").glob("*.gb")),
        ]
        for record in read_records(path, "genbank" if path.suffix == ".gb" else "fasta", bases_only=True)
    ]
    library = pack([(each.identifier, each.bases, each.topology == "circular") for each in records])
    place = next(n for n, each in enumerate(records) if each.identifier.startswith("U09365"))
    chance = random.Random(4)
    bases = records[place].bases
    assert len(bases) == 11_777
    read = []
    for number, base in enumerate(bases[5_000:5_850]):
        rate = 0.002 if number < 600 else 0.03
        read.append(chance.choice("ACGTN") if chance.random() < rate else base)
    text = reverse_complement("".join(read))
    (found,) = identify_reads([Read("trace", text)], library)
    assert found.hits[0].record == place or found.ties > 1
    best = next(hit for hit in found.hits if hit.record == place)
    assert best.is_best and best.strand == -1 and best.coverage == 1.0 and best.identity > 97
    assert best.reference_start == pytest.approx(5_000, abs=2)
    assert found.unexplained == ()
