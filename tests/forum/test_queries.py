"""What people find in discussions."""

from datetime import timedelta

import pytest
from flask import Flask

from labhub import clock
from labhub.accounts.actor import OPERATOR, Role
from labhub.accounts.models import StatusKind
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.errors import NotAllowed, NotFound
from labhub.forum import commands, queries
from labhub.forum.models import Post
from labhub.forum.windows import DiscussionState
from tests.conftest import FakeClock
from tests.factories import make_actor, make_discussion, make_party, make_post, make_topic, make_user


def found(q: str) -> list[int]:
    query = queries.post_rows(None, q=q).order_by(Post.number)
    return [row.number for row in db.session.execute(query)]


@pytest.mark.parametrize(
    ("text", "q"),
    [
        ("Detection of MON 810", "mon 810"),
        ("我们使用实时聚合酶链反应检测转基因玉米。", "转基因玉米"),
        ("نستخدم تفاعل البوليميراز المتسلسل", "البوليميراز"),
        ("Обнаружение ЖИВЫХ организмов", "живых"),
        ("STRASSE ÄÖÜ ÉLÈVE", "élève"),
        ("ﬁle ｆｕｌｌ", "file full"),
        ("recovery of 100% at a_b", "100%"),
        ("recovery of 100% at a_b", "A_B"),
        ("well! done", "!"),
    ],
)
def test_post_is_found_by_a_word_in_any_script(app: Flask, text: str, q: str) -> None:
    topic = make_topic()
    post = make_post(topic, text=text)
    make_post(topic, text="something else: recovery of 1000 at acb")
    assert found(q) == [post.number]


def test_post_is_found_by_author_party_and_title(app: Flask) -> None:
    topic = make_topic(title="Stacked events")
    user = make_user(Role.PARTICIPANT, name="Amina Diallo", party=make_party("BR"))
    post = make_post(topic, actor_of(user), text="Yes")
    make_post(text="No")
    assert found("diallo") == [post.number]
    assert found("brazil") == [post.number]
    assert found("stacked") == [topic.id, post.number]
    assert found("diallo\x00") == [post.number]
    assert found("amina diallo brazil") == []


@pytest.mark.parametrize("number", [0, 7, 2**31, 2**63, 10**40])
def test_number_that_no_post_has_is_not_found(app: Flask, number: int) -> None:
    for find in (queries.find_post, queries.find_topic, queries.find_discussion):
        with pytest.raises(NotFound):
            find(None, number)
    with pytest.raises(NotFound):
        queries.topic_of_number(number)


def test_list_knows_the_state_at_each_instant(app: Flask, fake_clock: FakeClock) -> None:
    opening, closing = clock.now() + timedelta(hours=1), clock.now() + timedelta(hours=2)
    discussion = make_discussion(opens_at=opening, closes_at=closing)
    instant = timedelta(milliseconds=1)
    expected = [
        (opening - instant, "scheduled"),
        (opening, "open"),
        (closing - instant, "open"),
        (closing, "closed"),
    ]
    for at, state in expected:
        fake_clock.at = at
        assert queries.discussion_record(None, discussion.id)["state"] == state
        assert queries.state_of(discussion).value == state
        for each in DiscussionState:
            rows = db.session.execute(queries.discussion_rows(None, state=each)).all()
            assert len(rows) == (each.value == state)


def test_topics_and_discussions_are_found_by_title(app: Flask) -> None:
    discussion = make_discussion(title="检测 und Überwachung", description="Proficiency *tests*")
    topic = make_topic(discussion, title="أسئلة")
    for q in ("检测", "ÜBERWACHUNG", "proficiency"):
        assert [row.id for row in db.session.execute(queries.discussion_rows(None, q=q))] == [discussion.id]
    assert [row.id for row in db.session.execute(queries.topic_rows(None, q="أسئلة"))] == [topic.id]
    assert not db.session.execute(queries.topic_rows(None, q="nothing")).all()


def test_topics_are_found_that_mention_a_word_by_itself(app: Flask) -> None:
    one, two = make_topic(title="Maize"), make_topic(title="LH-12 again")
    make_post(one, text="We tried LH-1 and lh-1.")
    make_post(one, text="LH-1: it works.")
    make_post(two, text="LH-12, xLH-1, LH-1.5 and LH-1-2 are others.")
    mentions = queries.topics_that_mention(None, "LH-1")
    assert mentions == [{"topic_id": one.id, "title": "Maize", "posts": 2}]


@pytest.mark.req("A2")
def test_hidden_posts_mention_nothing(app: Flask) -> None:
    moderator = make_actor(Role.SECRETARIAT, organisation="Secretariat")
    post = make_post(text="Only LH-7 here.")
    with transaction():
        commands.moderate_post(moderator, post.number, commands.Moderation.HIDE, "Not for here")
    assert queries.topics_that_mention(None, "LH-7") == []


def test_counts_say_who_took_part(app: Flask) -> None:
    discussion = make_discussion()
    topic = make_topic(discussion)  # by the Secretariat
    kenya = [make_actor(Role.PARTICIPANT) for _ in range(2)]
    for actor in (*kenya, kenya[0]):
        make_post(topic, actor)
    non_party = make_party("XX", status=StatusKind.NON_PARTY)
    make_post(topic, make_actor(Role.PARTICIPANT, party=non_party))
    hidden = make_post(topic, make_actor(Role.PARTICIPANT, party=make_party("BR")))
    with transaction():
        commands.moderate_post(OPERATOR, hidden.number, commands.Moderation.HIDE, "a test")
    make_post()  # in another discussion
    counts = queries.participation(make_actor(Role.SECRETARIAT), discussion.id)
    assert counts == {
        "discussion_id": discussion.id,
        "posts": 5,
        "people": 4,
        "hidden_posts": 1,
        "parties": [{"party": "KE", "name": "Kenya", "posts": 3, "people": 2}],
        "non_parties": [{"party": "XX", "name": "Party XX", "posts": 1, "people": 1}],
        "organisations": [{"name": "Secretariat", "posts": 1, "people": 1}],
    }
    groups = counts["parties"] + counts["non_parties"] + counts["organisations"]
    assert sum(row["posts"] for row in groups) == counts["posts"]


def test_counts_are_for_the_secretariat_and_the_own_moderators(app: Flask) -> None:
    user = make_user(Role.MODERATOR)
    discussion = make_discussion(moderators=[user.id])
    assert queries.participation(actor_of(user), discussion.id)["posts"] == 0
    for role in (Role.MODERATOR, Role.PARTICIPANT, Role.ADMINISTRATOR):
        with pytest.raises(NotAllowed):
            queries.participation(make_actor(role), discussion.id)
    with pytest.raises(NotAllowed):
        queries.participation(None, discussion.id)
