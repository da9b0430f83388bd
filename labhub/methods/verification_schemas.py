"""What comes in and goes out of verifications by other laboratories."""

from typing import Any

from marshmallow import Schema, fields, validate

from labhub.methods.models import StudyKind
from labhub.methods.review_models import Outcome
from labhub.methods.schemas import StudySchema

LINE = validate.Length(max=200)


class VerificationStudy(StudySchema):
    """The study of a verification: its kind and laboratory are given."""

    kind = fields.String(
        load_default=StudyKind.IN_HOUSE_VERIFICATION.value,
        validate=validate.OneOf([StudyKind.IN_HOUSE_VERIFICATION.value]),
    )


class VerificationFields(Schema):
    """What a verification says."""

    outcome = fields.String(required=True, validate=validate.OneOf([each.value for each in Outcome]))
    matrices: "fields.List[Any]" = fields.List(fields.String(validate=LINE), validate=validate.Length(max=50))
    instrument = fields.String(allow_none=True, validate=LINE)
    study = fields.Nested(VerificationStudy)


class VerificationIn(VerificationFields):
    """A verification of a published version to begin as a draft."""

    version = fields.Integer(load_default=None, strict=True, validate=validate.Range(1, 1_000_000))
    laboratory = fields.String(
        load_default="",
        validate=validate.Length(max=40),
        metadata={"description": "Code of one's laboratory; needed by people who work in several."},
    )


class VerificationOut(VerificationFields):
    """A verification."""

    id = fields.Integer()
    method = fields.String()
    version = fields.Integer()
    state = fields.String()
    laboratory = fields.String()
    party = fields.String(allow_none=True)
    published_at = fields.DateTime(allow_none=True)
    hide_reason = fields.String(allow_none=True)


class VisibilityIn(Schema):
    """Whether a verification is hidden, and why."""

    hidden = fields.Boolean(required=True)
    reason = fields.String(required=True, validate=validate.Length(min=1, max=10_240))


class ComparedOut(Schema):
    """One figure in the field beside the validation."""

    name = fields.String()
    count = fields.Integer()
    median = fields.Float()
    low = fields.Float()
    high = fields.Float()
    validated = fields.Float(allow_none=True)
    least = fields.Float(allow_none=True)
    most = fields.Float(allow_none=True)
    outside = fields.Integer()
    drift = fields.Boolean(metadata={"description": "The median breaks the limits of the criteria."})


class PerformanceOut(Schema):
    """How a method performs in other laboratories."""

    verifications = fields.Integer()
    laboratories = fields.Integer()
    parties = fields.Integer()
    outcomes = fields.Dict(keys=fields.String(), values=fields.Integer())
    criteria_version = fields.String(allow_none=True)
    figures = fields.List(fields.Nested(ComparedOut))
