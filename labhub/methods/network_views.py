"""Pages of the network: what laboratories can run, the coverage map, conflicts of names; and their jobs."""

from typing import Any

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from huey import crontab
from marshmallow import RAISE, Schema, ValidationError

from labhub import audit
from labhub.accounts import queries as accounts
from labhub.accounts.policy import can, may_ever, require
from labhub.db import transaction
from labhub.errors import Conflict, Invalid, Refusal, StaleEdit, TooLarge
from labhub.file_kinds import FileKind
from labhub.i18n import Text, _
from labhub.lmos import queries as lmo_queries
from labhub.lmos.unique_identifier import display
from labhub.methods import (
    capabilities,
    capability_commands,
    coverage_queries,
    names_commands,
    names_queries,
    network_queries,
    network_schemas,
    schemas,
)
from labhub.methods.coverage_queries import GAP_NAMES, WAY_NAMES
from labhub.methods.models import SPECIFICITY_NAMES
from labhub.methods.network_models import CONFLICT_NAMES
from labhub.reports import ImportReport
from labhub.web.access import PUBLIC
from labhub.web.api import Page, expected_version, page_of, sorted_by
from labhub.web.auth import current_actor
from labhub.web.errors import flat_messages
from labhub.web.forms import OWN_FIELDS, load, load_form
from labhub.web.once import once
from labhub.web.uploads import receive

bp = Blueprint("network", __name__)

ACCESS = {
    "laboratory": PUBLIC,
    "new_entry": "capability.change",
    "add_entry": "capability.change",
    "edit_entry": "capability.change",
    "save_entry": "capability.change",
    "confirm_entry": "capability.change",
    "remove_entry": "capability.change",
    "set_listed": "capability.change",
    "import_entries": "capability.change",
    "who": PUBLIC,
    "coverage": PUBLIC,
    "conflicts": PUBLIC,
    "refresh_conflicts": "conflict.refresh",
}


def init_jobs(app: Flask) -> None:
    """Set up the jobs: reminders each morning, names each night, the report of conflicts on Mondays."""
    huey = app.extensions["labhub.jobs"].huey

    @huey.periodic_task(crontab(minute="20", hour="5"))
    @huey.lock_task("remind-capabilities")
    def remind_capabilities() -> int:
        with app.app_context(), audit.from_source("", "job"), transaction():
            return capability_commands.remind()

    @huey.periodic_task(crontab(minute="10", hour="3"))
    @huey.lock_task("tidy-names")
    def tidy_names() -> int:
        with app.app_context(), audit.from_source("", "job"), transaction():
            return names_commands.tidy_names()

    @huey.periodic_task(crontab(minute="40", hour="5", day_of_week="1"))
    @huey.lock_task("report-conflicts")
    def report_conflicts() -> int:
        with app.app_context(), audit.from_source("", "job"), transaction():
            names_commands.tidy_names()
            return names_commands.report_conflicts()


def _arguments(schema: Schema) -> dict[str, Any]:
    """Return the filters of a page's address; what the list does not know is refused as in the API."""
    given = {name: value for name, value in request.args.items() if value}
    try:
        checked: dict[str, Any] = schema.load(given, unknown=RAISE)
    except ValidationError as error:
        raise Refusal(
            _("This list does not know such a filter or value."), errors=flat_messages(error.messages)
        ) from error
    return checked


def _root(endpoint: str) -> str:
    return url_for(endpoint).partition("?")[0]


# What one laboratory can run -----------------------------------------------------------------


@bp.get("/laboratories/<code>/capabilities")
def laboratory(code: str) -> ResponseReturnValue:
    """Show what a laboratory can run; its managers change it here."""
    return _laboratory_page(code)


def _laboratory_page(
    code: str, refusal: Refusal | None = None, report: ImportReport | None = None, *, is_trial: bool = False
) -> ResponseReturnValue:
    actor = current_actor()
    row = accounts.find_laboratory(actor, code)
    entries = network_queries.capabilities_of(actor, row)
    page = render_template(
        "methods/capabilities.html",
        row=row,
        confirmed=accounts.is_confirmed(row),
        entries=[(entry, network_queries.standing_of(entry)) for entry in entries],
        may_change=can(actor, "capability.change", row),
        listed=network_queries.is_listed(row),
        list_version=network_queries.list_version(row),
        report=report,
        is_trial=is_trial,
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
        download=url_for("api_capabilities.list_capabilities", code=row.code, format="csv"),
    )
    return page, refusal.status if refusal else 200


@bp.get("/laboratories/<code>/capabilities/new")
def new_entry(code: str) -> ResponseReturnValue:
    """Show the empty form of an entry."""
    row = accounts.find_laboratory(current_actor(), code)
    require(current_actor(), "capability.change", row)
    empty: dict[str, Any] = dict.fromkeys(capabilities.COLUMNS, "")
    return _form(code, {**empty, "method": request.args.get("method", "")[:60], "runs": True})


@bp.post("/laboratories/<code>/capabilities")
@once
def add_entry(code: str) -> ResponseReturnValue:
    """Add an entry."""
    try:
        form = load_form(network_schemas.CapabilityForm())
        with transaction():
            capability_commands.add_capability(current_actor(), code, form)
    except (Invalid, Conflict) as refusal:
        return _form(code, _typed(), refusal=refusal)
    return _back(code, _("The entry is added. It counts until the day that is shown."))


@bp.get("/laboratories/<code>/capabilities/<method>/edit")
def edit_entry(code: str, method: str) -> ResponseReturnValue:
    """Show the form of an entry."""
    row = network_queries.find_capability(current_actor(), code, method)
    require(current_actor(), "capability.change", row)
    return _form(code, network_queries.values_of(row), method=row.method.code, row_version=row.row_version)


@bp.post("/laboratories/<code>/capabilities/<method>")
def save_entry(code: str, method: str) -> ResponseReturnValue:
    """Change an entry, which confirms it."""
    network_queries.find_capability(current_actor(), code, method)
    try:
        form = load_form(network_schemas.CapabilityForm(exclude=("method",)))
        with transaction():
            capability_commands.change_capability(
                current_actor(), code, method, form, expected=expected_version()
            )
    except (Invalid, StaleEdit) as refusal:
        row = network_queries.find_capability(current_actor(), code, method)
        return _form(code, _typed(), method=row.method.code, row_version=row.row_version, refusal=refusal)
    return _back(code, _("The entry is saved and confirmed."))


def _typed() -> dict[str, Any]:
    typed: dict[str, Any] = {name: request.form.get(name, "") for name in capabilities.COLUMNS}
    return {**typed, **{name: bool(typed[name]) for name in capabilities.BOOLEANS}}


def _form(
    code: str,
    values: dict[str, Any],
    *,
    method: str = "",
    row_version: int | None = None,
    refusal: Refusal | None = None,
) -> ResponseReturnValue:
    page = render_template(
        "methods/capability_form.html",
        row=accounts.find_laboratory(current_actor(), code),
        method=method,
        values=values,
        row_version=row_version,
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return page, refusal.status if refusal else 200


def _back(code: str, done: Text) -> ResponseReturnValue:
    flash(str(done))
    return redirect(url_for("network.laboratory", code=code), 303)


@bp.post("/laboratories/<code>/capabilities/<method>/confirmation")
def confirm_entry(code: str, method: str) -> ResponseReturnValue:
    """Confirm an entry for another year."""
    load_form(schemas.EmptyIn())
    try:
        with transaction():
            capability_commands.confirm_capability(current_actor(), code, method, expected=expected_version())
    except StaleEdit as refusal:
        return _laboratory_page(code, refusal)
    return _back(code, _("The entry is confirmed for another year."))


@bp.post("/laboratories/<code>/capabilities/<method>/removal")
def remove_entry(code: str, method: str) -> ResponseReturnValue:
    """Take an entry off the list."""
    load_form(schemas.EmptyIn())
    try:
        with transaction():
            capability_commands.remove_capability(current_actor(), code, method, expected=expected_version())
    except StaleEdit as refusal:
        return _laboratory_page(code, refusal)
    return _back(code, _("The entry is removed."))


@bp.post("/laboratories/<code>/capabilities/listing")
def set_listed(code: str) -> ResponseReturnValue:
    """Let others read the list, or not."""
    try:
        form = load_form(network_schemas.CapabilityListing())
        with transaction():
            capability_commands.set_listed(
                current_actor(), code, listed=form["listed"], expected=expected_version()
            )
    except (Invalid, StaleEdit) as refusal:
        return _laboratory_page(code, refusal)
    return _back(code, _("The choice is saved."))


@bp.post("/laboratories/<code>/capabilities/import")
@once
def import_entries(code: str) -> ResponseReturnValue:
    """Read a CSV file of entries; the report of every row is shown."""
    actor = current_actor()
    accounts.find_laboratory(actor, code)
    report = None
    try:
        form = load(
            network_schemas.ImportForm(),
            {name: text for name, text in request.form.items() if name not in OWN_FIELDS},
        )
        limit = capability_commands.LARGEST_IMPORT_BYTES
        with receive(allowed=(FileKind.CSV,), limit_bytes=limit) as upload, transaction():
            report = capability_commands.import_capabilities(
                actor, code, upload.path.read_bytes(), upload.name, dry_run=form["dry_run"]
            )
            if not form["dry_run"]:
                report.raise_if_refused()
    except (Invalid, Conflict, TooLarge) as refusal:
        return _laboratory_page(code, refusal, report)
    return _laboratory_page(code, report=report, is_trial=form["dry_run"])


# Who can run this ----------------------------------------------------------------------------


@bp.get("/methods/who")
def who() -> ResponseReturnValue:
    """Search laboratories by what they can run."""
    given = _arguments(network_schemas.WhoArguments())
    own = {"page", "page_size", "sort", "lang", "today"}
    chosen = {name: given[name] for name in given if name not in own}
    query = network_queries.who_can_run(current_actor(), today_only=given["today"], **chosen)
    query = sorted_by(query, given["sort"], network_queries.SORTS, "laboratory", network_queries.TIE)
    page = page_of(query, given["page"], given["page_size"])
    rows = [network_queries.with_standing(row) for row in page.rows]
    return render_template(
        "methods/who.html",
        page=Page(rows, page.total, page.page, page.page_size),
        filters=given,
        sort=given["sort"] or "laboratory",
        root=_root("network.who"),
        parties=accounts.party_choices(),
        party_names=dict(accounts.party_choices()),
        elements=lmo_queries.element_names(),
        specificities={kind.value: _(text) for kind, text in SPECIFICITY_NAMES.items()},
        unknown=_unknown(given),
    )


def _unknown(given: dict[str, Any]) -> list[Text]:
    """Return what of a search the register does not know, so that an empty list says why."""
    texts: list[Text] = []
    if given["lmo"] and lmo_queries.match_lmo(given["lmo"]) is None:
        texts.append(_("The register does not know %(name)s.", name=given["lmo"]))
    if given["element"] and lmo_queries.match_element(given["element"]) is None:
        texts.append(_("The register does not know %(name)s.", name=given["element"]))
    return texts


# Coverage --------------------------------------------------------------------------------------


@bp.get("/coverage")
def coverage() -> ResponseReturnValue:
    """Show which LMOs can be detected today, and the blind spots: of the network or of one Party."""
    actor = current_actor()
    given = _arguments(network_schemas.CoveragePageArguments())
    party = accounts.find_party(given["party"]) if given["party"] else None
    rows = coverage_queries.coverage(actor, party=given["party"], taxon=given["taxon"], q=given["q"])
    figures = coverage_queries.summary(rows)
    if given["gap"]:
        rows = [row for row in rows if given["gap"] in row.gaps]
    number, size = given["page"], given["page_size"]
    lmo = None
    if given["lmo"]:
        lmo = lmo_queries.match_lmo(given["lmo"]) or lmo_queries.find_lmo(given["lmo"])
    return render_template(
        "methods/coverage.html",
        page=Page(rows[(number - 1) * size : number * size], len(rows), number, size),  # type: ignore[arg-type]
        figures=figures,
        filters=given,
        party=party,
        parties=accounts.party_choices(),
        party_names=dict(accounts.party_choices()),
        taxa=[(name, f"{name} ({common})" if common else name) for name, common in lmo_queries.taxa()],
        ways={way: _(text) for way, text in WAY_NAMES.items()},
        gaps={gap: _(text) for gap, text in GAP_NAMES.items()},
        root=_root("network.coverage"),
        csv=url_for("api_coverage.list_coverage", format="csv", **_chosen(given)),
        json=url_for("api_coverage.list_coverage", page_size=200, **_chosen(given)),
        display=display,
        lmo=lmo,
        listings=coverage_queries.methods_detecting(actor, lmo) if lmo else {},
        row=coverage_queries.coverage_of(actor, lmo, party=given["party"]) if lmo else None,
    )


def _chosen(given: dict[str, Any]) -> dict[str, Any]:
    chosen = {name: given[name] for name in ("party", "taxon", "q") if given[name]}
    return {**chosen, **({"gap": given["gap"].value} if given["gap"] else {})}


# Conflicts -------------------------------------------------------------------------------------


@bp.get("/methods/conflicts")
def conflicts() -> ResponseReturnValue:
    """List contradictions among names, as the last look found them."""
    actor = current_actor()
    given = _arguments(network_schemas.ConflictArguments())
    query = names_queries.list_conflicts(actor, kind=given["kind"], q=given["q"], own=given["own"])
    query = sorted_by(query, given["sort"], names_queries.CONFLICT_SORTS, "kind", names_queries.CONFLICT_TIE)
    page = page_of(query, given["page"], given["page_size"])
    identifiers = lmo_queries.register()
    rows = [names_queries.explained(row, identifiers) for row in page.rows]
    return render_template(
        "methods/conflicts.html",
        page=Page(rows, page.total, page.page, page.page_size),
        filters=given,
        sort=given["sort"] or "kind",
        kinds={kind.value: _(text) for kind, text in CONFLICT_NAMES.items()},
        counts=names_queries.conflict_counts(actor),
        looked_at=names_queries.looked_at(),
        may_refresh=may_ever(actor, "conflict.refresh"),
        has_laboratory=bool(actor.laboratory_ids),
        root=_root("network.conflicts"),
        csv=url_for(
            "api_conflicts.list_conflicts",
            format="csv",
            kind=given["kind"].value if given["kind"] else None,
            q=given["q"] or None,
            own="true" if given["own"] else None,
        ),
    )


@bp.post("/methods/conflicts")
def refresh_conflicts() -> ResponseReturnValue:
    """Look for conflicts again."""
    load_form(schemas.EmptyIn())
    with transaction():
        names_commands.refresh_conflicts(current_actor())
    flash(str(_("All names were compared again.")))
    return redirect(url_for("network.conflicts"), 303)
