"""Widen the record of methods: oligo sets, reference materials, studies, rights, terms of files."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NEW_CHILDREN = ("method_oligo_set", "method_reference_material", "method_study", "method_study_level")
"""New tables whose rows are part of a version; the seal covers them like the others."""

MAY_CHANGE = ("state", "row_version", "superseded_at", "withdrawn_by_id", "withdrawn_at", "withdrawal_reason")
"""Columns of a published version that may still change (as in 0005)."""

SEALED = "('published', 'superseded', 'withdrawn')"
REFUSAL = "a published version never changes"

ROLES = ("sop", "validation-report", "other")
NEW_ROLES = ("sop", "validation-report", "plate-template", "raw-data", "other")
FORMATS = (
    "elisa", "lateral-flow", "western-blot", "lamp", "rpa", "nasba", "sanger", "amplicon-sequencing",
    "targeted-enrichment", "whole-genome", "other",
)  # fmt: skip


def _one_of(values: tuple[str, ...]) -> str:
    return "(" + ", ".join(f"'{value}'" for value in values) + ")"


COLUMNS: dict[str, dict[str, str]] = {
    "method_version": {
        "assay_format": "VARCHAR(40) CONSTRAINT ck_method_version_assay_format "
        f"CHECK (assay_format IN {_one_of(FORMATS)})",
        "multiplex": "BOOLEAN",
        "analyte": "VARCHAR(300)",
        "antibodies": "TEXT",
        "instrument": "VARCHAR(300)",
        "rights": "JSON",
        "rights_note": "TEXT",
        "criteria_version": "VARCHAR(40)",
    },
    "method_oligo": {"set_name": "VARCHAR(60) DEFAULT '' NOT NULL"},
    "method_file": {
        "visibility": "VARCHAR(40) DEFAULT 'public' NOT NULL CONSTRAINT ck_method_file_file_visibility "
        f"CHECK (visibility IN {_one_of(('public', 'network', 'laboratory'))})",
        "licence": "VARCHAR(200)",
        "language": "VARCHAR(35)",
    },
}


def _sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")


def _seal_version() -> None:
    """Make the SQLite trigger that refuses changes of a published version; it lists the columns."""
    columns = [column["name"] for column in sa.inspect(op.get_bind()).get_columns("method_version")]
    fixed = ", ".join(name for name in columns if name not in MAY_CHANGE)
    op.execute(
        f"CREATE TRIGGER method_version_no_change BEFORE UPDATE OF {fixed} ON method_version "
        f"WHEN OLD.state IN {SEALED} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )


def _seal_part(table: str) -> None:
    if not _sqlite():
        op.execute(
            f"CREATE TRIGGER {table}_sealed BEFORE INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION method_part_refuse()"
        )
        return
    for event, rows in (("insert", ("NEW",)), ("update", ("OLD", "NEW")), ("delete", ("OLD",))):
        ids = ", ".join(f"{row}.version_id" for row in rows)
        op.execute(
            f"CREATE TRIGGER {table}_no_{event} BEFORE {event.upper()} ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM method_version WHERE id IN ({ids}) AND state IN {SEALED}) "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )


def _unseal_part(table: str) -> None:
    if not _sqlite():
        op.execute(f"DROP TRIGGER {table}_sealed ON {table}")
        return
    for event in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER {table}_no_{event}")


def _roles(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    """Change which roles a file may have. SQLite cannot: the table is made anew from its own words."""
    if not _sqlite():
        op.execute("ALTER TABLE method_file DROP CONSTRAINT ck_method_file_file_role")
        op.execute(
            "ALTER TABLE method_file ADD CONSTRAINT ck_method_file_file_role "
            f"CHECK (role IN {_one_of(after)})"
        )
        return
    connection = op.get_bind()
    words = connection.execute(
        sa.text("SELECT sql FROM sqlite_master WHERE name = 'method_file'")
    ).scalar_one()
    indexes = connection.execute(
        sa.text("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'method_file'")
    ).scalars()
    index_words = [each for each in indexes if each]
    listed = f"role IN {_one_of(before)}"
    if listed not in words:
        raise RuntimeError("The table method_file has other roles than this migration expects.")
    head, _name, tail = words.partition("method_file")
    connection.execute(sa.text("ALTER TABLE method_file RENAME TO method_file_before"))
    for each in index_words:
        connection.execute(sa.text(f"DROP INDEX {each.split('INDEX ', 1)[1].split()[0]}"))
    made = (head + "method_file" + tail).replace(listed, f"role IN {_one_of(after)}")
    connection.execute(sa.text(made.replace(":", "\\:")))
    connection.execute(sa.text("INSERT INTO method_file SELECT * FROM method_file_before"))
    connection.execute(sa.text("DROP TABLE method_file_before"))
    for each in index_words:
        connection.execute(sa.text(each))


def upgrade() -> None:
    op.create_table(
        "method_oligo_set",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("target", sa.String(length=300), nullable=True),
        sa.Column("amplicon_bp", sa.Integer(), nullable=True),
        sa.Column("amplicon", sa.Text(), nullable=True),
        sa.Column("amplicon_accession", sa.String(length=100), nullable=True),
        sa.CheckConstraint("name <> ''", name=op.f("ck_method_oligo_set_named")),
        sa.CheckConstraint("amplicon_bp > 0", name=op.f("ck_method_oligo_set_amplicon_positive")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_oligo_set_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_oligo_set")),
        sa.UniqueConstraint("version_id", "name", name=op.f("uq_method_oligo_set_version_id_name")),
        sa.UniqueConstraint("version_id", "position", name=op.f("uq_method_oligo_set_version_id_position")),
    )
    op.create_table(
        "method_reference_material",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=True),
        sa.Column("code", sa.String(length=100), nullable=True),
        sa.Column("producer", sa.String(length=200), nullable=True),
        sa.Column("matrix", sa.String(length=200), nullable=True),
        sa.Column("certified_value", sa.Double(), nullable=True),
        sa.Column("certified_unit", sa.String(length=60), nullable=True),
        sa.Column("expanded_uncertainty", sa.Double(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "certified_value >= 0", name=op.f("ck_method_reference_material_value_not_negative")
        ),
        sa.CheckConstraint(
            "expanded_uncertainty >= 0", name=op.f("ck_method_reference_material_uncertainty_not_negative")
        ),
        sa.CheckConstraint(
            "name IS NOT NULL OR code IS NOT NULL", name=op.f("ck_method_reference_material_named")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_reference_material_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_reference_material")),
        sa.UniqueConstraint(
            "version_id", "position", name=op.f("uq_method_reference_material_version_id_position")
        ),
    )
    op.create_index(
        op.f("ix_method_reference_material_code"), "method_reference_material", ["code"], unique=False
    )

    op.create_table(
        "method_study",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "collaborative-trial",
                "single-laboratory",
                "in-house-verification",
                name="study_kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("title", sa.String(length=300), nullable=True),
        sa.Column("body", sa.String(length=300), nullable=True),
        sa.Column("laboratory", sa.String(length=300), nullable=True),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("standard", sa.String(length=300), nullable=True),
        sa.Column("matrix", sa.String(length=300), nullable=True),
        sa.Column("instrument", sa.String(length=300), nullable=True),
        sa.Column("laboratories", sa.Integer(), nullable=True),
        sa.Column("replicates", sa.Integer(), nullable=True),
        sa.Column("unit", sa.String(length=60), nullable=True),
        sa.Column("slope", sa.Double(), nullable=True),
        sa.Column("r2", sa.Double(), nullable=True),
        sa.Column("pcr_efficiency_percent", sa.Double(), nullable=True),
        sa.Column("lod_copies", sa.Double(), nullable=True),
        sa.Column("lod_copies_low", sa.Double(), nullable=True),
        sa.Column("lod_copies_high", sa.Double(), nullable=True),
        sa.Column("lod_percent", sa.Double(), nullable=True),
        sa.Column("loq_copies", sa.Double(), nullable=True),
        sa.Column("loq_percent", sa.Double(), nullable=True),
        sa.Column("dynamic_low", sa.Double(), nullable=True),
        sa.Column("dynamic_high", sa.Double(), nullable=True),
        sa.Column("specificity_tested", sa.Integer(), nullable=True),
        sa.Column("specificity_amplified", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.CheckConstraint("laboratories >= 1", name=op.f("ck_method_study_laboratories_positive")),
        sa.CheckConstraint("pcr_efficiency_percent > 0", name=op.f("ck_method_study_efficiency_positive")),
        sa.CheckConstraint("r2 BETWEEN 0 AND 1", name=op.f("ck_method_study_r2_fraction")),
        sa.CheckConstraint("replicates >= 1", name=op.f("ck_method_study_replicates_positive")),
        sa.CheckConstraint("slope < 0", name=op.f("ck_method_study_slope_negative")),
        sa.CheckConstraint(
            "specificity_amplified <= specificity_tested", name=op.f("ck_method_study_amplified_among_tested")
        ),
        sa.CheckConstraint("year BETWEEN 1980 AND 2200", name=op.f("ck_method_study_year_plausible")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_study_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_study")),
        sa.UniqueConstraint("version_id", "position", name=op.f("uq_method_study_version_id_position")),
    )
    op.create_index(op.f("ix_method_study_kind"), "method_study", ["kind"], unique=False)

    op.create_table(
        "method_study_level",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("assigned", sa.Double(), nullable=True),
        sa.Column("laboratories", sa.Integer(), nullable=True),
        sa.Column("laboratories_excluded", sa.Integer(), nullable=True),
        sa.Column("replicates", sa.Integer(), nullable=True),
        sa.Column("results", sa.Integer(), nullable=True),
        sa.Column("mean", sa.Double(), nullable=True),
        sa.Column("bias_percent", sa.Double(), nullable=True),
        sa.Column("s_r", sa.Double(), nullable=True),
        sa.Column("s_reproducibility", sa.Double(), nullable=True),
        sa.Column("repeatability_percent", sa.Double(), nullable=True),
        sa.Column("reproducibility_percent", sa.Double(), nullable=True),
        sa.Column("tested", sa.Integer(), nullable=True),
        sa.Column("positive", sa.Integer(), nullable=True),
        sa.CheckConstraint("assigned >= 0", name=op.f("ck_method_study_level_assigned_not_negative")),
        sa.CheckConstraint("laboratories >= 1", name=op.f("ck_method_study_level_laboratories_positive")),
        sa.CheckConstraint("positive <= tested", name=op.f("ck_method_study_level_positive_among_tested")),
        sa.CheckConstraint("s_r >= 0", name=op.f("ck_method_study_level_s_r_not_negative")),
        sa.CheckConstraint(
            "s_reproducibility >= 0", name=op.f("ck_method_study_level_s_reproducibility_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["method_study.id"], name=op.f("fk_method_study_level_study_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_study_level_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_study_level")),
        sa.UniqueConstraint("study_id", "position", name=op.f("uq_method_study_level_study_id_position")),
    )
    op.create_index(
        op.f("ix_method_study_level_version_id"), "method_study_level", ["version_id"], unique=False
    )
    if _sqlite():
        op.execute("DROP TRIGGER method_version_no_change")
    for table, columns in COLUMNS.items():
        for name, kind in columns.items():
            op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
    _unseal_part("method_file")
    _roles(ROLES, NEW_ROLES)
    _seal_part("method_file")
    if _sqlite():
        _seal_version()
    for table in NEW_CHILDREN:
        _seal_part(table)


def downgrade() -> None:
    for table in NEW_CHILDREN:
        _unseal_part(table)
    if _sqlite():
        op.execute("DROP TRIGGER method_version_no_change")
    _unseal_part("method_file")
    op.execute("UPDATE method_file SET role = 'other' WHERE role IN ('plate-template', 'raw-data')")
    _roles(NEW_ROLES, ROLES)
    _seal_part("method_file")
    for table, columns in COLUMNS.items():
        for name in reversed(columns):
            op.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
    if _sqlite():
        _seal_version()
    for table in reversed(NEW_CHILDREN):
        op.drop_table(table)
