"""Reads what is set side by side: two versions of a method, or several methods."""

from collections.abc import Sequence
from typing import Any

from labhub.accounts.actor import Actor
from labhub.errors import Invalid, NotFound
from labhub.i18n import Text, _
from labhub.methods import comparison, differences
from labhub.methods.charts import Chart, charts_of
from labhub.methods.criteria import Criteria
from labhub.methods.judgement_queries import criteria_versions
from labhub.methods.models import STATE_NAMES, MethodVersion
from labhub.methods.queries import content_of, files_of, find_version, versions_of


def difference_of(
    actor: Actor | None, before: MethodVersion, after: MethodVersion
) -> list[differences.Difference]:
    """Return what differs between two versions: their content, and the files that the actor may see."""
    return differences.differences(_whole(actor, before), _whole(actor, after))


def _whole(actor: Actor | None, version: MethodVersion) -> dict[str, Any]:
    files = [{key: value for key, value in file.items() if key != "id"} for file in files_of(version, actor)]
    return {**content_of(version), "files": files}


def two_versions(
    actor: Actor | None, code: str, earlier: int | None, later: int | None
) -> tuple[MethodVersion, MethodVersion]:
    """Return two versions by their numbers; by default the newest one seen and the one before it.

    Where there is none before it, both are the same.
    """
    versions = versions_of(actor, code)
    after = find_version(actor, code, later) if later is not None else versions[0]
    if earlier is not None:
        return find_version(actor, code, earlier), after
    before = next((version for version in versions if version.number < after.number), after)
    return before, after


def versions_to_compare(actor: Actor | None, codes: Sequence[str]) -> list[MethodVersion]:
    """Return the published (or newest seen) version of each code, each method once, in the order given."""
    if len(codes) > comparison.MOST:
        raise Invalid(
            _("At most %(number)s methods stand side by side. Take some out.", number=comparison.MOST),
            field="code",
        )
    versions: list[MethodVersion] = []
    for code in codes:
        version = find_version(actor, code)
        if version not in versions:
            versions.append(version)
    return versions


def criteria_of(version: MethodVersion) -> Criteria | None:
    """Return the criteria whose limits charts draw: those of the publication, else the newest."""
    known = criteria_versions()
    own = next((each for each in known if each.version == version.criteria_version), None)
    return own or (known[0] if known else None)


def find_chart(version: MethodVersion, place: int, name: str) -> Chart:
    """Return a chart of a version's study by the study's place, from 0, and the chart's name."""
    studies = content_of(version)["studies"]
    known = charts_of(studies[place], criteria_of(version)) if place < len(studies) else []
    found = next((chart for chart in known if chart.name == name), None)
    if found is None:
        raise NotFound(_("There is no such chart."))
    return found


def state_names() -> dict[str, Text]:
    """Return the names of the states of versions."""
    return {state.value: _(text) for state, text in STATE_NAMES.items()}
