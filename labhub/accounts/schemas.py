"""What comes in and goes out of accounts, for API and forms alike."""

from marshmallow import Schema, fields, validate

from labhub.accounts.actor import Role, Scope
from labhub.accounts.models import GroupKind, Region, StatusKind
from labhub.i18n import LANGUAGES
from labhub.web.api import ListArguments

TEXT = validate.Length(max=200)
EMAIL = validate.Length(max=320)
PASSWORD = validate.Length(max=1024)


class SignIn(Schema):
    """The sign-in form."""

    email = fields.String(required=True, validate=EMAIL)
    password = fields.String(required=True, validate=PASSWORD)
    next = fields.String(load_default="", validate=validate.Length(max=2000))


class SetPassword(Schema):
    """A new password by a one-time link."""

    code = fields.String(required=True, validate=TEXT)
    password = fields.String(required=True, validate=PASSWORD)


class ChangePassword(Schema):
    """A new password by the present one."""

    current_password = fields.String(required=True, validate=PASSWORD)
    password = fields.String(required=True, validate=PASSWORD)


class ForgotPassword(Schema):
    """Ask for a link."""

    email = fields.String(required=True, validate=EMAIL)


class LanguageIn(Schema):
    """The language of pages and mails."""

    language = fields.String(required=True, validate=validate.OneOf(list(LANGUAGES)))


class TokenIn(Schema):
    """A token to make."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=100))
    scope = fields.Enum(Scope, by_value=True, load_default=Scope.READ)
    days = fields.Integer(load_default=365, validate=validate.Range(1, 365))


class Nomination(Schema):
    """A person whom a focal point, manager or the Secretariat brings in."""

    name = fields.String(required=True, validate=TEXT)
    email = fields.String(required=True, validate=EMAIL)
    role = fields.Enum(Role, by_value=True, required=True)
    party = fields.String(load_default="", validate=validate.Length(max=2))
    organisation = fields.String(load_default="", validate=TEXT)
    laboratory = fields.String(load_default="", validate=validate.Length(max=40))
    language = fields.String(load_default="en", validate=validate.OneOf(list(LANGUAGES)))


class JoinIn(Nomination):
    """A request to join."""

    motivation = fields.String(load_default="", validate=validate.Length(max=5000))


class Reason(Schema):
    """Why something was refused or stopped."""

    reason = fields.String(required=True, validate=validate.Length(max=10 * 1024))


class RoleIn(Schema):
    """A role to give."""

    role = fields.Enum(Role, by_value=True, required=True)
    laboratory = fields.String(load_default="", validate=validate.Length(max=40))
    party = fields.String(load_default="", validate=validate.Length(max=2))


class MoveIn(Schema):
    """Where a person belongs now."""

    party = fields.String(load_default="", validate=validate.Length(max=2))
    organisation = fields.String(load_default="", validate=TEXT)


class LaboratoryChange(Schema):
    """What the laboratory itself may change of its record."""

    name = fields.String(validate=TEXT)
    email = fields.String(validate=EMAIL)
    address = fields.String(validate=validate.Length(max=2000))
    languages = fields.String(validate=TEXT)
    services = fields.String(validate=validate.Length(max=10 * 1024))
    accreditation = fields.String(validate=TEXT)


class LaboratoryIn(LaboratoryChange):
    """A laboratory to register."""

    code = fields.String(required=True, validate=validate.Length(max=40))
    name = fields.String(required=True, validate=TEXT)
    party = fields.String(load_default="", validate=validate.Length(max=2))


class LaboratoryOut(Schema):
    """What everybody may read of a laboratory."""

    code = fields.String()
    name = fields.String()
    party = fields.String(allow_none=True)
    address = fields.String()
    languages = fields.String()
    services = fields.String()
    accreditation = fields.String()
    confirmed_at = fields.DateTime()
    confirmed = fields.Boolean()


class LaboratoryOwnOut(LaboratoryOut):
    """A laboratory; ``email`` is there only for its own people and the Secretariat."""

    email = fields.String()


class PageOnly(ListArguments):
    """A list that is only paged."""

    class Meta:
        """Nothing to sort or look for."""

        exclude = ("sort", "q")


class PeopleList(ListArguments):
    """The search for people."""

    class Meta:
        """One order only."""

        exclude = ("sort", "page_size")


class LaboratoryList(ListArguments):
    """Filters of the list of laboratories."""

    party = fields.String(load_default="", validate=validate.Length(max=2))


class PartyOut(Schema):
    """A Party or non-Party as it is today."""

    iso2 = fields.String()
    iso3 = fields.String()
    name_en = fields.String()
    name_fr = fields.String()
    name_es = fields.String()
    name_zh = fields.String()
    name_ar = fields.String()
    name_ru = fields.String()
    region = fields.String(allow_none=True)
    status = fields.String()
    party_since = fields.Date(allow_none=True)
    ldc = fields.Boolean()
    sids = fields.Boolean()
    eit = fields.Boolean()
    source = fields.String()
    verified = fields.Boolean()


class PartyList(ListArguments):
    """Filters of the list of Parties."""

    status = fields.Enum(StatusKind, by_value=True, load_default=None)
    region = fields.Enum(Region, by_value=True, load_default=None)
    group = fields.Enum(GroupKind, by_value=True, load_default=None)


class RoleOut(Schema):
    """A role held now."""

    role = fields.String()
    laboratory = fields.String(allow_none=True)
    party = fields.String(allow_none=True)


class MeOut(Schema):
    """One's own account."""

    id = fields.Integer()
    name = fields.String()
    title = fields.String()
    email = fields.String()
    language = fields.String()
    party = fields.String(allow_none=True)
    organisation = fields.String()
    roles = fields.List(fields.Nested(RoleOut))
    created_at = fields.DateTime()


class TokenOut(Schema):
    """A token; ``token`` itself only in the answer that made it."""

    id = fields.Integer()
    name = fields.String()
    hint = fields.String()
    scope = fields.String()
    created_at = fields.DateTime()
    expires_at = fields.DateTime()
    last_used_at = fields.DateTime(allow_none=True)
    revoked_at = fields.DateTime(allow_none=True)


class NewTokenOut(TokenOut):
    """A token that was just made."""

    token = fields.String()


class Received(Schema):
    """The one answer to every request to join."""

    detail = fields.String()
