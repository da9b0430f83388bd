"""What the addresses of indicators take and answer."""

from marshmallow import Schema, fields, validate

from labhub.indicators.definitions import FIRST_YEAR, LAST_YEAR, Dimension


class PeriodArguments(Schema):
    """A year, or days from and to (both inside, UTC)."""

    year = fields.Integer(load_default=None, validate=validate.Range(FIRST_YEAR, LAST_YEAR))
    from_on = fields.Date(load_default=None, data_key="from")
    to_on = fields.Date(load_default=None, data_key="to")
    lang = fields.String(load_default="", validate=validate.Length(max=5))


class FigureArguments(PeriodArguments):
    """The period, and what the figure is split by."""

    by = fields.String(load_default=None, validate=validate.OneOf([member.value for member in Dimension]))


class RecordArguments(PeriodArguments):
    """The period, and the page of the rows behind the figure."""

    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    page_size = fields.Integer(load_default=50, validate=validate.Range(1, 200))
    sort = fields.String(load_default="", validate=validate.Length(max=60))


class ActivitySchema(Schema):
    """An activity of the annex."""

    code = fields.String()
    title = fields.String()
    source = fields.String()
    verified = fields.Boolean()


class IndicatorSchema(Schema):
    """An indicator of the annex, without its figure."""

    code = fields.String()
    activity = fields.String()
    activity_title = fields.String()
    title = fields.String()
    record = fields.String()
    distinct_by = fields.String()
    unit = fields.String()
    computed = fields.Boolean()
    rule_version = fields.String(allow_none=True)
    source = fields.String()
    verified = fields.Boolean()


class FigureSchema(Schema):
    """A figure; ``value`` is null when labhub does not compute it yet (which is not 0)."""

    code = fields.String()
    title = fields.String()
    activity = fields.String()
    value = fields.Integer(allow_none=True)
    unit = fields.String()
    by = fields.Dict(keys=fields.String(), values=fields.Integer())
    split_by = fields.String(allow_none=True)
    period = fields.String()
    rule_version = fields.String(allow_none=True)
    status = fields.String()
    unique = fields.Integer()
    machine = fields.Integer()
    by_unique = fields.Dict(keys=fields.String(), values=fields.Integer())
    by_machine = fields.Dict(keys=fields.String(), values=fields.Integer())
    gap = fields.Integer()


class RecordSchema(Schema):
    """A ledger row behind a figure, and what the rules say of it; nothing in it tells who but the Party."""

    id = fields.Integer()
    at = fields.DateTime()
    item = fields.String()
    kind = fields.String()
    version = fields.String()
    file = fields.String()
    status = fields.Integer()
    party = fields.String()
    access = fields.String()
    agent = fields.String()
    robot_list = fields.String()
    verdict = fields.String()
    counts = fields.Boolean()
    unique = fields.Boolean()
