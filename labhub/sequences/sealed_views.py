"""Pages of sealed sequences: asking, naming who may use and see, the uses, the stops."""

from typing import Any

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from huey import crontab

from labhub import audit
from labhub.accounts import queries as account_queries
from labhub.accounts.policy import may_ever
from labhub.db import transaction
from labhub.errors import Conflict, Invalid, Refusal
from labhub.i18n import _
from labhub.sequences import sealed_commands as commands
from labhub.sequences import sealed_queries as queries
from labhub.sequences import sealed_schemas as schemas
from labhub.sequences.sealed_models import ANSWER_NAMES, RIGHT_NAMES, USE_NAMES, SealedAnswer
from labhub.sequences.sealed_queries import Usable
from labhub.sequences.sealed_walks import limits_text, read_questions, walk_key
from labhub.web.api import page_of, sorted_by
from labhub.web.auth import current_actor
from labhub.web.forms import load_form

bp = Blueprint("sealed", __name__)

ACCESS = {
    "index": "sealed.use",
    "search": "sealed.use",
    "access": "sealed.grant",
    "grant": "sealed.grant",
    "revoke": "sealed.grant",
    "stops": "sealed.lift",
    "lift": "sealed.lift",
}

USES_ON_A_PAGE = 50


def init_jobs(app: Flask) -> None:
    """Set up the jobs: words that are compared no more are forgotten, owners are told each Monday."""
    commands.KEY[:] = [walk_key(app.extensions["labhub.config"].secret_key)]
    huey = app.extensions["labhub.jobs"].huey

    @huey.periodic_task(crontab(minute="30", hour="2"))
    @huey.lock_task("forget-sealed-words")
    def forget_sealed_words() -> int:
        with app.app_context(), audit.from_source("", "job"), transaction():
            return commands.forget_words()

    @huey.periodic_task(crontab(minute="50", hour="5", day_of_week="1"))
    @huey.lock_task("report-sealed-uses")
    def report_sealed_uses() -> int:
        with app.app_context(), audit.from_source("", "job"), transaction():
            return commands.report_uses()


# Asking ---------------------------------------------------------------------------------------


@bp.get("/sealed")
def index() -> ResponseReturnValue:
    """Show what may be asked about, and the form."""
    return _ask_page({}, None, None)


@bp.post("/sealed")
def search() -> ResponseReturnValue:
    """Ask, and show the answers; they are kept nowhere but in the owner's list of uses."""
    try:
        given = load_form(schemas.SealedSearchIn())
        asked = commands.ask(current_actor(), read_questions(**given), door="web")
    except Invalid as refusal:
        return _ask_page(request.form, refusal, None)
    return _ask_page(request.form, asked.refusal, None if asked.refusal else asked)


def _ask_page(form: Any, refusal: Refusal | None, asked: commands.Asked | None) -> ResponseReturnValue:
    actor = current_actor()
    records: dict[tuple[str, str], Usable] = {}
    usable = queries.usable_records(actor)
    for record in usable:
        records.setdefault(record.key, record)
    words = {answer: str(_(ANSWER_NAMES[answer])) for answer in SealedAnswer}
    longest = max(len(text.encode()) for text in words.values()) + max(len(each.value) for each in words)
    page = render_template(
        "sealed/index.html",
        form=form,
        events=[records[key] for key in sorted(records)],
        usable=usable,
        asked=asked,
        words=words,
        padding={
            each: "." * (longest - len(words[each].encode()) - len(each.value)) for each in SealedAnswer
        },
        allowance=queries.allowance(actor),
        limits=limits_text(),
        is_stopped=bool(queries.stopped_owners(queries.scopes_of(actor))),
        may_lift=may_ever(actor, "sealed.lift"),
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return page, refusal.status if refusal else 200


# The owner ------------------------------------------------------------------------------------


@bp.get("/sequences/<accession>/sealed")
def access(accession: str) -> ResponseReturnValue:
    """Show who may use and see a sealed record, and who did."""
    return _access_page(accession, {}, None)


def _access_page(accession: str, form: Any, refusal: Refusal | None) -> ResponseReturnValue:
    actor = current_actor()
    sequence = queries.find_own_sealed(actor, accession)
    number = request.args.get("page", "1")
    uses = page_of(
        sorted_by(queries.uses_of(sequence), "", queries.USE_COLUMNS, "-at", queries.USE_TIE),
        int(number) if number.isdecimal() and 0 < len(number) < 7 and int(number) else 1,
        USES_ON_A_PAGE,
    )
    page = render_template(
        "sealed/access.html",
        sequence=sequence,
        grants=[
            {"row": row, "holds": queries.grant_holds(row), "name": queries.grantee_name(row)}
            for row in queries.grants_of(sequence)
        ],
        page=uses,
        uses=queries.with_places(uses.rows),
        laboratories=account_queries.laboratory_choices(),
        parties=account_queries.party_choices(),
        right_names=RIGHT_NAMES,
        use_names=USE_NAMES,
        answer_names=ANSWER_NAMES,
        cases=[case for case in queries.stop_cases(actor) if case.owner_id == sequence.laboratory_id],
        form=form,
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return page, refusal.status if refusal else 200


@bp.post("/sequences/<accession>/sealed/grants")
def grant(accession: str) -> ResponseReturnValue:
    """Name who may use or see a sealed record."""
    try:
        given = load_form(schemas.SealedGrantIn())
        with transaction():
            row = commands.grant(
                current_actor(),
                accession,
                given["right"],
                commands.Grantee(given["person"], given["laboratory"], given["party"]),
                reason=given["reason"],
                until_on=given["until_on"],
            )
    except (Invalid, Conflict) as refusal:
        return _access_page(accession, request.form, refusal)
    flash(str(_("%(who)s is named.", who=queries.grantee_name(row))))
    return redirect(url_for("sealed.access", accession=accession), 303)


@bp.post("/sequences/<accession>/sealed/grants/<int:grant_id>/revocation")
def revoke(accession: str, grant_id: int) -> ResponseReturnValue:
    """End a grant at once."""
    try:
        reason = load_form(schemas.SealedReasonIn())["reason"]
        with transaction():
            commands.revoke(current_actor(), accession, grant_id, reason=reason)
    except (Invalid, Conflict) as refusal:
        return _access_page(accession, {}, refusal)
    flash(str(_("The grant is revoked; it holds no more from this moment.")))
    return redirect(url_for("sealed.access", accession=accession), 303)


@bp.get("/sealed/stops")
def stops() -> ResponseReturnValue:
    """List the stops that one may lift."""
    return _stops_page(None)


def _stops_page(refusal: Refusal | None) -> ResponseReturnValue:
    page = render_template(
        "sealed/stops.html",
        cases=queries.stop_cases(current_actor()),
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return page, refusal.status if refusal else 200


@bp.post("/sealed/stops/<key>/lifting")
def lift(key: str) -> ResponseReturnValue:
    """Lift a stop, with the reason."""
    try:
        reason = load_form(schemas.SealedReasonIn())["reason"]
        with transaction():
            commands.lift_stop(current_actor(), key, reason=reason)
    except (Invalid, Conflict) as refusal:
        return _stops_page(refusal)
    flash(str(_("The stop is lifted.")))
    return redirect(url_for("sealed.stops"), 303)
