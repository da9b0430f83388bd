"""JSON in and out: orjson for speed, strict on the way in (``trust.md`` C11)."""

import json
from datetime import date, datetime
from typing import Any

import orjson
from flask import Request
from flask.json.provider import JSONProvider
from webargs import core
from webargs.flaskparser import FlaskParser, is_json_request

from labhub.errors import TooLarge
from labhub.i18n import Message, _

DEEPEST = 32
LARGEST_BODY_BYTES = 1 << 20
LARGEST_INTEGER = 2**63 - 1


def dumps(value: Any) -> bytes:
    """Encode as UTF-8 JSON; instants as ISO 8601 in UTC."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def loads(text: bytes | str) -> Any:
    """Decode strict JSON; raises ``ValueError`` for what another reader could take differently."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    orjson.loads(raw)  # refuses NaN, Infinity, lone surrogates, bad UTF-8
    value = json.loads(raw, object_pairs_hook=_no_duplicates)
    _check(value, 0)
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
    elif isinstance(value, str):
        if "\x00" in value:
            raise ValueError("a NUL sign")
    elif isinstance(value, int) and not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
        raise ValueError("a number beyond 64 bits")
    elif isinstance(value, float) and value in (float("inf"), float("-inf")):
        raise ValueError("a number that is too large")


class Provider(JSONProvider):
    """Flask's JSON by orjson."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Encode."""
        return dumps(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Decode strictly."""
        return loads(s)


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
            return core.missing
        if (req.content_length or 0) > LARGEST_BODY_BYTES:
            raise TooLarge(_("A JSON body may have at most %(limit)s bytes.", limit=LARGEST_BODY_BYTES))
        try:
            return loads(req.get_data(cache=True))
        except (ValueError, RecursionError) as error:
            raise json.JSONDecodeError(str(error), "", 0) from error


def iso(value: datetime | date | None) -> str | None:
    """Return an instant or day as the API writes it."""
    if value is None:
        return None
    return value.isoformat().replace("+00:00", "Z")
