"""The words of studies, judgement and completeness that pages share, and how their numbers are written."""

from collections.abc import Mapping
from typing import Any

from labhub.i18n import Text, _
from labhub.methods import completeness, criteria, exchange, study_working
from labhub.methods.models import STUDY_KIND_NAMES
from labhub.methods.words import name_of

SYMBOLS = {"s_r": "s_r", "s_R": "s_R", "rsdr_percent": "RSDr, %", "rsdR_percent": "RSDR, %"}
"""Heads of columns that are symbols in every language."""
FIELD_NAMES: dict[str, Text] = {key: name_of(f"studies.{key}") for key in exchange.STUDY if key != "kind"}
"""Fields of a study in the order of page and form, but its kind."""
LEVEL_NAMES: dict[str, Text] = {
    key: SYMBOLS.get(key) or name_of(f"studies.levels.{key}") for key in exchange.LEVEL
}


def figure(value: float | None) -> str:
    """Return a number with four significant digits; whole numbers as they are.

    >>> figure(0.0151165), figure(7), figure(12.0), figure(None)
    ('0.01512', '7', '12', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e6):
        return str(int(value))
    return f"{value:.4g}"


def exact(value: float) -> str:
    """Return a raw result as it was written, without the noise of binary fractions.

    >>> exact(0.71), exact(0.1 + 0.2), exact(24.0)
    ('0.71', '0.3', '24')
    """
    return f"{value:.12g}"


def words_of(names: Mapping[Any, str]) -> dict[str, Text]:
    """Return names by their key as text, to be put into the reader's language."""
    return {str(getattr(key, "value", key)): _(text) for key, text in names.items()}


def validation_words() -> dict[str, Any]:
    """Return what the page of a method needs to show studies, judgement and completeness."""
    return {
        "fig": figure,
        "level_names": LEVEL_NAMES,
        "study_field_names": FIELD_NAMES,
        "judgement_names": words_of(criteria.VERDICT_NAMES),
        "note_names": words_of(criteria.NOTE_NAMES),
        "limit_text": criteria.limit_text,
        "section_names": words_of(completeness.SECTION_NAMES),
    }


def study_words() -> dict[str, Any]:
    """Return what the pages of a study need."""
    return {
        "fig": figure,
        "exact": exact,
        "level_names": LEVEL_NAMES,
        "field_names": FIELD_NAMES,
        "study_kinds": words_of(STUDY_KIND_NAMES),
        "test_names": words_of(study_working.TEST_NAMES),
        "verdict_names": words_of(study_working.TEST_VERDICT_NAMES),
        "cause_names": words_of(study_working.CAUSE_NAMES),
        "caution_names": words_of(study_working.CAUTION_NAMES),
        "model_names": words_of(study_working.MODEL_NAMES),
        "action_names": words_of(study_working.ACTION_NAMES),
        "fit_warning": study_working.fit_warning,
    }
