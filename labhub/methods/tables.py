"""Files of methods: JSON, CSV and workbooks in; workbooks, templates and corrected workbooks out.

``read_file`` tells every problem of a file at once, each by the place where a spreadsheet shows it. A
workbook has one sheet for methods and one for each of their lists (``columns.SHEETS``); a sheet with the
columns of the CSV is read as well. Nothing here knows a database.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from labhub import workbooks
from labhub.cells import Table, continued, gathered, original, read_json, read_table, spread
from labhub.errors import Invalid
from labhub.file_kinds import shown
from labhub.i18n import Text, _, ngettext
from labhub.lmos import unique_identifier
from labhub.methods import exchange
from labhub.methods.columns import (
    METHOD_COLUMNS,
    METHODS,
    NEEDED,
    RESULT,
    SHEET_MEANINGS,
    SHEETS,
    choices,
    due,
    meaning,
    takes_several,
    width,
)
from labhub.methods.exchange import EXAMPLE, Checked, Content, Errors, check
from labhub.sequences.oligos import read_oligo
from labhub.workbooks import Book, Cell, Column, Due, Holds, Place, Sheet, SheetTable, SheetToWrite, TableRow

KEYS: Final = ("code", "wished_code", "source_code")
"""Fields of which each value stands once in a file."""
IGNORED: Final = ("README", "problems")
"""Sheets that the hub writes for people and does not read."""
MOST_PROBLEMS: Final = 2_000
"""Places with problems that are told of one file."""


Progress = Callable[[int, int], None]
"""Is told how much of the work is done, and of how much."""
T = TypeVar("T")


def _told(items: Sequence[T], progress: Progress | None) -> Iterator[T]:
    for done, item in enumerate(items, start=1):
        yield item
        if progress is not None and done % 100 == 0:
            progress(done, 2 * len(items))


@dataclass
class Entry:
    """A record of a file: what it says, its row, and where each of its fields stands."""

    checked: Checked
    row: int
    """Number of its row in the spreadsheet; in JSON 1 is the first record."""
    columns: dict[str, str] = field(default_factory=dict)
    """The column of each field that has another name than the field."""
    table: SheetTable | None = None
    """Workbooks: the sheet of the row."""
    parts: dict[str, tuple[SheetTable, int]] = field(default_factory=dict)
    """Workbooks: sheet and row of each part (``oligos.0``)."""
    is_spoiled: bool = False
    """One of its cells could not be read: the file's own errors say which."""

    def place(self, name: str) -> str:
        """Return where a field stands: an address, ``row 7, title`` of a CSV, or the field of JSON."""
        if self.table is None:
            return f"row {self.row}, {self.columns.get(name, name)}"
        if name in self.columns:
            return self.table.address(self.row, self.columns[name])
        words = name.split(".")
        for count in range(len(words), 0, -1):
            part = self.parts.get(".".join(words[:count]))
            if part is not None:
                table, row = part
                column = words[count] if count < len(words) else ""
                if column.isdigit() and table.name.casefold() == "data":
                    column = RESULT[int(column) % 4]
                return table.address(row, column)
        return self.table.address(self.row, words[0])

    def errors(self) -> Errors:
        """Return the problems by place."""
        found: Errors = {}
        for name, texts in self.checked.errors.items():
            found.setdefault(self.place(name), []).extend(texts)
        return found


@dataclass
class Sent:
    """A file of methods as it was read."""

    name: str
    entries: list[Entry] = field(default_factory=list)
    errors: Errors = field(default_factory=dict)
    """Problems of the file that belong to no record, by place."""
    notes: list[Text] = field(default_factory=list)
    sheets: list[Sheet] | None = None
    """Workbooks: what was sent."""
    csv: Table | None = None

    @property
    def is_table(self) -> bool:
        """Whether a corrected workbook can be made of it."""
        return self.sheets is not None or self.csv is not None


def read_file(content: bytes, name: str, *, progress: Progress | None = None) -> Sent:
    """Return the records of a JSON, CSV, XLSX or ODS file, each with its problems.

    ``progress`` hears of each hundred records that were read: how many, and of twice how many, for storing
    them is the other half of the work. Raises ``Invalid`` (field ``file``) for a file of another kind.
    """
    ending = name.casefold().rpartition(".")[2]
    if ending == "csv":
        sent = _read_csv(content, name, progress)
    elif ending == "json":
        sent = _read_json(content, name, progress)
    elif ending in ("xlsx", "ods"):
        sent = _read_workbook(content, name, progress)
    else:
        raise Invalid(_("Methods are read from files that end in .json, .csv, .xlsx or .ods."), field="file")
    if not sent.entries and not sent.errors:
        raise Invalid(_("%(file)s holds no record.", file=name), field="file")
    if len(sent.entries) > exchange.MOST_RECORDS:
        raise Invalid(
            _("At most %(number)s records in one file.", number=exchange.MOST_RECORDS), field="file"
        )
    _mark_doubles(sent.entries)
    return sent


def rows_of_file(content: bytes, name: str) -> list[Checked]:
    """Return the records of a file with their problems by field, or by column of a CSV."""
    sent = read_file(content, name)
    if sent.errors:
        raise Invalid(_("Please correct the marked fields."), errors=sent.errors)
    for entry in sent.entries:
        errors: Errors = {}
        for key, texts in entry.checked.errors.items():
            errors.setdefault(entry.columns.get(key, key), []).extend(texts)
        entry.checked.errors = errors
    return [entry.checked for entry in sent.entries]


def _read_json(content: bytes, name: str, progress: Progress | None) -> Sent:
    value = read_json(content, file=name)
    records = value if isinstance(value, list) else [value]
    if len(records) > exchange.MOST_RECORDS:
        raise Invalid(
            _("At most %(number)s records in one file.", number=exchange.MOST_RECORDS), field="file"
        )
    return Sent(
        name,
        [
            Entry(check(exchange.from_raw(record) if exchange.is_raw(record) else record), row)
            for row, record in enumerate(_told(records, progress), start=1)
        ],
    )


_CSV_COLUMNS: Final = frozenset(
    {
        *exchange.SCALARS, *exchange.GROUP_COLUMNS, *exchange.JSON_COLUMNS, *exchange.SOURCE_COLUMNS,
        *exchange.HUB_COLUMNS,
    }
)  # fmt: skip


def _is_csv_column(name: str) -> bool:
    bare = continued(name)[0]
    return bare in _CSV_COLUMNS or exchange.OLIGO_COLUMN.fullmatch(bare) is not None


def _is_example(*keys: str | None) -> bool:
    return any((key or "").strip().casefold() == EXAMPLE.casefold() for key in keys)


def _note_examples(sent: Sent, count: int) -> None:
    if count:
        sent.notes.append(
            ngettext(
                "%(number)s row of the example was left out.",
                "%(number)s rows of the example were left out.",
                count,
            )
        )


def _read_csv(content: bytes, name: str, progress: Progress | None) -> Sent:
    table = read_table(content, file=name, needed=exchange.NEEDED_COLUMNS, first_row=2)
    if len(table.rows) > exchange.MOST_RECORDS + 1:
        raise Invalid(
            _("At most %(number)s records in one file.", number=exchange.MOST_RECORDS), field="file"
        )
    unknown = [column for column in table.columns if not _is_csv_column(column)]
    if unknown:
        raise Invalid(
            _(
                "%(file)s has columns that are not known: %(names)s. Correct or remove them.",
                file=name,
                names=", ".join(shown(column) or "—" for column in unknown)[:1000],
            ),
            field="file",
        )
    sent = Sent(name, notes=list(table.notes), csv=table)
    examples = 0
    for row, cells in enumerate(_told(table.rows, progress), start=2):
        if _is_example(cells.get("code"), cells.get("wished_code")):
            examples += 1
            continue
        sent.entries.append(_entry_of_row(cells, row))
    _note_examples(sent, examples)
    return sent


def _entry_of_row(cells: Mapping[str, str], row: int) -> Entry:
    record, columns, errors = exchange.record_of_row(cells)
    checked = check(record)
    for column, texts in errors.items():
        checked.errors.setdefault(column, []).extend(texts)
    return Entry(checked, row, columns)


def _mark_doubles(entries: Sequence[Entry]) -> None:
    for key in KEYS:
        first: dict[str, int] = {}
        for entry in entries:
            value = entry.checked.content.get(key)
            if not value:
                continue
            earlier = first.setdefault(value.casefold(), entry.row)
            if earlier != entry.row:
                entry.checked.add(
                    key, _("%(code)s stands in row %(row)s too. Give each once.", code=value, row=earlier)
                )


# Workbooks in ---------------------------------------------------------------------------------


def _shape_of(sheet: Sheet, name: str, columns: Iterable[str]) -> dict[str, Due]:
    """Return the columns that a sheet may have: its own, those of the CSV, and those that carry one on."""
    known = {column: due(name, column) for column in columns}
    for (row, _column), cell in sheet.cells.items():
        column = original(cell.text).strip()
        if row != 1 or column in known:
            continue
        bare = continued(column)[0]
        if bare in known:
            known[column] = known[bare]
        elif name == METHODS and _is_csv_column(column):
            match = exchange.OLIGO_COLUMN.fullmatch(bare)
            known[column] = due("oligos", match[3]) if match else Due.TEXT
    return known


def _read_workbook(content: bytes, name: str, progress: Progress | None) -> Sent:
    sheets = workbooks.read_book(content, file=name)
    sent = Sent(name, sheets=sheets)
    to_read = [
        sheet for sheet in sheets if sheet.name.strip().casefold() not in {n.casefold() for n in IGNORED}
    ]
    shown_sheets = [sheet for sheet in to_read if not sheet.is_hidden and sheet.cells]
    if len(shown_sheets) == 1 and shown_sheets[0].name.casefold() not in (METHODS, *SHEETS):
        key = shown_sheets[0].name.strip().casefold()  # a spreadsheet names the sheet of a CSV after its file
    else:
        key = METHODS
    shapes: dict[str, dict[str, Due]] = {}
    for sheet in to_read:
        own = sheet.name.strip().casefold()
        if own == key:
            shapes[own] = _shape_of(sheet, METHODS, METHOD_COLUMNS)
        elif own in SHEETS:
            shapes[own] = _shape_of(sheet, own, SHEETS[own])
    for own in SHEETS:
        shapes.setdefault(own, {})
    shapes.setdefault(key, {})
    book = workbooks.read_tables(to_read, shapes, ignored=IGNORED)
    sent.errors, sent.notes = dict(book.errors), list(book.notes)
    for place, texts in book.warnings.items():
        sent.notes += [_("%(place)s: %(text)s", place=place, text=text) for text in texts]
    methods = book.tables.get(key)
    if methods is None:
        if not sent.errors:
            raise Invalid(
                _("%(file)s has no sheet %(sheet)s with methods.", file=name, sheet=METHODS), field="file"
            )
        return sent
    missing = [column for column in NEEDED[METHODS] if column not in methods.columns]
    if missing and methods.columns:
        sent.errors.setdefault(methods.address(1, ""), []).append(
            _("The sheet lacks the columns %(names)s.", names=", ".join(missing))
        )
    if len(methods.rows) > exchange.MOST_RECORDS + 1:
        raise Invalid(
            _("At most %(number)s records in one file.", number=exchange.MOST_RECORDS), field="file"
        )
    _Assembly(sent, book, methods, is_whole=not missing).read(progress)
    return sent


class _Assembly:
    """Puts the rows of all sheets together to records."""

    def __init__(self, sent: Sent, book: Book, methods: SheetTable, *, is_whole: bool) -> None:
        self.sent = sent
        self.book = book
        self.methods = methods
        self.is_whole = is_whole
        self.examples = 0
        self.records: list[tuple[TableRow, dict[str, Any], Entry]] = []
        self.by_key: dict[str, int] = {}

    def read(self, progress: Progress | None) -> None:
        """Read all rows into entries of the file."""
        for row in self.methods.rows:
            self._method(row)
        self._each("oligos", self._oligo)
        for name in ("oligo_sets", "reference_materials", "sources"):
            self._each(name, self._plain)
        self.studies: dict[tuple[int, str], int] = {}
        self._each("studies", self._study)
        self._each("levels", self._level)
        self._each("data", self._result)
        self._each("decisions", self._level)
        for _row, record, entry in _told(self.records, progress):
            earlier = entry.checked.errors
            entry.checked = check(record)
            for column, texts in earlier.items():
                entry.checked.errors.setdefault(column, []).extend(texts)
            if not self.is_whole:
                entry.checked.errors = {
                    key: texts for key, texts in entry.checked.errors.items() if key not in NEEDED[METHODS]
                }
            self._drop_told(entry)
        self.sent.entries = [entry for _row, _record, entry in self.records]
        self._mark_spoiled()
        _note_examples(self.sent, self.examples)

    def _mark_spoiled(self) -> None:
        rows: dict[tuple[str, int], Entry] = {}
        for entry in self.sent.entries:
            rows[self.methods.name, entry.row] = entry
            rows.update(((table.name, row), entry) for table, row in entry.parts.values())
        for place in self.sent.errors:
            for name in {self.methods.name, *(table.name for table in self.book.tables.values())}:
                where = workbooks.place_of(place, name)
                if where is not None and (name, where[0]) in rows:
                    rows[name, where[0]].is_spoiled = True

    def _drop_told(self, entry: Entry) -> None:
        """Leave out what is said of a cell that the spreadsheet spoiled: it was told already."""
        told = self.book.errors
        entry.checked.errors = {
            name: texts for name, texts in entry.checked.errors.items() if entry.place(name) not in told
        }

    def _add(self, place: str, message: Text) -> None:
        self.sent.errors.setdefault(place, []).append(message)

    def _method(self, row: TableRow) -> None:
        cells = dict(row.cells)
        key = cells.pop("method", "").strip()
        if _is_example(key, cells.get("code"), cells.get("wished_code")):
            self.examples += 1
            self.by_key.setdefault(EXAMPLE.casefold(), -1)
            if key:
                self.by_key[key.casefold()] = -1
            return
        record, columns, errors = exchange.record_of_row(cells)
        entry = Entry(Checked({}, errors), row.number, columns, self.methods)
        place = len(self.records)
        self.records.append((row, record, entry))
        names = [key] if key else [text for name in KEYS if (text := cells.get(name, "").strip())]
        for name in names:
            earlier = self.by_key.setdefault(name.casefold(), place)
            if earlier != place:
                self._add(
                    self.methods.address(row.number, "method" if key else "code"),
                    _(
                        "%(code)s stands in row %(row)s too. Give each once.",
                        code=shown(name),
                        row=self.records[earlier][0].number if earlier >= 0 else 2,
                    ),
                )

    def _each(self, name: str, put: Any) -> None:
        table = self.book.tables.get(name)
        if table is None:
            return
        for row in table.rows:
            cells = gathered(row.cells)
            owner = self._owner(table, row, cells.pop("method", "").strip())
            if owner is not None:
                put(name, table, row.number, owner, cells)

    def _owner(self, table: SheetTable, row: TableRow, key: str) -> int | None:
        if not key and len(self.records) == 1:
            return 0
        place = self.by_key.get(key.casefold()) if key else None
        if place is None:
            where = table.address(row.number, "method")
            if where not in self.book.errors:
                self._add(
                    where,
                    _("There is no method %(name)s in the sheet %(sheet)s.", name=shown(key), sheet=METHODS)
                    if key
                    else _("Say which method this row belongs to."),
                )
            return None
        if place < 0:
            self.examples += 1
            return None
        return place

    def _append(self, name: str, table: SheetTable, number: int, owner: int, item: Any) -> int:
        _row, record, entry = self.records[owner]
        items = record.setdefault(name, [])
        entry.parts[f"{name}.{len(items)}"] = (table, number)
        entry.columns.pop(f"{name}.{len(items)}", None)
        items.append(item)
        return len(items) - 1

    def _plain(self, name: str, table: SheetTable, number: int, owner: int, cells: dict[str, str]) -> None:
        self._append(name, table, number, owner, {key: text or None for key, text in cells.items()})

    def _oligo(self, name: str, table: SheetTable, number: int, owner: int, cells: dict[str, str]) -> None:
        errors: Errors = {}
        item: dict[str, Any] = dict(cells)
        if cells.get("modifications"):
            item["modifications"] = exchange.modifications_of_cell(
                cells["modifications"], "modifications", errors
            )
        else:
            item.pop("modifications", None)
        for column, texts in errors.items():
            for text in texts:
                self._add(table.address(number, column), text)
        self._append(name, table, number, owner, item)

    def _study(self, name: str, table: SheetTable, number: int, owner: int, cells: dict[str, str]) -> None:
        key = (owner, cells.pop("study", "").strip().casefold())
        if key in self.studies:
            self._add(table.address(number, "study"), _("This method has another study of this name."))
        item = {each: text or None for each, text in cells.items()}
        self.studies.setdefault(key, self._append(name, table, number, owner, item))

    def _of_study(self, table: SheetTable, number: int, owner: int, key: str) -> int | None:
        own = [place for (method, _key), place in self.studies.items() if method == owner]
        place = self.studies.get((owner, key.strip().casefold()))
        if place is None and not key.strip() and len(own) == 1:
            return own[0]
        if place is None:
            self._add(
                table.address(number, "study"),
                _(
                    "This method has no study %(name)s in the sheet %(sheet)s.",
                    name=shown(key),
                    sheet="studies",
                ),
            )
        return place

    def _level(self, name: str, table: SheetTable, number: int, owner: int, cells: dict[str, str]) -> None:
        place = self._of_study(table, number, owner, cells.pop("study", ""))
        if place is not None:
            self._into_study(
                name, table, number, owner, place, {k: text or None for k, text in cells.items()}
            )

    def _result(self, name: str, table: SheetTable, number: int, owner: int, cells: dict[str, str]) -> None:
        place = self._of_study(table, number, owner, cells.pop("study", ""))
        if place is not None:
            row = [cells.get(column) or None for column in RESULT]
            self._into_study("data", table, number, owner, place, row)

    def _into_study(
        self, name: str, table: SheetTable, number: int, owner: int, place: int, item: Any
    ) -> None:
        _row, record, entry = self.records[owner]
        items = record["studies"][place].setdefault(name, [])
        entry.parts[f"studies.{place}.{name}.{len(items)}"] = (table, number)
        items.append(item)


# Workbooks out --------------------------------------------------------------------------------


def _column(sheet: str, name: str, numbers: Sequence[str] = ()) -> Column:
    bare = continued(name)[0]
    values = () if takes_several(sheet, bare) else choices(sheet, bare)
    if bare in ("method", "study"):
        return Column(name, Due.TEXT, (), 14)
    return Column(name, due(sheet, bare), values, width(sheet, bare))


def to_xlsx(records: Sequence[Mapping[str, Any]], *, right_to_left: bool = False) -> bytes:
    """Return records (content, with the hub's facts) as a workbook that ``read_file`` reads."""
    sheets = _sheets_of(records)
    cells = sum(len(sheet.columns) * len(list(sheet.rows)) for sheet in sheets)
    return workbooks.write_book(
        [*sheets, _readme()], many=cells > workbooks.MANY_CELLS, right_to_left=right_to_left
    )


def _sheets_of(records: Sequence[Mapping[str, Any]]) -> list[SheetToWrite]:
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in (METHODS, *SHEETS)}
    used: set[str] = set()
    for number, record in enumerate(records, start=1):
        key = str(record.get("code") or record.get("wished_code") or record.get("source_code") or number)
        if key.casefold() in used or _is_example(key):
            key = f"{key} #{number}"
        used.add(key.casefold())
        _put_record(rows, key, record)
    sheets = []
    for name, columns in ((METHODS, METHOD_COLUMNS), *SHEETS.items()):
        names, cells = spread(columns, rows[name])
        sheets.append(
            SheetToWrite(
                name,
                [_column(name, each) for each in names],
                [[row.get(each) for each in names] for row in cells],
            )
        )
    return sheets


def _put_record(rows: dict[str, list[dict[str, Any]]], key: str, record: Mapping[str, Any]) -> None:
    method: dict[str, Any] = {"method": key}
    for name in METHOD_COLUMNS[1:]:
        if name in exchange.SCALARS:
            method[name] = _value(record.get(name))
        elif name in exchange.GROUP_COLUMNS:
            group, part = exchange.GROUP_COLUMNS[name]
            method[name] = _value((record.get(group) or {}).get(part))
    method.update(exchange.fact_cells(record))
    rows[METHODS].append(method)
    for oligo in record["oligos"]:
        modifications = "\n".join(f"{each['after_base']} {each['name']}" for each in oligo["modifications"])
        rows["oligos"].append({"method": key, **oligo, "modifications": modifications})
    for name in ("oligo_sets", "reference_materials", "sources"):
        rows[name] += [{"method": key, **each} for each in record[name]]
    for number, study in enumerate(record["studies"], start=1):
        tie = {"method": key, "study": number}
        rows["studies"].append({**tie, **study})
        rows["levels"] += [{**tie, **level} for level in study["levels"]]
        rows["data"] += [{**tie, **dict(zip(RESULT, result, strict=True))} for result in study["data"]]
        rows["decisions"] += [{**tie, **decision} for decision in study["decisions"]]


def _value(value: Any) -> Any:
    return "\n".join(str(item) for item in value) if isinstance(value, list) else value


def _readme() -> SheetToWrite:
    """Return the sheet that says what each column means, in the reader's language."""
    names = (_("Sheet"), _("Column"), _("Meaning"), _("Values"), _("Needed"))
    rows: list[list[str]] = []
    for sheet, columns in ((METHODS, METHOD_COLUMNS), *SHEETS.items()):
        rows.append([sheet, "", str(SHEET_MEANINGS[sheet]), "", ""])
        for column in columns:
            needed = str(_("yes")) if column in NEEDED[sheet] else ""
            values = "" if column in ("method", "study") else ", ".join(choices(sheet, column))
            rows.append([sheet, column, str(meaning(sheet, column)), values, needed])
    widths = (22, 34, 70, 50, 10)
    return SheetToWrite(
        "README",
        [Column(str(name), width=size) for name, size in zip(names, widths, strict=True)],
        rows,
        is_text=True,
    )


EXAMPLE_RECORD: Final[Content] = check(
    {
        "wished_code": None,
        "title": "EXAMPLE – this row shows how it is filled in and is not read",
        "specificity": "event",
        "target": "maize event MON810",
        "targets": ["MON810"],
        "taxon": {"scientific": "Zea mays", "common": "maize"},
        "technique": "qpcr",
        "chemistry": "TaqMan",
        "quantitative": True,
        "oligos": [
            {"role": "forward", "name": "Mail-F1", "sequence": "TCGAAGGACGAAGGACTCTAACG"},
            {"role": "reverse", "name": "Mail-R1", "sequence": "GCCACCTTCCTTTTCCACTATCTT"},
            {
                "role": "probe",
                "name": "Mail-S2",
                "sequence": "AACATCCTTTGCCATTGCCCAGC",
                "label5": "FAM",
                "label3": "TAMRA",
                "final_concentration_nanomolar": 180,
            },
        ],
        "amplicon_bp": 92,
        "reference_materials": [
            {"name": "MON810 maize powder", "code": "ERM-BF413", "producer": "JRC", "certified_unit": "g/kg"}
        ],
        "reaction_microlitre": 25,
        "thermal_profile": "95 °C 10 min; 45 cycles of 95 °C 15 s, 60 °C 60 s",
        "matrices": ["maize flour", "feed"],
        "rights": ["free-for-regulators"],
        "studies": [
            {
                "kind": "collaborative-trial",
                "laboratories": 12,
                "unit": "% m/m",
                "levels": [{"label": "1 %", "assigned": 1, "mean": 0.98, "rsdr_percent": 12}],
            }
        ],
        "lmo_unique_identifiers": ["MON-00810-6"],
        "sources": [{"title": "Where the method is described", "year": 2024}],
    }
).content
"""What a template shows; rows under its code are not read."""


def template(format_: str, *, right_to_left: bool = False) -> bytes:
    """Return an empty file to fill in, ``csv`` or ``xlsx``, with an example that is not read."""
    record = {**EXAMPLE_RECORD, "code": EXAMPLE}
    if format_ == "csv":
        return exchange.to_csv([record])
    sheets = _sheets_of([{**record, "code": None, "wished_code": EXAMPLE}])
    for sheet in sheets:
        sheet.rows = [[EXAMPLE if cell == f"{EXAMPLE} #1" else cell for cell in row] for row in sheet.rows]
    return workbooks.write_book([*sheets, _readme()], right_to_left=right_to_left)


# Corrected ------------------------------------------------------------------------------------


def corrected(sent: Sent, errors: Errors, *, right_to_left: bool = False) -> bytes:
    """Return what was sent as a workbook with the wrong cells marked, and a first sheet that lists them.

    ``errors`` are all problems by place. Corrections that cannot mislead are made and marked in another
    colour: blanks and lower case in oligos, U for T, spelling of unique identifiers.
    """
    sheets = sent.sheets if sent.sheets is not None else [_sheet_of_csv(sent)]
    by_place = {place: " ".join(str(text) for text in errors[place]) for place in in_order(errors)}
    listed: list[list[str]] = []
    written = []
    for sheet in sheets:
        if sheet.name.strip().casefold() in {name.casefold() for name in IGNORED}:
            continue
        written.append(_corrected_sheet(sheet, by_place, sent))
    for place, text in list(by_place.items())[:MOST_PROBLEMS]:
        listed.append([place, text])
    columns = [Column(str(_("Place")), width=34), Column(str(_("What to correct")), width=100)]
    first = SheetToWrite("problems", columns, listed, is_text=True)
    cells = sum(len(sheet.cells) for sheet in sheets)
    return workbooks.write_book(
        [first, *written], many=cells > workbooks.MANY_CELLS, right_to_left=right_to_left
    )


_ROW_AND_COLUMN: Final = re.compile(r"(.*)!([A-Z]*)([0-9]*).*|row ([0-9]+), (.*)", re.DOTALL)


def in_order(places: Iterable[str]) -> list[str]:
    """Return places in the order of sheets, rows and columns; what has no place comes first.

    >>> in_order(["methods!C10", "methods!AA2", "oligos!A1", "methods!B2", "row 9, x", "mine"])
    ['mine', 'row 9, x', 'methods!B2', 'methods!AA2', 'methods!C10', 'oligos!A1']
    """
    sheets = {name: place for place, name in enumerate((METHODS, *SHEETS), start=2)}

    def key(place: str) -> tuple[int, str, int, int, str]:
        match = _ROW_AND_COLUMN.fullmatch(place)
        if match is None:
            return 0, place, 0, 0, ""
        if match[4]:
            return 1, "", int(match[4]), 0, match[5]
        return sheets.get(match[1], 99), match[1], int(match[3] or 0), len(match[2]), match[2]

    return sorted(places, key=key)


def _sheet_of_csv(sent: Sent) -> Sheet:
    sheet = Sheet(METHODS)
    if sent.csv is not None:
        sheet.cells.update({(1, n): Cell(name) for n, name in enumerate(sent.csv.columns, start=1)})
        for row, cells in enumerate(sent.csv.rows, start=2):
            for column, name in enumerate(sent.csv.columns, start=1):
                if cells.get(name):
                    sheet.cells[row, column] = Cell(cells[name])
    return sheet


def _corrected_sheet(sheet: Sheet, by_place: Mapping[str, str], sent: Sent) -> SheetToWrite:
    rows, columns = (max((place[axis] for place in sheet.cells), default=1) for axis in (0, 1))
    names = [original(sheet.cells.get((1, n), Cell("")).text).strip() for n in range(1, columns + 1)]
    name = sheet.name.strip().casefold()
    key = name if name in SHEETS else METHODS
    marks: dict[Place, str] = {}
    changed: dict[Place, str] = {}
    for (row, column), cell in sheet.cells.items():
        place = f"row {row}, {names[column - 1]}" if sent.sheets is None else sheet.address(row, column)
        if place in by_place:
            marks[row, column] = by_place[place]
        if row > 1 and cell.holds is Holds.TEXT:
            better = _better(key, names[column - 1], cell.text)
            if better != cell.text:
                sheet.cells[row, column] = Cell(better)
                changed[row, column] = str(_("It was: %(text)s", text=shown(cell.text, 200)))
    marks |= _marks_of_empty_cells(sheet, by_place, names, rows, sent)
    return SheetToWrite(
        sheet.name,
        [_sent_column(key, each) for each in names],
        _lines(sheet, rows, columns),
        marks=marks,
        changed={place: text for place, text in changed.items() if place not in marks},
    )


def _marks_of_empty_cells(
    sheet: Sheet, by_place: Mapping[str, str], names: Sequence[str], rows: int, sent: Sent
) -> dict[Place, str]:
    """Return the marks of cells that are wrong because nothing stands there."""
    found: dict[Place, str] = {}
    for place, text in by_place.items():
        where = _csv_place(place, names) if sent.sheets is None else workbooks.place_of(place, sheet.name)
        if where is not None and where not in sheet.cells and where[0] <= rows and where[1] <= len(names):
            found[where] = text
    return found


def _csv_place(place: str, names: Sequence[str]) -> Place | None:
    row, _comma, column = place.removeprefix("row ").partition(", ")
    return (int(row), names.index(column) + 1) if row.isdigit() and column in names else None


def _sent_column(sheet: str, name: str) -> Column:
    bare = continued(name)[0]
    known = METHOD_COLUMNS if sheet == METHODS else SHEETS[sheet]
    return _column(sheet, name) if bare in known else Column(name, Due.TEXT, (), 20)


def _lines(sheet: Sheet, rows: int, columns: int) -> Iterable[list[Any]]:
    for row in range(2, rows + 1):
        yield [_as_sent(sheet.cells.get((row, column))) for column in range(1, columns + 1)]


def _as_sent(cell: Cell | None) -> Any:
    """Return a value as it is written back; what a cell cannot hold is cut, for it was refused."""
    if cell is None:
        return None
    if cell.holds is Holds.NUMBER:
        try:
            return float(cell.text)
        except ValueError:
            return cell.text
    if cell.holds is Holds.BOOLEAN:
        return cell.text == "true"
    text = original(cell.text)
    return "".join(sign for sign in text if sign in "\n\t" or sign.isprintable())[
        : workbooks.LONGEST_CELL - 1
    ]


def _better(sheet: str, column: str, text: str) -> str:
    """Return a cell with the corrections that cannot mislead.

    >>> _better("oligos", "sequence", " acg uu "), _better("methods", "lmo_unique_identifiers", "mon-ØØ81Ø-6")
    ('ACGTT', 'MON-00810-6')
    """
    bare = continued(column)[0]
    match = exchange.OLIGO_COLUMN.fullmatch(bare)
    if bare == "sequence" or (match and match[3] == "sequence"):
        try:
            read = read_oligo(text)
        except Invalid:
            return text
        return text if read.modifications else read.bases
    if bare == "lmo_unique_identifiers":
        lines = [unique_identifier.normalise(" ".join(line.split())) for line in text.split("\n")]
        return "\n".join(line for line in lines if line)
    if bare in ("amplicon",):
        plain = "".join(text.split()).upper()
        return plain.replace("U", "T") if set(plain) <= set("ACGTURYSWKMBDHVN") else text
    return text.strip() if due(sheet, bare) is Due.CODE and bare in _known(sheet) else text


def _known(sheet: str) -> Sequence[str]:
    return METHOD_COLUMNS if sheet == METHODS else SHEETS[sheet]
