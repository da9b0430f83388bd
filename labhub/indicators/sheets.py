"""Tables as XLSX: text stays text, numbers are numbers, nothing becomes a formula or a link."""

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO

from xlsxwriter import Workbook

OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}


def write_xlsx(
    columns: Sequence[str], rows: Iterable[Mapping[str, str]], *, numbers: Sequence[str] = ()
) -> bytes:
    """Return rows of text cells as one sheet; the columns in ``numbers`` hold whole numbers or nothing."""
    out = BytesIO()
    with Workbook(out, OPTIONS) as book:
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, columns, book.add_format({"bold": True}))
        for line, row in enumerate(rows, start=1):
            for place, name in enumerate(columns):
                text = row.get(name, "")
                if name in numbers and text:
                    sheet.write_number(line, place, int(text))
                else:
                    sheet.write_string(line, place, text)
    return out.getvalue()
