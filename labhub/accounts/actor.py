"""Who acts: the nine roles, and the actor that every command and query takes."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from labhub.i18n import N_


class Role(StrEnum):
    """The roles of ``contract.md``. A person may hold several."""

    VISITOR = "visitor"
    PARTICIPANT = "participant"
    ANALYST = "analyst"
    MANAGER = "manager"
    FOCAL_POINT = "focal-point"
    REVIEWER = "reviewer"
    MODERATOR = "moderator"
    SECRETARIAT = "secretariat"
    ADMINISTRATOR = "administrator"


ROLE_NAMES: dict[Role, str] = {
    Role.VISITOR: N_("visitor"),
    Role.PARTICIPANT: N_("participant"),
    Role.ANALYST: N_("analyst"),
    Role.MANAGER: N_("laboratory manager"),
    Role.FOCAL_POINT: N_("national focal point"),
    Role.REVIEWER: N_("reviewer"),
    Role.MODERATOR: N_("moderator"),
    Role.SECRETARIAT: N_("Secretariat"),
    Role.ADMINISTRATOR: N_("administrator"),
}

LABORATORY_ROLES = frozenset({Role.ANALYST, Role.MANAGER})
PARTY_ROLES = frozenset({Role.FOCAL_POINT})


class Scope(StrEnum):
    """What a bearer token may be used for; each includes the one before."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True)
class Grant:
    """One role that a person holds now, tied to a laboratory or Party where the role is."""

    role: Role
    laboratory_id: int | None = None
    party_id: int | None = None


@dataclass(frozen=True)
class Actor:
    """The person behind a request, with the rights held at this moment.

    ``operator`` is the command line, which acts with the rights of whoever runs the machine.
    ``scope`` is set when a bearer token is used: that is machine access.
    """

    user_id: int | None = None
    name: str = ""
    party_id: int | None = None
    organisation: str = ""
    grants: frozenset[Grant] = field(default_factory=frozenset)
    scope: Scope | None = None
    token_expires_at: datetime | None = None
    session_id: int | None = None
    operator: bool = False

    def has(self, role: Role) -> bool:
        """Whether the actor holds ``role`` for any laboratory or Party."""
        return any(grant.role is role for grant in self.grants)

    @property
    def laboratory_ids(self) -> tuple[int, ...]:
        """Laboratories that the actor is an analyst or manager of."""
        found = {g.laboratory_id for g in self.grants if g.role in LABORATORY_ROLES and g.laboratory_id}
        return tuple(sorted(found))

    @property
    def focal_party_ids(self) -> tuple[int, ...]:
        """Parties that the actor is the focal point of."""
        return tuple(sorted({g.party_id for g in self.grants if g.role is Role.FOCAL_POINT and g.party_id}))

    @property
    def role_names(self) -> str:
        """The roles held, for the audit trail."""
        if self.operator:
            return "operator"
        return ",".join(sorted({grant.role.value for grant in self.grants})) or Role.VISITOR.value


VISITOR = Actor()
OPERATOR = Actor(name="operator", operator=True)
