"""Work outside the request: mail, exported audit heads, tidying.

The embedded default keeps its queue in ``jobs.db`` of the instance folder and runs inside
``labhub serve``; with ``REDIS_URL`` the queue is Redis and ``labhub worker`` runs it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from flask import Flask
from huey import Huey, MemoryHuey, RedisExpireHuey, SqliteHuey, crontab

from labhub import audit, mail
from labhub.config import Config

log = structlog.get_logger("labhub.jobs")

WATCH_SECONDS = 15.0
"""How often a consumer looks for work that no message in the queue tells of."""


LOCK_SECONDS = 900


class _RedisQueue(RedisExpireHuey):
    """The queue in Redis; the lock of a task whose worker was killed runs out by itself."""

    def lock_task(self, lock_name: str, ttl: int | None = LOCK_SECONDS) -> Any:
        """Return what keeps a task from running twice at a time."""
        return super().lock_task(lock_name, ttl)


@dataclass
class Jobs:
    """The queue of one hub and the tasks that it knows."""

    huey: Huey
    send_mail: Callable[[], Any]
    export_audit_head: Callable[[], Any]
    watches: list[Callable[[], Any]] = field(default_factory=list)
    """Called every 15 seconds in each process that works: they look for work in the database."""
    turns: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(1))
    """How many long jobs run here at a time; the other threads are for mail and short tasks."""


def make_jobs(app: Flask, config: Config, postman: mail.Postman) -> Jobs:
    """Return the queue with its tasks; in tests tasks run at once when they are called."""
    if config.testing:
        huey: Huey = MemoryHuey("labhub", immediate=True)
    elif config.redis_url:
        huey = _RedisQueue("labhub", url=config.redis_url)
    else:
        huey = SqliteHuey("labhub", filename=str(config.instance / "jobs.db"), fsync=True)

    @huey.periodic_task(crontab(minute="*"))
    @huey.lock_task("send-mail")
    def send_mail() -> int:
        with app.app_context(), audit.from_source("", "job"):
            return mail.send_due(postman, config.mail_from)

    @huey.periodic_task(crontab(minute="5", hour="0"))
    def export_audit_head() -> None:
        with app.app_context():
            audit.export_head(config.instance)

    return Jobs(huey, send_mail, export_audit_head)


class EmbeddedConsumer:
    """Runs the queue in threads of this process; ``stop`` lets the task in hand finish."""

    def __init__(self, jobs: Jobs, threads: int = 1) -> None:
        self.jobs = jobs
        jobs.turns = threading.BoundedSemaphore(max(1, threads // 2))
        self.consumer = jobs.huey.create_consumer(
            workers=threads,
            periodic=True,
            check_worker_health=True,
            flush_locks=isinstance(
                jobs.huey, SqliteHuey
            ),  # of a process that was killed; we are the only one
        )
        self.consumer._set_signal_handlers = lambda: None
        self.thread = threading.Thread(target=self.consumer.run, name="labhub-jobs", daemon=True)
        self.watcher = threading.Thread(target=self._watch, name="labhub-jobs-watch", daemon=True)

    def start(self) -> None:
        """Start working."""
        self.thread.start()
        self.watcher.start()

    def run(self) -> None:
        """Work until this process is interrupted."""
        self.watcher.start()
        self.consumer.run()

    def stop(self) -> None:
        """Stop taking work up."""
        self.consumer.stop_flag.set()

    def _watch(self) -> None:
        while not self.consumer.stop_flag.is_set():
            for look in self.jobs.watches:
                look()
            self.consumer.stop_flag.wait(WATCH_SECONDS)
