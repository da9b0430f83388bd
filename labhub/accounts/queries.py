"""Everything that reads accounts: who a person is now, and which records an actor may see."""

import unicodedata
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Select, exists, false, func, or_, select
from sqlalchemy.orm import selectinload

from labhub import clock
from labhub.accounts.actor import Actor, Grant, Role
from labhub.accounts.models import (
    ApiToken,
    GroupKind,
    GroupMembership,
    JoinRequest,
    Laboratory,
    LoginSession,
    Party,
    PartyStatus,
    Region,
    RoleGrant,
    StatusKind,
    User,
)
from labhub.accounts.policy import can
from labhub.accounts.registers import (
    LABORATORY_COLUMNS,
    PARTY_COLUMNS,
    PARTY_LANGUAGES,
    to_csv,
    to_json,
)
from labhub.db import db
from labhub.errors import Invalid, NotFound
from labhub.i18n import _, current_language
from labhub.names import name_key

IDLE = timedelta(minutes=60)
LONGEST_SESSION = timedelta(hours=12)
ADMINISTRATOR_IDLE = timedelta(minutes=15)
ADMINISTRATOR_LONGEST_SESSION = timedelta(hours=8)
CONFIRMED_FOR = timedelta(days=365 + 91)
"""A laboratory's record is confirmed for a year and three months of grace; then it is marked, and shown."""


def digest(secret: str) -> str:
    """Return the SHA-256 under which a token or session key is kept."""
    return sha256(secret.encode()).hexdigest()


def actor_of(user: User, *, token: ApiToken | None = None, session_id: int | None = None) -> Actor:
    """Return the actor with the rights that the person holds at this moment, by token or browser."""
    affiliation = user.affiliation
    return Actor(
        user_id=user.id,
        name=user.name,
        party_id=affiliation.party_id if affiliation else None,
        organisation=affiliation.organisation if affiliation else "",
        grants=frozenset(Grant(g.role, g.laboratory_id, g.party_id) for g in user.current_grants),
        scope=token.scope if token else None,
        token_expires_at=token.expires_at if token else None,
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
    if row is None or not row.user.active or not _is_live(row):
        return None
    return row, row.user


def _is_live(row: LoginSession) -> bool:
    """Whether a session is neither ended nor idle for too long nor too old (``trust.md`` B6)."""
    if row.ended_at is not None:
        return False
    is_administrator = row.user.has_role(Role.ADMINISTRATOR)
    idle = ADMINISTRATOR_IDLE if is_administrator else IDLE
    longest = ADMINISTRATOR_LONGEST_SESSION if is_administrator else LONGEST_SESSION
    now = clock.now()
    return now - row.seen_at < idle and now - row.started_at < longest


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


TOKEN_FIELDS = ("id", "name", "hint", "scope", "created_at", "expires_at", "last_used_at", "revoked_at")
"""What may be shown of a token."""


def list_own_tokens(actor: Actor) -> Select[Any]:
    """Select the actor's tokens, newest first, revoked ones too."""
    columns = [getattr(ApiToken, name) for name in TOKEN_FIELDS]
    return select(*columns).where(ApiToken.user_id == actor.user_id).order_by(ApiToken.id.desc())


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
    rows = db.session.scalars(
        select(LoginSession)
        .where(LoginSession.user_id == actor.user_id, LoginSession.ended_at.is_(None))
        .order_by(LoginSession.seen_at.desc())
    )
    return [row for row in rows if _is_live(row)]


def parties() -> list[Party]:
    """Return all Parties and non-Parties by English name."""
    return list(db.session.scalars(select(Party).order_by(Party.name_en)))


def party_choices() -> list[tuple[str, str]]:
    """Return code and name of every Party and non-Party, in the reader's language and its order."""
    names = [(party.iso2, party.name) for party in db.session.scalars(select(Party))]
    return sorted(names, key=lambda choice: _folded(choice[1]))


def _folded(text: str) -> str:
    """Return a name without case and accents, for searching and sorting."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


def find_party(iso2: str) -> Party:
    """Return a Party by its two-letter code, whatever the case."""
    code = iso2.strip().upper()
    party = None
    if len(code) == 2 and code.isascii() and code.isalpha():
        party = db.session.scalar(select(Party).where(Party.iso2 == code))
    if party is None:
        raise NotFound(_("There is no Party %(code)s. Use the two-letter ISO 3166 code.", code=iso2))
    return party


def _status_column(day: date) -> Any:
    return (
        select(PartyStatus.status)
        .where(
            PartyStatus.party_id == Party.id,
            or_(PartyStatus.from_on.is_(None), PartyStatus.from_on <= day),
            or_(PartyStatus.until_on.is_(None), PartyStatus.until_on > day),
        )
        .limit(1)
        .scalar_subquery()
    )


def _in_group(group: GroupKind, day: date) -> Any:
    return exists().where(
        GroupMembership.party_id == Party.id,
        GroupMembership.group == group,
        or_(GroupMembership.from_on.is_(None), GroupMembership.from_on <= day),
        or_(GroupMembership.until_on.is_(None), GroupMembership.until_on > day),
    )


def _since_column(day: date) -> Any:
    return (
        select(PartyStatus.from_on)
        .where(
            PartyStatus.party_id == Party.id,
            PartyStatus.status == StatusKind.PARTY,
            or_(PartyStatus.from_on.is_(None), PartyStatus.from_on <= day),
            or_(PartyStatus.until_on.is_(None), PartyStatus.until_on > day),
        )
        .limit(1)
        .scalar_subquery()
    )


def named_party(code: str) -> Party | None:
    """Return the Party that a form names, nothing for an empty field; raises ``Invalid``."""
    try:
        return find_party(code) if code.strip() else None
    except NotFound as refusal:
        raise Invalid(refusal.message, field="party") from refusal


def named_laboratory(code: str) -> Laboratory | None:
    """Return the laboratory that a form names, nothing for an empty field; raises ``Invalid``."""
    try:
        return find_laboratory(None, code) if code.strip() else None
    except NotFound as refusal:
        raise Invalid(refusal.message, field="laboratory") from refusal


def name_column() -> Any:
    """Return the column with the names of Parties in the reader's language."""
    return getattr(Party, f"name_{current_language()}", Party.name_en)


def party_code(party_id: int | None) -> str | None:
    """Return the two-letter code of a Party by its number."""
    return db.session.scalar(select(Party.iso2).where(Party.id == party_id)) if party_id else None


def list_parties(
    *,
    q: str = "",
    status: StatusKind | None = None,
    region: Region | None = None,
    group: GroupKind | None = None,
    iso2: str | None = None,
    day: date | None = None,
) -> Select[Any]:
    """Select Parties and non-Parties with their status and groups on ``day`` (today); all are public.

    ``q`` is looked for in the names of all six languages, without case and accents, and in the codes.
    """
    day = day or clock.now().date()
    query = select(
        Party.iso2,
        Party.iso3,
        *(getattr(Party, f"name_{language}") for language in PARTY_LANGUAGES),
        Party.region,
        _status_column(day).label("status"),
        _since_column(day).label("party_since"),
        *(_in_group(kind, day).label(kind.value) for kind in GroupKind),
        Party.source,
        Party.verified,
    )
    if iso2 is not None:
        query = query.where(Party.iso2 == iso2)
    if q.strip():
        query = query.where(Party.iso2.in_(_codes_like(q)))
    if status is not None:
        query = query.where(_status_column(day) == status)
    if region is not None:
        query = query.where(Party.region == region)
    if group is not None:
        query = query.where(_in_group(group, day))
    return query


def _codes_like(q: str) -> list[str]:
    wanted = _folded(q.strip())
    columns = [getattr(Party, f"name_{language}") for language in PARTY_LANGUAGES]
    return [
        row[0]
        for row in db.session.execute(select(Party.iso2, Party.iso3, *columns))
        if any(wanted in _folded(text) for text in row[2:]) or wanted in (row[0].lower(), row[1].lower())
    ]


def party_names(party_ids: set[int]) -> dict[int, Party]:
    """Return Parties by their number."""
    return {p.id: p for p in db.session.scalars(select(Party).where(Party.id.in_(party_ids)))}


def status_on(party: Party, day: date) -> StatusKind | None:
    """Return whether the State was a Party on ``day``; nothing when no dated row says so."""
    return next((row.status for row in party.statuses if holds(row, day)), None)


def groups_on(party: Party, day: date) -> frozenset[GroupKind]:
    """Return the groups that the State belonged to on ``day``."""
    return frozenset(row.group for row in party.groups if holds(row, day))


def holds(row: PartyStatus | GroupMembership, day: date) -> bool:
    """Whether a dated row says something about ``day``."""
    return (row.from_on is None or row.from_on <= day) and (row.until_on is None or day < row.until_on)


def visible_laboratories(actor: Actor | None) -> Select[Laboratory]:
    """Select laboratories: all are public."""
    return select(Laboratory)


def list_laboratories(actor: Actor | None, *, q: str = "", party: str = "") -> Select[Any]:
    """Select what everybody may read of the laboratories."""
    columns: list[Any] = [
        Laboratory.code,
        Laboratory.name,
        Party.iso2.label("party"),
        Laboratory.address,
        Laboratory.languages,
        Laboratory.services,
        Laboratory.accreditation,
        Laboratory.confirmed_at,
        (Laboratory.confirmed_at > clock.now() - CONFIRMED_FOR).label("confirmed"),
    ]
    query = select(*columns).outerjoin(Party, Laboratory.party_id == Party.id)
    if q.strip():
        pattern = _pattern(name_key(q))
        query = query.where(
            or_(
                Laboratory.name_key.like(pattern, escape="!"),
                func.lower(Laboratory.code).like(pattern, escape="!"),
            )
        )
    if party:
        query = query.where(Party.iso2 == party.upper())
    return query


def _pattern(text: str) -> str:
    return "%" + text.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"


def is_confirmed(laboratory: Laboratory) -> bool:
    """Whether the laboratory has confirmed its record in the last year and three months."""
    return laboratory.confirmed_at > clock.now() - CONFIRMED_FOR


def may_see_members(actor: Actor | None, laboratory: Laboratory) -> bool:
    """Whether the actor works in the laboratory or looks after the whole network."""
    if actor is None:
        return False
    return laboratory.id in actor.laboratory_ids or can(actor, "laboratory.create")


def find_laboratory(actor: Actor | None, code: str) -> Laboratory:
    """Return a laboratory by its code, whatever the case."""
    row = None
    if code.isprintable():
        row = db.session.scalar(
            visible_laboratories(actor)
            .where(Laboratory.code == code.strip().upper())
            .options(selectinload(Laboratory.party))
        )
    if row is None:
        raise NotFound(_("There is no laboratory %(code)s.", code=code))
    return row


def laboratory_choices() -> list[tuple[str, str]]:
    """Return code and name of every laboratory."""
    rows = db.session.execute(select(Laboratory.code, Laboratory.name).order_by(Laboratory.name_key))
    return [(code, f"{name} ({code})") for code, name in rows]


def laboratory_by_id(laboratory_id: int) -> Laboratory:
    """Return a laboratory by its number."""
    return db.session.get_one(Laboratory, laboratory_id)


def nominating_laboratory_codes(actor: Actor) -> set[str]:
    """Return the laboratories that the actor may nominate people for."""
    managed = [g.laboratory_id for g in actor.grants if g.role is Role.MANAGER]
    return set(
        db.session.scalars(
            select(Laboratory.code).where(
                or_(Laboratory.party_id.in_(actor.focal_party_ids), Laboratory.id.in_(managed))
            )
        )
    )


def own_laboratories(actor: Actor) -> list[Laboratory]:
    """Return the laboratories that the actor works in."""
    return list(
        db.session.scalars(
            select(Laboratory).where(Laboratory.id.in_(actor.laboratory_ids)).order_by(Laboratory.name)
        )
    )


def visible_join_requests(actor: Actor | None) -> Select[JoinRequest]:
    """Select requests that concern the actor: own Party's, own laboratory's, all for the Secretariat."""
    if actor is None:
        return select(JoinRequest).where(false())
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


def _holders(*roles: Role) -> Select[User]:
    return (
        select(User)
        .join(RoleGrant, RoleGrant.user_id == User.id)
        .where(User.active, RoleGrant.revoked_at.is_(None), RoleGrant.role.in_(roles))
        .order_by(User.name, User.id)
        .distinct()
    )


def people_with_role(role: Role) -> list[User]:
    """Return the active people who hold a role now."""
    return list(db.session.scalars(_holders(role)))


def focal_points_of(party_id: int) -> list[User]:
    """Return the focal points of a Party."""
    return list(db.session.scalars(_holders(Role.FOCAL_POINT).where(RoleGrant.party_id == party_id)))


def members_of(laboratory_id: int, *roles: Role) -> list[User]:
    """Return the people of a laboratory who hold one of ``roles`` there."""
    query = _holders(*roles).where(RoleGrant.laboratory_id == laboratory_id)
    return list(db.session.scalars(query.options(*_with_rights())))  # type: ignore[arg-type]


def slice_of(query: Select[Any], limit: int, offset: int) -> tuple[list[Any], int]:
    """Return some rows of a list of records, and how many there are in all."""
    total = db.session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    return list(db.session.scalars(query.limit(limit).offset(offset))), total


def people_like(actor: Actor, q: str, limit: int, offset: int) -> tuple[list[User], int]:
    """Return accounts whose name or address contains ``q``, and how many there are.

    Only for those who look after accounts; for others there is nobody.
    """
    query = select(User)
    if not can(actor, "user.list"):
        query = query.where(false())
    if q.strip():
        pattern = _pattern(name_key(q))
        query = query.where(
            or_(
                User.email_key.like(pattern, escape="!"),
                func.lower(User.name).like(pattern, escape="!"),
                User.name.like(_pattern(q.strip()), escape="!"),
            )
        )
    query = query.order_by(User.name, User.id).options(*_with_rights())  # type: ignore[arg-type]
    return slice_of(query, limit, offset)


def find_person(actor: Actor, user_id: int) -> User:
    """Return an account for those who look after accounts."""
    user = db.session.get(User, user_id) if can(actor, "user.list") else None
    if user is None:
        raise NotFound(_("There is no account %(number)s.", number=user_id))
    return user


# Files ----------------------------------------------------------------------------------------


def export_parties(actor: Actor | None, format_: str, *, published: bool = False) -> bytes:
    """Return the register of Parties, in the shape that ``labhub import parties`` reads."""
    rows = db.session.execute(list_parties().order_by(Party.name_en)).mappings().all()
    return _written(format_, PARTY_COLUMNS, [dict(row) for row in rows])


def export_laboratories(actor: Actor | None, format_: str, *, published: bool = False) -> bytes:
    """Return the register of laboratories, in the shape that ``labhub import laboratories`` reads.

    The contact address stays empty save for those who look after the network.
    """
    may_write = can(actor, "laboratory.create")
    rows = []
    for row in db.session.scalars(
        visible_laboratories(actor).order_by(Laboratory.code).options(selectinload(Laboratory.party))
    ):
        cells = {name: getattr(row, name) for name in LABORATORY_COLUMNS if name != "party"}
        rows.append(
            {**cells, "party": row.party.iso2 if row.party else "", "email": row.email if may_write else ""}
        )
    return _written(format_, LABORATORY_COLUMNS, rows)


def _written(format_: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> bytes:
    return to_json(columns, rows) if format_ == "json" else to_csv(columns, rows)
