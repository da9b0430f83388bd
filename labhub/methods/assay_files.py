"""The assays of a file of methods (JSON, also of the raw shape, CSV or XLSX), for searching without a hub."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from labhub.errors import Invalid, NotFound
from labhub.i18n import Message, Text, _
from labhub.methods.assays import assays_of, not_searched
from labhub.methods.tables import rows_of_file
from labhub.sequences.insilico import Assay


@dataclass
class AssaysOfMethods:
    """Assays, what of the methods gives none, and what is known of the oligos' concentrations."""

    assays: list[Assay] = field(default_factory=list)
    refused: list[tuple[str, Text]] = field(default_factory=list)
    nanomolar: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    """Of forward and reverse primer, by the name of the assay."""


def assays_of_file(path: Path, codes: Collection[str] = ()) -> AssaysOfMethods:
    """Return the assays of the methods of a file; only of some when codes are given."""
    found = AssaysOfMethods()
    wanted = {code.upper() for code in codes}
    seen: set[str] = set()
    for number, row in enumerate(rows_of_file(path.read_bytes(), path.name), 1):
        content = row.content
        names = {str(content.get(key) or "").upper() for key in ("code", "wished_code", "source_code")}
        if wanted and not names & wanted:
            continue
        seen |= names & wanted
        add_method(found, content, _label(content, number))
    if missing := wanted - seen:
        raise NotFound(
            _("%(file)s has no method %(codes)s.", file=path.name, codes=", ".join(sorted(missing)))
        )
    if not found.assays and not found.refused:
        raise Invalid(_("%(file)s holds no method.", file=path.name))
    return found


def add_method(found: AssaysOfMethods, content: dict[str, object], label: str) -> None:
    """Add the assays of one method's content, or why it has none."""
    try:
        assays, reasons = assays_of(content), not_searched(content)
    except (KeyError, TypeError, ValueError):
        assays, reasons = [], [_("Its oligos cannot be read.")]
    found.refused += [(label, _reason(reason)) for reason in reasons]
    amounts = {
        str(oligo.get("sequence")): oligo.get("final_concentration_nanomolar")
        for oligo in content.get("oligos") or ()  # type: ignore[attr-defined]
    }
    for assay in assays:
        found.assays.append(assay)
        found.nanomolar[assay.name] = (amounts.get(assay.forward), amounts.get(assay.reverse))


def _label(content: dict[str, object], number: int) -> str:
    return str(content.get("code") or content.get("source_code") or content.get("title") or number)


def _reason(reason: Text) -> Message:
    return reason if isinstance(reason, Message) else _("%(text)s", text=reason)
