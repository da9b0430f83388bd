"""In-silico PCR finds what a search without seeds finds, and nothing else."""

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from labhub.sequences import insilico
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
from labhub.sequences.packed import PackedLibrary, pack
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
