"""Pages of discussions."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, Schema, ValidationError

from labhub.accounts.policy import can, require
from labhub.db import transaction
from labhub.errors import Conflict, Invalid, Refusal, StaleEdit, TooMany
from labhub.forum import commands, queries, schemas
from labhub.forum.models import Discussion, Post, Topic
from labhub.forum.windows import STATE_NAMES, DiscussionState
from labhub.i18n import _
from labhub.web.access import PUBLIC
from labhub.web.api import ListArguments, Page, expected_version, page_of, sorted_by
from labhub.web.auth import current_actor, received_at
from labhub.web.errors import flat_messages
from labhub.web.forms import load_form
from labhub.web.once import once

bp = Blueprint("forum", __name__)

ACCESS = {
    "index": PUBLIC,
    "search": PUBLIC,
    "show": PUBLIC,
    "topic": PUBLIC,
    "post": PUBLIC,
    "new": "discussion.create",
    "create": "discussion.create",
    "edit": "discussion.change",
    "submit_edit": "discussion.change",
    "new_topic": "topic.create",
    "submit_topic": "topic.create",
    "submit_post": "post.create",
    "moderate": "post.moderate",
}


POSTS_A_PAGE = 50
SORTS = {"title": Discussion.title, "opens_at": Discussion.opens_at, "closes_at": Discussion.closes_at}
STATE_STYLES = {"scheduled": "info", "open": "success", "closed": "secondary", "archived": "light"}


def _arguments(schema: Schema) -> dict[str, Any]:
    """Return the checked arguments of the address; empty ones and those of others are left out."""
    given = {name: value for name, value in request.args.to_dict().items() if value}
    try:
        values: dict[str, Any] = schema.load(given, unknown=EXCLUDE)
    except ValidationError as error:
        raise Refusal(
            _("This list does not know such a filter."), errors=flat_messages(error.messages)
        ) from error
    return values


@bp.app_template_global("discussion_state_name")
def state_name(state: str) -> Any:
    """Return the name of a state in the reader's language."""
    return _(STATE_NAMES[DiscussionState(state)])


@bp.app_template_global("discussion_state_style")
def state_style(state: str) -> str:
    """Return the colour of a state's badge."""
    return STATE_STYLES[state]


# Reading ----------------------------------------------------------------------------------------


@bp.get("/discussions")
def index() -> ResponseReturnValue:
    """List the discussions, newest opening first."""
    given = _arguments(schemas.DiscussionList())
    query = queries.discussion_rows(current_actor(), state=given["state"], q=given["q"])
    query = sorted_by(query, given["sort"], SORTS, "-opens_at", Discussion.id)
    return render_template(
        "forum/index.html",
        page=page_of(query, given["page"], given["page_size"]),
        filters=request.args,
        sort=given["sort"] or "-opens_at",
        states=[(state.value, _(name)) for state, name in STATE_NAMES.items()],
    )


@bp.get("/posts")
def search() -> ResponseReturnValue:
    """Find posts by word, author, Party or organisation, newest first."""
    given = _arguments(schemas.PostList())
    page = Page([], 0, 1, 20)
    if given["q"].strip():
        query = queries.post_rows(current_actor(), discussion_id=given["discussion_id"], q=given["q"])
        page = page_of(query.order_by(Post.number.desc()), given["page"], 20)
    return render_template(
        "forum/search.html",
        page=page,
        q=given["q"],
        excerpts={row["number"]: _excerpt(row["text"]) for row in page.rows},
        affiliations=_affiliations(page.rows),
    )


def _excerpt(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 300 else plain[:300].rsplit(" ", 1)[0] + " …"


def _affiliations(rows: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Return each post's Party in the reader's language, or the name that it had at posting."""
    rows = list(rows)
    parties = queries.parties_by_code({row["author_party"] for row in rows if row["author_party"]})
    shown = {}
    for row in rows:
        party = parties.get(row["author_party"])
        same = party is not None and party.name_en == row["author_affiliation"]
        shown[row["number"]] = party.name if party and same else row["author_affiliation"]
    return shown


@bp.get("/discussions/<int:discussion_id>")
def show(discussion_id: int) -> ResponseReturnValue:
    """Show a discussion: its window, topics and moderators, and who took part for those who may count."""
    actor = current_actor()
    given = _arguments(ListArguments())
    discussion = queries.find_discussion(actor, discussion_id)
    topics = queries.topic_rows(actor, discussion_id=discussion_id).order_by(Topic.id)
    counts, parties = None, {}
    if can(actor, "discussion.counts", discussion):
        counts = queries.participation(actor, discussion_id)
        states = counts["parties"] + counts["non_parties"]
        parties = queries.parties_by_code({row["party"] for row in states})
    return render_template(
        "forum/discussion.html",
        discussion=discussion,
        state=queries.state_of(discussion),
        page=page_of(topics, given["page"], 100),
        counts=counts,
        party_names={code: party.name for code, party in parties.items()},
    )


@bp.get("/topics/<int:topic_id>")
def topic(topic_id: int) -> ResponseReturnValue:
    """Show the posts of a topic in the order of their numbers."""
    given = _arguments(schemas.PageArguments())
    return _topic_page(topic_id, given["page"], {"reply_to": given["reply_to"]}, None)


@bp.get("/posts/<int:number>")
def post(number: int) -> ResponseReturnValue:
    """Lead to the place of a post in its topic."""
    return redirect(_address_of(number), 302)


def _address_of(number: int) -> str:
    topic = queries.topic_of_number(number)
    page = queries.place_in_topic(topic.id, number) // POSTS_A_PAGE + 1
    where: dict[str, Any] = {"page": page} if page > 1 else {}
    return url_for("forum.topic", topic_id=topic.id, _anchor=f"p{number}", **where)


def _topic_page(
    topic_id: int,
    number_of_page: int,
    form: Mapping[str, Any],
    refusal: Refusal | None,
    refused_post: int | None = None,
) -> ResponseReturnValue:
    actor = current_actor()
    topic = queries.find_topic(actor, topic_id)
    discussion = queries.find_discussion(actor, topic.discussion_id)
    page = page_of(queries.numbers_of_topic(topic.id).order_by(Post.number), number_of_page, POSTS_A_PAGE)
    numbers = [row["number"] for row in page.rows]
    posts = queries.posts_by_number(actor, numbers)
    state = queries.state_of(discussion)
    html = render_template(
        "forum/topic.html",
        topic=topic,
        discussion=discussion,
        state=state,
        page=page,
        numbers=numbers,
        posts=posts,
        affiliations=_affiliations(posts.values()),
        may_post=can(actor, "post.create", topic) and state is DiscussionState.OPEN,
        may_moderate=can(actor, "post.moderate", topic),
        form=form,
        refused_post=refused_post,
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return html, refusal.status if refusal else 200


# The Secretariat --------------------------------------------------------------------------------


@bp.get("/discussions/new")
def new() -> ResponseReturnValue:
    """Show the form that announces a discussion."""
    return _discussion_form(None, {}, None)


@bp.post("/discussions/new")
@once
def create() -> ResponseReturnValue:
    """Announce a discussion."""
    try:
        values = _values_of(load_form(schemas.DiscussionForm()))
        values.pop("archived")
        with transaction():
            discussion = commands.create_discussion(current_actor(), **values)
    except (Invalid, Conflict) as refusal:
        return _discussion_form(None, request.form, refusal)
    flash(str(_("The discussion is announced.")))
    return redirect(url_for("forum.show", discussion_id=discussion.id), 303)


@bp.get("/discussions/<int:discussion_id>/edit")
def edit(discussion_id: int) -> ResponseReturnValue:
    """Show the form that changes a discussion, names its moderators and archives it."""
    discussion = _changeable(discussion_id)
    form = {
        "title": discussion.title,
        "description": discussion.description,
        "opens_at": _field_time(discussion.opens_at),
        "closes_at": _field_time(discussion.closes_at),
        "moderators": "\n".join(row.user.email for row in discussion.moderators),
        "archived": "yes" if discussion.archived_at else "",
    }
    return _discussion_form(discussion, form, None)


@bp.post("/discussions/<int:discussion_id>/edit")
def submit_edit(discussion_id: int) -> ResponseReturnValue:
    """Store the changed discussion."""
    try:
        values = _values_of(load_form(schemas.DiscussionForm()))
        with transaction():
            commands.change_discussion(current_actor(), discussion_id, expected_version(), values)
    except (Invalid, Conflict, StaleEdit) as refusal:
        return _discussion_form(_changeable(discussion_id), request.form, refusal)
    flash(str(_("The discussion is changed.")))
    return redirect(url_for("forum.show", discussion_id=discussion_id), 303)


def _changeable(discussion_id: int) -> Discussion:
    discussion = queries.find_discussion(current_actor(), discussion_id)
    require(current_actor(), "discussion.change", discussion)
    return discussion


def _values_of(form: dict[str, Any]) -> dict[str, Any]:
    named = [name for name in re.split(r"[\s,;]+", form["moderators"]) if name]
    return {**form, "moderators": named, "archived": form["archived"] == "yes"}


def _field_time(instant: datetime) -> str:
    """Return an instant as ``<input type=datetime-local>`` takes it, in UTC."""
    plain = instant.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    return plain.isoformat(timespec="seconds" if plain.second else "minutes")


def _discussion_form(
    discussion: Discussion | None, form: Mapping[str, Any], refusal: Refusal | None
) -> ResponseReturnValue:
    html = render_template(
        "forum/discussion_form.html",
        discussion=discussion,
        form=form,
        row_version=form.get("row_version") or (discussion.row_version if discussion else None),
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return html, refusal.status if refusal else 200


# Posting and moderating -------------------------------------------------------------------------


@bp.get("/discussions/<int:discussion_id>/topics/new")
def new_topic(discussion_id: int) -> ResponseReturnValue:
    """Show the form that opens a topic."""
    return _topic_form(discussion_id, {}, None)


@bp.post("/discussions/<int:discussion_id>/topics/new")
@once
def submit_topic(discussion_id: int) -> ResponseReturnValue:
    """Open a topic."""
    try:
        values = load_form(schemas.TopicForm())
        with transaction():
            topic = commands.create_topic(current_actor(), discussion_id, **values, received_at=received_at())
    except (Invalid, Conflict) as refusal:
        return _topic_form(discussion_id, request.form, refusal)
    flash(str(_("The topic is open as #%(number)s.", number=topic.id)))
    return redirect(url_for("forum.topic", topic_id=topic.id), 303)


def _topic_form(discussion_id: int, form: Mapping[str, Any], refusal: Refusal | None) -> ResponseReturnValue:
    discussion = queries.find_discussion(current_actor(), discussion_id)
    require(current_actor(), "topic.create", discussion)
    html = render_template(
        "forum/topic_form.html",
        discussion=discussion,
        form=form,
        message=refusal.message if refusal else "",
        errors=refusal.errors if refusal else {},
    )
    return html, refusal.status if refusal else 200


@bp.post("/topics/<int:topic_id>")
@once
def submit_post(topic_id: int) -> ResponseReturnValue:
    """Post to a topic."""
    try:
        values = load_form(schemas.PostForm())
        with transaction():
            post = commands.create_post(current_actor(), topic_id, **values, received_at=received_at())
    except (Invalid, Conflict, TooMany) as refusal:
        last = queries.place_in_topic(topic_id, queries.LARGEST_NUMBER)
        return _topic_page(topic_id, max(1, -(-last // POSTS_A_PAGE)), request.form, refusal)
    flash(str(_("Your post has the number #%(number)s.", number=post.number)))
    return redirect(_address_of(post.number), 303)


@bp.post("/posts/<int:number>/moderation")
@once
def moderate(number: int) -> ResponseReturnValue:
    """Hide a post with a reason, or restore it."""
    try:
        values = load_form(schemas.ModerationIn())
        with transaction():
            post = commands.moderate_post(current_actor(), number, values["action"], values["reason"])
    except (Invalid, Conflict) as refusal:
        topic = queries.find_post(current_actor(), number).topic
        page = queries.place_in_topic(topic.id, number) // POSTS_A_PAGE + 1
        return _topic_page(topic.id, page, request.form, refusal, refused_post=number)
    hidden = values["action"] is commands.Moderation.HIDE
    flash(
        str(
            _("Post #%(number)s is hidden. Its author is told by mail.", number=post.number)
            if hidden
            else _("Post #%(number)s is shown again.", number=post.number)
        )
    )
    return redirect(_address_of(number), 303)
