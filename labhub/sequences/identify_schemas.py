"""What comes in and goes out of identification."""

from marshmallow import Schema, fields, validate

from labhub.sequences.covered import JUNCTION_BASES
from labhub.sequences.identify_queries import MOST_HITS
from labhub.sequences.reads import TRIM_ERROR


class IdentifySettings(Schema):
    """How reads are identified."""

    least_identity = fields.Float(load_default=70.0, validate=validate.Range(50, 100))
    within = fields.Float(load_default=3.0, validate=validate.Range(0, 30))
    most_hits = fields.Integer(load_default=MOST_HITS, validate=validate.Range(1, 50))
    unexplained_bases = fields.Integer(load_default=20, validate=validate.Range(10, 10_000))
    junction_bases = fields.Integer(load_default=JUNCTION_BASES, validate=validate.Range(1, 1_000))


class IdentifyReading(IdentifySettings):
    """How reads are read and identified."""

    trim_error = fields.Float(
        load_default=TRIM_ERROR,
        validate=validate.Range(0, 1),
        metadata={"description": "Chance of error over which ends of FASTQ and AB1 reads are cut off."},
    )
    skip_bad = fields.Boolean(
        load_default=False, metadata={"description": "Leave bad reads out and say so, instead of refusing."}
    )


class IdentifyIn(IdentifyReading):
    """Reads as FASTA or FASTQ text; bases alone are one read."""

    reads = fields.String(required=True)


class IdentifyFile(Schema):
    """The file of a multipart request: FASTA, FASTQ or AB1, gzipped or not."""

    file = fields.Raw(required=True, metadata={"type": "string", "format": "binary"})


class IdentifyForm(IdentifyReading):
    """The form of the page."""

    reads = fields.String(load_default="")


class IdentifyFormat(Schema):
    """The form of an answer that is given at once."""

    format = fields.String(load_default="json", validate=validate.OneOf(["json", "tsv"]))


class IdentifyPage(Schema):
    """Which reads of a result are shown."""

    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    show = fields.String(load_default="", validate=validate.OneOf(["", "open", "none"]))
    lang = fields.String(load_default="", validate=validate.Length(max=5))


class IdentifySearched(Schema):
    """What was searched."""

    reads = fields.Integer()
    records = fields.Integer()
    bases = fields.Integer()
    kind = fields.String(metadata={"description": "fasta, fastq or ab1."})


class IdentifyBadRead(Schema):
    """A read that was left out; line 0 in a file that has none."""

    name = fields.String()
    line = fields.Integer()
    reason = fields.String()


class IdentifyReference(Schema):
    """A record that a read was led to."""

    accession = fields.String()
    title = fields.String()
    organism = fields.String()
    length_bp = fields.Integer()
    circular = fields.Boolean()
    event = fields.String(allow_none=True)
    element = fields.String(allow_none=True)


class IdentifyStretch(Schema):
    """A stretch of a read, 1-based and inclusive."""

    start = fields.Integer()
    end = fields.Integer()


class IdentifyCut(IdentifyStretch):
    """What was kept of a read with ends of bad quality; ``length`` is that before."""

    length = fields.Integer()


class IdentifyBlock(Schema):
    """An unbroken stretch of an alignment; ``alignment`` has four lines for each 60 columns."""

    query_start = fields.Integer()
    query_end = fields.Integer()
    ref_start = fields.Integer()
    ref_end = fields.Integer()
    distance = fields.Integer()
    alignment = fields.List(fields.String())


class IdentifyElement(Schema):
    """An element of the record that is covered, wholly or in part."""

    kind = fields.String()
    label = fields.String()
    start = fields.Integer()
    end = fields.Integer()
    strand = fields.Integer()
    covered_start = fields.Integer()
    covered_end = fields.Integer()
    share = fields.Float()
    query_start = fields.Integer()
    query_end = fields.Integer()


class IdentifyJunction(Schema):
    """A junction that is crossed, with the covered bases on both sides."""

    left = fields.String()
    right = fields.String()
    start = fields.Integer()
    end = fields.Integer()
    before = fields.Integer()
    after = fields.Integer()
    query_start = fields.Integer()
    query_end = fields.Integer()


class IdentifyHit(Schema):
    """A reference of a read; ``ref_end`` before ``ref_start`` over the origin of a circular record."""

    reference = fields.String()
    identity = fields.Float(metadata={"description": "Percent of the explained bases."})
    coverage = fields.Float(metadata={"description": "Share of the read, 0 to 1."})
    query_start = fields.Integer()
    query_end = fields.Integer()
    ref_start = fields.Integer()
    ref_end = fields.Integer()
    strand = fields.String()
    distance = fields.Integer()
    best = fields.Boolean()
    wraps = fields.Boolean()
    blocks = fields.List(fields.Nested(IdentifyBlock))
    elements = fields.List(fields.Nested(IdentifyElement))
    junctions = fields.List(fields.Nested(IdentifyJunction))


class IdentifiedRead(Schema):
    """What was found of one read: references of it, pieces for what they leave open, and the rest."""

    name = fields.String()
    length = fields.Integer()
    cut = fields.Nested(IdentifyCut, allow_none=True)
    explained = fields.Integer()
    unexplained = fields.List(fields.Nested(IdentifyStretch))
    ties = fields.Integer()
    crowded = fields.Boolean()
    hits = fields.List(fields.Nested(IdentifyHit))
    pieces = fields.List(fields.Nested(IdentifyHit))


class IdentifySettingsOut(Schema):
    """How reads were identified."""

    least_identity = fields.Float()
    within = fields.Float()
    most_hits = fields.Integer()
    unexplained_bases = fields.Integer()
    junction_bases = fields.Integer()


class IdentifyOut(Schema):
    """What was searched, which reads were left out, and what was found of each other one."""

    searched = fields.Nested(IdentifySearched)
    settings = fields.Nested(IdentifySettingsOut)
    bad_reads = fields.List(fields.Nested(IdentifyBadRead))
    references = fields.List(fields.Nested(IdentifyReference))
    reads = fields.List(fields.Nested(IdentifiedRead))


class IdentifyStarted(Schema):
    """Long work was put into the queue; ``Location`` is the address of its job."""

    job = fields.Integer()
    state = fields.String()
