"""Create the tables of the network: capabilities, taxa, later links, conflicts; admit BCH names."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OLD_KINDS = ("synonym", "trade-name", "code", "former-name")
NEW_KINDS = (*OLD_KINDS, "bch")


def _set_kinds(kinds: tuple[str, ...]) -> None:
    """Let a name of an LMO be of one of these kinds; on SQLite the table is written anew."""
    words = ", ".join(f"'{kind}'" for kind in kinds)
    check = f"kind IN ({words})"
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f("ck_lmo_name_name_kind"), "lmo_name", type_="check")
        op.create_check_constraint(op.f("ck_lmo_name_name_kind"), "lmo_name", check)
        return
    table = sa.Table(
        "lmo_name",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lmo_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=500), nullable=False),
        sa.Column("recorded_on", sa.Date(), nullable=True),
        sa.CheckConstraint(check, name=op.f("ck_lmo_name_name_kind")),
        sa.ForeignKeyConstraint(["lmo_id"], ["lmo.id"], name=op.f("fk_lmo_name_lmo_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lmo_name")),
        sa.UniqueConstraint("lmo_id", "name_key", name=op.f("uq_lmo_name_lmo_id_name_key")),
        sa.Index(op.f("ix_lmo_name_name_key"), "name_key"),
    )
    with op.batch_alter_table("lmo_name", copy_from=table, recreate="always"):
        pass


def upgrade() -> None:
    _set_kinds(NEW_KINDS)
    op.create_table(
        "conflict_look",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_conflict_look_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflict_look")),
    )
    op.execute("INSERT INTO conflict_look (id) VALUES (1)")
    op.create_table(
        "taxon_name",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scientific", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "scientific",
                "synonym",
                "common",
                name="taxon_name_kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("ncbi_taxonomy", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(length=300), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taxon_name")),
        sa.UniqueConstraint("scientific", "name_key", name=op.f("uq_taxon_name_scientific_name_key")),
    )
    with op.batch_alter_table("taxon_name", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_taxon_name_name_key"), ["name_key"], unique=False)

    op.create_table(
        "capability_list",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("laboratory_id", sa.Integer(), nullable=False),
        sa.Column("is_listed", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["laboratory_id"], ["laboratory.id"], name=op.f("fk_capability_list_laboratory_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capability_list")),
        sa.UniqueConstraint("laboratory_id", name=op.f("uq_capability_list_laboratory_id")),
    )
    op.create_table(
        "laboratory_capability",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("laboratory_id", sa.Integer(), nullable=False),
        sa.Column("method_id", sa.Integer(), nullable=False),
        sa.Column("runs", sa.Boolean(), nullable=False),
        sa.Column("accredited", sa.Boolean(), nullable=False),
        sa.Column("accreditation_reference", sa.String(length=100), nullable=False),
        sa.Column("accreditation_body", sa.String(length=200), nullable=False),
        sa.Column("accreditation_standard", sa.String(length=100), nullable=False),
        sa.Column("accredited_until", sa.Date(), nullable=True),
        sa.Column("material", sa.String(length=200), nullable=False),
        sa.Column("material_code", sa.String(length=60), nullable=False),
        sa.Column("material_until", sa.Date(), nullable=True),
        sa.Column("verified_on", sa.Date(), nullable=True),
        sa.Column("turnaround_days", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reminded_for", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "turnaround_days BETWEEN 1 AND 1000", name=op.f("ck_laboratory_capability_turnaround_plausible")
        ),
        sa.ForeignKeyConstraint(
            ["laboratory_id"], ["laboratory.id"], name=op.f("fk_laboratory_capability_laboratory_id")
        ),
        sa.ForeignKeyConstraint(
            ["method_id"], ["detection_method.id"], name=op.f("fk_laboratory_capability_method_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_laboratory_capability")),
        sa.UniqueConstraint(
            "laboratory_id", "method_id", name=op.f("uq_laboratory_capability_laboratory_id_method_id")
        ),
    )
    with op.batch_alter_table("laboratory_capability", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_laboratory_capability_method_id"), ["method_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_laboratory_capability_valid_until"), ["valid_until"], unique=False
        )

    op.create_table(
        "name_conflict",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "unmatched-target",
                "ambiguous-name",
                "check-digit",
                "identifier-and-event",
                "taxon",
                "same-oligos",
                "shared-synonym",
                "claimed-name",
                name="conflict_kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("version_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["method_version.id"],
            name=op.f("fk_name_conflict_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_name_conflict")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_name_conflict_fingerprint")),
    )
    with op.batch_alter_table("name_conflict", schema=None) as batch_op:
        batch_op.create_index("ix_name_conflict_gone_at_kind", ["gone_at", "kind"], unique=False)
        batch_op.create_index(batch_op.f("ix_name_conflict_version_id"), ["version_id"], unique=False)

    op.create_table(
        "method_target_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("lmo_id", sa.Integer(), nullable=True),
        sa.Column("element_id", sa.Integer(), nullable=True),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "lmo_id IS NOT NULL OR element_id IS NOT NULL", name=op.f("ck_method_target_link_means_something")
        ),
        sa.ForeignKeyConstraint(
            ["element_id"], ["element.id"], name=op.f("fk_method_target_link_element_id")
        ),
        sa.ForeignKeyConstraint(["lmo_id"], ["lmo.id"], name=op.f("fk_method_target_link_lmo_id")),
        sa.ForeignKeyConstraint(
            ["target_id"],
            ["method_target.id"],
            name=op.f("fk_method_target_link_target_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_target_link")),
        sa.UniqueConstraint("target_id", name=op.f("uq_method_target_link_target_id")),
    )
    with op.batch_alter_table("method_target_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_method_target_link_element_id"), ["element_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_method_target_link_lmo_id"), ["lmo_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("method_target_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_method_target_link_lmo_id"))
        batch_op.drop_index(batch_op.f("ix_method_target_link_element_id"))

    op.drop_table("method_target_link")
    with op.batch_alter_table("name_conflict", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_name_conflict_version_id"))
        batch_op.drop_index("ix_name_conflict_gone_at_kind")

    op.drop_table("name_conflict")
    with op.batch_alter_table("laboratory_capability", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_laboratory_capability_valid_until"))
        batch_op.drop_index(batch_op.f("ix_laboratory_capability_method_id"))

    op.drop_table("laboratory_capability")
    op.drop_table("capability_list")
    with op.batch_alter_table("taxon_name", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_taxon_name_name_key"))

    op.drop_table("taxon_name")
    op.drop_table("conflict_look")
    op.execute("UPDATE lmo_name SET kind = 'code' WHERE kind = 'bch'")
    _set_kinds(OLD_KINDS)
