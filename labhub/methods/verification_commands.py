"""What changes verifications: laboratories draft and publish their own, reviewers hide outliers."""

from collections.abc import Mapping
from typing import Any

from labhub import audit, clock
from labhub.accounts import queries as accounts
from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory
from labhub.accounts.policy import require
from labhub.db import db
from labhub.errors import Conflict, Invalid, NotAllowed, StaleEdit
from labhub.i18n import Text, _
from labhub.methods import exchange, queries, verification_queries
from labhub.methods import notice_commands as notices
from labhub.methods.exchange import LONGEST_NOTE
from labhub.methods.field_performance import figures_of
from labhub.methods.models import DetectionMethod, StudyKind
from labhub.methods.review_models import (
    OUTCOME_NAMES,
    MethodVerification,
    Outcome,
    VerificationState,
)
from labhub.names import clean_name

MOST_MATRICES = 50
STUDY_OF_LABORATORY = {"kind": StudyKind.IN_HOUSE_VERIFICATION.value, "laboratories": 1}


def create_verification(
    actor: Actor, code: str, given: Mapping[str, Any], *, number: int | None = None, laboratory: str = ""
) -> MethodVerification:
    """Begin a verification of a published version (the latest one) as a draft of one's laboratory."""
    version = queries.find_published_version(code, number)
    owner = _laboratory(actor, version.method, laboratory)
    require(actor, "verification.create", owner)
    now = clock.now()
    row = MethodVerification(
        version_id=version.id,
        version=version,
        laboratory_id=owner.id,
        laboratory=owner,
        state=VerificationState.DRAFT,
        created_by_id=actor.user_id,
        created_at=now,
        changed_at=now,
        editor_ids=[actor.user_id] if actor.user_id else [],
    )
    _fill(row, given)
    db.session.add(row)
    db.session.flush()
    audit.record(
        actor,
        "verification.create",
        "verification",
        row.id,
        version=row.version.number,
        after={
            "method": version.method_id,
            "laboratory": owner.id,
            "outcome": row.outcome,
            "study": row.study,
        },
    )
    return row


def _laboratory(actor: Actor, method: DetectionMethod, code: str) -> Laboratory:
    own = accounts.own_laboratories(actor)
    if code:
        own = [each for each in own if each.code.casefold() == code.strip().casefold()]
        if not own:
            raise Invalid(_("You do not work in a laboratory %(code)s.", code=code[:60]), field="laboratory")
    found = [each for each in own if each.id != method.laboratory_id]
    if own and not found:
        raise Conflict(
            _("A laboratory does not verify its own method: put the figures into its validation studies.")
        )
    if not found:
        raise NotAllowed(_("Verifications belong to a laboratory, and you work in none."))
    if len(found) > 1:
        codes = ", ".join(each.code for each in found)
        raise Invalid(_("Say which laboratory: %(codes)s.", codes=codes), field="laboratory")
    return found[0]


def _fill(row: MethodVerification, given: Mapping[str, Any]) -> None:
    """Check and write what a verification says; every problem is named at once."""
    errors: dict[str, list[Text]] = {}
    words: dict[str, Any] = {"matrices": [], "instrument": None}
    outcome = given.get("outcome")
    if outcome not in [each.value for each in Outcome]:
        errors["outcome"] = [_("Choose among %(names)s.", names=", ".join(Outcome))]
    matrices = [text for text in given.get("matrices") or () if str(text).strip()]
    if len(matrices) > MOST_MATRICES:
        errors["matrices"] = [_("At most %(number)s entries.", number=MOST_MATRICES)]
    for name, texts in (("matrices", matrices), ("instrument", [given.get("instrument") or ""])):
        for text in texts:
            try:
                line = clean_name(" ".join(str(text).split()), field=name, longest=200) if text else None
            except Invalid as refusal:
                errors.setdefault(name, []).append(refusal.message)
                continue
            if name == "matrices":
                words["matrices"].append(line)
            else:
                words["instrument"] = line
    study = {**(given.get("study") or {}), **STUDY_OF_LABORATORY}
    study["laboratory"] = row.laboratory.name
    study["instrument"] = study.get("instrument") or words["instrument"]
    if not study.get("matrix") and len(words["matrices"]) == 1:
        study["matrix"] = words["matrices"][0]
    checked, wrong = exchange.check_study(study)
    errors |= {f"study.{name}" if name else "study": texts for name, texts in wrong.items()}
    if errors:
        raise Invalid(_("Please correct the marked fields."), errors=errors)
    row.outcome = Outcome(str(outcome))
    row.matrices, row.instrument = words["matrices"], words["instrument"]
    row.study, row.year = checked, checked["year"]
    for name, value in figures_of(checked).items():
        setattr(row, name, value)


def _locked(actor: Actor, code: str, number: int, action: str, expected: int | None) -> MethodVerification:
    row = verification_queries.find_verification(actor, code, number)
    db.session.refresh(row, with_for_update=True)
    require(actor, action, row)
    if expected is not None and row.row_version != expected:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))
    return row


def change_verification(
    actor: Actor, code: str, number: int, given: Mapping[str, Any], *, expected: int
) -> MethodVerification:
    """Change a verification that is a draft: what is given replaces what it says."""
    row = _locked(actor, code, number, "verification.change", expected)
    _check_draft(row)
    before = _says(row)
    _fill(row, {**before, **given})
    row.changed_at = clock.now()
    if actor.user_id is not None and actor.user_id not in row.editor_ids:
        row.editor_ids = [*row.editor_ids, actor.user_id]
    db.session.flush()
    after = _says(row)
    changed = [name for name in after if after[name] != before[name]]
    audit.record(
        actor,
        "verification.change",
        "verification",
        row.id,
        version=row.version.number,
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
    )
    return row


def _says(row: MethodVerification) -> dict[str, Any]:
    return {
        "outcome": row.outcome.value,
        "matrices": list(row.matrices),
        "instrument": row.instrument,
        "study": dict(row.study),
    }


def _check_draft(row: MethodVerification) -> None:
    if row.state is not VerificationState.DRAFT:
        raise Conflict(_("A verification that was published does not change. Write another one."))


def remove_verification(actor: Actor, code: str, number: int, *, expected: int) -> None:
    """Throw a draft away."""
    row = _locked(actor, code, number, "verification.change", expected)
    _check_draft(row)
    audit.record(
        actor,
        "verification.remove",
        "verification",
        row.id,
        version=row.version.number,
        before=_says(row),
    )
    db.session.delete(row)
    db.session.flush()


def publish_verification(
    actor: Actor, code: str, number: int, *, expected: int | None = None
) -> MethodVerification:
    """Show a verification to everybody: by the manager of the laboratory that verified."""
    row = _locked(actor, code, number, "verification.publish", expected)
    if row.state is not VerificationState.DRAFT:
        raise Conflict(_("This verification was published already."))
    row.state = VerificationState.PUBLISHED
    row.published_at, row.published_by_id = clock.now(), actor.user_id
    db.session.flush()
    audit.record(
        actor,
        "verification.publish",
        "verification",
        row.id,
        version=row.version.number,
        before={"state": VerificationState.DRAFT},
        after={"state": row.state, "outcome": row.outcome},
    )
    version = row.version
    words = {
        "code": version.method.code,
        "number": version.number,
        "laboratory": row.laboratory.name,
        "outcome": _(OUTCOME_NAMES[row.outcome]),
        "link": notices.link_to(f"/methods/{version.method.code}#verifications"),
    }
    readers = notices.laboratory_of(version)
    if row.outcome is Outcome.NOT:
        readers += notices.reviewers()
    notices.tell(
        readers,
        _("Method %(code)s was verified by another laboratory", **words),
        _(
            "The laboratory %(laboratory)s has verified version %(number)s of the method %(code)s.\n\n"
            "Outcome: %(outcome)s\n\nThe figures: %(link)s\n",
            **words,
        ),
        by=actor,
    )
    return row


def hide_verification(
    actor: Actor, code: str, number: int, reason: str, *, expected: int | None = None
) -> MethodVerification:
    """Take a published verification out of sight and of the field performance, with a reason."""
    row = _locked_for_review(actor, code, number, expected)
    if row.state is not VerificationState.PUBLISHED:
        raise Conflict(_("Only a published verification can be hidden."))
    row.hide_reason = _reason(reason)
    row.state, row.hidden_at, row.hidden_by_id = VerificationState.HIDDEN, clock.now(), actor.user_id
    _tell_of(
        actor,
        row,
        "verification.hide",
        VerificationState.PUBLISHED,
        row.hide_reason,
        _("Your verification of method %(code)s was hidden", code=row.version.method.code),
        _(
            "A reviewer has hidden your verification %(number)s of the method %(code)s.\n\n"
            "Reason: %(reason)s\n\n%(link)s\n",
            **_words(row, row.hide_reason),
        ),
    )
    return row


def restore_verification(
    actor: Actor, code: str, number: int, reason: str, *, expected: int | None = None
) -> MethodVerification:
    """Show a hidden verification again, with a reason."""
    row = _locked_for_review(actor, code, number, expected)
    if row.state is not VerificationState.HIDDEN:
        raise Conflict(_("This verification is not hidden."))
    text = _reason(reason)
    row.state, row.hide_reason, row.hidden_at, row.hidden_by_id = VerificationState.PUBLISHED, "", None, None
    _tell_of(
        actor,
        row,
        "verification.restore",
        VerificationState.HIDDEN,
        text,
        _("Your verification of method %(code)s is shown again", code=row.version.method.code),
        _(
            "Your verification %(number)s of the method %(code)s is shown again.\n\n"
            "Reason: %(reason)s\n\n%(link)s\n",
            **_words(row, text),
        ),
    )
    return row


def _locked_for_review(actor: Actor, code: str, number: int, expected: int | None) -> MethodVerification:
    row = _locked(actor, code, number, "verification.hide", expected)
    concerned = {row.laboratory_id, row.version.method.laboratory_id} & set(actor.laboratory_ids)
    if concerned or actor.user_id is None:
        raise NotAllowed(
            _("You work in a laboratory that this verification concerns: a second person must decide.")
        )
    return row


def _reason(reason: str) -> str:
    text = reason.replace("\r\n", "\n").strip()
    if not text:
        raise Invalid(_("Give the reason."), field="reason")
    if len(text) > LONGEST_NOTE:
        raise Invalid(_("At most %(number)s characters.", number=LONGEST_NOTE), field="reason")
    if "\x00" in text:
        raise Invalid(_("Control characters are not allowed here."), field="reason")
    return text


def _words(row: MethodVerification, reason: str) -> dict[str, Any]:
    code = row.version.method.code
    return {
        "number": row.id,
        "code": code,
        "reason": reason,
        "link": notices.link_to(f"/methods/{code}/verifications"),
    }


def _tell_of(
    actor: Actor,
    row: MethodVerification,
    action: str,
    before: VerificationState,
    reason: str,
    subject: Text,
    body: Text,
) -> None:
    db.session.flush()
    audit.record(
        actor,
        action,
        "verification",
        row.id,
        version=row.version.number,
        before={"state": before},
        after={"state": row.state},
        reason=reason,
    )
    members = accounts.members_of(row.laboratory_id, Role.MANAGER, Role.ANALYST)
    managers = {user.id for user in accounts.members_of(row.laboratory_id, Role.MANAGER)}
    concerned = [user for user in members if user.id in managers or user.id in row.editor_ids]
    notices.tell(concerned, subject, body, by=actor)
