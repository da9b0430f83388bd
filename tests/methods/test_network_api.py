"""JSON addresses and pages of capabilities, who can run a method, coverage and conflicts."""

import csv
from io import BytesIO, StringIO

import pytest
from flask import Flask
from flask.testing import FlaskClient

from labhub.accounts.actor import Role
from labhub.db import transaction
from labhub.methods import names_commands
from tests.conftest import FakeClock
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    make_actor,
    make_capability,
    make_citable_version,
    make_laboratory,
    make_lmo,
    make_method,
    make_user,
    submit,
)

OWN = "/api/v1/laboratories/LAB-A/capabilities"


@pytest.fixture
def manager(app: Flask) -> dict[str, str]:
    """The headers of a manager of LAB-A; QT-1 is published."""
    make_citable_version("QT-1")
    return bearer(make_user(Role.MANAGER, laboratory=make_laboratory("LAB-A")))


@pytest.mark.req("E1")
def test_an_entry_is_added_changed_confirmed_and_removed(
    client: FlaskClient, manager: dict[str, str]
) -> None:
    made = client.post(OWN, json={"method": "QT-1", "turnaround_days": 5}, headers=manager)
    assert (made.status_code, made.headers["Location"]) == (201, f"{OWN}/QT-1")
    assert made.get_json()["current"] is True
    etag = made.headers["ETag"]
    address = f"{OWN}/QT-1"
    assert client.patch(address, json={"note": "x"}, headers=manager).status_code == 428
    changed = client.patch(address, json={"note": "x"}, headers={**manager, "If-Match": etag})
    assert (changed.status_code, changed.get_json()["note"]) == (200, "x")
    stale = client.patch(address, json={"note": "y"}, headers={**manager, "If-Match": etag})
    assert stale.status_code == 412
    etag = changed.headers["ETag"]
    confirmed = client.post(f"{address}/confirmation", json={}, headers={**manager, "If-Match": etag})
    assert confirmed.status_code == 200
    gone = client.delete(address, headers={**manager, "If-Match": confirmed.headers["ETag"]})
    assert gone.status_code == 204
    assert client.get(address).status_code == 404


def test_wrong_entries_are_refused_by_field(client: FlaskClient, manager: dict[str, str]) -> None:
    for record, field in (
        ({"method": "QT-1", "valid_until": "2000-01-01"}, "valid_until"),
        ({"method": "QT-1", "accreditation_body": "KENAS"}, "accreditation_body"),
        ({"method": "QT-1", "turnaround_days": 0}, "turnaround_days"),
        ({"method": "QT-1", "colour": "red"}, "colour"),
        ({"method": "QT-9"}, "method"),
        ({}, "method"),
    ):
        answer = client.post(OWN, json=record, headers=manager)
        assert answer.status_code == 422, record
        assert field in answer.get_json()["errors"], answer.get_json()


@pytest.mark.req("E3")
def test_the_same_key_adds_once(client: FlaskClient, manager: dict[str, str]) -> None:
    headers = {**manager, "Idempotency-Key": "one"}
    first = client.post(OWN, json={"method": "QT-1"}, headers=headers)
    again = client.post(OWN, json={"method": "QT-1"}, headers=headers)
    assert (first.status_code, again.status_code, first.data) == (201, 201, again.data)


@pytest.mark.req("A2")
def test_a_hidden_list_is_empty_for_others(client: FlaskClient, manager: dict[str, str]) -> None:
    client.post(OWN, json={"method": "QT-1"}, headers=manager)
    etag = client.get(OWN, headers=manager).headers["ETag"]
    assert client.patch(OWN, json={"listed": False}, headers=manager).status_code == 428
    hidden = client.patch(OWN, json={"listed": False}, headers={**manager, "If-Match": etag})
    assert hidden.get_json() == {"listed": False}
    assert client.get(OWN).get_json() == []
    assert client.get(f"{OWN}/QT-1").status_code == 404
    assert client.get("/api/v1/capabilities").get_json() == []
    assert len(client.get(OWN, headers=manager).get_json()) == 1


def test_csv_goes_out_and_in(client: FlaskClient, manager: dict[str, str]) -> None:
    client.post(OWN, json={"method": "QT-1", "note": "=1+1"}, headers=manager)
    table = client.get(f"{OWN}?format=csv", headers=manager)
    (row,) = csv.DictReader(StringIO(table.get_data(as_text=True)))
    assert row["note"] == "'=1+1"
    sent = client.post(f"{OWN}/import", data={"file": (BytesIO(table.data), "own.csv")}, headers=manager)
    assert sent.status_code == 200
    assert [line["outcome"] for line in sent.get_json()["rows"]] == ["unchanged"]


def test_who_can_run_is_searched_by_everything(
    app: Flask, client: FlaskClient, fake_clock: FakeClock
) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6")
    code = make_method(state="published").method.code
    actor = make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-A"))
    make_capability(code, actor, accredited=True, material="Maize powder", material_code="ERM-BF413")
    make_citable_version("QT-2")
    make_capability("QT-2")
    who = "/api/v1/capabilities"
    for query in (
        f"method={code}",
        "lmo=MON-ØØ81Ø-6",
        "accredited=true",
        "material=bf413",
        "laboratory=lab-a",
        "party=ke&method=" + code,
        "lmo=mon810&today=true",
    ):
        rows = client.get(f"{who}?{query}").get_json()
        assert [(row["laboratory"], row["method"]) for row in rows] == [("LAB-A", code)], query
    assert client.get(f"{who}?lmo=nothing").get_json() == []
    assert client.get(f"{who}?colour=red").status_code == 400
    fake_clock.forward(days=400)
    (row,) = client.get(f"{who}?method={code}").get_json()
    assert (row["current"], row["expired"]) == (False, True)
    assert client.get(f"{who}?method={code}&today=true").get_json() == []


def test_the_coverage_map_is_given_as_json_and_csv(app: Flask, client: FlaskClient) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6")
    code = make_method(state="published").method.code
    make_capability(code, make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-A")))
    (row,) = client.get("/api/v1/coverage").get_json()
    assert (row["best_today"], row["by"]["event"]["laboratories"]) == ("event", ["LAB-A"])
    assert row["gaps"] == ["no-claims"]
    one = client.get("/api/v1/coverage/mon810").get_json()
    assert one["methods"]["event"][0]["code"] == code
    table = client.get("/api/v1/coverage?format=csv&party=KE").get_data(as_text=True)
    assert len(table.splitlines()) == 2
    assert client.get("/api/v1/coverage?party=XX").status_code == 404
    assert client.get("/api/v1/coverage/nothing").status_code == 404


def test_conflicts_are_listed_with_how_to_mend_them(app: Flask, client: FlaskClient) -> None:
    make_lmo("MON810", other_names=["YieldGard"])
    make_lmo("NK603", other_names=["YieldGard"])
    secretariat = bearer(make_user(Role.SECRETARIAT))
    assert client.post("/api/v1/conflicts/refresh", json={}, headers=secretariat).get_json() == {
        "conflicts": 1
    }
    (row,) = client.get("/api/v1/conflicts?kind=claimed-name").get_json()
    assert "MON810 / NK603" in row["explanation"] and row["remedy"]
    table = client.get("/api/v1/conflicts?format=csv").get_data(as_text=True)
    assert "claimed-name,YieldGard" in table


def test_doubts_are_answered_as_warnings(app: Flask, client: FlaskClient) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6")
    author = make_user(Role.ANALYST, laboratory=make_laboratory())
    code = make_method(actor=make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-A")),
                       targets=["MON180"]).method.code  # fmt: skip
    manager = bearer(make_user(Role.MANAGER, laboratory=make_laboratory("LAB-B")))
    assert client.get(f"/api/v1/methods/{code}", headers=manager).status_code == 404
    made = client.post("/api/v1/methods", json={"title": "A", "specificity": "event", "technique": "qpcr",
                       "quantitative": True, "targets": ["MON180"]}, headers=bearer(author))  # fmt: skip
    assert made.status_code == 201
    assert any("Did you mean MON810?" in text for text in made.get_json()["warnings"])


# Pages ---------------------------------------------------------------------------------------


def test_a_manager_says_by_page_what_the_laboratory_runs(app: Flask) -> None:
    make_citable_version("QT-1")
    user = make_user(Role.MANAGER, laboratory=make_laboratory("LAB-A"), password=PASSWORD)
    browser = browser_of(app, user)
    address = "/laboratories/LAB-A/capabilities"
    refused = submit(browser, address, method="QT-1", runs="true", valid_until="2000-01-01")
    assert refused.status_code == 422 and "This day has passed" in refused.text
    assert submit(browser, address, method="QT-1", runs="true", turnaround_days="5").status_code == 303
    page = browser.get(address).text
    assert "QT-1" in page and "5 days" in page
    assert "QT-1" in app.test_client().get("/laboratories/LAB-A").text
    assert browser.get(f"{address}/QT-1/edit").status_code == 200
    assert app.test_client().get(f"{address}/QT-1/edit").status_code == 303


def test_pages_show_who_can_detect_an_lmo(app: Flask, client: FlaskClient) -> None:
    lmo = make_lmo("MON810", unique_identifier="MON-00810-6", claims=[
        {"element": "P-35S", "sign": "has", "source": "A", "verified": True}])  # fmt: skip
    event = make_method(state="published").method.code
    screening = make_method(
        state="published", specificity="screening", title="S", targets=["P-35S"], lmo_unique_identifiers=[]
    ).method.code
    make_capability(event, make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-A")))
    with transaction():
        names_commands.tidy_names()
    lmo_page = client.get(f"/lmos/{lmo.slug}").text
    assert event in lmo_page and screening in lmo_page and "LAB-A" in lmo_page
    assert screening in client.get("/elements/p-35s").text
    for address in ("/methods/who", "/coverage", "/coverage?lmo=MON810", "/methods/conflicts", "/matrix"):
        assert client.get(address).status_code == 200, address
    assert "LAB-A" in client.get("/coverage?lmo=MON810").text
    assert "LAB-A" in client.get("/methods/who?lmo=MON810").text
    assert client.get("/methods/who?colour=red").status_code == 400


def test_the_jobs_of_the_network_run(app: Flask) -> None:
    registry = app.extensions["labhub.jobs"].huey._registry
    tasks = {type(task).__name__: task for task in registry.periodic_tasks}
    make_lmo("MON810", other_names=["YieldGard"])
    make_lmo("NK603", other_names=["YieldGard"])
    assert tasks["remind_capabilities"].execute() == 0
    assert tasks["tidy_names"].execute() == 1
    assert tasks["report_conflicts"].execute() == 1
    assert tasks["report_conflicts"].execute() == 0
