"""Keep versions of the performance criteria, and decisions about laboratories of a trial."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "performance_criteria",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("adopted_on", sa.Date(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performance_criteria")),
        sa.UniqueConstraint("version", name=op.f("uq_performance_criteria_version")),
    )
    # Not in batch mode: a rebuild of the table on SQLite would lose the triggers that seal it.
    op.add_column("method_study", sa.Column("decisions", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.execute("ALTER TABLE method_study DROP COLUMN decisions")
    op.drop_table("performance_criteria")
