"""Create the tables of sealed sequences: grants, questions, uses, stops, answers of methods."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sealed_question",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "asked",
                "refused",
                "stopped",
                name="question_state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("mark", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_sealed_question_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_question")),
    )
    with op.batch_alter_table("sealed_question", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sealed_question_at"), ["at"], unique=False)
        batch_op.create_index("ix_sealed_question_user_id_at", ["user_id", "at"], unique=False)

    op.create_table(
        "sealed_question_scope",
        sa.Column("scope", sa.String(length=30), nullable=False),
        sa.Column("question_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["question_id"], ["sealed_question.id"], name=op.f("fk_sealed_question_scope_question_id")
        ),
        sa.PrimaryKeyConstraint("scope", "question_id", name=op.f("pk_sealed_question_scope")),
    )
    op.create_table(
        "sealed_stop",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_key", sa.String(length=32), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(length=30), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("questions", sa.Integer(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by_id", sa.Integer(), nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "lifted_at IS NULL OR lift_reason <> ''", name=op.f("ck_sealed_stop_lifted_has_reason")
        ),
        sa.ForeignKeyConstraint(
            ["lifted_by_id"], ["user_account.id"], name=op.f("fk_sealed_stop_lifted_by_id")
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["laboratory.id"], name=op.f("fk_sealed_stop_owner_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_sealed_stop_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_stop")),
    )
    with op.batch_alter_table("sealed_stop", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sealed_stop_case_key"), ["case_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_sealed_stop_owner_id"), ["owner_id"], unique=False)
        batch_op.create_index("ix_sealed_stop_scope_owner_id", ["scope", "owner_id"], unique=False)

    op.create_table(
        "sealed_word",
        sa.Column("digest", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("question_id", sa.Integer(), nullable=False),
        sa.Column("is_long", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["question_id"], ["sealed_question.id"], name=op.f("fk_sealed_word_question_id")
        ),
        sa.PrimaryKeyConstraint("digest", "question_id", name=op.f("pk_sealed_word")),
    )
    with op.batch_alter_table("sealed_word", schema=None) as batch_op:
        batch_op.create_index("ix_sealed_word_question_id", ["question_id"], unique=False)

    op.create_table(
        "sealed_grant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sequence_id", sa.Integer(), nullable=False),
        sa.Column(
            "access_right",
            sa.Enum("use", "see", name="sealed_right", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("laboratory_id", sa.Integer(), nullable=True),
        sa.Column("party_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_by_id", sa.Integer(), nullable=True),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by_id", sa.Integer(), nullable=True),
        sa.Column("revoke_reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "access_right <> 'see' OR party_id IS NULL", name=op.f("ck_sealed_grant_party_does_not_see")
        ),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_sealed_grant_has_reason")),
        sa.CheckConstraint(
            "(CASE WHEN user_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN laboratory_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN party_id IS NULL THEN 0 ELSE 1 END) = 1",
            name=op.f("ck_sealed_grant_one_grantee"),
        ),
        sa.ForeignKeyConstraint(
            ["granted_by_id"], ["user_account.id"], name=op.f("fk_sealed_grant_granted_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["laboratory_id"], ["laboratory.id"], name=op.f("fk_sealed_grant_laboratory_id")
        ),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_sealed_grant_party_id")),
        sa.ForeignKeyConstraint(
            ["revoked_by_id"], ["user_account.id"], name=op.f("fk_sealed_grant_revoked_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["sequence_id"], ["reference_sequence.id"], name=op.f("fk_sealed_grant_sequence_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_sealed_grant_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_grant")),
    )
    with op.batch_alter_table("sealed_grant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sealed_grant_laboratory_id"), ["laboratory_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sealed_grant_party_id"), ["party_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sealed_grant_sequence_id"), ["sequence_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sealed_grant_user_id"), ["user_id"], unique=False)

    op.create_table(
        "sealed_use",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sequence_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "search",
                "methods",
                "bases",
                "download",
                name="sealed_use_kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("door", sa.String(length=20), nullable=False),
        sa.Column(
            "answer",
            sa.Enum(
                "found",
                "not-found",
                "not-decided",
                name="sealed_answer",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("question_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["question_id"], ["sealed_question.id"], name=op.f("fk_sealed_use_question_id")
        ),
        sa.ForeignKeyConstraint(
            ["sequence_id"], ["reference_sequence.id"], name=op.f("fk_sealed_use_sequence_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_sealed_use_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_use")),
    )
    with op.batch_alter_table("sealed_use", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sealed_use_question_id"), ["question_id"], unique=False)
        batch_op.create_index("ix_sealed_use_sequence_id_at", ["sequence_id", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_sealed_use_user_id"), ["user_id"], unique=False)

    op.create_table(
        "sealed_method_answer",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("sequence_id", sa.Integer(), nullable=False),
        sa.Column(
            "answer",
            sa.Enum(
                "found",
                "not-found",
                "not-decided",
                name="sealed_answer",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("made_from", sa.String(length=64), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sequence_id"], ["reference_sequence.id"], name=op.f("fk_sealed_method_answer_sequence_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_sealed_method_answer_version_id")
        ),
        sa.PrimaryKeyConstraint("version_id", "sequence_id", name=op.f("pk_sealed_method_answer")),
    )
    with op.batch_alter_table("sealed_method_answer", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sealed_method_answer_sequence_id"), ["sequence_id"], unique=False
        )


def downgrade() -> None:
    for table in (
        "sealed_method_answer",
        "sealed_use",
        "sealed_grant",
        "sealed_word",
        "sealed_stop",
        "sealed_question_scope",
        "sealed_question",
    ):
        op.drop_table(table)
