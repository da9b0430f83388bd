"""What is asked of comparisons, and what they answer."""

from marshmallow import Schema, fields, validate

NUMBER = validate.Range(1, 1_000_000)


class TwoVersions(Schema):
    """Two versions by their numbers; by default the newest one and the one before it."""

    first = fields.Integer(load_default=None, validate=NUMBER, data_key="from")
    second = fields.Integer(load_default=None, validate=NUMBER, data_key="to")


class WithVersion(Schema):
    """The version to compare with; by default the one before."""

    other = fields.Integer(load_default=None, validate=NUMBER, data_key="with")


class Compared(Schema):
    """Methods to set side by side: `code` once for each, at most four."""

    code = fields.List(
        fields.String(validate=validate.Length(max=60)), load_default=list, validate=validate.Length(max=20)
    )


class DifferenceOut(Schema):
    """One field that is not the same."""

    field = fields.String(
        metadata={
            "description": "Path in the later record, places in lists from 0; in the earlier if it is gone."
        }
    )
    names = fields.List(fields.String(), metadata={"description": "The field in the reader's words."})
    kind = fields.String(metadata={"description": "changed, added, removed or moved (another order)"})
    before = fields.Raw(allow_none=True)
    after = fields.Raw(allow_none=True)


class DifferencesOut(Schema):
    """What changed from one version to another."""

    code = fields.String()
    before = fields.Integer(metadata={"description": "Number of the earlier version."})
    after = fields.Integer()
    differences = fields.List(fields.Nested(DifferenceOut))


class ComparedMethod(Schema):
    """A column of a comparison."""

    code = fields.String()
    version = fields.Integer()
    state = fields.String()
    title = fields.String()


class ComparedRow(Schema):
    """A field of all methods."""

    field = fields.String()
    name = fields.String()
    differs = fields.Boolean()
    values = fields.List(
        fields.List(fields.String()),
        metadata={"description": "The lines of each method, in order; an empty list is not reported."},
    )


class ComparedGroup(Schema):
    """A section of rows."""

    title = fields.String()
    rows = fields.List(fields.Nested(ComparedRow))


class ComparisonOut(Schema):
    """Methods side by side."""

    methods = fields.List(fields.Nested(ComparedMethod))
    groups = fields.List(fields.Nested(ComparedGroup))
