"""JSON addresses of Parties, laboratories, one's own account and tokens."""

from datetime import timedelta
from typing import Any

from flask import Response, request

from labhub.accounts import commands, queries, schemas
from labhub.accounts.actor import Scope
from labhub.accounts.models import ApiToken, Laboratory, Party, TryKind, User
from labhub.db import transaction
from labhub.i18n import _
from labhub.web.access import PUBLIC, SIGNED_IN
from labhub.web.api import (
    Blueprint,
    answer_page,
    answer_record,
    expected_version,
    page_of,
    sorted_by,
)
from labhub.web.auth import current_actor, require_scope
from labhub.web.once import once, once_secretly

parties = Blueprint(
    "api_parties", __name__, url_prefix="/api/v1/parties", description="Parties and non-Parties"
)
laboratories = Blueprint(
    "api_laboratories",
    __name__,
    url_prefix="/api/v1/laboratories",
    description="Laboratories of the network",
)
users = Blueprint("api_users", __name__, url_prefix="/api/v1/users", description="One's own account")
tokens = Blueprint("api_tokens", __name__, url_prefix="/api/v1/tokens", description="One's own bearer tokens")
join_requests = Blueprint(
    "api_join_requests", __name__, url_prefix="/api/v1/join-requests", description="Asking to join"
)

BLUEPRINTS = (parties, laboratories, users, tokens, join_requests)
ACCESS = {
    parties: {"list_parties": PUBLIC, "show_party": PUBLIC},
    laboratories: {
        "list_laboratories": PUBLIC,
        "show_laboratory": PUBLIC,
        "create_laboratory": "laboratory.create",
        "change_laboratory": "laboratory.change",
    },
    users: {"me": SIGNED_IN, "change_me": "account.change"},
    tokens: {
        "list_tokens": "token.create",
        "create_token": "token.create",
        "revoke_token": "token.revoke",
    },
    join_requests: {"request_to_join": PUBLIC},
}


# Parties --------------------------------------------------------------------------------------


@parties.get("")
@parties.arguments(schemas.PartyList, location="query")
@parties.response(200, schemas.PartyOut(many=True))
@parties.refuses(400)
def list_parties(arguments: dict[str, Any]) -> Response:
    """List Parties and non-Parties with their present status and groups."""
    query = queries.list_parties(
        q=arguments["q"],
        status=arguments["status"],
        region=arguments["region"],
        group=arguments["group"],
    )
    columns = {"name": Party.name_en, "iso2": Party.iso2, "iso3": Party.iso3, "region": Party.region}
    query = sorted_by(query, arguments["sort"], columns, "name", Party.id)
    return answer_page(page_of(query, arguments["page"], arguments["page_size"]))


@parties.get("/<iso2>")
@parties.response(200, schemas.PartyOut)
@parties.refuses(404)
def show_party(iso2: str) -> Response:
    """Show a Party by its two-letter code."""
    party = queries.find_party(iso2)
    return answer_record(page_of(queries.list_parties(iso2=party.iso2), 1, 1).rows[0])


# Laboratories ---------------------------------------------------------------------------------


@laboratories.get("")
@laboratories.arguments(schemas.LaboratoryList, location="query")
@laboratories.response(200, schemas.LaboratoryOut(many=True))
@laboratories.refuses(400)
def list_laboratories(arguments: dict[str, Any]) -> Response:
    """List the laboratories of the network."""
    query = queries.list_laboratories(current_actor(), q=arguments["q"], party=arguments["party"])
    columns = {
        "name": Laboratory.name_key,
        "code": Laboratory.code,
        "confirmed_at": Laboratory.confirmed_at,
    }
    query = sorted_by(query, arguments["sort"], columns, "name", Laboratory.id)
    return answer_page(page_of(query, arguments["page"], arguments["page_size"]))


@laboratories.get("/<code>")
@laboratories.response(200, schemas.LaboratoryOwnOut)
@laboratories.refuses(404)
def show_laboratory(code: str) -> Response:
    """Show a laboratory; its contact address only to its own people and the Secretariat."""
    row = queries.find_laboratory(current_actor(), code)
    return answer_record(_laboratory(row), row.row_version)


@laboratories.post("")
@laboratories.arguments(schemas.LaboratoryIn)
@laboratories.response(201, schemas.LaboratoryOwnOut)
@laboratories.refuses(403, 404, 409, 422)
@once
def create_laboratory(values: dict[str, Any]) -> Response:
    """Register a laboratory."""
    with transaction():
        party = queries.named_party(values.pop("party"))
        row = commands.create_laboratory(current_actor(), party=party, **values)
        answer = answer_record(_laboratory(row), row.row_version, 201)
    answer.headers["Location"] = f"{request.path}/{row.code}"
    return answer


@laboratories.patch("/<code>")
@laboratories.arguments(schemas.LaboratoryChange)
@laboratories.response(200, schemas.LaboratoryOwnOut)
@laboratories.refuses(403, 404, 409, 412, 422, 428)
def change_laboratory(values: dict[str, str], code: str) -> Response:
    """Change a laboratory's record; it counts as confirmed for another year."""
    with transaction():
        row = commands.change_laboratory(current_actor(), code, expected_version(), **values)
        return answer_record(_laboratory(row), row.row_version)


def _laboratory(row: Laboratory) -> dict[str, Any]:
    record: dict[str, Any] = {
        "code": row.code,
        "name": row.name,
        "party": queries.party_code(row.party_id),
        "address": row.address,
        "languages": row.languages,
        "services": row.services,
        "accreditation": row.accreditation,
        "confirmed_at": row.confirmed_at,
        "confirmed": queries.is_confirmed(row),
    }
    if queries.may_see_members(current_actor(), row):
        record["email"] = row.email
    return record


# One's own account ----------------------------------------------------------------------------


@users.get("/me")
@users.response(200, schemas.MeOut)
@users.refuses(401)
def me() -> Response:
    """Show the account that this request is made with."""
    user = queries.user_by_id(current_actor().user_id or 0)
    return answer_record(_me(user), user.row_version)


@users.patch("/me")
@users.arguments(schemas.LanguageIn)
@users.response(200, schemas.MeOut)
@users.refuses(401, 412, 422, 428)
def change_me(values: dict[str, str]) -> Response:
    """Choose the language of pages and mails."""
    with transaction():
        user = commands.change_language(current_actor(), values["language"], expected_version())
        return answer_record(_me(user), user.row_version)


def _me(user: User) -> dict[str, Any]:
    affiliation = user.affiliation
    return {
        "id": user.id,
        "name": user.name,
        "title": user.title,
        "email": user.email,
        "language": user.language,
        "party": queries.party_code(affiliation.party_id) if affiliation else None,
        "organisation": affiliation.organisation if affiliation else "",
        "roles": [
            {
                "role": grant.role,
                "laboratory": grant.laboratory.code if grant.laboratory else None,
                "party": grant.party.iso2 if grant.party else None,
            }
            for grant in user.current_grants
        ],
        "created_at": user.created_at,
    }


# Tokens ---------------------------------------------------------------------------------------


@tokens.get("")
@tokens.arguments(schemas.PageOnly, location="query")
@tokens.response(200, schemas.TokenOut(many=True))
@tokens.refuses(401, 403)
def list_tokens(arguments: dict[str, Any]) -> Response:
    """List one's own tokens, stopped ones too (by token: scope admin)."""
    require_scope(current_actor(), Scope.ADMIN)
    query = queries.list_own_tokens(current_actor())
    return answer_page(page_of(query, arguments["page"], arguments["page_size"]))


@tokens.post("")
@tokens.arguments(schemas.TokenIn)
@tokens.response(201, schemas.NewTokenOut)
@tokens.refuses(401, 403, 409, 422)
@once_secretly
def create_token(values: dict[str, Any]) -> Response:
    """Make a token; ``token`` is shown in this answer and never again (by token: scope admin)."""
    with transaction():
        row, secret = commands.create_token(
            current_actor(), name=values["name"], scope=values["scope"], life=timedelta(days=values["days"])
        )
        return answer_record({**_token(row), "token": secret}, status=201)


@tokens.delete("/<int:token_id>")
@tokens.response(200, schemas.TokenOut)
@tokens.refuses(403, 404, 409)
def revoke_token(token_id: int) -> Response:
    """Stop a token; its next request is refused (by token: scope admin)."""
    with transaction():
        return answer_record(_token(commands.revoke_token(current_actor(), token_id)))


def _token(row: ApiToken) -> dict[str, Any]:
    return {name: getattr(row, name) for name in queries.TOKEN_FIELDS}


# Asking to join -------------------------------------------------------------------------------


@join_requests.post("")
@join_requests.arguments(schemas.JoinIn)
@join_requests.response(202, schemas.Received)
@join_requests.refuses(403, 404, 422, 429)
def request_to_join(values: dict[str, Any]) -> Response:
    """Ask to join; the answer does not tell whether an account exists."""
    with transaction():
        commands.reserve_try(values["email"], request.remote_addr or "", TryKind.JOIN)
    with transaction():
        commands.request_to_join(current_actor(), **_join_values(values))
    return answer_record({"detail": RECEIVED}, status=202)


RECEIVED = _("Thank you. Your request has been received; you will hear by mail.")


def _join_values(values: dict[str, Any]) -> dict[str, Any]:
    return {
        **values,
        "party": queries.named_party(values["party"]),
        "laboratory": queries.named_laboratory(values["laboratory"]),
    }
