"""Loading of the performance criteria."""

from pathlib import Path

from sqlalchemy import select

from labhub import audit, clock
from labhub.accounts.actor import OPERATOR
from labhub.cells import read_json
from labhub.db import db
from labhub.errors import Conflict, Invalid
from labhub.i18n import _
from labhub.methods import criteria
from labhub.methods.models import PerformanceCriteria


def load_seeds(folder: Path) -> int:
    """Load versions of the criteria that the hub does not have yet; return how many.

    A version that is there already must be the same: methods were judged by it.
    """
    path = folder / "criteria.json"
    given = read_json(path.read_bytes(), file=path.name)
    if not isinstance(given, list):
        raise Invalid(_("%(file)s must hold a list.", file=path.name), field="file")
    present = {row.version: row for row in db.session.scalars(select(PerformanceCriteria))}
    made = 0
    for record in given:
        checked = criteria.read_criteria(record)
        row = present.get(checked.version)
        if row is not None:
            if row.content != record:
                raise Conflict(
                    _(
                        "The criteria %(version)s differ from those that methods were judged by. "
                        "Give the changed ones a new version.",
                        version=checked.version,
                    )
                )
            continue
        row = PerformanceCriteria(
            version=checked.version, adopted_on=checked.adopted_on, content=record, loaded_at=clock.now()
        )
        db.session.add(row)
        db.session.flush()
        audit.record(
            OPERATOR, "criteria.load", "performance-criteria", row.id, after={"version": row.version}
        )
        made += 1
    return made
