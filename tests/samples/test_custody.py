"""The chain of custody shows every change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from labhub import clock
from labhub.accounts.actor import Role
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.errors import Invalid
from labhub.samples import commands, queries
from labhub.samples.custody import FIRST_HASH, broken_link, entry_hash
from labhub.samples.models import CustodyAct
from tests.factories import bearer, make_actor, make_case, make_laboratory, make_sample, make_user


def chain(length: int) -> list[dict[str, Any]]:
    """Return a chain that holds."""
    entries: list[dict[str, Any]] = []
    at = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    for seq in range(1, length + 1):
        entry = {
            "sample_id": 7,
            "seq": seq,
            "act": "handed-over",
            "at": at,
            "from_person": f"person {seq - 1}",
            "to_person": f"person {seq}",
            "place": "",
            "note": "seal intact",
            "recorded_at": at,
            "recorded_by_id": seq,
            "previous_hash": entries[-1]["hash"] if entries else FIRST_HASH,
        }
        entries.append({**entry, "hash": entry_hash(entry)})
    return entries


def test_untouched_chain_holds() -> None:
    entries = chain(4)
    assert broken_link(entries, 4, entries[-1]["hash"]) == ""


@given(
    st.integers(0, 4),
    st.sampled_from(["to_person", "from_person", "place", "note", "act", "previous_hash", "hash"]),
    st.text(max_size=20),
)
def test_every_changed_field_is_found_with_its_entry(position: int, field: str, value: str) -> None:
    entries = chain(5)
    last = entries[-1]["hash"]
    if entries[position][field] == value:
        return
    entries[position] = {**entries[position], field: value}
    problem = str(broken_link(entries, 5, last))
    assert f"Entry {position + 1} " in problem


@given(st.integers(0, 4))
def test_every_removed_entry_is_found(position: int) -> None:
    entries = chain(5)
    last = entries[-1]["hash"]
    del entries[position]
    assert f"Entry {position + 1} is missing." == broken_link(entries, 5, last)


def test_a_chain_written_anew_is_found_by_the_sample() -> None:
    entries = chain(3)
    forged = chain(2)
    assert broken_link(forged, 3, entries[-1]["hash"]) != ""
    other = [{**entry, "sample_id": 8} for entry in chain(1)]
    other[0]["hash"] = entry_hash(other[0])
    assert broken_link(other, 1, chain(1)[0]["hash"]) != ""


@pytest.mark.req("G2")
def test_tampering_in_the_database_is_refused_and_noticed(app: Flask) -> None:
    actor = make_actor(Role.ANALYST, laboratory=make_laboratory())
    sample = make_sample(actor, make_case(actor), sampler="Inspector Otieno")
    with transaction():
        commands.receive(actor, sample.id, note="seal intact")
    with transaction():
        commands.hand_over(actor, sample.id, to_person="Cold store")
    assert queries.check_custody(actor, sample.id) == queries.CustodyCheck(3, "")
    change = f"UPDATE custody_entry SET to_person = 'Somebody' WHERE sample_id = {sample.id} AND seq = 2"
    for statement in (change, f"DELETE FROM custody_entry WHERE sample_id = {sample.id}"):
        with pytest.raises(DBAPIError, match="cannot be changed"):
            db.session.execute(text(statement))
        db.session.rollback()
    for statement in disarm():
        db.session.execute(text(statement))
    db.session.execute(text(change))
    db.session.commit()
    assert "Entry 2 was changed" in str(queries.check_custody(actor, sample.id).problem)
    db.session.execute(text(f"DELETE FROM custody_entry WHERE sample_id = {sample.id} AND seq > 1"))
    db.session.commit()
    assert "Entry 2 is missing" in str(queries.check_custody(actor, sample.id).problem)


def disarm() -> list[str]:
    """Return what somebody with the database's password would do first."""
    if db.engine.dialect.name == "sqlite":
        return ["DROP TRIGGER custody_entry_no_update", "DROP TRIGGER custody_entry_no_delete"]
    return ["DROP TRIGGER custody_entry_no_change ON custody_entry"]


def test_times_of_the_chain_never_run_backwards(app: Flask) -> None:
    actor = make_actor(Role.ANALYST, laboratory=make_laboratory())
    sample = make_sample(actor, make_case(actor))
    for at in (clock.now() + timedelta(hours=1), sample.taken_at - timedelta(hours=1)):
        with pytest.raises(Invalid) as refusal, transaction():
            commands.hand_over(actor, sample.id, to_person="Cold store", at=at)
        assert "at" in refusal.value.errors
    assert queries.check_custody(actor, sample.id).entries == 1


@pytest.mark.req("G2")
def test_a_break_between_hands_is_refused_unless_it_is_explained(app: Flask) -> None:
    actor = make_actor(Role.ANALYST, laboratory=make_laboratory())
    sample = make_sample(actor, make_case(actor), sampler="Bob")
    with transaction():
        commands.hand_over(actor, sample.id, from_person="bob ", to_person="Carl")
    for act in (CustodyAct.HANDED_OVER, CustodyAct.RECEIVED, CustodyAct.DISPOSED):
        with pytest.raises(Invalid, match="Carl held") as refusal, transaction():
            commands.add_custody(actor, sample.id, act=act, from_person="Zoe", to_person="Dan", note=" ")
        assert "from_person" in refusal.value.errors
    with transaction():
        commands.hand_over(actor, sample.id, from_person="Zoe", to_person="Dan", note="Carl fell ill.")
    with transaction():
        commands.hand_over(actor, sample.id, to_person="Eve")
    entries = queries.custody_of(queries.find_sample(actor, sample.id))
    assert [entry.from_person for entry in entries] == ["", "bob", "Zoe", "Dan"]
    assert queries.gaps_of(entries) == {3}
    assert queries.check_custody(actor, sample.id).problem == ""


def test_a_gap_is_shown_by_interface_and_page(client: FlaskClient) -> None:
    user = make_user(Role.ANALYST, laboratory=make_laboratory())
    actor = actor_of(user)
    sample = make_sample(actor, make_case(actor), sampler="Bob")
    headers, address = bearer(user), f"/api/v1/samples/{sample.id}/custody"
    body = {"from_person": "Zoe", "to_person": "Dan"}
    refused = client.post(address, json=body, headers=headers)
    assert refused.status_code == 422
    assert "from_person" in refused.get_json()["errors"]
    added = client.post(address, json={**body, "note": "Found without escort."}, headers=headers)
    assert added.get_json()["gap"] is True
    assert client.post(address, json={"to_person": "Eve"}, headers=headers).get_json()["gap"] is False
    shown = client.get(address, headers=headers).get_json()
    assert shown["holds"] is True
    assert [entry["gap"] for entry in shown["entries"]] == [False, True, False]
    page = client.get(f"/samples/{sample.id}", headers=headers).get_data(as_text=True)
    assert page.count(">gap</span>") == 1
