"""Pictures of products: to scale, with each mismatch, and the same in words."""

from typing import Any
from xml.etree import ElementTree

import pytest

from labhub.i18n import in_language
from labhub.sequences.insilico_pictures import ends_of, in_words, picture, probe_in, rows_of_site
from labhub.sequences.oligos import reverse_complement
from tests.factories import make_bases

SVG = "{http://www.w3.org/2000/svg}"


def row(**more: Any) -> dict[str, Any]:
    return {
        "assay": "A",
        "reference": "LHS-1",
        "start": 101,
        "end": 200,
        "size": 100,
        "strand": "+",
        "pair": "FR",
        "mm_f": 1,
        "mm_r": 0,
        "probe_mm": 2,
        "wraps": False,
        "sites": {
            "left": {"oligo": "ACGTACGTAC", "site": "ACGAACGTAC", "mismatches": [4]},
            "right": {"oligo": "GGTTGGTTGGTT", "site": "GGTTGGTTGGTT", "mismatches": []},
            "probe": {
                "start": 41,
                "strand": "-",
                "oligo": "ACGTACGTAC",
                "site": "TCGTACGTAT",
                "mismatches": [1, 10],
            },
        },
        **more,
    }


def test_boxes_lie_to_scale() -> None:
    root = ElementTree.fromstring(picture(row()))
    boxes = [
        (float(box.get("x", 0)), float(box.get("width", 0)), float(box.get("y", 0)))
        for box in root.iter(f"{SVG}rect")
    ]
    scale = (360 - 16) / 100
    assert boxes[0] == pytest.approx((8, 10 * scale, 11), abs=0.06)
    assert boxes[1] == pytest.approx((8 + 88 * scale, 12 * scale, 28), abs=0.06)
    assert boxes[2] == pytest.approx((8 + 40 * scale, 10 * scale, 28), abs=0.06), "below: the other strand"


def test_each_mismatch_has_a_tick_on_its_base() -> None:
    root = ElementTree.fromstring(picture(row()))
    ticks = sorted(
        float(line.get("x1", 0)) for line in root.iter(f"{SVG}line") if line.get("x1") == line.get("x2")
    )
    scale = (360 - 16) / 100
    # base 4 of the left primer; bases 10 and 1 of a probe that reads as the other strand
    assert ticks == pytest.approx([8 + (at + 0.5) * scale for at in (3, 40, 49)], abs=0.06)


def test_the_picture_says_in_words_what_it_shows() -> None:
    words = [str(sentence) for sentence in in_words(row())]
    assert words == [
        "A product of 100 bp on LHS-1, from base 101 to base 200.",
        "Forward primer: 1 mismatch, at base 4 from the 5′ end.",
        "Reverse primer: no mismatch.",
        "Probe from base 41 of the product on strand -: 2 mismatches, at bases 1, 10 from the 5′ end.",
    ]
    assert ElementTree.fromstring(picture(row())).get("aria-label") == " ".join(words)
    assert "crosses the origin" in str(in_words(row(wraps=True))[1])
    with in_language("ar"):
        ElementTree.fromstring(picture(row()))


def test_names_are_escaped() -> None:
    drawn = picture(row(reference='"><script>alert(1)</script>'))
    assert "<script" not in drawn
    ElementTree.fromstring(drawn)


@pytest.mark.parametrize(
    "pair,strand,letters",
    [("FR", "+", "FR"), ("FR", "-", "RF"), ("FF", "+", "FF"), ("RR", "-", "RR")],
)
def test_ends_are_named_by_their_primer(pair: str, strand: str, letters: str) -> None:
    assert "".join(letter for _side, letter in ends_of(row(pair=pair, strand=strand))) == letters


def test_a_product_without_sites_is_a_line_with_its_size() -> None:
    root = ElementTree.fromstring(picture(row(sites=None)))
    assert not list(root.iter(f"{SVG}rect"))
    assert [text.text for text in root.iter(f"{SVG}text")] == ["101", "100 bp", "200"]


@pytest.mark.parametrize("size", [30, 41, 20_000])
def test_boxes_stay_inside_whatever_the_size(size: int) -> None:
    shown = row(size=size)
    shown["sites"] = {**shown["sites"], "probe": None}
    for box in ElementTree.fromstring(picture(shown)).iter(f"{SVG}rect"):
        assert float(box.get("x", 0)) >= 8 and float(box.get("x", 0)) + float(box.get("width", 0)) <= 352.1


def test_a_probe_is_found_on_either_strand() -> None:
    product = make_bases(200, seed=4)
    there = product[50:70]
    found = probe_in(there, product, 0)
    assert found is not None
    assert (found["start"], found["strand"], found["site"]) == (51, "+", there)
    back = probe_in(reverse_complement(there), product, 0)
    assert back is not None
    assert (back["start"], back["strand"], back["site"]) == (51, "-", reverse_complement(there))
    assert probe_in(make_bases(20, seed=9), product, 0) is None
    assert probe_in(product + "A", product, 5) is None


def test_rows_of_a_site_stand_under_each_other() -> None:
    oligo, bars, site = rows_of_site({"oligo": "ACGT", "site": "ACCT", "mismatches": [3]})
    assert (oligo, bars, site) == ("ACGT", "||.|", "ACCT")
