"""What published methods find in sealed events: worked out beforehand, shown to those who may use them."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from labhub.accounts.actor import Role
from labhub.accounts.models import Laboratory, User
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.methods import sealed_commands as answers
from labhub.methods import sealed_views
from labhub.methods.models import MethodVersion
from labhub.methods.sealed_models import SealedMethodAnswer
from labhub.sequences import commands as sequence_commands
from labhub.sequences import sealed_commands
from labhub.sequences.models import ReferenceSequence, Visibility
from labhub.sequences.oligos import reverse_complement
from labhub.sequences.sealed_models import SealedRight, SealedUse
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    make_actor,
    make_bases,
    make_citable_version,
    make_laboratory,
    make_lmo,
    make_method,
    make_party,
    make_second_version,
    make_sequence,
    make_user,
)

BASES = make_bases(1200, seed=51)


def changed(oligo: str, *places: int) -> str:
    letters = list(oligo)
    for place in places:
        letters[place] = "A" if letters[place] != "A" else "C"
    return "".join(letters)


def oligos(forward: str, reverse: str, probe: str = "") -> list[dict[str, Any]]:
    given = [("forward", forward), ("reverse", reverse), ("probe", probe)]
    return [
        {
            "role": role,
            "name": role,
            "sequence": text,
            "label5": "FAM" if role == "probe" else None,
            "label3": "TAMRA" if role == "probe" else None,
            "final_concentration_nanomolar": 300,
        }
        for role, text in given
        if text
    ]


def finds(mismatches: int = 0, probe: bool = True) -> list[dict[str, Any]]:
    forward, reverse = BASES[300:322], reverse_complement(BASES[480:502])
    return oligos(
        changed(forward, *range(mismatches)), reverse, BASES[390:412] if probe else make_bases(22, seed=6)
    )


class World:
    """An owner with a sealed event, an asker of another Party, and a method of a third laboratory."""

    def __init__(self) -> None:
        self.owner = make_actor(Role.MANAGER, laboratory=make_laboratory(party=make_party("BR")))
        make_lmo("MON810", unique_identifier="MON-00810-6")
        self.record: ReferenceSequence = make_sequence(
            self.owner, bases=BASES, visibility=Visibility.SEALED, lmo="MON810"
        )
        self.laboratory: Laboratory = make_laboratory(party=make_party("FR"))
        self.user: User = make_user(
            Role.MANAGER, laboratory=self.laboratory, party=make_party("FR"), password=PASSWORD
        )
        with transaction():
            sealed_commands.grant(
                self.owner,
                self.record.accession,
                SealedRight.USE,
                sealed_commands.Grantee(laboratory=self.laboratory.code),
                reason="Surveillance",
            )

    def answers(self, client: FlaskClient, user: User | None = None) -> dict[str, str]:
        response = client.get("/api/v1/sealed-events/mon-00810-6/methods", headers=bearer(user or self.user))
        assert response.status_code == 200, response.text
        return {row["code"]: row["answer"] for row in response.get_json()}


@pytest.fixture
def world(app: Flask) -> World:
    return World()


def published(**fields: Any) -> MethodVersion:
    return make_method(state="published", **fields)


@pytest.mark.req("A6")
def test_published_methods_are_answered_beforehand(world: World, client: FlaskClient) -> None:
    hit = published(oligos=finds())
    close = published(oligos=finds(2))
    far = published(oligos=finds(3))
    wrong_probe = published(oligos=finds(probe=False))
    elsewhere = published()
    compiled = make_citable_version()  # names no oligos
    draft = make_method(oligos=finds())
    codes = [each.method.code for each in (hit, close, far, wrong_probe, elsewhere)] + [compiled.method.code]
    assert set(world.answers(client).values()) == {"not-decided"}  # not worked out yet
    assert sealed_views.answer_due() == 6
    assert sealed_views.answer_due() == 0
    expected = ["found", "found", "not-found", "not-found", "not-found", "not-decided"]
    assert world.answers(client) == dict(zip(codes, expected, strict=True))
    assert draft.method.code not in world.answers(client)
    (row,) = client.get(f"/api/v1/methods/{codes[0]}/sealed-events", headers=bearer(world.user)).get_json()
    assert row == {"event": "MON810", "lmo": "MON-00810-6", "answer": "found"}
    # the owner sees that they were looked at, once a day
    uses = db.session.execute(select(SealedUse.kind, SealedUse.answer)).all()
    assert [(kind.value, answer) for kind, answer in uses] == [("methods", None)]


def test_new_versions_and_changed_records_are_answered_anew(world: World, client: FlaskClient) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    version = published(actor=manager, oligos=finds())
    sealed_views.answer_due()
    code = version.method.code
    assert world.answers(client) == {code: "found"}
    make_second_version(manager, code, oligos=finds(5))
    assert world.answers(client) == {code: "not-decided"}
    sealed_views.answer_due()
    assert world.answers(client) == {code: "not-found"}
    assert db.session.scalar(select(func.count()).select_from(SealedMethodAnswer)) == 1
    with transaction():
        sequence_commands.change_sequence(
            world.owner, world.record.accession, {"visibility": Visibility.LABORATORY}, expected_version=1
        )
    sealed_views.answer_due()
    with transaction():
        answers.tidy()
    assert db.session.scalar(select(func.count()).select_from(SealedMethodAnswer)) == 0


@pytest.mark.req("A6")
def test_methods_of_ones_own_laboratory_or_party_are_no_free_question(
    world: World, client: FlaskClient
) -> None:
    own = published(actor=actor_of(world.user), oligos=finds())
    neighbour = make_actor(Role.MANAGER, laboratory=make_laboratory(party=make_party("FR")))
    of_party = published(actor=neighbour, oligos=finds(1))
    other = published(oligos=finds(2))
    sealed_views.answer_due()
    assert world.answers(client) == {
        own.method.code: "not-decided",
        of_party.method.code: "not-decided",
        other.method.code: "found",
    }
    owner = make_user(Role.MANAGER, laboratory=db.session.get(Laboratory, world.record.laboratory_id))
    assert set(world.answers(client, owner).values()) == {"found"}  # it sees the bases anyway


@pytest.mark.req("A2")
def test_others_find_neither_event_nor_answers(world: World, client: FlaskClient) -> None:
    version = published(oligos=finds())
    sealed_views.answer_due()
    stranger = make_user(Role.MANAGER, laboratory=make_laboratory(), password=PASSWORD)
    headers = bearer(stranger)
    assert client.get("/api/v1/sealed-events/mon-00810-6/methods", headers=headers).status_code == 404
    code = version.method.code
    assert client.get(f"/api/v1/methods/{code}/sealed-events", headers=headers).get_json() == []
    assert client.get("/api/v1/sealed-events", headers=headers).get_json() == []
    assert client.get("/api/v1/sealed-events/mon-00810-6/methods").status_code == 401
    assert "sealed-events" not in client.get(f"/methods/{code}").text


def test_pages_show_answers_to_those_who_may_use(app: Flask, world: World) -> None:
    code = published(oligos=finds()).method.code
    sealed_views.answer_due()
    browser = browser_of(app, world.user)
    assert f'hx-get="/methods/{code}/sealed-events"' in browser.get(f"/methods/{code}").text
    assert 'data-answer="found"' in browser.get(f"/methods/{code}/sealed-events").text
    page = browser.get("/sealed/events/mon-00810-6").text
    assert code in page
    assert "MON810" in page
    assert world.record.accession not in page
