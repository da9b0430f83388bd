"""In-silico PCR finds what a search without seeds finds, and nothing else."""

import json
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from labhub.errors import Invalid
from labhub.sequences import insilico, position_index
from labhub.sequences.fasta import Reading
from labhub.sequences.insilico import (
    Assay,
    Found,
    Products,
    Settings,
    aligned,
    aligned_primers,
    merged,
    pair,
    search,
    sites,
)
from labhub.sequences.packed import Bases, PackedLibrary, pack
from labhub.sequences.position_index import build_index, open_index, write_index
from labhub.sequences.references import records_of
from tests.sequences.brute_force import Row, brute_force, turned

Record = tuple[str, str, bool]
MEMBERS = {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC", "N": "ACGT", "V": "ACG"}


def rows(assays: Sequence[Assay], library: PackedLibrary, products: Products) -> list[Row]:
    kinds = {0: "FR", 1: "FF", 2: "RR"}
    return [
        (
            assays[products.assay[row]].name,
            library.names[int(products.record[row])],
            int(products.start[row]),
            int(products.size[row]),
            kinds[int(products.kind[row])],
            "F" if products.strand[row] > 0 else "R",
            int(products.mm_f[row]),
            int(products.mm_r[row]),
            int(products.probe_mm[row]),
        )
        for row in range(len(products))
    ]


def rows_of(assays: Sequence[Assay], library: PackedLibrary, found: Found) -> list[Row]:
    return rows(assays, library, found.products)


class Maker:
    """Random records and assays that meet each other, in all the ways that are easy to get wrong."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def dna(self, size: int) -> str:
        return "".join(self.random.choices("ACGT", k=size))

    def changed(self, bases: str, number: int, keep: int) -> str:
        """With some substitutions outside the last bases."""
        letters = list(bases)
        for place in self.random.sample(range(len(bases) - keep), min(number, len(bases) - keep)):
            letters[place] = self.random.choice("ACGT".replace(letters[place], "") or "ACGT")
        return "".join(letters)

    def ambiguous(self, bases: str, number: int) -> str:
        letters = list(bases)
        for place in self.random.sample(range(len(bases)), number):
            fits = [code for code, members in MEMBERS.items() if letters[place] in members]
            letters[place] = self.random.choice(fits or ["N"])
        return "".join(letters)

    def assay(
        self, name: str, source: str, shortest: int, longest: int, mismatches: int, exact: int
    ) -> Assay:
        """An assay that finds something in a source, on either strand."""
        size = self.random.randint(45, 160)
        start = self.random.randrange(len(source))
        around = (source + source)[start : start + size]
        if self.random.random() < 0.5:
            around = turned(around)
        oligos = []
        for template in (around, turned(around)):
            oligo = template[: self.random.randint(shortest, longest)]
            oligo = self.changed(oligo, self.random.randint(0, mismatches + 1), exact)
            if self.random.random() < 0.3:
                oligo = self.ambiguous(oligo, self.random.randint(1, 3))
            oligos.append(oligo)
        probe = ""
        if self.random.random() < 0.6:
            probe = self.changed(around[12:36] if self.random.random() < 0.5 else turned(around)[8:30], 1, 0)
        return Assay(name, oligos[0], oligos[1], probe)

    def library(self, number: int) -> list[Record]:
        elements = [self.dna(self.random.randint(60, 260)) for _each in range(4)]
        made: list[Record] = []
        for place in range(number):
            parts = []
            for _each in range(self.random.randint(1, 4)):
                element = self.changed(self.random.choice(elements), self.random.randint(0, 4), 0)
                element = element if self.random.random() < 0.5 else turned(element)
                parts += [element, self.dna(self.random.randint(0, 40))]
            bases = "".join(parts)
            turn = self.random.randrange(len(bases))
            bases = bases[turn:] + bases[:turn]
            if self.random.random() < 0.3:
                bases = self.ambiguous(bases, 3)
            if self.random.random() < 0.2:
                start = self.random.randrange(len(bases))
                bases = bases[:start] + "N" * 9 + bases[start + 9 :]
            if self.random.random() < 0.3:
                bases = bases[:50].lower() + bases[50:]
            made.append((f"r{place:02d}", bases, self.random.random() < 0.5))
        short = ["", "A", "ACGT" * 3, "A" * 41, self.dna(45)]
        return made + [(f"s{place}", bases, place % 2 == 0) for place, bases in enumerate(short)]


def world(seed: int, shortest: int, longest: int, options: Settings) -> tuple[list[Assay], list[Record]]:
    maker = Maker(seed)
    records = maker.library(10)
    sources = [bases.upper() for _name, bases, _circular in records[:10]]
    assays = [
        maker.assay(
            f"a{place}",
            maker.random.choice(sources),
            shortest,
            longest,
            options.max_mismatches,
            min(options.three_prime_exact, 5),
        )
        for place in range(10)
    ]
    palindrome = "GGAACTCTAGAGTTCC"
    first = assays[0]
    assays += [
        Assay("same", first.forward, first.forward),
        Assay("swapped", first.reverse, first.forward, first.probe),
        Assay("palindrome", palindrome, first.reverse),
        Assay("lower", first.forward.lower().replace("t", "u"), first.reverse),
    ]
    records.append(("palindromes", maker.dna(30) + palindrome + maker.dna(60) + palindrome, True))
    tandem = "".join(maker.dna(7) + sources[0][:120] for _each in range(4))
    records.append(("tandem", tandem, False))
    return assays, records


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mismatches", range(6))
@pytest.mark.parametrize(("shortest", "longest"), [(15, 19), (18, 26), (24, 34), (33, 48)])
def test_every_product_is_found_and_none_else(
    seed: int, mismatches: int, shortest: int, longest: int
) -> None:
    options = Settings(
        max_mismatches=mismatches,
        three_prime_exact=(3, 0, 1, 5)[seed],
        self_products=seed % 2 == 0,
        min_size=(40, 1, 60, 40)[seed],
        max_size=(1500, 400, 1500, 90)[seed],
        probe_mismatches=(None, 0, 4, None)[seed],
    )
    assays, records = world(seed, shortest, longest, options)
    library = pack(records)
    found = rows_of(assays, library, search(assays, library, options))
    assert len(found) == len(set(found))
    expected = brute_force(assays, records, options)
    assert set(found) == expected
    assert expected


OPTIONS = Settings(max_mismatches=3, self_products=True)


def test_any_cut_of_the_library_and_any_chunk_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assays, records = world(11, 15, 40, OPTIONS)
    library = pack(records)
    whole = rows_of(assays, library, search(assays, library, OPTIONS))
    for chunk, piece in ((64, 1 << 23), (1 << 18, 500), (256, 333)):
        monkeypatch.setattr(insilico, "CHUNK", chunk)
        monkeypatch.setattr(insilico, "PIECE", piece)
        assert rows_of(assays, library, search(assays, library, OPTIONS, threads=2)) == whole
    monkeypatch.undo()
    cuts = [0, 1, 77, 1000, 1001, 1500, library.size]
    parts = [sites(assays, library, low, high, OPTIONS) for low, high in pairwise(cuts)]
    assert rows(assays, library, pair(assays, merged(parts[::-1], OPTIONS), library, OPTIONS)) == whole


def test_the_order_of_records_and_assays_changes_nothing_but_the_order() -> None:
    assays, records = world(12, 18, 26, OPTIONS)
    library, back = pack(records), pack(records[::-1])
    found = rows_of(assays, library, search(assays, library, OPTIONS))
    turned_around = rows_of(assays[::-1], back, search(assays[::-1], back, OPTIONS))
    assert sorted(found) == sorted(turned_around)
    assert len(found) > 3


def test_an_oligo_is_shown_beside_its_site_with_the_bases_that_differ() -> None:
    assay = Assay("a", "ACGTACGTACGTACGTAC", "GGATTCCGATTGCAGGTT")
    bases = "ACCTACGTACGTACGTAC" + "T" * 20 + turned("GGATTCCGATTGCAGGTT")
    for text, left_is_forward in ((bases, True), (turned(bases), False)):
        library = pack([("r", text, False)])
        found = search([assay], library)
        assert len(found.products) == 1
        left, right = aligned_primers(assay, library, found.products, 0)
        wrong = left if left_is_forward else right
        assert (wrong.oligo, wrong.mismatches) == (assay.forward, (3,))
        assert wrong.site == "ACCTACGTACGTACGTAC"
    assert str(aligned("ACRT", "TCAT")) == "ACRT\n.|||\nTCAT"


@pytest.mark.parametrize("seed", range(3))
def test_the_index_gives_what_the_whole_library_gives(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Settings(max_mismatches=2 + seed, self_products=True, three_prime_exact=3 - seed)
    assays, records = world(20 + seed, 15, 36, options)
    library = pack(records)
    whole = rows_of(assays, library, search(assays, library, options))
    write_index(library, tmp_path / "a.index")
    index = open_index(tmp_path / "a.index", library)
    monkeypatch.setattr(insilico, "INDEX_COST", 0)
    assert rows_of(assays, library, search(assays, library, options, index=index)) == whole
    monkeypatch.setattr(position_index, "AT_ONCE", 300)
    small = build_index(library)
    assert (small.positions == index.positions).all() and (small.begins == index.begins).all()
    monkeypatch.setattr(insilico, "CHUNK", 50)
    assert rows_of(assays, library, search(assays, library, options, index=small)) == whole


def test_an_index_that_is_cut_off_or_of_another_library_is_refused(tmp_path: Path) -> None:
    library, other = pack([("a", "ACGT" * 30, False)]), pack([("a", "ACGA" * 30, False)])
    path = tmp_path / "a.index"
    write_index(library, path)
    with pytest.raises(Invalid):
        open_index(path, other)
    with pytest.raises(ValueError, match="another library"):
        search([Assay("a", "ACGT", "ACGT")], other, index=open_index(path, library))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(Invalid):
        open_index(path, library)
    path.write_bytes(b"LABINDX1")
    with pytest.raises(Invalid):
        open_index(path, library)


def primer(shortest: int = 12) -> st.SearchStrategy[str]:
    letters = st.sampled_from("ACGT" * 6 + "RYSWKMNI")
    return st.lists(letters, min_size=shortest, max_size=30).map("".join)


@examples(max_examples=60, deadline=None)
@given(st.data())
def test_more_mismatches_never_find_less(data: st.DataObject) -> None:
    forward, reverse = data.draw(primer()), data.draw(primer())
    maker = Maker(data.draw(st.integers(0, 1000)))
    plain = forward.replace("I", "N").translate(str.maketrans("RYSWKMN", "ACGTGCA"))
    other = reverse.replace("I", "N").translate(str.maketrans("RYSWKMN", "ACGTGCA"))
    copies = [
        maker.changed(plain, data.draw(st.integers(0, 5)), 0)
        + maker.dna(data.draw(st.integers(0, 40)))
        + turned(maker.changed(other, data.draw(st.integers(0, 5)), 0))
        for _each in range(3)
    ]
    records = [("r", maker.dna(20).join(copies), data.draw(st.booleans()))]
    library, assays = pack(records), [Assay("a", forward, reverse)]
    before: set[tuple[object, ...]] = set()
    for mismatches in range(6):
        options = Settings(mismatches, 3, min_size=20)
        rows = {row[:8] for row in rows_of(assays, library, search(assays, library, options))}
        assert before <= rows
        assert rows == {row[:8] for row in brute_force(assays, records, options)}
        before = rows


def test_what_is_cut_off_is_told() -> None:
    assays = [Assay("a", "ACGTACGTTGCA", "GGATTCCGATTG"), Assay("b", "TTTTACGTTGCA", "GGATTCCGATAA")]
    text = "ACGTACGTTGCA" * 6 + "T" * 20 + turned("GGATTCCGATTG") * 6
    library = pack([("r", text, False)])
    whole = search(assays, library, Settings(0))
    assert (len(whole.products), whole.truncated) == (36, [])
    few = search(assays, library, Settings(0, most_products=10))
    assert len(few.products) == 10
    assert [name for name, _message in few.truncated] == ["a"]
    assert set(rows_of(assays, library, few)) <= set(rows_of(assays, library, whole))
    few = search(assays, library, Settings(0, most_sites=2))
    assert len(few.products) == 4
    assert [name for name, _message in few.truncated] == ["a"]
    assert "more than 2 sites" in str(few.truncated[0][1])


def test_an_assay_that_cannot_be_searched_does_not_stop_the_others() -> None:
    assays = [
        Assay("bad", "ACXGT", "ACGT"),
        Assay("none", "", "ACGT"),
        Assay("good", "ACGTTGCAAC", "GGTTAACCGT"),
    ]
    assays.append(Assay("probe", "ACGTTGCAAC", "GGTTAACCGT", "AC-GT"))
    text = "ACGTTGCAAC" + "T" * 30 + turned("GGTTAACCGT")
    found = search(assays, pack([("r", text, False)]))
    assert found.products.assay.tolist() == [2]
    assert [name for name, _message in found.refused] == ["bad", "none", "probe"]
    assert "Forward primer: X at base 3" in str(found.refused[0][1])
    assert (found.searched.assays, found.searched.records, found.searched.bases) == (1, 1, len(text))


def test_nothing_to_search_finds_nothing() -> None:
    assert len(search([], pack([("r", "ACGT", False)])).products) == 0
    assert len(search([Assay("a", "ACGTACGTAC", "ACGTACGTAC")], pack([])).products) == 0


SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "sequences"


@pytest.mark.shared
def test_every_published_product_is_found_and_none_else() -> None:
    if not SHARED.is_dir():
        pytest.skip("../shared is not here")
    expected = json.loads((SHARED / "expected_insilico.json").read_text())
    assays = [
        Assay(name, method["forward"], method["reverse"], method["probe"] or "")
        for name, method in expected["methods"].items()
    ]
    records: list[tuple[str, Bases, bool]] = []
    files: list[str] = []
    for path in sorted(SHARED.rglob("*")):
        if not path.is_file() or path.suffix in (".json", ".md", ".py"):
            continue
        for record in records_of(path, Reading(), skip_bad=True):
            files.append(path.relative_to(SHARED).as_posix())
            records.append(record)
    library = pack(records)
    elements = {"QL-ELE-00-011", "QT-ELE-00-004"}
    for mismatches in range(4):
        wanted = sorted(
            (hit["method"], hit["file"], hit["start"], hit["end"], hit["length"],
             hit["plus_strand_primer"], hit["mismatches_plus"], hit["mismatches_minus"])
            for hit in expected["hits"]
            if hit["min_k"] <= mismatches and (mismatches == 0 or hit["method"] in elements)
        )  # fmt: skip
        among = [assay for assay in assays if mismatches == 0 or assay.name in elements]
        found = search(among, library, Settings(mismatches, 0, 1, expected["max_amplicon"])).products
        got = []
        for row in range(len(found)):
            number, start, size = int(found.record[row]), int(found.start[row]), int(found.size[row])
            length = int(library.lengths[number])
            mm = (int(found.mm_f[row]), int(found.mm_r[row]))
            plus = found.strand[row] > 0
            got.append(
                (among[found.assay[row]].name, files[number], start + 1,
                 (start + size - 1) % length + 1, size, "F" if plus else "R", *(mm if plus else mm[::-1]))
            )  # fmt: skip
        assert sorted(got) == wanted
