"""What comes in and goes out of background genomes."""

from marshmallow import Schema, fields, validate

from labhub.web.api import ListArguments


class BackgroundList(ListArguments):
    """Filters of the list."""

    taxon = fields.String(load_default="", validate=validate.Length(max=200))


class BackgroundRow(Schema):
    """A background genome in lists; it has no page and no bases to download."""

    name = fields.String()
    slug = fields.String()
    taxon = fields.String()
    source = fields.String()
    licence = fields.String()
    records = fields.Integer()
    circular_records = fields.Integer()
    bases = fields.Integer()
    longest_record = fields.Integer()
    digest = fields.String(metadata={"description": "SHA-256 over names, topologies and bases"})
    file_bytes = fields.Integer()
    from_file = fields.String()
    added_at = fields.AwareDateTime()
    verified_at = fields.AwareDateTime()
    usable = fields.Boolean(metadata={"description": "false when its file is missing or damaged"})
