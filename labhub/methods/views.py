"""Pages of methods: list, method, form, review, files, import."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape
from marshmallow import RAISE, ValidationError

from labhub.accounts.policy import can, may_ever, require
from labhub.accounts.queries import own_laboratories
from labhub.db import transaction
from labhub.errors import Conflict, Invalid, Refusal, StaleEdit, TooLarge
from labhub.forum.queries import topics_that_mention
from labhub.i18n import LANGUAGES, Text, _
from labhub.lmos.unique_identifier import display
from labhub.methods import (
    charts,
    commands,
    completeness,
    differences,
    exchange,
    find_queries,
    find_schemas,
    judgement_queries,
    names_queries,
    network_queries,
    pictures,
    queries,
    recall_queries,
    relation_queries,
    review_queries,
    schemas,
    verification_queries,
)
from labhub.methods.models import (
    ASSAY_FORMAT_NAMES,
    EDITABLE_STATES,
    FILE_ROLE_NAMES,
    FILE_VISIBILITY_NAMES,
    OLIGO_ROLE_NAMES,
    OPEN_STATES,
    ORIGIN_NAMES,
    REVIEW_STATES,
    RIGHT_NAMES,
    SPECIFICITY_NAMES,
    STATE_NAMES,
    STUDY_KIND_NAMES,
    TECHNIQUE_NAMES,
    MethodState,
    MethodVersion,
    TargetKind,
    Technique,
)
from labhub.methods.study_words import validation_words
from labhub.samples.queries import cases_of_method
from labhub.web import method_downloads
from labhub.web.access import PUBLIC
from labhub.web.api import expected_version
from labhub.web.auth import current_actor
from labhub.web.downloads import Item, deliver
from labhub.web.errors import flat_messages
from labhub.web.forms import OWN_FIELDS, load_form, load_query
from labhub.web.kept import kept_for_visitors, kept_stamp, record_stamp
from labhub.web.once import once
from labhub.web.uploads import keep_upload, receive

bp = Blueprint("methods", __name__)

ACCESS = {
    "index": PUBLIC,
    "new": "method.create",
    "create": "method.create",
    "rows": "method.change",
    "review_queue": "method.review",
    "show": PUBLIC,
    "show_version": PUBLIC,
    "edit": "method.change",
    "save": "method.change",
    "new_version": "method.change",
    "submit": "method.submit",
    "review": "method.review",
    "give_back": "method.review",
    "publish": "method.publish",
    "withdraw": "method.withdraw",
    "add_file": "method.change",
    "remove_file": "method.change",
    "download_file": PUBLIC,
    "download": PUBLIC,
}

ROWS: dict[str, tuple[str, ...]] = {
    "oligo": ("set", "role", "name", "sequence", "label5", "label3", "final_concentration_nanomolar"),
    "oligo_sets": tuple(exchange.OLIGO_SET),
    "reference_materials": tuple(exchange.MATERIAL),
}
"""Groups of rows in the form, and the fields of a row: ``oligo-1-sequence``."""
EMPTY_ROWS = {"oligo": 6, "oligo_sets": 1, "reference_materials": 1}
MORE_ROWS = {"oligo": 4, "oligo_sets": 2, "reference_materials": 2}
CONTENT_ROWS = {"oligo": "oligos", "oligo_sets": "oligo_sets", "reference_materials": "reference_materials"}
ROW_FIELD = re.compile(
    "|".join(rf"(?:{group})-(?:[0-9]{{1,3}})-(?:{'|'.join(parts)})" for group, parts in ROWS.items())
)
Rows = dict[str, list[dict[str, str]]]
NOT_IN_FORM = frozenset(
    {"wished_code", "source_code", "origin", "verified", "same_oligos_as", "target_copies_per_haploid_genome"}
    | {"verification_amplicon_consistent", "verification_seen_in", "verification_n_places"}
    | {"reference_gene_verified", "validation_inferred"}
)
FORM_FIELDS = tuple(name for name in (*exchange.SCALARS, *exchange.GROUP_COLUMNS) if name not in NOT_IN_FORM)
FIGURES: tuple[tuple[str, Text], ...] = (
    ("lod_copies", _("Limit of detection, copies")),
    ("lod_percent", _("Limit of detection, %")),
    ("lod_text", _("Limit of detection, in words")),
    ("loq_copies", _("Limit of quantification, copies")),
    ("loq_percent", _("Limit of quantification, %")),
    ("loq_text", _("Limit of quantification, in words")),
    ("rsdr_percent", _("Repeatability RSDr, %")),
    ("rsdR_percent", _("Reproducibility RSDR, %")),
    ("slope", _("Slope of the standard curve")),
    ("pcr_efficiency_percent", _("PCR efficiency, %")),
    ("r2", _("R² of the standard curve")),
    ("bias_percent", _("Bias, %")),
    ("dynamic_range", _("Dynamic range")),
)
"""Figures in the order of the page."""


def _names() -> dict[str, Any]:
    """Return what every page of methods shows: names of enumerations, and whether the reader reviews."""
    return {
        "can_review": may_ever(current_actor(), "method.review"),
        "specificities": {kind.value: _(text) for kind, text in SPECIFICITY_NAMES.items()},
        "techniques": {kind.value: _(text) for kind, text in TECHNIQUE_NAMES.items()},
        "states": {kind.value: _(text) for kind, text in STATE_NAMES.items()},
        "origins": {kind.value: _(text) for kind, text in ORIGIN_NAMES.items()},
        "oligo_roles": {kind.value: _(text) for kind, text in OLIGO_ROLE_NAMES.items()},
        "file_roles": {kind.value: _(text) for kind, text in FILE_ROLE_NAMES.items()},
        "file_visibilities": {kind.value: _(text) for kind, text in FILE_VISIBILITY_NAMES.items()},
        "assay_formats": {kind.value: _(text) for kind, text in ASSAY_FORMAT_NAMES.items()},
        "rights_names": {kind.value: _(text) for kind, text in RIGHT_NAMES.items()},
        "study_kinds": {kind.value: _(text) for kind, text in STUDY_KIND_NAMES.items()},
    }


def _laboratories() -> dict[str, Any]:
    own = own_laboratories(current_actor())
    return {"laboratories": own, "laboratory_options": [(each.code, each.name) for each in own]}


# Lists ---------------------------------------------------------------------------------------


FACET_TITLES: dict[str, Text] = {
    "specificity": _("Specificity"),
    "taxon": _("Taxon"),
    "element": _("Element"),
    "lmo": _("LMO"),
    "technique": _("Technique"),
    "quantitative": _("Result"),
    "validated": _("Validation"),
    "rights": _("Rights"),
    "accreditation": _("Laboratory’s accreditation"),
    "year": _("Year"),
    "laboratory": _("Laboratory"),
    "origin": _("Origin"),
    "matrix": _("Matrix"),
    "state": _("State"),
}
YES_AND_NO: dict[str, dict[str, Text]] = {
    "quantitative": {"true": _("quantitative"), "false": _("qualitative")},
    "validated": {"true": _("validated"), "false": _("no validation on record")},
    "accreditation": {"true": _("stated"), "false": _("not stated")},
}
OPEN_FACETS = frozenset({"specificity", "taxon", "technique", "element", "lmo"})
"""Facets whose values are shown at first; the others are opened by a click."""
VALUES_SHOWN = 8
ARGUMENTS = find_schemas.MethodArguments()


@bp.get("/methods")
@kept_for_visitors(find_queries.list_stamp)
def index() -> ResponseReturnValue:
    """List methods, searched, filtered, counted and sorted."""
    given = load_query(ARGUMENTS)
    actor = current_actor()
    search = find_queries.Search.of(given)
    selection = find_queries.Selection(actor, search, kept_stamp())
    names = _names()
    page = find_queries.find(selection, sort=given["sort"], page=given["page"], page_size=given["page_size"])
    sort = given["sort"] or ("relevance" if search.q else "code")
    pairs = [pair for pair in request.args.items(multi=True) if pair[1] and pair[0] not in ("page", "sort")]
    query = urlencode(pairs)
    root = url_for("methods.index").partition("?")[0]
    suffix = f"?lang={given['lang']}" if given["lang"] in LANGUAGES else ""
    return render_template(
        "methods/index.html",
        page=page,
        rows=_table_rows(page.as_rows(), names, root, suffix),
        search=search,
        filters={"laboratory": search.chosen["laboratory"][0]}
        if "laboratory" in search.chosen
        else {"q": ""},
        sort=sort,
        root=root,
        start=f"?{query}&" if query else "?",
        query=query,
        language_suffix=suffix,
        facets=_facets(selection, names),
        downloads_together=method_downloads.together(),
        laboratories=own_laboratories(actor) if actor.laboratory_ids else [],
        **names,
    )


NUL = "\x00"
"""Stands for a value in a message that is translated once for all rows."""


def _table_rows(rows: list[dict[str, Any]], names: Mapping[str, Any], root: str, suffix: str) -> Markup:
    """Return the rows of the table as HTML.

    Written here rather than in the template because there are up to 200 of them: it halves the work of
    the page (docs/performance.md). Every text goes through ``escape``.
    """
    quantitative = f'<br><span class="small text-body-secondary">{escape(_("quantitative"))}</span>'
    compiled = escape(_("compiled"))
    marks = {None: "", True: _verified_mark(True), False: _verified_mark(False)}
    base_pairs = str(_("%(number)s bp", number=NUL))
    chosen = str(escape(_("Compare %(code)s", code=NUL)))
    kinds = {key: escape(text) for key, text in names["specificities"].items()}
    techniques = {key: escape(text) for key, text in names["techniques"].items()}
    lines: list[str] = []
    for row in rows:
        code, state, common = escape(row["code"]), row["state"], row["taxon_common"]
        is_published = state == MethodState.PUBLISHED.value
        path = f"{root}/{code}" if is_published else f"{root}/{code}/versions/{row['version']}"
        badge = "" if is_published else f" {_state_mark(state, names)}"
        taxon = f"<i><bdi>{escape(row['taxon_scientific'])}</bdi></i>" if row["taxon_scientific"] else "–"
        if common:
            taxon += f'<br><span class="small text-body-secondary"><bdi>{escape(common)}</bdi></span>'
        size = base_pairs.replace(NUL, str(row["amplicon_bp"])) if row["amplicon_bp"] else "–"
        owner = f"<bdi>{escape(row['laboratory'])}</bdi>" if row["laboratory"] else compiled
        lines.append(
            f'<tr><td class="text-nowrap"><input class="form-check-input" type="checkbox" form="compare" '
            f'name="code" value="{code}" aria-label="{chosen.replace(NUL, str(code))}"> '
            f'<a href="{path}{suffix}"><bdi dir="ltr">{code}</bdi></a></td>'
            f"<td><bdi>{escape(row['title'])}</bdi>{badge}</td><td>{kinds[row['specificity']]}</td>"
            f"<td>{taxon}</td><td>{techniques[row['technique']]}{quantitative if row['quantitative'] else ''}"
            f'</td><td class="text-nowrap">{size}</td><td>{owner} {marks[row["verified"]]}</td></tr>'
        )
    return Markup("\n".join(lines))  # noqa: S704 (every text in it is escaped above)


def _state_mark(state: str, names: Mapping[str, Any]) -> Markup:
    style = {"withdrawn": "danger", "superseded": "secondary", "returned": "warning"}.get(state, "info")
    return Markup('<span class="badge text-bg-{}">{}</span>').format(style, names["states"][state])


def _verified_mark(mark: bool) -> Markup:
    words, style = (_("verified"), "success") if mark else (_("from memory"), "warning")
    return Markup('<span class="badge text-bg-{}">{}</span>').format(style, words)


def _facet_items(name: str, values: list[tuple[str, Any, int, bool]]) -> Markup:
    """Return the ticks of a facet as HTML: a page has about a hundred (see ``_table_rows``)."""
    items = [
        f'<li><label><input class="facet-box form-check-input" type="checkbox" id="x-{name}-{number}" '
        f'name="{name}" value="{escape(value)}"{" checked" if is_chosen else ""}> <bdi>{escape(label)}</bdi>'
        f'</label> <span class="facet-count">{count}</span></li>'
        for number, (value, label, count, is_chosen) in enumerate(values, start=1)
    ]
    return Markup("\n".join(items))  # noqa: S704 (every text in it is escaped above)


def _facets(selection: find_queries.Selection, names: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the facets as the page shows them; those with nothing to choose are left out."""
    labels: dict[str, Mapping[str, Any]] = {
        "specificity": names["specificities"],
        "technique": names["techniques"],
        "origin": names["origins"],
        "state": names["states"],
        "rights": names["rights_names"],
        **YES_AND_NO,
    }
    shown = []
    for name in find_queries.FACETS:
        values, number = selection.counts(name, VALUES_SHOWN)
        chosen = selection.chosen_values(name)
        if not values or (name == "state" and len(values) == 1 and not chosen):
            continue
        label = labels.get(name, {})
        shown.append(
            {
                "name": name,
                "title": FACET_TITLES[name],
                "items": _facet_items(
                    name, [(v, label.get(v, v), n, v.casefold() in chosen) for v, n in values]
                ),
                "more": number - len(values),
                "open": name in OPEN_FACETS or bool(chosen),
                "chosen": len(chosen),
            }
        )
    return shown


@bp.get("/methods/review")
def review_queue() -> ResponseReturnValue:
    """List what waits for review."""
    actor = current_actor()
    rows = [(version, can(actor, "method.review", version)) for version in queries.review_queue(actor)]
    returned = review_queries.returned_versions(actor)
    return render_template("methods/review.html", rows=rows, returned=returned, **_names())


# One method ----------------------------------------------------------------------------------


@bp.get("/methods/<code>")
@kept_for_visitors(record_stamp)
def show(code: str) -> ResponseReturnValue:
    """Show a method: its published version, or the newest one that one may see."""
    return _page(code)


@bp.get("/methods/<code>/versions/<int:number>")
@kept_for_visitors(record_stamp)
def show_version(code: str, number: int) -> ResponseReturnValue:
    """Show one version of a method."""
    return _page(code, number)


def _page(code: str, number: int | None = None, refusal: Refusal | None = None) -> ResponseReturnValue:
    actor = current_actor()
    versions = queries.versions_of(actor, code)
    version = queries.version_among(versions, code, number)
    opened = next((each for each in versions if each.state in OPEN_STATES), None)
    content = queries.content_of(version)
    sealed = version.content_hash != ""
    linked = network_queries.linked_targets(version)
    is_editable = version.state in EDITABLE_STATES and can(actor, "method.change", version)
    waits = version.state in REVIEW_STATES
    files = queries.files_of(version, actor)
    downloads, headers = method_downloads.panel(version)
    judgements = judgement_queries.judgements_of(version, content)
    limits = judgements.shown.criteria if judgements.shown else None
    page = render_template(
        "methods/show.html",
        version=version,
        method=version.method,
        versions=versions,
        opened=opened if opened is not version else None,
        content=content,
        files=files,
        reference=queries.reference_link(actor, content["reference_method"]),
        sets=pictures.sets_of(content),
        drawing=pictures.sizes_of(pictures.maps_of(content)),
        is_protein=version.technique is Technique.PROTEIN,
        used_by=_used_by(version),
        study_charts=[
            (place, differences.label_of("studies", study), charts.charts_of(study, limits))
            for place, study in enumerate(content["studies"])
        ],
        figures=[(text, content["validation"][key]) for key, text in FIGURES],
        targets=[target for target in linked if target.kind is TargetKind.TARGET],
        lmos=[target for target in linked if target.kind is TargetKind.LMO],
        runners=network_queries.runners_of(actor, version.method),
        display=display,
        is_altered=sealed and not queries.is_intact(version),
        doubts=(
            exchange.check(content).warnings + names_queries.doubts_of(content)
            if is_editable or waits
            else []
        ),
        twins=queries.twins(actor, version) if is_editable or waits else [],
        may={
            "edit": is_editable,
            "submit": is_editable and can(actor, "method.submit", version),
            "review": version.state is MethodState.SUBMITTED and can(actor, "method.review", version),
            "give_back": waits and can(actor, "method.review", version),
            "publish": waits and can(actor, "method.publish", version),
            "withdraw": version.state in (MethodState.PUBLISHED, MethodState.SUPERSEDED)
            and can(actor, "method.withdraw", version),
            "renew": opened is None and can(actor, "method.change", version),
        },
        **downloads,
        **review_queries.panel(actor, version),
        **recall_queries.panel(actor, version),
        **verification_queries.panel(actor, version),
        **validation_words(),
        judgements=judgements,
        meters=completeness.meters(content, files),
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
        **_names(),
    )
    return page, refusal.status if refusal else 200, headers


def _used_by(version: MethodVersion) -> dict[str, Any]:
    """Return what points at a method, from every package of the hub."""
    actor = current_actor()
    linked = network_queries.linked_targets(version)
    lmos = {target.lmo.slug: target.lmo for target in linked if target.lmo}
    elements = {target.element.slug: target.element.name for target in linked if target.element}
    return {
        "lmos": [
            (slug, display(lmo.unique_identifier) if lmo.unique_identifier else lmo.event)
            for slug, lmo in lmos.items()
        ],
        "elements": list(elements.items()),
        "sequences": relation_queries.related_sequences(actor, version),
        "methods": relation_queries.referring_methods(actor, version.method),
        "cases": cases_of_method(actor, version.method_id),
        "topics": topics_that_mention(actor, version.method.code),
    }


def _do(code: str, change: Callable[[], MethodVersion], done: Text) -> ResponseReturnValue:
    """Do one step of the workflow and show the version; a refusal is shown on the same page."""
    try:
        with transaction():
            version = change()
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _page(code, _open_number(code), refusal)
    flash(str(done))
    target = url_for("methods.show_version", code=version.method.code, number=version.number)
    return redirect(target, 303)


def _open_number(code: str) -> int | None:
    versions = queries.versions_of(current_actor(), code)
    return next((version.number for version in versions if version.state in OPEN_STATES), None)


@bp.post("/methods/<code>/submission")
def submit(code: str) -> ResponseReturnValue:
    """Hand the draft in for review."""
    load_form(schemas.EmptyIn())
    return _do(
        code,
        lambda: commands.submit(current_actor(), code, expected=expected_version()),
        _("The method is submitted. The reviewers have been told."),
    )


@bp.post("/methods/<code>/review")
def review(code: str) -> ResponseReturnValue:
    """Take a review on."""
    load_form(schemas.EmptyIn())
    return _do(
        code,
        lambda: commands.start_review(current_actor(), code, expected=expected_version()),
        _("You are reviewing this version."),
    )


@bp.post("/methods/<code>/return")
def give_back(code: str) -> ResponseReturnValue:
    """Return a version to its laboratory."""
    try:
        reason = request.form.get("reason", "")
        with transaction():
            commands.return_to_laboratory(current_actor(), code, reason, expected=expected_version())
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _page(code, _open_number(code), refusal)
    flash(str(_("The version is returned. The laboratory has been told.")))
    return redirect(url_for("methods.review_queue"), 303)


@bp.post("/methods/<code>/publication")
def publish(code: str) -> ResponseReturnValue:
    """Publish a version."""
    notify = load_form(schemas.PublicationIn())["notify"]
    return _do(
        code,
        lambda: commands.publish(current_actor(), code, expected=expected_version(), notify=notify),
        _("The method is published."),
    )


@bp.post("/methods/<code>/withdrawal")
def withdraw(code: str) -> ResponseReturnValue:
    """Withdraw a published version."""
    reason, number = request.form.get("reason", ""), request.form.get("version", "")
    wanted = int(number) if number.isdecimal() and len(number) < 7 else None
    return _do(
        code,
        lambda: commands.withdraw(current_actor(), code, reason, number=wanted, expected=expected_version()),
        _("The version is withdrawn. It stays readable, marked."),
    )


@bp.post("/methods/<code>/versions")
@once
def new_version(code: str) -> ResponseReturnValue:
    """Begin a new version."""
    note = request.form.get("change_note", "")
    return _do(
        code,
        lambda: commands.new_version(current_actor(), code, note, expected=expected_version()),
        _("Here is the draft of the new version."),
    )


# Files ---------------------------------------------------------------------------------------


@bp.post("/methods/<code>/files")
@once
def add_file(code: str) -> ResponseReturnValue:
    """Add a file to the draft."""
    actor = current_actor()
    queries.find_method(actor, code)
    try:
        form = load_form(schemas.FileIn())
        with receive(allowed=commands.ALLOWED_FILES) as upload, transaction():
            stored = keep_upload(upload)
            received = commands.ReceivedFile(stored, upload.name, upload.kind)
            row = commands.add_file(actor, code, received, **commands.file_terms(form))
    except (Invalid, Conflict, TooLarge) as refusal:
        return _page(code, _open_number(code), refusal)
    flash(str(_("The file is added.")))
    target = url_for("methods.show_version", code=code, number=row.version.number)
    return redirect(target, 303)


@bp.post("/methods/<code>/files/<int:file_id>/removal")
def remove_file(code: str, file_id: int) -> ResponseReturnValue:
    """Take a file off the draft."""
    actor = current_actor()
    number = queries.find_file(actor, code, file_id).version.number
    try:
        with transaction():
            commands.remove_file(actor, code, file_id)
    except Conflict as refusal:
        return _page(code, number, refusal)
    flash(str(_("The file is removed.")))
    return redirect(url_for("methods.show_version", code=code, number=number), 303)


@bp.get("/methods/<code>/files/<int:file_id>")
def download_file(code: str, file_id: int) -> ResponseReturnValue:
    """Download a file of a version."""
    download = queries.file_of_version(queries.find_file(current_actor(), code, file_id))
    return deliver(Item(**download.item), download.source, **download.headers)


@bp.get("/methods/<code>/download")
def download(code: str) -> ResponseReturnValue:
    """Download a version."""
    try:
        given = schemas.DownloadArguments().load(
            {name: value for name, value in request.args.items() if name != "lang"}, unknown=RAISE
        )
    except ValidationError as error:
        raise Refusal(
            _("Say the version by its number and one of the formats offered."),
            errors=flat_messages(error.messages),
        ) from error
    version = queries.find_version(current_actor(), code, given["version"])
    return method_downloads.one(version, given["format"])


# The form ------------------------------------------------------------------------------------


@bp.get("/methods/new")
def new() -> ResponseReturnValue:
    """Show the empty form."""
    return _form(None, {}, {})


@bp.post("/methods")
@once
def create() -> ResponseReturnValue:
    """Begin a method as a draft."""
    try:
        _check_fields()
        record = _record_of_form()
        with transaction():
            version = commands.create_method(
                current_actor(), record, laboratory=request.form.get("laboratory", "")
            )
    except (Invalid, Conflict) as refusal:
        return _form(None, *_typed(), refusal=_in_form_words(refusal))
    flash(str(_("The draft is stored. Add the SOP and submit it when it is complete.")))
    return redirect(url_for("methods.show", code=version.method.code), 303)


@bp.get("/methods/<code>/edit")
def edit(code: str) -> ResponseReturnValue:
    """Show the form with the draft."""
    version = _draft(code)
    content = queries.content_of(version)
    values = exchange.flat(content)
    values["code"] = version.method.wished_code
    values["change_note"] = version.change_note
    values["sources"] = "\n".join(_source_line(source) for source in content["sources"])
    rows = {
        group: [
            {part: exchange.flat_cell(row[part]) for part in parts} for row in content[CONTENT_ROWS[group]]
        ]
        for group, parts in ROWS.items()
    }
    for row, oligo in zip(rows["oligo"], content["oligos"], strict=True):
        row["sequence"] = _with_modifications(oligo)
    return _form(version, values, rows)


@bp.post("/methods/<code>/edit")
def save(code: str) -> ResponseReturnValue:
    """Store the draft; what was typed is kept when somebody else was faster."""
    version = _draft(code)
    try:
        _check_fields()
        record = _with_kept(_record_of_form(), version)
        note = request.form.get("change_note", "") if version.number > 1 else None
        with transaction():
            version = commands.change_draft(
                current_actor(), code, record, expected=expected_version(), note=note
            )
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _form(_draft(code), *_typed(), refusal=_in_form_words(refusal))
    flash(str(_("The draft is stored.")))
    return redirect(url_for("methods.show_version", code=code, number=version.number), 303)


@bp.post("/methods/rows")
def rows() -> ResponseReturnValue:
    """Show the form again with more rows in one of its groups; nothing is stored."""
    code, group = request.form.get("of", ""), request.form.get("more", "oligo")
    values, typed = _typed()
    return _form(_draft(code) if code else None, values, typed, more=group if group in ROWS else "oligo")


def _draft(code: str) -> MethodVersion:
    actor = current_actor()
    version = queries.find_version(actor, code, _open_number(code))
    if version.state not in EDITABLE_STATES:
        raise Conflict(_("No version of this method can be changed now. Begin a new version."))
    require(actor, "method.change", version)
    return version


def _form(
    version: MethodVersion | None,
    values: Mapping[str, str],
    rows: Rows,
    *,
    refusal: Refusal | None = None,
    more: str = "",
) -> ResponseReturnValue:
    shown: Rows = {}
    for group, parts in ROWS.items():
        given = rows.get(group, [])
        count = max(EMPTY_ROWS[group], len(given)) + (MORE_ROWS[group] if group == more else 0)
        shown[group] = [*given, *(dict.fromkeys(parts, "") for _row in range(count - len(given)))]
    page = render_template(
        "methods/form.html",
        version=version,
        values=values,
        oligos=shown["oligo"],
        rows=shown,
        **_laboratories(),
        figures=[(f"validation_{key}", text) for key, text in FIGURES],
        comments_on=review_queries.by_form_field(version) if version else {},
        twins=queries.twins(current_actor(), version) if version else [],
        field_words=review_queries.name_of,
        differences=_differences(version, values) if isinstance(refusal, StaleEdit) and version else [],
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
        **_names(),
    )
    return page, refusal.status if refusal else 200


def _differences(version: MethodVersion, typed: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the fields whose stored text differs from what was typed, with the stored text."""
    stored = exchange.flat(queries.content_of(version))
    return [
        (name, stored[name])
        for name in FORM_FIELDS
        if name != "code" and stored[name].split() != typed.get(name, "").split()
    ]


def _check_fields() -> None:
    known = {*FORM_FIELDS, "sources", "change_note", "laboratory", "of", *OWN_FIELDS}
    unknown = [name for name in request.form if name not in known and not ROW_FIELD.fullmatch(name)]
    if unknown:
        raise Invalid(
            _("Please correct the marked fields."),
            errors={
                name[:100]: [_("There is no such field, or it is not yours to set.")] for name in unknown
            },
        )


def _typed() -> tuple[dict[str, str], Rows]:
    """Return what was typed: fields by name, and the rows of each group in their order."""
    values = {
        name: request.form.get(name, "") for name in (*FORM_FIELDS, "sources", "change_note", "laboratory")
    }
    values["rights"] = "\n".join(request.form.getlist("rights"))
    rows: Rows = {group: [] for group in ROWS}
    for group, parts in ROWS.items():
        places = {
            int(name.split("-")[1])
            for name in request.form
            if ROW_FIELD.fullmatch(name) and name.startswith(f"{group}-")
        }
        for place in range(max(places, default=-1) + 1):
            rows[group].append({part: request.form.get(f"{group}-{place}-{part}", "") for part in parts})
    return values, rows


def _is_filled(row: Mapping[str, str]) -> bool:
    """Say whether somebody wrote into a row; the role of an oligo is always chosen."""
    return any(value.strip() for part, value in row.items() if part != "role")


def _record_of_form() -> dict[str, Any]:
    values, rows = _typed()
    given = {name: values[name].replace("\r\n", "\n") for name in FORM_FIELDS}
    record, _columns = exchange.from_flat(given)
    for group, name in CONTENT_ROWS.items():
        record[name] = [
            {part: value or None for part, value in row.items()} for row in rows[group] if _is_filled(row)
        ]
    record["sources"] = _sources_of_text(values["sources"])
    return record


def _with_kept(record: dict[str, Any], version: MethodVersion) -> dict[str, Any]:
    """Return the record with the parts of its groups that the form does not show, as they are stored."""
    stored = queries.content_of(version)
    for name in ("reference_gene", "validation"):
        record[name] = {**(stored[name] or {}), **record[name]}
    if not record["reference_gene"]["gene"]:
        record["reference_gene"] = None
    return record


def _sources_of_text(text: str) -> list[dict[str, Any]]:
    sources = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split("|")]
        if not line.strip():
            continue
        if len(parts) > 3:
            raise Invalid(
                _("Please correct the marked fields."),
                errors={"sources": [_("Write title | address | year, one source a line.")]},
            )
        title, url, year = (*parts, "", "")[:3]
        sources.append({"title": title, "url": url or None, "year": year or None})
    return sources


def _source_line(source: Mapping[str, Any]) -> str:
    parts = [source["title"].replace("|", "/"), source["url"] or "", str(source["year"] or "")]
    return " | ".join(parts).rstrip(" |")


def _with_modifications(oligo: Mapping[str, Any]) -> str:
    """Return the bases with the modifications in brackets at their places."""
    text = str(oligo["sequence"])
    for each in sorted(oligo["modifications"], key=lambda each: -int(each["after_base"])):
        text = f"{text[: each['after_base']]}[{each['name']}]{text[each['after_base'] :]}"
    return text


def _in_form_words(refusal: Refusal) -> Refusal:
    """Return the refusal with its fields named as in the form: ``oligo-1-sequence``, ``validation_slope``."""
    typed = _typed()[1]
    filled = {
        CONTENT_ROWS[group]: (group, [place for place, row in enumerate(rows) if _is_filled(row)])
        for group, rows in typed.items()
    }
    errors: dict[str, list[Text]] = {}
    columns = {f"{group}.{key}": column for column, (group, key) in exchange.GROUP_COLUMNS.items()}
    for path, texts in refusal.errors.items():
        parts = path.split(".")
        name = columns.get(path, path)
        if parts[0] in filled and len(parts) == 3 and parts[1].isdigit():
            group, places = filled[parts[0]]
            if int(parts[1]) < len(places):
                name = f"{group}-{places[int(parts[1])]}-{parts[2]}"
        elif parts[0] == "sources":
            name = "sources"
        errors.setdefault(name, []).extend(texts)
    refusal.errors = errors
    return refusal
