"""Forms: read by the same marshmallow schemas as the API."""

from typing import Any

from flask import request
from marshmallow import RAISE, Schema, ValidationError, fields

from labhub.errors import Invalid, Refusal
from labhub.i18n import _
from labhub.web.errors import flat_messages

OWN_FIELDS = frozenset({"csrf_token", "once", "row_version", "lang"})
"""Fields that the layout adds to forms."""


def load_form(schema: Schema, *, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the checked values of the submitted form, or raise ``Invalid`` with a text per field.

    Empty texts count as not given. A field that the schema does not know is refused.
    """
    given: dict[str, Any] = {}
    for name in request.form:
        if name in OWN_FIELDS:
            continue
        values = [value for value in request.form.getlist(name) if value.strip()]
        if any("\x00" in value for value in values):
            raise Invalid(_("Invisible or control characters are not allowed here."), field=name)
        if values:
            given[name] = values if name.endswith("[]") else values[0]
    given.update(extra or {})
    return load(schema, given)


def load(schema: Schema, given: Any) -> dict[str, Any]:
    """Return checked values, or raise ``Invalid`` with the field's texts."""
    try:
        values: dict[str, Any] = schema.load(given, unknown=RAISE)
    except ValidationError as error:
        raise Invalid(_("Please correct the marked fields."), errors=flat_messages(error.messages)) from error
    return values


def load_query(schema: Schema) -> dict[str, Any]:
    """Return the checked filters of the address; empty ones count as not given, lists take all values."""
    given: dict[str, Any] = {}
    for name, values in request.args.lists():
        kept = [value for value in values if value]
        if kept:
            given[name] = kept if isinstance(schema.fields.get(name), fields.List) else kept[-1]
    try:
        found: dict[str, Any] = schema.load(given, unknown=RAISE)
    except ValidationError as error:
        raise Refusal(
            _("This list does not know such a filter or value."), errors=flat_messages(error.messages)
        ) from error
    return found


def local_path(target: str | None, fallback: str) -> str:
    """Return ``target`` if it is a path of this site, else ``fallback`` (``trust.md`` C8)."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return fallback
    if any(ord(sign) < 33 or sign == "\\" for sign in target):
        return fallback
    return target
