"""Languages: every message is translated into Arabic, and no page says something outside gettext."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from flask import Flask

from labhub.i18n import LANGUAGES, TRANSLATIONS_FOLDER, _, in_language, ngettext
from tests.messages import ROOT, extract

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
TEMPLATES = sorted(ROOT.rglob("templates/**/*.html"))
SAME_IN_ALL_LANGUAGES = re.compile(
    r"\b(labhub|JSON|CSV|XLSX|PDF|DOCX|FASTA|GenBank|EMBL|API|SHA-?256|URL|UTC|UTF-8|OECD|BCH|LMOs?|LOD|LOQ|RSD[rR]|PCR"
    r"|qPCR|dPCR|SOP|ISO|IUPAC|COUNTER|GTIN|bp|nM|µL|refget|LH|LHS|A08\.2|CP-VIII/3|MON|Markdown|Tm|x)\b|5'|3'|&\w+;"
)


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_catalogue_is_complete(language: str) -> None:
    with (TRANSLATIONS_FOLDER / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    missing, wrong = [], []
    for key, places in extract().items():
        first = key[0] if isinstance(key, tuple) else key
        message = catalogue.get(first)
        strings = [] if message is None else message.string
        texts = list(strings) if isinstance(strings, tuple) else [strings]
        if message is None or message.fuzzy or not texts or not all(texts):
            missing.append(f"{places[0]}: {first}")
            continue
        expected = set(PLACEHOLDER.findall(" ".join(key) if isinstance(key, tuple) else key))
        for text in texts:
            found = set(PLACEHOLDER.findall(text))
            if not found <= expected or (not isinstance(key, tuple) and found != expected):
                wrong.append(f"{first}: {text}")
    assert not missing, f"{len(missing)} messages without {language}:\n" + "\n".join(missing[:40])
    assert not wrong, "placeholders differ:\n" + "\n".join(wrong)


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_catalogue_holds_nothing_else(language: str) -> None:
    with (TRANSLATIONS_FOLDER / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    known = {key[0] if isinstance(key, tuple) else key for key in extract()}
    held = {m.id[0] if isinstance(m.id, tuple) else m.id for m in catalogue if m.id}
    assert held <= known, sorted(held - known)[:20]


@pytest.mark.parametrize("path", TEMPLATES, ids=[str(path.relative_to(ROOT)) for path in TEMPLATES])
def test_page_says_nothing_outside_gettext(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"\{#.*?#\}", " ", text, flags=re.S)
    text = "\n".join(line for line in text.splitlines() if "selectOOB:" not in line)  # htmx, not words
    text = re.sub(r"\{%-? *trans.*?endtrans *-?%\}", " ", text, flags=re.S)
    text = re.sub(r"\{%.*?%\}", " ", text, flags=re.S)
    attributes = re.findall(r"\b(?:placeholder|title|aria-label|alt)=\"([^\"{]*)\"", text)
    text = re.sub(r"\{\{.*?\}\}", " ", text, flags=re.S)
    text = re.sub(r"<(code|pre)\b.*?</\1>", " ", text, flags=re.S)
    text = re.sub(r"<[^>]*>", " ", text, flags=re.S)
    words = [SAME_IN_ALL_LANGUAGES.sub(" ", part) for part in [text, *attributes]]
    left = [word for part in words for word in re.findall(r"[A-Za-z]{2,}", part)]
    assert not left, f"not translated: {' '.join(left[:20])}"


def test_messages_are_shown_in_the_language_of_the_moment() -> None:
    message = _("Not allowed")
    assert str(message) == "Not allowed"
    with in_language("ar"):
        assert re.search(r"[\u0600-\u06FF]", str(message))
    assert str(ngettext("%(number)s method", "%(number)s methods", 3)) == "3 methods"


def test_sign_of_a_number_stays_on_its_left_in_a_right_to_left_sentence() -> None:
    message = _("from %(low)s to %(high)s", low="-3.6", high=-3.1)
    assert str(message) == "from -3.6 to -3.1"
    with in_language("ar"):
        assert "\u2066-3.6\u2069" in str(message)
        assert "\u2066-3.1\u2069" in str(message)
        assert "\u2066" not in str(_("from %(low)s to %(high)s", low="MON-810", high=3.1))


@pytest.mark.parametrize(
    "address", ["/", "/sign-in", "/methods", "/lmos", "/sequences", "/discussions", "/indicators"]
)
def test_pages_say_their_language_and_direction(app: Flask, address: str) -> None:
    page = app.test_client().get(address, headers={"Accept-Language": "ar"}).get_data(as_text=True)
    assert '<html lang="ar" dir="rtl">' in page
    assert "bootstrap.rtl.min.css" in page
    page = (
        app.test_client().get(address + "?lang=en", headers={"Accept-Language": "ar"}).get_data(as_text=True)
    )
    assert '<html lang="en" dir="ltr">' in page
