"""The PCR assays of a method: what in-silico PCR can search of it, and why it cannot search the rest.

A set of oligos with one forward and one reverse primer is one assay. With several primers or probes in a
set every combination is one, since the reaction holds them all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from labhub.i18n import Message, _
from labhub.methods.models import OligoRole, Technique
from labhub.sequences.insilico import Assay

WITH_PCR = frozenset({Technique.END_POINT, Technique.QPCR, Technique.DPCR, Technique.SEQUENCING})
"""Techniques whose two primers bound a product; what is written of others is never taken for primers."""
PARTS = (OligoRole.FORWARD, OligoRole.REVERSE, OligoRole.PROBE)
MOST_ASSAYS = 200
"""Assays of one method; a set that would give more is named as not searched."""


@dataclass(frozen=True)
class Searched:
    """An assay, the set that it comes from, and the length of its product as published."""

    assay: Assay
    set_name: str
    amplicon_bp: int | None


def assays_of(content: Mapping[str, Any]) -> list[Assay]:
    """Return the assays of a method's content (``exchange.CONTENT``).

    An assay is named by the method's code, ``code/set`` for further sets; with several
    combinations in a set the names of the oligos follow, ``code/set F1 R2``.

    >>> primers = [("forward", "F", "ACGTACGTACGTACGT"), ("reverse", "R", "TTGACCGATTGACCGA")]
    >>> oligos = [{"set": "", "role": r, "name": n, "sequence": s} for r, n, s in primers]
    >>> assays_of({"code": "LH-1", "technique": "qpcr", "oligos": oligos})
    [Assay(name='LH-1', forward='ACGTACGTACGTACGT', reverse='TTGACCGATTGACCGA', probe='')]
    """
    return [each.assay for each in searched_of(content)]


def searched_of(content: Mapping[str, Any]) -> list[Searched]:
    """Return the assays of a method's content with set and published length."""
    return _read(content)[0]


def not_searched(content: Mapping[str, Any]) -> list[Message]:
    """Return what of a method gives no assay, each with its reason; empty when everything is searched.

    >>> [str(reason) for reason in not_searched({"technique": "protein", "oligos": []})]
    ['A protein test has no primers.']
    """
    return _read(content)[1]


def _read(content: Mapping[str, Any]) -> tuple[list[Searched], list[Message]]:
    if content["technique"] == Technique.PROTEIN:
        return [], [_("A protein test has no primers.")]
    if content["technique"] not in WITH_PCR:
        return [], [_("Isothermal amplification is not searched: its primers do not bound one product.")]
    sets: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for oligo in content["oligos"] or ():
        roles = sets.setdefault(oligo.get("set") or "", {})
        named = roles.setdefault(oligo["role"], [])
        named.append((oligo.get("name") or str(len(named) + 1), oligo["sequence"]))
    if not sets:
        return [], [_("The method names no primers.")]
    code = content.get("code") or content.get("wished_code") or content.get("source_code") or ""
    sizes = {each["name"]: each.get("amplicon_bp") for each in content.get("oligo_sets") or ()}
    sizes[""] = content.get("amplicon_bp")
    assays: list[Searched] = []
    reasons: list[Message] = []
    for set_name, roles in sets.items():
        name = f"{code}/{set_name}" if set_name and len(sets) > 1 else code
        count = _combinations(roles)
        if not count:
            reasons.append(_unpaired(set_name, roles))
        elif len(assays) + count > MOST_ASSAYS:
            reasons.append(
                _(
                    "Set %(set)s: its oligos combine to more than %(most)s assays.",
                    set=set_name or "1",
                    most=MOST_ASSAYS,
                )
            )
        else:
            assays += [Searched(assay, set_name, sizes.get(set_name)) for assay in _combined(name, roles)]
    return assays, reasons


def _combinations(roles: Mapping[str, list[tuple[str, str]]]) -> int:
    forward, reverse, probes = (len(_distinct(roles.get(role, []))) for role in PARTS)
    return forward * reverse * max(probes, 1)


def _combined(name: str, roles: Mapping[str, list[tuple[str, str]]]) -> list[Assay]:
    """Return every combination of a set's forward and reverse primers and probes, equal ones once."""
    forward, reverse, probes = (_distinct(roles.get(role, [])) for role in PARTS)
    probes = probes or [("", "")]
    found = []
    for (f, f_bases), (r, r_bases), (p, p_bases) in product(forward, reverse, probes):
        chosen = [
            oligo
            for oligo, among in ((f, forward), (r, reverse), (p, probes))
            if len(among) > 1  # named only where there is a choice
        ]
        found.append(Assay(" ".join([name, *chosen]), f_bases, r_bases, p_bases))
    return found


def _distinct(oligos: list[tuple[str, str]]) -> list[tuple[str, str]]:
    by_bases: dict[str, str] = {}
    for name, bases in oligos:
        by_bases.setdefault(bases, name)
    names = list(by_bases.values())
    return [
        (name if names.count(name) == 1 else f"{name}.{place}", bases)
        for place, (bases, name) in enumerate(by_bases.items(), start=1)
    ]


def _unpaired(set_name: str, roles: Mapping[str, list[tuple[str, str]]]) -> Message:
    has_forward, has_reverse = bool(roles.get(OligoRole.FORWARD)), bool(roles.get(OligoRole.REVERSE))
    name = set_name or "1"
    if not has_forward and not has_reverse:
        return _("Set %(set)s: it has no forward and no reverse primer.", set=name)
    if not has_forward:
        return _("Set %(set)s: it has no forward primer.", set=name)
    return _("Set %(set)s: it has no reverse primer.", set=name)
