"""Pages' downloads of methods: one version or several in every format; links of a version for programs."""

from typing import Any

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from marshmallow import RAISE, Schema, ValidationError
from webargs.multidictproxy import MultiDictProxy

from labhub.errors import NotFound, Refusal
from labhub.i18n import _
from labhub.methods import download_queries, metadata, pack_schemas, queries
from labhub.web import method_downloads
from labhub.web.access import PUBLIC
from labhub.web.auth import current_actor
from labhub.web.errors import flat_messages
from labhub.web.json import dumps

bp = Blueprint("method_packs", __name__)

ACCESS = {"together": PUBLIC, "pack": PUBLIC, "linkset": PUBLIC}


def _given(schema: Schema) -> dict[str, Any]:
    """Return the arguments of the address; empty ones, and those of the list's own, count as not given."""
    sent: dict[str, Any] = {}
    for name, value in MultiDictProxy(request.args, schema).items():
        kept = [each for each in value if each != ""] if isinstance(value, list) else value
        if kept not in ("", []) and name not in ("page_size", "sort"):
            sent[name] = kept
    try:
        given: dict[str, Any] = schema.load(sent, unknown=RAISE)
    except ValidationError as error:
        raise Refusal(
            _("Say the version by its number and one of the formats offered."),
            errors=flat_messages(error.messages),
        ) from error
    return given


@bp.get("/methods/download")
def together() -> ResponseReturnValue:
    """Download the published methods that fit as one file."""
    given = _given(pack_schemas.TogetherArguments())
    return method_downloads.several(given, given["format"])


@bp.get("/methods/pack")
def pack() -> ResponseReturnValue:
    """Download the published methods that fit as a pack."""
    return method_downloads.several(_given(pack_schemas.PackArguments()), "zip")


@bp.get("/methods/<code>/versions/<int:number>/linkset")
def linkset(code: str, number: int) -> ResponseReturnValue:
    """Return the links of a version as a linkset (RFC 9264)."""
    actor = current_actor()
    version = queries.find_version(actor, code, number)
    base = method_downloads.place().base
    (edition,) = download_queries.editions_of(actor, [version], base)
    if not edition.is_published:
        raise NotFound(_("Version %(number)s of method %(code)s is not published.", number=number, code=code))
    return current_app.response_class(dumps(metadata.linkset(edition)), mimetype="application/linkset+json")
