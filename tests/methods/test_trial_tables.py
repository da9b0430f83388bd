"""Tables of raw results: three layouts, yes/no tests, and every problem by row and column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.errors import Invalid
from labhub.methods.trial_tables import number_of, read_grid

LONG = [
    ["Laboratory", "Level", "Replicate", "Value", "Assigned"],
    ["L1", "0.1 %", "1", "0.11", "0.1"],
    ["L1", "0.1 %", "2", "0,12", ""],
    ["L2", "0.1 %", "1", "", ""],
]


def problems(grid):
    with pytest.raises(Invalid) as refusal:
        read_grid(grid)
    return refusal.value.errors


def test_long_layout_gives_rows_and_assigned_values():
    table = read_grid(LONG)
    assert table.layout == "long"
    assert table.rows == [["L1", "0.1 %", 1, 0.11], ["L1", "0.1 %", 2, 0.12], ["L2", "0.1 %", 1, None]]
    assert table.assigned == {"0.1 %": 0.1}


def test_without_replicates_they_are_counted_in_their_order():
    table = read_grid([["lab", "level", "result"], ["1", "A", "5"], ["1", "A", "6"], ["1", "B", "7"]])
    assert table.rows == [["1", "A", 1, 5.0], ["1", "A", 2, 6.0], ["1", "B", 1, 7.0]]


def test_a_column_for_each_level():
    table = read_grid(
        [["laboratory", "replicate", "A", "B"], ["assigned", "", "1", "2"], ["L1", "1", "1.1", "2.1"]]
    )
    assert table.layout == "levels"
    assert table.rows == [["L1", "A", 1, 1.1], ["L1", "B", 1, 2.1]]
    assert table.assigned == {"A": 1.0, "B": 2.0}


def test_a_column_for_each_replicate():
    table = read_grid([["laboratory", "level", "1", "Replicate 2"], ["L1", "A", "1.1", "1.2"]])
    assert table.layout == "replicates"
    assert table.rows == [["L1", "A", 1, 1.1], ["L1", "A", 2, 1.2]]


def test_plus_and_minus_make_a_yes_no_test():
    table = read_grid([["laboratory", "level", "value"], ["1", "A", "+"], ["1", "A", "−"], ["2", "A", "NA"]])
    assert table.is_qualitative
    assert [row[3] for row in table.rows] == [1.0, 0.0, None]


def test_numbers_0_and_1_alone_are_numbers():
    assert not read_grid([["laboratory", "level", "value"], ["1", "A", "1"], ["1", "A", "0"]]).is_qualitative


def test_every_problem_is_named_by_row_and_column_at_once():
    found = problems(
        [
            ["laboratory", "level", "replicate", "value"],
            ["L1", "A", "1", "<0.1"],
            ["", "A", "1", "1"],
            ["L1", "", "1", "1"],
            ["L1", "A", "x", "1"],
            ["L1", "A", "2", "1.234,5"],
            ["L1", "A", "2", "1"],
        ]
    )
    assert list(found) == [
        "row 3, column A", "row 4, column B", "row 5, column C", "row 7, column D", "row 2, column D",
        "row 6, column D",
    ]  # fmt: skip
    assert "limit" in str(found["row 2, column D"][0])
    assert "D6" in str(found["row 7, column D"][0])


def test_a_minus_among_numbers_is_not_taken_for_missing():
    assert list(problems([["laboratory", "level", "value"], ["1", "A", "1.5"], ["1", "A", "-"]])) == [
        "row 3, column C"
    ]


@pytest.mark.parametrize(
    "header, place",
    [
        (["level", "value"], "row 1"),
        (["laboratory", "value"], "row 1"),
        (["laboratory", "level", "value", "value"], "row 1, column D"),
        (["laboratory", "level", "value", "colour"], "row 1, column D"),
        (["laboratory", "level", "first"], "row 1, column C"),
        (["laboratory", "A", "A"], "row 1, column C"),
    ],
)
def test_a_first_line_that_does_not_fit_is_refused(header, place):
    assert place in problems([header, ["x"] * len(header)])


def test_another_assigned_value_for_the_same_level_is_named():
    grid = [["laboratory", "level", "value", "assigned"], ["1", "A", "1", "1"], ["2", "A", "1", "2"]]
    assert list(problems(grid)) == ["row 3, column D"]


def test_empty_lines_and_empty_last_columns_are_no_problem():
    table = read_grid([["laboratory", "A", ""], ["", "", ""], ["L1", "1", ""]])
    assert table.rows == [["L1", "A", 1, 1.0]]


def test_a_table_without_results_is_refused():
    assert "file" in problems([["laboratory", "level", "value"], ["1", "A", ""]])


def test_more_than_5000_results_are_refused():
    grid = [["laboratory", "level", "value"], *([f"L{n}", "A", "1"] for n in range(5001))]
    assert any("5000" in str(text) for texts in problems(grid).values() for text in texts)


@given(st.floats(-1e6, 1e6).map(lambda value: round(value, 4)))
def test_a_number_reads_the_same_with_point_and_comma(value):
    assert number_of(f"{value:.4f}") == pytest.approx(value)
    assert number_of(f"{value:.4f}".replace(".", ",")) == number_of(f"{value:.4f}")


cell = st.text(alphabet="01.,+-<>eNA é\t", max_size=8)


@given(st.lists(st.lists(cell, max_size=5), max_size=6))
def test_any_table_is_read_or_refused_and_never_breaks(lines):
    for header in (
        ["laboratory", "level", "replicate", "value"],
        ["laboratory", "A", "B"],
        ["laboratory", "level", "1"],
    ):
        try:
            rows = read_grid([header, *lines]).rows
        except Invalid:
            continue
        assert all(len(row) == 4 for row in rows)
