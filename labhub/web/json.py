"""JSON in and out: orjson for speed, strict on the way in (``trust.md`` C11)."""

import json
from datetime import date, datetime
from typing import Any

import orjson
from flask import Request
from flask.json.provider import JSONProvider
from webargs import core
from webargs.flaskparser import FlaskParser, is_json_request
from werkzeug.exceptions import UnsupportedMediaType

from labhub import strict_json
from labhub.errors import TooLarge
from labhub.i18n import Message, _

LARGEST_BODY_BYTES = 1 << 20


def dumps(value: Any) -> bytes:
    """Encode as UTF-8 JSON; instants as ISO 8601 in UTC."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Provider(JSONProvider):
    """Flask's JSON by orjson."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Encode."""
        return dumps(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Decode strictly."""
        return strict_json.loads(s)


class StrictParser(FlaskParser):
    """The argument reader of the API: strict JSON, and nothing that the schema does not know."""

    DEFAULT_UNKNOWN_BY_LOCATION = {
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "json": "raise",
        "query": "raise",
        "query_string": "raise",
        "form": "raise",
        "files": "raise",
    }

    def _raw_load_json(self, req: Request) -> Any:
        if not is_json_request(req):
            if req.content_length:
                raise UnsupportedMediaType
            return core.missing
        if (req.content_length or 0) > LARGEST_BODY_BYTES:
            raise TooLarge(_("A JSON body may have at most %(limit)s bytes.", limit=LARGEST_BODY_BYTES))
        try:
            return strict_json.loads(req.get_data(cache=True))
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from error


def iso(value: datetime | date | None) -> str | None:
    """Return an instant or day as the API writes it."""
    if value is None:
        return None
    return value.isoformat().replace("+00:00", "Z")
