"""The pages of cases: the whole path by forms, refusals with the values kept, two editors."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from labhub.accounts.actor import Actor, Role
from labhub.accounts.queries import actor_of
from labhub.db import db
from labhub.methods.models import MethodState
from labhub.samples import queries
from labhub.samples.articles import Fact
from tests.factories import (
    bearer,
    make_case,
    make_citable_version,
    make_laboratory,
    make_sample,
    make_user,
)


@pytest.fixture
def person(app: Flask) -> tuple[Actor, dict[str, str]]:
    user = make_user(Role.ANALYST, laboratory=make_laboratory(), name="Amina Odhiambo")
    return actor_of(user), bearer(user)


def test_a_case_goes_from_the_form_to_a_corrected_result(
    client: FlaskClient, person: tuple[Actor, dict[str, str]]
) -> None:
    _actor, headers = person
    make_citable_version("QT-EVE-ZM-010")
    form = client.get("/cases/new", headers=headers).get_data(as_text=True)
    assert "Did the LMO cross the border inadvertently?" in form
    made = client.post(
        "/cases",
        data={
            "title": "<b>Maize</b> at the port",
            "party": "KE",
            "inadvertent": "yes",
            "contravention": "unknown",
            "significant_effects_likely": "unknown",
            "article": "",
            "summary": "First line\nsecond line",
            "once": "k1",
        },
        headers=headers,
    )
    assert made.status_code == 303, made.get_data(as_text=True)
    page = client.get(made.location, headers=headers).get_data(as_text=True)
    assert "&lt;b&gt;Maize&lt;/b&gt; at the port" in page
    assert "Not yet known whether this is an unintentional movement (Article 17)." in page
    sample = client.post(
        f"{made.location}/samples",
        data={"label": "S-1", "taken_at": "2026-03-01T08:00", "mass_gram": "2500", "once": "k2"},
        headers=headers,
    )
    assert sample.status_code == 303, sample.get_data(as_text=True)
    custody = {"act": "received", "at": "", "from_person": "", "to_person": "", "note": "seal intact"}
    assert client.post(f"{sample.location}/custody", data=custody, headers=headers).status_code == 303
    form = client.get(f"{sample.location}/analyses/new", headers=headers).get_data(as_text=True)
    assert '<option value="QT-EVE-ZM-010">' in form
    result = {
        "method_code": "QT-EVE-ZM-010",
        "version": "1",
        "outcome": "not-detected",
        "target": "MON810",
        "lod_text": "0.05 %",
        "unit": "",
        "analysed_on": "",
    }
    assert client.post(f"{sample.location}/analyses", data=result, headers=headers).status_code == 303
    page = client.get(sample.location, headers=headers).get_data(as_text=True)
    assert "not detected (LOD 0.05 %; sampled: 2500 g)" in page
    assert "The chain holds: 2 entries" in page
    link = re.search(r'href="([^"]*replaces=\d+)"', page)
    assert link
    form = client.get(link[1], headers=headers).get_data(as_text=True)
    replaced = re.search(r'name="replaces_id" value="(\d+)"', form)
    assert replaced
    correction = {
        **result,
        "outcome": "quantified",
        "gm_percent": "1.3",
        "unit": "m/m",
        "replaces_id": replaced[1],
        "reason": "Wells swapped",
    }
    assert client.post(f"{sample.location}/analyses", data=correction, headers=headers).status_code == 303
    page = client.get(sample.location, headers=headers).get_data(as_text=True)
    assert "Wells swapped" in page
    page = client.get(made.location, headers=headers).get_data(as_text=True)
    assert "not detected" not in page
    assert "1.3 % (m/m" in page
    assert page.count("Amina Odhiambo") > 4
    assert "C-" in client.get("/cases?q=maize", headers=headers).get_data(as_text=True)


def test_a_refused_form_keeps_what_was_typed(
    client: FlaskClient, person: tuple[Actor, dict[str, str]]
) -> None:
    actor, headers = person
    case = make_case(actor)
    sample = make_sample(actor, case)
    tries = {
        "/cases": {"title": "Kept title", "party": "KE", "inadvertent": "perhaps"},
        f"/cases/{case.number}/samples": {"label": "Kept label", "taken_at": "2100-01-01T00:00"},
        f"/samples/{sample.id}/custody": {"to_person": "Kept person", "at": "2100-01-01T00:00"},
        f"/samples/{sample.id}/analyses": {"method_code": "KEPT-1", "outcome": "detected"},
        f"/samples/{sample.id}/edit": {"label": "Kept name", "mass_gram": "1,5", "row_version": "1"},
    }
    for address, data in tries.items():
        answer = client.post(address, data=data, headers=headers)
        page = answer.get_data(as_text=True)
        assert answer.status_code == 422, (address, page)
        kept = next(value for value in data.values() if "kept" in value.casefold())
        assert f'value="{kept}"' in page, address
        assert "is-invalid" in page, address


@pytest.mark.req("E1")
def test_the_second_editor_of_a_form_is_told_and_keeps_the_text(
    client: FlaskClient, person: tuple[Actor, dict[str, str]]
) -> None:
    actor, headers = person
    case = make_case(actor)
    address = f"/cases/{case.number}/edit"
    form = client.get(address, headers=headers).get_data(as_text=True)
    version = re.search(r'name="row_version" value="(\d+)"', form)
    assert version
    data = {"title": "Maize", "inadvertent": "yes", "state": "open", "row_version": version[1]}
    assert client.post(address, data=data, headers=headers).status_code == 303
    late = client.post(address, data={**data, "title": "My text", "inadvertent": "no"}, headers=headers)
    assert late.status_code == 412
    assert 'value="My text"' in late.get_data(as_text=True)
    db.session.expire_all()
    assert queries.find_case(actor, case.number).inadvertent is Fact.YES


def test_an_emptied_field_is_cleared_and_one_that_is_not_offered_stays(
    client: FlaskClient, person: tuple[Actor, dict[str, str]]
) -> None:
    actor, headers = person
    case = make_case(actor, party_of_release="KE", article=17, summary="Text", inadvertent=Fact.YES)
    answer = client.post(
        f"/cases/{case.number}/edit",
        data={"title": case.title, "party_of_release": "", "article": "", "summary": "", "row_version": "1"},
        headers=headers,
    )
    assert answer.status_code == 303, answer.get_data(as_text=True)
    db.session.expire_all()
    changed = queries.find_case(actor, case.number)
    assert (changed.party_of_release, changed.article, changed.summary) == (None, None, "")
    assert changed.laboratory_id == case.laboratory_id
    assert changed.inadvertent is Fact.YES


def test_a_superseded_version_asks_for_confirmation(
    client: FlaskClient, person: tuple[Actor, dict[str, str]]
) -> None:
    actor, headers = person
    make_citable_version("QT-EVE-ZM-011", 1, MethodState.SUPERSEDED)
    sample = make_sample(actor, make_case(actor))
    data = {"method_code": "QT-EVE-ZM-011", "version": "1", "outcome": "detected"}
    answer = client.post(f"/samples/{sample.id}/analyses", data=data, headers=headers)
    assert answer.status_code == 422
    assert 'name="accept_outdated"' in answer.get_data(as_text=True)
    data["accept_outdated"] = "true"
    answer = client.post(f"/samples/{sample.id}/analyses", data=data, headers=headers)
    assert answer.status_code == 303
    page = client.get(f"/samples/{sample.id}", headers=headers).get_data(as_text=True)
    assert "no longer in force when cited" in page


def test_a_sample_is_marked_as_reported(client: FlaskClient, person: tuple[Actor, dict[str, str]]) -> None:
    actor, headers = person
    version = make_citable_version()
    sample = make_sample(actor, make_case(actor), place="Quay 3")
    data = {"method_code": version.method.code, "outcome": "inconclusive"}
    client.post(f"/samples/{sample.id}/analyses", data=data, headers=headers)
    page = client.get(f"/samples/{sample.id}", headers=headers).get_data(as_text=True)
    row_version = re.search(r'name="row_version" value="(\d+)"', page)
    assert row_version
    data = {"state": "reported", "row_version": row_version[1]}
    assert client.post(f"/samples/{sample.id}/edit", data=data, headers=headers).status_code == 303
    db.session.expire_all()
    assert queries.find_sample(actor, sample.id).place == "Quay 3"
