"""Parties and laboratories from files: the seeds, changes over time, bad files, and the way back."""

from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from labhub import audit
from labhub.accounts import commands, queries
from labhub.accounts.actor import OPERATOR, Role
from labhub.accounts.models import GroupKind, Laboratory, Party, StatusKind
from labhub.config import PROJECT_FOLDER
from labhub.db import db, transaction
from labhub.errors import Invalid, NotAllowed
from labhub.reports import Outcome
from tests.conftest import FakeClock
from tests.factories import make_actor, make_party

SEEDS = PROJECT_FOLDER / "seeds"


def load_seeds() -> int:
    with transaction():
        return commands.load_seeds(SEEDS)


def test_seeds_load_once(app: Flask) -> None:
    assert load_seeds() == 198
    assert load_seeds() == 0
    assert audit.verify(app.extensions["labhub.config"].instance).entries == 1
    assert queries.find_party("na").name_en == "Namibia"
    assert all(party.source for party in queries.parties())


def test_status_and_groups_are_dated(app: Flask) -> None:
    load_seeds()
    afghanistan, argentina, montenegro = (queries.find_party(code) for code in ("AF", "AR", "ME"))
    assert queries.status_on(afghanistan, date(2013, 5, 20)) is StatusKind.NON_PARTY
    assert queries.status_on(afghanistan, date(2013, 5, 21)) is StatusKind.PARTY
    assert queries.status_on(argentina, date(2026, 1, 1)) is StatusKind.NON_PARTY
    assert queries.status_on(montenegro, date(2000, 1, 1)) is StatusKind.PARTY  # the day is not known
    assert queries.groups_on(afghanistan, date(2026, 1, 1)) == {GroupKind.LDC}


def test_export_of_parties_is_the_seed_and_imports_unchanged(app: Flask, tmp_path: Path) -> None:
    load_seeds()
    for kind in ("csv", "json"):
        path = tmp_path / f"parties.{kind}"
        path.write_bytes(queries.export_parties(OPERATOR, kind))
        with transaction():
            report = commands.import_parties(OPERATOR, path, dry_run=False)
        assert report.count(Outcome.UNCHANGED) == 198


def test_changed_status_closes_the_old_row(app: Flask, tmp_path: Path, fake_clock: FakeClock) -> None:
    load_seeds()
    lines = (SEEDS / "parties.csv").read_text(encoding="utf-8").splitlines()
    chile = next(line for line in lines if line.startswith("CL,"))
    path = tmp_path / "chile.csv"
    path.write_text(f"{lines[0]}\n{chile.replace(',non-party,,0,0,0', ',party,2026-02-01,0,1,0')}\n", "utf-8")
    with transaction():
        assert commands.import_parties(OPERATOR, path, dry_run=True).count(Outcome.CHANGED) == 1
    assert queries.status_on(queries.find_party("CL"), date(2026, 3, 1)) is StatusKind.NON_PARTY
    with transaction():
        commands.import_parties(OPERATOR, path, dry_run=False)
    party = queries.find_party("CL")
    assert queries.status_on(party, date(2026, 1, 31)) is StatusKind.NON_PARTY
    assert queries.status_on(party, date(2026, 2, 1)) is StatusKind.PARTY
    assert queries.groups_on(party, date(2026, 3, 1)) == frozenset()
    assert queries.groups_on(party, date(2026, 3, 2)) == {GroupKind.SIDS}
    with transaction():
        assert commands.import_parties(OPERATOR, path, dry_run=False).count(Outcome.UNCHANGED) == 1


def test_every_problem_of_a_file_is_named_and_nothing_is_stored(app: Flask, tmp_path: Path) -> None:
    make_party("KE")
    path = tmp_path / "laboratories.csv"
    path.write_text(
        "code,name,party,email\nKE-1,One,KE,\nKE 2,Two,KE,\nKE-3,Three,XX,no\nke-1,Four,KE,\nKE-5,one,KE,\n",
        "utf-8",
    )
    with transaction():
        report = commands.import_laboratories(OPERATOR, path, dry_run=False)
    assert {row.row: sorted(row.errors) for row in report.rows} == {
        1: [],
        2: ["code"],
        3: ["email", "party"],
        4: ["code"],
        5: ["name"],
    }
    assert db.session.scalar(select(func.count()).select_from(Laboratory)) == 0
    with pytest.raises(Invalid) as refusal:
        report.raise_if_refused()
    assert "row 3, party" in refusal.value.errors


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("x.csv", b"code,name\nKE-1,Caf\x8e\n", "not UTF-8: see line 2"),
        ("x.csv", b"code,name,colour\nKE-1,One,red\n", "columns are wrong"),
        ("x.csv", b"code,party\nKE-1,KE\n", "columns are wrong"),
        ("x.csv", b"code,name\nKE-1\n", "too many or too few cells"),
        ("x.csv", b"code,code\nKE-1,KE-2\n", "a column stands twice"),
        ("x.csv", b"code,name\n", "holds no rows"),
        ("x.csv", b"", "is empty"),
        ("x.csv", b'code,name\n"KE-1,One\n', "is not a CSV file"),
        ("x.csv", b"code,name\nKE-1,\x00\n", "NUL"),
        ("x.json", b"{", "is not valid JSON"),
        ("x.json", b'{"code": "KE-1"}', "must hold a JSON array"),
        ("x.json", b'[["KE-1"]]', "row 1: an object"),
        ("x.json", b'[{"code": "KE-1", "name": ["x"]}]', "row 1: an object"),
        ("missing.csv", None, "cannot be read"),
    ],
)
def test_file_that_cannot_be_read_is_refused_with_the_reason(
    app: Flask, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid, match=message), transaction():
        commands.import_laboratories(OPERATOR, tmp_path / name, dry_run=False)


def test_laboratories_come_back_as_they_went_out(app: Flask, tmp_path: Path) -> None:
    kenya = make_party("KE")
    with transaction():
        commands.create_laboratory(
            OPERATOR,
            code="ke-1",
            name='Labor "Süd", Ост',
            party=kenya,
            email="desk@example.org",
            address="Road 1\nNairobi",
            accreditation="ISO/IEC 17025",
        )
    for kind in ("csv", "json"):
        path = tmp_path / f"laboratories.{kind}"
        path.write_bytes(queries.export_laboratories(OPERATOR, kind))
        with transaction():
            report = commands.import_laboratories(OPERATOR, path, dry_run=False)
        assert [row.outcome for row in report.rows] == [Outcome.UNCHANGED], report.rows
    assert b"desk@example.org" not in queries.export_laboratories(make_actor(Role.PARTICIPANT), "csv")


def test_only_the_secretariat_imports(app: Flask) -> None:
    for load in (commands.import_laboratories, commands.import_parties):
        with pytest.raises(NotAllowed), transaction():
            load(make_actor(Role.FOCAL_POINT), SEEDS, dry_run=False)


def test_parties_are_found_in_all_languages_without_accents(app: Flask) -> None:
    load_seeds()
    for q in ("COTE D'IVOIRE", "ямайка", "巴西", "كينيا", "ke"):
        assert db.session.execute(queries.list_parties(q=q)).all(), q
    assert db.session.scalar(select(func.count()).select_from(queries.list_parties().subquery())) == 198
    some = db.session.execute(queries.list_parties(status=StatusKind.PARTY, group=GroupKind.LDC)).all()
    assert 30 < len(some) < 45
    assert db.session.scalar(select(func.count()).select_from(Party)) == 198
