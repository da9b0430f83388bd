"""What comes in and goes out of sequences, for API and forms alike."""

import unicodedata

from marshmallow import Schema, ValidationError, fields, validate

from labhub.i18n import _
from labhub.sequences.commands import MAX_LICENCE, MAX_ORGANISM, MAX_TITLE
from labhub.sequences.models import SequenceState, Topology, Visibility
from labhub.sequences.records import DownloadFormat
from labhub.web.api import ListArguments

LONGEST_TEXT = 10 << 10


def _plain(text: str) -> None:
    """Refuse control characters, which no name holds and PostgreSQL does not store."""
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text):
        raise ValidationError(str(_("Invisible or control characters are not allowed here.")))


def _name(longest: int, **options: object) -> fields.String:
    return fields.String(validate=[validate.Length(max=longest), _plain], **options)  # type: ignore[arg-type]


class SequenceList(ListArguments):
    """Filters of the list."""

    taxon = _name(200, load_default="")
    lmo = _name(400, load_default="")
    element = _name(200, load_default="")
    laboratory = _name(40, load_default="")
    state = fields.Enum(SequenceState, by_value=True, load_default=None)
    visibility = fields.Enum(Visibility, by_value=True, load_default=None)
    topology = fields.Enum(Topology, by_value=True, load_default=None)


FILTERS = ("q", "taxon", "lmo", "element", "laboratory", "state", "visibility", "topology")


class SequenceUploadFile(Schema):
    """The file of an upload: GenBank, EMBL or FASTA."""

    file = fields.Raw(metadata={"type": "string", "format": "binary"})


class SequenceUploadIn(Schema):
    """What is said of all records of an uploaded file."""

    laboratory = _name(40, load_default="")
    visibility = fields.Enum(Visibility, by_value=True, load_default=Visibility.PUBLIC)
    lmo = _name(400, load_default="")
    element = _name(200, load_default="")
    title = _name(MAX_TITLE, load_default="")
    note = fields.String(load_default="", validate=validate.Length(max=LONGEST_TEXT))
    licence = _name(MAX_LICENCE, load_default="")
    sha256 = _name(80, load_default="")


class SequenceChangeIn(Schema):
    """What may be changed of a draft; what is not named stays as it is."""

    title = _name(MAX_TITLE)
    description = fields.String(validate=validate.Length(max=LONGEST_TEXT))
    organism = _name(MAX_ORGANISM)
    topology = fields.Enum(Topology, by_value=True)
    visibility = fields.Enum(Visibility, by_value=True)
    lmo = _name(400)
    element = _name(200)
    note = fields.String(validate=validate.Length(max=LONGEST_TEXT))
    licence = _name(MAX_LICENCE)


class SequenceReviewIn(Schema):
    """What a reviewer does: take the record into review, or return it with a reason."""

    decision = fields.String(load_default="claim", validate=validate.OneOf(["claim", "return"]))
    reason = fields.String(load_default="", validate=validate.Length(max=LONGEST_TEXT))


class SequenceNothingIn(Schema):
    """A form with a button only."""


class SequenceReasonIn(Schema):
    """The reason of a withdrawal."""

    reason = fields.String(required=True, validate=validate.Length(max=LONGEST_TEXT))


class SequenceDownloadArguments(Schema):
    """The format of a download."""

    format = fields.Enum(DownloadFormat, by_value=True, load_default=DownloadFormat.GENBANK)
    version = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    lang = fields.String(load_default="", validate=validate.Length(max=5))


class SequenceRow(Schema):
    """A line of the list."""

    accession = fields.String()
    title = fields.String()
    organism = fields.String()
    topology = fields.Enum(Topology, by_value=True)
    molecule_type = fields.String()
    length_bp = fields.Integer()
    digest = fields.String(allow_none=True)
    source_accession = fields.String()
    version = fields.String()
    state = fields.Enum(SequenceState, by_value=True)
    visibility = fields.Enum(Visibility, by_value=True)
    laboratory = fields.String()
    lmo = fields.String(allow_none=True)
    event = fields.String(allow_none=True)
    element = fields.String(allow_none=True)
    published_at = fields.DateTime(allow_none=True)
    changed_at = fields.DateTime()


class SequenceFeatureOut(Schema):
    """A feature; coordinates are 1-based, ``end`` before ``start`` crosses the origin."""

    kind = fields.String()
    start = fields.Integer()
    end = fields.Integer()
    strand = fields.Integer()
    label = fields.String()
    location = fields.String()


class SequenceOut(SequenceRow):
    """A record: everything but its bases."""

    name = fields.String()
    description = fields.String()
    note = fields.String()
    licence = fields.String()
    reason = fields.String()
    warnings = fields.List(fields.String())
    bases_open = fields.Boolean()
    features = fields.List(fields.Nested(SequenceFeatureOut))
    same_bases = fields.List(fields.String())
    created_at = fields.DateTime()
    submitted_at = fields.DateTime(allow_none=True)
    withdrawn_at = fields.DateTime(allow_none=True)
    file_name = fields.String(allow_none=True)
    file_kind = fields.String(allow_none=True)
    file_sha256 = fields.String(allow_none=True)


class UploadedSequence(Schema):
    """What became of one record of an uploaded file."""

    accession = fields.String()
    source_accession = fields.String()
    version = fields.String()
    title = fields.String()
    length_bp = fields.Integer()
    topology = fields.Enum(Topology, by_value=True)
    digest = fields.String()
    warnings = fields.List(fields.String())
    same_bases = fields.List(fields.String())


class SequenceUploadOut(SequenceOut):
    """The first record of an uploaded file, and all of them in ``records``."""

    records = fields.List(fields.Nested(UploadedSequence))
