"""The addresses of indicators."""

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
FIGURE = "/api/v1/indicators/A08.2"


@pytest.fixture
def seeded(app: Flask) -> None:
    with transaction():
        load_seeds(PROJECT_FOLDER / "seeds")


@pytest.mark.usefixtures("seeded")
def test_lists(client: FlaskClient) -> None:
    indicators = client.get("/api/v1/indicators").get_json()
    assert len(indicators) == 25
    assert [row["code"] for row in indicators if row["computed"]] == ["A08.2"]
    assert indicators[0]["activity"] == "A01"
    assert len(client.get("/api/v1/activities").get_json()) == 14
    assert [row["code"] for row in client.get("/api/v1/indicators?q=downloads").get_json()] == [
        "A05.2",
        "A08.2",
    ]
    assert client.get("/api/v1/indicators?sort=nothing").status_code == 400
    assert client.get("/api/v1/indicators?unknown=1").status_code == 400


@pytest.mark.usefixtures("seeded")
def test_figure_by_year_for_everybody(client: FlaskClient) -> None:
    make_use(make_actor(), at=MARCH)
    answer = client.get(FIGURE).get_json()
    assert (answer["value"], answer["by"], answer["gap"], answer["period"]) == (1, {"2026": 1}, 0, "all")
    assert client.get("/api/v1/indicators/a08.2?year=2025").get_json()["value"] == 0
    assert client.get("/api/v1/indicators/A13.1").get_json()["value"] is None
    assert client.get(FIGURE + "?from=2026-03-02&to=2026-03-02&by=quarter").get_json()["by"] == {"2026-Q1": 1}


@pytest.mark.usefixtures("seeded")
def test_figure_by_party_for_those_who_may(client: FlaskClient) -> None:
    kenya = make_party()
    make_use(make_actor(party=kenya), at=MARCH)
    make_use(make_actor(party=make_party("BR")), at=MARCH)
    url = FIGURE + "?year=2026&by=party"
    assert client.get(url).status_code == 403
    assert client.get(url, headers=bearer(make_user())).status_code == 403
    secretariat = bearer(make_user(Role.SECRETARIAT))
    assert client.get(url, headers=secretariat).get_json()["by"] == {"KE": 1, "BR": 1}
    assert client.get(FIGURE, headers=secretariat).get_json()["by"] == {"KE": 1, "BR": 1}
    focal_point = bearer(make_user(Role.FOCAL_POINT, party=kenya))
    assert client.get(url, headers=focal_point).get_json()["by"] == {"KE": 1}


@pytest.mark.usefixtures("seeded")
def test_bad_filters_are_refused(client: FlaskClient) -> None:
    for query in (
        "year=1999",
        "year=x",
        "by=person",
        "year=2026&from=2026-01-01",
        "from=2026-02-01&to=2026-01-01",
        "from=yesterday",
        "unknown=1",
    ):
        for address in (FIGURE, "/indicators/A08.2"):
            assert (address, query, client.get(f"{address}?{query}").status_code) == (address, query, 400)


@pytest.mark.usefixtures("seeded")
def test_rows_are_for_the_secretariat(client: FlaskClient) -> None:
    make_use(make_actor(), at=MARCH)
    make_use(at=MARCH, agent="curl/8.14.1")
    url = FIGURE + "/records?page_size=1&sort=at"
    assert client.get(url).status_code == 401
    assert client.get(url, headers=bearer(make_user(Role.FOCAL_POINT))).status_code == 403
    secretariat = bearer(make_user(Role.SECRETARIAT))
    answer = client.get(url, headers=secretariat)
    (row,) = answer.get_json()
    assert (row["item"], row["party"], row["verdict"]) == ("LH-1", "KE", "counted")
    assert '"total":2' in answer.headers["X-Pagination"]
    assert client.get("/api/v1/indicators/A13.1/records", headers=secretariat).status_code == 404
    assert client.get("/api/v1/indicators/B01/records", headers=secretariat).status_code == 404


@pytest.mark.usefixtures("seeded")
def test_gap_is_shown(app: Flask, client: FlaskClient) -> None:
    app.extensions["labhub.usage_spool"].add({"uuid": "a row that waits"})
    assert client.get(FIGURE).get_json()["gap"] == 1
    assert "1 download waits" in client.get("/indicators").get_data(as_text=True)
    assert "1 download waits" in client.get("/indicators/A08.2").get_data(as_text=True)
