"""What a laboratory says it can run: columns of its table, the checks of a row, and what counts on a day."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from labhub.i18n import Text, _

VALID_FOR = timedelta(days=365)
"""How long an entry holds when no day is given."""
LONGEST_VALIDITY = timedelta(days=3 * 365)
REMIND_BEFORE = timedelta(days=30)
LONGEST_NOTE = 2000

BOOLEANS = ("runs", "accredited")
DATES = ("accredited_until", "material_until", "verified_on", "valid_until")
TEXTS = {
    "accreditation_reference": 100,
    "accreditation_body": 200,
    "accreditation_standard": 100,
    "material": 200,
    "material_code": 60,
    "note": LONGEST_NOTE,
}
COLUMNS = (
    "method",
    "runs",
    "accredited",
    "accreditation_reference",
    "accreditation_body",
    "accreditation_standard",
    "accredited_until",
    "material",
    "material_code",
    "material_until",
    "verified_on",
    "turnaround_days",
    "valid_until",
    "note",
)
"""Columns of the CSV file, out and in."""
VALUES = COLUMNS[1:]

_YES = frozenset({"yes", "true", "1", "x"})
_NO = frozenset({"no", "false", "0", ""})
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Errors = dict[str, list[Text]]


def from_cells(cells: Mapping[str, str]) -> tuple[dict[str, Any], Errors]:
    """Return the values of a row of text cells, and what is wrong by column; an empty cell is empty or no.

    >>> values, errors = from_cells({"method": "LH-1", "runs": "yes", "turnaround_days": "5"})
    >>> values["runs"], values["turnaround_days"], values["accredited_until"], errors
    (True, 5, None, {})
    """
    values: dict[str, Any] = {"method": cells.get("method", "").strip()}
    errors: Errors = {}
    for name in BOOLEANS:
        text = cells.get(name, "yes" if name == "runs" else "").strip().casefold()
        if text not in _YES | _NO:
            errors[name] = [_("Write yes or no.")]
        values[name] = text in _YES
    for name in DATES:
        text = cells.get(name, "").strip()
        values[name] = None
        if text:
            try:
                if not _DAY.fullmatch(text):
                    raise ValueError(text)
                values[name] = date.fromisoformat(text)
            except ValueError:
                errors[name] = [_("Write the day as year-month-day, such as 2027-03-31.")]
    days = cells.get("turnaround_days", "").strip()
    values["turnaround_days"] = int(days) if days.isdecimal() and len(days) < 6 else None
    if days and values["turnaround_days"] is None:
        errors["turnaround_days"] = [_("Write a whole number of days.")]
    for name in TEXTS:
        values[name] = cells.get(name, "").replace("\r\n", "\n").strip()
    return values, errors


def to_cells(values: Mapping[str, Any]) -> dict[str, str]:
    """Return a row as text cells, which ``from_cells`` reads back."""
    cells = {}
    for name in COLUMNS:
        value = values[name]
        if isinstance(value, bool):
            cells[name] = "yes" if value else "no"
        else:
            cells[name] = "" if value is None else str(value)
    return cells


def check(values: Mapping[str, Any], today: date) -> Errors:
    """Return what is wrong with the values of an entry, by field; ``valid_until`` may be empty (one year)."""
    errors: Errors = {}
    for name, longest in TEXTS.items():
        text = str(values.get(name) or "")
        if len(text) > longest:
            errors[name] = [_("At most %(number)s characters.", number=longest)]
        elif any(ord(sign) < 32 and sign not in "\n\t" for sign in text):
            errors[name] = [_("Control characters are not allowed here.")]
    if values.get("verified_on") and values["verified_on"] > today:
        errors["verified_on"] = [_("This day is still to come. Give the day on which it was verified.")]
    days = values.get("turnaround_days")
    if days is not None and not 1 <= days <= 1000:
        errors["turnaround_days"] = [_("Give between 1 and 1000 days.")]
    until = values.get("valid_until")
    if until is not None and until < today:
        errors["valid_until"] = [_("This day has passed. Leave it empty to confirm the entry for one year.")]
    elif until is not None and until > today + LONGEST_VALIDITY:
        errors["valid_until"] = [_("An entry holds for three years at most; confirm it again then.")]
    given = [
        name
        for name in ("accreditation_reference", "accreditation_body", "accreditation_standard")
        if values.get(name)
    ]
    if not values.get("accredited") and (given or values.get("accredited_until")):
        name = given[0] if given else "accredited_until"
        errors[name] = [_("Say that the method is accredited, or leave this empty.")]
    if values.get("material_until") and not (values.get("material") or values.get("material_code")):
        errors["material_until"] = [_("Name the reference material, or leave this empty.")]
    return errors


def is_current(values: Mapping[str, Any], today: date) -> bool:
    """Return whether an entry counts on a day: the method is run and the entry has not expired."""
    return bool(values["runs"]) and values["valid_until"] >= today


def is_accredited(values: Mapping[str, Any], today: date) -> bool:
    """Return whether the accreditation holds on a day."""
    return bool(values["accredited"]) and (
        values["accredited_until"] is None or values["accredited_until"] >= today
    )


def has_material(values: Mapping[str, Any], today: date) -> bool:
    """Return whether a reference material is at hand on a day."""
    return bool(values["material"] or values["material_code"]) and (
        values["material_until"] is None or values["material_until"] >= today
    )
