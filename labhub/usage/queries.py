"""Everything that reads the ledger: rows in the order of time, and what they count to."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from labhub.db import db
from labhub.usage.counting import DOUBLE_CLICK, Judged, Tally, Use, judge, session_hour, tally
from labhub.usage.models import UsageEvent

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
