"""Pages of accounts: signing in, one's own account, joining, people, laboratories, Parties."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema

from labhub.accounts import commands, queries, schemas
from labhub.accounts.actor import LABORATORY_ROLES, PARTY_ROLES, ROLE_NAMES, Role, Scope
from labhub.accounts.models import (
    GroupKind,
    JoinRequest,
    JoinState,
    Laboratory,
    Party,
    Region,
    StatusKind,
    TryKind,
    User,
)
from labhub.accounts.policy import can, require
from labhub.db import transaction
from labhub.errors import Conflict, Invalid, NotFound, Refusal, StaleEdit, TooMany
from labhub.i18n import LANGUAGES, N_, Text, _
from labhub.methods import network_queries
from labhub.methods.models import SPECIFICITY_NAMES
from labhub.web.access import PUBLIC, SIGNED_IN
from labhub.web.api import Page, expected_version, page_of, sorted_by
from labhub.web.auth import current_actor, sign_in_browser, sign_out_browser
from labhub.web.forms import load, load_form, local_path
from labhub.web.once import once, once_secretly

bp = Blueprint("accounts", __name__)
log = structlog.get_logger("labhub.accounts")

ACCESS = {
    "sign_in": PUBLIC,
    "submit_sign_in": PUBLIC,
    "sign_out": SIGNED_IN,
    "forgot_password": PUBLIC,
    "submit_forgot_password": PUBLIC,
    "set_password": PUBLIC,
    "submit_set_password": PUBLIC,
    "account": SIGNED_IN,
    "change_language": "account.change",
    "change_password": "account.change",
    "end_session": "session.end",
    "create_token": "token.create",
    "revoke_token": "token.revoke",
    "join": PUBLIC,
    "submit_join": PUBLIC,
    "join_received": PUBLIC,
    "nominations": "join.read",
    "nominate": "person.nominate",
    "approve": "join.decide",
    "refuse": "join.decide",
    "people": "user.list",
    "person": "user.list",
    "grant_role": "role.grant",
    "revoke_role": "role.grant",
    "grant_administrator": "role.grant-administrator",
    "revoke_administrator": "role.grant-administrator",
    "move_person": "role.grant",
    "disable_person": "user.disable",
    "enable_person": "user.disable",
    "laboratories": PUBLIC,
    "laboratory": PUBLIC,
    "new_laboratory": "laboratory.create",
    "create_laboratory": "laboratory.create",
    "edit_laboratory": "laboratory.change",
    "change_laboratory": "laboratory.change",
    "parties": PUBLIC,
    "party": PUBLIC,
}


PEOPLE_ON_A_PAGE = 50

SCOPE_NAMES = {
    Scope.READ: N_("read only"),
    Scope.WRITE: N_("read and write"),
    Scope.ADMIN: N_("read, write and manage accounts"),
}
STATUS_NAMES = {StatusKind.PARTY: N_("Party"), StatusKind.NON_PARTY: N_("not a Party")}
REGION_NAMES = {
    Region.AFRICA: N_("African Group"),
    Region.ASIA_PACIFIC: N_("Asia-Pacific"),
    Region.CEE: N_("Central and Eastern Europe"),
    Region.GRULAC: N_("Latin America and the Caribbean"),
    Region.WEOG: N_("Western Europe and others"),
}
GROUP_NAMES = {
    GroupKind.LDC: N_("least developed country"),
    GroupKind.SIDS: N_("small island developing State"),
    GroupKind.EIT: N_("economy in transition"),
}
STATE_NAMES = {
    JoinState.PENDING: N_("waits for a decision"),
    JoinState.APPROVED: N_("accepted"),
    JoinState.REFUSED: N_("refused"),
}


@bp.app_context_processor
def _names() -> dict[str, Any]:
    return {"role_name": lambda role: _(ROLE_NAMES[Role(role)])}


def _address() -> str:
    return request.remote_addr or ""


def _choices(names: Mapping[Any, str]) -> list[tuple[str, Text]]:
    return [(key.value, _(text)) for key, text in names.items()]


def _kept(name: str, otherwise: object = "") -> object:
    """Return what was typed, for a form that is shown again."""
    return request.form.get(name, otherwise) if request.method == "POST" else otherwise


# Signing in -----------------------------------------------------------------------------------


@bp.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Show the sign-in form."""
    target = local_path(request.args.get("next"), "")
    if current_actor().session_id is not None:
        return redirect(target or url_for("pages.home"), 303)
    return render_template("accounts/sign_in.html", next=target, message="", errors={})


@bp.post("/sign-in")
def submit_sign_in() -> ResponseReturnValue:
    """Sign in: the try is counted before the password is looked at."""
    try:
        form = load_form(schemas.SignIn())
        with transaction():
            attempt = commands.reserve_try(form["email"], _address())
        user = commands.password_owner(form["email"], form["password"])
        if user is None:
            raise Invalid(_("This address and password do not belong together."))
        proven = user.password
        with transaction():
            actor = current_actor()
            if actor.session_id is not None:
                commands.end_session(actor, actor.session_id)
            agent = request.headers.get("User-Agent", "")
            key = commands.start_session(user, attempt.id, form["password"], agent, proven=proven)
    except (Invalid, TooMany) as refusal:
        log.warning("sign-in-refused", code=refusal.code)
        target = local_path(request.form.get("next"), "")
        return _again("accounts/sign_in.html", refusal, next=target)
    sign_in_browser(user, key)
    return redirect(local_path(form["next"], url_for("pages.home")), 303)


def _again(template: str, refusal: Refusal, **values: Any) -> ResponseReturnValue:
    """Show a form again with what was typed and why it was refused."""
    headers = {"Retry-After": str(refusal.retry_after)} if isinstance(refusal, TooMany) else {}
    page = render_template(template, message=refusal.message, errors=refusal.errors, **values)
    return page, refusal.status, headers


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this browser's session."""
    actor = current_actor()
    if actor.session_id is None:
        raise Refusal(_("A token has no session to end."))
    with transaction():
        commands.end_session(actor, actor.session_id)
    sign_out_browser()
    flash(str(_("You have signed out.")))
    return redirect(url_for("pages.home"), 303)


@bp.get("/forgot-password")
def forgot_password() -> ResponseReturnValue:
    """Show the form that asks for a link to set a new password."""
    return render_template("accounts/forgot_password.html", message="", errors={}, sent=False)


@bp.post("/forgot-password")
def submit_forgot_password() -> ResponseReturnValue:
    """Send a link where there is an account; the answer is always the same."""
    try:
        form = load_form(schemas.ForgotPassword())
        with transaction():
            commands.reserve_try(form["email"], _address(), TryKind.RESET)
        with transaction():
            commands.request_reset(form["email"])
    except (Invalid, TooMany) as refusal:
        return _again("accounts/forgot_password.html", refusal, sent=False)
    return render_template("accounts/forgot_password.html", message="", errors={}, sent=True)


@bp.get("/set-password")
def set_password() -> ResponseReturnValue:
    """Show the page that a mailed link opens; its code stands after the # sign."""
    return render_template("accounts/set_password.html", message="", errors={})


@bp.post("/set-password")
def submit_set_password() -> ResponseReturnValue:
    """Set the password; the link opens nothing any more."""
    try:
        form = load_form(schemas.SetPassword())
        with transaction():
            attempt = commands.reserve_try("", _address(), TryKind.LINK)
        with transaction():
            commands.use_link(form["code"], form["password"])
            commands.forget_try(attempt.id)
    except (Invalid, TooMany) as refusal:
        return _again("accounts/set_password.html", refusal)
    if current_actor().session_id is not None:
        sign_out_browser()
    flash(str(_("The password is set. Sign in with it.")))
    return redirect(url_for("accounts.sign_in"), 303)


# One's own account ----------------------------------------------------------------------------


def _account_page(
    message: Text = "", errors: Mapping[str, Any] | None = None, *, part: str = "", secret: str = ""
) -> str:
    actor = current_actor()
    return render_template(
        "accounts/account.html",
        user=queries.user_by_id(actor.user_id or 0),
        sessions=queries.own_sessions(actor),
        tokens=queries.own_tokens(actor),
        scopes=_choices(SCOPE_NAMES),
        scope_names={scope: _(text) for scope, text in SCOPE_NAMES.items()},
        message=message,
        errors=errors or {},
        part=part,
        secret=secret,
    )


@bp.get("/account")
def account() -> ResponseReturnValue:
    """Show one's own account."""
    return _account_page()


@bp.post("/account/language")
def change_language() -> ResponseReturnValue:
    """Save the language of pages and mails."""
    try:
        form = load_form(schemas.LanguageIn())
        with transaction():
            commands.change_language(current_actor(), form["language"])
    except Invalid as refusal:
        return _account_page(refusal.message, refusal.errors, part="language"), refusal.status
    flash(str(_("The language is saved.")))
    return redirect(url_for("accounts.account", lang=None), 303)


@bp.post("/account/password")
def change_password() -> ResponseReturnValue:
    """Change the password; every browser is signed out."""
    actor = current_actor()
    try:
        form = load_form(schemas.ChangePassword())
        email = queries.user_by_id(actor.user_id or 0).email
        with transaction():
            attempt = commands.reserve_try(email, _address())
        with transaction():
            commands.change_password(actor, form["current_password"], form["password"])
            commands.forget_try(attempt.id)
    except (Invalid, TooMany) as refusal:
        headers = {"Retry-After": str(refusal.retry_after)} if isinstance(refusal, TooMany) else {}
        return _account_page(refusal.message, refusal.errors, part="password"), refusal.status, headers
    if actor.session_id is not None:
        sign_out_browser()
    flash(str(_("The password is changed. Sign in with the new one.")))
    return redirect(url_for("accounts.sign_in"), 303)


@bp.post("/account/sessions/<int:session_id>/end")
def end_session(session_id: int) -> ResponseReturnValue:
    """Sign another browser of one's own out."""
    actor = current_actor()
    with transaction():
        commands.end_session(actor, session_id)
    if session_id == actor.session_id:
        sign_out_browser()
        return redirect(url_for("accounts.sign_in"), 303)
    flash(str(_("That browser is signed out.")))
    return redirect(url_for("accounts.account"), 303)


@bp.post("/account/tokens")
@once_secretly
def create_token() -> ResponseReturnValue:
    """Make a token; the page of the answer is the only one that shows it."""
    try:
        form = load_form(schemas.TokenIn())
        with transaction():
            _row, secret = commands.create_token(
                current_actor(),
                name=form["name"],
                scope=form["scope"],
                life=timedelta(days=form["days"]),
            )
    except Invalid as refusal:
        return _account_page(refusal.message, refusal.errors, part="token"), refusal.status
    return _account_page(secret=secret), 201


@bp.post("/account/tokens/<int:token_id>/revocation")
def revoke_token(token_id: int) -> ResponseReturnValue:
    """Stop a token."""
    with transaction():
        commands.revoke_token(current_actor(), token_id)
    flash(str(_("The token is stopped.")))
    return redirect(url_for("accounts.account"), 303)


# Joining and nomination -----------------------------------------------------------------------


def _join_values(form: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **form,
        "party": queries.named_party(form["party"]),
        "laboratory": queries.named_laboratory(form["laboratory"]),
    }


def _join_choices() -> dict[str, Any]:
    return {
        "roles": [(role.value, _(ROLE_NAMES[role])) for role in commands.JOIN_ROLES],
        "parties": queries.party_choices(),
        "laboratories": queries.laboratory_choices(),
        "spoken": list(LANGUAGES.items()),
    }


@bp.get("/join")
def join() -> ResponseReturnValue:
    """Show the form that asks to join."""
    return render_template("accounts/join.html", message="", errors={}, **_join_choices())


@bp.post("/join")
def submit_join() -> ResponseReturnValue:
    """Take a request to join; the answer does not tell whether an account exists."""
    try:
        form = load_form(schemas.JoinIn())
        with transaction():
            commands.reserve_try(form["email"], _address(), TryKind.JOIN)
        with transaction():
            commands.request_to_join(current_actor(), **_join_values(form))
    except (Invalid, TooMany) as refusal:
        return _again("accounts/join.html", refusal, **_join_choices())
    return redirect(url_for("accounts.join_received"), 303)


@bp.get("/join/received")
def join_received() -> ResponseReturnValue:
    """Thank whoever asked to join."""
    return render_template("accounts/join_received.html")


def _nomination_choices() -> dict[str, Any]:
    """Return what the present person may choose when nominating."""
    actor = current_actor()
    everything = can(actor, "role.grant")
    roles: list[Role] = [role for role in commands.JOIN_ROLES if everything]
    laboratories, parties = queries.laboratory_choices(), queries.party_choices()
    if not everything:
        if actor.focal_party_ids:
            roles = [Role.PARTICIPANT, Role.ANALYST, Role.MANAGER]
        else:
            roles = [Role.ANALYST]
        open_codes = queries.nominating_laboratory_codes(actor)
        laboratories = [choice for choice in laboratories if choice[0] in open_codes]
        if actor.focal_party_ids and not actor.has(Role.MANAGER):
            own = {party.iso2 for party in queries.party_names(set(actor.focal_party_ids)).values()}
            parties = [choice for choice in parties if choice[0] in own]
    return {
        "roles": [(role.value, _(ROLE_NAMES[role])) for role in roles],
        "parties": parties,
        "laboratories": laboratories,
        "spoken": list(LANGUAGES.items()),
    }


def _nominations_page(
    message: Text = "", errors: Mapping[str, Any] | None = None, *, part: str = "", request_id: int = 0
) -> str:
    actor = current_actor()
    arguments = _arguments(schemas.PageOnly()) if request.method == "GET" else {"page": 1}
    query = queries.visible_join_requests(actor).order_by(
        (JoinRequest.state != JoinState.PENDING), JoinRequest.id.desc()
    )
    rows, page = _rows_of(query, arguments["page"])
    return render_template(
        "accounts/nominations.html",
        rows=[(row, _state_shown(row), _may_decide(row)) for row in rows],
        page=page,
        message=message,
        errors=errors or {},
        part=part,
        refused_id=request_id,
        **_nomination_choices(),
    )


def _rows_of(query: Any, number: int) -> tuple[list[Any], Page]:
    rows, total = queries.slice_of(query, PEOPLE_ON_A_PAGE, (number - 1) * PEOPLE_ON_A_PAGE)
    return rows, Page((), total, number, PEOPLE_ON_A_PAGE)


def _state_shown(row: JoinRequest) -> Text:
    """Return a nomination's state; only the Secretariat sees that an account stood in its way (B3)."""
    if row.nominated and row.state is not JoinState.REFUSED and not can(current_actor(), "role.grant"):
        return _("nominated")
    return _(STATE_NAMES[row.state])


def _may_decide(row: JoinRequest) -> bool:
    actor = current_actor()
    return (
        row.state is JoinState.PENDING
        and can(actor, "join.decide", row)
        and (not row.nominated or can(actor, "role.grant"))
    )


@bp.get("/nominations")
def nominations() -> ResponseReturnValue:
    """Show the requests that the present person decides, and the form that nominates."""
    return _nominations_page()


@bp.post("/nominations")
@once
def nominate() -> ResponseReturnValue:
    """Nominate a person."""
    try:
        form = load_form(schemas.Nomination())
        with transaction():
            commands.nominate(current_actor(), **_join_values(form))
    except (Invalid, Conflict) as refusal:
        return _nominations_page(refusal.message, refusal.errors, part="nominate"), refusal.status
    flash(str(_("The nomination is taken. The person will be told by mail.")))
    return redirect(url_for("accounts.nominations"), 303)


@bp.post("/nominations/<int:request_id>/approval")
def approve(request_id: int) -> ResponseReturnValue:
    """Accept a request to join."""
    try:
        with transaction():
            commands.approve_join_request(current_actor(), request_id)
    except Conflict as refusal:
        return _nominations_page(refusal.message, refusal.errors), refusal.status
    flash(str(_("The request is accepted. The person will be told by mail.")))
    return redirect(url_for("accounts.nominations"), 303)


@bp.post("/nominations/<int:request_id>/refusal")
def refuse(request_id: int) -> ResponseReturnValue:
    """Refuse a request to join, with the reason."""
    try:
        form = load_form(schemas.Reason())
        with transaction():
            commands.refuse_join_request(current_actor(), request_id, form["reason"])
    except (Invalid, Conflict) as refusal:
        page = _nominations_page(refusal.message, refusal.errors, part="refuse", request_id=request_id)
        return page, refusal.status
    flash(str(_("The request is refused. The person will be told by mail.")))
    return redirect(url_for("accounts.nominations"), 303)


# People ---------------------------------------------------------------------------------------


def _arguments(schema: Schema) -> dict[str, Any]:
    """Return the checked arguments of a list page; what it does not know is refused with 400."""
    given = {name: value for name, value in request.args.items() if value != ""}
    try:
        return load(schema, given)
    except Invalid as refusal:
        raise Refusal(_("This list does not know these arguments."), errors=refusal.errors) from refusal


@bp.get("/people")
def people() -> ResponseReturnValue:
    """Search accounts."""
    arguments = _arguments(schemas.PeopleList())
    number = arguments["page"]
    rows, total = queries.people_like(
        current_actor(), arguments["q"], PEOPLE_ON_A_PAGE, (number - 1) * PEOPLE_ON_A_PAGE
    )
    page = Page((), total, number, PEOPLE_ON_A_PAGE)
    return render_template("accounts/people.html", rows=rows, page=page, q=arguments["q"])


def _person_page(user: User, message: Text = "", errors: Mapping[str, Any] | None = None) -> str:
    return render_template(
        "accounts/person.html",
        user=user,
        roles=[
            (role.value, _(name))
            for role, name in ROLE_NAMES.items()
            if role not in (Role.VISITOR, Role.ADMINISTRATOR)
        ],
        laboratories=queries.laboratory_choices(),
        parties=queries.party_choices(),
        administrator=Role.ADMINISTRATOR,
        message=message,
        errors=errors or {},
    )


@bp.get("/people/<int:user_id>")
def person(user_id: int) -> ResponseReturnValue:
    """Show an account with its roles."""
    return _person_page(queries.find_person(current_actor(), user_id))


def _back_to(user_id: int, text: Text) -> ResponseReturnValue:
    flash(str(text))
    return redirect(url_for("accounts.person", user_id=user_id), 303)


def _refused_person(user_id: int, refusal: Refusal) -> ResponseReturnValue:
    user = queries.find_person(current_actor(), user_id)
    return _person_page(user, refusal.message, refusal.errors), refusal.status


@bp.post("/people/<int:user_id>/roles")
def grant_role(user_id: int) -> ResponseReturnValue:
    """Give a role."""
    try:
        form = load_form(schemas.RoleIn())
        role: Role = form["role"]
        with transaction():
            actor = current_actor()
            commands.grant_role(
                actor,
                queries.find_person(actor, user_id),
                role,
                laboratory=queries.named_laboratory(form["laboratory"]) if role in LABORATORY_ROLES else None,
                party=queries.named_party(form["party"]) if role in PARTY_ROLES else None,
            )
    except (Invalid, Conflict) as refusal:
        return _refused_person(user_id, refusal)
    return _back_to(user_id, _("The role is given. It holds from the next sign-in."))


@bp.post("/people/<int:user_id>/roles/<int:grant_id>/revocation")
def revoke_role(user_id: int, grant_id: int) -> ResponseReturnValue:
    """Take a role away."""
    with transaction():
        _own_grant(user_id, grant_id)
        commands.revoke_role(current_actor(), grant_id)
    return _back_to(user_id, _("The role is taken away."))


def _own_grant(user_id: int, grant_id: int) -> None:
    user = queries.find_person(current_actor(), user_id)
    if grant_id not in [grant.id for grant in user.current_grants]:
        raise NotFound(_("There is no such role to take away."))


@bp.post("/people/<int:user_id>/administrator")
def grant_administrator(user_id: int) -> ResponseReturnValue:
    """Make a person an administrator."""
    try:
        with transaction():
            actor = current_actor()
            commands.grant_role(actor, queries.find_person(actor, user_id), Role.ADMINISTRATOR)
    except Conflict as refusal:
        return _refused_person(user_id, refusal)
    return _back_to(user_id, _("The role is given. It holds from the next sign-in."))


@bp.post("/people/<int:user_id>/administrator/<int:grant_id>/revocation")
def revoke_administrator(user_id: int, grant_id: int) -> ResponseReturnValue:
    """Take the role of an administrator away."""
    return revoke_role(user_id, grant_id)


@bp.post("/people/<int:user_id>/affiliation")
def move_person(user_id: int) -> ResponseReturnValue:
    """Say that a person belongs to another Party or organisation now."""
    try:
        form = load_form(schemas.MoveIn())
        with transaction():
            actor = current_actor()
            commands.move_user(
                actor,
                queries.find_person(actor, user_id),
                party=queries.named_party(form["party"]),
                organisation=form["organisation"],
            )
    except (Invalid, Conflict) as refusal:
        return _refused_person(user_id, refusal)
    return _back_to(user_id, _("The affiliation is changed."))


@bp.post("/people/<int:user_id>/stop")
def disable_person(user_id: int) -> ResponseReturnValue:
    """Stop an account."""
    try:
        form = load_form(schemas.Reason())
        with transaction():
            queries.find_person(current_actor(), user_id)
            commands.disable_user(current_actor(), user_id, form["reason"])
    except (Invalid, Conflict) as refusal:
        return _refused_person(user_id, refusal)
    return _back_to(user_id, _("The account is stopped."))


@bp.post("/people/<int:user_id>/restart")
def enable_person(user_id: int) -> ResponseReturnValue:
    """Let a stopped account be used again."""
    try:
        with transaction():
            queries.find_person(current_actor(), user_id)
            commands.enable_user(current_actor(), user_id)
    except Conflict as refusal:
        return _refused_person(user_id, refusal)
    return _back_to(user_id, _("The account may be used again."))


# Laboratories ---------------------------------------------------------------------------------


@bp.get("/laboratories")
def laboratories() -> ResponseReturnValue:
    """List the laboratories."""
    arguments = _arguments(schemas.LaboratoryList())
    query = queries.list_laboratories(current_actor(), q=arguments["q"], party=arguments["party"])
    columns = {"name": Laboratory.name_key, "code": Laboratory.code, "confirmed_at": Laboratory.confirmed_at}
    sort = arguments["sort"] or "name"
    query = sorted_by(query, sort, columns, "name", Laboratory.id)
    return render_template(
        "accounts/laboratories.html",
        page=page_of(query, arguments["page"], arguments["page_size"]),
        sort=sort,
        arguments=arguments,
        parties=queries.party_choices(),
        party_names=dict(queries.party_choices()),
    )


@bp.get("/laboratories/<code>")
def laboratory(code: str) -> ResponseReturnValue:
    """Show a laboratory; its people and contact address only to its own people and the Secretariat."""
    actor = current_actor()
    row = queries.find_laboratory(actor, code)
    inside = queries.may_see_members(actor, row)
    return render_template(
        "accounts/laboratory.html",
        row=row,
        confirmed=queries.is_confirmed(row),
        inside=inside,
        members=queries.members_of(row.id, *LABORATORY_ROLES) if inside else [],
        entries=[
            (entry, network_queries.standing_of(entry))
            for entry in network_queries.capabilities_of(actor, row)
        ],
        listed=network_queries.is_listed(row),
        methods=network_queries.methods_owned(row),
        specificities={kind.value: _(text) for kind, text in SPECIFICITY_NAMES.items()},
    )


def _laboratory_form(
    row: Laboratory | None, message: Text = "", errors: Mapping[str, Any] | None = None
) -> str:
    return render_template(
        "accounts/laboratory_form.html",
        row=row,
        message=message,
        errors=errors or {},
        kept=_kept,
        parties=queries.party_choices(),
        row_version=_kept("row_version", row.row_version) if row else None,
    )


@bp.get("/laboratories/new")
def new_laboratory() -> ResponseReturnValue:
    """Show the form that registers a laboratory."""
    return _laboratory_form(None)


@bp.post("/laboratories")
@once
def create_laboratory() -> ResponseReturnValue:
    """Register a laboratory."""
    try:
        form = load_form(schemas.LaboratoryIn())
        with transaction():
            party = queries.named_party(form.pop("party"))
            row = commands.create_laboratory(current_actor(), party=party, **form)
    except (Invalid, Conflict) as refusal:
        return _laboratory_form(None, refusal.message, refusal.errors), refusal.status
    flash(str(_("The laboratory is registered.")))
    return redirect(url_for("accounts.laboratory", code=row.code), 303)


@bp.get("/laboratories/<code>/edit")
def edit_laboratory(code: str) -> ResponseReturnValue:
    """Show the form that changes or confirms a laboratory's record."""
    row = queries.find_laboratory(current_actor(), code)
    require(current_actor(), "laboratory.change", row)
    return _laboratory_form(row)


@bp.post("/laboratories/<code>")
def change_laboratory(code: str) -> ResponseReturnValue:
    """Change a laboratory's record, which confirms it for a year."""
    try:
        form = load_form(schemas.LaboratoryChange())
        given = {name: form.get(name, "") for name in schemas.LaboratoryChange().fields}
        with transaction():
            row = commands.change_laboratory(current_actor(), code, expected_version(), **given)
    except (Invalid, Conflict, StaleEdit) as refusal:
        row = queries.find_laboratory(current_actor(), code)
        return _laboratory_form(row, refusal.message, refusal.errors), refusal.status
    flash(str(_("The record is saved and counts as confirmed for a year.")))
    return redirect(url_for("accounts.laboratory", code=row.code), 303)


# Parties --------------------------------------------------------------------------------------


@bp.get("/parties")
def parties() -> ResponseReturnValue:
    """List Parties and non-Parties."""
    arguments = _arguments(schemas.PartyList())
    query = queries.list_parties(
        q=arguments["q"],
        status=arguments["status"],
        region=arguments["region"],
        group=arguments["group"],
    )
    columns = {"name": queries.name_column(), "iso2": Party.iso2}
    sort = arguments["sort"] or "name"
    query = sorted_by(query, sort, columns, "name", Party.id)
    return render_template(
        "accounts/parties.html",
        page=page_of(query, arguments["page"], arguments["page_size"]),
        sort=sort,
        arguments=arguments,
        name_key=queries.name_column().key,
        statuses=_choices(STATUS_NAMES),
        regions=_choices(REGION_NAMES),
        groups=_choices(GROUP_NAMES),
    )


@bp.get("/parties/<iso2>")
def party(iso2: str) -> ResponseReturnValue:
    """Show a Party with its status and groups over time, and its laboratories."""
    row = queries.find_party(iso2)
    found = page_of(
        sorted_by(
            queries.list_laboratories(current_actor(), party=row.iso2),
            "name",
            {"name": Laboratory.name_key},
            "name",
            Laboratory.id,
        ),
        1,
        200,
    )
    return render_template(
        "accounts/party.html",
        row=row,
        laboratories=found.rows,
        status_names={key: _(text) for key, text in STATUS_NAMES.items()},
        group_names={key: _(text) for key, text in GROUP_NAMES.items()},
        region=_(REGION_NAMES[row.region]) if row.region else "",
    )
