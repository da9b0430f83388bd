"""Tables as CSV, and strict JSON: what every import reads and every export writes, without a database.

A cell of text that a spreadsheet could take for a formula gets an apostrophe in front on the way out
and loses it on the way in, so that export and import give the same text (``trust.md`` C5).
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

from labhub import strict_json
from labhub.errors import Invalid
from labhub.i18n import _

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


def read_csv(content: bytes, *, file: str, needed: Sequence[str] = ()) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column, or refuse it with every problem of its shape.

    Empty lines at the end are left out. Those before a row are refused, so that row N is always the
    spreadsheet's row N + 1.
    """
    text = decode(content, file=file)
    try:
        reader = csv.reader(StringIO(text, newline=""), strict=True)
        lines = [(reader.line_num, line) for line in reader]
    except csv.Error as error:
        raise Invalid(
            _("%(file)s is not a CSV file with commas: %(reason)s.", file=file, reason=str(error)),
            field="file",
        ) from error
    while lines and not lines[-1][1]:
        lines.pop()
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
        raise Invalid(_("%(file)s: a column stands twice in the first line.", file=file), field="file")
    missing = [name for name in needed if name not in columns]
    if missing:
        raise Invalid(
            _("%(file)s lacks the columns %(names)s.", file=file, names=", ".join(missing)), field="file"
        )
    rows: list[dict[str, str]] = []
    errors: dict[str, list[Any]] = {}
    for number, (_place, line) in enumerate(lines[1:], start=1):
        if len(line) != len(columns):
            errors[f"row {number}"] = [
                _("%(found)s cells instead of %(due)s.", found=len(line), due=len(columns))
            ]
        rows.append(dict(zip(columns, (original(cell) for cell in line), strict=False)))
    if errors:
        raise Invalid(_("%(file)s: some rows have too many or too few cells.", file=file), errors=errors)
    return rows


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
        line = content[: error.start].count(b"\n") + 1
        raise Invalid(
            _("%(file)s is not UTF-8: see line %(line)s. Save it as UTF-8.", file=file, line=line),
            field="file",
        ) from error
    if "\x00" in text:
        raise Invalid(_("%(file)s holds a NUL sign; it is not a text file.", file=file), field="file")
    return text
