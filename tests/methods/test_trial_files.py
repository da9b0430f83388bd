"""Files of raw results: what a workbook or CSV may hold, and what is refused by its place."""

from datetime import datetime
from io import BytesIO
from typing import Any

import pytest
import xlsxwriter

from labhub.errors import Invalid
from labhub.file_kinds import FileKind
from labhub.methods.trial_files import read_trial_file

HEADER = ["laboratory", "level", "replicate", "value"]


def book(*sheets: Any) -> bytes:
    out = BytesIO()
    workbook = xlsxwriter.Workbook(out, {"in_memory": True})
    for fill in sheets:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        fill(workbook, sheet)
    workbook.close()
    return out.getvalue()


def problems(content: bytes, kind: FileKind = FileKind.XLSX) -> dict[str, Any]:
    with pytest.raises(Invalid) as refusal:
        read_trial_file(content, file="t.xlsx", kind=kind)
    return refusal.value.errors


def plain(_workbook: Any, sheet: Any) -> None:
    sheet.write_row(1, 0, ["L1", "0.1 %", 1, 0.11])
    sheet.write_row(2, 0, ["L1", "0.1 %", 2, 0.12])


def test_numbers_of_a_workbook_are_read() -> None:
    table, _notes = read_trial_file(book(plain), file="t.xlsx", kind=FileKind.XLSX)
    assert table.rows == [["L1", "0.1 %", 1, 0.11], ["L1", "0.1 %", 2, 0.12]]


def test_a_formula_a_date_and_a_percentage_are_named_by_their_cells() -> None:
    def fill(workbook: Any, sheet: Any) -> None:
        plain(workbook, sheet)
        sheet.write_formula("D2", "=1+1", None, 2)
        sheet.write_datetime(
            "D3",
            datetime(2024, 1, 2),
            workbook.add_format({"num_format": "yyyy-mm-dd"}),
        )
        sheet.write_number("D4", 0.05, workbook.add_format({"num_format": "0%"}))

    assert list(problems(book(fill))) == ["row 2, column D", "row 3, column D", "row 4, column D"]


def test_merged_and_hidden_cells_are_refused() -> None:
    def fill(workbook: Any, sheet: Any) -> None:
        plain(workbook, sheet)
        sheet.merge_range("A2:A3", "L1")
        sheet.set_row(2, None, None, {"hidden": True})

    assert {"A2:A3", "file"} <= set(problems(book(fill)))


def test_several_sheets_are_refused() -> None:
    assert "file" in problems(book(plain, plain))


def test_semicolons_and_decimal_commas_are_read() -> None:
    content = b"laboratory;level;value\r\nL1;A;0,71\r\n"
    table, notes = read_trial_file(content, file="t.csv", kind=FileKind.CSV)
    assert table.rows == [["L1", "A", 1, 0.71]] and notes
