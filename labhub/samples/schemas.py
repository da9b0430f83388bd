"""What comes in and goes out of cases, for API and forms alike."""

import re
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from labhub.i18n import _
from labhub.samples.articles import Fact
from labhub.samples.models import (
    CaseState,
    CaseVisibility,
    CustodyAct,
    Outcome,
    PercentUnit,
    SampleState,
)
from labhub.web.api import ListArguments

CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Signs that no text holds: controls but tab and line ends, and those that turn the direction."""
ARTICLES = (17, 18, 25)
SUMMARY_BYTES = 64 * 1024
NOTE_BYTES = 10 * 1024


class Words(fields.String):
    """A text of one line, or of several when ``lines`` is set, at most ``longest`` bytes of UTF-8."""

    def __init__(self, *, longest: int = 200, lines: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.longest = longest
        self.lines = lines

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        if CONTROL.search(text) or (not self.lines and re.search(r"[\r\n\t]", text)):
            raise ValidationError(str(_("Invisible or control characters are not allowed here.")))
        if (len(text.encode()) if self.lines else len(text)) > self.longest:
            unit = _("At most %(number)s bytes.") if self.lines else _("At most %(number)s characters.")
            raise ValidationError(str(unit) % {"number": self.longest})
        return text


class Whole(fields.Integer):
    """A whole number; ``1.5`` and ``true`` are not."""

    def _validated(self, value: Any) -> Any:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Decimal(fields.Float):
    """A number with a decimal point; a comma is refused with a word about it."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        if isinstance(value, str) and "," in value:
            raise ValidationError(str(_("Write the number with a decimal point, as in 0.9.")))
        return super()._validated(value)


class Moment(fields.AwareDateTime):
    """An instant in ISO 8601; without a zone it is UTC, a day alone is its beginning."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", default_timezone=UTC, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            value = f"{value}T00:00:00+00:00"
        given = super()._deserialize(value, attr, data, **kwargs)
        try:
            return given.astimezone(UTC)
        except (OverflowError, ValueError) as error:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from error


class Ident(fields.Field[str]):
    """The ``id`` or the number of a case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            metadata={
                "description": "id or number of the case",
                "oneOf": [{"type": "integer"}, {"type": "string"}],
            },
            **kwargs,
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > 20:
            raise ValidationError(str(_("Give the id or the number of a case, such as C-2026-0001.")))
        return str(value)


FACT = {"description": "yes, no, or unknown (not yet known)"}


class CaseFields(Schema):
    """What may be said of a case."""

    laboratory = Words(longest=40, allow_none=True, metadata={"description": "code of the laboratory"})
    party_of_release = Words(
        longest=10, allow_none=True, metadata={"description": "ISO 3166 code; null while not known"}
    )
    article = Whole(validate=validate.OneOf(ARTICLES), allow_none=True)
    inadvertent = fields.Enum(Fact, by_value=True, metadata=FACT)
    contravention = fields.Enum(Fact, by_value=True, metadata=FACT)
    significant_effects_likely = fields.Enum(Fact, by_value=True, metadata=FACT)
    summary = Words(longest=SUMMARY_BYTES, lines=True)


class CaseIn(CaseFields):
    """A case to open."""

    title = Words(longest=300, required=True)
    party = Words(longest=10, required=True, metadata={"description": "ISO 3166 code of the detecting Party"})


class CaseChange(CaseFields):
    """A change of a case: only the fields that are sent."""

    title = Words(longest=300)
    state = fields.Enum(CaseState, by_value=True)
    reason = Words(longest=NOTE_BYTES, lines=True, load_default="")


class CaseOut(Schema):
    """A case."""

    id = fields.Integer()
    number = fields.String()
    title = fields.String()
    party = fields.String()
    party_of_release = fields.String(allow_none=True)
    laboratory = fields.String(allow_none=True)
    article = fields.Integer(allow_none=True)
    inadvertent = fields.Enum(Fact, by_value=True)
    contravention = fields.Enum(Fact, by_value=True)
    significant_effects_likely = fields.Enum(Fact, by_value=True)
    article_17 = fields.Enum(
        Fact,
        by_value=True,
        metadata={"description": "unintentional: inadvertent, and significant effects likely"},
    )
    article_25 = fields.Enum(
        Fact, by_value=True, metadata={"description": "illegal: contravenes domestic measures"}
    )
    state = fields.Enum(CaseState, by_value=True)
    visibility = fields.Enum(CaseVisibility, by_value=True)
    summary = fields.String()
    opened_at = fields.DateTime()
    samples = fields.Integer()


class CaseListed(CaseOut):
    """A case in a list: without its summary."""

    class Meta:
        """What the list leaves out."""

        exclude = ("summary",)


class CaseList(ListArguments):
    """What the list of cases takes."""

    state = fields.Enum(CaseState, by_value=True, load_default=None)
    article = Whole(validate=validate.OneOf(ARTICLES), load_default=None)


class SampleFields(Schema):
    """What may be said of a sample."""

    place = Words(longest=200)
    sampler = Words(longest=200)
    product = Words(longest=300)
    lot = Words(longest=100)
    mass_gram = Decimal(allow_none=True, validate=validate.Range(min=0, max=1e9, min_inclusive=False))
    increments = Whole(allow_none=True, validate=validate.Range(1, 100_000))
    seal_number = Words(longest=100)


class SampleIn(SampleFields):
    """A sample to register."""

    label = Words(longest=100, required=True)
    taken_at = Moment(required=True)


class SampleOfCaseIn(SampleIn):
    """A sample to register, with the case that it belongs to."""

    case_id = Ident(required=True)


class SampleChange(SampleFields):
    """A change of a sample: only the fields that are sent."""

    label = Words(longest=100)
    taken_at = Moment()
    state = fields.Enum(SampleState, by_value=True)
    reason = Words(longest=NOTE_BYTES, lines=True, load_default="")


class SampleOut(Schema):
    """A sample."""

    id = fields.Integer()
    case_id = fields.Integer()
    case_number = fields.String()
    label = fields.String()
    taken_at = fields.DateTime()
    place = fields.String()
    sampler = fields.String()
    product = fields.String()
    lot = fields.String()
    mass_gram = fields.Float(allow_none=True)
    increments = fields.Integer(allow_none=True)
    seal_number = fields.String()
    state = fields.Enum(SampleState, by_value=True)
    received_at = fields.DateTime(allow_none=True)
    laboratory = fields.String(allow_none=True)


class CaseSampleList(ListArguments):
    """What the list of a case's samples takes."""

    state = fields.Enum(SampleState, by_value=True, load_default=None)


class SampleList(CaseSampleList):
    """What the list of samples takes."""

    case_id = fields.String(
        load_default="", validate=validate.Length(max=20), metadata={"description": "id or number of a case"}
    )


class CustodyIn(Schema):
    """A custody entry to add."""

    act = fields.Enum(
        CustodyAct,
        by_value=True,
        load_default=CustodyAct.HANDED_OVER,
        validate=validate.NoneOf([CustodyAct.REGISTERED]),
    )
    at = Moment(load_default=None, metadata={"description": "now when not given"})
    from_person = Words(
        longest=200,
        load_default="",
        metadata={"description": "who held it last when not given; anybody else needs a note"},
    )
    to_person = Words(longest=200, load_default="")
    place = Words(longest=200, load_default="")
    note = Words(
        longest=NOTE_BYTES, lines=True, load_default="", metadata={"description": "condition and seal"}
    )


class CustodyEntryOut(Schema):
    """One link of a chain of custody."""

    seq = fields.Integer()
    act = fields.Enum(CustodyAct, by_value=True)
    at = fields.DateTime()
    from_person = fields.String()
    to_person = fields.String()
    place = fields.String()
    note = fields.String()
    gap = fields.Boolean(
        metadata={"description": "it does not come from who held it before; the note explains it"}
    )
    recorded_at = fields.DateTime()
    previous_hash = fields.String()
    hash = fields.String()


class CustodyOut(Schema):
    """A chain of custody and whether it holds."""

    sample_id = fields.Integer()
    holds = fields.Boolean()
    problem = fields.String()
    entries = fields.List(fields.Nested(CustodyEntryOut))


class AnalysisIn(Schema):
    """An identification result to record."""

    method_code = Words(longest=100, required=True)
    version = Whole(
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, 1_000_000),
        metadata={"description": "number of the version; the latest published one when not given"},
    )
    accept_outdated = fields.Boolean(
        load_default=False,
        metadata={"description": "confirms that a superseded or withdrawn version was used"},
    )
    outcome = fields.Enum(Outcome, by_value=True, load_default=Outcome.PENDING)
    target = Words(longest=200, load_default="", metadata={"description": "what was looked for"})
    lmo = Words(
        longest=400, load_default="", metadata={"description": "unique identifier or event of a known LMO"}
    )
    gm_percent = Decimal(load_default=None, allow_none=True, validate=validate.Range(0, 100))
    u_percent = Decimal(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, 1000),
        metadata={"description": "expanded uncertainty U (k = 2), in the unit of gm_percent"},
    )
    unit = fields.Enum(PercentUnit, by_value=True, load_default=None, allow_none=True)
    lod_text = Words(longest=200, load_default="")
    analysed_on = fields.Date(load_default=None, allow_none=True)
    analyst = Words(longest=200, load_default="")
    note = Words(longest=NOTE_BYTES, lines=True, load_default="")
    replaces_id = Whole(
        load_default=None,
        allow_none=True,
        validate=validate.Range(min=1),
        metadata={"description": "the result of this sample that this one corrects"},
    )
    reason = Words(longest=NOTE_BYTES, lines=True, load_default="")


class AnalysisOut(Schema):
    """An identification result."""

    id = fields.Integer()
    sample_id = fields.Integer()
    laboratory = fields.String()
    method_code = fields.String()
    version = fields.Integer()
    method_status = fields.String()
    outcome = fields.Enum(Outcome, by_value=True)
    statement = fields.String()
    target = fields.String()
    lmo = fields.String(allow_none=True)
    gm_percent = fields.Float(allow_none=True)
    u_percent = fields.Float(allow_none=True)
    unit = fields.Enum(PercentUnit, by_value=True, allow_none=True)
    lod_text = fields.String()
    analysed_on = fields.Date()
    analyst = fields.String()
    note = fields.String()
    replaces_id = fields.Integer(allow_none=True)
    replaced_by_id = fields.Integer(allow_none=True)
    reason = fields.String()
    created_at = fields.DateTime()


class MomentOut(Schema):
    """One line of a timeline."""

    at = fields.DateTime()
    action = fields.String()
    by = fields.String(metadata={"description": "empty for a person of another laboratory or office"})
    roles = fields.String()
    sample_id = fields.Integer(allow_none=True)
    sample_label = fields.String()
    before = fields.Dict()
    after = fields.Dict()
    reason = fields.String()
