"""Add a digest of each version's oligos, by which methods with the same ones are found."""

from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

CHUNK = 1_000


def upgrade() -> None:
    table = op.create_table(
        "method_oligo_digest",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_oligo_digest_version_id")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_method_oligo_digest")),
    )
    op.create_index(op.f("ix_method_oligo_digest_digest"), "method_oligo_digest", ["digest"], unique=False)
    rows = op.get_bind().execute(
        sa.text("SELECT version_id, sequence FROM method_oligo ORDER BY version_id, sequence")
    )
    sequences: dict[int, list[str]] = {}
    for version_id, sequence in rows:
        sequences.setdefault(version_id, []).append(sequence)
    made = [
        {"version_id": version_id, "digest": sha256("\n".join(sorted(found)).encode()).hexdigest()}
        for version_id, found in sequences.items()
    ]
    for at in range(0, len(made), CHUNK):
        op.bulk_insert(table, made[at : at + CHUNK])


def downgrade() -> None:
    op.drop_table("method_oligo_digest")
