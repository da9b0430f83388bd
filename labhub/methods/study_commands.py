"""Validation studies of a draft: add, change, remove, fill with raw results, decide on laboratories."""

from collections.abc import Mapping, Sequence
from typing import Any

from labhub.accounts.actor import Actor
from labhub.accounts.policy import require
from labhub.errors import Invalid, NotFound
from labhub.i18n import Text, _
from labhub.methods import commands, exchange, queries, study_working
from labhub.methods.models import OPEN_STATES, MethodVersion
from labhub.methods.trial_tables import TrialTable

QUALITATIVE_UNIT = "detected"


def _draft_studies(actor: Actor, code: str) -> list[dict[str, Any]]:
    """Return the studies of the open version, if the actor may change it."""
    versions = queries.versions_of(actor, code)
    version = next((each for each in versions if each.state in OPEN_STATES), versions[0])
    require(actor, "method.change", version)
    return list(queries.content_of(version)["studies"])


def _find(studies: Sequence[dict[str, Any]], position: int) -> dict[str, Any]:
    if not 0 <= position < len(studies):
        raise NotFound(_("There is no study %(number)s in this version.", number=position))
    return studies[position]


def _checked(given: Mapping[str, Any], *, assigned: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Return a study with the figures of its raw results, or refuse it by the names of its own fields."""
    study, errors = exchange.check_study(dict(given))
    if not errors:
        study, errors = exchange.check_study(study_working.computed(study, assigned=assigned))
    if errors:
        raise Invalid(_("The study has mistakes."), errors=errors)
    return study


def _store(actor: Actor, code: str, studies: Sequence[Mapping[str, Any]], expected: int) -> MethodVersion:
    return commands.change_draft(actor, code, {"studies": list(studies)}, expected=expected)


def add_study(actor: Actor, code: str, given: Mapping[str, Any], *, expected: int) -> MethodVersion:
    """Add a study at the end of the draft's list; raw results given with it are computed."""
    studies = _draft_studies(actor, code)
    return _store(actor, code, [*studies, _checked(given)], expected)


def change_study(
    actor: Actor, code: str, position: int, given: Mapping[str, Any], *, expected: int
) -> MethodVersion:
    """Change what is given of a study; with raw results its figures are computed again."""
    studies = _draft_studies(actor, code)
    studies[position] = _checked({**_find(studies, position), **given})
    return _store(actor, code, studies, expected)


def remove_study(actor: Actor, code: str, position: int, *, expected: int) -> MethodVersion:
    """Take a study off the draft; those after it move up."""
    studies = _draft_studies(actor, code)
    _find(studies, position)
    del studies[position]
    return _store(actor, code, studies, expected)


def set_results(
    actor: Actor, code: str, position: int, table: TrialTable, *, unit: str = "", expected: int
) -> MethodVersion:
    """Put raw results in the place of those of a study and compute its figures from them.

    ``unit`` is that of the levels; results of a yes/no test get a unit that says so.
    """
    studies = _draft_studies(actor, code)
    study = _find(studies, position)
    changed = {**study, "data": table.rows, "unit": _unit(unit or study["unit"] or "", table)}
    labels = {row[1] for row in table.rows}
    laboratories = {row[0] for row in table.rows}
    changed["decisions"] = [
        one
        for one in study["decisions"]
        if one["laboratory"] in laboratories and (not one["level"] or one["level"] in labels)
    ]
    studies[position] = _checked(changed, assigned=table.assigned)
    return _store(actor, code, studies, expected)


def _unit(unit: str, table: TrialTable) -> str | None:
    bare = unit[len(QUALITATIVE_UNIT) :].lstrip(", ") if study_working.is_qualitative(unit) else unit
    if not table.is_qualitative:
        return bare or None
    return f"{QUALITATIVE_UNIT}, {bare}" if bare else QUALITATIVE_UNIT


def decide(
    actor: Actor,
    code: str,
    position: int,
    *,
    laboratory: str,
    level: str,
    action: str,
    reason: str,
    expected: int,
) -> MethodVersion:
    """Keep or exclude a laboratory by hand, at one level or at all; an empty action takes that back."""
    studies = _draft_studies(actor, code)
    study = _find(studies, position)
    known = {(str(row[0]), str(row[1])) for row in study["data"]}
    if not any(laboratory == one and level in ("", label) for one, label in known):
        raise Invalid(_("Choose a laboratory and level of the raw results."), field="laboratory")
    others = [one for one in study["decisions"] if (one["laboratory"], one["level"]) != (laboratory, level)]
    if action:
        if not reason.strip():
            raise Invalid(_("Give the reason."), field="reason")
        others.append({"laboratory": laboratory, "level": level, "action": action, "reason": reason})
    studies[position] = _checked({**study, "decisions": others})
    return _store(actor, code, studies, expected)


def import_notes(table: TrialTable) -> list[Text]:
    """Return what a person should know about results just read."""
    if table.is_qualitative:
        return [_("The results were read as those of a yes/no test.")]
    return []
