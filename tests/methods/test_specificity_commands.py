"""Only what changed is searched, every pair is current, and the owners are told."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from labhub import clock
from labhub.accounts.actor import Actor, Role
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.methods import commands as methods
from labhub.methods import specificity_commands
from labhub.methods import specificity_queries as reading
from labhub.methods.models import MethodVersion
from labhub.methods.specificity import Judgement
from labhub.methods.specificity_models import (
    ChangeKind,
    SpecificityMethod,
    SpecificitySequence,
    SpecificityState,
)
from labhub.outbox import OutgoingMail
from labhub.sequences import commands as sequences
from labhub.sequences.models import Topology, Visibility
from labhub.sequences.oligos import reverse_complement
from tests.conftest import FakeClock
from tests.factories import (
    make_actor,
    make_bases,
    make_element,
    make_laboratory,
    make_lmo,
    make_method,
    make_published_sequence,
    make_second_version,
    make_sequence,
    make_user,
    method_content,
)
from tests.methods.specificity_records import (
    FORWARD,
    PROBE,
    REVERSE,
    amplicon,
    changed,
    changes,
    hits,
    other_oligos,
    run,
    searched,
    target,
)


@pytest.fixture
def manager(app: Flask) -> Actor:
    return make_actor(Role.MANAGER, laboratory=make_laboratory())


@pytest.fixture
def reviewer(app: Flask) -> Actor:
    return make_actor(Role.REVIEWER)


def mails() -> list[OutgoingMail]:
    db.session.rollback()
    return [
        mail
        for mail in db.session.scalars(select(OutgoingMail).order_by(OutgoingMail.id))
        if "/specificity/changes" in mail.body
    ]


# What is searched ------------------------------------------------------------------------------


def test_a_pair_holds_its_best_product(manager: Actor) -> None:
    version = make_method(actor=manager)
    record = make_sequence(manager, bases=target())
    run()
    (hit,) = hits().values()
    assert (hit.version_id, hit.sequence_id) == (version.id, record.id)
    assert hit.judgement is Judgement.DETECTED
    assert (hit.products, hit.sizes, hit.start_bp, hit.size_bp, hit.strand) == (1, [92], 201, 92, 1)
    assert (hit.mm_forward, hit.mm_reverse, hit.mm_probe, hit.mismatches) == (0, 0, 0, [])
    assert not reading.something_waits()


def test_a_new_sequence_is_one_column_and_a_new_method_one_row(manager: Actor) -> None:
    for number in range(3):
        make_sequence(manager, bases=target(seed=number), accession=f"AB00{number}")
    make_method(actor=manager, title="One")
    assert searched(run()) == [(1, 3)]
    assert searched(run()) == []
    make_sequence(manager, bases=target(seed=9), accession="AB009")
    done = run()
    assert searched(done) == [(1, 1)]
    assert (done.sequences, done.versions, done.pairs) == (1, 0, 1)
    make_method(actor=manager, title="Two", oligos=other_oligos(), amplicon_bp=None)
    done = run()
    assert searched(done) == [(1, 4)]
    assert (done.sequences, done.versions, done.pairs) == (0, 1, 4)
    assert len(hits()) == 8


def test_a_draft_is_searched_again_only_when_its_assays_change(manager: Actor) -> None:
    version = make_method(actor=manager)
    make_sequence(manager, bases=target())
    run()

    def change(**fields: object) -> None:
        draft = db.session.get_one(MethodVersion, version.id, populate_existing=True)
        with transaction():
            methods.change_draft(manager, version.method.code, fields, expected=draft.edition)

    change(notes=["Another word"])
    assert reading.something_waits()  # its row version went on
    done = run()
    assert (searched(done), done.versions) == ([], 0)
    change(amplicon_bp=200)
    assert searched(run()) == [(1, 1)]
    (hit,) = hits().values()
    assert (hit.judgement, hit.reasons, hit.published_bp) == (Judgement.DOUBTFUL, ["size"], 200)
    change(oligos=[{**each, "sequence": make_bases(22, seed=5)} for each in version_oligos(version)])
    assert searched(run()) == [(1, 1)]
    assert hits() == {}
    change(oligos=version_oligos(version), amplicon_bp=92)
    run()
    (hit,) = hits().values()
    assert hit.judgement is Judgement.DETECTED


def version_oligos(version: MethodVersion) -> list[dict[str, str]]:
    return [
        {"role": role, "sequence": bases}
        for role, bases in (("forward", FORWARD), ("reverse", REVERSE), ("probe", PROBE))
    ]


def test_a_change_that_is_rolled_back_computes_nothing(manager: Actor) -> None:
    version = make_method(actor=manager)
    record = make_sequence(manager, bases=target())
    run()
    with pytest.raises(RuntimeError), transaction():
        methods.change_draft(manager, version.method.code, {"amplicon_bp": 300}, expected=version.edition)
        sequences.change_sequence(
            manager, record.accession, {"title": "Other"}, expected_version=record.row_version
        )
        raise RuntimeError
    assert not reading.something_waits()
    assert searched(run()) == []


def test_another_topology_is_another_column(manager: Actor) -> None:
    whole = amplicon() + make_bases(300, seed=3)
    over_origin = whole[50:] + whole[:50]
    make_method(actor=manager)
    record = make_sequence(manager, bases=over_origin)
    run()
    (hit,) = hits().values()
    assert (hit.start_bp, hit.size_bp) == (len(whole) - 50 + 1, 92)
    row = reading.with_expectation(db.session.execute(reading.pairs(manager)).mappings())[0]
    assert (row["start"], row["end"]) == (len(whole) - 49, 42)
    with transaction():  # the features of the factory cross the origin: it may not be made linear by hand
        record.topology = Topology.LINEAR
        db.session.add(record)
    assert reading.something_waits()
    assert searched(run()) == [(1, 1)]
    assert hits() == {}


def test_what_gives_no_assay_is_marked_with_its_reason(manager: Actor) -> None:
    version = make_method(actor=manager, technique="protein", oligos=[], amplicon_bp=None)
    make_sequence(manager, bases=target())
    run()
    mark = db.session.get_one(SpecificityMethod, version.id)
    assert (mark.assays, [remark["text"] for remark in mark.remarks]) == (
        0,
        ["A protein test has no primers."],
    )


def test_an_assay_that_cannot_be_searched_is_told_and_stops_no_other(manager: Actor) -> None:
    short = [{"role": "forward", "sequence": "ACG"}, {"role": "reverse", "sequence": "TTG"}]
    bad = make_method(actor=manager, title="Short", oligos=short, amplicon_bp=None)
    make_method(actor=manager)
    make_sequence(manager, bases=target())
    run()
    found = hits()
    assert (
        all(version_id != bad.id for version_id, _sequence in found)
        or db.session.get_one(SpecificityMethod, bad.id).remarks == []
    )
    assert len([pair for pair in found if pair[0] != bad.id]) == 1


def test_several_assays_of_a_method_make_one_pair(manager: Actor) -> None:
    sets = [{"name": "second", "amplicon_bp": 120, "amplicon_accession": "X1"}]
    oligos = [
        *version_oligos(MethodVersion()),
        {"set": "second", "role": "forward", "sequence": changed(FORWARD, 3)},
        {"set": "second", "role": "reverse", "sequence": changed(REVERSE, 3)},
    ]
    make_method(actor=manager, oligos=oligos, oligo_sets=sets)
    make_sequence(manager, bases=target())
    assert searched(run()) == [(2, 1)]
    (hit,) = hits().values()
    assert (hit.judgement, hit.assay, hit.products) == (Judgement.DETECTED, "", 2)
    assert hit.assays == {"": "detected", "second": "doubtful"}


def test_equal_assays_of_several_methods_are_searched_once(manager: Actor) -> None:
    for title in ("One", "Two", "Three"):
        make_method(actor=manager, title=title)
    make_sequence(manager, bases=reverse_complement(target()))
    assert searched(run()) == [(1, 1)]
    assert [hit.strand for hit in hits().values()] == [-1, -1, -1]


def test_everything_can_be_computed_anew(manager: Actor) -> None:
    make_method(actor=manager)
    make_sequence(manager, bases=target())
    run()
    before = {pair: (hit.digest, hit.mismatches) for pair, hit in hits().items()}
    done = run(whole=True)
    assert searched(done) == [(1, 1)]
    assert {pair: (hit.digest, hit.mismatches) for pair, hit in hits().items()} == before


# What goes away --------------------------------------------------------------------------------


def test_sealed_and_withdrawn_records_leave_no_trace(manager: Actor, reviewer: Actor) -> None:
    make_method(actor=manager, state="published", reviewer=reviewer)
    record = make_sequence(manager, bases=target())
    gone = make_published_sequence(manager, reviewer, bases=target(seed=4), accession="AB9")
    run()
    assert len(hits()) == 2
    with transaction():
        sequences.change_sequence(
            manager,
            record.accession,
            {"visibility": Visibility.SEALED},
            expected_version=record.row_version,
        )
        sequences.withdraw_sequence(reviewer, gone.accession, "Wrong bases")
    assert db.session.execute(reading.pairs(manager)).all() == []  # at once, before any job has run
    run()
    assert hits() == {}
    assert db.session.scalars(select(SpecificitySequence)).all() == []
    trail = "".join(str(entry.after) for entry in db.session.scalars(select(AuditEntry)))
    assert target()[200:240] not in trail


def test_a_sealed_record_is_never_searched(manager: Actor) -> None:
    make_method(actor=manager)
    make_sequence(manager, bases=target(), visibility=Visibility.SEALED)
    done = run()
    assert (searched(done), hits(), done.sequences) == ([], {}, 0)


def test_a_superseded_version_gives_its_row_to_the_next_one(manager: Actor, reviewer: Actor) -> None:
    first = make_method(actor=manager, state="published", reviewer=reviewer)
    make_published_sequence(manager, reviewer, bases=target())
    run()
    second = make_second_version(manager, first.method.code, amplicon_bp=93)
    run()
    assert [version_id for version_id, _sequence in hits()] == [second.id]
    with transaction():
        methods.withdraw(reviewer, first.method.code, "Not specific")
    assert db.session.execute(reading.pairs(None)).all() == []
    run()
    assert hits() == {}
    assert db.session.scalars(select(SpecificityMethod)).all() == []


# Races and dying workers -------------------------------------------------------------------------


def test_a_second_worker_waits_for_the_first(manager: Actor, fake_clock: FakeClock) -> None:
    make_method(actor=manager)
    make_sequence(manager, bases=target())
    with transaction():
        state = db.session.get_one(SpecificityState, 1)
        state.worker, state.leased_until = "another", clock.now() + timedelta(minutes=3)
    assert specificity_commands.work().busy
    assert hits() == {}
    fake_clock.forward(minutes=4)  # the other one has died
    assert not specificity_commands.work().busy
    assert len(hits()) == 1


def test_a_worker_whose_lease_was_taken_writes_nothing(
    manager: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_method(actor=manager)
    make_sequence(manager, bases=target())
    search = specificity_commands.search

    def slow(*given: object, **named: object) -> object:
        with transaction():
            db.session.get_one(SpecificityState, 1).worker = "another"
        return search(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(specificity_commands, "search", slow)
    assert specificity_commands.refresh().busy
    assert hits() == {}
    assert db.session.get_one(SpecificityState, 1).worker == "another"


def test_what_changes_during_a_search_is_searched_again(
    manager: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = make_method(actor=manager)
    record = make_sequence(manager, bases=target())
    other = make_sequence(manager, bases=target(seed=8), accession="AB8")
    search = specificity_commands.search
    calls = []

    def meanwhile(*given: object, **named: object) -> object:
        calls.append(1)
        found = search(*given, **named)  # type: ignore[arg-type]
        if len(calls) == 1:
            draft = db.session.get_one(MethodVersion, version.id, populate_existing=True)
            with transaction():
                methods.change_draft(
                    manager, version.method.code, {"amplicon_bp": 200}, expected=draft.edition
                )
                sequences.change_sequence(
                    manager,
                    other.accession,
                    {"visibility": Visibility.SEALED},
                    expected_version=other.row_version,
                )
        return found

    monkeypatch.setattr(specificity_commands, "search", meanwhile)
    run()
    run()
    assert len(calls) >= 2
    ((pair, hit),) = hits().items()
    assert pair == (version.id, record.id)
    assert hit.published_bp == 200
    assert not reading.something_waits()


def test_a_worker_that_dies_leaves_its_step_to_the_next(
    manager: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_method(actor=manager)
    make_sequence(manager, bases=target())

    def die(*_given: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(specificity_commands, "_insert_hits", die)
        with pytest.raises(KeyboardInterrupt):
            specificity_commands.work()
    assert hits() == {}
    run()
    assert len(hits()) == 1


def test_many_rows_and_columns_are_worked_off_in_parts(
    manager: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(specificity_commands, "MOST_BASES", 500)
    monkeypatch.setattr(specificity_commands, "MOST_VERSIONS", 2)
    for number in range(3):
        make_sequence(manager, bases=target(seed=number), accession=f"AB{number}")
        make_method(actor=manager, title=f"Method {number}")
    done = run()
    assert len(hits()) == 9
    assert (done.versions, done.sequences, done.pairs) == (3, 3, 9)


# Telling the owners -----------------------------------------------------------------------------


@pytest.fixture
def event(app: Flask) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6")
    make_lmo("GA21", unique_identifier="MON-00021-9")
    make_element("P-35S")


def test_a_new_event_with_a_mismatch_is_told_to_both_laboratories(event: None, reviewer: Actor) -> None:
    own = make_laboratory("METHODS")
    analyst = make_user(Role.MANAGER, laboratory=own, language="ar", email="methods@example.org")
    owner = make_actor(Role.MANAGER, laboratory=own)
    make_method(actor=owner, state="published", reviewer=reviewer)
    run()
    other = make_laboratory("SEQUENCES")
    sender = make_actor(Role.MANAGER, laboratory=other)
    record = make_sequence(sender, bases=target(reverse=changed(REVERSE, 3)), lmo="MON810")
    done = run()
    assert done.changes == 1
    (change,) = changes()
    assert (change.kind, change.before, change.after) == (
        ChangeKind.MISMATCH,
        None,
        Judgement.DETECTED,
    )
    told = {mail.recipient for mail in mails()}
    assert "methods@example.org" not in told  # the record is a draft of others
    assert len(told) == 1  # its own laboratory sees both
    with transaction():
        sequences.submit_sequence(sender, record.accession)
    with transaction():
        sequences.publish_sequence(reviewer, record.accession)
    done = run()
    assert searched(done) == []  # publication changes no base
    assert done.mails == 2
    by_address = {mail.recipient: mail for mail in mails()}
    arabic = by_address["methods@example.org"]
    assert record.accession in arabic.body and analyst.language == "ar"
    english = next(
        mail for mail in mails() if mail.recipient != "methods@example.org" and "base 3" in mail.body
    )
    assert "mismatch at base 3 of the reverse primer" in english.body
    assert english.subject == "In silico: 1 change for your methods and sequences"
    assert run().mails == 0


def test_a_target_that_is_not_found_and_an_unexpected_find_are_told(event: None, reviewer: Actor) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=manager, state="published", reviewer=reviewer)
    run()
    make_published_sequence(manager, reviewer, bases=make_bases(400, seed=3), accession="AB1", lmo="MON810")
    make_published_sequence(manager, reviewer, bases=target(seed=4), accession="AB2", lmo="GA21")
    make_published_sequence(manager, reviewer, bases=target(seed=5), accession="AB3", lmo="MON810")
    make_published_sequence(manager, reviewer, bases=target(seed=6), accession="AB4")
    run()
    assert [(each.sequence.source_accession, each.kind) for each in changes()] == [
        ("AB1", ChangeKind.LOST),
        ("AB2", ChangeKind.UNEXPECTED),
    ]
    (mail,) = mails()
    assert "not detected in silico" in mail.body
    assert "though it is not a target" in mail.body


def test_a_new_version_that_loses_a_sequence_is_told_at_publication(event: None, reviewer: Actor) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    first = make_method(actor=manager, state="published", reviewer=reviewer)
    make_published_sequence(manager, reviewer, bases=target(), lmo="MON810")
    run()
    with transaction():
        draft = methods.new_version(manager, first.method.code, "Other primers")
    oligos = method_content()["oligos"]
    new = [{**each, "sequence": make_bases(22, seed=n)} for n, each in enumerate(oligos)]
    with transaction():
        methods.change_draft(
            manager,
            first.method.code,
            {"oligos": new},
            expected=draft.edition,
        )
    run()
    assert changes() == []  # a draft tells nobody
    with transaction():
        methods.submit(manager, first.method.code)
    with transaction():
        methods.publish(make_actor(Role.REVIEWER), first.method.code)
    run()
    (change,) = changes()
    assert (change.kind, change.before, change.after) == (
        ChangeKind.LOST,
        Judgement.DETECTED,
        Judgement.NOT_DETECTED,
    )
    assert len(mails()) == 1


def test_the_first_filling_tells_nobody(event: None, manager: Actor, reviewer: Actor) -> None:
    make_published_sequence(manager, reviewer, bases=target(seed=4), lmo="GA21")
    make_method(actor=manager, state="published", reviewer=reviewer)
    done = run()
    assert (done.changes, done.mails, changes()) == (0, 0, [])


def test_records_of_another_laboratory_alone_are_told_to_nobody_else(event: None, reviewer: Actor) -> None:
    owner = make_actor(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=owner, state="published", reviewer=reviewer)
    run()
    sender = make_actor(Role.MANAGER, laboratory=make_laboratory())
    make_published_sequence(
        sender, reviewer, bases=target(seed=4), lmo="GA21", visibility=Visibility.LABORATORY
    )
    run()
    assert len(mails()) == 1
    assert reading.page_of_changes(owner, own=False, page=1, page_size=10).total == 0
    assert reading.page_of_changes(sender, own=True, page=1, page_size=10).total == 1
    assert reading.page_of_changes(None, own=False, page=1, page_size=10).total == 0


def test_a_record_that_replaces_another_is_compared_with_it(event: None, reviewer: Actor) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=manager, state="published", reviewer=reviewer)
    old = make_published_sequence(manager, reviewer, bases=target(), lmo="MON810")
    run()
    make_published_sequence(
        manager, reviewer, bases=target(forward=changed(FORWARD, 22)), lmo="MON810", supersedes=old.accession,
        accession="AB2",
    )  # fmt: skip
    assert [each["sequence"] for each in db.session.execute(reading.pairs(None)).mappings()] == []
    run()
    (change,) = changes()
    assert (change.kind, change.before, change.after) == (
        ChangeKind.MISMATCH,
        Judgement.DETECTED,
        Judgement.DOUBTFUL,
    )
    assert {sequence_id for _version, sequence_id in hits()} == {change.sequence_id}


def test_a_record_that_names_several_targets_or_the_method_itself_is_expected(
    event: None, reviewer: Actor
) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    version = make_method(actor=manager, state="published", reviewer=reviewer)
    both = make_sequence(manager, bases=target(seed=1), accession="AB1", lmos=["GA21", "MON810"])
    named = make_sequence(manager, bases=target(seed=2), accession="AB2", methods=[version.method.code])
    missing = make_sequence(
        manager, bases=make_bases(300, seed=9), accession="AB3", methods=[version.method.code]
    )
    other = make_sequence(manager, bases=target(seed=3), accession="AB4", elements=["P-35S"])
    run()
    section = reading.of_version(manager, db.session.get_one(MethodVersion, version.id))
    assert section is not None
    assert [row["sequence"] for row in section.expected.rows] == [both.accession, named.accession]
    assert [row["sequence"] for row in section.unexpected.rows] == [other.accession]
    assert [row["sequence"] for row in section.missing.rows] == [missing.accession]
    of_missing = reading.of_sequence(manager, missing)
    assert of_missing is not None
    assert [row["method"] for row in of_missing.missing.rows] == [version.method.code]
