"""Signing in, out, and the links that set a password: nothing can be guessed, replayed or told."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from labhub.accounts import commands, queries
from labhub.accounts.actor import OPERATOR, Role
from labhub.accounts.models import LinkPurpose, LoginSession, OneTimeLink
from labhub.accounts.passwords import hasher
from labhub.db import db, transaction
from labhub.errors import Invalid
from labhub.outbox import OutgoingMail
from tests.conftest import FakeClock
from tests.factories import (
    PASSWORD,
    browser_of,
    csrf_token,
    make_actor,
    make_laboratory,
    make_party,
    make_user,
    sign_in,
    submit,
)

NEW_PASSWORD = "another good sentence 7"


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def same_page(response: TestResponse) -> str:
    """Return the body without what differs between any two answers."""
    text = re.sub(r'name="(csrf_token|once)" value="[^"]+"', "", response.text)
    return re.sub(r"request [0-9a-f]{16}", "", text)


def mails_to(address: str) -> list[OutgoingMail]:
    return list(
        db.session.scalars(
            select(OutgoingMail).where(OutgoingMail.recipient == address).order_by(OutgoingMail.id)
        )
    )


def mailed_code(address: str) -> str:
    found = re.search(r"/set-password#(\S+)", mails_to(address)[-1].body)
    assert found is not None
    return found[1]


# Limits ---------------------------------------------------------------------------------------


@pytest.mark.req("B2")
def test_of_120_tries_with_changing_headers_at_most_ten_are_evaluated(app: Flask) -> None:
    make_user(email="amina@example.org", password=PASSWORD)
    client = app.test_client()
    token = csrf_token(client)
    before = hasher.evaluations
    answers = []
    for number in range(120):
        headers = {
            "X-Forwarded-For": f"198.51.100.{number}",
            "X-Real-IP": f"203.0.113.{number}",
            "Forwarded": f"for=192.0.2.{number}",
            "User-Agent": f"agent {number}",
        }
        data = {"csrf_token": token, "email": "amina@example.org", "password": f"wrong sentence {number}"}
        answers.append(client.post("/sign-in", data=data, headers=headers).status_code)
    assert hasher.evaluations - before <= 10
    assert answers == [422] * 10 + [429] * 110


@pytest.mark.req("B2")
def test_locked_account_refuses_the_right_password_and_opens_after_five_minutes(
    app: Flask, fake_clock: FakeClock
) -> None:
    make_user(email="amina@example.org", password=PASSWORD)
    client = app.test_client()
    for _number in range(10):
        sign_in(client, "amina@example.org", "wrong sentence 1")
    refused = sign_in(client, "amina@example.org")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "300"
    assert 'value="amina@example.org"' in refused.text
    assert "Wait 5 minutes" in refused.text
    fake_clock.forward(seconds=299)
    assert sign_in(client, "amina@example.org").status_code == 429
    fake_clock.forward(seconds=1)
    assert sign_in(client, "amina@example.org").status_code == 303


@pytest.mark.req("B2")
@pytest.mark.parametrize("vary", ["account", "address"])
def test_account_and_address_are_counted_apart(app: Flask, vary: str) -> None:
    client = app.test_client()
    token = csrf_token(client)
    answers = []
    for number in range(12):
        email = f"person{number}@example.org" if vary == "account" else "amina@example.org"
        address = f"198.51.100.{number}" if vary == "address" else "198.51.100.1"
        answers.append(
            client.post(
                "/sign-in",
                data={"csrf_token": token, "email": email, "password": "wrong sentence 1"},
                environ_base={"REMOTE_ADDR": address},
            ).status_code
        )
    assert answers == [422] * 10 + [429] * 2


@pytest.mark.req("B2")
def test_there_is_a_limit_over_all_accounts_and_addresses(app: Flask, fake_clock: FakeClock) -> None:
    with transaction() as session:
        for number in range(commands.TRIES_OVERALL):
            session.add(
                commands.SignInTry(account_key=f"a{number}", address_key=f"b{number}", at=fake_clock())
            )
    assert sign_in(app.test_client(), "amina@example.org").status_code == 429


@pytest.mark.req("B2")
def test_success_does_not_use_up_tries(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    for _number in range(12):
        browser_of(app, user)


@pytest.mark.req("B2")
def test_guessing_the_present_password_is_limited_too(app: Flask) -> None:
    client = browser_of(app, make_user(password=PASSWORD))
    before = hasher.evaluations
    answers = [
        submit(client, "/account/password", current_password=f"no {n}", password=NEW_PASSWORD).status_code
        for n in range(12)
    ]
    assert answers == [422] * 10 + [429] * 2
    assert hasher.evaluations - before == 10


# Nothing tells whether an account exists ------------------------------------------------------


@pytest.mark.req("B3")
@pytest.mark.parametrize("kind", ["known", "stopped", "invited"])
def test_wrong_sign_in_answers_the_same_for_known_and_unknown(app: Flask, kind: str) -> None:
    email = "somebody@example.org"

    def answer() -> tuple[int, str, int, list[str]]:
        before = hasher.evaluations
        response = sign_in(app.test_client(), email, "wrong sentence 1")
        return (
            response.status_code,
            same_page(response),
            hasher.evaluations - before,
            sorted(response.headers.keys()),
        )

    unknown = answer()
    user = make_user(email=email, password=None if kind == "invited" else PASSWORD)
    if kind == "stopped":
        with transaction():
            commands.disable_user(OPERATOR, user.id, "left the laboratory")
    assert answer() == unknown
    assert unknown[2] == 1


@pytest.mark.req("B3")
def test_stopped_account_with_the_right_password_looks_like_a_wrong_one(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    wrong = sign_in(app.test_client(), user.email, "wrong sentence 1")
    with transaction():
        commands.disable_user(OPERATOR, user.id, "left the laboratory")
    right = sign_in(app.test_client(), user.email)
    assert (right.status_code, same_page(right)) == (wrong.status_code, same_page(wrong))


@pytest.mark.req("B3")
def test_forgotten_password_answers_the_same_and_only_mails_the_owner(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    before = hasher.evaluations
    known = submit(app.test_client(), "/forgot-password", email=user.email)
    unknown = submit(app.test_client(), "/forgot-password", email="nobody@example.org")
    assert (known.status_code, same_page(known)) == (unknown.status_code, same_page(unknown))
    assert known.status_code == 200
    assert hasher.evaluations == before
    assert len(mails_to(user.email)) == 1
    assert mails_to("nobody@example.org") == []


@pytest.mark.req("B3")
def test_a_mailbox_cannot_be_flooded_with_links(app: Flask, fake_clock: FakeClock) -> None:
    user = make_user(password=PASSWORD)
    for _number in range(4):
        submit(app.test_client(), "/forgot-password", email=user.email)
    assert len(mails_to(user.email)) == 1
    fake_clock.forward(minutes=5)
    submit(app.test_client(), "/forgot-password", email=user.email)
    assert len(mails_to(user.email)) == 2


@pytest.mark.req("B3")
def test_request_to_join_answers_the_same_for_known_and_unknown(app: Flask) -> None:
    make_user(Role.SECRETARIAT, email="secretariat@example.org")
    user = make_user(password=PASSWORD)
    answers = []
    for email in (user.email, "nobody@example.org"):
        client = app.test_client()
        response = submit(client, "/join", name="Noor", email=email, role="participant", party="KE")
        answers.append((response.status_code, response.headers["Location"], same_page(response)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 303
    assert mails_to(user.email) == mails_to("nobody@example.org") == []


@pytest.mark.req("B3")
def test_request_to_join_by_program_answers_the_same_for_known_and_unknown(client: FlaskClient) -> None:
    user = make_user()
    answers = []
    for email in (user.email, "nobody@example.org"):
        response = client.post(
            "/api/v1/join-requests",
            json={"name": "Noor", "email": email, "role": "participant", "party": "KE"},
        )
        answers.append((response.status_code, response.data, "Location" in response.headers))
    assert answers[0] == answers[1]
    assert answers[0][0] == 202


@pytest.mark.req("B3")
def test_nominating_somebody_of_another_party_tells_the_focal_point_nothing(app: Flask) -> None:
    make_user(Role.SECRETARIAT, email="secretariat@example.org")
    stranger = make_user(party=make_party("BR"))
    focal = make_user(Role.FOCAL_POINT, password=PASSWORD)
    pages = []
    for email in (stranger.email, "nobody@example.org"):
        client = browser_of(app, focal)
        answer = submit(client, "/nominations", name="Noor", email=email, role="participant", party="KE")
        assert answer.status_code == 303
        page = client.get("/nominations").text
        pages.append(re.search(r'Noor</bdi> <span class="[^"]+">([^<]+)', page)[1])  # type: ignore[index]
    assert pages[0] == pages[1] == "nominated"
    assert not queries.actor_of(queries.user_by_id(stranger.id)).grants
    assert "waits for you" in mails_to("secretariat@example.org")[-1].subject


@pytest.mark.req("B3")
def test_used_expired_stopped_and_invented_links_answer_the_same(app: Flask, fake_clock: FakeClock) -> None:
    codes = {"invented": "x" * 43}
    for kind in ("used", "expired", "stopped"):
        user = make_user(password=PASSWORD)
        with transaction():
            codes[kind] = commands.make_link(user, LinkPurpose.RESET)
        with transaction():
            if kind == "used":
                commands.use_link(codes[kind], NEW_PASSWORD)
            elif kind == "stopped":
                commands.disable_user(OPERATOR, user.id, "left")
    fake_clock.forward(minutes=30)
    before = hasher.evaluations
    answers = set()
    for code in codes.values():
        response = submit(app.test_client(), "/set-password", code=code, password=NEW_PASSWORD)
        answers.add((response.status_code, same_page(response).replace(code, "")))
    assert len(answers) == 1
    assert answers.pop()[0] == 422
    assert hasher.evaluations == before


# Sessions -------------------------------------------------------------------------------------


def cookie_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("__Host-labhub")
    assert cookie is not None
    return cookie.value


def replayed(app: Flask, cookie: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("__Host-labhub", cookie, secure=True)
    return client


ENDINGS = ["sign-out", "password", "link", "stopped", "granted", "revoked", "moved", "ended elsewhere"]


@pytest.mark.req("B4")
@pytest.mark.req("A7")
@pytest.mark.parametrize("ending", ENDINGS)
def test_old_cookie_signs_nobody_in(app: Flask, ending: str) -> None:
    user = make_user(Role.PARTICIPANT, password=PASSWORD)
    client = browser_of(app, user)
    cookie = cookie_of(client)
    assert is_signed_in(replayed(app, cookie))
    if ending == "sign-out":
        assert submit(client, "/sign-out").status_code == 303
    elif ending == "password":
        answer = submit(client, "/account/password", current_password=PASSWORD, password=NEW_PASSWORD)
        assert answer.status_code == 303
    elif ending == "ended elsewhere":
        other = browser_of(app, user)
        row = db.session.scalars(select(LoginSession).order_by(LoginSession.id)).first()
        assert row is not None
        assert submit(other, f"/account/sessions/{row.id}/end").status_code == 303
        assert is_signed_in(other)
    else:
        with transaction():
            user = queries.user_by_id(user.id)
            if ending == "link":
                commands.use_link(commands.make_link(user, LinkPurpose.RESET), NEW_PASSWORD)
            elif ending == "stopped":
                commands.disable_user(OPERATOR, user.id, "left")
            elif ending == "granted":
                commands.grant_role(OPERATOR, user, Role.MODERATOR)
            elif ending == "revoked":
                commands.revoke_role(OPERATOR, user.current_grants[0].id)
            elif ending == "moved":
                commands.move_user(OPERATOR, user, organisation="University of Nowhere")
    for old in (client, replayed(app, cookie)):
        assert old.get("/account").status_code == 303
        assert old.get("/api/v1/users/me").status_code == 401


@pytest.mark.req("B4")
def test_sign_in_changes_the_session_and_forgets_what_was_in_it(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    client = app.test_client()
    token = csrf_token(client)
    fixed = cookie_of(client)
    sign_in(client, user.email)
    assert cookie_of(client) != fixed
    assert not is_signed_in(replayed(app, fixed))
    assert client.post("/sign-out", data={"csrf_token": token}).status_code == 403


@pytest.mark.req("B4")
def test_signing_in_again_ends_the_session_before(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    client = browser_of(app, user)
    old = cookie_of(client)
    assert sign_in(client, user.email).status_code == 303
    assert not is_signed_in(replayed(app, old))


@pytest.mark.req("B4")
def test_password_changed_while_somebody_signs_in_with_the_old_one_wins(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    proven = user.password
    with transaction():
        attempt = commands.reserve_try(user.email, "198.51.100.1")
    with transaction():
        commands.use_link(commands.make_link(user, LinkPurpose.RESET), NEW_PASSWORD)
    with pytest.raises(Invalid), transaction():
        commands.start_session(user, attempt.id, PASSWORD, "browser", proven=proven)


@pytest.mark.req("B4")
def test_nobody_ends_the_session_of_another(app: Flask) -> None:
    victim = browser_of(app, make_user(password=PASSWORD))
    row = db.session.scalars(select(LoginSession)).one()
    attacker = browser_of(app, make_user(password=PASSWORD))
    assert submit(attacker, f"/account/sessions/{row.id}/end").status_code == 404
    assert is_signed_in(victim)


@pytest.mark.req("B6")
@pytest.mark.parametrize("role, idle, longest", [(Role.PARTICIPANT, 60, 720), (Role.ADMINISTRATOR, 15, 480)])
def test_session_ends_at_its_limits(
    app: Flask, fake_clock: FakeClock, role: Role, idle: int, longest: int
) -> None:
    user = make_user(role, password=PASSWORD)
    client = browser_of(app, user)
    fake_clock.forward(minutes=idle, seconds=-1)
    assert is_signed_in(client)
    fake_clock.forward(minutes=idle, seconds=1)
    assert not is_signed_in(client)

    client = browser_of(app, user)
    for _step in range(longest // 10 - 1):
        fake_clock.forward(minutes=10)
        assert is_signed_in(client)
    fake_clock.forward(minutes=10, seconds=-1)
    assert is_signed_in(client)
    fake_clock.forward(seconds=2)
    assert not is_signed_in(client)


@pytest.mark.req("B4")
def test_only_the_hash_of_a_session_key_is_kept(app: Flask) -> None:
    client = browser_of(app, make_user(password=PASSWORD))
    with client.session_transaction() as session:
        key = session["login_key"]
    row = db.session.scalars(select(LoginSession)).one()
    assert row.key_hash == queries.digest(key) != key


@pytest.mark.req("B1")
def test_hash_is_made_again_when_its_cost_was_raised(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    old = user.password
    present = hasher.argon2
    hasher.argon2 = type(present)(time_cost=2, memory_cost=8, parallelism=1)
    try:
        browser_of(app, user)
    finally:
        hasher.argon2 = present
    db.session.refresh(user)
    assert user.password != old
    assert "t=2" in (user.password or "")


# Links ----------------------------------------------------------------------------------------


@pytest.mark.req("B8")
def test_reset_link_sets_the_password_once(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    submit(app.test_client(), "/forgot-password", email=user.email)
    code = mailed_code(user.email)
    assert len(code) >= 22  # 128 bits in base 64
    row = db.session.scalars(select(OneTimeLink)).one()
    assert row.token_hash == queries.digest(code)
    done = submit(app.test_client(), "/set-password", code=code, password=NEW_PASSWORD)
    assert done.status_code == 303
    assert sign_in(app.test_client(), user.email, NEW_PASSWORD).status_code == 303
    assert sign_in(app.test_client(), user.email, PASSWORD).status_code == 422
    again = submit(app.test_client(), "/set-password", code=code, password="a third sentence 8")
    assert again.status_code == 422
    assert "Ask for a new" in again.text


@pytest.mark.req("B8")
@pytest.mark.parametrize("purpose, minutes", [(LinkPurpose.RESET, 30), (LinkPurpose.INVITATION, 7 * 24 * 60)])
def test_link_runs_out(app: Flask, fake_clock: FakeClock, purpose: LinkPurpose, minutes: int) -> None:
    users = [make_user(), make_user()]
    with transaction():
        codes = [commands.make_link(user, purpose) for user in users]
    fake_clock.forward(minutes=minutes, seconds=-1)
    with transaction():
        commands.use_link(codes[0], NEW_PASSWORD)
    fake_clock.forward(seconds=2)
    with pytest.raises(Invalid, match="run out"), transaction():
        commands.use_link(codes[1], NEW_PASSWORD)


@pytest.mark.req("B8")
def test_link_is_bound_to_the_address_it_was_sent_to(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    with transaction():
        code = commands.make_link(user, LinkPurpose.RESET)
    with transaction():
        user.email, user.email_key = "new@example.org", "new@example.org"
    with pytest.raises(Invalid), transaction():
        commands.use_link(code, NEW_PASSWORD)


@pytest.mark.req("B8")
def test_newer_link_and_changed_password_void_the_older_links(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    with transaction():
        first = commands.make_link(user, LinkPurpose.RESET)
        second = commands.make_link(user, LinkPurpose.RESET)
    with pytest.raises(Invalid), transaction():
        commands.use_link(first, NEW_PASSWORD)
    with transaction():
        commands.change_password(queries.actor_of(user), PASSWORD, NEW_PASSWORD)
    with pytest.raises(Invalid), transaction():
        commands.use_link(second, "a third sentence 8")


@pytest.mark.req("B8")
def test_bad_password_does_not_use_the_link_up(app: Flask) -> None:
    user = make_user()
    with transaction():
        code = commands.make_link(user, LinkPurpose.INVITATION)
    refused = submit(app.test_client(), "/set-password", code=code, password="short")
    assert refused.status_code == 422
    assert f'value="{code}"' in refused.text
    done = submit(app.test_client(), "/set-password", code=code, password=NEW_PASSWORD)
    assert done.status_code == 303


HOSTS = [
    "evil.example",
    "localhost.evil.example",
    "evil.example:80",
    "127.0.0.1.evil.example",
    "127.0.0.1@evil.example",
    "localhost, evil.example",
    "evil.example#localhost",
    "evil.example/localhost",
    "localhost:evil.example",
    "10.0.0.1",
    "[::1].evil.example",
    "LOCALHOST.EVIL.EXAMPLE",
    "xn--lcalhost-54a",
    "localhost",
]


@pytest.mark.req("B8")
@pytest.mark.req("C7")
def test_link_host_comes_from_the_configuration_only(app: Flask) -> None:
    assert len(HOSTS) == 14
    for host in HOSTS:
        user = make_user(password=PASSWORD)
        client = app.test_client()
        data: dict[str, Any] = {"csrf_token": csrf_token(client), "email": user.email}
        headers = {"Host": host, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}
        response = client.post("/forgot-password", data=data, headers=headers)
        assert response.status_code == (200 if host == "localhost" else 400), host
        links = [word for mail in mails_to(user.email) for word in mail.body.split() if "://" in word]
        assert all(link.startswith("http://127.0.0.1:8000/") for link in links)
        assert len(links) == (1 if host == "localhost" else 0)


@pytest.mark.req("B8")
def test_invitation_opens_the_account(app: Flask) -> None:
    secretariat = make_actor(Role.SECRETARIAT)
    with transaction():
        commands.nominate(
            secretariat,
            name="Noor",
            email="noor@example.org",
            role=Role.ANALYST,
            party=make_party(),
            laboratory=make_laboratory("KE-1"),
        )
    code = mailed_code("noor@example.org")
    submit(app.test_client(), "/set-password", code=code, password=NEW_PASSWORD)
    client = app.test_client()
    assert sign_in(client, "noor@example.org", NEW_PASSWORD).status_code == 303
    assert "Laboratory KE-1" in client.get("/account").text


# Where it goes afterwards ---------------------------------------------------------------------

OUTSIDE = [
    "http://evil.example",
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "evil.example",
    "evil.example/account",
    ".evil.example",
    "@evil.example",
    "http:evil.example",
    "http:/evil.example",
    "https:///evil.example",
    "/account\r\nSet-Cookie: x=1",
    "/\x00/evil.example",
    "/\x0b/evil.example",
    "ftp://evil.example/x",
]


@pytest.mark.req("C8")
def test_sign_in_never_leads_off_the_site(app: Flask) -> None:
    assert len(OUTSIDE) == 30
    user = make_user(password=PASSWORD)
    for target in OUTSIDE:
        client = app.test_client()
        response = submit(client, "/sign-in", email=user.email, password=PASSWORD, next=target)
        if "\x00" in target:
            assert response.status_code == 422, target
        else:
            assert (response.status_code, response.headers["Location"]) == (303, "/"), target
        assert "Set-Cookie: x=1" not in str(response.headers)


@pytest.mark.req("C8")
def test_sign_in_leads_back_to_the_page_that_asked_for_it(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    client = app.test_client()
    asked = client.get("/account?x=1&y=%2F")
    assert asked.status_code == 303
    page = client.get(asked.headers["Location"])
    assert 'name="next" value="/account?x=1&amp;y=%2F"' in page.text
    response = submit(client, "/sign-in", email=user.email, password=PASSWORD, next="/account?x=1")
    assert response.headers["Location"] == "/account?x=1"


def test_the_number_of_sessions_is_that_of_the_sign_ins(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    browser_of(app, user)
    browser_of(app, user)
    assert db.session.scalar(select(func.count()).select_from(LoginSession)) == 2
