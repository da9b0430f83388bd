"""JSON addresses of accounts."""

from flask import Response

from labhub.accounts.queries import user_by_id
from labhub.web.access import SIGNED_IN
from labhub.web.api import Blueprint, answer_record
from labhub.web.auth import current_actor

users = Blueprint("api_users", __name__, url_prefix="/api/v1/users", description="One's own account")

BLUEPRINTS = (users,)
ACCESS = {users: {"me": SIGNED_IN}}


@users.get("/me")
def me() -> Response:
    """Show the account that this request is made with."""
    user = user_by_id(current_actor().user_id or 0)
    return answer_record({"id": user.id, "name": user.name, "email": user.email}, user.row_version)
