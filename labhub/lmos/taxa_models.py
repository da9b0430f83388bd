"""The table of taxa: the names under which a taxon is written."""

from enum import StrEnum

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from labhub.db import Model, text_enum


class TaxonNameKind(StrEnum):
    """What kind of name it is."""

    SCIENTIFIC = "scientific"
    SYNONYM = "synonym"
    COMMON = "common"


class TaxonName(Model):
    """One name of a taxon."""

    __tablename__ = "taxon_name"
    __table_args__ = (UniqueConstraint("scientific", "name_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    scientific: Mapped[str] = mapped_column(String(200))
    """The accepted scientific name: what all names of a taxon share."""
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(200), index=True)
    kind: Mapped[TaxonNameKind] = mapped_column(text_enum(TaxonNameKind))
    language: Mapped[str] = mapped_column(String(5), default="")
    """Of a common name, as BCP 47."""
    ncbi_taxonomy: Mapped[int | None]
    source: Mapped[str] = mapped_column(String(300), default="")
    verified: Mapped[bool] = mapped_column(default=False)
