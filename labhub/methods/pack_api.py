"""JSON addresses' downloads of methods: one version or several in every format."""

from typing import Any

from flask import Response

from labhub.methods import pack_schemas
from labhub.web import method_downloads
from labhub.web.access import PUBLIC
from labhub.web.api import Blueprint

blp = Blueprint(
    "api_method_packs", __name__, url_prefix="/api/v1/methods", description="Downloads of detection methods"
)

BLUEPRINTS = (blp,)
ACCESS = {blp: {"together": PUBLIC, "pack": PUBLIC}}


@blp.get("/download")
@blp.arguments(pack_schemas.TogetherArguments, location="query")
@blp.response(200)
@blp.refuses(400, 404, 413, 503)
def together(arguments: dict[str, Any]) -> Response:
    """Download the published methods that fit as one file: tables, oligos, RDML, compendium, pack."""
    return method_downloads.several(arguments, arguments["format"])


@blp.get("/pack")
@blp.arguments(pack_schemas.PackArguments, location="query")
@blp.response(200)
@blp.refuses(400, 404, 413, 503)
def pack(arguments: dict[str, Any]) -> Response:
    """Download the published methods that fit as a ZIP pack with manifest, licences and citation."""
    return method_downloads.several(arguments, "zip")
