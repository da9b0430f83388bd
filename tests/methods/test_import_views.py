"""The pages that take files: the report names every place, the marked workbook is in the page itself."""

import re
from base64 import b64decode
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from labhub.accounts.actor import Role
from labhub.db import db
from labhub.methods import exchange, tables
from labhub.methods.models import MethodVersion
from labhub.workbooks import read_book
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    make_laboratory,
    make_method,
    make_user,
    method_content,
    submit,
)
from tests.methods.test_tables import FINE, HEADER, OLIGOS, sheets

WRONG = sheets(
    methods=[HEADER, FINE, ["B", "<b>x</b>", "no", "qpcr"], ["C", "", "event", "qpcr"]],
    oligos=[OLIGOS, ["A", "probe", "P", "acgu"]],
)


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return browser_of(app, make_user(Role.MANAGER, laboratory=make_laboratory(), password=PASSWORD))


def post(
    browser: FlaskClient, path: str, content: bytes, name: str = "m.xlsx", **fields: str
) -> TestResponse:
    """Send a file by the form of the page."""
    return submit(browser, path, file=(BytesIO(content), name), **fields)


def stored() -> int:
    """Return how many versions there are."""
    return db.session.scalar(select(func.count()).select_from(MethodVersion)) or 0


def test_refused_file_shows_places_kinds_and_the_marked_workbook(browser: FlaskClient) -> None:
    page = post(browser, "/methods/import", WRONG)
    assert page.status_code == 422
    for words in ("Nothing was stored", "methods!C3", "methods!B4", "Choose one of", "Problems by kind"):
        assert words in page.text
    assert "<b>x</b>" not in page.text
    link = re.search(r'href="data:([^;]+);base64,([^"]+)" download="m-corrected.xlsx"', page.text)
    assert link is not None
    names = [sheet.name for sheet in read_book(b64decode(link[2]), file="m.xlsx")]
    assert names == ["problems", "methods", "oligos"]
    assert stored() == 0


def test_file_that_is_right_is_stored_and_remarks_are_shown(browser: FlaskClient) -> None:
    content = sheets(methods=[HEADER, FINE], oligos=[OLIGOS, ["A", "probe", "P", "acgu"]])
    trial = post(browser, "/methods/import", content, dry_run="true")
    assert trial.status_code == 200 and "trial" in trial.text and stored() == 0
    page = post(browser, "/methods/import", content)
    assert page.status_code == 200
    assert "acgu was read as ACGT." in page.text
    assert "new draft: 1" in page.text
    assert stored() == 1


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_csv_as_spreadsheets_save_it_is_taken(browser: FlaskClient, encoding: str) -> None:
    content = "title;specificity;technique\r\nMaïs;event;qpcr\r\n".encode(encoding)
    page = post(browser, "/methods/import", content, "m.csv")
    assert page.status_code == 200, page.text
    assert "What was assumed" in page.text and "semicolons" in page.text
    assert db.session.scalars(select(MethodVersion.title)).one() == "Maïs"


def test_page_lists_the_first_problems_and_says_how_many_there_are(browser: FlaskClient) -> None:
    rows = [[f"M{number}", "", "event", "qpcr"] for number in range(300)]
    page = post(browser, "/methods/import", sheets(methods=[HEADER, *rows]))
    assert "The first 200 of 300 problems." in page.text
    assert "methods!B201" in page.text and "methods!B202" not in page.text
    assert "The first 200 of 300 rows." in page.text


def test_workbook_alone_is_given_and_nothing_is_stored(browser: FlaskClient) -> None:
    answer = post(browser, "/methods/import/corrected", WRONG)
    assert answer.status_code == 200
    assert 'filename="m-corrected.xlsx"' in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert read_book(answer.data, file="m.xlsx")[0].name == "problems"
    assert post(browser, "/methods/import/corrected", sheets(methods=[HEADER, FINE])).status_code == 200
    assert post(browser, "/methods/import/corrected", b"[]", "m.json").status_code == 422
    assert stored() == 0


@pytest.mark.req("D4")
@pytest.mark.parametrize(("content", "name"), [(b"PK", "m.xlsx"), (b"MZ", "m.csv.exe"), (b"", "m.csv")])
def test_file_of_another_kind_is_refused_on_the_page(browser: FlaskClient, content: bytes, name: str) -> None:
    assert post(browser, "/methods/import", content, name).status_code == 422
    assert post(browser, "/methods/import/corrected", content, name).status_code == 422


@pytest.mark.parametrize("path", ["/methods/template", "/api/v1/methods/template"])
def test_template_is_everybodys_to_download(client: FlaskClient, path: str) -> None:
    workbook = client.get(path)
    assert 'filename="methods-template.xlsx"' in workbook.headers["Content-Disposition"]
    assert read_book(workbook.data, file="t.xlsx")[0].name == "methods"
    table = client.get(f"{path}?format=csv")
    assert table.content_type == "text/csv; charset=utf-8" and b"EXAMPLE" in table.data
    assert client.get(f"{path}?format=pdf").status_code == 400


def test_api_keys_the_errors_by_place_and_gives_the_marked_workbook(client: FlaskClient) -> None:
    headers = bearer(make_user(Role.MANAGER, laboratory=make_laboratory()))

    def send(path: str, content: bytes, name: str = "m.xlsx") -> TestResponse:
        return client.post(
            f"/api/v1/methods/{path}", data={"file": (BytesIO(content), name)}, headers=headers
        )

    refused = send("import", WRONG)
    assert refused.status_code == 422
    assert set(refused.json["errors"]) == {"methods!C3", "methods!B4"}
    marked = send("import/corrected", WRONG)
    assert marked.status_code == 200
    sent = tables.read_file(marked.data, "m.xlsx")
    assert sum(bool(entry.errors()) for entry in sent.entries) == 2
    done = send("import", "title;specificity;technique\r\nMaïs;event;qpcr\r\n".encode("cp1252"), "m.csv")
    assert done.status_code == 200
    assert len(done.json["notes"]) == 2
    assert done.json["rows"][0]["row"] == 2


def test_download_as_a_workbook_is_the_same_at_each_call(client: FlaskClient) -> None:
    make_method(state="published")
    first, second = (client.get("/methods/LH-1/download?format=xlsx") for _call in range(2))
    assert first.status_code == 200 and first.data == second.data
    assert first.headers["ETag"] == second.headers["ETag"]
    (again,) = tables.rows_of_file(first.data, "m.xlsx")
    assert again.errors == {}


@pytest.mark.req("A2")
def test_draft_shows_its_twins_that_one_may_see(app: Flask, browser: FlaskClient) -> None:
    make_method(state="published", code="PUB-1")
    make_method()
    content = tables.to_xlsx([exchange.check(method_content(title="Twin")).content])
    assert post(browser, "/methods/import", content).status_code == 200
    page = browser.get("/methods/LH-3").text
    assert "Methods with the same oligos" in page and "PUB-1" in page
    assert "LH-2" not in page
