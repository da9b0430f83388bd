"""What comes in and goes out of capabilities, the coverage map and the list of conflicts."""

from marshmallow import Schema, fields, validate

from labhub.methods import capabilities
from labhub.methods.coverage_queries import Gap, Way
from labhub.methods.network_models import ConflictKind
from labhub.web.api import ListArguments

TEXT = validate.Length(max=200)
CODE = validate.Length(max=60)
DATA_FORMATS = ["json", "csv"]


def _text(name: str) -> fields.String:
    return fields.String(validate=validate.Length(max=capabilities.TEXTS[name]))


class CapabilityChange(Schema):
    """The fields of an entry that a change gives; without ``valid_until`` it holds for one year."""

    runs = fields.Boolean(metadata={"description": "Whether the laboratory runs the method now."})
    accredited = fields.Boolean()
    accreditation_reference = _text("accreditation_reference")
    accreditation_body = _text("accreditation_body")
    accreditation_standard = _text("accreditation_standard")
    accredited_until = fields.Date(allow_none=True)
    material = _text("material")
    material_code = _text("material_code")
    material_until = fields.Date(allow_none=True)
    verified_on = fields.Date(allow_none=True)
    turnaround_days = fields.Integer(allow_none=True, strict=True, validate=validate.Range(1, 1000))
    valid_until = fields.Date(allow_none=True)
    note = _text("note")


class CapabilityIn(CapabilityChange):
    """An entry to add: the method by its code."""

    method = fields.String(required=True, validate=CODE)


class CapabilityForm(Schema):
    """The same as the page sends it: a box that is not ticked is not sent."""

    method = fields.String(load_default="", validate=CODE)
    runs = fields.Boolean(load_default=False)
    accredited = fields.Boolean(load_default=False)
    accreditation_reference = fields.String(load_default="", validate=validate.Length(max=100))
    accreditation_body = fields.String(load_default="", validate=TEXT)
    accreditation_standard = fields.String(load_default="", validate=validate.Length(max=100))
    accredited_until = fields.Date(load_default=None)
    material = fields.String(load_default="", validate=TEXT)
    material_code = fields.String(load_default="", validate=CODE)
    material_until = fields.Date(load_default=None)
    verified_on = fields.Date(load_default=None)
    turnaround_days = fields.Integer(load_default=None)
    valid_until = fields.Date(load_default=None)
    note = fields.String(load_default="", validate=validate.Length(max=capabilities.LONGEST_NOTE))


class CapabilityOut(CapabilityIn):
    """An entry of a laboratory, with what holds today."""

    laboratory = fields.String()
    valid_until = fields.Date()
    confirmed_at = fields.DateTime()
    current = fields.Boolean(metadata={"description": "Whether it counts today."})


class CapabilityListing(Schema):
    """Whether others may read what the laboratory can run."""

    listed = fields.Boolean(required=True)


class CapabilityArguments(Schema):
    """How the entries of a laboratory are answered."""

    format = fields.String(load_default="json", validate=validate.OneOf(DATA_FORMATS))
    lang = fields.String(load_default="", validate=validate.Length(max=5))


class ImportForm(Schema):
    """What is sent beside the file."""

    dry_run = fields.Boolean(load_default=False)


class WhoArguments(ListArguments):
    """Filters of the list of who can run what."""

    method = fields.String(load_default="", validate=CODE)
    lmo = fields.String(load_default="", validate=TEXT)
    element = fields.String(load_default="", validate=TEXT)
    laboratory = fields.String(load_default="", validate=CODE)
    party = fields.String(load_default="", validate=validate.Length(max=2))
    accredited = fields.Boolean(load_default=False)
    material = fields.String(load_default="", validate=TEXT)
    today = fields.Boolean(load_default=False, metadata={"description": "Only entries that count today."})

    class Meta:
        """The filters are the search."""

        exclude = ("q",)


class WhoRow(CapabilityIn):
    """An entry with its laboratory and method."""

    laboratory = fields.String()
    laboratory_name = fields.String()
    laboratory_confirmed = fields.Boolean()
    party = fields.String(allow_none=True)
    method_version = fields.Integer()
    method_state = fields.String()
    method_title = fields.String()
    specificity = fields.String()
    confirmed_at = fields.DateTime()
    current = fields.Boolean()
    expired = fields.Boolean()
    accredited_today = fields.Boolean()
    material_today = fields.Boolean()


class CoverageArguments(ListArguments):
    """Filters of the coverage map."""

    party = fields.String(load_default="", validate=validate.Length(max=2))
    taxon = fields.String(load_default="", validate=TEXT)
    gap = fields.Enum(Gap, by_value=True, load_default=None)
    format = fields.String(load_default="json", validate=validate.OneOf(DATA_FORMATS))

    class Meta:
        """The map has one order."""

        exclude = ("sort",)


class CoveragePageArguments(CoverageArguments):
    """Filters of the page of the map; ``lmo`` shows one LMO."""

    lmo = fields.String(load_default="", validate=validate.Length(max=400))


class Reach(Schema):
    """What one way of detection offers."""

    methods = fields.Integer()
    validated = fields.Integer(metadata={"description": "With a collaborative trial."})
    quantitative = fields.Integer()
    laboratories = fields.List(fields.String(), metadata={"description": "Who runs one today."})
    parties = fields.List(fields.String())


class CoverageRow(Schema):
    """An LMO of the coverage map."""

    slug = fields.String()
    unique_identifier = fields.String(allow_none=True)
    event = fields.String()
    taxon = fields.String(allow_none=True)
    stack = fields.Boolean()
    best_today = fields.Enum(Way, by_value=True, allow_none=True)
    elements = fields.Integer(metadata={"description": "Elements that it has, undisputed."})
    elements_screened = fields.Integer()
    missing_events = fields.List(fields.String())
    gaps = fields.List(fields.Enum(Gap, by_value=True))
    by = fields.Dict(keys=fields.Enum(Way, by_value=True), values=fields.Nested(Reach))


class CoverageMethod(Schema):
    """A method that detects the LMO."""

    code = fields.String()
    title = fields.String()
    quantitative = fields.Boolean()
    collaborative_trial = fields.Boolean(allow_none=True)
    via = fields.List(fields.String(), metadata={"description": "The elements by which it finds the LMO."})
    laboratories = fields.List(fields.String())


class CoverageOut(CoverageRow):
    """One LMO of the coverage map with its methods, at most 60 of each way."""

    methods = fields.Dict(
        keys=fields.Enum(Way, by_value=True), values=fields.List(fields.Nested(CoverageMethod))
    )


class ConflictArguments(ListArguments):
    """Filters of the list of conflicts."""

    kind = fields.Enum(ConflictKind, by_value=True, load_default=None)
    own = fields.Boolean(load_default=False, metadata={"description": "Only one's own laboratories'."})
    format = fields.String(load_default="json", validate=validate.OneOf(DATA_FORMATS))


class ConflictRow(Schema):
    """A contradiction among names, and how to mend it."""

    id = fields.Integer()
    kind = fields.Enum(ConflictKind, by_value=True)
    name = fields.String()
    explanation = fields.String()
    remedy = fields.String()
    method = fields.String(allow_none=True)
    version = fields.Integer(allow_none=True)
    laboratory = fields.String(allow_none=True)
    source = fields.String(allow_none=True)
    source_date = fields.String(allow_none=True)
    found_at = fields.DateTime()


class Refreshed(Schema):
    """How many conflicts stand now."""

    conflicts = fields.Integer()
