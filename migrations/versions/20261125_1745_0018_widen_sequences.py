"""Widen the record of sequences: equivalence, what a record replaces, taxon, source, several links.

The hub works the digests out when it is initialised, for records that are there already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# Plain, not in batch mode: SQLite adds and drops such columns without making the table anew.
COLUMNS: dict[str, str] = {
    "taxon": "VARCHAR(200) DEFAULT '' NOT NULL",
    "source": "VARCHAR(300) DEFAULT '' NOT NULL",
    "reverse_digest": "VARCHAR(40)",
    "canonical_digest": "VARCHAR(40)",
    "canonical_strand": "INTEGER CONSTRAINT ck_reference_sequence_canonical_strand_known "
    "CHECK (canonical_strand IN (-1, 1))",
    "supersedes_id": "INTEGER CONSTRAINT fk_reference_sequence_supersedes_id "
    "REFERENCES reference_sequence (id)",
}
INDEXED = ("taxon", "reverse_digest", "canonical_digest", "supersedes_id")
LINKS = (("lmo", "lmo.id", sa.Integer()), ("element", "element.id", sa.Integer()))


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.execute(f"ALTER TABLE reference_sequence ADD COLUMN {name} {kind}")
    for name in INDEXED:
        op.create_index(op.f(f"ix_reference_sequence_{name}"), "reference_sequence", [name], unique=False)
    for name, target, kind in LINKS:
        op.create_table(
            f"sequence_{name}",
            sa.Column("sequence_id", sa.Integer(), nullable=False),
            sa.Column(f"{name}_id", kind, nullable=False),
            sa.Column("position", sa.Integer(), nullable=False),
            sa.ForeignKeyConstraint([f"{name}_id"], [target], name=op.f(f"fk_sequence_{name}_{name}_id")),
            sa.ForeignKeyConstraint(
                ["sequence_id"], ["reference_sequence.id"], name=op.f(f"fk_sequence_{name}_sequence_id")
            ),
            sa.PrimaryKeyConstraint("sequence_id", f"{name}_id", name=op.f(f"pk_sequence_{name}")),
        )
        op.create_index(
            op.f(f"ix_sequence_{name}_{name}_id"), f"sequence_{name}", [f"{name}_id"], unique=False
        )
        op.execute(
            f"INSERT INTO sequence_{name} (sequence_id, {name}_id, position) "
            f"SELECT id, {name}_id, 1 FROM reference_sequence WHERE {name}_id IS NOT NULL"
        )
    op.create_table(
        "sequence_method",
        sa.Column("sequence_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sequence_id"], ["reference_sequence.id"], name=op.f("fk_sequence_method_sequence_id")
        ),
        sa.PrimaryKeyConstraint("sequence_id", "code", name=op.f("pk_sequence_method")),
    )
    op.create_index(op.f("ix_sequence_method_code"), "sequence_method", ["code"], unique=False)


def downgrade() -> None:
    for name in ("method", "element", "lmo"):
        op.drop_table(f"sequence_{name}")
    for name in INDEXED:
        op.drop_index(op.f(f"ix_reference_sequence_{name}"), table_name="reference_sequence")
    for name in reversed(COLUMNS):
        op.drop_column("reference_sequence", name)
