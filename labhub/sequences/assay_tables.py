"""Assays from a table ``id forward reverse probe``, tab-separated or CSV, for searching without a hub."""

import csv
import io

from labhub.errors import Invalid
from labhub.i18n import Message, _
from labhub.sequences.insilico import Assay

MOST_ASSAYS = 100_000
COLUMNS = ("id", "forward", "reverse", "probe")


def is_table(text: str) -> bool:
    """Say whether a text is such a table: its first line names, or has, an id and two primers.

    >>> is_table("id\\tforward\\treverse\\tprobe\\n"), is_table('[{"code": "A"}]')
    (True, False)
    """
    first = text.lstrip("\ufeff").partition("\n")[0].strip("\r")
    if "\t" in first:
        return True
    return {"id", "forward", "reverse"} <= {cell.strip().lower() for cell in first.split(",")}


def read_assays(text: str) -> list[Assay]:
    """Return the assays of a table; raises ``Invalid`` by row. An empty probe is none.

    >>> read_assays("id\\tforward\\treverse\\tprobe\\nA1\\tACGT\\tGGCC\\t\\n")
    [Assay(name='A1', forward='ACGT', reverse='GGCC', probe='')]
    """
    text = text.lstrip("\ufeff")
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    places = dict(zip(COLUMNS, range(4), strict=True))
    found: list[Assay] = []
    errors: dict[str, list[Message]] = {}
    names: set[str] = set()
    for number, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if number == 1 and "forward" in {cell.lower() for cell in cells}:
            header = {cell.lower(): place for place, cell in enumerate(cells)}
            places = {name: header[name] for name in COLUMNS if name in header}
            if missing := [name for name in COLUMNS[:3] if name not in places]:
                raise Invalid(_("The table of assays lacks the columns %(names)s.", names=", ".join(missing)))
            continue
        name, forward, reverse, probe = (
            cells[places[column]] if column in places and places[column] < len(cells) else ""
            for column in COLUMNS
        )
        where = f"row {number}"
        if not name or not name.isprintable() or len(name) > 200:
            errors[where] = [_("The assay has no readable name.")]
        elif name in names:
            errors[where] = [_("The name %(name)s stands twice.", name=name)]
        elif len(found) >= MOST_ASSAYS:
            raise Invalid(_("A table may have %(most)s assays.", most=MOST_ASSAYS))
        names.add(name)
        found.append(Assay(name, forward, reverse, probe))
    if errors:
        raise Invalid(
            _("The table of assays cannot be read: correct the rows that are named."),
            errors=errors,
        )
    if not found:
        raise Invalid(_("The table names no assay."))
    return found
