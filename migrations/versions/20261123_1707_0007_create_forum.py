"""Create the tables of forum; the counter of posts starts at 0."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "post_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_post_counter_one_row")),
        sa.CheckConstraint("last >= 0", name=op.f("ck_post_counter_last")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_counter")),
    )
    op.create_table(
        "discussion",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("description_html", sa.Text(), nullable=False),
        sa.Column("search_key", sa.Text(), nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("closes_at > opens_at", name=op.f("ck_discussion_window")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user_account.id"], name=op.f("fk_discussion_created_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discussion")),
    )
    with op.batch_alter_table("discussion", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_discussion_closes_at"), ["closes_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_discussion_created_by_id"), ["created_by_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_discussion_opens_at"), ["opens_at"], unique=False)

    op.create_table(
        "discussion_moderator",
        sa.Column("discussion_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["discussion_id"], ["discussion.id"], name=op.f("fk_discussion_moderator_discussion_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_discussion_moderator_user_id")
        ),
        sa.PrimaryKeyConstraint("discussion_id", "user_id", name=op.f("pk_discussion_moderator")),
    )
    with op.batch_alter_table("discussion_moderator", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_discussion_moderator_user_id"), ["user_id"], unique=False)

    op.create_table(
        "topic",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("discussion_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("search_key", sa.Text(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["user_account.id"], name=op.f("fk_topic_created_by_id")),
        sa.ForeignKeyConstraint(["discussion_id"], ["discussion.id"], name=op.f("fk_topic_discussion_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topic")),
    )
    with op.batch_alter_table("topic", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_topic_created_by_id"), ["created_by_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_topic_discussion_id"), ["discussion_id"], unique=False)

    op.create_table(
        "post",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("topic_id", sa.Integer(), nullable=False),
        sa.Column("reply_to_number", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.String(length=64), nullable=False),
        sa.Column("links", sa.Integer(), nullable=False),
        sa.Column("search_key", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "visible",
                "held",
                "hidden",
                name="post_state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("author_name", sa.String(length=200), nullable=False),
        sa.Column("author_title", sa.String(length=60), nullable=False),
        sa.Column("author_party_id", sa.Integer(), nullable=True),
        sa.Column("author_affiliation", sa.String(length=200), nullable=False),
        sa.Column(
            "standing",
            sa.Enum(
                "party",
                "non-party",
                "observer",
                name="standing",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hidden_by_id", sa.Integer(), nullable=True),
        sa.Column("hidden_reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(author_party_id IS NULL) = (standing = 'observer')", name=op.f("ck_post_party_or_observer")
        ),
        sa.CheckConstraint(
            "(hidden_at IS NOT NULL) = (state = 'hidden')", name=op.f("ck_post_hidden_at_when_hidden")
        ),
        sa.CheckConstraint(
            "state <> 'hidden' OR hidden_reason <> ''", name=op.f("ck_post_reason_when_hidden")
        ),
        sa.CheckConstraint("links >= 0", name=op.f("ck_post_links_not_negative")),
        sa.CheckConstraint("number > 0", name=op.f("ck_post_number_positive")),
        sa.CheckConstraint("number >= topic_id", name=op.f("ck_post_not_before_its_topic")),
        sa.CheckConstraint("reply_to_number < number", name=op.f("ck_post_reply_to_an_earlier_post")),
        sa.ForeignKeyConstraint(["author_id"], ["user_account.id"], name=op.f("fk_post_author_id")),
        sa.ForeignKeyConstraint(["author_party_id"], ["party.id"], name=op.f("fk_post_author_party_id")),
        sa.ForeignKeyConstraint(["hidden_by_id"], ["user_account.id"], name=op.f("fk_post_hidden_by_id")),
        sa.ForeignKeyConstraint(["reply_to_number"], ["post.number"], name=op.f("fk_post_reply_to_number")),
        sa.ForeignKeyConstraint(["topic_id"], ["topic.id"], name=op.f("fk_post_topic_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_post")),
        sa.UniqueConstraint(
            "topic_id", "author_id", "text_hash", name=op.f("uq_post_topic_id_author_id_text_hash")
        ),
    )
    with op.batch_alter_table("post", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_post_author_id"), ["author_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_post_author_party_id"), ["author_party_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_post_hidden_by_id"), ["hidden_by_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_post_reply_to_number"), ["reply_to_number"], unique=False)
        batch_op.create_index(batch_op.f("ix_post_topic_id"), ["topic_id"], unique=False)
    op.execute("INSERT INTO post_counter (id, last) VALUES (1, 0)")


def downgrade() -> None:

    with op.batch_alter_table("post", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_post_topic_id"))
        batch_op.drop_index(batch_op.f("ix_post_reply_to_number"))
        batch_op.drop_index(batch_op.f("ix_post_hidden_by_id"))
        batch_op.drop_index(batch_op.f("ix_post_author_party_id"))
        batch_op.drop_index(batch_op.f("ix_post_author_id"))

    op.drop_table("post")
    with op.batch_alter_table("topic", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_topic_discussion_id"))
        batch_op.drop_index(batch_op.f("ix_topic_created_by_id"))

    op.drop_table("topic")
    with op.batch_alter_table("discussion_moderator", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_discussion_moderator_user_id"))

    op.drop_table("discussion_moderator")
    with op.batch_alter_table("discussion", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_discussion_opens_at"))
        batch_op.drop_index(batch_op.f("ix_discussion_created_by_id"))
        batch_op.drop_index(batch_op.f("ix_discussion_closes_at"))

    op.drop_table("discussion")
    op.drop_table("post_counter")
