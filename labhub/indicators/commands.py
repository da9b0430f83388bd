"""Everything that changes the dictionary of indicators: the seeds."""

from pathlib import Path
from typing import Any

from sqlalchemy import select

from labhub import audit
from labhub.accounts.actor import OPERATOR
from labhub.cells import read_csv
from labhub.db import db
from labhub.errors import Invalid
from labhub.i18n import _
from labhub.indicators.definitions import DEFINITIONS
from labhub.indicators.models import Activity, Indicator

SHARED_COLUMNS = ("code", "title", "source", "verified")


def load_seeds(folder: Path) -> int:
    """Load activities and indicators; return how many rows are new. A second load changes nothing."""
    known_activities = {row.code: row for row in db.session.scalars(select(Activity))}
    known_indicators = {row.code: row for row in db.session.scalars(select(Indicator))}
    created = changed = 0
    for given in _read(folder / "activities.csv", SHARED_COLUMNS):
        activity = known_activities.get(given["code"])
        values = {"title": given["title"], "source": given["source"], "verified": given["verified"] == "1"}
        if activity is None:
            known_activities[given["code"]] = activity = Activity(code=given["code"], **values)
            db.session.add(activity)
            created += 1
        else:
            changed += _update(activity, values)
    for given in _read(folder / "indicators.csv", (*SHARED_COLUMNS, "activity", "record", "distinct_by")):
        if given["code"] not in DEFINITIONS or given["activity"] not in known_activities:
            raise Invalid(
                _("indicators.csv: %(code)s has no definition or activity.", code=given["code"]), field="code"
            )
        indicator = known_indicators.get(given["code"])
        values = {
            "activity": known_activities[given["activity"]],
            "title": given["title"],
            "record": given["record"],
            "distinct_by": given["distinct_by"],
            "source": given["source"],
            "verified": given["verified"] == "1",
        }
        if indicator is None:
            db.session.add(Indicator(code=given["code"], **values))
            created += 1
        else:
            changed += _update(indicator, values)
    if created or changed:
        audit.record(
            OPERATOR, "indicator.seed", "indicator", "seeds", after={"created": created, "changed": changed}
        )
    return created


def _read(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    return read_csv(path.read_bytes(), file=path.name, needed=needed)


def _update(row: Activity | Indicator, values: dict[str, Any]) -> bool:
    different = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different)
