"""Pages and addresses of verifications."""

import re

from flask import Flask

from labhub.accounts.actor import Role
from labhub.accounts.queries import actor_of
from labhub.db import db
from labhub.methods.review_models import MethodVerification
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    make_laboratory,
    make_method,
    make_party,
    make_user,
    make_verification,
    submit,
    verification_content,
)


def test_story_of_a_verification_on_the_pages(app: Flask) -> None:
    version = make_method(state="published")
    code = version.method.code
    laboratory = make_laboratory(party=make_party("BR"))
    analyst = make_user(Role.ANALYST, laboratory=laboratory, password=PASSWORD)
    manager = make_user(Role.MANAGER, laboratory=laboratory, password=PASSWORD)
    here = browser_of(app, analyst)
    assert "Report a verification of this method" in here.get(f"/methods/{code}").text
    assert here.get(f"/methods/{code}/verifications/new?version=1").status_code == 200
    typed = {
        "version": "1",
        "outcome": "with-limits",
        "matrices": "seed\nfeed",
        "instrument": "CFX96",
        "year": "2026",
        "slope": "-3.9",
        "note": "<i>Only</i> with fresh DNA.",
        "level-0-label": "1 %",
        "level-0-bias_percent": "-40",
    }
    wrong = submit(here, f"/methods/{code}/verifications", **{**typed, "level-0-bias_percent": "much"})
    assert wrong.status_code == 422
    assert 'value="much"' in wrong.text
    assert "is-invalid" in wrong.text
    assert submit(here, f"/methods/{code}/verifications", **typed).status_code == 303
    row = db.session.get_one(MethodVerification, 1)
    changed = submit(
        here,
        f"/methods/{code}/verifications/1/edit",
        **{**typed, "slope": "-3.8", "row_version": row.row_version},
    )
    assert changed.status_code == 303
    assert 'value="-3.8"' in here.get(f"/methods/{code}/verifications/1/edit").text
    assert "CFX96" not in app.test_client().get(f"/methods/{code}/verifications").text
    there = browser_of(app, manager)
    page = there.get(f"/methods/{code}/verifications").text
    edition = re.search(r'name="row_version" value="(\d+)"', page)
    assert edition is not None
    done = submit(there, f"/methods/{code}/verifications/1/publication", row_version=edition[1])
    assert done.status_code == 303
    for page in (
        app.test_client().get(f"/methods/{code}/verifications").text,
        app.test_client().get(f"/methods/{code}").text,
    ):
        assert "CFX96" in page
        assert "&lt;i&gt;Only&lt;/i&gt;" in page
        assert "drift: the median is outside" in page
    reviewer = browser_of(app, make_user(Role.REVIEWER, password=PASSWORD))
    path = f"/methods/{code}/verifications/1/visibility"
    edition = db.session.get_one(MethodVerification, 1).row_version
    refused = submit(reviewer, path, hidden="true", row_version=edition)
    assert refused.status_code == 422
    assert submit(reviewer, path, hidden="true", reason="Old DNA.", row_version=edition).status_code == 303
    assert "CFX96" not in app.test_client().get(f"/methods/{code}/verifications").text
    assert "Old DNA." in there.get(f"/methods/{code}/verifications").text


def test_verifications_by_program(app: Flask) -> None:
    version = make_method(state="published")
    address = f"/api/v1/methods/{version.method.code}/verifications"
    laboratory = make_laboratory()
    analyst = bearer(make_user(Role.ANALYST, laboratory=laboratory))
    manager = bearer(make_user(Role.MANAGER, laboratory=laboratory))
    client = app.test_client()
    body = {**verification_content(), "version": 1}
    assert client.post(address, json=body).status_code == 401
    assert client.post(address, json={**body, "state": "published"}, headers=analyst).status_code == 422
    made = client.post(address, json=body, headers={**analyst, "Idempotency-Key": "a"})
    assert made.status_code == 201
    again = client.post(address, json=body, headers={**analyst, "Idempotency-Key": "a"})
    assert again.get_json()["id"] == made.get_json()["id"]
    assert client.get(address).get_json() == []
    assert client.get(made.location).status_code == 404
    tag = {"If-Match": made.headers["ETag"]}
    assert client.patch(made.location, json={"outcome": "with-limits"}, headers=analyst).status_code == 428
    changed = client.patch(made.location, json={"outcome": "with-limits"}, headers={**analyst, **tag})
    assert changed.get_json()["outcome"] == "with-limits"
    publication = f"{made.location}/publication"
    assert client.post(publication, json={}, headers={**manager, **tag}).status_code == 412
    tag = {"If-Match": changed.headers["ETag"]}
    assert client.post(publication, json={}, headers={**analyst, **tag}).status_code == 403
    done = client.post(publication, json={}, headers={**manager, **tag})
    assert done.get_json()["state"] == "published"
    (row,) = client.get(address).get_json()
    assert (row["laboratory"], row["study"]["slope"]) == (laboratory.code, -3.4)
    found = client.get(f"/api/v1/methods/{version.method.code}/field-performance").get_json()
    assert found["laboratories"] == 1
    assert {figure["name"] for figure in found["figures"]} >= {"slope", "r2", "bias_percent"}
    reviewer = bearer(make_user(Role.REVIEWER))
    hidden = client.post(
        f"{made.location}/visibility",
        json={"hidden": True, "reason": "Outlier."},
        headers={**reviewer, "If-Match": done.headers["ETag"]},
    )
    assert (hidden.status_code, hidden.get_json()["state"]) == (200, "hidden")
    assert client.get(address).get_json() == []


def test_names_of_people_are_nowhere_in_a_verification(app: Flask) -> None:
    manager = make_user(Role.MANAGER, laboratory=make_laboratory(), name="Vera Verifier")
    row = make_verification(make_method(state="published"), manager=actor_of(manager))
    code = row.version.method.code
    for path in (
        f"/methods/{code}",
        f"/methods/{code}/verifications",
        f"/api/v1/methods/{code}/verifications",
    ):
        assert "Vera" not in app.test_client().get(path).text
