"""Pages of cases and samples."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from labhub.accounts.actor import ROLE_NAMES, Actor, Role
from labhub.accounts.models import Laboratory, Party
from labhub.accounts.policy import can, require
from labhub.accounts.queries import own_laboratories, parties
from labhub.db import transaction
from labhub.errors import Conflict, Invalid, NotFound, Refusal, StaleEdit
from labhub.i18n import N_, Text, _
from labhub.samples import commands, queries, schemas
from labhub.samples.articles import FACT_NAMES, Fact
from labhub.samples.models import (
    CASE_STATE_NAMES,
    CUSTODY_ACT_NAMES,
    OUTCOME_NAMES,
    SAMPLE_STATE_NAMES,
    Case,
    CaseState,
    CustodyAct,
    Outcome,
    PercentUnit,
    Sample,
    SampleState,
)
from labhub.samples.wording import in_words
from labhub.web.access import SIGNED_IN
from labhub.web.api import expected_version, page_of, sorted_by
from labhub.web.auth import current_actor
from labhub.web.errors import flat_messages
from labhub.web.forms import load_form
from labhub.web.once import once

bp = Blueprint("samples", __name__)

ACCESS = {
    "index": "case.list",
    "new_case": "case.create",
    "open_case": "case.create",
    "show_case": SIGNED_IN,
    "edit_case": "case.change",
    "change_case": "case.change",
    "new_sample": "sample.create",
    "add_sample": "sample.create",
    "show_sample": SIGNED_IN,
    "edit_sample": "sample.change",
    "change_sample": "sample.change",
    "new_custody": "custody.add",
    "add_custody": "custody.add",
    "new_analysis": "analysis.create",
    "add_analysis": "analysis.create",
}

ARTICLE_NAMES: dict[int, str] = {
    17: N_("Article 17: unintentional movement"),
    18: N_("Article 18: documents of a shipment"),
    25: N_("Article 25: illegal movement"),
}

QUESTIONS: list[tuple[str, str]] = [
    ("inadvertent", N_("Did the LMO cross the border inadvertently?")),
    ("contravention", N_("Does the movement contravene domestic measures?")),
    (
        "significant_effects_likely",
        N_(
            "Are significant adverse effects on biological diversity likely, taking also into account"
            " risks to human health?"
        ),
    ),
]

ACTION_NAMES: dict[str, str] = {
    "case.open": N_("Case opened"),
    "case.change": N_("Case changed"),
    "sample.create": N_("Sample registered"),
    "sample.change": N_("Sample changed"),
    "custody.add": N_("Custody entry added"),
    "analysis.create": N_("Result recorded"),
}

FIELD_NAMES: dict[str, str] = {
    "title": N_("Title"),
    "party": N_("Detecting Party"),
    "party_of_release": N_("Party of release"),
    "laboratory": N_("Laboratory"),
    "article": N_("Article"),
    "inadvertent": N_("Inadvertent crossing"),
    "contravention": N_("Contravention of domestic measures"),
    "significant_effects_likely": N_("Significant effects likely"),
    "state": N_("State"),
    "summary": N_("Summary"),
    "label": N_("Label"),
    "taken_at": N_("Taken at"),
    "place": N_("Place"),
    "sampler": N_("Sampler"),
    "product": N_("Product"),
    "lot": N_("Lot"),
    "mass_gram": N_("Mass"),
    "increments": N_("Increments"),
    "seal_number": N_("Seal"),
}

WORDS_OF_VALUES: dict[str, Mapping[Any, str]] = {
    "inadvertent": FACT_NAMES,
    "contravention": FACT_NAMES,
    "significant_effects_likely": FACT_NAMES,
}

REFUSALS = (Invalid, Conflict, StaleEdit)


def _choices(names: Mapping[Any, str], only: Any = None) -> list[tuple[str, Text]]:
    return [(str(key), _(text)) for key, text in names.items() if only is None or key in only]


def _answer(template: str, refusal: Refusal | None, **values: Any) -> ResponseReturnValue:
    page = render_template(
        template,
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
        **values,
    )
    return page, refusal.status if refusal else 200


# Cases ----------------------------------------------------------------------------------------


@bp.get("/cases")
def index() -> ResponseReturnValue:
    """List the cases of one's own laboratory or Party."""
    arguments = request.args.to_dict()
    try:
        given = schemas.CaseList().load({name: value for name, value in arguments.items() if value})
    except ValidationError as error:
        raise Refusal(
            _("This list does not know such a filter."), errors=flat_messages(error.messages)
        ) from error
    query = queries.case_rows(current_actor(), q=given["q"], state=given["state"], article=given["article"])
    query = sorted_by(query, given["sort"], queries.CASE_SORTS, "-number", Case.id)
    return render_template(
        "samples/index.html",
        page=page_of(query, given["page"], given["page_size"]),
        filters=arguments,
        sort=given["sort"] or "-number",
        states=_choices(CASE_STATE_NAMES),
        articles=_choices(ARTICLE_NAMES),
        state_names=CASE_STATE_NAMES,
    )


@bp.get("/cases/new")
def new_case() -> ResponseReturnValue:
    """Show the form that opens a case."""
    return _case_form(None, {}, None)


@bp.post("/cases")
@once
def open_case() -> ResponseReturnValue:
    """Open a case."""
    try:
        given = load_form(schemas.CaseIn())
        with transaction():
            case = commands.open_case(current_actor(), **given)
    except REFUSALS as refusal:
        return _case_form(None, request.form, refusal)
    flash(str(_("Case %(number)s is open. Register its samples next.", number=case.number)))
    return redirect(url_for("samples.show_case", case=case.number), 303)


@bp.get("/cases/<case>/edit")
def edit_case(case: str) -> ResponseReturnValue:
    """Show the form that changes a case."""
    record = queries.find_case(current_actor(), case)
    require(current_actor(), "case.change", record)
    form = {
        "title": record.title,
        "laboratory": record.laboratory.code if record.laboratory else "",
        "party_of_release": record.party_of_release.iso2 if record.party_of_release else "",
        "article": record.article or "",
        "summary": record.summary,
        "state": record.state.value,
        **{name: getattr(record, name).value for name, _question in QUESTIONS},
    }
    return _case_form(record, form, None)


@bp.post("/cases/<case>/edit")
def change_case(case: str) -> ResponseReturnValue:
    """Change a case."""
    actor = current_actor()
    record = queries.find_case(actor, case)
    cleared: dict[str, Any] = {"party_of_release": None, "article": None, "summary": ""}
    if can(actor, "case.assign", record):
        cleared["laboratory"] = None
    try:
        given = {**cleared, **load_form(schemas.CaseChange())}
        version = expected_version()
        reason = given.pop("reason")
        with transaction():
            record = commands.change_case(actor, case, version, given, reason=reason)
    except REFUSALS as refusal:
        return _case_form(queries.find_case(actor, case), request.form, refusal)
    flash(str(_("The case is changed.")))
    return redirect(url_for("samples.show_case", case=record.number), 303)


def _case_form(case: Case | None, form: Any, refusal: Refusal | None) -> ResponseReturnValue:
    actor = current_actor()
    party_rows = _own_parties(actor)
    next_states = set(CaseState)
    if case is not None:
        next_states = {case.state, *commands.NEXT_STATES[case.state]}
        if not can(actor, "case.notify", case):
            next_states -= {CaseState.NOTIFIED} - {case.state}
    return _answer(
        "samples/case_form.html",
        refusal,
        case=case,
        form=form,
        parties=[(party.iso2, party.name) for party in party_rows],
        all_parties=[(party.iso2, party.name) for party in parties()],
        laboratories=_laboratory_choices(actor, case, party_rows),
        questions=[(name, _(text)) for name, text in QUESTIONS],
        facts=_choices(FACT_NAMES),
        articles=_choices(ARTICLE_NAMES),
        states=_choices(CASE_STATE_NAMES, next_states),
        is_stale=isinstance(refusal, StaleEdit),
    )


def _own_parties(actor: Actor) -> list[Party]:
    """Return the Parties that the actor may open a case of."""
    ids = {*actor.focal_party_ids, *(row.party_id for row in own_laboratories(actor))}
    return [party for party in parties() if party.id in ids]


def _laboratory_choices(actor: Actor, case: Case | None, party_rows: list[Party]) -> list[tuple[str, str]]:
    """Return the laboratories that the actor may choose among; none when there is nothing to choose."""
    if case is not None:
        rows: list[Laboratory] = (
            queries.laboratories_of({case.party_id}) if can(actor, "case.assign", case) else []
        )
    elif actor.focal_party_ids:
        rows = queries.laboratories_of(set(actor.focal_party_ids)) + own_laboratories(actor)
    else:
        rows = own_laboratories(actor)
        rows = rows if len(rows) > 1 else []
    return sorted({(row.code, f"{row.name} ({row.code})") for row in rows}, key=lambda pair: pair[1])


@bp.get("/cases/<case>")
def show_case(case: str) -> ResponseReturnValue:
    """Show a case: its facts and what they mean, samples, results and timeline."""
    actor = current_actor()
    record = queries.find_case(actor, case)
    samples = queries.samples_of(record)
    results = queries.results_of([sample.id for sample in samples])
    by_sample = {sample.id: sample for sample in samples}
    answers = queries.article_answers(
        record.inadvertent, record.contravention, record.significant_effects_likely
    )
    return render_template(
        "samples/case.html",
        case=record,
        samples=samples,
        results=[(row, by_sample[row.sample_id], in_words(row, by_sample[row.sample_id])) for row in results],
        replaced={row.replaces_id for row in results if row.replaces_id},
        questions=[(_(text), _(FACT_NAMES[getattr(record, name)])) for name, text in QUESTIONS],
        meaning_17=_meaning(17, answers["article_17"]),
        meaning_25=_meaning(25, answers["article_25"]),
        doubt=_doubt(record.article, answers),
        article_name=_(ARTICLE_NAMES[record.article]) if record.article else "",
        state_name=_(CASE_STATE_NAMES[record.state]),
        sample_states=SAMPLE_STATE_NAMES,
        moments=[
            (moment, _(ACTION_NAMES[moment.action]), _roles(moment.roles), _changes(moment))
            for moment in queries.timeline(actor, record)
        ],
        may_change=can(actor, "case.change", record),
        may_add_sample=can(actor, "sample.create", record) and record.state is not CaseState.CLOSED,
    )


def _meaning(article: int, answer: Fact) -> Text:
    if article == 17:
        return {
            Fact.YES: _("An unintentional movement in the sense of Article 17."),
            Fact.NO: _("Not an unintentional movement in the sense of Article 17."),
            Fact.UNKNOWN: _("Not yet known whether this is an unintentional movement (Article 17)."),
        }[answer]
    return {
        Fact.YES: _("An illegal movement in the sense of Article 25."),
        Fact.NO: _("Not an illegal movement in the sense of Article 25."),
        Fact.UNKNOWN: _("Not yet known whether this is an illegal movement (Article 25)."),
    }[answer]


def _doubt(article: int | None, answers: Mapping[str, Fact]) -> Text:
    """Return a remark when the article that was chosen disagrees with the facts."""
    if article in (17, 25) and answers[f"article_{article}"] is Fact.NO:
        return _(
            "The case is filed under Article %(article)s, and the facts below say otherwise. Check both.",
            article=article,
        )
    return ""


def _roles(roles: str) -> str:
    known = {role.value: name for role, name in ROLE_NAMES.items()}
    return ", ".join(str(_(known.get(role, role))) for role in roles.split(",") if role != Role.VISITOR)


def _changes(moment: queries.Moment) -> list[tuple[Text, Text, Text]]:
    """Return the fields that a change touched: name, value before, value after."""
    if moment.action not in ("case.change", "sample.change"):
        return []
    kind = CASE_STATE_NAMES if moment.action == "case.change" else SAMPLE_STATE_NAMES
    return [
        (
            _(FIELD_NAMES.get(name, name)),
            _value(name, moment.before.get(name), kind),
            _value(name, moment.after[name], kind),
        )
        for name in FIELD_NAMES
        if name in moment.after
    ]


def _value(name: str, value: Any, states: Mapping[Any, str]) -> Text:
    names = states if name == "state" else WORDS_OF_VALUES.get(name)
    if names is not None and value in names:
        return _(names[value])
    text = "–" if value in (None, "") else str(value)
    return text if len(text) <= 200 else text[:200] + "…"


# Samples --------------------------------------------------------------------------------------


@bp.get("/cases/<case>/samples/new")
def new_sample(case: str) -> ResponseReturnValue:
    """Show the form that registers a sample."""
    record = queries.find_case(current_actor(), case)
    require(current_actor(), "sample.create", record)
    return _answer("samples/sample_form.html", None, case=record, sample=None, form={})


@bp.post("/cases/<case>/samples")
@once
def add_sample(case: str) -> ResponseReturnValue:
    """Register a sample."""
    actor = current_actor()
    record = queries.find_case(actor, case)
    try:
        given = load_form(schemas.SampleIn())
        with transaction():
            sample = commands.register_sample(actor, case=case, **given)
    except REFUSALS as refusal:
        record = queries.find_case(actor, case)
        return _answer("samples/sample_form.html", refusal, case=record, sample=None, form=request.form)
    flash(str(_("The sample is registered; its chain of custody has begun.")))
    return redirect(url_for("samples.show_sample", sample_id=sample.id), 303)


@bp.get("/samples/<int:sample_id>/edit")
def edit_sample(sample_id: int) -> ResponseReturnValue:
    """Show the form that corrects what is recorded of a sample."""
    sample = queries.find_sample(current_actor(), sample_id)
    require(current_actor(), "sample.change", sample.case)
    form = {name: getattr(sample, name) for name in commands.SAMPLE_FIELDS if name != "state"}
    form = {name: "" if value is None else value for name, value in form.items()}
    form["taken_at"] = sample.taken_at.strftime("%Y-%m-%dT%H:%M")
    return _answer("samples/sample_form.html", None, case=sample.case, sample=sample, form=form)


@bp.post("/samples/<int:sample_id>/edit")
def change_sample(sample_id: int) -> ResponseReturnValue:
    """Correct what is recorded of a sample, or mark it as reported."""
    actor = current_actor()
    sample = queries.find_sample(actor, sample_id)
    cleared: dict[str, Any] = {
        "place": "",
        "sampler": "",
        "product": "",
        "lot": "",
        "mass_gram": None,
        "increments": None,
        "seal_number": "",
    }
    try:
        given = load_form(schemas.SampleChange())
        version = expected_version()
        reason = given.pop("reason")
        if "label" in given:
            given = {**cleared, **given}
            if given.get("taken_at") == sample.taken_at.replace(second=0, microsecond=0):
                given.pop("taken_at")  # the field shows minutes only
        with transaction():
            commands.change_sample(actor, sample_id, version, given, reason=reason)
    except REFUSALS as refusal:
        sample = queries.find_sample(actor, sample_id)
        return _answer(
            "samples/sample_form.html", refusal, case=sample.case, sample=sample, form=request.form
        )
    flash(str(_("The sample is changed.")))
    return redirect(url_for("samples.show_sample", sample_id=sample_id), 303)


@bp.get("/samples/<int:sample_id>")
def show_sample(sample_id: int) -> ResponseReturnValue:
    """Show a sample with its chain of custody and its results."""
    actor = current_actor()
    sample = queries.find_sample(actor, sample_id)
    case = sample.case
    results = queries.results_of([sample.id])
    entries = queries.custody_of(sample)
    is_open = case.state is not CaseState.CLOSED
    return render_template(
        "samples/sample.html",
        sample=sample,
        case=case,
        entries=entries,
        gaps=queries.gaps_of(entries),
        check=queries.check_custody(actor, sample_id),
        results=[(row, in_words(row, sample)) for row in results],
        replaced={row.replaces_id: row.id for row in results if row.replaces_id},
        act_names=CUSTODY_ACT_NAMES,
        state_name=_(SAMPLE_STATE_NAMES[sample.state]),
        may_change=can(actor, "sample.change", case) and is_open,
        may_report=can(actor, "sample.change", case) and is_open and sample.state is SampleState.IN_ANALYSIS,
        may_add_custody=can(actor, "custody.add", case) and sample.state is not SampleState.DISPOSED,
        may_add_analysis=can(actor, "analysis.create", case) and is_open,
    )


@bp.get("/samples/<int:sample_id>/custody/new")
def new_custody(sample_id: int) -> ResponseReturnValue:
    """Show the form that adds a custody entry."""
    sample = queries.find_sample(current_actor(), sample_id)
    require(current_actor(), "custody.add", sample.case)
    return _custody_form(sample, {}, None)


@bp.post("/samples/<int:sample_id>/custody")
@once
def add_custody(sample_id: int) -> ResponseReturnValue:
    """Add a custody entry."""
    sample = queries.find_sample(current_actor(), sample_id)
    try:
        given = load_form(schemas.CustodyIn())
        with transaction():
            commands.add_custody(current_actor(), sample_id, **given)
    except REFUSALS as refusal:
        return _custody_form(queries.find_sample(current_actor(), sample.id), request.form, refusal)
    flash(str(_("The custody entry is added.")))
    return redirect(url_for("samples.show_sample", sample_id=sample_id), 303)


def _custody_form(sample: Sample, form: Any, refusal: Refusal | None) -> ResponseReturnValue:
    acts = {CustodyAct.HANDED_OVER, CustodyAct.RETAINED, CustodyAct.DISPOSED}
    if sample.received_at is None and can(current_actor(), "sample.receive", sample.case):
        acts.add(CustodyAct.RECEIVED)
    return _answer(
        "samples/custody_form.html",
        refusal,
        sample=sample,
        form=form,
        acts=_choices(CUSTODY_ACT_NAMES, acts),
        holder=queries.custody_of(sample)[-1].to_person,
    )


@bp.get("/samples/<int:sample_id>/analyses/new")
def new_analysis(sample_id: int) -> ResponseReturnValue:
    """Show the form that records a result, or the correction of one (``?replaces=``)."""
    sample = queries.find_sample(current_actor(), sample_id)
    require(current_actor(), "analysis.create", sample.case)
    form: dict[str, Any] = {}
    replaced = request.args.get("replaces", "")
    if replaced:
        if not (replaced.isascii() and replaced.isdecimal()):
            raise NotFound(_("There is no result %(number)s of this sample.", number=replaced))
        form = _form_of_result(sample, int(replaced))
    return _analysis_form(sample, form, None)


def _form_of_result(sample: Sample, result_id: int) -> dict[str, Any]:
    row = queries.find_result(current_actor(), sample, result_id)
    values: dict[str, Any] = {
        "method_code": row.method_version.method.code,
        "version": row.method_version.number,
        "outcome": row.outcome.value,
        "target": row.target,
        "lmo": (row.lmo.unique_identifier or row.lmo.event) if row.lmo else "",
        "gm_percent": row.gm_percent,
        "u_percent": row.u_percent,
        "unit": row.unit.value if row.unit else "",
        "lod_text": row.lod_text,
        "analysed_on": row.analysed_on.isoformat(),
        "analyst": row.analyst,
        "note": row.note,
        "replaces_id": row.id,
    }
    return {name: "" if value is None else value for name, value in values.items()}


@bp.post("/samples/<int:sample_id>/analyses")
@once
def add_analysis(sample_id: int) -> ResponseReturnValue:
    """Record a result."""
    sample = queries.find_sample(current_actor(), sample_id)
    try:
        given = load_form(schemas.AnalysisIn())
        with transaction():
            commands.add_analysis(current_actor(), sample_id, **given)
    except REFUSALS as refusal:
        return _analysis_form(queries.find_sample(current_actor(), sample.id), request.form, refusal)
    flash(str(_("The result is recorded.")))
    return redirect(url_for("samples.show_sample", sample_id=sample_id), 303)


def _analysis_form(sample: Sample, form: Any, refusal: Refusal | None) -> ResponseReturnValue:
    return _answer(
        "samples/analysis_form.html",
        refusal,
        sample=sample,
        form=form,
        methods=queries.citable_methods(),
        outcomes=_choices(OUTCOME_NAMES),
        units=[(unit.value, unit.value) for unit in PercentUnit],
        pending=Outcome.PENDING.value,
        asks_outdated=bool(refusal and "version" in refusal.errors) or bool(form.get("accept_outdated")),
    )
