"""Tables of finding: what the list shows of each version, the text it is found by, and saved searches.

The first two repeat what the versions say (``find_commands.index_versions`` writes them in the same
transaction); nothing is lost when they are emptied and written anew.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.accounts.models import User
from labhub.db import Model, UtcDateTime, text_enum
from labhub.i18n import N_


class MethodIndex(Model):
    """One version as the list shows it."""

    __tablename__ = "method_index"

    version_id: Mapped[int] = mapped_column(
        ForeignKey("method_version.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    generation: Mapped[int] = mapped_column(index=True)
    """Number of the last entry of the audit trail when this row was written."""
    row: Mapped[str] = mapped_column(Text)
    """The row of the list, as JSON."""
    facets: Mapped[str] = mapped_column(Text)
    """Further values to filter and count by, as JSON (``find_queries.FACET_KEYS``)."""


class MethodText(Model):
    """The text by which one version is found, folded (``search_text.py``).

    SQLite keeps the indexes ``search_method_words`` and ``search_method_pieces`` (FTS5) in step by
    triggers; PostgreSQL has indexes on expressions. Migration 0014 makes them.
    """

    __tablename__ = "method_text"

    version_id: Mapped[int] = mapped_column(
        ForeignKey("method_version.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    names: Mapped[str] = mapped_column(Text)
    """Words of code, targets and oligo names."""
    title: Mapped[str] = mapped_column(Text)
    """Words of title and taxon."""
    body: Mapped[str] = mapped_column(Text)
    """Words of everything else that people write."""
    seeds: Mapped[str] = mapped_column(Text)
    """Pieces of 8 bases of the oligos."""
    pieces: Mapped[str] = mapped_column(Text)
    """Codes, title and targets, for parts of words; a line each."""


class Alert(StrEnum):
    """How often a saved search tells of new matches."""

    NONE = "none"
    DAILY = "daily"
    WEEKLY = "weekly"


ALERT_NAMES: dict[Alert, str] = {
    Alert.NONE: N_("no mail"),
    Alert.DAILY: N_("once a day"),
    Alert.WEEKLY: N_("once a week"),
}


class SavedSearch(Model):
    """A search of the list of methods that a person keeps, and whether new matches are mailed."""

    __tablename__ = "saved_search"
    __table_args__ = (
        UniqueConstraint("user_id", "name_key"),
        CheckConstraint("name <> ''", name="named"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[str] = mapped_column(String(100))
    filters: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Names of filters with their values, as the address of the list has them."""
    alert: Mapped[Alert] = mapped_column(text_enum(Alert), default=Alert.NONE)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ran_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    """When new matches were last looked for; at first when it was saved."""
    row_version: Mapped[int] = mapped_column(default=1)

    user: Mapped[User] = relationship()

    __mapper_args__ = {"version_id_col": row_version}
