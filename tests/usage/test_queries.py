"""Who has a version of an item, by the ledger."""

from typing import Any

import pytest
from flask import Flask

from labhub.accounts.actor import Actor, Role, Scope
from labhub.accounts.queries import actor_of
from labhub.usage.queries import anonymous_downloads, downloaders
from tests.factories import make_laboratory, make_party, make_use, make_user


@pytest.mark.req("H4")
def test_each_person_stands_once_with_first_and_last_download(app: Flask, fake_clock: Any) -> None:
    laboratory = make_laboratory(party=make_party("BR"))
    user = make_user(Role.ANALYST, laboratory=laboratory, party=make_party("BR"))
    actor = actor_of(user)
    first = fake_clock.at
    make_use(actor, file="json")
    last = fake_clock.forward(hours=3)
    make_use(actor, file="sop.pdf", agent="curl/8.14.1")
    make_use(actor, file="json", version="2")
    make_use(actor, file="json", item=2)
    (person,) = downloaders("method", 1, "1", fake_clock.at)
    assert (person.user_id, person.downloads, person.files) == (user.id, 2, ["json", "sop.pdf"])
    assert (person.first_at, person.last_at) == (first, last)
    assert (person.party_id, person.laboratory_id) == (make_party("BR").id, laboratory.id)


def test_programs_count_for_their_person_and_later_downloads_do_not_count(
    app: Flask, fake_clock: Any
) -> None:
    user = make_user(Role.PARTICIPANT)
    make_use(Actor(user_id=user.id, scope=Scope.READ))
    border = fake_clock.at
    fake_clock.forward(minutes=1)
    make_use(actor_of(make_user(Role.PARTICIPANT)))
    assert [person.user_id for person in downloaders("method", 1, "1", border)] == [user.id]


def test_downloads_without_an_account_are_counted_without_robots(app: Flask, fake_clock: Any) -> None:
    make_use()
    make_use(agent="curl/8.14.1")
    make_use(agent="Mozilla/5.0 (compatible; Googlebot/2.1)")
    make_use(actor_of(make_user(Role.PARTICIPANT)))
    assert anonymous_downloads("method", 1, "1", fake_clock.at) == 2
