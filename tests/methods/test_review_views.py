"""Pages and addresses of the review: comments beside their fields, recalls, acknowledging."""

from flask import Flask

from labhub.accounts.actor import Role
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.methods import commands, queries, review_commands
from labhub.methods.review_models import MethodComment
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    make_laboratory,
    make_method,
    make_use,
    make_user,
    submit,
)


def people(app: Flask, state: str = "in-review"):  # type: ignore[no-untyped-def]
    """Return the manager, the reviewer (both with a password) and the code of their method."""
    laboratory = make_laboratory()
    manager = make_user(Role.MANAGER, laboratory=laboratory, password=PASSWORD, name="Mona Manager")
    reviewer = make_user(Role.REVIEWER, password=PASSWORD, name="Rosa Reviewer")
    version = make_method(actor=actor_of(manager), state=state, reviewer=actor_of(reviewer))
    return manager, reviewer, version.method.code


def test_story_of_a_comment_on_the_pages(app: Flask) -> None:
    manager, reviewer, code = people(app)
    here = browser_of(app, reviewer)
    page = here.get(f"/methods/{code}/versions/1").text
    assert "Comments of the review" in page
    assert "You have taken on this review" in page
    answer = submit(
        here,
        f"/methods/{code}/comments",
        version="1",
        field="oligos.1.sequence",
        text="<b>Is this right?</b>",
    )
    assert answer.status_code == 303
    assert answer.location.endswith(f"/methods/{code}/versions/1#comment-1")
    there = browser_of(app, manager)
    page = there.get(f"/methods/{code}/versions/1").text
    assert "&lt;b&gt;Is this right?&lt;/b&gt;" in page
    assert "GCCACCTTCCTTTTCCACTATCTT" in page
    assert "Rosa" not in page
    edition = queries.find_version(actor_of(reviewer), code).edition
    assert (
        submit(here, f"/methods/{code}/return", reason="See there.", row_version=edition).status_code == 303
    )
    form = there.get(f"/methods/{code}/edit").text
    assert form.count("Is this right?") == 2
    assert "Open comments of the review" in form
    assert here.get(f"/methods/{code}/versions/1").status_code == 404
    alone = here.get(f"/methods/{code}/comments?version=1")
    assert alone.status_code == 200
    assert "The laboratory is correcting this version" in alone.text
    assert "Event-specific qPCR" not in alone.text
    queue = here.get("/methods/review").text
    assert "Returned, with comments" in queue
    assert "Event-specific qPCR" not in queue
    assert (
        submit(there, f"/methods/{code}/comments", version="1", reply_to="1", text="Yes.").status_code == 303
    )
    row = db.session.get_one(MethodComment, 1)
    done = submit(there, f"/methods/{code}/comments/1", resolved="true", row_version=row.row_version)
    assert done.status_code == 303
    assert "resolved" in here.get(f"/methods/{code}/comments").text


def test_draft_says_who_may_see_it_and_who_changed_it_last(app: Flask) -> None:
    manager, _reviewer, code = people(app, "draft")
    page = browser_of(app, manager).get(f"/methods/{code}").text
    assert "Who may see this:" in page
    assert "only the people of the laboratory" in page
    assert "Last changed by" in page
    assert "Mona Manager" in page


def test_published_page_tells_visitors_nothing_of_the_review(app: Flask) -> None:
    _manager, reviewer, code = people(app)
    with transaction():
        review_commands.add_comment(actor_of(reviewer), code, "Planted words.")
    with transaction():
        commands.publish(actor_of(reviewer), code)
    page = app.test_client().get(f"/methods/{code}").text
    for word in ("Planted", "Mona", "Rosa", "comment"):
        assert word not in page
    assert app.test_client().get(f"/methods/{code}/comments").status_code == 303
    assert app.test_client().get(f"/api/v1/methods/{code}/comments").status_code == 401


def test_refused_comment_is_shown_with_what_was_typed(app: Flask) -> None:
    _manager, reviewer, code = people(app)
    answer = submit(
        browser_of(app, reviewer), f"/methods/{code}/comments", version="1", field="no", text="Hm"
    )
    assert answer.status_code == 422
    assert "no field" in answer.text
    assert ">Hm</textarea>" in answer.text


def test_comments_by_program(app: Flask) -> None:
    manager, reviewer, code = people(app)
    client, owner, headers = app.test_client(), bearer(manager), bearer(reviewer)
    made = client.post(
        f"/api/v1/methods/{code}/comments",
        json={"field": "amplicon_bp", "text": "Count again."},
        headers={**headers, "Idempotency-Key": "one"},
    )
    assert made.status_code == 201
    record = made.get_json()
    assert (record["quoted"], record["side"], record["resolved"]) == ("92", "reviewer", False)
    again = client.post(
        f"/api/v1/methods/{code}/comments",
        json={"field": "amplicon_bp", "text": "Count again."},
        headers={**headers, "Idempotency-Key": "one"},
    )
    assert again.get_json()["id"] == record["id"]
    address = made.location
    listed = client.get(f"/api/v1/methods/{code}/comments", headers=owner).get_json()
    assert [(row["id"], row["author"], row["field_exists"]) for row in listed] == [(record["id"], None, True)]
    assert client.patch(address, json={"resolved": True}, headers=owner).status_code == 428
    stale = client.patch(address, json={"resolved": True}, headers={**owner, "If-Match": '"v9"'})
    assert stale.status_code == 412
    done = client.patch(address, json={"resolved": True}, headers={**owner, "If-Match": made.headers["ETag"]})
    assert done.get_json()["resolved"] is True
    assert client.get(f"/api/v1/methods/{code}/comments?resolved=false", headers=owner).get_json() == []
    extra = client.post(
        f"/api/v1/methods/{code}/comments", json={"text": "x", "side": "laboratory"}, headers=owner
    )
    assert extra.status_code == 422
    stranger = bearer(make_user(Role.MANAGER, laboratory=make_laboratory()))
    assert client.get(f"/api/v1/methods/{code}/comments", headers=stranger).status_code == 404
    assert client.get(address, headers=stranger).status_code == 404


def test_review_is_released_and_taken_over_by_program_and_by_page(app: Flask) -> None:
    _manager, reviewer, code = people(app)
    second = make_user(Role.REVIEWER, password=PASSWORD)
    client = app.test_client()

    def tag() -> dict[str, str]:
        return {"If-Match": f'"v{queries.find_version(actor_of(second), code).edition}"'}

    address = f"/api/v1/methods/{code}/review"
    taken = client.post(
        address, json={"decision": "take-over", "reason": "Mine."}, headers={**bearer(second), **tag()}
    )
    assert taken.status_code == 200
    refused = client.post(address, json={"decision": "release"}, headers={**bearer(reviewer), **tag()})
    assert refused.status_code == 403
    released = client.post(address, json={"decision": "release"}, headers={**bearer(second), **tag()})
    assert released.get_json()["state"] == "submitted"
    with transaction():
        commands.start_review(actor_of(reviewer), code)
    browser = browser_of(app, second)
    page = browser.get(f"/methods/{code}/versions/1").text
    assert "Take the review over" in page
    edition = queries.find_version(actor_of(second), code).edition
    path = f"/methods/{code}/review/transfer"
    assert submit(browser, path, note="", row_version=edition).status_code == 422
    assert submit(browser, path, note="I go on.", row_version=edition).status_code == 303
    edition = queries.find_version(actor_of(second), code).edition
    assert submit(browser, f"/methods/{code}/review/release", row_version=edition).status_code == 303


def test_story_of_a_recall_on_the_pages(app: Flask) -> None:
    manager, _reviewer, code = people(app, "published")
    user = make_user(Role.PARTICIPANT, password=PASSWORD, name="Uma User")
    make_use(actor_of(user), item=queries.find_version(None, code).method_id)
    owner, reader = browser_of(app, manager), browser_of(app, user)
    assert "was recalled" not in reader.get("/").text
    edition = queries.find_version(None, code).edition
    issued = submit(owner, f"/methods/{code}/recalls", version="1", reason="Do not use.", row_version=edition)
    assert issued.status_code == 303
    assert "Do not use." in app.test_client().get(f"/methods/{code}").text
    followed = owner.get(f"/methods/{code}/recalls").text
    assert "Acknowledged: 0 of 1." in followed
    assert "Uma" not in followed
    assert "A method that you have downloaded was recalled" in reader.get("/methods").text
    assert "/recalls/1" in reader.get("/account").text
    assert "I have read this recall" in reader.get("/recalls/1").text
    assert owner.get("/recalls/1").status_code == 404
    assert reader.get(f"/methods/{code}/recalls").status_code == 403
    assert submit(reader, "/recalls/1/acknowledgement").status_code == 303
    assert submit(reader, "/recalls/1/acknowledgement").status_code == 409
    assert "was recalled. Please" not in reader.get("/methods").text
    secretariat = make_user(Role.SECRETARIAT, password=PASSWORD)
    assert "Uma User" in browser_of(app, secretariat).get(f"/methods/{code}/recalls").text


def test_recalls_by_program(app: Flask) -> None:
    manager, _reviewer, code = people(app, "published")
    user = make_user(Role.PARTICIPANT)
    make_use(actor_of(user), item=queries.find_version(None, code).method_id)
    client = app.test_client()
    tag = {"If-Match": f'"v{queries.find_version(None, code).edition}"'}
    address = f"/api/v1/methods/{code}/recalls"
    assert (
        client.post(address, json={"version": 1, "reason": "No."}, headers=bearer(manager)).status_code == 428
    )
    made = client.post(address, json={"version": 1, "reason": "No."}, headers={**bearer(manager), **tag})
    assert made.status_code == 201
    assert made.get_json()["people"] is None
    assert client.get(address, headers=bearer(manager)).get_json()[0]["told"] == 1
    assert client.get(address, headers=bearer(user)).status_code == 403
    (notice,) = client.get("/api/v1/recalls", headers=bearer(user)).get_json()
    assert (notice["method"], notice["kind"], notice["acknowledged_at"]) == (code, "recall", None)
    heard = client.post(f"/api/v1/recalls/{notice['id']}/acknowledgement", json={}, headers=bearer(user))
    assert heard.get_json()["acknowledged_at"]
    assert client.get(f"/api/v1/recalls/{notice['id']}", headers=bearer(manager)).status_code == 404


def test_publication_may_leave_out_the_notice(app: Flask) -> None:
    manager, reviewer, code = people(app, "published")
    user = make_user(Role.PARTICIPANT)
    make_use(actor_of(user), item=queries.find_version(None, code).method_id)
    for number, fields in ((2, {"notify": ["false"]}), (3, {"notify": ["true", "false"]})):
        with transaction():
            commands.new_version(actor_of(manager), code, "Better.")
        with transaction():
            commands.submit(actor_of(manager), code)
        browser = browser_of(app, reviewer)
        page = browser.get(f"/methods/{code}/versions/{number}").text
        assert 'name="notify" value="true" checked' in page
        edition = queries.find_version(actor_of(reviewer), code, number).edition
        done = submit(browser, f"/methods/{code}/publication", row_version=edition, **fields)
        assert done.status_code == 303
    notices = app.test_client().get("/api/v1/recalls", headers=bearer(user)).get_json()
    assert notices == []  # the person has version 1, which version 2 replaced without a notice
