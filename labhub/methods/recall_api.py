"""JSON addresses of notices for the one who receives them."""

from flask import Response

from labhub.db import transaction
from labhub.methods import recall_commands, recall_queries
from labhub.methods import review_schemas as schemas
from labhub.methods.schemas import EmptyIn
from labhub.web.access import SIGNED_IN
from labhub.web.api import Blueprint, answer_record
from labhub.web.auth import current_actor
from labhub.web.json import dumps

blp = Blueprint(
    "api_recalls",
    __name__,
    url_prefix="/api/v1/recalls",
    description="Recalls and change notices of methods that one has downloaded",
)

BLUEPRINTS = (blp,)
ACCESS = {blp: {"index": SIGNED_IN, "show": SIGNED_IN, "acknowledge": SIGNED_IN}}


@blp.get("")
@blp.response(200, schemas.NoticeOut(many=True))
@blp.refuses(401)
def index() -> Response:
    """List the notices that were sent to oneself, newest first."""
    rows = [recall_queries.notice_as_data(row) for row in recall_queries.list_own_notices(current_actor())]
    return Response(dumps(rows), mimetype="application/json")


@blp.get("/<int:recall_id>")
@blp.response(200, schemas.NoticeOut)
@blp.refuses(401, 404)
def show(recall_id: int) -> Response:
    """Show a notice that was sent to oneself."""
    return answer_record(
        recall_queries.notice_as_data(recall_queries.find_own_notice(current_actor(), recall_id))
    )


@blp.post("/<int:recall_id>/acknowledgement")
@blp.arguments(EmptyIn)
@blp.response(200, schemas.NoticeOut)
@blp.refuses(401, 403, 404, 409, 422)
def acknowledge(given: dict[str, object], recall_id: int) -> Response:
    """Confirm that one has read a recall."""
    with transaction():
        row = recall_commands.acknowledge(current_actor(), recall_id)
        return answer_record(recall_queries.notice_as_data(row))
