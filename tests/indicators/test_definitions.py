"""Periods, cells and the register of the indicators."""

from datetime import UTC, date, datetime

import pytest

from labhub.cells import read_csv
from labhub.config import PROJECT_FOLDER
from labhub.errors import Refusal
from labhub.indicators.definitions import DEFINITIONS, UNIT_NAMES, Dimension, make_period, time_cell
from labhub.indicators.queries import RULES


def test_every_indicator_of_the_seeds_has_a_definition() -> None:
    content = (PROJECT_FOLDER / "seeds" / "indicators.csv").read_bytes()
    assert {row["code"] for row in read_csv(content, file="indicators.csv")} == set(DEFINITIONS)
    assert len(DEFINITIONS) == 25


def test_what_is_called_computed_has_a_rule() -> None:
    assert (
        {code for code, definition in DEFINITIONS.items() if definition.is_computed}
        == set(RULES)
        == {"A08.2"}
    )
    assert {definition.unit for definition in DEFINITIONS.values()} == set(UNIT_NAMES)


def test_year_is_its_days_in_utc() -> None:
    period = make_period(2026)
    assert period.since == datetime(2026, 1, 1, tzinfo=UTC)
    assert period.until == datetime(2027, 1, 1, tzinfo=UTC)
    assert period.label == "2026"


def test_both_days_are_inside() -> None:
    period = make_period(from_on=date(2026, 3, 1), to_on=date(2026, 3, 1))
    assert period.until == datetime(2026, 3, 2, tzinfo=UTC)
    assert period.label == "2026-03-01/2026-03-01"


@pytest.mark.parametrize(
    "wrong",
    [
        {"year": 1999},
        {"year": 2101},
        {"year": 2026, "from_on": date(2026, 1, 1)},
        {"from_on": date(2026, 2, 1), "to_on": date(2026, 1, 31)},
        {"to_on": date(9999, 12, 31)},
    ],
)
def test_impossible_periods_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Refusal):
        make_period(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("month", "quarter"), [(1, 1), (3, 1), (4, 2), (9, 3), (10, 4), (12, 4)])
def test_quarters(month: int, quarter: int) -> None:
    assert list(time_cell(Dimension.QUARTER, datetime(2026, month, 1, tzinfo=UTC))) == [f"2026-Q{quarter}"]
