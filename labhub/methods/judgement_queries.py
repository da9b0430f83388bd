"""Versions of the performance criteria, and what they and the reporting lists say of a method."""

from dataclasses import dataclass

from sqlalchemy import select

from labhub.db import db
from labhub.errors import NotFound
from labhub.i18n import _
from labhub.methods import criteria
from labhub.methods.criteria import Criteria, Report
from labhub.methods.exchange import Content
from labhub.methods.models import MethodVersion, PerformanceCriteria


def criteria_versions() -> list[Criteria]:
    """Return all versions of the criteria, the newest first."""
    rows = db.session.scalars(
        select(PerformanceCriteria).order_by(
            PerformanceCriteria.adopted_on.desc(), PerformanceCriteria.id.desc()
        )
    )
    return [criteria.read_criteria(row.content) for row in rows]


def find_criteria(version: str | None = None) -> Criteria | None:
    """Return a version of the criteria; without a name the newest, or None where none is loaded."""
    known = criteria_versions()
    if version is None:
        return known[0] if known else None
    found = next((each for each in known if each.version == version), None)
    if found is None:
        raise NotFound(_("There are no performance criteria %(version)s.", version=version[:40]))
    return found


def newest_criteria_version() -> str | None:
    """Return the name of the criteria by which a version is judged today."""
    newest = find_criteria()
    return newest.version if newest else None


@dataclass(frozen=True)
class Judgements:
    """A version judged by the criteria of its publication, and by the newest where these are others."""

    recorded: Report | None
    """By the criteria that were the newest when it was published; None for drafts and older records."""
    newest: Report | None

    @property
    def shown(self) -> Report | None:
        """What a page shows first."""
        return self.recorded or self.newest

    @property
    def has_changed(self) -> bool:
        """Whether newer criteria than those of the publication exist."""
        return (
            self.recorded is not None
            and self.newest is not None
            and self.recorded.criteria.version != self.newest.criteria.version
        )


def judgements_of(version: MethodVersion, content: Content) -> Judgements:
    """Return the judgement of a version, with its content, by its recorded and by the newest criteria."""
    known = criteria_versions()
    if not known:
        return Judgements(None, None)
    own = next((each for each in known if each.version == version.criteria_version), None)
    newest = criteria.judge(content, known[0])
    if own is None:
        return Judgements(None, newest)
    return Judgements(newest if own.version == known[0].version else criteria.judge(content, own), newest)
