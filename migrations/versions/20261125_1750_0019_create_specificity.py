"""Create the tables of living specificity: marks of versions and sequences, hits, changes."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

JUDGEMENTS = ("detected", "doubtful", "not-detected")


def _words(*values: str, name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def upgrade() -> None:
    op.create_table(
        "specificity_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("worker", sa.String(length=40), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_specificity_state_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_specificity_state")),
    )
    op.execute("INSERT INTO specificity_state (id, worker) VALUES (1, '')")
    op.create_table(
        "specificity_method",
        sa.Column("version_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("assays", sa.Integer(), nullable=False),
        sa.Column("remarks", sa.JSON(), nullable=False),
        sa.Column("rule", sa.String(length=20), nullable=False),
        sa.Column("announced", sa.Boolean(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["method_version.id"],
            name=op.f("fk_specificity_method_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_specificity_method")),
    )
    op.create_table(
        "specificity_sequence",
        sa.Column("sequence_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=40), nullable=False),
        sa.Column("circular", sa.Boolean(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sequence_id"],
            ["reference_sequence.id"],
            name=op.f("fk_specificity_sequence_sequence_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("sequence_id", name=op.f("pk_specificity_sequence")),
    )
    op.create_table(
        "specificity_hit",
        sa.Column("version_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("judgement", _words(*JUDGEMENTS, name="judgement"), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("assay", sa.String(length=300), nullable=False),
        sa.Column("assays", sa.JSON(), nullable=False),
        sa.Column("products", sa.Integer(), nullable=False),
        sa.Column("sizes", sa.JSON(), nullable=False),
        sa.Column("start_bp", sa.Integer(), nullable=False),
        sa.Column("size_bp", sa.Integer(), nullable=False),
        sa.Column("strand", sa.Integer(), nullable=False),
        sa.Column("published_bp", sa.Integer(), nullable=True),
        sa.Column("mm_forward", sa.Integer(), nullable=False),
        sa.Column("mm_reverse", sa.Integer(), nullable=False),
        sa.Column("mm_probe", sa.Integer(), nullable=True),
        sa.Column("mismatches", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=20), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("judgement IN ('detected', 'doubtful')", name=op.f("ck_specificity_hit_found")),
        sa.CheckConstraint("products > 0", name=op.f("ck_specificity_hit_products_positive")),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["method_version.id"],
            name=op.f("fk_specificity_hit_version_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["sequence_id"],
            ["reference_sequence.id"],
            name=op.f("fk_specificity_hit_sequence_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("version_id", "sequence_id", name=op.f("pk_specificity_hit")),
    )
    with op.batch_alter_table("specificity_hit", schema=None) as batch_op:
        batch_op.create_index("ix_specificity_hit_sequence_id", ["sequence_id", "version_id"], unique=False)
    op.create_table(
        "specificity_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("sequence_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            _words("mismatch", "not-detected", "unexpected", "detected", name="change_kind"),
            nullable=False,
        ),
        sa.Column("before", _words(*JUDGEMENTS, name="judgement_before"), nullable=True),
        sa.Column("after", _words(*JUDGEMENTS, name="judgement_after"), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("mismatches", sa.JSON(), nullable=False),
        sa.Column("size_bp", sa.Integer(), nullable=True),
        sa.Column("published_bp", sa.Integer(), nullable=True),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sequence_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["method_version.id"],
            name=op.f("fk_specificity_change_version_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["sequence_id"],
            ["reference_sequence.id"],
            name=op.f("fk_specificity_change_sequence_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_specificity_change")),
    )
    with op.batch_alter_table("specificity_change", schema=None) as batch_op:
        batch_op.create_index("ix_specificity_change_version_id", ["version_id", "sequence_id"], unique=False)
        for column in ("sequence_id", "found_at", "method_told_at", "sequence_told_at"):
            batch_op.create_index(f"ix_specificity_change_{column}", [column], unique=False)


def downgrade() -> None:
    for table in (
        "specificity_change",
        "specificity_hit",
        "specificity_sequence",
        "specificity_method",
        "specificity_state",
    ):
        op.drop_table(table)
