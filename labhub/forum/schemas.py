"""What comes in and goes out of discussions, for API and forms alike."""

from datetime import UTC
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from labhub.forum.commands import LONGEST_TITLE, Moderation
from labhub.forum.models import PostState, Standing
from labhub.forum.queries import LARGEST_NUMBER
from labhub.forum.windows import DiscussionState
from labhub.i18n import _
from labhub.web.api import ListArguments

TITLE = validate.Length(min=1, max=LONGEST_TITLE)
NUMBER = validate.Range(1, LARGEST_NUMBER)


def _person(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > 320:
        raise ValidationError(str(_("Give an e-mail address or the number of an account.")))


def _moderators() -> fields.List[Any]:
    return fields.List(
        fields.Raw(validate=_person, metadata={"type": ["string", "integer"]}),
        validate=validate.Length(max=50),
        metadata={"description": "Addresses or account numbers of people with the role moderator."},
    )


def _instant(meaning: str, *, required: bool = False) -> fields.AwareDateTime:
    return fields.AwareDateTime(
        format="iso",
        default_timezone=UTC,
        required=required,
        metadata={"description": f"{meaning} Read as UTC where it names no zone."},
    )


class DiscussionIn(Schema):
    """A discussion to announce."""

    title = fields.String(required=True, validate=TITLE)
    opens_at = _instant("First instant at which a post is accepted.", required=True)
    closes_at = _instant("First instant at which a post is no longer accepted.", required=True)
    description = fields.String(load_default="")
    moderators = _moderators()


class DiscussionChange(Schema):
    """What changes about a discussion; what is left out stays."""

    title = fields.String(validate=TITLE)
    opens_at = _instant("First instant at which a post is accepted.")
    closes_at = _instant("First instant at which a post is no longer accepted.")
    description = fields.String()
    moderators = _moderators()
    archived = fields.Boolean(truthy={True}, falsy={False})


class DiscussionForm(Schema):
    """The form of a discussion: times in UTC, moderators by address, one a line."""

    title = fields.String(required=True, validate=TITLE)
    opens_at = _instant("", required=True)
    closes_at = _instant("", required=True)
    description = fields.String(load_default="")
    moderators = fields.String(load_default="", validate=validate.Length(max=20_000))
    archived = fields.String(load_default="", validate=validate.OneOf(["", "yes"]))


class PersonOut(Schema):
    """A person by number and name."""

    id = fields.Integer()
    name = fields.String()


class DiscussionRow(Schema):
    """A discussion in a list."""

    id = fields.Integer()
    title = fields.String()
    state = fields.Enum(DiscussionState, by_value=True)
    opens_at = fields.AwareDateTime()
    closes_at = fields.AwareDateTime()
    topics = fields.Integer()
    posts = fields.Integer()


class DiscussionOut(DiscussionRow):
    """A discussion."""

    description = fields.String(metadata={"description": "Markdown."})
    description_html = fields.String()
    moderators = fields.List(fields.Nested(PersonOut))
    archived_at = fields.AwareDateTime(allow_none=True)
    created_at = fields.AwareDateTime()


class DiscussionList(ListArguments):
    """Filters of the list of discussions."""

    state = fields.Enum(DiscussionState, by_value=True, load_default=None)


class TopicIn(Schema):
    """A topic to open, with its guiding questions."""

    discussion_id = fields.Integer(required=True, strict=True, validate=NUMBER)
    title = fields.String(required=True, validate=TITLE)
    text = fields.String(required=True, metadata={"description": "Markdown, at most 64 KiB."})


class TopicForm(Schema):
    """The form that opens a topic."""

    title = fields.String(required=True, validate=TITLE)
    text = fields.String(required=True)


class TopicOut(Schema):
    """A topic; ``id`` is the number of its first post."""

    id = fields.Integer()
    discussion_id = fields.Integer()
    title = fields.String()
    created_at = fields.AwareDateTime()
    posts = fields.Integer()
    last_posted_at = fields.AwareDateTime(allow_none=True)


class TopicList(ListArguments):
    """Filters of the list of topics."""

    discussion_id = fields.Integer(load_default=None, validate=NUMBER)


class PostIn(Schema):
    """A post to a topic; ``reply_to`` is the number of the post that it answers."""

    topic_id = fields.Integer(required=True, strict=True, validate=NUMBER)
    text = fields.String(required=True, metadata={"description": "Markdown, at most 64 KiB."})
    reply_to = fields.Integer(load_default=None, allow_none=True, strict=True, validate=NUMBER)


class PostForm(Schema):
    """The form that posts."""

    text = fields.String(required=True)
    reply_to = fields.Integer(load_default=None, validate=NUMBER)


class PostOut(Schema):
    """A post; ``id`` and ``number`` are the same."""

    id = fields.Integer()
    number = fields.Integer()
    topic_id = fields.Integer()
    discussion_id = fields.Integer()
    title = fields.String()
    text = fields.String(metadata={"description": "Markdown, as it was written."})
    html = fields.String(metadata={"description": "Rendered and sanitised."})
    reply_to = fields.Integer(allow_none=True)
    posted_at = fields.AwareDateTime()
    author_name = fields.String()
    author_title = fields.String()
    author_affiliation = fields.String(metadata={"description": "Party or organisation at posting."})
    author_party = fields.String(allow_none=True, metadata={"description": "Two letters of ISO 3166."})
    author_standing = fields.Enum(Standing, by_value=True)
    state = fields.Enum(PostState, by_value=True)
    hidden_at = fields.AwareDateTime(allow_none=True)
    hidden_reason = fields.String(metadata={"description": "Only moderators see hidden posts."})


class PostList(ListArguments):
    """Filters of the list of posts."""

    topic_id = fields.Integer(load_default=None, validate=NUMBER)
    discussion_id = fields.Integer(load_default=None, validate=NUMBER)


class ModerationIn(Schema):
    """What a moderator does to a post, and why."""

    action = fields.Enum(Moderation, by_value=True, required=True)
    reason = fields.String(load_default="", metadata={"description": "Needed to hide a post."})


class PartyCount(Schema):
    """Posts and people of a State."""

    party = fields.String()
    name = fields.String()
    posts = fields.Integer()
    people = fields.Integer()


class OrganisationCount(Schema):
    """Posts and people of an organisation."""

    name = fields.String()
    posts = fields.Integer()
    people = fields.Integer()


class ParticipationOut(Schema):
    """Who took part in a discussion."""

    discussion_id = fields.Integer()
    posts = fields.Integer()
    people = fields.Integer(metadata={"description": "Distinct people, each once."})
    hidden_posts = fields.Integer()
    parties = fields.List(fields.Nested(PartyCount))
    non_parties = fields.List(fields.Nested(PartyCount))
    organisations = fields.List(fields.Nested(OrganisationCount))


class PageArguments(ListArguments):
    """What the address of a topic's page takes."""

    reply_to = fields.Integer(load_default=None, validate=NUMBER)
