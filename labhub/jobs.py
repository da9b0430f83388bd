"""Work outside the request: mail, exported audit heads, tidying.

The embedded default keeps its queue in ``jobs.db`` of the instance folder and runs inside
``labhub serve``; with ``REDIS_URL`` the queue is Redis and ``labhub worker`` runs it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Flask
from huey import Huey, MemoryHuey, RedisHuey, SqliteHuey, crontab

from labhub import audit, mail
from labhub.config import Config

log = structlog.get_logger("labhub.jobs")


@dataclass
class Jobs:
    """The queue of one hub and the tasks that it knows."""

    huey: Huey
    send_mail: Callable[[], Any]
    export_audit_head: Callable[[], Any]


def make_jobs(app: Flask, config: Config, postman: mail.Postman) -> Jobs:
    """Return the queue with its tasks; in tests tasks run at once when they are called."""
    if config.testing:
        huey: Huey = MemoryHuey("labhub", immediate=True)
    elif config.redis_url:
        huey = RedisHuey("labhub", url=config.redis_url)
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
        self.consumer = jobs.huey.create_consumer(workers=threads, periodic=True, check_worker_health=True)
        self.consumer._set_signal_handlers = lambda: None
        self.thread = threading.Thread(target=self.consumer.run, name="labhub-jobs", daemon=True)

    def start(self) -> None:
        """Start working."""
        self.thread.start()

    def stop(self) -> None:
        """Stop taking work up."""
        self.consumer.stop_flag.set()
