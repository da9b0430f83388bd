"""JSON addresses of what published methods find in sealed events."""

from flask import Response

from labhub.methods import queries, sealed_queries, sealed_schemas
from labhub.sequences import sealed_commands
from labhub.sequences import sealed_queries as sealed
from labhub.web.api import Blueprint
from labhub.web.auth import current_actor
from labhub.web.json import dumps

blp = Blueprint(
    "api_method_sealed", __name__, url_prefix="/api/v1", description="Published methods and sealed events"
)

BLUEPRINTS = (blp,)
ACCESS = {blp: {"events": "sealed.use", "methods": "sealed.use"}}


@blp.get("/methods/<code>/sealed-events")
@blp.response(200, sealed_schemas.SealedMethodEvent(many=True))
@blp.refuses(403, 404)
def events(code: str) -> Response:
    """Show which of the sealed events that the caller may use a published method finds."""
    actor = current_actor()
    method = queries.find_published_version(code).method
    sealed_commands.note_methods_read(actor, sealed.usable_records(actor), "api")
    rows = [
        {"event": record.event, "lmo": record.lmo or None, "answer": answer}
        for record, answer in sealed_queries.events_of(actor, method)
    ]
    return Response(dumps(rows), mimetype="application/json")


@blp.get("/sealed-events/<name>/methods")
@blp.response(200, sealed_schemas.SealedEventMethod(many=True))
@blp.refuses(403, 404)
def methods(name: str) -> Response:
    """Show which published methods find a sealed event (by its LMO's address or its accession)."""
    actor = current_actor()
    records = sealed.find_event(actor, name)
    sealed_commands.note_methods_read(actor, records, "api")
    rows = [
        {"code": row.code, "title": row.title, "answer": row.answer}
        for row in sealed_queries.methods_of(actor, records)
    ]
    return Response(dumps(rows), mimetype="application/json")
