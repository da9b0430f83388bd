"""Everything that writes the ledger. Counting is exact, and never the reason why a download fails."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import insert, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from labhub import clock
from labhub.accounts.actor import Actor
from labhub.db import separate_transaction
from labhub.spool import Spool
from labhub.usage.models import Access, AgentClass, UsageEvent
from labhub.usage.robots import agent_class, robot_list

log = structlog.get_logger("labhub.usage")


@dataclass(frozen=True)
class Visit:
    """Who asks, as the ledger may know it: the account, else address and agent for the key only."""

    actor: Actor
    address: str
    agent: str
    request_id: str


@dataclass(frozen=True)
class UsedItem:
    """What was downloaded."""

    kind: str
    id: int
    code: str
    version: str
    file: str
    laboratory_id: int | None


def user_key(secret: str, visit: Visit) -> str:
    """Return the key of a user: the account when there is one, else address and agent, under the secret."""
    if visit.actor.user_id is not None:
        who = f"account:{visit.actor.user_id}"
    else:
        who = f"visitor:{visit.address}\n{visit.agent}"
    return hmac.digest(secret.encode(), who.encode("utf-8", "backslashreplace"), "sha256").hex()


def record_use(
    item: UsedItem,
    visit: Visit,
    status: int,
    *,
    secret: str,
    spool: Spool,
    at: datetime | None = None,
) -> bool:
    """Write one row in a transaction of its own; return whether the ledger took it.

    When it cannot, the row waits in the spool and the download goes on (``trust.md`` F3, H1).
    """
    return record_uses([item], visit, status, secret=secret, spool=spool, at=at)


def record_uses(
    items: Sequence[UsedItem],
    visit: Visit,
    status: int,
    *,
    secret: str,
    spool: Spool,
    at: datetime | None = None,
) -> bool:
    """Write one row for each item of one download, all at the same time; else as ``record_use``."""
    at = at or clock.now()
    rows = [{**_row(item, visit, status, secret), "at": at} for item in items]
    try:
        with separate_transaction() as session:
            session.execute(insert(UsageEvent), rows)
    except (DBAPIError, PoolTimeout, OSError) as error:
        for row in rows:
            _spool(row, spool, type(error).__name__)
        return False
    return True


def _row(item: UsedItem, visit: Visit, status: int, secret: str) -> dict[str, Any]:
    actor = visit.actor
    signed_in = actor.user_id is not None
    laboratories = actor.laboratory_ids
    return {
        "uuid": str(uuid4()),
        "user_id": actor.user_id,
        "user_key": user_key(secret, visit),
        "party_id": actor.party_id if signed_in else None,
        "laboratory_id": laboratories[0] if signed_in and len(laboratories) == 1 else None,
        "access": Access.REGULAR if actor.scope is None else Access.MACHINE,
        "agent_class": agent_class(visit.agent),
        "robot_list": robot_list(),
        **{f"item_{name}": value for name, value in asdict(item).items() if name != "file"},
        "file": item.file[:255],
        "status": status,
        "request_id": visit.request_id[:64],
    }


def _spool(row: Mapping[str, Any], spool: Spool, reason: str) -> None:
    plain = {**row, "at": row["at"].isoformat()}
    try:
        spool.add(plain)
    except OSError as error:
        log.error("usage row kept in memory", reason=reason, spool=type(error).__name__, row=plain)
        return
    log.warning("usage row spooled", reason=reason, uuid=row["uuid"])


def replay_spool(spool: Spool) -> int:
    """Write the rows that wait into the ledger and return how many it took; a second time adds nothing.

    Raises ``OSError`` or a database error when it still cannot be done: nothing is lost then.
    """
    if not spool.gap():
        return 0
    count = 0
    with spool.take() as rows:
        refused: list[dict[str, Any]] = []
        with separate_transaction() as session:
            known = _known(session, [str(row["uuid"]) for row in rows])
            for row in rows:
                if row["uuid"] in known:
                    continue
                known.add(row["uuid"])
                try:
                    with session.begin_nested():
                        session.execute(insert(UsageEvent).values(**_typed(row)))
                except (IntegrityError, DataError, TypeError, ValueError, KeyError) as error:
                    log.error("usage row refused", uuid=row["uuid"], reason=type(error).__name__)
                    refused.append(row)
                    continue
                count += 1
        for row in refused:
            spool.put_aside(row)
    return count


def _known(session: Session, uuids: list[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(uuids), 500):
        known.update(
            session.scalars(select(UsageEvent.uuid).where(UsageEvent.uuid.in_(uuids[start : start + 500])))
        )
    return known


def _typed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "at": datetime.fromisoformat(row["at"]),
        "access": Access(row["access"]),
        "agent_class": AgentClass(row["agent_class"]),
    }
