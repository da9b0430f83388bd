"""Cookies, tokens and forged requests, over every route that the hub has."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.routing import Rule

from labhub.accounts import commands, queries
from labhub.accounts.actor import OPERATOR, Role, Scope
from labhub.accounts.models import ApiToken, RequestOnce, User
from labhub.db import Model, db, transaction
from labhub.errors import Invalid
from labhub.web.access import PUBLIC, TABLE
from tests.conftest import FakeClock
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    csrf_token,
    make_laboratory,
    make_party,
    make_token,
    make_user,
    sign_in,
    submit,
)

SAFE = {"GET", "HEAD", "OPTIONS"}
BOOKKEEPING = re.compile(r"usage|login_session|sign_in_try")
"""Tables that reading may add to: the ledger of downloads, and signing in."""


def everybody_at_once() -> User:
    """Return a person with every role, so that only the request itself can be at fault."""
    laboratory = make_laboratory("KE")
    user = make_user(*(role for role in Role if role is not Role.VISITOR), laboratory=laboratory)
    with transaction():
        user.password = commands.hasher.hash(PASSWORD)
    return user


def addresses(app: Flask, *, writing: bool) -> Iterator[tuple[str, str, str]]:
    """Return method, address and endpoint of every route."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods or ()):
            if (method not in SAFE) == writing and method != "OPTIONS":
                yield method, address_of(rule), rule.endpoint


def address_of(rule: Rule) -> str:
    return re.sub(
        r"<(?:(\w+)[^:>]*:)?(\w+)>",
        lambda found: "1" if found[1] in ("int", "float") else "KE",
        rule.rule,
    )


def counts() -> dict[str, int]:
    return {
        table.name: db.session.scalar(select(func.count()).select_from(table)) or 0
        for table in Model.metadata.sorted_tables
        if not BOOKKEEPING.search(table.name)
    }


# Cookies --------------------------------------------------------------------------------------


@pytest.mark.req("B5")
def test_every_cookie_of_every_route_is_locked_to_this_host(app: Flask) -> None:
    user = everybody_at_once()
    clients = [app.test_client(), browser_of(app, user)]
    cookies = []
    for client in clients:
        for method, address, endpoint in addresses(app, writing=False):
            if endpoint != "static":
                cookies += client.open(address, method=method).headers.getlist("Set-Cookie")
    visitor = app.test_client()
    for response in (sign_in(visitor, user.email), submit(visitor, "/sign-out")):
        cookies += response.headers.getlist("Set-Cookie")
    assert cookies
    for header in cookies:
        jar = SimpleCookie(header)
        assert list(jar) == ["__Host-labhub"], header
        morsel = jar["__Host-labhub"]
        assert (morsel["secure"], morsel["httponly"]) == (True, True), header
        assert (morsel["samesite"], morsel["path"], morsel["domain"]) == ("Lax", "/", ""), header


# Forged requests ------------------------------------------------------------------------------

FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.req("B10")
def test_no_forged_request_of_a_signed_in_browser_changes_anything(app: Flask) -> None:
    client = browser_of(app, everybody_at_once())
    token = csrf_token(client)
    before = counts()
    routes = list(addresses(app, writing=True))
    assert len(routes) > 30
    for method, address, _endpoint in routes:
        plain = json.dumps({"title": "x"})
        answers = [
            client.open(address, method=method),
            client.open(address, method=method, data={"csrf_token": "wrong"}),
            client.open(address, method=method, data=plain, content_type="text/plain"),
            client.open(address, method=method, data=plain, content_type="application/json"),
            *(
                client.open(address, method=method, data={"csrf_token": token}, headers=headers)
                for headers in FOREIGN
            ),
            client.open(
                address,
                method=method,
                json={},
                headers={"X-CSRF-Token": token, "Origin": "https://evil.example"},
            ),
        ]
        assert {answer.status_code for answer in answers} <= {401, 403}, (method, address)
    assert counts() == before


@pytest.mark.req("B10")
def test_no_forged_request_of_a_visitor_changes_anything(app: Flask) -> None:
    before = counts()
    table = app.extensions[TABLE]
    client = app.test_client()
    token = csrf_token(client)
    for method, address, endpoint in addresses(app, writing=True):
        answers = [
            client.open(address, method=method, data="{}", content_type="text/plain"),
            client.open(address, method=method, data={"x": "y"}),
            *(client.open(address, method=method, json={}, headers=headers) for headers in FOREIGN),
            *(
                client.open(address, method=method, data={"csrf_token": token}, headers=headers)
                for headers in FOREIGN
            ),
        ]
        if table.get(endpoint) != PUBLIC or not address.startswith("/api/"):
            answers.append(client.open(address, method=method, json={}))
        assert {answer.status_code for answer in answers} <= {401, 403}, (method, address)
    assert counts() == before


@pytest.mark.req("B10")
def test_reading_changes_nothing(app: Flask) -> None:
    user = everybody_at_once()
    clients = [app.test_client(), browser_of(app, user)]
    headers = bearer(user, Scope.ADMIN)
    before = counts()
    for method, address, endpoint in addresses(app, writing=False):
        if endpoint == "static":
            continue
        for client in clients:
            assert client.open(address, method=method).status_code < 500, (method, address)
        app.test_client().open(address, method=method, headers=headers)
        app.test_client().options(address)
    assert counts() == before


# Tokens ---------------------------------------------------------------------------------------


@pytest.mark.req("A11")
@pytest.mark.parametrize("scope", Scope)
def test_scope_decides_what_a_token_may_do(client: FlaskClient, scope: Scope) -> None:
    user = make_user(Role.SECRETARIAT, Role.MANAGER, laboratory=make_laboratory("KE-1"))
    headers = bearer(user, scope)
    version = client.get("/api/v1/laboratories/KE-1", headers=headers).headers["ETag"]
    me = client.get("/api/v1/users/me", headers=headers)
    answers = {
        "read": me.status_code,
        "write": client.patch(
            "/api/v1/laboratories/KE-1", json={"services": "PCR"}, headers={**headers, "If-Match": version}
        ).status_code,
        "own account": client.patch(
            "/api/v1/users/me", json={"language": "ar"}, headers={**headers, "If-Match": me.headers["ETag"]}
        ).status_code,
        "create": client.post(
            "/api/v1/laboratories", json={"code": "KE-2", "name": "Two", "party": "KE"}, headers=headers
        ).status_code,
        "tokens": client.get("/api/v1/tokens", headers=headers).status_code,
        "new token": client.post("/api/v1/tokens", json={"name": "n"}, headers=headers).status_code,
        "page": client.post("/account/tokens", data={"name": "n"}, headers=headers).status_code,
        "stop token": client.delete("/api/v1/tokens/1", headers=headers).status_code,
    }
    write, admin = scope is not Scope.READ, scope is Scope.ADMIN
    assert answers == {
        "read": 200,
        "write": 200 if write else 403,
        "own account": 200 if admin else 403,
        "create": 201 if admin else 403,
        "tokens": 200 if admin else 403,
        "new token": 201 if admin else 403,
        "stop token": 200 if admin else 403,
        "page": 201 if admin else 403,
    }


@pytest.mark.req("A11")
def test_token_is_recognisable_kept_as_hash_and_shown_once(app: Flask) -> None:
    client = browser_of(app, make_user(password=PASSWORD))
    made = submit(client, "/account/tokens", name="instrument", scope="write", days="30")
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    secret = re.findall(r"labhub_[A-Za-z0-9_-]{43}", made.text)[0]
    row = db.session.scalars(select(ApiToken)).one()
    assert row.token_hash == queries.digest(secret)
    assert row.expires_at - row.created_at == timedelta(days=30)
    page = client.get("/account").text
    assert secret not in page
    assert "never" in page
    headers = {"Authorization": f"Bearer {secret}"}
    assert app.test_client().get("/api/v1/users/me", headers=headers).status_code == 200
    db.session.refresh(row)
    assert row.last_used_at is not None
    assert row.last_used_at.strftime("%Y-%m-%d %H:%M UTC") in client.get("/account").text


@pytest.mark.req("A11")
def test_repeated_request_for_a_token_neither_makes_another_nor_keeps_the_secret(client: FlaskClient) -> None:
    headers = {**bearer(make_user(), Scope.ADMIN), "Idempotency-Key": "k" * 20}
    first = client.post("/api/v1/tokens", json={"name": "n"}, headers=headers)
    second = client.post("/api/v1/tokens", json={"name": "n"}, headers=headers)
    assert (first.status_code, second.status_code) == (201, 409)
    secret = first.json["token"]  # type: ignore[index]
    assert secret not in db.session.scalars(select(RequestOnce)).one().answer
    assert db.session.scalar(select(func.count()).select_from(ApiToken)) == 2


@pytest.mark.req("A11")
def test_token_lives_for_a_year_at_most_and_then_no_longer(
    client: FlaskClient, fake_clock: FakeClock
) -> None:
    user = make_user()
    with pytest.raises(Invalid), transaction():
        commands.create_token(
            queries.actor_of(user), name="n", scope=Scope.READ, life=timedelta(days=365, seconds=1)
        )
    headers = bearer(user)
    fake_clock.forward(days=365, seconds=-1)
    assert client.get("/api/v1/users/me", headers=headers).status_code == 200
    fake_clock.forward(seconds=1)
    assert client.get("/api/v1/users/me", headers=headers).status_code == 401


@pytest.mark.req("A11")
@pytest.mark.parametrize("name", ["token", "access_token", "Access_Token", "api_key"])
def test_token_in_an_address_is_refused(client: FlaskClient, name: str) -> None:
    token = make_token(make_user())
    for address in ("/api/v1/users/me", "/api/v1/parties", "/laboratories"):
        assert client.get(address, query_string={name: token}).status_code == 400


@pytest.mark.req("A11")
@pytest.mark.req("A7")
def test_stopped_token_is_refused_at_its_next_request(client: FlaskClient) -> None:
    user = make_user()
    headers = bearer(user, Scope.ADMIN)
    number = client.get("/api/v1/tokens", headers=headers).json[0]["id"]  # type: ignore[index]
    assert client.delete(f"/api/v1/tokens/{number}", headers=headers).status_code == 200
    assert client.get("/api/v1/parties", headers=headers).status_code == 401


@pytest.mark.req("A2")
def test_tokens_of_another_do_not_exist(client: FlaskClient) -> None:
    make_token(make_user())
    number = db.session.scalars(select(ApiToken.id)).one()
    headers = bearer(make_user(), Scope.ADMIN)
    other = client.delete(f"/api/v1/tokens/{number}", headers=headers)
    missing = client.delete("/api/v1/tokens/99", headers=headers)
    assert other.status_code == missing.status_code == 404
    assert other.json["detail"].replace(str(number), "") == missing.json["detail"].replace("99", "")  # type: ignore[index]


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer x", "Basic dTpw", "bearer labhub_", "Bearer \u00e9", "Token x", ""]
)
def test_wrong_authorization_is_refused_even_where_no_sign_in_is_needed(
    client: FlaskClient, header: str
) -> None:
    response = client.get(
        "/api/v1/parties", headers={"Authorization": header.encode("latin-1").decode("latin-1")}
    )
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


# Changed rights -------------------------------------------------------------------------------


@pytest.mark.req("A7")
@pytest.mark.parametrize("change", ["role", "laboratory", "stop"])
def test_changed_rights_hold_at_the_next_request_of_session_and_token(app: Flask, change: str) -> None:
    laboratory = make_laboratory("KE-1")
    user = make_user(Role.MANAGER, laboratory=laboratory, password=PASSWORD)
    headers = bearer(user)
    brazil = make_party("BR")
    browser, script = browser_of(app, user), app.test_client()
    assert browser.get("/laboratories/KE-1/edit").status_code == 200
    assert script.get("/laboratories/KE-1/edit", headers=headers).status_code == 200
    with transaction():
        user = queries.user_by_id(user.id)
        if change == "role":
            commands.revoke_role(OPERATOR, user.current_grants[0].id)
        elif change == "laboratory":
            commands.move_user(OPERATOR, user, party=brazil)
        else:
            commands.disable_user(OPERATOR, user.id, "left")
    assert browser.get("/laboratories/KE-1/edit").status_code == 303
    expected = 401 if change == "stop" else 403
    assert script.get("/api/v1/users/me", headers=headers).status_code == (401 if change == "stop" else 200)
    assert script.get("/laboratories/KE-1/edit", headers=headers).status_code in (expected, 303)
    version = {"If-Match": '"v1"'}
    answer = script.patch("/api/v1/laboratories/KE-1", json={"services": "x"}, headers={**headers, **version})
    assert answer.status_code == expected


# Fields ---------------------------------------------------------------------------------------

PUBLIC_LABORATORY = {
    "code",
    "name",
    "party",
    "address",
    "languages",
    "services",
    "accreditation",
    "confirmed_at",
    "confirmed",
}
PARTY = {
    "iso2",
    "iso3",
    "name_en",
    "name_fr",
    "name_es",
    "name_zh",
    "name_ar",
    "name_ru",
    "region",
    "status",
    "party_since",
    "ldc",
    "sids",
    "eit",
    "source",
    "verified",
}
OWN_ACCOUNT = {"id", "name", "title", "email", "language", "party", "organisation", "roles", "created_at"}
TOKEN = {"id", "name", "hint", "scope", "created_at", "expires_at", "last_used_at", "revoked_at"}


@pytest.mark.req("A3")
def test_fields_of_each_record_are_the_agreed_ones_for_each_role(client: FlaskClient) -> None:
    own, other = make_laboratory("KE-1"), make_laboratory("KE-2")
    with transaction():
        own.email = "desk@example.org"
    people = {
        None: PUBLIC_LABORATORY,
        make_user(Role.PARTICIPANT): PUBLIC_LABORATORY,
        make_user(Role.FOCAL_POINT): PUBLIC_LABORATORY,
        make_user(Role.REVIEWER): PUBLIC_LABORATORY,
        make_user(Role.MODERATOR): PUBLIC_LABORATORY,
        make_user(Role.ADMINISTRATOR): PUBLIC_LABORATORY,
        make_user(Role.MANAGER, laboratory=other): PUBLIC_LABORATORY,
        make_user(Role.ANALYST, laboratory=own): PUBLIC_LABORATORY | {"email"},
        make_user(Role.MANAGER, laboratory=own): PUBLIC_LABORATORY | {"email"},
        make_user(Role.SECRETARIAT): PUBLIC_LABORATORY | {"email"},
    }
    for user, expected in people.items():
        headers = bearer(user) if user else {}
        shown = client.get("/api/v1/laboratories/KE-1", headers=headers)
        assert set(shown.json) == expected  # type: ignore[arg-type]
        page = client.get("/laboratories/KE-1", headers=headers).text
        assert ("desk@example.org" in page) == ("email" in expected)
        for row in client.get("/api/v1/laboratories", headers=headers).json:  # type: ignore[union-attr]
            assert set(row) == PUBLIC_LABORATORY
        for row in client.get("/api/v1/parties", headers=headers).json:  # type: ignore[union-attr]
            assert set(row) == PARTY
        assert set(client.get("/api/v1/parties/ke", headers=headers).json) == PARTY  # type: ignore[arg-type]


@pytest.mark.req("A3")
def test_fields_of_ones_own_account_and_tokens(client: FlaskClient) -> None:
    headers = bearer(make_user(Role.ANALYST, laboratory=make_laboratory("KE-1")), Scope.ADMIN)
    me = client.get("/api/v1/users/me", headers=headers).json
    assert me is not None
    assert set(me) == OWN_ACCOUNT
    assert me["roles"] == [{"role": "analyst", "laboratory": "KE-1", "party": None}]
    assert {frozenset(row) for row in client.get("/api/v1/tokens", headers=headers).json} == {
        frozenset(TOKEN)
    }  # type: ignore[union-attr]
    made = client.post("/api/v1/tokens", json={"name": "n"}, headers=headers).json
    assert made is not None
    assert set(made) == TOKEN | {"token"}


@pytest.mark.req("A3")
def test_addresses_of_people_are_shown_to_nobody_but_those_who_look_after_accounts(app: Flask) -> None:
    laboratory = make_laboratory("KE-1")
    make_user(Role.ANALYST, laboratory=laboratory, email="secret.person@example.org")
    for role in (
        Role.PARTICIPANT,
        Role.FOCAL_POINT,
        Role.MANAGER,
        Role.ANALYST,
        Role.REVIEWER,
        Role.MODERATOR,
    ):
        user = make_user(role, laboratory=laboratory, password=PASSWORD)
        client = browser_of(app, user)
        for method, address, endpoint in addresses(app, writing=False):
            if method == "GET" and endpoint.startswith(("accounts.", "api_")):
                answer = client.get(address.replace("KE", "KE-1") if "laboratories" in address else address)
                assert b"secret.person@example.org" not in answer.get_data(), (role, address)
