"""The ledger: one row for each download, never changed or removed."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from labhub.db import Model, UtcDateTime, text_enum


class Access(StrEnum):
    """How the hub was asked: a bearer token is machine access, anything else is regular."""

    REGULAR = "regular"
    MACHINE = "machine"


class AgentClass(StrEnum):
    """What the User-Agent header says of itself, by the lists of ``robots.py``."""

    BROWSER = "browser"
    ROBOT = "robot"
    SCRIPT = "script"
    NONE = "none"
    UNKNOWN = "unknown"


class UsageEvent(Model):
    """One download as the contract counts it: a GET answered 200, 304, or 206 from byte 0.

    Who asked is the account; without one only ``user_key`` tells two visitors apart.
    No address is kept in clear. Items belong to packages above, so they are named, not joined.
    """

    __tablename__ = "usage_event"
    __table_args__ = (
        CheckConstraint("status IN (200, 206, 304)", name="status_counts"),
        CheckConstraint("party_id IS NULL OR user_id IS NOT NULL", name="party_from_account"),
        CheckConstraint("laboratory_id IS NULL OR user_id IS NOT NULL", name="laboratory_from_account"),
        CheckConstraint("access = 'regular' OR user_id IS NOT NULL", name="machine_has_account"),
        Index("ix_usage_event_at", "at", "id"),
        Index("ix_usage_event_item", "item_kind", "item_id", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    """Made with the event, so that replaying the spool twice adds nothing."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    user_key: Mapped[str] = mapped_column(String(64))
    """HMAC-SHA256 of the account, or of address and agent, under the hub's secret."""
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    """The account's Party when it asked."""
    laboratory_id: Mapped[int | None] = mapped_column(ForeignKey("laboratory.id"), index=True)
    """The one laboratory that the account worked in when it asked; empty when none or several."""
    access: Mapped[Access] = mapped_column(text_enum(Access))
    agent_class: Mapped[AgentClass] = mapped_column(text_enum(AgentClass))
    robot_list: Mapped[str] = mapped_column(String(100))
    """The lists that ``agent_class`` was decided by, with their versions."""
    item_kind: Mapped[str] = mapped_column(String(20))
    item_id: Mapped[int]
    item_code: Mapped[str] = mapped_column(String(100))
    item_version: Mapped[str] = mapped_column(String(40))
    file: Mapped[str] = mapped_column(String(255))
    item_laboratory_id: Mapped[int | None]
    """The laboratory that the item came from."""
    status: Mapped[int]
    request_id: Mapped[str] = mapped_column(String(64))
