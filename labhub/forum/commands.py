"""Everything that changes discussions; one function is one sentence a user could say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm.attributes import flag_modified

from labhub import audit, clock, outbox
from labhub.accounts.actor import Actor, Role
from labhub.accounts.commands import BASE_URL
from labhub.accounts.models import StatusKind, User
from labhub.accounts.policy import can, require
from labhub.accounts.queries import status_on, user_by_email, user_by_id
from labhub.db import db
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, StaleEdit, TooMany
from labhub.forum import queries
from labhub.forum.markdown import Rendered, clean_text, render
from labhub.forum.models import (
    Discussion,
    DiscussionModerator,
    Post,
    PostCounter,
    PostState,
    Standing,
    Topic,
)
from labhub.forum.windows import moment
from labhub.i18n import Text, _
from labhub.names import clean_name, name_key

LONGEST_TITLE = 300
LARGEST_REASON_BYTES = 10 * 1024
YEARS = range(2000, 2201)
"""Years in which a discussion may open or close."""

NEW_FOR = timedelta(hours=24)
"""An account counts as new for so long (``trust.md`` H5)."""
NEW_POSTS = 10
NEW_LINKS = 2


# Discussions ------------------------------------------------------------------------------------


def create_discussion(
    actor: Actor,
    *,
    title: str,
    opens_at: datetime,
    closes_at: datetime,
    description: str = "",
    moderators: Sequence[str | int] = (),
) -> Discussion:
    """Announce a discussion that takes posts from ``opens_at`` until just before ``closes_at``.

    ``moderators`` are addresses or account numbers of people who hold the role moderator.
    """
    require(actor, "discussion.create")
    discussion = Discussion(created_by_id=actor.user_id, created_at=clock.now())
    _describe(discussion, title, description)
    _schedule(discussion, opens_at, closes_at)
    discussion.moderators = [DiscussionModerator(user=person) for person in _people(moderators)]
    db.session.add(discussion)
    db.session.flush()
    audit.record(
        actor,
        "discussion.create",
        "discussion",
        discussion.id,
        version=discussion.row_version,
        after=_facts(discussion),
    )
    return discussion


def change_discussion(
    actor: Actor, discussion_id: int, version: int, changes: Mapping[str, Any]
) -> Discussion:
    """Change title, description, window, moderators or archiving of the version that was read.

    ``changes`` may hold ``title``, ``description``, ``opens_at``, ``closes_at``, ``moderators``
    and ``archived``; only a discussion that has closed can be archived.
    """
    discussion = queries.find_discussion(actor, discussion_id)
    require(actor, "discussion.change", discussion)
    if discussion.row_version != version:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))
    before = _facts(discussion)
    _describe(
        discussion,
        changes.get("title", discussion.title),
        changes.get("description", discussion.description),
    )
    _schedule(
        discussion,
        changes.get("opens_at", discussion.opens_at),
        changes.get("closes_at", discussion.closes_at),
    )
    if "moderators" in changes:
        wanted = {person.id: person for person in _people(changes["moderators"])}
        kept = [row for row in discussion.moderators if row.user_id in wanted]
        known = {row.user_id for row in kept}
        discussion.moderators = kept + [
            DiscussionModerator(user=person) for number, person in wanted.items() if number not in known
        ]
    if "archived" in changes:
        _archive(discussion, bool(changes["archived"]))
    flag_modified(discussion, "title")  # a change of moderators alone is a new version too
    db.session.flush()
    audit.record(
        actor,
        "discussion.change",
        "discussion",
        discussion.id,
        version=discussion.row_version,
        before=before,
        after=_facts(discussion),
    )
    return discussion


def _describe(discussion: Discussion, title: str, description: str) -> None:
    discussion.title = clean_name(title, field="title", longest=LONGEST_TITLE)
    discussion.description = clean_text(description, field="description") if description.strip() else ""
    discussion.description_html = render(discussion.description).html if discussion.description else ""
    discussion.search_key = _search_key(discussion.title, discussion.description)


def _schedule(discussion: Discussion, opens_at: datetime, closes_at: datetime) -> None:
    """Set the window; one that leaves a post outside of it is refused."""
    errors: dict[str, list[Text]] = {}
    for field, instant in (("opens_at", opens_at), ("closes_at", closes_at)):
        if instant.year not in YEARS:
            errors[field] = [_("Choose a time between the years 2000 and 2200.")]
    if not errors and closes_at <= opens_at:
        errors["closes_at"] = [_("A discussion closes after it opens.")]
    if not errors and discussion.id is not None:
        errors = _posts_outside(discussion, opens_at, closes_at)
    if errors:
        raise Invalid(_("Please correct the marked fields."), errors=errors)
    discussion.opens_at, discussion.closes_at = opens_at.astimezone(UTC), closes_at.astimezone(UTC)


def _posts_outside(discussion: Discussion, opens_at: datetime, closes_at: datetime) -> dict[str, list[Text]]:
    """Return, by field, which post a moved instant would leave outside; guiding questions may come before."""
    posts = (
        select(Post.number, Post.posted_at)
        .join(Topic, Post.topic_id == Topic.id)
        .where(Topic.discussion_id == discussion.id)
        .limit(1)
    )
    errors: dict[str, list[Text]] = {}
    with db.session.no_autoflush:
        last = db.session.execute(posts.order_by(Post.posted_at.desc(), Post.number.desc())).first()
        answers = posts.where(Post.number != Topic.id)
        first = db.session.execute(answers.order_by(Post.posted_at, Post.number)).first()
    if first and opens_at != discussion.opens_at and opens_at > first.posted_at:
        errors["opens_at"] = [
            _(
                "Post #%(number)s is of %(at)s; the discussion cannot open after it.",
                number=first.number,
                at=moment(first.posted_at),
            )
        ]
    if last and closes_at != discussion.closes_at and closes_at <= last.posted_at:
        errors["closes_at"] = [
            _(
                "Post #%(number)s is of %(at)s; the discussion must close after it.",
                number=last.number,
                at=moment(last.posted_at),
            )
        ]
    return errors


def _archive(discussion: Discussion, archived: bool) -> None:
    if not archived:
        discussion.archived_at = None
    elif discussion.archived_at is None:
        if clock.now() < discussion.closes_at:
            raise Conflict(
                _(
                    "This discussion closes on %(at)s. It can be archived after that.",
                    at=moment(discussion.closes_at),
                )
            )
        discussion.archived_at = clock.now()


def _people(idents: Sequence[str | int]) -> list[User]:
    found: dict[int, User] = {}
    problems: list[Text] = []
    for ident in idents:
        person = _person(ident)
        if person is None or not person.active:
            problems.append(_("There is no account %(number)s.", number=ident))
        elif not person.has_role(Role.MODERATOR):
            problems.append(
                _("%(name)s does not hold the role moderator. Give the role first.", name=person.name)
            )
        else:
            found[person.id] = person
    if problems:
        raise Invalid(_("Not everybody who is named can be a moderator."), errors={"moderators": problems})
    return list(found.values())


def _person(ident: str | int) -> User | None:
    text = str(ident).strip()
    if not (text.isascii() and text.isdecimal()):
        return user_by_email(text)
    if len(text) > 10 or int(text) > queries.LARGEST_NUMBER:
        return None
    try:
        return user_by_id(int(text))
    except NotFound:
        return None


def _facts(discussion: Discussion) -> dict[str, Any]:
    return {
        "title": discussion.title,
        "description": _digest(discussion.description),
        "opens_at": discussion.opens_at,
        "closes_at": discussion.closes_at,
        "archived_at": discussion.archived_at,
        "moderators": sorted(row.user.id for row in discussion.moderators),
    }


# Topics and posts -------------------------------------------------------------------------------


def create_topic(
    actor: Actor, discussion_id: int, *, title: str, text: str, received_at: datetime | None = None
) -> Topic:
    """Open a topic with its guiding questions; before the opening too, so that they stand ready."""
    discussion = queries.find_discussion(actor, discussion_id)
    require(actor, "topic.create", discussion)
    received_at = received_at or clock.now()
    if received_at >= discussion.opens_at:
        _require_open(discussion, received_at)
    author = _author(actor)
    title = clean_name(title, field="title", longest=LONGEST_TITLE)
    text = clean_text(text)
    number = _next_number()
    topic = Topic(
        id=number,
        discussion=discussion,
        title=title,
        search_key=_search_key(title),
        created_by_id=author.id,
        created_at=received_at,
    )
    db.session.add(topic)
    db.session.flush()
    post = _write(topic, author, number, text, render(text), None, received_at)
    audit.record(
        actor,
        "topic.create",
        "topic",
        topic.id,
        after={"discussion": discussion.id, "title": title, "text": _digest(post.text)},
    )
    return topic


def create_post(
    actor: Actor,
    topic_id: int,
    *,
    text: str,
    reply_to: int | None = None,
    received_at: datetime | None = None,
) -> Post:
    """Post to a topic, to all or in reply to the post numbered ``reply_to``.

    ``received_at`` is when the request reached the hub: it decides whether the discussion was
    open, however long the request then waited (``trust.md`` H8).
    """
    topic = queries.find_topic(actor, topic_id)
    require(actor, "post.create", topic)
    received_at = received_at or clock.now()
    _require_open(topic.discussion, received_at)
    author = _author(actor)
    text = clean_text(text)
    _require_answerable(actor, topic, reply_to)
    rendered = render(text)
    number = _next_number()
    _refuse_repetition(topic, author, text)
    if not can(actor, "post.moderate", topic):
        _refuse_haste(author, rendered, received_at)
    post = _write(topic, author, number, text, rendered, reply_to, received_at)
    audit.record(
        actor,
        "post.create",
        "post",
        post.number,
        after={"topic": topic.id, "reply_to": reply_to, "text": _digest(text)},
    )
    return post


def _require_open(discussion: Discussion, now: datetime) -> None:
    if discussion.archived_at is not None:
        raise Conflict(_("This discussion is archived; it takes no more posts."))
    if now < discussion.opens_at:
        raise Conflict(_("This discussion takes posts from %(at)s on.", at=moment(discussion.opens_at)))
    if now >= discussion.closes_at:
        raise Conflict(
            _("This discussion closed on %(at)s; it takes no more posts.", at=moment(discussion.closes_at))
        )


def _author(actor: Actor) -> User:
    if actor.user_id is None:
        raise NotAllowed(_("A post needs a person who signs it. Name one with --as."))
    return user_by_id(actor.user_id)


def _require_answerable(actor: Actor, topic: Topic, reply_to: int | None) -> None:
    if reply_to is None:
        return
    try:
        answered = queries.find_post(actor, reply_to)
    except NotFound as refusal:
        raise Invalid(refusal.message, field="reply_to") from refusal
    if answered.topic_id != topic.id:
        raise Invalid(_("Post #%(number)s is in another topic.", number=reply_to), field="reply_to")


def _next_number() -> int:
    """Return the next number of the hub; others wait until this change is stored or given up."""
    counter = db.session.get_one(PostCounter, 1, with_for_update=True, populate_existing=True)
    counter.last += 1
    return counter.last


def _refuse_repetition(topic: Topic, author: User, text: str) -> None:
    same = db.session.scalar(
        select(Post.number).where(
            Post.topic_id == topic.id, Post.author_id == author.id, Post.text_hash == _text_hash(text)
        )
    )
    if same is not None:
        raise Conflict(
            _("You have already posted this text in this topic, as post #%(number)s.", number=same)
        )


def _refuse_haste(author: User, rendered: Rendered, now: datetime) -> None:
    """Hold an account to its first day's limits (the figures are Discourse's)."""
    old_at = author.created_at + NEW_FOR
    if now >= old_at:
        return
    posts, links = db.session.execute(
        select(func.count(), func.coalesce(func.sum(Post.links), 0)).where(Post.author_id == author.id)
    ).one()
    if posts >= NEW_POSTS:
        raise TooMany(
            _("A new account may post %(number)s times in its first 24 hours.", number=NEW_POSTS),
            retry_after=max(1, int((old_at - now).total_seconds()) + 1),
        )
    if links + rendered.links > NEW_LINKS:
        raise Invalid(
            _("A new account may post %(number)s links in its first 24 hours.", number=NEW_LINKS),
            field="text",
        )


@dataclass(frozen=True)
class _Signature:
    """The author as on the day of posting, and the words by which the post is found."""

    affiliation: str
    party_id: int | None
    standing: Standing
    names: tuple[str, ...]


def _signature(author: User, now: datetime) -> _Signature:
    affiliation = author.affiliation
    party = affiliation.party if affiliation else None
    if party is None:
        organisation = affiliation.organisation if affiliation else ""
        return _Signature(organisation, None, Standing.OBSERVER, (organisation,))
    bound = status_on(party, now.date()) is StatusKind.PARTY
    names = (party.name_en, party.name_fr, party.name_es, party.name_zh, party.name_ar, party.name_ru)
    return _Signature(party.name_en, party.id, Standing.PARTY if bound else Standing.NON_PARTY, names)


def _write(
    topic: Topic,
    author: User,
    number: int,
    text: str,
    rendered: Rendered,
    reply_to: int | None,
    now: datetime,
) -> Post:
    signature = _signature(author, now)
    post = Post(
        number=number,
        topic=topic,
        reply_to_number=reply_to,
        text=text,
        html=rendered.html,
        text_hash=_text_hash(text),
        links=rendered.links,
        search_key=_search_key(topic.title, text, f"{author.title} {author.name}", *signature.names),
        state=PostState.VISIBLE,
        posted_at=now,
        author=author,
        author_name=author.name,
        author_title=author.title,
        author_party_id=signature.party_id,
        author_affiliation=signature.affiliation,
        standing=signature.standing,
    )
    db.session.add(post)
    db.session.flush()
    return post


def _search_key(*texts: str) -> str:
    """Return the texts as they are searched: case-folded NFKC, one a line."""
    return "\n".join(dict.fromkeys(name_key(text) for text in texts if text.strip()))


def _text_hash(text: str) -> str:
    return sha256(name_key(text).encode()).hexdigest()


def _digest(text: str) -> str:
    """Return what the trail keeps of a text: its SHA-256."""
    return sha256(text.encode()).hexdigest() if text else ""


# Moderation -------------------------------------------------------------------------------------


class Moderation(StrEnum):
    """What a moderator can do to a post."""

    HIDE = "hide"
    RESTORE = "restore"


def moderate_post(actor: Actor, number: int, action: Moderation, reason: str = "") -> Post:
    """Hide a post with a reason, or show it again; its author is told by mail."""
    post = queries.find_post(actor, number)
    require(actor, "post.moderate", post)
    reason = (
        clean_text(reason, field="reason", largest_bytes=LARGEST_REASON_BYTES)
        if reason.strip() or action is Moderation.HIDE
        else ""
    )
    db.session.refresh(post, with_for_update=True)  # of two moderators, the second sees what the first did
    before = post.state
    if action is Moderation.HIDE:
        if post.state is PostState.HIDDEN:
            raise Conflict(_("Post #%(number)s is hidden already.", number=number))
        post.state, post.hidden_at = PostState.HIDDEN, clock.now()
        post.hidden_by_id, post.hidden_reason = actor.user_id, reason
    else:
        if post.state is PostState.VISIBLE:
            raise Conflict(_("Post #%(number)s is visible already.", number=number))
        post.state, post.hidden_at = PostState.VISIBLE, None
        post.hidden_by_id, post.hidden_reason = None, ""
    db.session.flush()
    _tell_author(post, action, reason)
    audit.record(
        actor,
        f"post.{action}",
        "post",
        number,
        before={"state": before},
        after={"state": post.state},
        reason=reason,
    )
    return post


def _tell_author(post: Post, action: Moderation, reason: str) -> None:
    words: dict[str, Any] = {
        "number": post.number,
        "topic": post.topic.title,
        "reason": reason or "–",
        "link": f"{BASE_URL[0]}/topics/{post.topic_id}",
    }
    if action is Moderation.HIDE:
        subject = _("labhub: your post #%(number)s was hidden", number=post.number)
        body = _(
            "A moderator has hidden your post #%(number)s in “%(topic)s”.\n\nReason: %(reason)s\n\n"
            "The discussion: %(link)s\nIf you disagree, write to the Secretariat.\n",
            **words,
        )
    else:
        subject = _("labhub: your post #%(number)s is shown again", number=post.number)
        body = _(
            "Your post #%(number)s in “%(topic)s” is shown again.\n\nReason: %(reason)s\n\n"
            "The discussion: %(link)s\n",
            **words,
        )
    outbox.add(post.author.email, subject, body, language=post.author.language)
