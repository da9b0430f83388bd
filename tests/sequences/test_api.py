"""Reference sequences by the API: from a GenBank file to a public download (path b), and what is refused."""

import base64
import json
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from labhub.accounts.actor import Role, Scope
from labhub.accounts.models import Laboratory, User
from labhub.audit import AuditEntry
from labhub.db import db
from labhub.outbox import OutgoingMail
from labhub.sequences import commands
from labhub.sequences.formats import ParsedRecord, read_records, refget_digest
from labhub.sequences.models import ReferenceSequence, SequenceBases, Visibility
from labhub.storage import StoredFile
from labhub.usage.models import UsageEvent
from tests.factories import (
    bearer,
    make_actor,
    make_bases,
    make_genbank,
    make_laboratory,
    make_published_sequence,
    make_sequence,
    make_user,
)

BASES = make_bases(300)


class People:
    """A laboratory with its people, a reviewer, and somebody of another laboratory."""

    def __init__(self) -> None:
        self.laboratory: Laboratory = make_laboratory()
        self.analyst: User = make_user(Role.ANALYST, laboratory=self.laboratory)
        self.manager: User = make_user(Role.MANAGER, laboratory=self.laboratory)
        self.reviewer: User = make_user(Role.REVIEWER)
        self.secretariat: User = make_user(Role.SECRETARIAT)
        self.stranger: User = make_user(Role.MANAGER, laboratory=make_laboratory())


@pytest.fixture
def people(app: Flask) -> People:
    return People()


def upload(
    client: FlaskClient,
    user: User,
    content: bytes | None = None,
    name: str = "part.gb",
    headers: dict[str, str] | None = None,
    **fields: str,
) -> TestResponse:
    return client.post(
        "/api/v1/sequences",
        data={"file": (BytesIO(content if content is not None else make_genbank(BASES)), name), **fields},
        headers={**bearer(user), **(headers or {})},
    )


def upload_raw(client: FlaskClient, user: User, content: bytes, name: str) -> TestResponse:
    """Upload a long file in a body made here: the test client would leave a temporary file open."""
    head = f'--cut\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return client.post(
        "/api/v1/sequences",
        data=head.encode() + content + b"\r\n--cut--\r\n",
        content_type="multipart/form-data; boundary=cut",
        headers=bearer(user),
    )


def act(client: FlaskClient, address: str, step: str, user: User, body: Any = None) -> TestResponse:
    """Send a step of the workflow on the version that ``user`` reads just before."""
    headers = bearer(user)
    etag = client.get(address, headers=headers).headers.get("ETag", '"v1"')
    return client.post(f"{address}/{step}", json=body, headers={**headers, "If-Match": etag})


def read(response: TestResponse, kind: str) -> ParsedRecord:
    (record,) = read_records(BytesIO(response.data), kind)
    return record


def counts(app: Flask) -> tuple[int, ...]:
    """Return how many rows and files there are that an upload makes."""
    tables = (ReferenceSequence, SequenceBases, StoredFile)
    rows = [db.session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]
    entries = select(func.count()).select_from(AuditEntry).where(AuditEntry.object_kind == "sequence")
    rows.append(db.session.scalar(entries) or 0)
    folder = Path(app.extensions["labhub.config"].instance)
    files = [path for part in ("files", "incoming") for path in (folder / part).rglob("*") if path.is_file()]
    return (*rows, len(files))


def test_genbank_file_becomes_a_public_download(people: People, client: FlaskClient) -> None:
    sent = make_genbank(BASES)
    answer = upload(client, people.analyst, sent)
    assert answer.status_code == 201, answer.json
    record = answer.json
    address = answer.headers["Location"]
    assert address == f"/api/v1/sequences/{record['accession']}"
    assert record["state"] == "draft"
    assert record["laboratory"] == people.laboratory.code
    assert (record["source_accession"], record["version"]) == ("AB123456", "1")
    assert (record["length_bp"], record["topology"]) == (300, "circular")
    assert record["digest"] == refget_digest(BASES)
    assert [(f["kind"], f["start"], f["end"], f["strand"]) for f in record["features"]] == [
        ("promoter", 11, 60, 1),
        ("misc_feature", 296, 5, -1),
    ]
    assert BASES.lower()[:12] not in answer.text.lower()

    assert client.get(address).status_code == 404
    assert act(client, address, "submission", people.analyst).status_code == 403
    assert act(client, address, "submission", people.manager).json["state"] == "submitted"
    claimed = act(client, address, "review", people.reviewer, {})
    assert claimed.json["state"] == "in-review"
    published = act(client, address, "publication", people.reviewer)
    assert published.status_code == 200
    assert published.json["state"] == "published"

    shown = client.get(address)
    assert shown.status_code == 200
    assert shown.json["published_at"]
    for kind in ("genbank", "fasta", "embl"):
        download = client.get(f"{address}/download?format={kind}")
        assert download.status_code == 200
        assert record["digest"].encode() in download.data
        back = read(download, kind)
        assert (back.accession, back.bases, back.topology) == (record["accession"], BASES, "circular")
        if kind != "fasta":
            first, second = read_records(BytesIO(sent), "genbank")[0].features
            assert (back.features[0], back.features[1]) == (first, second)
    assert db.session.scalar(select(func.count()).select_from(UsageEvent)) == 3


@pytest.mark.shared
@pytest.mark.parametrize(
    "path", ["insdc/CaMV_V00141.1.fa", "moclo_plant/*.gb", "igem_plant_parts/*.gb", "formats/NC_000932.gb"]
)
def test_real_records_come_back_with_equal_bases(
    path: str, people: People, client: FlaskClient, shared_data: Path
) -> None:
    files = sorted((shared_data / "sequences").glob(path))[:4]
    assert files
    for file in files:
        kind = "fasta" if file.suffix == ".fa" else "genbank"
        sent = read_records(file, kind)
        answer = upload(client, people.manager, file.read_bytes(), file.name)
        assert answer.status_code == 201, answer.json
        made = answer.json["records"]
        assert len(made) == len(sent)
        for record, before in zip(made, sent, strict=True):
            address = f"/api/v1/sequences/{record['accession']}"
            act(client, address, "submission", people.manager)
            act(client, address, "publication", people.secretariat)
            back = read(client.get(f"{address}/download"), "genbank")
            assert back.bases == before.bases
            assert back.features == before.features
            assert back.topology == before.topology
            fasta = read(client.get(f"{address}/download?format=fasta"), "fasta")
            assert fasta.bases == before.bases


@pytest.mark.shared
def test_multi_record_file_becomes_as_many_drafts(
    people: People, client: FlaskClient, shared_data: Path
) -> None:
    content = (shared_data / "sequences/insdc/gm_cassettes_insdc.fa").read_bytes()
    answer = upload(client, people.analyst, content, "cassettes.fa", lmo="", element="")
    assert answer.status_code == 201
    assert [row["source_accession"] for row in answer.json["records"]] == [
        "JX139719",
        "JX139722",
        "EU099579",
        "HQ161057",
    ]
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "sequence.upload")).all()
    assert len(entries) == 1


def test_published_record_is_found_by_its_source_accession(people: People, client: FlaskClient) -> None:
    manager, reviewer = (
        make_actor(Role.MANAGER, laboratory=people.laboratory),
        make_actor(Role.REVIEWER),
    )
    made = make_published_sequence(manager, reviewer, bases=BASES)
    for name in ("AB123456", "AB123456.1", made.accession.lower()):
        assert client.get(f"/api/v1/sequences/{name}").json["accession"] == made.accession
    assert client.get("/api/v1/sequences/AB123456.2").status_code == 404


@pytest.mark.req("D5")
@pytest.mark.req("D6")
@pytest.mark.req("D7")
def test_download_is_inert_named_and_digested(people: People, client: FlaskClient) -> None:
    manager, reviewer = make_actor(Role.MANAGER, laboratory=people.laboratory), make_actor(Role.REVIEWER)
    made = make_published_sequence(manager, reviewer, bases=BASES)
    download = client.get(f"/api/v1/sequences/{made.accession}/download?format=fasta")
    digest = sha256(download.data).hexdigest()
    assert download.headers["X-Content-Type-Options"] == "nosniff"
    assert download.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert download.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert download.headers["Content-Disposition"].split(";")[:2] == [
        "attachment",
        f' filename="{made.accession}.fasta"',
    ]
    assert download.headers["ETag"] == f'"{digest}"'
    assert download.headers["Repr-Digest"] == (
        f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode()}:"
    )


@pytest.mark.req("D7")
def test_answer_gives_the_digest_of_the_file(people: People, client: FlaskClient) -> None:
    content = make_genbank(BASES)
    digest = sha256(content).hexdigest()
    told = base64.b64encode(bytes.fromhex(digest)).decode()
    answer = upload(
        client, people.analyst, content, headers={"Repr-Digest": f"sha-256=:{told}:"}, sha256=digest
    )
    assert answer.status_code == 201
    assert answer.json["file_sha256"] == digest


@pytest.mark.req("D7")
def test_disagreeing_digest_is_refused(people: People, client: FlaskClient, app: Flask) -> None:
    before = counts(app)
    other = sha256(b"other").hexdigest()
    told = base64.b64encode(bytes.fromhex(other)).decode()
    assert upload(client, people.analyst, sha256=other).status_code == 400
    answer = upload(client, people.analyst, headers={"Repr-Digest": f"sha-256=:{told}:"})
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert counts(app) == before


@pytest.mark.req("D1")
def test_size_cap_is_exact(people: People, client: FlaskClient, app: Flask) -> None:
    head = b">one\n"
    for over, status in ((-1, 201), (0, 201), (1, 413)):
        before = counts(app)
        content = head + b"A" * (commands.MAX_UPLOAD_BYTES + over - len(head))
        answer = upload_raw(client, people.analyst, content, "long.fa")
        assert answer.status_code == status, answer.text[:500]
        if status == 413:
            assert counts(app) == before


@pytest.mark.req("D4")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("part.fasta", make_genbank()),
        ("part.gb", b">one\nACGT\n"),
        ("part.embl", make_genbank()),
        ("part.gb", b"%PDF-1.7\n%%EOF"),
        ("part.fa", b"PK\x03\x04" + bytes(60)),
        ("part.gb", b"<html><body>LOCUS</body></html>"),
        ("part.pdf", make_genbank()),
        ("part.exe", make_genbank()),
        ("part", make_genbank()),
        ("part.gb", b""),
    ],
)
def test_content_must_be_what_the_name_says(
    name: str, content: bytes, people: People, client: FlaskClient, app: Flask
) -> None:
    before = counts(app)
    answer = upload(client, people.analyst, content, name)
    assert answer.status_code == 422
    assert "file" in answer.json["errors"]
    assert counts(app) == before


@pytest.mark.req("D6")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/part.gb", "part.gb"),
        ("玉米 35S.gb", "玉米 35S.gb"),
        ("a\u202egpj.gb", "agpj.gb"),
        ("a; x=1.gb", "a; x=1.gb"),
        ("CON.gb", "_CON.gb"),
    ],
)
def test_file_keeps_a_harmless_name(name: str, shown: str, people: People, client: FlaskClient) -> None:
    answer = upload(client, people.analyst, name=name)
    assert answer.status_code == 201, answer.json
    assert answer.json["file_name"] == shown


@pytest.mark.req("D8")
@pytest.mark.parametrize(
    ("content", "name", "line"),
    [
        (b">a\nACGT\n>a\nACGT\n", "x.fa", "line 3"),
        (b">a\nACGU\nTTT\n", "x.fa", "record a"),
        (b">a\nAC\xd0\x90GT\n", "x.fa", "line 2"),
        (b">a\nMKVLAAGIVEF\n", "x.fa", "line 2"),
        (make_genbank(BASES).replace(b" 300 bp", b" 301 bp"), "x.gb", "record AB123456.1"),
        (make_genbank(BASES).replace(b"11..60", b"11..999"), "x.gb", "line 8"),
    ],
)
def test_broken_file_is_refused_with_its_line(
    content: bytes, name: str, line: str, people: People, client: FlaskClient, app: Flask
) -> None:
    before = counts(app)
    answer = upload(client, people.analyst, content, name)
    assert answer.status_code == 422
    assert line in answer.json["errors"], answer.json
    assert counts(app) == before


@pytest.mark.shared
@pytest.mark.req("D8")
def test_hostile_corpus_stores_nothing_and_never_fails(
    people: People, client: FlaskClient, app: Flask, shared_data: Path
) -> None:
    folders = ("genbank", "genbank_pydna", "embl", "fasta", "teselagen")
    files = [path for folder in folders for path in sorted((shared_data / "broken" / folder).iterdir())]
    assert len(files) > 30
    refused = 0
    for path in files:
        before = counts(app)
        answer = upload(client, people.analyst, path.read_bytes(), path.name)
        assert answer.status_code in (201, 422), (path.name, answer.text[:300])
        if answer.status_code == 422:
            refused += 1
            assert answer.json["errors"], path.name
            assert counts(app) == before, path.name
    assert refused > 10


@pytest.mark.req("D9")
def test_one_wrong_record_stores_none(people: People, client: FlaskClient, app: Flask) -> None:
    before = counts(app)
    content = b"".join(b">r%d\nACGTACGT\n" % number for number in range(500)) + b">last\nACGZ\n"
    answer = upload(client, people.analyst, content, "many.fa")
    assert answer.status_code == 422
    assert "line 1002" in answer.json["errors"]
    assert counts(app) == before


@pytest.mark.req("A4")
@pytest.mark.parametrize(
    "field", ["state", "accession", "digest", "created_by_id", "published_at", "row_version", "id", "bases"]
)
def test_privileged_fields_are_refused(field: str, people: People, client: FlaskClient, app: Flask) -> None:
    before = counts(app)
    assert upload(client, people.analyst, **{field: "1"}).status_code == 422
    assert counts(app) == before
    made = upload(client, people.analyst).json
    change = client.patch(
        f"/api/v1/sequences/{made['accession']}",
        json={field: "1"},
        headers={**bearer(people.analyst), "If-Match": '"v1"'},
    )
    assert change.status_code == 422


@pytest.mark.req("E1")
def test_change_needs_the_version_that_was_read(people: People, client: FlaskClient) -> None:
    address = upload(client, people.analyst).headers["Location"]
    headers = bearer(people.analyst)
    etag = client.get(address, headers=headers).headers["ETag"]
    assert client.patch(address, json={"title": "New"}, headers=headers).status_code == 428
    changed = client.patch(address, json={"title": "New"}, headers={**headers, "If-Match": etag})
    assert changed.status_code == 200
    assert changed.json["title"] == "New"
    stale = client.patch(address, json={"title": "Old"}, headers={**headers, "If-Match": etag})
    assert stale.status_code == 412
    assert client.get(address, headers=headers).json["title"] == "New"


@pytest.mark.req("E3")
def test_second_upload_with_the_same_key_gives_the_first_answer(people: People, client: FlaskClient) -> None:
    headers = {**bearer(people.analyst), "Idempotency-Key": "upload-1"}

    def send(content: bytes) -> TestResponse:
        return client.post("/api/v1/sequences", data={"file": (BytesIO(content), "part.gb")}, headers=headers)

    first, second = send(make_genbank(BASES)), send(make_genbank(BASES))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json
    assert second.headers["Location"] == first.headers["Location"]
    assert send(make_genbank(make_bases(200))).status_code == 422
    assert db.session.scalar(select(func.count()).select_from(ReferenceSequence)) == 1


def test_stranger_does_not_upload_for_another_laboratory(
    people: People, client: FlaskClient, app: Flask
) -> None:
    before = counts(app)
    assert upload(client, people.stranger, laboratory=people.laboratory.code).status_code == 403
    assert upload(client, people.reviewer).status_code == 403
    assert client.post("/api/v1/sequences").status_code in (401, 403)
    assert counts(app) == before


@pytest.mark.req("A11")
def test_reading_token_does_not_upload(people: People, client: FlaskClient) -> None:
    answer = client.post(
        "/api/v1/sequences",
        data={"file": (BytesIO(make_genbank()), "part.gb")},
        headers=bearer(people.analyst, Scope.READ),
    )
    assert answer.status_code == 403


SECRET_TITLE = "Zylkowine insert of the hidden event"


def needles(bases: str) -> set[str]:
    """Return every 12-letter piece of the bases, both strands, and of the title."""
    other = bases[::-1].translate(str.maketrans("ACGT", "TGCA"))
    pieces = {text[at : at + 12] for text in (bases, other) for at in range(len(text) - 11)}
    return {piece.lower() for piece in pieces} | {
        SECRET_TITLE[at : at + 12].lower() for at in range(len(SECRET_TITLE) - 11)
    }


def routes(accession: str) -> list[str]:
    base = f"/api/v1/sequences/{accession}"
    return [
        base,
        f"{base}/download",
        f"{base}/download?format=fasta",
        f"{base}/download?format=embl",
        f"/sequences/{accession}",
        f"/sequences/{accession}/edit",
    ]


LISTS = [
    "/api/v1/sequences",
    "/api/v1/sequences?q=Zylkowine",
    "/api/v1/sequences?visibility=sealed",
    "/api/v1/sequences?visibility=laboratory",
    "/api/v1/sequences?state=draft",
    "/api/v1/sequences?state=published",
    "/sequences",
    "/sequences?q=hidden",
]


@pytest.mark.req("A2")
@pytest.mark.parametrize("visibility", [Visibility.LABORATORY, Visibility.SEALED])
def test_private_record_occurs_nowhere_for_others(
    visibility: Visibility, people: People, client: FlaskClient
) -> None:
    manager, reviewer = make_actor(Role.MANAGER, laboratory=people.laboratory), make_actor(Role.REVIEWER)
    secret = make_bases(400, seed=77)
    if visibility is Visibility.LABORATORY:
        made = make_published_sequence(
            manager, reviewer, bases=secret, visibility=visibility, title=SECRET_TITLE, accession="ZZ999999"
        )
    else:
        made = make_sequence(
            manager, bases=secret, visibility=visibility, title=SECRET_TITLE, accession="ZZ999999"
        )
    hidden = needles(secret)
    others: list[dict[str, str]] = [
        {},
        *(
            bearer(user)
            for user in (
                people.stranger,
                people.reviewer,
                people.secretariat,
                make_user(Role.ADMINISTRATOR),
                make_user(Role.FOCAL_POINT),
            )
        ),
    ]
    for headers in others:
        for there, missing in zip(routes(made.accession), routes("LHS-9999"), strict=True):
            answer, absent = client.get(there, headers=headers), client.get(missing, headers=headers)
            assert answer.status_code == absent.status_code, there
            assert answer.status_code in (404, 403, 303), there
            if answer.status_code == 404:
                assert abs(len(answer.data) - len(absent.data)) <= 12, there
            assert not [piece for piece in hidden if piece in answer.text.lower()], there
        for address in LISTS:
            answer = client.get(address, headers=headers)
            assert answer.status_code == 200
            assert made.accession not in answer.text
            assert not [piece for piece in hidden if piece in answer.text.lower()], address
            if "X-Pagination" in answer.headers:
                assert json.loads(answer.headers["X-Pagination"])["total"] == 0
        assert client.get("/api/v1/sequences/ZZ999999", headers=headers).status_code == 404
    twin = upload(client, people.stranger, make_genbank(secret, accession="AB000001", title="Mine")).json
    assert twin["same_bases"] == []
    assert (
        client.get(f"/api/v1/sequences/{made.accession}", headers=bearer(people.manager)).status_code == 200
    )


@pytest.mark.req("A2")
def test_draft_is_like_missing_for_writing_too(people: People, client: FlaskClient) -> None:
    accession = upload(client, people.manager).json["accession"]
    headers = {**bearer(people.stranger), "If-Match": '"v1"'}
    base = f"/api/v1/sequences/{accession}"
    assert client.patch(base, json={"title": "X"}, headers=headers).status_code == 404
    assert client.post(f"{base}/submission", headers=headers).status_code == 404
    assert client.post(f"{base}/withdrawal", json={"reason": "x"}, headers=headers).status_code == 404
    headers = {**bearer(people.reviewer), "If-Match": '"v1"'}
    assert client.post(f"{base}/publication", headers=headers).status_code == 404
    assert client.post(f"{base}/review", json={}, headers=headers).status_code == 404


@pytest.mark.req("A5")
def test_sealed_bases_are_for_managers_only(people: People, client: FlaskClient) -> None:
    secret = make_bases(400, seed=5)
    manager = make_actor(Role.MANAGER, laboratory=people.laboratory)
    made = make_sequence(manager, bases=secret, visibility=Visibility.SEALED)
    base = f"/api/v1/sequences/{made.accession}"
    seen = client.get(base, headers=bearer(people.analyst))
    assert seen.status_code == 200
    assert (seen.json["bases_open"], seen.json["digest"], seen.json["features"]) == (False, None, [])
    assert seen.json["file_sha256"] is None
    listed = client.get("/api/v1/sequences", headers=bearer(people.analyst)).json
    assert [row["digest"] for row in listed] == [None]
    refused = client.get(f"{base}/download", headers=bearer(people.analyst))
    assert refused.status_code == 403
    page = client.get(f"/sequences/{made.accession}", headers=bearer(people.analyst))
    assert page.status_code == 200
    hidden = {piece for piece in needles(secret) if set(piece) <= set("acgt")}
    for answer in (seen, refused, page):
        assert not [piece for piece in hidden if piece in answer.text.lower()]
    download = client.get(f"{base}/download", headers=bearer(people.manager))
    assert read(download, "genbank").bases == secret
    texts = [
        *db.session.scalars(select(AuditEntry.before + AuditEntry.after + AuditEntry.reason)),
        *db.session.scalars(select(OutgoingMail.subject + OutgoingMail.body)),
    ]
    assert not [piece for piece in hidden for text in texts if piece in text.lower()]


def test_same_bases_are_linked_where_both_are_visible(people: People, client: FlaskClient) -> None:
    manager, reviewer = make_actor(Role.MANAGER, laboratory=people.laboratory), make_actor(Role.REVIEWER)
    made = make_published_sequence(manager, reviewer, bases=BASES)
    second = upload(client, people.stranger, make_genbank(BASES, accession="XX111111")).json
    assert second["same_bases"] == [made.accession]
    assert client.get(f"/api/v1/sequences/{made.accession}").json["same_bases"] == []


@pytest.mark.req("E2")
def test_second_submission_and_publication_change_nothing(people: People, client: FlaskClient) -> None:
    base = upload(client, people.analyst).headers["Location"]
    for step, user in (("submission", people.manager), ("publication", people.reviewer)):
        assert act(client, base, step, user).status_code == 200
        assert act(client, base, step, user).status_code == 409
    entries = select(AuditEntry.action).where(AuditEntry.object_kind == "sequence").order_by(AuditEntry.seq)
    actions = list(db.session.scalars(entries))
    assert actions == ["sequence.upload", "sequence.submit", "sequence.publish"]


@pytest.mark.req("C2")
@pytest.mark.parametrize(
    "query", ["unknown=1", "sort=bases", "state=secret", "topology=round", "page_size=201", "page=0"]
)
def test_unknown_filters_are_refused(query: str, app: Flask, client: FlaskClient) -> None:
    assert client.get(f"/api/v1/sequences?{query}").status_code == 400
    assert client.get(f"/sequences?{query}").status_code == 400


@pytest.mark.req("C2")
@pytest.mark.parametrize("text", ["%", "_", "'; DROP TABLE lmo; --", "%00", "\\", "!", "%F0%9F%8C%BD", "%FF"])
@pytest.mark.parametrize("field", ["q", "taxon", "lmo", "element", "laboratory"])
def test_hostile_filters_find_nothing_and_break_nothing(
    text: str, field: str, people: People, client: FlaskClient
) -> None:
    manager, reviewer = make_actor(Role.MANAGER, laboratory=people.laboratory), make_actor(Role.REVIEWER)
    make_published_sequence(manager, reviewer)
    answer = client.get(f"/api/v1/sequences?{field}={text}")
    assert answer.status_code in (200, 400)
    if answer.status_code == 200 and text != "%00":
        assert answer.json == []


def test_filters_and_sorting_choose_records(people: People, client: FlaskClient) -> None:
    manager, reviewer = make_actor(Role.MANAGER, laboratory=people.laboratory), make_actor(Role.REVIEWER)
    short = make_published_sequence(manager, reviewer, bases=make_bases(100), title="Maïs border").accession
    long = make_published_sequence(
        manager, reviewer, bases=make_bases(500), accession="CD234567", title="T-nos"
    ).accession

    def found(query: str) -> list[Any]:
        return [row["accession"] for row in client.get(f"/api/v1/sequences?{query}").json]

    assert found("sort=length_bp") == [short, long]
    assert found("sort=-length_bp") == [long, short]
    assert found("q=border") == [short]
    assert found("q=cd234567") == [long]
    assert found("taxon=mosaic") == [long, short] or set(found("taxon=mosaic")) == {long, short}
    assert found("lmo=no-such-event") == []
    assert set(found("topology=circular")) == {long, short}
    assert found("topology=linear") == []
    assert found("page_size=1&sort=accession") == [short]


def test_withdrawn_record_stays_readable_and_marked(people: People, client: FlaskClient) -> None:
    manager, reviewer = make_actor(Role.MANAGER, laboratory=people.laboratory), make_actor(Role.REVIEWER)
    made = make_published_sequence(manager, reviewer, bases=BASES)
    base = f"/api/v1/sequences/{made.accession}"
    empty = act(client, base, "withdrawal", people.secretariat, {"reason": " "})
    assert empty.status_code == 422
    gone = act(client, base, "withdrawal", people.secretariat, {"reason": "Wrong vector."})
    assert gone.json["state"] == "withdrawn"
    shown = client.get(base)
    assert (shown.json["state"], shown.json["reason"]) == ("withdrawn", "Wrong vector.")
    assert b"withdrawn" in client.get(f"{base}/download").data


@pytest.mark.req("E1")
def test_every_step_needs_the_version_that_was_read(people: People, client: FlaskClient) -> None:
    base = upload(client, people.analyst).headers["Location"]
    steps: list[tuple[str, User, Any]] = [
        ("submission", people.manager, None),
        ("review", people.reviewer, {"decision": "claim"}),
        ("review", people.reviewer, {"decision": "return", "reason": "Name it."}),
        ("submission", people.manager, None),
        ("publication", people.reviewer, None),
        ("withdrawal", people.secretariat, {"reason": "Wrong."}),
    ]
    for step, user, body in steps:
        before = client.get(base, headers=bearer(user))
        address, stale = f"{base}/{step}", {**bearer(user), "If-Match": '"v99"'}
        assert client.post(address, json=body, headers=bearer(user)).status_code == 428, step
        assert client.post(address, json=body, headers=stale).status_code == 412, step
        assert client.get(base, headers=bearer(user)).json == before.json, step
        assert act(client, base, step, user, body).status_code == 200, step


@pytest.mark.req("E1")
def test_draft_changed_meanwhile_is_not_submitted(people: People, client: FlaskClient) -> None:
    base = upload(client, people.analyst).headers["Location"]
    read_first = {
        **bearer(people.manager),
        "If-Match": client.get(base, headers=bearer(people.manager)).headers["ETag"],
    }
    changed = client.patch(
        base, json={"title": "New"}, headers={**bearer(people.analyst), "If-Match": '"v1"'}
    )
    assert changed.status_code == 200
    assert client.post(f"{base}/submission", headers=read_first).status_code == 412
    assert client.get(base, headers=bearer(people.manager)).json["state"] == "draft"


def downloads_counted(client: FlaskClient, base: str, user: User) -> int:
    """Return by how many entries the ledger grows when ``user`` downloads a record."""
    entries = select(func.count()).select_from(UsageEvent)
    before = db.session.scalar(entries) or 0
    assert client.get(f"{base}/download", headers=bearer(user)).status_code == 200
    return (db.session.scalar(entries) or 0) - before


def test_only_downloads_of_what_was_published_for_others_count(people: People, client: FlaskClient) -> None:
    public = upload(client, people.analyst).headers["Location"]
    assert downloads_counted(client, public, people.analyst) == 0
    act(client, public, "submission", people.manager)
    assert downloads_counted(client, public, people.reviewer) == 0
    act(client, public, "publication", people.reviewer)
    assert downloads_counted(client, public, people.stranger) == 1
    act(client, public, "withdrawal", people.secretariat, {"reason": "Wrong."})
    assert downloads_counted(client, public, people.secretariat) == 1
    own = upload(client, people.manager, visibility="laboratory").headers["Location"]
    act(client, own, "submission", people.manager)
    assert act(client, own, "publication", people.reviewer).status_code == 200
    assert downloads_counted(client, own, people.analyst) == 0
    sealed = upload(client, people.manager, visibility="sealed").headers["Location"]
    assert downloads_counted(client, sealed, people.manager) == 0
    given_up = upload(client, people.manager).headers["Location"]
    act(client, given_up, "withdrawal", people.manager, {"reason": "Wrong file."})
    assert downloads_counted(client, given_up, people.manager) == 0


def test_door_takes_a_limited_number_of_features(people: People, client: FlaskClient, app: Flask) -> None:
    feature = b"     misc_feature    1..9\n"
    most = commands.MAX_UPLOAD_FEATURES
    records = [
        make_genbank(BASES, accession=f"AB00000{number}").replace(
            b"ORIGIN", feature * (most // 2 - 2 + number) + b"ORIGIN"
        )
        for number in (1, 2)
    ]
    before = counts(app)
    refused = upload_raw(client, people.analyst, b"".join(records), "many.gb")
    assert refused.status_code == 422
    assert f"{most} features" in refused.text
    assert counts(app) == before
    assert upload(client, people.analyst, records[0]).status_code == 201
