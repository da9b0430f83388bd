"""What is read of cases by those who may not see them."""

import pytest
from flask import Flask

from labhub.accounts.actor import Actor, Role
from labhub.db import transaction
from labhub.methods.models import MethodVersion
from labhub.samples import commands, queries
from tests.factories import (
    make_actor,
    make_case,
    make_citable_version,
    make_laboratory,
    make_party,
    make_sample,
)


def use(actor: Actor, version: MethodVersion, cases: int, party: str = "KE") -> None:
    """Use a method in new cases of a Party."""
    for _number in range(cases):
        sample = make_sample(actor, make_case(actor, party=party))
        for _twice in range(2):
            with transaction():
                commands.add_analysis(
                    actor,
                    sample.id,
                    method_code=version.method.code,
                    version=version.number,
                )


def analyst(party: str = "KE") -> Actor:
    """Return an analyst of a new laboratory of a Party."""
    home = make_party(party)
    return make_actor(Role.ANALYST, laboratory=make_laboratory(party=home), party=home)


@pytest.mark.req("A2")
def test_the_cases_of_a_party_with_fewer_than_three_are_not_counted(app: Flask) -> None:
    version, kenya, brazil = make_citable_version(), analyst(), analyst("BR")
    use(kenya, version, 2)
    assert queries.cases_of_method(None, version.method_id).counted == 0
    use(brazil, version, 2, "BR")
    assert queries.cases_of_method(None, version.method_id).counted == 0
    use(kenya, version, 1)
    assert queries.cases_of_method(None, version.method_id).counted == 3


def test_people_see_how_many_of_their_own_cases_used_a_method(app: Flask) -> None:
    version, kenya = make_citable_version(), analyst()
    use(kenya, version, 2)
    assert queries.cases_of_method(kenya, version.method_id) == queries.CasesOfMethod(seen=2, counted=0)
    assert queries.cases_of_method(analyst(), version.method_id).seen == 0
    other = make_citable_version()
    assert queries.cases_of_method(kenya, other.method_id).seen == 0
