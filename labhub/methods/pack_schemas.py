"""What downloads of several methods take."""

from marshmallow import fields, validate

from labhub.methods.download_queries import MOST_TOGETHER, TOGETHER
from labhub.methods.find_schemas import SearchSchema

CODES = fields.List(
    fields.String(validate=validate.Length(max=60)),
    load_default=list,
    validate=validate.Length(max=MOST_TOGETHER),
    metadata={"description": "Codes of methods; without any, the filters choose."},
)


class PackArguments(SearchSchema):
    """Which methods: by their codes, or by the filters of the list."""

    code = CODES
    lang = fields.String(load_default="", validate=validate.Length(max=5))


class TogetherArguments(PackArguments):
    """Which methods, and in which form."""

    format = fields.String(
        load_default="json",
        validate=validate.Length(max=20),
        metadata={"description": f"One of {', '.join(TOGETHER)}."},
    )
