"""Saved searches: who has them, what is mailed, once, and how it stops."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from labhub.accounts import commands as accounts
from labhub.accounts.actor import OPERATOR, Role
from labhub.accounts.models import User
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.errors import Conflict, NotFound
from labhub.methods import find_commands, find_queries
from labhub.methods.find_models import Alert, SavedSearch
from labhub.outbox import OutgoingMail
from tests.conftest import FakeClock
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    make_actor,
    make_laboratory,
    make_method,
    make_user,
    submit,
)

SEARCHES = "/api/v1/methods/searches"
SECRET = "s" * 40


def mails(user: User) -> list[OutgoingMail]:
    return [mail for mail in db.session.query(OutgoingMail) if mail.recipient == user.email]


def saved(user: User, alert: Alert = Alert.DAILY, **filters: object) -> SavedSearch:
    with transaction():
        return find_commands.save_search(actor_of(user), "Mine", filters or {"q": "maize"}, alert)


def test_new_matches_are_mailed_once_in_the_readers_language(app: Flask, fake_clock: FakeClock) -> None:
    make_method(state="published", title="Old maize method")
    fake_clock.forward(hours=1)
    reader = make_user(Role.PARTICIPANT, language="ar")
    saved(reader)
    fake_clock.forward(hours=2)
    make_method(state="published", title="New maize method")
    make_method(state="published", title="Other", target="x", targets=["x"], taxon={"scientific": "Oryza"})
    make_method(title="A draft of maize")
    assert find_commands.send_alerts(SECRET) == 0  # not due yet
    fake_clock.forward(hours=23)
    assert find_commands.send_alerts(SECRET) == 1
    (mail,) = mails(reader)
    assert "New maize method" in mail.body
    assert "Old maize" not in mail.body
    assert "draft" not in mail.body
    for _day in range(3):
        fake_clock.forward(days=1)
        assert find_commands.send_alerts(SECRET) == 0


def test_weekly_mails_wait_a_week_and_none_are_never_sent(app: Flask, fake_clock: FakeClock) -> None:
    weekly, never = make_user(Role.PARTICIPANT), make_user(Role.PARTICIPANT)
    saved(weekly, Alert.WEEKLY)
    saved(never, Alert.NONE)
    fake_clock.forward(days=2)
    make_method(state="published")
    fake_clock.forward(days=2)
    assert find_commands.send_alerts(SECRET) == 0
    fake_clock.forward(days=4)
    assert find_commands.send_alerts(SECRET) == 1
    assert (len(mails(weekly)), len(mails(never))) == (1, 0)


def test_a_person_who_was_disabled_gets_no_mail(app: Flask, fake_clock: FakeClock) -> None:
    reader = make_user(Role.PARTICIPANT)
    saved(reader)
    fake_clock.forward(hours=1)
    make_method(state="published")
    with transaction():
        accounts.disable_user(OPERATOR, reader.id, "left")
    before = len(mails(reader))
    fake_clock.forward(days=2)
    assert find_commands.send_alerts(SECRET) == 0
    assert len(mails(reader)) == before


def test_the_link_of_the_mail_stops_it_without_signing_in(
    app: Flask, client: FlaskClient, fake_clock: FakeClock
) -> None:
    reader = make_user(Role.PARTICIPANT)
    row = saved(reader)
    fake_clock.forward(hours=1)
    make_method(state="published")
    fake_clock.forward(days=1)
    secret = app.extensions["labhub.config"].secret_key
    find_commands.send_alerts(secret)
    found = re.search(r"/methods/searches/stop/\S+", mails(reader)[-1].body)
    assert found is not None
    assert client.get(found[0]).status_code == 200
    db.session.expire_all()
    assert db.session.get_one(SavedSearch, row.id).alert is Alert.DAILY  # reading changes nothing
    assert submit(client, found[0]).status_code == 200
    db.session.expire_all()
    assert db.session.get_one(SavedSearch, row.id).alert is Alert.NONE
    assert submit(client, found[0][:-1] + ("0" if found[0][-1] != "0" else "1")).status_code == 404
    with pytest.raises(NotFound), transaction():
        find_commands.unsubscribe("99-abc", secret)


@pytest.mark.req("A2")
def test_saved_searches_are_ones_own(client: FlaskClient) -> None:
    mine, other = bearer(make_user(Role.PARTICIPANT)), bearer(make_user(Role.ADMINISTRATOR))
    assert client.get(SEARCHES).status_code == 401
    body = {"name": "Maize", "filters": {"q": "maize", "specificity": ["event"]}, "alert": "weekly"}
    made = client.post(SEARCHES, json=body, headers=mine)
    assert made.status_code == 201
    assert made.json["filters"] == {"q": "maize", "specificity": ["event"]}
    path, tag = made.headers["Location"], made.headers["ETag"]
    assert client.get(path, headers=mine).json["alert"] == "weekly"
    real, missing = client.get(path, headers=other), client.get(f"{SEARCHES}/99", headers=other)
    assert (real.status_code, missing.status_code) == (404, 404)
    assert client.get(SEARCHES, headers=other).json == []
    assert client.patch(path, json={"alert": "none"}, headers=mine).status_code == 428
    stale = {**mine, "If-Match": '"v99"'}
    assert client.patch(path, json={"alert": "none"}, headers=stale).status_code == 412
    fresh = {**mine, "If-Match": tag}
    assert client.patch(path, json={"alert": "none"}, headers=fresh).json["alert"] == "none"
    assert client.patch(path, json={"user_id": 1}, headers=fresh).status_code == 422
    assert client.delete(path, headers=other).status_code == 404
    assert client.delete(path, headers=mine).status_code == 204
    assert client.get(path, headers=mine).status_code == 404


def test_names_are_unique_numbers_limited_and_everything_is_no_search(app: Flask) -> None:
    reader = make_user(Role.PARTICIPANT)
    saved(reader)
    with pytest.raises(Conflict, match="of this name"):
        saved(reader)
    actor = actor_of(reader)
    with pytest.raises(Exception, match="Search for something first"), transaction():
        find_commands.save_search(actor, "All", {}, Alert.NONE)
    for number in range(find_commands.MOST_SAVED - 1):
        with transaction():
            find_commands.save_search(actor, f"S{number}", {"q": "x"}, Alert.NONE)
    with pytest.raises(Conflict, match="Delete one first"), transaction():
        find_commands.save_search(actor, "One more", {"q": "x"}, Alert.NONE)
    assert len(find_queries.saved_searches(actor)) == find_commands.MOST_SAVED


def test_a_search_is_saved_from_the_list_and_changed_on_its_page(app: Flask) -> None:
    make_method(state="published")
    browser = browser_of(app, make_user(Role.PARTICIPANT, password=PASSWORD))
    assert (
        "/methods/searches/new?q=maize&amp;specificity=event"
        in browser.get("/methods?q=maize&specificity=event").text
    )
    assert browser.get("/methods/searches/new?q=maize&specificity=event").status_code == 200
    made = submit(browser, "/methods/searches?q=maize&specificity=event", name="Events", alert="daily")
    assert made.status_code == 303
    page = browser.get("/methods/searches").text
    assert "/methods?q=maize&amp;specificity=event" in page
    row = db.session.query(SavedSearch).one()
    assert (
        submit(browser, f"/methods/searches/{row.id}", alert="none", row_version=row.row_version).status_code
        == 303
    )
    assert submit(browser, f"/methods/searches/{row.id}/removal").status_code == 303
    assert "no saved search yet" in browser.get("/methods/searches").text


def test_the_list_is_given_as_csv_with_its_filters(app: Flask, client: FlaskClient) -> None:
    make_method(
        state="published", title="=cmd|x", actor=make_actor(Role.MANAGER, laboratory=make_laboratory())
    )
    make_method(state="published", title="Other", technique="dpcr")
    answer = client.get("/methods/list.csv?technique=qpcr&sort=-code")
    assert answer.mimetype == "text/csv"
    lines = answer.text.splitlines()
    assert lines[0].startswith("code,version,state,title")
    assert len(lines) == 2
    assert "'=cmd|x" in lines[1]
