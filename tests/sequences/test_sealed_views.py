"""Doors of sealed sequences: what they answer to whom, and that answers are equally long."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from labhub.accounts.actor import Role, Scope
from labhub.accounts.models import Laboratory
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.sequences import insilico
from labhub.sequences import sealed_commands as commands
from labhub.sequences.insilico import Assay, Settings
from labhub.sequences.models import Visibility
from labhub.sequences.oligos import reverse_complement
from labhub.sequences.packed import pack
from labhub.sequences.sealed_matching import SealedRecord, search
from labhub.sequences.sealed_models import SealedRight
from labhub.sequences.sealed_walks import Question
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    make_bases,
    make_laboratory,
    make_party,
    make_sequence,
    make_user,
    submit,
)

BASES = make_bases(900, seed=61)
HIT = {"forward": BASES[100:120], "reverse": reverse_complement(BASES[300:320])}
MISS = {"forward": make_bases(20, seed=7), "reverse": make_bases(20, seed=8)}


class People:
    """An owner's manager and a person who may use."""

    def __init__(self) -> None:
        self.laboratory: Laboratory = make_laboratory(party=make_party("BR"))
        self.manager = make_user(
            Role.MANAGER, laboratory=self.laboratory, party=make_party("BR"), password=PASSWORD
        )
        self.record = make_sequence(
            actor_of(self.manager), bases=BASES, visibility=Visibility.SEALED, title="Secret insert"
        )
        self.others = make_laboratory()
        self.user = make_user(Role.ANALYST, laboratory=self.others, password=PASSWORD)

    def grant(self) -> None:
        with transaction():
            commands.grant(
                actor_of(self.manager),
                self.record.accession,
                SealedRight.USE,
                commands.Grantee(laboratory=self.others.code),
                reason="Surveillance",
            )


@pytest.fixture
def people(app: Flask) -> People:
    return People()


@pytest.mark.req("A5")
def test_answers_of_both_doors_are_equally_long(app: Flask, people: People, client: FlaskClient) -> None:
    people.grant()
    headers = bearer(people.user)
    answers = [client.post("/api/v1/sealed-searches", json=sent, headers=headers) for sent in (HIT, MISS)]
    assert [a.get_json()["questions"][0]["events"][0]["answer"] for a in answers] == ["found", "not-found"]
    assert len({len(a.data) for a in answers}) == 1
    assert set(answers[0].get_json()["questions"][0]["events"][0]) == {"event", "lmo", "answer", "padding"}
    assert answers[0].headers["Cache-Control"] == "no-store"
    for language in ("en", "ar"):
        browser = browser_of(app, people.user)
        pages = [submit(browser, f"/sealed?lang={language}", **sent) for sent in (HIT, MISS)]
        assert ['data-answer="found"' in page.text for page in pages] == [True, False]
        sizes = {len(re.sub(r'value="[^"]*"', "", page.text).encode()) for page in pages}
        assert len(sizes) == 1, language


def test_owner_names_looks_and_revokes_on_the_page(app: Flask, people: People, client: FlaskClient) -> None:
    browser = browser_of(app, people.manager)
    accession = people.record.accession
    assert f"/sequences/{accession}/sealed" in browser.get(f"/sequences/{accession}").text
    address = f"/sequences/{accession}/sealed"
    wrong = submit(browser, f"{address}/grants", right="use", reason="x")
    assert wrong.status_code == 422
    made = submit(
        browser, f"{address}/grants", right="use", laboratory=people.others.code, reason="Surveillance"
    )
    assert made.status_code == 303, made.text
    client.post("/api/v1/sealed-searches", json=HIT, headers=bearer(people.user))
    page = browser.get(address).text
    assert people.others.code in page
    assert people.user.name in page
    assert HIT["forward"] not in page
    number = re.search(r"/grants/(\d+)/revocation", page)
    assert number is not None
    assert submit(browser, f"{address}/grants/{number[1]}/revocation", reason="Over").status_code == 303
    response = client.post("/api/v1/sealed-searches", json=HIT, headers=bearer(people.user))
    assert response.get_json()["questions"] == [{"question": 1, "events": []}]
    csv = browser.get(f"/api/v1/sequences/{accession}/uses?format=csv")
    assert csv.mimetype == "text/csv"
    assert csv.text.splitlines()[-1].endswith("search,api,found")


@pytest.mark.req("A2")
def test_owners_addresses_are_missing_for_strangers(people: People, client: FlaskClient) -> None:
    stranger = make_user(Role.MANAGER, laboratory=make_laboratory())
    people.grant()
    for user in (stranger, people.user):
        for path in ("grants", "uses"):
            hidden = client.get(
                f"/api/v1/sequences/{people.record.accession}/{path}", headers=bearer(user, Scope.ADMIN)
            )
            missing = client.get(f"/api/v1/sequences/LHS-999/{path}", headers=bearer(user, Scope.ADMIN))
            assert hidden.status_code == missing.status_code
            assert hidden.status_code in (403, 404)


def test_grants_by_program_need_the_scope_admin(people: People, client: FlaskClient) -> None:
    address = f"/api/v1/sequences/{people.record.accession}/grants"
    given = {"right": "use", "laboratory": people.others.code, "reason": "Surveillance"}
    assert client.post(address, json=given, headers=bearer(people.manager)).status_code == 403
    headers = bearer(people.manager, Scope.ADMIN)
    made = client.post(address, json=given, headers=headers)
    assert made.status_code == 201, made.text
    assert client.post(address, json=given, headers=headers).status_code == 409
    number = made.get_json()["id"]
    ended = client.post(f"{address}/{number}/revocation", json={"reason": "Over"}, headers=headers)
    assert ended.get_json()["holds"] is False
    assert [row["holds"] for row in client.get(address, headers=headers).get_json()] == [False]
    unsealed = make_sequence(actor_of(people.manager))
    refused = client.get(f"/api/v1/sequences/{unsealed.accession}/grants", headers=headers)
    assert refused.status_code == 409


@pytest.mark.req("A6")
def test_limits_and_refusals_at_the_doors(app: Flask, people: People, client: FlaskClient) -> None:
    people.grant()
    headers = bearer(people.user)
    short = client.post("/api/v1/sealed-searches", json={**HIT, "forward": "ACGT"}, headers=headers)
    assert short.status_code == 422
    assert set(short.get_json()["errors"]) == {"forward"}
    assert (
        client.post("/api/v1/sealed-searches", json={"max_mismatches": 3}, headers=headers).status_code == 422
    )
    assert client.post("/api/v1/sealed-searches", json={}, headers=headers).status_code == 422
    text = "\n".join(f">{n}\n{make_bases(30, seed=300 + n)}" for n in range(20))
    for _again in range(2):
        client.post("/api/v1/sealed-searches", json={"sequences": text}, headers=headers)
    over = client.post("/api/v1/sealed-searches", json={"sequences": text}, headers=headers)
    assert over.status_code == 429
    assert int(over.headers["Retry-After"]) > 0
    browser = browser_of(app, people.user)
    assert submit(browser, "/sealed", sequences=text).status_code == 429


def test_stops_are_listed_and_lifted_on_the_page(app: Flask, people: People, client: FlaskClient) -> None:
    people.grant()
    for number in range(8):
        sent = {"forward": BASES[200 + number : 218 + number], "reverse": make_bases(24, seed=900 + number)}
        response = client.post("/api/v1/sealed-searches", json=sent, headers=bearer(people.user))
    assert response.get_json()["questions"][0]["events"][0]["answer"] == "not-decided"
    browser = browser_of(app, people.manager)
    page = browser.get("/sealed/stops").text
    assert people.user.name in page
    key = re.search(r"/sealed/stops/([0-9a-f]+)/lifting", page)
    assert key is not None
    assert submit(browser, f"/sealed/stops/{key[1]}/lifting").status_code == 422
    assert submit(browser, f"/sealed/stops/{key[1]}/lifting", reason="Agreed").status_code == 303
    (stop,) = client.get("/api/v1/sealed-stops", headers=bearer(people.manager)).get_json()
    assert stop["lift_reason"] == "Agreed"
    assert client.get("/api/v1/sealed-stops", headers=bearer(people.user)).status_code == 403
    db.session.rollback()


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("probe", [False, True])
def test_the_constant_search_agrees_with_the_engine(circular: bool, probe: bool) -> None:
    """Short primers on a small alphabet of sites, so that hits of every kind occur."""
    settings = Settings(max_mismatches=0, three_prime_exact=0, min_size=40, max_size=1500)
    agreed = set()
    for seed in range(60):
        bases = make_bases(500, seed=seed)
        place = [37 * seed % 480, 61 * seed % 480, 23 * seed % 480]
        text = bases + bases[:40]
        sites = [text[start : start + 18] for start in place]
        question = Question(
            sites[0] if seed % 2 else reverse_complement(sites[0]),
            reverse_complement(sites[1]) if seed % 3 else sites[1],
            sites[2] if probe else "",
        )
        assay = Assay("a", question.forward, question.reverse, question.probe)
        found = insilico.search([assay], pack([("r", bases, circular)]), settings).products
        expected = bool((found.probe_mm >= 0).any()) if probe else len(found) > 0
        ((got,),), _work = search([question], [SealedRecord(bases, circular)])
        assert got == expected, (seed, question.parts, place)
        agreed.add(got)
    assert agreed == {True, False}
