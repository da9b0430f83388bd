"""Methods side by side."""

from labhub.methods import comparison, exchange
from tests.factories import method_content


def content(**fields: object) -> exchange.Content:
    """Return the content of a complete method."""
    return exchange.check(method_content(**fields)).content


def rows(*contents: exchange.Content) -> dict[str, comparison.Row]:
    """Return the rows of a comparison by path."""
    return {row.path: row for group in comparison.compare(contents) for row in group.rows}


def test_a_method_beside_itself_differs_nowhere() -> None:
    found = rows(content(), content())
    assert found
    assert not [path for path, row in found.items() if row.differs]


def test_rows_that_differ_are_marked() -> None:
    found = rows(content(), content(licence="CC0", technique="dpcr"))
    assert {path for path, row in found.items() if row.differs} == {"licence", "technique"}
    assert [line.text for cell in found["technique"].cells for line in cell] == [
        "real-time PCR (qPCR)",
        "digital PCR (dPCR)",
    ]


def test_what_one_method_does_not_report_is_an_empty_cell_that_differs() -> None:
    row = rows(content(), content(reagents=None))["reagents"]
    assert row.cells[1] == ()
    assert row.differs


def test_oligos_stand_beside_those_of_the_same_role() -> None:
    without_probe = content(oligos=method_content()["oligos"][:2])
    found = rows(content(), without_probe)
    assert found["oligos.probe.0"].cells[1] == ()
    forward = found["oligos.forward.0"].cells[0]
    assert [line.text for line in forward if line.is_bases] == ["TCGAAGGACGAAGGACTCTAACG"]
    assert "300 nmol/L" in [line.text for line in forward]


def test_csv_has_a_column_for_each_method_and_no_formula() -> None:
    contents = [content(reagents="=1+1"), content()]
    heads = [("A-1", 1, "First"), ("A-2", 3, "Second")]
    text = comparison.to_csv(heads, comparison.compare(contents)).decode()
    lines = text.split("\r\n")
    assert lines[0] == "Section,Field,A-1,A-2"
    assert lines[1] == ",Version,1,3"
    assert "Reagents,'=1+1,Universal master mix" in text
