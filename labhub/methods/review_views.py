"""Pages of the review: comments on fields, giving a review back or taking it over, recalls of a method."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import RAISE, ValidationError

from labhub.accounts.policy import can
from labhub.db import transaction
from labhub.errors import Conflict, Invalid, Refusal, StaleEdit, TooMany
from labhub.i18n import _
from labhub.methods import commands, queries, recall_queries, review_commands, review_queries
from labhub.methods import review_schemas as schemas
from labhub.methods.models import STATE_NAMES, MethodVersion
from labhub.methods.review_models import RECALL_NAMES
from labhub.web.api import expected_version
from labhub.web.auth import current_actor
from labhub.web.errors import flat_messages
from labhub.web.forms import load_form
from labhub.web.once import once

bp = Blueprint("method_review", __name__)

ACCESS = {
    "comments": "method.comment",
    "add_comment": "method.comment",
    "change_comment": "method.comment",
    "release": "method.review",
    "take_over": "method.review",
    "recalls": "method.follow-recall",
    "issue_recall": "method.recall",
}


def _asked_version() -> int | None:
    try:
        given = schemas.CommentArguments().load(
            {name: value for name, value in request.args.items() if name != "lang"}, unknown=RAISE
        )
    except ValidationError as error:
        raise Refusal(_("Say the version by its number."), errors=flat_messages(error.messages)) from error
    number: int | None = given["version"]
    return number


@bp.get("/methods/<code>/comments")
def comments(code: str) -> ResponseReturnValue:
    """Show the comments on a version: also to reviewers of a version that was returned."""
    return _comments_page(review_queries.find_commented(current_actor(), code, _asked_version()))


def _comments_page(version: MethodVersion, refusal: Refusal | None = None) -> ResponseReturnValue:
    actor = current_actor()
    page = render_template(
        "methods/comments.html",
        version=version,
        method=version.method,
        is_content_readable=review_queries.content_for(actor, version) is not None,
        states={state.value: _(text) for state, text in STATE_NAMES.items()},
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
        **review_queries.panel(actor, version),
    )
    return page, refusal.status if refusal else 200


def _back(version: MethodVersion, anchor: str) -> ResponseReturnValue:
    """Return to where comments are read: the version's page, or that of the comments alone."""
    code, number = version.method.code, version.number
    if review_queries.content_for(current_actor(), version) is None:
        return redirect(url_for("method_review.comments", code=code, version=number, _anchor=anchor), 303)
    return redirect(url_for("methods.show_version", code=code, number=number, _anchor=anchor), 303)


@bp.post("/methods/<code>/comments")
@once
def add_comment(code: str) -> ResponseReturnValue:
    """Write a remark or a reply."""
    actor = current_actor()
    number = request.form.get("version", "")
    version = review_queries.find_commented(actor, code, int(number) if number.isdecimal() else None)
    try:
        given = load_form(schemas.CommentIn())
        with transaction():
            row = review_commands.add_comment(
                actor,
                code,
                given["text"],
                number=given["version"],
                field=given["field"],
                reply_to=given["reply_to"],
            )
    except (Invalid, Conflict, TooMany) as refusal:
        return _comments_page(version, refusal)
    flash(str(_("The comment is stored. The other side is written to within an hour.")))
    return _back(version, f"comment-{row.id}")


@bp.post("/methods/<code>/comments/<int:comment_id>")
def change_comment(code: str, comment_id: int) -> ResponseReturnValue:
    """Resolve a remark, or open it again."""
    actor = current_actor()
    version = review_queries.find_comment(actor, code, comment_id).version
    try:
        resolved = load_form(schemas.CommentChange())["resolved"]
        with transaction():
            review_commands.resolve_comment(
                actor, code, comment_id, resolved=resolved, expected=expected_version()
            )
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _comments_page(version, refusal)
    flash(str(_("The comment is resolved.") if resolved else _("The comment is open again.")))
    return _back(version, f"comment-{comment_id}")


@bp.post("/methods/<code>/review/release")
def release(code: str) -> ResponseReturnValue:
    """Give a review back."""
    actor = current_actor()
    version = review_queries.find_commented(actor, code)
    try:
        note = load_form(schemas.NoteIn())["note"]
        with transaction():
            version = commands.release_claim(actor, code, note, expected=expected_version())
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _comments_page(version, refusal)
    flash(str(_("The review is given back. The reviewers have been told.")))
    return redirect(url_for("methods.review_queue"), 303)


@bp.post("/methods/<code>/review/transfer")
def take_over(code: str) -> ResponseReturnValue:
    """Take over the review of another person."""
    actor = current_actor()
    version = review_queries.find_commented(actor, code)
    try:
        note = load_form(schemas.NoteIn())["note"]
        with transaction():
            version = commands.take_over(actor, code, note, expected=expected_version())
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _comments_page(version, refusal)
    flash(str(_("You are reviewing this version now. The reviewer before you has been told.")))
    return _back(version, "main")


# Recalls of a method ---------------------------------------------------------------------------


@bp.get("/methods/<code>/recalls")
def recalls(code: str) -> ResponseReturnValue:
    """Show the notices about a method, and who has acknowledged them."""
    return _recalls_page(code)


def _recalls_page(code: str, refusal: Refusal | None = None) -> ResponseReturnValue:
    actor = current_actor()
    versions = queries.versions_of(actor, code)
    page = render_template(
        "methods/recalls.html",
        method=versions[0].method,
        all_answers=[
            recall_queries.answers_to(actor, recall) for recall in recall_queries.recalls_of(actor, code)
        ],
        recallable=[version for version in versions if recall_queries.is_recallable(version)]
        if can(actor, "method.recall", versions[0])
        else [],
        recall_names={kind.value: _(text) for kind, text in RECALL_NAMES.items()},
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return page, refusal.status if refusal else 200


@bp.post("/methods/<code>/recalls")
@once
def issue_recall(code: str) -> ResponseReturnValue:
    """Recall a version: everybody who downloaded it is told."""
    actor = current_actor()
    try:
        given = load_form(schemas.RecallIn())
        with transaction():
            review_commands.issue_recall(
                actor, code, given["reason"], number=given["version"], expected=expected_version()
            )
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _recalls_page(code, refusal)
    flash(str(_("The recall is issued. Everybody who downloaded the version with an account is written to.")))
    return redirect(url_for("method_review.recalls", code=code), 303)
