"""The table of doors: every endpoint and what it asks for. An endpoint that is not in it is shut.

Each ``api.py`` and ``views.py`` holds an ``ACCESS`` mapping of view function to ``PUBLIC``,
``SIGNED_IN`` or an action of ``accounts/policy.py``; ``create_app`` joins them.
"""

from collections.abc import Mapping

from flask import Blueprint, Flask, current_app
from werkzeug.routing import IntegerConverter

from labhub.accounts.policy import RULES

PUBLIC = "public"
SIGNED_IN = "signed-in"

TABLE = "labhub.access"


class RecordNumber(IntegerConverter):
    """The number of a record in an address; one that no database could hold is no address (404)."""

    regex = r"\d{1,9}"


def protect(app: Flask, blueprint: Blueprint, access: Mapping[str, str]) -> None:
    """Add the rows of a blueprint to the table; an unknown action stops the start."""
    table = app.extensions.setdefault(TABLE, {})
    for view, need in access.items():
        if need not in (PUBLIC, SIGNED_IN) and need not in RULES:
            raise ValueError(f"{blueprint.name}.{view} asks for {need!r}, which is not in the policy")
        table[f"{blueprint.name}.{view}"] = need


def need_of(endpoint: str | None) -> str | None:
    """Return what an endpoint asks for; nothing when it is not in the table."""
    table: dict[str, str] = current_app.extensions[TABLE]
    return table.get(endpoint or "")
