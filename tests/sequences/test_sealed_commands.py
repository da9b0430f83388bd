"""Who may use and who may see a sealed record; free searches, their limits, and what the owner learns."""

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select

from labhub import clock
from labhub.accounts.actor import Actor, Role, Scope
from labhub.accounts.models import Laboratory, User
from labhub.accounts.queries import actor_of
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, TooMany
from labhub.outbox import OutgoingMail
from labhub.sequences import queries as sequences
from labhub.sequences import sealed_commands as commands
from labhub.sequences import sealed_queries as queries
from labhub.sequences.models import ReferenceSequence, Visibility
from labhub.sequences.oligos import reverse_complement
from labhub.sequences.sealed_models import (
    SealedAnswer,
    SealedQuestion,
    SealedRight,
    SealedStop,
    SealedUse,
    SealedWord,
)
from labhub.sequences.sealed_walks import Question, Refused, read_pair, read_sequences
from tests.conftest import FakeClock
from tests.factories import (
    bearer,
    make_bases,
    make_laboratory,
    make_lmo,
    make_party,
    make_sequence,
    make_user,
)

BASES = make_bases(1200, seed=41)
FORWARD, REVERSE = BASES[300:322], reverse_complement(BASES[480:502])
PROBE = BASES[390:412]
MISSING = make_bases(24, seed=99)


@dataclass
class Sealed:
    """A sealed record of an owner, and people of another laboratory of the same and of another Party."""

    owner: Actor
    record: ReferenceSequence
    laboratory: Laboratory
    user: User
    colleague: User

    @property
    def actor(self) -> Actor:
        return actor_of(self.user)


@pytest.fixture
def sealed(app: Flask, fake_clock: FakeClock) -> Sealed:
    owner = actor_of(make_user(Role.MANAGER, laboratory=make_laboratory(party=make_party("BR"))))
    record = make_sequence(owner, bases=BASES, visibility=Visibility.SEALED, title="Secret insert")
    laboratory = make_laboratory()
    return Sealed(
        owner,
        record,
        laboratory,
        make_user(Role.ANALYST, laboratory=laboratory),
        make_user(Role.ANALYST, laboratory=laboratory),
    )


def name(
    sealed: Sealed,
    right: SealedRight = SealedRight.USE,
    record: ReferenceSequence | None = None,
    **grantee: str,
) -> int:
    grantee = grantee or {"laboratory": sealed.laboratory.code}
    with transaction():
        return commands.grant(
            sealed.owner,
            (record or sealed.record).accession,
            right,
            commands.Grantee(**grantee),
            reason="Case 7 of the customs",
        ).id


def pair(forward: str = FORWARD, reverse: str = REVERSE, probe: str = "") -> list[Question | Refused]:
    return [read_pair(forward, reverse, probe)]


def answers(actor: Actor, questions: list[Question | Refused]) -> list[list[str]]:
    asked = commands.ask(actor, questions, door="api")
    if asked.refusal is not None:
        raise asked.refusal
    return [[answer.value for _record, answer in row] for row in asked.answers]


# Grants


@pytest.mark.req("A5")
@pytest.mark.parametrize("kind", ["person", "laboratory", "party"])
def test_use_is_given_to_a_person_a_laboratory_or_a_party(sealed: Sealed, kind: str) -> None:
    focal_point = make_user(Role.FOCAL_POINT, party=make_party("FR"))
    actor = actor_of(focal_point) if kind == "party" else sealed.actor
    assert queries.usable_records(actor) == []
    number = name(
        sealed,
        **{
            kind: {"person": sealed.user.email, "laboratory": sealed.laboratory.code, "party": "FR"}[kind],
        },
    )
    (record,) = queries.usable_records(actor)
    assert (record.event, record.lmo, record.is_seen) == (sealed.record.accession, "", False)
    assert answers(actor, pair()) == [["found"]]
    # it is used, and not seen: not even that the record is there
    with pytest.raises(NotFound):
        sequences.find_sequence(actor, sealed.record.accession)
    assert not sequences.may_see_bases(actor, sealed.record)
    with transaction():
        commands.revoke(sealed.owner, sealed.record.accession, number, reason="Case closed")
    assert queries.usable_records(actor) == []
    assert answers(actor, pair(MISSING, REVERSE)) == [[]]


@pytest.mark.req("A5")
def test_sight_is_given_apart_and_includes_use(sealed: Sealed) -> None:
    number = name(sealed, SealedRight.SEE, person=sealed.user.email)
    assert sequences.find_sequence(sealed.actor, sealed.record.accession).id == sealed.record.id
    assert sequences.bases_of(sealed.actor, sealed.record) == BASES
    assert len(db.session.execute(sequences.listed_sequences(sealed.actor)).all()) == 1
    assert answers(sealed.actor, pair()) == [["found"]]
    for other in (actor_of(sealed.colleague), None):
        with pytest.raises(NotFound):
            sequences.find_sequence(other, sealed.record.accession)
    told = db.session.scalars(select(OutgoingMail.subject)).all()
    assert told == []  # the only manager did it
    with transaction():
        commands.revoke(sealed.owner, sealed.record.accession, number, reason="Left")
    with pytest.raises(NotFound):
        sequences.find_sequence(sealed.actor, sealed.record.accession)


@pytest.mark.req("A5")
@pytest.mark.parametrize(
    "role", [Role.PARTICIPANT, Role.REVIEWER, Role.MODERATOR, Role.ADMINISTRATOR, Role.SECRETARIAT]
)
def test_roles_that_may_not_are_not_named(sealed: Sealed, role: Role) -> None:
    user = make_user(role)
    rights = [SealedRight.SEE] if role is Role.SECRETARIAT else list(SealedRight)
    for right in rights:
        with pytest.raises(Invalid):
            name(sealed, right, person=user.email)
    if role is Role.SECRETARIAT:
        name(sealed, person=user.email)
        assert answers(actor_of(user), pair()) == [["found"]]
    else:
        with pytest.raises(NotAllowed):
            commands.ask(actor_of(user), pair(), door="api")


def test_grants_are_checked_dated_and_audited(sealed: Sealed, fake_clock: FakeClock) -> None:
    accession = sealed.record.accession
    ask_for = commands.Grantee(laboratory=sealed.laboratory.code)
    with pytest.raises(Invalid), transaction():
        commands.grant(sealed.owner, accession, SealedRight.USE, ask_for, reason=" ")
    with pytest.raises(Invalid), transaction():
        commands.grant(sealed.owner, accession, SealedRight.USE, commands.Grantee(), reason="x")
    with pytest.raises(Invalid), transaction():
        commands.grant(sealed.owner, accession, SealedRight.SEE, commands.Grantee(party="FR"), reason="x")
    yesterday = clock.now().date() - timedelta(days=1)
    with pytest.raises(Invalid), transaction():
        commands.grant(sealed.owner, accession, SealedRight.USE, ask_for, reason="x", until_on=yesterday)
    with transaction():
        commands.grant(
            sealed.owner,
            accession,
            SealedRight.USE,
            ask_for,
            reason="x",
            until_on=clock.now().date() + timedelta(days=1),
        )
    with pytest.raises(Conflict):
        name(sealed)
    fake_clock.forward(days=1)
    assert len(queries.usable_records(sealed.actor)) == 1
    fake_clock.forward(days=1)
    assert queries.usable_records(sealed.actor) == []
    with pytest.raises(NotFound), transaction():  # a stranger does not even learn that it is there
        commands.grant(sealed.actor, accession, SealedRight.USE, ask_for, reason="x")
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "sealed.grant")).all()
    assert [entry.object_id for entry in entries] == [accession]
    assert f'"laboratory":{sealed.laboratory.id}' in entries[0].after


def test_analyst_of_the_owner_names_nobody(sealed: Sealed) -> None:
    owner = db.session.get(Laboratory, sealed.record.laboratory_id)
    analyst = actor_of(make_user(Role.ANALYST, laboratory=owner))
    with pytest.raises(NotAllowed), transaction():
        commands.grant(
            analyst,
            sealed.record.accession,
            SealedRight.SEE,
            commands.Grantee(laboratory=sealed.laboratory.code),
            reason="x",
        )


# Asking


@pytest.mark.req("A5")
def test_pairs_probes_and_sequences_are_found_exactly(sealed: Sealed) -> None:
    name(sealed)
    changed = FORWARD[:10] + ("A" if FORWARD[10] != "A" else "C") + FORWARD[11:]
    assert answers(sealed.actor, pair()) == [["found"]]
    assert answers(sealed.actor, pair(REVERSE, FORWARD)) == [["found"]]
    assert answers(sealed.actor, pair(probe=PROBE)) == [["found"]]
    assert answers(sealed.actor, pair(probe=MISSING)) == [["not-found"]]
    assert answers(sealed.actor, pair(changed)) == [["not-found"]]
    text = (
        f">one\n{BASES[700:740]}\n>two\n{reverse_complement(BASES[900:990]).lower()}\n>three\n{MISSING * 2}"
    )
    assert answers(sealed.actor, read_sequences(text)) == [["found"], ["found"], ["not-found"]]


@pytest.mark.req("A5")
def test_answers_are_given_by_event(sealed: Sealed) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6")
    for bases in (BASES, make_bases(500, seed=77)):
        made = make_sequence(sealed.owner, bases=bases, visibility=Visibility.SEALED, lmo="MON810")
        name(sealed, record=made)
    name(sealed)
    asked = commands.ask(sealed.actor, pair(), door="api")
    assert [(record.event, record.lmo, answer.value) for record, answer in asked.answers[0]] == [
        (sealed.record.accession, "", "found"),
        ("MON810", "MON-00810-6", "found"),
    ]


@pytest.mark.req("A6")
@pytest.mark.parametrize(
    ("forward", "reverse", "probe"),
    [
        (FORWARD[:17], REVERSE, ""),
        (FORWARD, REVERSE[:17], ""),
        (FORWARD, REVERSE, PROBE[:17]),
        (FORWARD, "", ""),
        ("NNN" + FORWARD[3:], REVERSE, ""),
        (FORWARD * 3, REVERSE, ""),
        (FORWARD + "!", REVERSE, ""),
    ],
)
def test_what_is_refused_counts(sealed: Sealed, forward: str, reverse: str, probe: str) -> None:
    name(sealed)
    with pytest.raises(Invalid) as refusal:
        answers(sealed.actor, pair(forward, reverse, probe))
    assert queries.allowance(sealed.actor).left == 49
    assert db.session.scalar(select(func.count()).select_from(SealedWord)) == 0
    for texts in refusal.value.errors.values():
        assert BASES[300:312] not in str(texts)


def questions(count: int, seed: int) -> list[Question | Refused]:
    chance = Random(seed)
    return [Question(sequence="".join(chance.choices("ACGT", k=40))) for _ in range(count)]


@pytest.mark.req("A6")
def test_days_are_limited_for_persons_and_laboratories(sealed: Sealed, fake_clock: FakeClock) -> None:
    name(sealed)
    for seed in range(2):
        answers(sealed.actor, questions(20, seed))
    with pytest.raises(TooMany):
        answers(sealed.actor, questions(11, 2))
    with pytest.raises(Invalid):
        answers(sealed.actor, questions(21, 2))
    answers(sealed.actor, questions(10, 2))
    with pytest.raises(TooMany) as refusal:
        answers(sealed.actor, questions(1, 3))
    assert refusal.value.retry_after == 14 * 3600 + 1
    others = [actor_of(make_user(Role.ANALYST, laboratory=sealed.laboratory)) for _ in range(4)]
    for number, other in enumerate(others[:3]):
        for part, size in enumerate((20, 20, 10)):
            answers(other, questions(size, 10 + 3 * number + part))
    with pytest.raises(TooMany):  # 200 of the laboratory
        answers(others[3], questions(1, 50))
    fake_clock.forward(hours=14)
    answers(sealed.actor, questions(20, 60))


# Walks


def walk(start: int, steps: int, *, step: int = 1, size: int = 20) -> list[list[Question | Refused]]:
    return [
        pair(BASES[start + number * step : start + number * step + size], REVERSE if number < 0 else MISSING)
        for number in range(steps)
    ]


def ask_each(actor: Actor, asked: list[list[Question | Refused]]) -> list[str]:
    return [answers(actor, each)[0][0] for each in asked]


def stops() -> list[SealedStop]:
    return list(db.session.scalars(select(SealedStop).order_by(SealedStop.id)))


def unique_pairs(parts: list[str]) -> list[list[Question | Refused]]:
    """Pairs whose second primer is another one each time, so that only the first ones belong together."""
    return [pair(part, make_bases(24, seed=1000 + number)) for number, part in enumerate(parts)]


@pytest.mark.req("A6")
@pytest.mark.parametrize("step", [1, 2, 3])
def test_the_eighth_question_of_a_chain_is_not_answered(sealed: Sealed, step: int) -> None:
    name(sealed)
    parts = [BASES[100 + number * step :][:18] for number in range(9)]
    assert ask_each(sealed.actor, unique_pairs(parts)) == ["not-found"] * 7 + ["not-decided"] * 2
    assert {row.scope for row in stops()} == {
        f"user:{sealed.user.id}",
        f"laboratory:{sealed.laboratory.id}",
    }
    mails = db.session.scalars(select(OutgoingMail.body)).all()
    assert len(mails) == 1
    assert sealed.user.name in mails[0]


@pytest.mark.req("A6")
@pytest.mark.parametrize(
    "trick", ["strand", "decoys", "swap", "one-base", "steps-of-six", "degenerate", "long"]
)
def test_tricks_of_walkers_are_seen(sealed: Sealed, trick: str) -> None:
    name(sealed)
    base = BASES[100:200]
    asked: list[list[Question | Refused]]
    if trick == "strand":
        parts = [base[n : n + 18] for n in range(8)]
        asked = unique_pairs([part if n % 2 else reverse_complement(part) for n, part in enumerate(parts)])
    elif trick == "decoys":
        asked = []
        for number, each in enumerate(unique_pairs([base[n : n + 18] for n in range(8)])):
            asked += [questions(1, 500 + number), each]
    elif trick == "swap":
        asked = [
            pair(part, make_bases(24, seed=n)) if n % 2 else pair(make_bases(24, seed=n), part)
            for n, part in enumerate(base[n : n + 18] for n in range(8))
        ]
    elif trick == "one-base":  # each base of one place probed in the middle of an oligo
        asked = unique_pairs(
            [base[:place] + letter + base[place + 1 : 18] for place in (8, 9) for letter in "ACGT"]
        )
    elif trick == "steps-of-six":  # guesses of six bases behind twelve that are known
        asked = unique_pairs([base[:12] + make_bases(6, seed=n) for n in range(8)])
    elif trick == "degenerate":
        asked = unique_pairs([base[:5] + "N" + base[6:11] + "R" + base[12:17] + c for c in "ACGTRYKM"])
    else:
        asked = [read_sequences(base[n : n + 60]) for n in range(8)]
    got = ask_each(sealed.actor, asked)
    assert got[-1] == "not-decided", got
    assert "not-decided" not in got[:-3]
    assert stops()


@pytest.mark.req("A6")
def test_accounts_of_one_laboratory_or_party_walk_together(sealed: Sealed) -> None:
    neighbour = make_user(Role.ANALYST, laboratory=make_laboratory())  # of the same Party
    name(sealed)
    name(sealed, person=neighbour.email)
    actors = [sealed.actor, actor_of(sealed.colleague), actor_of(neighbour)]
    asked = unique_pairs([BASES[100 + n : 118 + n] for n in range(8)])
    got = [answers(actors[n % 3], each)[0][0] for n, each in enumerate(asked)]
    assert got == ["not-found"] * 7 + ["not-decided"]


@pytest.mark.req("A6")
def test_strangers_who_walk_together_are_told_to_the_owner(sealed: Sealed) -> None:
    stranger = make_user(
        Role.ANALYST, party=make_party("FR"), laboratory=make_laboratory(party=make_party("FR"))
    )
    name(sealed)
    name(sealed, person=stranger.email)
    actors = [sealed.actor, actor_of(stranger)]
    for number, each in enumerate(unique_pairs([BASES[100 + n : 118 + n] for n in range(10)])):
        assert answers(actors[number % 2], each) == [["not-found"]]
    assert not stops()
    subjects = db.session.scalars(select(OutgoingMail.subject)).all()
    assert subjects == ["labhub: questions of several people to your sealed sequences belong together"]


@pytest.mark.req("A6")
def test_repetitions_and_different_places_are_no_walk(sealed: Sealed) -> None:
    name(sealed)
    for _again in range(12):
        assert answers(sealed.actor, pair()) == [["found"]]
    parts = [BASES[start : start + 18] for start in range(0, 360, 18)]
    assert "not-decided" not in ask_each(sealed.actor, unique_pairs(parts))


@pytest.mark.req("A6")
def test_stop_is_lifted_by_owner_or_secretariat_with_a_reason(sealed: Sealed, fake_clock: FakeClock) -> None:
    name(sealed)
    asked = unique_pairs([BASES[100 + n : 118 + n] for n in range(9)])
    ask_each(sealed.actor, asked)
    assert answers(actor_of(sealed.colleague), pair()) == [["not-decided"]]
    secretariat = actor_of(make_user(Role.SECRETARIAT))
    (case,) = queries.stop_cases(secretariat)
    assert case.questions == 8
    stranger = actor_of(make_user(Role.MANAGER, laboratory=make_laboratory()))
    assert queries.stop_cases(stranger) == []
    with pytest.raises(NotFound), transaction():
        commands.lift_stop(stranger, case.key, reason="x")
    with pytest.raises(Invalid), transaction():
        commands.lift_stop(sealed.owner, case.key, reason="")
    with transaction():
        commands.lift_stop(sealed.owner, case.key, reason="They designed an assay with us")
    fake_clock.forward(seconds=1)
    with pytest.raises(Conflict), transaction():
        commands.lift_stop(secretariat, case.key, reason="x")
    assert answers(actor_of(sealed.colleague), pair()) == [["found"]]
    later = unique_pairs([BASES[110 + n : 128 + n] for n in range(8)])
    assert ask_each(sealed.actor, later) == ["not-found"] * 7 + ["not-decided"]


def test_words_are_forgotten_and_no_question_is_kept(sealed: Sealed, fake_clock: FakeClock) -> None:
    name(sealed)
    answers(sealed.actor, pair())
    assert db.session.scalar(select(func.count()).select_from(SealedWord)) > 100
    fake_clock.forward(days=91)
    with transaction():
        assert commands.forget_words() > 100
    assert db.session.scalar(select(func.count()).select_from(SealedWord)) == 0
    assert db.session.scalar(select(func.count()).select_from(SealedQuestion)) == 1


# What the owner learns


@pytest.mark.req("G6")
def test_every_use_is_shown_to_the_owner_without_what_was_asked(
    sealed: Sealed, fake_clock: FakeClock
) -> None:
    name(sealed)
    answers(sealed.actor, pair())
    answers(sealed.actor, pair(MISSING))
    rows = db.session.execute(queries.uses_of(sealed.record).order_by(SealedUse.id)).mappings().all()
    assert [(row["person"], row["kind"], row["door"], row["answer"]) for row in rows] == [
        (sealed.user.name, "search", "api", SealedAnswer.FOUND),
        (sealed.user.name, "search", "api", SealedAnswer.NOT_FOUND),
    ]
    text = queries.uses_csv(sealed.record).decode()
    assert text.count("\n") == 3
    assert FORWARD not in text
    actions = db.session.scalars(select(AuditEntry.action).where(AuditEntry.action == "sealed.ask")).all()
    assert len(actions) == 2
    fake_clock.forward(hours=1)
    with transaction():
        assert commands.report_uses() == 1
    mail = db.session.scalars(select(OutgoingMail.body)).all()[-1]
    assert f"{sealed.user.name} · {sealed.record.accession} · 2" in mail


@pytest.mark.req("G6")
def test_reading_and_downloading_bases_are_noted_first(sealed: Sealed, client: FlaskClient) -> None:
    name(sealed, SealedRight.SEE, person=sealed.user.email)
    headers = bearer(sealed.user, Scope.READ)
    address = f"/api/v1/sequences/{sealed.record.accession}"
    for _again in range(2):
        assert client.get(address, headers=headers).status_code == 200
        assert client.get(f"{address}/download", headers=headers).status_code == 200
    kinds = db.session.scalars(select(SealedUse.kind).order_by(SealedUse.id)).all()
    assert kinds == ["bases", "download", "download"]
    analyst = make_user(Role.ANALYST, laboratory=db.session.get(Laboratory, sealed.record.laboratory_id))
    assert client.get(address, headers=bearer(analyst)).status_code == 200  # sees no bases
    assert db.session.scalar(select(func.count()).select_from(SealedUse)) == 3


@pytest.mark.req("A5")
def test_work_is_the_same_whatever_is_found(sealed: Sealed) -> None:
    name(sealed)
    works = set()
    for forward in (FORWARD, MISSING[:22], BASES[20:42]):
        asked = commands.ask(sealed.actor, pair(forward, probe=PROBE), door="api")
        assert asked.work is not None
        works.add((asked.work.records, asked.work.bases, asked.work.comparisons))
    assert len(works) == 1
    statements: list[list[str]] = []
    got: list[Any] = []
    hidden = (BASES[600:622], reverse_complement(BASES[760:782]), BASES[700:722])
    for parts in (hidden, tuple(make_bases(22, seed=n) for n in (91, 92, 93))):
        statements.append([])
        listened: Any = statements[-1]
        hook = lambda _c, _cu, statement, *_rest, into=listened: into.append(statement)  # noqa: E731
        event.listen(db.engine, "before_cursor_execute", hook)
        got.append(answers(sealed.actor, pair(*parts)))
        event.remove(db.engine, "before_cursor_execute", hook)
    assert got == [[["found"]], [["not-found"]]]
    assert statements[0] == statements[1]
