"""Methods through the API: the whole story, what others do not see, and what many at once do."""

import json
import threading
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from labhub.accounts.actor import Role, Scope
from labhub.accounts.queries import actor_of
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.methods import commands
from labhub.methods.models import DetectionMethod, MethodVersion
from labhub.outbox import OutgoingMail
from labhub.usage.models import UsageEvent
from tests.factories import bearer, make_laboratory, make_method, make_sop, make_user, method_content

METHODS = "/api/v1/methods"
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"


def send_file(
    client: FlaskClient,
    code: str,
    headers: dict[str, str],
    name: str = "sop.pdf",
    content: bytes = PDF,
    **fields: str,
) -> TestResponse:
    """Upload a file to a draft."""
    data: dict[str, Any] = {"file": (BytesIO(content), name), **fields}
    return client.post(f"{METHODS}/{code}/files", data=data, headers=headers)


def read(client: FlaskClient, headers: dict[str, str], path: str = "LH-1") -> dict[str, str]:
    """Return the headers of a person who has read a record: with its ETag as ``If-Match``."""
    return {**headers, "If-Match": client.get(f"{METHODS}/{path}", headers=headers).headers["ETag"]}


def count(model: Any, *where: Any) -> int:
    """Return how many rows there are."""
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model).where(*where)) or 0


def test_story_from_upload_to_download(client: FlaskClient) -> None:
    laboratory = make_laboratory("LAB-A")
    manager = bearer(make_user(Role.MANAGER, laboratory=laboratory))
    reviewer = bearer(make_user(Role.REVIEWER))
    party = bearer(make_user(Role.FOCAL_POINT), Scope.READ)

    made = client.post(METHODS, json=method_content(code="QT-EVE-ZM-099"), headers=manager)
    assert made.status_code == 201, made.text
    code = made.json["code"]
    assert made.headers["Location"].endswith(f"/methods/{code}")
    assert (code, made.json["wished_code"], made.json["state"]) == ("LH-1", "QT-EVE-ZM-099", "draft")
    assert client.post(f"{METHODS}/{code}/submission", headers=read(client, manager, code)).json[
        "errors"
    ] == {"files": ["Add the SOP as a file."]}
    etag = client.get(f"{METHODS}/{code}", headers=manager).headers["ETag"]
    changed = client.patch(
        f"{METHODS}/{code}", json={"title": "Better title"}, headers={**manager, "If-Match": etag}
    )
    assert changed.status_code == 200
    assert changed.json["title"] == "Better title"
    assert changed.json["licence"] == "CC BY 4.0"
    filed = send_file(client, code, manager)
    assert filed.status_code == 201
    assert (filed.json["role"], filed.json["kind"], filed.json["size_bytes"]) == ("sop", "pdf", len(PDF))
    submitted = client.post(f"{METHODS}/{code}/submission", headers=read(client, manager, code))
    assert submitted.json["state"] == "submitted"
    assert client.get(f"{METHODS}/{code}", headers=party).status_code == 404
    claimed = client.post(f"{METHODS}/{code}/review", headers=read(client, reviewer, code))
    assert claimed.json["state"] == "in-review"
    seen = {**reviewer, "If-Match": claimed.headers["ETag"]}
    published = client.post(f"{METHODS}/{code}/publication", headers=seen)
    assert published.status_code == 200
    assert (published.json["code"], published.json["state"]) == ("QT-EVE-ZM-099", "published")
    assert published.json["intact"] is True

    assert count(AuditEntry, AuditEntry.action.like("method.%")) == 6
    assert count(OutgoingMail, OutgoingMail.subject.contains("waits for review")) == 1
    assert count(OutgoingMail, OutgoingMail.subject.contains("is published")) == 1

    got = client.get(f"{METHODS}/QT-EVE-ZM-099/download?format=json", headers=party)
    assert got.status_code == 200
    record = json.loads(got.data)
    assert record["title"] == "Better title"
    assert record["record"]["laboratory"] == "LAB-A"
    assert record["record"]["files"][0]["sha256"] == filed.json["sha256"]
    assert got.headers["Content-Disposition"].startswith("attachment")
    sop = client.get(f"{METHODS}/LH-1/files/{filed.json['id']}", headers=party)
    assert sop.data == PDF
    assert count(UsageEvent) == 2


def test_download_of_a_draft_is_not_counted(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    code = make_method(actor=actor_of(user)).method.code
    assert client.get(f"{METHODS}/{code}/download", headers=bearer(user)).status_code == 200
    assert count(UsageEvent) == 0


def test_export_can_be_sent_again_as_a_new_method(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    code = make_method(state="published").method.code
    record = json.loads(client.get(f"{METHODS}/{code}/download").data)
    made = client.post(METHODS, json=record, headers=bearer(user))
    assert made.status_code == 201, made.text
    again = {name: made.json[name] for name in record if name not in ("code", "record")}
    assert again == {name: record[name] for name in again}


@pytest.mark.parametrize(
    ("format_", "begins"), [("csv", "code,"), ("fasta", ">LH-1|forward|"), ("json", "{")]
)
def test_formats_of_a_download(client: FlaskClient, format_: str, begins: str) -> None:
    make_method(state="published")
    got = client.get(f"{METHODS}/LH-1/download?format={format_}&version=1")
    assert got.status_code == 200
    assert got.text.startswith(begins)
    assert got.headers["ETag"]
    assert client.head(f"{METHODS}/LH-1/download?format={format_}").status_code == 200
    assert count(UsageEvent) == 1


def test_unknown_format_is_refused_with_those_that_there_are(client: FlaskClient) -> None:
    make_method(state="published")
    got = client.get(f"{METHODS}/LH-1/download?format=docx")
    assert got.status_code == 400
    assert "json, csv, xlsx, fasta" in got.json["detail"]


PRIVILEGED = [
    "state", "status", "laboratory_id", "owner", "published_at", "version", "number", "created_by_id", "id",
    "submitted_by_id", "reviewer_id", "content_hash", "row_version", "method_id", "role", "party", "files",
    "editor_ids", "downloads", "hub_key", "__class__",
]  # fmt: skip


@pytest.mark.req("A4")
def test_privileged_fields_are_refused_and_change_nothing(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    headers = bearer(user)
    version = make_method(actor=actor_of(user))
    etag = f'"v{version.edition}"'
    for name in PRIVILEGED:
        made = client.post(METHODS, json=method_content(**{name: 1}), headers=headers)
        assert (made.status_code, list(made.json["errors"])) == (422, [name])
        if name != "number":
            changed = client.patch(f"{METHODS}/LH-1", json={name: 1}, headers={**headers, "If-Match": etag})
            assert changed.status_code == 422, name
    assert count(DetectionMethod) == 1
    assert client.get(f"{METHODS}/LH-1", headers=headers).headers["ETag"] == etag


def test_marks_of_verification_are_not_the_senders_to_give(client: FlaskClient) -> None:
    headers = bearer(make_user(Role.MANAGER, laboratory=make_laboratory()))
    made = client.post(METHODS, json=method_content(origin="compiled", verified=True), headers=headers)
    assert made.status_code == 201
    assert (made.json["origin"], made.json["verified"]) == ("submitted", None)


MARKS = [
    ({"reference_gene": {"gene": "hmg", "verified": True}}, "reference_gene.verified"),
    ({"validation": {"slope": -3.4, "inferred": True}}, "validation.inferred"),
]


@pytest.mark.req("A4")
@pytest.mark.parametrize(("fields", "name"), MARKS)
def test_marks_inside_groups_are_refused_and_never_kept(
    client: FlaskClient, fields: dict[str, Any], name: str
) -> None:
    headers = bearer(make_user(Role.MANAGER, laboratory=make_laboratory()))
    group, mark = name.split(".")
    refused = client.post(METHODS, json=method_content(**fields), headers=headers)
    assert (refused.status_code, list(refused.json["errors"])) == (422, [name])
    assert client.post(METHODS, json=method_content(), headers=headers).status_code == 201
    changed = client.patch(f"{METHODS}/LH-1", json=fields, headers=read(client, headers))
    assert (changed.status_code, list(changed.json["errors"])) == (422, [name])
    denied = {group: {**fields[group], mark: False}}
    changed = client.patch(f"{METHODS}/LH-1", json=denied, headers=read(client, headers))
    assert (changed.status_code, changed.json[group][mark]) == (200, None)


@pytest.mark.parametrize(("fields", "name"), MARKS)
def test_marks_inside_groups_of_an_export_are_taken_and_not_kept(
    client: FlaskClient, fields: dict[str, Any], name: str
) -> None:
    headers = bearer(make_user(Role.MANAGER, laboratory=make_laboratory()))
    group, mark = name.split(".")
    record = {**method_content(**fields), "record": {"code": "QT-1"}}
    made = client.post(METHODS, json=record, headers=headers)
    assert (made.status_code, made.json[group][mark]) == (201, None)
    for outcome in ("created", "unchanged"):
        data = {"file": (BytesIO(json.dumps([{**record, "title": "Other"}]).encode()), "methods.json")}
        sent = client.post(f"{METHODS}/import", data=data, headers=headers)
        assert [row["outcome"] for row in sent.json["rows"]] == [outcome]
    assert client.get(f"{METHODS}/LH-2", headers=headers).json[group][mark] is None


@pytest.mark.req("A2")
def test_draft_of_another_laboratory_answers_like_a_missing_one(client: FlaskClient) -> None:
    owner = make_user(Role.MANAGER, laboratory=make_laboratory())
    secret = "Xylophone-7Q-secret"
    version = make_method(actor=actor_of(owner), title=secret, code="SECRET-1")
    file_id = make_sop(actor_of(owner), version.method.code)
    readers = [
        {},
        bearer(make_user(Role.MANAGER, laboratory=make_laboratory())),
        bearer(make_user(Role.REVIEWER)),
        bearer(make_user(Role.SECRETARIAT)),
        bearer(make_user(Role.ADMINISTRATOR)),
    ]
    paths = [
        "",
        "/versions",
        "/versions/1",
        "/files",
        f"/files/{file_id}",
        "/download",
        "/download?version=1",
    ]
    for headers in readers:
        for path in paths:
            real, missing = (
                client.get(f"{METHODS}/{code}{path}", headers=headers) for code in ("LH-1", "LH-9")
            )
            assert (real.status_code, missing.status_code) == (404, 404)
            assert abs(len(real.data) - len(missing.data)) <= 12
        for query in (f"?q={secret}", "?q=SECRET-1", "?state=draft", "?sort=title", "?q=TCGAAGGACGAAGG"):
            listed = client.get(METHODS + query, headers=headers)
            assert listed.json == []
            assert '"total":0' in listed.headers["X-Pagination"]
    for headers in readers[1:]:
        for verb, path in (
            ("patch", ""), ("post", "/submission"), ("post", "/publication"), ("delete", f"/files/{file_id}")
        ):  # fmt: skip
            answers = [
                getattr(client, verb)(
                    f"{METHODS}/{code}{path}",
                    headers={**headers, "If-Match": '"v1"'},
                    **({"json": {}} if verb == "patch" else {}),
                )
                for code in ("LH-1", "LH-9")
            ]
            assert answers[0].status_code == answers[1].status_code
            assert answers[0].status_code in (403, 404)
            assert abs(len(answers[0].data) - len(answers[1].data)) <= 12
    wish = client.post(METHODS, json=method_content(code="SECRET-1"), headers=readers[1])
    assert wish.status_code == 201


@pytest.mark.req("A2")
def test_draft_of_a_next_version_does_not_show_beside_the_published_one(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=actor_of(user), state="published")
    before = client.get(f"{METHODS}/LH-1").data
    note = {"change_note": "Secret plans"}
    made = client.post(f"{METHODS}/LH-1/versions", json=note, headers=read(client, bearer(user)))
    assert (made.status_code, made.json["version"]) == (201, 2)
    assert client.get(f"{METHODS}/LH-1").data == before
    assert [row["version"] for row in client.get(f"{METHODS}/LH-1/versions").json] == [1]
    assert client.get(f"{METHODS}/LH-1/versions/2").status_code == 404


@pytest.mark.req("E1")
def test_change_needs_the_version_that_was_read(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=actor_of(user))
    headers = bearer(user)
    assert client.patch(f"{METHODS}/LH-1", json={"title": "x"}, headers=headers).status_code == 428
    for stale in ('"v1"', '"v1000009"', '"x"'):
        answer = client.patch(f"{METHODS}/LH-1", json={"title": "x"}, headers={**headers, "If-Match": stale})
        assert answer.status_code == 412


@pytest.mark.req("E1")
def test_each_step_of_the_workflow_needs_the_version_that_was_read(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    manager, reviewer = bearer(user), bearer(make_user(Role.REVIEWER))
    make_method(actor=actor_of(user))
    send_file(client, "LH-1", manager, role="sop")
    returned = {"decision": "return", "reason": "Name the supplier."}
    steps: list[tuple[str, dict[str, str], dict[str, str], str]] = [
        ("submission", {}, manager, "submitted"),
        ("review", returned, reviewer, "returned"),
        ("submission", {}, manager, "submitted"),
        ("review", {}, reviewer, "in-review"),
        ("publication", {}, reviewer, "published"),
        ("versions", {"change_note": "Better probe"}, manager, "draft"),
        ("withdrawal", {"reason": "Dimers."}, manager, "withdrawn"),
    ]
    for step, given, headers, state in steps:
        path = "LH-1/versions/1" if step == "withdrawal" else "LH-1"
        seen = read(client, headers, path)
        number = client.get(f"{METHODS}/{path}", headers=headers).json["version"]
        for other, status in (({}, 428), ({"If-Match": f'"v{number}000000"'}, 412)):
            answer = client.post(f"{METHODS}/LH-1/{step}", json=given, headers={**headers, **other})
            assert answer.status_code == status, (step, answer.text)
        assert read(client, headers, path) == seen
        made = client.post(f"{METHODS}/LH-1/{step}", json=given, headers=seen)
        assert made.json["state"] == state, (step, made.text)
        again = client.post(f"{METHODS}/LH-1/{step}", json=given, headers=seen)
        assert again.status_code in (404, 409, 412), step


@pytest.mark.req("E1")
def test_reviewer_does_not_publish_what_was_changed_after_reading(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    manager, reviewer, other = bearer(user), bearer(make_user(Role.REVIEWER)), make_user(Role.REVIEWER)
    make_method(actor=actor_of(user), state="submitted")
    seen = read(client, reviewer)
    with transaction():
        commands.return_to_laboratory(actor_of(other), "LH-1", "Another title, please.")
    client.patch(f"{METHODS}/LH-1", json={"title": "Not the same"}, headers=read(client, manager))
    assert client.post(f"{METHODS}/LH-1/submission", headers=read(client, manager)).status_code == 200
    assert client.post(f"{METHODS}/LH-1/publication", headers=seen).status_code == 412
    assert client.get(f"{METHODS}/LH-1").status_code == 404
    assert client.post(f"{METHODS}/LH-1/publication", headers=read(client, reviewer)).status_code == 200


@pytest.mark.req("E1")
def test_of_many_changes_with_one_etag_one_is_made(app: Flask, client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=actor_of(user))
    headers = bearer(user)
    for number in range(2):
        etag = client.get(f"{METHODS}/LH-1", headers=headers).headers["ETag"]
        db.session.rollback()
        statuses: list[int] = []
        barrier = threading.Barrier(12)

        def change(place: int, number: int = number, etag: str = etag, statuses: list[int] = statuses,
                   barrier: threading.Barrier = barrier) -> None:  # fmt: skip
            barrier.wait()
            answer = app.test_client().patch(
                f"{METHODS}/LH-1",
                json={"title": f"Title {number}.{place}"},
                headers={**headers, "If-Match": etag},
            )
            statuses.append(answer.status_code)

        threads = [threading.Thread(target=change, args=(place,)) for place in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] + [412] * 11


@pytest.mark.req("E3")
def test_same_request_twice_makes_one_method(client: FlaskClient) -> None:
    headers = {**bearer(make_user(Role.MANAGER, laboratory=make_laboratory())), "Idempotency-Key": "k-1"}
    first = client.post(METHODS, json=method_content(), headers=headers)
    second = client.post(METHODS, json=method_content(), headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json
    assert client.post(METHODS, json=method_content(title="Other"), headers=headers).status_code == 422
    assert count(DetectionMethod) == 1


@pytest.mark.req("G5")
def test_second_person_publishes(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, Role.REVIEWER, Role.SECRETARIAT, laboratory=make_laboratory())
    make_method(actor=actor_of(user), state="submitted")
    for step in ("review", "publication"):
        answer = client.post(f"{METHODS}/LH-1/{step}", headers=read(client, bearer(user)))
        assert answer.status_code == 403
        assert "second person" in answer.json["detail"]
    assert client.get(f"{METHODS}/LH-1").status_code == 404


def test_reviewer_returns_with_a_reason_and_the_laboratory_reads_it(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    reviewer = bearer(make_user(Role.REVIEWER))
    make_method(actor=actor_of(user), state="submitted")
    seen = read(client, reviewer)
    empty = client.post(f"{METHODS}/LH-1/review", json={"decision": "return"}, headers=seen)
    assert empty.status_code == 422
    assert "reason" in empty.json["errors"]
    given = {"decision": "return", "reason": "Name the supplier."}
    assert client.post(f"{METHODS}/LH-1/review", json=given, headers=seen).json["state"] == "returned"
    assert client.get(f"{METHODS}/LH-1", headers=bearer(user)).json["return_reason"] == "Name the supplier."
    assert client.get(f"{METHODS}/LH-1", headers=reviewer).status_code == 404


def test_withdrawn_version_is_marked(client: FlaskClient) -> None:
    make_method(state="published")
    secretariat = bearer(make_user(Role.SECRETARIAT))
    answer = client.post(
        f"{METHODS}/LH-1/withdrawal", json={"reason": "Dimers."}, headers=read(client, secretariat)
    )
    assert answer.json["state"] == "withdrawn"
    shown = client.get(f"{METHODS}/LH-1").json
    assert (shown["state"], shown["withdrawal_reason"]) == ("withdrawn", "Dimers.")
    assert client.get(METHODS).json == []
    assert [row["code"] for row in client.get(f"{METHODS}?state=withdrawn").json] == ["LH-1"]


@pytest.mark.req("D4")
@pytest.mark.parametrize(
    ("name", "content"), [("sop.exe", b"MZ"), ("sop.pdf", b"<html>"), ("sop.pdf", b""), ("a.svg", b"<svg/>")]
)
def test_file_of_another_kind_is_refused_and_nothing_kept(
    client: FlaskClient, name: str, content: bytes
) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=actor_of(user))
    assert send_file(client, "LH-1", bearer(user), name, content).status_code == 422
    assert client.get(f"{METHODS}/LH-1/files", headers=bearer(user)).json == []


def test_file_can_be_taken_off_a_draft_and_not_off_a_published_version(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=actor_of(user))
    first = send_file(client, "LH-1", bearer(user), role="other").json["id"]
    assert client.delete(f"{METHODS}/LH-1/files/{first}", headers=bearer(user)).status_code == 204
    version = make_method(actor=actor_of(user), state="published")
    kept = f"{METHODS}/LH-2/files/{version.files[0].id}"
    assert client.delete(kept, headers=bearer(user)).status_code == 409


@pytest.mark.req("D9")
def test_import_stores_all_rows_or_none(client: FlaskClient) -> None:
    headers = bearer(make_user(Role.MANAGER, laboratory=make_laboratory()))
    records = [method_content(title=f"Method {number}") for number in range(30)]

    def send(rows: list[dict[str, Any]], **fields: str) -> TestResponse:
        data = {"file": (BytesIO(json.dumps(rows).encode()), "methods.json"), **fields}
        return client.post(f"{METHODS}/import", data=data, headers=headers)

    wrong = send([*records, method_content(technique="magic")])
    assert wrong.status_code == 422
    assert list(wrong.json["errors"]) == ["row 31, technique"]
    assert count(MethodVersion) == 0
    assert send(records, dry_run="true").status_code == 200
    assert count(MethodVersion) == 0
    assert {row["outcome"] for row in send(records).json["rows"]} == {"created"}
    assert count(MethodVersion) == 30
    assert {row["outcome"] for row in send(records).json["rows"]} == {"unchanged"}
    assert count(MethodVersion) == 30
    assert count(AuditEntry, AuditEntry.action == "method.import") == 1


@pytest.mark.req("C2")
@pytest.mark.parametrize("query", ["sort=password", "page=0", "page_size=9999", "colour=red", "state=any",
                                   "specificity=x", "quantitative=maybe"])  # fmt: skip
def test_unknown_filter_or_value_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"{METHODS}?{query}").status_code == 400


HOSTILE = [
    "%",
    "_",
    "!",
    "'",
    '"',
    "';--",
    "\x00",
    "\\",
    "%%%",
    "a" * 200,
    "💥",
    "İ",
    "(",
    "[",
    "MON%",
    "NNNNNN",
]


@pytest.mark.req("C2")
def test_hostile_search_finds_nothing_and_breaks_nothing(client: FlaskClient) -> None:
    make_method(state="published")
    for name in ("q", "taxon", "target", "lmo", "element", "laboratory"):
        for text in HOSTILE:
            answer = client.get(METHODS, query_string={name: text})
            assert answer.status_code == (400 if text == "\x00" else 200), (name, text)
            if text in ("%", "_", "';--") or (text == "MON%" and name != "q"):
                assert answer.json == [], (name, text)


def test_missing_method_says_so(client: FlaskClient) -> None:
    for code in ("LH-1", "x" * 300, "a%20b", "%2e%2e", "é"):
        assert client.get(f"{METHODS}/{code}").status_code == 404
    assert client.get(f"{METHODS}/LH-1/versions/99999999999999999999").status_code == 404
