"""JSON addresses of reviews: comments on fields, and recalls of a method."""

from typing import Any

from flask import Response, url_for

from labhub.db import transaction
from labhub.methods import recall_queries, review_commands, review_queries
from labhub.methods import review_schemas as schemas
from labhub.methods.review_models import MethodComment
from labhub.web.api import Blueprint, answer_record, expected_version
from labhub.web.auth import current_actor
from labhub.web.json import dumps
from labhub.web.once import once

blp = Blueprint(
    "api_method_review",
    __name__,
    url_prefix="/api/v1/methods",
    description="Comments on the fields of a version under review, and recalls",
)

BLUEPRINTS = (blp,)
ACCESS = {
    blp: {
        "comments": "method.comment",
        "comment": "method.comment",
        "add_comment": "method.comment",
        "change_comment": "method.comment",
        "recalls": "method.follow-recall",
        "issue_recall": "method.recall",
    }
}


def _record(comment: MethodComment) -> dict[str, Any]:
    actor = current_actor()
    data = review_queries.comment_as_data(actor, comment, review_queries.content_for(actor, comment.version))
    return {name: data[name] for name in schemas.CommentOut().fields}


@blp.get("/<code>/comments")
@blp.arguments(schemas.CommentArguments, location="query")
@blp.response(200, schemas.CommentOut(many=True))
@blp.refuses(401, 403, 404)
def comments(arguments: dict[str, Any], code: str) -> Response:
    """List the comments on a version, each remark with its replies: for its laboratory and reviewers only."""
    actor = current_actor()
    version = review_queries.find_commented(actor, code, arguments["version"])
    content = review_queries.content_for(actor, version)
    wanted = arguments["resolved"]
    rows = [
        review_queries.comment_as_data(actor, comment, content)
        for thread in review_queries.threads_of(version)
        if wanted is None or thread.is_open is not wanted
        for comment in (thread.remark, *thread.replies)
    ]
    names = schemas.CommentOut().fields
    body = [{name: row[name] for name in names} for row in rows]
    return Response(dumps(body), mimetype="application/json")


@blp.post("/<code>/comments")
@blp.arguments(schemas.CommentIn)
@blp.response(201, schemas.CommentOut)
@blp.refuses(401, 403, 404, 409, 422, 429)
@once
def add_comment(given: dict[str, Any], code: str) -> Response:
    """Write a remark on a field of a version under review, or reply to one."""
    with transaction():
        row = review_commands.add_comment(
            current_actor(),
            code,
            given["text"],
            number=given["version"],
            field=given["field"],
            reply_to=given["reply_to"],
        )
        response = answer_record(_record(row), row.row_version, 201)
        response.headers["Location"] = url_for("api_method_review.comment", code=code, comment_id=row.id)
        return response


@blp.get("/<code>/comments/<int:comment_id>")
@blp.response(200, schemas.CommentOut)
@blp.refuses(401, 403, 404)
def comment(code: str, comment_id: int) -> Response:
    """Show one comment; its ETag is what resolving it needs."""
    row = review_queries.find_comment(current_actor(), code, comment_id)
    return answer_record(_record(row), row.row_version)


@blp.patch("/<code>/comments/<int:comment_id>")
@blp.arguments(schemas.CommentChange)
@blp.response(200, schemas.CommentOut)
@blp.refuses(401, 403, 404, 409, 412, 422, 428)
def change_comment(given: dict[str, Any], code: str, comment_id: int) -> Response:
    """Resolve a remark or open it again; If-Match carries the ETag of the comment."""
    expected = expected_version()
    with transaction():
        row = review_commands.resolve_comment(
            current_actor(), code, comment_id, resolved=given["resolved"], expected=expected
        )
        return answer_record(_record(row), row.row_version)


@blp.get("/<code>/recalls")
@blp.response(200, schemas.RecallOut(many=True))
@blp.refuses(401, 403, 404)
def recalls(code: str) -> Response:
    """List the recalls and change notices of a method and who has acknowledged them."""
    actor = current_actor()
    rows = [
        recall_queries.answers_as_data(recall_queries.answers_to(actor, recall))
        for recall in recall_queries.recalls_of(actor, code)
    ]
    return Response(dumps(rows), mimetype="application/json")


@blp.post("/<code>/recalls")
@blp.arguments(schemas.RecallIn)
@blp.response(201, schemas.RecallOut)
@blp.refuses(401, 403, 404, 409, 412, 422, 428)
@once
def issue_recall(given: dict[str, Any], code: str) -> Response:
    """Recall the version that If-Match names: everybody who downloaded it with an account is told."""
    actor, expected = current_actor(), expected_version()
    with transaction():
        recall = review_commands.issue_recall(
            actor, code, given["reason"], number=given["version"], expected=expected
        )
        answers = recall_queries.answers_to(actor, recall)
        return answer_record(recall_queries.answers_as_data(answers), status=201)
