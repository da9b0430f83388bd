"""What comes in and goes out about studies, judgement and completeness."""

from marshmallow import Schema, fields, validate

from labhub.methods.schemas import StudySchema, VersionArguments


class StudyIn(StudySchema):
    """A study to add; with raw results its figures are computed."""


class StudyChange(StudySchema):
    """What to change of a study; what is not given stays."""


class StudyOut(StudySchema):
    """A study with the working that leads to its figures."""

    code = fields.String()
    version = fields.Integer()
    position = fields.Integer(metadata={"description": "place in the record, from 0"})
    working = fields.Dict(
        metadata={
            "description": "cells, tests, exclusions, sums and figures by level; fits of the limit of "
            "detection; differences between stored and computed figures"
        }
    )
    notes = fields.List(fields.String(), metadata={"description": "what was assumed about a file just read"})


class ResultsIn(Schema):
    """Fields that go with a file of raw results."""

    sha256 = fields.String(load_default="", validate=validate.Length(max=64))
    unit = fields.String(
        load_default="", validate=validate.Length(max=60), metadata={"description": "of the levels, as % m/m"}
    )


class DecisionIn(Schema):
    """A laboratory kept or excluded by hand; an empty action takes it back."""

    laboratory = fields.String(required=True, validate=validate.Length(1, 100))
    level = fields.String(load_default="", validate=validate.Length(max=100))
    action = fields.String(load_default="", validate=validate.OneOf(["", "keep", "exclude"]))
    reason = fields.String(load_default="", validate=validate.Length(max=500))


class FindingOut(Schema):
    """One number that a rule looked at."""

    verdict = fields.String()
    value = fields.Float(allow_none=True)
    unit = fields.String()
    study = fields.Integer(allow_none=True, metadata={"description": "null: the summary figures"})
    study_title = fields.String()
    level = fields.String(allow_none=True)
    limit = fields.Float(allow_none=True)
    note = fields.String()


class JudgementRow(Schema):
    """One rule."""

    rule = fields.String()
    name = fields.String()
    limit = fields.String()
    mark = fields.String(metadata={"description": "S: read at the source; M: not yet checked"})
    verdict = fields.String(metadata={"description": "pass, fail or not-reported"})
    findings = fields.List(fields.Nested(FindingOut))


class JudgementOut(Schema):
    """A version judged by one version of the criteria."""

    code = fields.String()
    version = fields.Integer()
    recorded_criteria = fields.String(
        allow_none=True, metadata={"description": "the criteria it was judged by at publication"}
    )
    newest_criteria = fields.String(allow_none=True)
    criteria_version = fields.String()
    adopted_on = fields.Date()
    source = fields.String()
    target_percent = fields.Float()
    counts = fields.Dict(keys=fields.String(), values=fields.Integer())
    left_out = fields.List(fields.String(), metadata={"description": "rules that do not apply"})
    judgements = fields.List(fields.Nested(JudgementRow))


class JudgementArguments(VersionArguments):
    """Which version, by which criteria."""

    criteria = fields.String(load_default=None, validate=validate.Length(max=40))


class CompletenessItem(Schema):
    """One item of a reporting list."""

    id = fields.String()
    section = fields.String()
    weight = fields.String()
    text = fields.String()
    status = fields.String(metadata={"description": "answered, missing or not-kept"})
    field = fields.String()


class CompletenessOut(Schema):
    """How much of one reporting list the record answers."""

    list = fields.String()
    title = fields.String()
    percent = fields.Integer()
    essential = fields.Dict(keys=fields.String(), values=fields.Integer())
    desirable = fields.Dict(keys=fields.String(), values=fields.Integer())
    items = fields.List(fields.Nested(CompletenessItem))


class CriteriaOut(Schema):
    """A version of the minimum performance criteria."""

    version = fields.String()
    adopted_on = fields.Date()
    title = fields.String()
    source = fields.String()
    target_percent = fields.Float()
    rules = fields.List(fields.Dict())


class NothingIn(Schema):
    """A form that says nothing but to do it."""
