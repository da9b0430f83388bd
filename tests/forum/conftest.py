"""Fixtures of the tests of discussions."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from labhub.accounts.actor import Role
from tests.factories import PASSWORD, make_user


class Browser:
    """A person's browser: signed in, sends forms with what the page put into them."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def page(self, address: str) -> str:
        """Return the text of a page."""
        response = self.client.get(address)
        assert response.status_code == 200, (address, response.status_code)
        return response.get_data(as_text=True)

    def send(self, address: str, form: dict[str, object], *, of: str | None = None) -> tuple[int, str, str]:
        """Send a form with the tokens of page ``of``; return status, text and location."""
        page = self.page(of or address)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        once = re.search(r'name="once" value="([^"]+)"', page)
        assert token
        hidden = {"csrf_token": token[1], **({"once": once[1]} if once else {})}
        response = self.client.post(address, data={**hidden, **form})
        return response.status_code, response.get_data(as_text=True), response.headers.get("Location", "")


@pytest.fixture
def browser(app: Flask) -> Callable[..., Browser]:
    """A function that signs a new person with roles in."""

    def sign_in(*roles: Role, **who: object) -> Browser:
        user = make_user(*roles, password=PASSWORD, **who)  # type: ignore[arg-type]
        person = Browser(app.test_client())
        status, text, _location = person.send(
            "/sign-in", {"email": user.email, "password": PASSWORD, "next": "/"}
        )
        assert status == 303, text
        return person

    return sign_in
