"""What people can do with cases and samples, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from labhub import audit, clock
from labhub.accounts.actor import Actor, Role
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, StaleEdit
from labhub.samples import commands, queries
from labhub.samples.articles import Fact
from labhub.samples.models import Case, CaseEvent, CaseState, CustodyAct, SampleState
from tests.factories import (
    bearer,
    make_actor,
    make_case,
    make_citable_version,
    make_laboratory,
    make_party,
    make_sample,
    make_user,
)


@pytest.fixture
def analyst(app: Flask) -> Actor:
    return make_actor(Role.ANALYST, laboratory=make_laboratory())


def change(actor: Actor, case: Case, reason: str = "", **changes: Any) -> Case:
    with transaction():
        return commands.change_case(actor, case.number, case.row_version, changes, reason=reason)


def entries() -> int:
    count = db.session.scalar(select(func.count()).select_from(AuditEntry)) or 0
    db.session.rollback()
    return count


def test_case_numbers_follow_each_other_within_a_year(analyst: Actor) -> None:
    numbers = [make_case(analyst).number for _ in range(3)]
    year = clock.now().year
    assert numbers == [f"C-{year}-{n:04d}" for n in (1, 2, 3)]


def test_a_case_is_found_by_number_in_any_case_of_letters_and_by_id(analyst: Actor) -> None:
    case = make_case(analyst)
    for ident in (case.number, case.number.lower(), str(case.id), case.id):
        assert queries.find_case(analyst, ident).id == case.id
    for ident in ("C-2026-9999", "9999999999999", "nothing", "", "0"):
        with pytest.raises(NotFound):
            queries.find_case(analyst, ident)


def test_a_laboratory_opens_cases_for_its_own_party_only(analyst: Actor) -> None:
    make_party("BR")
    with pytest.raises(NotAllowed), transaction():
        commands.open_case(analyst, title="Elsewhere", party="BR")


def test_a_laboratory_opens_no_case_for_another_laboratory(analyst: Actor) -> None:
    other = make_laboratory()
    with pytest.raises(NotAllowed), transaction():
        commands.open_case(analyst, title="Not mine", party="KE", laboratory=other.code)


def test_a_focal_point_names_a_laboratory_of_the_own_party(app: Flask) -> None:
    own, foreign = make_laboratory(), make_laboratory(party=make_party("BR"))
    focal_point = make_actor(Role.FOCAL_POINT)
    assert make_case(focal_point).laboratory is None
    assert make_case(focal_point, laboratory=own.code).laboratory is own
    with pytest.raises(Invalid) as refusal, transaction():
        commands.open_case(focal_point, title="x", party="KE", laboratory=foreign.code)
    assert "laboratory" in refusal.value.errors


def test_only_the_focal_point_hands_a_case_to_a_laboratory(analyst: Actor) -> None:
    focal_point, other = make_actor(Role.FOCAL_POINT), make_laboratory()
    case = make_case(analyst)
    with pytest.raises(NotAllowed):
        change(analyst, case, laboratory=other.code)
    change(focal_point, queries.find_case(focal_point, case.id), laboratory=other.code)
    with pytest.raises(NotFound):
        queries.find_case(analyst, case.id)


def test_a_case_goes_through_its_states(analyst: Actor) -> None:
    focal_point = make_actor(Role.FOCAL_POINT)
    case = make_case(analyst)
    with pytest.raises(Conflict, match="under-analysis"):
        change(analyst, case, state=CaseState.NOTIFIED)
    case = change(analyst, queries.find_case(analyst, case.id), state=CaseState.UNDER_ANALYSIS)
    case = change(analyst, case, state=CaseState.CONCLUDED)
    with pytest.raises(NotAllowed):
        change(analyst, case, state=CaseState.NOTIFIED)
    case = change(focal_point, queries.find_case(focal_point, case.id), state=CaseState.NOTIFIED)
    case = change(focal_point, case, state=CaseState.CLOSED)
    with pytest.raises(Conflict, match="closed"):
        change(analyst, case, title="Another title")
    case = queries.find_case(analyst, case.id)
    with pytest.raises(Invalid) as refusal:
        change(analyst, case, state=CaseState.UNDER_ANALYSIS)
    assert "reason" in refusal.value.errors
    case = queries.find_case(analyst, case.id)
    assert change(analyst, case, "New sample", state=CaseState.UNDER_ANALYSIS).state is (
        CaseState.UNDER_ANALYSIS
    )


def test_a_closed_case_takes_no_sample_and_no_result(analyst: Actor) -> None:
    version = make_citable_version()
    case = make_case(analyst)
    sample = make_sample(analyst, case)
    change(analyst, case, state=CaseState.CLOSED)
    with pytest.raises(Conflict):
        make_sample(analyst, case)
    with pytest.raises(Conflict), transaction():
        commands.add_analysis(analyst, sample.id, method_code=version.method.code)
    with transaction():
        commands.put_away(analyst, sample.id, act=CustodyAct.DISPOSED)
    with pytest.raises(Conflict, match="disposed"), transaction():
        commands.hand_over(analyst, sample.id, to_person="Anybody")


@pytest.mark.req("E1")
def test_the_second_of_two_editors_is_refused(analyst: Actor) -> None:
    case = make_case(analyst)
    version = case.row_version
    change(analyst, case, inadvertent=Fact.YES)
    with pytest.raises(StaleEdit), transaction():
        commands.change_case(analyst, case.id, version, {"inadvertent": Fact.NO})
    assert queries.find_case(analyst, case.id).inadvertent is Fact.YES


@pytest.mark.req("G3")
def test_each_change_leaves_one_entry_and_an_empty_one_none(app: Flask, analyst: Actor) -> None:
    version = make_citable_version()
    before = entries()
    case = make_case(analyst)
    assert entries() == before + 1
    change(analyst, case, title="Soy at the port")
    assert entries() == before + 2
    change(analyst, case, title="Soy at the port")
    assert entries() == before + 2
    sample = make_sample(analyst, case)
    assert entries() == before + 3
    with transaction():
        commands.receive(analyst, sample.id)
    assert entries() == before + 4
    with transaction():
        commands.add_analysis(analyst, sample.id, method_code=version.method.code)
    assert entries() == before + 5
    sample = queries.find_sample(analyst, sample.id)
    with transaction():
        commands.change_sample(analyst, sample.id, sample.row_version, {"state": SampleState.REPORTED})
    assert entries() == before + 6
    with pytest.raises(Conflict), transaction():
        commands.receive(analyst, sample.id)
    assert entries() == before + 6
    assert audit.verify(app.extensions["labhub.config"].instance).problem == ""


@pytest.mark.req("G1")
def test_the_trail_can_be_compared_with_the_timeline(analyst: Actor) -> None:
    make_case(analyst)
    event = db.session.scalars(select(CaseEvent)).one()
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "case.open")).one()
    assert commands.event_digest(event) in entry.after


def test_a_label_stands_once_in_a_case(analyst: Actor) -> None:
    case, other = make_case(analyst), make_case(analyst)
    make_sample(analyst, case, label="S-1")
    make_sample(analyst, other, label="S-1")
    with pytest.raises(Conflict):
        make_sample(analyst, case, label="S-1")


def test_a_sample_is_never_taken_after_it_was_received(analyst: Actor) -> None:
    sample = make_sample(analyst, make_case(analyst))
    with transaction():
        commands.receive(analyst, sample.id, at=sample.taken_at + timedelta(minutes=5))
    sample = queries.find_sample(analyst, sample.id)
    with pytest.raises(Invalid) as refusal, transaction():
        late = {"taken_at": sample.taken_at + timedelta(minutes=10)}
        commands.change_sample(analyst, sample.id, sample.row_version, late)
    assert "taken_at" in refusal.value.errors


@pytest.mark.parametrize("at_minutes", [5, 90])
def test_a_sample_is_never_taken_after_it_was_handed_over(analyst: Actor, at_minutes: int) -> None:
    taken = clock.now() - timedelta(hours=2)
    sample = make_sample(analyst, make_case(analyst), taken_at=taken)
    with transaction():
        commands.hand_over(analyst, sample.id, to_person="Carl", at=taken + timedelta(minutes=at_minutes))
    sample = queries.find_sample(analyst, sample.id)
    late = {"taken_at": taken + timedelta(minutes=at_minutes, seconds=1)}
    with pytest.raises(Invalid) as refusal, transaction():
        commands.change_sample(analyst, sample.id, sample.row_version, late)
    assert "Custody entry 2" in str(refusal.value.errors["taken_at"][0])
    sample = queries.find_sample(analyst, sample.id)
    with transaction():
        same = {"taken_at": taken + timedelta(minutes=at_minutes)}
        commands.change_sample(analyst, sample.id, sample.row_version, same)


def test_a_sample_is_never_taken_after_it_was_analysed(analyst: Actor) -> None:
    version, taken = make_citable_version(), clock.now() - timedelta(days=9)
    sample = make_sample(analyst, make_case(analyst), taken_at=taken)
    day = (taken + timedelta(days=3)).date()
    with transaction():
        commands.add_analysis(analyst, sample.id, method_code=version.method.code, analysed_on=day)
    sample = queries.find_sample(analyst, sample.id)
    with pytest.raises(Invalid) as refusal, transaction():
        late = {"taken_at": taken + timedelta(days=5)}
        commands.change_sample(analyst, sample.id, sample.row_version, late)
    assert day.isoformat() in str(refusal.value.errors["taken_at"][0])


def test_nothing_is_analysed_after_its_disposal(analyst: Actor) -> None:
    method, now = make_citable_version().method.code, clock.now()
    sample = make_sample(analyst, make_case(analyst), taken_at=now - timedelta(days=9))
    disposed = now - timedelta(days=4)
    with transaction():
        commands.put_away(analyst, sample.id, act=CustodyAct.DISPOSED, at=disposed)
    for day in (None, disposed.date() + timedelta(days=1)):
        with pytest.raises(Invalid) as refusal, transaction():
            commands.add_analysis(analyst, sample.id, method_code=method, analysed_on=day)
        assert disposed.date().isoformat() in str(refusal.value.errors["analysed_on"][0])
    with transaction():
        commands.add_analysis(analyst, sample.id, method_code=method, analysed_on=disposed.date())
    assert queries.find_sample(analyst, sample.id).state is SampleState.DISPOSED


def test_a_sample_that_somebody_else_took_is_received_before_it_is_analysed(app: Flask) -> None:
    laboratory, method = make_laboratory(), make_citable_version().method.code
    analyst = make_actor(Role.ANALYST, laboratory=laboratory)
    focal_point = make_actor(Role.FOCAL_POINT)
    sample = make_sample(focal_point, make_case(focal_point, laboratory=laboratory.code))
    with pytest.raises(Conflict, match="not received"), transaction():
        commands.add_analysis(analyst, sample.id, method_code=method)
    with transaction():
        commands.receive(analyst, sample.id)
    with transaction():
        commands.add_analysis(analyst, sample.id, method_code=method)
    own = make_sample(analyst, make_case(analyst))
    with transaction():
        commands.add_analysis(analyst, own.id, method_code=method)
    assert queries.find_sample(analyst, own.id).state is SampleState.IN_ANALYSIS


def test_a_laboratory_receives_what_another_one_registered(analyst: Actor) -> None:
    method, other = make_citable_version().method.code, make_laboratory()
    case = make_case(analyst)
    sample = make_sample(analyst, case)
    change(make_actor(Role.FOCAL_POINT), case, laboratory=other.code)
    with pytest.raises(Conflict, match="not received"), transaction():
        commands.add_analysis(make_actor(Role.ANALYST, laboratory=other), sample.id, method_code=method)


CASE = {"title": "Maize", "party": "KE"}
SAMPLE = {"label": "S-9", "taken_at": "2026-03-01T08:00:00Z"}
METHOD = {"method_code": "QT-EVE-ZM-010", "version": 1}


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("/cases", {**CASE, "party": "ZZ"}, "party"),
    ("/cases", {**CASE, "party_of_release": "QQ"}, "party_of_release"),
    ("/cases", {**CASE, "laboratory": "NOWHERE"}, "laboratory"),
    ("/cases", {**CASE, "title": ""}, "title"),
    ("/cases", {**CASE, "title": "x" * 301}, "title"),
    ("/cases", {**CASE, "title": "a\u202eb"}, "title"),
    ("/cases", {"party": "KE"}, "title"),
    ("/cases", {**CASE, "article": 19}, "article"),
    ("/cases", {**CASE, "article": 17.5}, "article"),
    ("/cases", {**CASE, "inadvertent": "perhaps"}, "inadvertent"),
    ("/cases", {**CASE, "state": "closed"}, "state"),
    ("/cases", {**CASE, "visibility": "published"}, "visibility"),
    ("/cases", {**CASE, "number": "C-2026-0042"}, "number"),
    ("/cases/{case}/samples", {**SAMPLE, "taken_at": "2100-01-01T00:00:00Z"}, "taken_at"),
    ("/cases/{case}/samples", {**SAMPLE, "taken_at": "1926-01-01"}, "taken_at"),
    ("/cases/{case}/samples", {**SAMPLE, "taken_at": "yesterday"}, "taken_at"),
    ("/cases/{case}/samples", {**SAMPLE, "mass_gram": "2,5"}, "mass_gram"),
    ("/cases/{case}/samples", {**SAMPLE, "mass_gram": -1}, "mass_gram"),
    ("/cases/{case}/samples", {**SAMPLE, "mass_gram": True}, "mass_gram"),
    ("/cases/{case}/samples", {**SAMPLE, "increments": 2.5}, "increments"),
    ("/cases/{case}/samples", {**SAMPLE, "label": "S\u200b1"}, "label"),
    ("/cases/{case}/samples", {**SAMPLE, "state": "reported"}, "state"),
    ("/samples", {**SAMPLE, "case_id": "C-2026-9999"}, "case_id"),
    ("/samples", {**SAMPLE, "case_id": 999999}, "case_id"),
    ("/samples", {**SAMPLE, "case_id": {"id": 1}}, "case_id"),
    ("/samples", SAMPLE, "case_id"),
    ("/samples/{sample}/custody", {}, "to_person"),
    ("/samples/{sample}/custody", {"to_person": "x", "at": "2100-01-01T00:00:00Z"}, "at"),
    ("/samples/{sample}/custody", {"to_person": "x", "act": "registered"}, "act"),
    ("/samples/{sample}/custody", {"to_person": "x", "hash": "0"}, "hash"),
    ("/samples/{sample}/analyses", {"method_code": "NO-SUCH-1", "version": 1}, "method_code"),
    ("/samples/{sample}/analyses", {"version": 1}, "method_code"),
    ("/samples/{sample}/analyses", {**METHOD, "version": 7}, "version"),
    ("/samples/{sample}/analyses", {**METHOD, "version": "one"}, "version"),
    ("/samples/{sample}/analyses", {**METHOD, "version": 10**12}, "version"),
    ("/samples/{sample}/analyses", {**METHOD, "outcome": "no LMO"}, "outcome"),
    ("/samples/{sample}/analyses", {**METHOD, "outcome": "quantified"}, "gm_percent"),
    ("/samples/{sample}/analyses", {**METHOD, "outcome": "detected", "gm_percent": 1}, "gm_percent"),
    (
        "/samples/{sample}/analyses",
        {**METHOD, "outcome": "quantified", "gm_percent": "0,9", "unit": "m/m"},
        "gm_percent",
    ),
    (
        "/samples/{sample}/analyses",
        {**METHOD, "outcome": "quantified", "gm_percent": 101, "unit": "m/m"},
        "gm_percent",
    ),
    ("/samples/{sample}/analyses", {**METHOD, "outcome": "quantified", "gm_percent": 1}, "unit"),
    ("/samples/{sample}/analyses", {**METHOD, "outcome": "detected", "unit": "m/m"}, "unit"),
    ("/samples/{sample}/analyses", {**METHOD, "outcome": "detected", "u_percent": 1}, "u_percent"),
    ("/samples/{sample}/analyses", {**METHOD, "outcome": "not-detected"}, "lod_text"),
    ("/samples/{sample}/analyses", {**METHOD, "analysed_on": "2100-01-01"}, "analysed_on"),
    ("/samples/{sample}/analyses", {**METHOD, "analysed_on": "2001-01-01"}, "analysed_on"),
    ("/samples/{sample}/analyses", {**METHOD, "lmo": "XXX-ØØØØØ-Ø"}, "lmo"),
    ("/samples/{sample}/analyses", {**METHOD, "replaces_id": 10**9, "reason": "r"}, "replaces_id"),
    ("/samples/{sample}/analyses", {**METHOD, "reason": "r"}, "reason"),
    ("/samples/{sample}/analyses", {**METHOD, "laboratory": "X"}, "laboratory"),
]


def test_bad_input_is_refused_by_field_and_nothing_is_stored(client: FlaskClient) -> None:
    headers = bearer(make_user(Role.ANALYST, laboratory=make_laboratory()))
    make_citable_version("QT-EVE-ZM-010")
    case = client.post("/api/v1/cases", json=CASE, headers=headers).json
    first = {**SAMPLE, "label": "S-1", "case_id": case["number"]}
    sample = client.post("/api/v1/samples", json=first, headers=headers).json
    before = entries()
    wrong = []
    for where, body, field in BAD:
        address = "/api/v1" + where.format(case=case["id"], sample=sample["id"])
        response = client.post(address, json=body, headers=headers)
        if response.status_code != 422 or list(response.json["errors"]) != [field]:
            wrong.append((where, body, field, response.get_data(as_text=True)))
    assert not wrong
    assert entries() == before


def test_an_edit_says_which_version_it_was_made_on(client: FlaskClient) -> None:
    user = make_user(Role.ANALYST, laboratory=make_laboratory())
    headers = bearer(user)
    made = client.post("/api/v1/cases", json=CASE, headers=headers)
    address = made.headers["Location"]
    assert client.patch(address, json={"title": "Soy"}, headers=headers).status_code == 428
    tagged = {**headers, "If-Match": made.headers["ETag"]}
    changed = client.patch(address, json={"title": "Soy"}, headers=tagged)
    assert (changed.status_code, changed.json["title"]) == (200, "Soy")
    assert changed.headers["ETag"] != made.headers["ETag"]
    assert client.patch(address, json={"title": "Rice"}, headers=tagged).status_code == 412


@pytest.mark.req("E3")
def test_a_repeated_request_opens_one_case(client: FlaskClient) -> None:
    user = make_user(Role.ANALYST, laboratory=make_laboratory())
    headers = {**bearer(user), "Idempotency-Key": "a-key-of-mine"}
    numbers = {client.post("/api/v1/cases", json=CASE, headers=headers).json["number"] for _ in range(3)}
    assert len(numbers) == 1
    other = client.post("/api/v1/cases", json={**CASE, "title": "Soy"}, headers=headers)
    assert other.status_code == 422


def test_lists_filter_sort_and_refuse_what_they_do_not_know(client: FlaskClient) -> None:
    user = make_user(Role.ANALYST, laboratory=make_laboratory())
    headers = bearer(user)
    for title, article in (("Maize 100%", 17), ("Soy", 25), ("Rice_A", None)):
        client.post("/api/v1/cases", json={**CASE, "title": title, "article": article}, headers=headers)

    def titles(query: str) -> list[str]:
        return [row["title"] for row in client.get(f"/api/v1/cases?{query}", headers=headers).json]

    assert titles("sort=title") == ["Maize 100%", "Rice_A", "Soy"]
    assert titles("") == ["Rice_A", "Soy", "Maize 100%"]
    assert titles("q=0%25") == ["Maize 100%"]
    assert titles("q=%25") == ["Maize 100%"]
    assert titles("q=_") == ["Rice_A"]
    assert titles("article=25") == ["Soy"]
    assert titles("state=closed") == []
    for query in ("sort=summary", "secret=1", "article=1", "page_size=1000"):
        assert client.get(f"/api/v1/cases?{query}", headers=headers).status_code == 400
