"""Create the table of background jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "background_job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "running",
                "done",
                "failed",
                "cancelled",
                name="job_state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("refusal", sa.LargeBinary(), nullable=True),
        sa.Column("fault", sa.String(length=200), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=40), nullable=False),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("progress BETWEEN 0 AND 1", name=op.f("ck_background_job_progress_fraction")),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_background_job_tries_positive")),
        sa.CheckConstraint(
            "state <> 'done' OR result IS NOT NULL", name=op.f("ck_background_job_done_has_result")
        ),
        sa.CheckConstraint(
            "state <> 'running' OR heartbeat_at IS NOT NULL",
            name=op.f("ck_background_job_running_has_heartbeat"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running') OR finished_at IS NOT NULL",
            name=op.f("ck_background_job_ended_has_time"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_background_job_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_background_job")),
    )
    op.create_index("ix_background_job_state", "background_job", ["state", "next_try_at"], unique=False)
    op.create_index("ix_background_job_user_id", "background_job", ["user_id", "state"], unique=False)
    op.create_index(op.f("ix_background_job_finished_at"), "background_job", ["finished_at"], unique=False)


def downgrade() -> None:
    op.drop_table("background_job")
