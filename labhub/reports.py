"""What an import says of each row; printed by commands, shown by pages, answered by the API."""

from dataclasses import dataclass, field
from enum import StrEnum

from labhub.errors import Invalid
from labhub.i18n import Text, _


class Outcome(StrEnum):
    """What happened to one row."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass
class RowReport:
    """One row of a file: its number (1 is the first record), its key, and what is wrong by field."""

    row: int
    key: str
    outcome: Outcome
    errors: dict[str, list[Text]] = field(default_factory=dict)
    warnings: list[Text] = field(default_factory=list)


@dataclass
class ImportReport:
    """The outcome of one file: all rows, or none when one was refused."""

    file: str
    rows: list[RowReport] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        """Whether any row was refused, so that nothing is stored."""
        return any(row.outcome is Outcome.REFUSED for row in self.rows)

    def count(self, outcome: Outcome) -> int:
        """Return how many rows had this outcome."""
        return sum(row.outcome is outcome for row in self.rows)

    def raise_if_refused(self) -> None:
        """Raise ``Invalid`` with every problem, keyed ``row 3, sequence``; the transaction rolls back."""
        if not self.is_refused:
            return
        errors: dict[str, list[Text]] = {}
        for row in self.rows:
            for name, texts in row.errors.items():
                errors.setdefault(f"row {row.row}, {name}" if row.row else name, []).extend(texts)
        raise Invalid(
            _(
                "%(file)s was not imported: correct the rows that are listed. Nothing was stored.",
                file=self.file,
            ),
            errors=errors,
        )
