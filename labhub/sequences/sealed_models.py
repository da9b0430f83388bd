"""Tables of sealed sequences: who may use or see one, what was asked, what was answered, who is stopped.

No table here holds a query or a base: of what was asked only keyed digests of short words are kept, by
which a walk along a hidden sequence is noticed (``docs/sealed.md``).
"""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labhub.accounts.models import Laboratory, Party, User
from labhub.db import Model, UtcDateTime, text_enum
from labhub.i18n import N_
from labhub.sequences.models import ReferenceSequence


class SealedRight(StrEnum):
    """What a person named by the owner may do with a sealed record."""

    USE = "use"
    """Ask whether primers or a piece of sequence are found in it; never a base."""
    SEE = "see"
    """Read its bases, features and digest, and download it; includes USE."""


RIGHT_NAMES: dict[SealedRight, str] = {SealedRight.USE: N_("use in searches"), SealedRight.SEE: N_("see")}


class SealedAnswer(StrEnum):
    """All that is ever said of a sealed record."""

    FOUND = "found"
    NOT_FOUND = "not-found"
    NOT_DECIDED = "not-decided"


ANSWER_NAMES: dict[SealedAnswer, str] = {
    SealedAnswer.FOUND: N_("found"),
    SealedAnswer.NOT_FOUND: N_("not found"),
    SealedAnswer.NOT_DECIDED: N_("not decided"),
}


class SealedUseKind(StrEnum):
    """By which way a sealed record was used."""

    SEARCH = "search"
    METHODS = "methods"
    BASES = "bases"
    DOWNLOAD = "download"


USE_NAMES: dict[SealedUseKind, str] = {
    SealedUseKind.SEARCH: N_("free search"),
    SealedUseKind.METHODS: N_("answers of published methods"),
    SealedUseKind.BASES: N_("bases read"),
    SealedUseKind.DOWNLOAD: N_("downloaded"),
}


class SealedGrant(Model):
    """A person, laboratory or Party that may use or see a sealed record, from when to when and why."""

    __tablename__ = "sealed_grant"
    __table_args__ = (
        CheckConstraint(
            "(CASE WHEN user_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN laboratory_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN party_id IS NULL THEN 0 ELSE 1 END) = 1",
            name="one_grantee",
        ),
        CheckConstraint("access_right <> 'see' OR party_id IS NULL", name="party_does_not_see"),
        CheckConstraint("reason <> ''", name="has_reason"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sequence_id: Mapped[int] = mapped_column(ForeignKey("reference_sequence.id"), index=True)
    right: Mapped[SealedRight] = mapped_column("access_right", text_enum(SealedRight))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    laboratory_id: Mapped[int | None] = mapped_column(ForeignKey("laboratory.id"), index=True)
    """Its analysts and managers, whoever they are at the moment of asking."""
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    """Its focal points."""
    reason: Mapped[str] = mapped_column(Text)
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    granted_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    until_on: Mapped[date | None]
    """Last day on which it holds (UTC); empty: until it is revoked."""
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    revoke_reason: Mapped[str] = mapped_column(Text, default="")

    sequence: Mapped[ReferenceSequence] = relationship()
    user: Mapped[User | None] = relationship(foreign_keys=[user_id])
    laboratory: Mapped[Laboratory | None] = relationship()
    party: Mapped[Party | None] = relationship()
    granted_by: Mapped[User | None] = relationship(foreign_keys=[granted_by_id])


class QuestionState(StrEnum):
    """What became of a question; each counts against the day's limits."""

    ASKED = "asked"
    REFUSED = "refused"
    STOPPED = "stopped"


class SealedQuestion(Model):
    """One question of a free search: who asked when, never what."""

    __tablename__ = "sealed_question"
    __table_args__ = (Index("ix_sealed_question_user_id_at", "user_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    state: Mapped[QuestionState] = mapped_column(text_enum(QuestionState))
    mark: Mapped[int | None] = mapped_column(BigInteger)
    """Keyed digest of the whole question: an exact repetition tells nothing new and makes no walk."""


class SealedQuestionScope(Model):
    """For whom a question counts: the person, each laboratory, each Party (``user:7``, ``laboratory:3``)."""

    __tablename__ = "sealed_question_scope"

    scope: Mapped[str] = mapped_column(String(30), primary_key=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("sealed_question.id"), primary_key=True)


class SealedWord(Model):
    """Keyed digest of a short word of a question; kept for the days in which walks are noticed."""

    __tablename__ = "sealed_word"
    __table_args__ = (Index("ix_sealed_word_question_id", "question_id"),)

    digest: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    question_id: Mapped[int] = mapped_column(ForeignKey("sealed_question.id"), primary_key=True)
    is_long: Mapped[bool]
    """Whether it is a word that makes links of a chain, not only neighbours."""


class SealedUse(Model):
    """One use of a sealed record, for its owner to see."""

    __tablename__ = "sealed_use"
    __table_args__ = (Index("ix_sealed_use_sequence_id_at", "sequence_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    sequence_id: Mapped[int] = mapped_column(ForeignKey("reference_sequence.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    kind: Mapped[SealedUseKind] = mapped_column(text_enum(SealedUseKind))
    door: Mapped[str] = mapped_column(String(20))
    """``web`` or ``api``."""
    answer: Mapped[SealedAnswer | None] = mapped_column(text_enum(SealedAnswer))
    """What was answered; empty where there was no question."""
    question_id: Mapped[int | None] = mapped_column(ForeignKey("sealed_question.id"), index=True)

    user: Mapped[User] = relationship()
    sequence: Mapped[ReferenceSequence] = relationship()


class SealedStop(Model):
    """A person, laboratory or Party whose free searches in the records of an owner are not answered."""

    __tablename__ = "sealed_stop"
    __table_args__ = (
        CheckConstraint("lifted_at IS NULL OR lift_reason <> ''", name="lifted_has_reason"),
        Index("ix_sealed_stop_scope_owner_id", "scope", "owner_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    case_key: Mapped[str] = mapped_column(String(32), index=True)
    """The rows of one stop: of the person and of each laboratory."""
    owner_id: Mapped[int] = mapped_column(ForeignKey("laboratory.id"), index=True)
    scope: Mapped[str] = mapped_column(String(30))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    """Who asked the last question of the walk."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    questions: Mapped[int]
    """How many questions belonged together."""
    lifted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lifted_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    lift_reason: Mapped[str] = mapped_column(Text, default="")

    owner: Mapped[Laboratory] = relationship()
    user: Mapped[User] = relationship(foreign_keys=[user_id])

    @property
    def laboratory_id(self) -> int:
        """The laboratory that the rules ask for: the owner of the records."""
        return self.owner_id
