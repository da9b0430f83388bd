"""Everything that reads discussions: anybody may, save posts that a moderator has hidden."""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    case,
    distinct,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.orm import selectinload

from labhub import clock
from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Party
from labhub.accounts.policy import require
from labhub.db import db
from labhub.errors import NotFound
from labhub.forum.models import Discussion, DiscussionModerator, Post, PostState, Standing, Topic
from labhub.forum.windows import DiscussionState, state_at
from labhub.i18n import _
from labhub.names import name_key

LARGEST_NUMBER = 2**31 - 1


def visible_discussions(actor: Actor | None) -> Select[Discussion]:
    """Select discussions: all are public, before they open and after they close."""
    return select(Discussion)


def visible_topics(actor: Actor | None) -> Select[Topic]:
    """Select topics: all are public, also where the first post is hidden."""
    return select(Topic)


def visible_posts(actor: Actor | None) -> Select[Post]:
    """Select posts that are not held or hidden; those too for who moderates the discussion."""
    return select(Post).where(_may_see(actor))


def _may_see(actor: Actor | None) -> ColumnElement[bool]:
    if actor is not None and (actor.operator or actor.has(Role.SECRETARIAT)):
        return true()
    visible = Post.state == PostState.VISIBLE
    if actor is None or actor.user_id is None or not actor.has(Role.MODERATOR):
        return visible
    moderated = (
        select(Topic.id)
        .join(DiscussionModerator, DiscussionModerator.discussion_id == Topic.discussion_id)
        .where(DiscussionModerator.user_id == actor.user_id)
    )
    return or_(visible, Post.topic_id.in_(moderated))


def find_discussion(actor: Actor | None, discussion_id: int) -> Discussion:
    """Return a discussion with its moderators."""
    row = None
    if 0 < discussion_id <= LARGEST_NUMBER:
        row = db.session.scalar(
            visible_discussions(actor)
            .where(Discussion.id == discussion_id)
            .options(selectinload(Discussion.moderators).selectinload(DiscussionModerator.user))
        )
    if row is None:
        raise NotFound(_("There is no discussion %(number)s.", number=discussion_id))
    return row


def find_topic(actor: Actor | None, topic_id: int) -> Topic:
    """Return a topic by the number of its first post."""
    row = None
    if 0 < topic_id <= LARGEST_NUMBER:
        row = db.session.scalar(visible_topics(actor).where(Topic.id == topic_id))
    if row is None:
        raise NotFound(_("There is no topic %(number)s.", number=topic_id))
    return row


def find_post(actor: Actor | None, number: int) -> Post:
    """Return a post that the actor may see, by its number."""
    row = None
    if 0 < number <= LARGEST_NUMBER:
        row = db.session.scalar(visible_posts(actor).where(Post.number == number))
    if row is None:
        raise NotFound(_("There is no post %(number)s.", number=number))
    return row


def state_of(discussion: Discussion) -> DiscussionState:
    """Return whether a discussion is scheduled, open, closed or archived now."""
    return state_at(
        clock.now(),
        opens_at=discussion.opens_at,
        closes_at=discussion.closes_at,
        archived_at=discussion.archived_at,
    )


def discussion_rows(actor: Actor | None, *, state: DiscussionState | None = None, q: str = "") -> Select[Any]:
    """Select the list of discussions with their state now, and how many topics and posts one sees."""
    topics = (
        select(func.count())
        .where(Topic.discussion_id == Discussion.id)
        .correlate(Discussion)
        .scalar_subquery()
    )
    posts = (
        select(func.count(Post.number))
        .join(Topic, Topic.id == Post.topic_id)
        .where(Topic.discussion_id == Discussion.id, _may_see(actor))
        .correlate(Discussion)
        .scalar_subquery()
    )
    now = clock.now()
    state_now = case(
        (Discussion.archived_at.is_not(None), DiscussionState.ARCHIVED.value),
        (Discussion.opens_at > now, DiscussionState.SCHEDULED.value),
        (Discussion.closes_at > now, DiscussionState.OPEN.value),
        else_=DiscussionState.CLOSED.value,
    )
    query = select(
        Discussion.id,
        Discussion.title,
        state_now.label("state"),
        Discussion.opens_at,
        Discussion.closes_at,
        topics.label("topics"),
        posts.label("posts"),
    )
    if state is not None:
        query = query.where(state_now == state.value)
    return _matching(query, Discussion.search_key, q)


def topic_rows(actor: Actor | None, *, discussion_id: int | None = None, q: str = "") -> Select[Any]:
    """Select the list of topics with the count and the time of the last post that one sees."""
    counted = (
        select(
            Post.topic_id,
            func.count().label("posts"),
            func.max(Post.posted_at).label("last_posted_at"),
        )
        .where(_may_see(actor))
        .group_by(Post.topic_id)
        .subquery()
    )
    query = select(
        Topic.id,
        Topic.discussion_id,
        Topic.title,
        Topic.created_at,
        func.coalesce(counted.c.posts, 0).label("posts"),
        counted.c.last_posted_at,
    ).outerjoin(counted, counted.c.topic_id == Topic.id)
    if discussion_id is not None:
        query = query.where(Topic.discussion_id == discussion_id)
    return _matching(query, Topic.search_key, q)


POST_TITLE = case((Post.number == Topic.id, Topic.title), else_=literal("RE: ") + Topic.title)
"""The first post has the topic's title, every other one the same with ``RE:``."""


def post_rows(
    actor: Actor | None, *, topic_id: int | None = None, discussion_id: int | None = None, q: str = ""
) -> Select[Any]:
    """Select posts that the actor may see; ``q`` looks in text, title, author and Party or organisation."""
    query = (
        select(
            Post.number.label("id"),
            Post.number,
            Post.topic_id,
            Topic.discussion_id,
            POST_TITLE.label("title"),
            Post.text,
            Post.html,
            Post.reply_to_number.label("reply_to"),
            Post.posted_at,
            Post.author_name,
            Post.author_title,
            Post.author_affiliation,
            Party.iso2.label("author_party"),
            Post.standing.label("author_standing"),
            Post.state,
            Post.hidden_at,
            Post.hidden_reason,
        )
        .join(Topic, Topic.id == Post.topic_id)
        .outerjoin(Party, Party.id == Post.author_party_id)
        .where(_may_see(actor))
    )
    if topic_id is not None:
        query = query.where(Post.topic_id == topic_id)
    if discussion_id is not None:
        query = query.where(Topic.discussion_id == discussion_id)
    return _matching(query, Post.search_key, q)


def _matching(query: Select[Any], column: Any, q: str) -> Select[Any]:
    """Narrow a list to rows that hold ``q``, whatever its case; every sign of ``q`` stands for itself."""
    wanted = name_key(q.replace("\x00", " "))
    if not wanted:
        return query
    escaped = wanted.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return query.where(column.like(f"%{escaped}%", escape="!"))


MOST_MENTIONS = 500
"""Posts that are read for one word; the newest come first."""


def topics_that_mention(actor: Actor | None, word: str) -> list[dict[str, Any]]:
    """Return the topics in whose posts a word stands by itself, the last mentioned first.

    ``LH-1`` is not mentioned by ``LH-12``. Each with ``topic_id``, ``title`` and the number of ``posts``.
    """
    if not name_key(word):
        return []
    alone = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-]|\.\w)", re.IGNORECASE)
    columns: list[Any] = [Post.topic_id, Topic.title, Post.text]
    query: Select[Any] = (
        select(*columns)
        .join(Topic, Topic.id == Post.topic_id)
        .where(_may_see(actor))
        .order_by(Post.number.desc())
        .limit(MOST_MENTIONS)
    )
    found: dict[int, dict[str, Any]] = {}
    for row in db.session.execute(_matching(query, Post.search_key, word)):
        if alone.search(row.text) or alone.search(row.title):
            topic = found.setdefault(row.topic_id, {"topic_id": row.topic_id, "title": row.title, "posts": 0})
            topic["posts"] += 1
    return list(found.values())


def post_record(actor: Actor | None, number: int) -> dict[str, Any]:
    """Return one post as the API shows it."""
    find_post(actor, number)
    row = db.session.execute(post_rows(actor).where(Post.number == number)).mappings().one()
    return dict(row)


def topic_record(actor: Actor | None, topic_id: int) -> dict[str, Any]:
    """Return one topic as the API shows it."""
    find_topic(actor, topic_id)
    row = db.session.execute(topic_rows(actor).where(Topic.id == topic_id)).mappings().one()
    return dict(row)


def discussion_record(actor: Actor | None, discussion_id: int) -> dict[str, Any]:
    """Return one discussion as the API shows it."""
    discussion = find_discussion(actor, discussion_id)
    row = db.session.execute(discussion_rows(actor).where(Discussion.id == discussion_id)).mappings().one()
    return {
        **row,
        "description": discussion.description,
        "description_html": discussion.description_html,
        "moderators": [{"id": m.user_id, "name": m.user.name} for m in discussion.moderators],
        "archived_at": discussion.archived_at,
        "created_at": discussion.created_at,
    }


def numbers_of_topic(topic_id: int) -> Select[Any]:
    """Select the numbers of all posts of a topic, hidden ones too: a number never goes."""
    return select(Post.number).where(Post.topic_id == topic_id)


def place_in_topic(topic_id: int, number: int) -> int:
    """Return how many posts of the topic stand before this number."""
    query = select(func.count()).where(Post.topic_id == topic_id, Post.number < number)
    return db.session.scalar(query) or 0


def posts_by_number(actor: Actor | None, numbers: list[int]) -> Mapping[int, Mapping[str, Any]]:
    """Return those of the numbered posts that the actor may see."""
    query = post_rows(actor).where(Post.number.in_(numbers))
    return {row["number"]: dict(row) for row in db.session.execute(query).mappings()}


def topic_of_number(number: int) -> Topic:
    """Return the topic that a number belongs to, whether its post is hidden or not."""
    topic = None
    if 0 < number <= LARGEST_NUMBER:
        query = select(Topic).join(Post, Post.topic_id == Topic.id).where(Post.number == number)
        topic = db.session.scalar(query)
    if topic is None:
        raise NotFound(_("There is no post %(number)s.", number=number))
    return topic


def participation(actor: Actor | None, discussion_id: int) -> dict[str, Any]:
    """Return who took part, by Party and organisation as they were at posting.

    Hidden and held posts are counted apart. A person who changed the affiliation counts in
    both rows, and once in ``people``.
    """
    discussion = find_discussion(actor, discussion_id)
    require(actor, "discussion.counts", discussion)
    in_discussion = Post.topic_id.in_(select(Topic.id).where(Topic.discussion_id == discussion_id))
    counted = (in_discussion, Post.state == PostState.VISIBLE)
    posts, people = db.session.execute(
        select(func.count(), func.count(distinct(Post.author_id))).where(*counted)
    ).one()
    hidden = db.session.scalar(select(func.count()).where(in_discussion, Post.state != PostState.VISIBLE))
    rows = (
        db.session.execute(
            select(
                Post.standing,
                Party.iso2.label("party"),
                Post.author_affiliation.label("name"),
                func.count().label("posts"),
                func.count(distinct(Post.author_id)).label("people"),
            )
            .outerjoin(Party, Party.id == Post.author_party_id)
            .where(*counted)
            .group_by(Post.standing, Party.iso2, Post.author_affiliation)
            .order_by(Post.author_affiliation, Party.iso2, Post.standing)
        )
        .mappings()
        .all()
    )

    def of(standing: Standing) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in row.items() if key != "standing"}
            for row in rows
            if row["standing"] is standing
        ]

    return {
        "discussion_id": discussion_id,
        "posts": posts,
        "people": people,
        "hidden_posts": hidden or 0,
        "parties": of(Standing.PARTY),
        "non_parties": of(Standing.NON_PARTY),
        "organisations": [
            {key: value for key, value in row.items() if key != "party"} for row in of(Standing.OBSERVER)
        ],
    }


def parties_by_code(codes: set[str]) -> dict[str, Party]:
    """Return Parties by their two-letter code."""
    return {party.iso2: party for party in db.session.scalars(select(Party).where(Party.iso2.in_(codes)))}
