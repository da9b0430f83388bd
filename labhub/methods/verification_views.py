"""Pages of verifications: the field performance of a method, the form, publishing, hiding and restoring."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from labhub.accounts.policy import can, require
from labhub.db import transaction
from labhub.errors import Conflict, Invalid, NotAllowed, Refusal, StaleEdit
from labhub.i18n import N_, Text, _
from labhub.methods import exchange, queries, verification_commands, verification_queries
from labhub.methods.models import PUBLIC_STATES, STATE_NAMES, MethodVersion
from labhub.methods.review_models import OUTCOME_NAMES, MethodVerification, VerificationState
from labhub.methods.schemas import EmptyIn
from labhub.methods.verification_schemas import VisibilityIn
from labhub.web.access import PUBLIC
from labhub.web.api import expected_version
from labhub.web.auth import current_actor
from labhub.web.forms import OWN_FIELDS, load_form
from labhub.web.once import once

bp = Blueprint("verifications", __name__)

ACCESS = {
    "index": PUBLIC,
    "new": "verification.create",
    "create": "verification.create",
    "edit": "verification.change",
    "save": "verification.change",
    "remove": "verification.change",
    "publish": "verification.publish",
    "set_visibility": "verification.hide",
}

STUDY_FIELDS: tuple[tuple[str, str], ...] = (
    ("title", N_("Title of the study")),
    ("year", N_("Year")),
    ("replicates", N_("Replicates")),
    ("unit", N_("Unit of the levels")),
    ("slope", N_("Slope of the standard curve")),
    ("r2", N_("R² of the standard curve")),
    ("pcr_efficiency_percent", N_("PCR efficiency, %")),
    ("lod_copies", N_("Limit of detection, copies")),
    ("lod_percent", N_("Limit of detection, %")),
    ("loq_copies", N_("Limit of quantification, copies")),
    ("loq_percent", N_("Limit of quantification, %")),
    ("specificity_tested", N_("Non-targets tested")),
    ("specificity_amplified", N_("Non-targets that gave a signal")),
)
LEVEL_FIELDS: tuple[tuple[str, str], ...] = (
    ("label", N_("Level")),
    ("assigned", N_("Assigned value")),
    ("replicates", N_("Replicates")),
    ("mean", N_("Mean")),
    ("bias_percent", N_("Bias, %")),
    ("rsdr_percent", N_("RSDr, %")),
    ("tested", N_("Tested")),
    ("positive", N_("Positive")),
)
LEVEL_ROWS = 5
LEVEL_FIELD = re.compile(rf"level-([0-9])-({'|'.join(name for name, _words in LEVEL_FIELDS)})")
OTHER_FIELDS = ("version", "laboratory", "outcome", "matrices", "instrument", "note")


@bp.get("/methods/<code>/verifications")
def index(code: str) -> ResponseReturnValue:
    """Show the verifications of a method and its field performance."""
    return _index(code)


def _index(code: str, refusal: Refusal | None = None) -> ResponseReturnValue:
    actor = current_actor()
    version = queries.find_version(actor, code)
    page = render_template(
        "methods/verifications.html",
        method=version.method,
        version=version,
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
        **verification_queries.panel(actor, version),
    )
    return page, refusal.status if refusal else 200


@bp.get("/methods/<code>/verifications/new")
def new(code: str) -> ResponseReturnValue:
    """Show the empty form."""
    return _form(code, None, {"version": request.args.get("version", "")}, _empty_levels())


@bp.post("/methods/<code>/verifications")
@once
def create(code: str) -> ResponseReturnValue:
    """Begin a verification as a draft."""
    try:
        _check_fields()
        number = request.form.get("version", "")
        with transaction():
            verification_commands.create_verification(
                current_actor(),
                code,
                _given(),
                number=int(number) if number.isdecimal() and len(number) < 7 else None,
                laboratory=request.form.get("laboratory", ""),
            )
    except (Invalid, Conflict) as refusal:
        return _form(code, None, *_typed(), refusal=refusal)
    flash(str(_("The draft is stored. The manager of your laboratory publishes it.")))
    return redirect(url_for("verifications.index", code=code), 303)


@bp.get("/methods/<code>/verifications/<int:number>/edit")
def edit(code: str, number: int) -> ResponseReturnValue:
    """Show the form with the draft."""
    row = _draft(code, number)
    study = row.study
    values = {name: exchange.flat_cell(study.get(name)) for name, _words in STUDY_FIELDS}
    values |= {
        "note": study.get("note") or "",
        "outcome": row.outcome.value,
        "matrices": "\n".join(row.matrices),
        "instrument": row.instrument or "",
        "version": str(row.version.number),
    }
    levels = [
        {name: exchange.flat_cell(level.get(name)) for name, _words in LEVEL_FIELDS}
        for level in study["levels"]
    ]
    return _form(code, row, values, [*levels, *_empty_levels(LEVEL_ROWS - len(levels))])


@bp.post("/methods/<code>/verifications/<int:number>/edit")
def save(code: str, number: int) -> ResponseReturnValue:
    """Store the draft; what was typed is kept when somebody else was faster."""
    row = _draft(code, number)
    try:
        _check_fields()
        given = _given()
        given["study"] = {**row.study, **given["study"], "levels": _with_kept(row, given["study"]["levels"])}
        with transaction():
            verification_commands.change_verification(
                current_actor(), code, number, given, expected=expected_version()
            )
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _form(code, _draft(code, number), *_typed(), refusal=refusal)
    flash(str(_("The draft is stored.")))
    return redirect(url_for("verifications.index", code=code), 303)


def _with_kept(row: MethodVerification, levels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the levels with the figures that the form does not show, as they are stored."""
    stored = row.study["levels"]
    kept = [{**(stored[place] if place < len(stored) else {}), **level} for place, level in enumerate(levels)]
    return kept + stored[LEVEL_ROWS:] if len(stored) > LEVEL_ROWS else kept


@bp.post("/methods/<code>/verifications/<int:number>/removal")
def remove(code: str, number: int) -> ResponseReturnValue:
    """Throw a draft away."""
    return _do(
        code,
        lambda: verification_commands.remove_verification(
            current_actor(), code, number, expected=expected_version()
        ),
        _("The draft is thrown away."),
    )


@bp.post("/methods/<code>/verifications/<int:number>/publication")
def publish(code: str, number: int) -> ResponseReturnValue:
    """Publish a verification."""
    return _do(
        code,
        lambda: verification_commands.publish_verification(
            current_actor(), code, number, expected=expected_version()
        ),
        _("The verification is published. The laboratory of the method has been told."),
    )


def _do(code: str, change: Any, done: Text) -> ResponseReturnValue:
    try:
        load_form(EmptyIn())
        with transaction():
            change()
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _index(code, refusal)
    flash(str(done))
    return redirect(url_for("verifications.index", code=code), 303)


@bp.post("/methods/<code>/verifications/<int:number>/visibility")
def set_visibility(code: str, number: int) -> ResponseReturnValue:
    """Hide a verification, or show it again."""
    actor = current_actor()
    try:
        given = load_form(VisibilityIn())
        hide = given["hidden"]
        decide = (
            verification_commands.hide_verification if hide else verification_commands.restore_verification
        )
        with transaction():
            decide(actor, code, number, given["reason"], expected=expected_version())
    except (Invalid, Conflict, StaleEdit, NotAllowed) as refusal:
        return _index(code, refusal)
    flash(
        str(
            _("The verification is hidden. Its laboratory has been told.")
            if hide
            else _("It is shown again.")
        )
    )
    return redirect(url_for("verifications.index", code=code), 303)


# The form ------------------------------------------------------------------------------------


def _draft(code: str, number: int) -> MethodVerification:
    row = verification_queries.find_verification(current_actor(), code, number)
    require(current_actor(), "verification.change", row)
    if row.state is not VerificationState.DRAFT:
        raise Conflict(_("A verification that was published does not change. Write another one."))
    return row


def _empty_levels(count: int = LEVEL_ROWS) -> list[dict[str, str]]:
    return [dict.fromkeys((name for name, _words in LEVEL_FIELDS), "") for _row in range(max(count, 0))]


def _check_fields() -> None:
    known = {*OTHER_FIELDS, *(name for name, _words in STUDY_FIELDS), *OWN_FIELDS}
    unknown = [name for name in request.form if name not in known and not LEVEL_FIELD.fullmatch(name)]
    if unknown:
        raise Invalid(
            _("Please correct the marked fields."),
            errors={
                name[:100]: [_("There is no such field, or it is not yours to set.")] for name in unknown
            },
        )


def _typed() -> tuple[dict[str, str], list[dict[str, str]]]:
    names = (*OTHER_FIELDS, *(name for name, _words in STUDY_FIELDS))
    levels = [
        {name: request.form.get(f"level-{place}-{name}", "") for name, _words in LEVEL_FIELDS}
        for place in range(LEVEL_ROWS)
    ]
    return {name: request.form.get(name, "") for name in names}, levels


def _given() -> dict[str, Any]:
    values, levels = _typed()
    study: dict[str, Any] = {name: values[name] or None for name, _words in STUDY_FIELDS}
    study["note"] = values["note"].replace("\r\n", "\n") or None
    study["levels"] = [
        {name: value or None for name, value in level.items()}
        for level in levels
        if any(value.strip() for value in level.values())
    ]
    return {
        "outcome": values["outcome"],
        "matrices": values["matrices"].splitlines(),
        "instrument": values["instrument"],
        "study": study,
    }


def _form(
    code: str,
    row: MethodVerification | None,
    values: Mapping[str, str],
    levels: list[dict[str, str]],
    *,
    refusal: Refusal | None = None,
) -> ResponseReturnValue:
    actor = current_actor()
    versions = [each for each in queries.versions_of(actor, code) if each.state in PUBLIC_STATES]
    if not versions:
        raise Conflict(_("Only a published method can be verified."))
    laboratories = verification_queries.verifying_laboratories(actor, versions[0].method)
    if row is None and not laboratories:
        raise NotAllowed(
            _("A laboratory does not verify its own method: put the figures into its validation studies.")
        )
    page = render_template(
        "methods/verification_form.html",
        method=versions[0].method,
        row=row,
        versions=[(str(each.number), _version_words(each)) for each in versions],
        laboratories=[(each.code, each.name) for each in laboratories],
        outcomes=[(kind.value, _(words)) for kind, words in OUTCOME_NAMES.items()],
        study_fields=[(name, _(words)) for name, words in STUDY_FIELDS],
        level_fields=[(name, _(words)) for name, words in LEVEL_FIELDS],
        levels=levels,
        values=values,
        can_publish=row is not None and can(actor, "verification.publish", row),
        message=refusal.message if refusal else "",
        errors=_in_form_words(refusal.errors) if refusal else {},
    )
    return page, refusal.status if refusal else 200


def _version_words(version: MethodVersion) -> str:
    return str(
        _("version %(number)s (%(state)s)", number=version.number, state=_(STATE_NAMES[version.state]))
    )


def _in_form_words(errors: Mapping[str, list[Text]]) -> dict[str, list[Text]]:
    """Return refusals with fields named as in the form: ``slope``, ``level-0-mean``."""
    found: dict[str, list[Text]] = {}
    for path, texts in errors.items():
        name = path.removeprefix("study.")
        parts = name.split(".")
        if parts[0] == "levels" and len(parts) == 3:
            name = f"level-{parts[1]}-{parts[2]}"
        found.setdefault(name, []).extend(texts)
    return found
