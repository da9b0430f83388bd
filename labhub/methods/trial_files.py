"""Files with raw trial results, CSV or a workbook, read into a table of results."""

from typing import Final

from labhub.cells import read_table
from labhub.errors import Invalid
from labhub.file_kinds import FileKind
from labhub.i18n import Text, _
from labhub.methods.trial_tables import TrialTable, read_grid
from labhub.workbooks import Cell, Holds, Sheet, letters, read_book

TRIAL_FILES: Final = frozenset({FileKind.CSV, FileKind.XLSX})
LARGEST_TRIAL_BYTES = 4 << 20
MOST_ROWS = 6_000
_REFUSED_CELLS: dict[Holds, Text] = {
    Holds.FORMULA: _("This cell holds a formula. Paste its value instead."),
    Holds.DATE: _("A spreadsheet took this cell for a date. Write it as text or as a number."),
    Holds.ERROR: _("This cell holds an error."),
    Holds.BOOLEAN: _("Write + or - instead of true or false."),
    Holds.PERCENT: _("This cell is shown as a percentage. Show it as a plain number, or write it as text."),
}


def read_trial_file(content: bytes, *, file: str, kind: FileKind) -> tuple[TrialTable, list[Text]]:
    """Return the results of a file, and what was assumed about it. Raises ``Invalid`` by row and column."""
    if kind is FileKind.CSV:
        table = read_table(content, file=file, first_row=2)
        grid = [table.columns, *([row[name] for name in table.columns] for row in table.rows)]
        return read_grid(grid), table.notes
    return _read_workbook(content, file), []


def _read_workbook(content: bytes, file: str) -> TrialTable:
    filled = [sheet for sheet in read_book(content, file=file, most_rows=MOST_ROWS) if sheet.cells]
    if not filled:
        raise Invalid(_("%(file)s is empty.", file=file), field="file")
    if len(filled) > 1:
        names = ", ".join(sheet.name[:60] for sheet in filled[:10])
        raise Invalid(
            _(
                "%(file)s holds several sheets with content (%(names)s). Send one sheet: laboratory, "
                "level, replicate and value.",
                file=file,
                names=names,
            ),
            field="file",
        )
    sheet = filled[0]
    _check_sheet(sheet, file)
    rows = [row for row, _column in sheet.cells]
    columns = [column for _row, column in sheet.cells]
    first, last, width = min(rows), max(rows), max(columns)
    grid = [
        [_text(sheet.cells.get((row, column))) for column in range(1, width + 1)]
        for row in range(first, last + 1)
    ]
    return read_grid(grid, first_row=first)


def _check_sheet(sheet: Sheet, file: str) -> None:
    errors: dict[str, list[Text]] = {}
    for (row, column), cell in sorted(sheet.cells.items()):
        if cell.holds in _REFUSED_CELLS and len(errors) < 200:
            errors[f"row {row}, column {letters(column)}"] = [_REFUSED_CELLS[cell.holds]]
    for area in sheet.merged[:20]:
        errors[area] = [_("These cells are merged. Write each value in its own cell.")]
    if sheet.is_hidden or sheet.hidden_rows or sheet.hidden_columns:
        errors["file"] = [_("The sheet has hidden parts. Show them, so that all that is sent can be seen.")]
    if errors:
        raise Invalid(
            _("%(file)s cannot be used as it is. Correct the cells named.", file=file), errors=errors
        )


def _text(cell: Cell | None) -> str:
    return "" if cell is None else cell.text
