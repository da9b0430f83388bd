"""What downloads of several methods take."""

from marshmallow import fields, validate

from labhub.methods import schemas
from labhub.methods.download_queries import MOST_TOGETHER, TOGETHER

CODES = fields.List(
    fields.String(validate=validate.Length(max=60)),
    load_default=list,
    validate=validate.Length(max=MOST_TOGETHER),
    metadata={"description": "Codes of methods; without any, the filters choose."},
)


class PackArguments(schemas.MethodArguments):
    """Which methods: by their codes, or by the filters of the list."""

    class Meta:
        exclude = ("page", "page_size", "sort")

    code = CODES


class TogetherArguments(PackArguments):
    """Which methods, and in which form."""

    format = fields.String(
        load_default="json",
        validate=validate.Length(max=20),
        metadata={"description": f"One of {', '.join(TOGETHER)}."},
    )
