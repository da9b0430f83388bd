"""What comes in and goes out of the addresses of jobs."""

from marshmallow import Schema, fields

from labhub.work.models import JobState


class JobForm(Schema):
    """A form with a button only."""


class JobOut(Schema):
    """A job; ``result`` is there when it is done, in the shape of its kind."""

    id = fields.Integer()
    kind = fields.String()
    state = fields.Enum(JobState, by_value=True)
    progress = fields.Float(metadata={"description": "Fraction done, 0 to 1."})
    tries = fields.Integer()
    created_at = fields.DateTime()
    started_at = fields.DateTime(allow_none=True)
    finished_at = fields.DateTime(allow_none=True)
    kept_until = fields.DateTime(allow_none=True)
    refusal = fields.String(metadata={"description": "Why it failed; empty when it did not."})
    result = fields.Raw(allow_none=True)
