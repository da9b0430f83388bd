"""Mail about methods: who is concerned by a step, and one mail to each of them but the one who took it.

A mail is a row of the outbox, in the reader's language; links begin with the configured address of the hub.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import update

from labhub import clock, outbox
from labhub.accounts import queries as accounts
from labhub.accounts.actor import Actor, Role
from labhub.accounts.commands import BASE_URL
from labhub.accounts.models import User
from labhub.db import db
from labhub.i18n import Text
from labhub.methods import review_queries
from labhub.methods.field_paths import name_of
from labhub.methods.models import MethodVersion
from labhub.methods.review_models import MethodComment, Side

LONGEST_REMARK = 300
"""Characters of a comment that a mail quotes."""
MOST_REMARKS = 40


def link_to(path: str) -> str:
    """Return an address of the hub as it may stand in a mail; ``path`` begins with a slash."""
    return f"{BASE_URL[0] if BASE_URL else ''}{path}"


def link_of(version: MethodVersion) -> str:
    """Return the address of a version's page."""
    return link_to(f"/methods/{version.method.code}/versions/{version.number}")


def tell(
    readers: Iterable[User], subject: Text, body: Text, *, by: Actor | None, told: Iterable[int] = ()
) -> set[int]:
    """Write to each reader once, never to the one who acts; return who has been told of this step by now.

    ``told`` names those who have had a mail about the same step already.
    """
    done = set(told)
    for user in readers:
        if user.id in done or not user.active or (by is not None and user.id == by.user_id):
            continue
        done.add(user.id)
        outbox.add(user.email, subject, body, language=user.language)
    return done


def reviewers() -> list[User]:
    """Return the active reviewers and the people of the Secretariat."""
    return accounts.people_with_role(Role.REVIEWER) + accounts.people_with_role(Role.SECRETARIAT)


def laboratory_of(version: MethodVersion) -> list[User]:
    """Return who is concerned in the owning laboratory: who submitted, the managers, and who wrote on it.

    Writers who have left the laboratory since are not told any more.
    """
    people: list[User] = []
    if version.submitted_by is not None:
        people.append(version.submitted_by)
    if version.laboratory_id is not None:
        members = accounts.members_of(version.laboratory_id, Role.MANAGER, Role.ANALYST)
        managers = {user.id for user in accounts.members_of(version.laboratory_id, Role.MANAGER)}
        people += [user for user in members if user.id in managers or user.id in version.editor_ids]
    return people


def those_who_reviewed(version: MethodVersion) -> list[User]:
    """Return who has taken a step of the review of a version, by the trail; the present reviewer first."""
    numbers = review_queries.reviewer_ids(version)
    return [user for user in (accounts.user_by_id(number) for number in numbers) if user.active]


class RemarkLines:
    """Remarks as lines of a mail, put into words in the reader's language when the mail is written."""

    def __init__(self, remarks: Sequence[tuple[str, str]]) -> None:
        self.remarks = remarks

    def __str__(self) -> str:
        lines = []
        for path, text in self.remarks[:MOST_REMARKS]:
            words = " ".join(text.split())
            if len(words) > LONGEST_REMARK:
                words = words[: LONGEST_REMARK - 1] + "…"
            lines.append(f"- {' › '.join(str(part) for part in name_of(path))}: {words}")
        if len(self.remarks) > MOST_REMARKS:
            lines.append(f"… +{len(self.remarks) - MOST_REMARKS}")
        return "\n".join(lines)


def mark_told(version: MethodVersion, side: Side) -> None:
    """Note that the other side learns of the comments of ``side`` by the step that is taken now."""
    db.session.execute(
        update(MethodComment)
        .where(
            MethodComment.version_id == version.id,
            MethodComment.side == side,
            MethodComment.told_at.is_(None),
        )
        .values(told_at=clock.now())
        .execution_options(synchronize_session="fetch")
    )
