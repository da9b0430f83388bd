"""Create the tables of lmos."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "element",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("slug", sa.String(length=200), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "promoter",
                "gene",
                "terminator",
                "marker",
                "other",
                name="element_kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("donor_organism", sa.String(length=300), nullable=True),
        sa.Column("is_construct", sa.Boolean(), nullable=False),
        sa.Column("codes", sa.JSON(), nullable=False),
        sa.Column("accession", sa.String(length=60), nullable=True),
        sa.Column("source", sa.String(length=500), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_element")),
        sa.UniqueConstraint("name_key", name=op.f("uq_element_name_key")),
        sa.UniqueConstraint("slug", name=op.f("uq_element_slug")),
    )
    op.create_table(
        "lmo",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unique_identifier", sa.String(length=400), nullable=True),
        sa.Column("identifier_key", sa.String(length=400), nullable=True),
        sa.Column("slug", sa.String(length=400), nullable=False),
        sa.Column("event", sa.String(length=200), nullable=False),
        sa.Column("event_key", sa.String(length=200), nullable=False),
        sa.Column("event_slug", sa.String(length=200), nullable=False),
        sa.Column("trade_name", sa.String(length=200), nullable=True),
        sa.Column("taxon_scientific", sa.String(length=200), nullable=True),
        sa.Column("taxon_common", sa.String(length=200), nullable=True),
        sa.Column("developer", sa.String(length=300), nullable=True),
        sa.Column("traits", sa.JSON(), nullable=False),
        sa.Column("is_stack", sa.Boolean(), nullable=False),
        sa.Column("parents", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("fields_from_memory", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(unique_identifier IS NULL) = (identifier_key IS NULL)", name=op.f("ck_lmo_identifier_has_key")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lmo")),
        sa.UniqueConstraint("event_key", name=op.f("uq_lmo_event_key")),
        sa.UniqueConstraint("event_slug", name=op.f("uq_lmo_event_slug")),
        sa.UniqueConstraint("identifier_key", name=op.f("uq_lmo_identifier_key")),
        sa.UniqueConstraint("slug", name=op.f("uq_lmo_slug")),
        sa.UniqueConstraint("unique_identifier", name=op.f("uq_lmo_unique_identifier")),
    )
    with op.batch_alter_table("lmo", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lmo_taxon_scientific"), ["taxon_scientific"], unique=False)

    op.create_table(
        "claim",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lmo_id", sa.Integer(), nullable=False),
        sa.Column("element_id", sa.Integer(), nullable=False),
        sa.Column(
            "sign",
            sa.Enum("has", "lacks", name="sign", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("source", sa.String(length=500), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("recorded_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["element_id"], ["element.id"], name=op.f("fk_claim_element_id")),
        sa.ForeignKeyConstraint(["lmo_id"], ["lmo.id"], name=op.f("fk_claim_lmo_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
        sa.UniqueConstraint("lmo_id", "element_id", "source", name=op.f("uq_claim_lmo_id_element_id_source")),
    )
    with op.batch_alter_table("claim", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_claim_element_id"), ["element_id"], unique=False)

    op.create_table(
        "element_name",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("element_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["element_id"], ["element.id"], name=op.f("fk_element_name_element_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_element_name")),
        sa.UniqueConstraint("element_id", "name_key", name=op.f("uq_element_name_element_id_name_key")),
    )
    with op.batch_alter_table("element_name", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_element_name_name_key"), ["name_key"], unique=False)

    op.create_table(
        "lmo_name",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lmo_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "synonym",
                "trade-name",
                "code",
                "former-name",
                name="name_kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("source", sa.String(length=500), nullable=False),
        sa.Column("recorded_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["lmo_id"], ["lmo.id"], name=op.f("fk_lmo_name_lmo_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lmo_name")),
        sa.UniqueConstraint("lmo_id", "name_key", name=op.f("uq_lmo_name_lmo_id_name_key")),
    )
    with op.batch_alter_table("lmo_name", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lmo_name_name_key"), ["name_key"], unique=False)

    op.create_table(
        "lmo_source",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lmo_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=True),
        sa.Column("url", sa.String(length=1000), nullable=True),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["lmo_id"], ["lmo.id"], name=op.f("fk_lmo_source_lmo_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lmo_source")),
    )
    with op.batch_alter_table("lmo_source", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lmo_source_lmo_id"), ["lmo_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("lmo_source", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lmo_source_lmo_id"))

    op.drop_table("lmo_source")
    with op.batch_alter_table("lmo_name", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lmo_name_name_key"))

    op.drop_table("lmo_name")
    with op.batch_alter_table("element_name", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_element_name_name_key"))

    op.drop_table("element_name")
    with op.batch_alter_table("claim", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_claim_element_id"))

    op.drop_table("claim")
    with op.batch_alter_table("lmo", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lmo_taxon_scientific"))

    op.drop_table("lmo")
    op.drop_table("element")
