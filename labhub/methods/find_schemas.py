"""What finding takes and gives: the filters of the list, its rows, counts, saved searches."""

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from labhub.methods.find_models import Alert
from labhub.methods.find_queries import SORT_NAMES
from labhub.methods.models import MethodOrigin, MethodState, Right, Specificity, Technique
from labhub.web.api import ListArguments

SHORT = validate.Length(max=200)
MOST_CHOSEN = 50
"""Values that may be chosen in one facet."""


def _some(field: fields.Field[Any], **options: Any) -> "fields.List[Any]":
    """Return a filter that may be given several times: any of its values."""
    return fields.List(field, load_default=list, validate=validate.Length(max=MOST_CHOSEN), **options)


def _one_of(kind: Any) -> "fields.List[Any]":
    return _some(fields.String(validate=validate.OneOf([each.value for each in kind])))


def _text(description: str) -> "fields.List[Any]":
    return _some(fields.String(validate=SHORT), metadata={"description": description})


WORDS = (
    "Words, each of which must be found: the beginning of a word anywhere in the method, a part of a code, a "
    "name of an LMO or element in any spelling, or at least six bases of an oligo on either strand."
)


class SearchSchema(Schema):
    """What is looked for. A filter given several times takes any of its values; filters narrow together."""

    q = fields.String(load_default="", validate=SHORT, metadata={"description": WORDS})
    specificity = _one_of(Specificity)
    technique = _one_of(Technique)
    quantitative = _some(fields.Boolean())
    validated = _some(
        fields.Boolean(), metadata={"description": "Whether a validation study or figures are on record."}
    )
    origin = _one_of(MethodOrigin)
    state = _one_of(MethodState)
    rights = _one_of(Right)
    accreditation = _some(
        fields.Boolean(), metadata={"description": "Whether the laboratory states an accreditation."}
    )
    year = _some(
        fields.Integer(validate=validate.Range(1900, 2200)),
        metadata={
            "description": "Year of the newest study or of the validation; else of the newest source; else "
            "of publication here."
        },
    )
    taxon = _text("Scientific or common name.")
    target = fields.String(load_default="", validate=SHORT, metadata={"description": "A part of the target."})
    lmo = _text("Unique identifier, event or another name.")
    element = _text("Name of a genetic element.")
    laboratory = _text("Code of the laboratory.")
    matrix = _text("Matrix that the method was tried on.")

    @post_load
    def _as_texts(self, given: dict[str, Any], **_more: Any) -> dict[str, Any]:
        for name in ("quantitative", "validated", "accreditation", "year"):
            given[name] = [str(value).lower() for value in given[name]]
        return given


class MethodArguments(SearchSchema, ListArguments):
    """The filters, order and page of the list."""

    q = fields.String(load_default="", validate=SHORT, metadata={"description": WORDS})
    sort = fields.String(
        load_default="",
        validate=validate.Length(max=60),
        metadata={
            "description": f"One of {', '.join(SORT_NAMES)}; with a minus the other way round. Words are "
            "answered with the best match first, everything else by code."
        },
    )


class FacetArguments(SearchSchema):
    """The filters under which values are counted."""

    most = fields.Integer(
        load_default=20,
        validate=validate.Range(1, 100),
        metadata={"description": "The commonest values of each facet to give."},
    )
    lang = fields.String(load_default="", validate=validate.Length(max=5))


class FacetValue(Schema):
    """One value of a facet, and how many methods would be found with it."""

    value = fields.String()
    count = fields.Integer()
    chosen = fields.Boolean()


class FacetOut(Schema):
    """The values of one facet under the choices made in all others."""

    facet = fields.String()
    number_of_values = fields.Integer()
    values = fields.List(fields.Nested(FacetValue))


class FacetsOut(Schema):
    """How many methods are found, and how many of each kind."""

    total = fields.Integer()
    facets = fields.List(fields.Nested(FacetOut))


class MethodRow(Schema):
    """A method in the list."""

    code = fields.String()
    version = fields.Integer()
    state = fields.String()
    title = fields.String()
    specificity = fields.String()
    technique = fields.String()
    quantitative = fields.Boolean()
    validated = fields.Boolean()
    target = fields.String()
    taxon_scientific = fields.String(allow_none=True)
    taxon_common = fields.String(allow_none=True)
    amplicon_bp = fields.Integer(allow_none=True)
    rights = fields.List(fields.String())
    year = fields.Integer(allow_none=True)
    origin = fields.String()
    verified = fields.Boolean(allow_none=True)
    laboratory = fields.String(allow_none=True)
    published_at = fields.DateTime(allow_none=True)


class SavedSearchIn(Schema):
    """A search to keep: its name, its filters as the list takes them, and how often to mail new matches."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=100))
    filters = fields.Nested(SearchSchema, load_default=dict)
    alert = fields.Enum(Alert, by_value=True, load_default=Alert.NONE)


class SavedSearchChange(Schema):
    """What of a saved search to replace."""

    name = fields.String(validate=validate.Length(min=1, max=100))
    filters = fields.Nested(SearchSchema)
    alert = fields.Enum(Alert, by_value=True)


class SavedSearchForm(Schema):
    """The form that keeps a search; its filters stand in the address."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=100))
    alert = fields.Enum(Alert, by_value=True, load_default=Alert.NONE)


class AlertForm(Schema):
    """How often new matches are mailed."""

    alert = fields.Enum(Alert, by_value=True, required=True)


class SavedSearchOut(Schema):
    """A saved search."""

    id = fields.Integer()
    name = fields.String()
    filters = fields.Dict()
    alert = fields.String()
    created_at = fields.DateTime()
    ran_at = fields.DateTime()
    address = fields.String(metadata={"description": "The list with these filters."})
