"""Jobs by page and API: the owner follows them, everybody else gets 404."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from labhub.accounts.actor import Role
from labhub.accounts.models import User
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.jobs import EmbeddedConsumer, make_jobs
from labhub.work import commands, kinds, views
from labhub.work.models import BackgroundJob, JobState
from tests.conftest import FakePostman
from tests.factories import PASSWORD, bearer, browser_of, make_user, submit
from tests.test_jobs import stop


@pytest.fixture
def owner(app: Flask) -> Iterator[User]:
    known = dict(kinds.KINDS)
    kinds.register("test", lambda work: {"answer": 42}, title="Test work")
    kinds.show_with("test", lambda number, result: f"<p>Found {result['answer']}</p>")
    yield make_user(Role.PARTICIPANT, password=PASSWORD)
    kinds.KINDS.clear()
    kinds.KINDS.update(known)


def start(owner: User) -> int:
    with transaction():
        return commands.start_job(actor_of(owner), "test", {}).id


def waiting(owner: User) -> int:
    waker = commands.WAKERS.pop(db.engine)
    number = start(owner)
    commands.WAKERS[db.engine] = waker
    return number


def test_a_job_that_is_committed_is_worked_off(owner: User, client: FlaskClient) -> None:
    number = start(owner)  # in tests tasks run at once
    answer = client.get(f"/api/v1/jobs/{number}", headers=bearer(owner))
    assert answer.status_code == 200
    assert (answer.json["state"], answer.json["progress"]) == ("done", 1.0)
    assert answer.json["result"] == {"answer": 42}
    assert answer.json["kept_until"] > answer.json["finished_at"]


def test_the_owner_follows_and_cancels_a_job_that_waits(owner: User, client: FlaskClient) -> None:
    number = waiting(owner)
    answer = client.get(f"/api/v1/jobs/{number}", headers=bearer(owner))
    assert (answer.json["state"], answer.json["result"]) == ("queued", None)
    assert answer.headers["Retry-After"] == "2"
    cancelled = client.post(f"/api/v1/jobs/{number}/cancellation", headers=bearer(owner))
    assert (cancelled.status_code, cancelled.json["state"]) == (200, "cancelled")
    assert client.post(f"/api/v1/jobs/{number}/cancellation", headers=bearer(owner)).status_code == 409


@pytest.mark.req("A2")
def test_others_get_what_they_get_for_a_job_that_is_not_there(
    owner: User, client: FlaskClient, app: Flask
) -> None:
    number = start(owner)
    for other in (
        make_user(Role.SECRETARIAT, password=PASSWORD),
        make_user(Role.ADMINISTRATOR, password=PASSWORD),
    ):
        headers = bearer(other)
        there = client.get(f"/api/v1/jobs/{number}", headers=headers)
        missing = client.get("/api/v1/jobs/999999", headers=headers)
        assert (there.status_code, missing.status_code) == (404, 404)
        assert abs(len(there.data) - len(missing.data)) <= 12
        assert client.post(f"/api/v1/jobs/{number}/cancellation", headers=headers).status_code == 404
        page = browser_of(app, other)
        assert page.get(f"/jobs/{number}").status_code == 404
        assert "Test work" not in page.get("/jobs").text
    assert client.get(f"/api/v1/jobs/{number}").status_code == 401


def test_the_page_loads_itself_again_until_the_job_is_done(owner: User, app: Flask) -> None:
    browser = browser_of(app, owner)
    number = waiting(owner)
    page = browser.get(f"/jobs/{number}").text
    assert 'http-equiv="refresh"' in page
    assert "waiting for its turn" in page
    with app.app_context():
        commands.wake()
    page = browser.get(f"/jobs/{number}").text
    assert 'http-equiv="refresh"' not in page
    assert "<p>Found 42</p>" in page
    assert "Test work" in browser.get("/jobs").text


def test_the_page_cancels(owner: User, app: Flask) -> None:
    browser = browser_of(app, owner)
    number = waiting(owner)
    assert submit(browser, f"/jobs/{number}/cancellation").status_code == 303
    assert "cancelled" in browser.get(f"/jobs/{number}").text
    assert submit(browser, f"/jobs/{number}/cancellation").status_code == 303
    assert "This job has ended." in browser.get("/jobs").text


def test_administrators_see_faults_and_not_what_the_job_was_about(owner: User, app: Flask) -> None:
    def run(work: kinds.Work) -> dict[str, Any]:
        raise KeyError("ACGTACGTACGT")

    kinds.register("test", run)
    number = start(owner)
    with transaction() as session:
        job = session.get_one(BackgroundJob, number, populate_existing=True)
        assert job.state is JobState.QUEUED
        job.state, job.finished_at, job.tries = JobState.FAILED, job.created_at, 5
    page = browser_of(app, make_user(Role.ADMINISTRATOR, password=PASSWORD)).get("/jobs").text
    assert "KeyError" in page
    assert "ACGT" not in page
    assert "KeyError" not in browser_of(app, make_user(Role.SECRETARIAT, password=PASSWORD)).get("/jobs").text
    assert "fault of the hub" in browser_of(app, owner).get(f"/jobs/{number}").text


def wait_until_done(number: int) -> BackgroundJob:
    end = time.monotonic() + 30
    while True:
        db.session.rollback()
        job = db.session.get_one(BackgroundJob, number, populate_existing=True)
        if not job.is_open:
            return job
        assert time.monotonic() < end, "the job did not run"
        time.sleep(0.05)


def run_in_consumer(app: Flask, owner: User, config: Any) -> None:
    own, waker = app.extensions["labhub.jobs"], commands.WAKERS[db.engine]
    jobs = make_jobs(app, config, FakePostman())
    app.extensions["labhub.jobs"] = jobs
    views.init_jobs(app)
    consumer = EmbeddedConsumer(jobs, threads=2)
    try:
        left = waiting(owner)  # no message tells of it: the watch finds it
        consumer.start()
        told = start(owner)
        for number in (left, told):
            assert wait_until_done(number).state is JobState.DONE
    finally:
        stop(consumer)
        jobs.huey.storage.close()
        app.extensions["labhub.jobs"] = own
        commands.WAKERS[db.engine] = waker


def test_the_embedded_queue_works_jobs_off(owner: User, app: Flask, tmp_path: Path) -> None:
    run_in_consumer(app, owner, replace(app.extensions["labhub.config"], testing=False, instance=tmp_path))


@pytest.mark.redis
def test_the_queue_in_redis_works_jobs_off(owner: User, app: Flask, tmp_path: Path, redis_url: str) -> None:
    own = redis_url.removesuffix("/0") + "/1"  # a stopped consumer may take one more message of its queue
    config = replace(app.extensions["labhub.config"], testing=False, instance=tmp_path, redis_url=own)
    run_in_consumer(app, owner, config)
