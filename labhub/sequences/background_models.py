"""The table of background genomes: what is known of each; the bases lie in packed files."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from labhub.db import Model, UtcDateTime


class BackgroundGenome(Model):
    """A genome that methods are searched in for products that nobody wants."""

    __tablename__ = "background_genome"
    __table_args__ = (
        CheckConstraint("base_count > 0", name="bases_positive"),
        CheckConstraint("record_count > 0", name="records_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[str] = mapped_column(String(200), unique=True)
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    """The name in letters that need no quotes on a command line."""
    taxon: Mapped[str] = mapped_column(String(200), default="")
    """The accepted scientific name where the table of taxa knows one, else as it was given."""
    source: Mapped[str] = mapped_column(String(500), default="")
    licence: Mapped[str] = mapped_column(String(300), default="")
    record_count: Mapped[int]
    circular_count: Mapped[int]
    """Records that are circular."""
    base_count: Mapped[int] = mapped_column(BigInteger)
    longest_record: Mapped[int] = mapped_column(BigInteger)
    """Bases of the longest record."""
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 over names, topologies and bases (``packed.PackedLibrary.digest``)."""
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    from_file: Mapped[str] = mapped_column(String(255), default="")
    """The name of the file that it was made from."""
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    verified_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When its file was last read whole and agreed with the digest."""
    problem: Mapped[str] = mapped_column(Text, default="")
    """Why its file cannot be used, as a message identifier; empty when it can."""

    @property
    def file_name(self) -> str:
        """The name of its file in the folder of backgrounds."""
        return f"{self.digest}.labpack"
