"""Numbers of BCH records."""

import pytest
from flask import Flask

from labhub.accounts.actor import OPERATOR
from labhub.db import transaction
from labhub.lmos import commands, queries
from labhub.lmos.bch import record_number
from labhub.lmos.terms import NameKind
from tests.factories import make_lmo


@pytest.mark.parametrize("text", ["BCH-LMO-SCBD-14750", "bch-lmo-scbd-14750-22", " BCH LMO SCBD 14750 "])
def test_spellings_of_a_record_are_one(text: str) -> None:
    assert record_number(text) == "BCH-LMO-SCBD-14750"


@pytest.mark.parametrize("text", ["BCH-LMO-14750", "MON810", "", "BCH-LMO-SCBD-", "BCH-LMO-SCBD-1-2-3"])
def test_other_texts_are_none(text: str) -> None:
    assert record_number(text) == ""


def test_a_record_number_names_its_lmo_whatever_the_revision(app: Flask) -> None:
    lmo = make_lmo("MON810")
    with transaction():
        name = commands.add_name(OPERATOR, lmo.slug, {"name": "BCH-LMO-SCBD-14750-6", "source": "BCH"})
    assert name.kind is NameKind.BCH
    for text in ("BCH-LMO-SCBD-14750", "bch-lmo-scbd-14750-99"):
        found = queries.match_lmo(text)
        assert found is not None and found.id == lmo.id
        assert queries.find_lmo(text).id == lmo.id
    assert queries.match_lmo("BCH-LMO-SCBD-1475") is None
