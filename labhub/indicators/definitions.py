"""What each indicator is counted in, by which version of its rule, over which period and cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from labhub.errors import Refusal
from labhub.i18n import N_, _

FIRST_YEAR, LAST_YEAR = 2000, 2100


class Dimension(StrEnum):
    """What a figure can be split by."""

    PARTY = "party"
    REGION = "region"
    GROUP = "group"
    YEAR = "year"
    QUARTER = "quarter"


DIMENSION_NAMES: dict[Dimension, str] = {
    Dimension.PARTY: N_("Party"),
    Dimension.REGION: N_("region"),
    Dimension.GROUP: N_("group of States"),
    Dimension.YEAR: N_("year"),
    Dimension.QUARTER: N_("quarter"),
}

NON_PARTIES = "non-parties"
ORGANISATIONS = "organisations"
UNATTRIBUTED = "unattributed"
NO_REGION = "no-region"
OTHER_PARTIES = "other-parties"

CELL_NAMES: dict[str, str] = {
    NON_PARTIES: N_("States that were not Parties"),
    ORGANISATIONS: N_("observers and organisations"),
    UNATTRIBUTED: N_("not attributed (without account)"),
    NO_REGION: N_("Parties without regional group"),
    OTHER_PARTIES: N_("Parties in none of these groups"),
    "ldc": N_("least developed countries"),
    "sids": N_("small island developing States"),
    "eit": N_("countries with economies in transition"),
    "African Group": N_("African Group"),
    "Asia-Pacific": N_("Asia-Pacific"),
    "CEE": N_("Central and Eastern Europe"),
    "GRULAC": N_("Latin America and the Caribbean"),
    "WEOG": N_("Western Europe and others"),
}
"""Names of the cells that are no Party, year or quarter."""


@dataclass(frozen=True)
class Definition:
    """The unit of an indicator, and the version of its rule when labhub computes it."""

    unit: str
    rule_version: str | None = None

    @property
    def is_computed(self) -> bool:
        """Whether labhub computes the figure; otherwise its value is unknown, which is not 0."""
        return self.rule_version is not None


DEFINITIONS: dict[str, Definition] = {
    "A01.1": Definition("parties"),
    "A02.1": Definition("people"),
    "A02.2": Definition("countries"),
    "A03.1": Definition("works"),
    "A03.2": Definition("countries"),
    "A04.1": Definition("events"),
    "A04.2": Definition("people"),
    "A05.1": Definition("works"),
    "A05.2": Definition("requests"),
    "A06.1": Definition("parties"),
    "A06.2": Definition("parties"),
    "A07.1": Definition("events"),
    "A07.2": Definition("people"),
    "A08.1": Definition("parties"),
    "A08.2": Definition("requests", "counter-5.1/1"),
    "A09.1": Definition("events"),
    "A09.2": Definition("people"),
    "A10.1": Definition("events"),
    "A10.2": Definition("parties"),
    "A11.1": Definition("collaborations"),
    "A12.1": Definition("works"),
    "A12.2": Definition("requests"),
    "A13.1": Definition("people"),
    "A14.1": Definition("events"),
    "A14.2": Definition("parties"),
}

UNIT_NAMES: dict[str, str] = {
    "parties": N_("Parties"),
    "people": N_("people"),
    "countries": N_("countries"),
    "works": N_("works"),
    "events": N_("events"),
    "requests": N_("requests"),
    "collaborations": N_("collaborations"),
}


@dataclass(frozen=True)
class Period:
    """Days from ``from_on`` to ``to_on``, both inside, in UTC; nothing means without end."""

    from_on: date | None = None
    to_on: date | None = None

    @property
    def since(self) -> datetime | None:
        """The first instant inside."""
        return _midnight(self.from_on) if self.from_on else None

    @property
    def until(self) -> datetime | None:
        """The first instant after it."""
        return _midnight(self.to_on + timedelta(days=1)) if self.to_on else None

    @property
    def label(self) -> str:
        """The year, the two days, or ``all``.

        >>> Period(date(2026, 1, 1), date(2026, 12, 31)).label, Period(date(2026, 3, 1)).label, Period().label
        ('2026', '2026-03-01/..', 'all')
        """
        if self.from_on is None and self.to_on is None:
            return "all"
        if self.from_on and self.to_on == date(self.from_on.year, 12, 31):
            if self.from_on == date(self.from_on.year, 1, 1):
                return str(self.from_on.year)
        return f"{self.from_on or '..'}/{self.to_on or '..'}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def make_period(year: int | None = None, from_on: date | None = None, to_on: date | None = None) -> Period:
    """Return a year or the days between two dates; refuses both at once and an end before the start."""
    if year is not None:
        if from_on or to_on:
            raise Refusal(_("Give either a year or the days from and to."), field="year")
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise Refusal(_("The year must lie between 2000 and 2100."), field="year")
        return Period(date(year, 1, 1), date(year, 12, 31))
    for name, day in (("from", from_on), ("to", to_on)):
        if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise Refusal(_("The year must lie between 2000 and 2100."), field=name)
    if from_on and to_on and to_on < from_on:
        raise Refusal(_("The period ends before it begins."), field="to")
    return Period(from_on, to_on)


def time_cell(dimension: Dimension, at: datetime) -> Iterator[str]:
    """Yield the year or quarter (UTC) of an instant.

    >>> list(time_cell(Dimension.QUARTER, datetime(2026, 11, 23, tzinfo=UTC)))
    ['2026-Q4']
    """
    yield str(at.year) if dimension is Dimension.YEAR else f"{at.year}-Q{(at.month + 2) // 3}"
