"""JSON addresses of the network: what laboratories can run, the coverage map, conflicts of names."""

from typing import Any

from flask import Response, request, url_for

from labhub.accounts import queries as accounts
from labhub.db import transaction
from labhub.file_kinds import FileKind
from labhub.lmos import queries as lmo_queries
from labhub.methods import (
    capability_commands,
    coverage_queries,
    names_commands,
    names_queries,
    network_queries,
    network_schemas,
    schemas,
)
from labhub.methods.network_models import Capability
from labhub.web.access import PUBLIC
from labhub.web.api import (
    Blueprint,
    Page,
    answer_page,
    answer_record,
    expected_version,
    page_of,
    sorted_by,
)
from labhub.web.auth import current_actor
from labhub.web.forms import load
from labhub.web.once import once
from labhub.web.uploads import receive

own = Blueprint(
    "api_capabilities",
    __name__,
    url_prefix="/api/v1/laboratories",
    description="What a laboratory can run",
)
who = Blueprint(
    "api_who", __name__, url_prefix="/api/v1/capabilities", description="Who can run which method"
)
coverage = Blueprint(
    "api_coverage", __name__, url_prefix="/api/v1/coverage", description="Which LMOs can be detected today"
)
conflicts = Blueprint(
    "api_conflicts", __name__, url_prefix="/api/v1/conflicts", description="Contradictions among names"
)

BLUEPRINTS = (own, who, coverage, conflicts)
ACCESS = {
    own: {
        "list_capabilities": PUBLIC,
        "set_listed": "capability.change",
        "add_capability": "capability.change",
        "import_capabilities": "capability.change",
        "show_capability": PUBLIC,
        "change_capability": "capability.change",
        "remove_capability": "capability.change",
        "confirm_capability": "capability.change",
    },
    who: {"who_can_run": PUBLIC},
    coverage: {"list_coverage": PUBLIC, "show_coverage": PUBLIC},
    conflicts: {"list_conflicts": PUBLIC, "refresh_conflicts": "conflict.refresh"},
}


def _csv(content: bytes, name: str) -> Response:
    response = Response(content, mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _record(row: Capability) -> dict[str, Any]:
    values = network_queries.values_of(row)
    return {
        "laboratory": row.laboratory.code,
        **values,
        "confirmed_at": row.confirmed_at,
        "current": network_queries.counts_today(row),
    }


def _answer(row: Capability, status: int = 200) -> Response:
    response = answer_record(_record(row), row.row_version, status)
    if status == 201:
        response.headers["Location"] = url_for(
            "api_capabilities.show_capability", code=row.laboratory.code, method=row.method.code
        )
    return response


# One laboratory ------------------------------------------------------------------------------


@own.get("/<code>/capabilities")
@own.arguments(network_schemas.CapabilityArguments, location="query")
@own.response(200, network_schemas.CapabilityOut(many=True))
@own.refuses(400, 404)
def list_capabilities(arguments: dict[str, Any], code: str) -> Response:
    """List what a laboratory can run, expired entries too; `format=csv` gives the columns of the import.

    A laboratory that does not let itself be listed has no entries for others. The ETag is that of the list
    as a whole, for `PATCH`.
    """
    actor = current_actor()
    laboratory = accounts.find_laboratory(actor, code)
    rows = network_queries.capabilities_of(actor, laboratory)
    if arguments["format"] == "csv":
        return _csv(network_queries.to_csv(rows), f"capabilities-{laboratory.code}.csv")
    response = answer_page(Page([_record(row) for row in rows], len(rows), 1, max(1, len(rows))))
    response.set_etag(f"v{network_queries.list_version(laboratory)}")
    return response


@own.patch("/<code>/capabilities")
@own.arguments(network_schemas.CapabilityListing)
@own.response(200, network_schemas.CapabilityListing)
@own.refuses(403, 404, 412, 422, 428)
def set_listed(values: dict[str, Any], code: str) -> Response:
    """Let others read what the laboratory can run, or not (its managers)."""
    with transaction():
        listing = capability_commands.set_listed(
            current_actor(), code, listed=values["listed"], expected=expected_version()
        )
        return answer_record({"listed": listing.is_listed}, listing.row_version)


@own.post("/<code>/capabilities")
@own.arguments(network_schemas.CapabilityIn)
@own.response(201, network_schemas.CapabilityOut)
@own.refuses(403, 404, 409, 422)
@once
def add_capability(values: dict[str, Any], code: str) -> Response:
    """Say that the laboratory can run a method (managers); it holds for one year unless a day is given."""
    with transaction():
        row = capability_commands.add_capability(current_actor(), code, values)
        return _answer(row, 201)


@own.post("/<code>/capabilities/import")
@own.response(200, schemas.ImportOut)
@own.refuses(403, 404, 413, 422)
@once
def import_capabilities(code: str) -> Response:
    """Add and change entries by a CSV file (multipart `file`): all rows or, where one is wrong, none."""
    actor = current_actor()
    accounts.find_laboratory(actor, code)
    form = load(network_schemas.ImportForm(), request.form.to_dict())
    with (
        receive(allowed=(FileKind.CSV,), limit_bytes=capability_commands.LARGEST_IMPORT_BYTES) as upload,
        transaction(),
    ):
        report = capability_commands.import_capabilities(
            actor, code, upload.path.read_bytes(), upload.name, dry_run=form["dry_run"]
        )
        report.raise_if_refused()
    rows: list[dict[str, Any]] = [
        {"row": row.row, "key": row.key, "outcome": row.outcome.value, "warnings": []} for row in report.rows
    ]
    return answer_record({"file": report.file, "dry_run": form["dry_run"], "rows": rows})


@own.get("/<code>/capabilities/<method>")
@own.response(200, network_schemas.CapabilityOut)
@own.refuses(404)
def show_capability(code: str, method: str) -> Response:
    """Show the entry of a laboratory for a method."""
    return _answer(network_queries.find_capability(current_actor(), code, method))


@own.patch("/<code>/capabilities/<method>")
@own.arguments(network_schemas.CapabilityChange)
@own.response(200, network_schemas.CapabilityOut)
@own.refuses(403, 404, 412, 422, 428)
def change_capability(values: dict[str, Any], code: str, method: str) -> Response:
    """Change the fields that are given (managers); confirms the entry for a year unless a day is given."""
    with transaction():
        row = capability_commands.change_capability(
            current_actor(), code, method, values, expected=expected_version()
        )
        return _answer(row)


@own.delete("/<code>/capabilities/<method>")
@own.response(204)
@own.refuses(403, 404, 412, 428)
def remove_capability(code: str, method: str) -> Response:
    """Take an entry off the list (managers)."""
    with transaction():
        capability_commands.remove_capability(current_actor(), code, method, expected=expected_version())
    return Response(status=204)


@own.post("/<code>/capabilities/<method>/confirmation")
@own.arguments(schemas.EmptyIn)
@own.response(200, network_schemas.CapabilityOut)
@own.refuses(403, 404, 412, 422, 428)
def confirm_capability(_values: dict[str, Any], code: str, method: str) -> Response:
    """Confirm an entry for another year, unchanged (managers)."""
    with transaction():
        row = capability_commands.confirm_capability(
            current_actor(), code, method, expected=expected_version()
        )
        return _answer(row)


# Who can run this ----------------------------------------------------------------------------


@who.get("")
@who.arguments(network_schemas.WhoArguments, location="query")
@who.response(200, network_schemas.WhoRow(many=True))
@who.refuses(400)
def who_can_run(arguments: dict[str, Any]) -> Response:
    """List who can run which method, expired entries too unless `today=true`.

    `lmo` keeps methods that name the LMO, `element` those that look for the element; `accredited=true` and
    `material` ask for what holds today. Sort: `laboratory`, `party`, `method`, `valid_until`,
    `turnaround_days`.
    """
    page, size, sort = arguments.pop("page"), arguments.pop("page_size"), arguments.pop("sort")
    arguments.pop("lang")
    query = network_queries.who_can_run(current_actor(), today_only=arguments.pop("today"), **arguments)
    query = sorted_by(query, sort, network_queries.SORTS, "laboratory", network_queries.TIE)
    found = page_of(query, page, size)
    rows = [network_queries.with_standing(row) for row in found.rows]
    for row in rows:
        del row["laboratory_confirmed_at"]
    return answer_page(Page(rows, found.total, found.page, found.page_size))


# Coverage --------------------------------------------------------------------------------------


@coverage.get("")
@coverage.arguments(network_schemas.CoverageArguments, location="query")
@coverage.response(200, network_schemas.CoverageRow(many=True))
@coverage.refuses(400, 404)
def list_coverage(arguments: dict[str, Any]) -> Response:
    """List which LMOs can be detected, in which ways, by whom today, and the blind spots.

    `party` counts the laboratories of one Party only; `gap` keeps LMOs with a kind of blind spot, `taxon`
    and `q` (event or identifier) narrow the list. `format=csv` gives the whole list.
    """
    if arguments["party"]:
        accounts.find_party(arguments["party"])
    rows = coverage_queries.coverage(
        current_actor(), **{name: arguments[name] for name in ("party", "taxon", "q", "gap")}
    )
    if arguments["format"] == "csv":
        return _csv(coverage_queries.to_csv(rows), "coverage.csv")
    page, size = arguments["page"], arguments["page_size"]
    shown = rows[(page - 1) * size : page * size]
    return answer_page(Page([row.record() for row in shown], len(rows), page, size))


@coverage.get("/<lmo>")
@coverage.response(200, network_schemas.CoverageOut)
@coverage.refuses(404)
def show_coverage(lmo: str) -> Response:
    """Show how one LMO can be detected: its row of the map, and the methods of each way."""
    actor = current_actor()
    found = lmo_queries.find_lmo(lmo)
    record = coverage_queries.coverage_of(actor, found).record()
    record["methods"] = {
        way.value: [
            {
                "code": row["code"],
                "title": row["title"],
                "quantitative": row["quantitative"],
                "collaborative_trial": row["collaborative_trial"],
                "via": [element["name"] for element in row.get("via", ())],
                "laboratories": [runner["code"] for runner in row["runners"]],
            }
            for row in listing.rows
        ]
        for way, listing in coverage_queries.methods_detecting(actor, found).items()
    }
    return answer_record(record)


# Conflicts -------------------------------------------------------------------------------------


@conflicts.get("")
@conflicts.arguments(network_schemas.ConflictArguments, location="query")
@conflicts.response(200, network_schemas.ConflictRow(many=True))
@conflicts.refuses(400)
def list_conflicts(arguments: dict[str, Any]) -> Response:
    """List contradictions among names, as the last look found them, with how to mend each.

    Everybody sees those of the register and of compiled methods, a laboratory its own, reviewers and the
    Secretariat all but those of drafts. Sort: `kind`, `name`, `found_at`, `method`.
    """
    query = names_queries.list_conflicts(
        current_actor(), kind=arguments["kind"], q=arguments["q"], own=arguments["own"]
    )
    query = sorted_by(
        query, arguments["sort"], names_queries.CONFLICT_SORTS, "kind", names_queries.CONFLICT_TIE
    )
    if arguments["format"] == "csv":
        return _csv(names_queries.conflicts_csv(query), "conflicts.csv")
    page = page_of(query, arguments["page"], arguments["page_size"])
    identifiers = lmo_queries.register()
    fields = network_schemas.ConflictRow().fields
    rows = [
        {name: value for name, value in names_queries.explained(row, identifiers).items() if name in fields}
        for row in page.rows
    ]
    return answer_page(Page(rows, page.total, page.page, page.page_size))


@conflicts.post("/refresh")
@conflicts.arguments(schemas.EmptyIn)
@conflicts.response(200, network_schemas.Refreshed)
@conflicts.refuses(403, 422)
def refresh_conflicts(_values: dict[str, Any]) -> Response:
    """Link targets that the register knows now, and look for conflicts again (reviewers, Secretariat)."""
    with transaction():
        return answer_record({"conflicts": names_commands.refresh_conflicts(current_actor())})
