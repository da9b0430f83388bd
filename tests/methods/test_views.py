"""Methods by page: what a person at a browser can do, without JavaScript."""

import json
import re
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from labhub.accounts.actor import Role
from labhub.accounts.models import User
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.methods import commands
from labhub.methods.models import DetectionMethod
from tests.factories import PASSWORD, make_laboratory, make_method, make_user, method_content

PDF = b"%PDF-1.4\n%%EOF\n"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
EDITION = re.compile(r'name="row_version" value="([0-9]+)"')


class Browser:
    """A signed-in person who follows redirects and sends the form's hidden fields."""

    def __init__(self, app: Flask, user: User) -> None:
        self.client: FlaskClient = app.test_client()
        self.page = self.client.get("/sign-in").text
        self.post("/sign-in", email=user.email, password=PASSWORD)

    def get(self, path: str) -> str:
        """Open a page and return its text."""
        response = self.client.get(path)
        assert response.status_code == 200, (path, response.status_code)
        self.page = response.text
        return self.page

    def post(self, path: str, **fields: Any) -> TestResponse:
        """Send a form of the page that is open."""
        token = TOKEN.search(self.page)
        response = self.client.post(path, data={"csrf_token": token[1] if token else "", **fields})
        if response.status_code in (200, 409, 412, 422):
            self.page = response.text
        return response

    @property
    def edition(self) -> str:
        """Return the version of the record that the open page shows."""
        match = EDITION.search(self.page)
        assert match
        return match[1]


def form_of(**fields: str) -> dict[str, str]:
    """Return the fields of a complete method as they are typed."""
    typed = {
        "title": "Event-specific qPCR: maize event MON810",
        "specificity": "event",
        "technique": "qpcr",
        "chemistry": "TaqMan",
        "quantitative": "true",
        "target": "MON810",
        "targets": "MON810\r\nMON 810",
        "taxon_scientific": "Zea mays",
        "amplicon_bp": "92",
        "amplicon_accession": "AF434709",
        "reference_method": "QT-TAX-ZM-002",
        "calibrant": "ERM-BF413, JRC",
        "reaction_microlitre": "25",
        "template_nanogram": "100",
        "thermal_profile": "95 °C",
        "reagents": "Master mix",
        "matrices": "flour",
        "licence": "CC BY 4.0",
        "rights": "free-for-regulators",
        "validation_slope": "-3.4",
        "sources": "A paper | https://example.org/a | 2019",
    }
    for place, (role, sequence) in enumerate(
        [("forward", "TCGAAGGACGAAGG"), ("reverse", "GCCACCTTCC"), ("probe", "[FAM]AACATCC[BHQ1]")]
    ):
        typed |= {
            f"oligo-{place}-role": role,
            f"oligo-{place}-name": role,
            f"oligo-{place}-sequence": sequence,
            f"oligo-{place}-final_concentration_nanomolar": "300",
        }
    return {**typed, **fields}


def make_manager() -> User:
    """Return a manager who can sign in."""
    return make_user(Role.MANAGER, laboratory=make_laboratory(), password=PASSWORD, name="Mona")


def test_story_by_hand(app: Flask, client: FlaskClient) -> None:
    manager = Browser(app, make_manager())
    reviewer = Browser(app, make_user(Role.REVIEWER, password=PASSWORD))
    manager.get("/methods/new")
    made = manager.post("/methods", once="a-1", **form_of())
    assert (made.status_code, made.headers["Location"]) == (303, "/methods/LH-1")
    assert manager.post("/methods", once="a-1", **form_of()).headers["Location"] == "/methods/LH-1"
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(DetectionMethod)) == 1
    page = manager.get("/methods/LH-1")
    assert "draft" in page
    assert "A paper" in page
    lacking = manager.post("/methods/LH-1/submission", row_version=manager.edition)
    assert lacking.status_code == 422
    assert "Add the SOP as a file." in lacking.text
    sop = manager.post("/methods/LH-1/files", role="sop", once="a-2", file=(BytesIO(PDF), "sop.pdf"))
    assert sop.status_code == 303
    manager.get("/methods/LH-1")
    assert manager.post("/methods/LH-1/submission", row_version=manager.edition).status_code == 303
    assert "Publish" not in manager.get("/methods/LH-1")
    assert client.get("/methods/LH-1").status_code == 404
    assert "LH-1" in reviewer.get("/methods/review")
    reviewer.get("/methods/LH-1")
    assert reviewer.post("/methods/LH-1/review", row_version=reviewer.edition).status_code == 303
    reviewer.get("/methods/LH-1")
    empty = reviewer.post("/methods/LH-1/return", row_version=reviewer.edition, reason=" ")
    assert empty.status_code == 422
    assert "Give the reason." in empty.text
    assert reviewer.post("/methods/LH-1/publication", row_version=reviewer.edition).status_code == 303
    shown = client.get("/methods/LH-1")
    assert shown.status_code == 200
    assert "TCGAAGGACGAAGG" in shown.text
    assert "not reported" in shown.text
    assert "Change the draft" not in shown.text
    got = client.get("/methods/LH-1/download?format=json&version=1")
    assert json.loads(got.data)["sources"] == [
        {"title": "A paper", "url": "https://example.org/a", "year": 2019}
    ]
    manager.get("/methods/LH-1")
    assert manager.post("/methods/LH-1/versions", change_note="Better probe", once="b").status_code == 428
    renewed = manager.post(
        "/methods/LH-1/versions", change_note="Better probe", once="c", row_version=manager.edition
    )
    assert renewed.status_code == 303
    manager.get("/methods/LH-1/edit")
    saved = manager.post(
        "/methods/LH-1/edit", row_version=manager.edition, **form_of(title="New title", change_note="Better")
    )
    assert saved.headers["Location"] == "/methods/LH-1/versions/2"
    assert "New title" in manager.get("/methods/LH-1/versions/2")
    assert "New title" not in manager.get("/methods/LH-1")


def test_form_that_is_refused_keeps_what_was_typed_and_marks_the_field(app: Flask) -> None:
    manager = Browser(app, make_manager())
    manager.get("/methods/new")
    fields = form_of(**{"oligo-2-sequence": "ACGJ", "amplicon_bp": "9,2", "sources": "a | b | c | d"})
    answer = manager.post("/methods", **{**fields, "sources": "My paper"})
    assert answer.status_code == 422
    assert "J at base 4" in answer.text
    assert "not a comma" in answer.text
    assert 'value="ACGJ"' in answer.text
    assert "My paper" in answer.text
    assert "oligo-2-sequence" in answer.text
    forged = manager.post("/methods", **form_of(state="published"))
    assert forged.status_code == 422
    assert "not yours to set" in forged.text


def test_more_rows_keep_what_was_typed_and_store_nothing(app: Flask) -> None:
    manager = Browser(app, make_manager())
    manager.get("/methods/new")
    answer = manager.post("/methods/rows", **form_of())
    assert answer.status_code == 200
    assert "TCGAAGGACGAAGG" in answer.text
    assert "oligo-6-sequence" in answer.text
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(DetectionMethod)) == 0


@pytest.mark.req("E1")
def test_second_editor_keeps_the_text_and_sees_what_is_stored(app: Flask) -> None:
    user = make_manager()
    make_method(actor=actor_of(user))
    manager = Browser(app, user)
    manager.get("/methods/LH-1/edit")
    seen = manager.edition
    with transaction():
        commands.change_draft(actor_of(user), "LH-1", {"title": "The other's title"}, expected=int(seen))
    answer = manager.post("/methods/LH-1/edit", row_version=seen, **form_of(title="My title"))
    assert answer.status_code == 412
    assert "My title" in answer.text
    assert "The other&#39;s title" in answer.text
    assert (
        manager.post(
            "/methods/LH-1/edit", row_version=manager.edition, **form_of(title="My title")
        ).status_code
        == 303
    )


def test_import_page_tells_every_row(app: Flask) -> None:
    manager = Browser(app, make_manager())
    manager.get("/methods/import")
    rows = [method_content(title="Good"), method_content(title="Bad", technique="magic")]

    def send(name: str, content: bytes, **fields: str) -> TestResponse:
        return manager.post("/methods/import", file=(BytesIO(content), name), **fields)

    refused = send("m.json", json.dumps(rows).encode())
    assert refused.status_code == 422
    assert "Nothing was stored" in refused.text
    assert "Choose one of" in refused.text
    assert send("m.json", json.dumps(rows[:1]).encode(), dry_run="true").status_code == 200
    assert send("m.csv", "title,specificity\r\nMaïs,event\r\n".encode("latin-1")).status_code == 422
    stored = send("m.json", json.dumps(rows[:1]).encode())
    assert stored.status_code == 200
    assert "new draft" in stored.text
    assert "Good" in manager.get("/methods?state=draft")


def test_list_sorts_filters_and_pages_without_javascript(client: FlaskClient) -> None:
    make_method(state="published", title="Alpha")
    make_method(state="published", title="Beta", technique="dpcr")
    page = client.get("/methods?sort=-title").text
    assert page.index("Beta") < page.index("Alpha")
    assert "2 methods" in page
    only = client.get("/methods?technique=dpcr&q=beta").text
    assert "Alpha" not in only
    assert "1 method" in only
    assert client.get("/methods?colour=red").status_code == 400
    assert client.get("/methods?lang=ar").status_code == 200
    assert client.get("/methods/LH-1?lang=ar").status_code == 200


@pytest.mark.req("C3")
def test_hostile_texts_are_shown_and_never_live(client: FlaskClient) -> None:
    vector = "<script>alert(1)</script>"
    attribute = '"><img src=x onerror=alert(1)>'
    make_method(state="published", title=vector, target=attribute, notes=[vector], reagents=attribute)
    for path in ("/methods", "/methods/LH-1", f"/methods?q={vector}"):
        page = client.get(path).text
        assert vector not in page
        assert attribute not in page
    assert "&lt;script&gt;" in client.get("/methods/LH-1").text


def test_withdrawn_and_superseded_versions_are_marked(app: Flask, client: FlaskClient) -> None:
    make_method(state="published")
    secretariat = Browser(app, make_user(Role.SECRETARIAT, password=PASSWORD))
    secretariat.get("/methods/LH-1")
    fields = {"reason": "Primer dimers", "version": "1"}
    assert secretariat.post("/methods/LH-1/withdrawal", **fields).status_code == 428
    assert secretariat.post("/methods/LH-1/withdrawal", row_version="1", **fields).status_code == 412
    gone = secretariat.post("/methods/LH-1/withdrawal", row_version=secretariat.edition, **fields)
    assert gone.status_code == 303
    page = client.get("/methods/LH-1/versions/1").text
    assert "withdrawn" in page
    assert "Primer dimers" in page
