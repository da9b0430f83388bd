"""Who may do what: one table, closed by default. Read with ``docs/permissions.md``.

``RULES[action][role]`` is a condition on (actor, grant, subject); an action or role that is not
in the table is refused. Reading rows is ruled by the ``visible_…(actor)`` queries.
"""

from collections.abc import Callable
from typing import Any

from labhub.accounts.actor import LABORATORY_ROLES, Actor, Grant, Role
from labhub.errors import NotAllowed
from labhub.i18n import _

Condition = Callable[[Actor, Grant, Any], bool]


def always(actor: Actor, grant: Grant, subject: Any) -> bool:
    """Every holder of the role."""
    return True


def signed_in(actor: Actor, grant: Grant, subject: Any) -> bool:
    """Everybody who has signed in, whatever the role."""
    return actor.user_id is not None


def oneself(actor: Actor, grant: Grant, subject: Any) -> bool:
    """Only the person whom the record belongs to."""
    return actor.user_id is not None and subject is not None and subject.user_id == actor.user_id


def own_laboratory(actor: Actor, grant: Grant, subject: Any) -> bool:
    """The role is held for the laboratory of the record."""
    return grant.laboratory_id is not None and getattr(subject, "laboratory_id", None) == grant.laboratory_id


def own_party(actor: Actor, grant: Grant, subject: Any) -> bool:
    """The role is held for the Party of the record."""
    return grant.party_id is not None and getattr(subject, "party_id", None) == grant.party_id


def own_party_person(actor: Actor, grant: Grant, subject: Any) -> bool:
    """A person of the Party that the role is held for, and only for the Party's own laboratories."""
    laboratory = getattr(subject, "laboratory", None)
    return (
        own_party(actor, grant, subject)
        and getattr(subject, "role", None) in (Role.PARTICIPANT, *LABORATORY_ROLES)
        and (laboratory is None or laboratory.party_id == grant.party_id)
    )


def own_laboratory_analyst(actor: Actor, grant: Grant, subject: Any) -> bool:
    """An analyst of the laboratory that the role is held for, and of no other Party than the laboratory's."""
    laboratory = getattr(subject, "laboratory", None)
    return (
        own_laboratory(actor, grant, subject)
        and getattr(subject, "role", None) is Role.ANALYST
        and getattr(subject, "party_id", None) in (None, laboratory.party_id if laboratory else None)
    )


def not_own_submission(actor: Actor, grant: Grant, subject: Any) -> bool:
    """A second person: neither who submitted the record nor anybody who wrote on it."""
    return actor.user_id is not None and actor.user_id not in (
        getattr(subject, "submitted_by_id", None),
        getattr(subject, "created_by_id", None),
        *(getattr(subject, "editor_ids", None) or ()),
    )


def own_discussion(actor: Actor, grant: Grant, subject: Any) -> bool:
    """The moderator is named for the discussion of the record."""
    return actor.user_id is not None and actor.user_id in getattr(subject, "moderator_ids", ())


R = Role

RULES: dict[str, dict[Role, Condition]] = {
    # accounts
    "account.read": {R.VISITOR: signed_in},
    "account.change": {R.VISITOR: signed_in},
    "token.create": {R.VISITOR: signed_in},
    "token.revoke": {R.VISITOR: oneself},
    "session.end": {R.VISITOR: oneself},
    "join.request": {R.VISITOR: always},
    "join.read": {R.FOCAL_POINT: own_party, R.MANAGER: own_laboratory, R.SECRETARIAT: always},
    "join.decide": {
        R.FOCAL_POINT: own_party_person,
        R.MANAGER: own_laboratory_analyst,
        R.SECRETARIAT: always,
    },
    "person.nominate": {
        R.FOCAL_POINT: own_party_person,
        R.MANAGER: own_laboratory_analyst,
        R.SECRETARIAT: always,
    },
    "role.grant": {R.SECRETARIAT: always},
    "role.grant-administrator": {R.ADMINISTRATOR: always},
    "user.disable": {R.SECRETARIAT: always, R.ADMINISTRATOR: always},
    "user.list": {R.SECRETARIAT: always, R.ADMINISTRATOR: always},
    "laboratory.create": {R.SECRETARIAT: always},
    "laboratory.change": {R.MANAGER: own_laboratory, R.SECRETARIAT: always},
    "party.change": {R.SECRETARIAT: always},
    "audit.read": {R.SECRETARIAT: always, R.ADMINISTRATOR: always},
    # long work
    "job.cancel": {R.VISITOR: oneself},
    "job.faults": {R.ADMINISTRATOR: always},
    # LMOs
    "lmo.change": {R.SECRETARIAT: always},
    "element.change": {R.SECRETARIAT: always},
    # sequences
    "sequence.create": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory},
    "sequence.change": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory},
    "sequence.submit": {R.MANAGER: own_laboratory},
    "sequence.review": {R.REVIEWER: not_own_submission, R.SECRETARIAT: not_own_submission},
    "sequence.publish": {R.REVIEWER: not_own_submission, R.SECRETARIAT: not_own_submission},
    "sequence.withdraw": {
        R.MANAGER: own_laboratory,
        R.REVIEWER: not_own_submission,
        R.SECRETARIAT: not_own_submission,
    },
    "sequence.seal": {R.MANAGER: own_laboratory},
    "insilico.run": {R.VISITOR: signed_in},
    "identify.run": {R.VISITOR: signed_in},
    "sealed.grant": {R.MANAGER: own_laboratory},
    "sealed.read-uses": {R.MANAGER: own_laboratory},
    "sealed.use": {R.ANALYST: always, R.MANAGER: always, R.FOCAL_POINT: always, R.SECRETARIAT: always},
    "sealed.lift": {R.MANAGER: own_laboratory, R.SECRETARIAT: always},
    # methods
    "method.create": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory},
    "method.change": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory},
    "method.submit": {R.MANAGER: own_laboratory},
    "method.review": {R.REVIEWER: not_own_submission, R.SECRETARIAT: not_own_submission},
    "method.publish": {R.REVIEWER: not_own_submission, R.SECRETARIAT: not_own_submission},
    "method.withdraw": {
        R.MANAGER: own_laboratory,
        R.REVIEWER: not_own_submission,
        R.SECRETARIAT: not_own_submission,
    },
    "method.comment": {
        R.ANALYST: own_laboratory,
        R.MANAGER: own_laboratory,
        R.REVIEWER: always,
        R.SECRETARIAT: always,
    },
    "method.recall": {R.MANAGER: own_laboratory, R.REVIEWER: always, R.SECRETARIAT: always},
    "method.follow-recall": {
        R.ANALYST: own_laboratory,
        R.MANAGER: own_laboratory,
        R.REVIEWER: always,
        R.SECRETARIAT: always,
    },
    "verification.create": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory},
    "verification.change": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory},
    "verification.publish": {R.MANAGER: own_laboratory},
    "verification.hide": {R.REVIEWER: not_own_submission, R.SECRETARIAT: not_own_submission},
    # the network: what laboratories can run, and the names of methods
    "capability.change": {R.MANAGER: own_laboratory},
    "conflict.refresh": {R.REVIEWER: always, R.SECRETARIAT: always},
    "saved-search.create": {R.VISITOR: signed_in},
    "saved-search.change": {R.VISITOR: oneself},
    # cases
    "case.list": {R.ANALYST: always, R.MANAGER: always, R.FOCAL_POINT: always},
    "case.create": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory, R.FOCAL_POINT: own_party},
    "case.change": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory, R.FOCAL_POINT: own_party},
    "case.assign": {R.FOCAL_POINT: own_party},
    "case.notify": {R.FOCAL_POINT: own_party},
    "sample.create": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory, R.FOCAL_POINT: own_party},
    "sample.change": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory, R.FOCAL_POINT: own_party},
    "sample.receive": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory},
    "custody.add": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory, R.FOCAL_POINT: own_party},
    "analysis.create": {R.ANALYST: own_laboratory, R.MANAGER: own_laboratory},
    # discussions
    "discussion.create": {R.SECRETARIAT: always},
    "discussion.change": {R.SECRETARIAT: always},
    "discussion.counts": {R.SECRETARIAT: always, R.MODERATOR: own_discussion},
    "topic.create": {R.MODERATOR: own_discussion, R.SECRETARIAT: always},
    "post.create": {R.PARTICIPANT: always, R.MODERATOR: own_discussion, R.SECRETARIAT: always},
    "post.moderate": {R.MODERATOR: own_discussion, R.SECRETARIAT: always},
    # counts
    "indicator.by-party": {R.FOCAL_POINT: own_party, R.SECRETARIAT: always},
    "indicator.records": {R.SECRETARIAT: always},
    "usage.read": {R.SECRETARIAT: always},
}

ADMINISTRATIVE = frozenset(
    {
        "account.change",
        "token.create",
        "token.revoke",
        "session.end",
        "join.decide",
        "person.nominate",
        "role.grant",
        "role.grant-administrator",
        "user.disable",
        "laboratory.create",
        "party.change",
        "sealed.grant",
        "sealed.lift",
    }
)
"""Actions for which a bearer token needs the scope ``admin``."""

VISITOR_GRANT = Grant(Role.VISITOR)


def can(actor: Actor | None, action: str, subject: Any = None) -> bool:
    """Whether the table lets ``actor`` do ``action`` to ``subject``."""
    rules = RULES[action]
    actor = actor or Actor()
    if actor.operator:
        return True
    grants = (VISITOR_GRANT, *actor.grants)
    return any(grant.role in rules and rules[grant.role](actor, grant, subject) for grant in grants)


def may_ever(actor: Actor | None, action: str) -> bool:
    """Whether any role of ``actor`` stands in the row of ``action`` at all: the door's first question."""
    rules = RULES[action]
    actor = actor or Actor()
    if actor.operator:
        return True
    if Role.VISITOR in rules and (actor.user_id is not None or rules[Role.VISITOR] is always):
        return True
    return any(grant.role in rules for grant in actor.grants)


def require(actor: Actor | None, action: str, subject: Any = None) -> None:
    """Raise ``NotAllowed`` unless the table lets ``actor`` do ``action`` to ``subject``."""
    if not can(actor, action, subject):
        raise NotAllowed(_("Your role does not allow this here. Ask the Secretariat if you think it should."))
