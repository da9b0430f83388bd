"""Methods as workbooks: what goes out comes in again, and every problem is told with its address."""

import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xlsxwriter import Workbook

from labhub.errors import Invalid
from labhub.i18n import in_language
from labhub.methods import columns, exchange, tables
from labhub.workbooks import Due, read_book
from tests.factories import method_content
from tests.methods.test_exchange import MAYBE, NUMBERS, RECORDS, WORDS

SEEDS = Path(__file__).resolve().parents[2] / "seeds"

WHOLE = method_content(
    code="A-1",
    oligo_sets=[{"name": "reference", "target": "adh1", "amplicon_bp": 70}],
    oligos=[
        {"set": "reference", "role": "reverse", "name": "R2", "sequence": "CCAGCCTCATGGCCAAAG"},
        {"role": "forward", "name": "F", "sequence": "TCGAAGGACGAAGGACTCTAACG"},
        {"role": "reverse", "name": "R", "sequence": "GCCACCTTCCTTTTCCACTATCTT"},
        {
            "role": "probe",
            "name": "P",
            "sequence": "AACATCCTTTGCCATTGCCCAGC",
            "label5": "FAM",
            "modifications": [{"after_base": 9, "name": "iZEN"}],
        },
        {"set": "reference", "role": "forward", "name": "F2", "sequence": "CCTTCTTGGCGGCTTATCTG"},
    ],
    reference_materials=[{"code": "ERM-BF413", "certified_value": 1.5, "certified_unit": "g/kg"}],
    studies=[
        {
            "kind": "collaborative-trial",
            "title": "=first",
            "unit": "%",
            "levels": [{"label": "1", "assigned": 1, "mean": 0.98}, {"label": "", "assigned": None}],
            "data": [["01", "1", 1, 0.5], ["01", "1", 2, None]],
        },
        {"kind": "single-laboratory", "slope": -3.3},
    ],
    sources=[{"title": "One", "url": "https://a.example", "year": 2020}, {"title": "Two"}],
    notes=["+1", "two"],
)


def sheets(**rows: list[list[Any]]) -> bytes:
    """Return a workbook with these sheets, each a list of rows with the header first."""
    out = BytesIO()
    with Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        for name, lines in rows.items():
            sheet = book.add_worksheet(name)
            for number, line in enumerate(lines):
                for column, value in enumerate(line):
                    if isinstance(value, str) and value.startswith("=="):
                        sheet.write_formula(number, column, value[1:], None, 5)
                    else:
                        sheet.write(number, column, value)
    return out.getvalue()


def wrong(content: bytes, name: str = "m.xlsx") -> dict[str, str]:
    """Return every problem of a file as text by place."""
    sent = tables.read_file(content, name)
    found = {place: list(texts) for place, texts in sent.errors.items()}
    for entry in sent.entries:
        for place, texts in entry.errors().items():
            found.setdefault(place, []).extend(texts)
    return {place: " ".join(str(text) for text in texts) for place, texts in found.items()}


HEADER = ["method", "title", "specificity", "technique", "amplicon_bp"]
FINE = ["A", "Title", "event", "qpcr", 92]
OLIGOS = ["method", "role", "name", "sequence"]


def test_every_column_has_a_meaning_and_what_is_due_in_it() -> None:
    for sheet, names in ((columns.METHODS, columns.METHOD_COLUMNS), *columns.SHEETS.items()):
        for name in names:
            assert str(columns.meaning(sheet, name))
            if name not in ("method", "study"):
                assert isinstance(columns.due(sheet, name), Due)


def test_workbook_comes_out_as_it_went_in() -> None:
    content = exchange.check(WHOLE).content
    assert exchange.check(WHOLE).errors == {}
    (again,) = tables.rows_of_file(tables.to_xlsx([content]), "m.xlsx")
    assert again.errors == {}
    assert again.content == content
    (again,) = tables.rows_of_file(exchange.to_csv([content]), "m.csv")
    assert again.content == content


def test_seeds_come_out_of_a_workbook_as_they_went_in() -> None:
    rows = tables.rows_of_file((SEEDS / "methods.json").read_bytes(), "methods.json")
    contents = [row.content for row in rows]
    again = tables.rows_of_file(tables.to_xlsx(contents), "m.xlsx")
    assert [row.errors for row in again if row.errors] == []
    assert [row.content for row in again] == contents


MATERIALS = st.fixed_dictionaries(
    {"name": WORDS, "code": MAYBE, "certified_value": NUMBERS, "certified_unit": WORDS, "note": MAYBE}
)
LEVELS = st.fixed_dictionaries(
    {"label": MAYBE, "assigned": NUMBERS, "mean": NUMBERS, "rsdr_percent": NUMBERS}
)
STUDIES = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["collaborative-trial", "single-laboratory"]),
        "title": MAYBE,
        "unit": MAYBE,
        "laboratories": st.none() | st.integers(1, 99),
        "levels": st.lists(LEVELS, max_size=3),
        "data": st.lists(
            st.tuples(WORDS, WORDS, st.integers(1, 9), NUMBERS).map(list),
            max_size=3,
            unique_by=lambda row: (" ".join(row[0].split()), " ".join(row[1].split()), row[2]),
        ),
    }
)


@pytest.mark.req("C5")
@settings(max_examples=40, deadline=None)
@given(
    RECORDS,
    st.lists(STUDIES, max_size=2),
    st.lists(MATERIALS, max_size=2),
    st.lists(st.sampled_from(["open", "patent-note", "permission-needed"]), max_size=2, unique=True),
)
def test_export_as_a_workbook_then_import_is_the_record(
    record: dict[str, Any], studies: list[Any], materials: list[Any], rights: list[str]
) -> None:
    checked = exchange.check(
        {**record, "studies": studies, "reference_materials": materials, "rights": rights}
    )
    if checked.errors:
        return
    for content, name in (
        (tables.to_xlsx([checked.content]), "m.xlsx"),
        (exchange.to_csv([checked.content]), "m.csv"),
    ):
        (again,) = tables.rows_of_file(content, name)
        assert again.errors == {}
        assert again.content == checked.content


def test_texts_longer_than_a_cell_go_on_in_further_columns() -> None:
    long = "\n".join(f"line {number} of the reagents" for number in range(2_400))
    content = exchange.check(
        method_content(reagents=long, amplicon="ACGT" * 20_000, amplicon_bp=80_000)
    ).content
    for data, name in ((tables.to_xlsx([content]), "m.xlsx"), (exchange.to_csv([content]), "m.csv")):
        (again,) = tables.rows_of_file(data, name)
        assert again.errors == {}
        assert again.content == content


def test_numbers_may_come_as_text_and_texts_as_numbers() -> None:
    content = sheets(
        methods=[HEADER, [1, 2020, "event", "qpcr", "92"]],
        oligos=[[*OLIGOS, "final_concentration_nanomolar"], [1, "forward", 7, "ACGT", "300.0"]],
        studies=[["method", "study", "kind"], ["1", 1, "single-laboratory"]],
        levels=[["method", "study", "label", "assigned"], [1, "1", 0.5, "0.50"]],
    )
    (row,) = tables.rows_of_file(content, "m.xlsx")
    assert row.errors == {}
    assert (row.content["title"], row.content["amplicon_bp"]) == ("2020", 92)
    (oligo,) = row.content["oligos"]
    assert (oligo["name"], oligo["final_concentration_nanomolar"]) == ("7", 300)
    (level,) = row.content["studies"][0]["levels"]
    assert (level["label"], level["assigned"]) == ("0.5", 0.5)


@pytest.mark.req("D8")
@pytest.mark.parametrize(
    ("rows", "place", "words"),
    [
        ({"methods": [HEADER, ["A", "", "event", "qpcr"]]}, "methods!B2", "needed"),
        ({"methods": [HEADER, [*FINE[:4], "1,5"]]}, "methods!E2", "not a comma"),
        ({"methods": [HEADER, [*FINE[:4], "==2+3"]]}, "methods!E2", "formula"),
        ({"methods": [[*HEADER, "validation_slope"], [*FINE, 3.3]]}, "methods!F2", "negative"),
        ({"methods": [HEADER, FINE, FINE]}, "methods!A3", "stands in row 2 too"),
        (
            {"methods": [[*HEADER, "wished_code"], [*FINE, "X-1"], ["B", *FINE[1:], "x-1"]]},
            "methods!F3",
            "stands in row 2 too",
        ),
        ({"methods": [HEADER[:3], FINE[:3]]}, "methods!A1", "lacks the columns technique"),
        ({"methods": [HEADER, FINE], "oligos": [OLIGOS, ["A", "left", "F", "ACGT"]]}, "oligos!B2", "Choose one"),
        ({"methods": [HEADER, FINE], "oligos": [OLIGOS, [], ["A", "probe", "F", "ACJT"]]}, "oligos!D3", "J at base 3"),
        ({"methods": [HEADER, FINE, ["B", *FINE[1:]]], "oligos": [OLIGOS, ["C", "probe", "F", "A"]]}, "oligos!A2", "no method C"),
        ({"methods": [HEADER, FINE, ["B", *FINE[1:]]], "oligos": [OLIGOS, ["", "probe", "F", "A"]]}, "oligos!A2", "which method"),
        ({"methods": [HEADER, FINE], "oligos": [[*OLIGOS, "modifications"], ["A", "probe", "F", "A", "iZEN"]]}, "oligos!E2", "one modification a line"),
        ({"methods": [HEADER, FINE], "oligos": [[*OLIGOS, "set"], ["A", "reverse", "F", "A", "s"], ["A", "forward", "F", "A", ""]]}, "oligos!E2", "no oligo set s"),
        ({"methods": [HEADER, FINE], "levels": [["method", "study", "label"], ["A", 1, "x"]]}, "levels!B2", "no study 1"),
        ({"methods": [HEADER, FINE], "studies": [["method", "study", "kind"], ["A", 1, "single-laboratory"], ["A", 1, "single-laboratory"]]}, "studies!B3", "another study"),
        ({"methods": [HEADER, FINE], "studies": [["method", "study", "kind", "year"], ["A", 1, "single-laboratory", 1066]]}, "studies!D2", "at least"),
        ({"methods": [HEADER, FINE], "studies": [["method", "study", "kind"], ["A", 1, "single-laboratory"]], "data": [["method", "study", "laboratory", "level", "replicate", "value"], ["A", 1, "L", "x", 0, 1]]}, "data!E2", "at least"),
        ({"methods": [HEADER, FINE], "sources": [["method", "title", "url"], ["A", "x", "ftp://x"]]}, "sources!C2", "https"),
        ({"methods": [HEADER, FINE], "colours": [["x"]]}, "colours", "no sheet of this name"),
        ({"methods": [[*HEADER, "colour"], FINE]}, "methods!F1", "no column colour"),
    ],
)  # fmt: skip
def test_problem_is_told_by_sheet_row_and_column(rows: dict[str, Any], place: str, words: str) -> None:
    found = wrong(sheets(**rows))
    assert list(found) == [place]
    assert words in found[place]


def test_cell_that_the_spreadsheet_spoiled_is_told_once() -> None:
    content = sheets(methods=[HEADER, ["A", "==1+1", "event", "qpcr"]])
    assert list(wrong(content)) == ["methods!B2"]
    assert "formula" in wrong(content)["methods!B2"]


def test_all_problems_of_a_workbook_are_told_at_once() -> None:
    content = sheets(
        methods=[HEADER, ["A", "", "event", "qpcr"], ["B", "x", "no", "qpcr"]],
        oligos=[OLIGOS, ["A", "probe", "F", "=1"], ["Z", "probe", "F", "A"]],
        mine=[["x"]],
    )
    assert set(wrong(content)) == {"methods!B2", "methods!C3", "oligos!D2", "oligos!A3", "mine"}


def test_csv_that_a_spreadsheet_saved_as_a_workbook_is_read() -> None:
    content = exchange.check(WHOLE).content
    table = exchange.to_csv([content]).decode()
    import csv
    from io import StringIO

    lines = list(csv.reader(StringIO(table, newline="")))
    out = BytesIO()
    with Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_numbers": True}) as book:
        sheet = book.add_worksheet("methods-export")
        for number, line in enumerate(lines):
            for column, cell in enumerate(line):
                sheet.write(number, column, cell) if cell else None
    (again,) = tables.rows_of_file(out.getvalue(), "methods-export.xlsx")
    assert again.errors == {}
    assert again.content == content


def test_problem_of_a_csv_is_told_by_the_row_that_a_spreadsheet_shows() -> None:
    found = wrong("title;specificity;technique\nA;event;qpcr\nMaïs;no;qpcr\n".encode("utf-16"), "m.csv")
    assert list(found) == ["row 3, specificity"]


@pytest.mark.req("D8")
@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("x" * 33_000, "at most 32767 characters"),
        ("x" * 301, "300"),
        ("a\u202eb", "Invisible"),
        ("a\x07b", "Invisible"),
    ],
)
def test_cell_that_no_field_can_hold_is_refused_with_its_place(cell: str, words: str) -> None:
    content = f"title,specificity,technique\n{cell},event,qpcr\n".encode()
    try:
        found = wrong(content, "m.csv")
    except Invalid as refusal:
        found = {place: str(texts[0]) for place, texts in refusal.errors.items()}
    assert list(found) == ["row 2, title"]
    assert words in found["row 2, title"]


def test_direction_marks_in_paragraphs_are_refused() -> None:
    assert "Invisible" in str(exchange.check(method_content(reagents="a\u202eb")).errors["reagents"][0])
    assert exchange.check(method_content(reagents="\u200fماء")).errors == {}


@pytest.mark.parametrize(
    ("given", "bases", "said"),
    [
        ("tcgaaggacg", "TCGAAGGACG", "tcgaaggacg was read as TCGAAGGACG."),
        ("TCG AAG", "TCGAAG", "TCG AAG was read as TCGAAG."),
        ("UCGA", "TCGA", "UCGA was read as TCGA."),
        ("TCIA", "TCNA", "TCIA was read as TCNA; apart from it stand: inosine."),
        ("[FAM]TC[BHQ1]", "TC", "[FAM]TC[BHQ1] was read as TC; apart from it stand: FAM, BHQ1."),
        ("+TC*A", "TCA", "+TC*A was read as TCA; apart from it stand: LNA, phosphorothioate."),
        ("TCNNNNNNNNGA", "TCNNNNNNNNGA", "TCNNNNNNNNGA has several N in a row, which pair with anything."),
    ],
)
@pytest.mark.req("D11")
def test_primer_as_people_write_it_is_read_and_said(given: str, bases: str, said: str) -> None:
    content = sheets(methods=[HEADER, FINE], oligos=[OLIGOS, ["A", "probe", "P", given]])
    (row,) = tables.rows_of_file(content, "m.xlsx")
    assert row.errors == {}
    assert row.content["oligos"][0]["sequence"] == bases
    assert said in str(row.warnings[0])
    again = exchange.check(row.content)
    assert again.content == row.content


@pytest.mark.parametrize("name", ["m.xls", "m.txt", "m"])
def test_file_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match=r"\.ods"):
        tables.read_file(b"x", name)


def test_workbook_without_methods_is_refused() -> None:
    with pytest.raises(Invalid, match="no sheet methods"):
        tables.read_file(sheets(oligos=[OLIGOS], sources=[["method"]]), "m.xlsx")
    with pytest.raises(Invalid, match="no record"):
        tables.read_file(sheets(methods=[HEADER]), "m.xlsx")


# Templates ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_template_holds_an_example_that_is_not_read(format_: str) -> None:
    content = tables.template(format_)
    with pytest.raises(Invalid, match="no record"):
        tables.read_file(content, f"m.{format_}")


def test_example_is_left_out_beside_real_rows_and_that_is_said() -> None:
    content = sheets(
        methods=[HEADER, ["EXAMPLE", "x", "", ""], FINE],
        oligos=[OLIGOS, ["EXAMPLE", "left", "F", "?"], ["A", "probe", "P", "ACGT"]],
    )
    sent = tables.read_file(content, "m.xlsx")
    assert [entry.row for entry in sent.entries] == [3]
    assert sent.errors == {} and sent.entries[0].checked.errors == {}
    assert [str(note) for note in sent.notes] == ["2 rows of the example were left out."]


def test_template_shows_the_example_of_a_record_that_is_right() -> None:
    assert exchange.check(tables.EXAMPLE_RECORD).errors == {}


def test_readme_explains_in_the_readers_language_and_is_not_read() -> None:
    content = exchange.check(WHOLE).content
    with in_language("ar"):
        written = tables.to_xlsx([content], right_to_left=True)
    names = [sheet.name for sheet in read_book(written, file="m.xlsx")]
    assert names == ["methods", *columns.SHEETS, "README"]
    (again,) = tables.rows_of_file(written, "m.xlsx")
    assert again.content == content


def test_workbook_written_twice_is_the_same() -> None:
    content = exchange.check(WHOLE).content
    assert tables.to_xlsx([content]) == tables.to_xlsx([content])


# Corrected ------------------------------------------------------------------------------------


def corrected(content: bytes, name: str = "m.xlsx") -> tuple[dict[str, list[list[str]]], str]:
    """Return the cells of the corrected workbook by sheet, and all its comments."""
    sent = tables.read_file(content, name)
    errors = dict(sent.errors)
    for entry in sent.entries:
        errors |= entry.errors()
    made = tables.corrected(sent, errors)
    with zipfile.ZipFile(BytesIO(made)) as archive:
        comments = "".join(
            archive.read(each).decode() for each in archive.namelist() if each.startswith("xl/comments")
        )
    found: dict[str, list[list[str]]] = {}
    for sheet in read_book(made, file="m.xlsx"):
        rows = max((row for row, _column in sheet.cells), default=0)
        found[sheet.name] = [
            [cell.text for (at, _column), cell in sorted(sheet.cells.items()) if at == row]
            for row in range(1, rows + 1)
        ]
    return found, comments


def test_corrected_workbook_lists_and_marks_what_is_wrong_and_mends_what_is_safe() -> None:
    content = sheets(
        methods=[
            [*HEADER, "lmo_unique_identifiers", "colour"],
            ["A", "", "event", "qpcr", "==1+1", "mon-ØØ81Ø-6 ", "red"],
            [],
            ["B", "x", "event", "qpcr"],
        ],
        oligos=[OLIGOS, ["A", "probe", "P", "acg uu"], ["B", "left", "P", "ACGT"]],
    )
    found, comments = corrected(content)
    assert list(found) == ["problems", "methods", "oligos"]
    listed = {row[0]: row[1] for row in found["problems"][1:]}
    assert set(listed) == {"methods!B2", "methods!E2", "methods!G1", "oligos!B3"}
    assert found["methods"][1] == ["A", "event", "qpcr", "5", "MON-00810-6", "red"]
    assert found["methods"][3] == ["B", "x", "event", "qpcr"]
    assert found["oligos"][1] == ["A", "probe", "P", "ACGTT"]
    for words in ("This field is needed.", "formula", "no column colour", "Choose one of", "It was: acg uu"):
        assert words in comments


def test_corrected_workbook_of_a_csv_is_read_when_it_is_right() -> None:
    content = b"title,specificity,technique,forward_sequence\nA,event,qpcr,acgu\nB,no,qpcr,ACGT\n"
    sent = tables.read_file(content, "m.csv")
    made = tables.corrected(sent, sent.entries[1].errors())
    fine, again = tables.rows_of_file(made, "m.xlsx")
    assert fine.errors == {} and fine.content["oligos"][0]["sequence"] == "ACGT"
    assert list(again.errors) == ["specificity"]


def test_corrected_workbook_can_be_sent_again_and_shows_the_same_problems() -> None:
    content = sheets(
        methods=[HEADER, ["A", "", "event", "qpcr"], ["B", "x", "no", "qpcr"]],
        oligos=[OLIGOS, ["A", "left", "F", "ACGT"], ["Z", "probe", "F", "A"]],
    )
    sent = tables.read_file(content, "m.xlsx")
    errors = dict(sent.errors)
    for entry in sent.entries:
        errors |= entry.errors()
    assert set(wrong(tables.corrected(sent, errors))) == set(wrong(content))


@pytest.mark.req("C5")
def test_corrected_workbook_holds_no_formula_of_the_sender() -> None:
    content = sheets(methods=[HEADER, ["A", '=HYPERLINK("x")', "no", "==1+1"]])
    sent = tables.read_file(content, "m.xlsx")
    made = tables.corrected(sent, sent.errors)
    with zipfile.ZipFile(BytesIO(made)) as archive:
        assert all(b"<f>" not in archive.read(name) for name in archive.namelist())


@pytest.mark.req("D2")
def test_hundred_thousand_rows_are_refused_with_the_limit() -> None:
    out = BytesIO()
    with Workbook(out, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("methods")
        sheet.write_row(0, 0, HEADER[:4])
        for row in range(1, 100_001):
            sheet.write_row(row, 0, FINE[:2])
    with pytest.raises(Invalid, match="methods has more than 50000 rows"):
        tables.read_file(out.getvalue(), "m.xlsx")


def test_progress_is_told_in_hundreds(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"title,specificity,technique\n" + b"A,event,qpcr\n" * 250
    told: list[tuple[int, int]] = []
    report: Callable[[int, int], None] = lambda done, total: told.append((done, total))  # noqa: E731
    tables.read_file(content, "m.csv", progress=report)
    assert told == [(100, 500), (200, 500)]
