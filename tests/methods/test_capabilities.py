"""Rows of what a laboratory can run, without a database."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from labhub.methods import capabilities
from labhub.methods.capabilities import check, from_cells, has_material, is_accredited, is_current, to_cells

TODAY = date(2026, 3, 2)
DAYS = st.none() | st.dates(date(2020, 1, 1), date(2040, 1, 1))
TEXTS = st.text(st.characters(blacklist_categories=("Cc", "Cs")), max_size=30).map(str.strip)
ENTRIES = st.fixed_dictionaries(
    {
        "method": st.just("LH-1"),
        **{name: st.booleans() for name in capabilities.BOOLEANS},
        **dict.fromkeys(capabilities.DATES, DAYS),
        **dict.fromkeys(capabilities.TEXTS, TEXTS),
        "turnaround_days": st.none() | st.integers(1, 1000),
    }
)


@given(ENTRIES)
def test_a_row_written_and_read_again_is_the_same(values: dict[str, object]) -> None:
    assert from_cells(to_cells(values)) == (values, {})


def test_wrong_cells_are_named_by_column() -> None:
    cells = {"method": "LH-1", "runs": "maybe", "verified_on": "31.12.2025", "turnaround_days": "soon"}
    assert set(from_cells(cells)[1]) == {"runs", "verified_on", "turnaround_days"}


def test_days_that_cannot_be_are_refused() -> None:
    wrong = check(
        {
            "verified_on": date(2026, 3, 3),
            "valid_until": date(2026, 3, 1),
            "accredited": False,
            "accreditation_body": "KENAS",
            "material_until": date(2027, 1, 1),
            "turnaround_days": 0,
            "note": "\x07",
        },
        TODAY,
    )
    assert set(wrong) == {
        "verified_on",
        "valid_until",
        "accreditation_body",
        "material_until",
        "turnaround_days",
        "note",
    }


def test_an_entry_counts_to_its_last_day() -> None:
    entry = {"runs": True, "valid_until": TODAY}
    assert is_current(entry, TODAY)
    assert not is_current(entry, date(2026, 3, 3))
    assert not is_current({**entry, "runs": False}, TODAY)


def test_accreditation_and_material_have_days_of_their_own() -> None:
    assert is_accredited({"accredited": True, "accredited_until": None}, TODAY)
    assert not is_accredited({"accredited": True, "accredited_until": date(2026, 3, 1)}, TODAY)
    assert has_material({"material": "", "material_code": "ERM-BF413", "material_until": TODAY}, TODAY)
    assert not has_material({"material": "", "material_code": "", "material_until": None}, TODAY)
