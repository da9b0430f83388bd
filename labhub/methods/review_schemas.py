"""What comes in and goes out of reviews: comments and recalls."""

from marshmallow import Schema, fields, validate

from labhub.methods.field_paths import LONGEST_PATH

NOTE = validate.Length(min=1, max=10_240)
NUMBER = validate.Range(1, 1_000_000)


class CommentOut(Schema):
    """A comment on a field of a version."""

    id = fields.Integer()
    version = fields.Integer()
    field = fields.String(
        metadata={"description": "A path like oligos.1.sequence; empty: the whole version."}
    )
    field_exists = fields.Boolean(
        allow_none=True,
        metadata={"description": "Whether the version still has it; null: not yours to read."},
    )
    quoted = fields.String(allow_none=True, metadata={"description": "What the field said at the time."})
    text = fields.String()
    side = fields.String()
    author = fields.String(
        allow_none=True, metadata={"description": "Null for a reviewer's, when a laboratory reads it."}
    )
    created_at = fields.DateTime()
    reply_to = fields.Integer(allow_none=True)
    resolved = fields.Boolean(allow_none=True, metadata={"description": "Null for replies."})
    resolved_at = fields.DateTime(allow_none=True)


class CommentArguments(Schema):
    """Which comments: of the newest version by default, resolved or not."""

    version = fields.Integer(load_default=None, validate=NUMBER)
    resolved = fields.Boolean(load_default=None)


class CommentIn(Schema):
    """A remark on a field (none: on the whole version), or a reply."""

    text = fields.String(required=True, validate=NOTE)
    field = fields.String(load_default="", validate=validate.Length(max=LONGEST_PATH))
    reply_to = fields.Integer(load_default=None, validate=validate.Range(1, 1 << 31))
    version = fields.Integer(load_default=None, validate=NUMBER)


class CommentChange(Schema):
    """Whether a remark is dealt with; its text stays as it was written."""

    resolved = fields.Boolean(required=True)


class NoteIn(Schema):
    """Why a review changes hands."""

    note = fields.String(load_default="", validate=validate.Length(max=10_240))


class RecallIn(Schema):
    """Which version must not be used any more, and why."""

    version = fields.Integer(required=True, validate=NUMBER)
    reason = fields.String(
        required=True, validate=NOTE, metadata={"description": "Shown to everybody on the version's page."}
    )


class ShareOut(Schema):
    """How many people of a Party or laboratory have a recalled version."""

    code = fields.String(allow_none=True)
    people = fields.Integer()
    acknowledged = fields.Integer()


class RecipientOut(Schema):
    """A person who has a recalled version; shown to the Secretariat."""

    name = fields.String()
    party = fields.String(allow_none=True)
    laboratory = fields.String(allow_none=True)
    first_download_at = fields.DateTime(allow_none=True)
    last_download_at = fields.DateTime(allow_none=True)
    formats = fields.List(fields.String())
    told_at = fields.DateTime(allow_none=True)
    reminded_at = fields.DateTime(allow_none=True)
    acknowledged_at = fields.DateTime(allow_none=True)


class RecallOut(Schema):
    """A recall or change notice, and who has acknowledged it."""

    id = fields.Integer()
    version = fields.Integer()
    kind = fields.String()
    cause = fields.String()
    reason = fields.String()
    issued_at = fields.DateTime()
    told = fields.Integer()
    acknowledged = fields.Integer()
    unreachable = fields.Integer(metadata={"description": "Accounts that are closed."})
    anonymous_downloads = fields.Integer(metadata={"description": "Without an account: nobody can be told."})
    by_party = fields.List(fields.Nested(ShareOut))
    by_laboratory = fields.List(fields.Nested(ShareOut))
    people = fields.List(
        fields.Nested(RecipientOut), allow_none=True, metadata={"description": "For the Secretariat."}
    )


class NoticeOut(Schema):
    """A notice as its recipient sees it: nothing of other recipients."""

    id = fields.Integer()
    method = fields.String()
    version = fields.Integer()
    kind = fields.String()
    reason = fields.String()
    new_version = fields.Integer(allow_none=True)
    issued_at = fields.DateTime()
    first_download_at = fields.DateTime(allow_none=True)
    last_download_at = fields.DateTime(allow_none=True)
    downloads = fields.Integer()
    formats = fields.List(fields.String())
    acknowledged_at = fields.DateTime(allow_none=True)
