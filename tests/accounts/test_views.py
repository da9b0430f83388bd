"""Pages of accounts answer bad input with a message, and keep what was typed."""

import pytest
from flask import Flask

from labhub.accounts.actor import Role
from tests.factories import PASSWORD, browser_of, make_laboratory, make_user, submit


@pytest.mark.req("C2")
def test_odd_addresses_are_refused_not_failed(app: Flask) -> None:
    client = browser_of(app, make_user(Role.SECRETARIAT, password=PASSWORD))
    expected = {
        f"/people/{10**30}": 404,
        "/people?page=1000001": 400,
        "/people?page=999999": 200,
        "/people?sort=name": 400,
        "/people?q=%25%00": 400,
        "/people?q=%25_!": 200,
        "/laboratories?sort=secret": 400,
        "/laboratories?q=%F0%9F%90%B8%25_!": 200,
        "/laboratories/x%0Ay": 404,
        "/parties/%C3%A9%C3%A9": 404,
        "/parties?status=bad": 400,
        "/nominations?page=0": 400,
        "/api/v1/parties?colour=red": 400,
        "/api/v1/laboratories/none": 404,
    }
    assert {path: client.get(path).status_code for path in expected} == expected


def test_refused_form_keeps_what_was_typed_and_says_why(app: Flask) -> None:
    client = browser_of(app, make_user(Role.SECRETARIAT, password=PASSWORD))
    refused = submit(client, "/laboratories", code="ü", name="Laboratory of Nairobi", address="Road 1")
    assert refused.status_code == 422
    assert 'value="Laboratory of Nairobi"' in refused.text
    assert "Use letters, digits and single hyphens" in refused.text
    unknown = submit(client, "/laboratories", code="A-1", name="One", row_id="7")
    assert unknown.status_code == 422


@pytest.mark.req("E1")
def test_second_editor_of_a_laboratory_is_told_and_loses_nothing(app: Flask) -> None:
    laboratory = make_laboratory("KE-1")
    manager = make_user(Role.MANAGER, laboratory=laboratory, password=PASSWORD)
    client = browser_of(app, manager)
    form = {"name": "Laboratory KE-1", "services": "PCR", "row_version": "1"}
    assert submit(client, "/laboratories/KE-1", **form).status_code == 303
    stale = submit(client, "/laboratories/KE-1", **{**form, "services": "dPCR for soya"})
    assert stale.status_code == 412
    assert "dPCR for soya" in stale.text
    assert submit(client, "/laboratories/KE-1", name="x").status_code == 428


def test_language_is_saved_and_used(app: Flask) -> None:
    client = browser_of(app, make_user(password=PASSWORD))
    assert submit(client, "/account/language", language="ar").status_code == 303
    assert '<html lang="ar" dir="rtl">' in client.get("/account").text


@pytest.mark.req("E3")
def test_form_sent_twice_nominates_once(app: Flask) -> None:
    client = browser_of(app, make_user(Role.SECRETARIAT, password=PASSWORD))
    form = {"name": "N", "email": "n@example.org", "role": "participant", "party": "KE", "once": "k" * 20}
    answers = [submit(client, "/nominations", **form) for _number in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert client.get("/nominations").text.count("n@example.org") == 1
