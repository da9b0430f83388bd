"""The trail: one entry a change, and no edit, deletion, swap or cut goes unnoticed."""

import random
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from labhub import audit
from labhub.accounts.actor import Role
from labhub.db import db, transaction
from labhub.errors import Conflict
from tests.factories import make_laboratory, make_user


@pytest.fixture
def folder(app: Flask) -> Path:
    return Path(app.extensions["labhub.config"].instance)


def fill(number: int) -> None:
    with transaction():
        for index in range(number):
            audit.record(None, "test.change", "thing", index, before={"n": index}, after={"n": index + 1})


def loosen() -> None:
    """Take the triggers away, as somebody with the database in hand can."""
    with transaction() as session:
        if db.engine.dialect.name == "sqlite":
            session.execute(text("DROP TRIGGER audit_entry_no_update"))
            session.execute(text("DROP TRIGGER audit_entry_no_delete"))
        else:
            session.execute(text("DROP TRIGGER audit_entry_no_change ON audit_entry"))


@pytest.mark.req("G2")
def test_untouched_chain_is_whole(app: Flask, folder: Path) -> None:
    fill(30)
    audit.export_head(folder)
    fill(5)
    assert audit.verify(folder) == audit.Verification(35, 1)


@pytest.mark.req("G2")
@pytest.mark.parametrize("seed", range(5))
def test_every_tampering_is_found_and_its_first_row_named(app: Flask, folder: Path, seed: int) -> None:
    fill(40)
    audit.export_head(folder)
    loosen()
    chance = random.Random(seed)
    columns = ["action", "object_id", "after", "reason", "roles", "hash", "previous_hash", "user_id", "at"]
    for _round in range(12):
        kind = chance.choice(["edit", "delete", "swap", "insert", "cut"])
        row = chance.randint(2, 39)
        with transaction() as session:
            rows = session.execute(text("SELECT * FROM audit_entry ORDER BY seq")).mappings().all()
            head = session.execute(text("SELECT seq, hash FROM audit_head")).one()
            expected = row
            if kind == "edit":
                column = chance.choice(columns)
                value = {"user_id": 77, "at": "2020-01-01 00:00:00.000000"}.get(column, "x" * 40)
                session.execute(
                    text(f"UPDATE audit_entry SET {column} = :v WHERE seq = :s"), {"v": value, "s": row}
                )
            elif kind == "delete":
                session.execute(text("DELETE FROM audit_entry WHERE seq = :s"), {"s": row})
            elif kind == "swap":
                a, b = row, row + 1
                session.execute(text("UPDATE audit_entry SET seq = 9999 WHERE seq = :a"), {"a": a})
                session.execute(text("UPDATE audit_entry SET seq = :a WHERE seq = :b"), {"a": a, "b": b})
                session.execute(text("UPDATE audit_entry SET seq = :b WHERE seq = 9999"), {"b": b})
            elif kind == "insert":
                session.execute(text("UPDATE audit_entry SET seq = seq + 100 WHERE seq > :s"), {"s": row})
                session.execute(text("UPDATE audit_entry SET seq = seq - 99 WHERE seq > 100"))
                copy = dict(rows[row - 1]) | {"seq": row + 1}
                names = ", ".join(copy)
                values = ", ".join(f":{name}" for name in copy)
                session.execute(text(f"INSERT INTO audit_entry ({names}) VALUES ({values})"), copy)
                expected = row + 1
            else:  # the tail is cut and the head row made to fit
                session.execute(text("DELETE FROM audit_entry WHERE seq > :s"), {"s": row})
                last = rows[row - 1]
                session.execute(
                    text("UPDATE audit_head SET seq = :s, hash = :h"), {"s": row, "h": last["hash"]}
                )
                expected = row + 1
        db.session.expire_all()
        problem = audit.verify(folder).problem
        assert f"{expected} " in problem or f"{expected}." in problem, (kind, row, problem)
        with transaction() as session:
            session.execute(text("DELETE FROM audit_entry"))
            for original in rows:
                names = ", ".join(original)
                values = ", ".join(f":{name}" for name in original)
                session.execute(text(f"INSERT INTO audit_entry ({names}) VALUES ({values})"), dict(original))
            session.execute(
                text("UPDATE audit_head SET seq = :s, hash = :h"), {"s": head.seq, "h": head.hash}
            )
        db.session.expire_all()
        assert audit.verify(folder).problem == ""


@pytest.mark.req("G3")
@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_entry SET reason = 'x' WHERE seq = 1", "DELETE FROM audit_entry WHERE seq = 1"],
)
def test_the_database_refuses_to_change_an_entry(app: Flask, statement: str) -> None:
    fill(2)
    with pytest.raises(DBAPIError, match="cannot be changed"), transaction() as session:
        session.execute(text(statement))


@pytest.mark.req("G3")
def test_a_change_that_is_rolled_back_leaves_no_entry(app: Flask, folder: Path) -> None:
    make_user(email="one@example.org")
    before = audit.verify(folder).entries
    with pytest.raises(Conflict):
        make_user(email="one@example.org")
    assert audit.verify(folder).entries == before


@pytest.mark.req("G1")
def test_an_entry_says_who_what_when_and_from_where(app: Flask) -> None:
    laboratory = make_laboratory()
    user = make_user(Role.MANAGER, laboratory=laboratory)
    with audit.from_source("request-1", "api"), transaction():
        from labhub.accounts.queries import actor_of

        entry = audit.record(
            actor_of(user),
            "test.change",
            "thing",
            7,
            version=3,
            before={"a": 1},
            after={"a": 2},
            reason="typo",
        )
    assert (entry.user_id, entry.roles, entry.laboratory_ids) == (user.id, "manager", str(laboratory.id))
    assert entry.party_id == laboratory.party_id
    assert (entry.action, entry.object_kind, entry.object_id, entry.object_version) == (
        "test.change",
        "thing",
        "7",
        "3",
    )
    assert (entry.before, entry.after, entry.reason) == ('{"a":1}', '{"a":2}', "typo")
    assert (entry.request_id, entry.source) == ("request-1", "api")
    assert entry.at.utcoffset() is not None
