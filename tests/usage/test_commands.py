"""What the ledger writes down, and what happens when it cannot."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from labhub.accounts.actor import VISITOR, Actor, Role, Scope
from labhub.accounts.queries import actor_of
from labhub.db import db, transaction
from labhub.spool import Spool
from labhub.usage.commands import UsedItem, Visit, record_use, replay_spool
from labhub.usage.models import Access, AgentClass, UsageEvent
from labhub.usage.queries import count_uses, ledger_counts, party_months
from tests.factories import BROWSER, make_actor, make_laboratory, make_party, make_use, make_user

ITEM = UsedItem("method", 1, "LH-1", "1", "json", None)


def spool(app: Flask) -> Spool:
    found: Spool = app.extensions["labhub.usage_spool"]
    return found


def rows() -> list[UsageEvent]:
    db.session.rollback()
    return list(db.session.scalars(select(UsageEvent).order_by(UsageEvent.id)))


def values_of(row: UsageEvent) -> dict[str, Any]:
    return {
        column.key: getattr(row, column.key) for column in UsageEvent.__table__.columns if column.key != "id"
    }


def record(app: Flask, actor: Actor = VISITOR, **visit: str) -> bool:
    who = Visit(actor, visit.get("address", "192.0.2.1"), visit.get("agent", BROWSER), "request-1")
    return record_use(ITEM, who, 200, secret="s" * 32, spool=spool(app))


@pytest.mark.req("H4")
def test_party_and_laboratory_come_from_the_account(app: Flask) -> None:
    brazil = make_party("BR")
    laboratory = make_laboratory(party=brazil)
    actor = make_actor(Role.ANALYST, party=brazil, laboratory=laboratory)
    record(app, actor)
    (row,) = rows()
    assert (row.user_id, row.party_id, row.laboratory_id) == (actor.user_id, brazil.id, laboratory.id)
    assert (row.access, row.agent_class) == (Access.REGULAR, AgentClass.BROWSER)


@pytest.mark.req("H4")
def test_visitor_stays_without_party_and_address(app: Flask) -> None:
    record(app)
    (row,) = rows()
    assert (row.user_id, row.party_id, row.laboratory_id) == (None, None, None)
    for column in UsageEvent.__table__.columns:
        assert "192.0.2.1" not in str(getattr(row, column.key))
        assert "Firefox" not in str(getattr(row, column.key))


def test_person_of_an_organisation_has_no_party(app: Flask) -> None:
    record(app, make_actor(organisation="Observers"))
    assert rows()[0].party_id is None


def test_token_is_machine_access(app: Flask) -> None:
    record(app, replace(actor_of(make_user()), scope=Scope.READ), agent="curl/8.14.1")
    (row,) = rows()
    assert (row.access, row.agent_class) == (Access.MACHINE, AgentClass.SCRIPT)


def test_laboratory_is_left_open_when_there_are_two(app: Flask) -> None:
    user = make_user(Role.ANALYST, laboratory=make_laboratory())
    actor = actor_of(user)
    other = make_actor(Role.ANALYST, laboratory=make_laboratory())
    both = Actor(user_id=actor.user_id, party_id=actor.party_id, grants=actor.grants | other.grants)
    record(app, both)
    assert rows()[0].laboratory_id is None


def test_key_tells_accounts_and_visitors_apart(app: Flask) -> None:
    actor = make_actor()
    record(app, actor, address="192.0.2.1")
    record(app, actor, address="192.0.2.2", agent="another browser")
    record(app)
    record(app, address="192.0.2.2")
    record(app, agent="another browser")
    keys = [row.user_key for row in rows()]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
    assert all(len(key) == 64 for key in keys)


def test_rows_cannot_be_changed_or_removed(app: Flask) -> None:
    make_use()
    for statement in (update(UsageEvent).values(party_id=None), delete(UsageEvent)):
        with pytest.raises(DBAPIError, match="cannot be changed"), transaction() as session:
            session.execute(statement)
    assert len(rows()) == 1


@pytest.mark.parametrize(
    "wrong", [{"status": 404}, {"party_id": 1}, {"access": Access.MACHINE}, {"laboratory_id": 1}]
)
def test_database_refuses_what_can_never_be_true(app: Flask, wrong: dict[str, object]) -> None:
    make_laboratory()
    make_use()
    values = values_of(rows()[0])
    with pytest.raises(DBAPIError), transaction() as session:
        session.execute(insert(UsageEvent).values(**{**values, "uuid": "another", **wrong}))


@pytest.mark.req("F3")
@pytest.mark.req("H1")
def test_row_waits_while_the_ledger_is_broken_and_is_replayed_once(app: Flask) -> None:
    actor = make_actor()
    with transaction() as session:
        session.execute(text("ALTER TABLE usage_event RENAME TO usage_event_away"))
    assert record(app, actor) is False
    assert record(app) is False
    assert spool(app).gap() == 2
    with pytest.raises(DBAPIError):
        replay_spool(spool(app))
    assert spool(app).gap() == 2
    with transaction() as session:
        session.execute(text("ALTER TABLE usage_event_away RENAME TO usage_event"))
    waiting = (spool(app).folder / "usage.taken.jsonl").read_bytes()
    assert replay_spool(spool(app)) == 2
    assert spool(app).gap() == 0
    (spool(app).folder / "usage.jsonl").write_bytes(waiting)  # as after a crash before the file was removed
    assert replay_spool(spool(app)) == 0
    assert [row.party_id for row in rows()] == [actor.party_id, None]


def test_spooled_row_keeps_its_time(app: Flask) -> None:
    at = datetime(2026, 1, 31, 23, 59, 59, 123456, tzinfo=UTC)
    make_use(at=at)
    row = values_of(rows()[0])
    spool(app).add({**row, "uuid": "another", "at": row["at"].isoformat()})
    assert replay_spool(spool(app)) == 1
    assert [row.at for row in rows()] == [at, at]


def test_spooled_row_that_the_ledger_refuses_is_put_aside_and_shown(app: Flask) -> None:
    spool(app).add({"uuid": "without the rest"})
    assert replay_spool(spool(app)) == 0
    assert spool(app).gap() == 1


@pytest.mark.req("E5")
def test_concurrent_downloads_are_counted_exactly(app: Flask) -> None:
    def work(number: int) -> bool:
        with app.app_context():
            return record(app, address=f"192.0.2.{number}")

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(work, range(200)))
    replay_spool(spool(app))
    db.session.rollback()
    assert len(taken) == 200
    assert db.session.scalar(select(func.count()).select_from(UsageEvent)) == 200
    assert count_uses().total.value == 200


@pytest.mark.req("H2")
def test_counting_again_equals_itself_for_each_party_and_month(app: Flask) -> None:
    kenya, brazil = make_actor(), make_actor(party=make_party("BR"))
    for month in (1, 2):
        for day in (3, 4):
            make_use(kenya, at=datetime(2026, month, day, tzinfo=UTC))
        make_use(brazil, at=datetime(2026, month, 5, tzinfo=UTC))
    make_use(at=datetime(2026, 2, 6, tzinfo=UTC), agent="curl/8.14.1")
    make_use(at=datetime(2026, 2, 6, tzinfo=UTC))
    expected = {
        ("2026-01", kenya.party_id): 2,
        ("2026-01", brazil.party_id): 1,
        ("2026-02", kenya.party_id): 2,
        ("2026-02", brazil.party_id): 1,
        ("2026-02", None): 1,
    }
    assert party_months() == party_months() == expected
    assert ledger_counts() == {
        "rows": 8,
        "total_item_requests": sum(expected.values()),
        "unique_item_requests": 7,
        "machine": 0,
        "robots": 1,
        "double_clicks": 0,
    }
