"""Names that look alike."""

from labhub.lmos.near_names import MOST_KNOWN, nearest

KNOWN = ["mon810", "mon863", "mon88017", "nk603", "p-35s", "t-35s", "gt73"]


def test_a_slip_finds_the_name() -> None:
    assert nearest("mon180", KNOWN) == ["mon810"]
    assert nearest("mon 81o", KNOWN)[:1] == ["mon810"]
    assert nearest("p 35 s", KNOWN)[:1] == ["p-35s"]


def test_nothing_is_guessed_for_other_words() -> None:
    assert nearest("soybean", KNOWN) == []
    assert nearest("x", KNOWN) == []
    assert nearest("mon810", ["mon810"]) == []


def test_long_texts_and_long_lists_are_not_compared() -> None:
    assert nearest("mon810" * 50, KNOWN) == []
    assert nearest("mon811", ["mon810"] * (MOST_KNOWN + 1)) == []
