"""Linking targets that a later register knows, looking for contradictions among names, telling of them."""

from typing import Any

from sqlalchemy import delete, insert, select, update

from labhub import audit, clock, outbox
from labhub.accounts.actor import OPERATOR, Actor, Role
from labhub.accounts.commands import BASE_URL
from labhub.accounts.policy import require
from labhub.accounts.queries import people_with_role
from labhub.db import db
from labhub.i18n import _, in_language
from labhub.lmos.names_queries import Register, read_register
from labhub.methods import find_commands, names_queries
from labhub.methods.models import PUBLIC_STATES, MethodTarget, MethodVersion, TargetKind
from labhub.methods.network_models import CONFLICT_NAMES, ConflictLook, NameConflict, TargetLink

MOST_LINES = 50


def relink_targets(register: Register | None = None) -> int:
    """Link targets that had no link and that the register knows now; return how many links changed.

    Links of sealed versions are kept beside them; one whose name means something else now is corrected.
    """
    register = register or read_register()
    now = clock.now()
    changed = 0
    fresh: list[dict[str, Any]] = []
    rows = db.session.execute(
        select(
            MethodTarget.id,
            MethodTarget.kind,
            MethodTarget.text,
            MethodVersion.state,
            MethodTarget.version_id,
        )
        .join(MethodTarget.version)
        .outerjoin(TargetLink, TargetLink.target_id == MethodTarget.id)
        .where(MethodTarget.lmo_id.is_(None), MethodTarget.element_id.is_(None), TargetLink.id.is_(None))
    ).all()
    for number, kind, text, state, version_id in rows:
        link = _link(register, kind, text)
        if not any(link.values()):
            continue
        changed += 1
        find_commands.changed_numbers([version_id])
        if state in PUBLIC_STATES:
            fresh.append({"target_id": number, "linked_at": now, **link})
        else:
            db.session.execute(update(MethodTarget).where(MethodTarget.id == number).values(**link))
    if fresh:
        db.session.execute(insert(TargetLink), fresh)
    changed += _correct_links(register)
    if changed:
        audit.record(OPERATOR, "method.relink", "method", "targets", after={"links": changed})
    return changed


def _link(register: Register, kind: TargetKind, text: str) -> dict[str, int | None]:
    meaning = register.meaning(text)
    element_id = meaning.element_id if kind is TargetKind.TARGET else None
    return {"lmo_id": meaning.lmo_id, "element_id": element_id}


def _correct_links(register: Register) -> int:
    changed = 0
    rows = db.session.execute(
        select(
            TargetLink.id,
            TargetLink.lmo_id,
            TargetLink.element_id,
            MethodTarget.kind,
            MethodTarget.text,
            MethodTarget.version_id,
        ).join(MethodTarget, MethodTarget.id == TargetLink.target_id)
    ).all()
    for number, lmo_id, element_id, kind, text, version_id in rows:
        link = _link(register, kind, text)
        if (link["lmo_id"], link["element_id"]) == (lmo_id, element_id):
            continue
        changed += 1
        find_commands.changed_numbers([version_id])
        if any(link.values()):
            values = {**link, "linked_at": clock.now()}
            db.session.execute(update(TargetLink).where(TargetLink.id == number).values(**values))
        else:
            db.session.execute(delete(TargetLink).where(TargetLink.id == number))
    return changed


def look_for_conflicts(register: Register | None = None) -> int:
    """Look for contradictions among the names of methods and register; return how many stand."""
    db.session.get_one(ConflictLook, 1, with_for_update=True, populate_existing=True).looked_at = clock.now()
    now = clock.now()
    found = {each.fingerprint: each for each in names_queries.find_conflicts(register or read_register())}
    present = {row.fingerprint: row for row in db.session.scalars(select(NameConflict))}
    for fingerprint, row in present.items():
        if fingerprint not in found:
            row.gone_at = row.gone_at or now
        elif row.gone_at is not None:
            row.gone_at, row.found_at, row.reported_at = None, now, None
    db.session.add_all(
        NameConflict(
            fingerprint=fingerprint,
            kind=each.kind,
            version_id=each.version_id,
            name=each.name[:400],
            details=each.details,
            found_at=now,
        )
        for fingerprint, each in found.items()
        if fingerprint not in present
    )
    db.session.flush()
    return len(found)


def refresh_conflicts(actor: Actor) -> int:
    """Link what can be linked and look for conflicts now, for a reviewer who has mended some."""
    require(actor, "conflict.refresh")
    register = read_register()
    relink_targets(register)
    number = look_for_conflicts(register)
    audit.record(actor, "conflict.refresh", "method", "names", after={"conflicts": number})
    return number


def tidy_names() -> int:
    """Link targets and look for conflicts, as the nightly job and each import do; return the conflicts."""
    register = read_register()
    relink_targets(register)
    return look_for_conflicts(register)


def report_conflicts() -> int:
    """Write to the Secretariat which conflicts are new since the last report; return how many."""
    fresh = names_queries.unreported()
    if not fresh:
        return 0
    now = clock.now()
    link = f"{BASE_URL[0] if BASE_URL else ''}/methods/conflicts"
    for reader in people_with_role(Role.SECRETARIAT):
        with in_language(reader.language):
            lines = "\n".join(f"{_(CONFLICT_NAMES[row.kind])}: {row.name}" for row in fresh[:MOST_LINES])
            subject = _("New conflicts of names: %(number)s", number=len(fresh))
            body = _(
                "These contradictions among the names of methods, LMOs and elements are new:\n\n%(lines)s\n\n"
                "The whole list, and how to mend each of them:\n%(link)s",
                lines=lines,
                link=link,
            )
            outbox.add(reader.email, subject, body, language=reader.language)
    for row in fresh:
        row.reported_at = now
    return len(fresh)
