"""JSON addresses of methods."""

from typing import Any

from flask import Response, request, url_for

from labhub.db import transaction
from labhub.methods import (
    commands,
    exchange,
    find_queries,
    find_schemas,
    names_queries,
    queries,
    schemas,
)
from labhub.methods.models import MethodState, MethodVersion
from labhub.web import method_downloads
from labhub.web.access import PUBLIC
from labhub.web.api import (
    Blueprint,
    answer_record,
    answer_rows,
    expected_version,
)
from labhub.web.auth import current_actor
from labhub.web.downloads import Item, deliver
from labhub.web.forms import load
from labhub.web.kept import kept_for_visitors, kept_stamp, record_stamp
from labhub.web.once import once
from labhub.web.uploads import keep_upload, receive

blp = Blueprint(
    "api_methods", __name__, url_prefix="/api/v1/methods", description="Detection methods and their versions"
)

BLUEPRINTS = (blp,)
ACCESS = {
    blp: {
        "index": PUBLIC,
        "facets": PUBLIC,
        "create": "method.create",
        "show": PUBLIC,
        "change": "method.change",
        "versions": PUBLIC,
        "new_version": "method.change",
        "show_version": PUBLIC,
        "submit": "method.submit",
        "review": "method.review",
        "publish": "method.publish",
        "withdraw": "method.withdraw",
        "files": PUBLIC,
        "add_file": "method.change",
        "download_file": PUBLIC,
        "remove_file": "method.change",
        "download": PUBLIC,
    }
}


def record_of(version: MethodVersion, siblings: list[MethodVersion]) -> dict[str, Any]:
    """Return a version as the API shows it."""
    published = version.content_hash != ""
    content = queries.content_of(version)
    warnings = [] if published else exchange.check(content).warnings + names_queries.doubts_of(content)
    return {
        **content,
        "warnings": [str(text) for text in warnings],
        **queries.facts_of(version, current_actor()),
        "return_reason": version.return_reason if version.state is MethodState.RETURNED else None,
        "intact": queries.is_intact(version) if published else None,
        "versions": [_row_of(each) for each in siblings],
    }


def _row_of(version: MethodVersion) -> dict[str, Any]:
    facts = queries.facts_of(version, None)
    row = {name: facts[name] for name in schemas.VersionRow().fields if name in facts}
    return {**row, "title": version.title}


def _answer(
    version: MethodVersion, status: int = 200, siblings: list[MethodVersion] | None = None
) -> Response:
    siblings = siblings or queries.versions_of(current_actor(), version.method.code)
    response = answer_record(record_of(version, siblings), version.edition, status)
    if status == 201:
        response.headers["Location"] = url_for("api_methods.show", code=version.method.code)
    return response


@blp.get("")
@kept_for_visitors(find_queries.list_stamp)
@blp.arguments(find_schemas.MethodArguments(), location="query")
@blp.response(200, find_schemas.MethodRow(many=True))
@blp.refuses(400)
def index(arguments: dict[str, Any]) -> Response:
    """List methods: the published ones, and open ones of those who may see them."""
    selection = find_queries.Selection(current_actor(), find_queries.Search.of(arguments), kept_stamp())
    page = find_queries.find(
        selection, sort=arguments["sort"], page=arguments["page"], page_size=arguments["page_size"]
    )
    return answer_rows(b"[" + b",".join(page.rows) + b"]", page)


@blp.get("/facets")
@kept_for_visitors(find_queries.list_stamp)
@blp.arguments(find_schemas.FacetArguments(), location="query")
@blp.response(200, find_schemas.FacetsOut)
@blp.refuses(400)
def facets(arguments: dict[str, Any]) -> Response:
    """Count methods by the values of each facet, under the choices made in the other facets."""
    selection = find_queries.Selection(current_actor(), find_queries.Search.of(arguments), kept_stamp())
    found = []
    for name in find_queries.FACETS:
        values, number = selection.counts(name, arguments["most"])
        chosen = selection.chosen_values(name)
        found.append(
            {
                "facet": name,
                "number_of_values": number,
                "values": [
                    {"value": value, "count": count, "chosen": value.casefold() in chosen}
                    for value, count in values
                ],
            }
        )
    return answer_record({"total": selection.total, "facets": found})


@blp.post("")
@blp.arguments(schemas.MethodIn)
@blp.response(201, schemas.MethodOut)
@blp.refuses(401, 403, 409, 422)
@once
def create(given: dict[str, Any]) -> Response:
    """Begin a method of one's laboratory as a draft."""
    laboratory = given.pop("laboratory")
    with transaction():
        version = commands.create_method(current_actor(), given, laboratory=laboratory)
        return _answer(version, 201)


@blp.get("/<code>")
@kept_for_visitors(record_stamp)
@blp.response(200, schemas.MethodOut)
@blp.refuses(404)
def show(code: str) -> Response:
    """Show a method: its published version, or the newest one that one may see."""
    versions = queries.versions_of(current_actor(), code)
    return _answer(queries.version_among(versions, code), siblings=versions)


@blp.patch("/<code>")
@blp.arguments(schemas.MethodChange(partial=True))
@blp.response(200, schemas.MethodOut)
@blp.refuses(403, 404, 409, 412, 422, 428)
def change(given: dict[str, Any], code: str) -> Response:
    """Change the draft: If-Match carries the ETag of the version read (see `/versions/{number}`)."""
    expected = expected_version()
    note = given.pop("change_note", None)
    with transaction():
        return _answer(commands.change_draft(current_actor(), code, given, expected=expected, note=note))


@blp.get("/<code>/versions")
@blp.response(200, schemas.VersionRow(many=True))
@blp.refuses(404)
def versions(code: str) -> list[dict[str, Any]]:
    """List the versions of a method, newest first."""
    return [_row_of(version) for version in queries.versions_of(current_actor(), code)]


@blp.post("/<code>/versions")
@blp.arguments(schemas.NewVersionIn)
@blp.response(201, schemas.MethodOut)
@blp.refuses(403, 404, 409, 412, 422, 428)
@once
def new_version(given: dict[str, Any], code: str) -> Response:
    """Begin the next version as a draft with the same content; If-Match names the newest version."""
    actor, expected = current_actor(), expected_version()
    with transaction():
        return _answer(commands.new_version(actor, code, given["change_note"], expected=expected), 201)


@blp.get("/<code>/versions/<int:number>")
@kept_for_visitors(record_stamp)
@blp.response(200, schemas.MethodOut)
@blp.refuses(404)
def show_version(code: str, number: int) -> Response:
    """Show one version; its ETag is what a change of the draft needs."""
    versions = queries.versions_of(current_actor(), code)
    return _answer(queries.version_among(versions, code, number), siblings=versions)


@blp.post("/<code>/submission")
@blp.arguments(schemas.EmptyIn)
@blp.response(200, schemas.MethodOut)
@blp.refuses(403, 404, 409, 412, 422, 428)
def submit(given: dict[str, Any], code: str) -> Response:
    """Hand the draft that If-Match names in for review; 422 lists all that is missing."""
    expected = expected_version()
    with transaction():
        return _answer(commands.submit(current_actor(), code, expected=expected))


@blp.post("/<code>/review")
@blp.arguments(schemas.ReviewIn)
@blp.response(200, schemas.MethodOut)
@blp.refuses(403, 404, 409, 412, 422, 428)
def review(given: dict[str, Any], code: str) -> Response:
    """Take the review of the version that If-Match names on, give it back, take it over, or return it."""
    actor, expected = current_actor(), expected_version()
    with transaction():
        if given["decision"] == "claim":
            return _answer(commands.start_review(actor, code, expected=expected))
        if given["decision"] == "release":
            return _answer(commands.release_claim(actor, code, given["reason"], expected=expected))
        if given["decision"] == "take-over":
            return _answer(commands.take_over(actor, code, given["reason"], expected=expected))
        version = commands.return_to_laboratory(actor, code, given["reason"], expected=expected)
        # The reviewer no longer sees the version; what was done is said all the same.
        return answer_record(record_of(version, [version]), version.edition)


@blp.post("/<code>/publication")
@blp.arguments(schemas.PublicationIn)
@blp.response(200, schemas.MethodOut)
@blp.refuses(403, 404, 409, 412, 428)
def publish(given: dict[str, Any], code: str) -> Response:
    """Publish the version that If-Match names: by a reviewer or the Secretariat, not by who worked on it."""
    expected = expected_version()
    with transaction():
        return _answer(commands.publish(current_actor(), code, expected=expected, **given))


@blp.post("/<code>/withdrawal")
@blp.arguments(schemas.WithdrawalIn)
@blp.response(200, schemas.MethodOut)
@blp.refuses(403, 404, 409, 412, 422, 428)
def withdraw(given: dict[str, Any], code: str) -> Response:
    """Withdraw the published version, or another by its number; If-Match names it as it was read."""
    actor, expected = current_actor(), expected_version()
    with transaction():
        return _answer(
            commands.withdraw(actor, code, given["reason"], number=given["version"], expected=expected)
        )


@blp.get("/<code>/files")
@blp.arguments(schemas.VersionArguments, location="query")
@blp.response(200, schemas.FileOut(many=True))
@blp.refuses(404)
def files(arguments: dict[str, Any], code: str) -> list[dict[str, Any]]:
    """List the files of a version."""
    actor = current_actor()
    return queries.files_of(queries.find_version(actor, code, arguments["version"]), actor)


@blp.post("/<code>/files")
@blp.response(201, schemas.FileOut)
@blp.refuses(403, 404, 409, 413, 422)
@once
def add_file(code: str) -> Response:
    """Add a file to the draft: multipart with `file`, `role`, `visibility`, `licence` and `language`."""
    actor = current_actor()
    form = load(schemas.FileIn(), request.form.to_dict())
    queries.find_method(actor, code)
    with receive(allowed=commands.ALLOWED_FILES) as upload, transaction():
        stored = keep_upload(upload)
        received = commands.ReceivedFile(stored, upload.name, upload.kind)
        row = commands.add_file(actor, code, received, **commands.file_terms(form))
        record = next(each for each in queries.files_of(row.version, actor) if each["id"] == row.id)
    response = answer_record(record, status=201)
    response.headers["Location"] = url_for("api_methods.download_file", code=code, file_id=row.id)
    return response


@blp.get("/<code>/files/<int:file_id>")
@blp.response(200)
@blp.refuses(404)
def download_file(code: str, file_id: int) -> Response:
    """Download a file of a version."""
    download = queries.file_of_version(queries.find_file(current_actor(), code, file_id))
    return deliver(Item(**download.item), download.source, **download.headers)


@blp.delete("/<code>/files/<int:file_id>")
@blp.response(204)
@blp.refuses(403, 404, 409)
def remove_file(code: str, file_id: int) -> None:
    """Take a file off the draft."""
    with transaction():
        commands.remove_file(current_actor(), code, file_id)


@blp.get("/<code>/download")
@blp.arguments(schemas.DownloadArguments, location="query")
@blp.response(200)
@blp.refuses(400, 404, 409, 413, 503)
def download(arguments: dict[str, Any], code: str) -> Response:
    """Download a version as a record, a table, its oligos, an assay, a page, a pack, or its citation."""
    version = queries.find_version(current_actor(), code, arguments["version"])
    return method_downloads.one(version, arguments["format"])
