"""Create the index of the list of methods, its full text, and saved searches.

The hub fills the index when it is initialised, for versions that are there already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

COLUMNS = ("names", "title", "body", "seeds")


def upgrade() -> None:
    op.create_table(
        "method_index",
        sa.Column("version_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.Column("facets", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["method_version.id"],
            name=op.f("fk_method_index_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_method_index")),
    )
    op.create_index(op.f("ix_method_index_generation"), "method_index", ["generation"], unique=False)
    op.create_table(
        "method_text",
        sa.Column("version_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("seeds", sa.Text(), nullable=False),
        sa.Column("pieces", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["method_version.id"],
            name=op.f("fk_method_text_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_method_text")),
    )
    op.create_table(
        "saved_search",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_key", sa.String(length=100), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column(
            "alert",
            sa.Enum(
                "none", "daily", "weekly", name="alert", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_saved_search_named")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_saved_search_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_search")),
        sa.UniqueConstraint("user_id", "name_key", name=op.f("uq_saved_search_user_id_name_key")),
    )
    op.create_index(op.f("ix_saved_search_user_id"), "saved_search", ["user_id"], unique=False)
    op.create_index(op.f("ix_saved_search_ran_at"), "saved_search", ["ran_at"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        _index_sqlite()
    else:
        _index_postgresql()


def _index_sqlite() -> None:
    names = ", ".join(COLUMNS)
    op.execute(
        f"CREATE VIRTUAL TABLE search_method_words USING fts5({names}, content='method_text', "
        "content_rowid='version_id', tokenize='unicode61 remove_diacritics 2')"
    )
    op.execute(
        "CREATE VIRTUAL TABLE search_method_pieces USING fts5(pieces, content='method_text', "
        "content_rowid='version_id', tokenize='trigram')"
    )
    new = ", ".join(f"new.{name}" for name in COLUMNS)
    old = ", ".join(f"old.{name}" for name in COLUMNS)
    add = (
        f"INSERT INTO search_method_words(rowid, {names}) VALUES (new.version_id, {new}); "
        "INSERT INTO search_method_pieces(rowid, pieces) VALUES (new.version_id, new.pieces); "
    )
    remove = (
        f"INSERT INTO search_method_words(search_method_words, rowid, {names}) "
        f"VALUES ('delete', old.version_id, {old}); "
        "INSERT INTO search_method_pieces(search_method_pieces, rowid, pieces) "
        "VALUES ('delete', old.version_id, old.pieces); "
    )
    for event, steps in (("insert", add), ("delete", remove), ("update", remove + add)):
        op.execute(
            f"CREATE TRIGGER search_method_text_{event} AFTER {event.upper()} ON method_text BEGIN {steps}END"
        )


def _index_postgresql() -> None:
    op.execute(
        "CREATE INDEX search_method_text_words ON method_text USING gin (("
        "setweight(to_tsvector('simple', names), 'A') || setweight(to_tsvector('simple', title), 'B') || "
        "setweight(to_tsvector('simple', body), 'D')))"
    )
    op.execute(
        "CREATE INDEX search_method_text_seeds ON method_text USING gin (to_tsvector('simple', seeds))"
    )
    # pg_trgm comes with PostgreSQL's contrib package and may be made by the owner of the database.
    # Without it parts of words are found all the same, only slower.
    op.execute(
        """
        DO $$
        BEGIN
            IF EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
                CREATE EXTENSION IF NOT EXISTS pg_trgm;
                CREATE INDEX search_method_text_pieces ON method_text USING gin (pieces gin_trgm_ops);
            END IF;
        EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
            RAISE NOTICE 'pg_trgm cannot be created: parts of words are found without an index';
        END $$
        """
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for event in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER search_method_text_{event}")
        op.execute("DROP TABLE search_method_words")
        op.execute("DROP TABLE search_method_pieces")
    op.drop_table("saved_search")
    op.drop_table("method_text")
    op.drop_table("method_index")
