"""Pages of accounts."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from labhub.accounts import commands
from labhub.accounts.schemas import SignIn
from labhub.db import transaction
from labhub.errors import Invalid, Refusal
from labhub.i18n import _
from labhub.web.access import PUBLIC, SIGNED_IN
from labhub.web.auth import current_actor, sign_in_browser, sign_out_browser
from labhub.web.forms import load_form, local_path

bp = Blueprint("accounts", __name__)

ACCESS = {
    "sign_in": PUBLIC,
    "submit_sign_in": PUBLIC,
    "sign_out": SIGNED_IN,
    "account": SIGNED_IN,
    "join": PUBLIC,
}


@bp.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Show the sign-in form."""
    target = local_path(request.args.get("next"), "")
    return render_template("accounts/sign_in.html", next=target, message="", errors={})


@bp.post("/sign-in")
def submit_sign_in() -> ResponseReturnValue:
    """Sign in: the try is counted before the password is looked at."""
    try:
        form = load_form(SignIn())
        with transaction():
            attempt = commands.reserve_try(form["email"], request.remote_addr or "")
        user = commands.password_owner(form["email"], form["password"])
        if user is None:
            raise Invalid(_("This address and password do not belong together."))
        with transaction():
            agent = request.headers.get("User-Agent", "")
            key = commands.start_session(user, attempt.id, form["password"], agent)
    except Invalid as refusal:
        target = local_path(request.form.get("next"), "")
        return (
            render_template(
                "accounts/sign_in.html", next=target, message=refusal.message, errors=refusal.errors
            ),
            422,
        )
    sign_in_browser(user, key)
    return redirect(local_path(form["next"], url_for("pages.home")), 303)


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


@bp.get("/account")
def account() -> ResponseReturnValue:
    """Show one's own account."""
    return render_template("accounts/account.html")


@bp.get("/join")
def join() -> ResponseReturnValue:
    """Show the form that asks to join."""
    return render_template("accounts/join.html")
