"""Paths into the content of a version: ``title``, ``taxon.scientific``, ``oligos.1.sequence``.

A path names a key of the content, then keys of groups or places in lists (from 0). The empty path is
the whole version.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from labhub.errors import Invalid
from labhub.i18n import N_, Text, _

LONGEST_PATH = 200
LONGEST_QUOTE = 2_000
PATH_SHAPE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+){0,6}")


def value_at(content: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a path; the whole content at the empty one. Raises ``Invalid``.

    >>> value_at({"oligos": [{"sequence": "ACGT"}]}, "oligos.0.sequence")
    'ACGT'
    """
    if not path:
        return content
    if len(path) > LONGEST_PATH or not PATH_SHAPE.fullmatch(path):
        raise _no_field(path)
    value: Any = content
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and part.isdecimal()
            and len(part) < 5
            and int(part) < len(value)
        ):
            value = value[int(part)]
        else:
            raise _no_field(path)
    return value


def _no_field(path: str) -> Invalid:
    return Invalid(
        _(
            "This version has no field %(path)s. Name one of its keys, like title or oligos.0.sequence.",
            path=path[:60],
        ),
        field="field",
    )


def has_field(content: Mapping[str, Any], path: str) -> bool:
    """Say whether a path leads somewhere in a content."""
    try:
        value_at(content, path)
    except Invalid:
        return False
    return True


def as_text(value: Any) -> str | None:
    """Return a value as it is quoted beside a remark: nothing for what is not reported.

    >>> as_text(300), as_text(""), as_text(["maize flour", "seed"])
    ('300', None, 'maize flour; seed')
    """
    if value is None or value == "" or value == [] or value == {}:
        return None
    if isinstance(value, str):
        text = value
    elif isinstance(value, list) and all(isinstance(each, str) for each in value):
        text = "; ".join(value)
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


NAMES: dict[str, str] = {
    "title": N_("Title"),
    "specificity": N_("Specificity"),
    "technique": N_("Technique"),
    "quantitative": N_("Result"),
    "chemistry": N_("Chemistry"),
    "target": N_("Target"),
    "targets": N_("Events or elements"),
    "lmo_unique_identifiers": N_("LMOs"),
    "taxon": N_("Taxon"),
    "oligos": N_("Primers and probes"),
    "amplicon_bp": N_("Amplicon, bp"),
    "amplicon": N_("Amplicon sequence"),
    "amplicon_accession": N_("Accession number"),
    "reference_gene": N_("Reference gene"),
    "reference_method": N_("Reference method (taxon)"),
    "reference_materials": N_("Reference materials"),
    "calibrant": N_("Calibrant or reference material, with supplier"),
    "reaction_microlitre": N_("Reaction volume, µL"),
    "template_nanogram": N_("DNA in one reaction, ng"),
    "thermal_profile": N_("Temperature programme"),
    "reagents": N_("Reagents"),
    "matrices": N_("Matrices"),
    "licence": N_("Licence"),
    "rights": N_("Rights of use"),
    "validation": N_("Validation"),
    "studies": N_("Validation studies"),
    "standardisation": N_("Standard"),
    "sources": N_("Sources"),
    "notes": N_("Notes"),
}
"""The fields that a remark is offered for first, in the order of the page; any other path may be typed."""


def name_of(path: str) -> list[Text]:
    """Return a path as the reader's words, part by part; places in lists count from 1.

    >>> [str(part) for part in name_of("oligos.1.sequence")]
    ['Primers and probes', '2', 'sequence']
    >>> [str(part) for part in name_of("")]
    ['The whole version']
    """
    if not path:
        return [_("The whole version")]
    first, *others = path.split(".")
    words: list[Text] = [_(NAMES[first]) if first in NAMES else first.replace("_", " ")]
    return words + [str(int(part) + 1) if part.isdecimal() else part.replace("_", " ") for part in others]


def choices(content: Mapping[str, Any]) -> list[tuple[str, list[Text]]]:
    """Return the paths that a page offers: the named fields, then each oligo and each study."""
    found = [(path, name_of(path)) for path in ("", *NAMES) if not path or path in content]
    for key, parts in (("oligos", ("", "sequence", "final_concentration_nanomolar")), ("studies", ("",))):
        for place in range(len(content.get(key) or ())):
            for part in parts:
                path = f"{key}.{place}.{part}" if part else f"{key}.{place}"
                found.append((path, name_of(path)))
    return found
