"""Workbooks (XLSX, ODS) as sheets of text cells, and back, without a database.

``read_book`` reads what a workbook says, ``read_tables`` what it says under known columns; everything that
could mislead (formulas, dates made of codes, merged and hidden cells) is told at once, each by the address
that a spreadsheet shows (``oligos!C7``). Both read the XML themselves through the bounded readers of
``file_kinds``: calamine knows no formulas, hidden rows or number formats, and a workbook of 6 kB with one
cell in the last corner makes it ask for 512 GB and end the process (``docs/decisions/0020-tables.md``).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from io import BytesIO
from posixpath import normpath
from typing import Any, BinaryIO

from labhub.cells import neutralise, original
from labhub.errors import Invalid
from labhub.file_kinds import MAX_CSV_CELL, Member, archive_members, member_chunks, scan_xml, shown
from labhub.i18n import Text, _

MOST_SHEETS = 40
MOST_ROWS = 50_000
"""Rows of one sheet unless the reader sets a limit of its own."""
MOST_COLUMNS = 1_000
LONGEST_CELL = MAX_CSV_CELL
"""Characters that a cell of a spreadsheet holds."""
MOST_CELLS = 500_000
"""Cells with content of one workbook (XML of a million elements holds about as many)."""
MOST_TEXT = 64 << 20
"""Characters of all cells together; a text that many cells share counts for each."""
SHOWN = 20
"""Places that one message names."""

Place = tuple[int, int]
"""Row and column of a cell, both from 1."""


class Holds(StrEnum):
    """What a cell holds."""

    TEXT = "text"
    NUMBER = "number"
    PERCENT = "percent"
    """A number that the spreadsheet shows as a percentage: 0.05 for 5%."""
    DATE = "date"
    BOOLEAN = "boolean"
    ERROR = "error"
    FORMULA = "formula"


class Due(StrEnum):
    """What is due in a column."""

    TEXT = "text"
    CODE = "code"
    """An identifier, a code or bases: a spreadsheet that takes it for a number or a date destroys it."""
    NUMBER = "number"
    FLAG = "flag"
    DATE = "date"
    NOTHING = "nothing"
    """The column is not read."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its value as text, what it holds, and whether a number is shown otherwise than it is."""

    text: str
    holds: Holds = Holds.TEXT
    is_shaped: bool = False
    """A number shown with zeros in front or as ``1E+05``."""


@dataclass
class Sheet:
    """One sheet as it was sent; rows and columns count from 1."""

    name: str
    is_hidden: bool = False
    cells: dict[Place, Cell] = field(default_factory=dict)
    merged: list[str] = field(default_factory=list)
    """Ranges such as ``A2:B3``."""
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)

    def address(self, row: int, column: int) -> str:
        """Return the address of a cell of this sheet."""
        return address(self.name, row, column)


_ADDRESS = re.compile(r".*!([A-Z]{1,3})([1-9][0-9]{0,6})", re.DOTALL)


def letters(column: int) -> str:
    """Return the letters of a column.

    >>> letters(1), letters(26), letters(27), letters(703)
    ('A', 'Z', 'AA', 'AAA')
    """
    text = ""
    while column:
        column, place = divmod(column - 1, 26)
        text = chr(ord("A") + place) + text
    return text


def address(sheet: str, row: int, column: int) -> str:
    """Return the address of a cell as a spreadsheet writes it.

    >>> address("oligos", 7, 3), address("my sheet", 1, 1)
    ('oligos!C7', "'my sheet'!A1")
    """
    name = sheet if re.fullmatch(r"\w+", sheet) else "'" + shown(sheet).replace("'", "''") + "'"
    return f"{name}!{letters(column)}{row}"


def place_of(text: str, sheet: str) -> Place | None:
    """Return row and column of an address of this sheet, or nothing.

    >>> place_of("oligos!C7", "oligos"), place_of("oligos", "oligos"), place_of("levels!C7", "oligos")
    ((7, 3), None, None)
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or address(sheet, int(match[2]), _column_number(match[1])) != text:
        return None
    return int(match[2]), _column_number(match[1])


# Reading --------------------------------------------------------------------------------------


def read_book(content: bytes, *, file: str, most_rows: int = MOST_ROWS) -> list[Sheet]:
    """Return the sheets of an XLSX or ODS workbook as they are, or refuse it.

    Rows beyond ``most_rows`` (with the header) are refused as soon as the first one is met.
    Raises ``Invalid`` (field ``file``).
    """
    source = BytesIO(content)
    members = {member.name: member for member in archive_members(source)}
    if "xl/workbook.xml" in members:
        return _Xlsx(source, members, most_rows).sheets()
    if "content.xml" in members and "mimetype" in members:
        return _Ods(source, members, most_rows).sheets()
    raise Invalid(_("%(file)s is not a workbook (XLSX or ODS).", file=file), field="file")


def _refused(message: Text) -> Invalid:
    return Invalid(message, field="file")


class _Reader:
    """What both formats share: members read under the limits of D2 and D3, and the limits of sheets."""

    def __init__(self, source: BinaryIO, members: Mapping[str, Member], most_rows: int) -> None:
        self.source = source
        self.members = members
        self.most_rows = most_rows
        self.characters = 0
        self.cells = 0

    def scan(
        self,
        name: str,
        on_start: Callable[[str, dict[str, str]], None],
        on_end: Callable[[str], None] | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        """Read a member as XML."""
        chunks = member_chunks(self.source, self.members[name])
        scan_xml(chunks, on_start=on_start, on_end=on_end, on_text=on_text)

    def put(self, sheet: Sheet, row: int, column: int, cell: Cell) -> None:
        """Set a cell of a sheet, unless it is empty."""
        if not cell.text and cell.holds is Holds.TEXT:
            return
        if row > self.most_rows:
            raise _refused(
                _(
                    "The sheet %(sheet)s has more than %(most)s rows. Split it into several files.",
                    sheet=shown(sheet.name),
                    most=self.most_rows,
                )
            )
        if column > MOST_COLUMNS:
            raise _refused(
                _(
                    "The sheet %(sheet)s has more than %(most)s columns.",
                    sheet=shown(sheet.name),
                    most=MOST_COLUMNS,
                )
            )
        self.characters += len(cell.text)
        self.cells += 1
        if self.characters > MOST_TEXT or self.cells > MOST_CELLS:
            raise _refused(
                _(
                    "The workbook has more than %(most)s cells with content. Split it, or send CSV.",
                    most=MOST_CELLS,
                )
            )
        sheet.cells[row, column] = cell


def _local(attributes: Mapping[str, str]) -> dict[str, str]:
    return {name.rpartition(":")[2]: value for name, value in attributes.items()}


_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_PERCENT_FORMATS = frozenset({9, 10})
_EXPONENT_FORMATS = frozenset({11, 48})
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')


def _column_number(text: str) -> int:
    number = 0
    for letter in text:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


class _Xlsx(_Reader):
    """Reads Office Open XML (ECMA-376): only cells with a value are kept."""

    def sheets(self) -> list[Sheet]:
        self.is_1904 = False
        places: dict[str, str] = {}
        self.scan(
            self._member("xl/_rels/workbook.xml.rels"),
            lambda name, given: (
                places.update({given.get("Id", ""): given.get("Target", "")})
                if name == "Relationship" and given.get("Type", "").endswith("/worksheet")
                else None
            ),
        )
        found: list[tuple[Sheet, str]] = []

        def start(name: str, given: dict[str, str]) -> None:
            if name == "workbookPr":
                self.is_1904 = given.get("date1904", "0") in ("1", "true")
            elif name == "sheet" and "sheetId" in given:
                attributes = _local(given)
                sheet = Sheet(attributes.get("name", ""), attributes.get("state", "visible") != "visible")
                target = places.get(attributes.get("id", ""))
                if target is not None:
                    found.append((sheet, target))
                if len(found) > MOST_SHEETS:
                    raise _refused(_("The workbook has more than %(most)s sheets.", most=MOST_SHEETS))

        self.scan("xl/workbook.xml", start)
        self.texts = self._texts()
        self.formats = self._formats()
        for sheet, target in found:
            path = normpath(target.lstrip("/") if target.startswith("/") else f"xl/{target}")
            self._read(sheet, self._member(path))
        return [sheet for sheet, _target in found]

    def _member(self, name: str) -> str:
        if name not in self.members:
            raise _refused(
                _("The workbook is damaged: %(name)s is missing. Save it again.", name=shown(name))
            )
        return name

    def _texts(self) -> list[str]:
        """Return the texts that cells share; rich text is joined, readings for Japanese are left out."""
        texts: list[str] = []
        if "xl/sharedStrings.xml" not in self.members:
            return texts
        parts: list[str] = []
        state = {"t": False, "reading": 0}

        def start(name: str, _given: dict[str, str]) -> None:
            if name == "si":
                parts.clear()
            elif name == "rPh":
                state["reading"] += 1
            elif name == "t":
                state["t"] = True

        def end(name: str) -> None:
            if name == "si":
                texts.append(_unescaped("".join(parts)))
            elif name == "rPh":
                state["reading"] -= 1
            elif name == "t":
                state["t"] = False

        def text(piece: str) -> None:
            if state["t"] and not state["reading"]:
                parts.append(piece)

        self.scan("xl/sharedStrings.xml", start, end, text)
        return texts

    def _formats(self) -> list[tuple[Holds, bool]]:
        """Return for each style what a number shown in it is, and whether its digits are dressed up."""
        if "xl/styles.xml" not in self.members:
            return []
        own: dict[int, str] = {}
        numbers: list[int] = []
        inside: list[str] = []

        def start(name: str, given: dict[str, str]) -> None:
            if name == "numFmt":
                own[_whole(given.get("numFmtId"))] = given.get("formatCode", "")
            elif name == "xf" and inside and inside[-1] == "cellXfs":
                numbers.append(_whole(given.get("numFmtId")))
            elif name in ("cellXfs", "cellStyleXfs", "dxfs"):
                inside.append(name)

        def end(name: str) -> None:
            if inside and name == inside[-1]:
                inside.pop()

        self.scan("xl/styles.xml", start, end)
        return [_format_of(number, own.get(number)) for number in numbers]

    def _read(self, sheet: Sheet, member: str) -> None:
        at: dict[str, Any] = {"row": 0, "column": 0, "kind": "", "style": 0, "take": False, "formula": False}
        value: list[str] = []
        rows_hidden = False

        def start(name: str, given: dict[str, str]) -> None:
            nonlocal rows_hidden
            if name == "c":
                match = _REFERENCE.fullmatch(given.get("r", ""))
                if match:
                    at["row"], at["column"] = int(match[2]), _column_number(match[1])
                elif "r" in given:
                    raise _refused(_("The workbook is damaged: a cell has no proper address."))
                else:
                    at["column"] += 1
                at["kind"], at["style"] = given.get("t", "n"), _whole(given.get("s"))
                at["formula"] = False
                value.clear()
            elif name in ("v", "t"):
                at["take"] = True
            elif name == "f":
                at["formula"] = True
            elif name == "rPh":
                at["kind"] = at["kind"] + "+reading"
            elif name == "row":
                at["row"] = _whole(given.get("r")) or at["row"] + 1
                at["column"] = 0
                if given.get("hidden") in ("1", "true") or (rows_hidden and "hidden" not in given):
                    sheet.hidden_rows.add(at["row"])
            elif name == "col" and given.get("hidden") in ("1", "true"):
                sheet.hidden_columns.append((_whole(given.get("min")), _whole(given.get("max"))))
            elif name == "sheetFormatPr":
                rows_hidden = given.get("zeroHeight") in ("1", "true")
            elif name == "mergeCell":
                sheet.merged.append(given.get("ref", "")[:40])

        def text(piece: str) -> None:
            if at["take"] and not at["kind"].endswith("+reading"):
                value.append(piece)

        def end(name: str) -> None:
            if name in ("v", "t"):
                at["take"] = False
            elif name == "rPh":
                at["kind"] = at["kind"].removesuffix("+reading")
            elif name == "c":
                cell = self._cell("".join(value), at["kind"], at["style"], is_formula=at["formula"])
                self.put(sheet, at["row"], at["column"], cell)

        self.scan(member, start, end, text)

    def _cell(self, value: str, kind: str, style: int, *, is_formula: bool) -> Cell:
        if is_formula:
            return Cell(value, Holds.FORMULA)
        if kind == "s":
            number = _whole(value, -1)
            if not 0 <= number < len(self.texts):
                raise _refused(_("The workbook is damaged: a cell names a text that is not there."))
            return Cell(self.texts[number])
        if kind in ("inlineStr", "str"):
            return Cell(_unescaped(value))
        if kind == "b":
            return Cell("true" if value.strip() == "1" else "false", Holds.BOOLEAN)
        if kind == "e":
            return Cell(value, Holds.ERROR)
        if kind == "d":
            return Cell(value, Holds.DATE)
        if not value.strip():
            return Cell("")
        holds, is_shaped = self.formats[style] if 0 <= style < len(self.formats) else (Holds.NUMBER, False)
        if holds is Holds.DATE:
            return Cell(_day(value, is_1904=self.is_1904), Holds.DATE)
        return Cell(_plain(value), holds, is_shaped)


def _unescaped(text: str) -> str:
    """Return a text of XLSX with its escapes (``_x000D_``) resolved and one kind of line end."""
    if "_x" in text:
        text = _ESCAPED.sub(lambda match: _letter(match[0], int(match[1], 16)), text)
    return text.replace("\r\n", "\n") if "\r" in text else text


def _letter(escape: str, number: int) -> str:
    return escape if 0xD800 <= number <= 0xDFFF else chr(number)


def _whole(text: str | None, otherwise: int = 0) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _format_of(number: int, code: str | None) -> tuple[Holds, bool]:
    """Return what a number is that is shown in a format, and whether it shows an exponent or zeros in front.

    >>> [_format_of(200, code)[0].value for code in ("dd/mm/yyyy", "0.0%", "0.00", '"day" 0', "[Red]0")]
    ['date', 'percent', 'number', 'number', 'number']
    >>> [_format_of(200, code)[1] for code in ("00000", "0.00E+00", "0.00", "#,##0")]
    [True, True, False, False]
    """
    if code is None:
        if number in _DATE_FORMATS:
            return Holds.DATE, False
        if number in _PERCENT_FORMATS:
            return Holds.PERCENT, False
        return Holds.NUMBER, number in _EXPONENT_FORMATS
    plain = _NOT_SHOWN.sub("", code.split(";")[0]).casefold()
    if "general" in plain or "standard" in plain:
        return Holds.NUMBER, False
    if re.search(r"[ymdhs]", plain) or re.search(r"\[(h+|m+|s+)\]", code.casefold()):
        return Holds.DATE, False
    if "%" in plain:
        return Holds.PERCENT, False
    return Holds.NUMBER, "e" in plain or bool(re.match(r"00", plain))


def _plain(value: str) -> str:
    """Return a number of a workbook as people write it: 5 for ``5.0``, 0.001 for ``1E-3``.

    >>> _plain("5.0"), _plain("1E-3"), _plain("1.1000000000000001"), _plain("1E+05")
    ('5', '0.001', '1.1', '100000')
    """
    text = value.strip()
    try:
        number = float(text)
    except ValueError:
        return text
    if number != number or abs(number) > 1e15:
        return text
    if number.is_integer():
        return str(int(number))
    return format(Decimal(repr(number)), "f")


def _day(value: str, *, is_1904: bool) -> str:
    """Return the day, or day and time, that a spreadsheet's number of days means.

    >>> _day("45292", is_1904=False), _day("45292.5", is_1904=False), _day("0.25", is_1904=False)
    ('2024-01-01', '2024-01-01 12:00:00', '06:00:00')
    """
    try:
        days = float(value)
        if not is_1904 and 0 <= days < 1:
            return (datetime(2000, 1, 1) + timedelta(days=days)).time().isoformat("seconds")
        begin = (
            datetime(1904, 1, 1)
            if is_1904
            else datetime(1899, 12, 30)
            if days >= 60
            else datetime(1899, 12, 31)
        )
        moment = begin + timedelta(days=days)
    except (ValueError, OverflowError):
        return value
    return moment.date().isoformat() if days.is_integer() else moment.isoformat(" ", "seconds")


class _Ods(_Reader):
    """Reads OpenDocument (ISO/IEC 26300): repeated cells and rows count as often as they stand for."""

    def sheets(self) -> list[Sheet]:
        found: list[Sheet] = []
        hidden_styles: set[str] = set()
        at: dict[str, Any] = {
            "style": "", "row": 0, "rows": 1, "column": 0, "columns": 1, "cell": {}, "skip": 0, "first": 1,
            "in_cell": False, "is_hidden": False,
        }  # fmt: skip
        text: list[str] = []
        line: list[tuple[int, int, Cell]] = []

        def start(name: str, given: dict[str, str]) -> None:
            if name == "style" and given.get("style:family") == "table":
                at["style"] = given.get("style:name", "")
            elif name == "table-properties" and given.get("table:display") == "false":
                hidden_styles.add(at["style"])
            elif name == "table":
                style = given.get("table:style-name", "")
                found.append(Sheet(given.get("table:name", ""), style in hidden_styles))
                at["row"], at["first"] = 0, 1
                if len(found) > MOST_SHEETS:
                    raise _refused(_("The workbook has more than %(most)s sheets.", most=MOST_SHEETS))
            elif name == "table-column" and found:
                count = _whole(given.get("table:number-columns-repeated"), 1)
                if given.get("table:visibility", "visible") != "visible":
                    found[-1].hidden_columns.append((at["first"], at["first"] + count - 1))
                at["first"] += count
            elif name == "table-row":
                at["rows"] = _whole(given.get("table:number-rows-repeated"), 1)
                at["is_hidden"] = given.get("table:visibility", "visible") != "visible"
                at["column"] = 0
                line.clear()
            elif name in ("table-cell", "covered-table-cell"):
                at["columns"] = _whole(given.get("table:number-columns-repeated"), 1)
                at["cell"], at["in_cell"] = given, name == "table-cell"
                text.clear()
                at["paragraphs"] = 0
            elif name == "annotation":
                at["skip"] += 1
            elif name == "p" and not at["skip"]:
                at["paragraphs"] = at.get("paragraphs", 0) + 1
                if at["paragraphs"] > 1:
                    text.append("\n")
            elif name == "s" and not at["skip"]:
                text.append(" " * min(_whole(given.get("text:c"), 1), LONGEST_CELL))
            elif name in ("tab", "line-break") and not at["skip"]:
                text.append("\t" if name == "tab" else "\n")

        def end(name: str) -> None:
            if name == "annotation":
                at["skip"] -= 1
            elif name in ("table-cell", "covered-table-cell"):
                cell = _ods_cell(at["cell"], "".join(text))
                if (cell.text or cell.holds is not Holds.TEXT) and found:
                    line.append((at["column"] + 1, at["columns"], cell))
                    if _is_spanned(at["cell"]):
                        wide = _whole(at["cell"].get("table:number-columns-spanned"), 1)
                        high = _whole(at["cell"].get("table:number-rows-spanned"), 1)
                        first, row = at["column"] + 1, at["row"] + 1
                        last = f"{letters(min(first + wide - 1, 16_384))}{row + high - 1}"
                        found[-1].merged.append(f"{letters(min(first, 16_384))}{row}:{last}")
                at["column"] += at["columns"]
                at["in_cell"] = False
            elif name == "table-row":
                if line:
                    self._put_line(found[-1], at["row"], at["rows"], line, is_hidden=at["is_hidden"])
                at["row"] += at["rows"]

        def take(piece: str) -> None:
            if at["in_cell"] and not at["skip"] and at.get("paragraphs"):
                text.append(piece)

        self.scan("content.xml", start, end, take)
        return found

    def _put_line(
        self, sheet: Sheet, row: int, rows: int, line: list[tuple[int, int, Cell]], *, is_hidden: bool
    ) -> None:
        for number in range(row + 1, row + rows + 1):
            if is_hidden:
                sheet.hidden_rows.add(number)
            for first, count, cell in line:
                for column in range(first, first + count):
                    self.put(sheet, number, column, cell)


def _is_spanned(given: Mapping[str, str]) -> bool:
    spans = ("table:number-columns-spanned", "table:number-rows-spanned")
    return any(_whole(given.get(name), 1) > 1 for name in spans)


def _ods_cell(given: Mapping[str, str], text: str) -> Cell:
    kind = given.get("office:value-type", "")
    if "table:formula" in given:
        return Cell(text, Holds.FORMULA)
    if given.get("calcext:value-type") == "error":
        return Cell(text, Holds.ERROR)
    if kind in ("float", "currency"):
        is_shaped = bool(re.match(r"0[0-9]|.*[0-9][eE][+-]?[0-9]", text))
        return Cell(_plain(given.get("office:value", text)), Holds.NUMBER, is_shaped)
    if kind == "percentage":
        return Cell(_plain(given.get("office:value", text)), Holds.PERCENT)
    if kind in ("date", "time"):
        return Cell(given.get("office:date-value") or text, Holds.DATE)
    if kind == "boolean":
        return Cell("true" if given.get("office:boolean-value") == "true" else "false", Holds.BOOLEAN)
    return Cell(given.get("office:string-value", text))


# Tables ---------------------------------------------------------------------------------------

Shape = Mapping[str, Due]
"""The columns that a sheet may have, each with what is due in it."""


@dataclass
class TableRow:
    """A row of a table: its number in the spreadsheet, and its text cells by column."""

    number: int
    cells: dict[str, str]


@dataclass
class SheetTable:
    """A sheet under its header: the place of each column, and the rows that are not empty."""

    name: str
    columns: dict[str, int] = field(default_factory=dict)
    rows: list[TableRow] = field(default_factory=list)

    def address(self, row: int, column: str) -> str:
        """Return the address of a cell; of a column that the sheet lacks, the row's first cell."""
        return address(self.name, row, self.columns.get(column, 1))


@dataclass
class Book:
    """The tables of a workbook by sheet, what is wrong by address, and what was assumed or is doubtful."""

    tables: dict[str, SheetTable] = field(default_factory=dict)
    errors: dict[str, list[Text]] = field(default_factory=dict)
    warnings: dict[str, list[Text]] = field(default_factory=dict)
    notes: list[Text] = field(default_factory=list)

    def add(self, place: str, message: Text) -> None:
        """Note what is wrong at a place."""
        self.errors.setdefault(place, []).append(message)

    def warn(self, place: str, message: Text) -> None:
        """Note what is doubtful at a place."""
        self.warnings.setdefault(place, []).append(message)


def read_tables(sheets: Sequence[Sheet], shapes: Mapping[str, Shape], *, ignored: Iterable[str] = ()) -> Book:
    """Return the tables of the sheets that ``shapes`` names, with every problem by address.

    Refused are formulas, error cells, dates and percentages where neither is due, merged cells, numbers
    that lost the shape of a code, hidden rows, columns and sheets that hold something to be read, unknown
    and doubled columns, and sheets that are neither in ``shapes`` nor ``ignored``. A hidden sheet of
    another name is not read, and that is said.

    >>> sheet = Sheet("codes", cells={(1, 1): Cell("code"), (2, 1): Cell("2001-03-01", Holds.DATE)})
    >>> list(read_tables([sheet], {"codes": {"code": Due.CODE}}).errors)
    ['codes!A2']
    """
    book = Book()
    skipped = {name.casefold() for name in ignored}
    by_key = {name.casefold(): name for name in shapes}
    for sheet in sheets:
        key = sheet.name.strip().casefold()
        if key in skipped:
            continue
        if key not in by_key:
            _refuse_unknown_sheet(book, sheet, list(shapes))
        elif by_key[key] in book.tables:
            book.add(sheet.name, _("There are two sheets of this name."))
        elif sheet.is_hidden:
            book.add(
                sheet.name, _("This sheet is hidden. Show it, so that you see what you send, or delete it.")
            )
        else:
            book.tables[by_key[key]] = _table(book, sheet, shapes[by_key[key]])
    return book


def _refuse_unknown_sheet(book: Book, sheet: Sheet, names: list[str]) -> None:
    if sheet.is_hidden:
        book.notes.append(_("The hidden sheet %(sheet)s was not read.", sheet=shown(sheet.name)))
    elif sheet.cells:
        book.add(
            shown(sheet.name),
            _(
                "There is no sheet of this name. Name it one of %(names)s, or delete it.",
                names=", ".join(names),
            ),
        )


def _table(book: Book, sheet: Sheet, shape: Shape) -> SheetTable:
    table = SheetTable(sheet.name)
    by_row: dict[int, dict[int, Cell]] = {}
    for (row, column), cell in sheet.cells.items():
        by_row.setdefault(row, {})[column] = cell
    _check_hidden(book, sheet, by_row)
    for reference in sheet.merged:
        book.add(
            f"{address(sheet.name, 1, 1).partition('!')[0]}!{reference}",
            _("These cells are merged. Undo it and fill each cell."),
        )
    header = by_row.pop(1, {})
    names = _read_header(book, sheet, header, shape, {column for row in by_row.values() for column in row})
    table.columns = {name: column for column, name in names.items()}
    blanks: list[str] = []
    for number in sorted(by_row):
        cells: dict[str, str] = {}
        for column, cell in sorted(by_row[number].items()):
            place = sheet.address(number, column)
            name = names.get(column)
            if name is None:
                continue
            text = _read_cell(book, place, cell, shape[name])
            if cell.holds is Holds.TEXT and text != text.strip() and text.strip():
                blanks.append(place)
            cells[name] = text
        if any(text.strip() for text in cells.values()):
            table.rows.append(TableRow(number, cells))
    if blanks:
        book.notes.append(
            _("Blanks around the text of these cells were left out: %(places)s.", places=places(blanks))
        )
    return table


def places(found: Sequence[str]) -> str:
    """Return the first of many places as text."""
    return ", ".join(found[:SHOWN]) + (" …" if len(found) > SHOWN else "")


def _check_hidden(book: Book, sheet: Sheet, by_row: Mapping[int, Mapping[int, Cell]]) -> None:
    hidden = sorted(sheet.hidden_rows & by_row.keys())
    if hidden:
        book.add(
            shown(sheet.name),
            _(
                "Rows with content are hidden: %(rows)s. "
                "Show them, so that you see what you send, or delete them.",
                rows=places([str(row) for row in hidden]),
            ),
        )
    used = {column for row in by_row.values() for column in row}
    columns = sorted(
        column for column in used if any(first <= column <= last for first, last in sheet.hidden_columns)
    )
    if columns:
        book.add(
            shown(sheet.name),
            _(
                "Columns with content are hidden: %(columns)s. "
                "Show them, so that you see what you send, or delete them.",
                columns=places([letters(column) for column in columns]),
            ),
        )


def _read_header(
    book: Book, sheet: Sheet, header: Mapping[int, Cell], shape: Shape, used: set[int]
) -> dict[int, str]:
    """Return the column names by place; what is wrong with the header is noted."""
    names: dict[int, str] = {}
    for column in sorted(header.keys() | used):
        place = sheet.address(1, column)
        cell = header.get(column)
        name = original(cell.text).strip() if cell else ""
        if not name:
            book.add(place, _("This column has content and no name in the first row."))
        elif cell is not None and cell.holds is not Holds.TEXT:
            book.add(place, _("The name of a column must be a text."))
        elif name in names.values():
            book.add(place, _("The column %(name)s stands here a second time.", name=shown(name)))
        elif name not in shape:
            near = get_close_matches(name.strip().casefold().replace(" ", "_"), list(shape), 1, 0.8)
            if near:
                book.add(
                    place,
                    _(
                        "There is no column %(name)s. Do you mean %(near)s?",
                        name=shown(name),
                        near=near[0],
                    ),
                )
            else:
                book.add(place, _("There is no column %(name)s. Correct or delete it.", name=shown(name)))
        else:
            names[column] = name
    return names


def _read_cell(book: Book, place: str, cell: Cell, due: Due) -> str:
    """Return the text of a cell; what the spreadsheet made of it and nobody meant is noted."""
    text = cell.text
    if due is Due.NOTHING:
        return ""
    if len(text) > LONGEST_CELL:
        book.add(place, _("A cell has at most %(most)s characters.", most=LONGEST_CELL))
        return ""
    match cell.holds:
        case Holds.FORMULA:
            book.add(place, _("This is a formula. Put its result here as a value (paste special, values)."))
            return ""
        case Holds.ERROR:
            book.add(place, _("The spreadsheet shows an error here (%(text)s).", text=shown(text)))
            return ""
        case Holds.DATE if due is not Due.DATE:
            book.add(
                place,
                _(
                    "The spreadsheet has made a date of this (%(text)s). "
                    "Format the cell as text and write it again.",
                    text=shown(text),
                ),
            )
            return ""
        case Holds.PERCENT:
            book.add(
                place,
                _(
                    "This number is shown as a percentage: it is stored as %(text)s. "
                    "Format the cell as a plain number and write it again, without the percent sign.",
                    text=shown(text),
                ),
            )
            return ""
        case Holds.BOOLEAN if due is not Due.FLAG:
            book.add(
                place,
                _(
                    "The spreadsheet holds a logical value here (%(text)s) where something else is due.",
                    text=text,
                ),
            )
            return ""
        case Holds.NUMBER if due is Due.CODE or (cell.is_shaped and due is Due.TEXT):
            _check_code(book, place, cell)
    return original(text) if cell.holds is Holds.TEXT else text


def _check_code(book: Book, place: str, cell: Cell) -> None:
    if cell.is_shaped or not cell.text.isdigit() or len(cell.text) > 11:
        book.add(
            place,
            _(
                "The spreadsheet has made the number %(text)s of this; zeros or letters may be lost. "
                "Format the cell as text and write it again.",
                text=shown(cell.text),
            ),
        )
    else:
        book.warn(
            place,
            _(
                "The spreadsheet holds a number here; it was read as the text %(text)s. "
                "If it had zeros in front, format the cell as text and write it again.",
                text=shown(cell.text),
            ),
        )


# Writing --------------------------------------------------------------------------------------


@dataclass
class Column:
    """A column to write: its name, what is due, the values to choose from, and its width in characters."""

    name: str
    due: Due = Due.TEXT
    choices: Sequence[str] = ()
    width: int = 16


@dataclass
class SheetToWrite:
    """A sheet to write. ``rows`` hold a value for each column, in order or by name.

    ``marks`` are what is wrong at a place.
    """

    name: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Any] | Mapping[str, Any]]
    marks: Mapping[Place, str] = field(default_factory=dict)
    changed: Mapping[Place, str] = field(default_factory=dict)
    """What was put in order at a place."""
    is_text: bool = False
    """A sheet to be read by people: texts wrap, nothing is chosen."""


MANY_CELLS = 200_000
"""Cells beyond which a workbook is written row by row, to keep memory bounded."""
SPARE_ROWS = 1_000
"""Rows under the last one in which choices are offered too."""
LONGEST_CHOICES = 255
"""Characters of all choices of a column, with commas: the format's own limit."""


def write_book(sheets: Sequence[SheetToWrite], *, many: bool = False, right_to_left: bool = False) -> bytes:
    """Return sheets as XLSX: header frozen, choices offered, texts never formulas or links.

    ``many`` keeps memory bounded for large tables. Text cells that a spreadsheet could take for a formula
    carry an apostrophe, as in CSV (C5). A text longer than a cell is the caller's to split (``ValueError``).
    """
    from xlsxwriter import Workbook

    out = BytesIO()
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "constant_memory": many,
        "in_memory": not many,
    }
    with Workbook(out, options) as book:
        book.set_properties({"created": datetime(2000, 1, 1)})  # the same content gives the same file
        formats = {
            "header": book.add_format({"bold": True, "bg_color": "#DDE7F3", "border": 1, "num_format": "@"}),
            "text": book.add_format({"num_format": "@", "valign": "top"}),
            "number": book.add_format({"valign": "top"}),
            "wrapped": book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"}),
            "wrong": book.add_format(
                {"num_format": "@", "bg_color": "#F8C9C4", "valign": "top", "border": 1}
            ),
            "changed": book.add_format(
                {"num_format": "@", "bg_color": "#FFF0B3", "valign": "top", "border": 1}
            ),
        }
        for each in sheets:
            _write_sheet(book.add_worksheet(each.name), each, formats, right_to_left=right_to_left)
    return out.getvalue()


def _write_sheet(sheet: Any, given: SheetToWrite, formats: Mapping[str, Any], *, right_to_left: bool) -> None:
    if right_to_left and given.is_text:
        sheet.right_to_left()
    sheet.freeze_panes(1, 0)
    plain = formats["wrapped" if given.is_text else "text"]
    for place, column in enumerate(given.columns):
        shape = formats["number"] if column.due is Due.NUMBER else plain
        sheet.set_column(place, place, column.width, shape)
        sheet.write_string(0, place, neutralise(column.name), formats["header"])
    row = 0
    for row, cells in enumerate(given.rows, start=1):
        values = [cells.get(each.name) for each in given.columns] if isinstance(cells, Mapping) else cells
        for place, value in enumerate(values):
            key = (row + 1, place + 1)
            dress = (
                formats["wrong"]
                if key in given.marks
                else formats["changed"]
                if key in given.changed
                else None
            )
            _write_cell(sheet, row, place, value, dress or plain, dress or formats["number"])
    for marks in (given.changed, given.marks):
        for (line, place), text in marks.items():
            sheet.write_comment(line - 1, place - 1, text[:2_000], {"x_scale": 2, "y_scale": 1.5})
    for place, column in enumerate(given.columns):
        if column.choices and len(",".join(column.choices)) <= LONGEST_CHOICES:
            sheet.data_validation(
                1, place, row + SPARE_ROWS, place,
                {"validate": "list", "source": list(column.choices), "error_type": "warning"},
            )  # fmt: skip


def _write_cell(sheet: Any, row: int, column: int, value: Any, text_format: Any, number_format: Any) -> None:
    if value is None or value == "":
        if text_format is number_format:
            sheet.write_blank(row, column, None, text_format)
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value, number_format)
    elif isinstance(value, float) and float(f"{value:.16G}") != value:  # the format keeps 16 digits
        sheet.write_string(row, column, format(Decimal(repr(value)), "f"), text_format)
    elif isinstance(value, (int, float)):
        sheet.write_number(row, column, value, number_format)
    else:
        text = neutralise(str(value))
        if len(text) > LONGEST_CELL:
            raise ValueError("text longer than a cell")
        sheet.write_string(row, column, text, text_format)
