"""Files of Parties and laboratories: read strictly, checked cell by cell, written in the same shape."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from labhub import cells
from labhub.accounts.models import GroupKind, Region, StatusKind
from labhub.errors import Invalid
from labhub.i18n import Text, _
from labhub.names import clean_name

LARGEST_FILE_BYTES = 10 * 1024 * 1024

PARTY_LANGUAGES = ("en", "fr", "es", "zh", "ar", "ru")
PARTY_COLUMNS = (
    "iso2",
    "iso3",
    *(f"name_{language}" for language in PARTY_LANGUAGES),
    "region",
    "status",
    "party_since",
    "ldc",
    "sids",
    "eit",
    "source",
    "verified",
)
PARTY_NEEDED = (*PARTY_COLUMNS[:8], "status")
LABORATORY_COLUMNS = (
    "code",
    "name",
    "party",
    "email",
    "address",
    "languages",
    "services",
    "accreditation",
)
LABORATORY_NEEDED = ("code", "name")

Errors = dict[str, list[Text]]


@dataclass(frozen=True)
class PartyRow:
    """One checked row of a file of Parties."""

    iso2: str
    iso3: str
    names: Mapping[str, str]
    region: Region | None
    status: StatusKind
    party_since: date | None
    groups: frozenset[GroupKind]
    source: str
    verified: bool


def read_records(path: Path, columns: Collection[str], needed: Collection[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header, or of a JSON array of objects, as plain text cells.

    Raises ``Invalid`` when the file as a whole cannot be read; its message names file and row.
    Text stays text: Namibia's code ``NA`` is not a missing value.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Invalid(
            _("%(file)s cannot be read: %(reason)s.", file=path.name, reason=error.strerror or "")
        ) from error
    if len(raw) > LARGEST_FILE_BYTES:
        raise Invalid(_("%(file)s is larger than %(number)s MiB.", file=path.name, number=10), field="file")
    is_json = path.suffix.casefold() == ".json" or raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["
    rows = _json_rows(path.name, raw) if is_json else _csv_rows(path.name, raw)
    if not rows:
        raise Invalid(_("%(file)s holds no rows.", file=path.name), field="file")
    names = {name for row in rows for name in row}
    problems = [_("Column %(name)s is not known.", name=name) for name in sorted(names - set(columns))]
    missing = {name for name in needed if any(name not in row for row in rows)}
    problems += [_("Column %(name)s is missing.", name=name) for name in sorted(missing)]
    if problems:
        raise Invalid(
            _("%(file)s was not imported: its columns are wrong. Nothing was stored.", file=path.name),
            errors={"file": problems},
        )
    return rows


def _csv_rows(file: str, raw: bytes) -> list[dict[str, str]]:
    rows = cells.read_csv(raw, file=file)
    return [
        {name: cell.strip() for name, cell in row.items()}
        for row in rows
        if any(map(str.strip, row.values()))
    ]


def _json_rows(file: str, raw: bytes) -> list[dict[str, str]]:
    records = cells.read_json(raw, file=file)
    if not isinstance(records, list):
        raise Invalid(_("%(file)s must hold a JSON array of objects.", file=file), field="file")
    rows = []
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict) or any(isinstance(cell, (dict, list)) for cell in record.values()):
            raise Invalid(
                _(
                    "%(file)s, row %(number)s: an object with plain values is needed.",
                    file=file,
                    number=number,
                ),
                field=f"row {number}",
            )
        rows.append({name: _cell(value) for name, value in record.items()})
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return str(value).strip()


def party_row(given: Mapping[str, str]) -> tuple[PartyRow | None, Errors]:
    """Return the checked row, or every problem of its cells."""
    errors: Errors = {}

    def take(name: str, pattern: str, text: Text) -> str:
        value = given.get(name, "").upper()
        if not re.fullmatch(pattern, value):
            errors[name] = [text]
        return value

    iso2 = take("iso2", "[A-Z]{2}", _("Use the two-letter ISO 3166 code."))
    iso3 = take("iso3", "[A-Z]{3}", _("Use the three-letter ISO 3166 code."))
    names = {}
    for language in PARTY_LANGUAGES:
        column = f"name_{language}"
        try:
            names[language] = clean_name(given.get(column, ""), field=column, longest=120)
        except Invalid as refusal:
            errors[column] = [refusal.message]
    region = given.get("region", "")
    if region and region not in list(Region):
        errors["region"] = [_("Choose among: %(names)s.", names=", ".join(Region))]
    status = given.get("status", "")
    if status not in list(StatusKind):
        errors["status"] = [_("Choose among: %(names)s.", names=", ".join(StatusKind))]
    since = None
    if given.get("party_since"):
        try:
            since = date.fromisoformat(given["party_since"])
        except ValueError:
            errors["party_since"] = [_("Write the day as 2003-09-11.")]
        if status == StatusKind.NON_PARTY:
            errors["party_since"] = [_("A non-Party has no day since when it is a Party.")]
    flags = {}
    for name in (*GroupKind, "verified"):
        value = given.get(name, "") or "0"
        if value not in ("0", "1"):
            errors[str(name)] = [_("Write 1 for yes or 0 for no.")]
        flags[str(name)] = value == "1"
    if len(given.get("source", "")) > 300:
        errors["source"] = [_("At most %(number)s characters.", number=300)]
    if errors:
        return None, errors
    row = PartyRow(
        iso2,
        iso3,
        names,
        Region(region) if region else None,
        StatusKind(status),
        since,
        frozenset(kind for kind in GroupKind if flags[kind]),
        given.get("source", ""),
        flags["verified"],
    )
    return row, {}


def to_csv(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> bytes:
    """Return rows as CSV in UTF-8 with a header; what ``read_records`` takes back."""
    return cells.write_csv(columns, [{name: _written(row.get(name)) for name in columns} for row in rows])


def to_json(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> bytes:
    """Return rows as a JSON array; what ``read_records`` takes back."""
    plain = [{name: _written(row.get(name)) for name in columns} for row in rows]
    return (json.dumps(plain, ensure_ascii=False, indent=1) + "\n").encode()


def _written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return str(value)
