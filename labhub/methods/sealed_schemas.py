"""What goes out of published methods and sealed events."""

from marshmallow import Schema, fields

from labhub.sequences.sealed_models import SealedAnswer


class SealedMethodEvent(Schema):
    """An event, and whether a published method finds it."""

    event = fields.String()
    lmo = fields.String(allow_none=True)
    answer = fields.Enum(SealedAnswer, by_value=True)


class SealedEventMethod(Schema):
    """A published method, and whether it finds an event."""

    code = fields.String()
    title = fields.String()
    answer = fields.Enum(SealedAnswer, by_value=True)
