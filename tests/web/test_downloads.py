"""Downloads: conditional and partial answers, and which of them are counted."""

import base64
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from flask import Flask, Response, g
from sqlalchemy import text

from labhub.accounts.actor import VISITOR, Actor, Scope
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.errors import Unavailable
from labhub.storage import Stored, keep
from labhub.usage.commands import replay_spool
from labhub.usage.queries import count_uses, ledger_counts
from labhub.web.downloads import CHUNK_BYTES, SANDBOX, Item, deliver, usage_spool
from tests.conftest import FakeClock
from tests.factories import BROWSER, make_actor, make_user

CONTENT = b"0123456789" * 30
DIGEST = sha256(CONTENT).hexdigest()
TAG = f'"{DIGEST}"'
METHOD = Item("method", 1, "LH-1", "1", "json", None)
MODIFIED = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
LAST_MODIFIED = "Sun, 01 Mar 2026 12:00:00 GMT"


def fetch(
    app: Flask,
    *,
    actor: Actor = VISITOR,
    method: str = "GET",
    agent: str = BROWSER,
    item: Item = METHOD,
    source: bytes | str = CONTENT,
    modified_at: datetime | None = None,
    **headers: str,
) -> tuple[Response, bytes]:
    """Return the answer to a request, after the hub's headers, and its body."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with app.test_request_context("/api/v1/download", method=method, headers={"User-Agent": agent, **sent}):
        g.actor = actor
        response = deliver(
            item, source, name="LH-1.json", media_type="application/json", modified_at=modified_at
        )
        response = app.process_response(response)
        body = b"".join(response.response)  # type: ignore[arg-type]
        response.close()
    return response, body


def total() -> int:
    db.session.rollback()
    return count_uses().total.value


def make_stored(app: Flask, tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "upload"
    path.write_bytes(content)
    digest = sha256(content).hexdigest()
    with transaction():
        keep(app.extensions["labhub.store"], path, Stored(digest, len(content)))
    return digest


@pytest.mark.req("D5")
@pytest.mark.req("D7")
def test_file_is_served_inert_named_and_with_its_digest(app: Flask) -> None:
    response, body = fetch(app, modified_at=MODIFIED)
    headers = response.headers
    assert (response.status_code, body) == (200, CONTENT)
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == "300"
    assert headers["Content-Disposition"].startswith('attachment; filename="LH-1.json"')
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers.getlist("Content-Security-Policy") == [SANDBOX]
    assert headers["ETag"] == TAG
    assert headers["Repr-Digest"] == f"sha-256=:{base64.b64encode(bytes.fromhex(DIGEST)).decode()}:"
    assert headers["Last-Modified"] == LAST_MODIFIED
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Cache-Control"] == "no-cache"


@pytest.mark.req("A10")
def test_answer_to_a_person_is_not_stored_by_caches(app: Flask) -> None:
    for headers in ({}, {"Range": "bytes=0-9"}, {"If_None_Match": TAG}):
        response, _body = fetch(app, actor=make_actor(), **headers)
        assert response.headers["Cache-Control"] == "no-store"


ANSWERS: list[tuple[dict[str, str], int, bytes | None, str | None]] = [
    ({"Range": "bytes=0-9"}, 206, CONTENT[:10], "bytes 0-9/300"),
    ({"Range": "bytes=10-"}, 206, CONTENT[10:], "bytes 10-299/300"),
    ({"Range": "bytes=-5"}, 206, CONTENT[-5:], "bytes 295-299/300"),
    ({"Range": "bytes=-900"}, 206, CONTENT, "bytes 0-299/300"),
    ({"Range": "bytes=290-900"}, 206, CONTENT[290:], "bytes 290-299/300"),
    ({"Range": "bytes=300-"}, 416, None, "bytes */300"),
    ({"Range": "bytes=0-1,5-6"}, 200, CONTENT, None),
    ({"Range": "lines=0-1"}, 200, CONTENT, None),
    ({"Range": "bytes=9-5"}, 200, CONTENT, None),
    ({"Range": "nonsense"}, 200, CONTENT, None),
    ({"Range": "bytes=5-9", "If_Range": TAG}, 206, CONTENT[5:10], "bytes 5-9/300"),
    ({"Range": "bytes=5-9", "If_Range": '"older"'}, 200, CONTENT, None),
    ({"Range": "bytes=5-9", "If_Range": f"W/{TAG}"}, 200, CONTENT, None),
    ({"Range": "bytes=5-9", "If_Range": LAST_MODIFIED}, 206, CONTENT[5:10], "bytes 5-9/300"),
    ({"Range": "bytes=5-9", "If_Range": "Sun, 01 Mar 2026 12:00:01 GMT"}, 200, CONTENT, None),
    ({"If_None_Match": TAG}, 304, b"", None),
    ({"If_None_Match": "*"}, 304, b"", None),
    ({"If_None_Match": TAG, "Range": "bytes=5-9"}, 304, b"", None),
    ({"If_None_Match": '"older"'}, 200, CONTENT, None),
    ({"If_Modified_Since": LAST_MODIFIED}, 304, b"", None),
    ({"If_Modified_Since": "Sun, 01 Mar 2026 11:00:00 GMT"}, 200, CONTENT, None),
    ({"If_Match": '"older"'}, 412, None, None),
    ({"If_Match": TAG}, 200, CONTENT, None),
]


def test_conditional_and_partial_answers(app: Flask) -> None:
    for headers, status, body, content_range in ANSWERS:
        response, got = fetch(app, modified_at=MODIFIED, **headers)
        assert (headers, response.status_code) == (headers, status)
        assert (headers, response.headers.get("Content-Range")) == (headers, content_range)
        if body is not None:
            assert (headers, got) == (headers, body)
            assert response.headers["ETag"] == TAG


def test_head_has_the_headers_and_no_body(app: Flask) -> None:
    response, body = fetch(app, method="HEAD", Range="bytes=5-9")
    assert (response.status_code, body) == (200, b"")
    assert response.headers["Content-Length"] == "300"
    assert response.headers["ETag"] == TAG


@dataclass
class Step:
    """A request ``after`` seconds of waiting."""

    after: float = 0
    who: str = "visitor"
    method: str = "GET"
    agent: str = BROWSER
    headers: dict[str, str] = field(default_factory=dict)
    item: int = 1
    version: str = "1"
    file: str = "json"


FIRST, REST = {"Range": "bytes=0-99"}, {"Range": "bytes=100-"}
OUTSIDE, CACHED, OTHER = {"Range": "bytes=900-"}, {"If_None_Match": TAG}, {"If_Match": '"older"'}
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

SEQUENCES: list[tuple[str, list[Step], tuple[int, int, int]]] = [
    ("one download", [Step()], (1, 1, 0)),
    ("double click", [Step(), Step(1)], (1, 1, 0)),
    ("30 s later", [Step(), Step(30)], (1, 1, 0)),
    ("31 s later", [Step(), Step(31)], (2, 1, 0)),
    ("chain of clicks", [Step(), Step(20), Step(20)], (1, 1, 0)),
    ("chain, then a pause", [Step(), Step(20), Step(20), Step(31)], (2, 1, 0)),
    ("next hour", [Step(), Step(3600)], (2, 2, 0)),
    ("two files of a method", [Step(), Step(1, file="csv")], (2, 1, 0)),
    ("two versions of a method", [Step(), Step(1, version="2")], (2, 1, 0)),
    ("two methods", [Step(), Step(1, item=2)], (2, 2, 0)),
    ("two people", [Step(who="person"), Step(1, who="other")], (2, 2, 0)),
    ("person, then visitor", [Step(who="person"), Step(1)], (2, 2, 0)),
    ("another browser, no account", [Step(), Step(1, agent=BROWSER + " Other/1")], (2, 2, 0)),
    (
        "another browser, same account",
        [Step(who="person"), Step(1, who="person", agent="Mozilla/5.0")],
        (1, 1, 0),
    ),
    ("HEAD", [Step(method="HEAD")], (0, 0, 0)),
    ("HEAD, then GET", [Step(method="HEAD"), Step(1)], (1, 1, 0)),
    ("not modified", [Step(headers=CACHED)], (1, 1, 0)),
    ("HEAD, not modified", [Step(method="HEAD", headers=CACHED)], (0, 0, 0)),
    ("first part only", [Step(headers=FIRST)], (1, 1, 0)),
    ("later part only", [Step(headers=REST)], (0, 0, 0)),
    ("resumed at once", [Step(headers=FIRST), Step(1, headers=REST)], (1, 1, 0)),
    ("resumed after an hour", [Step(), Step(3700, headers=REST)], (1, 1, 0)),
    ("suffix that is the whole", [Step(headers={"Range": "bytes=-300"})], (1, 1, 0)),
    ("suffix", [Step(headers={"Range": "bytes=-299"})], (0, 0, 0)),
    ("part outside the file", [Step(headers=OUTSIDE)], (0, 0, 0)),
    ("several parts get the whole", [Step(headers={"Range": "bytes=5-6,8-9"})], (1, 1, 0)),
    ("If-Range of an older file", [Step(headers={**REST, "If_Range": '"older"'})], (1, 1, 0)),
    ("precondition failed", [Step(headers=OTHER)], (0, 0, 0)),
    ("robot", [Step(agent=ROBOT)], (0, 0, 0)),
    ("script without account", [Step(agent="curl/8.14.1")], (0, 0, 0)),
    ("no agent", [Step(agent="")], (0, 0, 0)),
    ("script in a browser's session", [Step(who="person", agent="Wget/1.25")], (0, 0, 0)),
    ("token", [Step(who="token", agent="curl/8.14.1")], (0, 0, 1)),
    ("token, double click", [Step(who="token"), Step(5, who="token")], (0, 0, 1)),
    ("token and browser of one person", [Step(who="token"), Step(5, who="person")], (1, 1, 1)),
    ("robot between two clicks", [Step(), Step(1, agent=ROBOT), Step(1)], (1, 1, 0)),
    ("click, other file, click", [Step(), Step(5, file="csv"), Step(5)], (2, 1, 0)),
    ("unknown agent", [Step(agent="LaboratoryNotebook/3.0")], (1, 1, 0)),
    ("not modified within 30 s", [Step(), Step(10, headers=CACHED)], (1, 1, 0)),
    ("over midnight", [Step(50395), Step(10)], (1, 1, 0)),
]


@pytest.mark.req("H1")
def test_sequences_of_requests_count_as_the_rules_say(app: Flask, fake_clock: FakeClock) -> None:
    person = make_user()
    people = {
        "visitor": VISITOR,
        "person": actor_of(person),
        "token": replace(actor_of(person), scope=Scope.READ),
        "other": make_actor(),
    }
    deviations = []
    for number, (name, steps, expected) in enumerate(SEQUENCES):
        fake_clock.at = start = datetime(2026, 1, 1, 10, tzinfo=UTC) + timedelta(days=2 * number)
        for step in steps:
            fake_clock.forward(seconds=step.after)
            item = Item("method", step.item, f"LH-{step.item}", step.version, step.file, None)
            fetch(
                app, actor=people[step.who], method=step.method, agent=step.agent, item=item, **step.headers
            )
        db.session.rollback()
        result = count_uses(start, start + timedelta(days=2)).total
        found = (result.value, result.unique, result.machine)
        if found != expected:
            deviations.append(f"{name}: {found} instead of {expected}")
    assert not deviations
    assert len(SEQUENCES) >= 40


def test_stored_file_is_streamed(app: Flask, tmp_path: Path) -> None:
    content = bytes(range(256)) * (CHUNK_BYTES // 128)
    digest = make_stored(app, tmp_path, content)
    response, body = fetch(app, source=digest)
    assert body == content
    assert response.headers["ETag"] == f'"{digest}"'
    assert response.is_streamed
    response, body = fetch(app, source=digest, Range=f"bytes={CHUNK_BYTES - 1}-{CHUNK_BYTES}")
    assert body == content[CHUNK_BYTES - 1 : CHUNK_BYTES + 1]


@pytest.mark.req("F12")
def test_stored_file_that_is_gone_or_cut_is_refused_and_not_counted(app: Flask, tmp_path: Path) -> None:
    digest = make_stored(app, tmp_path, CONTENT)
    path = app.extensions["labhub.config"].instance / "files" / digest[:2] / digest[2:]
    path.chmod(0o600)
    path.write_bytes(CONTENT[:100])
    with pytest.raises(Unavailable):
        fetch(app, source=digest)
    path.unlink()
    with pytest.raises(Unavailable):
        fetch(app, source=digest)
    assert total() == 0


def test_empty_file_is_delivered(app: Flask) -> None:
    response, body = fetch(app, source=b"")
    assert (response.status_code, body, response.headers["Content-Length"]) == (200, b"", "0")
    assert fetch(app, source=b"", Range="bytes=0-")[0].status_code == 416


@pytest.mark.req("F3")
@pytest.mark.req("H1")
def test_counting_is_never_the_reason_why_a_download_fails(app: Flask) -> None:
    with transaction() as session:
        session.execute(text("DROP TABLE usage_event"))
    response, body = fetch(app)
    assert (response.status_code, body) == (200, CONTENT)
    assert usage_spool().gap() == 1


@pytest.mark.req("F3")
def test_download_goes_out_when_database_and_spool_cannot_be_written(app: Flask) -> None:
    folder = usage_spool().folder
    folder.mkdir(exist_ok=True)
    (folder / "usage.jsonl").mkdir()
    with transaction() as session:
        session.execute(text("ALTER TABLE usage_event RENAME TO usage_event_away"))
    response, body = fetch(app)
    assert (response.status_code, body) == (200, CONTENT)
    (folder / "usage.jsonl").rmdir()
    assert usage_spool().gap() == 1
    with transaction() as session:
        session.execute(text("ALTER TABLE usage_event_away RENAME TO usage_event"))
    assert replay_spool(usage_spool()) == 1
    assert usage_spool().gap() == 0
    assert ledger_counts()["rows"] == 1


def test_download_inside_a_transaction_is_a_bug(app: Flask) -> None:
    with pytest.raises(RuntimeError), transaction():
        fetch(app)


def test_time_of_the_row_is_the_clocks(app: Flask, fake_clock: FakeClock) -> None:
    fetch(app)
    fake_clock.forward(days=1)
    db.session.rollback()
    assert count_uses(fake_clock() - timedelta(hours=1)).rows == 0
    assert count_uses(until=fake_clock() - timedelta(hours=1)).rows == 1
