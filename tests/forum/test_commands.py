"""What people can do in discussions."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask import Flask
from sqlalchemy import func, select

from labhub import audit, clock
from labhub.accounts import commands as accounts
from labhub.accounts.actor import OPERATOR, VISITOR, Actor, Role
from labhub.accounts.models import Affiliation, StatusKind, User
from labhub.accounts.queries import actor_of
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, StaleEdit, TooMany
from labhub.forum import commands, queries
from labhub.forum.commands import Moderation
from labhub.forum.models import Discussion, Post, PostCounter, PostState, Standing
from labhub.outbox import OutgoingMail
from tests.conftest import FakeClock
from tests.factories import (
    make_actor,
    make_discussion,
    make_party,
    make_post,
    make_topic,
    make_user,
)

OPENING = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
CLOSING = datetime(2026, 3, 16, 10, 0, tzinfo=UTC)
INSTANT = timedelta(milliseconds=1)


def entries(action: str) -> list[AuditEntry]:
    return list(db.session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def old_participant(fake_clock: FakeClock, *roles: Role) -> Actor:
    """Return a person whose account is two days old."""
    now = fake_clock.at
    fake_clock.at = now - timedelta(days=2)
    actor = make_actor(*(roles or (Role.PARTICIPANT,)))
    fake_clock.at = now
    return actor


# The window


@pytest.mark.req("H8")
@pytest.mark.parametrize(
    ("at", "accepted"),
    [
        (OPENING - INSTANT, False),
        (OPENING, True),
        (OPENING + INSTANT, True),
        (CLOSING - INSTANT, True),
        (CLOSING, False),
        (CLOSING + INSTANT, False),
    ],
)
@pytest.mark.parametrize("role", [Role.PARTICIPANT, Role.SECRETARIAT])
def test_post_is_accepted_from_opening_until_just_before_closing(
    app: Flask, fake_clock: FakeClock, at: datetime, accepted: bool, role: Role
) -> None:
    topic = make_topic(make_discussion(opens_at=OPENING, closes_at=CLOSING))
    fake_clock.at = at
    actor = make_actor(role)
    if accepted:
        assert make_post(topic, actor).posted_at == at
    else:
        with pytest.raises(Conflict, match=r"2026-03-02 10:00 UTC|2026-03-16 10:00 UTC"):
            make_post(topic, actor)


@pytest.mark.req("H8")
def test_time_of_receipt_decides_however_long_the_request_waits(app: Flask, fake_clock: FakeClock) -> None:
    topic = make_topic(make_discussion(opens_at=OPENING, closes_at=CLOSING))
    actor = old_participant(fake_clock)
    fake_clock.at = CLOSING + timedelta(seconds=4)
    post = make_post(topic, actor, received_at=CLOSING - INSTANT)
    assert post.posted_at == CLOSING - INSTANT


@pytest.mark.req("H8")
def test_window_given_in_another_zone_is_the_same_instants(app: Flask, fake_clock: FakeClock) -> None:
    nairobi = timezone(timedelta(hours=3))
    made = make_discussion(opens_at=OPENING.astimezone(nairobi), closes_at=CLOSING.astimezone(nairobi))
    assert (made.opens_at, made.closes_at) == (OPENING, CLOSING)
    assert made.opens_at.utcoffset() == timedelta(0)


@pytest.mark.req("H8")
def test_clock_set_back_keeps_the_order_of_posts(app: Flask, fake_clock: FakeClock) -> None:
    topic = make_topic(make_discussion(opens_at=OPENING - timedelta(days=1), closes_at=CLOSING))
    first = make_post(topic)
    fake_clock.forward(hours=-1)
    second = make_post(topic)
    rows = db.session.execute(queries.post_rows(None, topic_id=topic.id).order_by(Post.number)).all()
    assert [row.number for row in rows] == [topic.id, first.number, second.number]


def test_discussion_closes_after_it_opens(app: Flask) -> None:
    with pytest.raises(Invalid, match="correct") as refusal:
        make_discussion(opens_at=CLOSING, closes_at=CLOSING)
    assert "closes_at" in refusal.value.errors


def test_window_outside_of_this_and_the_next_century_is_refused(app: Flask) -> None:
    with pytest.raises(Invalid):
        make_discussion(opens_at=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), closes_at=CLOSING)
    with pytest.raises(Invalid):
        make_discussion(opens_at=OPENING, closes_at=datetime(9999, 12, 31, 23, tzinfo=UTC))


@pytest.mark.req("H8")
def test_window_is_never_moved_across_its_posts(app: Flask, fake_clock: FakeClock) -> None:
    fake_clock.at = OPENING - timedelta(days=3)
    made = make_discussion(opens_at=OPENING, closes_at=CLOSING)
    topic = make_topic(made)
    fake_clock.at = OPENING + timedelta(days=1)
    first = make_post(topic, make_actor(Role.SECRETARIAT))
    fake_clock.at = OPENING + timedelta(days=2)
    last = make_post(topic, make_actor(Role.SECRETARIAT))
    numbers, times = (first.number, last.number), (first.posted_at, last.posted_at)
    secretariat = make_actor(Role.SECRETARIAT)

    def move(**instants: datetime) -> Discussion:
        version = queries.find_discussion(None, made.id).row_version
        with transaction():
            return commands.change_discussion(secretariat, made.id, version, instants)

    for closes_at in (times[1], times[1] - INSTANT, OPENING + INSTANT):
        with pytest.raises(Invalid) as refusal:
            move(closes_at=closes_at)
        assert f"#{numbers[1]} is of 2026-03-04 10:00 UTC" in str(refusal.value.errors["closes_at"][0])
    for opens_at in (times[0] + INSTANT, times[1] + INSTANT):
        with pytest.raises(Invalid) as refusal:
            move(opens_at=opens_at)
        assert f"#{numbers[0]} is of 2026-03-03 10:00 UTC" in str(refusal.value.errors["opens_at"][0])
    moved = move(opens_at=times[0], closes_at=times[1] + INSTANT)
    assert (moved.opens_at, moved.closes_at) == (times[0], times[1] + INSTANT)


def test_window_of_a_discussion_with_guiding_questions_only_can_open_later(
    app: Flask, fake_clock: FakeClock
) -> None:
    fake_clock.at = OPENING - timedelta(days=3)
    made = make_discussion(opens_at=OPENING, closes_at=CLOSING)
    topic = make_topic(made)
    later = {"opens_at": OPENING + timedelta(days=1)}
    secretariat = make_actor(Role.SECRETARIAT)
    with transaction():
        commands.change_discussion(secretariat, made.id, made.row_version, later)
    assert queries.find_discussion(None, made.id).opens_at == later["opens_at"]
    early = {"opens_at": OPENING - timedelta(days=9), "closes_at": OPENING - timedelta(days=4)}
    with pytest.raises(Invalid) as refusal, transaction():
        commands.change_discussion(secretariat, made.id, made.row_version, early)
    assert f"#{topic.id} " in str(refusal.value.errors["closes_at"][0])


# Who may


@pytest.mark.parametrize("role", [None, Role.FOCAL_POINT, Role.REVIEWER, Role.ADMINISTRATOR, Role.MODERATOR])
def test_posting_needs_nomination(app: Flask, role: Role | None) -> None:
    topic = make_topic()
    actor = make_actor(role, party=make_party()) if role else make_actor()
    with pytest.raises(NotAllowed):
        make_post(topic, actor)
    with pytest.raises(NotAllowed):
        make_post(topic, VISITOR)


def test_moderator_posts_opens_topics_and_hides_in_the_own_discussion_only(app: Flask) -> None:
    user = make_user(Role.MODERATOR)
    actor = actor_of(user)
    own, other = make_discussion(moderators=[user.email]), make_discussion()
    topic = make_topic(own, actor)
    post = make_post(topic, actor)
    with transaction():
        commands.moderate_post(actor, post.number, Moderation.HIDE, "a test")
    elsewhere = make_topic(other)
    with pytest.raises(NotAllowed):
        make_topic(other, actor)
    with pytest.raises(NotAllowed), transaction():
        commands.moderate_post(actor, elsewhere.id, Moderation.HIDE, "a test")


def test_only_the_secretariat_announces_and_changes(app: Flask) -> None:
    discussion = make_discussion()
    for role in (Role.PARTICIPANT, Role.MODERATOR, Role.REVIEWER, Role.ADMINISTRATOR):
        with pytest.raises(NotAllowed):
            make_discussion(make_actor(role))
        with pytest.raises(NotAllowed), transaction():
            commands.change_discussion(make_actor(role), discussion.id, 1, {"title": "x"})


def test_operator_has_no_signature_to_post_with(app: Flask) -> None:
    with pytest.raises(NotAllowed, match="--as"):
        make_topic(actor=OPERATOR)


def test_moderators_are_named_by_address_or_number_and_hold_the_role(app: Flask) -> None:
    one, two, other = make_user(Role.MODERATOR), make_user(Role.MODERATOR), make_user(Role.PARTICIPANT)
    discussion = make_discussion(moderators=[one.email.upper(), two.id, str(two.id)])
    assert discussion.moderator_ids == {one.id, two.id}
    with pytest.raises(Invalid) as refusal:
        make_discussion(moderators=[other.email, "nobody@example.org", "99999999999", 77777])
    assert len(refusal.value.errors["moderators"]) == 4


# Changing a discussion


@pytest.mark.req("E1")
def test_change_of_an_older_version_is_refused(app: Flask) -> None:
    secretariat, person = make_actor(Role.SECRETARIAT), make_user(Role.MODERATOR)
    discussion = make_discussion(secretariat)
    with transaction():
        commands.change_discussion(secretariat, discussion.id, 1, {"moderators": [person.email]})
    assert queries.find_discussion(None, discussion.id).row_version == 2
    with pytest.raises(StaleEdit), transaction():
        commands.change_discussion(secretariat, discussion.id, 1, {"title": "Later"})
    assert queries.find_discussion(None, discussion.id).moderator_ids == {person.id}


def test_moderators_can_be_replaced(app: Flask) -> None:
    one, two, three = (make_user(Role.MODERATOR) for _ in range(3))
    discussion = make_discussion(moderators=[one.id, two.id])
    with transaction():
        commands.change_discussion(OPERATOR, discussion.id, 1, {"moderators": [two.id, three.id]})
    db.session.expire_all()
    assert queries.find_discussion(None, discussion.id).moderator_ids == {two.id, three.id}


def test_only_a_closed_discussion_is_archived(app: Flask, fake_clock: FakeClock) -> None:
    discussion = make_discussion(opens_at=OPENING, closes_at=CLOSING)
    topic = make_topic(discussion)
    with pytest.raises(Conflict, match="2026-03-16 10:00 UTC"), transaction():
        commands.change_discussion(OPERATOR, discussion.id, 1, {"archived": True})
    fake_clock.at = CLOSING
    with transaction():
        commands.change_discussion(OPERATOR, discussion.id, 1, {"archived": True})
    assert queries.state_of(queries.find_discussion(None, discussion.id)).value == "archived"
    with pytest.raises(Conflict, match="archived"):
        make_post(topic)


def test_longer_window_lets_posts_in_again(app: Flask, fake_clock: FakeClock) -> None:
    discussion = make_discussion(opens_at=OPENING, closes_at=CLOSING)
    topic = make_topic(discussion)
    fake_clock.at = CLOSING
    with transaction():
        commands.change_discussion(OPERATOR, discussion.id, 1, {"closes_at": CLOSING + timedelta(days=1)})
    assert make_post(topic).number


# Numbers


def test_topic_has_the_number_of_its_first_post_and_numbers_have_no_gap(app: Flask) -> None:
    first = make_topic()
    posts = [make_post(first).number for _ in range(3)]
    second = make_topic()
    assert [first.id, *posts, second.id] == [1, 2, 3, 4, 5]
    assert queries.find_post(None, second.id).topic_id == second.id


def test_refused_post_uses_no_number(app: Flask) -> None:
    topic, actor = make_topic(), make_actor(Role.PARTICIPANT)
    make_post(topic, actor, text="Once")
    with pytest.raises(Conflict):
        make_post(topic, actor, text="Once")
    with pytest.raises(RuntimeError), transaction():
        commands.create_post(actor, topic.id, text="Twice")
        raise RuntimeError
    assert make_post(topic).number == 3
    assert db.session.scalar(select(PostCounter.last)) == 3


def test_topics_stand_ready_before_the_opening_and_none_is_opened_after_the_end(
    app: Flask, fake_clock: FakeClock
) -> None:
    discussion = make_discussion(opens_at=OPENING + timedelta(days=1), closes_at=CLOSING)
    assert make_topic(discussion).id == 1
    fake_clock.at = CLOSING
    with pytest.raises(Conflict, match="closed"):
        make_topic(discussion)


# Posts


def test_post_keeps_name_title_and_party_as_they_were(app: Flask) -> None:
    user = make_user(Role.PARTICIPANT, name="Amina Diallo")
    with transaction():
        user.title = "Dr"
    post = make_post(actor=actor_of(user))
    with transaction():
        user.name = "Amina Diallo-Weber"
        affiliation = user.affiliation
        assert affiliation
        affiliation.until_at = clock.now()
        db.session.flush()
        user.affiliations.append(Affiliation(organisation="An institute", from_at=clock.now()))
    row = queries.post_record(None, post.number)
    assert (row["author_title"], row["author_name"]) == ("Dr", "Amina Diallo")
    assert (row["author_affiliation"], row["author_party"]) == ("Kenya", "KE")
    assert row["author_standing"] is Standing.PARTY


def test_standing_is_that_of_the_day(app: Flask) -> None:
    non_party = make_party("XX", status=StatusKind.NON_PARTY)
    assert make_post(actor=make_actor(Role.PARTICIPANT, party=non_party)).standing is Standing.NON_PARTY
    observer = make_actor(Role.PARTICIPANT, organisation="An institute")
    assert make_post(actor=observer).standing is Standing.OBSERVER


def test_reply_has_the_title_with_re_and_names_the_number(app: Flask) -> None:
    topic = make_topic(title="Stacked events")
    post = make_post(topic, reply_to=topic.id)
    assert queries.post_record(None, topic.id)["title"] == "Stacked events"
    row = queries.post_record(None, post.number)
    assert (row["title"], row["reply_to"]) == ("RE: Stacked events", topic.id)


def test_reply_names_a_visible_post_of_the_same_topic(app: Flask) -> None:
    topic, other = make_topic(), make_topic()
    with pytest.raises(Invalid, match="another topic"):
        make_post(topic, reply_to=other.id)
    with pytest.raises(Invalid, match="no post 99"):
        make_post(topic, reply_to=99)
    with transaction():
        commands.moderate_post(OPERATOR, topic.id, Moderation.HIDE, "a test")
    with pytest.raises(Invalid, match="no post 1"):
        make_post(topic, reply_to=topic.id)


@pytest.mark.req("H5")
def test_same_text_twice_in_one_topic_is_refused(app: Flask) -> None:
    topic, actor = make_topic(), make_actor(Role.PARTICIPANT)
    post = make_post(topic, actor, text="We agree.")
    with pytest.raises(Conflict, match=f"#{post.number}"):
        make_post(topic, actor, text="  we  AGREE.\n")
    make_post(topic, text="We agree.")
    make_post(make_topic(), actor, text="We agree.")


@pytest.mark.req("H5")
def test_new_account_posts_ten_times_in_its_first_day(app: Flask, fake_clock: FakeClock) -> None:
    topic, actor = make_topic(), make_actor(Role.PARTICIPANT)
    for _ in range(10):
        make_post(topic, actor)
    fake_clock.forward(hours=23)
    with pytest.raises(TooMany, match="10") as refusal:
        make_post(topic, actor)
    assert refusal.value.retry_after == 3601
    fake_clock.forward(hours=1)
    make_post(topic, actor)


@pytest.mark.req("H5")
def test_new_account_posts_two_links_in_its_first_day(app: Flask, fake_clock: FakeClock) -> None:
    topic, actor = make_topic(), make_actor(Role.PARTICIPANT)
    make_post(topic, actor, text="https://a.example and #1")
    make_post(topic, actor, text="https://b.example")
    with pytest.raises(Invalid, match="2 links"):
        make_post(topic, actor, text="https://c.example")
    make_post(topic, actor, text="no link, only #1")
    fake_clock.forward(hours=24)
    make_post(topic, actor, text="https://d.example https://e.example https://f.example")


@pytest.mark.req("H5")
def test_first_day_limits_do_not_hold_moderators_and_the_secretariat(
    app: Flask, fake_clock: FakeClock
) -> None:
    user = make_user(Role.MODERATOR)
    topic = make_topic(make_discussion(moderators=[user.id]))
    for actor in (actor_of(user), make_actor(Role.SECRETARIAT)):
        make_post(topic, actor, text="https://a.example https://b.example https://c.example")
        for _ in range(11):
            make_post(topic, actor)


@pytest.mark.parametrize("text", ["", "  \n ", "a\x00b", "a" * 65_537])
def test_text_that_cannot_be_stored_is_refused(app: Flask, text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        make_post(text=text)
    assert "text" in refusal.value.errors


# Moderation


@pytest.mark.req("H7")
def test_hidden_post_is_gone_for_all_but_its_moderators(app: Flask) -> None:
    moderator, other = make_user(Role.MODERATOR), make_actor(Role.MODERATOR)
    discussion = make_discussion(moderators=[moderator.id])
    author = make_actor(Role.PARTICIPANT)
    post = make_post(make_topic(discussion), author, text="A zebra crossing")
    with transaction():
        commands.moderate_post(actor_of(moderator), post.number, Moderation.HIDE, "off the subject")
    for actor in (None, VISITOR, author, other, make_actor(Role.ADMINISTRATOR)):
        with pytest.raises(NotFound):
            queries.find_post(actor, post.number)
        assert not db.session.execute(queries.post_rows(actor, q="zebra")).all()
        assert db.session.execute(queries.topic_rows(actor)).one().posts == 1
        assert db.session.execute(queries.discussion_rows(actor)).one().posts == 1
    for actor in (actor_of(moderator), make_actor(Role.SECRETARIAT), OPERATOR):
        row = db.session.execute(queries.post_rows(actor, q="zebra")).one()
        assert (row.state, row.hidden_reason) == (PostState.HIDDEN, "off the subject")


@pytest.mark.req("H7")
def test_author_is_told_in_the_own_language_and_the_reason_is_logged(app: Flask) -> None:
    author = make_user(Role.PARTICIPANT, language="ar", email="author@example.org")
    post = make_post(actor=actor_of(author))
    with transaction():
        commands.moderate_post(make_actor(Role.SECRETARIAT), post.number, Moderation.HIDE, "off the subject")
    mail = db.session.scalars(select(OutgoingMail)).one()
    assert mail.recipient == "author@example.org"
    assert "off the subject" in mail.body
    assert f"/topics/{post.topic_id}" in mail.body
    (entry,) = entries("post.hide")
    assert (entry.reason, entry.object_id) == ("off the subject", str(post.number))


@pytest.mark.req("H7")
def test_restored_post_is_there_again_with_its_number(app: Flask) -> None:
    secretariat, post = make_actor(Role.SECRETARIAT), make_post()
    with transaction():
        commands.moderate_post(secretariat, post.number, Moderation.HIDE, "a mistake")
    with transaction():
        commands.moderate_post(secretariat, post.number, Moderation.RESTORE)
    row = queries.post_record(None, post.number)
    assert (row["number"], row["state"], row["hidden_reason"]) == (post.number, PostState.VISIBLE, "")
    assert db.session.scalar(select(func.count()).select_from(OutgoingMail)) == 2


def test_hiding_needs_a_reason_and_is_done_once(app: Flask) -> None:
    secretariat, post = make_actor(Role.SECRETARIAT), make_post()
    with pytest.raises(Invalid) as refusal, transaction():
        commands.moderate_post(secretariat, post.number, Moderation.HIDE, "  ")
    assert "reason" in refusal.value.errors
    with pytest.raises(Conflict), transaction():
        commands.moderate_post(secretariat, post.number, Moderation.RESTORE)
    with transaction():
        commands.moderate_post(secretariat, post.number, Moderation.HIDE, "once")
    with pytest.raises(Conflict), transaction():
        commands.moderate_post(secretariat, post.number, Moderation.HIDE, "twice")
    assert len(entries("post.hide")) == 1


@pytest.mark.req("H7")
def test_same_text_cannot_come_back_while_its_first_post_is_hidden(app: Flask) -> None:
    topic, actor = make_topic(), make_actor(Role.PARTICIPANT)
    post = make_post(topic, actor, text="Buy this")
    with transaction():
        commands.moderate_post(OPERATOR, post.number, Moderation.HIDE, "spam")
    with pytest.raises(Conflict):
        make_post(topic, actor, text="Buy this")


# The trail


@pytest.mark.req("G3")
def test_each_change_leaves_one_entry_without_the_text(app: Flask) -> None:
    def count() -> int:
        return db.session.scalar(select(func.count()).select_from(AuditEntry)) or 0

    secretariat = make_actor(Role.SECRETARIAT)
    steps = [
        lambda: make_discussion(secretariat, description="secret words"),
        lambda: commands.change_discussion(secretariat, 1, 1, {"title": "Another"}),
        lambda: make_topic(db.session.get(Discussion, 1), secretariat, text="secret words"),
        lambda: make_post(queries.find_topic(None, 1), secretariat, text="more secret words"),
        lambda: commands.moderate_post(secretariat, 2, Moderation.HIDE, "a reason"),
        lambda: commands.moderate_post(secretariat, 2, Moderation.RESTORE),
    ]
    for step in steps:
        before = count()
        with transaction():
            step()
        assert count() == before + 1
    rows = db.session.scalars(select(AuditEntry)).all()
    assert not any("secret words" in row.before + row.after for row in rows)
    assert audit.verify(app.extensions["labhub.config"].instance).problem == ""


def test_disabled_moderator_is_not_named(app: Flask) -> None:
    user = make_user(Role.MODERATOR)
    with transaction():
        db.session.get_one(User, user.id).active = False
    with pytest.raises(Invalid):
        make_discussion(moderators=[user.email])


def test_role_taken_away_ends_moderation_at_once(app: Flask) -> None:
    user = make_user(Role.MODERATOR)
    topic = make_topic(make_discussion(moderators=[user.id]))
    with transaction():
        accounts.revoke_role(make_actor(Role.SECRETARIAT), user.current_grants[0].id)
    with pytest.raises(NotAllowed):
        make_post(topic, actor_of(user))
