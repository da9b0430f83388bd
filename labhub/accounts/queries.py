"""Everything that reads accounts: who a person is now, and which records an actor may see."""

from datetime import date, timedelta
from hashlib import sha256

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import selectinload

from labhub import clock
from labhub.accounts.actor import Actor, Grant, Role, Scope
from labhub.accounts.models import (
    ApiToken,
    GroupKind,
    GroupMembership,
    JoinRequest,
    Laboratory,
    LoginSession,
    Party,
    PartyStatus,
    StatusKind,
    User,
)
from labhub.accounts.policy import can
from labhub.db import db
from labhub.errors import NotFound
from labhub.i18n import _
from labhub.names import name_key

IDLE = timedelta(minutes=60)
LONGEST_SESSION = timedelta(hours=12)
ADMINISTRATOR_IDLE = timedelta(minutes=15)
ADMINISTRATOR_LONGEST_SESSION = timedelta(hours=8)


def digest(secret: str) -> str:
    """Return the SHA-256 under which a token or session key is kept."""
    return sha256(secret.encode()).hexdigest()


def actor_of(user: User, *, scope: Scope | None = None, session_id: int | None = None) -> Actor:
    """Return the actor with the rights that the person holds at this moment."""
    affiliation = user.affiliation
    return Actor(
        user_id=user.id,
        name=user.name,
        party_id=affiliation.party_id if affiliation else None,
        organisation=affiliation.organisation if affiliation else "",
        grants=frozenset(Grant(g.role, g.laboratory_id, g.party_id) for g in user.current_grants),
        scope=scope,
        session_id=session_id,
    )


def user_by_email(email: str) -> User | None:
    """Return the account of an address, or nothing."""
    return db.session.scalar(select(User).where(User.email_key == name_key(email)))


def user_by_id(user_id: int) -> User:
    """Return an account by its number."""
    user = db.session.get(User, user_id)
    if user is None:
        raise NotFound(_("There is no account %(number)s.", number=user_id))
    return user


def _with_rights() -> tuple[object, ...]:
    return (selectinload(User.affiliations), selectinload(User.grants))


def session_user(key: str) -> tuple[LoginSession, User] | None:
    """Return the live session that a cookie names and its person; nothing once it ended or ran out."""
    row = db.session.scalar(
        select(LoginSession)
        .where(LoginSession.key_hash == digest(key))
        .options(selectinload(LoginSession.user).options(*_with_rights()))  # type: ignore[arg-type]
    )
    if row is None or row.ended_at is not None or not row.user.active:
        return None
    is_administrator = row.user.has_role(Role.ADMINISTRATOR)
    idle = ADMINISTRATOR_IDLE if is_administrator else IDLE
    longest = ADMINISTRATOR_LONGEST_SESSION if is_administrator else LONGEST_SESSION
    now = clock.now()
    if now - row.seen_at >= idle or now - row.started_at >= longest:
        return None
    return row, row.user


def token_user(token: str) -> tuple[ApiToken, User] | None:
    """Return a live bearer token and its person; nothing once it is revoked or has expired."""
    row = db.session.scalar(
        select(ApiToken)
        .where(ApiToken.token_hash == digest(token))
        .options(selectinload(ApiToken.user).options(*_with_rights()))  # type: ignore[arg-type]
    )
    if row is None or row.revoked_at is not None or row.expires_at <= clock.now() or not row.user.active:
        return None
    return row, row.user


def own_tokens(actor: Actor) -> list[ApiToken]:
    """Return the actor's tokens, newest first, revoked ones too."""
    return list(
        db.session.scalars(
            select(ApiToken).where(ApiToken.user_id == actor.user_id).order_by(ApiToken.id.desc())
        )
    )


def find_own_token(actor: Actor, token_id: int) -> ApiToken:
    """Return one of the actor's own tokens."""
    row = db.session.scalar(
        select(ApiToken).where(ApiToken.id == token_id, ApiToken.user_id == actor.user_id)
    )
    if row is None:
        raise NotFound(_("You have no token %(number)s.", number=token_id))
    return row


def own_sessions(actor: Actor) -> list[LoginSession]:
    """Return the actor's browsers that are signed in."""
    return list(
        db.session.scalars(
            select(LoginSession)
            .where(LoginSession.user_id == actor.user_id, LoginSession.ended_at.is_(None))
            .order_by(LoginSession.seen_at.desc())
        )
    )


def parties() -> list[Party]:
    """Return all Parties and non-Parties by English name."""
    return list(db.session.scalars(select(Party).order_by(Party.name_en)))


def find_party(iso2: str) -> Party:
    """Return a Party by its two-letter code, whatever the case."""
    party = db.session.scalar(select(Party).where(Party.iso2 == iso2.strip().upper()))
    if party is None:
        raise NotFound(_("There is no Party %(code)s. Use the two-letter ISO 3166 code.", code=iso2))
    return party


def party_names(party_ids: set[int]) -> dict[int, Party]:
    """Return Parties by their number."""
    return {p.id: p for p in db.session.scalars(select(Party).where(Party.id.in_(party_ids)))}


def status_on(party: Party, day: date) -> StatusKind | None:
    """Return whether the State was a Party on ``day``; nothing when no dated row says so."""
    return next((row.status for row in party.statuses if _holds(row, day)), None)


def groups_on(party: Party, day: date) -> frozenset[GroupKind]:
    """Return the groups that the State belonged to on ``day``."""
    return frozenset(row.group for row in party.groups if _holds(row, day))


def _holds(row: PartyStatus | GroupMembership, day: date) -> bool:
    return (row.from_on is None or row.from_on <= day) and (row.until_on is None or day < row.until_on)


def visible_laboratories(actor: Actor | None) -> Select[Laboratory]:
    """Select laboratories: all are public."""
    return select(Laboratory)


def find_laboratory(actor: Actor | None, code: str) -> Laboratory:
    """Return a laboratory by its code, whatever the case."""
    row = db.session.scalar(
        visible_laboratories(actor)
        .where(Laboratory.code == code.strip())
        .options(selectinload(Laboratory.party))
    )
    if row is None:
        raise NotFound(_("There is no laboratory %(code)s.", code=code))
    return row


def laboratory_by_id(laboratory_id: int) -> Laboratory:
    """Return a laboratory by its number."""
    return db.session.get_one(Laboratory, laboratory_id)


def own_laboratories(actor: Actor) -> list[Laboratory]:
    """Return the laboratories that the actor works in."""
    return list(
        db.session.scalars(
            select(Laboratory).where(Laboratory.id.in_(actor.laboratory_ids)).order_by(Laboratory.name)
        )
    )


def visible_join_requests(actor: Actor | None) -> Select[JoinRequest]:
    """Select requests to join that the actor decides: own Party's, own laboratory's, all for the Secretariat."""
    if actor is None:
        return select(JoinRequest).where(JoinRequest.id < 0)
    if actor.operator or actor.has(Role.SECRETARIAT):
        return select(JoinRequest)
    managed = [g.laboratory_id for g in actor.grants if g.role is Role.MANAGER]
    return select(JoinRequest).where(
        or_(JoinRequest.party_id.in_(actor.focal_party_ids), JoinRequest.laboratory_id.in_(managed))
    )


def find_join_request(actor: Actor | None, request_id: int) -> JoinRequest:
    """Return a request to join that the actor may decide."""
    row = db.session.scalar(visible_join_requests(actor).where(JoinRequest.id == request_id))
    if row is None or not can(actor, "join.read", row):
        raise NotFound(_("There is no request %(number)s.", number=request_id))
    return row


def people_with_role(role: Role) -> list[User]:
    """Return the active people who hold a role now."""
    users = db.session.scalars(select(User).where(User.active).options(*_with_rights()))  # type: ignore[arg-type]
    return [user for user in users if user.has_role(role)]


def focal_points_of(party_id: int) -> list[User]:
    """Return the focal points of a Party."""
    return [
        user
        for user in people_with_role(Role.FOCAL_POINT)
        if any(g.role is Role.FOCAL_POINT and g.party_id == party_id for g in user.current_grants)
    ]


def members_of(laboratory_id: int, *roles: Role) -> list[User]:
    """Return the people of a laboratory who hold one of ``roles`` there."""
    users = db.session.scalars(select(User).where(User.active).options(*_with_rights()))  # type: ignore[arg-type]
    return [
        user
        for user in users
        if any(g.laboratory_id == laboratory_id and g.role in roles for g in user.current_grants)
    ]


def people_like(q: str, limit: int, offset: int) -> tuple[list[User], int]:
    """Return accounts whose name or address contains ``q``, and how many there are."""
    query = select(User)
    if q:
        pattern = f"%{q.casefold().replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
        query = query.where(
            or_(User.email_key.like(pattern, escape="!"), func.lower(User.name).like(pattern, escape="!"))
        )
    total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = db.session.scalars(query.order_by(User.name, User.id).limit(limit).offset(offset))
    return list(rows), total
