"""Create the usage ledger; triggers keep its rows as they were written."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def upgrade() -> None:
    op.create_table(
        "usage_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("user_key", sa.String(length=64), nullable=False),
        sa.Column("party_id", sa.Integer(), nullable=True),
        sa.Column("laboratory_id", sa.Integer(), nullable=True),
        sa.Column("access", _choice("access", "regular", "machine"), nullable=False),
        sa.Column(
            "agent_class",
            _choice("agent_class", "browser", "robot", "script", "none", "unknown"),
            nullable=False,
        ),
        sa.Column("robot_list", sa.String(length=100), nullable=False),
        sa.Column("item_kind", sa.String(length=20), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("item_code", sa.String(length=100), nullable=False),
        sa.Column("item_version", sa.String(length=40), nullable=False),
        sa.Column("file", sa.String(length=255), nullable=False),
        sa.Column("item_laboratory_id", sa.Integer(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "access = 'regular' OR user_id IS NOT NULL", name=op.f("ck_usage_event_machine_has_account")
        ),
        sa.CheckConstraint(
            "laboratory_id IS NULL OR user_id IS NOT NULL",
            name=op.f("ck_usage_event_laboratory_from_account"),
        ),
        sa.CheckConstraint(
            "party_id IS NULL OR user_id IS NOT NULL", name=op.f("ck_usage_event_party_from_account")
        ),
        sa.CheckConstraint("status IN (200, 206, 304)", name=op.f("ck_usage_event_status_counts")),
        sa.ForeignKeyConstraint(
            ["laboratory_id"], ["laboratory.id"], name=op.f("fk_usage_event_laboratory_id")
        ),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_usage_event_party_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_usage_event_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_event")),
        sa.UniqueConstraint("uuid", name=op.f("uq_usage_event_uuid")),
    )
    with op.batch_alter_table("usage_event", schema=None) as batch_op:
        batch_op.create_index("ix_usage_event_at", ["at", "id"], unique=False)
        batch_op.create_index("ix_usage_event_item", ["item_kind", "item_id", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_usage_event_laboratory_id"), ["laboratory_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_usage_event_party_id"), ["party_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_usage_event_user_id"), ["user_id"], unique=False)

    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER usage_event_no_{event.lower()} BEFORE {event} ON usage_event "
                "BEGIN SELECT RAISE(ABORT, 'ledger rows cannot be changed'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION usage_event_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'ledger rows cannot be changed'; END $$"
        )
        op.execute(
            "CREATE TRIGGER usage_event_no_change BEFORE UPDATE OR DELETE ON usage_event "
            "FOR EACH ROW EXECUTE FUNCTION usage_event_refuse()"
        )


def downgrade() -> None:
    op.drop_table("usage_event")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION usage_event_refuse()")
