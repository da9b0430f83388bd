"""When a discussion takes posts: computed from its instants and the clock, never stored."""

from datetime import datetime
from enum import StrEnum

from labhub.i18n import N_


class DiscussionState(StrEnum):
    """Where a discussion stands at an instant."""

    SCHEDULED = "scheduled"
    OPEN = "open"
    CLOSED = "closed"
    ARCHIVED = "archived"


STATE_NAMES: dict[DiscussionState, str] = {
    DiscussionState.SCHEDULED: N_("scheduled"),
    DiscussionState.OPEN: N_("open"),
    DiscussionState.CLOSED: N_("closed"),
    DiscussionState.ARCHIVED: N_("archived"),
}


def state_at(
    now: datetime, *, opens_at: datetime, closes_at: datetime, archived_at: datetime | None
) -> DiscussionState:
    """Return the state at ``now``: open from the opening instant on, until just before the closing one.

    >>> from datetime import UTC
    >>> opening, closing = datetime(2026, 3, 2, 1, tzinfo=UTC), datetime(2026, 3, 16, 1, tzinfo=UTC)
    >>> str(state_at(opening, opens_at=opening, closes_at=closing, archived_at=None))
    'open'
    >>> str(state_at(closing, opens_at=opening, closes_at=closing, archived_at=None))
    'closed'
    """
    if archived_at is not None:
        return DiscussionState.ARCHIVED
    if now < opens_at:
        return DiscussionState.SCHEDULED
    return DiscussionState.OPEN if now < closes_at else DiscussionState.CLOSED


def moment(instant: datetime) -> str:
    """Return an instant in UTC to the minute, with its seconds where it has any.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 3, 16, 1, tzinfo=UTC))
    '2026-03-16 01:00 UTC'
    """
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC" if instant.second else "%Y-%m-%d %H:%M UTC")
