"""Plain functions that make valid records; a test names only what it is about."""

from itertools import count

from labhub import clock
from labhub.accounts import commands, queries
from labhub.accounts.actor import OPERATOR, Actor, Role, Scope
from labhub.accounts.models import Laboratory, Party, PartyStatus, StatusKind, User
from labhub.db import db, transaction

_numbers = count(1)
PASSWORD = "correct horse battery 9"


def make_party(iso2: str = "KE", *, status: StatusKind = StatusKind.PARTY) -> Party:
    """Return the Party with this code, made on first use."""
    with transaction():
        party = db.session.query(Party).filter_by(iso2=iso2).one_or_none()
        if party is None:
            name = {"KE": "Kenya", "BR": "Brazil", "FR": "France"}.get(iso2, f"Party {iso2}")
            names = {f"name_{language}": name for language in ("en", "fr", "es", "zh", "ar", "ru")}
            party = Party(iso2=iso2, iso3=iso2 + "X", **names)
            party.statuses.append(PartyStatus(status=status))
            db.session.add(party)
    return party


def make_laboratory(code: str | None = None, *, party: Party | None = None) -> Laboratory:
    """Return a new laboratory of ``party`` (Kenya)."""
    party = party or make_party()
    code = code or f"LAB-{next(_numbers)}"
    with transaction():
        return commands.create_laboratory(OPERATOR, code=code, name=f"Laboratory {code}", party=party)


def make_user(
    *roles: Role,
    party: Party | None = None,
    laboratory: Laboratory | None = None,
    email: str | None = None,
    name: str | None = None,
    password: str | None = None,
    organisation: str = "",
    language: str = "en",
) -> User:
    """Return a new person with ``roles``, of ``party`` (Kenya) unless ``organisation`` is given."""
    number = next(_numbers)
    party = None if organisation else (party or make_party())
    with transaction():
        user = commands.create_user(
            OPERATOR,
            email=email or f"person{number}@example.org",
            name=name or f"Person {number}",
            party=party,
            organisation=organisation,
            language=language,
            password=password,
        )
        for role in roles:
            commands.grant_role(OPERATOR, user, role, laboratory=laboratory, party=party)
    return user


def make_actor(*roles: Role, **who: object) -> Actor:
    """Return the actor of a new person with ``roles``."""
    return queries.actor_of(make_user(*roles, **who))  # type: ignore[arg-type]


def make_token(user: User, scope: Scope = Scope.WRITE) -> str:
    """Return a new bearer token of ``user``."""
    with transaction():
        _row, secret = commands.create_token(OPERATOR, name="test", scope=scope, user=user)
    return secret


def bearer(user: User, scope: Scope = Scope.WRITE) -> dict[str, str]:
    """Return the request headers of a script that acts for ``user``."""
    return {"Authorization": f"Bearer {make_token(user, scope)}"}


def today() -> str:
    """Return the hub's present day."""
    return clock.now().date().isoformat()
