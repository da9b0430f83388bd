"""Recalls: everybody who has a version is told once, acknowledges once, and sees nobody else."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from labhub.accounts.actor import Actor, Role, Scope
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound
from labhub.methods import commands, queries, recall_commands, recall_queries, review_commands
from labhub.methods.models import MethodVersion
from labhub.methods.review_models import MethodRecall, MethodRecallRecipient
from labhub.outbox import OutgoingMail
from labhub.usage.models import UsageEvent
from labhub.usage.queries import Downloader
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    make_actor,
    make_laboratory,
    make_method,
    make_party,
    make_sop,
    make_use,
    make_user,
)
from tests.methods.test_commands import at_once, entries, mails


class Published:
    """A published method, downloaded by an analyst elsewhere, by a program of hers, and by visitors."""

    def __init__(self) -> None:
        self.laboratory = make_laboratory()
        self.manager = make_actor(Role.MANAGER, laboratory=self.laboratory, email="owner@example.org")
        self.reviewer = make_actor(Role.REVIEWER, email="reviewer@example.org")
        self.version: MethodVersion = make_method(
            actor=self.manager, state="published", reviewer=self.reviewer
        )
        self.code = self.version.method.code
        self.elsewhere = make_laboratory(code="LAB-BR", party=make_party("BR"))
        self.user = make_user(
            Role.ANALYST, laboratory=self.elsewhere, party=make_party("BR"), email="user@example.org"
        )
        self.person: Actor = actor_of(self.user)
        self.use(self.person)
        self.use(
            Actor(
                user_id=self.user.id,
                scope=Scope.READ,
                grants=self.person.grants,
                party_id=self.person.party_id,
            ),
            file="csv",
        )
        self.use()
        self.use(agent="Mozilla/5.0 (compatible; Googlebot/2.1)")
        self.forget_mail()

    def use(self, actor: Actor = Actor(), *, version: int = 1, **given: Any) -> None:  # noqa: B008
        make_use(actor, item=self.version.method_id, version=str(version), **given)

    def forget_mail(self) -> None:
        with transaction() as session:
            session.query(OutgoingMail).delete()

    def withdraw(self, reason: str = "The primers form dimers.") -> MethodRecall:
        with transaction():
            commands.withdraw(self.reviewer, self.code, reason)
        recall = db.session.scalar(select(MethodRecall))
        assert recall is not None
        return recall

    def renew(self, *, notify: bool = True) -> MethodVersion:
        with transaction():
            commands.new_version(self.manager, self.code, "Another probe.")
        with transaction():
            commands.submit(self.manager, self.code)
        self.forget_mail()
        with transaction():
            return commands.publish(self.reviewer, self.code, notify=notify)


def body_to(address: str) -> str:
    bodies = db.session.scalars(select(OutgoingMail.body).where(OutgoingMail.recipient == address)).all()
    assert len(bodies) == 1, bodies
    return bodies[0]


def test_withdrawal_tells_everybody_whose_account_downloaded_the_version(app: Flask) -> None:
    method = Published()
    recall = method.withdraw()
    (row,) = recall.recipients
    assert (row.user_id, row.downloads, sorted(row.formats)) == (method.user.id, 2, ["csv", "json"])
    body = body_to("user@example.org")
    assert "The primers form dimers." in body
    assert f"http://127.0.0.1:8000/recalls/{recall.id}\n" in body
    assert set(mails()) == {"user@example.org", "owner@example.org"}
    assert entries("method.withdraw") == 1


def test_who_has_another_version_is_not_told(app: Flask) -> None:
    method = Published()
    method.renew(notify=False)
    other = make_user(Role.PARTICIPANT, email="new@example.org")
    method.use(actor_of(other), version=2)
    method.forget_mail()
    with transaction():
        commands.withdraw(method.reviewer, method.code, "Old.", number=1)
    assert set(mails()) == {"user@example.org", "owner@example.org"}


def test_closed_account_is_a_recipient_that_could_not_be_told(app: Flask) -> None:
    method = Published()
    with transaction() as session:
        method.user.active = False
        session.add(method.user)
    recall = method.withdraw()
    assert "user@example.org" not in mails()
    answers = recall_queries.answers_to(method.reviewer, recall)
    assert (answers.told, answers.unreachable) == (0, 1)


def test_one_person_gets_one_mail_of_a_step(app: Flask) -> None:
    method = Published()
    other = make_user(Role.MANAGER, laboratory=method.laboratory, email="both@example.org")
    method.use(actor_of(other))
    method.withdraw()
    assert mails()["both@example.org"] == [f"Recall: do not use version 1 of method {method.code}"]


def test_who_recalls_is_no_recipient(app: Flask) -> None:
    method = Published()
    method.use(method.reviewer)
    assert [row.user_id for row in method.withdraw().recipients] == [method.user.id]


def test_new_version_is_told_to_those_who_have_the_old_one(app: Flask) -> None:
    method = Published()
    method.renew()
    body = body_to("user@example.org")
    assert "Another probe." in body
    assert "versions/2" in body
    notice = recall_queries.list_own_notices(method.person)[0]
    assert notice.recall.kind == "change"
    assert recall_queries.open_recalls(method.person) == 0
    with pytest.raises(Conflict, match="needs no"), transaction():
        recall_commands.acknowledge(method.person, notice.recall_id)


def test_new_version_can_come_without_a_notice(app: Flask) -> None:
    method = Published()
    method.renew(notify=False)
    assert set(mails()) == {"owner@example.org"}


def test_recall_by_decision_leaves_the_version_published(app: Flask) -> None:
    method = Published()
    with transaction():
        review_commands.issue_recall(method.reviewer, method.code, "A wrong concentration.", number=1)
    assert queries.find_version(None, method.code).state == "published"
    assert recall_queries.public_recalls(method.version)[0].reason == "A wrong concentration."
    with pytest.raises(Conflict, match="recalled on"), transaction():
        review_commands.issue_recall(method.manager, method.code, "Again.", number=1)
    recall = method.withdraw("It stays wrong.")
    assert recall.cause == "decision"
    assert recall_queries.open_recalls(method.person) == 2


@pytest.mark.parametrize("who", ["analyst of the laboratory", "manager elsewhere", "participant"])
def test_recall_is_issued_by_the_manager_or_a_reviewer_only(app: Flask, who: str) -> None:
    method = Published()
    actor = {
        "analyst of the laboratory": lambda: make_actor(Role.ANALYST, laboratory=method.laboratory),
        "manager elsewhere": lambda: make_actor(Role.MANAGER, laboratory=method.elsewhere),
        "participant": lambda: make_actor(Role.PARTICIPANT),
    }[who]()
    with pytest.raises(NotAllowed), transaction():
        review_commands.issue_recall(actor, method.code, "No.", number=1)


def test_draft_cannot_be_recalled_and_a_reason_is_needed(app: Flask) -> None:
    method = Published()
    with transaction():
        commands.new_version(method.manager, method.code, "Next.")
    with pytest.raises(Conflict), transaction():
        review_commands.issue_recall(method.manager, method.code, "No.", number=2)
    with pytest.raises(NotFound), transaction():
        review_commands.issue_recall(method.reviewer, method.code, "No.", number=2)
    with pytest.raises(Invalid), transaction():
        review_commands.issue_recall(method.manager, method.code, "  ", number=1)


def test_recall_is_acknowledged_once_by_its_recipient(app: Flask) -> None:
    method = Published()
    recall = method.withdraw()
    stranger = make_actor(Role.SECRETARIAT)
    with pytest.raises(NotFound), transaction():
        recall_commands.acknowledge(stranger, recall.id)
    assert recall_queries.open_recalls(method.person) == 1
    with transaction():
        recall_commands.acknowledge(method.person, recall.id)
    assert recall_queries.open_recalls(method.person) == 0
    assert entries("method.acknowledge-recall") == 1
    with pytest.raises(Conflict, match="already"), transaction():
        recall_commands.acknowledge(method.person, recall.id)


@pytest.mark.req("E2")
def test_of_many_acknowledgements_at_once_one_has_an_effect(app: Flask) -> None:
    method = Published()
    person, number = method.person, method.withdraw().id
    db.session.rollback()
    outcomes = at_once(app, 20, lambda _number: recall_commands.acknowledge(person, number))
    assert sorted(outcomes) == ["conflict"] * 19 + ["done"]
    assert entries("method.acknowledge-recall") == 1


@pytest.mark.req("E2")
@pytest.mark.parametrize("step", ["recall", "withdraw"])
def test_of_many_recalls_at_once_one_has_an_effect(app: Flask, step: str) -> None:
    method = Published()
    reviewers = [make_actor(Role.REVIEWER) for _number in range(5)]
    db.session.rollback()

    def act(number: int) -> object:
        if step == "withdraw":
            return commands.withdraw(reviewers[number % 5], method.code, "Wrong.")
        return review_commands.issue_recall(reviewers[number % 5], method.code, "Wrong.", number=1)

    outcomes = at_once(app, 24, act)
    assert sorted(outcomes) == ["conflict"] * 23 + ["done"]
    assert entries(f"method.{step}") == 1
    body_to("user@example.org")


def test_who_has_not_answered_is_reminded_once_after_14_days(app: Flask, fake_clock: Any) -> None:
    method = Published()
    silent, quick = method.user, make_user(Role.PARTICIPANT, email="quick@example.org")
    method.use(actor_of(quick))
    recall = method.withdraw()
    with transaction():
        recall_commands.acknowledge(actor_of(quick), recall.id)
    method.forget_mail()
    fake_clock.forward(days=13, hours=23)
    with transaction():
        assert recall_commands.remind() == 0
    fake_clock.forward(hours=2)
    db.session.rollback()
    at_once(app, 5, lambda _number: recall_commands.remind())
    fake_clock.forward(days=30)
    with transaction():
        assert recall_commands.remind() == 0
    assert set(mails()) == {silent.email}
    assert body_to(silent.email).startswith("On 2026-03-02 you were told")
    assert entries("method.remind-recall") == 1


def test_download_that_reached_the_ledger_late_is_told_by_the_job(app: Flask, fake_clock: Any) -> None:
    method = Published()
    late = make_user(Role.PARTICIPANT, email="late@example.org")
    after = make_user(Role.PARTICIPANT, email="after@example.org")
    before = fake_clock.at
    fake_clock.forward(hours=1)
    method.withdraw()
    fake_clock.forward(hours=1)
    method.use(actor_of(late), at=before)
    method.use(actor_of(after))
    for _time in range(2):
        with transaction():
            recall_commands.complete()
    assert "late@example.org" in mails()
    assert "after@example.org" not in mails()
    body_to("late@example.org")


def test_packages_above_add_people_whose_results_cite_the_version(app: Flask) -> None:
    method = Published()
    recall = method.withdraw()
    citing = make_user(Role.ANALYST, laboratory=make_laboratory(), email="citing@example.org")
    with transaction():
        (found,) = recall_queries.recalls_since(recall.issued_at)
        person = Downloader(citing.id, None, None, recall.issued_at, recall.issued_at)
        assert recall_commands.add_recipients(found, [person]) == {citing.id}
        assert recall_commands.add_recipients(found, [person]) == set()
    assert "citing@example.org" in mails()


@pytest.mark.req("A2")
def test_laboratory_sees_counts_and_the_secretariat_names(app: Flask) -> None:
    method = Published()
    recall = method.withdraw()
    answers = recall_queries.answers_to(method.manager, recall)
    assert answers.people is None
    assert answers.by_party == [("BR", 1, 0)]
    assert answers.by_laboratory == [("LAB-BR", 1, 0)]
    assert answers.anonymous == 1
    secretariat = make_actor(Role.SECRETARIAT)
    people = recall_queries.answers_to(secretariat, recall).people
    assert people is not None
    assert [row.user_id for row in people] == [method.user.id]
    assert recall_queries.answers_to(method.reviewer, recall).people is None
    assert recall_queries.recalls_of(method.person, method.code) == []
    data = recall_queries.notice_as_data(recall_queries.list_own_notices(method.person)[0])
    assert not {"people", "told", "by_party"} & data.keys()


def test_downloads_with_an_account_are_in_the_ledger_with_their_version(app: Flask) -> None:
    method = Published()
    user = make_user(Role.PARTICIPANT, email="reader@example.org", password=PASSWORD)
    browser_of(app, user).get(f"/methods/{method.code}/download?format=json")
    app.test_client().get(f"/api/v1/methods/{method.code}/download?format=csv", headers=bearer(user))
    rows = db.session.execute(
        select(UsageEvent.item_version, UsageEvent.file).where(UsageEvent.user_id == user.id)
    ).all()
    assert sorted(map(tuple, rows)) == [("1", "csv"), ("1", "json")]
    method.withdraw()
    assert {row.user.email for row in db.session.scalars(select(MethodRecallRecipient))} == {
        "user@example.org", "reader@example.org",
    }  # fmt: skip


def test_drafts_and_files_that_one_may_not_see_leave_no_row(app: Flask) -> None:
    laboratory = make_laboratory()
    user = make_user(Role.MANAGER, laboratory=laboratory, password=PASSWORD)
    version = make_method(actor=actor_of(user))
    file = make_sop(actor_of(user), version.method.code)
    client = browser_of(app, user)
    for path in (f"/methods/{version.method.code}/download", f"/methods/{version.method.code}/files/{file}"):
        answer = client.get(path)
        assert answer.status_code == 200 and answer.get_data()
        assert app.test_client().get(path).status_code == 404
    assert db.session.scalars(select(UsageEvent)).all() == []
