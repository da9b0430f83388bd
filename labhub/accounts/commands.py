"""Everything that changes accounts; one function is one sentence a user could say."""

import re
import secrets
from datetime import timedelta

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import delete, func, select, text

from labhub import audit, clock, outbox
from labhub.accounts import queries
from labhub.accounts.actor import LABORATORY_ROLES, PARTY_ROLES, Actor, Role, Scope
from labhub.accounts.models import (
    Affiliation,
    ApiToken,
    JoinRequest,
    JoinState,
    Laboratory,
    LinkPurpose,
    LoginSession,
    OneTimeLink,
    Party,
    RoleGrant,
    SignInTry,
    User,
)
from labhub.accounts.passwords import check_password, hasher
from labhub.accounts.policy import require
from labhub.db import db
from labhub.errors import Conflict, Invalid, NotFound, SignInNeeded, TooMany
from labhub.i18n import LANGUAGES, _
from labhub.names import clean_name, name_key

TOKEN_PREFIX = "labhub_"
LONGEST_TOKEN_LIFE = timedelta(days=365)
LINK_LIFE = {LinkPurpose.RESET: timedelta(minutes=30), LinkPurpose.INVITATION: timedelta(days=7)}
TRY_WINDOW = timedelta(minutes=5)
TRIES_PER_ACCOUNT = 10
TRIES_PER_ADDRESS = 10
TRIES_OVERALL = 1000
SEEN_STEP = timedelta(minutes=1)
CODE_SHAPE = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")


# People ---------------------------------------------------------------------------------------


def create_user(
    actor: Actor,
    *,
    email: str,
    name: str,
    party: Party | None = None,
    organisation: str = "",
    title: str = "",
    language: str = "en",
    password: str | None = None,
) -> User:
    """Open an account for a person who belongs to one Party or one organisation."""
    require(actor, "role.grant")
    return _open_account(actor, email, name, party, organisation, title, language, password)


def _open_account(
    actor: Actor,
    email: str,
    name: str,
    party: Party | None,
    organisation: str,
    title: str,
    language: str,
    password: str | None,
) -> User:
    email = clean_email(email)
    name = clean_name(name, field="name")
    if (party is None) == (not organisation.strip()):
        raise Invalid(_("Name either a Party or an organisation."), field="party")
    if queries.user_by_email(email) is not None:
        raise Conflict(_("There is already an account with this address."), field="email")
    if password is not None:
        check_password(password, personal=(name, email))
    user = User(
        email=email,
        email_key=name_key(email),
        name=name,
        title=clean_name(title, field="title", longest=60) if title else "",
        language=language if language in LANGUAGES else "en",
        password=hasher.hash(password) if password is not None else None,
        fs_uniquifier=secrets.token_hex(32),
        created_at=clock.now(),
        active=True,
    )
    db.session.add(user)
    db.session.flush()
    user.affiliations.append(
        Affiliation(
            party_id=party.id if party else None,
            organisation="" if party else clean_name(organisation, field="organisation"),
            from_at=clock.now(),
        )
    )
    db.session.flush()
    audit.record(
        actor,
        "user.create",
        "user",
        user.id,
        after={"party": party.iso2 if party else "", "organisation": "" if party else organisation},
    )
    return user


def clean_email(email: str) -> str:
    """Return an address in its normal form, or say what is wrong with it."""
    try:
        return validate_email(email.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise Invalid(_("This is not an e-mail address."), field="email") from error


def grant_role(
    actor: Actor,
    user: User,
    role: Role,
    *,
    laboratory: Laboratory | None = None,
    party: Party | None = None,
) -> RoleGrant:
    """Give a person a role, for a laboratory or Party where the role is tied to one."""
    require(actor, "role.grant-administrator" if role is Role.ADMINISTRATOR else "role.grant")
    return _grant(actor, user, role, laboratory, party)


def _grant(
    actor: Actor, user: User, role: Role, laboratory: Laboratory | None, party: Party | None
) -> RoleGrant:
    if role is Role.VISITOR:
        raise Invalid(_("Visitor is not a role that can be given."), field="role")
    if role in LABORATORY_ROLES and laboratory is None:
        raise Invalid(_("Name the laboratory for this role."), field="laboratory")
    if role in PARTY_ROLES:
        affiliation = user.affiliation
        if party is None and affiliation and affiliation.party_id:
            party = db.session.get_one(Party, affiliation.party_id)
        if party is None:
            raise Invalid(_("Name the Party for this role."), field="party")
    laboratory_id = laboratory.id if laboratory and role in LABORATORY_ROLES else None
    party_id = party.id if party and role in PARTY_ROLES else None
    for held in user.current_grants:
        if (held.role, held.laboratory_id, held.party_id) == (role, laboratory_id, party_id):
            raise Conflict(_("This person already holds this role."), field="role")
    grant = RoleGrant(
        role=role,
        laboratory_id=laboratory_id,
        party_id=party_id,
        granted_at=clock.now(),
        granted_by_id=actor.user_id,
    )
    user.grants.append(grant)
    db.session.flush()
    end_sessions(user)
    audit.record(
        actor,
        "role.grant",
        "user",
        user.id,
        after={"role": role, "laboratory": laboratory_id, "party": party_id},
    )
    return grant


def revoke_role(actor: Actor, grant_id: int) -> RoleGrant:
    """Take a role from a person; open sessions and tokens lose it at their next request."""
    grant = db.session.get(RoleGrant, grant_id)
    if grant is None or grant.revoked_at is not None:
        raise NotFound(_("There is no such role to take away."))
    require(actor, "role.grant-administrator" if grant.role is Role.ADMINISTRATOR else "role.grant")
    grant.revoked_at = clock.now()
    audit.record(
        actor,
        "role.revoke",
        "user",
        grant.user_id,
        before={"role": grant.role, "laboratory": grant.laboratory_id, "party": grant.party_id},
    )
    return grant


def disable_user(actor: Actor, user_id: int, reason: str) -> User:
    """Stop an account: sessions end and tokens are refused from the next request on."""
    require(actor, "user.disable")
    user = queries.user_by_id(user_id)
    if not reason.strip():
        raise Invalid(_("Give the reason."), field="reason")
    if not user.active:
        raise Conflict(_("The account is already stopped."))
    user.active = False
    end_sessions(user)
    audit.record(actor, "user.disable", "user", user.id, reason=reason)
    return user


def move_user(actor: Actor, user: User, *, party: Party | None = None, organisation: str = "") -> Affiliation:
    """Say that a person now belongs to another Party or organisation; the history is kept.

    Roles tied to the old Party end with it.
    """
    require(actor, "role.grant")
    if (party is None) == (not organisation.strip()):
        raise Invalid(_("Name either a Party or an organisation."), field="party")
    old = user.affiliation
    now = clock.now()
    if old is not None:
        old.until_at = now
    for grant in user.current_grants:
        if grant.party_id is not None and grant.party_id != (party.id if party else None):
            grant.revoked_at = now
    db.session.flush()
    new = Affiliation(party_id=party.id if party else None, organisation=organisation.strip(), from_at=now)
    user.affiliations.append(new)
    db.session.flush()
    audit.record(
        actor,
        "user.move",
        "user",
        user.id,
        before={"party": old.party_id, "organisation": old.organisation} if old else {},
        after={"party": new.party_id, "organisation": new.organisation},
    )
    return new


def change_language(actor: Actor, language: str) -> User:
    """Choose the language of pages and mails."""
    require(actor, "account.change")
    if language not in LANGUAGES:
        raise Invalid(_("This language is not offered yet."), field="language")
    user = queries.user_by_id(actor.user_id or 0)
    before = user.language
    user.language = language
    audit.record(
        actor, "user.change", "user", user.id, before={"language": before}, after={"language": language}
    )
    return user


# Joining and nomination -----------------------------------------------------------------------


def request_to_join(
    actor: Actor,
    *,
    name: str,
    email: str,
    role: Role,
    party: Party | None = None,
    organisation: str = "",
    laboratory: Laboratory | None = None,
    motivation: str = "",
    language: str = "en",
) -> JoinRequest:
    """Ask to join; the answer is the same whether or not an account exists (``trust.md`` B3)."""
    require(actor, "join.request")
    if role not in (Role.PARTICIPANT, Role.ANALYST, Role.MANAGER, Role.FOCAL_POINT):
        raise Invalid(_("This role cannot be asked for."), field="role")
    row = _join_request(name, email, role, party, organisation, laboratory, motivation, language)
    audit.record(actor, "join.request", "join-request", row.id, after={"role": role})
    for user in _deciders(row):
        outbox.add(
            user.email,
            _("labhub: a request to join waits for you"),
            _(
                "%(name)s asks to join labhub as %(role)s. Please sign in and decide.",
                name=row.name,
                role=role,
            ),
            language=user.language,
        )
    return row


def _join_request(
    name: str,
    email: str,
    role: Role,
    party: Party | None,
    organisation: str,
    laboratory: Laboratory | None,
    motivation: str,
    language: str,
) -> JoinRequest:
    if (party is None) == (not organisation.strip()):
        raise Invalid(_("Name either a Party or an organisation."), field="party")
    if role in PARTY_ROLES and party is None:
        raise Invalid(_("Name the Party for this role."), field="party")
    if role in LABORATORY_ROLES:
        if laboratory is None:
            raise Invalid(_("Name the laboratory for this role."), field="laboratory")
        if party is not None and laboratory.party_id not in (None, party.id):
            raise Invalid(_("This laboratory belongs to another Party."), field="laboratory")
    if len(motivation) > 5000:
        raise Invalid(_("At most %(number)s characters.", number=5000), field="motivation")
    row = JoinRequest(
        name=clean_name(name, field="name"),
        email=clean_email(email),
        role=role,
        party_id=party.id if party else None,
        organisation="" if party else clean_name(organisation, field="organisation"),
        laboratory_id=laboratory.id if laboratory and role in LABORATORY_ROLES else None,
        motivation=motivation,
        language=language if language in LANGUAGES else "en",
        requested_at=clock.now(),
        state=JoinState.PENDING,
    )
    db.session.add(row)
    db.session.flush()
    return row


def _deciders(row: JoinRequest) -> list[User]:
    focal = queries.focal_points_of(row.party_id) if row.party_id and row.role not in PARTY_ROLES else []
    return focal or queries.people_with_role(Role.SECRETARIAT)


def approve_join_request(actor: Actor, request_id: int) -> JoinRequest:
    """Accept a person: the account is opened, the role given, and an invitation sent."""
    row = queries.find_join_request(actor, request_id)
    require(actor, "join.decide", row)
    if row.role in PARTY_ROLES:
        require(actor, "role.grant")  # a focal point is named by the Secretariat
    if row.state is not JoinState.PENDING:
        raise Conflict(_("This request has already been decided."))
    return _accept(actor, row)


def _accept(actor: Actor, row: JoinRequest) -> JoinRequest:
    user = queries.user_by_email(row.email)
    party = db.session.get_one(Party, row.party_id) if row.party_id else None
    if user is None:
        user = _open_account(actor, row.email, row.name, party, row.organisation, "", row.language, None)
    elif row.party_id is not None and (user.affiliation is None or user.affiliation.party_id != row.party_id):
        raise Conflict(
            _("This person has an account with another Party or organisation. Ask the Secretariat.")
        )
    laboratory = db.session.get_one(Laboratory, row.laboratory_id) if row.laboratory_id else None
    row.state, row.decided_at, row.decided_by_id = JoinState.APPROVED, clock.now(), actor.user_id
    row.user_id = user.id
    _grant(actor, user, row.role, laboratory, party)
    if user.password is None:
        send_link(user, LinkPurpose.INVITATION)
    return row


def refuse_join_request(actor: Actor, request_id: int, reason: str) -> JoinRequest:
    """Refuse a request to join, with the reason, which is mailed."""
    row = queries.find_join_request(actor, request_id)
    require(actor, "join.decide", row)
    if row.state is not JoinState.PENDING:
        raise Conflict(_("This request has already been decided."))
    if not reason.strip():
        raise Invalid(_("Give the reason."), field="reason")
    row.state, row.decided_at, row.decided_by_id = JoinState.REFUSED, clock.now(), actor.user_id
    row.reason = reason
    outbox.add(
        row.email,
        _("labhub: your request to join"),
        _("Your request to join labhub was not accepted. Reason: %(reason)s", reason=reason),
        language=row.language,
    )
    audit.record(actor, "join.refuse", "join-request", row.id, reason=reason)
    return row


def nominate(
    actor: Actor,
    *,
    name: str,
    email: str,
    role: Role,
    party: Party | None = None,
    organisation: str = "",
    laboratory: Laboratory | None = None,
    language: str = "en",
) -> JoinRequest:
    """Nominate an expert or a laboratory's member; the nomination is the approval."""
    require(actor, "person.nominate", party)
    if role not in (Role.PARTICIPANT, Role.ANALYST, Role.MANAGER):
        require(actor, "role.grant")
    row = _join_request(name, email, role, party, organisation, laboratory, "", language)
    row.nominated = True
    db.session.flush()
    return _accept(actor, row)


# Laboratories ---------------------------------------------------------------------------------


def create_laboratory(
    actor: Actor, *, code: str, name: str, party: Party | None, email: str = "", address: str = ""
) -> Laboratory:
    """Register a laboratory of the network."""
    require(actor, "laboratory.create")
    code = code.strip().upper()
    if not CODE_SHAPE.fullmatch(code) or len(code) > 40:
        raise Invalid(_("Use letters, digits and single hyphens, at most 40."), field="code")
    name = clean_name(name, field="name")
    taken = db.session.scalar(
        select(Laboratory).where((Laboratory.code == code) | (Laboratory.name_key == name_key(name)))
    )
    if taken is not None:
        field = "code" if taken.code == code else "name"
        raise Conflict(_("There is already a laboratory with this code or name."), field=field)
    row = Laboratory(
        code=code,
        name=name,
        name_key=name_key(name),
        party_id=party.id if party else None,
        email=clean_email(email) if email else "",
        address=address,
        created_at=clock.now(),
        confirmed_at=clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    audit.record(actor, "laboratory.create", "laboratory", row.code, after={"name": name})
    return row


# Signing in -----------------------------------------------------------------------------------


def reserve_try(email: str, address: str) -> SignInTry:
    """Count a try before the password is looked at; refuse when there were too many (``trust.md`` B2).

    Raises ``TooMany`` also for the right password. The row is removed when the try succeeds.
    """
    now = clock.now()
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(text("SELECT pg_advisory_xact_lock(7214401)"))
    db.session.execute(delete(SignInTry).where(SignInTry.at < now - TRY_WINDOW))
    account_key, address_key = queries.digest(name_key(email)), queries.digest(address)
    for condition, most in (
        (SignInTry.account_key == account_key, TRIES_PER_ACCOUNT),
        (SignInTry.address_key == address_key, TRIES_PER_ADDRESS),
        (SignInTry.id > 0, TRIES_OVERALL),
    ):
        count, oldest = db.session.execute(
            select(func.count(), func.min(SignInTry.at)).where(condition, SignInTry.at >= now - TRY_WINDOW)
        ).one()
        if count >= most:
            wait = int((oldest + TRY_WINDOW - now).total_seconds()) + 1
            raise TooMany(
                _("Too many tries. Wait %(minutes)s minutes and try again.", minutes=-(-wait // 60)),
                retry_after=wait,
            )
    row = SignInTry(account_key=account_key, address_key=address_key, at=now)
    db.session.add(row)
    db.session.flush()
    return row


def password_owner(email: str, password: str) -> User | None:
    """Return the person whose password this is; takes as long when there is no such account."""
    user = queries.user_by_email(email)
    if len(password) > 1024:
        return None
    right = hasher.verify(user.password if user else None, password)
    return user if right and user is not None and user.active else None


def start_session(user: User, try_id: int, password: str, agent: str) -> str:
    """Sign a person in on this browser; return the new key for the cookie."""
    db.session.execute(delete(SignInTry).where(SignInTry.id == try_id))
    if user.password is not None and hasher.is_outdated(user.password):
        user.password = hasher.hash(password)
    key = secrets.token_urlsafe(32)
    now = clock.now()
    row = LoginSession(
        key_hash=queries.digest(key), user_id=user.id, agent=agent[:200], started_at=now, seen_at=now
    )
    db.session.add(row)
    db.session.flush()
    audit.record(queries.actor_of(user), "session.start", "session", row.id)
    return key


def touch_session(session_id: int) -> None:
    """Note that a signed-in browser was active, at most once a minute."""
    row = db.session.get_one(LoginSession, session_id)
    if clock.now() - row.seen_at >= SEEN_STEP:
        row.seen_at = clock.now()


def end_session(actor: Actor, session_id: int) -> None:
    """Sign one browser of the actor out."""
    row = db.session.get(LoginSession, session_id)
    if row is None or row.user_id != actor.user_id:
        raise NotFound(_("There is no such session."))
    require(actor, "session.end", row)
    if row.ended_at is None:
        row.ended_at = clock.now()
    audit.record(actor, "session.end", "session", row.id)


def end_sessions(user: User) -> None:
    """End every session of a person (password change, new rights, stopped account)."""
    for row in db.session.scalars(
        select(LoginSession).where(LoginSession.user_id == user.id, LoginSession.ended_at.is_(None))
    ):
        row.ended_at = clock.now()


def change_password(actor: Actor, current: str, new: str) -> User:
    """Change one's own password; every session ends."""
    require(actor, "account.change")
    user = queries.user_by_id(actor.user_id or 0)
    if not hasher.verify(user.password, current):
        raise Invalid(_("The present password is not right."), field="current_password")
    check_password(new, personal=(user.name, user.email))
    user.password = hasher.hash(new)
    end_sessions(user)
    audit.record(actor, "password.change", "user", user.id)
    return user


def request_reset(email: str) -> None:
    """Ask for a link to set a new password; nothing tells whether the account exists."""
    user = queries.user_by_email(email)
    if user is None or not user.active:
        secrets.token_urlsafe(32)
        audit.record(None, "password.reset-request", "user", "unknown")
        return
    send_link(user, LinkPurpose.RESET)
    audit.record(None, "password.reset-request", "user", user.id)


def make_link(user: User, purpose: LinkPurpose) -> str:
    """Return the secret of a new one-time link; older ones of its kind stop working."""
    now = clock.now()
    for old in db.session.scalars(
        select(OneTimeLink).where(OneTimeLink.user_id == user.id, OneTimeLink.used_at.is_(None))
    ):
        old.used_at = now
    token = secrets.token_urlsafe(32)
    db.session.add(
        OneTimeLink(
            token_hash=queries.digest(token),
            purpose=purpose,
            user_id=user.id,
            email_key=user.email_key,
            created_at=now,
            expires_at=now + LINK_LIFE[purpose],
        )
    )
    db.session.flush()
    return token


def send_link(user: User, purpose: LinkPurpose) -> None:
    """Mail a one-time link; its host comes from the configuration only (``trust.md`` B8)."""
    link = link_address(make_link(user, purpose))
    if purpose is LinkPurpose.INVITATION:
        subject = _("labhub: your invitation")
        body = _(
            "%(name)s, you are invited to labhub. Set your password within 7 days:\n\n%(link)s\n",
            name=user.name,
            link=link,
        )
    else:
        subject = _("labhub: set a new password")
        body = _(
            "Set a new password within 30 minutes:\n\n%(link)s\n\nIf you did not ask for this, do nothing.",
            link=link,
        )
    outbox.add(user.email, subject, body, language=user.language)


BASE_URL = ["http://127.0.0.1:8000"]
"""The configured public address, set by ``create_app``; links in mails use nothing else."""


def link_address(token: str) -> str:
    """Return the address of the page that a one-time link opens."""
    return f"{BASE_URL[0]}/set-password#{token}"


def use_link(token: str, password: str) -> User:
    """Set a password by a one-time link, which then opens nothing any more."""
    row = db.session.scalar(
        select(OneTimeLink).where(OneTimeLink.token_hash == queries.digest(token)).with_for_update()
    )
    if row is None or row.used_at is not None or row.expires_at <= clock.now():
        raise SignInNeeded(_("This link has been used or has run out. Ask for a new one."))
    user = row.user
    if not user.active or user.email_key != row.email_key:
        raise SignInNeeded(_("This link has been used or has run out. Ask for a new one."))
    check_password(password, personal=(user.name, user.email))
    row.used_at = clock.now()
    user.password = hasher.hash(password)
    end_sessions(user)
    audit.record(queries.actor_of(user), "password.set", "user", user.id)
    return user


# Tokens ---------------------------------------------------------------------------------------


def create_token(
    actor: Actor, *, name: str, scope: Scope, user: User | None = None, life: timedelta = LONGEST_TOKEN_LIFE
) -> tuple[ApiToken, str]:
    """Make a bearer token for oneself (the operator: for anybody); its secret is shown this once."""
    require(actor, "token.create")
    owner = user if user is not None and actor.operator else queries.user_by_id(actor.user_id or 0)
    if not timedelta(0) < life <= LONGEST_TOKEN_LIFE:
        raise Invalid(_("A token lives for at most 365 days."), field="days")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    now = clock.now()
    row = ApiToken(
        user_id=owner.id,
        name=clean_name(name, field="name", longest=100),
        token_hash=queries.digest(secret),
        hint=secret[:12],
        scope=scope,
        created_at=now,
        expires_at=now + life,
    )
    db.session.add(row)
    db.session.flush()
    audit.record(actor, "token.create", "token", row.id, after={"scope": scope, "user": owner.id})
    return row, secret


def revoke_token(actor: Actor, token_id: int) -> ApiToken:
    """Stop one of one's own tokens; its next request is refused."""
    row = queries.find_own_token(actor, token_id)
    require(actor, "token.revoke", row)
    if row.revoked_at is not None:
        raise Conflict(_("This token is already stopped."))
    row.revoked_at = clock.now()
    audit.record(actor, "token.revoke", "token", row.id)
    return row


def touch_token(token_id: int) -> None:
    """Note that a token was used, at most once a minute."""
    row = db.session.get_one(ApiToken, token_id)
    if row.last_used_at is None or clock.now() - row.last_used_at >= SEEN_STEP:
        row.last_used_at = clock.now()
