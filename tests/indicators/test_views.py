"""The pages of indicators."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from labhub.accounts.actor import Role
from labhub.config import PROJECT_FOLDER
from labhub.db import transaction
from labhub.indicators.commands import load_seeds
from tests.factories import bearer, make_actor, make_party, make_use, make_user

MARCH = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def seeded(app: Flask) -> None:
    with transaction():
        load_seeds(PROJECT_FOLDER / "seeds")


def page(client: FlaskClient, address: str, **headers: str) -> str:
    response = client.get(address, headers=headers)
    assert response.status_code == 200
    return response.get_data(as_text=True)


@pytest.mark.usefixtures("seeded")
def test_all_activities_and_indicators_are_listed(client: FlaskClient) -> None:
    text = page(client, "/indicators")
    assert text.count("not computed yet") == 24
    assert "Nothing has been downloaded yet." in text
    assert "A14.2" in text


@pytest.mark.usefixtures("seeded")
def test_figure_page_shows_parties_to_the_secretariat_only(client: FlaskClient) -> None:
    make_use(make_actor(party=make_party("BR")), at=MARCH)
    visitor = page(client, "/indicators/A08.2")
    assert "1 download (all years)" in visitor
    assert "Brazil" not in visitor
    assert "rows behind" not in visitor
    secretariat = bearer(make_user(Role.SECRETARIAT))
    text = page(client, "/indicators/A08.2?year=2026", **secretariat)
    assert "Brazil" in text
    assert "rows behind" in text
    assert client.get("/indicators/A08.2?by=party").status_code == 403


@pytest.mark.usefixtures("seeded")
def test_indicator_without_figure_says_so(client: FlaskClient) -> None:
    text = page(client, "/indicators/A13.1")
    assert "does not compute this figure yet" in text
    assert "not verified: from memory" in text


@pytest.mark.usefixtures("seeded")
def test_rows_page_says_why_rows_were_dropped(client: FlaskClient) -> None:
    actor = make_actor()
    make_use(actor, at=MARCH)
    make_use(actor, at=MARCH.replace(second=10))
    make_use(at=MARCH, agent="curl/8.14.1")
    secretariat = bearer(make_user(Role.SECRETARIAT))
    text = page(client, "/indicators/A08.2/records?year=2026", **secretariat)
    for words in ("3 rows", "counted", "again within 30 seconds", "robot or script", "LH-1", "KE"):
        assert words in text
    assert "There are no rows" in page(client, "/indicators/A08.2/records?year=2025", **secretariat)
    assert client.get("/indicators/A08.2/records").status_code == 303


@pytest.mark.usefixtures("seeded")
def test_unknown_indicator_is_not_found(client: FlaskClient) -> None:
    assert client.get("/indicators/B01").status_code == 404
