"""Pages of living specificity: the matrix, what changed, sections of methods and sequences; its job."""

from dataclasses import fields
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, render_template, request, url_for
from flask.typing import ResponseReturnValue
from huey import crontab

from labhub import audit
from labhub.i18n import Text, _
from labhub.lmos import queries as lmo_queries
from labhub.methods import specificity_commands, specificity_queries, specificity_schemas, specificity_words
from labhub.methods.models import SPECIFICITY_NAMES, STATE_NAMES, MethodVersion
from labhub.methods.specificity import JUDGEMENT_NAMES, JUDGEMENT_SIGNS, RULE, Expectation, Judgement
from labhub.methods.specificity_models import CHANGE_NAMES, SpecificityChange
from labhub.methods.specificity_queries import Filters, Section
from labhub.sequences.models import ReferenceSequence
from labhub.sequences.records import shown_message
from labhub.web.access import PUBLIC
from labhub.web.auth import current_actor
from labhub.web.forms import load_query
from labhub.web.kept import kept_for_visitors, record_stamp

bp = Blueprint("specificity", __name__)

ACCESS = {"index": PUBLIC, "changes": PUBLIC}

CLASSES = {
    Judgement.DETECTED: "matrix-has",
    Judgement.DOUBTFUL: "matrix-disputed",
    Judgement.NOT_DETECTED: "matrix-lacks",
}


def init_jobs(app: Flask) -> None:
    """Set up the job that computes what is new or changed; it looks each minute."""

    @app.extensions["labhub.jobs"].huey.periodic_task(crontab(minute="*"))
    def compute_specificity() -> int:
        with app.app_context(), audit.from_source("", "job"):
            return specificity_commands.work().hits


@bp.app_context_processor
def _sections() -> dict[str, Any]:
    """Give pages of methods and sequences their section."""
    return {
        "specificity_of_version": _of_version,
        "specificity_of_sequence": _of_sequence,
        "specificity_words": _words,
    }


def _of_version(version: MethodVersion) -> Section | None:
    return specificity_queries.of_version(current_actor(), version)


def _of_sequence(sequence: ReferenceSequence) -> Section | None:
    return specificity_queries.of_sequence(current_actor(), sequence)


def _words() -> dict[str, Any]:
    """Return what templates put findings into words with."""
    return {
        "signs": JUDGEMENT_SIGNS,
        "names": {kind: _(text) for kind, text in JUDGEMENT_NAMES.items()},
        "classes": CLASSES,
        "remarks": _remarks,
        "message": shown_message,
        "rule": RULE,
    }


def _remarks(row: Any) -> list[Text]:
    return specificity_words.remarks(row["reasons"], row["mismatches"], row["size_bp"], row["published_bp"])


@bp.get("/specificity")
@kept_for_visitors(record_stamp)
def index() -> ResponseReturnValue:
    """Show the matrix of methods by sequences, a page of it."""
    given = load_query(specificity_schemas.MatrixPage())
    names = {each.name for each in fields(Filters)}
    filters = Filters(**{name: value for name, value in given.items() if name in names})
    actor = current_actor()
    matrix = specificity_queries.matrix(
        actor,
        filters,
        page=given["page"],
        column_page=given["column_page"],
        page_size=given["page_size"],
        column_size=given["column_size"],
    )
    api_root = url_for("api_specificity.index").partition("?")[0]
    narrowed = {
        name: value for name, value in request.args.items() if value and name in names and name != "records"
    }
    return render_template(
        "methods/specificity.html",
        matrix=matrix,
        filters=filters,
        scopes={kind.value: _(text) for kind, text in SPECIFICITY_NAMES.items()},
        states={kind: _(text) for kind, text in STATE_NAMES.items()},
        elements=lmo_queries.element_names(),
        records=specificity_queries.records_compared(actor),
        methods=specificity_queries.methods_compared(actor),
        unexpected=Expectation.UNEXPECTED,
        root=url_for("specificity.index").partition("?")[0],
        method_root=url_for("methods.index").partition("?")[0],
        sequence_root=url_for("sequences.index").partition("?")[0],
        downloads=[
            (form, f"{api_root}?{urlencode({**narrowed, 'format': form})}")
            for form in ("csv", "xlsx", "json")
        ],
    )


@bp.get("/specificity/changes")
def changes() -> ResponseReturnValue:
    """List what recomputations have changed, newest first."""
    given = load_query(specificity_schemas.ChangesPage(exclude=("q", "sort")))
    actor = current_actor()
    page = specificity_queries.page_of_changes(
        actor, own=given["own"], page=given["page"], page_size=given["page_size"]
    )
    return render_template(
        "methods/specificity_changes.html",
        page=page,
        own=given["own"],
        has_own=bool(actor.laboratory_ids),
        kinds={kind: _(text) for kind, text in CHANGE_NAMES.items()},
        sentence=_sentence,
    )


def _sentence(row: SpecificityChange) -> str:
    return specificity_words.sentence(row.kind, row.reasons, row.mismatches, row.size_bp, row.published_bp)
