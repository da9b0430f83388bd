"""Jobs: run once, taken up again when a worker dies, tried five times, seen by their owner only."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from labhub import audit
from labhub.accounts import commands as accounts
from labhub.accounts.actor import OPERATOR, Actor, Role
from labhub.accounts.models import User
from labhub.accounts.queries import actor_of
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, TooMany
from labhub.i18n import _, in_language
from labhub.outbox import OutgoingMail, add
from labhub.work import commands, kinds, queries
from labhub.work.models import BackgroundJob, JobState
from tests.conftest import FakeClock
from tests.factories import make_user

Run = Callable[[kinds.Work], dict[str, Any]]


@pytest.fixture
def queue() -> Iterator[None]:
    """A hub whose workers do not start at once, so that a test decides when a job runs."""
    kept = commands.WAKERS.pop(db.engine)
    known = dict(kinds.KINDS)
    yield
    kinds.KINDS.clear()
    kinds.KINDS.update(known)
    commands.WAKERS[db.engine] = kept


@pytest.fixture
def in_hub(app: Flask) -> commands.InHub:
    @contextmanager
    def opened() -> Iterator[None]:
        with app.app_context(), audit.from_source("", "job"):
            yield

    return opened


@pytest.fixture
def owner(app: Flask, queue: None) -> User:
    return make_user(Role.PARTICIPANT)


def start(owner: User, run: Run, payload: dict[str, Any] | None = None, **more: Any) -> int:
    kinds.register("test", run, **more)
    with transaction():
        return commands.start_job(actor_of(owner), "test", payload or {}).id


def job_of(number: int) -> BackgroundJob:
    db.session.rollback()
    return db.session.get_one(BackgroundJob, number, populate_existing=True)


def test_a_job_runs_and_its_owner_reads_the_result(owner: User, in_hub: commands.InHub) -> None:
    def run(work: kinds.Work) -> dict[str, Any]:
        work.progress(0.5)
        return {"twice": 2 * work.payload["number"], "who": work.actor.user_id}

    number = start(owner, run, {"number": 21})
    assert job_of(number).state is JobState.QUEUED
    assert queries.result_of(actor_of(owner), job_of(number)) is None
    assert commands.work_off(in_hub) == 1
    job = job_of(number)
    assert (job.state, job.progress, job.tries, job.payload) == (JobState.DONE, 1.0, 1, None)
    assert queries.result_of(actor_of(owner), job) == {"twice": 42, "who": owner.id}
    assert commands.work_off(in_hub) == 0


def test_messages_of_a_result_are_read_in_the_readers_language(owner: User, in_hub: commands.InHub) -> None:
    number = start(owner, lambda work: {"said": [_("There is no job %(number)s.", number=7)]})
    commands.work_off(in_hub)
    found = queries.result_of(actor_of(owner), job_of(number))
    assert found is not None
    assert str(found["said"][0]) == "There is no job 7."
    with in_language("ar"):
        assert "%" not in str(found["said"][0])


def test_nobody_else_knows_of_a_job(owner: User, in_hub: commands.InHub) -> None:
    number = start(owner, lambda work: {})
    other = actor_of(make_user(Role.SECRETARIAT, Role.ADMINISTRATOR))
    for act in (queries.find_job, commands.cancel_job):
        with pytest.raises(NotFound), transaction():
            act(other, number)
    assert queries.recent_jobs(other) == []
    assert queries.find_job(OPERATOR, number).id == number
    with pytest.raises(NotAllowed), transaction():
        commands.start_job(Actor(), "test", {})


def test_only_so_many_jobs_of_one_person_are_open(owner: User) -> None:
    numbers = [start(owner, lambda work: {}) for _each in range(commands.MOST_OPEN)]
    with pytest.raises(TooMany) as refused:
        start(owner, lambda work: {})
    assert refused.value.retry_after > 0
    start(make_user(), lambda work: {})
    with transaction():
        assert commands.cancel_job(actor_of(owner), numbers[0]).state is JobState.CANCELLED
    start(owner, lambda work: {})


def test_a_worker_that_dies_leaves_the_job_to_another(
    owner: User, in_hub: commands.InHub, fake_clock: FakeClock
) -> None:
    def killed(work: kinds.Work) -> dict[str, Any]:
        raise SystemExit

    number = start(owner, killed)
    with pytest.raises(SystemExit):
        commands.run_job(number, in_hub)
    assert job_of(number).state is JobState.RUNNING
    kinds.register("test", lambda work: {"done": True})
    fake_clock.forward(seconds=20)
    assert commands.work_off(in_hub) == 0, "it may still be alive"
    fake_clock.forward(seconds=6)
    assert timedelta(seconds=60) > queries.STALE_AFTER
    assert commands.work_off(in_hub) == 1
    assert (job_of(number).state, job_of(number).tries) == (JobState.DONE, 2)


def test_a_worker_that_lost_its_job_changes_nothing(
    owner: User, in_hub: commands.InHub, fake_clock: FakeClock
) -> None:
    """It was thought dead, another has done the work: the effects are made once."""

    def finish(work: kinds.Work, result: dict[str, Any]) -> None:
        add("amina@example.org", "Done", str(result))

    def slow(work: kinds.Work) -> dict[str, Any]:
        kinds.KINDS["test"].run = lambda work: {"by": "second"}
        fake_clock.forward(minutes=5)
        with in_hub():
            assert commands.work_off(in_hub) == 1
        return {"by": "first"}

    number = start(owner, slow, finish=finish)
    assert commands.run_job(number, in_hub)
    job = job_of(number)
    assert queries.result_of(actor_of(owner), job) == {"by": "second"}
    assert db.session.scalar(select(func.count()).select_from(OutgoingMail)) == 1


def test_effects_go_with_the_end_of_the_job_or_not_at_all(
    owner: User, in_hub: commands.InHub, fake_clock: FakeClock
) -> None:
    failing = [True]

    def finish(work: kinds.Work, result: dict[str, Any]) -> None:
        add("amina@example.org", "Done", "Text")
        if failing:
            failing.clear()
            raise KeyError("in the middle")

    number = start(owner, lambda work: {}, finish=finish)
    with pytest.raises(KeyError):
        commands.work_off(in_hub)
    assert db.session.scalar(select(func.count()).select_from(OutgoingMail)) == 0
    fake_clock.forward(minutes=1)
    commands.work_off(in_hub)
    assert job_of(number).state is JobState.DONE
    assert db.session.scalar(select(func.count()).select_from(OutgoingMail)) == 1


def test_a_fault_is_tried_five_times_and_then_shown_to_administrators(
    owner: User, in_hub: commands.InHub, fake_clock: FakeClock
) -> None:
    calls = []

    def run(work: kinds.Work) -> dict[str, Any]:
        calls.append(work.number)
        raise ZeroDivisionError("ACGTACGTACGTSECRET")

    number = start(owner, run)
    for _each in range(8):
        for _again in range(2):
            with suppress(ZeroDivisionError):
                commands.work_off(in_hub)
        fake_clock.forward(minutes=10)
    job = job_of(number)
    assert (job.state, job.tries, len(calls)) == (JobState.FAILED, 5, 5)
    assert "SECRET" not in job.fault and "ZeroDivisionError at test_commands.py" in job.fault
    assert "fault of the hub" in queries.refusal_of(job)
    (seen,) = queries.faults(actor_of(make_user(Role.ADMINISTRATOR)))
    assert seen.id == number
    assert f"job {number}" in queries.fault_lines()[0]
    with pytest.raises(NotAllowed):
        queries.faults(actor_of(owner))


def test_a_job_whose_workers_always_die_fails_too(
    owner: User, in_hub: commands.InHub, fake_clock: FakeClock
) -> None:
    def killed(work: kinds.Work) -> dict[str, Any]:
        raise SystemExit

    number = start(owner, killed)
    for _each in range(5):
        with pytest.raises(SystemExit):
            commands.work_off(in_hub)
        fake_clock.forward(minutes=1)
    assert commands.work_off(in_hub) == 0
    assert (job_of(number).state, job_of(number).tries) == (JobState.FAILED, 5)


def test_a_refusal_ends_the_job_with_its_words(owner: User, in_hub: commands.InHub) -> None:
    def run(work: kinds.Work) -> dict[str, Any]:
        raise Invalid(_("The oligo has no bases."))

    number = start(owner, run)
    assert commands.work_off(in_hub) == 1
    job = job_of(number)
    assert (job.state, job.fault, queries.refusal_of(job)) == (JobState.FAILED, "", "The oligo has no bases.")
    assert queries.fault_lines() == []


def test_a_running_job_stops_at_its_next_step_when_it_is_cancelled(
    owner: User, in_hub: commands.InHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "BEAT_SECONDS", 0.02)
    begun = threading.Event()

    def run(work: kinds.Work) -> dict[str, Any]:
        begun.set()
        for step in range(1000):
            time.sleep(0.02)
            work.progress(step / 1000)
        return {}

    number = start(owner, run)

    def work() -> None:
        with in_hub():
            commands.work_off(in_hub)

    worker = threading.Thread(target=work)
    worker.start()
    assert begun.wait(20)
    with transaction():
        job = commands.cancel_job(actor_of(owner), number)
    assert job.is_open
    worker.join(20)
    assert job_of(number).state is JobState.CANCELLED
    with pytest.raises(Conflict), transaction():
        commands.cancel_job(actor_of(owner), number)


def test_progress_is_seen_while_the_job_runs(
    owner: User, in_hub: commands.InHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "BEAT_SECONDS", 0.02)
    seen = threading.Event()

    def run(work: kinds.Work) -> dict[str, Any]:
        work.progress(0.4)
        assert seen.wait(20)
        return {}

    number = start(owner, run)

    def work() -> None:
        with in_hub():
            commands.work_off(in_hub)

    worker = threading.Thread(target=work)
    worker.start()
    end = time.monotonic() + 20
    while job_of(number).progress != 0.4 and time.monotonic() < end:
        time.sleep(0.02)
    assert job_of(number).progress == 0.4
    seen.set()
    worker.join(20)
    assert job_of(number).progress == 1.0


def test_rights_are_those_of_the_moment_when_the_job_runs(owner: User, in_hub: commands.InHub) -> None:
    number = start(owner, lambda work: {"roles": work.actor.role_names})
    with transaction():
        accounts.grant_role(OPERATOR, db.session.get_one(User, owner.id), Role.REVIEWER)
    commands.work_off(in_hub)
    found = queries.result_of(actor_of(owner), job_of(number))
    assert found is not None and "reviewer" in found["roles"]
    closed = start(owner, lambda work: {})
    with transaction() as session:
        session.execute(update(User).where(User.id == owner.id).values(active=False))
    commands.work_off(in_hub)
    assert "closed" in queries.refusal_of(job_of(closed))


def test_the_kind_decides_what_may_be_read_of_a_result_now(owner: User, in_hub: commands.InHub) -> None:
    number = start(
        owner, lambda work: {"seen": 1, "hidden": 2}, answer=lambda actor, found: {"seen": found["seen"]}
    )
    commands.work_off(in_hub)
    assert queries.result_of(actor_of(owner), job_of(number)) == {"seen": 1}


def test_old_jobs_are_removed(owner: User, in_hub: commands.InHub, fake_clock: FakeClock) -> None:
    start(owner, lambda work: {})
    commands.work_off(in_hub)
    fake_clock.forward(days=8)
    waiting = start(owner, lambda work: {})
    with transaction():
        assert commands.tidy_jobs() == 1
    assert [job.id for job in queries.recent_jobs(actor_of(owner))] == [waiting]


def test_results_that_are_kept_make_room_for_newer_ones(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MOST_KEPT", 3)
    kinds.register("test", lambda work: {})
    numbers = []
    for number in range(5):
        with transaction():
            numbers.append(commands.keep_result(actor_of(owner), "test", {"number": number}).id)
    assert [job.id for job in queries.recent_jobs(actor_of(owner))] == numbers[:1:-1]


def test_a_start_stands_in_the_trail_and_a_payload_does_not(owner: User) -> None:
    start(owner, lambda work: {}, {"bases": "ACGTACGTACGT"})
    entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.seq.desc())).first()
    assert entry is not None and entry.action == "job.start"
    assert "ACGT" not in entry.after


def test_a_job_of_a_kind_that_is_gone_fails(owner: User, in_hub: commands.InHub) -> None:
    number = start(owner, lambda work: {})
    del kinds.KINDS["test"]
    assert commands.work_off(in_hub) == 0
    assert job_of(number).state is JobState.FAILED
