"""Create the tables of samples; triggers keep custody, results and timelines as they were written."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEPT = ("custody_entry", "analysis", "case_event")
"""Tables whose rows are never changed or removed."""


def upgrade() -> None:
    op.create_table(
        "case_counter",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_case_counter")),
    )
    op.create_table(
        "case_record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("party_id", sa.Integer(), nullable=False),
        sa.Column("party_of_release_id", sa.Integer(), nullable=True),
        sa.Column("laboratory_id", sa.Integer(), nullable=True),
        sa.Column("article", sa.Integer(), nullable=True),
        sa.Column(
            "inadvertent",
            sa.Enum(
                "yes",
                "no",
                "unknown",
                name="inadvertent",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "contravention",
            sa.Enum(
                "yes",
                "no",
                "unknown",
                name="contravention",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "significant_effects_likely",
            sa.Enum(
                "yes",
                "no",
                "unknown",
                name="significant_effects_likely",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "open",
                "under-analysis",
                "concluded",
                "notified",
                "closed",
                name="case_state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "visibility",
            sa.Enum(
                "private",
                "published",
                name="case_visibility",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("article IN (17, 18, 25)", name=op.f("ck_case_record_article")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user_account.id"], name=op.f("fk_case_record_created_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["laboratory_id"], ["laboratory.id"], name=op.f("fk_case_record_laboratory_id")
        ),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_case_record_party_id")),
        sa.ForeignKeyConstraint(
            ["party_of_release_id"], ["party.id"], name=op.f("fk_case_record_party_of_release_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_record")),
        sa.UniqueConstraint("number", name=op.f("uq_case_record_number")),
    )
    with op.batch_alter_table("case_record", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_record_created_by_id"), ["created_by_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_case_record_laboratory_id"), ["laboratory_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_case_record_party_id"), ["party_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_case_record_party_of_release_id"), ["party_of_release_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_case_record_state"), ["state"], unique=False)

    op.create_table(
        "sample",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("sampler", sa.String(length=200), nullable=False),
        sa.Column("product", sa.String(length=300), nullable=False),
        sa.Column("lot", sa.String(length=100), nullable=False),
        sa.Column("mass_gram", sa.Double(), nullable=True),
        sa.Column("increments", sa.Integer(), nullable=True),
        sa.Column("seal_number", sa.String(length=100), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "registered",
                "received",
                "in-analysis",
                "reported",
                "retained",
                "disposed",
                name="sample_state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("laboratory_id", sa.Integer(), nullable=True),
        sa.Column("custody_count", sa.Integer(), nullable=False),
        sa.Column("custody_hash", sa.String(length=64), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("increments > 0", name=op.f("ck_sample_increments_positive")),
        sa.CheckConstraint("mass_gram > 0", name=op.f("ck_sample_mass_positive")),
        sa.CheckConstraint("received_at >= taken_at", name=op.f("ck_sample_received_after_taken")),
        sa.ForeignKeyConstraint(["case_id"], ["case_record.id"], name=op.f("fk_sample_case_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["user_account.id"], name=op.f("fk_sample_created_by_id")),
        sa.ForeignKeyConstraint(["laboratory_id"], ["laboratory.id"], name=op.f("fk_sample_laboratory_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample")),
        sa.UniqueConstraint("case_id", "label", name=op.f("uq_sample_case_id_label")),
    )
    with op.batch_alter_table("sample", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sample_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sample_created_by_id"), ["created_by_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sample_laboratory_id"), ["laboratory_id"], unique=False)

    op.create_table(
        "analysis",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("laboratory_id", sa.Integer(), nullable=False),
        sa.Column("method_version_id", sa.Integer(), nullable=False),
        sa.Column("method_status", sa.String(length=40), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "pending",
                "detected",
                "not-detected",
                "quantified",
                "inconclusive",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("lmo_id", sa.Integer(), nullable=True),
        sa.Column("gm_percent", sa.Double(), nullable=True),
        sa.Column("u_percent", sa.Double(), nullable=True),
        sa.Column(
            "unit",
            sa.Enum(
                "cp/cp", "m/m", name="percent_unit", native_enum=False, create_constraint=True, length=40
            ),
            nullable=True,
        ),
        sa.Column("lod_text", sa.String(length=200), nullable=False),
        sa.Column("analysed_on", sa.Date(), nullable=False),
        sa.Column("analyst", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("replaces_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(outcome = 'quantified') = (gm_percent IS NOT NULL)",
            name=op.f("ck_analysis_percent_if_quantified"),
        ),
        sa.CheckConstraint(
            "(replaces_id IS NULL) = (reason = '')", name=op.f("ck_analysis_reason_if_replacing")
        ),
        sa.CheckConstraint(
            "outcome <> 'not-detected' OR lod_text <> ''", name=op.f("ck_analysis_lod_if_not_detected")
        ),
        sa.CheckConstraint(
            "(gm_percent IS NULL) = (unit IS NULL)", name=op.f("ck_analysis_unit_with_percent")
        ),
        sa.CheckConstraint("gm_percent >= 0 AND gm_percent <= 100", name=op.f("ck_analysis_percent_range")),
        sa.CheckConstraint("u_percent >= 0", name=op.f("ck_analysis_u_positive")),
        sa.CheckConstraint(
            "u_percent IS NULL OR gm_percent IS NOT NULL", name=op.f("ck_analysis_u_with_percent")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user_account.id"], name=op.f("fk_analysis_created_by_id")
        ),
        sa.ForeignKeyConstraint(["laboratory_id"], ["laboratory.id"], name=op.f("fk_analysis_laboratory_id")),
        sa.ForeignKeyConstraint(["lmo_id"], ["lmo.id"], name=op.f("fk_analysis_lmo_id")),
        sa.ForeignKeyConstraint(
            ["method_version_id"], ["method_version.id"], name=op.f("fk_analysis_method_version_id")
        ),
        sa.ForeignKeyConstraint(["replaces_id"], ["analysis.id"], name=op.f("fk_analysis_replaces_id")),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_analysis_sample_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analysis")),
        sa.UniqueConstraint("replaces_id", name=op.f("uq_analysis_replaces_id")),
    )
    with op.batch_alter_table("analysis", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_analysis_created_by_id"), ["created_by_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_analysis_laboratory_id"), ["laboratory_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_analysis_lmo_id"), ["lmo_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_analysis_method_version_id"), ["method_version_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_analysis_sample_id"), ["sample_id"], unique=False)

    op.create_table(
        "case_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("roles", sa.String(length=400), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_record.id"], name=op.f("fk_case_event_case_id")),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_case_event_sample_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_case_event_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_event")),
    )
    with op.batch_alter_table("case_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_event_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_case_event_sample_id"), ["sample_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_case_event_user_id"), ["user_id"], unique=False)

    op.create_table(
        "custody_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column(
            "act",
            sa.Enum(
                "registered",
                "handed-over",
                "received",
                "retained",
                "disposed",
                name="custody_act",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_person", sa.String(length=200), nullable=False),
        sa.Column("to_person", sa.String(length=200), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by_id", sa.Integer(), nullable=True),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["recorded_by_id"], ["user_account.id"], name=op.f("fk_custody_entry_recorded_by_id")
        ),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_custody_entry_sample_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custody_entry")),
        sa.UniqueConstraint("sample_id", "seq", name=op.f("uq_custody_entry_sample_id_seq")),
    )
    with op.batch_alter_table("custody_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_custody_entry_recorded_by_id"), ["recorded_by_id"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        for table in KEPT:
            for event in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} rows cannot be changed'); END"
                )
    else:
        op.execute(
            "CREATE FUNCTION samples_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% rows cannot be changed', TG_TABLE_NAME; END $$"
        )
        for table in KEPT:
            op.execute(
                f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION samples_refuse()"
            )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in KEPT:
            op.execute(f"DROP TRIGGER {table}_no_update")
            op.execute(f"DROP TRIGGER {table}_no_delete")
    else:
        for table in KEPT:
            op.execute(f"DROP TRIGGER {table}_no_change ON {table}")
        op.execute("DROP FUNCTION samples_refuse()")

    with op.batch_alter_table("custody_entry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_custody_entry_recorded_by_id"))

    op.drop_table("custody_entry")
    with op.batch_alter_table("case_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_case_event_user_id"))
        batch_op.drop_index(batch_op.f("ix_case_event_sample_id"))
        batch_op.drop_index(batch_op.f("ix_case_event_case_id"))

    op.drop_table("case_event")
    with op.batch_alter_table("analysis", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_analysis_sample_id"))
        batch_op.drop_index(batch_op.f("ix_analysis_method_version_id"))
        batch_op.drop_index(batch_op.f("ix_analysis_lmo_id"))
        batch_op.drop_index(batch_op.f("ix_analysis_laboratory_id"))
        batch_op.drop_index(batch_op.f("ix_analysis_created_by_id"))

    op.drop_table("analysis")
    with op.batch_alter_table("sample", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sample_laboratory_id"))
        batch_op.drop_index(batch_op.f("ix_sample_created_by_id"))
        batch_op.drop_index(batch_op.f("ix_sample_case_id"))

    op.drop_table("sample")
    with op.batch_alter_table("case_record", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_case_record_state"))
        batch_op.drop_index(batch_op.f("ix_case_record_party_of_release_id"))
        batch_op.drop_index(batch_op.f("ix_case_record_party_id"))
        batch_op.drop_index(batch_op.f("ix_case_record_laboratory_id"))
        batch_op.drop_index(batch_op.f("ix_case_record_created_by_id"))

    op.drop_table("case_record")
    op.drop_table("case_counter")
