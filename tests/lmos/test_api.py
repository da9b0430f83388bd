"""JSON addresses of LMOs, elements and the matrix."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from labhub.accounts.actor import Role
from labhub.lmos import queries
from tests.factories import bearer, make_element, make_lmo, make_user

CLAIMS = [
    {"element": "P-35S", "sign": "has", "source": "one", "verified": True},
    {"element": "P-35S", "sign": "lacks", "source": "two"},
    {"element": "bar", "sign": "has", "source": "one", "verified": True},
]


def test_an_lmo_is_shown_whatever_the_spelling(app: Flask, client: FlaskClient) -> None:
    make_lmo("JG2", unique_identifier="SYN-ØØØJG-2", claims=CLAIMS)
    for ident in ("SYN-ØØØJG-2", "syn-000jg-2", "SYN000JG2", "jg2"):
        answer = client.get(f"/api/v1/lmos/{ident}")
        assert answer.status_code == 200, ident
    record: dict[str, Any] = answer.get_json()
    assert record["display"] == "SYN-ØØØJG-2"
    assert record["warnings"] == ["The verification digit of SYN-ØØØJG-2 should be 3."]
    assert record["signs"] == {"P-35S": "±", "bar": "+"}
    assert answer.headers["ETag"] == '"v1"'
    assert client.get("/api/v1/lmos/nothing").status_code == 404
    make_lmo("stack", unique_identifier="MON-00603-6 x MON-00810-6")
    for ident in ("mon006036xmon008106", "MON006036-x-MON008106", "MON008106-x-MON-00603-6"):
        assert client.get(f"/api/v1/lmos/{ident}").status_code == 200, ident


def test_the_list_is_filtered_and_refuses_what_it_does_not_know(app: Flask, client: FlaskClient) -> None:
    make_lmo("A", unique_identifier="MON-ØØ81Ø-6", claims=CLAIMS, verified=True)
    make_lmo("B x C", stacked=True)
    answer = client.get("/api/v1/lmos?sort=-event")
    assert [row["event"] for row in answer.get_json()] == ["B x C", "A"]
    assert '"total":2' in answer.headers["X-Pagination"]
    for query in ("q=mon-ØØ81", "stacked=false", "verified=true", "element=bar"):
        found = client.get(f"/api/v1/lmos?{query}").get_json()
        assert [row["display"] for row in found] == ["MON-ØØ81Ø-6"], query
    for query in ("colour=red", "sort=id", "stacked=perhaps", "page=0", "page_size=201"):
        assert client.get(f"/api/v1/lmos?{query}").status_code == 400, query


def test_the_secretariat_creates_once_and_changes_with_if_match(app: Flask, client: FlaskClient) -> None:
    make_element("bar")
    headers = bearer(make_user(Role.SECRETARIAT))
    record = {"event": "NEW1", "unique_identifier": "MON-ØØ81Ø-6", "claims": [CLAIMS[2]]}
    once = {**headers, "Idempotency-Key": "key-1"}
    first = client.post("/api/v1/lmos", json=record, headers=once)
    again = client.post("/api/v1/lmos", json=record, headers=once)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data
    assert first.headers["Location"] == "/api/v1/lmos/MON-00810-6"
    assert client.post("/api/v1/lmos", json=record, headers=headers).status_code == 409

    address, change = "/api/v1/lmos/mon008106", {"trade_name": "YieldGard"}
    assert client.patch(address, json=change, headers=headers).status_code == 428
    stale = {**headers, "If-Match": '"v7"'}
    assert client.patch(address, json=change, headers=stale).status_code == 412
    current = {**headers, "If-Match": first.headers["ETag"]}
    changed = client.patch(address, json=change, headers=current)
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"v2"')
    assert changed.get_json()["trade_name"] == "YieldGard"
    assert client.patch(address, json=change, headers=current).status_code == 412


def test_claims_and_names_are_added(app: Flask, client: FlaskClient) -> None:
    make_lmo("A", claims=CLAIMS[:1])
    headers = bearer(make_user(Role.SECRETARIAT))
    claim = client.post("/api/v1/lmos/a/claims", json=CLAIMS[1], headers=headers)
    assert claim.status_code == 201
    assert claim.get_json()["signs"] == {"P-35S": "±"}
    assert client.post("/api/v1/lmos/a/claims", json=CLAIMS[1], headers=headers).status_code == 409
    name = {"name": "AA", "kind": "code", "source": "a page", "recorded_on": "2026-01-02"}
    added = client.post("/api/v1/lmos/a/names", json=name, headers=headers)
    assert added.status_code == 201
    assert added.get_json()["other_names"] == [name]


@pytest.mark.req("A4")
def test_unknown_and_wrong_fields_are_refused(app: Flask, client: FlaskClient) -> None:
    headers = bearer(make_user(Role.SECRETARIAT))
    for record, field in (
        ({"event": "A", "id": 5}, "id"),
        ({"event": "A", "row_version": 5}, "row_version"),
        ({"event": "A", "slug": "x"}, "slug"),
        ({}, "event"),
        ({"event": "a\u202eb"}, "event"),
        ({"event": "A", "claims": [{"element": "x", "sign": "has", "source": "s"}]}, "claims.0.element"),
        ({"event": "A", "sources": [{"title": "t", "year": 1}]}, "sources.0.year"),
    ):
        answer = client.post("/api/v1/lmos", json=record, headers=headers)
        assert answer.status_code == 422, record
        assert field in answer.get_json()["errors"]


def test_others_change_nothing(app: Flask, client: FlaskClient) -> None:
    lmo = make_lmo("A")
    for headers, status in ((bearer(make_user(Role.REVIEWER)), 403), ({}, 401)):
        tagged = {**headers, "If-Match": '"v1"'}
        assert client.post("/api/v1/lmos", json={"event": "B"}, headers=headers).status_code == status
        assert client.patch("/api/v1/lmos/a", json={"notes": []}, headers=tagged).status_code == status
        assert client.post("/api/v1/lmos/a/claims", json=CLAIMS[0], headers=headers).status_code == status
    assert queries.find_lmo("a").row_version == lmo.row_version


def test_elements_are_listed_and_shown_with_their_lmos(app: Flask, client: FlaskClient) -> None:
    make_lmo("A", claims=CLAIMS)
    rows = client.get("/api/v1/elements?q=35s").get_json()
    assert [(row["name"], row["lmos"]) for row in rows] == [("P-35S", 1)]
    record = client.get("/api/v1/elements/p-35s").get_json()
    assert [(lmo["event"], lmo["standing"], len(lmo["claims"])) for lmo in record["lmos"]] == [("A", "±", 2)]
    assert client.get("/api/v1/elements/nothing").status_code == 404
    make_element("cp4epsps", synonyms=["CP4 epsps"])
    assert client.get("/api/v1/elements/CP4%20epsps").get_json()["name"] == "cp4epsps"
    assert client.get("/api/v1/elements?kind=colour").status_code == 400


def test_the_matrix_is_given_as_json_and_csv(app: Flask, client: FlaskClient) -> None:
    make_lmo("A", unique_identifier="MON-ØØ81Ø-6", claims=CLAIMS)
    make_lmo("B")
    answer = client.get("/api/v1/matrix").get_json()
    assert [row["signs"] for row in answer["rows"]] == [
        {"P-35S": "±", "bar": "+"},
        {"P-35S": "?", "bar": "?"},
    ]
    assert [claim["sign"] for claim in answer["rows"][0]["claims"]["P-35S"]] == ["has", "lacks"]
    table = client.get("/api/v1/matrix?format=csv&element=P-35S&verified=true")
    assert table.mimetype == "text/csv"
    assert table.headers["Content-Disposition"] == 'attachment; filename="matrix.csv"'
    assert table.get_data(as_text=True).splitlines()[1] == "MON-00810-6,A,,+"
    for query in ("format=ods", "colour=red"):
        assert client.get(f"/api/v1/matrix?{query}").status_code == 400
    assert client.get("/api/v1/matrix?element=nothing").status_code == 404


def test_the_matrix_is_narrowed_by_lmo_and_source_and_given_as_a_workbook(
    app: Flask, client: FlaskClient
) -> None:
    make_lmo("A", unique_identifier="MON-ØØ81Ø-6", claims=CLAIMS)
    make_lmo("B")
    source = CLAIMS[0]["source"]
    answer = client.get("/api/v1/matrix", query_string={"q": "mon008106", "source": source}).get_json()
    assert [row["event"] for row in answer["rows"]] == ["A"]
    said = {claim["source"] for claims in answer["rows"][0]["claims"].values() for claim in claims}
    assert said == {source}
    book = client.get("/api/v1/matrix?format=xlsx")
    assert book.mimetype.endswith("spreadsheetml.sheet")
    assert book.get_data().startswith(b"PK")
