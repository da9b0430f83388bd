"""Create the tables of background genomes and of what methods find in them."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "background_genome",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("taxon", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=500), nullable=False),
        sa.Column("licence", sa.String(length=300), nullable=False),
        sa.Column("record_count", sa.Integer(), nullable=False),
        sa.Column("circular_count", sa.Integer(), nullable=False),
        sa.Column("base_count", sa.BigInteger(), nullable=False),
        sa.Column("longest_record", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("from_file", sa.String(length=255), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.CheckConstraint("base_count > 0", name=op.f("ck_background_genome_bases_positive")),
        sa.CheckConstraint("record_count > 0", name=op.f("ck_background_genome_records_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_background_genome")),
        sa.UniqueConstraint("name_key", name=op.f("uq_background_genome_name_key")),
        sa.UniqueConstraint("slug", name=op.f("uq_background_genome_slug")),
        sa.UniqueConstraint("digest", name=op.f("uq_background_genome_digest")),
    )
    op.create_table(
        "background_work",
        sa.Column("genome_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("worker", sa.String(length=40), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["genome_id"],
            ["background_genome.id"],
            name=op.f("fk_background_work_genome_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("genome_id", name=op.f("pk_background_work")),
    )
    op.create_table(
        "background_result",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("genome_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=20), nullable=False),
        sa.Column("searched", sa.JSON(), nullable=False),
        sa.Column("refused", sa.JSON(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("products", sa.Integer(), nullable=False),
        sa.Column("truncated", sa.Boolean(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("position >= 0", name=op.f("ck_background_result_position_not_negative")),
        sa.CheckConstraint("products >= 0", name=op.f("ck_background_result_products_not_negative")),
        sa.ForeignKeyConstraint(
            ["genome_id"],
            ["background_genome.id"],
            name=op.f("fk_background_result_genome_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["method_version.id"],
            name=op.f("fk_background_result_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_background_result")),
        sa.UniqueConstraint(
            "genome_id", "version_id", name=op.f("uq_background_result_genome_id_version_id")
        ),
    )
    op.create_index(op.f("ix_background_result_version_id"), "background_result", ["version_id"])
    op.create_table(
        "background_product",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("result_id", sa.Integer(), nullable=False),
        sa.Column("assay", sa.String(length=300), nullable=False),
        sa.Column("record", sa.String(length=200), nullable=False),
        sa.Column("start_bp", sa.BigInteger(), nullable=False),
        sa.Column("end_bp", sa.BigInteger(), nullable=False),
        sa.Column("size_bp", sa.Integer(), nullable=False),
        sa.Column("strand", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "fr", "ff", "rr", name="product_kind", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("forward_mismatches", sa.Integer(), nullable=False),
        sa.Column("reverse_mismatches", sa.Integer(), nullable=False),
        sa.Column("probe_mismatches", sa.Integer(), nullable=True),
        sa.CheckConstraint("strand IN (-1, 1)", name=op.f("ck_background_product_strand_known")),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["background_result.id"],
            name=op.f("fk_background_product_result_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_background_product")),
    )
    op.create_index(op.f("ix_background_product_result_id"), "background_product", ["result_id"])


def downgrade() -> None:
    op.drop_table("background_product")
    op.drop_table("background_result")
    op.drop_table("background_work")
    op.drop_table("background_genome")
