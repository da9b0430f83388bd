"""Pages of validation studies: the working, the form, raw results, decisions."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from labhub.accounts.policy import can, require
from labhub.db import transaction
from labhub.errors import Conflict, Invalid, NotFound, Refusal, StaleEdit, TooLarge
from labhub.i18n import Text, _
from labhub.methods import (
    charts,
    compare_queries,
    differences,
    exchange,
    queries,
    study_commands,
    study_schemas,
    study_working,
)
from labhub.methods.models import (
    EDITABLE_STATES,
    OPEN_STATES,
    MethodVersion,
)
from labhub.methods.study_words import study_words
from labhub.methods.trial_files import LARGEST_TRIAL_BYTES, TRIAL_FILES, read_trial_file
from labhub.web.access import PUBLIC
from labhub.web.api import expected_version
from labhub.web.auth import current_actor
from labhub.web.forms import OWN_FIELDS, load_form
from labhub.web.once import once
from labhub.web.uploads import receive

bp = Blueprint("studies", __name__)

ACCESS = {
    "show": PUBLIC,
    "new": "method.change",
    "add": "method.change",
    "edit": "method.change",
    "save": "method.change",
    "remove": "method.change",
    "results": "method.change",
    "decide": "method.change",
}

LEVEL_FIELD = re.compile(rf"level-([0-9]{{1,2}})-({'|'.join(exchange.LEVEL)})")
EMPTY_LEVELS = 4


def _open(code: str) -> MethodVersion:
    """Return the version that may be changed, or refuse."""
    actor = current_actor()
    versions = queries.versions_of(actor, code)
    version = next((each for each in versions if each.state in OPEN_STATES), versions[0])
    require(actor, "method.change", version)
    if version.state not in EDITABLE_STATES:
        raise Conflict(_("No version of this method can be changed now. Begin a new version."))
    return version


def _study_of(version: MethodVersion, position: int) -> dict[str, Any]:
    studies: list[dict[str, Any]] = queries.content_of(version)["studies"]
    if not 0 <= position < len(studies):
        raise NotFound(_("There is no study %(number)s in this version.", number=position))
    return studies[position]


@bp.get("/methods/<code>/versions/<int:number>/studies/<int:position>")
def show(code: str, number: int, position: int) -> ResponseReturnValue:
    """Show a study and how its figures come about."""
    return _page(queries.find_version(current_actor(), code, number), position)


def _page(version: MethodVersion, position: int, refusal: Refusal | None = None) -> ResponseReturnValue:
    actor = current_actor()
    study = _study_of(version, position)
    found = study_working.working(study)
    limits = compare_queries.criteria_of(version)
    page = render_template(
        "methods/study.html",
        version=version,
        method=version.method,
        study=study,
        position=position,
        count=len(version.studies),
        working=found,
        study_charts=[(position, differences.label_of("studies", study), charts.charts_of(study, limits))],
        chosen=_chosen(study),
        may_edit=version.state in EDITABLE_STATES and can(actor, "method.change", version),
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
        **study_words(),
    )
    return page, refusal.status if refusal else 200


def _chosen(study: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Return the laboratories and levels of the raw results, in their order, as options of a select."""
    laboratories = dict.fromkeys(str(row[0]) for row in study["data"])
    levels = dict.fromkeys(str(row[1]) for row in study["data"])
    return {
        "laboratory_options": [(name, name) for name in laboratories],
        "level_options": [(name, name) for name in levels],
    }


def _address(version: MethodVersion, position: int) -> str:
    return url_for("studies.show", code=version.method.code, number=version.number, position=position)


def _do(code: str, position: int, change: Callable[[], MethodVersion], done: Text) -> ResponseReturnValue:
    try:
        with transaction():
            version = change()
    except (Invalid, Conflict, StaleEdit, TooLarge) as refusal:
        return _page(_open(code), position, refusal)
    flash(str(done))
    return redirect(_address(version, position), 303)


# The form ------------------------------------------------------------------------------------


@bp.get("/methods/<code>/studies/new")
def new(code: str) -> ResponseReturnValue:
    """Show the empty form of a study."""
    return _form(_open(code), None, {}, [])


@bp.post("/methods/<code>/studies")
@once
def add(code: str) -> ResponseReturnValue:
    """Add a study to the draft."""
    version = _open(code)
    try:
        given = _given()
        with transaction():
            version = study_commands.add_study(current_actor(), code, given, expected=expected_version())
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _form(_open(code), None, *_typed(), refusal=refusal)
    flash(str(_("The study is stored. Raw results can be added now.")))
    return redirect(_address(version, len(version.studies) - 1), 303)


@bp.get("/methods/<code>/studies/<int:position>/edit")
def edit(code: str, position: int) -> ResponseReturnValue:
    """Show the form with a study."""
    version = _open(code)
    study = _study_of(version, position)
    values = {name: exchange.flat_cell(study[name]) for name in exchange.STUDY}
    levels = [{name: exchange.flat_cell(level[name]) for name in exchange.LEVEL} for level in study["levels"]]
    return _form(version, position, values, levels)


@bp.post("/methods/<code>/studies/<int:position>/edit")
def save(code: str, position: int) -> ResponseReturnValue:
    """Store a changed study."""
    version = _open(code)
    study = _study_of(version, position)
    try:
        given = _given()
        if study["data"]:
            given["levels"] = _only_assigned(study, given["levels"])
        with transaction():
            version = study_commands.change_study(
                current_actor(), code, position, given, expected=expected_version()
            )
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _form(_open(code), position, *_typed(), refusal=refusal)
    flash(str(_("The study is stored.")))
    return redirect(_address(version, position), 303)


def _only_assigned(study: Mapping[str, Any], levels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the levels of a study with raw results: a person may give their assigned values only."""
    typed = {level.get("label"): level.get("assigned") for level in levels}
    return [{**level, "assigned": typed.get(level["label"])} for level in study["levels"]]


def _typed() -> tuple[dict[str, str], list[dict[str, str]]]:
    """Return what was typed: fields by name, and every row of levels in its place."""
    values = {name: request.form.get(name, "") for name in exchange.STUDY}
    rows: dict[int, dict[str, str]] = {}
    for name, text in request.form.items():
        if found := LEVEL_FIELD.fullmatch(name):
            rows.setdefault(int(found[1]), dict.fromkeys(exchange.LEVEL, ""))[found[2]] = text
    return values, [
        rows.get(place, dict.fromkeys(exchange.LEVEL, "")) for place in range(max(rows, default=-1) + 1)
    ]


def _given() -> dict[str, Any]:
    unknown = [
        name
        for name in request.form
        if name not in exchange.STUDY and name not in OWN_FIELDS and not LEVEL_FIELD.fullmatch(name)
    ]
    if unknown:
        message = _("There is no such field, or it is not yours to set.")
        raise Invalid(
            _("Please correct the marked fields."), errors={name[:100]: [message] for name in unknown}
        )
    values, rows = _typed()
    given: dict[str, Any] = {name: value.strip() or None for name, value in values.items()}
    given["levels"] = [row for row in rows if any(text.strip() for text in row.values())]
    return given


def _form(
    version: MethodVersion,
    position: int | None,
    values: Mapping[str, str],
    levels: Sequence[Mapping[str, str]],
    *,
    refusal: Refusal | None = None,
) -> ResponseReturnValue:
    has_results = position is not None and bool(_study_of(version, position)["data"])
    empty = 0 if has_results else EMPTY_LEVELS
    filled = [row for row in levels if any(text.strip() for text in row.values())]
    rows = [*filled, *(dict.fromkeys(exchange.LEVEL, "") for _row in range(empty))]
    errors = {_form_name(name): texts for name, texts in refusal.errors.items()} if refusal else {}
    page = render_template(
        "methods/study_form.html",
        version=version,
        method=version.method,
        position=position,
        values=values,
        rows=rows,
        has_results=has_results,
        message=refusal.message if refusal else "",
        errors=errors,
        **study_words(),
    )
    return page, refusal.status if refusal else 200


def _form_name(name: str) -> str:
    """Return the name in the form of a field of a study: ``levels.0.mean`` is ``level-0-mean``."""
    return re.sub(r"^levels\.([0-9]+)\.(\w+)$", r"level-\1-\2", name)


# Steps ---------------------------------------------------------------------------------------


@bp.post("/methods/<code>/studies/<int:position>/removal")
def remove(code: str, position: int) -> ResponseReturnValue:
    """Take a study off the draft."""
    load_form(study_schemas.NothingIn())
    try:
        with transaction():
            version = study_commands.remove_study(
                current_actor(), code, position, expected=expected_version()
            )
    except (Conflict, StaleEdit) as refusal:
        return _page(_open(code), position, refusal)
    flash(str(_("The study is removed.")))
    return redirect(url_for("methods.show_version", code=code, number=version.number), 303)


@bp.post("/methods/<code>/studies/<int:position>/data")
def results(code: str, position: int) -> ResponseReturnValue:
    """Read raw results from a file and compute the figures of the study."""
    actor = current_actor()
    _study_of(_open(code), position)

    def change() -> MethodVersion:
        form = load_form(study_schemas.ResultsIn())
        with receive(allowed=TRIAL_FILES, limit_bytes=LARGEST_TRIAL_BYTES) as upload:
            table, notes = read_trial_file(upload.path.read_bytes(), file=upload.name, kind=upload.kind)
        for note in (*notes, *study_commands.import_notes(table)):
            flash(str(note), "warning")
        return study_commands.set_results(
            actor, code, position, table, unit=form["unit"], expected=expected_version()
        )

    return _do(code, position, change, _("The results are read and the figures computed."))


@bp.post("/methods/<code>/studies/<int:position>/decisions")
def decide(code: str, position: int) -> ResponseReturnValue:
    """Keep or exclude a laboratory."""
    form = load_form(study_schemas.DecisionIn())
    return _do(
        code,
        position,
        lambda: study_commands.decide(current_actor(), code, position, **form, expected=expected_version()),
        _("The decision is stored and the figures computed again."),
    )
