"""What people can do with accounts."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from labhub import audit
from labhub.accounts import commands, queries
from labhub.accounts.actor import OPERATOR, VISITOR, Role, Scope
from labhub.accounts.models import JoinRequest
from labhub.db import db, transaction
from labhub.errors import Conflict, NotAllowed, NotFound, StaleEdit
from labhub.outbox import OutgoingMail
from tests.conftest import FakeClock
from tests.factories import PASSWORD, make_actor, make_laboratory, make_party, make_token, make_user


def test_one_address_has_one_account(app: Flask) -> None:
    make_user(email="amina@example.org")
    with pytest.raises(Conflict):
        make_user(email="Amina@Example.org")


def test_right_password_finds_its_owner(app: Flask) -> None:
    user = make_user(email="amina@example.org", password=PASSWORD)
    assert commands.password_owner("AMINA@example.org", PASSWORD) is user
    assert commands.password_owner("amina@example.org", PASSWORD + "x") is None


@pytest.mark.req("G1")
def test_every_command_leaves_one_entry_and_the_chain_holds(app: Flask) -> None:
    laboratory = make_laboratory()
    make_user(Role.ANALYST, laboratory=laboratory)
    result = audit.verify(app.extensions["labhub.config"].instance)
    assert result.problem == ""
    assert result.entries == 3


def test_analyst_cannot_register_a_laboratory(app: Flask) -> None:
    actor = make_actor(Role.ANALYST, laboratory=make_laboratory())
    with pytest.raises(NotAllowed), transaction():
        commands.create_laboratory(actor, code="X-1", name="Another", party=None)


def test_roles_are_read_again_for_each_actor(app: Flask) -> None:
    user = make_user(Role.SECRETARIAT)
    grant = user.current_grants[0]
    with transaction():
        commands.revoke_role(make_actor(Role.SECRETARIAT), grant.id)
    assert not queries.actor_of(queries.user_by_id(user.id)).has(Role.SECRETARIAT)


# Joining --------------------------------------------------------------------------------------


def ask(**fields: Any) -> JoinRequest:
    with transaction():
        return commands.request_to_join(
            VISITOR, **{"name": "Noor", "email": "noor@example.org", "role": Role.PARTICIPANT, **fields}
        )


def recipients() -> list[str]:
    return list(db.session.scalars(select(OutgoingMail.recipient).order_by(OutgoingMail.id)))


def test_request_is_told_to_the_focal_point_and_approval_invites_the_person(app: Flask) -> None:
    make_user(Role.SECRETARIAT, email="secretariat@example.org")
    focal = make_actor(Role.FOCAL_POINT, email="focal@example.org")
    row = ask(party=make_party())
    assert recipients() == ["focal@example.org"]
    with transaction():
        commands.approve_join_request(focal, row.id)
    user = queries.user_by_email("noor@example.org")
    assert user is not None
    assert user.has_role(Role.PARTICIPANT)
    assert recipients() == ["focal@example.org", "noor@example.org"]
    with pytest.raises(Conflict, match="already been decided"), transaction():
        commands.refuse_join_request(focal, row.id, "no")


def test_request_is_told_to_the_secretariat_where_there_is_no_focal_point(app: Flask) -> None:
    make_user(Role.SECRETARIAT, email="secretariat@example.org")
    ask(party=make_party())
    ask(email="other@example.org", organisation="University")
    assert recipients() == ["secretariat@example.org"] * 2


def test_second_equal_request_tells_nobody_again(app: Flask) -> None:
    make_user(Role.SECRETARIAT)
    first = ask(party=make_party())
    assert ask(party=make_party()).id == first.id
    assert len(recipients()) == 1


@pytest.mark.req("A2")
def test_focal_point_decides_only_for_the_own_party_and_its_laboratories(app: Flask) -> None:
    focal = make_actor(Role.FOCAL_POINT)
    brazil, kenya = make_party("BR"), make_party("KE")
    international = make_laboratory("INT-1", party=kenya)
    with transaction():
        international.party_id = None
    elsewhere = ask(party=brazil)
    inside = ask(party=kenya, role=Role.ANALYST, laboratory=international)
    colleague = ask(party=kenya, role=Role.FOCAL_POINT)
    with pytest.raises(NotFound):
        queries.find_join_request(focal, elsewhere.id)
    for row in (inside, colleague):
        with pytest.raises(NotAllowed), transaction():
            commands.approve_join_request(focal, row.id)
    with pytest.raises(NotAllowed), transaction():
        commands.nominate(
            focal, name="X", email="x@example.org", role=Role.MANAGER, party=kenya, laboratory=international
        )


def test_manager_brings_in_analysts_of_the_own_laboratory_only(app: Flask) -> None:
    own, other = make_laboratory(), make_laboratory()
    manager = make_actor(Role.MANAGER, laboratory=own)
    person = {"name": "Noor", "email": "noor@example.org", "party": make_party()}
    with transaction():
        commands.nominate(manager, role=Role.ANALYST, laboratory=own, **person)
    for role, laboratory in ((Role.MANAGER, own), (Role.ANALYST, other), (Role.PARTICIPANT, None)):
        with pytest.raises(NotAllowed), transaction():
            commands.nominate(manager, role=role, laboratory=laboratory, **person)


@pytest.mark.req("G3")
def test_joining_leaves_one_entry_a_step(app: Flask) -> None:
    focal = make_actor(Role.FOCAL_POINT)
    folder = app.extensions["labhub.config"].instance
    kenya = make_party()
    before = audit.verify(folder).entries
    rows = [ask(party=kenya), ask(party=kenya, email="second@example.org")]
    with transaction():
        commands.approve_join_request(focal, rows[0].id)
    with transaction():
        commands.refuse_join_request(focal, rows[1].id, "not known to us")
    with transaction():
        commands.nominate(focal, name="C", email="c@example.org", role=Role.PARTICIPANT, party=kenya)
    assert audit.verify(folder).entries == before + 5


# People ---------------------------------------------------------------------------------------


def test_moving_to_another_party_ends_the_roles_of_the_old_one(app: Flask) -> None:
    laboratory = make_laboratory()
    user = make_user(Role.ANALYST, Role.FOCAL_POINT, Role.REVIEWER, laboratory=laboratory)
    brazil = make_party("BR")
    with transaction():
        commands.move_user(OPERATOR, user, party=brazil)
    assert [grant.role for grant in user.current_grants] == [Role.REVIEWER]
    assert [row.party_id for row in user.affiliations] == [laboratory.party_id, brazil.id]


def test_secretariat_can_neither_make_nor_stop_an_administrator(app: Flask) -> None:
    secretariat = make_actor(Role.SECRETARIAT)
    administrator = make_user(Role.ADMINISTRATOR)
    with pytest.raises(NotAllowed), transaction():
        commands.grant_role(secretariat, make_user(), Role.ADMINISTRATOR)
    with pytest.raises(NotAllowed), transaction():
        commands.disable_user(secretariat, administrator.id, "reason")
    with pytest.raises(Conflict), transaction():
        commands.disable_user(secretariat, secretariat.user_id or 0, "reason")


# Laboratories ---------------------------------------------------------------------------------


def test_stale_change_of_a_laboratory_is_refused_and_a_good_one_confirms_it(
    app: Flask, fake_clock: FakeClock
) -> None:
    laboratory = make_laboratory("KE-1")
    manager = make_actor(Role.MANAGER, laboratory=laboratory)
    fake_clock.forward(days=500)
    assert not queries.is_confirmed(laboratory)
    with transaction():
        commands.change_laboratory(manager, "ke-1", 1, services="PCR")
    assert queries.is_confirmed(laboratory)
    with pytest.raises(StaleEdit), transaction():
        commands.change_laboratory(manager, "KE-1", 1, services="ELISA")
    with pytest.raises(NotAllowed), transaction():
        commands.change_laboratory(make_actor(Role.ANALYST, laboratory=laboratory), "KE-1", 2, services="x")


@pytest.mark.req("A11")
def test_a_changed_password_stops_every_token(app: Flask) -> None:
    user = make_user(password=PASSWORD)
    token = make_token(user)
    assert queries.token_user(token) is not None
    with transaction():
        commands.change_password(queries.actor_of(user), PASSWORD, "another horse battery 7")
    assert queries.token_user(token) is None


@pytest.mark.req("A11")
def test_a_token_makes_none_that_outlives_it(app: Flask) -> None:
    user = make_user()
    with transaction():
        parent, _secret = commands.create_token(
            OPERATOR, name="parent", scope=Scope.ADMIN, user=user, life=timedelta(days=3)
        )
        child, _secret = commands.create_token(
            queries.actor_of(user, token=parent), name="child", scope=Scope.ADMIN
        )
    assert child.expires_at <= parent.expires_at


@pytest.mark.req("H4")
def test_a_manager_of_a_laboratory_without_party_opens_no_account_of_a_party(app: Flask) -> None:
    laboratory = make_laboratory()
    with transaction():
        laboratory.party_id = None
    manager = make_actor(Role.MANAGER, laboratory=laboratory)
    with pytest.raises(NotAllowed), transaction():
        commands.nominate(
            manager,
            name="Somebody",
            email="somebody@example.org",
            role=Role.ANALYST,
            party=make_party("BR"),
            laboratory=laboratory,
        )
