"""Create the tables of review: comments, recalls and their recipients, verifications by other laboratories.

``method_version.form_edition`` lets a form stay good while only files were added beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain, not in batch mode: a rebuilt method_version would lose its seals on SQLite.
    op.add_column("method_version", sa.Column("form_edition", sa.Integer(), nullable=True))
    op.create_table(
        "method_comment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("thread_id", sa.Integer(), nullable=True),
        sa.Column("field", sa.String(length=200), nullable=False),
        sa.Column("quoted", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column(
            "side",
            sa.Enum(
                "reviewer", "laboratory", name="side", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(resolved_at IS NULL) = (resolved_by_id IS NULL)",
            name=op.f("ck_method_comment_resolved_by_somebody"),
        ),
        sa.CheckConstraint(
            "thread_id IS NULL OR resolved_at IS NULL", name=op.f("ck_method_comment_thread_is_resolved")
        ),
        sa.ForeignKeyConstraint(["author_id"], ["user_account.id"], name=op.f("fk_method_comment_author_id")),
        sa.ForeignKeyConstraint(
            ["resolved_by_id"], ["user_account.id"], name=op.f("fk_method_comment_resolved_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["method_comment.id"], name=op.f("fk_method_comment_thread_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_comment_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_comment")),
    )
    with op.batch_alter_table("method_comment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_method_comment_author_id"), ["author_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_method_comment_thread_id"), ["thread_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_method_comment_told_at"), ["told_at"], unique=False)
        batch_op.create_index("ix_method_comment_version", ["version_id", "id"], unique=False)

    op.create_table(
        "method_recall",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "recall", "change", name="recall_kind", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column(
            "cause",
            sa.Enum(
                "withdrawal",
                "decision",
                "new-version",
                name="recall_cause",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("new_version_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("issued_by_id", sa.Integer(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(cause = 'new-version') = (new_version_id IS NOT NULL)",
            name=op.f("ck_method_recall_new_version_named"),
        ),
        sa.CheckConstraint(
            "(kind = 'change') = (cause = 'new-version')", name=op.f("ck_method_recall_change_by_new_version")
        ),
        sa.ForeignKeyConstraint(
            ["issued_by_id"], ["user_account.id"], name=op.f("fk_method_recall_issued_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["new_version_id"], ["method_version.id"], name=op.f("fk_method_recall_new_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_recall_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_recall")),
        sa.UniqueConstraint("version_id", "cause", name=op.f("uq_method_recall_version_id_cause")),
    )
    with op.batch_alter_table("method_recall", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_method_recall_new_version_id"), ["new_version_id"], unique=False)

    op.create_table(
        "method_verification",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("laboratory_id", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "published",
                "hidden",
                name="verification_state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "outcome",
            sa.Enum(
                "performs-as-validated",
                "with-limits",
                "does-not-perform",
                name="verification_outcome",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("matrices", sa.JSON(), nullable=False),
        sa.Column("instrument", sa.String(length=200), nullable=True),
        sa.Column("study", sa.JSON(), nullable=False),
        sa.Column("slope", sa.Double(), nullable=True),
        sa.Column("r2", sa.Double(), nullable=True),
        sa.Column("rsdr_percent", sa.Double(), nullable=True),
        sa.Column("bias_percent", sa.Double(), nullable=True),
        sa.Column("lod_copies", sa.Double(), nullable=True),
        sa.Column("lod_percent", sa.Double(), nullable=True),
        sa.Column("editor_ids", sa.JSON(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by_id", sa.Integer(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hidden_by_id", sa.Integer(), nullable=True),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hide_reason", sa.Text(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state <> 'hidden' OR hide_reason <> ''", name=op.f("ck_method_verification_hidden_has_reason")
        ),
        sa.CheckConstraint(
            "state = 'draft' OR published_at IS NOT NULL",
            name=op.f("ck_method_verification_published_has_time"),
        ),
        sa.CheckConstraint("lod_copies > 0", name=op.f("ck_method_verification_lod_copies_positive")),
        sa.CheckConstraint("lod_percent > 0", name=op.f("ck_method_verification_lod_percent_positive")),
        sa.CheckConstraint("r2 BETWEEN 0 AND 1", name=op.f("ck_method_verification_r2_fraction")),
        sa.CheckConstraint("rsdr_percent >= 0", name=op.f("ck_method_verification_rsdr_not_negative")),
        sa.CheckConstraint("slope < 0", name=op.f("ck_method_verification_slope_negative")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user_account.id"], name=op.f("fk_method_verification_created_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["hidden_by_id"], ["user_account.id"], name=op.f("fk_method_verification_hidden_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["laboratory_id"], ["laboratory.id"], name=op.f("fk_method_verification_laboratory_id")
        ),
        sa.ForeignKeyConstraint(
            ["published_by_id"], ["user_account.id"], name=op.f("fk_method_verification_published_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_verification_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_verification")),
    )
    with op.batch_alter_table("method_verification", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_method_verification_laboratory_id"), ["laboratory_id"], unique=False
        )
        batch_op.create_index("ix_method_verification_version", ["version_id", "state"], unique=False)

    op.create_table(
        "method_recall_recipient",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recall_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("party_id", sa.Integer(), nullable=True),
        sa.Column("laboratory_id", sa.Integer(), nullable=True),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("downloads", sa.Integer(), nullable=False),
        sa.Column("formats", sa.JSON(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("downloads >= 0", name=op.f("ck_method_recall_recipient_downloads_not_negative")),
        sa.ForeignKeyConstraint(
            ["laboratory_id"], ["laboratory.id"], name=op.f("fk_method_recall_recipient_laboratory_id")
        ),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_method_recall_recipient_party_id")),
        sa.ForeignKeyConstraint(
            ["recall_id"], ["method_recall.id"], name=op.f("fk_method_recall_recipient_recall_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_method_recall_recipient_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_recall_recipient")),
        sa.UniqueConstraint(
            "recall_id", "user_id", name=op.f("uq_method_recall_recipient_recall_id_user_id")
        ),
    )
    with op.batch_alter_table("method_recall_recipient", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_method_recall_recipient_user_id"), ["user_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("method_recall_recipient", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_method_recall_recipient_user_id"))

    op.drop_table("method_recall_recipient")
    with op.batch_alter_table("method_verification", schema=None) as batch_op:
        batch_op.drop_index("ix_method_verification_version")
        batch_op.drop_index(batch_op.f("ix_method_verification_laboratory_id"))

    op.drop_table("method_verification")
    with op.batch_alter_table("method_recall", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_method_recall_new_version_id"))

    op.drop_table("method_recall")
    with op.batch_alter_table("method_comment", schema=None) as batch_op:
        batch_op.drop_index("ix_method_comment_version")
        batch_op.drop_index(batch_op.f("ix_method_comment_told_at"))
        batch_op.drop_index(batch_op.f("ix_method_comment_thread_id"))
        batch_op.drop_index(batch_op.f("ix_method_comment_author_id"))

    op.drop_table("method_comment")
    op.execute("ALTER TABLE method_version DROP COLUMN form_edition")
