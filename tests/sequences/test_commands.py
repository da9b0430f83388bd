"""Reference sequences change by commands: two persons, states, the trail, imports."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from labhub import audit
from labhub.accounts.actor import OPERATOR, Actor, Role
from labhub.accounts.models import Laboratory
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, StaleEdit
from labhub.outbox import OutgoingMail
from labhub.reports import Outcome
from labhub.sequences import commands, queries
from labhub.sequences.models import ReferenceSequence, SequenceState, Topology, Visibility
from tests.factories import (
    make_actor,
    make_bases,
    make_genbank,
    make_laboratory,
    make_published_sequence,
    make_sequence,
    make_user,
)


@pytest.fixture
def laboratory(app: Flask) -> Laboratory:
    return make_laboratory()


@pytest.fixture
def manager(laboratory: Laboratory) -> Actor:
    return make_actor(Role.MANAGER, laboratory=laboratory)


@pytest.fixture
def analyst(laboratory: Laboratory) -> Actor:
    return make_actor(Role.ANALYST, laboratory=laboratory)


@pytest.fixture
def reviewer(app: Flask) -> Actor:
    return make_actor(Role.REVIEWER)


def entries() -> list[AuditEntry]:
    return list(
        db.session.scalars(
            select(AuditEntry).where(AuditEntry.object_kind == "sequence").order_by(AuditEntry.seq)
        )
    )


def test_numbers_are_given_once_and_in_order(manager: Actor) -> None:
    first, second = make_sequence(manager), make_sequence(manager)
    assert (first.accession, second.accession) == ("LHS-1", "LHS-2")
    assert (first.source_accession, second.source_accession) == ("AB123456", "AB123456")


def test_who_made_or_submitted_a_record_does_not_publish_it(laboratory: Laboratory) -> None:
    both = make_actor(Role.MANAGER, Role.REVIEWER, laboratory=laboratory)
    second = make_actor(Role.MANAGER, Role.SECRETARIAT, laboratory=laboratory)
    made = make_sequence(both)
    with transaction():
        commands.submit_sequence(second, made.accession)
    for actor in (both, second):
        with pytest.raises(NotAllowed), transaction():
            commands.publish_sequence(actor, made.accession)
        with pytest.raises(NotAllowed), transaction():
            commands.return_sequence(actor, made.accession, "no")
    with transaction():
        commands.publish_sequence(make_actor(Role.REVIEWER), made.accession)
    assert queries.find_sequence(None, made.accession).state is SequenceState.PUBLISHED


def test_reviewer_who_rewrote_the_draft_does_not_publish_it(laboratory: Laboratory, manager: Actor) -> None:
    editor = make_actor(Role.ANALYST, Role.REVIEWER, laboratory=laboratory)
    made = make_sequence(manager)
    with transaction():
        commands.change_sequence(editor, made.accession, {"title": "Mine"}, expected_version=made.row_version)
    with transaction():
        commands.submit_sequence(manager, made.accession)
    for step in (commands.claim_sequence, commands.publish_sequence):
        with pytest.raises(NotAllowed), transaction():
            step(editor, made.accession)
    with transaction():
        commands.publish_sequence(make_actor(Role.REVIEWER), made.accession)


def test_former_submitter_does_not_publish_after_another_submits(
    laboratory: Laboratory, manager: Actor, analyst: Actor, reviewer: Actor
) -> None:
    former = make_actor(Role.MANAGER, Role.REVIEWER, laboratory=laboratory)
    made = make_sequence(analyst)
    with transaction():
        commands.submit_sequence(former, made.accession)
    with transaction():
        commands.return_sequence(reviewer, made.accession, "Name the vector.")
    with transaction():
        again = commands.submit_sequence(manager, made.accession)
    assert again.editor_ids == [analyst.user_id, former.user_id, manager.user_id]
    with pytest.raises(NotAllowed), transaction():
        commands.publish_sequence(former, made.accession)


def test_database_refuses_one_person_as_submitter_and_publisher(manager: Actor, reviewer: Actor) -> None:
    made = make_published_sequence(manager, reviewer)
    with pytest.raises(IntegrityError), transaction():
        made.published_by_id = made.submitted_by_id
        db.session.flush()


def test_step_on_an_older_version_is_refused(manager: Actor, reviewer: Actor) -> None:
    made = make_sequence(manager)
    with pytest.raises(StaleEdit), transaction():
        commands.submit_sequence(manager, made.accession, expected_version=99)
    with transaction():
        commands.submit_sequence(manager, made.accession, expected_version=made.row_version)
    for step in (commands.claim_sequence, commands.publish_sequence):
        with pytest.raises(StaleEdit), transaction():
            step(reviewer, made.accession, expected_version=99)
    for step_with_reason in (commands.return_sequence, commands.withdraw_sequence):
        with pytest.raises(StaleEdit), transaction():
            step_with_reason(reviewer, made.accession, "Why", expected_version=99)
    assert [entry.action for entry in entries()] == ["sequence.upload", "sequence.submit"]


def test_each_step_leaves_one_entry(manager: Actor, reviewer: Actor) -> None:
    made = make_sequence(manager)
    with transaction():
        commands.change_sequence(
            manager, made.accession, {"title": "Other"}, expected_version=made.row_version
        )
    with transaction():
        commands.submit_sequence(manager, made.accession)
    with transaction():
        commands.claim_sequence(reviewer, made.accession)
    with transaction():
        commands.return_sequence(reviewer, made.accession, "Name the vector.")
    with transaction():
        commands.submit_sequence(manager, made.accession)
    with transaction():
        commands.publish_sequence(reviewer, made.accession)
    with transaction():
        commands.withdraw_sequence(manager, made.accession, "A better one exists.")
    assert [entry.action for entry in entries()] == [
        "sequence.upload",
        "sequence.change",
        "sequence.submit",
        "sequence.claim",
        "sequence.return",
        "sequence.submit",
        "sequence.publish",
        "sequence.withdraw",
    ]
    assert entries()[4].reason == "Name the vector."
    assert json.loads(entries()[1].after) == {"title": "Other"}
    assert not audit.verify(audit.HEADS_FOLDER[0]).problem
    assert audit.verify(audit.HEADS_FOLDER[0]).heads == 2


def test_change_that_changes_nothing_leaves_no_entry(manager: Actor) -> None:
    made = make_sequence(manager)
    with transaction():
        commands.change_sequence(
            manager, made.accession, {"title": made.title, "lmo": ""}, expected_version=made.row_version
        )
    assert len(entries()) == 1


def test_refused_step_changes_nothing(manager: Actor, reviewer: Actor) -> None:
    made = make_sequence(manager)
    with pytest.raises(NotFound), transaction():
        commands.publish_sequence(reviewer, made.accession)
    with pytest.raises(StaleEdit), transaction():
        commands.change_sequence(manager, made.accession, {"title": "X"}, expected_version=99)
    with pytest.raises(Invalid) as refusal, transaction():
        commands.change_sequence(
            manager,
            made.accession,
            {"title": " ", "note": "a\x00b", "lmo": ""},
            expected_version=made.row_version,
        )
    assert "note" in refusal.value.errors
    assert len(entries()) == 1


def test_published_record_is_not_changed(manager: Actor, reviewer: Actor) -> None:
    made = make_published_sequence(manager, reviewer)
    with pytest.raises(Conflict, match="Upload a new record"), transaction():
        commands.change_sequence(manager, made.accession, {"title": "X"}, expected_version=made.row_version)


def test_sealed_record_is_not_submitted(manager: Actor) -> None:
    made = make_sequence(manager, visibility=Visibility.SEALED)
    with pytest.raises(Conflict, match="sealed"), transaction():
        commands.submit_sequence(manager, made.accession)


def test_only_a_manager_seals_and_unseals(manager: Actor, analyst: Actor) -> None:
    with pytest.raises(NotAllowed):
        make_sequence(analyst, visibility=Visibility.SEALED)
    made = make_sequence(manager, visibility=Visibility.SEALED)
    with pytest.raises(NotAllowed), transaction():
        commands.change_sequence(
            analyst, made.accession, {"visibility": Visibility.PUBLIC}, expected_version=made.row_version
        )
    with transaction():
        changed = commands.change_sequence(
            manager, made.accession, {"visibility": Visibility.PUBLIC}, expected_version=made.row_version
        )
    assert changed.visibility is Visibility.PUBLIC


def test_record_with_a_feature_across_the_origin_stays_circular(manager: Actor) -> None:
    made = make_sequence(manager)
    with pytest.raises(Invalid, match="origin"), transaction():
        commands.change_sequence(
            manager, made.accession, {"topology": Topology.LINEAR}, expected_version=made.row_version
        )


def test_unknown_lmo_and_element_are_named(manager: Actor) -> None:
    with pytest.raises(Invalid, match="no LMO NOPE"):
        make_sequence(manager, lmo="NOPE")
    with pytest.raises(Invalid, match="no element NOPE"):
        make_sequence(manager, element="NOPE")
    assert db.session.scalars(select(ReferenceSequence)).all() == []


def test_laboratory_gives_up_its_draft_and_a_reviewer_does_not(manager: Actor, reviewer: Actor) -> None:
    made = make_sequence(manager)
    with transaction():
        commands.submit_sequence(manager, made.accession)
    with pytest.raises(Conflict, match="Return it"), transaction():
        commands.withdraw_sequence(reviewer, made.accession, "no")
    with transaction():
        commands.withdraw_sequence(manager, made.accession, "Wrong file.")
    with pytest.raises(NotFound):
        queries.find_sequence(None, made.accession)
    with pytest.raises(NotFound):
        queries.find_sequence(reviewer, made.accession)


def test_people_are_told_and_bases_are_not_in_mails(laboratory: Laboratory, manager: Actor) -> None:
    other = make_user(Role.MANAGER, laboratory=laboratory)
    reviewer = make_user(Role.REVIEWER)
    bases = make_bases(300, seed=3)
    made = make_sequence(manager, bases=bases)
    with transaction():
        commands.submit_sequence(manager, made.accession)
    mails = db.session.scalars(select(OutgoingMail)).all()
    assert [mail.recipient for mail in mails] == [reviewer.email]
    with transaction():
        commands.publish_sequence(make_actor(Role.SECRETARIAT), made.accession)
    mails = db.session.scalars(select(OutgoingMail).order_by(OutgoingMail.id)).all()
    assert other.email in [mail.recipient for mail in mails[1:]]
    assert all(made.accession in mail.body for mail in mails)
    pieces = {bases[at : at + 12] for at in range(len(bases) - 11)}
    assert not [piece for piece in pieces for mail in mails if piece in mail.body.upper()]


def test_import_is_all_or_nothing_and_can_be_repeated(
    laboratory: Laboratory, manager: Actor, tmp_path: Path
) -> None:
    actor = replace(manager, operator=True)
    path = tmp_path / "parts.gb"
    path.write_bytes(make_genbank() + make_genbank(make_bases(200), accession="AB000002"))
    with transaction():
        dry = commands.import_sequences(actor, path, dry_run=True)
    assert dry.count(Outcome.CREATED) == 2
    assert db.session.scalars(select(ReferenceSequence)).all() == []
    with transaction():
        report = commands.import_sequences(actor, path, dry_run=False)
    assert [(row.row, row.key, row.outcome) for row in report.rows] == [
        (1, "LHS-1", Outcome.CREATED),
        (2, "LHS-2", Outcome.CREATED),
    ]
    with transaction():
        again = commands.import_sequences(actor, path, dry_run=False)
    assert again.count(Outcome.UNCHANGED) == 2
    broken = tmp_path / "broken.gb"
    broken.write_bytes(make_genbank(accession="AB000003") + make_genbank().replace(b"11..60", b"0..60"))
    with pytest.raises(Invalid), transaction():
        commands.import_sequences(actor, broken, dry_run=False)
    assert len(db.session.scalars(select(ReferenceSequence)).all()) == 2
    with pytest.raises(Invalid, match="laboratory"), transaction():
        commands.import_sequences(OPERATOR, path, dry_run=False)


@pytest.mark.parametrize(("format_", "suffix"), [("genbank", "gb"), ("fasta", "fasta"), ("embl", "embl")])
def test_export_then_import_is_the_record(
    format_: str, suffix: str, manager: Actor, reviewer: Actor, tmp_path: Path
) -> None:
    make_published_sequence(manager, reviewer)
    make_sequence(manager, accession="AB000002", bases=make_bases(90, seed=9))
    make_sequence(manager, accession="AB000003", bases=make_bases(90, seed=4), visibility=Visibility.SEALED)
    content = queries.export_sequences(OPERATOR, format_)
    assert make_bases(90, seed=4)[:12].lower() not in content.decode().lower()
    path = tmp_path / f"all.{suffix}"
    path.write_bytes(content)
    with transaction():
        report = commands.import_sequences(replace(manager, operator=True), path, dry_run=False)
    assert [(row.key, row.outcome) for row in report.rows] == [
        ("LHS-1", Outcome.UNCHANGED),
        ("LHS-2", Outcome.UNCHANGED),
    ]
    published = queries.export_sequences(OPERATOR, format_, published=True)
    assert b"LHS-1" in published
    assert b"LHS-2" not in published
