"""Tables as CSV, and strict JSON: what every import reads and every export writes, without a database.

CSV is read as UTF-8, as UTF-16 with its mark, and as Windows-1252 where nothing else can be meant; commas,
semicolons and tabs separate the columns. What was assumed is said in the notes of the table
(``docs/decisions/0020-tables.md``).

A cell of text that a spreadsheet could take for a formula gets an apostrophe in front on the way out
and loses it on the way in, so that export and import give the same text (``trust.md`` C5).
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Final

from labhub import strict_json
from labhub.errors import Invalid
from labhub.file_kinds import MAX_CSV_CELL, MAX_CSV_COLUMNS, shown
from labhub.i18n import Text, _

_BEFORE = re.compile("[ \n\v\f\u00a0\u00ad\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]*")
_FORMULA = frozenset("=+-@|\t\r\uff1d\uff0b\uff0d\uff20\uff5c\u2212\ufe62\ufe63\ufe66\ufe6b")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def neutralise(text: str) -> str:
    """Return a cell's text so that no spreadsheet takes it for a formula; numbers stay numbers.

    >>> [neutralise(text) for text in ("=1+1", " @SUM(A1)", "-5.2", "P-35S", "'=1")]
    ["'=1+1", "' @SUM(A1)", '-5.2', 'P-35S', "''=1"]
    """
    return "'" + text if _is_formula(text) else text


def original(cell: str) -> str:
    """Return the text that ``neutralise`` made a cell of.

    >>> [original(cell) for cell in ("'=1+1", "'quoted'", "''=1", "-5.2")]
    ['=1+1', "'quoted'", "'=1", '-5.2']
    """
    return cell[1:] if cell.startswith("'") and _is_formula(cell[1:]) else cell


def _is_formula(text: str) -> bool:
    start = _BEFORE.sub("", text.lstrip("'"), count=1)
    return start[:1] in _FORMULA and start != "" and not _NUMBER.fullmatch(text)


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """Return rows of text as CSV: UTF-8, commas, quotes where needed, CR LF, formulas neutralised."""
    lines = ([neutralise(row.get(name, "")) for name in columns] for row in rows)
    return write_lines([[neutralise(name) for name in columns], *lines])


def write_lines(lines: Iterable[Sequence[str]]) -> bytes:
    """Return lines of cells as CSV, as they are: who calls has neutralised what came from people."""
    out = StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(lines)
    return out.getvalue().encode()


@dataclass
class Table:
    """A table that was read: its columns, its rows by column, and what was assumed about the file."""

    columns: list[str]
    rows: list[dict[str, str]]
    notes: list[Text] = field(default_factory=list)


LONGEST_PART = 32_000
"""Characters of a cell that is written; more goes on in the columns ``name (2)``, ``name (3)`` …"""
_CONTINUED = re.compile(r"(.+) \(([0-9]{1,3})\)")


def continued(column: str) -> tuple[str, int]:
    """Return the column that a column carries on, and which part of its text it holds.

    >>> continued("reagents"), continued("reagents (2)")
    (('reagents', 1), ('reagents', 2))
    """
    match = _CONTINUED.fullmatch(column)
    return (match[1], int(match[2])) if match and int(match[2]) > 1 else (column, 1)


def spread(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return columns and rows in which no text is longer than a spreadsheet's cell; more columns hold it."""
    most: dict[str, int] = {}
    spread_rows = []
    for row in rows:
        cells = dict(row)
        for name, value in row.items():
            if isinstance(value, str) and len(value) > LONGEST_PART:
                parts = [value[at : at + LONGEST_PART] for at in range(0, len(value), LONGEST_PART)]
                cells |= {name if n == 1 else f"{name} ({n})": part for n, part in enumerate(parts, 1)}
                most[name] = max(most.get(name, 1), len(parts))
        spread_rows.append(cells)
    names = [name if n == 1 else f"{name} ({n})" for name in columns for n in range(1, most.get(name, 1) + 1)]
    return names, spread_rows


def gathered(row: Mapping[str, str]) -> dict[str, str]:
    """Return a row whose texts in several columns are whole again.

    >>> gathered({"a": "x", "a (2)": "y", "b": ""})
    {'a': 'xy', 'b': ''}
    """
    if not any(column.endswith(")") for column in row):
        return dict(row)
    whole: dict[str, str] = {}
    for column in sorted(row, key=lambda name: continued(name)[1]):
        name, part = continued(column)
        whole[name] = whole.get(name, "") + row[column] if part > 1 else row[column]
    return whole


def read_csv(content: bytes, *, file: str, needed: Sequence[str] = ()) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column, or refuse it with every problem of its shape."""
    return read_table(content, file=file, needed=needed).rows


def read_table(content: bytes, *, file: str, needed: Sequence[str] = (), first_row: int = 1) -> Table:
    """Return a CSV file as a table, or refuse it with every problem of its shape.

    Empty lines at the end are left out. Those before a row are refused, so that record N is always the
    spreadsheet's row N + 1; ``first_row`` is the number that messages give the first record.
    """
    text, notes = decode_table(content, file=file)
    separator = _separator(text[: text.find("\n") + 1 or len(text)].rstrip("\r\n"), needed)
    if note := _SEPARATORS[separator]:
        notes.append(note)
    lines = _lines_of(text, separator, file)
    while lines and not (any(cell.strip() for cell in lines[-1][1]) if needed else lines[-1][1]):
        lines.pop()  # where a column is needed, a row of empty cells says nothing
    if not lines:
        raise Invalid(_("%(file)s is empty.", file=file), field="file")
    if empty := [str(place) for place, line in lines if not line]:
        raise Invalid(
            _(
                "%(file)s has empty lines between its rows: line %(lines)s. Delete them.",
                file=file,
                lines=", ".join(empty[:20]),
            ),
            field="file",
        )
    columns = [original(name).strip() for name in lines[0][1]]
    if len(set(columns)) != len(columns):
        twice = {name: None for name in columns if columns.count(name) > 1}
        raise Invalid(
            _("%(file)s: a column stands twice in the first line: %(names)s.", file=file, names=_list(twice)),
            field="file",
        )
    missing = [name for name in needed if name not in columns]
    if missing:
        raise Invalid(
            _("%(file)s lacks the columns %(names)s.", file=file, names=", ".join(missing)), field="file"
        )
    rows: list[dict[str, str]] = []
    errors: dict[str, list[Any]] = {}
    for number, (_place, line) in enumerate(lines[1:], start=first_row):
        if len(line) != len(columns):
            errors[f"row {number}"] = [
                _("%(found)s cells instead of %(due)s.", found=len(line), due=len(columns))
            ]
        rows.append(dict(zip(columns, (original(cell) for cell in line), strict=False)))
        for name, cell in zip(columns, line, strict=False):
            if len(cell) > MAX_CSV_CELL:
                errors[f"row {number}, {shown(name)}"] = [
                    _("A cell has at most %(most)s characters.", most=MAX_CSV_CELL)
                ]
    if errors:
        raise Invalid(
            _("%(file)s: some rows have too many or too few cells, or too much in a cell.", file=file),
            errors=errors,
        )
    return Table(columns, rows, notes)


def _list(names: Iterable[str]) -> str:
    return ", ".join(shown(name) for name in names)[:1000]


def _lines_of(text: str, separator: str, file: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[tuple[int, list[str]]] = []
    try:
        for line in reader:
            if len(line) > MAX_CSV_COLUMNS:
                raise Invalid(
                    _(
                        "Row %(row)s has more than %(most)s columns.",
                        row=len(lines) + 1,
                        most=MAX_CSV_COLUMNS,
                    ),
                    field="file",
                )
            lines.append((reader.line_num, line))
    except csv.Error as error:
        number = reader.line_num
        if "field larger" in str(error):
            message = _(
                "%(file)s: a cell in line %(line)s has more than %(most)s characters. "
                "Is a quotation mark open?",
                file=file,
                line=number,
                most=MAX_CSV_CELL,
            )
        else:
            message = _(
                "%(file)s is not a CSV file: see line %(line)s (%(reason)s).",
                file=file,
                line=number,
                reason=str(error),
            )
        raise Invalid(message, field="file") from error
    return lines


_SEPARATORS: Final[dict[str, Text | None]] = {
    ",": None,
    ";": _("The columns are separated by semicolons."),
    "\t": _("The columns are separated by tabs."),
}
"""What may stand between columns, and what the report says of it."""


def _separator(head: str, needed: Sequence[str]) -> str:
    """Return what separates the columns: the sign under which the first line has the columns due.

    >>> [_separator(head, ["a", "b"]) for head in ("a,b", "a;b", "a\\tb;c\\ta\\tb", '"a;x",b', "z")]
    [',', ';', '\\t', ',', ',']
    """

    def worth(sign: str) -> tuple[int, int]:
        names = {original(name).strip() for name in next(csv.reader([head], delimiter=sign), [])}
        return len(names & set(needed)), len(names) if sign == "," or sign in head else 0

    try:
        fitting = {sign: worth(sign) for sign in _SEPARATORS}
    except csv.Error:
        return ","
    if not needed and fitting[","][1] > 1:
        return ","
    return max(fitting, key=lambda sign: fitting[sign])


_BOMS: Final = (
    (b"\xff\xfe\x00\x00", ""),
    (b"\x00\x00\xfe\xff", ""),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_WESTERN: Final = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüœŒ")
_WESTERN_SIGNS: Final = frozenset("€…–—‘’“”•™\u00a0¡£§©ª«®°±²³´µ·¹º»¼½¾¿×‰")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_TWO_BYTES = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


def decode_table(content: bytes, *, file: str) -> tuple[str, list[Text]]:
    """Return the text of a table and what was assumed about its encoding.

    UTF-8 with or without its mark, UTF-16 with its mark, Windows-1252 when nothing else can be meant:
    only letters and signs of Western European texts, no three such letters in a row (as Cyrillic, Greek
    or Arabic would give), no sign within a word, no piece of UTF-8. Anything else is refused with its line.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            if not encoding:
                raise _not_utf8(file, 1)
            try:
                text = content.decode(encoding)
            except UnicodeDecodeError as error:
                line = content[: error.start].decode(encoding, "replace").count("\n") + 1
                raise _not_utf8(file, line) from error
            return _without_nul(text, file), [_("The file is in UTF-16.")]
    try:
        return _without_nul(content.decode("utf-8-sig"), file), []
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        western = None if _TWO_BYTES.search(content) else _western(content)
        if western is None:
            raise _not_utf8(file, line) from error
    text, sample = western
    note = _(
        "The file is not in UTF-8; it was read as Windows-1252 (see “%(sample)s” in line %(line)s). "
        "If this is not what you wrote, save it as UTF-8.",
        sample=sample,
        line=line,
    )
    return _without_nul(text, file), [note]


def _western(content: bytes) -> tuple[str, str] | None:
    """Return Windows-1252 text and its first word with a letter beyond ASCII, or nothing when in doubt."""
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        return None
    sample = ""
    for found in _BEYOND_ASCII.finditer(text):
        place, sign = found.start(), found[0]
        before, after = text[place - 1 : place], text[place + 1 : place + 2]
        if sign in _WESTERN:
            three = {before, sign, after}
            wrong = three <= _WESTERN and not three & {"Ø", "ø"}
        elif sign in _WESTERN_SIGNS:
            wrong = after.isalpha() and sign != "µ" and (before.isalpha() or sign in "¹³ª¿¡¼½¾")
        else:
            wrong = True
        if wrong:
            return None
        if not sample:
            start = max(text.rfind(end, 0, place) for end in '\n\r\t ,;"') + 1
            sample = re.split(r"[\s,;\"]", text[start : start + 40], maxsplit=1)[0]
    return text, sample


def _not_utf8(file: str, line: int) -> Invalid:
    return Invalid(
        _("%(file)s is not UTF-8: see line %(line)s. Save it as UTF-8.", file=file, line=line), field="file"
    )


def _without_nul(text: str, file: str) -> str:
    place = text.find("\x00")
    if place >= 0:
        line = text.count("\n", 0, place) + 1
        raise Invalid(
            _("%(file)s holds a NUL sign in line %(line)s; it is not a text file.", file=file, line=line),
            field="file",
        )
    return text


def read_json(content: bytes, *, file: str) -> Any:
    """Return the value of a strict JSON file; what another reader could take differently is refused."""
    text = decode(content, file=file)
    try:
        return strict_json.loads(text)
    except ValueError as error:
        raise Invalid(
            _("%(file)s is not valid JSON: %(reason)s.", file=file, reason=str(error)), field="file"
        ) from error


def decode(content: bytes, *, file: str) -> str:
    """Return text from UTF-8, with or without a byte order mark; other encodings and NUL are refused."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(file, content[: error.start].count(b"\n") + 1) from error
    return _without_nul(text, file)
