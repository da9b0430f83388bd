"""Jobs: the embedded queue and the one in Redis."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from huey import RedisHuey, SqliteHuey

from labhub import outbox
from labhub.config import load
from labhub.db import transaction
from labhub.jobs import EmbeddedConsumer, make_jobs
from tests.conftest import FakePostman


def wait_until(condition: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "the job did not run"
        time.sleep(0.02)


def stop(consumer: EmbeddedConsumer) -> None:
    """Stop a consumer and wait for the task in hand: the next test replaces the database."""
    consumer.stop()
    for thread in (
        consumer.thread,
        consumer.watcher,
        *(each for _worker, each in consumer.consumer.worker_threads),
    ):
        thread.join(20)
        assert not thread.is_alive(), thread


def run_one_mail(app: Flask, config: object) -> FakePostman:
    postman = FakePostman()
    jobs = make_jobs(app, config, postman)  # type: ignore[arg-type]
    with transaction():
        outbox.add("amina@example.org", "Hello", "Text")
    consumer = EmbeddedConsumer(jobs)
    consumer.start()
    jobs.send_mail()
    wait_until(lambda: postman.messages)
    stop(consumer)
    jobs.huey.storage.close()
    return postman


def test_the_embedded_queue_sends_mail(app: Flask, tmp_path: Path) -> None:
    config = replace(app.extensions["labhub.config"], testing=False, instance=tmp_path)
    jobs = make_jobs(app, config, FakePostman())
    assert isinstance(jobs.huey, SqliteHuey)
    assert len(run_one_mail(app, config).messages) == 1


@pytest.mark.redis
def test_the_queue_in_redis_sends_mail(app: Flask, redis_url: str, tmp_path: Path) -> None:
    config = replace(app.extensions["labhub.config"], testing=False, instance=tmp_path, redis_url=redis_url)
    jobs = make_jobs(app, config, FakePostman())
    assert isinstance(jobs.huey, RedisHuey)
    assert len(run_one_mail(app, config).messages) == 1


def test_redis_is_taken_from_the_settings(tmp_path: Path) -> None:
    config = load({"LABHUB_INSTANCE": str(tmp_path), "LABHUB_REDIS_URL": "redis://127.0.0.1:6379/0"})
    assert config.redis_url == "redis://127.0.0.1:6379/0"


def test_the_lock_of_a_killed_process_does_not_stop_mail(app: Flask, tmp_path: Path) -> None:
    config = replace(app.extensions["labhub.config"], testing=False, instance=tmp_path)
    killed = make_jobs(app, config, FakePostman())
    killed.huey.lock_task("send-mail").acquire()
    killed.huey.storage.close()
    assert len(run_one_mail(app, config).messages) == 1


@pytest.mark.redis
def test_locks_in_redis_run_out(app: Flask, redis_url: str, tmp_path: Path) -> None:
    own = redis_url.removesuffix("/0") + "/2"
    config = replace(app.extensions["labhub.config"], testing=False, instance=tmp_path, redis_url=own)
    jobs = make_jobs(app, config, FakePostman())
    with jobs.huey.lock_task("send-mail"):
        (key,) = jobs.huey.storage.conn.keys("*send-mail*")
        assert 0 < jobs.huey.storage.conn.ttl(key) <= 900
    jobs.huey.storage.close()
