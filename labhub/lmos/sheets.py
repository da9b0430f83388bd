"""The matrix as XLSX: signs are text, the first row and the names of LMOs stay in sight."""

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

from xlsxwriter import Workbook

OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
KEYS = ("unique_identifier", "event", "taxon_scientific")
COLOURS = {"+": "#CFE8D5", "-": "#F3D9D6", "±": "#FBE9A9"}


def write_matrix(elements: Sequence[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the matrix as one sheet: a row for each LMO, a column for each element, a sign in each cell."""
    out = BytesIO()
    with Workbook(out, OPTIONS) as book:
        sheet = book.add_worksheet("matrix")
        head = book.add_format({"bold": True, "rotation": 90, "valign": "bottom"})
        plain = book.add_format({"bold": True, "valign": "bottom"})
        signs = {
            sign: book.add_format({"align": "center", "bg_color": colour}) for sign, colour in COLOURS.items()
        }
        other = book.add_format({"align": "center"})
        sheet.freeze_panes(1, len(KEYS))
        sheet.set_column(0, len(KEYS) - 1, 22)
        sheet.set_column(len(KEYS), len(KEYS) + len(elements), 4)
        for place, name in enumerate(("unique_identifier", "event", "taxon")):
            sheet.write_string(0, place, name, plain)
        for place, element in enumerate(elements, start=len(KEYS)):
            sheet.write_string(0, place, element["name"], head)
        for line, row in enumerate(rows, start=1):
            for place, key in enumerate(KEYS):
                sheet.write_string(line, place, row[key] or "")
            for place, element in enumerate(elements, start=len(KEYS)):
                sign = str(row["signs"][element["name"]])
                sheet.write_string(line, place, sign, signs.get(sign, other))
    return out.getvalue()
