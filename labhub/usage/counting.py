"""How downloads are counted (COUNTER Code of Practice, release 5.1), without database or clock.

Rows come in the order of their time and are judged in one pass: what is kept in memory is the
uses of the last 30 seconds and the sessions of the present hour.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from labhub.usage.models import Access, AgentClass
from labhub.usage.robots import NOT_PEOPLE

DOUBLE_CLICK = timedelta(seconds=30)
"""Two uses of one address by one user are one when no more than this lies between them."""


class Use(NamedTuple):
    """What counting needs of one row of the ledger."""

    id: int
    at: datetime
    user_key: str
    access: Access
    agent_class: AgentClass
    item_kind: str
    item_id: int
    item_version: str
    file: str
    user_id: int | None
    party_id: int | None

    @property
    def address(self) -> tuple[object, ...]:
        """User and address, by which double clicks are told."""
        return (self.access, self.user_key, self.item_kind, self.item_id, self.item_version, self.file)

    @property
    def item(self) -> tuple[object, ...]:
        """User and work, whatever version or file, by which unique requests are told within an hour."""
        return (self.access, self.user_key, self.item_kind, self.item_id)


class Verdict(StrEnum):
    """Whether a use counts, or why not."""

    COUNTED = "counted"
    DOUBLE_CLICK = "double-click"
    ROBOT = "robot"


class Judged(NamedTuple):
    """A use and its verdict; ``is_unique`` marks the first counted use of an item in its session."""

    use: Use
    verdict: Verdict
    is_unique: bool


@dataclass
class Figures:
    """Total and unique item requests of regular access, and total item requests of machines."""

    value: int = 0
    unique: int = 0
    machine: int = 0

    def add(self, judged: Judged) -> None:
        """Take one counted use in."""
        if judged.use.access is Access.MACHINE:
            self.machine += 1
        else:
            self.value += 1
            self.unique += judged.is_unique


@dataclass
class Tally:
    """The figures of a period, the same by key, and what was left out."""

    total: Figures = field(default_factory=Figures)
    by: dict[str, Figures] = field(default_factory=dict)
    rows: int = 0
    robots: int = 0
    double_clicks: int = 0


def counts(method: str, status: int, first_byte: int = 0) -> bool:
    """Return whether an answer is a download: a GET with 200, 304, or 206 that starts at byte 0.

    >>> counts("GET", 200), counts("GET", 304), counts("GET", 206, 0)
    (True, True, True)
    >>> counts("HEAD", 200), counts("GET", 206, 4096), counts("GET", 404), counts("GET", 416)
    (False, False, False, False)
    """
    return method == "GET" and (status in (200, 304) or (status == 206 and first_byte == 0))


def session_hour(at: datetime) -> datetime:
    """Return the beginning of the hour (UTC) that a session lasts: user, date and hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def is_robot(use: Use) -> bool:
    """Whether regular access came from no person; with a token any agent is a machine, counted apart."""
    return use.access is Access.REGULAR and use.agent_class in NOT_PEOPLE


def judge(uses: Iterable[Use]) -> Iterator[Judged]:
    """Judge uses given in the order of time, and yield them in that order.

    A use is dropped when the same user asks for the same address again within 30 s, so of a
    chain of clicks the last one is kept. Raises ``ValueError`` when the order is wrong.
    """
    pending: deque[_Pending] = deque()
    latest: dict[tuple[object, ...], _Pending] = {}
    sessions = _Sessions()
    last: datetime | None = None
    for use in uses:
        if last is not None and use.at < last:
            raise ValueError(f"ledger row {use.id} is out of order")
        last = use.at
        border = use.at - DOUBLE_CLICK
        while pending and pending[0].use.at < border:
            yield sessions.judge(_forget(pending.popleft(), latest))
        entry = _Pending(use)
        if is_robot(use):
            entry.verdict = Verdict.ROBOT
        else:
            before = latest.get(entry.address)
            if before is not None:
                before.verdict = Verdict.DOUBLE_CLICK
            latest[entry.address] = entry
        pending.append(entry)
    for entry in pending:
        yield sessions.judge(entry)


class _Pending:
    __slots__ = ("address", "use", "verdict")

    def __init__(self, use: Use) -> None:
        self.use = use
        self.address = use.address
        self.verdict = Verdict.COUNTED


def _forget(entry: _Pending, latest: dict[tuple[object, ...], _Pending]) -> _Pending:
    if latest.get(entry.address) is entry:
        del latest[entry.address]
    return entry


class _Sessions:
    def __init__(self) -> None:
        self.hour: datetime | None = None
        self.items: set[tuple[object, ...]] = set()

    def judge(self, entry: _Pending) -> Judged:
        use = entry.use
        if entry.verdict is not Verdict.COUNTED:
            return Judged(use, entry.verdict, False)
        hour = session_hour(use.at)
        if hour != self.hour:
            self.hour = hour
            self.items.clear()
        item = use.item
        is_unique = item not in self.items
        self.items.add(item)
        return Judged(use, entry.verdict, is_unique)


def tally(
    uses: Iterable[Use],
    *,
    until: datetime | None = None,
    keys: Callable[[Use], Iterable[str]] | None = None,
) -> Tally:
    """Count uses given in the order of time; ``keys`` names the cells that a use belongs to.

    Uses at or after ``until`` only decide whether an earlier one was a double click.
    """
    result = Tally()
    for judged in judge(uses):
        if until is not None and judged.use.at >= until:
            continue
        result.rows += 1
        if judged.verdict is Verdict.ROBOT:
            result.robots += 1
        elif judged.verdict is Verdict.DOUBLE_CLICK:
            result.double_clicks += 1
        else:
            result.total.add(judged)
            for key in keys(judged.use) if keys else ():
                result.by.setdefault(key, Figures()).add(judged)
    return result
