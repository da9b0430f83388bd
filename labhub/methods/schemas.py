"""What comes in and goes out of methods. The rules on values stand in ``exchange.check``."""

from typing import Any

from marshmallow import Schema, fields, validate

from labhub.methods.download_queries import FORMATS
from labhub.methods.models import (
    AssayFormat,
    FileRole,
    FileVisibility,
    MethodOrigin,
    OligoRole,
    Right,
    Specificity,
    StudyKind,
    Technique,
)

REASON = validate.Length(min=1, max=10_240)


def text(longest: int = 65_536, **options: Any) -> fields.String:
    """Return a text that may be null: not reported."""
    return fields.String(allow_none=True, validate=validate.Length(max=longest), **options)


def texts(**options: Any) -> "fields.List[Any]":
    """Return a list of texts, or null."""
    return fields.List(fields.String(), allow_none=True, validate=validate.Length(max=200), **options)


class TaxonSchema(Schema):
    """The taxon that a method is for."""

    scientific = text(200)
    common = text(200)


class ModificationSchema(Schema):
    """A modification inside an oligo."""

    after_base = fields.Integer(required=True, strict=True)
    name = fields.String(required=True)


class OligoSchema(Schema):
    """A primer or probe, 5' to 3'."""

    set = fields.String(
        load_default="",
        allow_none=True,
        validate=validate.Length(max=60),
        metadata={"description": "Name of the oligo set; empty for the method's first or only one."},
    )
    role = fields.String(required=True, validate=validate.OneOf([role.value for role in OligoRole]))
    name = text(100)
    sequence = fields.String(required=True, validate=validate.Length(max=1000))
    label5 = text(60)
    label3 = text(60)
    final_concentration_nanomolar = fields.Float(allow_none=True, metadata={"description": "nmol/L"})
    modifications = fields.List(fields.Nested(ModificationSchema))


class ReferenceGeneSchema(Schema):
    """The taxon's gene that results are set in relation to."""

    gene = fields.String(required=True)
    verified = fields.Boolean(allow_none=True, metadata={"description": "Kept for compiled records only."})
    source = text(500)


class ValidationSchema(Schema):
    """Validation figures; null means not reported."""

    collaborative_trial = fields.Boolean(allow_none=True)
    laboratories = fields.Integer(allow_none=True, strict=True)
    year = fields.Integer(allow_none=True, strict=True)
    body = text(300)
    note = text(10_240)
    source = text(10_240)
    inferred = fields.Boolean(allow_none=True, metadata={"description": "Kept for compiled records only."})
    lod_text = text(500)
    lod_copies = fields.Float(allow_none=True)
    lod_percent = fields.Float(allow_none=True)
    loq_text = text(500)
    loq_copies = fields.Float(allow_none=True)
    loq_percent = fields.Float(allow_none=True)
    rsdr_percent = fields.Float(allow_none=True, metadata={"description": "within a laboratory (RSDr)"})
    rsdR_percent = fields.Float(allow_none=True, metadata={"description": "between laboratories (RSDR)"})
    slope = fields.Float(allow_none=True)
    pcr_efficiency_percent = fields.Float(allow_none=True)
    r2 = fields.Float(allow_none=True)
    bias_percent = fields.Float(allow_none=True)
    dynamic_range = text(500)
    figures_note = text(10_240)
    figures_source = text(10_240)


class SourceSchema(Schema):
    """Where facts were read."""

    title = fields.String(required=True, validate=validate.Length(min=1, max=500))
    url = text(1000)
    year = fields.Integer(allow_none=True, strict=True)


class VerificationSchema(Schema):
    """How a compiled record was checked."""

    amplicon_consistent = fields.Boolean(allow_none=True)
    seen_in = texts()
    n_places = fields.Integer(allow_none=True, strict=True)


class OligoSetSchema(Schema):
    """A further set of oligos with its amplicon."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=60))
    target = text(300)
    amplicon_bp = fields.Integer(allow_none=True, strict=True)
    amplicon = text(100_000)
    amplicon_accession = text(100)


class ReferenceMaterialSchema(Schema):
    """A reference material with its certified value."""

    name = text(300)
    code = text(100)
    producer = text(200)
    matrix = text(200)
    certified_value = fields.Float(allow_none=True)
    certified_unit = text(60)
    expanded_uncertainty = fields.Float(
        allow_none=True, metadata={"description": "U with k = 2, in the unit of the value"}
    )
    note = text(10_240)


class StudyLevelSchema(Schema):
    """The figures of one level; null means not reported."""

    label = text(100)
    assigned = fields.Float(allow_none=True, metadata={"description": "in the unit of the study"})
    laboratories = fields.Integer(allow_none=True, strict=True)
    laboratories_excluded = fields.Integer(allow_none=True, strict=True)
    replicates = fields.Integer(allow_none=True, strict=True)
    results = fields.Integer(allow_none=True, strict=True)
    mean = fields.Float(allow_none=True)
    bias_percent = fields.Float(allow_none=True)
    s_r = fields.Float(allow_none=True)
    s_R = fields.Float(allow_none=True)
    rsdr_percent = fields.Float(allow_none=True)
    rsdR_percent = fields.Float(allow_none=True)
    tested = fields.Integer(allow_none=True, strict=True)
    positive = fields.Integer(allow_none=True, strict=True)


class DecisionSchema(Schema):
    """A laboratory of a trial that a person keeps or excludes, at one level or (empty) at all."""

    laboratory = fields.String(required=True, validate=validate.Length(1, 100))
    level = text(100)
    action = fields.String(required=True, validate=validate.OneOf(["keep", "exclude"]))
    reason = fields.String(required=True, validate=validate.Length(1, 500))


class StudySchema(Schema):
    """A validation study."""

    kind = fields.String(required=True, validate=validate.OneOf([kind.value for kind in StudyKind]))
    title = text(300)
    body = text(300)
    laboratory = text(300)
    year = fields.Integer(allow_none=True, strict=True)
    standard = text(300)
    matrix = text(300)
    instrument = text(300)
    laboratories = fields.Integer(allow_none=True, strict=True)
    replicates = fields.Integer(allow_none=True, strict=True)
    unit = text(60)
    slope = fields.Float(allow_none=True)
    r2 = fields.Float(allow_none=True)
    pcr_efficiency_percent = fields.Float(allow_none=True)
    lod_copies = fields.Float(allow_none=True)
    lod_copies_low = fields.Float(allow_none=True)
    lod_copies_high = fields.Float(allow_none=True)
    lod_percent = fields.Float(allow_none=True)
    loq_copies = fields.Float(allow_none=True)
    loq_percent = fields.Float(allow_none=True)
    dynamic_low = fields.Float(allow_none=True)
    dynamic_high = fields.Float(allow_none=True)
    specificity_tested = fields.Integer(allow_none=True, strict=True)
    specificity_amplified = fields.Integer(allow_none=True, strict=True)
    note = text(10_240)
    source = text(10_240)
    levels = fields.List(fields.Nested(StudyLevelSchema))
    data = fields.List(
        fields.List(fields.Raw(allow_none=True)),
        metadata={"description": "Raw results: [laboratory, level, replicate, value]"},
    )
    decisions = fields.List(fields.Nested(DecisionSchema))


class ContentSchema(Schema):
    """What a method says, as it is exported and sent."""

    code = text(60)
    wished_code = text(60)
    source_code = text(120)
    title = fields.String(required=True, validate=validate.Length(min=1, max=300))
    specificity = fields.String(required=True, validate=validate.OneOf([each.value for each in Specificity]))
    target = text(300)
    targets = texts()
    taxon = fields.Nested(TaxonSchema, allow_none=True)
    technique = fields.String(required=True, validate=validate.OneOf([each.value for each in Technique]))
    chemistry = text(100)
    assay_format = fields.String(
        allow_none=True, validate=validate.OneOf([each.value for each in AssayFormat])
    )
    multiplex = fields.Boolean(allow_none=True)
    quantitative = fields.Boolean(allow_none=True)
    oligos = fields.List(fields.Nested(OligoSchema), allow_none=True)
    amplicon_bp = fields.Integer(allow_none=True, strict=True)
    amplicon = text(100_000)
    amplicon_accession = text(100)
    oligo_sets = fields.List(fields.Nested(OligoSetSchema), allow_none=True)
    analyte = text(300, metadata={"description": "Protein tests: the protein that is detected."})
    antibodies = text(10_240)
    instrument = text(300)
    reference_gene = fields.Nested(ReferenceGeneSchema, allow_none=True)
    reference_method = text(200)
    calibrant = text(10_240)
    reference_materials = fields.List(fields.Nested(ReferenceMaterialSchema), allow_none=True)
    reaction_microlitre = fields.Float(allow_none=True)
    template_nanogram = fields.Float(allow_none=True)
    thermal_profile = text()
    reagents = text()
    matrices = texts()
    licence = text(200)
    rights = fields.List(
        fields.String(validate=validate.OneOf([each.value for each in Right])), allow_none=True
    )
    rights_note = text(10_240)
    validation = fields.Nested(ValidationSchema, allow_none=True)
    studies = fields.List(fields.Nested(StudySchema), allow_none=True)
    standardisation = text(200)
    lmo_unique_identifiers = texts()
    target_copies_per_haploid_genome = fields.Integer(allow_none=True, strict=True)
    same_oligos_as = texts()
    notes = texts()
    sources = fields.List(fields.Nested(SourceSchema), allow_none=True)
    verified = fields.Boolean(allow_none=True, metadata={"description": "Kept for compiled records only."})
    verification = fields.Nested(VerificationSchema, allow_none=True)
    origin = fields.String(
        allow_none=True,
        validate=validate.OneOf([each.value for each in MethodOrigin]),
        metadata={"description": "Not set by what is sent: a laboratory's method is `submitted`."},
    )
    record = fields.Dict(
        allow_none=True, metadata={"description": "Facts that the hub gives in an export; not read."}
    )


class MethodIn(ContentSchema):
    """A method to begin: the JSON of an export. Hub-made codes (`LH-…`) are given anew."""

    laboratory = fields.String(
        load_default="",
        validate=validate.Length(max=40),
        metadata={"description": "Code of one's laboratory; needed by people who work in several."},
    )


class MethodChange(ContentSchema):
    """Fields of a draft to replace; what is not given stays."""

    change_note = fields.String(validate=REASON)


class FileOut(Schema):
    """A file of a version."""

    id = fields.Integer()
    name = fields.String()
    role = fields.String()
    kind = fields.String()
    media_type = fields.String()
    size_bytes = fields.Integer()
    sha256 = fields.String()
    visibility = fields.String()
    licence = fields.String(allow_none=True)
    language = fields.String(allow_none=True)


class VersionRow(Schema):
    """A version in the list of versions."""

    version = fields.Integer()
    state = fields.String()
    title = fields.String()
    published_at = fields.DateTime(allow_none=True)
    superseded_at = fields.DateTime(allow_none=True)
    withdrawn_at = fields.DateTime(allow_none=True)
    withdrawal_reason = fields.String(allow_none=True)
    change_note = fields.String(allow_none=True)
    content_hash = fields.String(allow_none=True)


class MethodOut(ContentSchema):
    """A version of a method."""

    version = fields.Integer()
    state = fields.String()
    laboratory = fields.String(allow_none=True)
    published_at = fields.DateTime(allow_none=True)
    superseded_at = fields.DateTime(allow_none=True)
    withdrawn_at = fields.DateTime(allow_none=True)
    withdrawal_reason = fields.String(allow_none=True)
    return_reason = fields.String(allow_none=True)
    change_note = fields.String(allow_none=True)
    content_hash = fields.String(allow_none=True)
    criteria_version = fields.String(allow_none=True)
    intact = fields.Boolean(allow_none=True)
    warnings = fields.List(
        fields.String(), metadata={"description": "Doubts about a version that is not published yet."}
    )
    files = fields.List(fields.Nested(FileOut))
    versions = fields.List(fields.Nested(VersionRow))

    class Meta:
        exclude = ("record",)


class VersionArguments(Schema):
    """Which version; the published one by default."""

    version = fields.Integer(load_default=None, validate=validate.Range(1, 1_000_000))


class DownloadArguments(VersionArguments):
    """Which form of which version."""

    format = fields.String(
        load_default="json",
        validate=validate.Length(max=20),
        metadata={"description": f"One of {', '.join(FORMATS)}."},
    )
    lang = fields.String(
        load_default="",
        validate=validate.Length(max=5),
        metadata={"description": "Language of a PDF: en or ar."},
    )


class PublicationIn(Schema):
    """Whether those who downloaded the version before are told of the new one."""

    notify = fields.Boolean(load_default=True)


class EmptyIn(Schema):
    """Nothing needs to be said."""


class ReviewIn(Schema):
    """What a reviewer does: take the review on, give it back or over, or return the version."""

    decision = fields.String(
        load_default="claim", validate=validate.OneOf(["claim", "return", "release", "take-over"])
    )
    reason = fields.String(load_default="", validate=validate.Length(max=10_240))


class WithdrawalIn(Schema):
    """Why a version is withdrawn."""

    reason = fields.String(required=True, validate=REASON)
    version = fields.Integer(load_default=None, strict=True, validate=validate.Range(1, 1_000_000))


class NewVersionIn(Schema):
    """Why there is a new version."""

    change_note = fields.String(required=True, validate=REASON)


class FileIn(Schema):
    """Which role a file has; the file itself is the part `file`."""

    role = fields.Enum(FileRole, by_value=True, load_default=FileRole.SOP)
    visibility = fields.Enum(FileVisibility, by_value=True, load_default=FileVisibility.PUBLIC)
    licence = fields.String(load_default="", validate=validate.Length(max=200))
    language = fields.String(load_default="", validate=validate.Length(max=35))
    sha256 = fields.String(load_default="", validate=validate.Length(max=64))


class ImportIn(Schema):
    """How a file of methods is taken; the file itself is the part `file`."""

    laboratory = fields.String(load_default="", validate=validate.Length(max=40))
    dry_run = fields.Boolean(load_default=False)
    sha256 = fields.String(load_default="", validate=validate.Length(max=64))


class TemplateArguments(Schema):
    """In which format a template is asked for."""

    format = fields.String(load_default="xlsx", validate=validate.OneOf(["xlsx", "csv"]))
    lang = fields.String(load_default="")


class ImportRow(Schema):
    """What happened to one row of a file."""

    row = fields.Integer()
    key = fields.String()
    outcome = fields.String()
    warnings = fields.List(fields.String())


class ImportOut(Schema):
    """The report of a file."""

    file = fields.String()
    dry_run = fields.Boolean()
    notes = fields.List(
        fields.String(), metadata={"description": "What was assumed: encoding, separator, sheets not read."}
    )
    rows = fields.List(fields.Nested(ImportRow))
