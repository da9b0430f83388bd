"""Comments on fields, claims that bind, and mail to those concerned."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory, User
from labhub.accounts.queries import actor_of
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, StaleEdit, TooMany
from labhub.methods import commands, queries, review_commands, review_queries
from labhub.methods.models import MethodState, MethodVersion
from labhub.methods.review_models import MethodComment
from labhub.outbox import OutgoingMail
from tests.factories import make_actor, make_laboratory, make_method, make_sop, make_user
from tests.methods.test_commands import at_once, entries, mails


class Bench:
    """A laboratory with a manager and an analyst, two reviewers, and a method under review."""

    def __init__(self, state: str = "in-review") -> None:
        self.laboratory: Laboratory = make_laboratory()
        self.manager_user: User = make_user(
            Role.MANAGER, laboratory=self.laboratory, email="manager@example.org"
        )
        self.manager: Actor = actor_of(self.manager_user)
        self.analyst = make_actor(Role.ANALYST, laboratory=self.laboratory, email="analyst@example.org")
        self.reviewer = make_actor(Role.REVIEWER, email="reviewer@example.org", name="Rosa Reviewer")
        self.second = make_actor(Role.REVIEWER, email="second@example.org")
        self.version: MethodVersion = make_method(actor=self.manager, state=state, reviewer=self.reviewer)
        self.code = self.version.method.code
        with transaction() as session:
            session.query(OutgoingMail).delete()

    def comment(self, actor: Actor, text: str = "Why so low?", **given: Any) -> MethodComment:
        with transaction():
            return review_commands.add_comment(actor, self.code, text, **given)

    def give_back(self, reason: str = "See the comments.") -> None:
        with transaction():
            commands.return_to_laboratory(self.reviewer, self.code, reason)


def bodies(recipient: str) -> list[str]:
    """Return the mails that wait for somebody."""
    found = select(OutgoingMail.body).where(OutgoingMail.recipient == recipient).order_by(OutgoingMail.id)
    return list(db.session.scalars(found))


def test_comment_keeps_what_the_field_said(app: Flask) -> None:
    bench = Bench()
    row = bench.comment(bench.reviewer, field="oligos.1.sequence")
    assert row.quoted == "GCCACCTTCCTTTTCCACTATCTT"
    assert row.side == "reviewer"
    whole = bench.comment(bench.reviewer, "Well done.")
    assert (whole.field, whole.quoted) == ("", None)
    assert entries("method.comment") == 2


@pytest.mark.parametrize(
    "field", ["nonsense", "oligos.9.sequence", "oligos.x", "title.0", "taxon.x", "..", "oligos.-1", "a" * 300]
)
def test_comment_names_a_field_of_the_record(app: Flask, field: str) -> None:
    bench = Bench()
    with pytest.raises(Invalid, match="no field") as refusal:
        bench.comment(bench.reviewer, field=field)
    assert "field" in refusal.value.errors


def test_comments_are_not_there_for_anybody_else(app: Flask) -> None:
    bench = Bench()
    row = bench.comment(bench.reviewer, field="title")
    others = [
        make_actor(Role.MANAGER, laboratory=make_laboratory()),
        make_actor(Role.FOCAL_POINT),
        make_actor(Role.ADMINISTRATOR),
        make_actor(Role.PARTICIPANT),
        None,
    ]
    with transaction():
        commands.publish(bench.reviewer, bench.code)
    for other in others:
        with pytest.raises(NotFound, match="There is no method"):
            review_queries.find_commented(other, bench.code)
        with pytest.raises(NotFound):
            review_queries.find_comment(other, bench.code, row.id)
        panel = review_queries.panel(other, queries.find_version(other, bench.code))
        assert not panel["comments_readable"]
        assert not panel["comment_threads"]
    with pytest.raises(NotFound), transaction():
        review_commands.add_comment(others[0], bench.code, "Let me in.")  # type: ignore[arg-type]
    exported = queries.exported(queries.find_version(None, bench.code), None)
    assert "comment" not in queries.write(exported, "json").decode()


def test_comments_stay_with_the_version_after_publication_for_both_sides(app: Flask) -> None:
    bench = Bench()
    bench.comment(bench.reviewer, field="title")
    with transaction():
        commands.publish(bench.reviewer, bench.code)
    for reader in (bench.analyst, bench.second):
        version = review_queries.find_commented(reader, bench.code)
        assert len(review_queries.threads_of(version)) == 1
    with pytest.raises(Conflict, match="reviewed or corrected"):
        bench.comment(bench.reviewer)
    assert queries.is_intact(queries.find_version(None, bench.code))


def test_draft_that_was_never_submitted_has_no_comments(app: Flask) -> None:
    bench = Bench("draft")
    with pytest.raises(Conflict):
        bench.comment(bench.manager)
    with pytest.raises(NotFound):
        bench.comment(bench.reviewer)


def test_returned_version_shows_comments_to_both_and_its_content_to_the_laboratory_only(app: Flask) -> None:
    bench = Bench()
    row = bench.comment(bench.reviewer, field="title")
    bench.give_back()
    with transaction():
        commands.change_draft(
            bench.manager, bench.code, {"title": "A secret new title"},
            expected=queries.find_version(bench.manager, bench.code).edition,
        )  # fmt: skip
    version = review_queries.find_commented(bench.reviewer, bench.code)
    assert review_queries.content_for(bench.reviewer, version) is None
    assert review_queries.content_for(bench.manager, version) is not None
    with pytest.raises(NotFound):
        queries.find_version(bench.reviewer, bench.code)
    with pytest.raises(Conflict):
        bench.comment(bench.reviewer, field="title")
    answer = bench.comment(bench.reviewer, "As I said.", reply_to=row.id)
    assert (answer.thread_id, answer.field, answer.quoted) == (row.id, "title", None)
    assert bench.comment(bench.manager, "Changed.", reply_to=answer.id).thread_id == row.id
    assert bench.comment(bench.analyst, "And this?", field="title").quoted == "A secret new title"


def test_quote_of_a_correction_is_not_shown_to_the_reviewer_before_it_is_submitted(app: Flask) -> None:
    bench = Bench()
    bench.comment(bench.reviewer, field="title")
    bench.give_back()
    with transaction():
        commands.change_draft(
            bench.manager, bench.code, {"title": "A secret new title"},
            expected=queries.find_version(bench.manager, bench.code).edition,
        )  # fmt: skip
    mine = bench.comment(bench.analyst, "And this?", field="title")
    assert review_queries.quote_for(bench.reviewer, mine) is None
    assert review_queries.quote_for(bench.manager, mine) == "A secret new title"
    with transaction():
        commands.submit(bench.manager, bench.code)
    assert review_queries.quote_for(bench.reviewer, mine) == "A secret new title"


def test_laboratory_is_not_told_who_reviews(app: Flask) -> None:
    bench = Bench()
    row = bench.comment(bench.reviewer, field="title")
    assert review_queries.author_name(bench.manager, row) is None
    assert review_queries.author_name(bench.second, row) == "Rosa Reviewer"
    own = bench.comment(bench.manager, "We do.", reply_to=row.id)
    assert review_queries.author_name(bench.reviewer, own) == bench.manager_user.name


def test_remark_is_resolved_and_opened_again_once_each(app: Flask) -> None:
    bench = Bench()
    row = bench.comment(bench.reviewer, field="title")
    reply = bench.comment(bench.manager, "Done.", reply_to=row.id)
    edition = row.row_version
    with transaction():
        review_commands.resolve_comment(bench.manager, bench.code, row.id, resolved=True, expected=edition)
    with pytest.raises(StaleEdit), transaction():
        review_commands.resolve_comment(bench.manager, bench.code, row.id, resolved=True, expected=edition)
    with pytest.raises(Conflict, match="already"), transaction():
        review_commands.resolve_comment(
            bench.reviewer, bench.code, row.id, resolved=True, expected=edition + 1
        )
    with pytest.raises(Conflict, match="reply"), transaction():
        review_commands.resolve_comment(bench.reviewer, bench.code, reply.id, resolved=True, expected=1)
    with transaction():
        review_commands.resolve_comment(
            bench.reviewer, bench.code, row.id, resolved=False, expected=edition + 1
        )
    assert (entries("method.resolve-comment"), entries("method.reopen-comment")) == (1, 1)


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 10_241, "ق" * 6_000, "a\x00b"])
def test_text_of_a_comment_is_limited(app: Flask, text: str) -> None:
    bench = Bench()
    with pytest.raises(Invalid):
        bench.comment(bench.reviewer, text)


def test_one_person_writes_at_most_sixty_comments_an_hour(app: Flask, fake_clock: Any) -> None:
    bench = Bench()
    with transaction():
        for number in range(review_commands.MOST_AN_HOUR):
            review_commands.add_comment(bench.reviewer, bench.code, f"Remark {number}")
    with pytest.raises(TooMany):
        bench.comment(bench.reviewer)
    fake_clock.forward(minutes=61)
    assert bench.comment(bench.reviewer).id


def test_comments_of_an_hour_share_one_mail_to_the_other_side(app: Flask, fake_clock: Any) -> None:
    bench = Bench()
    for field in ("title", "oligos.0.sequence", ""):
        bench.comment(bench.reviewer, f"On {field}", field=field)
    fake_clock.forward(minutes=59)
    with transaction():
        assert review_commands.tell_comments() == 0
    fake_clock.forward(minutes=2)
    for _time in range(2):
        with transaction():
            review_commands.tell_comments()
    assert mails() == {"manager@example.org": [f"Comments on method {bench.code}"]}
    (body,) = bodies("manager@example.org")
    assert "3 new comments" in body
    assert "Primers and probes › 1 › Sequence: On oligos.0.sequence" in body
    assert f"http://127.0.0.1:8000/methods/{bench.code}/versions/1" in body
    assert "Rosa" not in body


def test_answers_of_the_laboratory_go_to_the_reviewer(app: Flask, fake_clock: Any) -> None:
    bench = Bench()
    row = bench.comment(bench.reviewer, field="title")
    bench.comment(bench.manager, "It is.", reply_to=row.id)
    fake_clock.forward(hours=2)
    with transaction():
        assert review_commands.tell_comments() == 2
    assert set(mails()) == {"manager@example.org", "reviewer@example.org"}


def test_return_lists_open_comments_and_leaves_nothing_to_tell(app: Flask, fake_clock: Any) -> None:
    bench = Bench()
    first = bench.comment(bench.reviewer, "Too low.", field="validation.slope")
    bench.comment(bench.reviewer, "Which flour?", field="matrices")
    with transaction():
        review_commands.resolve_comment(
            bench.reviewer, bench.code, first.id, resolved=True, expected=first.row_version
        )
    bench.give_back("Please see to it.")
    (body,) = bodies("manager@example.org")
    assert "Matrices: Which flour?" in body
    assert "Too low." not in body
    fake_clock.forward(hours=3)
    with transaction():
        assert review_commands.tell_comments() == 0


def test_mail_speaks_the_readers_language(app: Flask) -> None:
    bench = Bench()
    arabic = make_user(Role.MANAGER, laboratory=bench.laboratory, email="arabic@example.org", language="ar")
    bench.comment(bench.reviewer, "Why?", field="title")
    bench.give_back()
    (body,) = bodies(arabic.email)
    assert "العنوان: Why?" in body


# Claims --------------------------------------------------------------------------------------


def test_claim_binds_until_it_is_taken_over(app: Flask) -> None:
    bench = Bench()
    for act in (
        lambda: commands.return_to_laboratory(bench.second, bench.code, "No."),
        lambda: commands.publish(bench.second, bench.code),
    ):
        with pytest.raises(Conflict, match="Take the review over"), transaction():
            act()
    with pytest.raises(Invalid), transaction():
        commands.take_over(bench.second, bench.code, " ")
    with transaction():
        version = commands.take_over(bench.second, bench.code, "Rosa is on leave.")
    assert version.reviewer_id == bench.second.user_id
    assert set(mails()) == {"reviewer@example.org", "manager@example.org"}
    assert "Rosa is on leave." in bodies("reviewer@example.org")[0]
    assert "Rosa" not in bodies("manager@example.org")[0]
    with pytest.raises(Conflict, match="Take the review over"), transaction():
        commands.publish(bench.reviewer, bench.code)
    with transaction():
        commands.publish(bench.second, bench.code)
    assert mails()["reviewer@example.org"][-1].endswith("is published")


def test_claim_is_given_back_by_who_holds_it(app: Flask) -> None:
    bench = Bench()
    with pytest.raises(NotAllowed, match="take it over"), transaction():
        commands.release_claim(bench.second, bench.code)
    with transaction():
        version = commands.release_claim(bench.reviewer, bench.code, "No time.")
    assert (version.state, version.reviewer_id) == (MethodState.SUBMITTED, None)
    assert set(mails()) == {"manager@example.org", "second@example.org"}
    with transaction():
        commands.start_review(bench.second, bench.code)


def test_second_person_rule_stays_for_taking_over(app: Flask) -> None:
    bench = Bench()
    both = Actor(user_id=bench.manager.user_id, grants=bench.manager.grants | bench.second.grants)
    with pytest.raises(NotAllowed, match="second person"), transaction():
        commands.take_over(both, bench.code, "Mine.")


def test_nobody_is_told_of_what_they_did_themselves(app: Flask) -> None:
    bench = Bench("draft")
    make_sop(bench.analyst, bench.code)
    with transaction():
        commands.submit(bench.manager, bench.code)
    assert "manager@example.org" not in mails()
    assert mails()["analyst@example.org"] == [f"Your laboratory has submitted method {bench.code}"]
    assert mails()["reviewer@example.org"] == [f"Method {bench.code} waits for review"]
    with transaction():
        commands.start_review(bench.reviewer, bench.code)
    assert len(mails()["reviewer@example.org"]) == 1
    assert len(mails()["second@example.org"]) == 1
    assert mails()["manager@example.org"] == [f"A reviewer has taken on method {bench.code}"]


@pytest.mark.req("E2")
@pytest.mark.parametrize("step", ["claim", "release", "take-over", "return"])
def test_of_many_steps_of_a_review_at_once_one_has_an_effect(app: Flask, step: str) -> None:
    bench = Bench("submitted" if step == "claim" else "in-review")
    reviewers = [make_actor(Role.REVIEWER) for _number in range(5)]
    edition = queries.find_version(bench.reviewer, bench.code).edition
    db.session.rollback()

    def act(number: int) -> object:
        if step == "claim":
            return commands.start_review(reviewers[number % 5], bench.code, expected=edition)
        if step == "release":
            return commands.release_claim(bench.reviewer, bench.code, expected=edition)
        if step == "take-over":
            return commands.take_over(reviewers[number % 5], bench.code, "I go on.", expected=edition)
        return commands.return_to_laboratory(bench.reviewer, bench.code, "No.", expected=edition)

    outcomes = at_once(app, 20, act)
    assert outcomes.count("done") == 1
    assert set(outcomes) <= {"done", "stale-edit", "conflict", "not-found"}
    action = {"claim": "review"}.get(step, step)
    assert entries(f"method.{action}") == 1
    assert len(bodies("manager@example.org")) == 1


@pytest.mark.req("E2")
def test_of_many_resolutions_at_once_one_has_an_effect_and_one_mail_goes_out(
    app: Flask, fake_clock: Any
) -> None:
    bench = Bench()
    row = bench.comment(bench.reviewer, field="title")
    number, edition = row.id, row.row_version
    fake_clock.forward(hours=2)
    db.session.rollback()
    outcomes = at_once(
        app,
        20,
        lambda _number: review_commands.resolve_comment(
            bench.manager, bench.code, number, resolved=True, expected=edition
        ),
    )
    assert outcomes.count("done") == 1
    assert entries("method.resolve-comment") == 1
    db.session.rollback()
    assert at_once(app, 10, lambda _number: review_commands.tell_comments()) == ["done"] * 10
    db.session.rollback()
    assert len(bodies("manager@example.org")) == 1


# Drafts of several members ---------------------------------------------------------------------


def test_file_added_by_another_member_leaves_an_open_form_good(app: Flask) -> None:
    bench = Bench("draft")
    opened = queries.find_version(bench.manager, bench.code).edition
    make_sop(bench.analyst, bench.code)
    make_sop(bench.analyst, bench.code, name="second.pdf")
    with transaction():
        version = commands.change_draft(bench.manager, bench.code, {"title": "Mine"}, expected=opened)
    assert version.title == "Mine"
    assert len(version.files) == 2
    with pytest.raises(StaleEdit), transaction():
        commands.change_draft(bench.analyst, bench.code, {"title": "Yours"}, expected=opened)


def test_submission_on_a_reading_before_a_file_was_added_is_refused(app: Flask) -> None:
    bench = Bench("draft")
    opened = queries.find_version(bench.manager, bench.code).edition
    make_sop(bench.analyst, bench.code)
    with pytest.raises(StaleEdit), transaction():
        commands.submit(bench.manager, bench.code, expected=opened)


def test_change_before_a_file_was_added_still_makes_a_form_stale(app: Flask) -> None:
    bench = Bench("draft")
    opened = queries.find_version(bench.manager, bench.code).edition
    with transaction():
        commands.change_draft(bench.analyst, bench.code, {"title": "Yours"}, expected=opened)
    make_sop(bench.analyst, bench.code)
    with pytest.raises(StaleEdit), transaction():
        commands.change_draft(bench.manager, bench.code, {"title": "Mine"}, expected=opened)


def test_name_of_the_last_editor_is_for_the_laboratory_and_reviewers(app: Flask) -> None:
    bench = Bench("published")
    version = queries.find_version(None, bench.code)
    assert review_queries.last_editor(bench.manager, version) is not None
    assert review_queries.last_editor(bench.second, version) is not None
    assert review_queries.last_editor(None, version) is None
    assert review_queries.last_editor(make_actor(Role.PARTICIPANT), version) is None


def test_each_comment_leaves_one_entry_without_its_text(app: Flask) -> None:
    bench = Bench()
    bench.comment(bench.reviewer, "Planted words.", field="title")
    assert db.session.scalar(select(func.count()).where(AuditEntry.action == "method.comment")) == 1
    after = db.session.scalar(select(AuditEntry.after).where(AuditEntry.action == "method.comment"))
    assert "Planted words" not in (after or "")
