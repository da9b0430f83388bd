"""What comes in and goes out of in-silico PCR."""

from marshmallow import Schema, fields, validate

from labhub.i18n import N_
from labhub.sequences.insilico import MOST_MISMATCHES
from labhub.sequences.insilico_queries import LONGEST_SIZE, MOST_ASSAYS, MOST_RECORDS

LONGEST_NAME = 120
MOST_METHODS = 500


class InsilicoAssay(Schema):
    """An assay as it is typed: IUPAC letters, U, I, small letters, blanks and modifications in brackets."""

    name = fields.String(load_default="", validate=validate.Length(max=LONGEST_NAME))
    forward = fields.String(required=True)
    reverse = fields.String(required=True)
    probe = fields.String(load_default="")


class InsilicoSettings(Schema):
    """What counts as a product."""

    max_mismatches = fields.Integer(strict=True, load_default=2, validate=validate.Range(0, MOST_MISMATCHES))
    three_prime_exact = fields.Integer(strict=True, load_default=3, validate=validate.Range(0, 30))
    min_size = fields.Integer(strict=True, load_default=40, validate=validate.Range(1, LONGEST_SIZE))
    max_size = fields.Integer(strict=True, load_default=1500, validate=validate.Range(1, LONGEST_SIZE))
    probe_mismatches = fields.Integer(
        strict=True, load_default=None, allow_none=True, validate=validate.Range(0, 2 * MOST_MISMATCHES)
    )
    self_products = fields.Boolean(load_default=False)


class InsilicoConditions(Schema):
    """What melting temperatures are computed for."""

    sodium_millimolar = fields.Float(
        load_default=50.0, validate=validate.Range(0, 5_000), metadata={"description": "Monovalent cations."}
    )
    magnesium_millimolar = fields.Float(load_default=0.0, validate=validate.Range(0, 1_000))
    dntp_millimolar = fields.Float(load_default=0.0, validate=validate.Range(0, 1_000))
    oligo_nanomolar = fields.Float(
        load_default=50.0,
        validate=validate.Range(0.001, 1e6),
        metadata={"description": "Of each primer, where its method does not say."},
    )


class InsilicoIn(InsilicoSettings, InsilicoConditions):
    """Assays and methods, and where they are searched: hub records, or records that are sent along."""

    methods = fields.List(
        fields.String(validate=validate.Length(1, 60)),
        load_default=list,
        validate=validate.Length(max=MOST_METHODS),
    )
    all_methods = fields.Boolean(load_default=False)
    assays = fields.List(
        fields.Nested(InsilicoAssay), load_default=list, validate=validate.Length(max=MOST_ASSAYS)
    )
    references = fields.List(
        fields.String(validate=validate.Length(1, 60)),
        load_default=list,
        validate=validate.Length(max=MOST_RECORDS),
        metadata={"description": "Accessions; none: every record of the hub that you may see."},
    )
    melting = fields.Boolean(
        load_default=False, metadata={"description": "Melting temperatures of the primers on their sites."}
    )
    reference_text = fields.String(
        load_default="", metadata={"description": "FASTA, GenBank or EMBL; searched and not kept."}
    )


class InsilicoFile(Schema):
    """The file of a multipart request."""

    file = fields.Raw(required=True, metadata={"type": "string", "format": "binary"})


class InsilicoFileIn(Schema):
    """The request that goes with a file, as JSON text."""

    request = fields.String(required=True, metadata={"description": "JSON as of POST /insilico."})


class InsilicoFormat(Schema):
    """The form of an answer that is given at once."""

    format = fields.String(load_default="json", validate=validate.OneOf(["json", "tsv"]))


class InsilicoForm(InsilicoConditions):
    """The form of the page; everything is text, and what is left empty has its default."""

    methods = fields.String(load_default="", validate=validate.Length(max=20_000))
    all_methods = fields.Boolean(load_default=False)
    name = fields.String(load_default="", validate=validate.Length(max=LONGEST_NAME))
    forward = fields.String(load_default="", validate=validate.Length(max=2_000))
    reverse = fields.String(load_default="", validate=validate.Length(max=2_000))
    probe = fields.String(load_default="", validate=validate.Length(max=2_000))
    several = fields.String(load_default="", validate=validate.Length(max=500_000))
    references = fields.String(load_default="", validate=validate.Length(max=20_000))
    reference_text = fields.String(load_default="")
    max_mismatches = fields.Integer(load_default=2, validate=validate.Range(0, MOST_MISMATCHES))
    three_prime_exact = fields.Integer(load_default=3, validate=validate.Range(0, 30))
    min_size = fields.Integer(load_default=40, validate=validate.Range(1, LONGEST_SIZE))
    max_size = fields.Integer(load_default=1500, validate=validate.Range(1, LONGEST_SIZE))
    probe_mismatches = fields.Integer(
        load_default=None, allow_none=True, validate=validate.Range(0, 2 * MOST_MISMATCHES)
    )
    self_products = fields.Boolean(load_default=False)
    melting = fields.Boolean(load_default=False)


class InsilicoPrefill(Schema):
    """What links to the form fill in."""

    code = fields.String(load_default="", validate=validate.Length(max=60))
    accession = fields.String(load_default="", validate=validate.Length(max=60))
    lang = fields.String(load_default="", validate=validate.Length(max=5))


SORTS: dict[str, str] = {
    "assay": N_("Assay"),
    "reference": N_("Sequence"),
    "start": N_("Place"),
    "size": N_("Size"),
    "mismatches": N_("Mismatches"),
}
"""What the products of a page may be sorted by."""


class InsilicoPage(Schema):
    """Which products of a result are shown, in which order."""

    sort = fields.String(
        load_default="", validate=validate.OneOf(["", *(sign + name for name in SORTS for sign in ("", "-"))])
    )
    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    lang = fields.String(load_default="", validate=validate.Length(max=5))


class InsilicoReason(Schema):
    """What could not be searched, or not wholly."""

    name = fields.String()
    reason = fields.String()


class InsilicoSite(Schema):
    """An oligo on its site, both 5' to 3' of the oligo; mismatches from its 5' end, counted from 1."""

    oligo = fields.String()
    site = fields.String()
    mismatches = fields.List(fields.Integer())


class InsilicoProbeSite(InsilicoSite):
    """The probe's best site: first base in the product, from 1, and the strand that it reads as."""

    start = fields.Integer()
    strand = fields.String()


class InsilicoSites(Schema):
    """The sites of a product; left and right on the plus strand of the record."""

    left = fields.Nested(InsilicoSite)
    right = fields.Nested(InsilicoSite)
    probe = fields.Nested(InsilicoProbeSite, allow_none=True)


class InsilicoProduct(Schema):
    """A product; coordinates are 1-based on the plus strand, ``end`` before ``start`` over the origin."""

    assay = fields.String()
    reference = fields.String()
    start = fields.Integer()
    end = fields.Integer()
    size = fields.Integer()
    strand = fields.String(metadata={"description": "+ when the forward primer lies on the plus strand."})
    pair = fields.String(metadata={"description": "FR, or FF or RR for products of one primer."})
    mm_f = fields.Integer()
    mm_r = fields.Integer()
    probe_mm = fields.Integer(allow_none=True)
    wraps = fields.Boolean()
    tm_f = fields.String(
        allow_none=True, metadata={"description": "degC; least/mean/most of an ambiguous primer."}
    )
    tm_r = fields.String(allow_none=True)
    sites = fields.Nested(InsilicoSites, allow_none=True)


class InsilicoSearched(Schema):
    """What was searched."""

    assays = fields.Integer()
    records = fields.Integer()
    bases = fields.Integer()
    references = fields.String(metadata={"description": "hub, chosen or file."})


class InsilicoAssayOut(Schema):
    """An assay as it was read."""

    name = fields.String()
    forward = fields.String()
    reverse = fields.String()
    probe = fields.String()
    method = fields.String(allow_none=True)
    version = fields.Integer(allow_none=True)


class InsilicoOut(Schema):
    """What was searched, what could not be, and the products, sorted by assay, reference, start and size."""

    searched = fields.Nested(InsilicoSearched)
    settings = fields.Nested(InsilicoSettings)
    conditions = fields.Nested(InsilicoConditions, allow_none=True)
    assays = fields.List(fields.Nested(InsilicoAssayOut))
    refused = fields.List(fields.Nested(InsilicoReason))
    truncated = fields.List(fields.Nested(InsilicoReason))
    products_found = fields.Integer()
    products = fields.List(fields.Nested(InsilicoProduct))


class InsilicoStarted(Schema):
    """Long work was put into the queue; ``Location`` is the address of its job."""

    job = fields.Integer()
    state = fields.String()
