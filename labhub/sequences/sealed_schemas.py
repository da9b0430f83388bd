"""What comes in and goes out of sealed sequences. Answers are one of three words, and equally long."""

from marshmallow import Schema, fields, validate

from labhub.sequences.sealed_commands import LONGEST_REASON
from labhub.sequences.sealed_models import SealedAnswer, SealedRight, SealedUseKind
from labhub.web.api import ListArguments

LONGEST_TEXT = 64 << 10


class SealedSearchIn(Schema):
    """A question: a pair of primers (and probe), or sequences as FASTA, each record one question."""

    forward = fields.String(load_default="", validate=validate.Length(max=1_000))
    reverse = fields.String(load_default="", validate=validate.Length(max=1_000))
    probe = fields.String(load_default="", validate=validate.Length(max=1_000))
    sequences = fields.String(load_default="", validate=validate.Length(max=LONGEST_TEXT))


class SealedEventAnswer(Schema):
    """Whether the question is found in an event."""

    event = fields.String()
    lmo = fields.String(allow_none=True)
    answer = fields.Enum(SealedAnswer, by_value=True)
    padding = fields.String(metadata={"description": "Makes every answer equally long."})


class SealedQuestionOut(Schema):
    """The answers to one question, in the order of the questions."""

    question = fields.Integer(metadata={"description": "Its number in the request, from 1."})
    events = fields.List(fields.Nested(SealedEventAnswer))


class SealedSearchOut(Schema):
    """The answers, and how many questions are left today."""

    questions = fields.List(fields.Nested(SealedQuestionOut))
    left_today = fields.Integer()


class SealedEventOut(Schema):
    """An event that the caller may ask about."""

    event = fields.String()
    lmo = fields.String(allow_none=True)
    owner = fields.String()


class SealedGrantIn(Schema):
    """Whom the owner names, for what, until when, and why."""

    right = fields.Enum(SealedRight, by_value=True, required=True)
    person = fields.String(load_default="", validate=validate.Length(max=320))
    laboratory = fields.String(load_default="", validate=validate.Length(max=40))
    party = fields.String(load_default="", validate=validate.Length(max=2))
    until_on = fields.Date(load_default=None, allow_none=True)
    reason = fields.String(required=True, validate=validate.Length(max=LONGEST_REASON))


class SealedReasonIn(Schema):
    """Why a grant is revoked or a stop lifted."""

    reason = fields.String(required=True, validate=validate.Length(max=LONGEST_REASON))


class SealedGrantOut(Schema):
    """A grant; persons by name, never by address."""

    id = fields.Integer()
    right = fields.Enum(SealedRight, by_value=True)
    grantee = fields.String()
    kind = fields.String()
    reason = fields.String()
    granted_at = fields.DateTime()
    granted_by = fields.String(allow_none=True)
    until_on = fields.Date(allow_none=True)
    holds = fields.Boolean()
    revoked_at = fields.DateTime(allow_none=True)
    revoke_reason = fields.String()


class SealedUseList(ListArguments):
    """The list of uses."""

    format = fields.String(load_default="json", validate=validate.OneOf(["json", "csv"]))


class SealedUseOut(Schema):
    """A use of a sealed record; never what was asked."""

    id = fields.Integer()
    at = fields.DateTime()
    person = fields.String()
    laboratories = fields.String()
    kind = fields.Enum(SealedUseKind, by_value=True)
    door = fields.String()
    answer = fields.Enum(SealedAnswer, by_value=True, allow_none=True)


class SealedStopOut(Schema):
    """A stop: who is not answered in whose records, since when."""

    key = fields.String()
    owner = fields.String()
    who = fields.String()
    stopped = fields.List(fields.String())
    questions = fields.Integer()
    at = fields.DateTime()
    lifted_at = fields.DateTime(allow_none=True)
    lift_reason = fields.String()
