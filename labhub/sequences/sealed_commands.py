"""What is done with sealed records: name who may use and see them, ask, note every use, stop walks."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import delete, insert, select, update

from labhub import audit, clock, outbox
from labhub.accounts import commands as accounts
from labhub.accounts import queries as account_queries
from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory, Party, User
from labhub.accounts.policy import require
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, Refusal, TooMany
from labhub.i18n import Text, _
from labhub.names import clean_name
from labhub.sequences import queries as sequences
from labhub.sequences import sealed_matching as matching
from labhub.sequences import sealed_queries as queries
from labhub.sequences import sealed_walks as walks
from labhub.sequences.models import ReferenceSequence, Visibility
from labhub.sequences.sealed_grant_queries import SEEING_ROLES, USING_ROLES
from labhub.sequences.sealed_models import (
    QuestionState,
    SealedAnswer,
    SealedGrant,
    SealedQuestion,
    SealedQuestionScope,
    SealedRight,
    SealedStop,
    SealedUse,
    SealedUseKind,
    SealedWord,
)
from labhub.sequences.sealed_queries import Usable
from labhub.sequences.sealed_walks import Question, Refused

KEY: list[bytes] = []
"""Key of the digests of words, set by ``create_app``; a list so that tests can set another."""
LONGEST_REASON = 1_000
NOTED_ONCE_IN = timedelta(hours=24)
"""Looking at a page again within this time is one use."""


# Grants ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grantee:
    """Whom the owner names: one of the three."""

    person: str = ""
    """E-mail address."""
    laboratory: str = ""
    party: str = ""


def grant(
    actor: Actor,
    accession: str,
    right: SealedRight,
    grantee: Grantee,
    *,
    reason: str,
    until_on: date | None = None,
) -> SealedGrant:
    """Name a person, a laboratory or a Party that may use (or see) a sealed record from now on."""
    sequence = queries.find_own_sealed(actor, accession)
    reason = _reason(reason, "reason")
    if until_on is not None and until_on < clock.now().date():
        raise Invalid(_("The last day lies in the past."), field="until_on")
    user, laboratory, party = _named(grantee, right)
    same = queries.same_grant(
        sequence,
        right,
        user_id=user.id if user else None,
        laboratory_id=laboratory.id if laboratory else None,
        party_id=party.id if party else None,
    )
    if same is not None:
        raise Conflict(
            _("This is granted already. Revoke that grant first to change its last day or reason.")
        )
    row = SealedGrant(
        sequence_id=sequence.id,
        right=right,
        user=user,
        laboratory=laboratory,
        party=party,
        reason=reason,
        granted_at=clock.now(),
        granted_by_id=actor.user_id,
        until_on=until_on,
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        actor,
        "sealed.grant",
        "sequence",
        sequence.accession,
        version=sequence.row_version,
        after=_facts(row),
        reason=reason,
    )
    if right is SealedRight.SEE:
        _tell(
            (each for each in _managers(sequence.laboratory_id) if each.id != actor.user_id),
            _("labhub: somebody may see a sealed sequence"),
            _(
                "%(who)s may now see the bases of the sealed sequence %(accession)s of your laboratory. "
                "Reason: %(reason)s\n\n%(link)s\n",
                who=queries.grantee_name(row),
                accession=sequence.accession,
                reason=reason,
                link=_link(sequence.accession),
            ),
        )
    return row


def _named(grantee: Grantee, right: SealedRight) -> tuple[User | None, Laboratory | None, Party | None]:
    given = [
        name
        for name, text in (
            ("person", grantee.person),
            ("laboratory", grantee.laboratory),
            ("party", grantee.party),
        )
        if text.strip()
    ]
    if len(given) != 1:
        raise Invalid(_("Name a person, a laboratory or a Party: exactly one."), field="person")
    if given == ["party"] and right is SealedRight.SEE:
        raise Invalid(
            _("A Party cannot be named to see bases; name a person or a laboratory."), field="party"
        )
    if given == ["laboratory"]:
        return None, account_queries.named_laboratory(grantee.laboratory), None
    if given == ["party"]:
        return None, None, account_queries.named_party(grantee.party)
    user = account_queries.user_by_email(grantee.person)
    roles = SEEING_ROLES if right is SealedRight.SEE else USING_ROLES
    if user is None or not user.active or not any(user.has_role(role) for role in roles):
        raise Invalid(
            _(
                "There is no person with this address whose role allows it (laboratory; to use also focal "
                "point or Secretariat)."
            ),
            field="person",
        )
    return user, None, None


def revoke(actor: Actor, accession: str, grant_id: int, *, reason: str) -> SealedGrant:
    """End a grant at once."""
    sequence = queries.find_own_sealed(actor, accession)
    reason = _reason(reason, "reason")
    row = queries.find_grant(sequence, grant_id)
    if row.revoked_at is not None:
        raise Conflict(_("This grant is revoked already."))
    row.revoked_at, row.revoked_by_id, row.revoke_reason = clock.now(), actor.user_id, reason
    db.session.flush()
    audit.record(
        actor,
        "sealed.revoke",
        "sequence",
        sequence.accession,
        version=sequence.row_version,
        before=_facts(row),
        reason=reason,
    )
    return row


def _facts(row: SealedGrant) -> dict[str, object]:
    """Return what the trail keeps of a grant; persons by number."""
    return {
        "grant": row.id,
        "right": row.right,
        "user": row.user_id,
        "laboratory": row.laboratory_id,
        "party": row.party_id,
        "until": row.until_on,
    }


def _reason(text: str, field: str) -> str:
    if not text.strip():
        raise Invalid(_("Give the reason."), field=field)
    return clean_name(text, field=field, longest=LONGEST_REASON)


# Asking ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What a request was answered: for each question the answer by event, or the refusal."""

    answers: tuple[tuple[tuple[Usable, SealedAnswer], ...], ...] = ()
    refusal: Refusal | None = None
    work: matching.Work | None = None


@dataclass(frozen=True)
class _Noted:
    """A question that was counted: its row, and the owners in whose records it is not answered."""

    id: int
    stopped: frozenset[int]


def ask(actor: Actor, questions: Sequence[Question | Refused], *, door: str) -> Asked:
    """Ask whether questions are found in the sealed records that the actor may use.

    First every question is counted, noted for the owners and compared with earlier ones, and that is
    committed; then all records are searched whole, whatever was decided; then the answers are noted. A
    refusal is returned, not raised: what was refused counts.
    """
    require(actor, "sealed.use")
    with transaction():
        queries.lock_scopes(actor)
        refusal = _over_the_limit(actor, len(questions))
        if refusal is not None:
            return Asked(refusal=refusal)
        refusal = _refusal_of(questions)
        scopes = queries.scopes_of(actor)
        if refusal is not None:
            for _each in questions:
                _count(actor, scopes, QuestionState.REFUSED, None)
            return Asked(refusal=refusal)
        records = queries.usable_records(actor)
        asked = [each for each in questions if isinstance(each, Question)]
        noted = [_note(actor, scopes, question, records, door) for question in asked]
        if records:
            audit.record(
                actor,
                "sealed.ask",
                "sequence",
                records[0].accession if len(records) == 1 else f"{len(records)} sealed",
                after={"questions": len(asked), "accessions": [each.accession for each in records]},
            )
    found, work = matching.search(asked, queries.bases_for_search(records))
    answers = [
        [
            SealedAnswer.NOT_DECIDED
            if record.owner_id in note.stopped and not record.is_seen
            else (SealedAnswer.FOUND if is_found else SealedAnswer.NOT_FOUND)
            for record, is_found in zip(records, row, strict=True)
        ]
        for note, row in zip(noted, found, strict=True)
    ]
    with transaction():
        for note, row in zip(noted, answers, strict=True):
            for record, answer in zip(records, row, strict=True):
                db.session.execute(
                    update(SealedUse)
                    .where(SealedUse.question_id == note.id, SealedUse.sequence_id == record.id)
                    .values(answer=answer)
                )
    return Asked(tuple(tuple(queries.by_event(records, row)) for row in answers), None, work)


def _over_the_limit(actor: Actor, count: int) -> Refusal | None:
    if count > walks.MOST_QUESTIONS:
        return Invalid(
            _("One request asks at most %(most)s questions; split it.", most=walks.MOST_QUESTIONS),
            field="sequences",
        )
    allowance = queries.allowance(actor)
    if count <= allowance.left:
        return None
    wait = int((allowance.ends_at - clock.now()).total_seconds()) + 1
    return TooMany(
        _(
            "Today %(left)s free questions to sealed sequences are left for you or your laboratory. The "
            "count begins anew at midnight UTC; published methods are answered without limit.",
            left=allowance.left,
        ),
        retry_after=wait,
    )


def _refusal_of(questions: Sequence[Question | Refused]) -> Refusal | None:
    errors: dict[str, list[Text]] = {}
    for each in questions:
        if isinstance(each, Refused):
            errors.update(each.errors)
    if errors:
        return Invalid(
            _("The question was not asked; like every question it counts for today."), errors=errors
        )
    return None if questions else Invalid(_("Give two primers, or a sequence."), field="forward")


def _count(actor: Actor, scopes: Collection[str], state: QuestionState, mark: int | None) -> SealedQuestion:
    row = SealedQuestion(at=clock.now(), user_id=actor.user_id, state=state, mark=mark)
    db.session.add(row)
    db.session.flush()
    db.session.execute(
        insert(SealedQuestionScope), [{"scope": scope, "question_id": row.id} for scope in scopes]
    )
    return row


def _note(
    actor: Actor, scopes: Collection[str], question: Question, records: Sequence[Usable], door: str
) -> _Noted:
    """Count a question, keep the digests of its words, and decide whose records it is not answered for."""
    words = walks.words_of(question, KEY[0])
    mark = walks.mark_of(question, KEY[0])
    owners = sorted({record.owner_id for record in records if not record.is_seen})
    lifted = queries.lifted_since(scopes)
    stopped = queries.stopped_owners(scopes) & set(owners)
    near, chained = queries.linked(words, scopes, datetime.min.replace(tzinfo=clock.now().tzinfo))
    for owner in owners:
        since = lifted.get(owner)
        counted = [past.mark for past in near if since is None or past.at > since]
        hanging = [past.mark for past in chained if since is None or past.at > since]
        if owner not in stopped and walks.is_walk(mark, counted, hanging):
            size = max(len({mark, *counted}), len({mark, *hanging}))
            _stop(actor, scopes, owner, size)
            stopped.add(owner)
    if owners and not stopped:
        _look_across(mark, words, owners)
    state = QuestionState.STOPPED if stopped else QuestionState.ASKED
    row = _count(actor, scopes, state, mark)
    db.session.execute(
        insert(SealedWord),
        [
            {"digest": digest, "question_id": row.id, "is_long": is_long}
            for digest, is_long in sorted(words.items())
        ],
    )
    if records:
        db.session.execute(
            insert(SealedUse),
            [
                {
                    "at": row.at,
                    "sequence_id": record.id,
                    "user_id": actor.user_id,
                    "kind": SealedUseKind.SEARCH,
                    "door": door,
                    "answer": SealedAnswer.NOT_DECIDED,
                    "question_id": row.id,
                }
                for record in records
            ],
        )
    return _Noted(row.id, frozenset(stopped))


def _stop(actor: Actor, scopes: Collection[str], owner_id: int, size: int) -> None:
    """Stop the person and the laboratories in the records of an owner, and tell the owner."""
    held = [scope for scope in scopes if not scope.startswith("party:")]
    key = secrets.token_hex(16)
    for scope in held:
        db.session.add(
            SealedStop(
                case_key=key,
                owner_id=owner_id,
                scope=scope,
                user_id=actor.user_id,
                at=clock.now(),
                questions=size,
            )
        )
    db.session.flush()
    audit.record(
        actor, "sealed.stop", "sealed-stop", key, after={"owner": owner_id, "scopes": held, "questions": size}
    )
    _tell(
        _managers(owner_id),
        _("labhub: free searches in your sealed sequences were stopped"),
        _(
            "%(number)s questions of %(name)s to your sealed sequences belong together like the steps of a "
            "walk along a sequence. The person and the laboratory get no further answers from your records "
            "until you or the Secretariat lift the stop, with a reason:\n\n%(link)s\n",
            number=size,
            name=actor.name,
            link=f"{accounts.BASE_URL[0]}/sealed/stops",
        ),
    )


def _look_across(mark: int, words: Mapping[int, bool], owners: Collection[int]) -> None:
    """Tell the owners, once a day, when questions of several askers together look like a walk."""
    near, chained = queries.linked(words, None, datetime.min.replace(tzinfo=clock.now().tzinfo))
    if not walks.is_walk(mark, (past.mark for past in near), [past.mark for past in chained]):
        return
    day = clock.now().date().isoformat()
    for owner in owners:
        if queries.was_warned(owner, day):
            continue
        audit.record(
            None, "sealed.warn", "laboratory", owner, version=day, after={"questions": len(near) + 1}
        )
        _tell(
            _managers(owner),
            _("labhub: questions of several people to your sealed sequences belong together"),
            _(
                "Questions of several people, who are not of one laboratory or Party, to your sealed "
                "sequences belong together like the steps of a walk. Nobody was stopped. See who asked:\n\n"
                "%(link)s\n",
                link=f"{accounts.BASE_URL[0]}/sealed",
            ),
        )


def lift_stop(actor: Actor, case_key: str, *, reason: str) -> None:
    """Answer again after a stop; questions asked before it was lifted no longer count as steps."""
    rows = queries.find_stop(actor, case_key)
    reason = _reason(reason, "reason")
    if rows[0].lifted_at is not None:
        raise Conflict(_("This stop is lifted already."))
    for row in rows:
        row.lifted_at, row.lifted_by_id, row.lift_reason = clock.now(), actor.user_id, reason
    db.session.flush()
    audit.record(
        actor,
        "sealed.lift",
        "sealed-stop",
        case_key,
        before={"owner": rows[0].owner_id, "scopes": [row.scope for row in rows]},
        reason=reason,
    )
    others = [each for each in _managers(rows[0].owner_id) if each.id != actor.user_id]
    asker = account_queries.user_by_id(rows[0].user_id)
    _tell(
        [*others, asker],
        _("labhub: free searches in sealed sequences are answered again"),
        _(
            "The stop of %(name)s in the sealed sequences of %(owner)s is lifted. Reason: %(reason)s\n",
            name=asker.name,
            owner=rows[0].owner.name,
            reason=reason,
        ),
    )


# Other uses -----------------------------------------------------------------------------------


def note_reading(actor: Actor, sequence: ReferenceSequence, kind: SealedUseKind, door: str) -> None:
    """Note that bases of a sealed record are handed out, before the first of them is.

    Called by every door that shows bases, features or digest; does nothing for other records and for who
    does not see them. Looking at a page again within a day is one use.
    """
    if sequence.visibility is not Visibility.SEALED or not sequences.may_see_bases(actor, sequence):
        return
    with transaction():
        since = clock.now() - NOTED_ONCE_IN
        if kind is SealedUseKind.BASES and queries.use_since(actor, [sequence.id], kind, since):
            return
        db.session.add(
            SealedUse(
                at=clock.now(),
                sequence_id=sequence.id,
                user_id=actor.user_id,
                kind=kind,
                door=door,
                answer=None,
            )
        )
        audit.record(
            actor, f"sealed.{kind.value}", "sequence", sequence.accession, version=sequence.row_version
        )


def note_methods_read(actor: Actor, records: Collection[Usable], door: str) -> None:
    """Note that the answers of published methods were shown for these records; once a day and person."""
    if not records or actor.user_id is None:
        return
    with transaction():
        ids = [record.id for record in records]
        known = queries.use_since(actor, ids, SealedUseKind.METHODS, clock.now() - NOTED_ONCE_IN)
        new = [record for record in records if record.id not in known]
        if not new:
            return
        db.session.execute(
            insert(SealedUse),
            [
                {
                    "at": clock.now(),
                    "sequence_id": record.id,
                    "user_id": actor.user_id,
                    "kind": SealedUseKind.METHODS,
                    "door": door,
                    "answer": None,
                }
                for record in new
            ],
        )
        audit.record(
            actor,
            "sealed.methods",
            "sequence",
            new[0].accession if len(new) == 1 else f"{len(new)} sealed",
            after={"accessions": [record.accession for record in new]},
        )


# Jobs -----------------------------------------------------------------------------------------


def forget_words() -> int:
    """Remove the digests of words of questions that are compared no more."""
    old = clock.now() - timedelta(days=walks.DAYS_KEPT)
    ids = select(SealedQuestion.id).where(SealedQuestion.at < old)
    gone = db.session.execute(delete(SealedWord).where(SealedWord.question_id.in_(ids)))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def report_uses() -> int:
    """Mail each owner what was asked of its sealed records in the past seven days; return the mails."""
    ends = clock.now()
    begins = ends - timedelta(days=7)
    count = 0
    for owner in queries.owners_used_between(begins, ends):
        lines = [
            f"{name} · {accession} · {number}"
            for name, accession, number in queries.uses_between(owner, begins, ends)
        ]
        people = _managers(owner)
        count += len(people)
        _tell(
            people,
            _("labhub: uses of your sealed sequences in the past week"),
            _(
                "Person, record, and how often:\n\n%(lines)s\n\nEach use with its time and door is on the "
                "page of the record.\n",
                lines="\n".join(lines[:200]),
            ),
        )
    return count


def _managers(laboratory_id: int) -> list[User]:
    return account_queries.members_of(laboratory_id, Role.MANAGER)


def _tell(people: Iterable[User], subject: Text, body: Text) -> None:
    for user in people:
        outbox.add(user.email, subject, body, language=user.language)


def _link(accession: str) -> str:
    return f"{accounts.BASE_URL[0]}/sequences/{accession}/sealed"
