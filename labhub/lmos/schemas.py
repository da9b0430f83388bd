"""What comes in and goes out of LMOs, elements and the matrix."""

from marshmallow import Schema, fields, validate

from labhub.lmos.terms import ElementKind, NameKind, Sign, Standing
from labhub.web.api import ListArguments

TEXT = validate.Length(max=200)


def _text(longest: int = 200) -> fields.String:
    return fields.String(allow_none=True, validate=validate.Length(max=longest))


class LmoList(ListArguments):
    """Filters of the list of LMOs."""

    taxon = fields.String(load_default="", validate=TEXT)
    element = fields.String(load_default="", validate=TEXT)
    stacked = fields.Boolean(load_default=None)
    verified = fields.Boolean(load_default=None)


class ElementList(ListArguments):
    """Filters of the list of elements."""

    kind = fields.Enum(ElementKind, by_value=True, load_default=None)
    verified = fields.Boolean(load_default=None)


class MatrixArguments(Schema):
    """Which part of the matrix, and how."""

    taxon = fields.String(load_default="", validate=TEXT)
    element = fields.List(fields.String(validate=TEXT), load_default=list, validate=validate.Length(max=200))
    verified = fields.Boolean(load_default=None)
    q = fields.String(load_default="", validate=TEXT)
    source = fields.String(load_default="", validate=validate.Length(max=500))
    format = fields.String(load_default="json", validate=validate.OneOf(["json", "csv", "xlsx"]))
    lang = fields.String(load_default="", validate=validate.Length(max=5))


class Species(Schema):
    """A taxon."""

    scientific = _text()
    common = _text()


class NameIn(Schema):
    """Another name of an LMO."""

    name = fields.String(required=True, validate=TEXT)
    kind = fields.Enum(NameKind, by_value=True)
    source = fields.String(validate=validate.Length(max=500))
    recorded_on = fields.Date(allow_none=True)


class SourceIn(Schema):
    """Where facts were read."""

    title = _text(500)
    url = _text(1000)
    year = fields.Integer(allow_none=True, strict=True)


class ClaimIn(Schema):
    """One source says that an LMO has or lacks an element."""

    element = fields.String(required=True, validate=TEXT)
    sign = fields.Enum(Sign, by_value=True, required=True)
    source = fields.String(required=True, validate=validate.Length(max=500))
    verified = fields.Boolean()
    recorded_on = fields.Date(allow_none=True)


class LmoChange(Schema):
    """The fields of an LMO that a change gives; lists are replaced as a whole."""

    unique_identifier = _text(400)
    event = fields.String(validate=TEXT)
    other_names = fields.List(fields.Nested(NameIn))
    trade_name = _text()
    species = fields.Nested(Species, allow_none=True)
    developer = _text(300)
    traits = fields.List(fields.String())
    stacked = fields.Boolean()
    parents = fields.List(fields.String())
    claims = fields.List(fields.Nested(ClaimIn))
    sources = fields.List(fields.Nested(SourceIn))
    notes = fields.List(fields.String())
    verified = fields.Boolean()
    fields_from_memory = fields.List(fields.String())


class LmoIn(LmoChange):
    """An LMO to add: the shape of ``labhub export lmos``."""

    event = fields.String(required=True, validate=TEXT)


class LmoOut(LmoChange):
    """An LMO, with what follows from its record."""

    id = fields.Integer()
    slug = fields.String(metadata={"description": "The end of its address."})
    display = fields.String(allow_none=True, metadata={"description": "The identifier with Ø."})
    warnings = fields.List(fields.String(), metadata={"description": "Doubts about the identifier."})
    signs = fields.Dict(
        keys=fields.String(),
        values=fields.Enum(Standing, by_value=True),
        metadata={"description": "What the sources say together of each element."},
    )


class LmoRow(Schema):
    """An LMO in a list."""

    id = fields.Integer()
    slug = fields.String()
    unique_identifier = fields.String(allow_none=True)
    display = fields.String(allow_none=True)
    event = fields.String()
    trade_name = fields.String(allow_none=True)
    taxon_scientific = fields.String(allow_none=True)
    taxon_common = fields.String(allow_none=True)
    developer = fields.String(allow_none=True)
    is_stack = fields.Boolean()
    verified = fields.Boolean()


class ElementRow(Schema):
    """An element in a list; ``lmos`` counts those that a source says have it."""

    id = fields.Integer()
    slug = fields.String()
    name = fields.String()
    kind = fields.Enum(ElementKind, by_value=True)
    donor_organism = fields.String(allow_none=True)
    is_construct = fields.Boolean()
    accession = fields.String(allow_none=True)
    source = fields.String()
    verified = fields.Boolean()
    lmos = fields.Integer()


class ElementNameOut(Schema):
    """Another name of an element."""

    name = fields.String()
    source = fields.String()


class CellClaim(Schema):
    """A claim behind a sign."""

    sign = fields.Enum(Sign, by_value=True)
    source = fields.String()
    verified = fields.Boolean()


class ElementLmo(Schema):
    """What the sources say of one LMO."""

    slug = fields.String()
    unique_identifier = fields.String(allow_none=True)
    event = fields.String()
    standing = fields.Enum(Standing, by_value=True)
    claims = fields.List(fields.Nested(CellClaim))


class ElementOut(Schema):
    """An element with its names and the LMOs that sources speak of."""

    id = fields.Integer()
    slug = fields.String()
    name = fields.String()
    kind = fields.Enum(ElementKind, by_value=True)
    donor_organism = fields.String(allow_none=True)
    synonyms = fields.List(fields.Nested(ElementNameOut))
    is_construct = fields.Boolean()
    codes = fields.Dict(keys=fields.String(), values=fields.String())
    accession = fields.String(allow_none=True)
    source = fields.String()
    verified = fields.Boolean()
    lmos = fields.List(fields.Nested(ElementLmo))


class MatrixElement(Schema):
    """A column of the matrix."""

    name = fields.String()
    slug = fields.String()
    kind = fields.Enum(ElementKind, by_value=True)


class MatrixRow(Schema):
    """A row of the matrix: a sign for each element, and the claims behind those that are not ``?``."""

    slug = fields.String()
    unique_identifier = fields.String(allow_none=True)
    event = fields.String()
    taxon = fields.String(allow_none=True)
    signs = fields.Dict(keys=fields.String(), values=fields.Enum(Standing, by_value=True))
    claims = fields.Dict(keys=fields.String(), values=fields.List(fields.Nested(CellClaim)))


class MatrixOut(Schema):
    """The matrix."""

    elements = fields.List(fields.Nested(MatrixElement))
    rows = fields.List(fields.Nested(MatrixRow))
