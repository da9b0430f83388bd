"""The pages of discussions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from labhub.accounts.actor import OPERATOR, Role
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.forum import commands, queries
from labhub.forum.models import Discussion, Post
from tests.conftest import FakeClock
from tests.factories import make_actor, make_discussion, make_post, make_topic, make_user
from tests.forum.conftest import Browser

SignIn = Callable[..., Browser]


def text_of(client: FlaskClient, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    return response.get_data(as_text=True)


def test_visitor_reads_everything_and_finds_no_form(client: FlaskClient) -> None:
    post = make_post(make_topic(make_discussion(title="Stacked events"), title="Which methods?"))
    assert "Stacked events" in text_of(client, "/discussions")
    assert "Which methods?" in text_of(client, "/discussions/1")
    page = text_of(client, f"/topics/{post.topic_id}")
    assert f'id="p{post.number}"' in page
    assert "RE: Which methods?" in page
    assert "Nominated participants post here." in page
    assert "<textarea" not in page
    assert post.text in text_of(client, "/posts?q=method")


def test_signature_names_the_time_in_utc(client: FlaskClient, fake_clock: FakeClock) -> None:
    fake_clock.at = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    user = make_user(Role.PARTICIPANT, name="Amina Diallo")
    with transaction():
        user.title = "Dr"
    page = text_of(client, f"/topics/{make_post(actor=actor_of(user)).topic_id}")
    assert '<bdi class="fw-semibold">Amina Diallo</bdi>, <bdi>Dr</bdi> — <bdi>Kenya</bdi>' in page
    assert 'datetime="2026-03-02T10:00:00+00:00"' in page
    assert "2026-03-02 10:00 UTC" in page


def test_user_text_finds_its_own_direction_and_is_left_alone_by_htmx(client: FlaskClient) -> None:
    post = make_post(text="نستخدم هذه الطريقة\n\nWe use this one")
    assert '<div class="post-text mb-3" dir="auto" hx-ignore><p>' in text_of(
        client, f"/topics/{post.topic_id}"
    )


@pytest.mark.req("C3")
def test_titles_and_names_are_shown_as_text(client: FlaskClient) -> None:
    bad = "<script>alert(1)</script>"
    user = make_user(Role.MODERATOR, Role.PARTICIPANT, name=bad, organisation=bad)
    discussion = make_discussion(title=bad, description=bad, moderators=[user.id])
    topic = make_topic(discussion, actor_of(user), title=bad, text=bad)
    post = make_post(topic, actor_of(user), text=f"{bad} again")
    with transaction():
        commands.moderate_post(OPERATOR, post.number, commands.Moderation.HIDE, bad)
    for address in ("/discussions", "/discussions/1", "/topics/1", "/posts?q=script", f"/posts?q={bad}"):
        page = text_of(client, address)
        assert "alert(1)" in page
        assert "<script>alert" not in page


def test_number_leads_to_its_place_in_the_topic(client: FlaskClient) -> None:
    topic, actor = make_topic(), make_actor(Role.SECRETARIAT)
    with transaction():
        for number in range(60):
            commands.create_post(actor, topic.id, text=f"Post {number}")
    assert client.get("/posts/1").location.endswith("/topics/1#p1")
    assert client.get("/posts/50").location.endswith("/topics/1#p50")
    assert client.get("/posts/51").location.endswith("/topics/1?page=2#p51")
    assert 'id="p51"' in text_of(client, "/topics/1?page=2")
    assert client.get("/posts/99").status_code == 404


def test_banner_says_when_it_opens_and_when_it_closed(client: FlaskClient, fake_clock: FakeClock) -> None:
    opening, closing = datetime(2026, 3, 3, 1, tzinfo=UTC), datetime(2026, 3, 17, 1, tzinfo=UTC)
    topic = make_topic(make_discussion(opens_at=opening, closes_at=closing))
    for address in (f"/topics/{topic.id}", "/discussions/1"):
        fake_clock.at = opening - timedelta(hours=1)
        assert "has not opened yet" in text_of(client, address)
        fake_clock.at = opening
        assert 'role="status"' not in text_of(client, address)
        fake_clock.at = closing
        page = text_of(client, address)
        assert "takes no more posts" in page
        assert "2026-03-17 01:00 UTC" in page


def test_participant_posts_and_replies_through_the_form(browser: SignIn) -> None:
    topic = make_topic()
    person = browser(Role.PARTICIPANT)
    status, _text, location = person.send("/topics/1", {"text": "We use *QT-1*.", "reply_to": "1"})
    assert (status, location) == (303, "/topics/1#p2")
    page = person.page("/topics/1")
    assert "<em>QT-1</em>" in page
    assert 'This is a reply to <a href="/posts/1"><bdi dir="ltr">#1</bdi></a>' in page
    assert 'value="2"' in person.page("/topics/1?reply_to=2")
    assert topic.id == 1


def test_refused_post_keeps_what_was_written(browser: SignIn, fake_clock: FakeClock) -> None:
    closing = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
    make_topic(make_discussion(closes_at=closing))
    person = browser(Role.PARTICIPANT)
    status, page, _ = person.send("/topics/1", {"text": "My long text", "reply_to": "77"})
    assert status == 422
    assert "My long text</textarea>" in page
    assert 'value="77"' in page
    assert "There is no post 77." in page
    fake_clock.at = closing
    status, page, _ = person.send("/topics/1", {"text": "Too late"}, of="/discussions")
    assert status == 409
    assert "closed on 2026-03-02 10:30 UTC" in page


def test_sending_a_form_twice_makes_one_post(browser: SignIn) -> None:
    make_topic()
    person = browser(Role.PARTICIPANT)
    form: dict[str, object] = {"text": "Once", "once": "the-same-form"}
    first, second = person.send("/topics/1", form), person.send("/topics/1", form)
    assert first == second
    assert first[0] == 303
    assert db.session.query(Post).count() == 2


def test_unknown_field_is_refused(browser: SignIn) -> None:
    make_topic()
    assert browser(Role.PARTICIPANT).send("/topics/1", {"text": "x", "number": "77"})[0] == 422


def test_secretariat_announces_changes_and_archives(browser: SignIn, fake_clock: FakeClock) -> None:
    moderator = make_user(Role.MODERATOR, email="moderator@example.org")
    person = browser(Role.SECRETARIAT)
    form: dict[str, object] = {
        "title": "Stacked events",
        "opens_at": "2026-03-02T01:00",
        "closes_at": "2026-03-02T10:30",
        "description": "Read **this**",
        "moderators": "moderator@example.org",
    }
    status, _text, location = person.send("/discussions/new", form)
    assert (status, location) == (303, "/discussions/1")
    discussion = queries.find_discussion(None, 1)
    assert discussion.opens_at == datetime(2026, 3, 2, 1, tzinfo=UTC)
    assert discussion.moderator_ids == {moderator.id}
    page = person.page("/discussions/1/edit")
    assert 'value="2026-03-02T10:30"' in page
    assert "moderator@example.org" in page
    changed = {**form, "title": "Stacked", "moderators": "", "row_version": "1"}
    assert person.send("/discussions/1/edit", changed)[0] == 303
    status, page, _ = person.send("/discussions/1/edit", {**changed, "title": "Too late"})
    assert status == 412
    assert "Too late" in page
    status, page, _ = person.send("/discussions/1/edit", {**changed, "row_version": "2", "archived": "yes"})
    assert status == 409
    fake_clock.forward(minutes=30)
    assert person.send("/discussions/1/edit", {**changed, "row_version": "2", "archived": "yes"})[0] == 303
    db.session.expire_all()
    assert (db.session.get_one(Discussion, 1).title, queries.state_of(db.session.get_one(Discussion, 1))) == (
        "Stacked",
        "archived",
    )


def test_refused_discussion_keeps_what_was_written(browser: SignIn) -> None:
    person = browser(Role.SECRETARIAT)
    form: dict[str, object] = {
        "title": "Stacked events",
        "opens_at": "2026-03-16T01:00",
        "closes_at": "2026-03-02T01:00",
        "moderators": "nobody@example.org",
    }
    status, page, _ = person.send("/discussions/new", form)
    assert status == 422
    assert 'value="Stacked events"' in page
    assert 'value="2026-03-16T01:00"' in page
    assert "nobody@example.org</textarea>" in page
    assert "A discussion closes after it opens." in page


def test_secretariat_opens_a_topic_and_reads_the_counts(browser: SignIn) -> None:
    make_discussion()
    person = browser(Role.SECRETARIAT)
    status, _text, location = person.send("/discussions/1/topics/new", {"title": "Methods", "text": "Which?"})
    assert (status, location) == (303, "/topics/1")
    page = person.page("/discussions/1")
    assert "Who took part" in page
    assert "1 person" in page
    assert "Who took part" not in browser(Role.PARTICIPANT).page("/discussions/1")
    status, page, _ = person.send("/discussions/1/topics/new", {"title": "Kept", "text": " "})
    assert status == 422
    assert 'value="Kept"' in page


@pytest.mark.req("H7")
def test_hidden_post_leaves_its_number_and_its_moderators_see_it_marked(
    browser: SignIn, client: FlaskClient
) -> None:
    post = make_post(text="A zebra crossing")
    secretariat, participant = browser(Role.SECRETARIAT), browser(Role.PARTICIPANT)
    address = f"/posts/{post.number}/moderation"
    status, page, _ = secretariat.send(address, {"action": "hide"}, of="/topics/1")
    assert status == 422
    form: dict[str, object] = {"action": "hide", "reason": "off the subject"}
    status, _text, location = secretariat.send(address, form, of="/topics/1")
    assert (status, location) == (303, f"/topics/1#p{post.number}")
    for page in (text_of(client, "/topics/1"), participant.page("/topics/1")):
        assert "zebra" not in page
        assert f"Post #{post.number} was hidden by a moderator." in page
        assert f'id="p{post.number}"' in page
    assert "0 posts" in text_of(client, "/posts?q=zebra")
    assert participant.send(address, form, of="/topics/1")[0] in (403, 404)
    page = secretariat.page("/topics/1")
    assert "zebra" in page
    assert "off the subject" in page
    assert secretariat.send(address, {"action": "restore"}, of="/topics/1")[0] == 303
    assert "zebra" in text_of(client, "/topics/1")


def test_pages_are_right_to_left_in_arabic(client: FlaskClient) -> None:
    make_post()
    for address in ("/discussions", "/discussions/1", "/topics/1", "/posts?q=a"):
        page = text_of(client, f"{address}{'&' if '?' in address else '?'}lang=ar")
        assert 'dir="rtl"' in page
        assert "discussions?lang=ar" in page


@pytest.mark.parametrize("query", ["state=any", "page=0", "sort=description"])
def test_page_refuses_a_filter_that_it_does_not_know(client: FlaskClient, query: str) -> None:
    assert client.get(f"/discussions?{query}").status_code == 400
