"""Tables of raw trial results as people send them, read into rows laboratory x level x replicate.

Three layouts are known by their first line:

* long: ``laboratory, level, replicate, value`` (``replicate`` and ``assigned`` may be left out or added);
* a column for each level: ``laboratory, replicate, 0.1 %, 1 %, ...``; a line whose laboratory is ``assigned``
  gives the assigned values;
* a column for each replicate: ``laboratory, level, 1, 2, 3`` (``assigned`` may be added).

Results are numbers (point or comma), or ``+`` and ``-`` for a yes/no test; an empty cell is a missing result.
Nothing is guessed: every cell that does not fit is named by row and column, all of them at once.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from labhub.errors import Invalid
from labhub.i18n import Text, _
from labhub.workbooks import letters

LABORATORY = frozenset(
    {"laboratory", "lab", "labor", "laboratoire", "laboratorio", "лаборатория", "مختبر", "المختبر", "实验室"}
)
LEVEL = frozenset({"level", "sample", "niveau", "nivel", "уровень", "المستوى", "مستوى", "水平"})
REPLICATE = frozenset(
    {"replicate", "rep", "réplicat", "réplica", "replica", "повтор", "مكرر", "المكرر", "重复"}
)
VALUE = frozenset(
    {"value", "result", "valeur", "résultat", "valor", "resultado", "результат", "القيمة", "النتيجة", "结果"}
)
ASSIGNED = frozenset({"assigned", "assigned value", "true value", "valeur assignée", "القيمة المسندة"})

POSITIVE = frozenset({"+", "pos", "positive", "detected", "yes"})
NEGATIVE = frozenset({"-", "−", "–", "neg", "negative", "not detected", "nd", "n.d.", "no"})
MISSING = frozenset({"", "na", "n.a.", "n/a", "nan"})

MOST_RESULTS = 5_000
MOST_PROBLEMS = 200
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]+)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_AMOUNT = re.compile(r"([0-9]+(?:[.,][0-9]+)?)\s*(%.*|cop.*|cp.*)", re.IGNORECASE)
_WHOLE = re.compile(r"[0-9]{1,4}")
_REPLICATE_NAME = re.compile(r"(?:[^\W\d_]+\s*)?([0-9]{1,4})")

Layout = Literal["long", "levels", "replicates"]


@dataclass(slots=True)
class TrialTable:
    """Raw results with what the table said beside them."""

    layout: Layout
    rows: list[list[Any]] = field(default_factory=list)
    """``[laboratory, level, replicate, value]``; the value of a yes/no test is 1 or 0."""
    assigned: dict[str, float] = field(default_factory=dict)
    is_qualitative: bool = False


@dataclass(slots=True)
class _Entry:
    row: int
    column: int
    laboratory: str
    level: str
    replicate: int
    text: str


def read_grid(grid: Sequence[Sequence[str]], *, first_row: int = 1) -> TrialTable:
    """Return the results of a table, its first line holding the names of the columns.

    ``first_row`` is the number of that line in the file. Raises ``Invalid`` with every problem by its place.
    """
    if not grid:
        raise Invalid(_("The table is empty."), field="file")
    reader = _Reader(grid, first_row)
    table = reader.read()
    if reader.errors:
        raise Invalid(_("The table cannot be used as it is. Correct the cells named."), errors=reader.errors)
    return table


def amount_of(label: str) -> float | None:
    """Return the amount that the name of a level says with its unit; a bare number may be a mere name.

    >>> amount_of("0.1 %"), amount_of("10 copies"), amount_of("3"), amount_of("Level 3")
    (0.1, 10.0, None, None)
    """
    found = _AMOUNT.fullmatch(label.strip())
    return float(found[1].replace(",", ".")) if found else None


def number_of(text: str) -> float | None:
    """Return a number written with point or comma, or None.

    >>> number_of("0,71"), number_of("1e-3"), number_of("−2"), number_of("1.234,5")
    (0.71, 0.001, -2.0, None)
    """
    plain = text.strip().replace("−", "-")
    return float(plain.replace(",", ".")) if _NUMBER.fullmatch(plain) else None


class _Reader:
    def __init__(self, grid: Sequence[Sequence[str]], first_row: int) -> None:
        self.first_row = first_row
        self.header = [" ".join(cell.split()) for cell in grid[0]]
        self.lines = grid[1:]
        self.errors: dict[str, list[Text]] = {}
        self.dropped = 0

    def wrong(self, row: int, column: int | None, message: Text) -> None:
        if len(self.errors) >= MOST_PROBLEMS:
            return
        place = f"row {row}" if column is None else f"row {row}, column {letters(column + 1)}"
        self.errors.setdefault(place, []).append(message)

    def column(self, names: frozenset[str]) -> int | None:
        found = [place for place, name in enumerate(self.header) if name.casefold() in names]
        if len(found) > 1:
            self.wrong(self.first_row, found[1], _("This column stands twice in the first line."))
        return found[0] if found else None

    def read(self) -> TrialTable:
        laboratory, level = self.column(LABORATORY), self.column(LEVEL)
        replicate, value = self.column(REPLICATE), self.column(VALUE)
        assigned = self.column(ASSIGNED)
        if laboratory is None:
            self.wrong(self.first_row, None, _("Name a column “laboratory” in the first line."))
            return TrialTable("long")
        if value is not None and level is None:
            self.wrong(self.first_row, None, _("Name a column “level” in the first line."))
            return TrialTable("long")
        named = {place for place in (laboratory, level, replicate, value, assigned) if place is not None}
        others = [place for place in range(len(self.header)) if place not in named]
        if value is not None:
            table = TrialTable("long")
            columns = [value]
            for place in others:
                if self.header[place]:
                    self.wrong(self.first_row, place, _("This column is not known here. Take it out."))
        else:
            table = TrialTable("levels" if level is None else "replicates")
            columns = others
            while columns and not self.header[columns[-1]] and self._is_empty(columns[-1]):
                columns.pop()
            if not columns:
                self.wrong(self.first_row, None, _("The table has no column with results."))
        entries = self._entries(table, laboratory, level, replicate, assigned, columns)
        self._fill(table, entries)
        return table

    def _is_empty(self, column: int) -> bool:
        return all(len(line) <= column or not line[column].strip() for line in self.lines)

    def _entries(
        self,
        table: TrialTable,
        laboratory: int,
        level: int | None,
        replicate: int | None,
        assigned: int | None,
        columns: Sequence[int],
    ) -> list[_Entry]:
        entries: list[_Entry] = []
        counted: dict[tuple[str, str], int] = {}
        seen: dict[tuple[str, str, int], str] = {}
        numbers = self._replicate_columns(columns) if table.layout == "replicates" else {}
        names = self._level_columns(columns) if table.layout == "levels" else {}
        for offset, line in enumerate(self.lines, start=1):
            row = self.first_row + offset
            cells = [" ".join(cell.split()) for cell in line]
            cells += [""] * (len(self.header) - len(cells))
            if not any(cells):
                continue
            if any(cells[len(self.header) :]):
                self.wrong(row, len(self.header), _("This cell has no name in the first line."))
            name = cells[laboratory]
            if not name:
                self.wrong(row, laboratory, _("Name the laboratory in each line."))
                continue
            if len(name) > 100:
                self.wrong(row, laboratory, _("At most %(number)s characters.", number=100))
                continue
            if table.layout == "levels" and name.casefold() in ASSIGNED:
                for place, label in names.items():
                    self._assign(table, row, place, label, cells[place])
                continue
            for place in columns:
                label = names[place] if table.layout == "levels" else cells[level or 0]
                if table.layout != "levels" and not label:
                    self.wrong(row, level, _("Name the level in each line."))
                    break
                if len(label) > 100:
                    self.wrong(row, level, _("At most %(number)s characters.", number=100))
                    break
                if table.layout == "replicates":
                    number: int | None = numbers[place]
                elif replicate is not None:
                    number = self._number_of_replicate(row, replicate, cells[replicate])
                else:
                    number = counted[(name, label)] = counted.get((name, label), 0) + 1
                if number is None:
                    break
                if before := seen.get((name, label, number)):
                    self.wrong(
                        row,
                        place,
                        _("This laboratory, level and replicate stands already in %(place)s.", place=before),
                    )
                    continue
                seen[(name, label, number)] = f"{letters(place + 1)}{row}"
                entries.append(_Entry(row, place, name, label, number, cells[place]))
                if len(entries) > MOST_RESULTS:
                    self.wrong(row, None, _("At most %(number)s results.", number=MOST_RESULTS))
                    return entries
            if assigned is not None and table.layout != "levels" and cells[assigned]:
                self._assign(table, row, assigned, cells[level or 0], cells[assigned])
        return entries

    def _level_columns(self, columns: Sequence[int]) -> dict[int, str]:
        names: dict[int, str] = {}
        for place in columns:
            name = self.header[place]
            if not name:
                self.wrong(self.first_row, place, _("Name the level in the first line."))
            elif name in names.values():
                self.wrong(self.first_row, place, _("This column stands twice in the first line."))
            names[place] = name[:100] or letters(place + 1)
        return names

    def _replicate_columns(self, columns: Sequence[int]) -> dict[int, int]:
        numbers: dict[int, int] = {}
        for place in columns:
            found = _REPLICATE_NAME.fullmatch(self.header[place])
            number = int(found[1]) if found else 0
            if not 1 <= number <= 1000:
                self.wrong(self.first_row, place, _("Number the columns of the replicates: 1, 2, 3."))
            elif number in numbers.values():
                self.wrong(self.first_row, place, _("This column stands twice in the first line."))
            numbers[place] = number or place + 1
        return numbers

    def _number_of_replicate(self, row: int, column: int, text: str) -> int | None:
        plain = text.removesuffix(".0")
        if not _WHOLE.fullmatch(plain) or not 1 <= int(plain) <= 1000:
            self.wrong(row, column, _("Number the replicate: 1, 2, 3."))
            return None
        return int(plain)

    def _assign(self, table: TrialTable, row: int, column: int, label: str, text: str) -> None:
        if not text:
            return
        number = number_of(text)
        if number is None or number < 0:
            self.wrong(row, column, _("“%(text)s” is not an assigned value. Write a number.", text=text[:40]))
        elif table.assigned.setdefault(label, number) != number:
            self.wrong(row, column, _("This level has another assigned value above."))

    def _fill(self, table: TrialTable, entries: Sequence[_Entry]) -> None:
        words = [entry.text.casefold() for entry in entries]
        said = [word for word in words if word not in MISSING]
        table.is_qualitative = bool(said) and (
            all(word in POSITIVE or word in NEGATIVE or word in ("0", "1") for word in said)
            and any(word in POSITIVE or word in NEGATIVE for word in said)
        )
        for entry, word in zip(entries, words, strict=True):
            value: float | None = None
            if word in MISSING:
                pass
            elif table.is_qualitative:
                value = 1.0 if word in POSITIVE or word == "1" else 0.0
            else:
                value = number_of(entry.text)
                if value is None:
                    self.wrong(entry.row, entry.column, _not_a_number(entry.text))
                    continue
                if abs(value) > 1e15:
                    self.wrong(entry.row, entry.column, _("This number is too large."))
                    continue
            table.rows.append([entry.laboratory, entry.level, entry.replicate, value])
        if not said and not self.errors:
            self.errors["file"] = [_("The table holds no result.")]


def _not_a_number(text: str) -> Text:
    if text.startswith(("<", ">", "≤", "≥")):
        return _(
            "“%(text)s” is a limit, not a result. Give the number measured, or leave the cell empty.",
            text=text[:40],
        )
    return _(
        "“%(text)s” is not a result. Write a number with one decimal sign, + or - for a yes/no test, "
        "or leave the cell empty.",
        text=text[:40],
    )
