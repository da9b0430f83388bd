"""Pages of what published methods find in sealed events, and the job that works it out."""

from typing import Any

from flask import Blueprint, Flask, g, render_template
from flask.typing import ResponseReturnValue
from huey import crontab

from labhub import audit
from labhub.db import transaction
from labhub.methods import queries, sealed_commands, sealed_queries
from labhub.sequences import sealed_commands as sealed_uses
from labhub.sequences import sealed_queries as sealed
from labhub.sequences.sealed_models import ANSWER_NAMES, SealedAnswer
from labhub.web.auth import current_actor

bp = Blueprint("method_sealed", __name__)

ACCESS = {"method": "sealed.use", "event": "sealed.use"}


@bp.app_context_processor
def _events() -> dict[str, Any]:
    """Let the page of a method know whether its reader may use sealed events."""
    return {"uses_sealed_events": _uses_sealed_events}


def _uses_sealed_events() -> bool:
    if "uses_sealed_events" not in g:
        g.uses_sealed_events = bool(sealed.usable_records(current_actor()))
    found: bool = g.uses_sealed_events
    return found


def init_jobs(app: Flask) -> None:
    """Set up the job: each minute, answers that are missing or out of date."""
    huey = app.extensions["labhub.jobs"].huey

    @huey.periodic_task(crontab(minute="*"))
    @huey.lock_task("answer-sealed")
    def answer_sealed() -> int:
        with app.app_context(), audit.from_source("", "job"):
            return answer_due()


def answer_due() -> int:
    """Work out a portion of what is due and store it; the search itself holds no lock of the database."""
    wanted = sealed_queries.due(sealed_commands.MOST_RECORDS)
    if not wanted:
        return 0
    found = sealed_commands.work_out(wanted)
    with transaction():
        sealed_commands.tidy()
        return sealed_commands.store(found)


@bp.get("/methods/<code>/sealed-events")
def method(code: str) -> ResponseReturnValue:
    """Show which of the sealed events that the reader may use a published method finds."""
    actor = current_actor()
    version = queries.find_published_version(code)
    sealed_uses.note_methods_read(actor, sealed.usable_records(actor), "web")
    return render_template(
        "sealed/method.html",
        method=version.method,
        version=version,
        events=sealed_queries.events_of(actor, version.method),
        answer_names=ANSWER_NAMES,
    )


@bp.get("/sealed/events/<name>")
def event(name: str) -> ResponseReturnValue:
    """Show which published methods find a sealed event."""
    actor = current_actor()
    records = sealed.find_event(actor, name)
    sealed_uses.note_methods_read(actor, records, "web")
    rows = sealed_queries.methods_of(actor, records)
    return render_template(
        "sealed/event.html",
        record=records[0],
        groups=[(answer, [row for row in rows if row.answer is answer]) for answer in SealedAnswer],
        answer_names=ANSWER_NAMES,
    )
