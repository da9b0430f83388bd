"""What a recipient of recalls sees: banner, list on the account page, the notice; and the jobs of notices."""

from typing import Any

from flask import Blueprint, Flask, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from huey import crontab

from labhub import audit
from labhub.db import transaction
from labhub.errors import Conflict
from labhub.i18n import _
from labhub.methods import recall_commands, recall_queries, review_commands, review_queries
from labhub.methods.review_models import RECALL_NAMES, MethodRecallRecipient
from labhub.methods.schemas import EmptyIn
from labhub.web.access import SIGNED_IN
from labhub.web.auth import current_actor
from labhub.web.forms import load_form

bp = Blueprint("recalls", __name__)

ACCESS = {"show": SIGNED_IN, "acknowledge": SIGNED_IN}


@bp.app_context_processor
def _notices() -> dict[str, Any]:
    """Give the layout the number of open recalls, and the account page one's notices."""
    return {"open_recalls": _open_recalls, "own_notices": _own_notices, "recall_words": _recall_words}


def _open_recalls() -> int:
    if "open_recalls" not in g:
        g.open_recalls = recall_queries.open_recalls(current_actor())
    count: int = g.open_recalls
    return count


def _own_notices() -> list[MethodRecallRecipient]:
    return recall_queries.list_own_notices(current_actor())


def _recall_words(kind: str) -> str:
    return str(_(next(text for each, text in RECALL_NAMES.items() if each.value == kind)))


@bp.get("/recalls/<int:recall_id>")
def show(recall_id: int) -> ResponseReturnValue:
    """Show a notice that was sent to oneself."""
    return _page(recall_queries.find_own_notice(current_actor(), recall_id))


def _page(row: MethodRecallRecipient, refusal: Conflict | None = None) -> ResponseReturnValue:
    page = render_template(
        "methods/notice.html",
        row=row,
        recall=row.recall,
        version=row.recall.version,
        message=refusal.message if refusal else "",
        errors={},
    )
    return page, refusal.status if refusal else 200


@bp.post("/recalls/<int:recall_id>/acknowledgement")
def acknowledge(recall_id: int) -> ResponseReturnValue:
    """Confirm that one has read a recall."""
    load_form(EmptyIn())
    actor = current_actor()
    try:
        with transaction():
            recall_commands.acknowledge(actor, recall_id)
    except Conflict as refusal:
        return _page(recall_queries.find_own_notice(actor, recall_id), refusal)
    flash(str(_("Thank you: you have acknowledged the recall.")))
    return redirect(url_for("recalls.show", recall_id=recall_id), 303)


def init_notices(app: Flask) -> None:
    """Set up the jobs: comments each minute, late recipients each hour, reminders each day."""
    huey = app.extensions["labhub.jobs"].huey

    @huey.periodic_task(crontab(minute="*"))
    @huey.lock_task("tell-comments")
    def tell_comments() -> int:
        with app.app_context(), audit.from_source("", "job"):
            if not review_queries.comments_wait():
                return 0  # so that nobody waits for the lock of a job that has nothing to do
            with transaction():
                return review_commands.tell_comments()

    @huey.periodic_task(crontab(minute="17"))
    @huey.lock_task("complete-recalls")
    def complete_recalls() -> int:
        with app.app_context(), audit.from_source("", "job"), transaction():
            return recall_commands.complete()

    @huey.periodic_task(crontab(minute="29", hour="6"))
    @huey.lock_task("remind-recalls")
    def remind_recalls() -> int:
        with app.app_context(), audit.from_source("", "job"), transaction():
            return recall_commands.remind()
