"""The order sheet of oligos."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.methods.orders import (
    COLUMNS,
    melting_celsius,
    molecular_weight,
    order_book,
    order_lines,
    spellings,
)
from labhub.workbooks import Holds, read_book
from tests.methods.editions import make_edition, whole_record


def test_each_oligo_has_a_line_with_its_modifications_and_an_empty_scale():
    lines = order_lines([make_edition(**whole_record())])
    assert len(lines) == 7 and all(tuple(line) == COLUMNS for line in lines)
    probe = next(line for line in lines if line["name"] == "M810-P")
    assert (probe["modification_5"], probe["modification_3"]) == ("FAM", "BHQ1")
    assert probe["internal_modifications"] == "ZEN after base 9"
    assert (probe["scale"], probe["length"], probe["method_code"], probe["version"]) == (
        "",
        "23",
        "QT-EVE-ZM-020",
        "1",
    )


def test_nameless_oligo_is_ordered_under_code_and_role():
    oligo = {"role": "forward", "sequence": "ACGTACGTAC"}
    lines = order_lines([make_edition(technique="sequencing", oligos=[oligo], amplicon_bp=None)])
    assert [line["name"] for line in lines] == ["QT-EVE-ZM-020 forward"]


def test_weight_is_that_of_the_oligo_as_it_is_made():
    """23 bases of the MON810 forward primer; sum of the nucleotides' weights by hand."""
    primer = "TCGAAGGACGAAGGACTCTAACG"
    counts = {base: primer.count(base) for base in "GCAT"}
    by_hand = (
        counts["G"] * 347.2212 + counts["C"] * 307.1971 + counts["A"] * 331.2218 + counts["T"] * 322.2085
    )
    assert molecular_weight(primer) == pytest.approx(by_hand - 22 * 18.0153 - 79.9799, abs=0.01)


@given(st.text("ACGTRYN", min_size=1, max_size=12))
def test_ambiguous_oligo_weighs_the_mean_of_what_it_stands_for(bases):
    meant = spellings(bases)
    if meant:
        mean = sum(molecular_weight(each) for each in meant) / len(meant)
        assert molecular_weight(bases) == pytest.approx(mean)


def test_ambiguous_oligo_melts_between_the_extremes_of_what_it_stands_for():
    low, high = melting_celsius("CCACGTCTTCRAAGCAAGTGG")
    each = [melting_celsius(f"CCACGTCTTC{base}AAGCAAGTGG")[0] for base in "AG"]
    assert (low, high) == (min(each), max(each))


def test_oligo_of_countless_meanings_gets_no_melting_temperature():
    assert melting_celsius("N" * 20) == (None, None)
    (line,) = order_lines(
        [
            make_edition(
                technique="sequencing",
                amplicon_bp=None,
                oligos=[{"role": "other", "name": "random", "sequence": "N" * 9}],
            )
        ]
    )
    assert line["tm_celsius"] == ""


def test_workbook_says_the_same_with_numbers_as_numbers():
    editions = [make_edition(**whole_record())]
    (sheet,) = read_book(order_book(editions), file="order.xlsx")
    rows = {}
    for (row, column), cell in sheet.cells.items():
        rows.setdefault(row, {})[column] = cell
    assert [rows[1][place].text for place in sorted(rows[1])] == list(COLUMNS)
    for number, line in enumerate(order_lines(editions), start=2):
        for place, name in enumerate(COLUMNS, start=1):
            cell = rows[number].get(place)
            text = "" if cell is None else cell.text
            if name in ("molecular_weight", "tm_celsius", "gc_percent") and text:
                assert cell.holds is Holds.NUMBER
                assert float(text) == float(line[name])
            else:
                assert text == line[name]
