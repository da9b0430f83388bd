"""Where oligos lie on their amplicon, and how they are drawn."""

from itertools import pairwise
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.methods import pictures
from labhub.sequences.oligos import reverse_complement
from tests.factories import make_bases

SVG = "{http://www.w3.org/2000/svg}"
AMPLICON = make_bases(120, seed=7)


def oligo(role: str, sequence: str, name: str = "x", **parts: Any) -> dict[str, Any]:
    """Return an oligo of a content."""
    return {
        "role": role,
        "set": "",
        "name": name,
        "sequence": sequence,
        "label5": None,
        "label3": None,
        "modifications": [],
        **parts,
    }


def content(*oligos: dict[str, Any], amplicon: str | None = AMPLICON, **fields: Any) -> dict[str, Any]:
    """Return the parts of a content that a picture needs."""
    size = len(amplicon) if amplicon else None
    return {"amplicon": amplicon, "amplicon_bp": size, "oligos": list(oligos), **fields}


def parsed(drawing: str) -> ElementTree.Element:
    """Return a drawing as a tree; it is our own, not an upload."""
    return ElementTree.fromstring(drawing)


@given(st.integers(0, 95), st.integers(15, 25), st.booleans())
def test_an_oligo_cut_from_the_amplicon_is_found_where_it_was_cut(start: int, size: int, other: bool) -> None:
    bases = AMPLICON[start : start + size]
    site = pictures.locate(AMPLICON, "probe", "P", reverse_complement(bases) if other else bases)
    assert (site.start, site.end) == (start + 1, start + len(bases))
    assert site.strand == (-1 if other else 1)
    assert site.mismatches == ()


def test_ambiguous_letters_of_an_oligo_match_what_they_stand_for() -> None:
    bases = "N" + AMPLICON[11:20] + "R" * (AMPLICON[20] in "AG") + "Y" * (AMPLICON[20] in "CT")
    site = pictures.locate(AMPLICON, "forward", "F", bases)
    assert (site.start, site.mismatches) == (11, ())


@pytest.mark.parametrize("other", [False, True])
def test_a_base_that_differs_is_named_by_its_place_on_the_amplicon(other: bool) -> None:
    wrong = {"A": "C", "C": "A", "G": "T", "T": "G"}
    bases = AMPLICON[30:40] + wrong[AMPLICON[40]] + AMPLICON[41:52]
    site = pictures.locate(AMPLICON, "probe", "P", reverse_complement(bases) if other else bases)
    assert (site.start, site.mismatches) == (31, (41,))


def test_unknown_bases_of_the_amplicon_match_only_n() -> None:
    amplicon = AMPLICON[:20] + "N" * 80 + AMPLICON[100:]
    found = pictures.maps_of(content(oligo("probe", AMPLICON[40:62]), amplicon=amplicon))[0]
    assert found.unknown == [(21, 100)]
    assert [site.name for site in found.missing] == ["x"]
    assert "known bases" in str(pictures.remark(found.sites[0], found))


def test_an_oligo_that_hangs_over_the_end_is_drawn_and_said() -> None:
    bases = "ACGTACGT" + AMPLICON[:20]
    found = pictures.maps_of(content(oligo("forward", bases)))[0]
    assert (found.sites[0].start, found.sites[0].end) == (-7, 20)
    assert "amplicon: 8." in str(pictures.remark(found.sites[0], found))
    assert pictures.scale_of(found, 340).first == -7


def test_of_equal_places_a_reverse_primer_takes_the_last_and_a_forward_the_first() -> None:
    part = make_bases(20, seed=3)
    amplicon = part + "A" * 30 + reverse_complement(part)
    forward = pictures.locate(amplicon, "forward", "F", part)
    reverse = pictures.locate(amplicon, "reverse", "R", part)
    assert (forward.start, forward.strand, reverse.start, reverse.strand) == (1, 1, 51, -1)
    assert forward.places == 2


def test_without_the_amplicons_bases_the_primers_stand_at_its_ends() -> None:
    found = pictures.maps_of(
        content(
            oligo("forward", "A" * 20), oligo("reverse", "C" * 18), oligo("probe", "G" * 20), amplicon=None
        )
        | {"amplicon_bp": 90}
    )[0]
    assert [(site.start, site.end, site.assumed) for site in found.sites] == [
        (1, 20, True),
        (73, 90, True),
        (0, 0, False),
    ]
    assert found.unknown == [(1, 90)]


def test_a_hundred_thousand_bases_are_searched_for_forty_oligos_without_trying_each_place() -> None:
    amplicon = "".join(Random(5).choices("ACGT", k=100_000))
    sites = [
        pictures.locate(amplicon, "forward", "F", amplicon[place : place + 30])
        for place in range(0, 80_000, 2_000)
    ]
    assert [site.start for site in sites] == [place + 1 for place in range(0, 80_000, 2_000)]


@pytest.mark.parametrize("width", pictures.WIDTHS)
def test_arrows_and_bars_stand_to_scale(width: int) -> None:
    oligos = [
        oligo("forward", AMPLICON[:20], "F"),
        oligo("probe", AMPLICON[44:70], "P"),
        oligo("reverse", reverse_complement(AMPLICON[100:]), "R"),
    ]
    tree = parsed(pictures.draw(pictures.maps_of(content(*oligos)), "Title", width))
    base = (width - 24) / 120
    drawn = {}
    for group in tree.iter(f"{SVG}g"):
        if group.get("class") == "oligo":
            shape = group.find(f"{SVG}polygon")
            assert shape is not None
            x = [float(point.split(",")[0]) for point in shape.attrib["points"].split()]
            drawn[group.get("data-name")] = (min(x), max(x))
    expected = {"F": (0, 20), "P": (44, 70), "R": (100, 120)}
    for name, (first, last) in expected.items():
        assert drawn[name] == pytest.approx((12 + first * base, 12 + last * base), abs=0.02)
    (bar,) = [rect for rect in tree.iter(f"{SVG}rect") if rect.get("class") == "amplicon"]
    assert float(bar.attrib["width"]) == pytest.approx(120 * base, abs=0.02)


def test_labels_of_a_lane_do_not_overlap_and_stay_inside() -> None:
    oligos = [oligo("forward", AMPLICON[at : at + 20], f"a rather long name {at}") for at in range(0, 100, 5)]
    found = pictures.maps_of(content(*oligos))[0]
    scale = pictures.scale_of(found, 340)
    for lane in pictures._lanes(found.placed, scale):
        rooms = [pictures._extent(site, scale)[:2] for site in lane]
        assert all(left[1] <= right[0] for left, right in pairwise(rooms))
        assert all(left >= 0 and right <= 340 for left, right in rooms)


@pytest.mark.req("C4")
def test_names_are_escaped_and_nothing_needs_a_style_or_script() -> None:
    evil = "<script>alert(1)</script>\" onload='x' \x0b\uffff"
    drawing = pictures.draw(pictures.maps_of(content(oligo("forward", AMPLICON[:20], evil))), evil)
    tree = parsed(drawing)
    assert not [each for each in tree.iter() if each.tag in (f"{SVG}script", f"{SVG}style")]
    for each in tree.iter():
        assert not [name for name in each.attrib if name == "style" or name.startswith("on")]
    assert tree.findtext(f"{SVG}title", "").startswith("<script>")


def test_the_words_say_what_is_drawn() -> None:
    oligos = [oligo("forward", AMPLICON[:20], "F"), oligo("probe", "ACGT" * 6, "P")]
    words = pictures.described(pictures.maps_of(content(*oligos)))
    assert "bases 1 to 20, as written" in words
    assert "Not found on the amplicon." in words


def test_each_oligo_set_has_its_own_amplicon() -> None:
    second = make_bases(80, seed=9)
    shown = pictures.sets_of(
        content(
            oligo("forward", AMPLICON[:20]),
            oligo("forward", second[:20], set="two"),
            oligo_sets=[{"name": "two", "amplicon": second, "amplicon_bp": 80, "amplicon_accession": None}],
        )
    )
    assert [(each["name"], each["rows"][0][1].start) for each in shown] == [("", 1), ("two", 1)]


def test_nothing_is_drawn_where_nothing_is_known_of_the_amplicon() -> None:
    maps = pictures.maps_of(content(oligo("forward", "ACGT" * 5), amplicon=None))
    assert pictures.sizes_of(maps) is None


@given(st.integers(1, 100_000), st.sampled_from(pictures.WIDTHS))
def test_ticks_of_the_ruler_leave_room_for_their_numbers(length: int, width: int) -> None:
    step = pictures.tick_step(length, width)
    assert step * (width - 24) / length >= 48


@pytest.mark.req("D11")
@pytest.mark.parametrize(("wrong", "strand"), [(8, 1), (9, 0)])
def test_long_oligo_may_differ_by_no_more_than_the_most(wrong: int, strand: int) -> None:
    turn = str.maketrans("ACGT", "CGTA")
    bases = "".join(
        letter.translate(turn) if place % 10 == 5 and place // 10 < wrong else letter
        for place, letter in enumerate(AMPLICON[10:105])
    )
    site = pictures.locate(AMPLICON, "probe", "P", bases)
    assert site.strand == strand
    assert len(site.mismatches) == (wrong if strand else 0)
