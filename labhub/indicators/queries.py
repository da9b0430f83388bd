"""The indicators, and the figures that labhub computes from its records."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import date
from functools import partial
from threading import Lock
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, selectinload

from labhub.accounts.actor import OPERATOR, Actor
from labhub.accounts.models import Party, StatusKind
from labhub.accounts.policy import can, may_ever
from labhub.accounts.queries import groups_on, status_on
from labhub.audit import AuditHead
from labhub.cells import write_csv
from labhub.db import db
from labhub.errors import NotAllowed, NotFound
from labhub.i18n import _
from labhub.indicators.definitions import (
    DEFINITIONS,
    NO_REGION,
    NON_PARTIES,
    ORGANISATIONS,
    OTHER_PARTIES,
    UNATTRIBUTED,
    Dimension,
    Period,
    make_period,
    time_cell,
)
from labhub.indicators.models import Activity, Indicator
from labhub.usage.counting import Figures, Tally, Use, Verdict
from labhub.usage.models import Access, UsageEvent
from labhub.usage.queries import count_uses, first_use, ledger_rows, ledger_state, verdicts
from labhub.workbooks import Column, Due, SheetToWrite, write_book

DOWNLOADS = frozenset({"method", "sequence"})
"""Kinds of items that A08.2 counts, with their files."""

FIGURES_KEPT = 64


def visible_indicators(actor: Actor | None) -> Select[Indicator]:
    """Select indicators: all are public."""
    return select(Indicator).options(selectinload(Indicator.activity))


def activities() -> list[Activity]:
    """Return the activities with their indicators, by code."""
    query = select(Activity).options(selectinload(Activity.indicators)).order_by(Activity.code)
    return list(db.session.scalars(query))


def find_indicator(actor: Actor | None, code: str) -> Indicator:
    """Return an indicator by its code, whatever the case."""
    row = db.session.scalar(visible_indicators(actor).where(Indicator.code == code.strip().upper()))
    if row is None:
        raise NotFound(_("There is no indicator %(code)s.", code=code))
    return row


def activity_rows(q: str = "") -> Select[Any]:
    """Select activities as lists show them; ``q`` narrows by code or title."""
    columns: list[Any] = [Activity.code, Activity.title, Activity.source, Activity.verified]
    query: Select[Any] = select(*columns)
    return query.where(_contains(q, Activity.code, Activity.title)) if q else query


def activity_columns() -> dict[str, InstrumentedAttribute[Any]]:
    """Return the columns that activities can be sorted by."""
    return {"code": Activity.code, "title": Activity.title}


def indicator_rows(q: str = "") -> Select[Any]:
    """Select indicators as lists show them; ``q`` narrows by code or title."""
    columns: list[Any] = [
        Indicator.code,
        Activity.code.label("activity"),
        Activity.title.label("activity_title"),
        Indicator.title,
        Indicator.record,
        Indicator.distinct_by,
        Indicator.source,
        Indicator.verified,
    ]
    query: Select[Any] = select(*columns).join(Activity, Indicator.activity_id == Activity.id)
    return query.where(_contains(q, Indicator.code, Indicator.title)) if q else query


def indicator_columns() -> dict[str, InstrumentedAttribute[Any]]:
    """Return the columns that indicators can be sorted by."""
    return {"code": Indicator.code, "activity": Activity.code, "title": Indicator.title}


def _contains(q: str, *columns: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    pattern = "".join(f"!{sign}" if sign in "!%_" else sign for sign in q.lower())
    return or_(*(func.lower(column).like(f"%{pattern}%", escape="!") for column in columns))


def with_definition(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an indicator of a list with its unit, and whether labhub computes it."""
    definition = DEFINITIONS[row["code"]]
    return {
        **row,
        "unit": definition.unit,
        "computed": definition.is_computed,
        "rule_version": definition.rule_version,
    }


# Who may see a figure split by what -------------------------------------------------------------


def default_dimension(actor: Actor | None) -> Dimension:
    """Return what a figure is split by unless asked: by Party for those who may see it, else by year."""
    return Dimension.PARTY if may_ever(actor, "indicator.by-party") else Dimension.YEAR


def require_dimension(actor: Actor | None, dimension: Dimension | None) -> None:
    """Refuse the split by Party to those who may see no Party's cell."""
    if dimension is Dimension.PARTY and not may_ever(actor, "indicator.by-party"):
        raise NotAllowed(
            _("Figures by Party are for the Secretariat; a focal point sees those of its own Party.")
        )


def _visible_cells(
    actor: Actor | None, dimension: Dimension | None, cells: dict[str, Figures]
) -> dict[str, Figures]:
    if dimension is not Dimension.PARTY:
        return cells
    parties = {party.iso2: party for party in db.session.scalars(select(Party))}
    return {
        key: figures for key, figures in cells.items() if can(actor, "indicator.by-party", parties.get(key))
    }


# The figures ------------------------------------------------------------------------------------


def downloads(period: Period, dimension: Dimension | None = None) -> Tally:
    """Count A08.2: item requests for methods, sequences and their files, from the ledger.

    Parties, groups and regions are those of the day of the use. The EU's people count for the
    EU only, as they belong to it; States that were no Parties, organisations and visitors are
    cells of their own. A Party may be in several groups, so those cells do not add up.

    The last figures are kept until the ledger or anything that is audited (Parties too) changes.
    """
    head = db.session.get(AuditHead, 1, populate_existing=True)
    key = (ledger_state(), head.hash if head else "", period, dimension)
    with _kept_mutex:
        kept = _kept.pop(key, None)
    tally = kept or _count_downloads(period, dimension)
    with _kept_mutex:
        _kept[key] = tally  # the one used last stands last
        while len(_kept) > FIGURES_KEPT:
            del _kept[next(iter(_kept))]
    return tally


_kept: dict[Hashable, Tally] = {}
_kept_mutex = Lock()


def _count_downloads(period: Period, dimension: Dimension | None) -> Tally:
    keys: Callable[[Use], Iterable[str]] | None = None
    if dimension in (Dimension.YEAR, Dimension.QUARTER):
        keys = partial(_time_keys, dimension)
    elif dimension is not None:
        keys = _StateKeys(dimension)
    return count_uses(period.since, period.until, kinds=DOWNLOADS, keys=keys)


def _time_keys(dimension: Dimension, use: Use) -> Iterable[str]:
    return time_cell(dimension, use.at)


class _StateKeys:
    """The cells of a use by Party, region or group, on its day; each Party and day is looked up once."""

    def __init__(self, dimension: Dimension) -> None:
        self.dimension = dimension
        query = select(Party).options(selectinload(Party.statuses), selectinload(Party.groups))
        self.parties = {party.id: party for party in db.session.scalars(query)}
        self.known: dict[tuple[int, date], tuple[str, ...]] = {}

    def __call__(self, use: Use) -> tuple[str, ...]:
        if use.party_id is None:
            return (UNATTRIBUTED if use.user_id is None else ORGANISATIONS,)
        key = (use.party_id, use.at.date())
        if key not in self.known:
            self.known[key] = self._cells(self.parties[use.party_id], key[1])
        return self.known[key]

    def _cells(self, party: Party, day: date) -> tuple[str, ...]:
        if status_on(party, day) is not StatusKind.PARTY:
            return (NON_PARTIES,)
        if self.dimension is Dimension.PARTY:
            return (party.iso2,)
        if self.dimension is Dimension.REGION:
            return (party.region.value if party.region else NO_REGION,)
        return tuple(sorted(group.value for group in groups_on(party, day))) or (OTHER_PARTIES,)


RULES: dict[str, Callable[[Period, Dimension | None], Tally]] = {"A08.2": downloads}
"""The indicators that labhub computes, each with its rule."""


def figure(
    actor: Actor | None, code: str, period: Period, dimension: Dimension | None, *, gap: int = 0
) -> dict[str, Any]:
    """Return an indicator's figure in the shape of ``contract.md``; a value that is not computed is nothing.

    ``gap`` is how many ledger rows wait in the spool and so are missing.
    """
    require_dimension(actor, dimension)
    definition = DEFINITIONS[code]
    result: dict[str, Any] = {
        "code": code,
        "value": None,
        "unit": definition.unit,
        "by": {},
        "split_by": dimension.value if dimension else None,
        "period": period.label,
        "rule_version": definition.rule_version,
    }
    rule = RULES.get(code)
    if rule is None:
        return {**result, "status": "not computed yet"}
    tally = rule(period, dimension)
    cells = _visible_cells(actor, dimension, tally.by)
    return {
        **result,
        "value": tally.total.value,
        "by": {key: cells[key].value for key in sorted(cells)},
        "status": "computed",
        "unique": tally.total.unique,
        "machine": tally.total.machine,
        "by_unique": {key: cells[key].unique for key in sorted(cells)},
        "by_machine": {key: cells[key].machine for key in sorted(cells)},
        "gap": gap,
    }


def indicator_table(
    *,
    year: int | None = None,
    from_on: date | None = None,
    to_on: date | None = None,
    by: str | None = None,
    gap: int = 0,
    actor: Actor | None = OPERATOR,
) -> list[dict[str, Any]]:
    """Return every indicator's figure, by code; by Party unless asked otherwise (for the command line)."""
    period = make_period(year, from_on, to_on)
    dimension = Dimension(by) if by else default_dimension(actor)
    return [
        {**figure(actor, row["code"], period, dimension, gap=gap), "title": row["title"]}
        for row in db.session.execute(indicator_rows().order_by(Indicator.code)).mappings()
    ]


TABLE_COLUMNS = (
    "code",
    "title",
    "period",
    "split_by",
    "cell",
    "value",
    "unique",
    "machine",
    "unit",
    "rule_version",
)


def table_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the table as CSV: one line for each figure and one for each of its cells."""
    return write_csv(TABLE_COLUMNS, table_lines(rows))


def table_lines(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return one line of text cells for each figure and one for each of its cells."""
    lines: list[dict[str, str]] = []
    for row in rows:
        shared = {name: _text(row.get(name)) for name in TABLE_COLUMNS if name != "split_by"}
        lines.append(shared)
        for key, value in row["by"].items():
            cell = {
                "split_by": row["split_by"],
                "cell": key,
                "value": value,
                "unique": row["by_unique"][key],
                "machine": row["by_machine"][key],
            }
            lines.append({**shared, **{name: _text(item) for name, item in cell.items()}})
    return lines


NUMBERS = frozenset({"value", "unique", "machine"})


def table_book(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the same lines as a workbook (XLSX), with counts as numbers."""
    columns = [Column(name, Due.NUMBER if name in NUMBERS else Due.TEXT) for name in TABLE_COLUMNS]
    lines = [
        {name: int(text) if name in NUMBERS and text else text for name, text in line.items()}
        for line in table_lines(rows)
    ]
    return write_book([SheetToWrite("indicators", columns, lines)])


def _text(value: Any) -> str:
    return "" if value is None else str(value)


# The rows behind a figure -----------------------------------------------------------------------


def record_rows(code: str, period: Period) -> Select[Any]:
    """Select the ledger rows that a figure was computed from; nothing for a figure not computed."""
    if code not in RULES:
        raise NotFound(_("%(code)s is not computed yet, so there are no rows behind it.", code=code))
    return ledger_rows(period.since, period.until, DOWNLOADS)


def record_columns() -> dict[str, InstrumentedAttribute[Any]]:
    """Return the columns of the ledger that the rows behind a figure are ordered by."""
    return {"at": UsageEvent.at, "id": UsageEvent.id}


def with_verdicts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one page of ledger rows, neighbours in time, with what the rules say of each."""
    if not rows:
        return []
    times = [row["at"] for row in rows]
    judged = verdicts(min(times), max(times))
    codes = {party.id: party.iso2 for party in db.session.scalars(select(Party))}
    result: list[dict[str, Any]] = []
    for row in rows:
        found = judged[row["id"]]
        who = UNATTRIBUTED if not row["has_account"] else ORGANISATIONS
        result.append(
            {
                "id": row["id"],
                "at": row["at"],
                "item": row["item_code"],
                "kind": row["item_kind"],
                "version": row["item_version"],
                "file": row["file"],
                "status": row["status"],
                "party": codes.get(row["party_id"] or 0, who),
                "access": row["access"].value,
                "agent": row["agent_class"].value,
                "robot_list": row["robot_list"],
                "verdict": found.verdict.value,
                "counts": found.verdict is Verdict.COUNTED and row["access"] is Access.REGULAR,
                "unique": found.is_unique and row["access"] is Access.REGULAR,
            }
        )
    return result


def party_names() -> dict[str, str]:
    """Return the Parties' names in the reader's language by their codes."""
    return {party.iso2: party.name for party in db.session.scalars(select(Party))}


def first_year() -> int | None:
    """Return the year of the first row of the ledger."""
    first = first_use()
    return first.year if first else None
