"""The assays of the hub's methods: published ones for all, others by their code for who may see them."""

import pytest
from flask import Flask

from labhub.accounts.actor import OPERATOR, Role
from labhub.errors import NotFound
from labhub.methods.assay_queries import assays_for_files, assays_of_methods, published_assays
from tests.factories import make_actor, make_laboratory, make_method


def test_published_methods_are_searched_and_drafts_are_not(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    published = make_method(actor=manager, state="published").method.code
    draft = make_method(actor=manager).method.code
    assert [(each.code, each.version) for each in published_assays().assays] == [(published, 1)]
    assert assays_of_methods(manager, [draft]).assays[0].assay.forward == "TCGAAGGACGAAGGACTCTAACG"
    with pytest.raises(NotFound):
        assays_of_methods(None, [draft])
    assert assays_of_methods(None, [published, published]).methods == 1


def test_both_ways_to_read_a_method_give_the_same_assays(app: Flask) -> None:
    version = make_method(state="published")
    every, one = assays_for_files(OPERATOR), assays_for_files(OPERATOR, [version.method.code.lower()])
    assert every.assays == one.assays == [each.assay for each in published_assays().assays]
    assert every.nanomolar == one.nanomolar == {version.method.code: (300, 300)}


def test_what_gives_no_assay_is_named_with_its_reason(app: Flask) -> None:
    version = make_method(oligos=[{"role": "forward", "name": "F", "sequence": "ACGTACGTACGTACGT"}])
    manager = OPERATOR
    found = assays_of_methods(manager, [version.method.code])
    assert found.assays == []
    ((code, reason),) = found.not_searched
    assert code == version.method.code
    assert "no reverse primer" in str(reason)
