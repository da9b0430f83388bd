"""JSON addresses of discussions, topics and posts."""

from typing import Any

from flask import Response, url_for

from labhub.db import transaction
from labhub.forum import commands, queries
from labhub.forum.models import Discussion, Post, Topic
from labhub.forum.schemas import (
    DiscussionChange,
    DiscussionIn,
    DiscussionList,
    DiscussionOut,
    DiscussionRow,
    ModerationIn,
    ParticipationOut,
    PostIn,
    PostList,
    PostOut,
    TopicIn,
    TopicList,
    TopicOut,
)
from labhub.web.access import PUBLIC
from labhub.web.api import (
    Blueprint,
    answer_page,
    answer_record,
    expected_version,
    page_of,
    sorted_by,
)
from labhub.web.auth import current_actor, received_at
from labhub.web.once import once

discussions = Blueprint(
    "api_discussions", __name__, url_prefix="/api/v1/discussions", description="Dated discussions"
)
topics = Blueprint("api_topics", __name__, url_prefix="/api/v1/topics", description="Topics of discussions")
posts = Blueprint("api_posts", __name__, url_prefix="/api/v1/posts", description="Numbered posts")

BLUEPRINTS = (discussions, topics, posts)
ACCESS = {
    discussions: {
        "index": PUBLIC,
        "create": "discussion.create",
        "show": PUBLIC,
        "change": "discussion.change",
        "participation": "discussion.counts",
    },
    topics: {"index": PUBLIC, "create": "topic.create", "show": PUBLIC},
    posts: {"index": PUBLIC, "create": "post.create", "show": PUBLIC, "moderate": "post.moderate"},
}

DISCUSSION_SORTS = {
    "title": Discussion.title,
    "opens_at": Discussion.opens_at,
    "closes_at": Discussion.closes_at,
    "id": Discussion.id,
}
TOPIC_SORTS = {"id": Topic.id, "title": Topic.title, "created_at": Topic.created_at}
POST_SORTS = {"number": Post.number, "posted_at": Post.posted_at, "author_name": Post.author_name}


@discussions.get("")
@discussions.arguments(DiscussionList, location="query")
@discussions.response(200, DiscussionRow(many=True))
@discussions.refuses(400)
def index(arguments: dict[str, Any]) -> Response:
    """List discussions with their state now, newest opening first."""
    query = queries.discussion_rows(current_actor(), state=arguments["state"], q=arguments["q"])
    query = sorted_by(query, arguments["sort"], DISCUSSION_SORTS, "-opens_at", Discussion.id)
    return answer_page(page_of(query, arguments["page"], arguments["page_size"]))


@discussions.post("")
@discussions.arguments(DiscussionIn)
@discussions.response(201, DiscussionOut)
@discussions.refuses(401, 403, 422)
@once
def create(values: dict[str, Any]) -> Response:
    """Announce a discussion (Secretariat)."""
    actor = current_actor()
    with transaction():
        discussion = commands.create_discussion(actor, **values)
        record = queries.discussion_record(actor, discussion.id)
    response = answer_record(record, discussion.row_version, 201)
    response.headers["Location"] = url_for("api_discussions.show", discussion_id=discussion.id)
    return response


@discussions.get("/<int:discussion_id>")
@discussions.response(200, DiscussionOut)
@discussions.refuses(404)
def show(discussion_id: int) -> Response:
    """Show a discussion."""
    record = queries.discussion_record(current_actor(), discussion_id)
    return answer_record(record, queries.find_discussion(current_actor(), discussion_id).row_version)


@discussions.patch("/<int:discussion_id>")
@discussions.arguments(DiscussionChange)
@discussions.response(200, DiscussionOut)
@discussions.refuses(401, 403, 404, 409, 412, 422, 428)
def change(values: dict[str, Any], discussion_id: int) -> Response:
    """Change a discussion, name moderators or archive it (Secretariat); needs If-Match."""
    actor = current_actor()
    with transaction():
        discussion = commands.change_discussion(actor, discussion_id, expected_version(), values)
        record = queries.discussion_record(actor, discussion_id)
    return answer_record(record, discussion.row_version)


@discussions.get("/<int:discussion_id>/participation")
@discussions.response(200, ParticipationOut)
@discussions.refuses(401, 403, 404)
def participation(discussion_id: int) -> Response:
    """Count posts and people by Party, non-Party and organisation (Secretariat and its moderators)."""
    return answer_record(queries.participation(current_actor(), discussion_id))


@topics.get("", endpoint="index")
@topics.arguments(TopicList, location="query")
@topics.response(200, TopicOut(many=True))
@topics.refuses(400)
def topic_index(arguments: dict[str, Any]) -> Response:
    """List topics, in the order in which they were opened."""
    query = queries.topic_rows(current_actor(), discussion_id=arguments["discussion_id"], q=arguments["q"])
    query = sorted_by(query, arguments["sort"], TOPIC_SORTS, "id", Topic.id)
    return answer_page(page_of(query, arguments["page"], arguments["page_size"]))


@topics.post("", endpoint="create")
@topics.arguments(TopicIn)
@topics.response(201, TopicOut)
@topics.refuses(401, 403, 404, 409, 422)
@once
def create_topic(values: dict[str, Any]) -> Response:
    """Open a topic with its guiding questions (moderators of the discussion, Secretariat)."""
    actor = current_actor()
    with transaction():
        topic = commands.create_topic(actor, **values, received_at=received_at())
        record = queries.topic_record(actor, topic.id)
    response = answer_record(record, status=201)
    response.headers["Location"] = url_for("api_topics.show", topic_id=topic.id)
    return response


@topics.get("/<int:topic_id>", endpoint="show")
@topics.response(200, TopicOut)
@topics.refuses(404)
def show_topic(topic_id: int) -> Response:
    """Show a topic by the number of its first post; its posts are at ``/posts?topic_id=``."""
    return answer_record(queries.topic_record(current_actor(), topic_id))


@posts.get("", endpoint="index")
@posts.arguments(PostList, location="query")
@posts.response(200, PostOut(many=True))
@posts.refuses(400)
def post_index(arguments: dict[str, Any]) -> Response:
    """List posts by number; ``q`` looks in text, title, author and Party or organisation."""
    query = queries.post_rows(
        current_actor(),
        topic_id=arguments["topic_id"],
        discussion_id=arguments["discussion_id"],
        q=arguments["q"],
    )
    query = sorted_by(query, arguments["sort"], POST_SORTS, "number", Post.number)
    return answer_page(page_of(query, arguments["page"], arguments["page_size"]))


@posts.post("", endpoint="create")
@posts.arguments(PostIn)
@posts.response(201, PostOut)
@posts.refuses(401, 403, 404, 409, 422, 429)
@once
def create_post(values: dict[str, Any]) -> Response:
    """Post to a topic of an open discussion (nominated participants, moderators, Secretariat)."""
    actor = current_actor()
    with transaction():
        post = commands.create_post(actor, **values, received_at=received_at())
        record = queries.post_record(actor, post.number)
    response = answer_record(record, status=201)
    response.headers["Location"] = url_for("api_posts.show", number=post.number)
    return response


@posts.get("/<int:number>", endpoint="show")
@posts.response(200, PostOut)
@posts.refuses(404)
def show_post(number: int) -> Response:
    """Show a post by its number."""
    return answer_record(queries.post_record(current_actor(), number))


@posts.post("/<int:number>/moderation", endpoint="moderate")
@posts.arguments(ModerationIn)
@posts.response(200, PostOut)
@posts.refuses(401, 403, 404, 409, 422)
@once
def moderate_post(values: dict[str, Any], number: int) -> Response:
    """Hide a post with a reason, or restore it (moderators of the discussion, Secretariat)."""
    actor = current_actor()
    with transaction():
        commands.moderate_post(actor, number, values["action"], values["reason"])
        record = queries.post_record(actor, number)
    return answer_record(record)
