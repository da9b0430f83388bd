"""The JSON addresses of discussions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from labhub import clock
from labhub.accounts.actor import OPERATOR, Role
from labhub.db import db, transaction
from labhub.forum import commands
from labhub.forum.models import Post
from tests.conftest import FakeClock
from tests.factories import bearer, make_actor, make_discussion, make_post, make_topic, make_user

API = "/api/v1"


def ask(client: FlaskClient, **more: Any) -> dict[str, Any]:
    """Return the least that announces a discussion that is open now."""
    return {
        "title": "Stacked events",
        "opens_at": (clock.now() - timedelta(hours=1)).isoformat(),
        "closes_at": (clock.now() + timedelta(hours=1)).isoformat(),
        **more,
    }


def test_whole_path_from_announcement_to_counts(client: FlaskClient) -> None:
    secretariat, participant = bearer(make_user(Role.SECRETARIAT)), bearer(make_user(Role.PARTICIPANT))
    made = client.post(f"{API}/discussions", json=ask(client), headers=secretariat)
    assert made.status_code == 201
    assert made.json["state"] == "open"
    assert client.get(made.headers["Location"]).json == made.json
    topic = client.post(
        f"{API}/topics",
        json={"discussion_id": made.json["id"], "title": "Methods", "text": "Which do you use?"},
        headers=secretariat,
    )
    assert topic.status_code == 201
    post = client.post(
        f"{API}/posts",
        json={"topic_id": topic.json["id"], "text": "**QT-1**, see #1", "reply_to": topic.json["id"]},
        headers=participant,
    )
    assert post.status_code == 201
    assert post.json["id"] == post.json["number"] == topic.json["id"] + 1
    assert post.json["title"] == "RE: Methods"
    assert post.json["reply_to"] == topic.json["id"]
    assert '<a href="/posts/1"' in post.json["html"]
    assert client.get(post.headers["Location"]).json == post.json
    assert [row["number"] for row in client.get(f"{API}/posts?topic_id={topic.json['id']}").json] == [1, 2]
    assert [row["number"] for row in client.get(f"{API}/posts?q=qt-1").json] == [2]
    assert [row["posts"] for row in client.get(f"{API}/topics?discussion_id={made.json['id']}").json] == [2]
    counts = client.get(f"{API}/discussions/{made.json['id']}/participation", headers=secretariat)
    assert (counts.json["posts"], counts.json["people"]) == (2, 2)


@pytest.mark.req("A3")
def test_answers_hold_these_fields_and_no_address(client: FlaskClient) -> None:
    user = make_user(Role.MODERATOR, email="moderator@example.org")
    post = make_post(make_topic(make_discussion(moderators=[user.id])))
    discussion = client.get(f"{API}/discussions/1").json
    assert discussion["moderators"] == [{"id": user.id, "name": user.name}]
    assert set(client.get(f"{API}/posts/{post.number}").json) == {
        "id",
        "number",
        "topic_id",
        "discussion_id",
        "title",
        "text",
        "html",
        "reply_to",
        "posted_at",
        "author_name",
        "author_title",
        "author_affiliation",
        "author_party",
        "author_standing",
        "state",
        "hidden_at",
        "hidden_reason",
    }
    for address in ("discussions", "discussions/1", "topics", "topics/1", "posts", "posts/2"):
        assert "@" not in client.get(f"{API}/{address}").get_data(as_text=True)


def test_time_without_zone_is_utc(client: FlaskClient) -> None:
    body = {"title": "x", "opens_at": "2026-03-02T01:00", "closes_at": "2026-03-16T04:00:00+03:00"}
    made = client.post(f"{API}/discussions", json=body, headers=bearer(make_user(Role.SECRETARIAT)))
    assert made.json["opens_at"] == "2026-03-02T01:00:00Z"
    assert made.json["closes_at"] == "2026-03-16T01:00:00Z"


@pytest.mark.req("H8")
@pytest.mark.parametrize(("milliseconds", "status"), [(-1, 201), (0, 409), (1, 409)])
def test_post_at_the_closing_instant_is_refused_and_says_when_it_closed(
    client: FlaskClient, fake_clock: FakeClock, milliseconds: int, status: int
) -> None:
    closing = datetime(2026, 3, 16, 1, tzinfo=UTC)
    topic = make_topic(make_discussion(closes_at=closing))
    headers = bearer(make_user(Role.PARTICIPANT))
    fake_clock.at = closing + timedelta(milliseconds=milliseconds)
    answer = client.post(f"{API}/posts", json={"topic_id": topic.id, "text": "Late?"}, headers=headers)
    assert answer.status_code == status
    if status == 409:
        assert answer.content_type == "application/problem+json"
        assert "closed on 2026-03-16 01:00 UTC" in answer.json["detail"]


def test_post_before_the_opening_says_when_it_opens(client: FlaskClient, fake_clock: FakeClock) -> None:
    topic = make_topic(make_discussion(opens_at=datetime(2026, 3, 3, 1, tzinfo=UTC)))
    headers = bearer(make_user(Role.PARTICIPANT))
    answer = client.post(f"{API}/posts", json={"topic_id": topic.id, "text": "Early"}, headers=headers)
    assert answer.status_code == 409
    assert "2026-03-03 01:00 UTC" in answer.json["detail"]


@pytest.mark.req("E4")
def test_twenty_people_at_once_get_twenty_numbers_in_a_row(app: Flask) -> None:
    topic = make_topic()
    people = [bearer(make_user(Role.PARTICIPANT)) for _ in range(20)]
    barrier = Barrier(20)

    def post(number: int) -> tuple[int, int]:
        client = app.test_client()
        barrier.wait()
        body = {"topic_id": topic.id, "text": f"Post {number}"}
        answer = client.post(f"{API}/posts", json=body, headers=people[number])
        return answer.status_code, answer.json["number"]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(post, range(20)))
    assert {status for status, _number in answers} == {201}
    assert sorted(number for _status, number in answers) == list(range(topic.id + 1, topic.id + 21))


@pytest.mark.req("E3")
def test_twenty_equal_requests_make_one_post(app: Flask) -> None:
    topic = make_topic()
    headers = {**bearer(make_user(Role.PARTICIPANT)), "Idempotency-Key": "one-post"}
    barrier = Barrier(20)

    def post(_number: int) -> tuple[int, bytes]:
        client = app.test_client()
        barrier.wait()
        answer = client.post(f"{API}/posts", json={"topic_id": topic.id, "text": "Once"}, headers=headers)
        return answer.status_code, answer.data

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(post, range(20)))
    assert len(answers) == 1
    assert answers.pop()[0] == 201
    assert db.session.scalar(select(func.count()).select_from(Post)) == 2
    other = app.test_client().post(
        f"{API}/posts", json={"topic_id": topic.id, "text": "Another"}, headers=headers
    )
    assert other.status_code == 422


@pytest.mark.req("E2")
def test_of_ten_moderators_one_hides(app: Flask) -> None:
    post = make_post()
    people = [bearer(make_user(Role.SECRETARIAT)) for _ in range(10)]
    barrier = Barrier(10)

    def hide(headers: dict[str, str]) -> int:
        client = app.test_client()
        barrier.wait()
        return client.post(
            f"{API}/posts/{post.number}/moderation",
            json={"action": "hide", "reason": "spam"},
            headers=headers,
        ).status_code

    with ThreadPoolExecutor(10) as pool:
        answers = sorted(pool.map(hide, people))
    assert answers == [200] + [409] * 9


@pytest.mark.req("E1")
def test_change_needs_the_version_that_was_read(client: FlaskClient) -> None:
    headers = bearer(make_user(Role.SECRETARIAT))
    address = f"{API}/discussions/{make_discussion().id}"
    tag = client.get(address).headers["ETag"]
    assert client.patch(address, json={"title": "New"}, headers=headers).status_code == 428
    changed = client.patch(address, json={"title": "New"}, headers={**headers, "If-Match": tag})
    assert changed.status_code == 200
    assert changed.json["title"] == "New"
    assert changed.headers["ETag"] != tag
    again = client.patch(address, json={"title": "Newer"}, headers={**headers, "If-Match": tag})
    assert again.status_code == 412


@pytest.mark.req("H7")
def test_hidden_post_is_gone_from_show_list_and_search(client: FlaskClient) -> None:
    post = make_post(text="A zebra crossing")
    headers = bearer(make_user(Role.SECRETARIAT))
    hide = client.post(
        f"{API}/posts/{post.number}/moderation",
        json={"action": "hide", "reason": "off the subject"},
        headers=headers,
    )
    assert (hide.status_code, hide.json["state"]) == (200, "hidden")
    gone, never = client.get(f"{API}/posts/{post.number}"), client.get(f"{API}/posts/999")
    assert gone.status_code == never.status_code == 404
    for address in ("posts", f"posts?topic_id={post.topic_id}", "posts?q=zebra"):
        assert "zebra" not in client.get(f"{API}/{address}").get_data(as_text=True).replace("q=zebra", "")
    assert client.get(f"{API}/posts?q=zebra", headers=headers).json[0]["hidden_reason"] == "off the subject"
    back = client.post(f"{API}/posts/{post.number}/moderation", json={"action": "restore"}, headers=headers)
    assert back.json["state"] == "visible"
    assert client.get(f"{API}/posts/{post.number}").status_code == 200


def test_participant_can_neither_hide_nor_open_a_topic(client: FlaskClient) -> None:
    post, headers = make_post(), bearer(make_user(Role.PARTICIPANT))
    hide = {"action": "hide", "reason": "no"}
    assert client.post(f"{API}/posts/1/moderation", json=hide, headers=headers).status_code == 403
    topic = {"discussion_id": 1, "title": "x", "text": "y"}
    assert client.post(f"{API}/topics", json=topic, headers=headers).status_code == 403
    assert client.post(f"{API}/discussions", json=ask(client), headers=headers).status_code == 403
    assert client.get(f"{API}/discussions/1/participation", headers=headers).status_code == 403
    assert client.post(f"{API}/posts", json={"topic_id": post.topic_id, "text": "x"}).status_code == 401


def test_first_day_limit_is_429_with_retry_after(client: FlaskClient, fake_clock: FakeClock) -> None:
    topic, headers = make_topic(), bearer(make_user(Role.PARTICIPANT))
    for number in range(11):
        answer = client.post(
            f"{API}/posts", json={"topic_id": topic.id, "text": f"Post {number}"}, headers=headers
        )
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) == 86_401


@pytest.mark.req("A4")
@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("discussions", {"title": "x", "opens_at": "2026-01-01", "closes_at": "2026-01-02", "state": "open"}),
        ("discussions", {"title": "x", "opens_at": "2026-01-01"}),
        ("discussions", {"title": "x", "opens_at": "soon", "closes_at": "2026-01-02"}),
        ("discussions", {"title": "x", "opens_at": "2026-01-02", "closes_at": "2026-01-01"}),
        ("discussions", {"title": "x", "opens_at": "0001-01-01T00:00+14:00", "closes_at": "2026-01-01"}),
        ("discussions", {"title": "x" * 301, "opens_at": "2026-01-01", "closes_at": "2026-01-02"}),
        ("discussions", {"title": "\u202ex", "opens_at": "2026-01-01", "closes_at": "2026-01-02"}),
        ("discussions", ask(None, moderators=[True]) | {"title": "x"}),  # type: ignore[arg-type]
        ("discussions", ask(None, moderators=[{"id": 1}]) | {"title": "x"}),  # type: ignore[arg-type]
        ("discussions", ask(None, moderators=["nobody@example.org"])),  # type: ignore[arg-type]
        ("topics", {"discussion_id": 1, "title": "x", "text": ""}),
        ("topics", {"discussion_id": 1, "title": "x", "text": "y", "number": 77}),
        ("topics", {"discussion_id": "1", "title": "x", "text": "y"}),
        ("posts", {"topic_id": 1, "text": "x", "number": 77}),
        ("posts", {"topic_id": 1, "text": "x", "author_name": "The Secretariat"}),
        ("posts", {"topic_id": 1, "text": "x", "posted_at": "2020-01-01T00:00:00Z"}),
        ("posts", {"topic_id": 1, "text": "x", "html": "<script>"}),
        ("posts", {"topic_id": 1, "text": "x", "state": "hidden"}),
        ("posts", {"topic_id": 1, "text": "x", "reply_to": 99}),
        ("posts", {"topic_id": 1, "text": "x", "reply_to": 2**40}),
        ("posts", {"topic_id": 1, "text": "a" * 65_537}),
        ("posts", {"topic_id": 1}),
        ("posts/1/moderation", {"action": "hide"}),
        ("posts/1/moderation", {"action": "delete", "reason": "x"}),
        ("posts/1/moderation", {"action": "hide", "reason": "x" * 10_241}),
    ],
)
def test_bad_input_is_refused_by_field_and_nothing_is_stored(
    client: FlaskClient, address: str, body: dict[str, Any]
) -> None:
    make_topic()
    headers = bearer(make_user(Role.SECRETARIAT))
    answer = client.post(f"{API}/{address}", json=body, headers=headers)
    assert answer.status_code == 422, answer.json
    assert answer.json["errors"]
    assert len(client.get(f"{API}/discussions").json) == 1
    assert len(client.get(f"{API}/posts").json) == 1


@pytest.mark.req("C2")
@pytest.mark.parametrize(
    "query", ["sort=text", "sort=-html", "topic_id=0", "topic_id=x", "state=any", "page=0", "author=1"]
)
def test_unknown_filters_and_orders_are_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"{API}/{'discussions' if 'state' in query else 'posts'}?{query}").status_code == 400


def test_list_of_posts_is_paged(client: FlaskClient) -> None:
    topic, actor = make_topic(), make_actor(Role.SECRETARIAT)
    with transaction():
        for number in range(5):
            commands.create_post(actor, topic.id, text=f"Post {number}")
    answer = client.get(f"{API}/posts?topic_id={topic.id}&page=2&page_size=2&sort=-number")
    assert [row["number"] for row in answer.json] == [4, 3]
    assert '"total":6' in answer.headers["X-Pagination"]


@pytest.mark.parametrize("number", ["0", "2147483648", "9" * 30])
def test_numbers_beyond_the_sequence_are_not_found(client: FlaskClient, number: str) -> None:
    for address in (f"{API}/posts/{number}", f"{API}/topics/{number}", f"{API}/discussions/{number}"):
        assert client.get(address).status_code == 404
    for address in (f"/posts/{number}", f"/topics/{number}", f"/discussions/{number}"):
        assert client.get(address).status_code == 404


def test_token_for_reading_posts_nothing(client: FlaskClient) -> None:
    from labhub.accounts.actor import Scope

    topic = make_topic()
    headers = bearer(make_user(Role.PARTICIPANT), Scope.READ)
    answer = client.post(f"{API}/posts", json={"topic_id": topic.id, "text": "x"}, headers=headers)
    assert answer.status_code == 403


def test_archiving_by_api(client: FlaskClient, fake_clock: FakeClock) -> None:
    discussion = make_discussion(OPERATOR, closes_at=clock.now() + timedelta(hours=1))
    headers = {**bearer(make_user(Role.SECRETARIAT)), "If-Match": '"v1"'}
    address = f"{API}/discussions/{discussion.id}"
    assert client.patch(address, json={"archived": True}, headers=headers).status_code == 409
    fake_clock.forward(hours=1)
    assert client.patch(address, json={"archived": True}, headers=headers).json["state"] == "archived"
