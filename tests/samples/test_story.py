"""A laboratory logs a case, a sample and a result; its focal point sees them, a stranger does not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from labhub.accounts.actor import Role
from labhub.accounts.models import User
from labhub.audit import AuditEntry
from labhub.db import db
from labhub.methods.models import MethodState
from tests.factories import bearer, make_citable_version, make_laboratory, make_party, make_user

SECRET = "Kilindini-quay-maize-consignment-of-vessel-Xanthippe"
PLACE = "Warehouse-Zephyrine-47"
PERSON = "Inspector Wanjiku-Abernathy"


@dataclass
class Network:
    """The people of the story."""

    analyst: User
    colleague: User
    focal_point: User
    strangers: dict[str, User]

    @property
    def laboratory(self) -> str:
        """The code of the analyst's laboratory."""
        laboratory = self.analyst.current_grants[0].laboratory
        return laboratory.code if laboratory else ""


@pytest.fixture
def network(app: Flask) -> Network:
    kenya, brazil = make_party("KE"), make_party("BR")
    own = make_laboratory(party=kenya)
    second = make_laboratory(party=kenya)
    foreign = make_laboratory(party=brazil)
    return Network(
        analyst=make_user(Role.ANALYST, laboratory=own, party=kenya, name="Amina Odhiambo"),
        colleague=make_user(Role.MANAGER, laboratory=own, party=kenya),
        focal_point=make_user(Role.FOCAL_POINT, party=kenya),
        strangers={
            "another laboratory of the Party": make_user(Role.MANAGER, laboratory=second, party=kenya),
            "a laboratory of another Party": make_user(Role.ANALYST, laboratory=foreign, party=brazil),
            "the focal point of another Party": make_user(Role.FOCAL_POINT, party=brazil),
            "the Secretariat": make_user(Role.SECRETARIAT),
            "the administrator": make_user(Role.ADMINISTRATOR),
            "a participant": make_user(Role.PARTICIPANT),
            "a reviewer": make_user(Role.REVIEWER),
            "a moderator": make_user(Role.MODERATOR),
            "a person without a role": make_user(),
        },
    )


def post(client: FlaskClient, address: str, user: User, body: dict[str, Any], status: int = 201) -> Any:
    response = client.post(f"/api/v1{address}", json=body, headers=bearer(user))
    assert response.status_code == status, response.get_data(as_text=True)
    return response.json


def get(client: FlaskClient, address: str, user: User, status: int = 200) -> Any:
    response = client.get(f"/api/v1{address}", headers=bearer(user))
    assert response.status_code == status, response.get_data(as_text=True)
    return response.json


@pytest.fixture
def story(client: FlaskClient, network: Network) -> dict[str, Any]:
    """The case as the analyst logs it, with everything in it; what it holds of a secret."""
    version = make_citable_version("QT-EVE-ZM-010", 1)
    case = post(
        client,
        "/cases",
        network.analyst,
        {
            "title": SECRET,
            "party": "KE",
            "party_of_release": "BR",
            "inadvertent": "yes",
            "significant_effects_likely": "yes",
            "article": 17,
            "summary": f"{SECRET} was unloaded on 1 March.",
        },
    )
    sample = post(
        client,
        "/samples",
        network.analyst,
        {
            "case_id": case["id"],
            "label": "S-1",
            "taken_at": "2026-03-01T08:00:00Z",
            "place": PLACE,
            "sampler": PERSON,
            "product": "maize grain",
            "mass_gram": 2500,
            "increments": 10,
        },
    )
    post(client, f"/samples/{sample['id']}/custody", network.analyst, {"act": "received", "note": PLACE})
    result = post(
        client,
        f"/samples/{sample['id']}/analyses",
        network.analyst,
        {
            "method_code": version.method.code,
            "version": 1,
            "outcome": "not-detected",
            "target": "MON810",
            "lod_text": "0.05 %",
            "note": f"seen at {PLACE}",
        },
    )
    return {"case": case, "sample": sample, "result": result}


def test_the_analyst_logs_and_the_own_focal_point_sees_it(
    client: FlaskClient, network: Network, story: dict[str, Any]
) -> None:
    number = story["case"]["number"]
    assert re.fullmatch(r"C-\d{4}-\d{4}", number)
    assert story["case"]["laboratory"] == network.laboratory
    assert story["case"]["article_17"] == "yes"
    assert story["case"]["article_25"] == "unknown"
    assert story["result"]["statement"] == ("not detected (LOD 0.05 %; sampled: 2500 g in increments: 10)")
    for reader in (network.analyst, network.colleague, network.focal_point):
        assert get(client, f"/cases/{number}", reader)["title"] == SECRET
        assert [row["number"] for row in get(client, "/cases", reader)] == [number]
        assert [row["label"] for row in get(client, f"/cases/{number}/samples", reader)] == ["S-1"]
        sample_id = story["sample"]["id"]
        assert get(client, f"/samples/{sample_id}", reader)["state"] == "in-analysis"
        custody = get(client, f"/samples/{sample_id}/custody", reader)
        assert custody["holds"]
        assert [(e["act"], e["to_person"]) for e in custody["entries"]] == [
            ("registered", PERSON),
            ("received", "Amina Odhiambo"),
        ]
        (result,) = get(client, f"/samples/{sample_id}/analyses", reader)
        assert (result["method_code"], result["version"]) == ("QT-EVE-ZM-010", 1)
        actions = [moment["action"] for moment in get(client, f"/cases/{number}/timeline", reader)]
        assert actions == ["case.open", "sample.create", "custody.add", "analysis.create"]


def test_the_timeline_names_colleagues_only(
    client: FlaskClient, network: Network, story: dict[str, Any]
) -> None:
    address = f"/cases/{story['case']['number']}/timeline"
    assert {m["by"] for m in get(client, address, network.colleague)} == {"Amina Odhiambo"}
    for moment in get(client, address, network.focal_point):
        assert (moment["by"], moment["roles"]) == ("", "analyst")


def addresses(story: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield reading addresses of the story, each beside the same one of something missing."""
    case, sample = story["case"], story["sample"]
    missing_number = case["number"][:-4] + "9999"
    for tail in ("", "/samples", "/timeline"):
        yield f"/api/v1/cases/{case['number']}{tail}", f"/api/v1/cases/{missing_number}{tail}"
        yield f"/api/v1/cases/{case['id']}{tail}", f"/api/v1/cases/{case['id'] + 5}{tail}"
    for tail in ("", "/custody", "/analyses"):
        yield f"/api/v1/samples/{sample['id']}{tail}", f"/api/v1/samples/{sample['id'] + 5}{tail}"
    yield f"/cases/{case['number']}", f"/cases/{missing_number}"
    yield f"/samples/{sample['id']}", f"/samples/{sample['id'] + 5}"


def same(text: str) -> str:
    """Return an answer without what differs between any two: request number, and the number asked for."""
    text = re.sub(r"urn:labhub:request:\w+|request \w+|value=\"[\w.-]{16,}\"", "", text)
    return re.sub(r"C-\d{4}-\d{4}|/(cases|samples)/\d+|(case|sample) \d+", "", text)


@pytest.mark.req("A2")
def test_for_strangers_a_case_is_like_one_that_does_not_exist(
    client: FlaskClient, network: Network, story: dict[str, Any]
) -> None:
    for who, stranger in network.strangers.items():
        headers = bearer(stranger)
        for address, missing in addresses(story):
            real = client.get(address, headers=headers)
            empty = client.get(missing, headers=headers)
            assert (real.status_code, empty.status_code) == (404, 404), (who, address)
            assert same(real.get_data(as_text=True)) == same(empty.get_data(as_text=True)), (who, address)


@pytest.mark.req("A2")
def test_a_visitor_is_asked_to_sign_in_whether_it_exists_or_not(
    client: FlaskClient, story: dict[str, Any]
) -> None:
    for address, missing in addresses(story):
        for asked in (address, missing):
            assert client.get(asked).status_code == (401 if asked.startswith("/api/") else 303)


@pytest.mark.req("A2")
def test_strangers_change_nothing_and_learn_nothing_from_trying(
    client: FlaskClient, network: Network, story: dict[str, Any]
) -> None:
    case, sample = story["case"], story["sample"]
    entries = select(func.count()).select_from(AuditEntry).where(AuditEntry.action.like("%case%"))
    before = db.session.scalar(entries)
    for who, stranger in network.strangers.items():
        headers = {**bearer(stranger), "If-Match": '"v1"'}
        for offset in (0, 5):
            sample_id = sample["id"] + offset
            tries = [
                client.patch(f"/api/v1/cases/{case['id'] + offset}", json={"title": "x"}, headers=headers),
                client.post(
                    f"/api/v1/cases/{case['id'] + offset}/samples",
                    json={"label": "y", "taken_at": "2026-03-01"},
                    headers=headers,
                ),
                client.patch(f"/api/v1/samples/{sample_id}", json={"lot": "x"}, headers=headers),
                client.post(f"/api/v1/samples/{sample_id}/custody", json={"to_person": "x"}, headers=headers),
                client.post(
                    f"/api/v1/samples/{sample_id}/analyses",
                    json={"method_code": "QT-EVE-ZM-010", "version": 1},
                    headers=headers,
                ),
            ]
            codes = [response.status_code for response in tries]
            if offset == 0:
                first = codes
            assert codes == first, who
            assert set(codes) <= {403, 404}, (who, codes)
        wrong = client.post(
            "/api/v1/samples",
            json={"case_id": case["id"], "label": "y", "taken_at": "2026-03-01"},
            headers=headers,
        )
        assert wrong.status_code in (403, 422), who
    db.session.rollback()
    assert db.session.scalar(entries) == before


@pytest.mark.req("A2")
def test_no_piece_of_the_secret_reaches_a_stranger(
    client: FlaskClient, network: Network, story: dict[str, Any]
) -> None:
    secrets = (SECRET, PLACE, PERSON)
    pieces = {text[i : i + 12].casefold() for text in secrets for i in range(len(text) - 11)}
    word = SECRET[:11]  # the hub may repeat what was asked for
    asked = [address for address, _missing in addresses(story)]
    asked += [
        "/",
        "/cases",
        f"/cases?q={word}",
        "/cases/new",
        "/api/v1/cases",
        "/api/v1/cases?sort=title",
        f"/api/v1/cases?q={word}",
        "/api/v1/samples",
        f"/api/v1/samples?case_id={story['case']['id']}",
        "/api/v1/samples?q=S-1",
        f"/cases/{story['case']['number']}/edit",
        f"/cases/{story['case']['number']}/samples/new",
        f"/samples/{story['sample']['id']}/edit",
        f"/samples/{story['sample']['id']}/custody/new",
        f"/samples/{story['sample']['id']}/analyses/new",
    ]
    for who, stranger in [*network.strangers.items(), ("a visitor", None)]:
        headers = bearer(stranger) if stranger else {}
        for address in asked:
            response = client.get(address, headers=headers)
            text = response.get_data(as_text=True).casefold()
            assert not [piece for piece in pieces if piece in text], (who, address)
            assert "X-Pagination" not in response.headers or '"total":0' in response.headers["X-Pagination"]


@pytest.mark.req("A2")
def test_the_audit_trail_holds_nothing_of_a_case(app: Flask, story: dict[str, Any]) -> None:
    """The Secretariat and the administrator read the trail, and may not read the case."""
    rows = db.session.scalars(select(AuditEntry)).all()
    text = " ".join(f"{row.before} {row.after} {row.reason} {row.object_id}" for row in rows)
    for secret in (SECRET, PLACE, PERSON, "MON810", "not-detected", story["case"]["number"]):
        assert secret not in text
    of_the_case = [row.action for row in rows if row.object_kind in ("case", "sample", "analysis")]
    assert of_the_case == ["case.open", "sample.create", "custody.add", "analysis.create"]


def test_an_outdated_method_version_is_cited_only_knowingly(
    client: FlaskClient, network: Network, story: dict[str, Any]
) -> None:
    make_citable_version("QT-EVE-ZM-077", 1, MethodState.SUPERSEDED)
    make_citable_version("QT-EVE-ZM-077", 2)
    address = f"/samples/{story['sample']['id']}/analyses"
    body = {"method_code": "qt-eve-zm-077", "version": 1, "outcome": "detected"}
    refusal = post(client, address, network.analyst, body, 422)
    assert list(refusal["errors"]) == ["version"]
    result = post(client, address, network.analyst, {**body, "accept_outdated": True})
    assert (result["version"], result["method_status"]) == (1, "superseded")
    latest = post(client, address, network.analyst, {"method_code": "QT-EVE-ZM-077"})
    assert (latest["version"], latest["outcome"]) == (2, "pending")


def test_a_correction_names_the_result_it_replaces(
    client: FlaskClient, network: Network, story: dict[str, Any]
) -> None:
    address = f"/samples/{story['sample']['id']}/analyses"
    body = {
        "method_code": "QT-EVE-ZM-010",
        "version": 1,
        "outcome": "quantified",
        "gm_percent": 1.3,
        "u_percent": 0.39,
        "unit": "m/m",
        "replaces_id": story["result"]["id"],
    }
    assert list(post(client, address, network.analyst, body, 422)["errors"]) == ["reason"]
    correction = post(client, address, network.analyst, {**body, "reason": "Wells were swapped."})
    assert correction["statement"] == "quantified: 1.3 ± 0.39 % (m/m, U with k = 2)"
    again = post(client, address, network.analyst, {**body, "reason": "Once more."}, 409)
    assert "corrected already" in again["detail"]
    rows = get(client, address, network.focal_point)
    assert [(row["replaces_id"], row["replaced_by_id"]) for row in rows] == [
        (None, correction["id"]),
        (story["result"]["id"], None),
    ]


def test_a_focal_point_logs_no_result_and_receives_no_sample(
    client: FlaskClient, network: Network, story: dict[str, Any]
) -> None:
    address = f"/samples/{story['sample']['id']}"
    post(client, f"{address}/analyses", network.focal_point, {"method_code": "QT-EVE-ZM-010"}, 403)
    post(client, f"{address}/custody", network.focal_point, {"act": "received"}, 403)
    entry = post(client, f"{address}/custody", network.focal_point, {"to_person": "Customs"})
    assert (entry["seq"], entry["from_person"]) == (3, "Amina Odhiambo")
