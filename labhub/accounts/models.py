"""Tables of Parties, laboratories, people and how they sign in."""

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.accounts.actor import Role, Scope
from labhub.db import Model, UtcDateTime, text_enum
from labhub.i18n import current_language


class Region(StrEnum):
    """Regional groups of the United Nations."""

    AFRICA = "African Group"
    ASIA_PACIFIC = "Asia-Pacific"
    CEE = "CEE"
    GRULAC = "GRULAC"
    WEOG = "WEOG"


class StatusKind(StrEnum):
    """Whether a State is bound by the Protocol."""

    PARTY = "party"
    NON_PARTY = "non-party"


class GroupKind(StrEnum):
    """Groups that indicators are split by."""

    LDC = "ldc"
    SIDS = "sids"
    EIT = "eit"


class Party(Model):
    """A State or the EU; its status and groups are dated rows, because they change."""

    __tablename__ = "party"

    id: Mapped[int] = mapped_column(primary_key=True)
    iso2: Mapped[str] = mapped_column(String(2), unique=True)
    iso3: Mapped[str] = mapped_column(String(3), unique=True)
    name_en: Mapped[str] = mapped_column(String(120))
    name_fr: Mapped[str] = mapped_column(String(120))
    name_es: Mapped[str] = mapped_column(String(120))
    name_zh: Mapped[str] = mapped_column(String(120))
    name_ar: Mapped[str] = mapped_column(String(120))
    name_ru: Mapped[str] = mapped_column(String(120))
    region: Mapped[Region | None] = mapped_column(text_enum(Region))
    source: Mapped[str] = mapped_column(String(300), default="")
    verified: Mapped[bool] = mapped_column(default=False)
    """Read at the source named; otherwise from memory or not checked again."""

    statuses: Mapped[list["PartyStatus"]] = relationship(order_by="PartyStatus.from_on")
    groups: Mapped[list["GroupMembership"]] = relationship()

    @property
    def party_id(self) -> int:
        """The Party that the rules ask for: itself."""
        return self.id

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return str(getattr(self, f"name_{current_language()}", self.name_en))


class PartyStatus(Model):
    """From when to when a State is or is not a Party; an empty ``from_on`` means not known."""

    __tablename__ = "party_status"
    __table_args__ = (
        CheckConstraint("until_on IS NULL OR from_on IS NULL OR until_on > from_on", name="days"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    status: Mapped[StatusKind] = mapped_column(text_enum(StatusKind))
    from_on: Mapped[date | None]
    until_on: Mapped[date | None]
    """First day on which it no longer holds."""


class GroupMembership(Model):
    """From when to when a State belongs to a group; an empty ``from_on`` means not known."""

    __tablename__ = "group_membership"
    __table_args__ = (
        CheckConstraint("until_on IS NULL OR from_on IS NULL OR until_on > from_on", name="days"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    group: Mapped[GroupKind] = mapped_column("group_kind", text_enum(GroupKind))
    from_on: Mapped[date | None]
    until_on: Mapped[date | None]


class Laboratory(Model):
    """A laboratory of the network. Confirmed once a year; otherwise marked, and still shown."""

    __tablename__ = "laboratory"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    """Safe in an address: letters, digits and hyphens."""
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(200), unique=True)
    """Case-folded NFKC of the name: two laboratories may not look alike."""
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    address: Mapped[str] = mapped_column(Text, default="")
    email: Mapped[str] = mapped_column(String(320), default="")
    languages: Mapped[str] = mapped_column(String(200), default="")
    services: Mapped[str] = mapped_column(Text, default="")
    accreditation: Mapped[str] = mapped_column(String(200), default="")
    confirmed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    row_version: Mapped[int] = mapped_column(default=1)

    party: Mapped[Party | None] = relationship()

    __mapper_args__ = {"version_id_col": row_version}

    @property
    def laboratory_id(self) -> int:
        """The laboratory that the rules ask for: itself."""
        return self.id


class User(Model):
    """A person with an account. Sign-in goes through Flask-Login by ``fs_uniquifier``."""

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320))
    email_key: Mapped[str] = mapped_column(String(320), unique=True)
    """Case-folded NFKC of the address."""
    name: Mapped[str] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(String(60), default="")
    language: Mapped[str] = mapped_column(String(5), default="en")
    password: Mapped[str | None] = mapped_column(String(255))
    """argon2id; empty until the invitation is used."""
    active: Mapped[bool] = mapped_column(default=True)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    row_version: Mapped[int] = mapped_column(default=1)

    affiliations: Mapped[list["Affiliation"]] = relationship(order_by="Affiliation.id")
    grants: Mapped[list["RoleGrant"]] = relationship(
        order_by="RoleGrant.id", foreign_keys="RoleGrant.user_id", back_populates="user"
    )

    __mapper_args__ = {"version_id_col": row_version}

    @property
    def user_id(self) -> int:
        """The person that the rules ask for: oneself."""
        return self.id

    @property
    def affiliation(self) -> "Affiliation | None":
        """What the person belongs to now."""
        return next((row for row in self.affiliations if row.until_at is None), None)

    @property
    def current_grants(self) -> list["RoleGrant"]:
        """The roles held now."""
        return [row for row in self.grants if row.revoked_at is None]

    # What Flask-Login and Flask-Security ask of an account.
    is_authenticated = True
    is_anonymous = False

    @property
    def is_active(self) -> bool:
        """Whether the account may sign in."""
        return self.active

    roles: ClassVar[tuple[()]] = ()
    """Flask-Security's own roles, with permissions: labhub has none of that kind."""

    def has_role(self, role: str) -> bool:
        """Whether the role is held now, for any laboratory or Party."""
        return any(row.role == role for row in self.current_grants)

    def get_id(self) -> str:
        """The identity that the cookie names."""
        return self.fs_uniquifier


class Affiliation(Model):
    """What a person belongs to, from when to when: one Party or one organisation at a time."""

    __tablename__ = "affiliation"
    __table_args__ = (
        CheckConstraint("(party_id IS NULL) <> (organisation = '')", name="party_or_organisation"),
        Index(
            "uq_affiliation_current",
            "user_id",
            unique=True,
            sqlite_where=text("until_at IS NULL"),
            postgresql_where=text("until_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    organisation: Mapped[str] = mapped_column(String(200), default="")
    from_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    party: Mapped[Party | None] = relationship()


class RoleGrant(Model):
    """A role that a person holds, tied to a laboratory or Party where the role is."""

    __tablename__ = "role_grant"
    __table_args__ = (
        CheckConstraint(
            "(laboratory_id IS NOT NULL) = (role IN ('analyst', 'manager'))", name="laboratory_where_due"
        ),
        CheckConstraint("(party_id IS NOT NULL) = (role = 'focal-point')", name="party_where_due"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    role: Mapped[Role] = mapped_column(text_enum(Role))
    laboratory_id: Mapped[int | None] = mapped_column(ForeignKey("laboratory.id"), index=True)
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    granted_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship(foreign_keys=[user_id], back_populates="grants")
    laboratory: Mapped[Laboratory | None] = relationship()
    party: Mapped[Party | None] = relationship()


class JoinState(StrEnum):
    """Where a request to join stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"


class JoinRequest(Model):
    """A person asks to join, or a focal point nominates one; the focal point or Secretariat decides."""

    __tablename__ = "join_request"
    __table_args__ = (
        CheckConstraint("(party_id IS NULL) <> (organisation = '')", name="party_or_organisation"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(320))
    role: Mapped[Role] = mapped_column(text_enum(Role))
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    organisation: Mapped[str] = mapped_column(String(200), default="")
    laboratory_id: Mapped[int | None] = mapped_column(ForeignKey("laboratory.id"), index=True)
    motivation: Mapped[str] = mapped_column(Text, default="")
    language: Mapped[str] = mapped_column(String(5), default="en")
    state: Mapped[JoinState] = mapped_column(text_enum(JoinState), default=JoinState.PENDING)
    nominated: Mapped[bool] = mapped_column(default=False)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    reason: Mapped[str] = mapped_column(Text, default="")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))

    party: Mapped[Party | None] = relationship()
    laboratory: Mapped[Laboratory | None] = relationship()


class LoginSession(Model):
    """One signed-in browser. The cookie names the row; an ended row signs nobody in."""

    __tablename__ = "login_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    agent: Mapped[str] = mapped_column(String(200), default="")
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()


class ApiToken(Model):
    """A bearer token: only its SHA-256 is kept."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(12))
    """Its first characters, to recognise it by."""
    scope: Mapped[Scope] = mapped_column(text_enum(Scope))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()


class LinkPurpose(StrEnum):
    """What a one-time link is for."""

    RESET = "reset"
    INVITATION = "invitation"


class OneTimeLink(Model):
    """A link sent by mail that sets a password once: only its SHA-256 is kept."""

    __tablename__ = "one_time_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[LinkPurpose] = mapped_column(text_enum(LinkPurpose))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    email_key: Mapped[str] = mapped_column(String(320))
    """The address that it was made for; after a change of address it opens nothing."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()


class TryKind(StrEnum):
    """What was tried; each kind is counted apart."""

    SIGN_IN = "sign-in"
    RESET = "reset"
    LINK = "link"
    JOIN = "join"


class SignInTry(Model):
    """A try to sign in that has not (yet) succeeded, or another act of a visitor that is limited.

    Five minutes of them are counted.
    """

    __tablename__ = "sign_in_try"
    __table_args__ = (Index("ix_sign_in_try_account", "account_key", "at"), Index("ix_sign_in_try_at", "at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[TryKind] = mapped_column(text_enum(TryKind), default=TryKind.SIGN_IN)
    account_key: Mapped[str] = mapped_column(String(64))
    address_key: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class RequestOnce(Model):
    """The answer to a request that carried an Idempotency-Key, so that a second one changes nothing."""

    __tablename__ = "request_once"
    __table_args__ = (UniqueConstraint("user_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    key: Mapped[str] = mapped_column(String(128))
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    content_type: Mapped[str] = mapped_column(String(100))
    location: Mapped[str] = mapped_column(String(500), default="")
    etag: Mapped[str] = mapped_column(String(100), default="")
    answer: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
