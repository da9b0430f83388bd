"""Everything that changes accounts; one function is one sentence a user could say."""

import re
import secrets
from datetime import date, timedelta
from pathlib import Path

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import delete, func, select, text

from labhub import audit, clock, outbox
from labhub.accounts import queries
from labhub.accounts.actor import (
    LABORATORY_ROLES,
    OPERATOR,
    PARTY_ROLES,
    ROLE_NAMES,
    Actor,
    Role,
    Scope,
)
from labhub.accounts.models import (
    Affiliation,
    ApiToken,
    GroupMembership,
    JoinRequest,
    JoinState,
    Laboratory,
    LinkPurpose,
    LoginSession,
    OneTimeLink,
    Party,
    PartyStatus,
    RoleGrant,
    SignInTry,
    StatusKind,
    TryKind,
    User,
)
from labhub.accounts.passwords import check_password, hasher
from labhub.accounts.policy import can, require
from labhub.accounts.registers import (
    LABORATORY_COLUMNS,
    LABORATORY_NEEDED,
    PARTY_COLUMNS,
    PARTY_NEEDED,
    Errors,
    PartyRow,
    party_row,
    read_records,
)
from labhub.db import db
from labhub.errors import Conflict, Invalid, NotFound, StaleEdit, TooMany
from labhub.i18n import LANGUAGES, _, ngettext
from labhub.names import clean_name, name_key
from labhub.reports import ImportReport, Outcome, RowReport

TOKEN_PREFIX = "labhub_"  # noqa: S105 (public: leaked tokens are found by it)
LONGEST_TOKEN_LIFE = timedelta(days=365)
LINK_LIFE = {LinkPurpose.RESET: timedelta(minutes=30), LinkPurpose.INVITATION: timedelta(days=7)}
TRY_WINDOW = timedelta(minutes=5)
TRIES_PER_ACCOUNT = 10
TRIES_PER_ADDRESS = 10
TRIES_OVERALL = 1000
SEEN_STEP = timedelta(minutes=1)
RESET_PAUSE = timedelta(minutes=5)
"""Within it a second reset mail is not sent, so that nobody can flood a person's mailbox."""
LONGEST_NOTE = 10 * 1024
JOIN_ROLES = (Role.PARTICIPANT, Role.ANALYST, Role.MANAGER, Role.FOCAL_POINT)
"""Roles that a visitor may ask for; the others are given by the Secretariat."""
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
    user = _open_account(email, name, party, organisation, title, language, password)
    audit.record(
        actor,
        "user.create",
        "user",
        user.id,
        after={"party": party.iso2 if party else "", "organisation": "" if party else organisation},
    )
    return user


def _open_account(
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
    """Give a person a role, for a laboratory or Party where the role is tied to one.

    Open sessions of the person end: new rights begin with a new sign-in (``trust.md`` B4).
    """
    require(actor, "role.grant-administrator" if role is Role.ADMINISTRATOR else "role.grant")
    grant = _grant(actor, user, role, laboratory, party)
    if grant is None:
        raise Conflict(_("This person already holds this role."), field="role")
    audit.record(
        actor,
        "role.grant",
        "user",
        user.id,
        after={"role": role, "laboratory": grant.laboratory_id, "party": grant.party_id},
    )
    return grant


def _grant(
    actor: Actor, user: User, role: Role, laboratory: Laboratory | None, party: Party | None
) -> RoleGrant | None:
    """Add a role and end the person's sessions; nothing when it is already held."""
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
    _lock(user)
    for held in user.current_grants:
        if (held.role, held.laboratory_id, held.party_id) == (role, laboratory_id, party_id):
            return None
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
    return grant


def _lock(user: User) -> None:
    """Let one transaction at a time change the rights of a person, and read them as they are now."""
    db.session.flush()
    db.session.execute(select(User.id).where(User.id == user.id).with_for_update())
    db.session.expire(user, ["grants", "affiliations"])


def revoke_role(actor: Actor, grant_id: int) -> RoleGrant:
    """Take a role from a person: sessions end, tokens lose it at their next request."""
    grant = db.session.get(RoleGrant, grant_id, with_for_update=True, populate_existing=True)
    if grant is None or grant.revoked_at is not None:
        raise NotFound(_("There is no such role to take away."))
    require(actor, "role.grant-administrator" if grant.role is Role.ADMINISTRATOR else "role.grant")
    grant.revoked_at = clock.now()
    end_sessions(grant.user)
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
    user = _account_to_stop(actor, user_id)
    if not reason.strip():
        raise Invalid(_("Give the reason."), field="reason")
    if len(reason) > LONGEST_NOTE:
        raise Invalid(_("At most %(number)s characters.", number=LONGEST_NOTE), field="reason")
    if not user.active:
        raise Conflict(_("The account is already stopped."))
    user.active = False
    end_sessions(user)
    _void_links(user)
    audit.record(actor, "user.disable", "user", user.id, reason=reason)
    return user


def enable_user(actor: Actor, user_id: int) -> User:
    """Let a stopped account be used again, with the roles that it still holds."""
    user = _account_to_stop(actor, user_id)
    if user.active:
        raise Conflict(_("The account is in use."))
    user.active = True
    audit.record(actor, "user.enable", "user", user.id)
    return user


def _account_to_stop(actor: Actor, user_id: int) -> User:
    require(actor, "user.disable")
    user = queries.user_by_id(user_id)
    if user.has_role(Role.ADMINISTRATOR):
        require(actor, "role.grant-administrator")
    if user.id == actor.user_id:
        raise Conflict(_("Nobody can stop the own account. Ask a colleague."))
    return user


def move_user(actor: Actor, user: User, *, party: Party | None = None, organisation: str = "") -> Affiliation:
    """Say that a person now belongs to another Party or organisation; the history is kept.

    Roles for the old Party and for laboratories of another Party end with it, and so do sessions.
    """
    require(actor, "role.grant")
    if user.has_role(Role.ADMINISTRATOR):
        require(actor, "role.grant-administrator")
    if (party is None) == (not organisation.strip()):
        raise Invalid(_("Name either a Party or an organisation."), field="party")
    organisation = "" if party else clean_name(organisation, field="organisation")
    party_id = party.id if party else None
    _lock(user)
    old = user.affiliation
    if old is not None and (old.party_id, old.organisation) == (party_id, organisation):
        raise Conflict(_("The person already belongs there."), field="party")
    now = clock.now()
    if old is not None:
        old.until_at = now
    ended = []
    for grant in user.current_grants:
        home = grant.party_id or (grant.laboratory.party_id if grant.laboratory else None)
        if home is not None and home != party_id:
            grant.revoked_at = now
            ended.append(grant.id)
    db.session.flush()
    new = Affiliation(party_id=party_id, organisation=organisation, from_at=now)
    user.affiliations.append(new)
    db.session.flush()
    end_sessions(user)
    audit.record(
        actor,
        "user.move",
        "user",
        user.id,
        before={"party": old.party_id, "organisation": old.organisation} if old else {},
        after={"party": new.party_id, "organisation": new.organisation, "grants_ended": ended},
    )
    return new


def change_language(actor: Actor, language: str, expected_version: int | None = None) -> User:
    """Choose the language of pages and mails.

    Raises ``StaleEdit`` when the account changed since ``expected_version`` was read.
    """
    require(actor, "account.change")
    if language not in LANGUAGES:
        raise Invalid(_("This language is not offered yet."), field="language")
    user = queries.user_by_id(actor.user_id or 0)
    if expected_version is not None and user.row_version != expected_version:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))
    before = user.language
    user.language = language
    db.session.flush()
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
    """Ask to join; the answer is the same whether or not an account exists (``trust.md`` B3).

    A second request for the same while one waits changes nothing and tells nobody again.
    """
    require(actor, "join.request")
    row = _join_request(name, email, role, party, organisation, laboratory, motivation, language)
    same = db.session.scalar(
        select(JoinRequest).where(
            JoinRequest.email == row.email,
            JoinRequest.role == row.role,
            JoinRequest.state == JoinState.PENDING,
            JoinRequest.party_id.is_not_distinct_from(row.party_id),
            JoinRequest.laboratory_id.is_not_distinct_from(row.laboratory_id),
            JoinRequest.organisation == row.organisation,
        )
    )
    if same is not None:
        return same
    db.session.add(row)
    db.session.flush()
    audit.record(actor, "join.request", "join-request", row.id, after={"role": role})
    _tell_deciders(row, _deciders(row))
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
    """Return a checked request that is not stored yet."""
    if role not in JOIN_ROLES:
        raise Invalid(_("This role cannot be asked for."), field="role")
    if (party is None) == (not organisation.strip()):
        raise Invalid(_("Name either a Party or an organisation."), field="party")
    if role in PARTY_ROLES and party is None:
        raise Invalid(_("Name the Party for this role."), field="party")
    if role not in LABORATORY_ROLES:
        laboratory = None
    elif laboratory is None:
        raise Invalid(_("Name the laboratory for this role."), field="laboratory")
    elif party is not None and laboratory.party_id not in (None, party.id):
        raise Invalid(_("This laboratory belongs to another Party."), field="laboratory")
    if len(motivation) > 5000:
        raise Invalid(_("At most %(number)s characters.", number=5000), field="motivation")
    return JoinRequest(
        name=clean_name(name, field="name"),
        email=clean_email(email),
        role=role,
        party_id=party.id if party else None,
        organisation="" if party else clean_name(organisation, field="organisation"),
        laboratory_id=laboratory.id if laboratory else None,
        laboratory=laboratory,
        motivation=motivation,
        language=language if language in LANGUAGES else "en",
        requested_at=clock.now(),
        state=JoinState.PENDING,
    )


def _deciders(row: JoinRequest) -> list[User]:
    found: list[User] = []
    if row.role not in PARTY_ROLES and row.party_id is not None:
        found += queries.focal_points_of(row.party_id)
    if row.role is Role.ANALYST and row.laboratory_id is not None:
        found += queries.members_of(row.laboratory_id, Role.MANAGER)
    able = [user for user in dict.fromkeys(found) if can(queries.actor_of(user), "join.decide", row)]
    return able or queries.people_with_role(Role.SECRETARIAT)


def _tell_deciders(row: JoinRequest, deciders: list[User]) -> None:
    for user in deciders:
        outbox.add(
            user.email,
            _("labhub: a request to join waits for you"),
            _(
                "%(name)s asks to join labhub as %(role)s. Please sign in and decide:\n\n%(link)s\n",
                name=row.name,
                role=_(ROLE_NAMES[row.role]),
                link=f"{BASE_URL[0]}/nominations",
            ),
            language=user.language,
        )


def approve_join_request(actor: Actor, request_id: int) -> JoinRequest:
    """Accept a person: the account is opened, the role given, and the person told by mail."""
    row = _pending_request(actor, request_id)
    taken = _accept(actor, row)
    audit.record(
        actor,
        "join.approve" if taken else "join.forward",
        "join-request",
        row.id,
        after={"state": row.state, "user": row.user_id if taken else None, "role": row.role},
    )
    return row


def _pending_request(actor: Actor, request_id: int) -> JoinRequest:
    """Return a request that waits for this actor's decision, locked until the transaction ends."""
    row = queries.find_join_request(actor, request_id)
    require(actor, "join.decide", row)
    db.session.execute(select(JoinRequest.id).where(JoinRequest.id == row.id).with_for_update())
    db.session.refresh(row)
    if row.state is not JoinState.PENDING:
        raise Conflict(_("This request has already been decided."))
    if row.nominated and not can(actor, "role.grant"):
        raise Conflict(_("This nomination has been taken; there is nothing more to decide here."))
    return row


def _accept(actor: Actor, row: JoinRequest) -> bool:
    """Give the person what the request asks for; return whether that was done.

    When the person has an account that belongs elsewhere, the Secretariat is asked instead. The
    focal point or manager sees no difference: an account's existence is not told (``trust.md`` B3).
    """
    user = queries.user_by_email(row.email)
    party = db.session.get_one(Party, row.party_id) if row.party_id else None
    if user is not None and (not user.active or not _belongs(user, row)):
        if can(actor, "role.grant"):
            raise Conflict(
                _(
                    "This person has an account that is stopped or belongs to another Party or organisation. "
                    "Change the account first."
                )
            )
        row.nominated = True
        _tell_deciders(row, queries.people_with_role(Role.SECRETARIAT))
        return False
    if user is None:
        user = _open_account(row.email, row.name, party, row.organisation, "", row.language, None)
    laboratory = db.session.get_one(Laboratory, row.laboratory_id) if row.laboratory_id else None
    row.state, row.decided_at, row.decided_by_id = JoinState.APPROVED, clock.now(), actor.user_id
    row.user_id = user.id
    _grant(actor, user, row.role, laboratory, party)
    if user.password is None:
        send_link(user, LinkPurpose.INVITATION)
    else:
        outbox.add(
            user.email,
            _("labhub: a new role"),
            _(
                "%(name)s, you can now work in labhub as %(role)s. Please sign in again:\n\n%(link)s\n",
                name=user.name,
                role=_(ROLE_NAMES[row.role]),
                link=f"{BASE_URL[0]}/sign-in",
            ),
            language=user.language,
        )
    return True


def _belongs(user: User, row: JoinRequest) -> bool:
    affiliation = user.affiliation
    if affiliation is None or affiliation.party_id != row.party_id:
        return False
    return row.party_id is not None or name_key(affiliation.organisation) == name_key(row.organisation)


def refuse_join_request(actor: Actor, request_id: int, reason: str) -> JoinRequest:
    """Refuse a request to join, with the reason, which is mailed."""
    row = _pending_request(actor, request_id)
    if not reason.strip():
        raise Invalid(_("Give the reason."), field="reason")
    if len(reason) > LONGEST_NOTE:
        raise Invalid(_("At most %(number)s characters.", number=LONGEST_NOTE), field="reason")
    row.state, row.decided_at, row.decided_by_id = JoinState.REFUSED, clock.now(), actor.user_id
    row.reason = reason
    outbox.add(
        row.email,
        _("labhub: your request to join"),
        _("Your request to join labhub was not accepted. Reason:\n\n%(reason)s\n", reason=reason),
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
    row = _join_request(name, email, role, party, organisation, laboratory, "", language)
    require(actor, "person.nominate", row)
    row.nominated = True
    db.session.add(row)
    db.session.flush()
    taken = _accept(actor, row)
    audit.record(
        actor,
        "person.nominate",
        "join-request",
        row.id,
        after={"state": row.state, "user": row.user_id if taken else None, "role": row.role},
    )
    return row


# Laboratories ---------------------------------------------------------------------------------


def create_laboratory(
    actor: Actor,
    *,
    code: str,
    name: str,
    party: Party | None,
    email: str = "",
    address: str = "",
    languages: str = "",
    services: str = "",
    accreditation: str = "",
) -> Laboratory:
    """Register a laboratory of the network."""
    require(actor, "laboratory.create")
    values = _laboratory_values(name, email, address, languages, services, accreditation)
    row = _new_laboratory(clean_code(code), party, values)
    audit.record(actor, "laboratory.create", "laboratory", row.code, after={"name": row.name})
    return row


def clean_code(code: str) -> str:
    """Return the code of a laboratory as it is stored: upper case, safe in an address."""
    code = code.strip().upper()
    if not code.isascii() or not CODE_SHAPE.fullmatch(code) or len(code) > 40:
        raise Invalid(_("Use letters, digits and single hyphens, at most 40."), field="code")
    return code


def _laboratory_values(
    name: str, email: str, address: str, languages: str, services: str, accreditation: str
) -> dict[str, str]:
    """Return the checked cells of a laboratory; raises ``Invalid`` with the first problem."""
    for field, value, longest in (
        ("address", address, 2000),
        ("languages", languages, 200),
        ("services", services, LONGEST_NOTE),
        ("accreditation", accreditation, 200),
    ):
        if len(value) > longest:
            raise Invalid(_("At most %(number)s characters.", number=longest), field=field)
    return {
        "name": clean_name(name, field="name"),
        "email": clean_email(email) if email.strip() else "",
        "address": address.strip(),
        "languages": languages.strip(),
        "services": services.strip(),
        "accreditation": accreditation.strip(),
    }


def _new_laboratory(code: str, party: Party | None, values: dict[str, str]) -> Laboratory:
    _check_free(code, values["name"])
    row = Laboratory(
        code=code,
        name_key=name_key(values["name"]),
        party_id=party.id if party else None,
        created_at=clock.now(),
        confirmed_at=clock.now(),
        **values,
    )
    db.session.add(row)
    db.session.flush()
    return row


def _check_free(code: str, name: str, own_id: int | None = None) -> None:
    taken = db.session.scalar(
        select(Laboratory).where(
            (Laboratory.code == code) | (Laboratory.name_key == name_key(name)),
            Laboratory.id != (own_id or 0),
        )
    )
    if taken is not None:
        field = "code" if taken.code == code else "name"
        raise Conflict(_("There is already a laboratory with this code or name."), field=field)


def change_laboratory(actor: Actor, code: str, expected_version: int, **values: str) -> Laboratory:
    """Change a laboratory's record, which also confirms it for a year.

    Raises ``StaleEdit`` when somebody else has changed it since ``expected_version`` was read.
    """
    row = queries.find_laboratory(actor, code)
    require(actor, "laboratory.change", row)
    if row.row_version != expected_version:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))
    present = {
        name: getattr(row, name)
        for name in ("name", "email", "address", "languages", "services", "accreditation")
    }
    wanted = _laboratory_values(**{**present, **values})
    _check_free(row.code, wanted["name"], row.id)
    for name, value in wanted.items():
        setattr(row, name, value)
    row.name_key = name_key(row.name)
    row.confirmed_at = clock.now()
    db.session.flush()
    changed = {name for name in wanted if wanted[name] != present[name]}
    audit.record(
        actor,
        "laboratory.change",
        "laboratory",
        row.code,
        version=row.row_version,
        before={name: present[name] for name in changed - {"email"}},
        after={name: wanted[name] for name in changed - {"email"}} | {"fields": sorted(changed)},
    )
    return row


# Registers from files -------------------------------------------------------------------------


def load_seeds(folder: Path) -> int:
    """Add the Parties and non-Parties that are not there yet; return how many."""
    path = folder / "parties.csv"
    report, rows = _checked_parties(path)
    report.raise_if_refused()
    known = set(db.session.scalars(select(Party.iso2)))
    new = [row for row in rows if row.iso2 not in known]
    for row in new:
        _add_party(row)
    db.session.flush()
    if new:
        audit.record(
            OPERATOR, "party.seed", "party", path.name, after={"created": len(new)}, reason="labhub init"
        )
    return len(new)


def import_parties(actor: Actor, path: Path, *, dry_run: bool) -> ImportReport:
    """Take over a file of Parties: all rows, or none when one is refused.

    A changed status or group gets a new dated row; the old one is closed, so that figures of
    earlier years stay as they were.
    """
    require(actor, "party.change")
    report, rows = _checked_parties(path)
    known = {party.iso2: party for party in queries.parties()}
    changes: list[tuple[Party | None, PartyRow]] = []
    iso3 = {party.iso3: party.iso2 for party in known.values()}
    for line, row in zip((r for r in report.rows if not r.errors), rows, strict=True):
        party = known.get(row.iso2)
        if iso3.get(row.iso3, row.iso2) != row.iso2:
            line.outcome, line.errors = Outcome.REFUSED, {"iso3": [_("Another Party has this code.")]}
        elif party is None:
            line.outcome = Outcome.CREATED
            changes.append((None, row))
        elif _party_differs(party, row):
            line.outcome = Outcome.CHANGED
            changes.append((party, row))
    if report.is_refused or dry_run or not changes:
        return report
    for party, row in changes:
        if party is None:
            _add_party(row)
        else:
            _change_party(party, row)
    db.session.flush()
    audit.record(
        actor,
        "party.import",
        "party",
        path.name,
        after={"created": report.count(Outcome.CREATED), "changed": report.count(Outcome.CHANGED)},
    )
    return report


def _checked_parties(path: Path) -> tuple[ImportReport, list[PartyRow]]:
    report = ImportReport(path.name)
    rows: list[PartyRow] = []
    seen: dict[str, int] = {}
    for number, cells in enumerate(read_records(path, PARTY_COLUMNS, PARTY_NEEDED), start=1):
        row, errors = party_row(cells)
        for column in ("iso2", "iso3"):
            code = cells.get(column, "").upper()
            before = seen.setdefault(f"{column}:{code}", number)
            if code and before != number:
                errors.setdefault(column, []).append(_("Row %(number)s has this code too.", number=before))
        outcome = Outcome.REFUSED if errors else Outcome.UNCHANGED
        report.rows.append(RowReport(number, cells.get("iso2", ""), outcome, errors))
        if row is not None and not errors:
            rows.append(row)
    return report, rows


def _add_party(row: PartyRow) -> None:
    party = Party(
        iso2=row.iso2,
        iso3=row.iso3,
        region=row.region,
        source=row.source,
        verified=row.verified,
        **{f"name_{language}": name for language, name in row.names.items()},
    )
    if row.status is StatusKind.PARTY and row.party_since is not None:
        party.statuses.append(PartyStatus(status=StatusKind.NON_PARTY, until_on=row.party_since))
    party.statuses.append(PartyStatus(status=row.status, from_on=row.party_since))
    party.groups.extend(GroupMembership(group=group) for group in sorted(row.groups))
    db.session.add(party)


def _present_status(party: Party, day: date) -> PartyStatus | None:
    return next((status for status in party.statuses if queries.holds(status, day)), None)


def _party_differs(party: Party, row: PartyRow) -> bool:
    today = clock.now().date()
    status = _present_status(party, today)
    since = status.from_on if status and status.status is StatusKind.PARTY else None
    return (
        party.iso3 != row.iso3
        or any(getattr(party, f"name_{language}") != name for language, name in row.names.items())
        or (party.region, party.source, party.verified) != (row.region, row.source, row.verified)
        or (status.status if status else None) is not row.status
        or since != row.party_since
        or queries.groups_on(party, today) != row.groups
    )


def _change_party(party: Party, row: PartyRow) -> None:
    today = clock.now().date()
    party.iso3, party.region, party.source, party.verified = row.iso3, row.region, row.source, row.verified
    for language, name in row.names.items():
        setattr(party, f"name_{language}", name)
    status = _present_status(party, today)
    if status is None or status.status is not row.status:
        start = row.party_since or today
        if status is not None:
            status.until_on = start
        party.statuses.append(PartyStatus(status=row.status, from_on=start))
    elif row.status is StatusKind.PARTY and status.from_on != row.party_since:
        for before in party.statuses:
            if before.until_on is not None and before.until_on == status.from_on:
                before.until_on = row.party_since
        if status.from_on is None and row.party_since is not None:
            party.statuses.append(PartyStatus(status=StatusKind.NON_PARTY, until_on=row.party_since))
        status.from_on = row.party_since
    held = queries.groups_on(party, today)
    for membership in party.groups:
        if membership.group not in row.groups and queries.holds(membership, today):
            membership.until_on = today
    party.groups.extend(GroupMembership(group=group, from_on=today) for group in sorted(row.groups - held))


def import_laboratories(actor: Actor, path: Path, *, dry_run: bool) -> ImportReport:
    """Take over a file of laboratories by their codes: all rows, or none when one is refused."""
    require(actor, "laboratory.create")
    report = ImportReport(path.name)
    known = {row.code: row for row in db.session.scalars(select(Laboratory))}
    parties = {party.iso2: party for party in queries.parties()}
    names = {row.name_key: row.code for row in known.values()}
    seen: dict[str, int] = {}
    changes: list[tuple[str, Party | None, dict[str, str]]] = []
    for number, cells in enumerate(read_records(path, LABORATORY_COLUMNS, LABORATORY_NEEDED), start=1):
        code, party, values, errors = _checked_laboratory(cells, parties)
        if code and seen.setdefault(code, number) != number:
            errors.setdefault("code", []).append(_("Row %(number)s has this code too.", number=seen[code]))
        if values and names.setdefault(name_key(values["name"]), code) != code:
            errors.setdefault("name", []).append(_("Another laboratory has this name."))
        row = known.get(code)
        if errors:
            outcome = Outcome.REFUSED
        elif row is None:
            outcome = Outcome.CREATED
        elif row.party_id == (party.id if party else None) and all(
            getattr(row, name) == value for name, value in values.items()
        ):
            outcome = Outcome.UNCHANGED
        else:
            outcome = Outcome.CHANGED
        if outcome in (Outcome.CREATED, Outcome.CHANGED):
            changes.append((code, party, values))
        report.rows.append(RowReport(number, code or cells.get("code", ""), outcome, errors))
    if report.is_refused or dry_run or not changes:
        return report
    for code, party, values in changes:
        row = known.get(code)
        if row is None:
            _new_laboratory(code, party, values)
            continue
        for name, value in values.items():
            setattr(row, name, value)
        row.party_id, row.name_key = party.id if party else None, name_key(values["name"])
        row.confirmed_at = clock.now()
    db.session.flush()
    audit.record(
        actor,
        "laboratory.import",
        "laboratory",
        path.name,
        after={"created": report.count(Outcome.CREATED), "changed": report.count(Outcome.CHANGED)},
    )
    return report


def _checked_laboratory(
    cells: dict[str, str], parties: dict[str, Party]
) -> tuple[str, Party | None, dict[str, str], Errors]:
    errors: Errors = {}
    code, values = "", dict[str, str]()
    try:
        code = clean_code(cells["code"])
    except Invalid as refusal:
        errors.update(refusal.errors)
    given = {name: cells.get(name, "") for name in LABORATORY_COLUMNS if name not in ("code", "party")}
    try:
        values = _laboratory_values(**given)
    except Invalid as refusal:
        errors.update(refusal.errors)
    party = parties.get(cells.get("party", "").upper())
    if party is None and cells.get("party"):
        errors["party"] = [_("There is no Party with this code. Use the two-letter ISO 3166 code.")]
    return code, party, values, errors


# Signing in -----------------------------------------------------------------------------------


def reserve_try(email: str, address: str, kind: TryKind = TryKind.SIGN_IN) -> SignInTry:
    """Count a try before the password is looked at; refuse when there were too many (``trust.md`` B2).

    Raises ``TooMany`` also for the right password. The row is removed when the try succeeds.
    ``address`` is that of the connection, never one that a header names; without ``email`` only
    the address is counted.
    """
    now = clock.now()
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(text("SELECT pg_advisory_xact_lock(7214401)"))
    db.session.execute(delete(SignInTry).where(SignInTry.at <= now - TRY_WINDOW))
    account_key = queries.digest(name_key(email) if email else secrets.token_hex(16))
    address_key = queries.digest(address)
    for condition, most in (
        (SignInTry.account_key == account_key, TRIES_PER_ACCOUNT),
        (SignInTry.address_key == address_key, TRIES_PER_ADDRESS),
        (SignInTry.id > 0, TRIES_OVERALL),
    ):
        count, oldest = db.session.execute(
            select(func.count(), func.min(SignInTry.at)).where(
                condition, SignInTry.kind == kind, SignInTry.at > now - TRY_WINDOW
            )
        ).one()
        if count >= most:
            wait = max(1, -int(-(oldest + TRY_WINDOW - now).total_seconds() // 1))
            raise TooMany(
                ngettext(
                    "Too many tries. Wait %(number)s minute and try again.",
                    "Too many tries. Wait %(number)s minutes and try again.",
                    -(-wait // 60),
                ),
                retry_after=wait,
            )
    row = SignInTry(kind=kind, account_key=account_key, address_key=address_key, at=now)
    db.session.add(row)
    db.session.flush()
    return row


def forget_try(try_id: int) -> None:
    """Take a try that succeeded out of the count."""
    db.session.execute(delete(SignInTry).where(SignInTry.id == try_id))


def password_owner(email: str, password: str) -> User | None:
    """Return the person whose password this is; takes as long when there is no such account."""
    user = queries.user_by_email(email)
    right = hasher.verify(user.password if user else None, password)
    return user if right and user is not None and user.active else None


def start_session(user: User, try_id: int, password: str, agent: str, *, proven: str | None) -> str:
    """Sign a person in on this browser; return the new key for the cookie.

    ``password`` has just been found right for the stored hash ``proven``. When the account was
    stopped or got another password since, nobody is signed in.
    """
    db.session.refresh(user, with_for_update=True)
    if not user.active or user.password is None or user.password != proven:
        raise Invalid(_("This address and password do not belong together."))
    forget_try(try_id)
    if hasher.is_outdated(user.password):
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
    row = db.session.get(LoginSession, session_id, with_for_update=True, populate_existing=True)
    if row is None or row.user_id != actor.user_id or row.ended_at is not None:
        raise NotFound(_("There is no such session."))
    require(actor, "session.end", row)
    row.ended_at = clock.now()
    audit.record(actor, "session.end", "session", row.id)


def end_sessions(user: User) -> None:
    """End every session of a person (password change, new rights, stopped account)."""
    for row in db.session.scalars(
        select(LoginSession).where(LoginSession.user_id == user.id, LoginSession.ended_at.is_(None))
    ):
        row.ended_at = clock.now()


def change_password(actor: Actor, current: str, new: str) -> User:
    """Change one's own password; every session ends and no mailed link works any more."""
    require(actor, "account.change")
    user = queries.user_by_id(actor.user_id or 0)
    if not hasher.verify(user.password, current):
        raise Invalid(_("The present password is not right."), field="current_password")
    check_password(new, personal=(user.name, user.email))
    user.password = hasher.hash(new)
    end_sessions(user)
    _stop_tokens(user)
    _void_links(user)
    audit.record(actor, "password.change", "user", user.id)
    _tell_password_changed(user)
    return user


def _stop_tokens(user: User) -> None:
    """Stop every token: whoever had the old password or a browser may have made one."""
    now = clock.now()
    for row in db.session.scalars(
        select(ApiToken).where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
    ):
        row.revoked_at = now


def _tell_password_changed(user: User) -> None:
    outbox.add(
        user.email,
        _("labhub: your password was changed"),
        _(
            "%(name)s, your password in labhub was changed. "
            "Every browser was signed out and every token stopped.\n\n"
            "If it was not you, ask for a new password at once:\n\n%(link)s\n",
            name=user.name,
            link=f"{BASE_URL[0]}/forgot-password",
        ),
        language=user.language,
    )


def request_reset(email: str) -> None:
    """Ask for a link to set a new password; nothing tells whether the account exists."""
    user = queries.user_by_email(email)
    known = user is not None and user.active
    if user is not None and user.active and not _has_fresh_link(user):
        send_link(user, LinkPurpose.RESET)
    audit.record(None, "password.reset-request", "user", user.id if known and user is not None else "unknown")


def _has_fresh_link(user: User) -> bool:
    return bool(
        db.session.scalar(
            select(func.count()).where(
                OneTimeLink.user_id == user.id,
                OneTimeLink.purpose == LinkPurpose.RESET,
                OneTimeLink.used_at.is_(None),
                OneTimeLink.created_at > clock.now() - RESET_PAUSE,
            )
        )
    )


def _void_links(user: User) -> None:
    for old in db.session.scalars(
        select(OneTimeLink).where(OneTimeLink.user_id == user.id, OneTimeLink.used_at.is_(None))
    ):
        old.used_at = clock.now()


def make_link(user: User, purpose: LinkPurpose) -> str:
    """Return the secret of a new one-time link; older ones of the person stop working."""
    now = clock.now()
    _void_links(user)
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
            "%(name)s, you are invited to labhub. Set your password within 7 days:\n\n%(link)s\n\n"
            "If the 7 days are over, ask for a new link at %(again)s\n",
            again=f"{BASE_URL[0]}/forgot-password",
            name=user.name,
            link=link,
        )
    else:
        subject = _("labhub: set a new password")
        body = _(
            "Set a new password within 30 minutes:\n\n%(link)s\n\n"
            "If you did not ask for this, do nothing: your password stays as it is.\n",
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
        select(OneTimeLink).where(OneTimeLink.token_hash == queries.digest(token.strip())).with_for_update()
    )
    if (
        row is None
        or row.used_at is not None
        or row.expires_at <= clock.now()
        or not row.user.active
        or row.user.email_key != row.email_key
    ):
        raise Invalid(_("This link has been used or has run out. Ask for a new one."), field="code")
    user = row.user
    check_password(password, personal=(user.name, user.email))
    user.password = hasher.hash(password)
    end_sessions(user)
    _stop_tokens(user)
    _void_links(user)
    audit.record(queries.actor_of(user), "password.set", "user", user.id)
    _tell_password_changed(user)
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
    if actor.token_expires_at is not None:  # a token makes none that outlives it
        life = min(life, actor.token_expires_at - now)
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
