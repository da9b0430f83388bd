"""What people can do with methods: the way from a draft to publication, and what never changes after it."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from labhub.accounts.actor import OPERATOR, Actor, Role
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, Refusal, StaleEdit
from labhub.methods import commands, exchange, queries, tables
from labhub.methods.models import (
    DetectionMethod,
    FileRole,
    MethodFile,
    MethodOrigin,
    MethodSource,
    MethodState,
    MethodTarget,
    MethodValidation,
    MethodVersion,
    Oligo,
    Specificity,
)
from labhub.outbox import OutgoingMail
from tests.factories import make_actor, make_laboratory, make_method, make_sop, make_user, method_content


def entries(action: str = "method.%") -> int:
    """Return how many audit entries of an action there are."""
    return db.session.scalar(select(func.count()).where(AuditEntry.action.like(action))) or 0


def mails() -> dict[str, list[str]]:
    """Return the subjects of the mails that wait, by recipient."""
    found: dict[str, list[str]] = {}
    for mail in db.session.scalars(select(OutgoingMail).order_by(OutgoingMail.id)):
        found.setdefault(mail.recipient, []).append(mail.subject)
    return found


def at_once(app: Flask, count: int, do: Callable[[int], object]) -> list[str]:
    """Do something ``count`` times at once, each in a thread and context of its own; return the outcomes."""
    barrier = threading.Barrier(count)
    outcomes: list[str] = []

    def run(number: int) -> None:
        with app.app_context():
            barrier.wait()
            try:
                with transaction():
                    do(number)
                outcomes.append("done")
            except Refusal as refusal:
                outcomes.append(refusal.code)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_draft_gets_a_hub_made_code(app: Flask) -> None:
    first, second = make_method(), make_method(code="QT-EVE-ZM-099")
    assert first.method.code == "LH-1"
    assert second.method.code == "LH-2"
    assert second.method.wished_code == "QT-EVE-ZM-099"


def test_wished_code_is_given_at_publication_and_the_hub_made_one_still_leads_there(app: Flask) -> None:
    version = make_method(code="QT-EVE-ZM-099", state="published")
    assert version.method.code == "QT-EVE-ZM-099"
    assert queries.find_published_version("qt-eve-zm-099").id == version.id
    assert queries.find_published_version("LH-1").id == version.id


def test_wish_of_a_draft_is_not_told_to_others(app: Flask) -> None:
    make_method(code="QT-EVE-ZM-099")
    assert make_method(code="QT-EVE-ZM-099").state is MethodState.DRAFT


def test_code_of_a_published_method_is_taken(app: Flask) -> None:
    make_method(code="QT-EVE-ZM-099", state="published")
    with pytest.raises(Conflict, match="taken"):
        make_method(code="qt-eve-zm-099")


def test_second_draft_with_the_same_wish_cannot_be_published(app: Flask) -> None:
    waiting = make_method(code="QT-EVE-ZM-099", state="submitted")
    make_method(code="QT-EVE-ZM-099", state="published")
    with pytest.raises(Conflict, match="taken"), transaction():
        commands.publish(make_actor(Role.REVIEWER), waiting.method.code)


@pytest.mark.req("G1")
def test_story_from_draft_to_publication_leaves_one_entry_a_step_and_writes_to_those_concerned(
    app: Flask,
) -> None:
    laboratory = make_laboratory()
    manager = make_user(Role.MANAGER, laboratory=laboratory, email="manager@example.org", language="ar")
    analyst = make_actor(Role.ANALYST, laboratory=laboratory, email="analyst@example.org")
    reviewer = make_actor(Role.REVIEWER, email="reviewer@example.org")
    make_user(Role.SECRETARIAT, email="secretariat@example.org")
    head = app.extensions["labhub.config"].instance / "audit-heads.jsonl"

    with transaction():
        version = commands.create_method(analyst, method_content())
    code = version.method.code
    with transaction():
        commands.change_draft(analyst, code, {"title": "Another title"}, expected=version.edition)
    make_sop(analyst, code)
    from_manager = commands.accounts.actor_of(manager)
    with transaction():
        commands.submit(from_manager, code)
    assert set(mails()) == {"reviewer@example.org", "secretariat@example.org", "analyst@example.org"}
    with transaction():
        commands.start_review(reviewer, code)
    with transaction():
        commands.return_to_laboratory(reviewer, code, "The matrix is missing.")
    assert {name: len(subjects) for name, subjects in mails().items()} == {
        "analyst@example.org": 3, "reviewer@example.org": 1, "secretariat@example.org": 1,
        "manager@example.org": 2,
    }  # fmt: skip
    with transaction():
        commands.submit(from_manager, code)
    assert not head.exists()
    with transaction():
        commands.publish(reviewer, code)
    assert head.exists()
    with transaction():
        commands.withdraw(reviewer, code, "The primers form dimers.")

    story = db.session.scalars(
        select(AuditEntry.action).where(AuditEntry.action.like("method.%")).order_by(AuditEntry.seq)
    ).all()
    assert list(story) == [
        "method.create", "method.change", "method.add-file", "method.submit", "method.review",
        "method.return", "method.submit", "method.publish", "method.withdraw",
    ]  # fmt: skip
    assert {name: len(subjects) for name, subjects in mails().items()} == {
        "analyst@example.org": 6, "reviewer@example.org": 2, "secretariat@example.org": 2,
        "manager@example.org": 4,
    }  # fmt: skip


def test_submission_names_everything_that_is_missing(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    with transaction():
        version = commands.create_method(
            manager, {"title": "Bare", "specificity": "event", "technique": "qpcr", "quantitative": True}
        )
    with pytest.raises(Invalid) as refused, transaction():
        commands.submit(manager, version.method.code)
    assert set(refused.value.errors) == {
        "target", "targets", "taxon", "oligos", "oligos.probe", "amplicon_bp", "amplicon", "thermal_profile",
        "reagents", "reaction_microlitre", "template_nanogram", "reference_method", "calibrant", "matrices",
        "validation", "licence", "rights", "files",
    }  # fmt: skip


def test_analyst_cannot_submit(app: Flask) -> None:
    laboratory = make_laboratory()
    version = make_method(actor=make_actor(Role.ANALYST, laboratory=laboratory))
    with pytest.raises(NotAllowed), transaction():
        commands.submit(make_actor(Role.ANALYST, laboratory=laboratory), version.method.code)


@pytest.mark.req("G5")
@pytest.mark.parametrize("part", ["submitted", "created", "changed", "filed"])
def test_nobody_reviews_or_publishes_what_they_worked_on(app: Flask, part: str) -> None:
    laboratory = make_laboratory()
    person = make_user(Role.MANAGER, laboratory=laboratory)
    with transaction():
        commands.accounts.user_by_id(person.id)
    both = commands.accounts.actor_of(person)
    other = make_actor(Role.MANAGER, laboratory=laboratory)
    version = make_method(actor=both if part == "created" else other)
    code = version.method.code
    if part == "changed":
        with transaction():
            commands.change_draft(both, code, {"title": "Mine now"}, expected=version.edition)
    make_sop(both if part == "filed" else other, code)
    with transaction():
        commands.submit(both if part == "submitted" else other, code)
    reviewer = Actor(
        user_id=person.id,
        grants=both.grants | make_actor(Role.REVIEWER).grants | make_actor(Role.SECRETARIAT).grants,
    )
    for act in (
        lambda: commands.start_review(reviewer, code),
        lambda: commands.return_to_laboratory(reviewer, code, "No."),
        lambda: commands.publish(reviewer, code),
    ):
        with pytest.raises(NotAllowed, match="second person"), transaction():
            act()


@pytest.mark.req("G5")
def test_who_submitted_first_stays_a_writer_after_another_submits_again(app: Flask) -> None:
    laboratory = make_laboratory()
    first = make_actor(Role.MANAGER, laboratory=laboratory)
    second, third = (make_actor(Role.MANAGER, laboratory=laboratory) for _number in range(2))
    both = Actor(user_id=first.user_id, grants=first.grants | make_actor(Role.REVIEWER).grants)
    version = make_method(actor=make_actor(Role.ANALYST, laboratory=laboratory))
    code = version.method.code
    make_sop(second, code)
    with transaction():
        commands.submit(first, code)
    with transaction():
        commands.return_to_laboratory(make_actor(Role.REVIEWER), code, "Look again.")
    with transaction():
        commands.submit(second, code)
    for act in (commands.start_review, commands.publish):
        with pytest.raises(NotAllowed, match="second person"), transaction():
            act(both, code)
    with transaction():
        published = commands.publish(make_actor(Role.REVIEWER), code)
    with transaction():
        commands.new_version(third, code, "Better.", expected=published.edition)
    with transaction():
        commands.submit(third, code)
    with pytest.raises(NotAllowed, match="second person"), transaction():
        commands.publish(both, code)


def test_operator_is_nobody_in_particular_and_cannot_publish(app: Flask) -> None:
    version = make_method(state="submitted")
    with pytest.raises(NotAllowed), transaction():
        commands.publish(OPERATOR, version.method.code)


def test_draft_cannot_be_published(app: Flask) -> None:
    version = make_method()
    with pytest.raises(NotFound), transaction():
        commands.publish(make_actor(Role.REVIEWER), version.method.code)


def test_submitted_version_cannot_be_changed(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    version = make_method(actor=manager, state="submitted")
    code = version.method.code
    with pytest.raises(Conflict), transaction():
        commands.change_draft(manager, code, {"title": "New"}, expected=version.edition)
    with pytest.raises(Conflict), transaction():
        commands.remove_file(manager, code, version.files[0].id)


def test_second_editor_is_told_and_changes_nothing(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    version = make_method(actor=manager)
    seen = version.edition
    with transaction():
        commands.change_draft(manager, version.method.code, {"title": "First"}, expected=seen)
    with pytest.raises(StaleEdit), transaction():
        commands.change_draft(manager, version.method.code, {"title": "Second"}, expected=seen)
    assert queries.find_version(manager, version.method.code).title == "First"


def test_change_of_a_part_alone_moves_the_version_on(app: Flask, fake_clock: Any) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    version = make_method(actor=manager)
    seen = version.edition
    with transaction():
        commands.change_draft(
            manager, version.method.code, {"notes": [], "sources": [{"title": "A"}]}, expected=seen
        )
    assert version.edition > seen


@pytest.mark.req("G4")
def test_change_of_a_published_method_is_a_new_version(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    first = make_method(actor=manager, state="published")
    code = first.method.code
    with pytest.raises(Conflict, match="new version"), transaction():
        commands.change_draft(manager, code, {"title": "New"}, expected=first.edition)
    with transaction():
        second = commands.new_version(manager, code, "The probe was too short.")
    assert (second.number, second.state) == (2, MethodState.DRAFT)
    assert queries.same_content(second, queries.content_of(first))
    assert [file.sha256 for file in second.files] == [file.sha256 for file in first.files]
    with transaction():
        commands.change_draft(manager, code, {"title": "New"}, expected=second.edition)
    with transaction():
        commands.submit(manager, code)
    assert queries.find_published_version(code).number == 1
    with transaction():
        commands.publish(make_actor(Role.REVIEWER), code)
    db.session.expire_all()
    assert queries.find_published_version(code).title == "New"
    old = queries.find_published_version(code, 1)
    assert old.state is MethodState.SUPERSEDED
    assert old.title != "New"
    assert queries.is_intact(old)
    assert queries.altered_versions() == []


def test_one_version_is_worked_on_at_a_time(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    code = make_method(actor=manager, state="published").method.code
    with transaction():
        commands.new_version(manager, code, "Better.")
    with pytest.raises(Conflict, match="already"), transaction():
        commands.new_version(manager, code, "Better still.")


def test_code_of_a_published_method_stays(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    code = make_method(actor=manager, state="published").method.code
    with transaction():
        draft = commands.new_version(manager, code, "Better.")
    with pytest.raises(Invalid) as refused, transaction():
        commands.change_draft(manager, code, {"code": "NEW-1"}, expected=draft.edition)
    assert "code" in refused.value.errors


def test_withdrawn_method_stays_readable_with_its_reason(app: Flask) -> None:
    version = make_method(state="published")
    with transaction():
        commands.withdraw(make_actor(Role.SECRETARIAT), version.method.code, "Primer dimers.")
    with pytest.raises(NotFound):
        queries.find_published_version(version.method.code)
    assert queries.find_published_version(version.method.code, 1).withdrawal_reason == "Primer dimers."
    with pytest.raises(Conflict), transaction():
        commands.withdraw(make_actor(Role.SECRETARIAT), version.method.code, "Again.")


CHANGES: list[tuple[str, Any]] = [
    ("title", update(MethodVersion).values(title="Forged")),
    ("published_at", update(MethodVersion).values(published_at=None)),
    ("content_hash", update(MethodVersion).values(content_hash="0" * 64)),
    ("back to draft", update(MethodVersion).values(state=MethodState.DRAFT)),
    ("delete", delete(MethodVersion)),
    *[(f"change {table.__tablename__}", update(table).values(id=table.id + 1000))
      for table in (Oligo, MethodTarget, MethodFile, MethodValidation)],
    *[(f"delete {table.__tablename__}", delete(table))
      for table in (Oligo, MethodTarget, MethodFile, MethodValidation)],
]  # fmt: skip


@pytest.mark.req("G4")
def test_database_refuses_to_change_a_published_version(app: Flask) -> None:
    make_method(state="published")
    for _what, statement in CHANGES:
        with pytest.raises(DBAPIError, match="never changes"), transaction():
            db.session.execute(statement, execution_options={"synchronize_session": False})


@pytest.mark.req("G4")
def test_database_refuses_a_new_part_of_a_published_version(app: Flask) -> None:
    version = make_method(state="published")
    with pytest.raises(DBAPIError, match="never changes"), transaction():
        db.session.add(MethodSource(version_id=version.id, position=9, title="Late"))
        db.session.flush()


@pytest.mark.req("F12")
def test_change_past_the_seal_is_found(app: Flask) -> None:
    version = make_method(state="published")
    with transaction():
        if db.engine.dialect.name == "sqlite":
            db.session.execute(text("DROP TRIGGER method_oligo_no_update"))
        else:
            db.session.execute(text("ALTER TABLE method_oligo DISABLE TRIGGER ALL"))
        db.session.execute(update(Oligo).where(Oligo.position == 0).values(sequence="ACGT"))
    db.session.expire_all()
    assert [found.id for found in queries.altered_versions()] == [version.id]


@pytest.mark.req("E2")
def test_of_many_publications_at_once_one_has_an_effect(app: Flask) -> None:
    version = make_method(state="submitted")
    code = version.method.code
    reviewers = [make_actor(Role.REVIEWER) for _number in range(6)]
    before = len(mails())
    db.session.rollback()
    outcomes = at_once(app, 30, lambda number: commands.publish(reviewers[number % 6], code))
    assert sorted(outcomes) == ["conflict"] * 29 + ["done"]
    assert entries("method.publish") == 1
    assert len(mails()) == before + 1


@pytest.mark.req("E2")
def test_of_many_submissions_at_once_one_has_an_effect(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    code = make_method(actor=manager).method.code
    make_sop(manager, code)
    db.session.rollback()
    outcomes = at_once(app, 12, lambda _number: commands.submit(manager, code))
    assert sorted(outcomes) == ["conflict"] * 11 + ["done"]
    assert entries("method.submit") == 1


@pytest.mark.req("E4")
def test_hub_made_codes_stay_apart_when_many_begin_at_once(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    db.session.rollback()
    outcomes = at_once(app, 12, lambda _number: commands.create_method(manager, method_content()))
    assert outcomes == ["done"] * 12
    codes = set(db.session.scalars(select(DetectionMethod.code)))
    assert codes == {f"LH-{number}" for number in range(1, 13)}


def test_first_person_of_two_laboratories_says_which_one(app: Flask) -> None:
    first, second = make_laboratory("LAB-A"), make_laboratory("LAB-B")
    grants: Iterable[Any] = (
        *make_actor(Role.MANAGER, laboratory=first).grants,
        *make_actor(Role.ANALYST, laboratory=second).grants,
    )
    person = Actor(user_id=make_user().id, grants=frozenset(grants))
    with pytest.raises(Invalid) as refused, transaction():
        commands.create_method(person, method_content())
    assert "laboratory" in refused.value.errors
    with transaction():
        version = commands.create_method(person, method_content(), laboratory="lab-b")
    assert version.laboratory_id == second.id


def test_method_of_another_laboratory_cannot_be_begun(app: Flask) -> None:
    make_laboratory("LAB-A")
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-B"))
    with pytest.raises(Invalid, match="LAB-A"), transaction():
        commands.create_method(manager, method_content(), laboratory="LAB-A")


def test_same_file_name_twice_is_refused(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    code = make_method(actor=manager).method.code
    make_sop(manager, code, name="SOP.pdf")
    with pytest.raises(Conflict, match="name"):
        make_sop(manager, code, name="sop.pdf")
    file = queries.find_version(manager, code).files[0]
    assert (file.role, file.media_type) == (FileRole.SOP, "application/pdf")


def test_compiled_methods_are_published_and_nobody_owns_them(app: Flask) -> None:
    record = method_content(source_code="QT-1", code="QT-1", sources=[{"title": "A page"}], verified=True)
    with transaction():
        entry = tables.Entry(exchange.check({**record, "origin": "compiled"}), 1)
        commands._import(OPERATOR, None, tables.Sent("f", [entry]))
    version = queries.find_published_version("QT-1")
    assert version.method.origin is MethodOrigin.COMPILED
    assert version.laboratory_id is None
    assert version.verified is True
    assert version.specificity is Specificity.EVENT
    assert queries.altered_versions() == []
