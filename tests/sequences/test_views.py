"""The pages of reference sequences, as a browser uses them."""

import re
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from labhub.accounts.actor import Role
from labhub.accounts.models import User
from labhub.db import db
from labhub.sequences.models import ReferenceSequence, SequenceState, Visibility
from tests.factories import (
    PASSWORD,
    browser_of,
    make_actor,
    make_bases,
    make_genbank,
    make_laboratory,
    make_published_sequence,
    make_sequence,
    make_user,
)


class Browser:
    """A signed-in person's browser that takes the hidden fields from the form it sends."""

    def __init__(self, app: Flask, user: User) -> None:
        self.client = browser_of(app, user)

    @staticmethod
    def _hidden(page: TestResponse, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
        assert found, f"no field {name}"
        return found[1]

    def get(self, address: str) -> TestResponse:
        return self.client.get(address)

    def send(self, page: str, address: str, **fields: object) -> TestResponse:
        form = self.get(page)
        assert form.status_code == 200, form.text[:300]
        given: dict[str, object] = {
            "csrf_token": self._hidden(form, "csrf_token"),
            "once": self._hidden(form, "once"),
        }
        if 'name="row_version"' in form.text:
            given["row_version"] = self._hidden(form, "row_version")
        return self.client.post(address, data={**given, **fields})


@pytest.fixture
def laboratory_people(app: Flask) -> tuple[User, User, User]:
    laboratory = make_laboratory()
    return (
        make_user(Role.ANALYST, laboratory=laboratory, password=PASSWORD),
        make_user(Role.MANAGER, laboratory=laboratory, password=PASSWORD),
        make_user(Role.REVIEWER, password=PASSWORD),
    )


def only_record() -> ReferenceSequence:
    db.session.rollback()
    db.session.expire_all()
    (record,) = db.session.scalars(select(ReferenceSequence)).all()
    return record


def test_file_goes_from_the_form_to_a_public_page(
    app: Flask, client: FlaskClient, laboratory_people: tuple[User, User, User]
) -> None:
    analyst, manager, reviewer = (Browser(app, user) for user in laboratory_people)
    content = make_genbank(title="<b>P-35S</b> & more")
    sent = analyst.send(
        "/sequences/upload",
        "/sequences/upload",
        file=(BytesIO(content), "part.gb"),
        visibility="public",
        note="From a kit.",
    )
    assert sent.status_code == 303, sent.text
    page = analyst.get(sent.headers["Location"])
    assert "LHS-1 is stored as a draft." in page.text
    assert "&lt;b&gt;P-35S&lt;/b&gt;" in page.text
    assert "Submit for review" not in page.text
    changed = analyst.send(
        "/sequences/LHS-1/edit",
        "/sequences/LHS-1/edit",
        title="P-35S",
        organism="Cauliflower mosaic virus",
        topology="circular",
        visibility="public",
    )
    assert changed.status_code == 303, changed.text
    assert manager.send("/sequences/LHS-1", "/sequences/LHS-1/submission").status_code == 303
    assert client.get("/sequences/LHS-1").status_code == 404
    assert reviewer.send("/sequences/LHS-1", "/sequences/LHS-1/claim").status_code == 303
    assert reviewer.send("/sequences/LHS-1", "/sequences/LHS-1/publication").status_code == 303
    assert only_record().state is SequenceState.PUBLISHED
    public = client.get("/sequences/LHS-1")
    assert public.status_code == 200
    assert only_record().digest in public.text
    assert "/api/v1/sequences/LHS-1/download?format=genbank" in public.text
    assert "part.gb" not in public.text
    listed = client.get("/sequences?q=35S&sort=title")
    assert "LHS-1" in listed.text
    assert "1 sequence" in listed.text


def test_refused_file_keeps_what_was_typed(app: Flask, laboratory_people: tuple[User, User, User]) -> None:
    analyst = Browser(app, laboratory_people[0])
    answer = analyst.send(
        "/sequences/upload",
        "/sequences/upload",
        file=(BytesIO(b">a\nACGZ\n"), "part.fa"),
        visibility="network",
        note="My note",
    )
    assert answer.status_code == 422
    assert "line 2" in answer.text
    assert "My note" in answer.text
    assert re.search(r'value="network" checked', answer.text)
    assert db.session.scalars(select(ReferenceSequence)).all() == []


def test_form_sent_twice_makes_one_record(app: Flask, laboratory_people: tuple[User, User, User]) -> None:
    analyst = Browser(app, laboratory_people[0])
    form = analyst.get("/sequences/upload")
    fields = {name: analyst._hidden(form, name) for name in ("csrf_token", "once")}
    answers = [
        analyst.client.post(
            "/sequences/upload",
            data={**fields, "file": (BytesIO(make_genbank()), "part.gb")},
        )
        for _time in range(2)
    ]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert only_record().accession == "LHS-1"


def test_second_editor_is_told(app: Flask, laboratory_people: tuple[User, User, User]) -> None:
    analyst, manager = (Browser(app, user) for user in laboratory_people[:2])
    analyst.send("/sequences/upload", "/sequences/upload", file=(BytesIO(make_genbank()), "part.gb"))
    assert (
        analyst.send(
            "/sequences/LHS-1/edit", "/sequences/LHS-1/edit", title="First", topology="circular"
        ).status_code
        == 303
    )
    late = manager.send(
        "/sequences/LHS-1/edit", "/sequences/LHS-1/edit", title="Second", note="kept", row_version="1"
    )
    assert late.status_code == 412
    assert "Second" in late.text
    assert "Somebody else has changed this record" in late.text
    assert only_record().title == "First"


def test_step_from_an_old_page_is_refused_with_the_present_record(
    app: Flask, laboratory_people: tuple[User, User, User]
) -> None:
    analyst, manager = (Browser(app, user) for user in laboratory_people[:2])
    analyst.send("/sequences/upload", "/sequences/upload", file=(BytesIO(make_genbank()), "part.gb"))
    page = manager.get("/sequences/LHS-1")
    token = manager._hidden(page, "csrf_token")
    changed = analyst.send("/sequences/LHS-1/edit", "/sequences/LHS-1/edit", title="New", topology="circular")
    assert changed.status_code == 303
    old = {"csrf_token": token, "row_version": manager._hidden(page, "row_version")}
    for step, fields in (("submission", {}), ("withdrawal", {"reason": "Wrong."})):
        late = manager.client.post(f"/sequences/LHS-1/{step}", data={**old, **fields})
        assert late.status_code == 412
        assert "Somebody else has changed this record" in late.text
        assert f'name="row_version" value="{only_record().row_version}"' in late.text
        bare = manager.client.post(f"/sequences/LHS-1/{step}", data={"csrf_token": token, **fields})
        assert bare.status_code == 428
    assert only_record().state is SequenceState.DRAFT


def test_returned_record_shows_the_reason(app: Flask, laboratory_people: tuple[User, User, User]) -> None:
    _analyst, manager, reviewer = (Browser(app, user) for user in laboratory_people)
    manager.send("/sequences/upload", "/sequences/upload", file=(BytesIO(make_genbank()), "part.gb"))
    manager.send("/sequences/LHS-1", "/sequences/LHS-1/submission")
    empty = reviewer.send("/sequences/LHS-1", "/sequences/LHS-1/return", reason=" ")
    assert empty.status_code == 422
    back = reviewer.send("/sequences/LHS-1", "/sequences/LHS-1/return", reason="Name the vector.")
    assert back.status_code == 303
    assert back.headers["Location"].startswith("/sequences")
    assert "Name the vector." in manager.get("/sequences/LHS-1").text
    twice = manager.send("/sequences/LHS-1", "/sequences/LHS-1/submission")
    assert twice.status_code == 303


def test_page_names_a_twin(app: Flask, client: FlaskClient) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    reviewer = make_actor(Role.REVIEWER)
    first = make_published_sequence(manager, reviewer)
    second = make_published_sequence(manager, reviewer, accession="AB000002")
    assert f"/sequences/{second.accession}" in client.get(f"/sequences/{first.accession}").text


def test_source_accession_leads_to_the_record(app: Flask, client: FlaskClient) -> None:
    made = make_published_sequence(
        make_actor(Role.MANAGER, laboratory=make_laboratory()), make_actor(Role.REVIEWER)
    )
    answer = client.get("/sequences/AB123456")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/sequences/{made.accession}"


def test_sealed_page_shows_no_bases_to_an_analyst(app: Flask) -> None:
    laboratory = make_laboratory()
    analyst = make_user(Role.ANALYST, laboratory=laboratory, password=PASSWORD)
    manager = make_user(Role.MANAGER, laboratory=laboratory, password=PASSWORD)
    bases = make_bases(400, seed=8)
    actor = make_actor(Role.MANAGER, laboratory=laboratory)
    made = make_sequence(actor, bases=bases, visibility=Visibility.SEALED)
    address = f"/sequences/{made.accession}"
    shut, opened = Browser(app, analyst).get(address), Browser(app, manager).get(address)
    assert (shut.status_code, opened.status_code) == (200, 200)
    assert bases[:120] in opened.text
    assert not [at for at in range(len(bases) - 11) if bases[at : at + 12] in shut.text]
    assert made.digest not in shut.text


@pytest.mark.req("C3")
def test_text_of_a_file_is_never_markup(app: Flask, client: FlaskClient) -> None:
    bad = "<script>alert(1)</script>"
    made = make_published_sequence(
        make_actor(Role.MANAGER, laboratory=make_laboratory()), make_actor(Role.REVIEWER), title=bad
    )
    for address in ("/sequences", f"/sequences/{made.accession}"):
        assert bad not in client.get(address).text


@pytest.mark.parametrize("language", ["en", "ar"])
def test_pages_are_shown_in_each_language(
    language: str, app: Flask, client: FlaskClient, laboratory_people: tuple[User, User, User]
) -> None:
    manager = Browser(app, laboratory_people[1])
    manager.send("/sequences/upload", "/sequences/upload", file=(BytesIO(make_genbank()), "part.gb"))
    for address in ("/sequences", "/sequences/upload", "/sequences/LHS-1", "/sequences/LHS-1/edit"):
        page = manager.get(f"{address}?lang={language}")
        assert page.status_code == 200
        assert f'lang="{language}"' in page.text
