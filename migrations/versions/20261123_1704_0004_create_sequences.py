"""Create the tables of sequences."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sequence_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_sequence_counter_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sequence_counter")),
    )
    op.execute("INSERT INTO sequence_counter (id, last) VALUES (1, 0)")
    op.create_table(
        "reference_sequence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("accession", sa.String(length=20), nullable=False),
        sa.Column("laboratory_id", sa.Integer(), nullable=False),
        sa.Column("source_accession", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("organism", sa.String(length=300), nullable=False),
        sa.Column(
            "topology",
            sa.Enum(
                "linear", "circular", name="topology", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("molecule_type", sa.String(length=40), nullable=False),
        sa.Column("length_bp", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=40), nullable=False),
        sa.Column(
            "visibility",
            sa.Enum(
                "public",
                "network",
                "laboratory",
                "sealed",
                name="visibility",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "submitted",
                "in-review",
                "returned",
                "published",
                "superseded",
                "withdrawn",
                name="sequence_state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("lmo_id", sa.Integer(), nullable=True),
        sa.Column("element_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("licence", sa.String(length=300), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=True),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("file_kind", sa.String(length=20), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("editor_ids", sa.JSON(), nullable=False),
        sa.Column("submitted_by_id", sa.Integer(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewer_id", sa.Integer(), nullable=True),
        sa.Column("published_by_id", sa.Integer(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state <> 'withdrawn' OR withdrawn_at IS NOT NULL",
            name=op.f("ck_reference_sequence_withdrawn_has_time"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('published', 'superseded') OR published_at IS NOT NULL",
            name=op.f("ck_reference_sequence_published_has_time"),
        ),
        sa.CheckConstraint(
            "visibility <> 'sealed' OR state IN ('draft', 'returned', 'withdrawn')",
            name=op.f("ck_reference_sequence_sealed_not_reviewed"),
        ),
        sa.CheckConstraint(
            "published_by_id <> submitted_by_id", name=op.f("ck_reference_sequence_two_people")
        ),
        sa.CheckConstraint("length_bp > 0", name=op.f("ck_reference_sequence_length_positive")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user_account.id"], name=op.f("fk_reference_sequence_created_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["element_id"], ["element.id"], name=op.f("fk_reference_sequence_element_id")
        ),
        sa.ForeignKeyConstraint(
            ["file_sha256"], ["stored_file.sha256"], name=op.f("fk_reference_sequence_file_sha256")
        ),
        sa.ForeignKeyConstraint(
            ["laboratory_id"], ["laboratory.id"], name=op.f("fk_reference_sequence_laboratory_id")
        ),
        sa.ForeignKeyConstraint(["lmo_id"], ["lmo.id"], name=op.f("fk_reference_sequence_lmo_id")),
        sa.ForeignKeyConstraint(
            ["published_by_id"], ["user_account.id"], name=op.f("fk_reference_sequence_published_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["reviewer_id"], ["user_account.id"], name=op.f("fk_reference_sequence_reviewer_id")
        ),
        sa.ForeignKeyConstraint(
            ["submitted_by_id"], ["user_account.id"], name=op.f("fk_reference_sequence_submitted_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_sequence")),
        sa.UniqueConstraint("accession", name=op.f("uq_reference_sequence_accession")),
    )
    with op.batch_alter_table("reference_sequence", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_reference_sequence_created_by_id"), ["created_by_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_reference_sequence_digest"), ["digest"], unique=False)
        batch_op.create_index(batch_op.f("ix_reference_sequence_element_id"), ["element_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_reference_sequence_file_sha256"), ["file_sha256"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_reference_sequence_laboratory_id"), ["laboratory_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_reference_sequence_lmo_id"), ["lmo_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_reference_sequence_organism"), ["organism"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_reference_sequence_published_by_id"), ["published_by_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_reference_sequence_reviewer_id"), ["reviewer_id"], unique=False)
        batch_op.create_index("ix_reference_sequence_source_accession", ["source_accession"], unique=False)
        batch_op.create_index("ix_reference_sequence_state_visibility", ["state", "visibility"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_reference_sequence_submitted_by_id"), ["submitted_by_id"], unique=False
        )

    op.create_table(
        "sequence_bases",
        sa.Column("sequence_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bases", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sequence_id"], ["reference_sequence.id"], name=op.f("fk_sequence_bases_sequence_id")
        ),
        sa.PrimaryKeyConstraint("sequence_id", name=op.f("pk_sequence_bases")),
    )
    op.create_table(
        "sequence_feature",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sequence_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("start_bp", sa.Integer(), nullable=False),
        sa.Column("end_bp", sa.Integer(), nullable=False),
        sa.Column("strand", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("qualifiers", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "start_bp > 0 AND end_bp > 0", name=op.f("ck_sequence_feature_coordinates_positive")
        ),
        sa.CheckConstraint("strand IN (-1, 0, 1)", name=op.f("ck_sequence_feature_strand_known")),
        sa.ForeignKeyConstraint(
            ["sequence_id"], ["reference_sequence.id"], name=op.f("fk_sequence_feature_sequence_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sequence_feature")),
    )
    with op.batch_alter_table("sequence_feature", schema=None) as batch_op:
        batch_op.create_index("ix_sequence_feature_sequence_id", ["sequence_id", "position"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("sequence_feature", schema=None) as batch_op:
        batch_op.drop_index("ix_sequence_feature_sequence_id")

    op.drop_table("sequence_feature")
    op.drop_table("sequence_bases")
    with op.batch_alter_table("reference_sequence", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reference_sequence_submitted_by_id"))
        batch_op.drop_index("ix_reference_sequence_state_visibility")
        batch_op.drop_index("ix_reference_sequence_source_accession")
        batch_op.drop_index(batch_op.f("ix_reference_sequence_reviewer_id"))
        batch_op.drop_index(batch_op.f("ix_reference_sequence_published_by_id"))
        batch_op.drop_index(batch_op.f("ix_reference_sequence_organism"))
        batch_op.drop_index(batch_op.f("ix_reference_sequence_lmo_id"))
        batch_op.drop_index(batch_op.f("ix_reference_sequence_laboratory_id"))
        batch_op.drop_index(batch_op.f("ix_reference_sequence_file_sha256"))
        batch_op.drop_index(batch_op.f("ix_reference_sequence_element_id"))
        batch_op.drop_index(batch_op.f("ix_reference_sequence_digest"))
        batch_op.drop_index(batch_op.f("ix_reference_sequence_created_by_id"))

    op.drop_table("reference_sequence")
    op.drop_table("sequence_counter")
