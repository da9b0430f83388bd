"""JSON addresses of verifications of methods by other laboratories."""

from typing import Any

from flask import Response, url_for

from labhub.db import transaction
from labhub.methods import queries, verification_commands, verification_queries
from labhub.methods import verification_schemas as schemas
from labhub.methods.review_models import MethodVerification
from labhub.methods.schemas import EmptyIn
from labhub.web.access import PUBLIC
from labhub.web.api import Blueprint, answer_record, expected_version
from labhub.web.auth import current_actor
from labhub.web.json import dumps
from labhub.web.once import once

blp = Blueprint(
    "api_verifications",
    __name__,
    url_prefix="/api/v1/methods",
    description="Verifications of methods by other laboratories, and the field performance they add up to",
)

BLUEPRINTS = (blp,)
ACCESS = {
    blp: {
        "index": PUBLIC,
        "performance": PUBLIC,
        "create": "verification.create",
        "show": PUBLIC,
        "change": "verification.change",
        "remove": "verification.change",
        "publish": "verification.publish",
        "set_visibility": "verification.hide",
    }
}


def _answer(row: MethodVerification, status: int = 200) -> Response:
    data = verification_queries.verification_as_data(current_actor(), row)
    response = answer_record(data, row.row_version, status)
    if status == 201:
        response.headers["Location"] = url_for(
            "api_verifications.show", code=row.version.method.code, number=row.id
        )
    return response


@blp.get("/<code>/verifications")
@blp.response(200, schemas.VerificationOut(many=True))
@blp.refuses(404)
def index(code: str) -> Response:
    """List the verifications of a method, newest first: the published ones, and one's laboratory's own."""
    actor = current_actor()
    rows = verification_queries.verifications_of(actor, code)
    return Response(
        dumps([verification_queries.verification_as_data(actor, row) for row in rows]),
        mimetype="application/json",
    )


@blp.get("/<code>/field-performance")
@blp.response(200, schemas.PerformanceOut)
@blp.refuses(404)
def performance(code: str) -> Response:
    """Show median and spread of the published verifications beside the validation and its criteria."""
    actor = current_actor()
    found = verification_queries.performance(actor, queries.find_version(actor, code))
    return answer_record(verification_queries.performance_as_data(found))


@blp.post("/<code>/verifications")
@blp.arguments(schemas.VerificationIn)
@blp.response(201, schemas.VerificationOut)
@blp.refuses(401, 403, 404, 409, 422)
@once
def create(given: dict[str, Any], code: str) -> Response:
    """Begin a verification of a published version as a draft of one's laboratory."""
    number, laboratory = given.pop("version"), given.pop("laboratory")
    with transaction():
        row = verification_commands.create_verification(
            current_actor(), code, given, number=number, laboratory=laboratory
        )
        return _answer(row, 201)


@blp.get("/<code>/verifications/<int:number>")
@blp.response(200, schemas.VerificationOut)
@blp.refuses(404)
def show(code: str, number: int) -> Response:
    """Show a verification; its ETag is what a change needs."""
    return _answer(verification_queries.find_verification(current_actor(), code, number))


@blp.patch("/<code>/verifications/<int:number>")
@blp.arguments(schemas.VerificationFields(partial=True))
@blp.response(200, schemas.VerificationOut)
@blp.refuses(401, 403, 404, 409, 412, 422, 428)
def change(given: dict[str, Any], code: str, number: int) -> Response:
    """Change the draft of a verification that If-Match names; a study is replaced as a whole."""
    expected = expected_version()
    with transaction():
        return _answer(
            verification_commands.change_verification(current_actor(), code, number, given, expected=expected)
        )


@blp.delete("/<code>/verifications/<int:number>")
@blp.response(204)
@blp.refuses(401, 403, 404, 409, 412, 428)
def remove(code: str, number: int) -> None:
    """Throw away the draft of a verification that If-Match names."""
    expected = expected_version()
    with transaction():
        verification_commands.remove_verification(current_actor(), code, number, expected=expected)


@blp.post("/<code>/verifications/<int:number>/publication")
@blp.arguments(EmptyIn)
@blp.response(200, schemas.VerificationOut)
@blp.refuses(401, 403, 404, 409, 412, 422, 428)
def publish(given: dict[str, Any], code: str, number: int) -> Response:
    """Publish the verification that If-Match names: by the manager of its laboratory."""
    expected = expected_version()
    with transaction():
        return _answer(
            verification_commands.publish_verification(current_actor(), code, number, expected=expected)
        )


@blp.post("/<code>/verifications/<int:number>/visibility")
@blp.arguments(schemas.VisibilityIn)
@blp.response(200, schemas.VerificationOut)
@blp.refuses(401, 403, 404, 409, 412, 422, 428)
def set_visibility(given: dict[str, Any], code: str, number: int) -> Response:
    """Hide the verification that If-Match names, or show it again, with a reason: by a reviewer."""
    actor, expected = current_actor(), expected_version()
    decide = (
        verification_commands.hide_verification
        if given["hidden"]
        else verification_commands.restore_verification
    )
    with transaction():
        return _answer(decide(actor, code, number, given["reason"], expected=expected))
