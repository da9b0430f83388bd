"""Verifications: a laboratory reports how another's method performed; outliers are hidden, not lost."""

from typing import Any

import pytest
from flask import Flask

from labhub.accounts.actor import Actor, Role
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, StaleEdit
from labhub.methods import queries, verification_commands, verification_queries
from labhub.outbox import OutgoingMail
from tests.factories import (
    make_actor,
    make_laboratory,
    make_method,
    make_party,
    make_user,
    make_verification,
    verification_content,
)
from tests.methods.test_commands import at_once, entries, mails


class Bench:
    """A published method with its owner, and another laboratory with a manager and an analyst."""

    def __init__(self) -> None:
        self.home = make_laboratory()
        self.owner = make_actor(Role.MANAGER, laboratory=self.home, email="owner@example.org")
        self.reviewer = make_actor(Role.REVIEWER, email="reviewer@example.org")
        self.version = make_method(actor=self.owner, state="published", reviewer=self.reviewer)
        self.code = self.version.method.code
        self.laboratory = make_laboratory(party=make_party("BR"))
        self.manager = make_actor(Role.MANAGER, laboratory=self.laboratory, email="manager@example.org")
        self.analyst = make_actor(Role.ANALYST, laboratory=self.laboratory, email="analyst@example.org")
        with transaction() as session:
            session.query(OutgoingMail).delete()

    def draft(self, actor: Actor | None = None, **fields: Any) -> Any:
        with transaction():
            return verification_commands.create_verification(
                actor or self.analyst, self.code, verification_content(**fields)
            )


def test_analyst_drafts_and_the_manager_publishes(app: Flask) -> None:
    bench = Bench()
    row = bench.draft()
    assert (row.slope, row.rsdr_percent, row.bias_percent, row.year) == (-3.4, 12, 10, 2026)
    assert row.study["kind"] == "in-house-verification"
    assert row.study["laboratory"] == bench.laboratory.name
    assert verification_queries.verifications_of(None, bench.code) == []
    assert verification_queries.verifications_of(bench.reviewer, bench.code) == []
    with pytest.raises(NotAllowed), transaction():
        verification_commands.publish_verification(bench.analyst, bench.code, row.id)
    with transaction():
        verification_commands.publish_verification(bench.manager, bench.code, row.id)
    assert [each.id for each in verification_queries.verifications_of(None, bench.code)] == [row.id]
    assert mails() == {"owner@example.org": [f"Method {bench.code} was verified by another laboratory"]}
    assert entries("verification.%") == 2


def test_owner_does_not_verify_its_own_method(app: Flask) -> None:
    bench = Bench()
    with pytest.raises(Conflict, match="own method"):
        bench.draft(bench.owner)
    with pytest.raises(NotAllowed):
        bench.draft(make_actor(Role.PARTICIPANT))


def test_draft_of_a_method_cannot_be_verified(app: Flask) -> None:
    bench = Bench()
    draft = make_method(actor=bench.owner)
    with pytest.raises(NotFound), transaction():
        verification_commands.create_verification(bench.analyst, draft.method.code, verification_content())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"slope": 3.4}, "study.slope"),
        ({"r2": 1.2}, "study.r2"),
        ({"colour": "red"}, "study.colour"),
        ({"levels": [{"tested": 5, "positive": 6}]}, "study.levels.0.positive"),
    ],
)
def test_wrong_figures_are_refused_by_name(app: Flask, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Bench().draft(**fields)
    assert field in refusal.value.errors


def test_drafts_of_others_are_not_there(app: Flask) -> None:
    bench = Bench()
    row = bench.draft()
    stranger = make_actor(Role.MANAGER, laboratory=make_laboratory())
    for who in (stranger, bench.owner, bench.reviewer, None):
        with pytest.raises(NotFound):
            verification_queries.find_verification(who, bench.code, row.id)


def test_draft_is_changed_by_members_on_what_they_have_read(app: Flask) -> None:
    bench = Bench()
    row = bench.draft()
    edition = row.row_version
    with transaction():
        verification_commands.change_verification(
            bench.manager, bench.code, row.id, {"outcome": "with-limits"}, expected=edition
        )
    assert row.matrices == ["maize flour", "seed"]
    with pytest.raises(StaleEdit), transaction():
        verification_commands.change_verification(
            bench.analyst, bench.code, row.id, {"outcome": "does-not-perform"}, expected=edition
        )
    with transaction():
        verification_commands.publish_verification(bench.manager, bench.code, row.id)
    with pytest.raises(Conflict, match="does not change"), transaction():
        verification_commands.change_verification(
            bench.manager, bench.code, row.id, {"outcome": "does-not-perform"}, expected=row.row_version
        )


def test_draft_can_be_thrown_away_and_what_is_published_cannot(app: Flask) -> None:
    bench = Bench()
    row, kept = bench.draft(), make_verification(bench.version, manager=bench.manager)
    with transaction():
        verification_commands.remove_verification(bench.analyst, bench.code, row.id, expected=row.row_version)
    with pytest.raises(Conflict), transaction():
        verification_commands.remove_verification(
            bench.analyst, bench.code, kept.id, expected=kept.row_version
        )
    assert [each.id for each in verification_queries.verifications_of(bench.manager, bench.code)] == [kept.id]


def test_outlier_is_hidden_with_a_reason_and_restored(app: Flask) -> None:
    bench = Bench()
    row = make_verification(bench.version, manager=bench.manager, slope=-4.4)
    with pytest.raises(Invalid), transaction():
        verification_commands.hide_verification(bench.reviewer, bench.code, row.id, " ")
    with transaction():
        verification_commands.hide_verification(bench.reviewer, bench.code, row.id, "Wrong dilution.")
    assert verification_queries.verifications_of(None, bench.code) == []
    assert verification_queries.performance(None, bench.version)["verifications"] == 0
    (seen,) = verification_queries.verifications_of(bench.manager, bench.code)
    assert verification_queries.verification_as_data(bench.manager, seen)["hide_reason"] == "Wrong dilution."
    assert f"Your verification of method {bench.code} was hidden" in mails()["manager@example.org"]
    with transaction():
        verification_commands.restore_verification(bench.reviewer, bench.code, row.id, "It was right.")
    assert len(verification_queries.verifications_of(None, bench.code)) == 1
    assert (entries("verification.hide"), entries("verification.restore")) == (1, 1)


@pytest.mark.req("G5")
@pytest.mark.parametrize("side", ["owner", "verifier"])
def test_reviewer_of_a_laboratory_that_is_concerned_hides_nothing(app: Flask, side: str) -> None:
    bench = Bench()
    row = make_verification(bench.version, manager=bench.manager)
    laboratory = bench.home if side == "owner" else bench.laboratory
    both = make_actor(Role.ANALYST, Role.REVIEWER, laboratory=laboratory)
    with pytest.raises(NotAllowed), transaction():
        verification_commands.hide_verification(both, bench.code, row.id, "I do not like it.")


def test_bad_news_goes_to_the_reviewers_too(app: Flask) -> None:
    bench = Bench()
    with transaction():
        content = {**verification_content(), "outcome": "does-not-perform"}
        row = verification_commands.create_verification(bench.manager, bench.code, content)
        verification_commands.publish_verification(bench.manager, bench.code, row.id)
    assert set(mails()) == {"owner@example.org", "reviewer@example.org"}


def test_person_of_two_laboratories_says_which_one(app: Flask) -> None:
    bench = Bench()
    user = make_user(Role.ANALYST, laboratory=bench.laboratory)
    other = make_laboratory()
    grants = actor_of(user).grants | make_actor(Role.ANALYST, laboratory=other).grants
    both = Actor(user_id=user.id, grants=grants)
    with pytest.raises(Invalid, match="Say which"):
        bench.draft(both)
    with transaction():
        row = verification_commands.create_verification(
            both, bench.code, verification_content(), laboratory=other.code
        )
    assert row.laboratory_id == other.id


@pytest.mark.req("E2")
@pytest.mark.parametrize("step", ["publish", "hide"])
def test_of_many_steps_at_once_one_has_an_effect(app: Flask, step: str) -> None:
    bench = Bench()
    row = bench.draft() if step == "publish" else make_verification(bench.version, manager=bench.manager)
    number = row.id
    with transaction() as session:
        session.query(OutgoingMail).delete()
    reviewers = [make_actor(Role.REVIEWER) for _number in range(5)]

    def act(place: int) -> object:
        if step == "publish":
            return verification_commands.publish_verification(bench.manager, bench.code, number)
        return verification_commands.hide_verification(reviewers[place % 5], bench.code, number, "No.")

    db.session.rollback()
    outcomes = at_once(app, 20, act)
    assert sorted(outcomes) == ["conflict"] * 19 + ["done"]
    assert entries(f"verification.{step}") == 1
    assert sum(len(subjects) for subjects in mails().values()) == 1


def test_performance_counts_laboratories_and_parties_and_shows_drift(app: Flask) -> None:
    bench = Bench()
    make_verification(bench.version, manager=bench.manager, slope=-3.7)
    make_verification(bench.version, manager=bench.manager, slope=-3.8)
    make_verification(bench.version, slope=-3.3)
    found = verification_queries.performance(None, queries.find_version(None, bench.code))
    assert (found["verifications"], found["laboratories"], found["parties"]) == (3, 2, 2)
    slope = next(row for row in found["figures"] if row.name == "slope")
    assert (slope.median, slope.validated, slope.outside, slope.drifts) == (-3.7, -3.4, 2, True)


def test_count_of_verifications_is_a_column(app: Flask) -> None:
    bench = Bench()
    make_verification(bench.version)
    bench.draft()
    count = verification_queries.verification_count()
    query = queries.visible_methods(None).add_columns(count)
    assert [row[1] for row in db.session.execute(query)] == [1]
