"""Workbooks: what a spreadsheet made of a cell is told by the cell's address, and nothing is guessed."""

import zipfile
from collections.abc import Callable
from datetime import date
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from labhub import workbooks
from labhub.errors import Invalid
from labhub.workbooks import Column, Due, SheetToWrite, read_book, read_tables, write_book

SHAPES = {
    "codes": {"code": Due.CODE, "title": Due.TEXT, "size": Due.NUMBER, "checked": Due.FLAG},
    "others": {"code": Due.CODE},
}


def xlsx(fill: Callable[[Any, Worksheet], None], name: str = "codes") -> bytes:
    """Return a workbook whose one sheet has a header and what ``fill`` writes."""
    out = BytesIO()
    with Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, ["code", "title", "size", "checked"])
        fill(book, sheet)
    return out.getvalue()


def ods(body: str, styles: str = "") -> bytes:
    """Return an OpenDocument workbook with this table."""
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text", "style")
    )
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "content.xml",
            f'<office:document-content {spaces} xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0">'
            f"<office:automatic-styles>{styles}</office:automatic-styles><office:body><office:spreadsheet>"
            f"{body}</office:spreadsheet></office:body></office:document-content>",
        )
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return out.getvalue()


def ods_row(*cells: str, more: str = "") -> str:
    """Return a row of text cells, or of cells given as XML."""
    made = "".join(
        cell
        if cell.startswith("<")
        else f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>'
        for cell in cells
    )
    return f"<table:table-row {more}>{made}</table:table-row>"


def problems(content: bytes, shapes: Any = SHAPES, **how: Any) -> dict[str, str]:
    """Return the problems of a workbook as text by address."""
    book = read_tables(read_book(content, file="x.xlsx"), shapes, **how)
    return {place: " ".join(str(text) for text in texts) for place, texts in book.errors.items()}


def tables(content: bytes) -> dict[str, list[dict[str, str]]]:
    """Return the rows of a workbook without problems, by sheet."""
    book = read_tables(read_book(content, file="x.xlsx"), SHAPES)
    assert book.errors == {}
    return {name: [row.cells for row in table.rows] for name, table in book.tables.items()}


@pytest.mark.req("D8")
@pytest.mark.parametrize(
    ("write", "place", "words"),
    [
        (lambda b, s: s.write_formula("A2", "=1+1", None, 2), "codes!A2", "formula"),
        (lambda b, s: s.write_array_formula("B2:B3", "{=A2:A3}", None, "x"), "codes!B2", "formula"),
        (lambda b, s: s.write_datetime("A3", date(2026, 3, 1), b.add_format({"num_format": "d-mmm"})), "codes!A3", "date of this (2026-03-01)"),
        (lambda b, s: s.write_datetime("C3", date(2026, 3, 1), b.add_format({"num_format": 14})), "codes!C3", "date of this"),
        (lambda b, s: s.write_number("A2", 12, b.add_format({"num_format": "00000"})), "codes!A2", "number 12"),
        (lambda b, s: s.write_number("A2", 100000, b.add_format({"num_format": "0E+00"})), "codes!A2", "number 100000"),
        (lambda b, s: s.write_number("A2", 1.5), "codes!A2", "number 1.5"),
        (lambda b, s: s.write_number("C2", 0.05, b.add_format({"num_format": "0%"})), "codes!C2", "stored as 0.05"),
        (lambda b, s: s.write_boolean("B2", True), "codes!B2", "logical value here (true)"),
        (lambda b, s: s.write_formula("B2", "=NA()", None, "#N/A"), "codes!B2", "formula"),
        (lambda b, s: s.merge_range("A2:B3", "x"), "codes!A2:B3", "merged"),
        (lambda b, s: (s.write("A5", "x"), s.set_row(4, None, None, {"hidden": True})), "codes", "hidden: 5"),
        (lambda b, s: (s.write("B5", "x"), s.set_column("B:B", 9, None, {"hidden": True})), "codes", "hidden: B"),
        (lambda b, s: s.write("E1", "code"), "codes!E1", "second time"),
        (lambda b, s: s.write("E1", "Titel"), "codes!E1", "Do you mean title"),
        (lambda b, s: s.write("E1", "colour"), "codes!E1", "no column colour"),
        (lambda b, s: s.write("F9", "x"), "codes!F1", "no name in the first row"),
        (lambda b, s: s.write_number("E1", 5), "codes!E1", "must be a text"),
        (lambda b, s: (s.write("A2", "x"), b.add_worksheet("mine").write("A1", "x")), "mine", "no sheet of this name"),
        (lambda b, s: (s.activate(), b.add_worksheet("others").hide()), "others", "hidden"),
        (lambda b, s: b.add_worksheet("CODES ").write("A1", "code"), "CODES ", "two sheets"),
    ],
)  # fmt: skip
def test_what_misleads_is_refused_with_its_address(write: Any, place: str, words: str) -> None:
    found = problems(xlsx(lambda book, sheet: write(book, sheet)))
    assert list(found) == [place]
    assert words in found[place]


def test_error_cells_are_refused() -> None:
    content = xlsx(lambda book, sheet: sheet.write_formula("B2", "=NA()", None, "#N/A"))
    assert "#N/A" in problems(_without(content, b"<f>NA()</f>"))["codes!B2"]


def _without(content: bytes, words: bytes, instead: bytes = b"") -> bytes:
    """Return a workbook whose first sheet has some words replaced."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                assert words in data
                data = data.replace(words, instead)
            new.writestr(name, data)
    return out.getvalue()


def test_all_problems_are_told_at_once() -> None:
    def fill(book: Any, sheet: Worksheet) -> None:
        sheet.write_formula("A2", "=1")
        sheet.write_boolean("B3", False)
        sheet.write("E1", "colour")
        book.add_worksheet("mine").write("A1", "x")

    assert set(problems(xlsx(fill))) == {"codes!A2", "codes!B3", "codes!E1", "mine"}


def test_numbers_flags_and_texts_are_read_as_they_were_meant() -> None:
    def fill(book: Any, sheet: Worksheet) -> None:
        bold = book.add_format({"bold": True})
        sheet.write_row("A2", ["MON-1", "1-3", 1.5, True])
        sheet.write_row("A3", ["1-3", "two\r\nlines", "1.5", "false"])
        sheet.write_rich_string("B4", "P-", bold, "35", "S")
        sheet.write_number("C4", 1.1000000000000001)
        sheet.write_string("B6", "'=1+1")
        sheet.write_string("D6", "_x0041_")

    assert tables(xlsx(fill))["codes"] == [
        {"code": "MON-1", "title": "1-3", "size": "1.5", "checked": "true"},
        {"code": "1-3", "title": "two\nlines", "size": "1.5", "checked": "false"},
        {"title": "P-35S", "size": "1.1"},
        {"title": "=1+1", "checked": "_x0041_"},
    ]


def test_number_for_a_code_is_read_and_said() -> None:
    book = read_tables(read_book(xlsx(lambda b, s: s.write_row("A2", [12])), file="x.xlsx"), SHAPES)
    assert [row.cells for row in book.tables["codes"].rows] == [{"code": "12"}]
    assert "read as the text 12" in str(book.warnings["codes!A2"][0])


def test_rows_keep_the_numbers_of_the_spreadsheet() -> None:
    content = xlsx(lambda b, s: (s.write("A2", "a"), s.write("A4", " "), s.write("A7", "b")))  # type: ignore[arg-type, return-value]
    table = read_tables(read_book(content, file="x.xlsx"), SHAPES).tables["codes"]
    assert [(row.number, table.address(row.number, "title")) for row in table.rows] == [
        (2, "codes!B2"),
        (7, "codes!B7"),
    ]


def test_what_is_assumed_is_said() -> None:
    def fill(book: Any, sheet: Worksheet) -> None:
        sheet.write("A2", " MON-1 ")
        other = book.add_worksheet("Lists")
        other.write("A1", "x")
        other.hide()
        book.add_worksheet("README").write("A1", "anything")

    book = read_tables(read_book(xlsx(fill), file="x.xlsx"), SHAPES, ignored=("readme",))
    assert book.errors == {}
    assert [str(note) for note in book.notes] == [
        "Blanks around the text of these cells were left out: codes!A2.",
        "The hidden sheet Lists was not read.",
    ]


@pytest.mark.req("D2")
def test_cell_in_the_last_corner_costs_nothing_and_is_refused() -> None:
    content = xlsx(lambda b, s: s.write("XFD1048576", "x"))
    with pytest.raises(Invalid, match="more than 50000 rows"):
        read_book(content, file="x.xlsx")
    with pytest.raises(Invalid, match="more than 1000 columns"):
        read_book(xlsx(lambda b, s: s.write("XFD2", "x")), file="x.xlsx")


@pytest.mark.req("D2")
def test_too_many_rows_are_refused_at_the_first_one_too_many() -> None:
    def fill(book: Any, sheet: Worksheet) -> None:
        for row in range(1, 2_000):
            sheet.write(row, 0, "x")

    content = _without(xlsx(fill), b'<row r="150"', b"<row <")
    with pytest.raises(Invalid, match="codes has more than 100 rows"):
        read_book(content, file="x.xlsx", most_rows=100)
    with pytest.raises(Invalid, match="cannot be read"):
        read_book(content, file="x.xlsx", most_rows=200)


@pytest.mark.req("D2")
def test_formatted_rows_without_content_do_not_count() -> None:
    content = xlsx(lambda b, s: (s.write("A2", "x"), s.set_row(1_048_575, 30)))  # type: ignore[arg-type, return-value]
    assert tables(content)["codes"] == [{"code": "x"}]


@pytest.mark.req("D2", "D3")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK", "no proper end"),
        (b"", "no proper end"),
        (_without(xlsx(lambda b, s: s.write("A2", "x")), b'<c r="A2"', b'<c r="../A2"'), "no proper address"),
        (
            _without(xlsx(lambda b, s: s.write("A2", "x")), b"<v>4</v>", b"<v>99</v>"),
            "a text that is not there",
        ),
        (
            _without(xlsx(lambda b, s: s.write("A2", "x")), b"<worksheet", b"<!DOCTYPE a><worksheet"),
            "DOCTYPE",
        ),
        (_without(xlsx(lambda b, s: s.write("A2", "x")), b"</sheetData>"), "cannot be read"),
    ],
)
def test_damaged_workbook_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        read_book(content, file="x.xlsx")


@pytest.mark.req("D2")
def test_cell_longer_than_a_spreadsheet_allows_is_refused_by_address() -> None:
    content = _without(
        xlsx(lambda b, s: s.write("B2", "x")), b'<c r="B2" t="s"><v>4</v></c>',
        b'<c r="B2" t="inlineStr"><is><t>' + b"x" * 33_000 + b"</t></is></c>",
    )  # fmt: skip
    assert "at most 32767" in problems(content)["codes!B2"]


# OpenDocument ---------------------------------------------------------------------------------

HEADER = ods_row("code", "title", "size", "checked")


def test_open_document_is_read_like_the_other() -> None:
    content = ods(
        '<table:table table:name="codes"><table:table-column table:number-columns-repeated="4"/>'
        + HEADER
        + ods_row(
            "MON-1",
            '<table:table-cell office:value-type="string"><office:annotation><text:p>note</text:p></office:annotation>'
            "<text:p>two<text:s text:c='2'/>blanks</text:p><text:p>lines</text:p></table:table-cell>",
            '<table:table-cell office:value-type="float" office:value="1.5"><text:p>1,5</text:p></table:table-cell>',
            '<table:table-cell office:value-type="boolean" office:boolean-value="true"><text:p>WAHR</text:p></table:table-cell>',
        )
        + '<table:table-row table:number-rows-repeated="1048574"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
        "</table:table>"
    )
    assert tables(content)["codes"] == [
        {"code": "MON-1", "title": "two  blanks\nlines", "size": "1.5", "checked": "true"}
    ]


@pytest.mark.req("D8")
@pytest.mark.parametrize(
    ("cell", "place", "words"),
    [
        ('<table:table-cell table:formula="of:=1+1" office:value-type="float" office:value="2"><text:p>2</text:p></table:table-cell>', "codes!A2", "formula"),
        ('<table:table-cell office:value-type="date" office:date-value="2026-03-01"><text:p>01.03.26</text:p></table:table-cell>', "codes!A2", "date of this (2026-03-01)"),
        ('<table:table-cell office:value-type="float" office:value="100000"><text:p>1E+05</text:p></table:table-cell>', "codes!A2", "number 100000"),
        ('<table:table-cell office:value-type="float" office:value="12"><text:p>00012</text:p></table:table-cell>', "codes!A2", "number 12"),
        ('<table:table-cell office:value-type="percentage" office:value="0.05"><text:p>5%</text:p></table:table-cell>', "codes!A2", "stored as 0.05"),
        ('<table:table-cell office:value-type="string" calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>', "codes!A2", "#N/A"),
        ('<table:table-cell table:number-columns-spanned="2" table:number-rows-spanned="1" office:value-type="string"><text:p>x</text:p></table:table-cell>', "codes!A2:B2", "merged"),
    ],
)  # fmt: skip
def test_open_document_tells_what_misleads(cell: str, place: str, words: str) -> None:
    found = problems(ods(f'<table:table table:name="codes">{HEADER}{ods_row(cell)}</table:table>'))
    assert list(found) == [place]
    assert words in found[place]


def test_open_document_tells_what_is_hidden() -> None:
    styles = '<style:style style:name="ta2" style:family="table"><style:table-properties table:display="false"/></style:style>'
    body = (
        '<table:table table:name="codes"><table:table-column/><table:table-column table:visibility="collapse"/>'
        + HEADER
        + ods_row("a", "b", more='table:visibility="filter"')
        + '</table:table><table:table table:name="others" table:style-name="ta2">'
        + ods_row("code")
        + "</table:table>"
    )
    found = problems(ods(body, styles))
    assert set(found) == {"codes", "others"}
    assert "hidden: 2" in found["codes"] and "hidden: B" in found["codes"]


@pytest.mark.req("D2")
@pytest.mark.parametrize(
    "row",
    [
        ods_row("x", more='table:number-rows-repeated="1048576"'),
        ods_row('<table:table-cell table:number-columns-repeated="999999999" office:value-type="float" office:value="1"/>'),
        ods_row('<table:table-cell table:number-columns-repeated="1000" office:value-type="float" office:value="1"/>', more='table:number-rows-repeated="49000"'),
    ],
)  # fmt: skip
def test_open_document_that_repeats_without_end_is_refused(row: str) -> None:
    with pytest.raises(Invalid, match="more than"):
        read_book(ods(f'<table:table table:name="codes">{HEADER}{row}</table:table>'), file="x.ods")


# Writing --------------------------------------------------------------------------------------

TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t", max_codepoint=0xFFFD),
    max_size=30,
).filter(lambda text: text.strip() == text)
NAMES = ("code", "title", "size", "checked")


def values(rows: list[dict[str, Any]]) -> list[list[Any]]:
    """Return rows as they are written."""
    return [[row.get(name) for name in NAMES] for row in rows]


COLUMNS = [Column("code", Due.CODE), Column("title"), Column("size", Due.NUMBER), Column("checked", Due.FLAG)]


@pytest.mark.req("C5")
@settings(max_examples=60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "code": TEXTS | st.sampled_from(["=1+1", "@x", "+A", "'=x", "_x0041_", "-1"]),
                "title": TEXTS,
                "size": st.none()
                | st.integers(-(10**9), 10**9)
                | st.floats(-1e6, 1e6).map(lambda x: round(x, 6)),
                "checked": st.none() | st.booleans(),
            }
        ),
        max_size=5,
    ),
    st.booleans(),
)
def test_what_is_written_is_read_again(rows: list[dict[str, Any]], many: bool) -> None:
    content = write_book([SheetToWrite("codes", COLUMNS, values(rows))], many=many)
    due = [
        {
            name: str(value).lower() if isinstance(value, bool) else workbooks._plain(repr(value)) if name == "size" else value
            for name, value in row.items()
            if value is not None and value != ""
        }
        for row in rows
    ]  # fmt: skip
    assert tables(content)["codes"] == [row for row in due if row]


@pytest.mark.req("C5")
def test_calamine_reads_the_same_and_no_text_is_a_formula() -> None:
    rows = [{"code": "=1+1", "title": "https://a.example", "size": 1.5, "checked": True}]
    content = write_book([SheetToWrite("codes", COLUMNS, values(rows))])
    book = CalamineWorkbook.from_filelike(BytesIO(content))
    assert book.get_sheet_by_name("codes").to_python() == [
        ["code", "title", "size", "checked"],
        ["'=1+1", "https://a.example", 1.5, True],
    ]
    with zipfile.ZipFile(BytesIO(content)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in sheet and b"hyperlink" not in sheet


def test_marks_are_comments_with_colour_and_choices_are_offered() -> None:
    sheet = SheetToWrite(
        "codes",
        [Column("code", Due.CODE), Column("checked", Due.FLAG, ("true", "false"))],
        [["x"]],
        marks={(2, 1): "Wrong.", (3, 2): "Needed."},
        changed={(1, 1): "Trimmed."},
    )
    with zipfile.ZipFile(BytesIO(write_book([sheet]))) as archive:
        comments = archive.read("xl/comments1.xml").decode()
        data = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "Wrong." in comments and "Needed." in comments and "Trimmed." in comments
    assert "true,false" in data


def test_text_longer_than_a_cell_is_not_lost_silently() -> None:
    with pytest.raises(ValueError, match="longer"):
        write_book([SheetToWrite("codes", COLUMNS, [["", "x" * 32_768]])])
