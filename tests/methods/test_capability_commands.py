"""What laboratories say they can run: adding, changing, confirming, files, reminders."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from labhub.accounts.actor import OPERATOR, VISITOR, Role
from labhub.accounts.queries import find_laboratory
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, StaleEdit
from labhub.methods import capability_commands, network_queries
from labhub.outbox import OutgoingMail
from tests.conftest import FakeClock
from tests.factories import (
    make_actor,
    make_capability,
    make_citable_version,
    make_laboratory,
    make_method,
    make_party,
)


def actions() -> list[str]:
    return [
        action
        for action in db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq))
        if action.startswith("capability.")
    ]


def test_an_entry_holds_for_one_year_and_leaves_a_trail(app: Flask, fake_clock: FakeClock) -> None:
    version = make_citable_version("QT-1")
    row = make_capability("qt-1", accredited=True, accreditation_body="KENAS")
    assert row.method_id == version.method_id
    assert row.valid_until == (fake_clock() + timedelta(days=365)).date()
    assert actions() == ["capability.create"]


def test_only_managers_of_the_laboratory_write(app: Flask) -> None:
    make_citable_version("QT-1")
    laboratory = make_laboratory()
    for actor in (
        make_actor(Role.ANALYST, laboratory=laboratory),
        make_actor(Role.MANAGER, laboratory=make_laboratory()),
        make_actor(Role.SECRETARIAT),
    ):
        with pytest.raises(NotAllowed), transaction():
            capability_commands.add_capability(actor, laboratory.code, {"method": "QT-1"})


def test_a_method_has_one_entry_and_must_have_been_published(app: Flask) -> None:
    make_citable_version("QT-1")
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    draft = make_method(actor=manager)
    make_capability("QT-1", manager)
    with pytest.raises(Conflict):
        make_capability("QT-1", manager)
    for code in (draft.method.code, "nothing", "a\x00b"):
        with pytest.raises(Invalid) as refusal:
            make_capability(code, manager)
        assert "method" in refusal.value.errors


def test_a_change_needs_the_version_read_and_confirms_the_entry(app: Flask, fake_clock: FakeClock) -> None:
    make_citable_version("QT-1")
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-A"))
    row = make_capability("QT-1", manager)
    read = row.row_version
    fake_clock.forward(days=200)
    with transaction():
        changed = capability_commands.change_capability(
            manager, "lab-a", "QT-1", {"turnaround_days": 5}, expected=read
        )
    assert changed.valid_until == (fake_clock() + timedelta(days=365)).date()
    with pytest.raises(StaleEdit), transaction():
        capability_commands.change_capability(manager, "LAB-A", "QT-1", {"note": "x"}, expected=read)
    with transaction():
        capability_commands.remove_capability(manager, "LAB-A", "QT-1", expected=changed.row_version)
    with pytest.raises(NotFound):
        network_queries.find_capability(manager, "LAB-A", "QT-1")
    assert actions() == ["capability.create", "capability.change", "capability.remove"]


def test_an_expired_entry_is_confirmed_again(app: Flask, fake_clock: FakeClock) -> None:
    make_citable_version("QT-1")
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-A"))
    row = make_capability("QT-1", manager)
    fake_clock.forward(days=366)
    assert not network_queries.counts_today(row)
    with transaction():
        row = capability_commands.confirm_capability(manager, "LAB-A", "QT-1", expected=row.row_version)
    assert network_queries.counts_today(row)


@pytest.mark.req("A2")
def test_a_list_that_is_not_public_is_read_by_its_own_people_only(app: Flask) -> None:
    make_citable_version("QT-1")
    party = make_party()
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-A", party=party))
    make_capability("QT-1", manager)
    with transaction():
        capability_commands.set_listed(manager, "LAB-A", listed=False, expected=None)
    readers = {
        VISITOR: False,
        make_actor(Role.ANALYST, laboratory=make_laboratory()): False,
        make_actor(Role.FOCAL_POINT, party=make_party("BR")): False,
        make_actor(Role.FOCAL_POINT, party=party): True,
        make_actor(Role.SECRETARIAT): True,
        manager: True,
        OPERATOR: True,
    }
    for reader, sees in readers.items():
        rows = db.session.execute(network_queries.who_can_run(reader, method="QT-1")).all()
        assert bool(rows) is sees, reader.roles


def test_a_file_out_is_a_file_in(app: Flask) -> None:
    for code in ("QT-1", "QT-2"):
        make_citable_version(code)
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-A"))
    make_capability("QT-1", manager, note="=1+1", turnaround_days=5, material="ERM", material_code="BF413")
    laboratory = make_capability("QT-2", manager).laboratory
    content = network_queries.to_csv(network_queries.capabilities_of(manager, laboratory))
    with transaction():
        report = capability_commands.import_capabilities(manager, "LAB-A", content, "own.csv")
    assert [row.outcome.value for row in report.rows] == ["unchanged", "unchanged"]
    other = make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-B"))
    with transaction():
        report = capability_commands.import_capabilities(other, "LAB-B", content, "own.csv")
    assert [row.outcome.value for row in report.rows] == ["created", "created"]
    copy = network_queries.find_capability(other, "LAB-B", "QT-1")
    assert (copy.note, copy.turnaround_days, copy.material_code) == ("=1+1", 5, "BF413")


@pytest.mark.req("D9")
def test_a_file_with_one_wrong_row_stores_nothing(app: Flask) -> None:
    make_citable_version("QT-1")
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-A"))
    content = b"method,turnaround_days\nQT-1,5\nQT-1,6\nQT-9,x\n"
    with transaction():
        report = capability_commands.import_capabilities(manager, "LAB-A", content, "own.csv")
    assert [set(row.errors) for row in report.rows] == [set(), {"method"}, {"method", "turnaround_days"}]
    assert network_queries.capabilities_of(manager, find_laboratory(manager, "LAB-A")) == []


def test_a_file_with_other_columns_is_refused(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-A"))
    with pytest.raises(Invalid, match="colour"), transaction():
        capability_commands.import_capabilities(manager, "LAB-A", b"method,colour\nQT-1,red\n", "own.csv")


def test_managers_are_reminded_once_in_their_language(app: Flask, fake_clock: FakeClock) -> None:
    make_citable_version("QT-1")
    laboratory = make_laboratory("LAB-A")
    manager = make_actor(Role.MANAGER, laboratory=laboratory, email="manager@example.org")
    make_capability("QT-1", manager)
    with transaction():
        assert capability_commands.remind() == 0
    fake_clock.forward(days=340)
    for expected in (1, 0):
        with transaction():
            assert capability_commands.remind() == expected
    mails = db.session.scalars(
        select(OutgoingMail).where(OutgoingMail.recipient == "manager@example.org")
    ).all()
    (mail,) = [mail for mail in mails if "LAB-A" in mail.subject]
    assert "QT-1" in mail.body and "/laboratories/LAB-A/capabilities" in mail.body
