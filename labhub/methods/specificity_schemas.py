"""What comes in and goes out of living specificity."""

from marshmallow import Schema, fields, validate

from labhub.methods.models import MethodState, Specificity
from labhub.methods.specificity import Expectation, Judgement, Part, Reason
from labhub.methods.specificity_models import ChangeKind
from labhub.web.api import ListArguments

TEXT = validate.Length(max=200)
FOUND = [Judgement.DETECTED.value, Judgement.DOUBTFUL.value]
RECORDS = ["found", "target", "all"]
FORMATS = ["json", "csv", "xlsx"]


def _words(kind: type, text: str = "") -> fields.String:
    return fields.String(metadata={"enum": [each.value for each in kind], "description": text})  # type: ignore[attr-defined]


class SpecificityArguments(ListArguments):
    """Filters of the matrix: of methods (`q`, `scope`, `taxon`, `lmo`, `element`) and of sequences."""

    scope = fields.String(
        load_default="", validate=validate.OneOf(["", *(each.value for each in Specificity)])
    )
    taxon = fields.String(load_default="", validate=TEXT)
    lmo = fields.String(load_default="", validate=TEXT)
    element = fields.String(load_default="", validate=TEXT)
    method = fields.String(load_default="", validate=validate.Length(max=60))
    record = fields.String(load_default="", validate=TEXT)
    sequence = fields.String(load_default="", validate=validate.Length(max=20))
    judgement = fields.String(load_default="", validate=validate.OneOf(["", *FOUND]))


class SpecificityList(SpecificityArguments):
    """The list as JSON, or the whole of it as a table."""

    format = fields.String(load_default="json", validate=validate.OneOf(FORMATS))


class MatrixPage(SpecificityArguments):
    """What the page of the matrix takes: also which sequences, and two places."""

    records = fields.String(load_default="found", validate=validate.OneOf(RECORDS))
    column_page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    page_size = fields.Integer(load_default=25, validate=validate.Range(1, 50))
    column_size = fields.Integer(load_default=25, validate=validate.Range(1, 50))


class ChangesPage(ListArguments):
    """What the list of changes takes."""

    own = fields.Boolean(load_default=False)


class MismatchOut(Schema):
    """A base of an oligo that the sequence does not have there."""

    oligo = _words(Part)
    base = fields.Integer(metadata={"description": "Place in the oligo, from 1 at its 5' end."})
    from_end = fields.Integer(metadata={"description": "Place from the 3' end; 1 is the last base."})
    oligo_base = fields.String()
    sequence_base = fields.String()


class PairOut(Schema):
    """What a method version finds in a sequence: its best product, and how many there are."""

    method = fields.String()
    method_version = fields.Integer()
    method_state = _words(MethodState)
    method_title = fields.String()
    specificity = _words(Specificity)
    sequence = fields.String()
    sequence_name = fields.String(metadata={"description": "Its name in its source."})
    sequence_title = fields.String()
    organism = fields.String()
    judgement = fields.String(metadata={"enum": FOUND})
    expectation = _words(Expectation, "Whether it was to be found, by what both records say.")
    reasons = fields.List(_words(Reason), metadata={"description": "Why it is doubtful."})
    mismatches = fields.List(fields.Nested(MismatchOut))
    mm_forward = fields.Integer()
    mm_reverse = fields.Integer()
    mm_probe = fields.Integer(
        allow_none=True, metadata={"description": "Empty without probe, or where it does not fit."}
    )
    size_bp = fields.Integer()
    published_bp = fields.Integer(allow_none=True)
    products = fields.Integer(metadata={"description": "Products in this sequence, all assays together."})
    sizes = fields.List(fields.Integer())
    start = fields.Integer(metadata={"description": "First base on the plus strand, from 1."})
    end = fields.Integer(metadata={"description": "Last base; before `start` when it runs over the origin."})
    strand = fields.String(metadata={"enum": ["+", "-"]})
    assay = fields.String(metadata={"description": "The assay of the best product, where there are several."})
    assays = fields.Dict(keys=fields.String(), values=fields.String())
    rule = fields.String(metadata={"description": "Version of the rule by which it was judged."})
    computed_at = fields.DateTime()


class MissingOut(Schema):
    """A sequence of a declared target in which nothing was found, or a method that does not find it."""

    method = fields.String()
    method_version = fields.Integer()
    method_state = _words(MethodState)
    method_title = fields.String()
    specificity = _words(Specificity)
    sequence = fields.String()
    sequence_name = fields.String(metadata={"description": "Its name in its source."})
    sequence_title = fields.String()
    organism = fields.String()


class SectionOut(Schema):
    """What is found of one method or in one sequence; each list has at most 100 pairs, `totals` all."""

    current = fields.Boolean(metadata={"description": "False while it waits to be computed."})
    compared = fields.Integer(metadata={"description": "Records compared with it, of those you may see."})
    computed_at = fields.DateTime(allow_none=True)
    rule = fields.String()
    not_searched = fields.List(
        fields.String(), metadata={"description": "What of a method was not searched."}
    )
    expected = fields.List(fields.Nested(PairOut))
    unexpected = fields.List(fields.Nested(PairOut))
    other = fields.List(
        fields.Nested(PairOut), metadata={"description": "Of which the records do not say what is due."}
    )
    missing = fields.List(fields.Nested(MissingOut))
    totals = fields.Dict(keys=fields.String(), values=fields.Integer())


class ChangeOut(Schema):
    """A difference that a recomputation has made."""

    method = fields.String()
    method_version = fields.Integer()
    sequence = fields.String()
    kind = _words(ChangeKind)
    before = fields.String(allow_none=True, metadata={"description": "Empty for a sequence that was new."})
    after = fields.String()
    mismatches = fields.List(fields.Nested(MismatchOut))
    size_bp = fields.Integer(allow_none=True)
    published_bp = fields.Integer(allow_none=True)
    found_at = fields.DateTime()


class WholeArguments(Schema):
    """What the answer about one record takes."""

    version = fields.Integer(load_default=None, validate=validate.Range(1, 1_000_000))
    lang = fields.String(load_default="", validate=validate.Length(max=5))
