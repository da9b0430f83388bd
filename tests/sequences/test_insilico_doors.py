"""In-silico PCR by API and page: what it finds, what it says it searched, and what nobody else may learn."""

import csv
import json
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
from labhub.sequences import commands, insilico_queries, library_queries
from labhub.sequences.models import ReferenceSequence, Visibility
from labhub.sequences.oligos import reverse_complement
from labhub.work.models import BackgroundJob
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    csrf_token,
    make_bases,
    make_laboratory,
    make_method,
    make_published_sequence,
    make_sequence,
    make_user,
)

FORWARD, REVERSE, PROBE = "TCGAAGGACGAAGGACTCTAACG", "GCCACCTTCCTTTTCCACTATCTT", "AACATCCTTTGCCATTGCCCAGC"
"""Oligos of the method of the factories."""
ASSAY = {"name": "mine", "forward": FORWARD, "reverse": REVERSE, "probe": PROBE}


def record(seed: int = 1, *, at: int = 100, forward: str = FORWARD) -> str:
    """Return 400 bases with a product of 92 bp that begins at base ``at`` (from 0)."""
    inside = make_bases(92 - len(FORWARD) - len(REVERSE) - len(PROBE), seed=seed + 50)
    product = forward + PROBE + inside + reverse_complement(REVERSE)
    around = make_bases(400 - len(product), seed=seed)
    return around[:at] + product + around[at:]


class People:
    def __init__(self) -> None:
        self.laboratory = make_laboratory()
        self.manager: User = make_user(Role.MANAGER, laboratory=self.laboratory, password=PASSWORD)
        self.reviewer: User = make_user(Role.REVIEWER)
        self.stranger: User = make_user(Role.PARTICIPANT, password=PASSWORD)

    def published(self, bases: str, **more: Any) -> str:
        return make_published_sequence(
            actor_of(self.manager), actor_of(self.reviewer), bases=bases, **more
        ).accession

    def draft(self, bases: str, **more: Any) -> str:
        return make_sequence(actor_of(self.manager), bases=bases, **more).accession


@pytest.fixture
def people(app: Flask) -> People:
    return People()


def ask(client: FlaskClient, user: User, **body: Any) -> TestResponse:
    return client.post("/api/v1/insilico", json=body, headers=bearer(user))


def test_an_assay_finds_its_product_with_1_based_coordinates(people: People, client: FlaskClient) -> None:
    accession = people.published(record())
    answer = ask(client, people.stranger, assays=[ASSAY])
    assert answer.status_code == 200, answer.json
    (product,) = answer.json["products"]
    assert {name: product[name] for name in ("assay", "reference", "start", "end", "size", "strand")} == {
        "assay": "mine",
        "reference": accession,
        "start": 101,
        "end": 192,
        "size": 92,
        "strand": "+",
    }
    assert (product["mm_f"], product["mm_r"], product["probe_mm"], product["wraps"]) == (0, 0, 0, False)
    assert product["sites"]["left"] == {"oligo": FORWARD, "site": FORWARD, "mismatches": []}
    assert product["sites"]["probe"]["start"] == len(FORWARD) + 1
    assert answer.json["searched"] == {"assays": 1, "records": 1, "bases": 400, "references": "hub"}
    assert answer.json["products_found"] == 1
    assert (answer.json["refused"], answer.json["truncated"]) == ([], [])


def test_the_other_strand_and_mismatches_are_shown(people: People, client: FlaskClient) -> None:
    changed = FORWARD[:4] + ("A" if FORWARD[4] != "A" else "C") + FORWARD[5:]
    people.published(reverse_complement(record(forward=changed)))
    (product,) = ask(client, people.stranger, assays=[ASSAY]).json["products"]
    assert (product["strand"], product["mm_f"], product["mm_r"]) == ("-", 1, 0)
    assert product["sites"]["right"]["oligo"] == FORWARD
    assert product["sites"]["right"]["mismatches"] == [5]
    assert ask(client, people.stranger, assays=[ASSAY], max_mismatches=0).json["products"] == []


def test_methods_are_searched_by_code_and_all_together(people: People, client: FlaskClient) -> None:
    accession = people.published(record())
    version = make_method(actor=actor_of(people.manager), state="published")
    code = version.method.code
    one = ask(client, people.stranger, methods=[code.lower()]).json
    assert [(row["assay"], row["reference"]) for row in one["products"]] == [(code, accession)]
    assert one["assays"][0]["method"] == code
    every = ask(client, people.stranger, all_methods=True, methods=[code]).json
    assert every["searched"]["assays"] == 1
    assert every["products"] == one["products"]


@pytest.mark.req("A2")
def test_a_draft_method_is_searched_by_its_laboratory_only(people: People, client: FlaskClient) -> None:
    people.published(record())
    code = make_method(actor=actor_of(people.manager)).method.code
    assert len(ask(client, people.manager, methods=[code]).json["products"]) == 1
    there = ask(client, people.stranger, methods=[code])
    missing = ask(client, people.stranger, methods=["LH-9999"])
    assert (there.status_code, missing.status_code) == (422, 422)
    assert abs(len(there.data) - len(missing.data)) <= 12
    assert ask(client, people.stranger, all_methods=True).status_code == 422, "nothing is published"


@pytest.mark.req("A2")
def test_records_of_others_are_neither_found_nor_counted(people: People, client: FlaskClient) -> None:
    draft = people.draft(record())
    own = ask(client, people.manager, assays=[ASSAY]).json
    assert [row["reference"] for row in own["products"]] == [draft]
    other = ask(client, people.stranger, assays=[ASSAY]).json
    assert other["products"] == []
    assert other["searched"] == {"assays": 1, "records": 0, "bases": 0, "references": "hub"}
    there = ask(client, people.stranger, assays=[ASSAY], references=[draft])
    missing = ask(client, people.stranger, assays=[ASSAY], references=["LHS-9999"])
    assert (there.status_code, missing.status_code) == (422, 422)
    assert abs(len(there.data) - len(missing.data)) <= 12


@pytest.mark.req("A2")
def test_what_was_cut_off_does_not_tell_of_others_records(
    people: People, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search over everything is cut off by hidden products: it is done again without them."""
    seen = [people.published(record(seed)) for seed in (1, 2)]
    for seed in (3, 4, 5):
        people.draft(record(seed))
    monkeypatch.setattr(
        insilico_queries,
        "settings_for",
        lambda assays, **given: insilico_queries.Settings(**given, most_products=3),
    )
    monkeypatch.setattr("labhub.web.insilico.settings_for", insilico_queries.settings_for)
    answer = ask(client, people.stranger, assays=[ASSAY]).json
    assert [row["reference"] for row in answer["products"]] == seen
    assert answer["truncated"] == []
    assert ask(client, people.manager, assays=[ASSAY]).json["truncated"] != []


@pytest.mark.req("A5")
def test_sealed_bases_come_out_of_no_answer(people: People, client: FlaskClient, app: Flask) -> None:
    bases = record()
    sealed = people.draft(bases, visibility=Visibility.SEALED)
    people.published(make_bases(400, seed=77))
    for user in (people.manager, people.stranger):
        answer = ask(client, user, assays=[ASSAY])
        assert answer.json["products"] == []
        assert answer.json["searched"]["records"] == 1
        named = ask(client, user, assays=[ASSAY], references=[sealed])
        assert named.status_code == 422
        browser = browser_of(app, user)
        page = send_form(browser, forward=FORWARD, reverse=REVERSE)
        text = answer.text + named.text + browser.get(page.location).text
        pieces = {bases[at : at + 12] for at in range(len(bases) - 11)}
        own = {piece for oligo in (FORWARD, REVERSE, PROBE) for piece in pieces_of(oligo)}
        assert not {piece for piece in pieces - own if piece in text}
    assert "sealed" in ask(client, people.manager, assays=[ASSAY], references=[sealed]).text
    folder = app.extensions["labhub.config"].instance / "library"
    assert all(b"LHS-1" not in path.read_bytes() or sealed != "LHS-1" for path in folder.glob("hub-*"))


def pieces_of(oligo: str) -> set[str]:
    both = (oligo, reverse_complement(oligo))
    return {text[at : at + 12] for text in both for at in range(len(text) - 11)}


def test_chosen_records_and_withdrawn_ones(people: People, client: FlaskClient) -> None:
    first, second = people.published(record(1)), people.published(record(2))
    answer = ask(client, people.stranger, assays=[ASSAY], references=[second.lower()]).json
    assert [row["reference"] for row in answer["products"]] == [second]
    assert answer["searched"] == {"assays": 1, "records": 1, "bases": 400, "references": "chosen"}
    with transaction():
        commands.withdraw_sequence(actor_of(people.manager), first, "Wrong.")
    answer = ask(client, people.stranger, assays=[ASSAY]).json
    assert [row["reference"] for row in answer["products"]] == [second]
    assert "withdrawn" in ask(client, people.stranger, assays=[ASSAY], references=[first]).text


def test_records_that_are_brought_are_searched_and_not_kept(people: People, client: FlaskClient) -> None:
    people.published(record())
    text = f">brought first\n{record(2)}\n>brought2\n{make_bases(300)}\n"
    for body in ({"reference_text": text}, {"reference_text": text.replace("\n", "\r\n")}):
        answer = ask(client, people.stranger, assays=[ASSAY], **body).json
        assert [row["reference"] for row in answer["products"]] == ["brought"]
        assert answer["searched"] == {"assays": 1, "records": 2, "bases": 700, "references": "file"}
    assert ask(client, people.stranger, assays=[ASSAY], reference_text=record(3)).json["products_found"] == 1
    assert db.session.scalar(select(func.count()).select_from(ReferenceSequence)) == 1
    assert db.session.scalar(select(func.count()).select_from(BackgroundJob)) == 0


def test_a_file_is_searched(people: People, client: FlaskClient) -> None:
    def send(content: bytes, name: str, request: str) -> TestResponse:
        return client.post(
            "/api/v1/insilico/file",
            data={"file": (BytesIO(content), name), "request": request},
            headers=bearer(people.stranger),
        )

    body = json.dumps({"assays": [ASSAY]})
    answer = send(f">one\n{record()}\n".encode(), "some.fasta", body)
    assert (answer.status_code, answer.json["products_found"]) == (200, 1), answer.json
    assert send(b"\x00\x01\x02", "some.fasta", body).status_code == 422
    assert send(b">one\nACGTZZ\n", "some.fasta", body).status_code == 422
    for wrong in ("", "{", "[]", '"x"', '{"assays": 3}', '{"a": NaN}'):
        assert send(b">one\nACGT\n", "some.fasta", wrong).status_code == 422, wrong


def test_an_assay_that_cannot_be_searched_does_not_stop_the_others(
    people: People, client: FlaskClient
) -> None:
    people.published(record())
    wrong = {
        "letter": "ACGTACGTXACGTACG",
        "empty": "",
        "blank": "   ",
        "short": "ACGT",
        "40 N": "N" * 40,
        "1 Mb": "ACGT" * 200_000,
        "Cyrillic": "АСGTACGTACGTACGT",
    }
    assays = [{"name": name, "forward": bases, "reverse": REVERSE} for name, bases in wrong.items()]
    answer = ask(client, people.stranger, assays=[*assays, ASSAY])
    assert answer.status_code == 200, answer.json
    assert [row["assay"] for row in answer.json["products"]] == ["mine"]
    assert {each["name"] for each in answer.json["refused"]} == set(wrong)
    assert all(each["reason"] for each in answer.json["refused"])
    assert answer.json["searched"]["assays"] == 1


def test_what_people_type_is_understood(people: People, client: FlaskClient) -> None:
    people.published(record())
    typed = {
        "forward": "5'-" + FORWARD.lower().replace("t", "u")[:10] + " " + FORWARD[10:] + "-3'",
        "reverse": REVERSE[:3] + "I" + REVERSE[4:],
        "probe": f"[6-FAM]{PROBE}[BHQ1]",
    }
    answer = ask(client, people.stranger, assays=[typed, typed]).json
    assert [row["assay"] for row in answer["products"]] == ["assay 1", "assay 2"]
    assert answer["assays"][0]["forward"] == FORWARD


@pytest.mark.req("C1")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"assays": []},
        {"assays": [{}]},
        {"assays": [{"forward": None, "reverse": REVERSE}]},
        {"assays": [{"forward": 5, "reverse": REVERSE}]},
        {"assays": [ASSAY] * 10_000},
        {"assays": [{**ASSAY, "name": "x" * 1_000}]},
        {"assays": [{**ASSAY, "name": "a\u202eb"}]},
        {"assays": [{**ASSAY, "extra": 1}]},
        {"assays": [ASSAY], "max_mismatches": 6},
        {"assays": [ASSAY], "max_mismatches": -1},
        {"assays": [ASSAY], "max_mismatches": "2"},
        {"assays": [ASSAY], "min_size": 500, "max_size": 400},
        {"assays": [ASSAY], "max_size": 10**12},
        {"assays": [ASSAY], "three_prime_exact": 10**9},
        {"assays": [ASSAY], "references": ["LHS-1"] * 501},
        {"assays": [ASSAY], "references": ["' OR 1=1 --"]},
        {"assays": [ASSAY], "references": ["x" * 1000]},
        {"assays": [ASSAY], "reference_text": ">a\nACGT\n", "references": ["LHS-1"]},
        {"assays": [ASSAY], "reference_text": ">a\nMKVLAAGIVGLLLAQWERTY\n"},
        {"assays": [ASSAY], "reference_text": "LOCUS nonsense"},
        {"assays": [ASSAY], "reference_text": "\ufffd\u0416"},
        {"methods": ["../../etc/passwd"]},
        {"methods": ["x"] * 501},
        {"methods": [""]},
        {"owner": 1, "assays": [ASSAY]},
    ],
    ids=lambda body: json.dumps(body)[:40],
)
def test_hostile_requests_are_refused_in_order(people: People, client: FlaskClient, body: Any) -> None:
    answer = ask(client, people.stranger, **body)
    assert answer.status_code in (400, 413, 422), answer.text[:300]
    assert answer.mimetype == "application/problem+json"


@pytest.mark.req("D11")
def test_bombs_are_answered(people: People, client: FlaskClient) -> None:
    people.published(record())
    vague = "ACGTACGTAC" + "N" * 30
    assays = [
        {"forward": vague, "reverse": vague},
        {"forward": "N" * 30 + "ACGTACGTAC", "reverse": "R" * 40},
        {"forward": "A" * 200, "reverse": "T" * 200},
        {"forward": "A" * 20, "reverse": "A" * 20, "probe": "N" * 200},
    ]
    answer = ask(
        client, people.stranger, assays=assays, max_mismatches=5, max_size=20_000, self_products=True
    )
    assert answer.status_code == 200
    text = ">a\n" + "A" * 20_000 + "\n>b\n" + "AT" * 5_000 + "\n>c\n" + "N" * 5_000 + "\n>d\nA\n"
    answer = ask(
        client, people.stranger, assays=assays, reference_text=text, max_mismatches=5, max_size=1_000
    )
    assert answer.status_code in (200, 202)
    if answer.status_code == 200:
        assert len(answer.json["products"]) <= insilico_queries.MOST_LISTED


def test_long_work_becomes_a_job(
    people: People, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    accession = people.published(record())
    short = ask(client, people.stranger, assays=[ASSAY]).json
    monkeypatch.setattr(insilico_queries, "SHORT_SECONDS", -1.0)
    answer = ask(client, people.stranger, assays=[ASSAY], references=[accession])
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.json['job']}"
    job = client.get(answer.headers["Location"], headers=bearer(people.stranger)).json
    assert (job["kind"], job["state"], job["progress"]) == ("insilico", "done", 1.0)
    assert job["result"]["products"] == short["products"]
    assert client.get(answer.headers["Location"], headers=bearer(people.manager)).status_code == 404
    refused = ask(client, people.stranger, assays=[ASSAY], reference_text=f">b\n{record(2)}\n")
    job = client.get(refused.headers["Location"], headers=bearer(people.stranger)).json
    assert [row["reference"] for row in job["result"]["products"]] == ["b"]
    monkeypatch.setattr(insilico_queries, "MOST_SECONDS", 0.0)
    assert ask(client, people.stranger, assays=[ASSAY]).status_code == 422


def test_the_same_key_starts_one_job(
    people: People, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.published(record())
    monkeypatch.setattr(insilico_queries, "SHORT_SECONDS", -1.0)
    headers = {**bearer(people.stranger), "Idempotency-Key": "search-1"}
    answers = [
        client.post("/api/v1/insilico", json={"assays": [ASSAY]}, headers=headers) for _each in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert db.session.scalar(select(func.count()).select_from(BackgroundJob)) == 1


@pytest.mark.req("A7")
def test_a_record_that_was_closed_since_leaves_a_kept_result(
    people: People, client: FlaskClient, app: Flask
) -> None:
    draft = people.draft(record())
    people.published(record(2))
    browser = browser_of(app, people.manager)
    page = send_form(browser, forward=FORWARD, reverse=REVERSE).location
    assert draft in browser.get(page).text
    with transaction() as session:
        row = session.scalars(select(ReferenceSequence).where(ReferenceSequence.accession == draft)).one()
        commands.change_sequence(
            actor_of(people.manager),
            draft,
            {"visibility": Visibility.SEALED},
            expected_version=row.row_version,
        )
    shown = browser.get(page).text
    assert draft not in shown
    assert "1 product" in shown
    number = page.rpartition("/")[2]
    answer = client.get(f"/api/v1/jobs/{number}", headers=bearer(people.manager)).json
    assert answer["result"]["products_found"] == 1
    assert draft not in browser.get(f"/insilico/results/{number}.tsv").text


def test_the_table_has_the_columns_of_the_contract(people: People, client: FlaskClient) -> None:
    accession = people.published(record())
    answer = client.post(
        "/api/v1/insilico?format=tsv",
        json={"assays": [{**ASSAY, "name": "=cmd|x"}]},
        headers=bearer(people.stranger),
    )
    assert answer.mimetype == "text/tab-separated-values"
    (row,) = csv.DictReader(answer.text.splitlines(), delimiter="\t")
    expected = "assay reference start end size strand mm_f mm_r probe_mm wraps tm_f tm_r"
    assert " ".join(row) == expected
    assert row["assay"] == "'=cmd|x", "no formula for a spreadsheet"
    assert (row["reference"], row["start"], row["end"], row["wraps"]) == (accession, "101", "192", "0")


def test_melting_temperatures_are_given_on_wish(people: People, client: FlaskClient, app: Flask) -> None:
    people.published(record())
    code = make_method(actor=actor_of(people.manager), state="published").method.code
    plain = ask(client, people.stranger, methods=[code]).json
    assert (plain["products"][0]["tm_f"], plain["conditions"]) == (None, None)
    answer = ask(client, people.stranger, methods=[code], assays=[ASSAY], melting=True).json
    by_name = {row["assay"]: float(row["tm_f"]) for row in answer["products"]}
    assert 50 < by_name["mine"] < by_name[code] < 75, "the method's primers are more concentrated (300 nM)"
    assert answer["conditions"]["oligo_nanomolar"] == 50
    more_salt = ask(client, people.stranger, assays=[ASSAY], melting=True, sodium_millimolar=200).json
    assert float(more_salt["products"][0]["tm_f"]) > by_name["mine"]
    browser = browser_of(app, people.stranger)
    page = browser.get(send_form(browser, methods=code, melting="true").location).text
    assert "Melting temperatures" in page and "Tm " in page
    for wrong in ({"sodium_millimolar": -1}, {"oligo_nanomolar": 0}, {"sodium_millimolar": 0}):
        assert ask(client, people.stranger, assays=[ASSAY], melting=True, **wrong).status_code == 422


def test_the_index_gives_the_same_answer(
    people: People, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library_queries, "LEAST_INDEXED", 1)
    for seed in range(1, 4):
        people.published(record(seed, at=90 + seed))
    people.draft(record(9))
    before = ask(client, people.stranger, assays=[ASSAY]).json
    library_queries.renew_library()
    assert library_queries.hub_library().index is not None
    assert ask(client, people.stranger, assays=[ASSAY]).json == before
    assert before["products_found"] == 3


def test_only_people_who_are_signed_in_search(people: People, client: FlaskClient) -> None:
    assert client.post("/api/v1/insilico", json={"assays": [ASSAY]}).status_code in (401, 403)
    assert client.get("/insilico").status_code == 200
    assert "Sign in to search" in client.get("/insilico").text


# The page -------------------------------------------------------------------------------------


def send_form(browser: FlaskClient, **fields: Any) -> TestResponse:
    return browser.post("/insilico", data={"csrf_token": csrf_token(browser), **fields})


def test_the_page_shows_products_with_pictures_and_links(people: People, app: Flask) -> None:
    accession = people.published(record(), title="Maize insert")
    code = make_method(actor=actor_of(people.manager), state="published").method.code
    browser = browser_of(app, people.stranger)
    answer = send_form(browser, methods=code)
    assert answer.status_code == 303
    page = browser.get(answer.location).text
    assert f'href="/sequences/{accession}"' in page
    assert f'href="/methods/{code}"' in page
    assert "Maize insert" in page
    assert 'class="product-picture"' in page
    assert "no mismatch." in page
    assert "Searched: 1 assay in all 1 sequence of the hub" in page
    table = browser.get(f"/insilico/results/{answer.location.rpartition('/')[2]}.tsv")
    assert table.text.splitlines()[1].startswith(f"{code}\t{accession}\t101\t192\t92\t+")
    other = browser_of(app, people.manager)
    assert other.get(answer.location).status_code == 404
    assert other.get(f"/insilico/results/{answer.location.rpartition('/')[2]}.tsv").status_code == 404


def test_nothing_found_says_what_was_searched_and_what_it_means(people: People, app: Flask) -> None:
    people.published(make_bases(400, seed=8))
    browser = browser_of(app, people.stranger)
    page = browser.get(send_form(browser, forward=FORWARD, reverse=REVERSE).location).text
    assert "No product was found." in page
    assert "in all 1 sequence of the hub" in page and "400 bases" in page
    assert "does not mean that nothing would be amplified" in page


def test_a_search_of_nothing_says_so(people: People, app: Flask) -> None:
    browser = browser_of(app, people.stranger)
    page = browser.get(send_form(browser, forward=FORWARD, reverse=REVERSE).location).text
    assert "Nothing was searched" in page, "the hub has no sequences"
    people.published(record())
    page = browser.get(send_form(browser, forward="NNNN", reverse=REVERSE).location).text
    assert "Nothing was searched" in page and "too ambiguous" in page


def test_many_products_are_sorted_and_paged(people: People, app: Flask) -> None:
    text = "".join(f">r{number:02}\n{record(number, at=100 + number)}\n" for number in range(30))
    browser = browser_of(app, people.stranger)
    answer = send_form(browser, forward=FORWARD, reverse=REVERSE, reference_text=text)
    first = browser.get(answer.location).text
    assert "r00" in first and "r29" not in first
    assert "r29" in browser.get(f"{answer.location}?page=2").text
    down = browser.get(f"{answer.location}?sort=-reference").text
    assert "r29" in down and "r00" not in down
    assert browser.get(f"{answer.location}?sort=evil").status_code == 400
    assert browser.get(f"{answer.location}?page=999").status_code == 200


def test_several_assays_are_read_a_line_each(people: People, app: Flask) -> None:
    people.published(record())
    browser = browser_of(app, people.stranger)
    several = "\n".join(
        [
            "# name forward reverse probe",
            f"one\t{FORWARD}\t{REVERSE}",
            f"two;{FORWARD};{REVERSE};{PROBE}",
            f"three {FORWARD} {REVERSE}",
        ]
    )
    page = browser.get(send_form(browser, several=several).location).text
    assert "Searched: 3 assays" in page
    wrong = send_form(browser, several=f"one {FORWARD}")
    assert wrong.status_code == 422
    assert "Line 1" in wrong.text
    assert f"one {FORWARD}" in wrong.text, "what was typed is kept"


def test_the_form_says_what_is_wrong(people: People, app: Flask) -> None:
    browser = browser_of(app, people.stranger)
    assert send_form(browser).status_code == 422
    assert "Name a method" in send_form(browser).text
    assert "There is no method" in send_form(browser, methods="LH-9").text
    assert (
        "There is no sequence"
        in send_form(browser, forward=FORWARD, reverse=REVERSE, references="LHS-9").text
    )
    assert send_form(browser, forward=FORWARD, reverse=REVERSE, max_mismatches="9").status_code == 422
    assert send_form(browser, forward=FORWARD, reverse=REVERSE, max_mismatches="x").status_code == 422
    assert "QT-1" in browser.get("/insilico?code=QT-1&accession=LHS-4").text


def test_the_page_searches_a_file(people: People, app: Flask) -> None:
    browser = browser_of(app, people.stranger)
    answer = send_form(
        browser,
        forward=FORWARD,
        reverse=REVERSE,
        file=(BytesIO(f">mine\n{record()}\n".encode()), "mine.fasta"),
    )
    assert answer.status_code == 303
    assert "mine" in browser.get(answer.location).text
    wrong = send_form(browser, forward=FORWARD, reverse=REVERSE, file=(BytesIO(b"%PDF-1.4"), "mine.fasta"))
    assert wrong.status_code == 422


@pytest.mark.req("C3")
def test_names_are_shown_as_text(people: People, app: Flask) -> None:
    browser = browser_of(app, people.stranger)
    evil = "<script>alert(1)</script>"
    answer = send_form(
        browser, name=evil, forward=FORWARD, reverse=REVERSE, reference_text=f">x{evil}\n{record()}\n"
    )
    page = browser.get(answer.location).text if answer.status_code == 303 else answer.text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_a_long_search_of_the_page_leads_to_its_job(
    people: People, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.published(record())
    monkeypatch.setattr(insilico_queries, "SHORT_SECONDS", -1.0)
    browser = browser_of(app, people.stranger)
    answer = send_form(browser, forward=FORWARD, reverse=REVERSE)
    assert "1 product" in browser.get(answer.location).text
    assert "In-silico PCR" in browser.get("/jobs").text


def test_the_page_stands_in_arabic(people: People, app: Flask) -> None:
    people.published(record())
    browser = browser_of(app, people.stranger)
    assert 'dir="rtl"' in browser.get("/insilico?lang=ar").text
    answer = send_form(browser, forward=FORWARD, reverse=REVERSE)
    assert browser.get(f"{answer.location}?lang=ar").status_code == 200
