"""Everything that reads the ledger: rows in the order of time, and what they count to."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from labhub.db import db
from labhub.usage.counting import DOUBLE_CLICK, Judged, Tally, Use, judge, session_hour, tally
from labhub.usage.models import AgentClass, UsageEvent

ROWS_AT_A_TIME = 5_000
COUNTED_COLUMNS = tuple(getattr(UsageEvent, name) for name in Use._fields)
LEDGER_COLUMNS: list[Any] = [
    UsageEvent.id,
    UsageEvent.at,
    UsageEvent.item_kind,
    UsageEvent.item_code,
    UsageEvent.item_version,
    UsageEvent.file,
    UsageEvent.status,
    UsageEvent.access,
    UsageEvent.agent_class,
    UsageEvent.robot_list,
    UsageEvent.party_id,
    UsageEvent.user_id.is_not(None).label("has_account"),
]
"""What may be shown of a row: nothing that tells who asked but the Party."""


def uses(
    since: datetime | None = None, until: datetime | None = None, kinds: Iterable[str] | None = None
) -> Iterator[Use]:
    """Yield the uses from ``since`` to 30 s after ``until``, in the order of time, without holding them.

    The 30 s more decide whether the last ones of the period were double clicks.
    """
    query = select(*COUNTED_COLUMNS).where(*_between(since, until and until + DOUBLE_CLICK))
    if kinds is not None:
        query = query.where(UsageEvent.item_kind.in_(sorted(kinds)))
    query = query.order_by(UsageEvent.at, UsageEvent.id).execution_options(yield_per=ROWS_AT_A_TIME)
    for row in db.session.execute(query):
        yield Use._make(row)


def _between(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        conditions.append(UsageEvent.at >= since)
    if until is not None:
        conditions.append(UsageEvent.at <= until)
    return conditions


def count_uses(
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    kinds: Iterable[str] | None = None,
    keys: Callable[[Use], Iterable[str]] | None = None,
) -> Tally:
    """Count the uses of a period (``until`` is outside) by the rules of ``counting.py``."""
    return tally(uses(since, until, kinds), until=until, keys=keys)


def ledger_counts() -> dict[str, int]:
    """Count the whole ledger anew: rows, total and unique item requests, machines, and what was dropped."""
    result = count_uses()
    figures = asdict(result.total)
    return {
        "rows": result.rows,
        "total_item_requests": figures["value"],
        "unique_item_requests": figures["unique"],
        "machine": figures["machine"],
        "robots": result.robots,
        "double_clicks": result.double_clicks,
    }


def party_months() -> dict[tuple[str, int | None], int]:
    """Return total item requests by month (``2026-03``) and Party's number (nothing: without Party)."""

    def key(use: Use) -> tuple[str, ...]:
        return (f"{use.at:%Y-%m}/{use.party_id or ''}",)

    cells = count_uses(keys=key).by
    return {(cell[:7], int(cell[8:]) if cell[8:] else None): figures.value for cell, figures in cells.items()}


def ledger_state() -> tuple[int, str | None]:
    """Return how many rows there are and the last one's uuid: the same state gives the same counts.

    Rows are only ever added; the number tells a row that was written late by a slower transaction.
    """
    count = db.session.scalar(select(func.count()).select_from(UsageEvent)) or 0
    last = select(UsageEvent.uuid).order_by(UsageEvent.id.desc()).limit(1)
    return count, db.session.scalar(last)


def first_use() -> datetime | None:
    """Return when the first row was written."""
    return db.session.scalar(select(func.min(UsageEvent.at)))


def ledger_rows(
    since: datetime | None, until: datetime | None, kinds: Iterable[str] | None = None
) -> Select[Any]:
    """Select the rows of a period (``until`` is outside) as they may be shown."""
    query: Select[Any] = select(*LEDGER_COLUMNS).where(*_between(since, None))
    if until is not None:
        query = query.where(UsageEvent.at < until)
    if kinds is not None:
        query = query.where(UsageEvent.item_kind.in_(sorted(kinds)))
    return query


def verdicts(first: datetime, last: datetime) -> dict[int, Judged]:
    """Return what the rules say of each row between two instants, both inside, by the row's number."""
    around = uses(session_hour(first), last)
    return {judged.use.id: judged for judged in judge(around) if first <= judged.use.at <= last}


@dataclass
class Downloader:
    """A person who has an item, by the ledger: every row with the account, programs included."""

    user_id: int
    party_id: int | None
    laboratory_id: int | None
    """Party and laboratory of the person at the last download."""
    first_at: datetime
    last_at: datetime
    downloads: int = 0
    files: list[str] = field(default_factory=list)
    """Formats and files, each once, in the order of the first time."""


def downloaders(kind: str, item_id: int, version: str, until: datetime) -> list[Downloader]:
    """Return who has a version of an item, each person once, in the order of the first download.

    For recalls only: the caller sees to it that names go no further than ``docs/methods.md`` says.
    """
    columns = (
        UsageEvent.user_id,
        UsageEvent.at,
        UsageEvent.file,
        UsageEvent.party_id,
        UsageEvent.laboratory_id,
    )
    query = (
        select(*columns)
        .where(*_of_version(kind, item_id, version, until), UsageEvent.user_id.is_not(None))
        .order_by(UsageEvent.at, UsageEvent.id)
        .execution_options(yield_per=ROWS_AT_A_TIME)
    )
    found: dict[int, Downloader] = {}
    for number, at, file, party_id, laboratory_id in db.session.execute(query):
        user_id = int(number or 0)
        person = found.setdefault(user_id, Downloader(user_id, party_id, laboratory_id, at, at))
        person.last_at, person.party_id, person.laboratory_id = at, party_id, laboratory_id
        person.downloads += 1
        if file not in person.files:
            person.files.append(file)
    return list(found.values())


def anonymous_downloads(kind: str, item_id: int, version: str, until: datetime) -> int:
    """Return how many rows of a version have no account and are of no robot: nobody can be told of them."""
    query = select(func.count()).where(
        *_of_version(kind, item_id, version, until),
        UsageEvent.user_id.is_(None),
        UsageEvent.agent_class != AgentClass.ROBOT,
    )
    return db.session.scalar(query) or 0


def _of_version(kind: str, item_id: int, version: str, until: datetime) -> list[ColumnElement[bool]]:
    return [
        UsageEvent.item_kind == kind,
        UsageEvent.item_id == item_id,
        UsageEvent.item_version == version,
        UsageEvent.at <= until,
    ]
