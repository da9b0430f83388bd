"""The OpenAPI description: open to everybody, in the table of doors like all else."""

from flask import Flask

from labhub.web.access import PUBLIC, TABLE


def init_docs(app: Flask) -> None:
    """Open the addresses that Flask and flask-smorest add by themselves."""
    table = app.extensions.setdefault(TABLE, {})
    table["static"] = PUBLIC
    for endpoint in app.view_functions:
        if endpoint.startswith("api-docs."):
            table[endpoint] = PUBLIC
