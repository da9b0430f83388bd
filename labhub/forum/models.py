"""Tables of discussions: dated windows, topics, numbered posts."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.accounts.models import Party, User
from labhub.db import Model, UtcDateTime, text_enum


class PostState(StrEnum):
    """Who sees a post: everybody, or only those who moderate it."""

    VISIBLE = "visible"
    HELD = "held"
    HIDDEN = "hidden"


class Standing(StrEnum):
    """What the author's State or organisation was to the Protocol on the day of posting."""

    PARTY = "party"
    NON_PARTY = "non-party"
    OBSERVER = "observer"


class Discussion(Model):
    """A discussion with opening and closing instants; whether it is open is computed from them."""

    __tablename__ = "discussion"
    __table_args__ = (CheckConstraint("closes_at > opens_at", name="window"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(300))
    description: Mapped[str] = mapped_column(Text, default="")
    """Markdown."""
    description_html: Mapped[str] = mapped_column(Text, default="")
    search_key: Mapped[str] = mapped_column(Text)
    opens_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    """First instant at which a post is accepted."""
    closes_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    """First instant at which a post is no longer accepted."""
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    row_version: Mapped[int] = mapped_column(default=1)

    moderators: Mapped[list["DiscussionModerator"]] = relationship(
        order_by="DiscussionModerator.user_id", cascade="all, delete-orphan"
    )

    __mapper_args__ = {"version_id_col": row_version}

    @property
    def moderator_ids(self) -> frozenset[int]:
        """The people whom the rules take for moderators of this discussion."""
        return frozenset(row.user_id for row in self.moderators)


class DiscussionModerator(Model):
    """A person named by the Secretariat to moderate a discussion."""

    __tablename__ = "discussion_moderator"

    discussion_id: Mapped[int] = mapped_column(ForeignKey("discussion.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), primary_key=True, index=True)

    user: Mapped[User] = relationship()


class Topic(Model):
    """A topic of a discussion. Its number is that of its first post, which holds the guiding questions."""

    __tablename__ = "topic"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """The number of the first post."""
    discussion_id: Mapped[int] = mapped_column(ForeignKey("discussion.id"), index=True)
    title: Mapped[str] = mapped_column(String(300))
    search_key: Mapped[str] = mapped_column(Text)
    created_by_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    discussion: Mapped[Discussion] = relationship()

    @property
    def moderator_ids(self) -> frozenset[int]:
        """The moderators of the discussion."""
        return self.discussion.moderator_ids


class Post(Model):
    """A post. Its number comes from one sequence for the whole hub and is never used again.

    Name, title and affiliation of the author are kept as they were when the post was written.
    """

    __tablename__ = "post"
    __table_args__ = (
        UniqueConstraint("topic_id", "author_id", "text_hash"),
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint("number >= topic_id", name="not_before_its_topic"),
        CheckConstraint("reply_to_number < number", name="reply_to_an_earlier_post"),
        CheckConstraint("links >= 0", name="links_not_negative"),
        CheckConstraint("(author_party_id IS NULL) = (standing = 'observer')", name="party_or_observer"),
        CheckConstraint("(hidden_at IS NOT NULL) = (state = 'hidden')", name="hidden_at_when_hidden"),
        CheckConstraint("state <> 'hidden' OR hidden_reason <> ''", name="reason_when_hidden"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    topic_id: Mapped[int] = mapped_column(ForeignKey("topic.id"), index=True)
    reply_to_number: Mapped[int | None] = mapped_column(ForeignKey("post.number"), index=True)
    text: Mapped[str] = mapped_column(Text)
    """Markdown, as it was written."""
    html: Mapped[str] = mapped_column(Text)
    """Rendered and sanitised once."""
    text_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the text without regard to case and blanks."""
    links: Mapped[int]
    """Links to elsewhere in the text."""
    search_key: Mapped[str] = mapped_column(Text)
    state: Mapped[PostState] = mapped_column(text_enum(PostState), default=PostState.VISIBLE)
    posted_at: Mapped[datetime] = mapped_column(UtcDateTime)

    author_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    author_name: Mapped[str] = mapped_column(String(200))
    author_title: Mapped[str] = mapped_column(String(60), default="")
    author_party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    author_affiliation: Mapped[str] = mapped_column(String(200))
    """English name of the Party, or the organisation."""
    standing: Mapped[Standing] = mapped_column(text_enum(Standing))

    hidden_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    hidden_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    hidden_reason: Mapped[str] = mapped_column(Text, default="")

    topic: Mapped[Topic] = relationship()
    author: Mapped[User] = relationship(foreign_keys=[author_id])
    author_party: Mapped[Party | None] = relationship()

    @property
    def moderator_ids(self) -> frozenset[int]:
        """The moderators of the discussion."""
        return self.topic.discussion.moderator_ids


class PostCounter(Model):
    """The one row with the last number given to a post; whoever posts locks it."""

    __tablename__ = "post_counter"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"), CheckConstraint("last >= 0", name="last"))

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]
