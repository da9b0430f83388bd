"""A library searched part by part gives what it gives in one piece, wherever it is cut."""

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.sequences.background_search import products_of_part
from labhub.sequences.insilico import Assay, Products, Settings, search
from labhub.sequences.oligos import reverse_complement
from labhub.sequences.packed import PackedLibrary, pack

COLUMNS = ("assay", "record", "start", "size", "strand", "kind", "mm_f", "mm_r", "probe_mm")


def rows(products: Products) -> list[tuple[int, ...]]:
    return list(zip(*(getattr(products, name).tolist() for name in COLUMNS), strict=True))


def planted(seed: int) -> tuple[list[Assay], PackedLibrary]:
    """Return assays and records that hold their products: in the middle, at borders, over the origin."""
    chance = random.Random(seed)
    letters = lambda size: "".join(chance.choices("ACGT", k=size))  # noqa: E731
    assays = []
    amplicons = []
    for number in range(4):
        forward, reverse, probe = letters(18), letters(19), letters(20)
        assays.append(Assay(f"a{number}", forward, reverse, probe if number % 2 else ""))
        amplicons.append(forward + letters(30) + probe + letters(40) + reverse_complement(reverse))
    records = []
    for number in range(6):
        bases = letters(chance.randrange(50, 900))
        for _ in range(3):
            place = chance.randrange(len(bases))
            piece = chance.choice(amplicons)
            if chance.random() < 0.5:
                piece = reverse_complement(piece)
            bases = bases[:place] + piece + bases[place:]
        turn = chance.randrange(len(bases))
        records.append((f"r{number}", bases[turn:] + bases[:turn], bool(number % 2)))
    records.append(("tiny ring", amplicons[0][60:] + amplicons[0][:60], True))
    return assays, pack(records)


@pytest.mark.parametrize("seed", range(5))
@given(data=st.data())
def test_parts_give_every_product_once(seed: int, data: st.DataObject) -> None:
    assays, library = planted(seed)
    settings = Settings(max_mismatches=2, max_size=data.draw(st.sampled_from([160, 400, 5000])))
    whole = search(assays, library, settings)
    assert len(whole.products) > 5
    cuts = data.draw(st.lists(st.integers(1, library.size - 1), max_size=8, unique=True))
    found: list[tuple[int, ...]] = []
    borders = [0, *sorted(cuts), library.size]
    for low, high in pairwise(borders):
        found += rows(products_of_part(assays, library, low, high, settings).products)
    assert sorted(found) == rows(whole.products)


def test_what_cannot_be_searched_is_named_by_place() -> None:
    _assays, library = planted(1)
    good = _assays[0]
    part = products_of_part([good, Assay("x", "ACGTJ", "ACGT"), good], library, 0, library.size, Settings())
    assert [place for place, _message in part.refused] == [1]
    assert set(np.unique(part.products.assay).tolist()) <= {0, 2}


def test_a_cut_off_search_says_so() -> None:
    library = pack([("repeat", "ACGTTGCAAC" * 200, False)])
    settings = Settings(most_sites=5)
    part = products_of_part([Assay("a", "ACGTTGCAACACGTTG", "GTTGCAACGTGTTGCA")], library, 0, 1000, settings)
    assert part.truncated == [0]
