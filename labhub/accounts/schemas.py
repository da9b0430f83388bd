"""What comes in and goes out of accounts, for API and forms alike."""

from marshmallow import Schema, fields, validate

from labhub.accounts.actor import Role, Scope
from labhub.i18n import LANGUAGES

TEXT = validate.Length(max=200)


class SignIn(Schema):
    """The sign-in form."""

    email = fields.String(required=True, validate=validate.Length(max=320))
    password = fields.String(required=True, validate=validate.Length(max=1024))
    next = fields.String(load_default="", validate=validate.Length(max=2000))


class TokenIn(Schema):
    """A token to make."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=100))
    scope = fields.Enum(Scope, by_value=True, load_default=Scope.READ)
    days = fields.Integer(load_default=365, validate=validate.Range(1, 365))


class JoinIn(Schema):
    """A request to join, or a nomination."""

    name = fields.String(required=True, validate=TEXT)
    email = fields.String(required=True, validate=validate.Length(max=320))
    role = fields.Enum(Role, by_value=True, required=True)
    party = fields.String(load_default="", validate=validate.Length(max=2))
    organisation = fields.String(load_default="", validate=TEXT)
    laboratory = fields.String(load_default="", validate=validate.Length(max=40))
    motivation = fields.String(load_default="", validate=validate.Length(max=5000))
    language = fields.String(load_default="en", validate=validate.OneOf(list(LANGUAGES)))
