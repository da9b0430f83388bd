"""Changing the register: rights, versions, files that are stored whole or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, select

from labhub.accounts.actor import OPERATOR, VISITOR, Role
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, NotAllowed, StaleEdit
from labhub.lmos import commands, queries
from labhub.lmos.models import Claim, Element, ElementName, Lmo, LmoName, LmoSource
from labhub.lmos.terms import Sign
from labhub.reports import Outcome
from tests.factories import make_actor, make_element, make_lmo

SEEDS = Path(__file__).resolve().parents[2] / "seeds"


def count(model: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def actions() -> list[str]:
    return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)))


def write(folder: Path, name: str, records: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def test_seeds_are_loaded_once(app: Flask) -> None:
    with transaction():
        assert commands.load_seeds(SEEDS) == 213
    assert (count(Element), count(Lmo), count(Claim)) == (98, 115, 522)
    assert db.session.query(Lmo).filter(Lmo.unique_identifier.is_(None)).count() == 5
    assert db.session.query(Lmo).filter(Lmo.is_stack).count() == 7
    assert actions() == ["seeds.load"]
    with transaction():
        assert commands.load_seeds(SEEDS) == 0
    assert actions() == ["seeds.load"]


def test_seeds_leave_what_people_have_changed(app: Flask) -> None:
    with transaction():
        commands.load_seeds(SEEDS)
    lmo = queries.find_lmo("MON810")
    with transaction():
        commands.change_lmo(OPERATOR, "MON810", {"trade_name": "Corrected"}, row_version=lmo.row_version)
    with transaction():
        commands.load_seeds(SEEDS)
    assert queries.find_lmo("MON810").trade_name == "Corrected"


def load_twice() -> tuple[int, int]:
    with transaction():
        first = commands.load_seeds(SEEDS)
    with transaction():
        return first, commands.load_seeds(SEEDS)


def test_seeds_do_not_stop_at_an_event_that_people_gave_to_another_lmo(app: Flask) -> None:
    with transaction():
        commands.load_seeds(SEEDS)
    lmo = queries.find_lmo("MON810")
    with transaction():
        commands.change_lmo(OPERATOR, "MON810", {"event": "MON810 (old)"}, row_version=lmo.row_version)
        commands.create_lmo(OPERATOR, {"event": "MON810"})
    assert load_twice() == (0, 0)
    assert queries.find_lmo("MON-00810-6").event == "MON810 (old)"
    assert count(Lmo) == 116


@pytest.mark.parametrize(
    "record",
    [
        {"event": "MON 810", "unique_identifier": "MON-00810-6"},
        {"event": "mon810"},
        {"event": "Own", "other_names": ["MON810"]},
        {"event": "Own", "unique_identifier": "MO-N00810-6"},
    ],
)
def test_seeds_leave_out_an_lmo_whose_names_are_taken(app: Flask, record: dict[str, Any]) -> None:
    make_lmo(**record)
    assert load_twice() == (212, 0)
    assert count(Lmo) == 115


def test_seeds_leave_out_an_lmo_whose_synonym_is_an_event_here(app: Flask) -> None:
    make_lmo("TC1507")
    assert load_twice() == (212, 0)


@pytest.mark.parametrize("names", [("P.35S", []), ("Own", ["P-35S", "P-FMV"]), ("p-35s", [])])
def test_seeds_leave_out_elements_whose_names_are_taken(app: Flask, names: tuple[str, list[str]]) -> None:
    make_element(names[0], synonyms=names[1])
    first, second = load_twice()
    assert (first, second) == (213 - max(1, len(names[1])), 0)
    assert count(Lmo) == 115
    assert queries.element_claims(queries.find_lmo("MON810").id)


@pytest.mark.parametrize("role", [None, Role.REVIEWER])
def test_only_the_secretariat_changes_the_register(app: Flask, role: Role | None, tmp_path: Path) -> None:
    lmo = make_lmo("A", claims=[{"element": "bar", "sign": "has", "source": "s"}])
    actor = make_actor(role) if role else VISITOR
    path = write(tmp_path, "x.json", [])
    before = len(actions())
    for change in (
        lambda: commands.create_lmo(actor, {"event": "B"}),
        lambda: commands.change_lmo(actor, "A", {"notes": []}, row_version=lmo.row_version),
        lambda: commands.add_claim(actor, "A", {"element": "bar", "sign": "lacks", "source": "t"}),
        lambda: commands.add_name(actor, "A", {"name": "n", "source": "s"}),
        lambda: commands.create_element(actor, {"name": "e", "kind": "gene"}),
        lambda: commands.import_lmos(actor, path),
        lambda: commands.import_elements(actor, path),
    ):
        with pytest.raises(NotAllowed), transaction():
            change()
    assert len(actions()) == before
    assert (count(Lmo), count(Claim), count(Element)) == (1, 1, 1)


def test_the_secretariat_changes_an_lmo_with_one_audit_entry(app: Flask) -> None:
    lmo = make_lmo("A", claims=[{"element": "bar", "sign": "has", "source": "s"}])
    actor = make_actor(Role.SECRETARIAT)
    before, version = len(actions()), lmo.row_version
    change = {
        "unique_identifier": "MON-ØØ81Ø-6",
        "other_names": ["AA"],
        "claims": [
            {"element": "bar", "sign": "lacks", "source": "s"},
            {"element": "BAR", "sign": "has", "source": "t"},
        ],
    }
    with transaction():
        commands.change_lmo(actor, "a", change, row_version=version)
    assert actions()[before:] == ["lmo.change"]
    lmo = queries.find_lmo("MON-00810-6")
    assert lmo.row_version == version + 1
    assert lmo.slug == "MON-00810-6"
    assert {(claim.source, claim.sign) for claim in lmo.claims} == {("s", Sign.LACKS), ("t", Sign.HAS)}
    assert lmo.names[0].name == "AA"


def test_a_change_of_the_lists_alone_raises_the_version(app: Flask) -> None:
    lmo = make_lmo("A", other_names=["x"])
    version = lmo.row_version
    with transaction():
        commands.change_lmo(OPERATOR, "A", {"other_names": ["x", "y"]}, row_version=version)
    assert lmo.row_version == version + 1
    with pytest.raises(StaleEdit), transaction():
        commands.change_lmo(OPERATOR, "A", {"notes": ["late"]}, row_version=version)


def test_a_change_that_changes_nothing_leaves_no_trace(app: Flask) -> None:
    lmo = make_lmo("A", notes=["n"])
    before = actions()
    with transaction():
        commands.change_lmo(OPERATOR, "A", {"notes": ["n"]}, row_version=lmo.row_version)
    assert (actions(), lmo.row_version) == (before, 1)


def test_an_identifier_without_dashes_keeps_those_of_the_register(app: Flask) -> None:
    lmo = make_lmo("GTSB77", unique_identifier="SY-GTSB77-8")
    with transaction():
        commands.change_lmo(OPERATOR, "GTSB77", {"unique_identifier": "SYGTSB778"}, row_version=1)
    assert lmo.unique_identifier == "SY-GTSB77-8"


def test_an_lmo_cannot_be_twice_in_the_register(app: Flask) -> None:
    make_lmo("MON810", unique_identifier="MON-ØØ81Ø-6")
    make_lmo("MON 810")
    records: list[dict[str, Any]] = [
        {"event": "mon810"},
        {"event": "MON-810"},
        {"event": "X", "unique_identifier": "mon008106"},
        {"event": "X", "unique_identifier": "MON-ØØ81Ø-6"},
    ]
    for record in records:
        with pytest.raises(Conflict), transaction():
            commands.create_lmo(OPERATOR, record)
    assert count(Lmo) == 2


def test_a_claim_is_added_beside_those_of_other_sources(app: Flask) -> None:
    lmo = make_lmo("A", claims=[{"element": "bar", "sign": "has", "source": "s"}])
    before = len(actions())
    claim = {"element": "bar", "sign": "lacks", "source": "t", "verified": True}
    with transaction():
        row = commands.add_claim(OPERATOR, "A", claim)
    assert row.recorded_on is not None
    assert (len(lmo.claims), lmo.row_version) == (2, 2)
    assert actions()[before:] == ["claim.create"]
    with pytest.raises(Conflict), transaction():
        commands.add_claim(OPERATOR, "A", {**claim, "sign": "has"})
    with pytest.raises(Invalid), transaction():
        commands.add_claim(OPERATOR, "A", {**claim, "element": "nothing"})


def test_a_name_needs_a_source_and_is_there_once(app: Flask) -> None:
    lmo = make_lmo("A")
    with pytest.raises(Invalid), transaction():
        commands.add_name(OPERATOR, "A", {"name": "AA"})
    with transaction():
        commands.add_name(OPERATOR, "A", {"name": "AA", "source": "s", "recorded_on": "2025-01-02"})
    assert str(lmo.names[0].recorded_on) == "2025-01-02"
    with pytest.raises(Conflict), transaction():
        commands.add_name(OPERATOR, "A", {"name": "aa", "source": "s"})


@pytest.mark.parametrize("format_", ["json", "csv"])
def test_what_was_exported_is_imported_into_an_empty_hub_as_the_same(
    app: Flask, tmp_path: Path, format_: str
) -> None:
    with transaction():
        commands.load_seeds(SEEDS)
        commands.add_claim(OPERATOR, "MON810", {"element": "T-nos", "sign": "has", "source": "=other"})
    elements, lmos = tmp_path / f"elements.{format_}", tmp_path / f"lmos.{format_}"
    elements.write_bytes(queries.export_elements(OPERATOR, format_))
    lmos.write_bytes(queries.export_lmos(OPERATOR, format_))
    with transaction() as session:
        assert {row.outcome for row in commands.import_lmos(OPERATOR, lmos).rows} == {Outcome.UNCHANGED}
        assert {row.outcome for row in commands.import_elements(OPERATOR, elements).rows} == {
            Outcome.UNCHANGED
        }
        for table in (Claim, LmoName, LmoSource, Lmo, ElementName, Element):
            session.execute(delete(table))
    db.session.expunge_all()
    before = len(actions())
    with transaction():
        assert commands.import_elements(OPERATOR, elements).count(Outcome.CREATED) == 98
        assert commands.import_lmos(OPERATOR, lmos).count(Outcome.CREATED) == 115
    assert actions()[before:] == ["element.import", "lmo.import"]
    db.session.expire_all()
    assert queries.export_elements(OPERATOR, format_) == elements.read_bytes()
    assert queries.export_lmos(OPERATOR, format_) == lmos.read_bytes()


def test_a_dry_run_reports_and_stores_nothing(app: Flask, tmp_path: Path) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6")
    before = len(actions())
    path = write(
        tmp_path,
        "lmos.json",
        [{"event": "NEW", "unique_identifier": "MON-ØØ18Ø-6"}, {"event": "MON810", "notes": ["n"]}],
    )
    with transaction():
        report = commands.import_lmos(OPERATOR, path, dry_run=True)
    assert [row.outcome for row in report.rows] == [Outcome.CREATED, Outcome.CHANGED]
    assert "Is MON-ØØ81Ø-6 meant?" in str(report.rows[0].warnings[0])
    assert (count(Lmo), len(actions())) == (1, before)
    assert queries.find_lmo("MON810").notes == []


@pytest.mark.req("D9")
def test_one_wrong_row_stops_the_whole_file_and_every_problem_is_named(app: Flask, tmp_path: Path) -> None:
    make_element("bar")
    path = write(
        tmp_path,
        "lmos.json",
        [
            {"event": "GOOD"},
            {"event": "BAD", "claims": [{"element": "nothing", "sign": "has", "source": "s"}]},
            {"event": "good"},
            {"traits": "x", "event": ""},
            "text",
        ],
    )
    with transaction():
        report = commands.import_lmos(OPERATOR, path)
    assert [row.outcome for row in report.rows] == [Outcome.CREATED, *[Outcome.REFUSED] * 4]
    assert count(Lmo) == 0
    with pytest.raises(Invalid) as refusal:
        report.raise_if_refused()
    assert set(refusal.value.errors) == {
        "row 2, claims.0.element",
        "row 3, record",
        "row 4, event",
        "row 4, traits",
        "row 5, record",
    }


def test_elements_that_stand_twice_or_look_the_same_are_refused(app: Flask, tmp_path: Path) -> None:
    records = [
        {"name": "P-35S", "kind": "promoter"},
        {"name": "p-35s", "kind": "promoter"},
        {"name": "P.35S", "kind": "promoter"},
        {"name": "x"},
    ]
    report = commands.import_elements(OPERATOR, write(tmp_path, "elements.json", records))
    assert [row.outcome for row in report.rows] == [Outcome.CREATED, *[Outcome.REFUSED] * 3]
    assert count(Element) == 0


def test_a_stack_says_which_parents_are_missing(app: Flask, tmp_path: Path) -> None:
    make_lmo("NK603", unique_identifier="MON-00603-6")
    path = write(tmp_path, "s.json", [{"event": "S", "parents": ["MON-ØØ6Ø3-6", "nk603", "MON-00810-6"]}])
    with transaction():
        (row,) = commands.import_lmos(OPERATOR, path).rows
    assert [str(text) for text in row.warnings] == ["The parent MON-00810-6 is not in the register."]
    assert queries.find_lmo("S").is_stack
