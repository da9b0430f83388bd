"""What people can do with accounts."""

import pytest
from flask import Flask

from labhub import audit
from labhub.accounts import commands, queries
from labhub.accounts.actor import Role
from labhub.db import transaction
from labhub.errors import Conflict, NotAllowed
from tests.factories import PASSWORD, make_actor, make_laboratory, make_user


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
