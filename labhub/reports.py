"""What an import says of each row; printed by commands, shown by pages, answered by the API."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from labhub.errors import Invalid
from labhub.i18n import Text, _

MOST_PLACES = 2_000
"""Places with problems that one refusal names."""


class Outcome(StrEnum):
    """What happened to one row."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    SKIPPED = "skipped"
    """Left out because it cannot be kept, as the user allowed; the rest of the file was read."""


@dataclass
class RowReport:
    """One row of a file: its number (1 is the first record), its key, and what is wrong by field."""

    row: int
    key: str
    outcome: Outcome
    errors: dict[str, list[Text]] = field(default_factory=dict)
    warnings: list[Text] = field(default_factory=list)
    is_placed: bool = False
    """The errors are keyed by place in the file (``oligos!C7``), not by field."""

    def errors_by_place(self) -> dict[str, list[Text]]:
        """Return the errors, each keyed by its place: ``row 3, sequence`` unless it says more."""
        if self.is_placed or not self.row:
            return self.errors
        return {f"row {self.row}, {name}": texts for name, texts in self.errors.items()}


@dataclass
class ImportReport:
    """The outcome of one file: all rows, or none when one was refused."""

    file: str
    rows: list[RowReport] = field(default_factory=list)
    errors: dict[str, list[Text]] = field(default_factory=dict)
    """Problems of the file that belong to no row, by place."""
    notes: list[Text] = field(default_factory=list)
    """What was assumed about the file."""
    corrected: Callable[[], bytes] | None = None
    """Makes the file again as a workbook in which what is wrong is marked."""

    @property
    def is_refused(self) -> bool:
        """Whether the file or any row was refused, so that nothing is stored."""
        return bool(self.errors) or any(row.outcome is Outcome.REFUSED for row in self.rows)

    def count(self, outcome: Outcome) -> int:
        """Return how many rows had this outcome."""
        return sum(row.outcome is outcome for row in self.rows)

    def all_errors(self) -> dict[str, list[Text]]:
        """Return every problem by its place."""
        found = {place: list(texts) for place, texts in self.errors.items()}
        for row in self.rows:
            for place, texts in row.errors_by_place().items():
                found.setdefault(place, []).extend(texts)
        return found

    def raise_if_refused(self) -> None:
        """Raise ``Invalid`` with every problem, keyed ``row 3, sequence``; the transaction rolls back."""
        if not self.is_refused:
            return
        errors = self.all_errors()
        more = len(errors) - MOST_PLACES
        if more > 0:
            errors = dict(list(errors.items())[:MOST_PLACES])
            errors["file"] = [_("There are problems in %(number)s further places.", number=more)]
        raise Invalid(
            _(
                "%(file)s was not imported: correct the rows that are listed. Nothing was stored.",
                file=self.file,
            ),
            errors=errors,
        )
