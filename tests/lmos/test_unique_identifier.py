"""Unique identifiers: the table and the rules of the domain guide, section 3."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.i18n import Message
from labhub.lmos.unique_identifier import (
    check,
    display,
    is_same,
    normalise,
    slug,
    split_stack,
    verification_digit,
)

SEEDS = Path(__file__).resolve().parent.parent.parent / "seeds"
SHARED_LMOS = SEEDS.parent.parent / "shared" / "data" / "lmos.json"

GUIDE_TABLE = (
    "MON-ØØ81Ø-6",
    "MON-89788-1",
    "ACS-GMØØ5-3",
    "ACS-BNØØ4-7",
    "DAS-81419-2",
    "DAS-444Ø6-6",
    "MON-877Ø1-2",
    "KM-ØØØH71-4",
    "DKB-89614-9",
)

SEEDED = [
    record["unique_identifier"]
    for record in json.loads((SEEDS / "lmos.json").read_text(encoding="utf-8"))
    if record["unique_identifier"]
]

CODE_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@st.composite
def identifiers(draw: st.DrawFn) -> str:
    """Draw an identifier in canonical spelling, with the right digit."""
    applicant = draw(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=3))
    length = 8 - len(applicant)
    event = draw(st.text(CODE_SIGNS, min_size=length, max_size=length))
    return f"{applicant}-{event}-{verification_digit(applicant + event)}"


def texts(warnings: list[Message]) -> str:
    return " ".join(str(warning) for warning in warnings)


@pytest.mark.parametrize("identifier", GUIDE_TABLE)
def test_guide_table_raises_no_warning(identifier: str) -> None:
    assert check(identifier) == []


@pytest.mark.parametrize("identifier", GUIDE_TABLE)
def test_digit_of_guide_table(identifier: str) -> None:
    assert verification_digit(identifier.replace("-", "")[:8]) == int(identifier[-1])


def test_sum_divisible_by_nine_gives_nine() -> None:
    assert verification_digit("DKB89614") == 9
    assert verification_digit("00000000") == 9


@pytest.mark.parametrize("code", ["", "MON8978", "MON-89788", "MON897881", "MON8978!"])
def test_digit_needs_eight_letters_and_digits(code: str) -> None:
    with pytest.raises(ValueError, match="8 letters"):
        verification_digit(code)


@pytest.mark.parametrize(
    "text",
    [
        "MON-ØØ81Ø-6",
        " mon-øø81ø-6\n",
        "MON\u2013∅∅81∅\u20136",
        "MON\u221200810\u22126",
        "MON008106",
        "MON00810-6",
        "MON-008106",
        "MON 00810 6",
        "MON - 00810 - 6",
        "MON\u201100810\u20116",
        "MON-0\u03380\u0338810\u0338-6",
        "\uff2d\uff2f\uff2e-00810-6",
        "MON\u00ad00810\u00ad6",
    ],
)
def test_every_spelling_becomes_the_canonical_one(text: str) -> None:
    assert normalise(text) == "MON-00810-6"


@pytest.mark.parametrize("written", ["DP3054231", "DP305423-1", "dp-3ø54231"])
def test_digit_in_third_place_means_two_letters_of_applicant(written: str) -> None:
    assert normalise(written) == "DP-305423-1"


def test_dashes_of_two_letter_applicant_come_from_the_register() -> None:
    assert normalise("SYGTSB778") == "SYG-TSB77-8"
    assert normalise("SYGTSB778", known=["SY-GTSB77-8"]) == "SY-GTSB77-8"
    assert is_same("SYGTSB778", "SY-GTSB77-8")


@pytest.mark.parametrize("text", ["3006-210-23", "281-24-236", "GTS 40-3-2", "Huanong No. 1", ""])
def test_text_of_another_shape_is_only_cleaned(text: str) -> None:
    assert normalise(text) == text.upper()


def test_zero_of_the_applicant_or_of_another_shape_is_not_slashed() -> None:
    assert display("A0B-00810-6") == "A0B-ØØ81Ø-6"
    assert display("MON 810") == "MON 810"


@pytest.mark.parametrize(
    "text",
    [
        "MON-ØØ6Ø3-6 x MON-ØØ81Ø-6",
        "MON-ØØ6Ø3-6 X MON-ØØ81Ø-6",
        "MON-ØØ6Ø3-6\u00d7MON-ØØ81Ø-6",
        "MON-ØØ6Ø3-6xMON-ØØ81Ø-6",
        "MON006036 \u00d7 MON008106",
        "MON-00603-6-x-MON-00810-6",
    ],
)
def test_every_spelling_of_a_stack_becomes_the_canonical_one(text: str) -> None:
    assert normalise(text) == "MON-00603-6 x MON-00810-6"
    assert split_stack(text) == {"MON-00810-6", "MON-00603-6"}


def test_x_inside_an_identifier_splits_nothing() -> None:
    assert split_stack("UFL-X17CP-9") == {"UFL-X17CP-9"}
    assert split_stack("UFL-X17CP-9xUFL-X17CP-9 x MON-810XX-6") == {"UFL-X17CP-9", "MON-810XX-6"}


@pytest.mark.parametrize("joint", ["x", "-x-", "X", "-x"])
def test_a_stack_without_dashes_is_split_between_nine_signs(joint: str) -> None:
    text = joint.join(("mon006036", "MON-00810-6", "DASX15071"))
    assert normalise(text) == "MON-00603-6 x MON-00810-6 x DAS-X1507-1"


def test_stacks_are_compared_as_sets() -> None:
    assert is_same("MON-ØØ6Ø3-6 x MON-ØØ81Ø-6", "mon008106 \u00d7 mon006036")
    assert not is_same("MON-ØØ6Ø3-6 x MON-ØØ81Ø-6", "MON-ØØ6Ø3-6")


@pytest.mark.parametrize(
    ("identifier", "digit"), [("SYN-ØØØJG-2", 3), ("SY-GTSB77-8", 7), ("MON-89Ø34-4", 3), ("MON-00810-0", 6)]
)
def test_wrong_digit_warns_and_names_the_right_one(identifier: str, digit: int) -> None:
    warnings = check(identifier, known=[identifier])
    assert [str(warning) for warning in warnings] == [
        f"The verification digit of {display(identifier)} should be {digit}."
    ]


@pytest.mark.parametrize("text", ["MON810", "MON-0081-6", "MON-00810-X", "MONS-00810-6", "M-00810-6", "?"])
def test_wrong_shape_warns(text: str) -> None:
    assert "shape" in texts(check(text))


def test_no_identifier_raises_no_warning() -> None:
    assert check("") == []
    assert check("  ") == []


def test_letters_for_digits_pass_the_digit_but_not_the_register() -> None:
    assert check("MON-OO81O-6") == []
    assert "letter O or I" in texts(check("MON-OO81O-6", known=["MON-ØØ81Ø-6"]))
    assert "letter O or I" in texts(check("MON-0081O-6", known=["MON-ØØ81Ø-6"]))
    assert "letter O or I" in texts(check("MON-I5985-7", known=["MON-15985-7"]))


@pytest.mark.parametrize("text", ["MON-ØØ18Ø-6", "MON-ØØ819-6", "MON-ØØ81Ø-7", "OMN-ØØ81Ø-6", "MON-0810-6"])
def test_near_miss_names_the_known_identifier(text: str) -> None:
    assert "Is MON-ØØ81Ø-6 meant?" in texts(check(text, known=["MON-00810-6", "ACS-GM005-3"]))


def test_known_identifier_with_letters_for_digits_still_warns() -> None:
    assert "letter O or I" in texts(check("MON-OO81O-6", known=["MON-00810-6", "MON-OO81O-6"]))
    assert check("MON-00810-6", known=["MON-00810-6", "MON-OO81O-6"]) == []


def test_known_identifier_is_no_near_miss_of_another() -> None:
    assert check("SYN-000JG-3", known=["SYN-000JG-2", "SYN-000JG-3"]) == []


def test_each_event_of_a_stack_is_checked() -> None:
    warnings = check("MON-00603-7 x MON-00810-6 x SYN-000JG-2")
    assert len(warnings) == 2
    assert "MON-ØØ6Ø3-7" in str(warnings[0])
    assert "SYN-ØØØJG-2" in str(warnings[1])


def test_register_may_hold_stacks() -> None:
    assert "Is MON-ØØ81Ø-6 meant?" in texts(check("MON-00180-6", known=["MON-00603-6 x MON-00810-6"]))


def test_only_two_seeded_identifiers_raise_a_warning() -> None:
    doubtful = {identifier for identifier in SEEDED if check(identifier, SEEDED)}
    assert doubtful == {"SYN-000JG-2", "SY-GTSB77-8"}


@pytest.mark.parametrize("identifier", SEEDED)
def test_seeded_identifiers_are_canonical_and_survive_every_spelling(identifier: str) -> None:
    assert normalise(identifier) == identifier
    assert normalise(display(identifier)) == identifier
    assert normalise(slug(identifier)) == identifier
    assert re.fullmatch(r"[A-Za-z0-9.-]+", slug(identifier))
    assert normalise(identifier.replace("-", ""), SEEDED) == identifier


@pytest.mark.skipif(not SHARED_LMOS.is_file(), reason="no shared data folder")
def test_identifiers_of_the_data_folder_are_shown_as_they_are_printed() -> None:
    printed = [record["oecd_unique_id"] for record in json.loads(SHARED_LMOS.read_text(encoding="utf-8"))]
    assert len(printed) == 115
    for identifier in filter(None, printed):
        assert display(normalise(identifier)) == identifier


@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text())
def test_check_never_refuses(text: str) -> None:
    for warning in check(text, known=["MON-00810-6"]):
        assert str(warning)
    assert isinstance(slug(text), str)
    assert isinstance(display(text), str)


@given(identifiers())
def test_right_identifier_raises_no_warning(identifier: str) -> None:
    assert check(identifier) == []
    assert check(display(identifier).lower(), known=[identifier]) == []


@given(identifiers(), st.integers(0, 7), st.integers(0, 7))
def test_digit_misses_every_swap(identifier: str, first: int, second: int) -> None:
    code = list(identifier.replace("-", "")[:8])
    code[first], code[second] = code[second], code[first]
    assert verification_digit("".join(code)) == int(identifier[-1])


@given(identifiers(), st.integers(0, 7), st.integers(0, 7))
def test_register_catches_every_swap(identifier: str, first: int, second: int) -> None:
    code = list(identifier.replace("-", ""))
    code[first], code[second] = code[second], code[first]
    cut = identifier.index("-")
    swapped = f"{''.join(code[:cut])}-{''.join(code[cut:8])}-{code[8]}"
    assert (check(swapped, known=[identifier]) == []) == (swapped == identifier)


@given(st.lists(identifiers(), min_size=1, max_size=4, unique=True))
def test_stack_is_the_same_in_any_order_and_spelling(events: list[str]) -> None:
    turned = list(reversed(events))
    assert is_same(" x ".join(events), " \u00d7 ".join(display(event) for event in turned))
    assert normalise(slug(" x ".join(events))) == " x ".join(events)
    assert normalise(display(" x ".join(events))) == " x ".join(events)
