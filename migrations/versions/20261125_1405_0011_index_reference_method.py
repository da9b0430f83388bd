"""Index the reference method of versions: a method's page lists those that name it."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_method_version_reference_method", "method_version", ["reference_method"])


def downgrade() -> None:
    """Take the index away."""
    op.drop_index("ix_method_version_reference_method", table_name="method_version")
