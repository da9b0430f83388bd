"""Identification by API and page: what is told of a read, and what nobody else may learn."""

import csv
import gzip
import re
from io import BytesIO, StringIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from labhub.accounts.actor import Role
from labhub.accounts.models import User
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.sequences import commands, identify_queries
from labhub.sequences.models import Visibility
from labhub.sequences.oligos import reverse_complement
from labhub.work.models import BackgroundJob, JobState
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    csrf_token,
    make_bases,
    make_laboratory,
    make_published_sequence,
    make_sequence,
    make_user,
)
from tests.sequences.test_reads import make_ab1

BASES = make_bases(900, seed=31)


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


def ask(client: FlaskClient, user: User, reads: str, **more: Any) -> TestResponse:
    return client.post("/api/v1/identify", json={"reads": reads, **more}, headers=bearer(user))


def test_read_is_led_to_its_record_and_told_what_it_covers(people: People, client: FlaskClient) -> None:
    accession = people.published(BASES, element="")
    answer = ask(client, people.stranger, f">mine\n{BASES[-100:] + BASES[:200]}\n")
    assert answer.status_code == 200, answer.json
    assert answer.json["searched"] == {"reads": 1, "records": 1, "bases": 900, "kind": "fasta"}
    assert answer.json["references"][0]["accession"] == accession
    (read,) = answer.json["reads"]
    (hit,) = read["hits"]
    assert {name: hit[name] for name in ("reference", "identity", "coverage", "ref_start", "ref_end")} == {
        "reference": accession,
        "identity": 100.0,
        "coverage": 1.0,
        "ref_start": 801,
        "ref_end": 200,
    }
    assert (hit["strand"], hit["best"], hit["wraps"], read["ties"]) == ("+", True, True, 1)
    assert [(each["label"], each["share"]) for each in hit["elements"]] == [("far end", 1.0), ("P-35S", 1.0)]
    assert (hit["elements"][1]["query_start"], hit["elements"][1]["query_end"]) == (111, 160)
    assert [(each["left"], each["right"]) for each in hit["junctions"]] == [("far end", "P-35S")]
    assert hit["blocks"][0]["alignment"][0].split()[1] == BASES[-100:-40]
    assert (read["pieces"], read["unexplained"], read["explained"]) == ([], [], 300)


def test_chimera_and_unknown_insert(people: People, client: FlaskClient) -> None:
    one, other = people.published(BASES), people.published(make_bases(700, seed=32))
    insert = make_bases(150, seed=33)
    read = BASES[100:350] + insert + reverse_complement(make_bases(700, seed=32)[300:550])
    found = ask(client, people.stranger, read).json["reads"][0]
    assert found["hits"] == []
    assert [(each["reference"], each["strand"]) for each in found["pieces"]] == [(one, "+"), (other, "-")]
    (open_,) = found["unexplained"]
    assert open_["start"] == pytest.approx(251, abs=12)
    assert open_["end"] == pytest.approx(400, abs=12)


def test_tsv_is_that_of_the_command_line(people: People, client: FlaskClient) -> None:
    accession = people.published(BASES)
    answer = client.post(
        "/api/v1/identify?format=tsv",
        json={"reads": f">=cmd()\n{reverse_complement(BASES[99:299])}"},
        headers=bearer(people.stranger),
    )
    assert answer.mimetype == "text/tab-separated-values"
    (row,) = csv.DictReader(StringIO(answer.text), delimiter="\t")
    assert row == {
        "query": "'=cmd()",
        "reference": accession,
        "identity": "100.0000",
        "coverage": "1.0000",
        "query_start": "1",
        "query_end": "200",
        "ref_start": "100",
        "ref_end": "299",
        "strand": "-",
    }


def test_files_of_each_kind(people: People, client: FlaskClient) -> None:
    accession = people.published(BASES)
    read = BASES[300:500]
    contents = {
        "reads.fa.gz": gzip.compress(f">a\n{read}\n".encode()),
        "reads.fastq": f"@a\n{read}\n+\n{'I' * 190 + '#' * 10}\n".encode(),
        "trace.ab1": make_ab1(read.encode(), bytes([40] * 200)),
    }
    for name, content in contents.items():
        answer = client.post(
            "/api/v1/identify/file",
            data={"file": (BytesIO(content), name)},
            headers=bearer(people.stranger),
        )
        assert answer.status_code == 200, answer.json
        (found,) = answer.json["reads"]
        assert found["hits"][0]["reference"] == accession
        if name == "reads.fastq":
            assert found["cut"] == {"start": 1, "end": 190, "length": 200}


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"reads": " "}, 422, "Send reads"),
        ({"reads": ">a\nACGT"}, 422, "4 bases"),
        ({"reads": "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSG"}, 422, "proteins"),
        ({"reads": BASES[:100], "least_identity": 20}, 422, "least_identity"),
        ({"reads": BASES[:100], "surprise": 1}, 422, "surprise"),
        ({}, 422, "reads"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    people: People, client: FlaskClient, body: dict[str, Any], status: int, said: str
) -> None:
    answer = client.post("/api/v1/identify", json=body, headers=bearer(people.stranger))
    assert answer.status_code == status
    assert said in answer.text


def test_bad_reads_are_left_out_when_that_is_wished(people: People, client: FlaskClient) -> None:
    people.published(BASES)
    reads = f">good\n{BASES[:100]}\n>bad\nACGTX\n"
    refused = ask(client, people.stranger, reads)
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["line 3"])
    answer = ask(client, people.stranger, reads, skip_bad=True).json
    assert [each["name"] for each in answer["reads"]] == ["good"]
    assert [(each["name"], each["line"]) for each in answer["bad_reads"]] == [("bad", 3)]


def test_records_that_the_person_may_not_see_take_no_part(people: People, client: FlaskClient) -> None:
    hidden = people.draft(BASES)
    near = people.published(BASES[:400] + make_bases(20, seed=40) + BASES[420:])
    for user, best in ((people.stranger, near), (people.manager, hidden)):
        answer = ask(client, user, BASES[300:600]).json
        assert answer["reads"][0]["hits"][0]["reference"] == best
        assert answer["searched"]["records"] == (1 if user is people.stranger else 2)
    assert hidden not in ask(client, people.stranger, BASES[300:600]).text


def test_sealed_records_are_never_searched(people: People, client: FlaskClient) -> None:
    sealed = people.draft(BASES, visibility=Visibility.SEALED)
    for user in (people.manager, people.stranger):
        answer = ask(client, user, BASES[100:400])
        assert answer.json["searched"]["records"] == 0
        assert answer.json["reads"][0]["unexplained"] == [{"start": 1, "end": 300}]
        assert sealed not in answer.text


def test_visitors_are_sent_to_sign_in(people: People, client: FlaskClient) -> None:
    assert client.post("/api/v1/identify", json={"reads": BASES}).status_code == 401
    assert client.get("/identify").status_code == 200
    assert "Sign in to search" in client.get("/identify").text


def send(app: Flask, user: User, **fields: Any) -> tuple[FlaskClient, TestResponse]:
    browser = browser_of(app, user)
    form = browser.get("/identify")
    once = re.search(r'name="once" value="([^"]+)"', form.text)
    assert once
    data = {"csrf_token": csrf_token(browser), "once": once[1], **fields}
    return browser, browser.post("/identify", data=data, content_type="multipart/form-data")


def test_page_shows_picture_alignment_elements_and_what_nothing_explains(app: Flask, people: People) -> None:
    accession = people.published(BASES, title="<b>vector</b>")
    insert = make_bases(60, seed=34)
    opened, alien = BASES[100:300] + insert + BASES[300:500], make_bases(300, seed=35)
    reads = f">whole\n{BASES[:400]}\n>opened\n{opened}\n>alien\n{alien}\n"
    browser, sent = send(app, people.stranger, reads=reads)
    assert sent.status_code == 303
    page = browser.get(sent.location)
    assert page.status_code == 200
    for words in (
        accession,
        "&lt;b&gt;vector",
        "identity 100.00 percent",
        "P-35S",
        "No reference explains these bases of the read",
        "No reference was found.",
        'role="img"',
        "Letter by letter",
    ):
        assert words in page.text
    assert "<b>vector" not in page.text
    assert "whole, 400 bases: 400 explained by references, 0 by nothing." in page.text
    some = browser.get(f"{sent.location}?show=none").text
    assert "alien" in some and "opened, " not in some
    table = browser.get(f"/identify/results/{sent.location.rsplit('/', 1)[-1]}.tsv")
    assert table.text.splitlines()[0].startswith("query\treference\tidentity")
    assert browser_of(app, people.manager).get(sent.location).status_code == 404


def test_page_names_what_is_wrong(app: Flask, people: People) -> None:
    _browser, sent = send(app, people.stranger, reads=">a\nACGT")
    assert sent.status_code == 422
    assert "Line 1, read a: 4 bases" in sent.text
    _browser, sent = send(app, people.stranger, file=(BytesIO(b"%PDF-1.4"), "a.fa"))
    assert sent.status_code == 422
    assert "begins neither with &gt;" in sent.text
    _browser, sent = send(app, people.stranger)
    assert "Send reads" in sent.text


def test_long_work_becomes_a_job(
    app: Flask, people: People, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    accession = people.published(BASES)
    monkeypatch.setattr(identify_queries, "SHORT_SECONDS", 0.0)
    answer = ask(client, people.stranger, f">q\n{BASES[50:350]}\n>bad\nA\n", skip_bad=True)
    assert answer.status_code == 202, answer.json
    job = client.get(answer.headers["Location"], headers=bearer(people.stranger)).json
    assert (job["kind"], job["state"]) == ("identify", "done")
    assert job["result"]["reads"][0]["hits"][0]["reference"] == accession
    assert "1 bases; a read may have" in job["result"]["bad_reads"][0]["reason"]
    assert client.get(answer.headers["Location"], headers=bearer(people.manager)).status_code == 404
    _browser, sent = send(app, people.stranger, reads=BASES[50:350])
    assert "/jobs/" in sent.location
    monkeypatch.setattr(identify_queries, "MOST_SECONDS", 0.0)
    assert ask(client, people.stranger, BASES).status_code == 422


def test_result_forgets_what_was_hidden_since(app: Flask, people: People, client: FlaskClient) -> None:
    accession, other = people.published(BASES), people.published(make_bases(500, seed=36))
    read = BASES[100:300] + make_bases(500, seed=36)[100:300]
    browser, sent = send(app, people.stranger, reads=read)
    assert accession in browser.get(sent.location).text
    with transaction():
        commands.withdraw_sequence(actor_of(people.reviewer), accession, "Contaminated.")
    page = browser.get(sent.location).text
    assert accession not in page
    assert other in page
    number = db.session.scalars(select(BackgroundJob.id).order_by(BackgroundJob.id.desc())).first()
    found = client.get(f"/api/v1/jobs/{number}", headers=bearer(people.stranger)).json["result"]["reads"][0]
    assert [each["reference"] for each in found["pieces"]] == [other]
    assert found["unexplained"][0]["start"] == 1
    assert found["explained"] == found["length"] - found["unexplained"][0]["end"]
    states = db.session.scalars(select(BackgroundJob.state)).all()
    assert set(states) == {JobState.DONE}
