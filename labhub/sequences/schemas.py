"""What comes in and goes out of sequences, for API and forms alike."""

import unicodedata
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from labhub.i18n import _
from labhub.sequences.commands import MAX_LICENCE, MAX_LINKS, MAX_ORGANISM, MAX_SOURCE, MAX_TITLE
from labhub.sequences.equivalence import Relation
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


class Names(fields.List[Any]):
    """Several names: a list, a field that is repeated, or a text with one name a line."""

    def __init__(self, longest: int, **options: object) -> None:
        super().__init__(_name(longest), validate=validate.Length(max=MAX_LINKS), **options)  # type: ignore[arg-type]

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[Any]:
        given = [value] if isinstance(value, str) else value
        if isinstance(given, list) and all(isinstance(each, str) for each in given):
            given = [line.strip() for each in given for line in each.splitlines() if line.strip()]
        return super()._deserialize(given, attr, data, **options)


class SequenceList(ListArguments):
    """Filters of the list."""

    taxon = _name(200, load_default="")
    lmo = _name(400, load_default="")
    element = _name(200, load_default="")
    method = _name(60, load_default="")
    laboratory = _name(40, load_default="")
    state = fields.Enum(SequenceState, by_value=True, load_default=None)
    visibility = fields.Enum(Visibility, by_value=True, load_default=None)
    topology = fields.Enum(Topology, by_value=True, load_default=None)


FILTERS = ("q", "taxon", "lmo", "element", "method", "laboratory", "state", "visibility", "topology")


class SequenceUploadFile(Schema):
    """The file of an upload: GenBank, EMBL, FASTA or SnapGene, gzipped or not."""

    file = fields.Raw(metadata={"type": "string", "format": "binary"})


class SequenceUploadIn(Schema):
    """What is said of all records of an uploaded file."""

    laboratory = _name(40, load_default="")
    visibility = fields.Enum(Visibility, by_value=True, load_default=Visibility.PUBLIC)
    lmo = _name(400, load_default="")
    lmos = Names(400, load_default=())
    element = _name(200, load_default="")
    elements = Names(200, load_default=())
    methods = Names(60, load_default=())
    title = _name(MAX_TITLE, load_default="")
    note = fields.String(load_default="", validate=validate.Length(max=LONGEST_TEXT))
    licence = _name(MAX_LICENCE, load_default="")
    source = _name(MAX_SOURCE, load_default="")
    supersedes = _name(200, load_default="")
    skip_bad = fields.Boolean(
        load_default=False,
        metadata={"description": "Keep the records that are right; the others are told in `left_out`."},
    )
    sha256 = _name(80, load_default="")


class SequenceChangeIn(Schema):
    """What may be changed of a draft; what is not named stays as it is."""

    title = _name(MAX_TITLE)
    description = fields.String(validate=validate.Length(max=LONGEST_TEXT))
    organism = _name(MAX_ORGANISM)
    topology = fields.Enum(Topology, by_value=True)
    visibility = fields.Enum(Visibility, by_value=True)
    lmo = _name(400)
    lmos = Names(400)
    element = _name(200)
    elements = Names(200)
    methods = Names(60)
    taxon = _name(200)
    source = _name(MAX_SOURCE)
    molecule_type = _name(40, metadata={"description": "One of the molecules that GenBank names."})
    supersedes = _name(200)
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


class SequenceTogetherArguments(SequenceList):
    """The format of one file with the whole selection of the list, and the filters of the list."""

    format = fields.Enum(DownloadFormat, by_value=True, load_default=DownloadFormat.FASTA)
    lang = fields.String(load_default="", validate=validate.Length(max=5))


class SequenceMapArguments(Schema):
    """What a map shows beside the features, and how wide it is."""

    methods = _name(
        1300,
        load_default=None,
        metadata={"description": "Codes of methods, between commas; without it those of the record."},
    )
    width = fields.Integer(load_default=960, validate=validate.Range(100, 4000))
    lang = fields.String(load_default="", validate=validate.Length(max=5))


class SequenceRow(Schema):
    """A line of the list."""

    accession = fields.String()
    title = fields.String()
    organism = fields.String()
    taxon = fields.String()
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


class SequenceEquivalent(Schema):
    """Another record of the same molecule, and how its bases stand to those of this one."""

    accession = fields.String()
    relation = fields.Enum(Relation, by_value=True)
    other_topology = fields.Boolean()


class SequenceOut(SequenceRow):
    """A record: everything but its bases."""

    name = fields.String()
    description = fields.String()
    source = fields.String()
    lmos = fields.List(fields.String())
    elements = fields.List(fields.String())
    methods = fields.List(fields.String())
    supersedes = fields.String(allow_none=True)
    superseded_by = fields.String(allow_none=True)
    canonical_digest = fields.String(allow_none=True)
    note = fields.String()
    licence = fields.String()
    reason = fields.String()
    warnings = fields.List(fields.String())
    bases_open = fields.Boolean()
    features = fields.List(fields.Nested(SequenceFeatureOut))
    same_bases = fields.List(fields.String())
    equivalents = fields.List(fields.Nested(SequenceEquivalent))
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
    line = fields.Integer()
    warnings = fields.List(fields.String())
    same_bases = fields.List(fields.String())
    equivalents = fields.List(fields.Nested(SequenceEquivalent))


class SequenceLeftOut(Schema):
    """A record of an uploaded file that was left out, and why; without a name: lines outside a record."""

    line = fields.Integer()
    name = fields.String()
    problems = fields.List(fields.String())


class SequenceUploadOut(SequenceOut):
    """The first record of an uploaded file, all of them in ``records``, what was left out in ``left_out``."""

    records = fields.List(fields.Nested(UploadedSequence))
    left_out = fields.List(fields.Nested(SequenceLeftOut))
