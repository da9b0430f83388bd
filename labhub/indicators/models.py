"""The activities and indicators of decision CP-VIII/3, as the seeds give them."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.db import Model


class Activity(Model):
    """An activity of the annex; its indicators say how far it has come."""

    __tablename__ = "activity"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(10), unique=True)
    title: Mapped[str] = mapped_column(String(300))
    source: Mapped[str] = mapped_column(String(500))
    verified: Mapped[bool]
    """Checked against the decision; otherwise the wording is from the source named."""

    indicators: Mapped[list["Indicator"]] = relationship(back_populates="activity", order_by="Indicator.code")


class Indicator(Model):
    """What is counted for an activity: which records, distinct by what."""

    __tablename__ = "indicator"

    id: Mapped[int] = mapped_column(primary_key=True)
    activity_id: Mapped[int] = mapped_column(ForeignKey("activity.id"), index=True)
    code: Mapped[str] = mapped_column(String(10), unique=True)
    title: Mapped[str] = mapped_column(String(300))
    record: Mapped[str] = mapped_column(String(300))
    distinct_by: Mapped[str] = mapped_column(String(100))
    source: Mapped[str] = mapped_column(String(500))
    verified: Mapped[bool]

    activity: Mapped[Activity] = relationship(back_populates="indicators")
