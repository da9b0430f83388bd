"""Everything that changes methods; one function is one sentence a user could say.

Each command that changes a state locks the method first, so that of many at once one has an effect.
Everybody concerned by a step is written to once, but who takes it (``docs/decisions/0023-review.md``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm.attributes import flag_modified

from labhub import audit, clock, workbooks
from labhub.accounts import queries as accounts
from labhub.accounts.actor import OPERATOR, Actor
from labhub.accounts.models import Laboratory
from labhub.accounts.policy import require
from labhub.db import db
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, StaleEdit
from labhub.file_kinds import FileKind
from labhub.i18n import Text, _
from labhub.methods import (
    exchange,
    find_commands,
    judgement_queries,
    queries,
    recall_commands,
    review_queries,
)
from labhub.methods import notice_commands as notices
from labhub.methods.bulk_commands import create_many, renew_compiled
from labhub.methods.exchange import LONGEST_NOTE, Content
from labhub.methods.models import (
    EDITABLE_STATES,
    OPEN_STATES,
    PUBLIC_STATES,
    REVIEW_STATES,
    DetectionMethod,
    FileRole,
    FileVisibility,
    MethodFile,
    MethodOrigin,
    MethodState,
    MethodVersion,
)
from labhub.methods.notice_commands import link_of, tell
from labhub.methods.record_commands import Matcher, check_wish, fill, new_hub_codes, wished_code
from labhub.methods.review_models import RecallCause, Side
from labhub.methods.tables import Entry, Progress, Sent, corrected, read_file
from labhub.methods.twins import oligo_digest
from labhub.names import name_key
from labhub.reports import ImportReport, Outcome, RowReport
from labhub.storage import StoredFile

IMPORT_FILES = (FileKind.JSON, FileKind.CSV, FileKind.XLSX, FileKind.ODS)
LARGEST_IMPORT_BYTES = 16 << 20
MOST_ROWS = workbooks.MOST_ROWS
"""Rows of one sheet of a workbook."""
MANY_ROWS = 10
MOST_FILES = 50
ALLOWED_FILES = (
    FileKind.PDF, FileKind.DOCX, FileKind.XLSX, FileKind.CSV, FileKind.TXT, FileKind.RDML,
)  # fmt: skip
SEEDS_FILE = "methods.json"
"""Doubts about its names are in the list of conflicts; nobody reads its report."""


# Finding, locking, permission ----------------------------------------------------------------


def _lock(actor: Actor, code: str) -> tuple[DetectionMethod, list[MethodVersion]]:
    """Return a method, locked, and the versions that the actor may see, read under the lock."""
    method = queries.find_method(actor, code)
    db.session.get_one(DetectionMethod, method.id, with_for_update=True, populate_existing=True)
    versions = db.session.scalars(
        queries.visible_versions(actor)
        .where(MethodVersion.method_id == method.id)
        .order_by(MethodVersion.number.desc())
        .execution_options(populate_existing=True)
    ).all()
    find_commands.changed(*versions)
    return method, list(versions)


def _open_version(versions: Iterable[MethodVersion]) -> MethodVersion:
    for version in versions:
        if version.state in OPEN_STATES:
            return version
    raise Conflict(_("No version of this method is being worked on. Begin a new version."))


def _check_state(version: MethodVersion, *allowed: MethodState, message: Text) -> None:
    if version.state not in allowed:
        raise Conflict(message)


def _check_edition(version: MethodVersion, expected: int | None) -> None:
    if expected is not None and version.edition != expected:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))


def _check_content_edition(version: MethodVersion, expected: int) -> None:
    """Refuse a change of content made on an older reading, unless only files have changed since."""
    number, row_version = divmod(expected, 1_000_000)
    only_files = version.form_edition is not None and version.form_edition <= row_version
    if not (only_files and number == version.number and row_version <= version.row_version):
        _check_edition(version, expected)


def _touch_files(actor: Actor, version: MethodVersion) -> None:
    """Note who changed the files; the version moves on, and forms of its content stay good."""
    if version.form_edition is None:
        version.form_edition = version.row_version
    _touch(actor, version)


def _writers(*versions: MethodVersion) -> set[int]:
    """Return all who created, changed, filed or submitted one of these versions."""
    found = {each for version in versions for each in version.editor_ids}
    for version in versions:
        found |= {each for each in (version.created_by_id, version.submitted_by_id) if each is not None}
    return found


def _editors(actor: Actor, *versions: MethodVersion) -> list[int]:
    """Return the writers of these versions and the one who works on it now."""
    return sorted(_writers(*versions) | ({actor.user_id} if actor.user_id is not None else set()))


def _require_second_person(actor: Actor, action: str, version: MethodVersion) -> None:
    if actor.user_id is None or actor.user_id in _writers(version):
        raise NotAllowed(_("You have worked on this version: a second person must review and publish it."))
    require(actor, action, version)


def _clean_reason(reason: str, field: str = "reason") -> str:
    text = reason.replace("\r\n", "\n").strip()
    if not text:
        raise Invalid(_("Give the reason."), field=field)
    if len(text) > LONGEST_NOTE:
        raise Invalid(_("At most %(number)s characters.", number=LONGEST_NOTE), field=field)
    if "\x00" in text:
        raise Invalid(_("Control characters are not allowed here."), field=field)
    return text


# Content -------------------------------------------------------------------------------------


def _refuse_marks(given: Mapping[str, Any], before: Content | None = None) -> None:
    """Refuse marks of the hub's own checks that a sender gives anew; those of an export are only not kept."""
    if given.get("record") is not None:
        return
    wrong = []
    for group, name in queries.HUB_MARKS:
        sent = given.get(group)
        stored = (before[group] or {}).get(name) if before else None
        if isinstance(sent, Mapping) and sent.get(name) is True and stored is not True:
            wrong.append(f"{group}.{name}")
    if wrong:
        raise Invalid(
            _("Please correct the marked fields."),
            errors={name: [_("There is no such field, or it is not yours to set.")] for name in wrong},
        )


# Drafts --------------------------------------------------------------------------------------


def create_method(actor: Actor, given: Mapping[str, Any], *, laboratory: str = "") -> MethodVersion:
    """Begin a method of one's laboratory as a draft."""
    owner = owner_of_new(actor, laboratory)
    _refuse_marks(given)
    checked = exchange.check(given)
    checked.raise_if_wrong()
    check_wish(wished_code(checked.content))
    version = _create_draft(actor, owner, checked.content, Matcher())
    audit.record(
        actor,
        "method.create",
        "method",
        version.method_id,
        version=version.number,
        after={"code": version.method.code, "laboratory": owner.id, "title": version.title},
    )
    return version


def owner_of_new(actor: Actor, code: str = "") -> Laboratory:
    """Return the laboratory that a new method will belong to: the named one, or one's only one."""
    own = accounts.own_laboratories(actor)
    if code:
        found = [laboratory for laboratory in own if laboratory.code.casefold() == code.strip().casefold()]
        if not found:
            raise Invalid(_("You do not work in a laboratory %(code)s.", code=code[:60]), field="laboratory")
        own = found
    if not own:
        raise NotAllowed(_("Methods belong to a laboratory, and you work in none."))
    if len(own) > 1:
        raise Invalid(
            _("Say which laboratory: %(codes)s.", codes=", ".join(each.code for each in own)),
            field="laboratory",
        )
    require(actor, "method.create", own[0])
    return own[0]


def _create_draft(actor: Actor, owner: Laboratory, content: Content, match: Matcher) -> MethodVersion:
    (code,) = new_hub_codes(1)
    now = clock.now()
    method = DetectionMethod(
        code=code,
        code_key=code.casefold(),
        hub_key=code.casefold(),
        wished_code=wished_code(content),
        source_code=content["source_code"],
        laboratory_id=owner.id,
        origin=MethodOrigin.SUBMITTED,
        created_by_id=actor.user_id,
        created_at=now,
    )
    version = MethodVersion(
        method=method,
        number=1,
        state=MethodState.DRAFT,
        created_by_id=actor.user_id,
        created_at=now,
        changed_at=now,
        editor_ids=[actor.user_id] if actor.user_id else [],
        seen_in=[],
    )
    method.laboratory = owner
    with db.session.no_autoflush:
        fill(version, content, match, trusted=False)
    db.session.add(method)
    db.session.flush()
    return version


def change_draft(
    actor: Actor, code: str, given: Mapping[str, Any], *, expected: int, note: str | None = None
) -> MethodVersion:
    """Change the draft or returned version: fields that are given replace the present ones."""
    method, versions = _lock(actor, code)
    version = _open_version(versions)
    require(actor, "method.change", version)
    _check_content_edition(version, expected)
    _check_editable(version)
    before = queries.content_of(version)
    _refuse_marks(given, before)
    merged = {**before, **given}
    if "code" in given and "wished_code" not in given:
        merged["wished_code"] = None
    checked = exchange.check(merged)
    checked.raise_if_wrong()
    changed = change_version(
        actor, method, version, checked.content, has_code="code" in given or "wished_code" in given
    )
    if note is not None and version.number > 1:
        version.change_note = _clean_reason(note, "change_note")
    audit.record(
        actor,
        "method.change",
        "method",
        method.id,
        version=version.number,
        before={name: before[name] for name in changed},
        after={name: checked.content[name] for name in changed},
    )
    return version


def _check_editable(version: MethodVersion) -> None:
    _check_state(
        version,
        *EDITABLE_STATES,
        message=_("This version waits for review and cannot be changed. A reviewer can return it to you."),
    )


def change_version(
    actor: Actor, method: DetectionMethod, version: MethodVersion, content: Content, *, has_code: bool
) -> list[str]:
    """Write content into an editable version and return the names of the fields that differ.

    Asks for no permission: who calls has done so.
    """
    before = queries.content_of(version)
    wish = wished_code(content) if has_code else method.wished_code
    if method.code_key != method.hub_key or version.number > 1:
        if wish and wish.casefold() not in (method.code_key, method.wished_code.casefold()):
            raise Invalid(_("The code of a published method cannot be changed."), field="code")
    elif wish != method.wished_code:
        check_wish(wish, but=method.id)
        method.wished_code = wish
    if version.number == 1:
        method.source_code = content["source_code"]
    fill(version, content, Matcher(), trusted=False)
    version.form_edition = None
    _touch(actor, version)
    db.session.flush()
    after = queries.content_of(version)
    return [name for name in after if after[name] != before[name]]


def _touch(actor: Actor, version: MethodVersion) -> None:
    """Note who worked on a version; its row version goes up even where only a part was changed."""
    version.changed_at = clock.now()
    flag_modified(version, "changed_at")
    if actor.user_id is not None and actor.user_id not in version.editor_ids:
        version.editor_ids = [*version.editor_ids, actor.user_id]


@dataclass(frozen=True)
class ReceivedFile:
    """A file that lies in the store: its row, and what the one reader found it to be."""

    stored: StoredFile
    name: str
    kind: FileKind


def file_terms(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a sender says of a file, as ``add_file`` takes it."""
    return {name: form[name] for name in ("role", "visibility", "licence", "language")}


def add_file(
    actor: Actor,
    code: str,
    file: ReceivedFile,
    role: FileRole,
    *,
    visibility: FileVisibility = FileVisibility.PUBLIC,
    licence: str | None = None,
    language: str | None = None,
) -> MethodFile:
    """Add a file to the draft or returned version, and say who may see it under which licence.

    ``language`` is a BCP 47 tag.
    """
    method, versions = _lock(actor, code)
    version = _open_version(versions)
    require(actor, "method.change", version)
    _check_editable(version)
    if file.kind not in ALLOWED_FILES:
        raise Invalid(_("Files of this kind are not taken here."), field="file")
    if len(version.files) >= MOST_FILES:
        raise Conflict(_("A version has at most %(number)s files.", number=MOST_FILES))
    if any(present.name_key == name_key(file.name) for present in version.files):
        raise Conflict(_("This version has a file of that name. Remove it first."), field="file")
    row = MethodFile(
        sha256=file.stored.sha256,
        name=file.name,
        name_key=name_key(file.name)[:255],
        role=role,
        kind=file.kind.value,
        media_type=file.kind.media_type,
        size_bytes=file.stored.size_bytes,
        visibility=visibility,
        licence=exchange.file_licence(licence),
        language=exchange.language_tag(language),
        uploaded_by_id=actor.user_id,
        uploaded_at=clock.now(),
    )
    version.files.append(row)
    _touch_files(actor, version)
    db.session.flush()
    audit.record(
        actor,
        "method.add-file",
        "method",
        method.id,
        version=version.number,
        after={
            "file": row.id,
            "name": row.name,
            "role": role,
            "sha256": row.sha256,
            "visibility": row.visibility,
        },
    )
    return row


def remove_file(actor: Actor, code: str, file_id: int) -> None:
    """Take a file off the draft or returned version; its bytes stay while another version has them."""
    method, versions = _lock(actor, code)
    seen = next((each for version in versions for each in version.files if each.id == file_id), None)
    if seen is None:
        raise NotFound(_("There is no file %(number)s of method %(code)s.", number=file_id, code=code))
    version = seen.version
    require(actor, "method.change", version)
    if version.state in PUBLIC_STATES:
        raise Conflict(_("A published version never changes. Begin a new version."))
    _check_editable(version)
    version.files.remove(seen)
    _touch_files(actor, version)
    audit.record(
        actor,
        "method.remove-file",
        "method",
        method.id,
        version=version.number,
        before={"file": file_id, "name": seen.name, "role": seen.role, "sha256": seen.sha256},
    )


def new_version(actor: Actor, code: str, change_note: str, *, expected: int | None = None) -> MethodVersion:
    """Begin the next version of a published method as a draft with the same content and files."""
    method, versions = _lock(actor, code)
    latest = versions[0]
    require(actor, "method.change", latest)
    if latest.state in OPEN_STATES:
        raise Conflict(_("Version %(number)s is being worked on already.", number=latest.number))
    _check_edition(latest, expected)
    note = _clean_reason(change_note, "change_note")
    content, files = queries.content_of(latest), [_copy_of_file(file) for file in latest.files]
    now = clock.now()
    version = MethodVersion(
        method=method,
        number=latest.number + 1,
        state=MethodState.DRAFT,
        change_note=note,
        created_by_id=actor.user_id,
        created_at=now,
        changed_at=now,
        editor_ids=_editors(actor, *versions),
        seen_in=[],
    )
    with db.session.no_autoflush:
        fill(version, content, Matcher(), trusted=False)
    version.files = files
    db.session.add(version)
    db.session.flush()
    audit.record(
        actor,
        "method.new-version",
        "method",
        method.id,
        version=version.number,
        before={"version": latest.number},
        after={"version": version.number},
        reason=note,
    )
    return version


def _copy_of_file(file: MethodFile) -> MethodFile:
    names = (
        "sha256", "name", "name_key", "role", "kind", "media_type", "size_bytes", "visibility", "licence",
        "language", "uploaded_by_id",
    )  # fmt: skip
    copied = {name: getattr(file, name) for name in names}
    return MethodFile(**copied, uploaded_at=file.uploaded_at)


# The way to publication ----------------------------------------------------------------------


def submit(actor: Actor, code: str, *, expected: int | None = None) -> MethodVersion:
    """Hand the draft in for review; refused with everything that the minimum still lacks."""
    method, versions = _lock(actor, code)
    version = _open_version(versions)
    require(actor, "method.submit", version)
    _check_edition(version, expected)
    _check_state(version, *EDITABLE_STATES, message=_("This version has been submitted already."))
    gaps = exchange.submission_gaps(queries.content_of(version), [file.role.value for file in version.files])
    if gaps:
        raise Invalid(_("Some things are missing before this method can be submitted."), errors=gaps)
    before = version.state
    version.editor_ids = _editors(actor, version)  # with who submitted before: the column holds the last
    version.state = MethodState.SUBMITTED
    version.submitted_by_id, version.submitted_at = actor.user_id, clock.now()
    version.reviewer_id = version.review_started_at = version.form_edition = None
    audit.record(
        actor,
        "method.submit",
        "method",
        method.id,
        version=version.number,
        before={"state": before},
        after={"state": version.state, "content": queries.seal_of(version)},
    )
    notices.mark_told(version, Side.LABORATORY)
    told = tell(
        notices.laboratory_of(version),
        _("Your laboratory has submitted method %(code)s", code=method.code),
        _(
            "Version %(number)s of the method “%(title)s” was submitted for review. The reviewers have "
            "been told. "
            "You will be written to when a reviewer takes it on, returns or publishes it: %(link)s\n",
            number=version.number,
            title=version.title,
            link=link_of(version),
        ),
        by=actor,
    )
    tell(
        notices.reviewers(),
        _("Method %(code)s waits for review", code=method.code),
        _(
            "The laboratory %(laboratory)s has submitted version %(number)s of the method “%(title)s”.\n\n"
            "Review it here: %(link)s\n",
            laboratory=method.laboratory.name if method.laboratory else "",
            number=version.number,
            title=version.title,
            link=link_of(version),
        ),
        by=actor,
        told=told,
    )
    return version


def start_review(actor: Actor, code: str, *, expected: int | None = None) -> MethodVersion:
    """Take the review of a submitted version upon oneself."""
    method, versions = _lock(actor, code)
    version = _open_version(versions)
    _require_second_person(actor, "method.review", version)
    _check_edition(version, expected)
    _check_state(version, MethodState.SUBMITTED, message=_("This version does not wait for a reviewer."))
    version.state = MethodState.IN_REVIEW
    version.reviewer_id, version.review_started_at = actor.user_id, clock.now()
    audit.record(
        actor,
        "method.review",
        "method",
        method.id,
        version=version.number,
        before={"state": MethodState.SUBMITTED},
        after={"state": version.state},
    )
    tell(
        notices.laboratory_of(version),
        _("A reviewer has taken on method %(code)s", code=method.code),
        _(
            "Version %(number)s of the method “%(title)s” is being reviewed now. The reviewer may write "
            "comments "
            "on its fields; you can answer them here: %(link)s\n",
            number=version.number,
            title=version.title,
            link=link_of(version),
        ),
        by=actor,
    )
    return version


def release_claim(actor: Actor, code: str, note: str = "", *, expected: int | None = None) -> MethodVersion:
    """Give a review that one has taken on back, so that another reviewer can take it."""
    method, versions = _lock(actor, code)
    version = _open_version(versions)
    _require_second_person(actor, "method.review", version)
    _check_edition(version, expected)
    _check_state(version, MethodState.IN_REVIEW, message=_("Nobody has taken on the review of this version."))
    if version.reviewer_id != actor.user_id:
        raise NotAllowed(_("Another person has taken on this review. You can take it over, with a note."))
    text = _clean_reason(note, "note") if note.strip() else ""
    version.state = MethodState.SUBMITTED
    version.reviewer_id = version.review_started_at = None
    audit.record(
        actor,
        "method.release",
        "method",
        method.id,
        version=version.number,
        before={"state": MethodState.IN_REVIEW, "reviewer": actor.user_id},
        after={"state": version.state},
        reason=text,
    )
    told = tell(
        notices.laboratory_of(version),
        _("Method %(code)s waits for another reviewer", code=method.code),
        _(
            "The reviewer of version %(number)s of the method “%(title)s” has given the review back. It "
            "waits for "
            "another reviewer: %(link)s\n",
            number=version.number,
            title=version.title,
            link=link_of(version),
        ),
        by=actor,
    )
    tell(
        notices.reviewers(),
        _("Method %(code)s waits for review again", code=method.code),
        _(
            "The review of version %(number)s of the method “%(title)s” was given back.\n\nNote: %(note)s\n\n"
            "Take it on here: %(link)s\n",
            number=version.number,
            title=version.title,
            note=text or "–",
            link=link_of(version),
        ),
        by=actor,
        told=told,
    )
    return version


def take_over(actor: Actor, code: str, note: str, *, expected: int | None = None) -> MethodVersion:
    """Take over the review that another person has taken on, saying why."""
    method, versions = _lock(actor, code)
    version = _open_version(versions)
    _require_second_person(actor, "method.review", version)
    _check_edition(version, expected)
    _check_state(version, MethodState.IN_REVIEW, message=_("Nobody has taken on the review of this version."))
    if version.reviewer_id == actor.user_id:
        raise Conflict(_("You have taken on this review already."))
    text = _clean_reason(note, "note")
    before = version.reviewer_id
    former = [version.reviewer] if version.reviewer is not None else []
    version.reviewer_id, version.review_started_at = actor.user_id, clock.now()
    audit.record(
        actor,
        "method.take-over",
        "method",
        method.id,
        version=version.number,
        before={"reviewer": before},
        after={"reviewer": actor.user_id},
        reason=text,
    )
    told = tell(
        former,
        _("Your review of method %(code)s was taken over", code=method.code),
        _(
            "%(name)s has taken over the review of version %(number)s of the method “%(title)s”.\n\n"
            "Note: %(note)s\n\n%(link)s\n",
            name=actor.name,
            number=version.number,
            title=version.title,
            note=text,
            link=link_of(version),
        ),
        by=actor,
    )
    tell(
        notices.laboratory_of(version),
        _("Another reviewer has taken on method %(code)s", code=method.code),
        _(
            "Another reviewer goes on with version %(number)s of the method “%(title)s”: %(link)s\n",
            number=version.number,
            title=version.title,
            link=link_of(version),
        ),
        by=actor,
        told=told,
    )
    return version


def _check_claim(actor: Actor, version: MethodVersion) -> None:
    """A claim binds: who wants to return or publish what another person reviews takes it over first."""
    if version.state is MethodState.IN_REVIEW and version.reviewer_id not in (None, actor.user_id):
        raise Conflict(_("Another person reviews this version. Take the review over first, with a note."))


def return_to_laboratory(
    actor: Actor, code: str, reason: str, *, expected: int | None = None
) -> MethodVersion:
    """Give a submitted version back to its laboratory, saying what to do."""
    method, versions = _lock(actor, code)
    version = _open_version(versions)
    _require_second_person(actor, "method.review", version)
    _check_edition(version, expected)
    _check_state(version, *REVIEW_STATES, message=_("This version does not wait for review."))
    _check_claim(actor, version)
    before = version.state
    version.return_reason = _clean_reason(reason)
    version.state, version.returned_at = MethodState.RETURNED, clock.now()
    version.reviewer_id = version.reviewer_id or actor.user_id
    audit.record(
        actor,
        "method.return",
        "method",
        method.id,
        version=version.number,
        before={"state": before},
        after={"state": version.state},
        reason=version.return_reason,
    )
    notices.mark_told(version, Side.REVIEWER)
    remarks = review_queries.open_threads(version)
    words = {
        "number": version.number,
        "title": version.title,
        "reason": version.return_reason,
        "remarks": notices.RemarkLines([(each.remark.field, each.remark.text) for each in remarks]),
        "link": link_of(version),
    }
    tell(
        notices.laboratory_of(version),
        _("Method %(code)s was returned to your laboratory", code=method.code),
        _(
            "Version %(number)s of the method “%(title)s” was returned.\n\nReason: %(reason)s\n\n"
            "Comments that are open:\n%(remarks)s\n\nChange it and submit it again: %(link)s\n",
            **words,
        )
        if remarks
        else _(
            "Version %(number)s of the method “%(title)s” was returned.\n\nReason: %(reason)s\n\n"
            "Change it and submit it again: %(link)s\n",
            **words,
        ),
        by=actor,
    )
    return version


def publish(actor: Actor, code: str, *, expected: int | None = None, notify: bool = True) -> MethodVersion:
    """Make a submitted version visible to everybody; the version before it becomes superseded.

    ``notify``: everybody who downloaded the version before is told of the new one.
    """
    method, versions = _lock(actor, code)
    version = _open_version(versions)
    _require_second_person(actor, "method.publish", version)
    _check_edition(version, expected)
    _check_state(version, *REVIEW_STATES, message=_("Only a submitted version can be published."))
    _check_claim(actor, version)
    now = clock.now()
    previous = next((each for each in versions if each.state is MethodState.PUBLISHED), None)
    never_published = all(each.state not in PUBLIC_STATES for each in versions)
    if never_published and method.wished_code:
        check_wish(method.wished_code, but=method.id)
        method.code, method.code_key = method.wished_code, method.wished_code.casefold()
    if previous is not None:
        previous.state, previous.superseded_at = MethodState.SUPERSEDED, now
        db.session.flush()  # one published version at a time
    before = version.state
    reviewed = notices.those_who_reviewed(version)
    version.review_started_at = version.review_started_at or now
    version.reviewer_id = actor.user_id
    version.published_by_id, version.published_at = actor.user_id, now
    version.criteria_version = judgement_queries.newest_criteria_version()
    db.session.flush()
    version.content_hash = queries.seal_of(version)
    version.state = MethodState.PUBLISHED
    recall, told = None, set[int]()
    if previous is not None and notify:
        recall, told = recall_commands.announce(
            actor, previous, RecallCause.NEW_VERSION, version.change_note, new_version=version
        )
    audit.record(
        actor,
        "method.publish",
        "method",
        method.id,
        version=version.number,
        before={"state": before, "superseded": previous.number if previous else None},
        after={
            "state": version.state,
            "code": method.code,
            "content": version.content_hash,
            "notice": recall.id if recall else None,
        },
        export=True,
    )
    tell(
        [*notices.laboratory_of(version), *reviewed],
        _("Method %(code)s is published", code=method.code),
        _(
            "Version %(number)s of the method “%(title)s” is published and can be downloaded by everybody: "
            "%(link)s\n",
            number=version.number,
            title=version.title,
            link=link_of(version),
        ),
        by=actor,
        told=told,
    )
    return version


def withdraw(
    actor: Actor, code: str, reason: str, *, number: int | None = None, expected: int | None = None
) -> MethodVersion:
    """Mark a published or superseded version as withdrawn; it stays readable, with the reason."""
    method, versions = _lock(actor, code)
    if number is None:
        version = next((each for each in versions if each.state is MethodState.PUBLISHED), None)
    else:
        version = next((each for each in versions if each.number == number), None)
        if version is None:
            raise NotFound(_("There is no version %(number)s of method %(code)s.", number=number, code=code))
    if version is None or version.state not in (MethodState.PUBLISHED, MethodState.SUPERSEDED):
        require(actor, "method.withdraw", version or versions[0])
        if version is not None:
            _check_edition(version, expected)
        raise Conflict(_("Only a published version can be withdrawn."))
    require(actor, "method.withdraw", version)
    _check_edition(version, expected)
    text = _clean_reason(reason)
    before = version.state
    version.state, version.withdrawn_at = MethodState.WITHDRAWN, clock.now()
    version.withdrawn_by_id, version.withdrawal_reason = actor.user_id, text
    recall, told = recall_commands.announce(actor, version, RecallCause.WITHDRAWAL, text)
    audit.record(
        actor,
        "method.withdraw",
        "method",
        method.id,
        version=version.number,
        before={"state": before},
        after={"state": version.state, "recall": recall.id},
        reason=text,
    )
    tell(
        [*notices.laboratory_of(version), *notices.those_who_reviewed(version)],
        _("Method %(code)s was withdrawn", code=method.code),
        _(
            "Version %(number)s of the method “%(title)s” was withdrawn. It stays readable, marked.\n\n"
            "Reason: %(reason)s\n\n%(link)s\n",
            number=version.number,
            title=version.title,
            reason=text,
            link=link_of(version),
        ),
        by=actor,
        told=told,
    )
    return version


# Files of many methods -----------------------------------------------------------------------


def import_methods(
    actor: Actor, path: Path, *, dry_run: bool = False, laboratory: str = "", progress: Progress | None = None
) -> ImportReport:
    """Read methods from JSON, CSV, XLSX or ODS: drafts of the person's laboratory, or compiled records.

    The operator without a laboratory publishes compiled records. Nothing is stored when a row is
    refused or on a ``dry_run``; the same file a second time changes nothing.
    """
    compiled = actor.operator and not actor.laboratory_ids
    owner = None if compiled else owner_of_new(actor, laboratory)
    if path.stat().st_size > LARGEST_IMPORT_BYTES:
        raise Invalid(
            _("%(file)s is larger than %(limit)s bytes.", file=path.name, limit=LARGEST_IMPORT_BYTES),
            field="file",
        )
    sent = read_file(path.read_bytes(), path.name, progress=progress)
    return _import(actor, owner, sent, dry_run=dry_run, progress=progress)


def import_sent(
    actor: Actor, content: bytes, name: str, *, dry_run: bool = False, laboratory: str = ""
) -> ImportReport:
    """Read methods that were sent as a file into drafts of the person's laboratory."""
    owner = owner_of_new(actor, laboratory)
    return _import(actor, owner, read_file(content, name), dry_run=dry_run)


def _import(
    actor: Actor,
    owner: Laboratory | None,
    sent: Sent,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    present = queries.Present(owner, [entry.checked for entry in sent.entries])
    report = ImportReport(sent.name, errors=dict(sent.errors), notes=list(sent.notes))
    if sent.is_table:
        report.corrected = lambda: corrected(sent, report.all_errors())
    match = Matcher()
    plans: list[tuple[RowReport, Content, queries.Known | None]] = []
    for entry in sent.entries:
        checked = entry.checked
        known = present.find(checked)
        is_same = known is not None and not checked.errors and present.is_same(known, checked.content)
        _judge(entry, known, owner, is_same=is_same, taken=present.taken)
        outcome = Outcome.CREATED
        if checked.errors or entry.is_spoiled:
            outcome = Outcome.REFUSED
        elif known is not None:
            outcome = Outcome.UNCHANGED if is_same else Outcome.CHANGED
        content = checked.content
        key = next((str(content[k]) for k in ("code", "source_code", "title") if content.get(k)), "")
        row = RowReport(entry.row, key[:120], outcome, entry.errors(), list(checked.warnings), is_placed=True)
        if outcome in (Outcome.CREATED, Outcome.CHANGED) and sent.name != SEEDS_FILE:
            row.warnings += match.doubts(content)
        report.rows.append(row)
        plans.append((row, content, known))
    _warn_of_twins(actor, sent.entries, plans)
    if dry_run or report.is_refused:
        return report
    codes = _store(actor, owner, plans, match, progress)
    if any(codes.values()):
        audit.record(
            actor,
            "method.import",
            "laboratory" if owner else "method",
            owner.id if owner else "compiled",
            after={**codes, "file": sent.name},
            export=owner is None,
        )
    return report


def _store(
    actor: Actor,
    owner: Laboratory | None,
    plans: list[tuple[RowReport, Content, queries.Known | None]],
    match: Matcher,
    progress: Progress | None,
) -> dict[str, list[str]]:
    """Store what is new or changed and return the codes by outcome."""
    created = [content for row, content, _known in plans if row.outcome is Outcome.CREATED]
    changed = [
        (content, known)
        for row, content, known in plans
        if row.outcome is Outcome.CHANGED and known is not None
    ]
    count = len(plans)

    def told(done: int) -> None:
        if progress is not None:
            progress(count + done, 2 * count)

    codes = {"created": create_many(actor, owner, created, match, told), "changed": []}
    if owner is None:
        codes["changed"] = renew_compiled(changed, match, lambda done: told(len(created) + done))
        return codes
    for done, (content, known) in enumerate(changed, start=1):
        version = db.session.get_one(MethodVersion, known.version_id)
        change_version(actor, version.method, version, content, has_code=True)
        codes["changed"].append(version.method.code)
        told(len(created) + done)
    return codes


def _judge(
    entry: Entry,
    known: queries.Known | None,
    owner: Laboratory | None,
    *,
    is_same: bool,
    taken: Mapping[str, int],
) -> None:
    """Add what stands against storing a row. ``taken`` are the codes of methods, by the method's number."""
    checked, content = entry.checked, entry.checked.content
    if not content:
        return
    wish = wished_code(content)
    if owner is None:
        if content["origin"] != MethodOrigin.COMPILED:
            checked.add(
                "origin",
                _("A method of a laboratory is imported in the name of one of its people (--as)."),
            )
            return
        if not content["source_code"]:
            checked.add("source_code", _("A compiled method needs its name at the source."))
        if not content["sources"]:
            checked.add("sources", _("A compiled method needs a source."))
    holder = taken.get(wish.casefold()) if wish else None
    if holder is not None and (known is None or holder != known.method_id):
        name = "wished_code" if content["wished_code"] == wish else "code"
        checked.add(name, _("The code %(code)s is taken by a published method.", code=wish))
    if known is None or owner is None or checked.errors or is_same:
        return
    if known.state not in EDITABLE_STATES:
        checked.add(
            "code",
            _(
                "%(code)s is %(state)s and cannot be changed by a file. Begin a new version first.",
                code=known.code,
                state=known.state.value,
            ),
        )


def _warn_of_twins(
    actor: Actor,
    entries: list[Entry],
    plans: list[tuple[RowReport, Content, queries.Known | None]],
) -> None:
    """Warn of methods with the same oligos, in the file and among those that the actor may see."""
    digests = [
        oligo_digest(oligo["sequence"] for oligo in entry.checked.content.get("oligos", ()))
        for entry in entries
    ]
    rows: dict[str, list[int]] = {}
    for place, digest in enumerate(digests):
        if digest and not entries[place].checked.errors:
            rows.setdefault(digest, []).append(place)
    seen = queries.codes_by_digest(actor, list(rows))
    for digest, places in rows.items():
        for place in places:
            row, content, known = plans[place]
            stated = {text.casefold() for text in content["same_oligos_as"]}
            others = [
                str(entries[other].row)
                for other in places
                if other != place and (plans[other][1]["source_code"] or "").casefold() not in stated
            ]
            if others:
                row.warnings.append(
                    _("The oligos are those of row %(rows)s too.", rows=", ".join(others[:MANY_ROWS]))
                )
            in_file = {each.method_id for other in places if (each := plans[other][2])}
            codes = [
                code
                for code, source_code, method_id in seen.get(digest, ())
                if method_id not in in_file
                and (known is None or method_id != known.method_id)
                and not {code.casefold(), (source_code or "").casefold()} & stated
            ]
            if codes:
                row.warnings.append(
                    _("The oligos are those of %(codes)s too.", codes=", ".join(codes[:MANY_ROWS]))
                )


def load_seeds(folder: Path) -> int:
    """Load the compiled methods of ``methods.json``; return how many versions were made (0 the next time)."""
    path = folder / "methods.json"
    report = _import(OPERATOR, None, read_file(path.read_bytes(), path.name))
    report.raise_if_refused()
    return report.count(Outcome.CREATED) + report.count(Outcome.CHANGED)
