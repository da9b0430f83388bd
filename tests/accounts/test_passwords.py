"""Which passwords are taken, and how they are kept."""

import pytest

from labhub.accounts.passwords import Hasher, check_password
from labhub.errors import Invalid

PERSONAL = ("Amina Okello", "amina.okello@example.org")

TAKEN = [
    "correct horse battery 9",
    "twelve signs",
    "rose tulip aster",
    "vier Zebras im Regen",
    "пароль из шести слов да",
    "密码由许多不同的汉字组成吧",
    "كلمة مرور طويلة جدا",
    "🐸🦊🐻🐼🐨🐯🦁🐮🐷🐵🐔🐧",
    "a" * 60 + "b" * 30 + "c" * 20 + "d" * 18,
    "    spaces  kept    ",
    "no digits needed here",
    "837261940582",
    "ÄÖÜßäöüéèêàç",
    "laboratory of green frogs",
    "amina likes rain",
    "Zx9!Zx9!Qv2#",
    "tab\tinside the words",
    "e\u0301" * 3 + "combining accents",
    "x7q9" * 32,
    "ordinary sentence, with comma.",
]

REFUSED = [
    ("", "at least 12"),
    ("short", "at least 12"),
    ("elevensigns", "at least 12"),
    ("ﷺ", "at least 12"),
    ("🐸" * 11, "at least 12"),
    ("e\u0301" * 6, "at least 12"),
    ("x7q9" * 32 + "1", "at most 128"),
    ("ﷺ" * 129, "at most 128"),
    ("q1w2e3r4t5y6", "most used"),
    ("Q1W2E3R4T5Y6", "most used"),
    ("123456789123", "most used"),
    ("leavemealone", "most used"),
    ("aaaaaaaaaaaa", "most used"),
    ("abababababab", "most used"),
    ("1qaz2wsx3edc4rfv", "most used"),
    ("labhub-labhub", "names"),
    ("Laboratory2026!", "names"),
    ("Cartagena-Protocol", "names"),
    ("lmo detection 2026", "names"),
    ("amina.okello.2026", "names"),
]


@pytest.mark.req("B1")
@pytest.mark.parametrize("password", TAKEN)
def test_good_password_is_taken(password: str) -> None:
    check_password(password, personal=PERSONAL)


@pytest.mark.req("B1")
@pytest.mark.parametrize("password, why", REFUSED)
def test_bad_password_is_refused_with_the_reason(password: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refusal:
        check_password(password, personal=PERSONAL)
    assert "password" in refusal.value.errors


def test_the_table_has_forty_rows() -> None:
    assert len(TAKEN) + len(REFUSED) == 40


@pytest.mark.req("B1")
def test_nothing_is_truncated() -> None:
    hasher = Hasher()
    hasher.cheapen()
    long = "x7q9" * 31 + "abcd"
    stored = hasher.hash(long)
    assert hasher.verify(stored, long)
    assert not hasher.verify(stored, long[:-1] + "e")
    assert not hasher.verify(stored, long[:72])


@pytest.mark.req("B1")
def test_the_same_letters_from_another_keyboard_are_the_same_password() -> None:
    hasher = Hasher()
    hasher.cheapen()
    assert hasher.verify(hasher.hash("Zoë mag Käse sehr"), "Zoe\u0308 mag Ka\u0308se sehr")


@pytest.mark.req("B1")
def test_in_service_the_hash_is_argon2id_at_no_less_than_the_agreed_work() -> None:
    argon2 = Hasher().argon2
    assert argon2.type.name == "ID"
    assert argon2.time_cost >= 3
    assert argon2.memory_cost >= 64 * 1024  # KiB; about 50 ms and more on a present machine


@pytest.mark.req("B1")
def test_a_cheaper_hash_is_outdated() -> None:
    cheap = Hasher()
    cheap.cheapen()
    stored = cheap.hash("correct horse battery 9")
    assert Hasher().is_outdated(stored)
    assert not cheap.is_outdated(stored)


@pytest.mark.req("B3")
def test_without_an_account_one_hash_is_evaluated_all_the_same() -> None:
    hasher = Hasher()
    hasher.cheapen()
    assert not hasher.verify(None, "no account has this password")
    assert hasher.evaluations == 1
