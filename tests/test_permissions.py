"""Every route × every role is decided by one table (``trust.md`` A1)."""

import re

import pytest
from flask import Flask
from sqlalchemy import text

from labhub.accounts import queries
from labhub.accounts.actor import Role, Scope
from labhub.accounts.policy import RULES, can, may_ever
from labhub.accounts.queries import actor_of
from labhub.db import Model, db
from labhub.web.access import PUBLIC, SIGNED_IN, TABLE
from tests.factories import bearer, make_laboratory, make_party, make_user
from tests.permission_tables import CONDITIONS

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """Return (endpoint, method, an address that names nothing existing) of every route."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        address = re.sub(r"<(?:int:)[^>]+>", "999999", rule.rule)
        address = re.sub(r"<[^>]+>", "nothing-here", address)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            found.append((rule.endpoint, method, address))
    return found


def row_counts() -> dict[str, int]:
    counts = {
        table.name: db.session.execute(text(f'SELECT count(*) FROM "{table.name}"')).scalar_one()
        for table in Model.metadata.sorted_tables
    }
    db.session.rollback()
    return counts


@pytest.mark.req("A1")
def test_every_endpoint_stands_in_the_table_of_doors(app: Flask) -> None:
    table = app.extensions[TABLE]
    missing = [rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint not in table]
    assert not missing
    surplus = [endpoint for endpoint in table if endpoint not in app.view_functions]
    assert not surplus


@pytest.mark.req("A1")
def test_every_route_answers_every_role_as_the_tables_say(app: Flask) -> None:
    laboratory, party = make_laboratory(), make_party()
    people: dict[Role, dict[str, str]] = {Role.VISITOR: {}}
    actors = {Role.VISITOR: None}
    for role in list(Role)[1:]:
        user = make_user(role, laboratory=laboratory, party=party)
        people[role] = bearer(user, Scope.ADMIN)
        actors[role] = actor_of(user)  # type: ignore[assignment]
    table = app.extensions[TABLE]
    deviations = []
    for endpoint, method, address in routes(app):
        need = table[endpoint]
        for role, headers in people.items():
            response = app.test_client().open(address, method=method, headers=headers)
            status = response.status_code
            is_page_read = method == "GET" and not address.startswith("/api/")
            if need == PUBLIC:
                expected = status not in (401, 403) or (role is Role.VISITOR and method in UNSAFE)
            elif role is Role.VISITOR:
                allowed = need != SIGNED_IN and may_ever(None, need)
                closed = (
                    (status == 303 and "/sign-in" in response.location)
                    if is_page_read
                    else status in (401, 403)
                )
                expected = allowed or closed
            elif need == SIGNED_IN:
                expected = status not in (401, 403)
            elif may_ever(actors[role], need):
                expected = status not in (401,)
            else:
                expected = status == 403
            if not expected or status >= 500:
                deviations.append(f"{method} {address} ({need}) as {role}: {status}")
    assert not deviations, f"{len(deviations)} deviations:\n" + "\n".join(deviations[:60])


@pytest.mark.req("A1")
def test_a_visitor_writes_nothing_anywhere(app: Flask) -> None:
    before = row_counts()
    for _endpoint, method, address in routes(app):
        if method in UNSAFE:
            for headers in ({}, {"Origin": "https://evil.example"}, {"Content-Type": "text/plain"}):
                response = app.test_client().open(address, method=method, headers=headers, data=b"{}")
                assert response.status_code in (401, 403), (method, address, response.status_code)
    assert row_counts() == before


class Record:
    """A record as the conditions see it."""

    def __init__(self, laboratory_id: int, party_id: int, user_id: int, *, submitted_by_id: int = -1) -> None:
        self.laboratory_id, self.party_id, self.user_id = laboratory_id, party_id, user_id
        self.submitted_by_id, self.created_by_id = submitted_by_id, -1
        self.moderator_ids = (user_id,)
        self.role = Role.ANALYST
        self.laboratory = queries.laboratory_by_id(laboratory_id)


@pytest.mark.req("A1")
def test_each_cell_of_the_policy(app: Flask) -> None:
    """What the table says for a role on its own record, and never on another's where it is tied."""
    laboratory, party = make_laboratory(), make_party()
    elsewhere = make_laboratory(party=make_party("BR"))
    wrong = []
    for role in list(Role)[1:]:
        user = make_user(role, laboratory=laboratory, party=party)
        actor = actor_of(user)
        own = Record(laboratory.id, party.id, user.id)
        foreign = Record(elsewhere.id, make_party("BR").id, -5)
        submitted = Record(laboratory.id, party.id, -5, submitted_by_id=user.id)
        for action, rules in RULES.items():
            names = {rules[held].__name__ for held in (role, Role.VISITOR) if held in rules}
            assert names <= set(CONDITIONS), f"{action} has a condition that docs/permissions.md cannot name"
            if can(actor, action, own) != bool(names):
                wrong.append(f"{role} {action}: own record")
            if can(actor, action, foreign) != bool(names & {"always", "signed_in", "not_own_submission"}):
                wrong.append(f"{role} {action}: another's record")
            if names == {"not_own_submission"} and can(actor, action, submitted):
                wrong.append(f"{role} {action}: own submission")
    assert not wrong, wrong


@pytest.mark.req("A4")
def test_privileged_fields_are_refused_by_every_writing_address_of_the_api(app: Flask) -> None:
    laboratory = make_laboratory()
    user = make_user(*[Role.ANALYST, Role.MANAGER], laboratory=laboratory)
    extra = dict.fromkeys(
        (
            "role",
            "roles",
            "state",
            "status",
            "published_at",
            "number",
            "row_version",
            "created_by_id",
            "submitted_by_id",
            "origin_",
            "password",
            "fs_uniquifier",
            "active",
            "id",
            "user_id",
            "party_id",
            "counters",
            "hash",
            "content_hash",
        ),
        "x",
    )
    headers = bearer(user, Scope.ADMIN)
    for endpoint, method, address in routes(app):
        if not address.startswith("/api/") or method not in ("POST", "PUT", "PATCH"):
            continue
        if (
            not may_ever(actor_of(user), app.extensions[TABLE][endpoint])
            if app.extensions[TABLE][endpoint] in RULES
            else False
        ):
            continue
        response = app.test_client().open(
            address, method=method, json=extra, headers={**headers, "If-Match": '"v1"'}
        )
        assert response.status_code in (400, 404, 405, 409, 415, 422), (method, address, response.status_code)
