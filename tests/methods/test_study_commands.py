"""Studies of a draft: figures from raw results, decisions by hand, and what cannot be done."""

import pytest
from flask import Flask

from labhub.accounts.actor import Actor, Role
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, StaleEdit
from labhub.methods import queries, study_commands
from labhub.methods.models import MethodVersion
from labhub.methods.trial_tables import read_grid
from tests.factories import make_actor, make_laboratory, make_method
from tests.methods.test_trials import COAL, CREOSOTE, rows_of


def draft() -> tuple[Actor, MethodVersion]:
    actor = make_actor(Role.MANAGER, laboratory=make_laboratory())
    return actor, make_method(actor=actor)


def trial(table=COAL, **more):
    data = [list(row) for row in rows_of(table)]
    return {"kind": "collaborative-trial", "title": "Trial", "unit": "% m/m", "data": data, **more}


def added(actor: Actor, version: MethodVersion, given) -> MethodVersion:
    with transaction():
        return study_commands.add_study(actor, version.method.code, given, expected=version.edition)


def study_of(version: MethodVersion, position: int = 0):
    db.session.expire_all()
    return queries.content_of(version)["studies"][position]


def test_raw_results_sent_with_a_study_give_its_figures(app: Flask) -> None:
    actor, version = draft()
    version = added(actor, version, trial())
    study = study_of(version)
    assert [level["label"] for level in study["levels"]] == ["1", "2", "3", "4"]
    assert [round(level["mean"], 3) for level in study["levels"]] == [0.690, 1.252, 1.667, 3.250]
    assert (study["laboratories"], study["replicates"]) == (8, 3)
    assert len(study["data"]) == len(rows_of(COAL))


def test_figures_given_beside_raw_results_are_replaced_by_the_computed_ones(app: Flask) -> None:
    actor, version = draft()
    levels = [{"label": "1", "assigned": 0.7, "mean": 99, "rsdr_percent": 1}]
    study = study_of(added(actor, version, trial(levels=levels)))
    assert study["levels"][0]["assigned"] == 0.7
    assert study["levels"][0]["mean"] == pytest.approx(0.69037)
    assert study["levels"][0]["bias_percent"] == pytest.approx(100 * (0.6903704 - 0.7) / 0.7, rel=1e-4)


def test_figures_by_hand_stay_as_they_are(app: Flask) -> None:
    actor, version = draft()
    given = {"kind": "single-laboratory", "levels": [{"label": "A", "rsdr_percent": 12}]}
    assert study_of(added(actor, version, given))["levels"][0]["rsdr_percent"] == 12


def test_a_file_of_results_replaces_those_before_and_keeps_other_fields(app: Flask) -> None:
    actor, version = draft()
    version = added(actor, version, trial(slope=-3.4))
    table = read_grid([["laboratory", "0.1 %"], ["A", "0.11"], ["A", "0.09"], ["B", "0.10"], ["B", "0.12"]])
    with transaction():
        version = study_commands.set_results(
            actor, version.method.code, 0, table, unit="% cp/cp", expected=version.edition
        )
    study = study_of(version)
    assert (study["slope"], study["unit"]) == (-3.4, "% cp/cp")
    assert [(level["label"], level["assigned"]) for level in study["levels"]] == [("0.1 %", 0.1)]
    assert study["levels"][0]["mean"] == pytest.approx(0.105)


def test_a_yes_no_table_gives_counts_and_a_limit_of_detection(app: Flask) -> None:
    actor, version = draft()
    version = added(actor, version, {"kind": "single-laboratory", "unit": "copies"})
    lines = [["laboratory", "level", "value"]]
    for label, tested, positive in (("10 copies", 60, 60), ("5 copies", 60, 55), ("1 copies", 60, 30)):
        lines += [["A", label, "+" if n < positive else "-"] for n in range(tested)]
    with transaction():
        version = study_commands.set_results(
            actor, version.method.code, 0, read_grid(lines), expected=version.edition
        )
    study = study_of(version)
    assert study["unit"] == "detected, copies"
    assert [(level["tested"], level["positive"]) for level in study["levels"]] == [
        (60, 60),
        (60, 55),
        (60, 30),
    ]
    assert study["lod_copies_low"] < study["lod_copies"] < study["lod_copies_high"]
    assert 4 < study["lod_copies"] < 10


def test_a_laboratory_excluded_by_hand_leaves_the_figures_with_its_reason(app: Flask) -> None:
    actor, version = draft()
    version = added(actor, version, trial(CREOSOTE))
    with transaction():
        version = study_commands.decide(
            actor, version.method.code, 0, laboratory="1", level="", action="exclude",
            reason="High everywhere", expected=version.edition,
        )  # fmt: skip
    study = study_of(version)
    assert study["decisions"] == [
        {"laboratory": "1", "level": "", "action": "exclude", "reason": "High everywhere"}
    ]
    assert [level["laboratories"] for level in study["levels"]] == [8, 8, 8, 8, 8]
    assert study["levels"][2]["mean"] == pytest.approx(14.1781, rel=1e-4)


def test_a_decision_can_be_taken_back(app: Flask) -> None:
    actor, version = draft()
    decision = {"laboratory": "1", "level": "", "action": "exclude", "reason": "x"}
    version = added(actor, version, trial(CREOSOTE, decisions=[decision]))
    with transaction():
        version = study_commands.decide(
            actor,
            version.method.code,
            0,
            laboratory="1",
            level="",
            action="",
            reason="",
            expected=version.edition,
        )
    study = study_of(version)
    assert study["decisions"] == [] and study["levels"][0]["laboratories"] == 9


@pytest.mark.parametrize("laboratory, reason, field", [("99", "x", "laboratory"), ("1", " ", "reason")])
def test_a_decision_needs_a_laboratory_of_the_data_and_a_reason(
    app: Flask, laboratory: str, reason: str, field: str
) -> None:
    actor, version = draft()
    version = added(actor, version, trial(CREOSOTE))
    with pytest.raises(Invalid) as refusal, transaction():
        study_commands.decide(
            actor, version.method.code, 0, laboratory=laboratory, level="", action="exclude", reason=reason,
            expected=version.edition,
        )  # fmt: skip
    assert field in refusal.value.errors


def test_studies_after_a_removed_one_move_up(app: Flask) -> None:
    actor, version = draft()
    for title in ("first", "second"):
        version = added(actor, version, {"kind": "single-laboratory", "title": title})
    with transaction():
        version = study_commands.remove_study(actor, version.method.code, 0, expected=version.edition)
    assert study_of(version)["title"] == "second"


def test_a_mistake_is_named_by_the_field_of_the_study(app: Flask) -> None:
    actor, version = draft()
    with pytest.raises(Invalid) as refusal:
        added(actor, version, {"kind": "party", "levels": [{"label": "A", "s_r": -1}]})
    assert {"kind", "levels.0.s_r"} <= set(refusal.value.errors)


def test_a_study_that_is_not_there_is_not_found(app: Flask) -> None:
    actor, version = draft()
    with pytest.raises(NotFound), transaction():
        study_commands.change_study(actor, version.method.code, 3, {"title": "x"}, expected=version.edition)


@pytest.mark.req("B1")
def test_another_laboratory_can_not_add_a_study(app: Flask) -> None:
    _actor, version = draft()
    stranger = make_actor(Role.MANAGER, laboratory=make_laboratory())
    with pytest.raises((NotFound, NotAllowed)):
        added(stranger, version, {"kind": "single-laboratory"})


def test_a_stale_change_is_refused(app: Flask) -> None:
    actor, version = draft()
    with pytest.raises(StaleEdit), transaction():
        study_commands.add_study(
            actor, version.method.code, {"kind": "single-laboratory"}, expected=version.edition - 1
        )


def test_a_published_version_takes_no_study(app: Flask) -> None:
    actor = make_actor(Role.MANAGER, laboratory=make_laboratory())
    version = make_method(actor=actor, state="published")
    with pytest.raises((Conflict, NotAllowed)):
        added(actor, version, {"kind": "single-laboratory"})


def test_each_change_is_in_the_audit_trail(app: Flask) -> None:
    actor, version = draft()
    before = db.session.query(AuditEntry).count()
    added(actor, version, {"kind": "single-laboratory"})
    entry = db.session.query(AuditEntry).order_by(AuditEntry.seq.desc()).first()
    assert db.session.query(AuditEntry).count() == before + 1
    assert entry is not None and entry.action == "method.change"
