"""Create the tables of methods; published versions are sealed by triggers."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


CHILDREN = ("method_oligo", "method_target", "method_source", "method_file", "method_validation")
"""Tables whose rows are part of a version."""

MAY_CHANGE = ("state", "row_version", "superseded_at", "withdrawn_by_id", "withdrawn_at", "withdrawal_reason")
"""Columns of a published version that may still change."""

SEALED = "('published', 'superseded', 'withdrawn')"
REFUSAL = "a published version never changes"
SQLITE_TRIGGERS = (
    "method_version_no_change",
    "method_version_no_way_back",
    "method_version_no_delete",
    *(f"{table}_no_{event}" for table in CHILDREN for event in ("insert", "update", "delete")),
)


def _seal_sqlite() -> None:
    columns = [column["name"] for column in sa.inspect(op.get_bind()).get_columns("method_version")]
    fixed = ", ".join(name for name in columns if name not in MAY_CHANGE)
    refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    op.execute(
        f"CREATE TRIGGER method_version_no_change BEFORE UPDATE OF {fixed} ON method_version "
        f"WHEN OLD.state IN {SEALED} {refuse}"
    )
    op.execute(
        "CREATE TRIGGER method_version_no_way_back BEFORE UPDATE OF state ON method_version "
        "WHEN (OLD.state = 'published' AND NEW.state NOT IN ('published', 'superseded', 'withdrawn')) "
        "OR (OLD.state = 'superseded' AND NEW.state NOT IN ('superseded', 'withdrawn')) "
        f"OR (OLD.state = 'withdrawn' AND NEW.state <> 'withdrawn') {refuse}"
    )
    op.execute(
        "CREATE TRIGGER method_version_no_delete BEFORE DELETE ON method_version "
        f"WHEN OLD.state IN {SEALED} {refuse}"
    )
    for table in CHILDREN:
        for event, rows in (("insert", ("NEW",)), ("update", ("OLD", "NEW")), ("delete", ("OLD",))):
            ids = ", ".join(f"{row}.version_id" for row in rows)
            op.execute(
                f"CREATE TRIGGER {table}_no_{event} BEFORE {event.upper()} ON {table} "
                "WHEN EXISTS (SELECT 1 FROM method_version "
                f"WHERE id IN ({ids}) AND state IN {SEALED}) {refuse}"
            )


def _seal_postgresql() -> None:
    allowed = ", ".join(f"'{name}'" for name in MAY_CHANGE)
    op.execute(
        f"""
        CREATE FUNCTION method_version_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.state NOT IN {SEALED} THEN
                IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
                RETURN NEW;
            END IF;
            IF TG_OP = 'DELETE'
                OR (to_jsonb(NEW) - ARRAY[{allowed}]) <> (to_jsonb(OLD) - ARRAY[{allowed}])
                OR (OLD.state = 'published' AND NEW.state NOT IN {SEALED})
                OR (OLD.state = 'superseded' AND NEW.state NOT IN ('superseded', 'withdrawn'))
                OR (OLD.state = 'withdrawn' AND NEW.state <> 'withdrawn')
            THEN RAISE EXCEPTION '{REFUSAL}';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER method_version_sealed BEFORE UPDATE OR DELETE ON method_version "
        "FOR EACH ROW EXECUTE FUNCTION method_version_refuse()"
    )
    op.execute(
        f"""
        CREATE FUNCTION method_part_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (TG_OP <> 'INSERT' AND EXISTS (
                    SELECT 1 FROM method_version WHERE id = OLD.version_id AND state IN {SEALED}))
                OR (TG_OP <> 'DELETE' AND EXISTS (
                    SELECT 1 FROM method_version WHERE id = NEW.version_id AND state IN {SEALED}))
            THEN RAISE EXCEPTION '{REFUSAL}';
            END IF;
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            RETURN NEW;
        END $$
        """
    )
    for table in CHILDREN:
        op.execute(
            f"CREATE TRIGGER {table}_sealed BEFORE INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION method_part_refuse()"
        )


def upgrade() -> None:
    op.create_table(
        "method_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_method_counter_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_counter")),
    )
    op.create_table(
        "detection_method",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("code_key", sa.String(length=60), nullable=False),
        sa.Column("hub_key", sa.String(length=60), nullable=True),
        sa.Column("wished_code", sa.String(length=60), nullable=False),
        sa.Column("source_code", sa.String(length=120), nullable=True),
        sa.Column("laboratory_id", sa.Integer(), nullable=True),
        sa.Column(
            "origin",
            sa.Enum(
                "submitted",
                "compiled",
                name="method_origin",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "origin = 'compiled' OR laboratory_id IS NOT NULL",
            name=op.f("ck_detection_method_submitted_has_laboratory"),
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user_account.id"], name=op.f("fk_detection_method_created_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["laboratory_id"], ["laboratory.id"], name=op.f("fk_detection_method_laboratory_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_detection_method")),
        sa.UniqueConstraint("code", name=op.f("uq_detection_method_code")),
        sa.UniqueConstraint("code_key", name=op.f("uq_detection_method_code_key")),
        sa.UniqueConstraint("hub_key", name=op.f("uq_detection_method_hub_key")),
    )
    with op.batch_alter_table("detection_method", schema=None) as batch_op:
        batch_op.create_index(
            "uq_detection_method_source_code",
            ["source_code"],
            unique=True,
            sqlite_where=sa.text("origin = 'compiled'"),
            postgresql_where=sa.text("origin = 'compiled'"),
        )
        batch_op.create_index(
            batch_op.f("ix_detection_method_laboratory_id"), ["laboratory_id"], unique=False
        )

    op.create_table(
        "method_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("method_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
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
                name="method_state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column(
            "specificity",
            sa.Enum(
                "screening",
                "construct",
                "event",
                "taxon",
                name="specificity",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "technique",
            sa.Enum(
                "end-point",
                "qpcr",
                "dpcr",
                "isothermal",
                "protein",
                "sequencing",
                name="technique",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("chemistry", sa.String(length=100), nullable=True),
        sa.Column("quantitative", sa.Boolean(), nullable=False),
        sa.Column("target", sa.String(length=300), nullable=False),
        sa.Column("taxon_scientific", sa.String(length=200), nullable=True),
        sa.Column("taxon_common", sa.String(length=200), nullable=True),
        sa.Column("amplicon_bp", sa.Integer(), nullable=True),
        sa.Column("amplicon", sa.Text(), nullable=True),
        sa.Column("amplicon_accession", sa.String(length=100), nullable=True),
        sa.Column("reference_gene", sa.String(length=200), nullable=True),
        sa.Column("reference_gene_verified", sa.Boolean(), nullable=True),
        sa.Column("reference_gene_source", sa.String(length=500), nullable=True),
        sa.Column("reference_method", sa.String(length=200), nullable=True),
        sa.Column("calibrant", sa.Text(), nullable=True),
        sa.Column("reaction_microlitre", sa.Double(), nullable=True),
        sa.Column("template_nanogram", sa.Double(), nullable=True),
        sa.Column("thermal_profile", sa.Text(), nullable=True),
        sa.Column("reagents", sa.Text(), nullable=True),
        sa.Column("matrices", sa.JSON(), nullable=False),
        sa.Column("licence", sa.String(length=200), nullable=True),
        sa.Column("standardisation", sa.String(length=200), nullable=True),
        sa.Column("target_copies_per_haploid_genome", sa.Integer(), nullable=True),
        sa.Column("same_oligos_as", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=True),
        sa.Column("amplicon_consistent", sa.Boolean(), nullable=True),
        sa.Column("seen_in", sa.JSON(), nullable=False),
        sa.Column("n_places", sa.Integer(), nullable=True),
        sa.Column("change_note", sa.Text(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("editor_ids", sa.JSON(), nullable=False),
        sa.Column("submitted_by_id", sa.Integer(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewer_id", sa.Integer(), nullable=True),
        sa.Column("review_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("return_reason", sa.Text(), nullable=False),
        sa.Column("published_by_id", sa.Integer(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by_id", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawal_reason", sa.Text(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state NOT IN ('published', 'superseded', 'withdrawn') "
            "OR (published_at IS NOT NULL AND length(content_hash) = 64)",
            name=op.f("ck_method_version_published_is_sealed"),
        ),
        sa.CheckConstraint("amplicon_bp > 0", name=op.f("ck_method_version_amplicon_positive")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_method_version_number_positive")),
        sa.CheckConstraint("published_by_id <> submitted_by_id", name=op.f("ck_method_version_two_people")),
        sa.CheckConstraint("reaction_microlitre > 0", name=op.f("ck_method_version_reaction_positive")),
        sa.CheckConstraint(
            "target_copies_per_haploid_genome > 0", name=op.f("ck_method_version_target_copies_positive")
        ),
        sa.CheckConstraint("template_nanogram > 0", name=op.f("ck_method_version_template_positive")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user_account.id"], name=op.f("fk_method_version_created_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["method_id"], ["detection_method.id"], name=op.f("fk_method_version_method_id")
        ),
        sa.ForeignKeyConstraint(
            ["published_by_id"], ["user_account.id"], name=op.f("fk_method_version_published_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["reviewer_id"], ["user_account.id"], name=op.f("fk_method_version_reviewer_id")
        ),
        sa.ForeignKeyConstraint(
            ["submitted_by_id"], ["user_account.id"], name=op.f("fk_method_version_submitted_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["withdrawn_by_id"], ["user_account.id"], name=op.f("fk_method_version_withdrawn_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_version")),
        sa.UniqueConstraint("method_id", "number", name=op.f("uq_method_version_method_id_number")),
    )
    with op.batch_alter_table("method_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_method_version_published_at"), ["published_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_method_version_state"), ["state"], unique=False)
        batch_op.create_index(
            "uq_method_version_open",
            ["method_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('draft', 'submitted', 'in-review', 'returned')"),
            postgresql_where=sa.text("state IN ('draft', 'submitted', 'in-review', 'returned')"),
        )
        batch_op.create_index(
            "uq_method_version_published",
            ["method_id"],
            unique=True,
            sqlite_where=sa.text("state = 'published'"),
            postgresql_where=sa.text("state = 'published'"),
        )

    op.create_table(
        "method_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("name_key", sa.String(length=255), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "sop",
                "validation-report",
                "other",
                name="file_role",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_by_id", sa.Integer(), nullable=True),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["sha256"], ["stored_file.sha256"], name=op.f("fk_method_file_sha256")),
        sa.ForeignKeyConstraint(
            ["uploaded_by_id"], ["user_account.id"], name=op.f("fk_method_file_uploaded_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_file_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_file")),
        sa.UniqueConstraint("version_id", "name_key", name=op.f("uq_method_file_version_id_name_key")),
    )
    with op.batch_alter_table("method_file", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_method_file_sha256"), ["sha256"], unique=False)

    op.create_table(
        "method_oligo",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "forward",
                "reverse",
                "probe",
                "other",
                name="oligo_role",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("sequence", sa.String(length=200), nullable=False),
        sa.Column("label5", sa.String(length=60), nullable=True),
        sa.Column("label3", sa.String(length=60), nullable=True),
        sa.Column("final_concentration_nanomolar", sa.Double(), nullable=True),
        sa.Column("modifications", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "final_concentration_nanomolar > 0", name=op.f("ck_method_oligo_concentration_positive")
        ),
        sa.CheckConstraint(
            "length(sequence) BETWEEN 1 AND 200", name=op.f("ck_method_oligo_sequence_length")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_oligo_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_oligo")),
        sa.UniqueConstraint("version_id", "position", name=op.f("uq_method_oligo_version_id_position")),
    )
    with op.batch_alter_table("method_oligo", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_method_oligo_sequence"), ["sequence"], unique=False)

    op.create_table(
        "method_source",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("url", sa.String(length=1000), nullable=True),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_source_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_source")),
        sa.UniqueConstraint("version_id", "position", name=op.f("uq_method_source_version_id_position")),
    )
    op.create_table(
        "method_target",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "target", "lmo", name="target_kind", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(length=300), nullable=False),
        sa.Column("lmo_id", sa.Integer(), nullable=True),
        sa.Column("element_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["element_id"], ["element.id"], name=op.f("fk_method_target_element_id")),
        sa.ForeignKeyConstraint(["lmo_id"], ["lmo.id"], name=op.f("fk_method_target_lmo_id")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_target_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_target")),
        sa.UniqueConstraint(
            "version_id", "kind", "position", name=op.f("uq_method_target_version_id_kind_position")
        ),
    )
    with op.batch_alter_table("method_target", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_method_target_element_id"), ["element_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_method_target_lmo_id"), ["lmo_id"], unique=False)

    op.create_table(
        "method_validation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("collaborative_trial", sa.Boolean(), nullable=True),
        sa.Column("laboratories", sa.Integer(), nullable=True),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("body", sa.String(length=300), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("inferred", sa.Boolean(), nullable=True),
        sa.Column("lod_text", sa.String(length=500), nullable=True),
        sa.Column("lod_copies", sa.Double(), nullable=True),
        sa.Column("lod_percent", sa.Double(), nullable=True),
        sa.Column("loq_text", sa.String(length=500), nullable=True),
        sa.Column("loq_copies", sa.Double(), nullable=True),
        sa.Column("loq_percent", sa.Double(), nullable=True),
        sa.Column("repeatability_percent", sa.Double(), nullable=True),
        sa.Column("reproducibility_percent", sa.Double(), nullable=True),
        sa.Column("slope", sa.Double(), nullable=True),
        sa.Column("pcr_efficiency_percent", sa.Double(), nullable=True),
        sa.Column("r2", sa.Double(), nullable=True),
        sa.Column("bias_percent", sa.Double(), nullable=True),
        sa.Column("dynamic_range", sa.String(length=500), nullable=True),
        sa.Column("figures_note", sa.Text(), nullable=True),
        sa.Column("figures_source", sa.Text(), nullable=True),
        sa.CheckConstraint("laboratories >= 1", name=op.f("ck_method_validation_laboratories_positive")),
        sa.CheckConstraint("lod_copies > 0", name=op.f("ck_method_validation_lod_copies_positive")),
        sa.CheckConstraint("lod_percent > 0", name=op.f("ck_method_validation_lod_percent_positive")),
        sa.CheckConstraint("loq_copies > 0", name=op.f("ck_method_validation_loq_copies_positive")),
        sa.CheckConstraint("loq_percent > 0", name=op.f("ck_method_validation_loq_percent_positive")),
        sa.CheckConstraint(
            "pcr_efficiency_percent > 0", name=op.f("ck_method_validation_efficiency_positive")
        ),
        sa.CheckConstraint("r2 BETWEEN 0 AND 1", name=op.f("ck_method_validation_r2_fraction")),
        sa.CheckConstraint(
            "repeatability_percent >= 0", name=op.f("ck_method_validation_repeatability_not_negative")
        ),
        sa.CheckConstraint(
            "reproducibility_percent >= 0", name=op.f("ck_method_validation_reproducibility_not_negative")
        ),
        sa.CheckConstraint("slope < 0", name=op.f("ck_method_validation_slope_negative")),
        sa.CheckConstraint("year BETWEEN 1980 AND 2200", name=op.f("ck_method_validation_year_plausible")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["method_version.id"], name=op.f("fk_method_validation_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_method_validation")),
        sa.UniqueConstraint("version_id", name=op.f("uq_method_validation_version_id")),
    )
    op.execute("INSERT INTO method_counter (id, last) VALUES (1, 0)")
    if op.get_bind().dialect.name == "sqlite":
        _seal_sqlite()
    else:
        _seal_postgresql()


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in SQLITE_TRIGGERS:
            op.execute(f"DROP TRIGGER {name}")
    else:
        op.execute("DROP TRIGGER method_version_sealed ON method_version")
        for table in CHILDREN:
            op.execute(f"DROP TRIGGER {table}_sealed ON {table}")
        op.execute("DROP FUNCTION method_version_refuse()")
        op.execute("DROP FUNCTION method_part_refuse()")
    op.drop_table("method_validation")
    with op.batch_alter_table("method_target", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_method_target_lmo_id"))
        batch_op.drop_index(batch_op.f("ix_method_target_element_id"))

    op.drop_table("method_target")
    op.drop_table("method_source")
    with op.batch_alter_table("method_oligo", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_method_oligo_sequence"))

    op.drop_table("method_oligo")
    with op.batch_alter_table("method_file", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_method_file_sha256"))

    op.drop_table("method_file")
    with op.batch_alter_table("method_version", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_method_version_published",
            sqlite_where=sa.text("state = 'published'"),
            postgresql_where=sa.text("state = 'published'"),
        )
        batch_op.drop_index(
            "uq_method_version_open",
            sqlite_where=sa.text("state IN ('draft', 'submitted', 'in-review', 'returned')"),
            postgresql_where=sa.text("state IN ('draft', 'submitted', 'in-review', 'returned')"),
        )
        batch_op.drop_index(batch_op.f("ix_method_version_state"))
        batch_op.drop_index(batch_op.f("ix_method_version_published_at"))

    op.drop_table("method_version")
    with op.batch_alter_table("detection_method", schema=None) as batch_op:
        batch_op.drop_index("uq_detection_method_source_code")
        batch_op.drop_index(batch_op.f("ix_detection_method_laboratory_id"))

    op.drop_table("detection_method")
    op.drop_table("method_counter")
