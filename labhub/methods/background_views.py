"""The job that searches methods in background genomes, and what the page of a method shows of it."""

from flask import Flask

from labhub import audit
from labhub.config import Config
from labhub.jobs import Jobs
from labhub.methods import background_commands, background_queries


def init_jobs(app: Flask) -> None:
    """Set the search up: looked for every 15 seconds, done in turns that let other jobs in between."""
    jobs: Jobs = app.extensions["labhub.jobs"]
    config: Config = app.extensions["labhub.config"]

    @jobs.huey.task()
    def search_backgrounds(genome_id: int = 0, worker: str = "") -> None:
        given = background_commands.Turn(genome_id, worker) if worker else None
        with app.app_context(), audit.from_source("", "job"):
            turn = background_commands.work(config.backgrounds, given)
        if turn is not None:
            search_backgrounds(turn.genome_id, turn.worker)

    def look_for_work() -> None:
        with app.app_context():
            is_waiting = background_commands.is_work_waiting()
        if is_waiting:
            search_backgrounds()

    jobs.watches.append(look_for_work)
    app.jinja_env.globals["backgrounds_of_version"] = background_queries.background_table
